"""The published MNIST run: ten average losses, by the plain loop and through `fit`."""

import os
import runpy
from pathlib import Path

import numpy as np
import pytest

PUBLISHED = [
    2.305134, 2.286451, 2.256750, 2.176988, 1.931109, 1.416106, 0.919141, 0.676336, 0.561392,
    0.501461,
]  # fmt: skip


@pytest.mark.skipif("MULTILAYER_DATA" not in os.environ, reason="MNIST's files are not at hand")
def test_ten_losses():
    example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "mnist_pytorch.py"))
    images = example["load_images"]("mnist", download=False)
    averages, weights, orders = example["plain"](images)
    np.testing.assert_allclose(averages, PUBLISHED, atol=1e-4)
    for engine in (example["MLP"], example["NumpyMLP"]):
        net = engine(example["ARCHITECTURE"])
        losses = example["through_fit"](net, images, weights, orders)
        np.testing.assert_allclose(losses, averages, atol=1e-5)  # float32 over 100 steps
