"""Interrupts: Ctrl-C, noted until somebody asks for it."""

import os
import signal
import threading
from types import FrameType
from typing import Self

__all__ = ["Interrupts"]


class Interrupts:
    """Notes Ctrl-C in place of Python, within its ``with`` block.

    Only the main thread receives signals, and a handler of the user's own stays; otherwise nothing
    is noted.

    Parameters
    ----------
    is_patient : bool
        Whether a second one waits too; otherwise it interrupts at once.

    Attributes
    ----------
    has_come : bool
        Whether Ctrl-C was pressed.

    Examples
    --------
    >>> with Interrupts() as interrupts:
    ...     signal.raise_signal(signal.SIGINT)
    ...     print(interrupts.has_come)
    True
    """

    def __init__(self, *, is_patient: bool = False) -> None:
        self._is_patient = is_patient
        self.has_come = self._is_set = False

    def __enter__(self) -> Self:
        self._is_set = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        self._process = os.getpid()
        if self._is_set:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        if self._is_set:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        # A child forked meanwhile has this handler too, but its own work to interrupt.
        if (self.has_come and not self._is_patient) or os.getpid() != self._process:
            raise KeyboardInterrupt
        self.has_come = True
