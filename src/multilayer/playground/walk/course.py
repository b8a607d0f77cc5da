"""Course: all steps of a walk, in order."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain as one_after_another
from typing import Any

import numpy as np

from multilayer.errors import InvalidArgumentError
from multilayer.numpy import MLP
from multilayer.playground.pictures import SHOWN
from multilayer.playground.training import Training
from multilayer.playground.walk.backward import Backward
from multilayer.playground.walk.chain import Chain, chain_of
from multilayer.playground.walk.forward import Forward
from multilayer.playground.walk.steps import Step, mixes

__all__ = ["steps_of", "steps_of_unit", "walk_through"]


def walk_through(training: Training, sample: int) -> dict[str, Any]:
    """Return a walk for one of the samples that are shown, with the current weights.

    Parameters
    ----------
    training : Training
    sample : int
        Its index in ``training.samples.shown``.

    Returns
    -------
    dict
        ``steps``, each as the fields of a `Step`; ``notes``, sentences on what the walk leaves out;
        ``sample`` and its first ``inputs``; ``epoch``, ``step`` and ``n_edits`` when it was made.

    Raises
    ------
    InvalidArgumentError
        If there is no such sample.
    """
    settings, run = training.settings, training.loop.run
    # In double precision, so that the numbers shown in a step add up.
    chain = _chain(training, training.net.copy(np.float64), sample)
    steps = steps_of(
        chain,
        settings.normalization,
        settings.learning_rate,
        is_regression=training.samples.targets.task == "regression",
    )
    return {
        "sample": sample,
        "inputs": chain.layers[0].x[:SHOWN].tolist(),
        "epoch": run.epoch,
        "step": run.step if run.is_under_way else 0,
        "n_edits": training.n_edits,
        "notes": list(_notes(training)),
        "steps": [asdict(step) for step in steps],
    }


def steps_of_unit(training: Training, sample: int, layer: int, unit: int) -> list[Step]:
    """Return the forward steps of one unit, for one of the samples that are shown."""
    is_regression = training.samples.targets.task == "regression"
    chain = _chain(training, training.net, sample)
    forward = Forward(chain, training.settings.normalization, is_regression=is_regression)
    has_norm = chain.layers[layer - 1].normalized is not None
    parts = [forward.affine, *([forward.normalize] if has_norm else []), forward.activate]
    return [part(layer, unit) for part in parts]


def steps_of(
    chain: Chain, normalization: str | None, learning_rate: float, *, is_regression: bool
) -> list[Step]:
    """Return all steps: forward, the loss, back, and a step of plain gradient descent.

    Parameters
    ----------
    chain : Chain
    normalization : str or None
        The normalization of the hidden layers.
    learning_rate : float
    is_regression : bool
        Whether the output is a value instead of a probability.
    """
    forward = Forward(chain, normalization, is_regression=is_regression)
    backward = Backward(chain, normalization, is_regression=is_regression)
    last = len(chain.layers)
    steps: list[Step] = []
    for k, layer in enumerate(chain.layers, start=1):
        norm = [forward.normalize] if layer.normalized else []
        steps += _in_order(chain, k, normalization, [forward.affine, *norm, forward.activate])
    steps.append(forward.loss())
    for k in range(last, 0, -1):
        layer = chain.layers[k - 1]
        is_one = k == last and (layer.da is None or layer.function == "identity")
        through = [] if is_one else [backward.through]
        norm = [backward.through_norm] if layer.normalized else []
        parts = [backward.slope, *through, *norm, backward.weights]
        steps += _in_order(chain, k, normalization, parts)
    return [*steps, backward.update(learning_rate)]


def _in_order(
    chain: Chain, k: int, normalization: str | None, parts: Sequence[Any]
) -> Iterator[Step]:
    """Yield a layer's steps unit by unit; or part by part, if a part needs all units."""
    layer = chain.layers[k - 1]
    units = range(min(SHOWN, len(layer.z)))
    by_unit = [[part(k, j) for part in parts] for j in units]
    is_mixed = mixes(layer.function) or (layer.normalized and normalization == "layer")
    return one_after_another.from_iterable(zip(*by_unit, strict=True) if is_mixed else by_unit)


def _chain(training: Training, net: MLP, sample: int) -> Chain:
    shown = training.samples.shown
    if sample >= len(shown):
        rule = f"must be one of the {len(shown):,} samples that are shown"
        raise InvalidArgumentError(rule, "sample", got=f"{sample:,}")
    row = shown[[sample]]
    with np.errstate(all="ignore"):  # a network that diverges is shown until it is stopped
        return chain_of(net, training.samples.X[row], training.targets[row], training.loss)


def _notes(training: Training) -> Iterator[str]:
    settings, targets = training.settings, training.samples.targets
    if settings.dropout:
        yield "Dropout is off, as in prediction: nothing is dropped on this walk."
    if settings.normalization == "batch":
        yield (
            "Batch normalisation uses its running mean and standard deviation, as in prediction. "
            "Training uses those of each batch, which also depend on the weights."
        )
    if settings.l1 or settings.l2:
        yield "The penalties are left out: only the loss of this sample is shown."
    if getattr(targets, "scale", None) is not None:
        yield "The target is standardized to mean 0 and standard deviation 1."
