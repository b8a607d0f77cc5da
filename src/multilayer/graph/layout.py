"""The layout of a graph's picture: where its boxes and lines go, rank by rank.

The method of Sugiyama, Tagawa and Toda (1981): assign ranks by longest paths, add a point wherever
a line crosses a rank, order each rank by barycentres, then choose positions. The longest path is
drawn straight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidArgumentError, MissingPackageError
from multilayer.graph.order import Crossing, Item, Ranks, order_ranks

__all__ = ["Layout", "Link", "lay_out"]

Point = tuple[float, float]
Link = tuple[str, str, str]
"""The box above, the box below, and a group: long lines of a group leave a box together."""

BOX_GAP = 26.0
LINE_GAP = 14.0
RANK_GAP = 48.0
PORT_GAP = 13.0
PORT_INSET = 10.0
N_SWEEPS = 16
N_STRAIGHTENINGS = 6
SPINE_WEIGHT = 1e6
LINE_WEIGHT = 1e3


@dataclass(frozen=True)
class Layout:
    """The geometry of a picture, with (0, 0) at the upper left and y pointing down."""

    centres: dict[str, Point]
    """The centre of each box."""
    routes: list[list[Point]]
    """Each link's points from the box above to the box below: curved pieces between ranks
    alternate with straight pieces across ranks."""
    width: float
    height: float


def lay_out(widths: Mapping[str, float], links: Sequence[Link], *, height: float) -> Layout:
    """Place boxes so that every link points down and no link runs through a box.

    Parameters
    ----------
    widths : mapping of str to float
        The width of each box, by name.
    links : sequence of Link
    height : float
        The height of every box.

    Examples
    --------
    >>> layout = lay_out({"a": 40.0, "b": 60.0}, [("a", "b", "")], height=30.0)
    >>> layout.centres
    {'a': (30.0, 15.0), 'b': (30.0, 93.0)}
    >>> layout.routes
    [[(30.0, 30.0), (30.0, 78.0)]]
    """
    ranks, spine = _ranks(widths, links)
    chains = [_chain(link, ranks) for link in links]
    layers: Ranks = [[] for _ in range(max(ranks.values()) + 1)]
    for name in widths:
        layers[ranks[name]].append(name)
    for crossing in dict.fromkeys(item for chain in chains for item in chain[1:-1]):
        layers[crossing.rank].append(crossing)  # type: ignore[union-attr]
    steps = list(dict.fromkeys(step for chain in chains for step in pairwise(chain)))
    layers = order_ranks(layers, steps)
    x = _places(layers, steps, widths, spine)

    left = min(x[item] - _half(item, widths) for item in x)
    x = {item: place - left for item, place in x.items()}
    tops = [rank * (height + RANK_GAP) for rank in range(len(layers))]
    ports = _ports(chains, [link[2] for link in links], x, widths)
    drawn = []
    for chain, (start, end) in zip(chains, ports, strict=True):
        top = tops[ranks[str(chain[0])]]
        points = [(start, top + height)]
        for crossing in chain[1:-1]:
            top += height + RANK_GAP
            points += [(x[crossing], top), (x[crossing], top + height)]
        drawn.append([*points, (end, top + height + RANK_GAP)])
    return Layout(
        centres={name: (x[name], tops[ranks[name]] + height / 2) for name in widths},
        routes=drawn,
        width=max(x[item] + _half(item, widths) for item in x),
        height=tops[-1] + height,
    )


def _ranks(widths: Mapping[str, float], links: Sequence[Link]) -> tuple[dict[str, int], set[Item]]:
    """Return each box's rank, just above the boxes that it links to, and a longest path."""
    try:
        networkx: Any = import_module("networkx")
    except ImportError as error:
        raise MissingPackageError(
            'the picture of a graph needs networkx: pip install "multilayer[plot]"'
        ) from error
    if not widths:
        raise InvalidArgumentError("the picture of a graph needs at least one node")
    network = networkx.DiGraph()
    network.add_nodes_from(widths)
    network.add_edges_from(link[:2] for link in links)
    if not networkx.is_directed_acyclic_graph(network):
        raise InvalidArgumentError("a computation graph must have no cycles; this one has")
    from_below = list(networkx.topological_generations(network.reverse()))
    ranks = {name: rank for rank, names in enumerate(reversed(from_below)) for name in names}
    return ranks, set(networkx.dag_longest_path(network))


def _chain(link: Link, ranks: Mapping[str, int]) -> list[Item]:
    """Return the link's two boxes, with its crossings of ranks between them."""
    above, below, group = link
    between = range(ranks[above] + 1, ranks[below])
    return [above, *(Crossing(above, group, rank) for rank in between), below]


