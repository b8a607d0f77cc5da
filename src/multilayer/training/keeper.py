"""Keeper: has a checkpoint written when it is time, and a training go on from one."""

import json
import os
import signal
import threading
import time
from types import FrameType
from typing import Any, Protocol, Self

import numpy as np

from multilayer.errors import InvalidArgumentError, ModelFileError
from multilayer.randomness import generator_state, set_generator_state
from multilayer.training.checkpoint import Checkpoint, Kept
from multilayer.training.run import Run

__all__ = ["Keeper"]


class Resumable(Protocol):
    """A training that can be put where it was: a loop over epochs."""

    def description(self) -> dict[str, Any]:
        """Return what it trains, and how, as JSON has it."""

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return where it is: numbers as JSON has them, and arrays by name."""

    def set_state(self, numbers: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Put it where `state` said that it was."""


class Keeper:
    """Keeps one training in a checkpoint: called after each step, it writes when it is time.

    While it is entered, Ctrl-C waits for the end of the step, so that what it leaves is whole; a
    second one does not wait.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where.
    resume : bool
        Whether to go on from what is there, if anything is.
    rng : numpy.random.Generator
        The training's; it is put where it was when the training began.
    is_given : bool
        Whether it is the user's: then it must be there already.

    Raises
    ------
    InvalidArgumentError
        If there is a checkpoint that is not to be resumed, or that was made with another `rng`.
    ModelFileError
        If what is there is no checkpoint, or a damaged one.
    """

    def __init__(
        self, checkpoint: Checkpoint, rng: np.random.Generator, *, resume: bool, is_given: bool
    ) -> None:
        self.checkpoint = checkpoint
        self._start = generator_state(rng)
        self._listens = self._is_interrupted = False
        self._kept = checkpoint.read()
        if self._kept is None:
            return
        if not resume:
            msg = (
                f"there is a checkpoint in {checkpoint.folder}: go on from it with resume=True, or "
                "give another folder"
            )
            raise InvalidArgumentError(msg)
        start = self._kept.arrays["start"]
        if is_given and not np.array_equal(start, self._start):
            rule = (
                f"must be where it was when the checkpoint in {checkpoint.folder} was begun: give "
                "the same seed, and the same network if its weights come from it too, or "
                "rng=None to take it from there"
            )
            raise InvalidArgumentError(rule, "rng", "fit")
        try:
            set_generator_state(rng, start)
        except ValueError as error:
            msg = f"the checkpoint in {checkpoint.folder} needs its own kind of rng: {error}"
            raise InvalidArgumentError(msg) from error
        self._start = start

    def begin(self, loop: Resumable) -> None:
        """Take a loop, and put it where the checkpoint has it, if there is one.

        Raises
        ------
        InvalidArgumentError
            If the checkpoint is of another training; the message says what is different.
        OSError
            If the folder cannot be made.
        """
        self._loop = loop
        self._training = json.loads(json.dumps(loop.description()))
        kept, self._kept = self._kept, None
        if kept is not None:
            self._check_same(kept.training)
            try:
                loop.set_state(kept.progress, kept.arrays)
            except (KeyError, ValueError, TypeError, RuntimeError) as error:
                msg = f"{self.checkpoint.path} does not fit this release of multilayer: {error}"
                raise ModelFileError(msg) from error
        self.checkpoint.folder.mkdir(parents=True, exist_ok=True)  # or fail now
        self._written = time.monotonic()

    def __call__(self, run: Run) -> None:
        """Write if it is time or Ctrl-C was pressed; with Ctrl-C raise KeyboardInterrupt then."""
        if run.stopped_by:  # what is left to do is not in a checkpoint
            return
        if self._is_interrupted:
            self.write()
            raise KeyboardInterrupt
        if time.monotonic() - self._written >= self.checkpoint.seconds:
            self.write()

    def write(self) -> None:
        """Write now."""
        progress, arrays = self._loop.state()
        self.checkpoint.write(Kept(self._training, progress, arrays | {"start": self._start}))
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        self._listens = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        self._process = os.getpid()
        if self._listens:
            signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *error: object) -> None:
        if self._listens:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # A child that is forked meanwhile has this handler, and its own work to be interrupted in.
        if self._is_interrupted or os.getpid() != self._process:
            raise KeyboardInterrupt
        self._is_interrupted = True

    def _check_same(self, kept: dict[str, Any]) -> None:
        """Raise if the training is not the one that was kept."""
        now = self._training
        differences = {
            name: f"{{{name}}} was {kept.get(name)!r}, is {now.get(name)!r}"
            for name in now | kept
            if kept.get(name) != now.get(name)
        }
        if differences:
            raise InvalidArgumentError(
                f"the checkpoint in {self.checkpoint.folder} is of another training: "
                + "; ".join(differences.values()),
                others=differences,
            )
