"""Schedules: factors at the times that matter, within bounds at all others, checked parameters."""

import dataclasses
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Step,
    WarmUp,
)
from multilayer.numpy.schedules import Plateau, Schedule


@pytest.mark.parametrize(
    ("schedule", "name", "interval", "value"),
    [
        (Step, "gamma", "(0, 1]", 0),
        (Step, "gamma", "(0, 1]", 1.5),
        (Exponential, "gamma", "(0, 1]", -0.5),
        (InverseScaling, "power", "(0, inf)", 0),
        (InverseScaling, "rate", "(0, inf)", 0),
        (Cosine, "final", "[0, 1]", 2),
        (Cosine, "final", "[0, 1]", -0.5),
        (OneCycle, "rise", "(0, 1)", 0),
        (OneCycle, "rise", "(0, 1)", 1),
        (OneCycle, "start", "[0, 1]", 1.5),
        (OneCycle, "final", "[0, 1]", -1),
        (WarmUp, "start", "[0, 1]", 2),
        (ReduceOnPlateau, "gamma", "(0, 1)", 1),
        (ReduceOnPlateau, "min_delta", "[0, inf)", -1),
        (ReduceOnPlateau, "min_delta", "[0, inf)", math.inf),
    ],
)
def test_numbers_outside_their_interval_are_refused(schedule, name, interval, value, refusal):
    said = refusal(InvalidArgumentError, schedule, **{name: value})
    assert said == f"{name} of {schedule.__name__} must be a number in {interval}; got {value:g}"
    said = refusal(InvalidTypeError, schedule, **{name: "1"})
    assert said == f"{name} of {schedule.__name__} must be a number in {interval}; got '1'"


@pytest.mark.parametrize(
    ("schedule", "name"), [(Step, "every"), (WarmUp, "epochs"), (ReduceOnPlateau, "patience")]
)
def test_counts_are_positive_integers(schedule, name, refusal):
    message = f"{name} of {schedule.__name__} must be a positive integer; got "
    assert refusal(InvalidArgumentError, schedule, **{name: 0}) == message + "0"
    assert refusal(InvalidTypeError, schedule, **{name: 2.5}) == message + "2.5"
    assert refusal(InvalidTypeError, schedule, **{name: True}) == message + "True"


@pytest.mark.parametrize("then", ["cosine", None, Cosine])
def test_a_warm_up_is_followed_by_a_schedule(then, refusal):
    said = refusal(InvalidTypeError, WarmUp, then=then)
    assert said == f"then of WarmUp must be a Schedule; got {then!r}"


@pytest.mark.parametrize("schedule", SCHEDULES.values())
def test_is_frozen_and_hashable(schedule):
    assert hash(schedule()) == hash(schedule())
    assert schedule() == schedule()
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule().gamma = 0.5


# At the times that matter ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "n_epochs", "factors"),
    [
        (Constant(), 10, {0: 1, 4.5: 1, 10: 1}),
        (Step(every=3, gamma=0.5), 10, {0: 1, 2.99: 1, 3: 0.5, 5.9: 0.5, 6: 0.25, 9: 0.125}),
        (Exponential(gamma=0.25), 10, {0: 1, 0.5: 0.5, 1: 0.25, 2: 0.0625}),
        (InverseScaling(power=2, rate=3), 10, {0: 1, 1: 1 / 16, 3: 0.01}),
        (Cosine(final=0.2), 10, {0: 1, 5: 0.6, 10: 0.2}),
        (OneCycle(rise=0.25, start=0.1, final=0.01), 8, {0: 0.1, 1: 0.55, 2: 1, 5: 0.505, 8: 0.01}),
        (WarmUp(epochs=4, start=0.2), 10, {0: 0.2, 1: 0.4, 2: 0.6, 4: 1, 9: 1}),
        (WarmUp(epochs=4, start=0, then=Cosine()), 10, {0: 0, 2: 0.5, 4: 1, 7: 0.5, 10: 0}),
        (WarmUp(epochs=5, start=0.5, then=Cosine()), 3, {0: 0.5, 3: 0.8}),
    ],
)
def test_factors_by_hand(schedule, n_epochs, factors):
    for t, expected in factors.items():
        found = schedule.factor(t, n_epochs, Plateau())
        assert found == pytest.approx(expected, rel=1e-14, abs=1e-16), t
        assert type(found) is float


