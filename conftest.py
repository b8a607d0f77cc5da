"""What all tests and doctests share."""

import os
import signal
import sys

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")  # pictures need no screen


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn: matplotlib warns of too many open figures."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def ctrl_c():
    """Let Ctrl-C raise KeyboardInterrupt, here and in the processes that a test starts.

    Tests that run in the background (`nohup make test &`) are started with SIGINT ignored, and so
    are their children.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
