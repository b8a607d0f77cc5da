"""Checked samples in the form that the engines expect: parts of them, and those of many fits."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.data import SparseSamples
from multilayer.data.split import are_alone, split_rows
from multilayer.errors import InvalidDataError
from multilayer.estimators.settings import Settings
from multilayer.samples import Data, LazySamples, check_weights

__all__ = ["Part", "Pool", "as_samples", "set_aside"]

Array = npt.NDArray[Any]


class Part(NamedTuple):
    """Rows of samples that other fits may share, in the order of `rows`; all rows if it is None."""

    data: Data
    rows: Array | None = None

    @property
    def n_samples(self) -> int:
        """The number of rows."""
        return self.data.n_samples if self.rows is None else len(self.rows)

    @property
    def targets(self) -> Array:
        """The targets of the rows."""
        return np.asarray(self.data.targets if self.rows is None else self.data.targets[self.rows])

    @property
    def weight(self) -> Array | None:
        """The weights of the rows."""
        weight = self.data.weight
        return weight if weight is None or self.rows is None else np.asarray(weight[self.rows])

    def take(self, rows: Array) -> "Part":
        """Return some of these rows."""
        return self._replace(rows=rows if self.rows is None else self.rows[rows])

    def read(self) -> Data:
        """Return the rows as separate samples."""
        return self.data if self.rows is None else self.data.part(self.rows)


class Pool:
    """The samples of several fits as one matrix, in which shared samples are stored once."""

    def __init__(self) -> None:
        self._several: list[Data] = []

    def rows(self, part: Part) -> Array:
        """Return a part's rows in the pool, to which its samples are added if they are new."""
        start = 0
        for data in self._several:
            if data.X is part.data.X and data.targets is part.data.targets:
                break
            start += data.n_samples
        else:
            self._several.append(part.data)
        return start + (np.arange(part.n_samples) if part.rows is None else part.rows)

    def data(self) -> Data:
        """Return all samples, without weights."""
        if len(self._several) == 1:
            return self._several[0]._replace(weight=None)
        sources = [data.X for data in self._several]
        are_lazy = any(isinstance(X, LazySamples) for X in sources)
        X = _Stacked(sources) if are_lazy else np.concatenate(sources)
        return Data(X, np.concatenate([data.targets for data in self._several]))


class _Stacked(LazySamples):
    """Stacked samples, some of which are lazy."""

    def __init__(self, sources: Sequence[Any]) -> None:
        self._sources = sources
        self._starts = np.cumsum([0, *map(len, sources)])
        self.shape = (int(self._starts[-1]), sources[0].shape[1])
        lazy = [X for X in sources if isinstance(X, LazySamples)]
        self.reads_in_parallel = all(X.reads_in_parallel for X in lazy)
        self.is_in_memory = all(X.is_in_memory for X in lazy)

    def __getitem__(self, rows: Any) -> Any:
        rows = np.arange(len(self))[rows]
        which = np.searchsorted(self._starts, rows, side="right") - 1
        found = np.empty((len(rows), self.shape[1]), self._sources[0][:1].dtype)
        for source in np.unique(which):
            own = which == source
            found[own] = self._sources[source][rows[own] - self._starts[source]]
        return found


def as_samples(X: Any) -> Any:
    """Return samples in the form that the engines expect."""
    return SparseSamples(X) if hasattr(X, "tocsr") else X


def set_aside(
    part: Part, settings: Settings, random_state: np.random.RandomState
) -> tuple[Part, Part]:
    """Return the training and the validation part, split as in scikit-learn.

    Two classes have the same shares in both parts. If epochs are judged by the loss, the only
    sample of a class goes to training; if by the score, it raises an error, as in scikit-learn.

    Raises
    ------
    InvalidDataError
        If a part would be too small, or all its weights zero.
    """
    strata = kept = None
    if settings.targets.has_one_class:
        if settings.monitor == "validation_loss":
            kept = are_alone(part.targets)
        if settings.targets.out_features == 1:
            strata = part.targets.astype(bool)
    share = settings.validation_fraction
    training, held_out = split_rows(
        part.n_samples,
        share,
        random_state,
        strata,
        kept=kept,
        rule=f"cannot be {share!r} of {part.n_samples} samples",
        parameter="validation_fraction",
    )
    if len(held_out) < 2:
        raise InvalidDataError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    check_weights(part.weight, training, held_out)
    return part.take(training), part.take(held_out)
