"""Measure how the cost of training grows: with samples, width, depth, and from epoch to epoch.

Only the NumPy engine is measured. Sizes take turns, round after round, and the report has medians
over the rounds. Memory is tracemalloc's peak during one epoch, without the samples and the network,
measured in a separate run, because tracing takes time.

An exponent k means that the cost grows as sizeᵏ. It is the slope of a least-squares line through
the logarithms: once through all sizes, and once through the three largest, where the fixed cost of
a step hardly matters.

    python benchmarks/growth.py             # a few minutes, on an idle machine
    python benchmarks/growth.py --quick     # a smoke run, written to results/partial/
"""

import argparse
import sys
import tracemalloc
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from chart import save
from machine import IDLE, PATIENCE, describe, share_threads, wait_until_idle
from multilayer import Architecture
from multilayer.numpy import MLP, SGD
from multilayer.training import fit
from report import write
from turns import take_turns, typical

RESULTS = Path(__file__).parent / "results"
N_EPOCHS = 30
"""The number of epochs of a training run that are timed one by one."""
N_LARGEST = 3
"""The number of sizes for the second line: the largest."""


@dataclass(frozen=True)
class Size:
    """A training run of a certain size."""

    size: int
    n_samples: int
    widths: tuple[int, ...]
    batch_size: int = 256

    def train(self, n_epochs: int, *, watched: bool = False) -> list[float]:
        """Train; return the seconds of each epoch, or if `watched` the memory peak in bytes."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.n_samples, self.widths[0]), dtype=np.float32)
        y = rng.integers(self.widths[-1], size=self.n_samples)
        net = MLP(Architecture(self.widths[0], self.widths[1:-1], self.widths[-1]), rng=rng)
        if watched:
            tracemalloc.start()
        try:
            history = fit(
                net,
                (X, y),
                loss="cross_entropy",
                optimizer=SGD(learning_rate=0.01),
                n_epochs=n_epochs,
                batch_size=self.batch_size,
                rng=rng,
            )
            return [tracemalloc.get_traced_memory()[1]] if watched else history["seconds"]
        finally:
            tracemalloc.stop()

    def turn(self) -> list[float]:
        """Return the seconds of two epochs, after a warm-up epoch."""
        return self.train(3)[1:]


@dataclass(frozen=True)
class Growth:
    """The costs of several sizes, and the exponents of their growth."""

    what: str
    fixed: str
    """The settings that are the same for all sizes."""
    sizes: list[int]
    seconds: list[float]
    """The seconds of an epoch."""
    peak_bytes: list[float]
    rounds: dict[str, list[list[float]]]
    """For each size and round, the seconds of each epoch."""

    def exponents(self, costs: list[float]) -> tuple[float, float]:
        """Return the exponent over all sizes, and that over the largest."""
        return _slope(self.sizes, costs), _slope(self.sizes[-N_LARGEST:], costs[-N_LARGEST:])


def ladders(*, quick: bool) -> dict[str, tuple[str, list[Size]]]:
    """Return the fixed settings and the sizes, by the name of what grows."""
    n = 1_024 if quick else 4_096
    samples = [1_000, 3_000, 10_000] if quick else [10**3, 10**4, 10**5, 3 * 10**5, 10**6]
    widths = [64, 128, 256] if quick else [64, 128, 256, 512, 1024, 2048]
    depths = [1, 2, 4] if quick else [1, 2, 4, 8, 16, 32]
    return {
        "samples": ("20-64-2, batch 256", [Size(k, k, (20, 64, 2)) for k in samples]),
        "width": (
            f"64-width-width-10, {n:,} samples, batch 256",
            [Size(k, n, (64, k, k, 10)) for k in widths],
        ),
        "hidden layers": (
            f"64, layers of 128, 10, {n:,} samples, batch 256",
            [Size(k, n, (64, *[128] * k, 10)) for k in depths],
        ),
    }


def measure(what: str, fixed: str, sizes: list[Size], rounds: int) -> Growth:
    """Measure every size: its time in turns with the others, then its memory."""
    seconds = take_turns({str(size.size): size.turn for size in sizes}, rounds)
    return Growth(
        what,
        fixed,
        [size.size for size in sizes],
        [typical(turns) for turns in seconds.values()],
        [size.train(1, watched=True)[0] for size in sizes],
        seconds,
    )


def measure_epochs(rounds: int, *, quick: bool) -> list[float]:
    """Return the seconds of each epoch of a training run: the medians over several runs."""
    size = Size(0, 2_000 if quick else 50_000, (20, 64, 2))
    turns = take_turns({"epochs": partial(size.train, N_EPOCHS)}, rounds)["epochs"]
    return [float(seconds) for seconds in np.median(turns, axis=0)]


def drift(epochs: list[float]) -> float:
    """Return the relative growth of an epoch's time from the second epoch to the last.

    It is the growth of a fitted straight line divided by the median. The first epoch prepares
    buffers, so it is left out.
    """
    later = epochs[1:]
    slope = np.polyfit(np.arange(len(later)), later, 1)[0]
    return float(slope * (len(later) - 1) / np.median(later))


def table(growths: list[Growth]) -> Table:
    """Return a table of sizes and costs for the terminal, with the exponents below each group."""
    result = Table("what grows", title="Cost of an epoch with the NumPy engine")
    for header in ("size", "seconds", "peak, MB"):
        result.add_column(header, justify="right")
    for growth in growths:
        for i, size in enumerate(growth.sizes):
            result.add_row(
                f"{growth.what} ({growth.fixed})" if i == 0 else "",
                f"{size:,}",
                f"{growth.seconds[i]:.4g}",
                f"{growth.peak_bytes[i] / 1e6:.2f}",
            )
        by_time, by_memory = (
            growth.exponents(costs) for costs in (growth.seconds, growth.peak_bytes)
        )
        for i, over in enumerate(("all", f"{N_LARGEST} largest")):
            result.add_row(
                f"exponent, {over}", "", f"{by_time[i]:.2f}", f"{by_memory[i]:.2f}", style="bold"
            )
        result.add_section()
    return result


def draw(growths: list[Growth], epochs: list[float]) -> Figure:
    """Return a figure with times above memory, and the epochs of one training run at the bottom."""
    figure = Figure(figsize=(8, 7.5), layout="constrained")
    grid = figure.add_gridspec(3, len(growths))
    for column, growth in enumerate(growths):
        _line(figure.add_subplot(grid[0, column]), growth, growth.seconds, 1.0, "seconds per epoch")
        _line(figure.add_subplot(grid[1, column]), growth, growth.peak_bytes, 1e6, "peak, MB")
    ax = figure.add_subplot(grid[2, :])
    ax.plot(range(1, len(epochs) + 1), [1e3 * s for s in epochs], "o-", color="#0072B2")
    ax.set_ylim(0, 1.1e3 * max(epochs))
    ax.set_xlabel("epoch of one training run")
    ax.set_ylabel("milliseconds")
    ax.set_title(f"from the second epoch to the last: {drift(epochs):+.1%}", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def _line(ax: Axes, growth: Growth, costs: list[float], unit: float, label: str) -> None:
    """Draw the costs over the sizes, and the line through the largest ones."""
    exponent = growth.exponents(costs)[1]
    values = np.array(costs) / unit
    sizes = np.array(growth.sizes, dtype=float)
    largest = slice(-N_LARGEST, None)
    height = np.exp(np.mean(np.log(values[largest]) - exponent * np.log(sizes[largest])))
    ax.loglog(sizes, values, "o", color="#0072B2")
    ax.loglog(sizes, height * sizes**exponent, "--", color="black", linewidth=1)
    if sizes[-1] < 10_000:
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes], fontsize=8)
        ax.set_xticks([], minor=True)
    ax.set_xlabel(growth.what)
    ax.set_ylabel(label)
    ax.set_title(f"{N_LARGEST} largest: exponent {exponent:.2f}", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)


def _slope(sizes: list[int], costs: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def main() -> int:
    """Measure, print the tables, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, help="default: 3, or 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="few and small sizes, one round")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    console = Console()
    share_threads()
    load = wait_until_idle(0 if arguments.quick else PATIENCE)
    if load > IDLE:
        console.print(f"[yellow]The machine is not idle: others keep {load:.2f} cores busy.[/]")
    growths = []
    for what, (fixed, sizes) in ladders(quick=arguments.quick).items():
        console.print(f"measuring {what} …", style="dim")
        growths.append(measure(what, fixed, sizes, rounds))
    epochs = measure_epochs(rounds, quick=arguments.quick)

    console.print(table(growths))
    console.print(
        f"time of an epoch, from the second to the last of {N_EPOCHS}: {drift(epochs):+.1%}"
    )
    content: dict[str, Any] = {
        "method": (__doc__ or "").split("\n\n    python")[0],
        "machine": describe(),
        "busy_cores_before": load,
        "growth": [
            asdict(growth)
            | {
                "exponents_of_seconds": growth.exponents(growth.seconds),
                "exponents_of_peak_bytes": growth.exponents(growth.peak_bytes),
            }
            for growth in growths
        ],
        "epochs": {"seconds": epochs, "drift": drift(epochs)},
    }
    folder = RESULTS / "partial" if arguments.quick else RESULTS
    write(folder / "growth.json", content)
    save(draw(growths, epochs), folder / "growth.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
