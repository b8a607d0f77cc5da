"""Keeper: writes checkpoints at intervals, and resumes a training run from one."""

import json
import time
from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np

from multilayer.errors import InvalidArgumentError, ModelFileError
from multilayer.randomness import generator_state, set_generator_state
from multilayer.training.callbacks import Callback
from multilayer.training.checkpoint import Checkpoint, Kept
from multilayer.training.interrupts import Interrupts
from multilayer.training.run import Run

__all__ = ["Keeper"]


class Resumable(Protocol):
    """A training run that can be resumed: a `Loop`."""

    def description(self) -> dict[str, Any]:
        """Return what is trained, on what, and how, as values for JSON."""

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the state: values for JSON, and arrays by name."""

    def set_state(self, numbers: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Restore what `state` returned."""


class Keeper:
    """Saves one training run in a checkpoint; it is called after each step, and writes when due.

    Within its ``with`` block, Ctrl-C takes effect at the end of the step, so that the state is
    consistent; a second Ctrl-C takes effect at once.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where to save.
    rng : numpy.random.Generator
        The generator of the training run. On resuming, it is set to the state in which the run
        began.
    resume : bool
        Whether to resume from the checkpoint, if one exists.
    is_given : bool
        Whether the user passed `rng`; it must then already be in that state.

    Raises
    ------
    InvalidArgumentError
        If a checkpoint exists, but `resume` is false, or it was made with another `rng`.
    ModelFileError
        If the file is not a checkpoint, or is damaged.
    """

    def __init__(
        self, checkpoint: Checkpoint, rng: np.random.Generator, *, resume: bool, is_given: bool
    ) -> None:
        self.checkpoint = checkpoint
        self._start = generator_state(rng)
        self._interrupts = Interrupts()
        self._kept = checkpoint.read()
        if self._kept is None:
            return
        if not resume:
            raise InvalidArgumentError(
                f"there is a checkpoint in {checkpoint.folder}: resume from it with resume=True, "
                "or give another folder"
            )
        start = self._kept.arrays["start"]
        if is_given and not np.array_equal(start, self._start):
            rule = (
                f"must be in the state in which the training run in {checkpoint.folder} began: "
                "give the same seed, and draw the network's weights again if they come from it, "
                "or give rng=None to restore that state"
            )
            raise InvalidArgumentError(rule, "rng", "fit")
        try:
            set_generator_state(rng, start)
        except ValueError as error:
            raise InvalidArgumentError(
                f"the checkpoint in {checkpoint.folder} was made with another kind of rng: {error}"
            ) from error
        self._start = start

    def begin(self, loop: Resumable, callbacks: Sequence[Callback]) -> None:
        """Take a loop and its callbacks, and restore the loop from the checkpoint, if there is one.

        Raises
        ------
        InvalidArgumentError
            If the checkpoint belongs to another training run; the message lists the differences.
            Also if this run cannot be saved.
        OSError
            If the folder cannot be created.
        """
        self._loop = loop
        self._callbacks = [callback for callback in callbacks if _has_state(callback)]
        names = {"callbacks": [_name(callback) for callback in self._callbacks]}
        self._training = json.loads(json.dumps(loop.description() | names))
        kept, self._kept = self._kept, None
        self._callback_states: list[dict[str, Any]] = []
        loop.state()  # if it cannot be saved, fail now
        if kept is not None:
            self._check_same(kept.training)
            try:
                loop.set_state(kept.progress["loop"], kept.arrays)
                self._callback_states = list(kept.progress["callbacks"])
            except (KeyError, ValueError, TypeError, RuntimeError) as error:
                rule = f"does not fit this release of multilayer: {error}"
                raise ModelFileError(rule, self.checkpoint.path) from error
        self.checkpoint.folder.mkdir(parents=True, exist_ok=True)  # if it cannot be, fail now
        self._written = time.monotonic()

    def remind(self, callback: Callback) -> None:
        """Restore a callback's state, if it was saved; call this for all callbacks, in order."""
        if self._callback_states and _has_state(callback):
            callback.set_state(self._callback_states.pop(0))

    def __call__(self, run: Run) -> None:
        """Write if it is time or Ctrl-C was pressed; after Ctrl-C, raise KeyboardInterrupt.

        It is called before the first step, and after the callbacks of each step and each epoch.
        """
        is_over = run.n_complete == run.n_epochs
        if run.stopped_by or is_over:  # there is nothing left to resume
            return
        if self._interrupts.has_come:
            self.write()
            raise KeyboardInterrupt
        if time.monotonic() - self._written >= self.checkpoint.seconds:
            self.write()

    def write(self) -> None:
        """Write the checkpoint now."""
        numbers, arrays = self._loop.state()
        states = [callback.state() for callback in self._callbacks]
        progress = {"loop": numbers, "callbacks": states}
        self.checkpoint.write(Kept(self._training, progress, arrays | {"start": self._start}))
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        self._interrupts.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._interrupts.__exit__(*error)

    def _check_same(self, kept: dict[str, Any]) -> None:
        """Raise an error if this training run is not the one that was saved."""
        now = self._training
        differences = {
            name: f"{{{name}}} was {kept.get(name)!r}, is {now.get(name)!r}"
            for name in now | kept
            if kept.get(name) != now.get(name)
        }
        if differences:
            raise InvalidArgumentError(
                f"the checkpoint in {self.checkpoint.folder} belongs to another training run: "
                + "; ".join(differences.values()),
                others=differences,
            )


def _has_state(callback: Callback) -> bool:
    return type(callback).state is not Callback.state


def _name(callback: Callback) -> str:
    """Return what identifies a callback: its repr, or its class if the repr has an address."""
    kind = type(callback)
    return kind.__name__ if kind.__repr__ is object.__repr__ else repr(callback)
