"""Training time of one epoch, side by side: this engine, eager PyTorch, scikit-learn.

The three take turns within one run, round after round, and ratios of medians are reported: on a
machine whose speed drifts, absolute times say little. Run it on an idle machine:

    python benchmarks/compare.py [--rounds 7]
"""

import argparse
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import sklearn
import torch
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from multilayer import Architecture
from multilayer.numpy import MLP, SGD
from multilayer.training import fit

Epoch = Callable[[], None]

CASES = {
    "10-100-2, batch 64": ((10, 100, 2), 64, 6_400),
    "784-32-32-32-10, batch 512": ((784, 32, 32, 32, 10), 512, 10_240),
    "784-512-512-10, batch 128": ((784, 512, 512, 10), 128, 5_120),
}
LEARNING_RATE, MOMENTUM = 0.01, 0.9


def samples(widths: tuple[int, ...], n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw samples and labels."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, widths[0]), dtype=np.float32)
    return X, rng.integers(widths[-1], size=n_samples)


def ours(widths: tuple[int, ...], batch_size: int, X: np.ndarray, y: np.ndarray) -> Epoch:
    """Return a function that trains an epoch through `fit`."""
    net = MLP(Architecture(widths[0], widths[1:-1], widths[-1]), rng=np.random.default_rng(0))
    rng = np.random.default_rng(0)

    def epoch() -> None:
        fit(
            net,
            (X, y),
            loss="cross_entropy",
            optimizer=SGD(LEARNING_RATE, MOMENTUM),
            n_epochs=1,
            batch_size=batch_size,
            rng=rng,
        )

    return epoch


def pytorch(widths: tuple[int, ...], batch_size: int, X: np.ndarray, y: np.ndarray) -> Epoch:
    """Return a function that trains an epoch in eager PyTorch, on tensors in memory."""
    layers: list[torch.nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])  # no activation after the last layer
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)

    def epoch() -> None:
        for rows in torch.split(torch.randperm(len(inputs)), batch_size):
            loss = torch.nn.functional.cross_entropy(model(inputs[rows]), targets[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()

    return epoch


def scikit(widths: tuple[int, ...], batch_size: int, X: np.ndarray, y: np.ndarray) -> Epoch:
    """Return a function that trains an epoch of scikit-learn's MLPClassifier."""
    model = MLPClassifier(
        widths[1:-1],
        solver="sgd",
        alpha=0,
        batch_size=batch_size,
        learning_rate_init=LEARNING_RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        max_iter=1,
    )

    def epoch() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is what we ask for
            model.fit(X, y)

    return epoch


def main() -> None:
    """Measure every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    console = Console()
    console.print(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads; "
        f"numpy {np.__version__}, torch {torch.__version__}, scikit-learn {sklearn.__version__}"
    )
    table = Table("case", "ours, ms an epoch", "PyTorch / ours", "scikit-learn / ours")
    for name, (widths, batch_size, n_samples) in CASES.items():
        X, y = samples(widths, n_samples)
        epochs = [make(widths, batch_size, X, y) for make in (ours, pytorch, scikit)]
        times: list[list[float]] = [[] for _ in epochs]
        for turn in range(rounds + 1):
            for epoch, measured in zip(epochs, times, strict=True):
                started = time.perf_counter()
                epoch()
                if turn:  # the first turn warms up
                    measured.append(time.perf_counter() - started)
        mine, theirs, scikits = (statistics.median(measured) for measured in times)
        table.add_row(name, f"{1e3 * mine:.1f}", f"{theirs / mine:.2f}", f"{scikits / mine:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
