"""Measure how much longer importing the package takes than importing NumPy, in new processes."""

import statistics
import subprocess
import sys
import time

from report import Entry, Goal, Section
from turns import Turn, take_turns, typical

__all__ = ["compare_imports"]

GOAL = 0.05
"""The seconds that ``import multilayer`` may take beyond ``import numpy``."""
BARE = "import numpy"
IMPORTS = {
    "multilayer": "import numpy, multilayer",
    "multilayer.numpy, .training": "import numpy, multilayer.numpy, multilayer.training",
}


def compare_imports(rounds: int, *, quick: bool = False) -> Section:
    """Start Python with and without the package, in turns; report the differences in time."""
    n_starts = 1 if quick else 3
    turns = {name: _turn(code, n_starts) for name, code in (IMPORTS | {"numpy": BARE}).items()}
    seconds = take_turns(turns, rounds)
    entries = []
    for name in IMPORTS:
        differences = [
            statistics.median(turn) - statistics.median(bare)
            for turn, bare in zip(seconds[name], seconds["numpy"], strict=True)
        ]
        goal = Goal("cost", GOAL, at_most=True) if name == "multilayer" else None
        entries.append(Entry(f"{name}, beyond numpy", statistics.median(differences), goal=goal))
    entries.append(Entry("numpy, with Python's own start", typical(seconds["numpy"])))
    return Section("import", "import", "process", entries, seconds)


def _turn(code: str, n_starts: int) -> Turn:
    def turn() -> list[float]:
        measured = []
        for _ in range(n_starts):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            measured.append(time.perf_counter() - started)
        return measured

    return turn
