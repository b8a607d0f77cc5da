"""Members: the training settings of each of K networks, checked, for both engines' trainers."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.numpy.adversaries import Adversary
from multilayer.numpy.clipping import Clip
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.optimizers import Optimizer, resolve_optimizer
from multilayer.numpy.stacking import for_each, stacked
from multilayer.numpy.trainer import (
    checked_adversary,
    checked_clip,
    checked_ema,
    checked_max_norm,
    checked_penalties,
    checked_samples,
)
from multilayer.randomness import Generators
from multilayer.registry import resolve
from multilayer.samples import Data

__all__ = ["Members"]

Array = npt.NDArray[Any]


class Members:
    """The losses, optimizers, penalties, limits, averages and generators of K networks.

    Arguments are those of `multilayer.training.fit`: each is one value for all members, or a
    sequence of K. The adversary is the same for all.

    Attributes
    ----------
    losses, optimizers : list
        Each member's.
    loss, optimizer
        All members' combined into one, with arrays where their numbers differ.
    learning_rate : array of shape (K,)
        The optimizers' learning rates.
    penalties : list of (λ₁, λ₂)
        Each member's.
    clips : list of Clip
        Each member's.
    max_norms, emas : list of float or None
        Each member's.
    generators : Generators
        Draws each member's dropout masks and noise.
    adversary : Adversary or None
        The adversary of all members.
    directions : Generators or None
        Draws the directions in which each member's adversary starts.
    """

    engine: ClassVar[str]

    def __init__(
        self,
        net: Any,
        *,
        loss: Any,
        optimizer: Any,
        l1: Any = 0.0,
        l2: Any = 0.0,
        clip_norm: Any = None,
        clip_value: Any = None,
        max_norm: Any = None,
        ema: Any = None,
        adversary: Adversary | None = None,
        rng: Generators | np.random.Generator | None = None,
    ) -> None:
        self._ensemble = net
        self.n_members: int = net.n_members
        self.losses: list[Loss] = self._each(loss, "loss", lambda own: resolve(own, LOSSES, Loss))
        for own in self.losses:
            own.check_architecture(net.architecture)
        self.optimizers: list[Optimizer] = self._each(optimizer, "optimizer", self._stepping)
        self.loss = stacked(self.losses, 2, "loss", "fit")
        self.optimizer = stacked(self.optimizers, 1, "optimizer", "fit")
        self.learning_rate = np.array([own.learning_rate for own in self.optimizers])
        first = self._each(l1, "l1", lambda own: checked_penalties(own, 0.0)[0])
        second = self._each(l2, "l2", lambda own: checked_penalties(0.0, own)[1])
        self.penalties = list(zip(first, second, strict=True))
        norms = self._each(clip_norm, "clip_norm", lambda own: checked_clip(own, None).norm)
        values = self._each(clip_value, "clip_value", lambda own: checked_clip(None, own).value)
        self.clips = list(map(Clip, norms, values))
        self.max_norms: list[float | None] = self._each(max_norm, "max_norm", checked_max_norm)
        self.emas: list[float | None] = self._each(ema, "ema", checked_ema)
        if not isinstance(rng, Generators):
            rng = Generators(checks.random_generator(rng, "fit").spawn(self.n_members))
        self.generators = rng
        self.adversary = checked_adversary(adversary, self.losses[0], net.architecture)
        self.directions: Generators | None = None
        if adversary is not None:
            self.directions = Generators(own.spawn(1)[0] for own in rng)

    def description(self) -> dict[str, Any]:
        """Return the networks' and the training's settings by name, as values for JSON."""
        net = self._ensemble
        return asdict(net.architecture) | {
            "dropout": [asdict(architecture)["dropout"] for architecture in net.architectures],
            "engine": self.engine,
            "n_members": self.n_members,
            "dtype": str(net.dtype),
            "loss": repr(self.losses),
            "optimizer": repr(self.optimizers),
            "penalties": repr(self.penalties),
            "clips": repr(self.clips),
            "max_norms": self.max_norms,
            "emas": self.emas,
            "adversary": repr(self.adversary),
        }

    @property
    def decays(self) -> Array | None:
        """Each member's decay, of shape (K,), 0 if it has no average; None if no member has one."""
        if all(ema is None for ema in self.emas):
            return None
        return np.array([ema or 0.0 for ema in self.emas])

    def _each(self, value: Any, name: str, check: Callable[[Any], Any]) -> list[Any]:
        return for_each(value, self.n_members, name, "fit", check)

    def _stepping(self, optimizer: object) -> Optimizer:
        """Return the optimizer; raise if it does not take steps."""
        found = resolve_optimizer(optimizer)
        if not found.takes_steps:
            rule = "cannot be L-BFGS for an ensemble: it does not step batch by batch"
            raise InvalidArgumentError(rule, "optimizer", "fit")
        return found

    def _checked(self, X: object, y: object, weight: object) -> Data:
        """Check samples, targets and weights, of shape (n_samples,) or (K, n_samples)."""
        own = None if weight is None else checks.array(weight, "sample_weight")
        if own is None or own.ndim != 2:
            return checked_samples(self._ensemble, X, y, weight, self.loss)
        data = checked_samples(self._ensemble, X, y, None, self.loss)
        if len(own) != self.n_members:
            rule = f"must have shape (n_samples,) or ({self.n_members}, n_samples)"
            raise InvalidDataError(rule, "sample_weight", "fit", got=f"shape {own.shape}")
        dtype = np.dtype(self._ensemble.dtype)
        rows = [
            checks.sample_weights(weights, data.n_samples, dtype, f"sample_weight[{k}]")
            for k, weights in enumerate(own)
        ]
        return data._replace(weight=np.array(rows))
