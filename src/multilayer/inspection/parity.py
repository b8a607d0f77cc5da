"""Check that the two engines agree: the same network, weights and batches through both."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.data.batches import Batches
from multilayer.errors import DivergenceError, InvalidArgumentError
from multilayer.numpy.blocks import RandomLayer, with_caches
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.mlp import MLP
from multilayer.numpy.optimizers import Optimizer, resolve_optimizer
from multilayer.registry import resolve
from multilayer.training.loop import Loop

if TYPE_CHECKING:
    from multilayer.torch import MLP as TorchMLP

__all__ = ["Difference", "ParityReport", "parity"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """The difference between the engines in one quantity."""

    quantity: str
    """``"outputs"``, ``"loss"``, ``"gradient 0.W"``, ``"state 0.1.running_mean"``, ``"weights
    after 5 steps 0.W"``, …"""
    largest: float
    """The largest absolute difference."""


@dataclass(frozen=True)
class ParityReport:
    """The result of `parity`, with one line per quantity."""

    differences: tuple[Difference, ...]
    tolerance: float

    @property
    def largest(self) -> float:
        """The largest difference in any quantity."""
        return max(difference.largest for difference in self.differences)

    @property
    def passed(self) -> bool:
        """Whether no difference is above the tolerance."""
        return self.largest <= self.tolerance

    def __str__(self) -> str:
        width = max(len(difference.quantity) for difference in self.differences)
        lines = [f"{'quantity':<{width}}  largest difference"]
        lines += [f"{d.quantity:<{width}}  {d.largest:.1e}" for d in self.differences]
        verdict = "agree" if self.passed else "DISAGREE"
        lines.append(f"the engines {verdict}: {self.largest:.1e} (tolerance {self.tolerance:.0e})")
        return "\n".join(lines)