def observe_all(schedule, losses):
    """Return the factor after each of the losses."""
    state, factors = Plateau(), []
    for loss in losses:
        state = schedule.observe(loss, state)
        factors.append(schedule.factor(1.0, 10, state))
    return factors


def test_a_plateau_reduces_the_rate_each_time_patience_ends():
    schedule = ReduceOnPlateau(gamma=0.5, patience=2)
    assert observe_all(schedule, [3, 2, 2, 2, 1, 1, 1, 1, 1]) == [
        *(1, 1, 1, 0.5, 0.5),
        *(0.5, 0.25, 0.25, 0.125),
    ]


def test_a_fall_by_min_delta_is_no_fall():
    schedule = ReduceOnPlateau(gamma=0.5, patience=1, min_delta=0.25)
    assert observe_all(schedule, [2, 1.75, 1.5, 1.25]) == [1, 0.5, 0.5, 0.25]
    assert observe_all(ReduceOnPlateau(gamma=0.5, patience=1), [2, 1.75, 1.5]) == [1, 1, 1]


def test_a_warm_up_hands_losses_on():
    schedule = WarmUp(epochs=1, then=ReduceOnPlateau(gamma=0.5, patience=1))
    assert observe_all(schedule, [2, 2, 1, 1]) == [1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("schedule", [s for n, s in SCHEDULES.items() if n != "reduce_on_plateau"])
def test_other_schedules_remember_nothing(schedule):
    state = Plateau()
    assert schedule().observe(1.0, state) is state


def test_the_interface_itself_has_no_factor():
    with pytest.raises(NotImplementedError):
        Schedule().factor(0.0, 1, Plateau())


# At all other times ----------------------------------------------------------------------------

SHARE = st.floats(0, 1)
POSITIVE = st.floats(1e-6, 1e3)
GAMMA = st.floats(1e-6, 1)
COUNT = st.integers(1, 50)

PLAIN = st.one_of(
    st.just(Constant()),
    st.builds(Step, every=COUNT, gamma=GAMMA),
    st.builds(Exponential, gamma=GAMMA),
    st.builds(InverseScaling, power=st.floats(1e-6, 10), rate=POSITIVE),
    st.builds(Cosine, final=SHARE),
    st.builds(OneCycle, rise=st.floats(1e-3, 0.999), start=SHARE, final=SHARE),
    st.builds(ReduceOnPlateau, gamma=st.floats(1e-6, 0.999), patience=COUNT),
)
SCHEDULE = PLAIN | st.builds(WarmUp, epochs=COUNT, start=SHARE, then=PLAIN)


@given(SCHEDULE, COUNT, SHARE, st.integers(0, 20))
def test_factors_stay_between_zero_and_one(schedule, n_epochs, share, n_reductions):
    state = Plateau(best=1.0, n_reductions=n_reductions)
    factor = schedule.factor(share * n_epochs, n_epochs, state)
    assert 0 <= factor <= 1 + 1e-15  # rounding of a sum that is 1


@given(PLAIN, COUNT, SHARE, SHARE)
def test_after_their_rise_factors_never_grow(schedule, n_epochs, one, other):
    early, late = sorted([one, other])
    if isinstance(schedule, OneCycle):
        early, late = (schedule.rise + (1 - schedule.rise) * share for share in (early, late))
    before, after = (schedule.factor(t * n_epochs, n_epochs, Plateau()) for t in (early, late))
    assert after <= before + 1e-15


@given(SHARE, SHARE, COUNT)
def test_the_ends_of_a_cosine_are_its_bounds(final, share, n_epochs):
    schedule = Cosine(final)
    assert schedule.factor(0, n_epochs, Plateau()) == pytest.approx(1, rel=1e-15)
    assert schedule.factor(n_epochs, n_epochs, Plateau()) == pytest.approx(final, abs=1e-15)
    assert schedule.factor(share * n_epochs, n_epochs, Plateau()) >= final - 1e-15


@given(st.lists(st.floats(0, 10), max_size=30), COUNT)
def test_a_plateau_counts_as_often_as_patience_allows(losses, patience):
    schedule = ReduceOnPlateau(gamma=0.5, patience=patience)
    state, states = Plateau(), []
    for loss in losses:
        state = schedule.observe(loss, state)
        states.append(state)
        assert state.n_stalled < patience
        assert state.best == min(losses[: len(states)])
    assert state.n_reductions <= len(losses) // patience
    for earlier, later in itertools.pairwise(states):
        assert later.n_reductions in (earlier.n_reductions, earlier.n_reductions + 1)
