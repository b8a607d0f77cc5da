"""Learning-rate schedules against PyTorch's, epoch by epoch."""

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

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
from multilayer.numpy.schedules import Plateau

N_EPOCHS = 24

# PyTorch multiplies epoch after epoch, some dozens of roundings of 1.1e-16. The absolute part is
# for the end of a cosine, where 1 + cos π is zero but for rounding.
CLOSE = {"rtol": 1e-12, "atol": 1e-15}


def torch_factors(make, n_epochs=N_EPOCHS, **settings):
    """Return PyTorch's learning rates at the beginning of epochs 0 to n_epochs, from 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer, **settings)
    factors = []
    for _ in range(n_epochs + 1):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


def factors(schedule, n_epochs=N_EPOCHS, state=None):
    """Return ours at the same times."""
    return [schedule.factor(float(t), n_epochs, state or Plateau()) for t in range(n_epochs + 1)]


def test_every_schedule_has_a_test_here():
    tested = {
        Constant,
        Cosine,
        Exponential,
        InverseScaling,
        OneCycle,
        ReduceOnPlateau,
        Step,
        WarmUp,
    }
    assert set(SCHEDULES.values()) - tested == set()


def test_constant_equals_torch():
    expected = torch_factors(lr_scheduler.ConstantLR, factor=1.0)
    assert factors(Constant()) == expected


@pytest.mark.parametrize("every", [1, 2, 7, 30])
@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0])
def test_step_equals_torch(every, gamma):
    expected = torch_factors(lr_scheduler.StepLR, step_size=every, gamma=gamma)
    np.testing.assert_allclose(factors(Step(every, gamma)), expected, **CLOSE)


@pytest.mark.parametrize("gamma", [0.5, 0.95, 1.0])
def test_exponential_equals_torch(gamma):
    expected = torch_factors(lr_scheduler.ExponentialLR, gamma=gamma)
    np.testing.assert_allclose(factors(Exponential(gamma)), expected, **CLOSE)


@pytest.mark.parametrize("n_epochs", [1, 2, 24])
@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_cosine_equals_torch(final, n_epochs):
    expected = torch_factors(
        lr_scheduler.CosineAnnealingLR, n_epochs, T_max=n_epochs, eta_min=final
    )
    np.testing.assert_allclose(factors(Cosine(final), n_epochs), expected, **CLOSE)


@pytest.mark.parametrize("epochs", [1, 5, 20])
@pytest.mark.parametrize("start", [0.1, 0.5, 1.0])
def test_warm_up_equals_torch(start, epochs):
    expected = torch_factors(lr_scheduler.LinearLR, start_factor=start, total_iters=epochs)
    np.testing.assert_allclose(factors(WarmUp(epochs, start)), expected, **CLOSE)


@pytest.mark.parametrize(
    ("then", "make", "settings"),
    [
        (Cosine(0.01), lr_scheduler.CosineAnnealingLR, {"T_max": N_EPOCHS - 5, "eta_min": 0.01}),
        (Step(4, 0.5), lr_scheduler.StepLR, {"step_size": 4, "gamma": 0.5}),
        (Exponential(0.9), lr_scheduler.ExponentialLR, {"gamma": 0.9}),
    ],
    ids=["cosine", "step", "exponential"],
)
def test_after_warm_up_another_schedule_begins_at_its_own_zero(then, make, settings):
    expected = torch_factors(make, N_EPOCHS - 5, **settings)
    np.testing.assert_allclose(factors(WarmUp(5, 0.2, then))[5:], expected, **CLOSE)


@pytest.mark.parametrize("patience", [1, 2, 5])
@pytest.mark.parametrize("min_delta", [0.0, 0.05])
@pytest.mark.parametrize("seed", range(5))
def test_reduce_on_plateau_equals_torch(seed, min_delta, patience):
    """PyTorch reduces after the epoch that follows `patience` bad ones, this after `patience`."""
    rng = np.random.default_rng(seed)
    losses = 1 / np.arange(1, 41) + 0.1 * rng.random(40)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer,
        factor=0.5,
        patience=patience - 1,
        threshold=min_delta,
        threshold_mode="abs",
        eps=0,
    )
    schedule, state = ReduceOnPlateau(0.5, patience, min_delta), Plateau()
    ours, theirs = [], []
    for epoch, loss in enumerate(losses.tolist(), start=1):
        scheduler.step(loss)
        state = schedule.observe(loss, state)
        theirs.append(optimizer.param_groups[0]["lr"])
        ours.append(schedule.factor(float(epoch), len(losses), state))
    assert ours == theirs  # powers of a half are exact
    assert ours[-1] < 1


def test_reduce_on_plateau_counts_the_epochs_that_its_patience_says():
    schedule, state = ReduceOnPlateau(0.5, patience=3), Plateau()
    found = []
    for loss in (1.0, 0.5, 0.5, 0.6, 0.5, 0.4, 0.4, 0.4, 0.4):
        state = schedule.observe(loss, state)
        found.append(state.n_reductions)
    assert found == [0, 0, 0, 0, 1, 1, 1, 1, 2]


def test_warm_up_passes_losses_on_to_what_follows():
    schedule, state = WarmUp(2, 0.1, ReduceOnPlateau(0.5, patience=1)), Plateau()
    for loss in (1.0, 1.0, 1.0):
        state = schedule.observe(loss, state)
    assert schedule.factor(3.0, 10, state) == 0.25


def torch_one_cycle(schedule, n_steps):
    return torch_factors(
        lr_scheduler.OneCycleLR,
        n_steps - 1,  # it refuses more steps than the cycle has
        max_lr=1.0,
        total_steps=n_steps + 1,
        pct_start=schedule.rise,
        div_factor=1 / schedule.start,
        final_div_factor=schedule.start / schedule.final,
    )


ONE_CYCLES = [OneCycle(), OneCycle(rise=0.5, start=0.1, final=0.01), OneCycle(rise=0.1)]


@pytest.mark.parametrize("n_steps", [100, 1000, 10_000])
@pytest.mark.parametrize("schedule", ONE_CYCLES, ids=repr)
def test_one_cycle_approaches_torchs_with_the_number_of_steps(schedule, n_steps):
    ours = [schedule.factor(k / n_steps, 1, Plateau()) for k in range(n_steps)]
    # PyTorch puts the peak one step before `rise` of the steps, this at it: a difference in time of
    # at most two steps. Half a cosine climbs by π/2 at most per length of its phase.
    shortest = min(schedule.rise, 1 - schedule.rise)
    tolerance = np.pi / 2 * 2 / (shortest * n_steps)
    expected = torch_one_cycle(schedule, n_steps)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("schedule", ONE_CYCLES, ids=repr)
def test_one_cycle_has_torchs_start_peak_and_end(schedule):
    """At its own three corners PyTorch's cycle does not depend on the number of steps."""
    n_steps = 1000
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=n_steps,
        pct_start=schedule.rise,
        div_factor=1 / schedule.start,
        final_div_factor=schedule.start / schedule.final,
    )
    expected = [optimizer.param_groups[0]["lr"]]
    for _ in range(n_steps - 1):
        optimizer.step()
        scheduler.step()
        expected.append(optimizer.param_groups[0]["lr"])
    corners = [expected[0], max(expected), expected[-1]]
    ours = [schedule.factor(t, 10, Plateau()) for t in (0.0, 10 * schedule.rise, 10.0)]
    np.testing.assert_allclose(ours, corners, **CLOSE)


