"""Batches: which samples a step takes, and in what order."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError
from multilayer.samples import Data

__all__ = ["DEFAULT_BATCH_SIZE", "Batches", "Epoch", "Lockstep", "Part", "Sampler", "starts_of"]

DEFAULT_BATCH_SIZE = 32

Array = npt.NDArray[Any]


class Sampler(Protocol):
    """An iterable that yields new row numbers each time, such as one of PyTorch's samplers.

    A sampler may also have a method ``order``, which returns all row numbers at once, as an array;
    this is faster.
    """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[int]: ...


class Part(NamedTuple):
    """A part of an epoch: the whole epoch if the samples are in memory."""

    batches: "Batches | Lockstep"
    order: Array | None
    """The order of the samples; `masses` has the mass of each batch: see `Batches.epoch`."""
    masses: list[Any]
    data: Data | None = None
    """The samples; None for the data that the training started with."""


class Epoch(NamedTuple):
    """An epoch whose order has been drawn."""

    n_steps: list[int]
    """The number of steps, as a list of one; or one number for each network."""
    parts: Iterator[Part]


class Batches:
    """Divides the samples of an epoch into batches, in a new random order for each epoch.

    It handles positions and row numbers only; the caller reads the samples.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    weight : array of shape (n_samples,) or (K, n_samples), optional
        Sample weights; one row for each of K networks if they differ.
    batch_size : int
        Samples per batch. The last batch may be smaller; no sample is left out.
    shuffle : bool or sampler
        Whether each epoch has a new order; or a sampler, which has a length and yields that many
        row numbers for each epoch.
    least : int
        A last batch with fewer samples is merged into the one before: batch normalisation needs
        two samples.

    Attributes
    ----------
    bounds : list of (start, stop)
        The positions of each batch in the order of an epoch.

    Raises
    ------
    InvalidDataError
        If there are no samples, or `weight` does not have one entry for each; later, if a sampler
        yields wrong row numbers.
    InvalidArgumentError, InvalidTypeError
        If `batch_size` is not a positive integer.

    Examples
    --------
    >>> batches = Batches(7, batch_size=3)
    >>> batches.bounds
    [(0, 3), (3, 6), (6, 7)]
    >>> order, masses = batches.epoch(np.random.default_rng(0))
    >>> print(order, masses)
    [2 4 3 6 5 0 1] [3.0, 3.0, 1.0]
    """

    def __init__(
        self,
        n_samples: int,
        weight: Any = None,
        *,
        batch_size: int,
        shuffle: bool | Sampler = True,
        least: int = 1,
    ) -> None:
        batch_size = checks.integer(batch_size, "batch_size", "Batches")
        if weight is not None and np.shape(weight)[-1] != n_samples:
            rule = f"must have {n_samples} entries"
            raise InvalidDataError(rule, "weight", "Batches", got=np.shape(weight)[-1])
        self.n_samples = n_samples
        self.weight = None if weight is None else np.asarray(weight, dtype=np.float64)
        self.shuffle = shuffle
        n_rows = n_samples if isinstance(shuffle, bool) else len(shuffle)
        if n_rows == 0:
            raise InvalidDataError("an epoch of Batches must have samples; got none")
        self.bounds = list(pairwise([*starts_of(n_rows, batch_size, least), n_rows]))

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.bounds)

    @property
    def size(self) -> int:
        """The number of samples in a full batch."""
        start, stop = self.bounds[0]
        return stop - start

    def draw(self, rng: np.random.Generator) -> Epoch:
        """Draw the next epoch."""
        return Epoch(self.n_steps, iter([Part(self, *self.epoch(rng))]))

    def epoch(self, rng: np.random.Generator) -> tuple[Array | None, list[float]]:
        """Draw the order of an epoch, and return it with the mass of each batch.

        The order is an array of row numbers, or None if the rows are not reordered. The mass of a
        batch is the sum of its sample weights, or the number of its samples if there are no
        weights. If `weight` has K rows, there is a list of masses for each network.
        """
        order = self._order(rng)
        if self.weight is None:
            return order, [float(stop - start) for start, stop in self.bounds]
        ordered = self.weight if order is None else self.weight[..., order]
        starts = [start for start, _ in self.bounds]
        return order, np.add.reduceat(ordered, starts, axis=-1).tolist()

    @property
    def n_steps(self) -> list[int]:
        """The number of steps in an epoch, as a list of one, to match `Lockstep`."""
        return [len(self)]

    member_rows: tuple[Array, ...] = ()
    """The rows of each member of an ensemble; empty if all members train on the same rows."""

    def rows(self, order: Array | None, number: int) -> Array:
        """Return the row numbers of a batch, given an order that `epoch` returned."""
        start, stop = self.bounds[number]
        return np.arange(start, stop) if order is None else order[start:stop].copy()

    def _order(self, rng: np.random.Generator) -> Array | None:
        if isinstance(self.shuffle, bool):
            one_batch = len(self) == 1
            return rng.permutation(self.n_samples) if self.shuffle and not one_batch else None
        whole: Any = getattr(self.shuffle, "order", None)
        order = np.fromiter(self.shuffle, dtype=np.intp) if whole is None else whole()
        n_rows = self.bounds[-1][1]
        if len(order) != n_rows or ((order < 0) | (order >= self.n_samples)).any():
            raise InvalidDataError(
                f"the sampler must give {n_rows} row numbers from 0 to {self.n_samples - 1}; got "
                f"{len(order)}, from {order.min(initial=0)} to {order.max(initial=0)}"
            )
        return order


class Lockstep:
    """The batches of K networks that are trained in step, each on its own rows.

    Network k gets the same batches as if it were trained alone. The network with the most batches
    sets the number of steps in an epoch; in later steps, a network with fewer rows has a smaller
    batch, or none.

    Parameters
    ----------
    n_samples : int
        Total number of samples.
    rows : sequence of K arrays
        Each network's row numbers, possibly with repeats. A network without rows takes no steps.
    weight : array of shape (n_samples,) or (K, n_samples), optional
        Sample weights.
    batch_size, shuffle, least
        As in `Batches`, except that `shuffle` may be a sequence of K samplers, one for each
        network, which yield positions in the network's rows.

    Attributes
    ----------
    bounds : list of (starts, stops)
        The positions of each step's batch in the networks' orders: two arrays of shape (K,), or two
        numbers if they are the same for all networks.

    Examples
    --------
    >>> batches = Lockstep(5, [np.array([0, 1, 2, 3]), np.array([4, 3, 2])], batch_size=2)
    >>> batches.bounds
    [(0, 2), (array([2, 2]), array([4, 3]))]
    """

    def __init__(
        self,
        n_samples: int,
        rows: Sequence[Array],
        weight: Any = None,
        *,
        batch_size: int,
        shuffle: bool | Sequence[Sampler] = True,
        least: int = 1,
    ) -> None:
        self.n_samples, self.member_rows, self.shuffle = n_samples, tuple(rows), shuffle
        orders = [shuffle] * len(rows) if isinstance(shuffle, bool) else shuffle
        weights = np.broadcast_to(weight, (len(rows), n_samples)) if weight is not None else None
        self._batches = [
            Batches(
                len(own),
                None if weights is None else weights[k][own],
                batch_size=batch_size,
                shuffle=orders[k],
                least=least,
            )
            if len(own)
            else None
            for k, own in enumerate(rows)
        ]
        bounds = np.zeros((max(self.n_steps), len(rows), 2), dtype=int)
        for k, batches in enumerate(self._batches):
            if batches is not None:
                bounds[: len(batches), k] = batches.bounds
        self.bounds: list[tuple[Any, Any]] = [
            tuple(step[0].tolist()) if (step == step[0]).all() else (step[:, 0], step[:, 1])
            for step in bounds
        ]

    def __len__(self) -> int:
        """Return the number of steps in an epoch."""
        return len(self.bounds)

    @property
    def size(self) -> Array:
        """The number of samples in a full batch of each network."""
        return np.array([0 if own is None else own.size for own in self._batches])

    @property
    def n_steps(self) -> list[int]:
        """The number of steps in an epoch of each network."""
        return [0 if own is None else len(own) for own in self._batches]

    def draw(self, rngs: Sequence[np.random.Generator]) -> Epoch:
        """Draw the next epoch."""
        return Epoch(self.n_steps, iter([Part(self, *self.epoch(rngs))]))

    def epoch(self, rngs: Sequence[np.random.Generator]) -> tuple[Array, list[list[float]]]:
        """Draw the orders of an epoch, and return them with the masses of each network's batches.

        The orders are row numbers, of shape (K, n), where n is the largest number of rows that a
        network has; entries past the end of a network's rows are padding.
        """
        orders = np.zeros((len(self.member_rows), max(map(len, self.member_rows))), dtype=np.intp)
        masses: list[list[float]] = []
        for k, (batches, rng) in enumerate(zip(self._batches, rngs, strict=True)):
            order, mass = (None, []) if batches is None else batches.epoch(rng)
            own = self.member_rows[k]
            orders[k, : len(own)] = own if order is None else own[order]
            masses.append(mass)
        return orders, masses

    def rows(self, orders: Array, number: int) -> list[Array]:
        """Return the row numbers of each network's batch in a step, or of its last batch so far."""
        found = []
        for order, batches in zip(orders, self._batches, strict=True):
            start, stop = (0, 0)
            if batches is not None:
                start, stop = batches.bounds[min(number, len(batches) - 1)]
            found.append(order[start:stop].copy())
        return found


def starts_of(n_rows: int, batch_size: int, least: int) -> range:
    """Return where batches start; a last batch of fewer than `least` rows joins the one before."""
    starts = range(0, n_rows, batch_size)
    return starts[:-1] if len(starts) > 1 and n_rows - starts[-1] < least else starts
