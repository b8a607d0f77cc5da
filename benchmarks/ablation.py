"""Measure the gain of each part of the fast path: the same training without one part at a time.

    python benchmarks/ablation.py [--rounds 5] [--quick]

The contestants take turns as in `compare.py`; the report shows how many times as long an epoch
takes without each part. The results go to ``results/ablation.json``, and those of a quick run to
``results/partial/``.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

import report
from cases import CASES, Case, Problem
from machine import describe, share_threads, wait_until_idle
from multilayer.compiled import Kernel
from multilayer.numpy import Batch, take_step
from multilayer.numpy.fast import batches, blas, plan, source, stages, standby, step, workers
from peers import numpy_engine, one_thread
from turns import Turn, ratio_of, take_turns, typical

RESULTS = Path(__file__).parent / "results"


def _readable(self: Any, start: int, stop: int, learning_rate: float) -> float:
    """Take the step as the readable engine does."""
    source = self.source
    rows = slice(start, stop) if source.order is None else source.order[start:stop]
    X, targets, weight = source._now
    batch = Batch(X[rows], targets[0][rows], None if weight is None else weight[rows])
    return take_step(
        self.network,
        self.objective,
        self._optimizer,
        self.state,
        batch,
        learning_rate,
        clip=self.clip,
        rng=self.rng,
    )


@contextmanager
def readable() -> Iterator[None]:
    """Train with the readable layers, losses and optimizers instead of kernels."""
    build = step.Step.__init__

    def remember(self: Any, *arguments: Any, **settings: Any) -> None:
        build(self, *arguments, **settings)
        self._optimizer = settings["optimizer"]

    with patch.object(step.Step, "__init__", remember), patch.object(step.Step, "take", _readable):
        yield


def blas_threads() -> Any:
    """Let BLAS use its own threads in each product, instead of our workers."""
    alone = lambda *_, **__: workers.Workers(1, keep_blas=True)  # noqa: E731
    return patch.object(workers.Workers, "for_batches", alone)


def no_chains() -> Any:
    """Let workers call the kernels one by one."""
    return patch.object(step, "chain_of", lambda *_: None)


@contextmanager
def plain() -> Iterator[None]:
    """Use the kernels' plain forms."""
    with no_chains(), patch.object(Kernel, "fastest", property(lambda kernel: kernel.plain)):
        yield


PARTS: dict[str, Callable[[], Any]] = {
    "compiled passes": plain,
    "a pass in three calls": no_chains,
    "polling before sleeping": lambda: patch.object(standby, "_loops", lambda: None),
    "threads of our own (BLAS's instead)": blas_threads,
    "products transposed for narrow layers": lambda: patch.object(stages, "NARROW", math.inf),
    "products transposed for wide layers": lambda: patch.object(blas, "has_wide_kernels", bool),
    "passes for thin layers": lambda: patch.object(plan, "WIDEST", 0),
    "samples put in order once an epoch": lambda: patch.object(source, "REORDERED_BYTES", 0),
    "updates in parts": lambda: patch.object(batches, "LONG", math.inf),
    "the fast path as a whole": readable,
}
"""The parts that can be left out, and how."""
OF_ONE_THREAD = {"products transposed for narrow layers", "passes for thin layers"}
"""The parts measured on one thread, since compiled loops keep the form they were compiled in."""


def turns_of(case: Case) -> dict[str, Turn]:
    """Return a contestant with all parts, one on a single thread, and one without each part."""
    contestant = numpy_engine(Problem.of(case))
    alone = one_thread(contestant)

    def turn(train: Callable[[int], Any], without: Callable[[], Any] | None) -> Turn:
        def take() -> list[float]:
            with ExitStack() as stack:
                if without is not None:
                    stack.enter_context(without())
                return list(train(1 + case.n_epochs).seconds[1:])

        return take

    turns = {"all": turn(contestant.train, None), "a second thread": turn(alone.train, None)}
    trains = {name: alone.train if name in OF_ONE_THREAD else contestant.train for name in PARTS}
    return turns | {name: turn(trains[name], without) for name, without in PARTS.items()}


def main() -> int:
    """Measure, print the table, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few samples, one round")
    arguments = parser.parse_args()
    share_threads()
    wait_until_idle(0 if arguments.quick else 60)
    console = Console(width=None if sys.stdout.isatty() else 130)
    cases = [case.shortened() if arguments.quick else case for case in CASES]
    seconds = {}
    for case in cases:
        console.print(f"measuring {case.name} …", style="dim")
        seconds[case.name] = take_turns(turns_of(case), 1 if arguments.quick else arguments.rounds)
    title = "an epoch without a part, as a multiple of one with it"
    table = Table("without", *(case.name for case in cases), title=title)
    ratios: dict[str, dict[str, float]] = {}
    for name in ("a second thread", *PARTS):
        with_it = "a second thread" if name in OF_ONE_THREAD else "all"
        of_part = {
            case: ratio_of(measured[name], measured[with_it]).median
            for case, measured in seconds.items()
        }
        ratios[name] = of_part
        table.add_row(name, *(f"{ratio:.2f}" for ratio in of_part.values()))
    console.print(table)
    content = {
        "machine": describe(),
        "workers": blas.n_threads(),
        "seconds_an_epoch": {name: typical(measured["all"]) for name, measured in seconds.items()},
        "without": ratios,
    }
    folder = RESULTS / "partial" if arguments.quick else RESULTS
    report.write(folder / "ablation.json", content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
