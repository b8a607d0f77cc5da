"""Warnings that point at the line of user code that called this package."""

import os
import sys
import warnings
from pathlib import Path

__all__ = ["warn"]

OURS = f"{Path(__file__).parent}{os.sep}"
BETWEEN = ("sklearn", "joblib", "contextlib", "typer", "click")
"""Packages that a call may pass through: their lines are not the user's."""


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line outside this package and those in `BETWEEN`.

    Parameters
    ----------
    message : str or Warning
    category : type of Warning
        The category of a message that is a string.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_between(frame.f_code.co_filename, frame.f_globals):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level + 1)


def _is_between(path: str, names: dict[str, object]) -> bool:
    package = str(names.get("__name__", "")).partition(".")[0]
    return path.startswith(OURS) or package in BETWEEN
