"""Validation: the samples to validate on, and the metrics that are measured on them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multilayer.data.fingerprint import fingerprint
from multilayer.errors import InvalidArgumentError
from multilayer.samples import Data, Parts
from multilayer.training.metrics import Metric

__all__ = ["Validation"]


class Validation:
    """The samples to validate on, if any, and the metrics of each member.

    Parameters
    ----------
    data : Data, Parts or None
        The checked samples; in an ensemble, they may differ by member.
    metrics : mapping of str to Metric, sequence of K or None
        The metrics to measure on them.
    losses : sequence of K losses
        The losses, which convert outputs and targets to what metrics compare.
    """

    def __init__(
        self,
        data: Data | Parts | None,
        metrics: Mapping[str, Metric] | Sequence[Mapping[str, Metric]] | None,
        losses: Sequence[Any],
    ) -> None:
        is_one = metrics is None or isinstance(metrics, Mapping)
        self.data, self.losses = data, losses
        self.metrics: list[Any] = [metrics or {}] * len(losses) if is_one else list(metrics or ())

    def measure(self, k: int, p: Any) -> dict[str, float]:
        """Return the metrics of a member, by their names in the history.

        Parameters
        ----------
        k : int
            The member's number.
        p : array
            What it computed for its validation samples: the argument of its loss function.
        """
        if isinstance(self.data, Parts):
            targets = self.data.data.targets[self.data.rows[k]]
        else:
            assert self.data is not None
            targets = self.data.targets
        loss = self.losses[k]
        truth, prediction = loss.truth(np.asarray(targets)), loss.predict(p)
        measured = {}
        for name, metric in self.metrics[k].items():
            try:
                measured[f"validation_{name}"] = float(metric(truth, prediction))
            except (TypeError, ValueError) as error:
                raise InvalidArgumentError(
                    f"metric {name!r} cannot be measured: {error}"
                ) from error
        return measured

    def fingerprint(self) -> str | None:
        """Return a fingerprint of the samples and of each member's rows; None without samples."""
        if isinstance(self.data, Parts):
            return fingerprint(*self.data.data, *self.data.rows)
        return None if self.data is None else fingerprint(*self.data)
