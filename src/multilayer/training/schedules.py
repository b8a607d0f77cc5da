"""Schedules: the schedules of the networks in training, with the state of each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from multilayer.numpy.schedules import Plateau, Schedule
from multilayer.training.run import Run

__all__ = ["Schedules"]


class Schedules:
    """The schedules of a training run: one network's, or those of an ensemble's members.

    Parameters
    ----------
    schedule : Schedule or sequence of K, optional
        Multiplies the learning rate. In an ensemble, a single schedule is for all members.
    run : Run
        The training run.
    """

    def __init__(self, schedule: Schedule | Sequence[Schedule | None] | None, run: Run) -> None:
        self._run = run
        n = len(run.members)
        if schedule is None or isinstance(schedule, Schedule):
            schedule = [schedule] * n
        self._schedules = list(schedule)
        self._plateaus = [Plateau()] * n

    def __repr__(self) -> str:
        return repr(self._schedules if self._run.is_ensemble else self._schedules[0])

    def factor(self, n_steps: Sequence[int]) -> Callable[[], Any] | None:
        """Return a function that returns the factor for the next step; for an ensemble, an array.

        Parameters
        ----------
        n_steps : sequence of int
            The number of steps in the epoch; if members differ, that of each member.

        Returns
        -------
        callable or None
            None if there is no schedule.
        """
        run = self._run
        if all(schedule is None for schedule in self._schedules):
            return None
        if len(n_steps) == 1:
            n_steps = list(n_steps) * len(self._schedules)
        # Members with the same schedule, in the same state, have the same factor.
        all_of_them = list(zip(self._schedules, self._plateaus, n_steps, strict=True))
        keys = [(id(schedule), state, n) for schedule, state, n in all_of_them]
        different = dict(zip(keys, all_of_them, strict=True))
        number = {key: place for place, key in enumerate(different)}
        places = [number[key] for key in keys]

        def now() -> Any:
            begun = run.epoch - 1
            factors = [
                1.0
                if schedule is None
                else schedule.factor(begun + run.step / n, run.n_epochs, state)
                for schedule, state, n in different.values()
            ]
            return np.array(factors)[places] if run.is_ensemble else factors[0]

        return now

    def observe(self, metrics: Mapping[int, Mapping[str, float]]) -> None:
        """Let the members' schedules observe the losses of an epoch.

        A schedule observes the validation loss, or the training loss if there is none.
        """
        for k, own in metrics.items():
            if (schedule := self._schedules[k]) is not None:
                watched = own.get("validation_loss", own["train_loss"])
                self._plateaus[k] = schedule.observe(watched, self._plateaus[k])

    def state(self) -> list[dict[str, Any]]:
        """Return the schedules' states, as values for JSON."""
        return [plateau._asdict() for plateau in self._plateaus]

    def set_state(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Restore what `state` returned."""
        self._plateaus = [Plateau(**plateau) for plateau in state]
