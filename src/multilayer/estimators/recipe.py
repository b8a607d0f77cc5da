"""The recipe for tables: a network for each fold, and how all are trained."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.data import Stream
from multilayer.data.folds import Split
from multilayer.estimators.engines import Engine, Together
from multilayer.model import Columns, Targets
from multilayer.numpy import Adam, Embedding, Ensemble, Loss, WarmUp
from multilayer.randomness import Generators
from multilayer.training import Callback, train

__all__ = ["architecture_of", "batch_size", "run", "set_first_vectors"]

Array = npt.NDArray[Any]

# docs/guide/table.md gives the reasons; benchmarks/tables.py measures each part.
HIDDEN = (128, 128)
WIDTH = 8
"""The length of embeddings."""
SPEED = 15.0
"""How much faster the embeddings of numbers learn: only the rows within a piece determine its
slope, and the layers above would overfit before the slopes are learned."""
LEARNING_RATE = 2e-3
WARM_UP = 1
"""The number of epochs in which the learning rate rises to its full value. Adam's first steps are
as long as later ones, and on some tables they lead in a wrong direction."""
N_EPOCHS = 40
PATIENCE = 8
STEPS = 40
"""An epoch has about this many steps, unless batches would be outside `BATCH_SIZES`."""
BATCH_SIZES = (32, 256)
FREQUENT = 50
"""Categories with at least this many rows start with the mean of their targets. With fewer rows, it
would reveal too much about the target of each."""
PIECE = 65_536
"""How many samples are read at a time."""


def architecture_of(columns: Columns, targets: Targets) -> Architecture:
    """Return the architecture of each network."""
    return Architecture(
        columns.in_features,
        HIDDEN,
        targets.out_features,
        output=targets.output,
        embeddings=columns.embeddings(WIDTH, SPEED),
    )


def run(
    engine: Engine,
    architecture: Architecture,
    loss: Loss,
    data: tuple[Any, ...],
    splits: list[Split],
    callbacks: list[Callback],
    rng: np.random.Generator,
    beyond: tuple[Stream, Array] | None = None,
) -> tuple[Ensemble, str]:
    """Train a network for each split; return the networks, and what ended training.

    Parameters
    ----------
    engine : Engine
    architecture, loss
        Those of each network.
    data : tuple of arrays
        Inputs, encoded targets, and weights if there are any.
    splits : list of pairs of arrays
        The rows that each network trains on, and those that judge it.
    callbacks : list of Callback
    rng : numpy.random.Generator
    beyond : pair of Stream and array of bool of shape (K, n_slots), optional
        If `data` is only a sample for judging: all rows, and the slots that each network trains on.
    """
    ensemble = Ensemble(architecture, len(splits), initializer="he", rng=rng)
    set_first_vectors(ensemble, data, splits)
    generators = Generators(rng.spawn(len(splits)))
    work = engine.twin(ensemble)
    trainer: Any = work.trainer(loss=loss, optimizer=Adam(LEARNING_RATE), rng=generators)
    if beyond is None:
        what: dict[str, Any] = {"data": data, "splits": splits}
    else:
        stream, trains_on = beyond
        slots = map(np.flatnonzero, trains_on)
        pairs = [(own, judging) for own, (_, judging) in zip(slots, splits, strict=True)]
        what = {"data": stream, "validation": data, "splits": pairs}
    with Together(engine.ranks) as together:
        histories = train(
            trainer,
            n_epochs=N_EPOCHS,
            batch_size=batch_size(splits),
            schedule=WarmUp(WARM_UP, start=0.0),
            callbacks=[together, *callbacks],
            rng=rng,
            **what,
        )
    if work is not ensemble:
        ensemble = work.to_numpy()
    return ensemble, histories[0].stopped_by


def batch_size(splits: list[Split]) -> int:
    """Return the number of rows in a step."""
    n_rows = min(len(training) for training, _ in splits)
    return int(np.clip(n_rows // STEPS, *BATCH_SIZES))


def set_first_vectors(ensemble: Ensemble, data: tuple[Any, ...], splits: list[Split]) -> None:
    """Start the vectors of frequent categories from their mean targets in each network's rows.

    With the means t̄ of a category's targets, each target scaled to mean 0 and deviation 1, the
    first entries of its vector are 2 t̄: so they need not wait for gradients to take them there, a
    few rows at a time. (Micci-Barreca 2001 uses such means as inputs.) If there are more targets or
    classes than a vector has entries, no means are used.

    The vector of position 0, for rare and unseen categories, starts at 0 and stays there unless a
    training row has it. So do categories that occur only in the rows that judge a network: to this
    network, they are as new as those of new rows.
    """
    layer = ensemble.network.layers[0]
    if not isinstance(layer, Embedding):
        return
    samples, targets, *weights = data
    weight = weights[0] if weights else np.ones(len(targets))
    inputs = [(place, rows) for place, rows, is_number in layer.inputs if not is_number]
    codes = _codes(samples, [place for place, _ in inputs])
    n_means = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    if n_means <= WIDTH and targets.ndim == 1:  # classes
        targets = targets[:, np.newaxis] == np.arange(n_means)
    for (_, vectors), code in zip(inputs, codes.T, strict=True):
        for V, (rows, _) in zip(layer.V[:, vectors], splits, strict=True):
            counts = np.bincount(code[rows], minlength=len(V))
            V[0], V[counts == 0] = 0, 0
            if n_means <= WIDTH:
                means = _means(code[rows], targets[rows], weight[rows], len(V))
                V[counts >= FREQUENT, :n_means] = 2 * means[counts >= FREQUENT]


def _means(code: Array, targets: Array, weight: Array, size: int) -> Array:
    """Return the mean of each category's scaled targets, of shape (size, n_targets)."""
    targets = targets - np.average(targets, axis=0, weights=weight)
    deviation = np.sqrt(np.average(targets**2, axis=0, weights=weight))
    sums = np.stack([np.bincount(code, weight * own, size) for own in targets.T], axis=1)
    total = np.bincount(code, weight, size)[:, np.newaxis] * deviation
    return np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)


def _codes(samples: Any, places: list[int]) -> Array:
    """Return some inputs of all samples, as whole numbers."""
    starts = range(0, len(samples), PIECE)
    pieces = [samples[start : start + PIECE][:, places] for start in starts]
    return np.concatenate(pieces).astype(np.intp)
