"""Interrupts: records that Ctrl-C was pressed, instead of raising KeyboardInterrupt at once."""

import os
import signal
import threading
from types import FrameType
from typing import Self

__all__ = ["Interrupts"]


class Interrupts:
    """Records Ctrl-C within its ``with`` block, instead of raising KeyboardInterrupt.

    It has no effect outside the main thread, which alone receives signals, nor if SIGINT already
    has a handler other than Python's.

    Parameters
    ----------
    is_patient : bool
        Whether further Ctrl-Cs are only recorded too; otherwise the second raises
        KeyboardInterrupt.

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
        # A process forked inside the block inherits this handler, but should be interrupted.
        if (self.has_come and not self._is_patient) or os.getpid() != self._process:
            raise KeyboardInterrupt
        self.has_come = True
