"""The body of a program that compares: its options, its table, and the files that it writes."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

import chart
import report
from machine import IDLE, PATIENCE, describe, share_threads, wait_until_idle

__all__ = ["Part", "run"]

RESULTS = Path(__file__).parent / "results"

Part = Callable[[], report.Section]


def run(
    name: str, about: str | None, method: str, parts: Callable[[int, bool], dict[str, list[Part]]]
) -> int:
    """Measure, print the table, and write the results; return the exit status.

    Parameters
    ----------
    name : str
        The name of the files with the results.
    about : str
        The program's docstring, for ``--help``.
    method : str
        A description of the method, for the JSON file.
    parts : function of (rounds, quick)
        Returns all measurements, by their names for ``--case``.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, help="default: 5, or 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="few samples, one round")
    parser.add_argument(
        "--case", action="append", choices=list(parts(1, False)), help="may be repeated"
    )
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
    machine = describe()
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    )
    if load > IDLE:
        console.print(
            f"[yellow]The machine is not idle: others keep {load:.2f} cores busy. Do not rely "
            "on the times below.[/]"
        )
    sections = []
    for case, measures in parts(rounds, arguments.quick).items():
        if arguments.case is None or case in arguments.case:
            for measure in measures:
                console.print(f"measuring {case} …", style="dim")
                sections.append(measure())

    console.print(report.table(sections))
    for line in report.remarks(sections):
        console.print(line)
    content = report.as_json(
        sections,
        method=method,
        machine=machine,
        busy_cores_before=load,
        rounds=rounds,
        quick=arguments.quick,
    )
    is_whole = not arguments.quick and arguments.case is None
    folder = RESULTS if is_whole else RESULTS / "partial"
    report.write(folder / f"{name}.json", content)
    chart.save(chart.draw(sections), folder / f"{name}.svg")
    if arguments.json:
        print(json.dumps(content, indent=1, ensure_ascii=False))
    return int(any(section.is_off for section in sections))
