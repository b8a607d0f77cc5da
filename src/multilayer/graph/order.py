"""The order of boxes and lines within each rank of a picture, chosen for few crossings."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Crossing", "Item", "Ranks", "count_crossings", "order_ranks"]

N_SWEEPS = 12


class Crossing(NamedTuple):
    """The point where a group's long lines from the same box cross a rank."""

    above: str
    group: str
    rank: int


Item = str | Crossing
Ranks = list[list[Item]]
Step = tuple[Item, Item]


def order_ranks(ranks: Ranks, steps: Sequence[Step]) -> Ranks:
    """Return the ranks, each in an order with few crossings.

    Sweeps go down and up in turn and sort each rank by barycentre, the mean place of an item's
    neighbours in the previous rank. The best order is kept; ties keep their order.

    Parameters
    ----------
    ranks : list of list of Item
    steps : sequence of (Item, Item)
        Lines, each from one rank to the next.

    Examples
    --------
    >>> order_ranks([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")])
    [['a', 'b'], ['d', 'c']]
    """
    above: dict[Item, list[Item]] = {item: [] for rank in ranks for item in rank}
    below: dict[Item, list[Item]] = {item: [] for rank in ranks for item in rank}
    for upper, lower in steps:
        above[lower].append(upper)
        below[upper].append(lower)
    best = [list(rank) for rank in ranks]
    fewest = count_crossings(best, steps)
    current = [list(rank) for rank in ranks]
    place: dict[Item, float] = {}
    for rank in current:
        _number(rank, place)
    for sweep in range(N_SWEEPS):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        first, second = (above, below) if downwards else (below, above)
        for rank in current if downwards else reversed(current):
            if not any(first[item] for item in rank):  # the rank that the sweep starts from
                continue
            # Items without neighbours on one side use those on the other.
            centres = {
                item: float(np.mean([place[each] for each in first[item] or second[item]]))
                if first[item] or second[item]
                else place[item]
                for item in rank
            }
            rank.sort(key=centres.__getitem__)
            _number(rank, place)
        n_crossings = count_crossings(current, steps)
        if n_crossings < fewest:
            best, fewest = [list(rank) for rank in current], n_crossings
    return best


def count_crossings(ranks: Ranks, steps: Sequence[Step]) -> int:
    """Return the number of pairs of steps that cross.

    Examples
    --------
    >>> count_crossings([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")])
    1
    """
    rank_of = {item: i for i, rank in enumerate(ranks) for item in rank}
    index = {item: i for rank in ranks for i, item in enumerate(rank)}
    ends: dict[int, list[tuple[int, int]]] = {}
    for upper, lower in steps:
        ends.setdefault(rank_of[upper], []).append((index[upper], index[lower]))
    total = 0
    for pairs in ends.values():
        start, end = np.array(pairs).T
        total += int(((start[:, None] < start) & (end[:, None] > end)).sum())
    return total


def _number(rank: list[Item], place: dict[Item, float]) -> None:
    """Place the items of a rank at equal distances around 0, to make ranks comparable."""
    for i, item in enumerate(rank):
        place[item] = i - (len(rank) - 1) / 2
