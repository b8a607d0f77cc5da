"""The examples run, and the first lesson's numbers are right."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

EXAMPLES = Path(__file__).parents[1] / "examples"


QUICK = {"mnist_record": ("--seeds", "2", "--epochs", "1", "--images", "500")}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example_runs(path: Path) -> None:
    if path.stem.startswith("mnist") and "MULTILAYER_DATA" not in os.environ:
        pytest.skip("MNIST's files are not at hand")
    result = subprocess.run(
        [sys.executable, path, *QUICK.get(path.stem, ())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_every_example_is_listed() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f"]({path.name})" in text


def lesson_in_pytorch(seed: int) -> tuple[list[float], list[np.ndarray]]:
    """Train the lesson's network by autograd, from the lesson's own data and initial weights."""
    rng = np.random.default_rng(seed)
    X = torch.from_numpy(rng.standard_normal((64, 10)))
    y = torch.from_numpy(rng.standard_normal((64, 1)))
    arrays = []
    for shape in ((100, 10), (1, 100)):
        arrays.append(0.01 * rng.standard_normal(shape))
        arrays.append(0.01 * rng.standard_normal(shape[0]) + 0.1)
    W1, b1, W2, b2 = parameters = [torch.from_numpy(a).requires_grad_() for a in arrays]
    optimizer = torch.optim.SGD(parameters, lr=1e-3)
    losses = []
    for _ in range(250):
        y_hat = torch.relu(X @ W1.T + b1) @ W2.T + b2
        error = torch.nn.functional.mse_loss(y_hat, y)
        losses.append(error.item())
        objective = 0.5 * error + 0.5 / 2 * (W1.square().sum() + W2.square().sum())
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
    return losses, [p.detach().numpy() for p in parameters]


@pytest.mark.parametrize("seed", [0, 1])
def test_first_lesson_agrees_with_the_package_and_with_autograd(seed: int) -> None:
    lesson = runpy.run_path(str(EXAMPLES / "two_layer_regression.py"))
    losses, weights = lesson["from_scratch"](seed)
    arrays = [array for pair in weights for array in pair]

    package_losses, package_weights = lesson["with_multilayer"](seed)
    package_arrays = [array for pair in package_weights for array in pair]
    torch_losses, torch_arrays = lesson_in_pytorch(seed)

    # Float64 arithmetic in another order: 250 steps of rounding near 1e-16 each.
    for other in (package_losses, torch_losses):
        np.testing.assert_allclose(losses, other, rtol=0, atol=1e-12)
    for others in (package_arrays, torch_arrays):
        for ours, theirs in zip(arrays, others, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    assert losses[-1] < losses[0]


def test_the_custom_layer_is_nn_linear() -> None:
    custom = runpy.run_path(str(EXAMPLES / "custom_layer.py"))
    torch.manual_seed(3)
    linear = torch.nn.Linear(5, 4)
    torch.manual_seed(3)
    layer = custom["FullyConnected"](5, 4)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    X = torch.randn(7, 5)
    torch.testing.assert_close(layer(X), linear(X))
    net, losses = custom["train"]()
    assert len(list(net.parameters())) == 4
    assert losses[-1] < 0.05 < 0.5 < losses[0]