def parity(
    architecture: Architecture,
    X: object,
    y: object,
    *,
    loss: str | Loss,
    optimizer: str | Optimizer = "sgd",
    n_steps: int = 5,
    l1: float = 0.0,
    l2: float = 0.0,
    sample_weight: object = None,
    dtype: str = "float64",
    seed: int = 0,
    tolerance: float = 1e-10,
) -> ParityReport:
    """Run the same network through both engines, step by step, and compare everything they compute.

    Both start from the same weights. In each step they get the same batch, dropout masks and
    noise.

    Parameters
    ----------
    architecture : Architecture
        The network.
    X, y, sample_weight
        The batch: samples, targets, and optional weights.
    loss : str or Loss
    optimizer : str or Optimizer
        Any but L-BFGS.
    n_steps : int
        Number of optimizer steps.
    l1, l2 : float
        Penalties.
    dtype : {"float64", "float32"}
        In float32, rounding alone causes differences near 1e-6.
    seed : int
        Seed for weights, masks and noise.
    tolerance : float
        The largest difference that passes.

    Returns
    -------
    ParityReport
        Differences in the outputs in prediction mode, in the loss and gradients of the first step,
        and in the loss, weights, running statistics and outputs after the last step.

    Raises
    ------
    MissingPackageError
        If PyTorch is not installed.

    Examples
    --------
    >>> architecture = Architecture(3, (4,), 2, activation="gelu", dropout=0.5)
    >>> X = np.random.default_rng(0).normal(size=(8, 3))
    >>> report = parity(architecture, X, [0, 1] * 4, loss="cross_entropy", optimizer="adam")
    >>> report.passed
    True
    """
    from multilayer.torch import MLP as TorchMLP

    n_steps = checks.integer(n_steps, "n_steps", "parity")
    tolerance = checks.real(tolerance, "tolerance", "parity", "(0, inf)")
    seed = checks.integer(seed, "seed", "parity", minimum=0)
    chosen_loss = resolve(loss, LOSSES, Loss)
    chosen = resolve_optimizer(optimizer)
    if not chosen.takes_steps:
        rule = "must take steps that can be compared; L-BFGS takes its own"
        raise InvalidArgumentError(rule, "optimizer", "parity")
    ours = MLP(architecture, dtype=dtype, rng=np.random.default_rng(seed))
    theirs = TorchMLP(architecture, dtype=dtype)
    theirs.set_weights(ours.weights)

    settings: dict[str, Any] = {"loss": chosen_loss, "optimizer": chosen, "l1": l1, "l2": l2}
    drawn_seed = seed + 1
    trainers: list[Any] = [
        ours.trainer(**settings, rng=np.random.default_rng(drawn_seed)),
        theirs.trainer(**settings),
    ]
    mine, others = (trainer.check(X, y, sample_weight) for trainer in trainers)
    batches = Batches(mine.n_samples, batch_size=mine.n_samples, shuffle=False)
    loops = (
        Loop(trainer, data, batches, n_epochs=n_steps)
        for trainer, data in zip(trainers, (mine, others), strict=True)
    )
    # A second generator with the same seed draws the same masks and noise for PyTorch's layers.
    twin = np.random.default_rng(drawn_seed)

    found = [Difference("outputs", _outputs(ours, theirs, mine.X, others.X))]
    _, gradients = ours.loss_and_gradients(
        X,
        y,
        loss=chosen_loss,
        l1=l1,
        l2=l2,
        sample_weight=sample_weight,
        rng=np.random.default_rng(drawn_seed),
    )
    try:
        _share_drawn(ours, theirs, mine.X, twin)
        for run, other in zip(*loops, strict=True):
            if not run.is_under_way:  # the next step belongs to the next epoch
                _share_drawn(ours, theirs, mine.X, twin)
                continue
            if run.epoch in (1, n_steps):
                found.append(Difference(f"loss of step {run.epoch}", abs(run.loss - other.loss)))
            if run.epoch == 1:
                found += _pairwise("gradient", gradients, theirs.gradients)
    except DivergenceError:
        found.append(Difference("loss, which diverges", math.inf))
    finally:
        for trainer in trainers:
            trainer.finish()
    after = f"after {n_steps} steps"
    found += _pairwise(f"weights {after}", ours.weights, theirs.weights)
    other_state = theirs.state
    found += [
        Difference(f"{name} {after}", _largest(array, other_state[name]))
        for name, array in ours.state.items()
    ]
    found.append(Difference(f"outputs {after}", _outputs(ours, theirs, mine.X, others.X)))
    return ParityReport(tuple(found), tolerance)


def _outputs(ours: MLP, theirs: "TorchMLP", X: Any, tensor: Any) -> float:
    theirs.eval()
    return _largest(ours(X), theirs(tensor).detach().cpu().numpy())


def _largest(ours: Array, theirs: Array) -> float:
    return float(np.abs(ours - theirs).max())


def _pairwise(quantity: str, ours: list[Any], theirs: list[Any]) -> Iterator[Difference]:
    """Yield the largest difference for each array in lists of pairs."""
    for i, pairs in enumerate(zip(ours, theirs, strict=True)):
        letters = "γβ" if pairs[0][0].ndim == 1 else "Wb"
        for mine, other, letter in zip(*pairs, letters, strict=True):
            if mine is not None:
                yield Difference(f"{quantity} {i}.{letter}", _largest(mine, other))


def _share_drawn(ours: MLP, theirs: "TorchMLP", X: Any, rng: np.random.Generator) -> None:
    """Draw what the NumPy engine is about to draw, and give it to PyTorch's layers."""
    import torch

    from multilayer.torch import RandomLayer as TorchRandomLayer

    network = ours.network
    caches = network.forward(X, training=True, rng=rng).caches
    drawn = [
        cache
        for layer, cache in with_caches(network.hidden, caches)
        if isinstance(layer, RandomLayer)
    ]
    layers = [module for module in theirs.modules() if isinstance(module, TorchRandomLayer)]
    for layer, cache in zip(layers, drawn, strict=True):
        layer.given = torch.from_numpy(cache)
