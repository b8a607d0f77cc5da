"""Embedding: the layer before the first affine one, which turns inputs into learned vectors."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.embeddings import Embeddings
from multilayer.numpy.layers import Gradients, Layer

__all__ = ["SIZE", "Embedding"]

Array = npt.NDArray[Any]

SIZE = 0.3
"""The standard deviation of the initial vectors of categories."""


class Embedding(Layer):
    """Turns numbers and categories into vectors; other inputs are unchanged, and come first.

    Each input to embed becomes a *code* k over its own rows of V, and the code becomes a vector:

        number at position t:    k = (1, [t]₁, [t − 1]₁, …, [t − m + 1]₁)    e = max(0, s k V)
        category c:              k = (0, …, 0, 1, 0, …, 0), with 1 at c      e = k V

    where [u]₁ = min(max(u, 0), 1): the pieces below t count in full, the one that contains t in
    part. So k V is a piecewise linear function of t, whose slopes are rows of V (Gorishniy et al.
    2022, eq. 1). The backward pass is that of an affine layer, with k for x::

        du = s de where e > 0, else 0        dV = kᵀ du

    Codes are treated as constants: no gradient goes back to the inputs.

    Parameters
    ----------
    V : array of shape (n_vectors, width)
        The rows of the numbers, m + 1 each, and then those of the categories, one per category.
    embeddings : Embeddings
        Which inputs are embedded, and s.
    in_features : int
        The number of inputs, embedded or not.
    """

    def __init__(self, V: Array, embeddings: Embeddings, in_features: int) -> None:
        self.V, self.embeddings, self.in_features = V, embeddings, in_features
        numbers, categories = embeddings.numbers, embeddings.categories
        self.plain = embeddings.plain(in_features)
        sizes = [m + 1 for _, m in numbers] + [n for _, n in categories]
        starts = np.cumsum([0, *sizes]).tolist()
        self.rows = [slice(*bounds) for bounds in pairwise(starts)]
        self.inputs = [
            (place, rows, j < len(numbers))
            for j, (place, rows) in enumerate(zip(embeddings.places, self.rows, strict=True))
        ]

    @property
    def parameters(self) -> tuple[Array, ...]:
        return (self.V,)

    def draw(self, rng: np.random.Generator) -> Array:
        """Draw initial vectors, scaled so that a number's vector has entries of about 1/2."""
        V = rng.normal(size=self.V.shape)
        n_numbers = len(self.embeddings.numbers)
        for rows in self.rows[:n_numbers]:
            # With m slopes of variance 1/m, a sum over the pieces has a variance of at most 1.
            V[rows] *= 1 / (self.embeddings.speed * math.sqrt(rows.stop - rows.start - 1))
            V[rows.start] = rng.uniform(-0.5, 0.5, V.shape[1]) / self.embeddings.speed
        for rows in self.rows[n_numbers:]:
            V[rows] *= SIZE
        return V

    def codes(self, x: Array) -> list[Array]:
        """Return the code k of each embedded input, of shape (n_samples, rows)."""
        found = []
        for place, rows, is_number in self.inputs:
            size = rows.stop - rows.start
            given = x[..., place, np.newaxis]
            if is_number:
                k = np.clip(given - np.arange(-1, size - 1, dtype=x.dtype), 0, 1)
                k[..., 0] = 1
            else:
                k = (np.clip(given, 0, size - 1).astype(np.intp) == np.arange(size)).astype(x.dtype)
            found.append(k)
        return found

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, tuple[list[Array], list[Array]]]:
        codes, vectors = self.codes(x), []
        for k, (_, rows, is_number) in zip(codes, self.inputs, strict=True):
            e = k @ self.V[..., rows, :]
            vectors.append(np.maximum(self.embeddings.speed * e, 0) if is_number else e)
        plain = x[..., self.plain]
        plain = np.broadcast_to(plain, (*vectors[0].shape[:-1], len(self.plain)))
        return np.concatenate([plain, *vectors], axis=-1), (codes, vectors)

    def backward(
        self, dy: Array, cache: tuple[list[Array], list[Array]], *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        codes, vectors = cache
        dV = np.empty_like(self.V)
        width = self.embeddings.width
        start = len(self.plain)
        for k, e, (_, rows, is_number) in zip(codes, vectors, self.inputs, strict=True):
            du = dy[..., start : start + width]
            if is_number:
                du = np.where(e > 0, self.embeddings.speed * du, 0)
            dV[..., rows, :] = k.mT @ du
            start += width
        return None, (dV,)
