"""Optimizers: hyperparameters that are checked, a state that is explicit, updates in place."""

import dataclasses

import numpy as np
import pytest

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import (
    LBFGS,
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    Lion,
    NAdam,
    RMSprop,
    clip_by_norm,
    clip_by_value,
)
from multilayer.numpy.optimizers import Optimizer

INTERVALS = {
    "learning_rate": ("(0, inf)", [0, -0.1, np.inf, np.nan]),
    "momentum": ("[0, 1)", [-0.1, 1]),
    "weight_decay": ("[0, inf)", [-0.1, np.inf]),
    "beta_1": ("[0, 1)", [-0.1, 1]),
    "beta_2": ("[0, 1)", [-0.1, 1, 1.5]),
    "decay": ("[0, 1)", [-0.1, 1]),
    "momentum_decay": ("[0, inf)", [-0.1]),
    "epsilon": ("(0, inf)", [0, -1e-8]),
}
"""Each hyperparameter's interval as its docstring has it, and values that lie outside."""

STEPWISE = {name: cls for name, cls in OPTIMIZERS.items() if cls.takes_steps}
NUMBERS = [
    (optimizer, field.name)
    for optimizer in STEPWISE.values()
    for field in dataclasses.fields(optimizer)
    if field.name != "nesterov"
]


@pytest.mark.parametrize(("optimizer", "name"), NUMBERS)
def test_hyperparameters_outside_their_interval_are_refused(optimizer, name, refusal):
    interval, outside = INTERVALS[name]
    for value in outside:
        said = refusal(InvalidArgumentError, optimizer, **{name: value})
        assert said == (
            f"{name} of {optimizer.__name__} must be a number in {interval}; got {value:g}"
        )


@pytest.mark.parametrize(("optimizer", "name"), NUMBERS)
@pytest.mark.parametrize("value", ["0.1", None, True, 1j])
def test_hyperparameters_of_another_type_are_refused(optimizer, name, value, refusal):
    said = refusal(InvalidTypeError, optimizer, **{name: value})
    interval, _ = INTERVALS[name]
    assert said == (f"{name} of {optimizer.__name__} must be a number in {interval}; got {value!r}")


def test_nesterov_is_a_flag_that_needs_a_momentum(refusal):
    assert refusal(InvalidTypeError, SGD, nesterov=1) == (
        "nesterov of SGD must be True or False; got 1"
    )
    assert refusal(InvalidArgumentError, SGD, nesterov=True) == (
        "nesterov of SGD needs a momentum above 0; got momentum 0"
    )


@pytest.mark.parametrize(
    ("changes", "error_type", "message"),
    [
        (
            {"tolerance": -1},
            InvalidArgumentError,
            "tolerance of LBFGS must be a number in [0, inf); got -1",
        ),
        (
            {"max_evaluations": 0},
            InvalidArgumentError,
            "max_evaluations of LBFGS must be a positive integer; got 0",
        ),
        ({"memory": 2.5}, InvalidTypeError, "memory of LBFGS must be a positive integer; got 2.5"),
    ],
)
def test_parameters_of_lbfgs_are_checked(changes, error_type, message, refusal):
    assert refusal(error_type, LBFGS, **changes) == message


VARIANTS = [
    *(optimizer() for optimizer in STEPWISE.values()),
    SGD(momentum=0.9, weight_decay=0.1),
    SGD(momentum=0.9, nesterov=True),
    SGD(weight_decay=0.1),
    Lion(weight_decay=0.1),
]
"""Each by its defaults, and with what they switch off."""


@pytest.fixture(params=VARIANTS, ids=repr)
def optimizer(request):
    return request.param


@pytest.fixture
def problem(rng):
    """A parameter vector and a sequence of gradients."""
    return rng.normal(size=7), rng.normal(size=(5, 7))


def run(optimizer, theta, gradients, learning_rate=None):
    """Return the parameters and the state after some steps."""
    theta, state = theta.copy(), optimizer.initial_state(theta)
    for gradient in gradients:
        optimizer.update(theta, gradient, state, learning_rate)
    return theta, state


def test_is_frozen_and_hashable(optimizer):
    with pytest.raises(dataclasses.FrozenInstanceError):
        optimizer.learning_rate = 1.0
    assert hash(optimizer) == hash(dataclasses.replace(optimizer))
    assert optimizer == dataclasses.replace(optimizer)


def test_the_first_state_holds_no_step_and_shares_nothing(optimizer, problem):
    theta, _ = problem
    before = theta.copy()
    one, other = optimizer.initial_state(theta), optimizer.initial_state(theta)
    assert one["step"] == 0
    np.testing.assert_array_equal(theta, before)
    for name in optimizer.vectors:
        if name not in one:  # without momentum SGD needs no velocity
            assert type(optimizer) is SGD
            continue
        assert one[name].shape == theta.shape
        assert one[name].dtype == theta.dtype
        assert not one[name].any()
        assert not np.shares_memory(one[name], other[name])
        assert not np.shares_memory(one[name], theta)


def test_updates_change_the_parameters_in_place_and_leave_the_gradient_alone(optimizer, problem):
    theta, gradients = problem
    before, first = theta.copy(), gradients[0].copy()
    gradients.flags.writeable = False
    state = optimizer.initial_state(theta)
    assert optimizer.update(theta, gradients[0], state) is None
    assert (theta != before).all()
    np.testing.assert_array_equal(gradients[0], first)
    assert state["step"] == 1
    for value in state.values():  # nothing of the gradient is kept by reference
        assert not np.shares_memory(value, gradients)


