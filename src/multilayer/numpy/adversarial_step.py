"""AdversarialStep: a training step with an adversary, which needs gradients in the inputs."""

import math

import numpy as np

from multilayer.numpy.activations.base import Array
from multilayer.numpy.adversaries import Adversary
from multilayer.numpy.clipping import Clip
from multilayer.numpy.fast.source import Source
from multilayer.numpy.max_norm import limit_norms
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Batch, Objective
from multilayer.numpy.optimizers.base import Optimizer, State
from multilayer.samples import Data

__all__ = ["AdversarialStep"]


class AdversarialStep:
    """Takes steps as `multilayer.numpy.fast.step.Step` does, by the mathematics itself.

    Each step is several passes of the whole batch, nearly all of it matrix products.

    Parameters
    ----------
    network, objective, optimizer, state, clip, rng, max_norm
        As for `Step`.
    adversary : Adversary
    directions : numpy.random.Generator
        Draws the adversary's first directions.
    data : Data
        Checked samples, targets and weights.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        adversary: Adversary,
        directions: np.random.Generator,
        optimizer: Optimizer,
        state: State,
        clip: Clip,
        rng: np.random.Generator,
        data: Data,
        max_norm: float | None,
    ) -> None:
        self.network, self.objective, self.adversary = network, objective, adversary
        self.optimizer, self.state, self.clip = optimizer, state, clip
        self.rng, self.directions = rng, directions
        self.max_norm = max_norm
        self.source = Source(*data)
        self._width = data.X.shape[1]

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch; None keeps that of the samples."""
        self.source.begin_epoch(order)

    def take(self, start: int, stop: int, learning_rate: float) -> float:
        """Take a step on the rows at these positions; return the loss before it.

        If that loss is infinite or NaN, or all weights are 0, nothing is changed.
        """
        n_rows, dtype = stop - start, self.network.parameters.dtype
        shares = np.full((1, n_rows), 1 / n_rows, dtype=dtype)
        if self.source.take_shares(start, stop, shares) is not None:
            return 0.0
        x = self.source.samples(start, stop, np.empty((n_rows, self._width), dtype=dtype))
        targets = self.source.targets_of(start, stop)[0]
        value, gradient, passed = self.adversary.value_and_gradient(
            self.objective,
            self.network,
            Batch(x, targets, None if self.source.weight is None else shares[0]),
            self.directions,
            training=True,
            rng=self.rng,
        )
        if not math.isfinite(value):
            return float(value)
        self.optimizer.update(
            self.network.parameters, self.clip(gradient), self.state, learning_rate
        )
        self.network.update_state(passed)
        if self.max_norm is not None:
            limit_norms(self.network, self.max_norm)
        return float(value)

    def finish(self) -> None:
        """Hold nothing that must be released."""
