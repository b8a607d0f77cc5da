"""History: the metrics of each epoch."""

import json
import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Self

from multilayer import forks
from multilayer.errors import InvalidArgumentError, MissingPackageError
from multilayer.registry import Names
from multilayer.training.curves import curves_html

if TYPE_CHECKING:
    import pandas

__all__ = ["History"]

_ENTRIES = ("metrics", "best_epoch", "stopped_by", "settings")


class History(Mapping[str, list[float]]):
    """Metrics by name, each with one value per epoch.

    There are always ``train_loss`` and ``seconds``. Except with L-BFGS, there is ``learning_rate``,
    that of the epoch's last step. The training loss is the weighted mean, over the epoch's samples,
    of each batch's loss before its step, penalty included. With validation samples, there are also
    ``validation_loss``, without penalty, and ``validation_<metric>``.

    Attributes
    ----------
    best_epoch : int
        The epoch, counted from 1, after which the monitored metric was best; 0 if there is none.
    stopped_by : str
        ``"n_epochs"``, ``"early_stopping"``, ``"interrupt"``, ``"divergence"``, with L-BFGS also
        ``"converged"``, ``"max_evaluations"`` or ``"line_search"``, or the reason that a callback
        gave.
    settings : dict
        How the network was trained, as values for JSON: ``"loss"`` and ``"optimizer"``, each with
        its name and parameters (None if it is not one of the package's), ``"batch_size"``, and
        ``"monitor"``, the metric by which epochs are judged. Empty if unknown.

    Examples
    --------
    >>> history = History()
    >>> history.append({"train_loss": 0.5})
    >>> history["train_loss"]
    [0.5]
    """

    def __init__(self, values: Mapping[str, list[float]] | None = None) -> None:
        self._values = {name: list(column) for name, column in (values or {}).items()}
        self.best_epoch = 0
        self.stopped_by = ""
        self.settings: dict[str, Any] = {}

    def append(self, epoch: Mapping[str, float]) -> None:
        """Add an epoch's values."""
        for name, value in epoch.items():
            self._values.setdefault(name, []).append(value)

    @property
    def n_epochs(self) -> int:
        """The number of completed epochs."""
        return max((len(column) for column in self._values.values()), default=0)

    @property
    def best(self) -> tuple[int, str]:
        """The best epoch, and a caption for it; 0 and "" if there were no validation samples.

        Without them, epochs are judged by the training loss. It is not the loss of the weights at
        the epoch's end, so a plot of it cannot mark the best epoch.

        Examples
        --------
        >>> history = History({"train_loss": [0.9, 0.5], "validation_loss": [0.8, 0.9]})
        >>> history.best_epoch, history.settings["monitor"] = 1, "validation_loss"
        >>> history.best
        (1, 'best epoch 1, by validation loss')
        """
        if not self.best_epoch or not any(name.startswith("validation_") for name in self):
            return 0, ""
        monitor = self.settings.get("monitor", "")
        by = f", by {monitor.replace('_', ' ')}" if monitor else ""
        return self.best_epoch, f"best epoch {self.best_epoch:,}{by}"

    def __getitem__(self, name: str) -> list[float]:
        if name not in self._values:
            # Mapping's `get` and `in` rely on a KeyError.
            raise KeyError(
                f"{name!r} was not measured; available: {', '.join(self._values) or 'no metrics'}"
            )
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {column[-1]:.4g}" for name, column in self._values.items())
        return f"History({self.n_epochs} epochs, stopped by {self.stopped_by!r}; last: {last})"

    def _repr_html_(self) -> str:
        """Return the loss curves as HTML, for notebooks."""
        names = {"train_loss": "training loss", "validation_loss": "validation loss"}
        curves = {
            label: self._values[name] for name, label in names.items() if name in self._values
        }
        text = f"<code>{escape(repr(self))}</code>"
        return f"<div>{text}<br>{curves_html(curves, mark=self.best)}</div>"

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a data frame with a row per epoch, indexed from 1, and a column per metric.

        Raises
        ------
        MissingPackageError
            If pandas is not installed.
        """
        try:
            with forks.imports:
                import pandas as pd
        except ImportError as error:
            raise MissingPackageError(
                'History.to_pandas needs pandas: pip install "pandas"'
            ) from error
        index = pd.RangeIndex(1, self.n_epochs + 1, name="epoch")
        return pd.DataFrame(self._values, index=index)

    def to_json(self) -> str:
        """Return the metrics, `best_epoch`, `stopped_by` and `settings` as a JSON object.

        Infinite and NaN values, which JSON does not have, become ``null``.
        """
        metrics = {
            name: [value if math.isfinite(value) else None for value in column]
            for name, column in self._values.items()
        }
        return json.dumps(
            {
                "metrics": metrics,
                "best_epoch": self.best_epoch,
                "stopped_by": self.stopped_by,
                "settings": self.settings,
            },
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the history that `to_json` wrote, with NaN for each ``null``.

        Raises
        ------
        InvalidArgumentError
            If `text` was not written by `to_json`.
        """
        try:
            parts: Any = json.loads(text)
            for name in parts:
                Names("entry", _ENTRIES).check(name, "History")
            history = cls(
                {
                    str(name): [math.nan if value is None else float(value) for value in column]
                    for name, column in parts["metrics"].items()
                }
            )
            history.best_epoch = int(parts["best_epoch"])
            history.stopped_by = str(parts["stopped_by"])
            history.settings = dict(parts.get("settings", {}))
            if not isinstance(history.settings.get("monitor", ""), str):
                raise TypeError("monitor must be text")
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
            OverflowError,
        ) as error:
            raise InvalidArgumentError(f"not the JSON of a History: {error}") from error
        return history
