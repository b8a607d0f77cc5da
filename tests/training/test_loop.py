"""The loop as an iterator: what it yields, what may be changed in between, on both engines."""

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.data.batches import Batches
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidTypeError
from multilayer.numpy import MLP as NumpyMLP
from multilayer.numpy import SGD, Step
from multilayer.torch import MLP as TorchMLP
from multilayer.training import Loop, fit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype(np.float32)
Y = RNG.integers(2, size=20)
ENGINES = pytest.mark.parametrize("engine", [NumpyMLP, TorchMLP])


def make(engine, *, n_epochs=3, optimizer=None, X=X, **settings):
    """Return a loop in the order of the samples, six steps an epoch."""
    net = engine(Architecture(3, (5,), 2), initializer="he", rng=np.random.default_rng(1))
    trainer = net.trainer(
        loss="cross_entropy", optimizer=optimizer or SGD(0.5), rng=np.random.default_rng(2)
    )
    batches = Batches(20, batch_size=4, shuffle=False)
    return Loop(trainer, trainer.check(X, Y, None), batches, n_epochs=n_epochs, **settings)


def weights(loop):
    return np.concatenate([a.ravel() for pair in loop.run.net.weights for a in pair])


def drain(loop):
    moments = [(run.epoch, run.step, run.is_under_way) for run in loop]
    loop.trainer.finish()
    return moments


@ENGINES
def test_it_yields_after_each_step_and_each_epoch(engine):
    of_an_epoch = [(step, True) for step in range(1, 6)] + [(5, False)]
    expected = [(epoch, *moment) for epoch in (1, 2, 3) for moment in of_an_epoch]
    loop = make(engine)
    assert drain(loop) == expected
    assert loop.run.stopped_by == "n_epochs"
    assert loop.run.history.n_epochs == 3


@ENGINES
def test_drawn_by_hand_it_trains_as_fit_does(engine):
    loop = make(engine)
    drain(loop)
    net = engine(Architecture(3, (5,), 2), initializer="he", rng=np.random.default_rng(1))
    history = fit(
        net, (X, Y), loss="cross_entropy", optimizer=SGD(0.5), n_epochs=3, batch_size=4,
        shuffle=False,
    )  # fmt: skip
    by_fit = np.concatenate([a.ravel() for pair in net.weights for a in pair])
    assert weights(loop).tobytes() == by_fit.tobytes()
    assert loop.run.history["train_loss"] == history["train_loss"]


@ENGINES
def test_a_factor_changed_between_epochs_is_a_schedule(engine):
    """Step divides the rate by ten after each epoch; so does whoever draws from the loop."""
    by_hand, by_schedule = make(engine), make(engine, schedule=Step(every=1, gamma=0.5))
    for run in by_hand:
        if not run.is_under_way:
            run.factor *= 0.5
    drain(by_schedule)
    assert weights(by_hand).tobytes() == weights(by_schedule).tobytes()
    rates = by_hand.run.history["learning_rate"]
    assert rates == by_schedule.run.history["learning_rate"] == [0.5, 0.25, 0.125]


@ENGINES
def test_a_factor_changed_between_steps_acts_on_the_next_one(engine):
    loop = make(engine, n_epochs=1)
    frozen = None
    for run in loop:
        if run.step == 2:
            run.factor, frozen = 0.0, weights(loop)
        if run.step > 2:
            assert run.learning_rate == 0
            assert weights(loop).tobytes() == frozen.tobytes()
    loop.trainer.finish()
    assert frozen is not None


@ENGINES
def test_stop_ends_the_epoch_early_and_the_training(engine):
    loop = make(engine)
    for run in loop:
        if (run.epoch, run.step) == (2, 3):
            run.stop("enough")
    loop.trainer.finish()
    assert (loop.run.epoch, loop.run.step, loop.run.stopped_by) == (2, 3, "enough")
    assert loop.run.history.n_epochs == 2


@ENGINES
def test_one_that_is_left_can_be_gone_on_with(engine):
    """Its state, taken between any two moments and put into another loop, is all there is to it."""
    whole = make(engine, n_epochs=2, optimizer="adam")
    drain(whole)
    for n_moments in range(1, 12):
        left, other = (make(engine, n_epochs=2, optimizer="adam") for _ in range(2))
        for _ in zip(range(n_moments), left, strict=False):
            pass
        other.set_state(*left.state())
        left.trainer.finish()
        drain(other)
        assert weights(other).tobytes() == weights(whole).tobytes(), n_moments
        assert other.run.history["train_loss"] == whole.run.history["train_loss"]


@ENGINES
def test_the_factor_is_part_of_the_state(engine):
    left, other = make(engine), make(engine)
    left.run.factor = 0.25
    other.set_state(*left.state())
    assert other.run.factor == 0.25


@ENGINES
def test_divergence_says_where(engine):
    loop = make(engine, X=X * 1e30, optimizer=SGD(1e9))
    with pytest.raises(DivergenceError) as caught, np.errstate(over="ignore", invalid="ignore"):
        drain(loop)
    loop.trainer.finish()
    assert (caught.value.epoch, caught.value.step) == (1, loop.run.step)


@ENGINES
def test_one_that_is_broken_off_and_iterated_again_sees_each_row_once(engine):
    def loop():
        found = make(engine, n_epochs=2)
        found.batches = Batches(20, batch_size=4, shuffle=True)
        found.rng = np.random.default_rng(3)
        return found

    whole, broken = loop(), loop()
    drain(whole)
    for run in broken:
        if (run.epoch, run.step) == (1, 2):
            break
    drain(broken)
    assert weights(broken).tobytes() == weights(whole).tobytes()
    assert broken.run.history["train_loss"] == whole.run.history["train_loss"]


def test_losses_that_a_device_still_computes_outlast_a_break(monkeypatch):
    loop = make(TorchMLP, n_epochs=1)
    monkeypatch.setattr(loop.trainer, "_waits", False)  # as on a GPU
    for _ in zip(range(3), loop, strict=False):
        pass
    drain(loop)
    assert len(loop._losses) == loop.run.step


def test_losses_of_an_abandoned_training_are_not_those_of_the_next(monkeypatch):
    loop = make(TorchMLP, n_epochs=1)
    monkeypatch.setattr(loop.trainer, "_waits", False)  # as on a GPU
    for _ in zip(range(3), loop, strict=False):
        pass
    loop.trainer.finish()
    data, batches = loop.training, loop.batches
    again = Loop(loop.trainer, data, batches, n_epochs=1)
    drain(again)
    assert len(again._losses) == again.run.step


@pytest.mark.parametrize("factor", [-1, np.nan, np.inf, "1", None, 1j])
def test_a_factor_that_cannot_multiply_a_rate_is_refused(factor):
    loop = make(NumpyMLP)
    with pytest.raises((InvalidArgumentError, InvalidTypeError), match="factor of Run must be"):
        loop.run.factor = factor
    loop.run.factor = np.float32(0.5)
    assert type(loop.run.factor) is float


def test_lbfgs_has_no_steps_to_iterate_over():
    with pytest.raises(InvalidArgumentError, match="call its minimize"):
        next(iter(make(NumpyMLP, optimizer="lbfgs")))
