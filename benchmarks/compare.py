"""Compare the speed of this package, PyTorch and scikit-learn, side by side.

Contestants take turns within one run, A B C A B C …, and the ratios within a round count; the
report has their medians over the rounds, because the speed of a small or shared machine drifts. Run
it on an idle machine; it waits a minute for that, and warns.

    python benchmarks/compare.py                    # all of it, about 20 minutes on two cores
    python benchmarks/compare.py --quick            # a smoke run with few samples
    python benchmarks/compare.py --case mnist --case predict-one

A full run writes ``results/compare.json`` and ``results/compare.svg``; a quick or partial run
writes to ``results/partial/``, which git ignores.

The exit status is 1 if a contestant's losses or probabilities differ from the others', and else 0,
whether goals are met or not.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

import chart
import report
from cases import CASES
from estimators import compare_estimators
from machine import IDLE, PATIENCE, describe, share_threads, wait_until_idle
from prediction import PREDICTIONS, compare_prediction
from startup import compare_imports
from training import compare_training, compare_under_load

RESULTS = Path(__file__).parent / "results"
METHOD = (
    "Contestants take turns, round after round; a first round warms up. Seconds are medians over "
    "the rounds of the median in each turn, ratios medians over the rounds of peer / ours within "
    "the round. All have the same samples in memory, first weights, optimizer and number of "
    "threads; losses are compared with those of eager PyTorch. The limit is the machine's rate of "
    "float32 matrix products of 2048 x 2048, the best of all tries of NumPy and PyTorch in the "
    "same turns; a share of it counts the multiplications and additions of forward, dW, and dx of "
    "all layers but the first, at 2 operations each."
)

Part = Callable[[], report.Section]


def parts(rounds: int, *, quick: bool) -> dict[str, list[Part]]:
    """Return everything that can be measured, by its name for ``--case``."""
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


def main() -> int:
    """Measure, print the table, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = list(parts(1, quick=False))
    parser.add_argument("--rounds", type=int, help="5, with --quick 1")
    parser.add_argument("--quick", action="store_true", help="few samples, one round")
    parser.add_argument("--case", action="append", choices=names, help="may be repeated")
    parser.add_argument("--json", action="store_true", help="print the JSON instead of the table")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    if rounds < 1:
        parser.error("--rounds must be at least 1")

    console = Console(stderr=arguments.json)
    if not console.is_terminal:
        console = Console(stderr=arguments.json, width=130)
    share_threads()
    load = wait_until_idle(0 if arguments.quick else PATIENCE)
    about = describe()
    console.print(
        f"{about['cpu']}, {about['cores']} cores, {about['threads']} threads; "
        + ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    )
    if load > IDLE:
        console.print(
            f"[yellow]The machine is not idle: others keep {load:.2f} cores busy. Times below are "
            "not to be relied on.[/]"
        )
    sections = []
    for name, measures in parts(rounds, quick=arguments.quick).items():
        if arguments.case is None or name in arguments.case:
            for measure in measures:
                console.print(f"measuring {name} …", style="dim")
                sections.append(measure())

    console.print(report.table(sections))
    for line in report.remarks(sections):
        console.print(line)
    content = report.as_json(
        sections,
        method=METHOD,
        machine=about,
        busy_cores_before=load,
        rounds=rounds,
        quick=arguments.quick,
    )
    is_whole = not arguments.quick and arguments.case is None
    folder = RESULTS if is_whole else RESULTS / "partial"
    report.write(folder / "compare.json", content)
    chart.save(chart.draw(sections), folder / "compare.svg")
    if arguments.json:
        print(json.dumps(content, indent=1, ensure_ascii=False))
    return int(any(section.is_off for section in sections))


if __name__ == "__main__":
    sys.exit(main())
