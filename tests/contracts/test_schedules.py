"""What every schedule promises: the factors that its docstring writes down."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.numpy import MLP, SCHEDULES
from multilayer.numpy.schedules import Plateau, Schedule
from multilayer.training import fit


class Row(NamedTuple):
    """The factors at the start, the middle and the end of a training of ten epochs."""

    start: float
    middle: float
    end: float


ROWS = {
    "constant": Row(1, 1, 1),
    "step": Row(1, 1, 1),  # the first step comes after 30 epochs
    "exponential": Row(1, 0.95**5, 0.95**10),
    "inverse_scaling": Row(1, 6**-0.5, 11**-0.5),
    "cosine": Row(1, 0.5, 0),
    # From 3 to 10 the cosine comes down; 5 is two sevenths of the way, and (1 + cos(2π/7))/2 there.
    "one_cycle": Row(0.04, 4e-6 + (1 - 4e-6) * 0.8117449009293668, 4e-6),
    "warm_up": Row(0.1, 1, 1),
    "reduce_on_plateau": Row(1, 1, 1),  # no loss has been observed
}


def test_every_schedule_has_a_row(assert_rows):
    assert_rows(SCHEDULES, ROWS)


@pytest.fixture(params=list(SCHEDULES))
def name(request):
    return request.param


def test_its_docstring_has_a_formula(name, assert_documented):
    assert_documented(SCHEDULES[name])


def test_its_factors_are_those_of_its_row(name):
    schedule = SCHEDULES[name]()
    factors = [schedule.factor(t, 10, Plateau()) for t in (0, 5, 10)]
    assert factors == pytest.approx(list(ROWS[name]), rel=1e-12, abs=1e-12)


def test_it_is_data(name):
    schedule = SCHEDULES[name]()
    assert isinstance(schedule, Schedule)
    assert dataclasses.replace(schedule) == schedule
    before = dict(vars(schedule))
    schedule.observe(1.0, Plateau())
    schedule.factor(0.5, 10, Plateau())
    assert vars(schedule) == before
    assert set(before) == {field.name for field in dataclasses.fields(schedule)}


def test_every_number_has_an_interval_and_every_interval_a_number(name):
    schedule = SCHEDULES[name]
    numbers = {f.name for f in dataclasses.fields(schedule) if isinstance(f.default, float)}
    assert set(schedule.intervals) == numbers


def test_fit_takes_it_by_its_name_and_multiplies_the_learning_rate(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(8, 2))
    net = MLP(Architecture(2, (), 1), rng=rng)
    history = fit(
        net,
        (X, X[:, 0]),
        loss="squared_error",
        optimizer="sgd",
        n_epochs=3,
        batch_size=4,
        schedule=name,
        rng=rng,
    )
    # Two steps an epoch: the second has t = 0.5, 1.5 and 2.5.
    factors = [SCHEDULES[name]().factor(t, 3, Plateau()) for t in (0.5, 1.5, 2.5)]
    assert history["learning_rate"] == pytest.approx([0.01 * factor for factor in factors])
