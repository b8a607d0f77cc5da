"""The two engines are one truth."""

import numpy as np
import pytest
import torch

from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.inspection import parity
from multilayer.numpy import ACTIVATIONS, LOSSES, OPTIMIZERS, SGD, Quantile
from multilayer.numpy.gradcheck import draw_targets

VARIANTS = {
    "plain": {},
    "dropout": {"dropout": 0.25},
    "noise": {"noise": (0.3, 0.1, 0.2), "normalization": "batch", "dropout": 0.25},
    "noise of the hidden layers": {"noise": (0, 0.1, 0), "residual": True},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "residual": {"residual": True},
    "no bias": {"bias": False},
    "embeddings": {"embeddings": Embeddings([(2, 2)], [(0, 2)], width=3, speed=2.0)},
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def report(activation, loss_name, optimizer, variant, depth=2, **settings):
    loss = Quantile((0.1, 0.5, 0.9)) if loss_name == "quantile" else LOSSES[loss_name]()
    architecture = Architecture(
        3, (4,) * depth, 3, activation=activation, output=loss.outputs[0], **VARIANTS[variant]
    )
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 3)), draw_targets(loss, 8, 3, rng)
    return parity(architecture, X, y, loss=loss, optimizer=optimizer, l2=0.01, **settings)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_and_loss(activation, loss):
    assert report(activation, loss, "adam", "layer").largest <= 1e-10


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("optimizer", [o for o in OPTIMIZERS if OPTIMIZERS[o].takes_steps])
def test_every_optimizer_and_network(optimizer, variant):
    weight = np.linspace(0.5, 2, 8)
    found = report("tanh", "cross_entropy", optimizer, variant, n_steps=10, sample_weight=weight,
                   l1=0.001)  # fmt: skip
    assert found.passed
    assert found.tolerance == 1e-10


def test_noise_for_200_steps():
    """A smooth network with a small rate, which does not multiply the rounding of early steps."""
    found = report("tanh", "cross_entropy", SGD(0.01), "noise", n_steps=200)
    assert found.largest <= 1e-10


def test_every_output():
    rng = np.random.default_rng(0)
    for output in ("identity", "sigmoid", "softmax", "log_softmax", "exp"):
        architecture = Architecture(3, (4,), 3, activation="tanh", output=output)
        X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 3))
        assert parity(architecture, X, y, loss="squared_error").passed


def test_a_planted_difference_is_found(monkeypatch):
    from multilayer.torch import LOSSES as TORCH_LOSSES

    right = TORCH_LOSSES["huber"]
    entries = dict(TORCH_LOSSES) | {"huber": lambda loss, p, y: right(loss, p, y) * (1 + 1e-6)}
    monkeypatch.setattr(TORCH_LOSSES, "_entries", entries)
    found = report("tanh", "huber", "sgd", "plain")
    assert not found.passed
    assert "DISAGREE" in str(found)
    assert 1e-8 < found.largest < 1e-4


def test_in_float32_rounding_alone_shows():
    found = report("tanh", "cross_entropy", "sgd", "plain", dtype="float32", tolerance=1e-5)
    assert found.passed
    assert found.largest > 1e-9


def test_the_report_has_a_line_for_each_quantity():
    text = str(report("relu", "cross_entropy", "sgd", "batch"))
    for part in ("outputs", "loss of step 1", "gradient 0.W", "gradient 1.γ",
                 "weights after 5 steps 4.b", "0.1.running_mean after 5 steps",
                 "outputs after 5 steps", "the engines agree"):  # fmt: skip
        assert part in text
