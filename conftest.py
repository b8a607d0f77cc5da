"""What all tests and doctests share."""

import os
import sys

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")  # pictures need no screen


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn: matplotlib warns of too many open figures."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
