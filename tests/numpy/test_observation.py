"""Observing a network: PyTorch's autograd has the same activations and gradients."""

import numpy as np
import pytest
import torch

from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidDataError, UnknownNameError
from multilayer.numpy import MLP, observe
from multilayer.numpy.observation import hidden_layers, outputs_after
from multilayer.torch import MLP as TorchMLP

RNG = np.random.default_rng(0)
EMBEDDINGS = Embeddings([(3, 2)], [(1, 2)], width=3)
X, Y = RNG.normal(size=(7, 4)), RNG.integers(0, 3, size=7)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"activation": ("tanh", "relu"), "dropout": 0.5},
        {"residual": True, "normalization": "layer"},
        {"normalization": "batch", "activation": "gelu"},
        {"output": "softmax"},
        {"embeddings": EMBEDDINGS, "residual": True},
        {"noise": 0.5, "residual": True},
    ],
)
def test_activations_and_gradients_are_those_of_autograd(settings):
    net = MLP(Architecture(4, (5, 5), 3, **settings), dtype="float64", rng=np.random.default_rng(1))
    before = net.copy()
    found = observe(net, X, Y, loss="cross_entropy")
    assert [layer.name for layer in found] == ["hidden 1", "hidden 2", "output"]

    twin = TorchMLP.from_numpy(net).eval()
    kept = []
    for block in (layer for layer in twin.hidden if isinstance(layer, torch.nn.Sequential)):
        place = next(
            i for i, module in enumerate(block) if "activations" in type(module).__module__
            or type(module).__module__.startswith("torch.nn.modules.activation")
        )  # fmt: skip
        block[place].register_forward_hook(lambda _m, ins, out: kept.append((ins[0], out)))
    logits = twin.logits(torch.from_numpy(X))
    for _, a in kept:
        a.retain_grad()
    logits.retain_grad()
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(Y)).backward()

    # The engines agree to rounding: a few units in the last place of numbers about 1.
    same = {"rtol": 1e-10, "atol": 1e-13}
    for layer, (z, a) in zip(found, kept, strict=False):
        np.testing.assert_allclose(layer.z, z.detach(), **same)
        np.testing.assert_allclose(layer.a, a.detach(), **same)
        np.testing.assert_allclose(layer.da, a.grad, **same)
    np.testing.assert_allclose(found[-1].z, logits.detach(), **same)
    np.testing.assert_allclose(found[-1].da, logits.grad, **same)
    gradients = [m.weight.grad for m in twin.modules() if isinstance(m, torch.nn.Linear)]
    for layer, dW in zip(found, gradients, strict=True):
        assert layer.W.shape == dW.shape
        np.testing.assert_allclose(layer.dW, dW, **same)
    np.testing.assert_array_equal(net.parameters, before.parameters)
    for name, array in net.state.items():
        np.testing.assert_array_equal(array, before.state[name])


def test_without_hidden_layers_there_is_the_output_alone():
    net = MLP(Architecture(4, (), 1), rng=np.random.default_rng(1))
    (layer,) = observe(net, X, Y, loss="squared_error")
    np.testing.assert_allclose(layer.a, net(X), rtol=1e-6)  # float32


def test_what_fit_would_refuse_is_refused():
    net = MLP(Architecture(4, (2,), 3), rng=np.random.default_rng(1))
    with pytest.raises(UnknownNameError, match="did you mean 'cross_entropy'"):
        observe(net, X, Y, loss="crossentropy")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalization": "batch"},
        {"residual": True, "activation": "tanh"},
        {"dropout": 0.5},
        {"noise": 0.5},
        {"embeddings": EMBEDDINGS},
    ],
)
def test_each_hidden_layer_and_what_follows_it_are_the_network(settings):
    net = MLP(Architecture(4, (5, 5, 2), 3, **settings), dtype="float64",
              rng=np.random.default_rng(1))  # fmt: skip
    layers = hidden_layers(net, X)
    np.testing.assert_allclose(layers[-1].output, net.features(X))
    for n, a in enumerate([X, *(layer.output for layer in layers)]):
        np.testing.assert_allclose(outputs_after(net, n, a), net(X))
    for layer, observed in zip(layers, observe(net, X, Y, loss="cross_entropy"), strict=False):
        np.testing.assert_array_equal(layer.z, observed.z)
        np.testing.assert_array_equal(layer.a, observed.a)
    added = layers[0].output if "residual" in settings else 0  # the second layer is the first block
    np.testing.assert_allclose(layers[1].output, layers[1].a + added)
    if not settings:
        W, b = net.weights[0]
        np.testing.assert_allclose(layers[0].z, X @ W.T + b)
        np.testing.assert_allclose(layers[0].a, np.maximum(layers[0].z, 0))


def test_without_hidden_layers_the_inputs_are_followed_by_the_output():
    net = MLP(Architecture(4, (), 2, noise=0.5), dtype="float64", rng=np.random.default_rng(1))
    assert hidden_layers(net, X) == []
    np.testing.assert_allclose(outputs_after(net, 0, X), net(X))
    with pytest.raises(InvalidDataError, match="X must have 4 features"):
        hidden_layers(net, X[:, :3])
