"""The running average of weights, against PyTorch's and its closed form."""

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import MLP, Ensemble, RunningAverage
from multilayer.numpy.average import move
from multilayer.torch import MLP as TorchMLP


def make(**settings):
    settings = {"dtype": "float64", "rng": np.random.default_rng(0)} | settings
    return MLP(Architecture(3, (4,), 2, normalization="batch"), **settings)


def change(net, rng):
    """Change every number of a network."""
    for array in (net.parameters, *net.state.values()):
        array += rng.uniform(size=array.shape)


def test_of_an_ensemble_it_is_that_of_each_member():
    rngs = [np.random.default_rng(k) for k in range(3)]
    nets = Ensemble(Architecture(3, (4,), 2, normalization="batch"), 3, rng=rngs)
    alone = [net.copy() for net in nets]
    averages = [RunningAverage(net, 0.9) for net in (nets, *alone)]
    for step in range(4):
        for net in (nets, *alone):
            net.parameters[:] *= 1 + 0.1 * step
        for average in averages:
            average.update()
    for k, average in enumerate(averages[1:]):
        assert np.array_equal(averages[0].net[k].parameters, average.net.parameters)


@pytest.mark.parametrize("net", [7, None, TorchMLP(Architecture(2, (), 1))], ids=repr)
def test_it_refuses_what_is_no_network_of_this_engine(net):
    with pytest.raises(InvalidTypeError, match="RunningAverage must be a multilayer"):
        RunningAverage(net, 0.9)


@pytest.mark.parametrize("form", ["fastest", "plain"])
def test_the_first_weights_replace_whatever_is_there(form):
    averages = np.array([np.inf, np.nan, 1.0])
    getattr(move, form)(averages, np.array([1.0, 2.0, 3.0]), 0.0)
    assert averages.tolist() == [1, 2, 3]


@pytest.mark.parametrize("form", ["fastest", "plain"])
@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
def test_it_is_that_of_pytorch(decay, form, monkeypatch):
    monkeypatch.setattr(move, "_fastest", getattr(move, form))
    net, rng = make(), np.random.default_rng(1)
    mine = RunningAverage(net, decay)
    twin = TorchMLP.from_numpy(net)
    theirs = AveragedModel(twin, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    for _ in range(200):
        change(net, rng)
        mine.update()
        theirs.update_parameters(TorchMLP.from_numpy(net))
    found, expected = mine.net, theirs.module.to_numpy()
    np.testing.assert_allclose(found.parameters, expected.parameters, rtol=1e-12)
    for name, array in expected.state.items():
        np.testing.assert_allclose(found.state[name], array, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_begins_with_the_first_weights_to_the_last_bit(dtype):
    net = make(dtype=dtype)
    average = RunningAverage(net, 0.9)
    assert not average.has_begun
    change(net, np.random.default_rng(0))
    average.update()
    assert average.has_begun
    assert average.net.parameters.tobytes() == net.parameters.tobytes()
    for name, array in net.state.items():
        assert average.net.state[name].tobytes() == array.tobytes()


def test_of_weights_that_stay_it_is_what_they_are():
    net = make()
    average = RunningAverage(net, 0.5)
    net.parameters[:] = 1.0
    average.update()
    net.parameters[:] = 3.0
    for t in range(1, 60):
        average.update()
        # a_t = w + dᵗ (a_0 − w), exactly: all of it are short binary fractions, up to t = 50
        np.testing.assert_allclose(average.net.parameters, 3 - 2 * 0.5**t, rtol=1e-15)


def test_the_network_itself_is_left_alone():
    net = make()
    average = RunningAverage(net, 0.5)
    average.update()
    before = net.parameters.tobytes()
    average.net.parameters[:] = 0
    assert net.parameters.tobytes() == before


def test_arrays_restore_it():
    net, rng = make(), np.random.default_rng(0)
    twin = make(rng=rng)
    one, other = RunningAverage(net, 0.9), RunningAverage(twin, 0.9)
    for restored in range(4):
        other.set_arrays(one.arrays())
        assert other.has_begun == one.has_begun == (restored > 0)
        change(net, rng)
        one.update()
        for array, changed in zip(
            (twin.parameters, *twin.state.values()),
            (net.parameters, *net.state.values()),
            strict=True,
        ):
            array[:] = changed
        other.update()
        for name, array in one.arrays().items():
            assert other.arrays()[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("wrong", [0, 1.0, -0.5, np.nan])
def test_what_is_no_decay(wrong):
    with pytest.raises(InvalidArgumentError, match=r"^decay of RunningAverage must be a number in"):
        RunningAverage(make(), wrong)


def test_it_computes_in_the_weights_own_type():
    averages, values = np.zeros(3, np.float32), np.ones(3, np.float32)
    move.fastest(averages, values, 0.1)
    expected = torch.lerp(torch.zeros(3), torch.ones(3), 0.9)
    assert averages.dtype == np.float32
    np.testing.assert_allclose(averages, expected, rtol=2e-7)
