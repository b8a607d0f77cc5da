"""Network: hidden layers, the last affine map and a link function, over one vector of parameters.

All parameters lie in one vector θ, and the layers' arrays are views of it: an optimizer that
changes θ changes the layers, and a gradient is one vector of the same length.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations.base import Activation
from multilayer.numpy.layers import Affine, Layer, Stack

__all__ = ["Network", "Pair", "Pass"]

Array = npt.NDArray[Any]
Pair = tuple[Array, Array | None]


class Pass(NamedTuple):
    """What a way forward has computed, and what the way back needs of it."""

    features: Array
    """ψ(x), the last hidden layer's output, of shape (n_samples, width)."""
    logits: Array
    """z, the last layer's values, of shape (n_samples, out_features)."""
    caches: list[Any]
    """Those of the hidden layers."""


class Network:
    """f(x) = σ(W ψ(x) + b), with hidden layers ψ and a link function σ.

    Parameters
    ----------
    hidden : Stack
        The hidden layers ψ, in forward order.
    last : Affine
        W and b.
    link : Activation
        σ.
    parameters : array of shape (n_parameters,)
        The vector θ, of which the layers' arrays are views, one after the other.
    """

    def __init__(self, hidden: Stack, last: Affine, link: Activation, parameters: Array) -> None:
        self.hidden, self.last, self.link = hidden, last, link
        self.parameters = parameters
        self._layout: list[list[tuple[slice, tuple[int, ...]]]] = []
        start = 0
        for layer in self.layers:
            places = []
            for array in layer.parameters:
                places.append((slice(start, start + array.size), array.shape))
                start += array.size
            if places:
                self._layout.append(places)

    @property
    def in_features(self) -> int:
        """How many numbers a sample has."""
        return int(self.layers[0].parameters[0].shape[1])

    @property
    def layers(self) -> list[Layer]:
        """The layers in forward order, stacks and residual blocks opened."""
        return [*self.hidden.parts(), self.last]

    @property
    def matrices(self) -> list[slice]:
        """Where the weights W of the affine layers lie in θ: biases and γ, β are elsewhere."""
        return [place for (place, shape), *_ in self._layout if len(shape) == 2]

    def pairs(self, vector: Array) -> list[Pair]:
        """View a vector as long as θ as a pair for each layer: (W, b) or (γ, β)."""
        pairs: list[Pair] = []
        for places in self._layout:
            views = [vector[place].reshape(shape) for place, shape in places]
            pairs.append((views[0], views[1] if len(views) == 2 else None))
        return pairs

    def __call__(self, x: Array) -> Array:
        """Return f(x), of shape (n_samples, out_features), for x of (n_samples, in_features)."""
        return self.link.forward(self.forward(x).logits)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Pass:
        """Go from x to the logits: see `Layer.forward` for `training` and `rng`."""
        features, caches = self.hidden.forward(x, training=training, rng=rng)
        logits, _ = self.last.forward(features)
        return Pass(features, logits, caches)

    def backward(self, dz: Array, forward: Pass) -> Array:
        """Go back from dz, the loss's gradient in the logits, to its gradient in θ, a vector."""
        has_hidden = bool(self.hidden.layers)
        d_features, of_last = self.last.backward(dz, forward.features, need_dx=has_hidden)
        of_hidden: tuple[Array, ...] = ()
        if d_features is not None:
            _, of_hidden = self.hidden.backward(d_features, forward.caches, need_dx=False)
        return np.concatenate([array.ravel() for array in (*of_hidden, *of_last)])

    @property
    def state(self) -> dict[str, Array]:
        """What training keeps besides θ: running statistics of batch normalisation."""
        return self.hidden.state

    def update_state(self, forward: Pass) -> None:
        """Take a training batch's statistics into the state."""
        self.hidden.update_state(forward.caches)
