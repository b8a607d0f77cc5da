"""Fail if the engine has become much slower, relative to PyTorch in the same process.

    python benchmarks/kept.py

No absolute time counts, and the bounds are low: a fraction of what `compare.py` measures, in the
best of several rounds, so that a noisy machine does not fail it. Small networks fail if a step has
lost its compiled passes or runs too much Python; large ones if threads wait for each other or
memory is moved needlessly.
"""

import sys
from dataclasses import replace

from by_hand import eager
from cases import CASES, Problem
from machine import share_threads
from peers import numpy_engine
from turns import ratio_of, take_turns

LEAST = {"small-sgd": 5.0, "small-adam": 5.0, "mnist": 1.2, "wide": 0.8}
"""Eager PyTorch / ours. Without the compiled passes the small networks reach 4."""
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
            f"at least {LEAST[case.name]:g} {'wanted: LOST' if is_lost else 'wanted'}"
        )
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
