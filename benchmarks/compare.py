"""Compare the speed of this package, PyTorch and scikit-learn, side by side.

Contestants take turns within one run, A B C A B C …, and are compared by the ratios within a round,
because the speed of a small or shared machine drifts; the report has the medians over the rounds.
Run it on an idle machine: it waits up to a minute for the machine to become idle, then warns.

    python benchmarks/compare.py                    # all cases, about 20 minutes on two cores
    python benchmarks/compare.py --quick            # a smoke run with few samples
    python benchmarks/compare.py --case mnist --case predict-one

A full run writes ``results/compare.json`` and ``results/compare.svg``; a quick or partial run
writes to ``results/partial/``, which git ignores.

The exit status is 1 if a contestant's losses or probabilities differ from the others', otherwise 0,
whether or not the goals are met.
"""

import sys
from functools import partial

from cases import CASES
from estimators import compare_estimators
from prediction import PREDICTIONS, compare_prediction
from program import Part, run
from startup import compare_imports
from training import compare_training, compare_under_load

METHOD = (
    "Contestants take turns, round after round; a first round warms up. Seconds are medians over "
    "the rounds of the median in each turn; ratios are medians over the rounds of peer / ours "
    "within a round. All have the same samples in memory, initial weights, optimizer and number "
    "of threads; losses are compared with those of eager PyTorch. The limit is the machine's rate "
    "of float32 matrix products of 2048 x 2048: the best of all tries of NumPy and PyTorch in the "
    "same turns. A share of the limit counts a multiplication and an addition for each weight and "
    "sample in the forward pass, in dW, and in dx of all layers but the first."
)


def parts(rounds: int, quick: bool) -> dict[str, list[Part]]:
    """Return all measurements, by their names for ``--case``."""
    found: dict[str, list[Part]] = {}
    for case in CASES:
        chosen = case.shortened() if quick else case
        found[case.name] = [
            partial(compare_training, chosen, rounds, quick=quick),
            partial(compare_under_load, chosen, (rounds + 1) // 2),
        ]
    found["estimators"] = [
        partial(compare_estimators, case.shortened() if quick else case, rounds) for case in CASES
    ]
    for name in PREDICTIONS:
        found[name] = [partial(compare_prediction, name, rounds, quick=quick)]
    found["import"] = [partial(compare_imports, rounds, quick=quick)]
    return found


if __name__ == "__main__":
    sys.exit(run("compare", __doc__, METHOD, parts))
