"""Turns: contestants are measured one after the other, round after round.

On a machine whose speed drifts, such as one with two cores, absolute times mean little. Within a
round, all contestants run under nearly the same conditions, so ratios mean more than times. The
report has the median over the rounds, the lowest and the highest.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["REST", "Ratio", "Turn", "ratio_of", "take_turns", "timed", "typical"]

Turn = Callable[[], list[float]]
"""A function that takes one turn and returns the seconds of each repetition in it."""

REST = 0.1
"""Seconds between turns, since threads of the last contestant's libraries may still spin."""


@dataclass(frozen=True)
class Ratio:
    """The time of one contestant divided by another's, over the rounds."""

    median: float
    low: float
    high: float


def take_turns(
    contestants: Mapping[str, Turn], rounds: int, *, warm_up: bool = True
) -> dict[str, list[list[float]]]:
    """Return each contestant's seconds, one list per round; a first round only warms up."""
    seconds: dict[str, list[list[float]]] = {name: [] for name in contestants}
    for number in range(not warm_up, rounds + 1):
        for name, turn in contestants.items():
            gc.collect()
            time.sleep(REST)
            measured = turn()
            if number > 0:
                seconds[name].append(measured)
    return seconds


def timed(call: Callable[[], object]) -> Turn:
    """Return a turn: the seconds of one call."""

    def turn() -> list[float]:
        started = time.perf_counter()
        call()
        return [time.perf_counter() - started]

    return turn


def typical(rounds: list[list[float]]) -> float:
    """Return the median over the rounds of the median within each round."""
    return statistics.median(statistics.median(turn) for turn in rounds)


def ratio_of(peer: list[list[float]], ours: list[list[float]]) -> Ratio:
    """Return the ratio peer / ours: its median, lowest and highest value over the rounds."""
    ratios = [statistics.median(a) / statistics.median(b) for a, b in zip(peer, ours, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
