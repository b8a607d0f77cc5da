"""A trainer's state, put into another trainer: the steps that follow are the same, bit for bit."""

import numpy as np
import pytest
import torch

from multilayer import Architecture
from multilayer.errors import InvalidTypeError
from multilayer.numpy import OPTIMIZERS, SGD
from multilayer.torch import MLP, Trainer
from multilayer.training import train

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 6)).astype(np.float32), RNG.integers(3, size=40)
WHOLE = {"normalization": "batch", "dropout": 0.3, "noise": 0.1}


def make_trainer(seed, optimizer="adam", **options):
    """Return a trainer that shares nothing with one of another seed."""
    net = MLP(Architecture(6, (8,), 3, **WHOLE), initializer="he", rng=np.random.default_rng(seed))
    if isinstance(optimizer, type):
        optimizer = optimizer(net.parameters(), lr=0.01)
    rng = np.random.default_rng(seed)
    trainer = Trainer(net, loss="cross_entropy", optimizer=optimizer, rng=rng, **options)
    trainer.begin(trainer.check(X, Y, None))
    trainer.begin_epoch(None)
    return trainer


def take_steps(trainer, n=4):
    return [trainer.step(10 * i, 10 * i + 10, 0.01 / (1 + i)) for i in range(n)]


def assert_same(mine, other):
    assert mine.keys() == other.keys()
    for name, array in mine.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name], err_msg=name)


@pytest.mark.parametrize("n_before", [0, 3])
@pytest.mark.parametrize(
    "settings",
    [
        *({"optimizer": name} for name in OPTIMIZERS if OPTIMIZERS[name].takes_steps),
        {"optimizer": SGD(0.1, momentum=0.9, nesterov=True)},
        {"optimizer": torch.optim.Adamax},
        {"optimizer": torch.optim.ASGD},
        {"ema": 0.9},
        {"precision": "float16"},
    ],
    ids=str,
)
def test_another_trainer_goes_on_with_the_same_bits(settings, n_before):
    mine, other = make_trainer(0, **settings), make_trainer(1, **settings)
    take_steps(mine, n_before)
    take_steps(other, 2)  # which must not matter
    state = mine.state()
    assert all(isinstance(array, np.ndarray) for array in state.values())
    other.set_state(state)
    assert_same(other.state(), state)
    assert take_steps(other) == take_steps(mine)
    assert_same(other.state(), mine.state())


def test_a_state_is_a_copy():
    trainer = make_trainer(0)
    state = trainer.state()
    kept = {name: array.copy() for name, array in state.items()}
    take_steps(trainer)
    assert_same(state, kept)
    trainer.set_state(state)
    take_steps(trainer)
    assert_same(state, kept)


class Counting(torch.optim.SGD):
    """Remembers a number of Python, and what is no number."""

    remembered = 0

    def step(self, closure=None):
        super().step()
        for p in self.param_groups[0]["params"]:
            self.state[p]["count"] = self.state[p].get("count", 0) + 1
            self.state[p]["other"] = self.remembered


def test_numbers_of_python_stay_such(monkeypatch):
    monkeypatch.setattr(Counting, "remembered", 0.5)
    mine, other = make_trainer(0, Counting), make_trainer(1, Counting)
    take_steps(mine)
    other.set_state(mine.state())
    state = next(iter(other.optimizer.state.values()))
    assert (state["count"], state["other"]) == (4, 0.5)
    assert [type(value) for value in state.values()] == [int, float]


def test_what_is_no_number_is_refused(monkeypatch):
    monkeypatch.setattr(Counting, "remembered", "a word")
    trainer = make_trainer(0, Counting)
    take_steps(trainer, 1)
    with pytest.raises(InvalidTypeError) as caught:
        trainer.state()
    assert str(caught.value) == (
        "the state of Counting cannot be saved: 'other' is neither a tensor nor a number; got "
        "'a word'"
    )


def test_lbfgs_has_no_state_of_its_own():
    net = MLP(Architecture(6, (8,), 3))
    trainer = Trainer(net, loss="cross_entropy", optimizer="lbfgs")
    state = trainer.state()
    for p in net.parameters():
        p.data.zero_()
    trainer.set_state(state)
    assert_same(trainer.state(), state)


def test_a_second_training_draws_its_masks_from_the_same_generator():
    trainer = make_trainer(0)
    before = torch.random.get_rng_state()
    for _ in range(2):
        train(trainer, (X, Y), n_epochs=1, rng=np.random.default_rng(0))
    assert torch.equal(torch.random.get_rng_state(), before)  # and not from the global one
