"""Do the two engines agree? The same network, weights and batches through both."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError
from multilayer.numpy.blocks import Dropout, Residual
from multilayer.numpy.layers import Layer, Stack
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.mlp import MLP
from multilayer.numpy.optimizers import LBFGS, Optimizer, resolve_optimizer
from multilayer.registry import resolve

if TYPE_CHECKING:
    from multilayer.torch import MLP as TorchMLP

__all__ = ["Difference", "ParityReport", "parity"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """How far the engines are apart in one quantity."""

    quantity: str
    """``"outputs"``, ``"loss"``, ``"gradient 0.W"``, ``"state 0.1.running_mean"``, ``"weights
    after 5 steps 0.W"``, …"""
    largest: float
    """The largest absolute difference."""


@dataclass(frozen=True)
class ParityReport:
    """The result of `parity`: a line for each quantity."""

    differences: tuple[Difference, ...]
    tolerance: float

    @property
    def largest(self) -> float:
        """The largest difference of all."""
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
    """Run the same network through both engines, step by step, and compare all they compute.

    Both start from the same weights. In each step they get the same batch and, where there is
    dropout, the same mask.

    Parameters
    ----------
    architecture : Architecture
        The network.
    X, y, sample_weight
        The batch: samples, targets, and weights if any.
    loss : str or Loss
    optimizer : str or Optimizer
        Takes the steps; not L-BFGS.
    n_steps : int
        How many.
    l1, l2 : float
        Penalties.
    dtype : {"float64", "float32"}
        In float32 rounding alone makes differences near 1e-6.
    seed : int
        Draws weights and masks.
    tolerance : float
        The largest difference that passes.

    Returns
    -------
    ParityReport
        Outputs in prediction mode; the first step's loss and gradients; then losses, weights and
        running statistics after the last step, and the outputs again.

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
    if isinstance(chosen, LBFGS):
        rule = "must take steps that can be compared; L-BFGS takes its own"
        raise InvalidArgumentError(rule, "optimizer", "parity")
    ours = MLP(architecture, dtype=dtype, rng=np.random.default_rng(seed))
    theirs = TorchMLP(architecture, dtype=dtype)
    theirs.set_weights(ours.weights)

    settings: dict[str, Any] = {"loss": chosen_loss, "optimizer": chosen, "l1": l1, "l2": l2}
    mask_seed = seed + 1
    numpy_trainer = ours.trainer(**settings, rng=np.random.default_rng(mask_seed))
    torch_trainer = theirs.trainer(**settings)
    batch = numpy_trainer.check(X, y, sample_weight)
    tensors = torch_trainer.check(X, y, sample_weight)
    # A second generator of the same seed draws the same masks, for PyTorch's layers.
    twin = np.random.default_rng(mask_seed)

    found = [Difference("outputs", _outputs(ours, theirs, batch[0], tensors[0]))]
    try:
        numpy_trainer.begin(batch)
        torch_trainer.begin(tensors)
        for trainer in (numpy_trainer, torch_trainer):
            trainer.begin_epoch(None)
        n_samples = len(batch[1])
        for step in range(n_steps):
            _share_masks(ours, theirs, batch[0], twin)
            if step == 0:
                _, gradients = ours.loss_and_gradients(
                    X,
                    y,
                    loss=chosen_loss,
                    l1=l1,
                    l2=l2,
                    sample_weight=sample_weight,
                    rng=np.random.default_rng(mask_seed),
                )
            mine = numpy_trainer.step(0, n_samples, chosen.learning_rate)
            other = torch_trainer.step(0, n_samples, chosen.learning_rate).item()
            if step in (0, n_steps - 1):
                found.append(Difference(f"loss of step {step + 1}", abs(mine - other)))
            if step == 0:
                found += _pairwise("gradient", gradients, theirs.gradients)
    finally:
        numpy_trainer.finish()
    after = f"after {n_steps} steps"
    found += _pairwise(f"weights {after}", ours.weights, theirs.weights)
    other_state = theirs.state
    found += [
        Difference(f"{name} {after}", _largest(array, other_state[name]))
        for name, array in ours.state.items()
    ]
    found.append(Difference(f"outputs {after}", _outputs(ours, theirs, batch[0], tensors[0])))
    return ParityReport(tuple(found), tolerance)


def _outputs(ours: MLP, theirs: "TorchMLP", X: Any, tensor: Any) -> float:
    theirs.eval()
    return _largest(ours(X), theirs(tensor).detach().cpu().numpy())


def _largest(ours: Array, theirs: Array) -> float:
    return float(np.abs(ours - theirs).max())


def _pairwise(quantity: str, ours: list[Any], theirs: list[Any]) -> Iterator[Difference]:
    """Yield the largest difference of each array in lists of pairs."""
    for i, pairs in enumerate(zip(ours, theirs, strict=True)):
        letters = "γβ" if pairs[0][0].ndim == 1 else "Wb"
        for mine, other, letter in zip(*pairs, letters, strict=True):
            if mine is not None:
                yield Difference(f"{quantity} {i}.{letter}", _largest(mine, other))


def _share_masks(ours: MLP, theirs: "TorchMLP", X: Any, rng: np.random.Generator) -> None:
    """Draw the masks that the NumPy engine is about to draw, and give them to PyTorch's layers."""
    import torch

    from multilayer.torch import Dropout as TorchDropout

    network = ours.network
    caches = network.forward(X, training=True, rng=rng).caches
    masks = list(_masks(network.hidden, caches))
    layers = [module for module in theirs.modules() if isinstance(module, TorchDropout)]
    for layer, mask in zip(layers, masks, strict=True):
        layer.mask = torch.from_numpy(mask)


def _masks(layer: Layer, cache: Any) -> Iterator[Array]:
    """Yield the scaled masks of a forward pass, in forward order."""
    if isinstance(layer, Stack):
        for inner, of_inner in zip(layer.layers, cache, strict=True):
            yield from _masks(inner, of_inner)
    elif isinstance(layer, Residual):
        yield from _masks(layer.inner, cache)
    elif isinstance(layer, Dropout):
        yield cache
