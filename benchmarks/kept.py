"""Fail if the engine has become much slower, relative to PyTorch in the same process.

    python benchmarks/kept.py

Absolute times do not matter, and the bounds are low, so that a noisy machine does not fail: a
fraction of what `compare.py` measures, applied to the best of several rounds. Small networks fail
if a step has lost its compiled passes or runs too much Python; large networks fail if threads wait
for each other or memory is moved needlessly.
"""

import sys
from dataclasses import replace

from by_hand import eager
from cases import CASES, Problem
from machine import share_threads
from peers import numpy_engine
from turns import ratio_of, take_turns

LEAST = {"small-sgd": 5.0, "small-adam": 5.0, "mnist": 1.2, "wide": 0.8}
"""The least ratio of eager PyTorch to ours; without compiled passes, small networks reach 4."""
ROUNDS = 4


def main() -> int:
    """Measure, print the ratios, and return 1 if one is too small."""
    share_threads()
    lost = 0
    for case in CASES:
        if case.name not in LEAST:
            continue
        problem = Problem.of(replace(case, n_samples=40 * case.batch_size, mnist=False))
        ours, theirs = numpy_engine(problem), eager(problem)
        seconds = take_turns(
            {c.name: lambda c=c: c.train(4).seconds[1:] for c in (ours, theirs)},  # type: ignore[misc]
            ROUNDS,
        )
        best = ratio_of(seconds["eager"], seconds["numpy"]).high
        is_lost = best < LEAST[case.name]
        lost += is_lost
        print(
            f"{case.title}: eager PyTorch takes {best:.1f} times as long; "
            f"required: at least {LEAST[case.name]:g}{': FAILED' if is_lost else ''}"
        )
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
