"""The picture of the range test: the points that were measured, and the two rates that are read."""

import matplotlib as mpl
import numpy as np
import pytest

from multilayer.errors import InvalidTypeError
from multilayer.inspection import RangeTest
from multilayer.plots import lr_finder

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


@pytest.fixture
def measured():
    rates = np.geomspace(1e-5, 1, 6)
    losses = np.array([2.0, 2.1, 1.6, 0.9, 0.5, 300.0])
    return RangeTest(rates, losses, losses + 0.1, has_diverged=True)


def test_what_was_measured_is_drawn(measured):
    ax = lr_finder(measured)
    batches, smoothed, *marks = ax.get_lines()
    assert (batches.get_ydata() == measured.losses).all()
    assert (smoothed.get_ydata() == measured.smoothed).all()
    assert all((line.get_xdata() == measured.learning_rates).all() for line in (batches, smoothed))
    points = {
        mark.get_label(): mark.get_xydata().tolist() for mark in marks if len(mark.get_xdata()) == 1
    }
    assert points == {
        "lowest loss: 0.1": [[pytest.approx(0.1), pytest.approx(0.6)]],
        "suggestion: 0.01": [[pytest.approx(0.01), pytest.approx(1.0)]],
    }
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning rate", "batch loss")
    assert len(ax.get_legend().get_texts()) == 4


def test_what_blew_up_does_not_flatten_the_rest(measured):
    low, high = lr_finder(measured).get_ylim()
    assert low < 0.5
    assert 2.2 < high < 4


def test_it_draws_where_it_is_told_to(measured):
    from matplotlib import pyplot as plt

    _, ax = plt.subplots()
    assert lr_finder(measured, ax=ax) is ax


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"test": [1, 2]},
            "test of lr_finder must be a RangeTest, as multilayer.inspection.lr_finder returns it; "
            "got list",
        ),
        ({"ax": 3}, "ax of lr_finder must be a matplotlib Axes; got int"),
    ],
)
def test_arguments_that_cannot_be_used(measured, arguments, message):
    with pytest.raises(InvalidTypeError) as caught:
        lr_finder(**{"test": measured} | arguments)
    assert str(caught.value) == message
