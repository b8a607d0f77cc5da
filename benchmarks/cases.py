"""Cases: what is trained, on how many samples, and the goals for speed.

Targets of random samples come from a random linear map: the index of the largest score, or the tanh
of a score. So there is something to learn, and the loss reveals a contestant that computes less.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import Architecture
from multilayer.data import ScaledImages, load_images
from multilayer.errors import InvalidDataError
from multilayer.numpy import MLP, SGD, Adam

__all__ = ["CASES", "Case", "Problem", "prediction_flops", "training_flops"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A network, its data and its optimizer."""

    name: str
    """The name for ``--case``."""
    widths: tuple[int, ...]
    """Inputs, hidden layers, outputs."""
    batch_size: int
    n_samples: int
    optimizer: SGD | Adam
    n_epochs: int
    """Epochs measured in each turn."""
    goals: Mapping[str, float] = field(default_factory=dict)
    """For each contestant, the lowest ratio peer / ours; for "limit", our lowest share of it."""
    mnist: bool = False
    """Whether the samples are those of MNIST, if it is available."""
    loss: str = "cross_entropy"

    @property
    def title(self) -> str:
        """A short description of the case."""
        momentum = getattr(self.optimizer, "momentum", 0)
        optimizer = type(self.optimizer).__name__ + (f", momentum {momentum:g}" if momentum else "")
        return f"{'-'.join(map(str, self.widths))}, batch {self.batch_size}, {optimizer}"

    @property
    def architecture(self) -> Architecture:
        """The network, with ReLU in its hidden layers."""
        return Architecture(self.widths[0], self.widths[1:-1], self.widths[-1])

    @property
    def n_flops(self) -> int:
        """The number of floating-point operations in an epoch's matrix products."""
        return training_flops(self.widths, self.n_samples)

    def weights(self, rng: np.random.Generator) -> list[tuple[Array, Array]]:
        """Draw (W, b) for each layer, with W of shape (out_features, in_features)."""
        net = MLP(self.architecture, rng=rng)
        return [(W, np.array(b)) for W, b in net.weights]

    def shortened(self) -> "Case":
        """Return the case with few samples and two epochs, for a smoke run."""
        return replace(self, n_samples=max(4 * self.batch_size, self.n_samples // 16), n_epochs=2)


SMALL = {"eager": 16, "sklearn": 8}
CASES = (
    Case("small-sgd", (10, 100, 2), 64, 6_400, SGD(0.02, 0.9), 20, SMALL),
    Case("small-adam", (10, 100, 2), 64, 6_400, Adam(2e-3), 20, SMALL),
    Case(
        "mnist",
        (784, 32, 32, 32, 10),
        512,
        60_000,
        SGD(0.05, 0.9),
        3,
        {"eager": 4, "sklearn": 2.8, "textbook": 25, "limit": 0.55},
        mnist=True,
    ),
    Case(
        "wide",
        (784, 512, 512, 10),
        128,
        12_800,
        Adam(1e-3),
        3,
        {"eager": 1.8, "sklearn": 2.4, "limit": 0.75},
    ),
    Case(
        "wider",
        (784, 1200, 1200, 10),
        512,
        8_192,
        SGD(0.3),
        3,
        {"eager": 1.35, "sklearn": 1.5, "limit": 0.88},
    ),
)


@dataclass(frozen=True)
class Problem:
    """A case with its data: samples, labels, and the initial weights of all contestants."""

    case: Case
    X: Array
    """Shape (n_samples, in_features), float32, in memory."""
    y: Array
    """Shape (n_samples,): labels as int64, or values as float32."""
    weights: list[tuple[Array, Array]]
    """(W, b) of each layer, with W of shape (out_features, in_features)."""
    X_lazy: Array | ScaledImages
    """The same samples, read from disk on demand; `X` itself for random samples."""
    data: str
    """Where the samples come from."""
    held_out: tuple[Array, Array] | None = None
    """Samples and targets on which each epoch is validated."""

    @classmethod
    def of(cls, case: Case) -> "Problem":
        """Return a case's problem, with samples that are read or drawn, and initial weights."""
        weights = case.weights(np.random.default_rng(0))
        X, y, X_lazy, data = _mnist(case.n_samples) if case.mnist else _drawn(case)
        return cls(case, X, y, weights, X_lazy, data)

    def first(self, n_samples: int) -> "Problem":
        """Return the same problem with only the first samples."""
        case = replace(self.case, n_samples=n_samples)
        lazy = self.X_lazy
        lazy = lazy.take(n_samples) if isinstance(lazy, ScaledImages) else lazy[:n_samples]
        return replace(self, case=case, X=self.X[:n_samples], y=self.y[:n_samples], X_lazy=lazy)


def training_flops(widths: tuple[int, ...], n_samples: int) -> int:
    """Count the operations that an epoch's matrix products need.

    For each sample and weight, these are a multiplication and an addition in the forward pass, the
    same for dW, and the same for dx in every layer except the first, whose inputs need no gradient.
    """
    products = [n_in * n_out for n_in, n_out in pairwise(widths)]
    return 2 * n_samples * (2 * sum(products) + sum(products[1:]))


def prediction_flops(widths: tuple[int, ...], n_samples: int) -> int:
    """Count the operations that a prediction's matrix products need."""
    return 2 * n_samples * sum(n_in * n_out for n_in, n_out in pairwise(widths))


def _drawn(case: Case) -> tuple[Array, Array, Array, str]:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((case.n_samples, case.widths[0]), dtype=np.float32)
    teacher = rng.standard_normal((case.widths[0], case.widths[-1]), dtype=np.float32)
    scores = X @ teacher
    y = scores.argmax(axis=1) if case.loss == "cross_entropy" else np.tanh(scores[:, 0])
    return X, y, X, "drawn"


def _mnist(n_samples: int) -> tuple[Array, Array, Array | ScaledImages, str]:
    """Return MNIST if `MULTILAYER_DATA` has it, else random samples of its shape."""
    if os.environ.get("MULTILAYER_DATA"):
        try:
            images = load_images("mnist", download=False)
        except InvalidDataError:
            pass
        else:
            X = images.X_train.take(n_samples)
            return X[:], images.y_train[:n_samples], X, "MNIST"
    rng = np.random.default_rng(1)
    drawn = rng.random((n_samples, 784), dtype=np.float32)
    teacher = rng.standard_normal((784, 10), dtype=np.float32)
    scores = drawn @ teacher
    return drawn, (scores - scores.mean(axis=0)).argmax(axis=1), drawn, "drawn, of MNIST's shape"
