"""Network: hidden layers, the last affine layer and a link function, over one parameter vector.

All parameters are in one vector θ, and the layers' arrays are views of it: an optimizer that
changes θ changes the layers, and a gradient is one vector of θ's length.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from multilayer.numpy.activations.base import Activation, Array
from multilayer.numpy.layers import Affine, Layer, Stack

__all__ = ["Network", "Pair", "Pass"]

Pair = tuple[Array, Array | None]  # (W, b), (W, None) if there is no bias, or (γ, β)


class Pass(NamedTuple):
    """The results of a forward pass, and what the backward pass needs."""

    features: Array
    """ψ(x), the last hidden layer's output, of shape (n_samples, width)."""
    logits: Array
    """z, the last layer's values, of shape (n_samples, out_features)."""
    caches: list[Any]
    """The caches of the hidden layers."""


class Network:
    """f(x) = σ(z), z = ψ(x) Wᵀ + b, with hidden layers ψ and a link function σ.

    Parameters
    ----------
    hidden : Stack
        ψ, a stack of stacks, each an affine layer and its activation; if there are none, ψ(x) = x.
    last : Affine
        W and b.
    link : Activation
        σ, which turns the logits z into outputs.
    parameters : array of shape (n_parameters,), or (K, n_parameters) for K networks at once
        θ. The layers' arrays must be views of it, one after the other in forward order, such as
        ``W = theta[:6].reshape(2, 3)``; `multilayer.numpy.assembly` makes such layers.
    """

    def __init__(self, hidden: Stack, last: Affine, link: Activation, parameters: Array) -> None:
        self.hidden, self.last, self.link = hidden, last, link
        self.parameters = parameters
        # For each layer with parameters, each array's slice of θ and its shape: for an affine layer
        # with 3 inputs and 2 units, [(slice(0, 6), (2, 3)), (slice(6, 8), (2,))].
        self._layout: list[list[tuple[slice, tuple[int, ...]]]] = []
        start, n_leading = 0, parameters.ndim - 1  # n_leading: 1 for K networks, else 0
        for layer in self.layers:
            places = []
            for array in layer.parameters:
                shape = array.shape[n_leading:]
                places.append((slice(start, start := start + math.prod(shape)), shape))
            if places:
                self._layout.append(places)

    @property
    def layers(self) -> list[Layer]:
        """The layers in forward order, with stacks and residual blocks taken apart."""
        return [*self.hidden.parts(), self.last]

    @property
    def weight_slices(self) -> list[slice]:
        """The slices of θ that hold matrices: W, or an embedding's V; b, γ and β are vectors."""
        return [place for (place, shape), *_ in self._layout if len(shape) == 2]

    def pairs(self, vector: Array) -> list[Pair]:
        """View a vector of θ's shape as (W, b) or (γ, β) for each layer with parameters."""
        pairs: list[Pair] = []
        for places in self._layout:
            views = [vector[..., at].reshape(*vector.shape[:-1], *shape) for at, shape in places]
            pairs.append((views[0], views[1] if len(views) == 2 else None))
        return pairs

    def __call__(self, x: Array) -> Array:
        """Return f(x), of shape (n_samples, out_features); x has shape (n_samples, in_features)."""
        return self.link.forward(self.forward(x).logits)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Pass:
        """Compute the logits from x; for `training` and `rng` see `Layer.forward`."""
        features, caches = self.hidden.forward(x, training=training, rng=rng)
        logits, _ = self.last.forward(features)  # an affine layer's cache is its input
        return Pass(features, logits, caches)

    def backward(self, dz: Array, passed: Pass) -> Array:
        """Return the gradient with respect to θ, as one vector, from dz = ∂L/∂z of the logits."""
        d, of_last = self.last.backward(dz, passed.features, need_dx=bool(self.hidden.layers))
        of_hidden: tuple[Array, ...] = ()
        if d is not None:
            _, of_hidden = self.hidden.backward(d, passed.caches, need_dx=False)
        # In forward order, like the parameters in θ:
        flat = [array.reshape(*self.parameters.shape[:-1], -1) for array in (*of_hidden, *of_last)]
        return np.concatenate(flat, axis=-1)

    @property
    def state(self) -> dict[str, Array]:
        """Running statistics of batch normalisation, which training updates alongside θ."""
        return self.hidden.state

    def update_state(self, passed: Pass) -> None:
        """Update the state with a training batch's statistics."""
        self.hidden.update_state(passed.caches)
