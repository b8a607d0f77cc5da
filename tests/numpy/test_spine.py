"""The spine of the engine: short, in one order, and nothing in it needs what comes later."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import multilayer.numpy
from multilayer import Architecture
from multilayer.numpy import MLP, SGD, Adam, Batch, Clip, Objective, SquaredError, take_step

ROOT = Path(multilayer.numpy.__file__).parent
SPINE = [
    "activations.base",
    "layers",
    "losses.base",
    "optimizers.base",
    "optimizers.sgd",
    "optimizers.adam",
    "network",
    "objective",
]
"""In the order in which the tutorial's index lists them."""
MOST_LINES = 800


def source(module):
    return (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")


def test_it_is_short_enough_to_be_read_in_one_sitting():
    assert sum(len(source(module).splitlines()) for module in SPINE) <= MOST_LINES


@pytest.mark.parametrize("module", SPINE)
def test_it_imports_nothing_that_comes_later(module):
    imported = {
        node.module.removeprefix("multilayer.numpy.")
        for node in ast.walk(ast.parse(source(module)))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("multilayer.numpy")
    }
    later = SPINE[SPINE.index(module) + 1 :]
    assert not imported & {*later, "multilayer.numpy"}
    assert not any(name.startswith("fast") for name in imported)


def test_the_tutorial_lists_it_in_its_order():
    index = (ROOT.parents[2] / "docs/tutorial/index.md").read_text(encoding="utf-8")
    listed = re.findall(r"src/multilayer/numpy/([\w/]+)\.py", index)
    assert [name.replace("/", ".") for name in listed] == SPINE


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_step_is_that_of_pytorch(optimizer):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 2))
    weight = rng.uniform(0.5, 2, size=20)
    net = MLP(Architecture(4, (5, 3), 2, activation="tanh"), dtype="float64", rng=rng)
    theirs = [
        torch.tensor(array, requires_grad=True) for pair in net.weights for array in pair
    ]  # of a copy of ours
    ours = {"sgd": SGD(0.1, momentum=0.9), "adam": Adam(0.01)}[optimizer]
    their_optimizer = {
        "sgd": lambda: torch.optim.SGD(theirs, lr=0.1, momentum=0.9),
        "adam": lambda: torch.optim.Adam(theirs, lr=0.01),
    }[optimizer]()
    state = ours.initial_state(net.parameters)
    objective, clip = Objective(SquaredError(), l1=0.01, l2=0.1), Clip(norm=0.5, value=0.2)
    for _ in range(4):
        value = take_step(net.network, objective, ours, state, Batch(X, y, weight), clip=clip)
        a = torch.tensor(X)
        for i in range(0, 6, 2):
            a = a @ theirs[i].T + theirs[i + 1]
            a = torch.tanh(a) if i < 4 else a
        each = 0.5 * (a - torch.tensor(y)).square().sum(dim=1)
        loss = (each * torch.tensor(weight)).sum() / weight.sum()
        for W in theirs[::2]:
            loss = loss + 0.1 / 2 * W.square().sum() + 0.01 * W.abs().sum()
        their_optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(theirs, 0.2)
        torch.nn.utils.clip_grad_norm_(theirs, 0.5)  # which adds 1e-6 to the norm
        their_optimizer.step()
        assert value == pytest.approx(loss.item(), rel=1e-6)
    found = [array for pair in net.weights for array in pair]
    for mine, their in zip(found, theirs, strict=True):
        np.testing.assert_allclose(mine, their.detach().numpy(), rtol=1e-5, atol=1e-6)