def _half(item: Item, widths: Mapping[str, float]) -> float:
    return widths[item] / 2 if isinstance(item, str) else 0.0


def _places(
    layers: Ranks, steps: Sequence[tuple[Item, Item]], widths: Mapping[str, float], spine: set[Item]
) -> dict[Item, float]:
    """Return each item's x: as close to its neighbours' mean as order and widths allow."""
    neighbours: dict[Item, list[Item]] = {item: [] for layer in layers for item in layer}
    for above, below in steps:
        neighbours[above].append(below)
        neighbours[below].append(above)
    gaps = [[_gap(*pair, widths) for pair in pairwise(layer)] for layer in layers]
    x = dict.fromkeys(neighbours, 0.0)

    def settle(i: int, wanted: Mapping[Item, float], line_weight: float) -> None:
        weights = [
            SPINE_WEIGHT if item in spine else line_weight if isinstance(item, Crossing) else 1.0
            for item in layers[i]
        ]
        goals = [0.0 if item in spine else wanted[item] for item in layers[i]]
        x.update(zip(layers[i], _spread(goals, gaps[i], weights), strict=True))

    for sweep in range(N_SWEEPS):
        for i in range(len(layers)) if sweep % 2 == 0 else reversed(range(len(layers))):
            means = {
                item: float(np.mean([x[each] for each in neighbours[item]] or [x[item]]))
                for item in layers[i]
            }
            settle(i, means, 1.0)
    # Then straighten long lines, at their farthest point from the longest path.
    for _ in range(N_STRAIGHTENINGS):
        lines: dict[tuple[str, str], list[Crossing]] = {}
        for item in x:
            if isinstance(item, Crossing):
                lines.setdefault(item[:2], []).append(item)
        wanted = dict(x)
        for line in lines.values():
            farthest = max((x[crossing] for crossing in line), key=abs)
            wanted.update(dict.fromkeys(line, farthest))
        for i in range(len(layers)):
            settle(i, wanted, LINE_WEIGHT)
    return x


def _gap(one: Item, other: Item, widths: Mapping[str, float]) -> float:
    """Return the smallest distance between the centres of two neighbours."""
    are_lines = isinstance(one, Crossing) and isinstance(other, Crossing)
    return _half(one, widths) + _half(other, widths) + (LINE_GAP if are_lines else BOX_GAP)


def _ports(
    chains: Sequence[Sequence[Item]],
    groups: Sequence[str],
    x: Mapping[Item, float],
    widths: Mapping[str, float],
) -> list[Point]:
    """Return where each link leaves its box above and enters its box below."""
    # On each side of a box, links with the same key share a port. The key of a long link is its
    # first crossing, which its group shares.
    sides: dict[tuple[Item, str], dict[object, tuple[float, str, int]]] = {}
    keys: list[tuple[object, object]] = []
    for i, (chain, group) in enumerate(zip(chains, groups, strict=True)):
        leaving: object = chain[1] if len(chain) > 2 else i
        keys.append((leaving, i))
        bottom = sides.setdefault((chain[0], "bottom"), {})
        bottom.setdefault(leaving, (x[chain[1]], group, i))
        sides.setdefault((chain[-1], "top"), {})[i] = (x[chain[-2]], group, i)
    found: dict[tuple[Item, str, object], float] = {}
    for (box, side), ends in sides.items():
        names = sorted(ends, key=lambda key: ends[key])
        room = _half(box, widths) - PORT_INSET
        gap = min(PORT_GAP, 2 * room / max(len(names) - 1, 1))
        wanted = [min(max(ends[name][0], x[box] - room), x[box] + room) for name in names]
        places = _spread(wanted, [gap] * (len(names) - 1), low=x[box] - room, high=x[box] + room)
        found.update({(box, side, name): at for name, at in zip(names, places, strict=True)})
    return [
        (found[chain[0], "bottom", leaving], found[chain[-1], "top", entering])
        for chain, (leaving, entering) in zip(chains, keys, strict=True)
    ]


def _spread(
    wanted: Sequence[float],
    gaps: Sequence[float],
    weights: Sequence[float] | None = None,
    *,
    low: float = -np.inf,
    high: float = np.inf,
) -> list[float]:
    """Return the positions closest to those wanted, in least squares, that keep order and gaps.

    After subtracting the gaps, the positions only have to be non-decreasing: isotonic regression.
    """
    if len(wanted) == 1:
        return [min(max(wanted[0], low), high)]
    from scipy.optimize import isotonic_regression

    offsets: npt.NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(gaps)])
    places = isotonic_regression(np.asarray(wanted) - offsets, weights=weights).x
    inside = np.minimum(np.maximum(places, low), high - offsets[-1]) + offsets
    return [float(place) for place in inside]
