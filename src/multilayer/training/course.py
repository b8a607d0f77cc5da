"""Course: how far a training has come in an epoch, which may have several parts."""

from typing import Any

from multilayer.data.batches import Epoch, Part
from multilayer.samples import Data, Parts

__all__ = ["Course"]


class Course:
    """The parts of an epoch, and the one that is under way.

    Parameters
    ----------
    epoch : Epoch
        As it was drawn.

    Attributes
    ----------
    n_steps : list of int
        The number of steps, or that of each network, if they differ.
    part : Part or None
        The part under way.
    n_before : int
        The number of steps in the parts before it.
    masses : list of float or list of K lists
        Of the batches up to the end of that part: see `Batches.epoch`.
    """

    def __init__(self, epoch: Epoch) -> None:
        self.n_steps, self._parts = epoch
        self.part: Part | None = None
        self.n_before = 0
        self.masses: list[Any] = []

    def part_of(self, step: int) -> Part | None:
        """Return the part that has this step, counted from 0; None if all are over."""
        while self.part is None or step >= self.n_before + len(self.part.batches):
            if (part := next(self._parts, None)) is None:
                return None
            self.n_before += 0 if self.part is None else len(self.part.batches)
            self.part = part
            self._add(part.masses)
        return self.part

    def last_samples(self, step: int, training: Any) -> Data | Parts:
        """Return the samples of the latest of so many steps, or those of each network."""
        assert self.part is not None
        batches, order, _, data = self.part
        rows: Any = batches.rows(order, step - self.n_before - 1)  # type: ignore[arg-type]
        data = training if data is None else data
        return Parts(data, rows) if isinstance(rows, list) else data.part(rows)

    def _add(self, masses: list[Any]) -> None:
        """Add the masses of a part; where a network takes no step, they are 0."""
        if not self.masses or not isinstance(masses[0], list):
            self.masses = self.masses + masses
            return
        for own, more in zip(self.masses, masses, strict=True):
            own += [0.0] * (self.n_before - len(own))
            own += more