@pytest.mark.parametrize(
    ("schedule", "t", "expected"),
    [
        (InverseScaling(), 0, 1),
        (InverseScaling(), 3, 1 / 2),
        (InverseScaling(), 99, 1 / 10),
        (InverseScaling(power=1.0), 4, 1 / 5),
        (InverseScaling(power=2.0), 4, 1 / 25),
        (InverseScaling(power=1 / 3), 26, 1 / 3),
        (InverseScaling(rate=8.0), 1, 1 / 3),
        (InverseScaling(power=1.0, rate=0.5), 1.5, 4 / 7),
    ],
)
def test_inverse_scaling_in_closed_form(schedule, t, expected):
    # One power, rounded once.
    np.testing.assert_allclose(schedule.factor(t, 100, Plateau()), expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("schedule", "t", "expected"),
    [
        (Cosine(), 2.5, (2 + np.sqrt(2)) / 4),  # cos(π/4) = √2/2
        (Cosine(final=0.5), 5.0, 0.75),
        (Exponential(gamma=0.25), 0.5, 0.5),
        (Step(every=2, gamma=0.5), 3.999, 0.5),
        (WarmUp(epochs=4, start=0.2), 0.5, 0.3),
        (OneCycle(rise=0.4, start=0.2, final=0.1), 2.0, 0.6),  # half the way up
        (OneCycle(rise=0.4, start=0.2, final=0.1), 7.0, 0.55),  # half the way down
    ],
)
def test_between_epochs_in_closed_form(schedule, t, expected):
    # Two or three roundings.
    np.testing.assert_allclose(schedule.factor(t, 10, Plateau()), expected, rtol=1e-15)
