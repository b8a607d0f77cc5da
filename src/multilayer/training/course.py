"""Course: the progress of a training run within an epoch, which may have several parts."""

from typing import Any

from multilayer.data.batches import Epoch, Part
from multilayer.samples import Data, Parts

__all__ = ["Course"]


class Course:
    """The parts of an epoch, and which of them is in progress.

    Parameters
    ----------
    epoch : Epoch
        The epoch, as drawn by the batches.

    Attributes
    ----------
    n_steps : list of int
        The number of steps in the epoch; if networks differ, that of each network.
    part : Part or None
        The part in progress; None before the first step.
    n_before : int
        The number of steps in earlier parts.
    masses : list of float or list of K lists
        The masses of all batches up to the end of this part: see `Batches.epoch`.
    """

    def __init__(self, epoch: Epoch) -> None:
        self.n_steps, self._parts = epoch
        self.part: Part | None = None
        self.n_before = 0
        self.masses: list[Any] = []

    def part_of(self, step: int) -> Part | None:
        """Return the part with this step, counted from 0; None after the last part."""
        while self.part is None or step >= self.n_before + len(self.part.batches):
            if (part := next(self._parts, None)) is None:
                return None
            self.n_before += 0 if self.part is None else len(self.part.batches)
            self.part = part
            self._add(part.masses)
        return self.part

    def last_samples(self, step: int, training: Any) -> Data | Parts:
        """Return the samples of the last of `step` steps; if networks differ, for each network."""
        assert self.part is not None
        batches, order, _, data = self.part
        rows: Any = batches.rows(order, step - self.n_before - 1)  # type: ignore[arg-type]
        data = training if data is None else data
        return Parts(data, rows) if isinstance(rows, list) else data.part(rows)

    def _add(self, masses: list[Any]) -> None:
        """Append the masses of a part, with zeros for the steps that a network did not take."""
        if not self.masses or not isinstance(masses[0], list):
            self.masses = self.masses + masses
            return
        for own, more in zip(self.masses, masses, strict=True):
            own += [0.0] * (self.n_before - len(own))
            own += more
