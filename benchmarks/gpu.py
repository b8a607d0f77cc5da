"""Compare the PyTorch engine with loops in plain PyTorch on a GPU; needs a CUDA device.

    python benchmarks/gpu.py [--rounds 5]

It measures epochs of 784-32-32-32-10 with batches of 512, and of 784-1200-1200-10 with batches of
512 and 8192, with SGD and momentum: with `fit`, which records whole steps as CUDA graphs; by hand
on tensors on the device; and by hand with a DataLoader. The report has the ratios, and our share of
the device's measured rate of float32 matrix products, in PyTorch's current precision.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import cross_entropy

import report
from cases import training_flops
from multilayer import Architecture
from multilayer.numpy import SGD
from multilayer.torch import MLP
from multilayer.training import fit
from turns import Turn, ratio_of, take_turns, typical

CASES = (
    ((784, 32, 32, 32, 10), 512, 61_440),
    ((784, 1200, 1200, 10), 512, 61_440),
    ((784, 1200, 1200, 10), 8192, 65_536),
)
OPTIMIZER = SGD(0.05, 0.9)
N_EPOCHS = 3
Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]


def through_fit(widths: tuple[int, ...], batch: int, X: torch.Tensor, y: torch.Tensor) -> Turn:
    """Return a turn of our engine."""

    def turn() -> list[float]:
        net = MLP(Architecture(widths[0], widths[1:-1], widths[-1]), device="cuda")
        history = fit(
            net,
            (X, y),
            loss="cross_entropy",
            optimizer=OPTIMIZER,
            batch_size=batch,
            n_epochs=1 + N_EPOCHS,
        )
        return history["seconds"][1:]

    return turn


def by_hand(
    widths: tuple[int, ...], batch: int, X: torch.Tensor, y: torch.Tensor, *, loader: bool
) -> Turn:
    """Return a turn of the plain loop, over a DataLoader or over tensors on the device."""
    resident = X.cuda(), y.cuda()
    dataset = torch.utils.data.TensorDataset(X, y)
    batches_of_host = torch.utils.data.DataLoader(
        dataset, batch_size=batch, shuffle=True, pin_memory=True
    )

    def batches() -> Batches:
        if loader:
            for pair in batches_of_host:
                yield pair[0].cuda(non_blocking=True), pair[1].cuda(non_blocking=True)
        else:
            for rows in torch.split(torch.randperm(len(X), device="cuda"), batch):
                yield resident[0][rows], resident[1][rows]

    def turn() -> list[float]:
        net = MLP(Architecture(widths[0], widths[1:-1], widths[-1]), device="cuda")
        optimizer = torch.optim.SGD(
            net.parameters(), lr=OPTIMIZER.learning_rate, momentum=OPTIMIZER.momentum
        )
        seconds = []
        for _ in range(1 + N_EPOCHS):
            started = time.perf_counter()
            for inputs, targets in batches():
                optimizer.zero_grad()
                cross_entropy(net(inputs), targets).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
        return seconds[1:]

    return turn


def product_rate(side: int = 8192) -> float:
    """Return the device's rate of matrix products in operations per second, the best of ten."""
    a = torch.randn(side, side, device="cuda")
    best = float("inf")
    for _ in range(10):
        torch.cuda.synchronize()
        started = time.perf_counter()
        a @ a
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def main() -> int:
    """Measure, print the table, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if not torch.cuda.is_available():
        print("benchmarks/gpu.py needs a CUDA device; there is none", file=sys.stderr)
        return 2
    rate = product_rate()
    table = Table("case", "fit, ms per epoch", "share", "resident / fit", "DataLoader / fit")
    results = {}
    for widths, batch, n_samples in CASES:
        rng = np.random.default_rng(0)
        X = torch.from_numpy(rng.standard_normal((n_samples, widths[0]), dtype=np.float32))
        y = torch.from_numpy(rng.integers(widths[-1], size=n_samples))
        turns = {
            "fit": through_fit(widths, batch, X, y),
            "resident": by_hand(widths, batch, X, y, loader=False),
            "DataLoader": by_hand(widths, batch, X, y, loader=True),
        }
        seconds = take_turns(turns, rounds)
        name = f"{'-'.join(map(str, widths))}, batch {batch}"
        mine = typical(seconds["fit"])
        share = training_flops(widths, n_samples) / mine / rate
        ratios = {peer: ratio_of(seconds[peer], seconds["fit"]).median for peer in turns}
        table.add_row(
            name,
            f"{1e3 * mine:.1f}",
            f"{share:.0%}",
            f"{ratios['resident']:.2f}",
            f"{ratios['DataLoader']:.2f}",
        )
        results[name] = {"seconds": seconds, "share": share, "ratios": ratios}
    card = torch.cuda.get_device_name()
    Console().print(f"{card}, torch {torch.__version__}, {rate / 1e12:.1f} Tflop/s in products")
    Console().print(table)
    content = {"device": card, "torch": torch.__version__, "rate": rate, "cases": results}
    report.write(Path(__file__).parent / "results" / "gpu.json", content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
