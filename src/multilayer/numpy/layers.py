"""Layers, each with its step of the forward pass and of the backward pass.

``forward(x) -> (y, cache)`` returns the layer's output, and what the backward pass needs;
``backward(dy, cache) -> (dx, gradients)`` takes dy = ∂L/∂y and returns dx and the gradients with
respect to the layer's parameters, in their order. A layer stores nothing between the two.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from multilayer.numpy.activations.base import Activation, Array

__all__ = ["Activate", "Affine", "Array", "Gradients", "Layer", "Stack"]

Gradients = tuple[Array, ...]


class Layer:
    """The interface of every layer; the defaults suit a layer without parameters."""

    @property
    def parameters(self) -> tuple[Array, ...]:
        """The arrays that training adjusts, such as (W, b) of an affine layer; none by default."""
        return ()

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, Any]:
        """Return y of shape (n_samples, out_features), and the cache that `backward` needs.

        Parameters
        ----------
        x : array of shape (n_samples, in_features)
            Inputs; they are not changed.
        training : bool
            Whether dropout and noise are on, and batch normalisation uses the batch's statistics.
        rng : numpy.random.Generator, optional
            Draws dropout masks and noise; in training, layers that have them require it.
        """
        raise NotImplementedError

    def backward(
        self, dy: Array, cache: Any, *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        """Return dx, of x's shape, and the gradients, each of its parameter's shape.

        If `need_dx` is false, as for the first layer, dx may be None.
        """
        raise NotImplementedError

    # Skip at first: a state is for batch normalisation, parts are for stacks and residual blocks.

    @property
    def state(self) -> dict[str, Array]:
        """Running statistics: arrays that training updates without a gradient."""
        return {}

    def update_state(self, cache: Any) -> None:
        """Update the state, if any, with a training batch's statistics, found in its cache."""

    by_rows = True
    """Whether row i of y depends on row i of x alone; for a stack, ask each of its `parts`."""

    def parts(self) -> list["Layer"]:
        """Return the layers that make up this one, in forward order."""
        return [self]


class Affine(Layer):
    """z = x Wᵀ + b, the fully connected layer.

    For sample i, z_ij = Σ_k W_jk x_ik + b_j. The chain rule sums over every path by which a number
    affects the loss, and each sum is a matrix product::

        ∂L/∂W_jk = Σ_i dz_ij x_ik      dW = dzᵀ x       (out, in) = (out, n) (n, in)
        ∂L/∂b_j  = Σ_i dz_ij           db = Σ_i dz_i    (out,)
        ∂L/∂x_ik = Σ_j dz_ij W_jk      dx = dz W        (n, in) = (n, out) (out, in)

    There is no 1/n here: L is a mean over the n samples, so dz already contains that factor.

    Parameters
    ----------
    W : array of shape (out_features, in_features), or (K, out_features, in_features)
    b : array of shape (out_features,), or (K, out_features), optional
    """

    def __init__(self, W: Array, b: Array | None = None) -> None:
        self.W = W
        self.b = b

    @property
    def parameters(self) -> tuple[Array, ...]:
        return (self.W,) if self.b is None else (self.W, self.b)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, Array]:
        with np.errstate(invalid="ignore"):  # some BLAS warn without cause; NaNs still show in z
            z = x @ self.W.mT  # the last two axes swapped: Wᵀ, also for each of K networks
        if self.b is not None:
            z += self.b[..., np.newaxis, :]
        return z, x

    def backward(
        self, dy: Array, cache: Array, *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        dz, x = dy, cache
        with np.errstate(invalid="ignore"):
            dW = dz.mT @ x
            dx = dz @ self.W if need_dx else None
        if self.b is None:
            return dx, (dW,)
        return dx, (dW, dz.sum(axis=-2))


class Activate(Layer):
    """a = σ(z), an activation as a layer."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, tuple[Array, Array]]:
        z = x
        a = self.activation.forward(z)
        return a, (z, a)

    def backward(
        self, dy: Array, cache: tuple[Array, Array], *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        z, a = cache
        return self.activation.backward(dy, z, a), ()


class Stack(Layer):
    """A sequence of layers; the backward pass takes them in reverse."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)

    def parts(self) -> list[Layer]:
        return [part for layer in self.layers for part in layer.parts()]

    @property
    def parameters(self) -> tuple[Array, ...]:
        return tuple(array for layer in self.layers for array in layer.parameters)

    @property
    def state(self) -> dict[str, Array]:
        return {
            f"{i}.{name}": array
            for i, layer in enumerate(self.layers)
            for name, array in layer.state.items()
        }

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, list[Any]]:
        caches = []
        for layer in self.layers:
            x, cache = layer.forward(x, training=training, rng=rng)
            caches.append(cache)
        return x, caches

    def backward(
        self, dy: Array, cache: list[Any], *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        d: Array | None = dy
        gradients: list[Gradients] = []
        for i in reversed(range(len(self.layers))):
            assert d is not None  # only the first layer, i = 0, may omit its dx
            d, of_layer = self.layers[i].backward(d, cache[i], need_dx=(need_dx or i > 0))
            gradients.append(of_layer)
        return d, tuple(array for of_layer in reversed(gradients) for array in of_layer)

    def update_state(self, cache: list[Any]) -> None:
        for layer, layer_cache in zip(self.layers, cache, strict=True):
            layer.update_state(layer_cache)
