"""What a command warns of, as lines for people."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

__all__ = ["notes"]


@contextmanager
def notes(*silent: type[Warning]) -> Iterator[None]:
    """Print what is warned of, but for these kinds, in a line each."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    heard = [w for w in told if not issubclass(w.category, (DeprecationWarning, *silent))]
    for text in dict.fromkeys(str(warning.message) for warning in heard):
        Console(stderr=True).print(f"note: {text}", highlight=False, markup=False, soft_wrap=True)
