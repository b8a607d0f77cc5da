"""Layers: each a forward pass and, beside it, the chain rule's step back through it.

``forward(x) -> (y, cache)`` returns what the layer computes and what its derivative needs;
``backward(dy, cache) -> (dx, gradients)`` takes the loss's gradient in y and returns that in x and
those in the layer's parameters, in their order. A layer keeps nothing between the two: what it
owns are its parameters, which are views of the network's one vector.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations.base import Activation

__all__ = ["Activate", "Affine", "Array", "Gradients", "Layer", "Stack"]

Array = npt.NDArray[Any]
Gradients = tuple[Array, ...]


class Layer:
    """What every layer offers; the defaults are those of a layer without parameters or state."""

    by_rows = True
    """Whether each sample is treated by itself, so that a batch may be computed in parts."""

    @property
    def parameters(self) -> tuple[Array, ...]:
        """The arrays that training adjusts: none, (W,), (W, b) or (γ, β)."""
        return ()

    @property
    def state(self) -> dict[str, Array]:
        """Arrays that training updates without a gradient: running statistics."""
        return {}

    def parts(self) -> list["Layer"]:
        """Return the layers that it is made of, in forward order: by default it is one itself."""
        return [self]

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, Any]:
        """Return y of shape (n_samples, out_features), and the cache that `backward` needs.

        Parameters
        ----------
        x : array of shape (n_samples, in_features)
            Inputs; they are not changed.
        training : bool
            Whether dropout drops and batch normalisation takes the batch's statistics.
        rng : numpy.random.Generator, optional
            Draws the dropout masks.
        """
        raise NotImplementedError

    def backward(
        self, dy: Array, cache: Any, *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        """Return dx and the parameters' gradients; dx is None where it is not needed."""
        raise NotImplementedError

    def update_state(self, cache: Any) -> None:
        """Take a training batch's statistics, found in its cache, into the state."""


class Affine(Layer):
    r"""z = x Wᵀ + b, the fully connected layer.

    For one sample :math:`z_j = \sum_k W_{jk} x_k + b_j`, so :math:`∂z_j/∂W_{jk} = x_k`,
    :math:`∂z_j/∂b_j = 1` and :math:`∂z_j/∂x_k = W_{jk}`. Over a batch, with the gradient dz of
    shape (n_samples, out_features), the sums over samples and units are matrix products:

    .. math:: dW = dz^⊤ x, \qquad db = \sum_i dz_i, \qquad dx = dz \, W.

    Parameters
    ----------
    W : array of shape (out_features, in_features)
    b : array of shape (out_features,), optional
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
        with np.errstate(invalid="ignore"):  # BLAS may set the flag for lanes beside the result
            z = x @ self.W.T
        if self.b is not None:
            z += self.b
        return z, x

    def backward(
        self, dy: Array, cache: Array, *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        with np.errstate(invalid="ignore"):
            dW = dy.T @ cache
            dx = dy @ self.W if need_dx else None
        return dx, (dW,) if self.b is None else (dW, dy.sum(axis=0))


class Activate(Layer):
    """a = σ(z), an activation as a layer."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, tuple[Array, Array]]:
        a = self.activation.forward(x)
        return a, (x, a)

    def backward(
        self, dy: Array, cache: tuple[Array, Array], *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        return self.activation.backward(dy, *cache), ()


class Stack(Layer):
    """Layers one after the other: the chain rule takes the way back in reverse."""

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
        gradient: Array | None = dy
        gradients: list[Gradients] = []
        for i in reversed(range(len(self.layers))):
            assert gradient is not None
            gradient, of_layer = self.layers[i].backward(
                gradient, cache[i], need_dx=need_dx or i > 0
            )
            gradients.append(of_layer)
        return gradient, tuple(array for of_layer in reversed(gradients) for array in of_layer)

    def update_state(self, cache: list[Any]) -> None:
        for layer, of_layer in zip(self.layers, cache, strict=True):
            layer.update_state(of_layer)