def test_two_states_are_independent(optimizer, problem):
    theta, gradients = problem
    expected, _ = run(optimizer, theta, gradients)
    one, other = theta.copy(), -theta
    state, other_state = optimizer.initial_state(one), optimizer.initial_state(other)
    for gradient in gradients:
        optimizer.update(one, gradient, state)
        optimizer.update(other, -3 * gradient, other_state)
    np.testing.assert_array_equal(one, expected)


def test_training_may_go_on_from_a_copied_state(optimizer, problem):
    theta, gradients = problem
    expected, _ = run(optimizer, theta, gradients)
    half, state = run(optimizer, theta, gradients[:2])
    copied = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in state.items()
    }
    for gradient in gradients[2:]:
        dataclasses.replace(optimizer).update(half, gradient, copied)
    np.testing.assert_array_equal(half, expected)


def test_float32_stays_float32(optimizer, problem):
    theta, gradients = (array.astype(np.float32) for array in problem)
    after, state = run(optimizer, theta, gradients, learning_rate=np.float64(0.1))
    assert after.dtype == np.float32
    vectors = {value.dtype for value in state.values() if isinstance(value, np.ndarray)}
    assert vectors <= {np.dtype("float32")}


def test_the_learning_rate_of_a_step_replaces_the_optimizers_own(optimizer, problem):
    theta, gradients = problem
    given, _ = run(optimizer, theta, gradients, learning_rate=0.07)
    own, _ = run(dataclasses.replace(optimizer, learning_rate=0.07), theta, gradients)
    np.testing.assert_array_equal(given, own)
    unmoved, _ = run(optimizer, theta, gradients, learning_rate=0.0)
    np.testing.assert_array_equal(unmoved, theta)


def test_entries_do_not_influence_one_another(optimizer, problem):
    theta, gradients = problem
    together, _ = run(optimizer, theta, gradients)
    for k in range(len(theta)):
        alone, _ = run(optimizer, theta[k : k + 1], gradients[:, k : k + 1])
        # Vectorised and single operations may round differently by one unit.
        np.testing.assert_allclose(alone, together[k : k + 1], rtol=1e-14)


def test_the_interface_itself_takes_no_step():
    optimizer = Optimizer(learning_rate=0.1)
    with pytest.raises(NotImplementedError):
        optimizer.update(np.zeros(1), np.zeros(1), optimizer.initial_state(np.zeros(1)))


# First steps by hand ---------------------------------------------------------------------------

# From θ = 1 with g = 2 and the learning rate 0.1. Where a moment is corrected for its start the
# first step is the gradient's sign times the rate, up to ε beside a root of 2.
FIRST_STEPS = [
    (SGD(0.1), 1 - 0.1 * 2),
    (SGD(0.1, momentum=0.9), 1 - 0.1 * 2),
    (SGD(0.1, momentum=0.9, nesterov=True), 1 - 0.1 * (2 + 0.9 * 2)),
    (SGD(0.1, weight_decay=0.5), 1 - 0.1 * (2 + 0.5 * 1)),
    (Adam(0.1), 1 - 0.1),
    (AMSGrad(0.1), 1 - 0.1),
    (AdamW(0.1, weight_decay=0.5), (1 - 0.1 * 0.5) - 0.1),
    (RMSprop(0.1, decay=0.75), 1 - 0.1 / 0.5),
    (Adagrad(0.1), 1 - 0.1),
    (Lion(0.1), 1 - 0.1),
    (Lion(0.1, weight_decay=0.5), 1 - 0.1 * (1 + 0.5)),
    # μ₁ = 0.9·(1 − ½) and μ₂ = μ₁ where ψ is so large that 0.96^ψ vanishes: m = 0.2.
    (NAdam(0.1, momentum_decay=1e6), 1 - 0.1 * (0.9 * 0.2 / (1 - 0.81) + 0.1 * 2 / 0.1) / 2),
]


@pytest.mark.parametrize(("optimizer", "expected"), FIRST_STEPS)
def test_first_step_by_hand(optimizer, expected):
    after, _ = run(optimizer, np.array([1.0]), [np.array([2.0])])
    assert after[0] == pytest.approx(expected, abs=1e-8)  # ε = 1e-8 beside 2


# Clipping --------------------------------------------------------------------------------------


def test_clip_by_norm_keeps_the_direction(rng):
    gradient = rng.normal(size=9)
    gradient.flags.writeable = False
    clipped = clip_by_norm(gradient, 0.5)
    assert np.linalg.norm(clipped) == pytest.approx(0.5, rel=1e-14)
    cosine = clipped @ gradient / np.linalg.norm(clipped) / np.linalg.norm(gradient)
    assert cosine == pytest.approx(1, rel=1e-14)
    np.testing.assert_array_equal(clip_by_norm(gradient, 100.0), gradient)


def test_clip_by_norm_of_zero_is_zero():
    assert clip_by_norm(np.zeros(3), 1.0).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e25), (np.float64, 1e200)])
def test_clip_by_norm_shortens_a_gradient_whose_square_overflows(dtype, size):
    # Clipping is there for exploding gradients: from these nothing must become 0 or NaN.
    clipped = clip_by_norm(np.array([3 * size, 4 * size], dtype=dtype), 1.0)
    assert clipped.dtype == dtype
    np.testing.assert_allclose(clipped, [0.6, 0.8], rtol=1e-6)  # float32 rounds at 6e-8


def test_clip_by_value_clips_each_entry():
    gradient = np.array([3.0, -0.5, -7.0])
    gradient.flags.writeable = False
    assert clip_by_value(gradient, 1.0).tolist() == [1.0, -0.5, -1.0]
    assert gradient.tolist() == [3.0, -0.5, -7.0]
