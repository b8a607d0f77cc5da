"""Permutation importances of a table's columns, on rows that a network has not seen."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.model import Columns
from multilayer.numpy import Ensemble

__all__ = ["Unseen", "importances_of"]

Array = npt.NDArray[Any]

MAX_ROWS = 5_000
"""Enough rows to estimate a loss to a few per cent, and few enough to be fast."""


class Unseen(NamedTuple):
    """What is needed to judge members on rows that they have not seen."""

    samples: Any
    """The network's inputs."""
    held_out: Sequence[Array]
    """The rows that each member has not seen."""
    loss: Callable[[Array, Array], float]
    """The loss of logits for some rows."""


def importances_of(
    net: Ensemble, columns: Columns, unseen: Unseen, n_repeats: int, rng: np.random.Generator
) -> Array:
    """Return how much the out-of-fold loss rises if a column's entries are shuffled.

    All inputs of a column are shuffled together, among the rows of a fold (Breiman 2001,
    section 10). If there are more than 5,000 rows, about that many are used.

    Returns
    -------
    array of shape (n_columns, n_repeats)
        0 for columns that make no inputs.
    """
    n_judged = sum(map(len, unseen.held_out))
    share = min(1.0, MAX_ROWS / n_judged)
    parts = []
    for rows in unseen.held_out:
        n = max(2, round(share * len(rows)))
        chosen = np.sort(rng.choice(rows, min(n, len(rows)), replace=False))
        parts.append((chosen, unseen.samples[chosen]))
    all_rows = np.concatenate([rows for rows, _ in parts])
    members = list(net)

    def loss(places: slice | None) -> float:
        logits = []
        for member, (_, x) in zip(members, parts, strict=True):
            own = x
            if places is not None:
                own = x.copy()
                own[:, places] = x[rng.permutation(len(x)), places]
            logits.append(member.logits(own))
        return unseen.loss(np.concatenate(logits), all_rows)

    before = loss(None)
    found = np.zeros((len(columns.columns), n_repeats))
    for column, places in columns.used:
        own = [loss(places) - before for _ in range(n_repeats)]
        found[columns.names.index(column.name)] = own
    return found
