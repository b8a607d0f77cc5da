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
"""How much faster the embeddings of numbers learn: only the rows within a piece show what its slope
should be, and the layers above would overfit before the slopes have got there."""
LEARNING_RATE = 2e-3
WARM_UP = 1
"""The epochs in which the learning rate rises to that. Adam's first steps are as long as any, and
on some tables they lead astray."""
N_EPOCHS = 40
PATIENCE = 8
STEPS = 40
"""An epoch has about this many steps, if that makes batches between these sizes."""
BATCH_SIZES = (32, 256)
FREQUENT = 50
"""Categories with at least so many rows begin with the mean of their targets. In fewer rows, it
would tell the network too much about each of them."""
PIECE = 65_536
"""How many samples are looked at at a time."""


def architecture_of(columns: Columns, targets: Targets) -> Architecture:
    """Return what each network is."""
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
    """Train a network for each split; return them, and what ended the training.

    Parameters
    ----------
    engine : Engine
    architecture, loss
        See `architecture_of`.
    data : tuple of arrays
        Inputs, encoded targets, and weights if there are any.
    splits : list of pairs of arrays
        The rows that each network trains on, and those that judge it.
    callbacks : list of Callback
    rng : numpy.random.Generator
    beyond : pair of Stream and array of bool of shape (K, n_slots), optional
        If the data are but a sample that judges: all rows, and which slots each network trains on.
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
    """Let frequent categories begin with what their targets are on average, in each network's rows.

    With the means t̄ of a category's targets, each scaled to mean 0 and deviation 1, the first
    entries of its vector are 2 t̄: so it need not wait for gradients to bring them there, a few rows
    at a time. (Micci-Barreca 2001 makes such means inputs.) Of more targets, or classes, than a
    vector has entries, there are no means.

    Position 0, of rare and unseen categories, begins with 0. Without a row in training it stays
    there, and so do categories that only occur in the rows that judge a network: for it, they are
    as new as those of new rows.
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
