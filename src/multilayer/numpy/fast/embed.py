"""Passes for embeddings, which look up the piece of a number and interpolate within it.

With A_i = v₀ + … + v_i, a number in piece i, at i + f, has the vector max(0, s (A_i + f v_{i+1})).
So each number reads only two rows, however many pieces there are, and no matrix of codes is made.
In the backward pass, row i + 1 gets the gradient f du, and all rows up to i get du. The latter is
added to row i alone; a sum from the last row to the first then passes it on to the others.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import kernel
from multilayer.numpy.embedding import Embedding

__all__ = ["description_of", "embed", "embed_backward", "embed_few"]

Array = npt.NDArray[Any]

PLACE, START, SIZE, IS_NUMBER = range(4)
"""Columns of a layer's description, which has a row for each embedded input: its column in x, where
its rows of V begin, how many there are, and whether it is a number."""


def description_of(layer: Embedding) -> tuple[Array, Array]:
    """Return the columns of the inputs without embedding, and the description of the others."""
    inputs = [
        (place, rows.start, rows.stop - rows.start, is_number)
        for place, rows, is_number in layer.inputs
    ]
    return np.array(layer.plain, np.intp), np.array(inputs, np.intp)


def embed_few(layer: Embedding) -> Callable[[Array], Array]:
    """Return a function of x that computes the layer's forward pass for few rows, to the same bits.

    It makes the codes of all numbers at once, and looks up the vectors of categories.
    """
    embeddings, V, plain = layer.embeddings, layer.V, np.array(layer.plain, np.intp)
    places = np.array(embeddings.places, np.intp)
    n_numbers, width = len(embeddings.numbers), embeddings.width
    n_outputs = embeddings.out_features(layer.in_features)
    sizes = np.array([rows.stop - rows.start for rows in layer.rows], np.intp)
    rows_of_numbers = layer.rows[:n_numbers]
    of_pieces = np.repeat(places[:n_numbers], sizes[:n_numbers])
    pieces = np.concatenate(
        [np.empty(0, V.dtype)]
        + [np.arange(-1, size - 1, dtype=V.dtype) for size in sizes[:n_numbers]]
    )
    firsts = np.array([rows.start for rows in rows_of_numbers], np.intp)
    of_categories, most = places[n_numbers:], (sizes[n_numbers:] - 1).astype(V.dtype)
    starts = np.array([rows.start for rows in layer.rows[n_numbers:]], np.intp)
    *networks, _, _ = V.shape
    members = tuple(np.ix_(*map(range, (*networks, 1, 1)))[: len(networks)])

    def forward(x: Array) -> Array:
        y = np.empty((*networks, x.shape[-2], n_outputs), V.dtype)
        y[..., : len(plain)] = x.take(plain, axis=-1)
        start = len(plain)
        codes = np.minimum(np.maximum(x.take(of_pieces, axis=-1) - pieces, 0), 1)
        codes[..., firsts] = 1
        for rows in rows_of_numbers:
            own = np.ascontiguousarray(codes[..., rows])  # other strides would change the last bits
            np.matmul(own, V[..., rows, :], out=y[..., start : start + width])
            start += width
        e = y[..., len(plain) : start]
        e *= embeddings.speed
        np.maximum(e, 0, out=e)
        given = np.maximum(x.take(of_categories, axis=-1), 0)
        found = np.minimum(given, most).astype(np.intp) + starts
        y[..., start:] = V[(*members, found)].reshape(*y.shape[:-1], -1)
        return y

    return forward


def _embed(x: Array, V: Array, plain: Array, inputs: Array, speed: float, y: Array) -> None:
    width, start = V.shape[1], len(plain)
    y[:, :start] = x[:, plain]
    for place, first, size, is_number in inputs.tolist():
        given, rows = np.clip(x[:, place], 0, size - 1), V[first : first + size]
        if is_number:
            piece = np.minimum(given.astype(np.intp), size - 2)
            share = (given - piece).astype(x.dtype)[:, np.newaxis]
            e = np.cumsum(rows, axis=0)[piece] + share * rows[piece + 1]
            e = np.maximum(e * V.dtype.type(speed), 0)
        else:
            e = rows[given.astype(np.intp)]
        y[:, start : start + width] = e
        start += width


@kernel(plain=_embed)
def embed(x, V, plain, inputs, speed, y):  # type: ignore[no-untyped-def]
    """Write one network's plain inputs, and the vectors of the others, to y."""
    kind = V.dtype.type
    width, n_plain = V.shape[1], plain.size
    s, zero = kind(speed), kind(0)
    for r in range(x.shape[0]):
        for j in range(n_plain):
            y[r, j] = x[r, plain[j]]
    sums = np.empty((V.shape[0], width), V.dtype)
    for j in range(inputs.shape[0]):
        place, first, size = inputs[j, PLACE], inputs[j, START], inputs[j, SIZE]
        start = n_plain + j * width
        if inputs[j, IS_NUMBER]:
            for i in range(size):
                for d in range(width):
                    sums[i, d] = V[first + i, d] + (sums[i - 1, d] if i > 0 else zero)
            for r in range(x.shape[0]):
                t = min(max(x[r, place], zero), kind(size - 1))
                piece = min(int(t), size - 2)
                share = t - kind(piece)
                whole, slope, out = sums[piece], V[first + piece + 1], y[r, start : start + width]
                for d in range(width):
                    out[d] = max(s * (whole[d] + share * slope[d]), zero)
        else:
            for r in range(x.shape[0]):
                vector = V[first + int(min(max(x[r, place], zero), kind(size - 1)))]
                for d in range(width):
                    y[r, start + d] = vector[d]


def _embed_backward(
    dy: Array, y: Array, x: Array, plain: Array, inputs: Array, speed: float, dV: Array
) -> None:
    width, start = dV.shape[1], len(plain)
    dV[:] = 0
    for place, first, size, is_number in inputs.tolist():
        given, rows = np.clip(x[:, place], 0, size - 1), dV[first : first + size]
        du = dy[:, start : start + width]
        if is_number:
            du = np.where(y[:, start : start + width] > 0, du * dV.dtype.type(speed), 0)
            piece = np.minimum(given.astype(np.intp), size - 2)
            share = (given - piece).astype(x.dtype)[:, np.newaxis]
            np.add.at(rows, piece, du)
            rows[:] = np.cumsum(rows[::-1], axis=0)[::-1]
            np.add.at(rows, piece + 1, share * du)
        else:
            np.add.at(rows, given.astype(np.intp), du)
        start += width


@kernel(plain=_embed_backward)
def embed_backward(dy, y, x, plain, inputs, speed, dV):  # type: ignore[no-untyped-def]
    """Compute one network's dV from dy, the gradient in what `embed` wrote to y."""
    kind = dV.dtype.type
    width, n_plain = dV.shape[1], plain.size
    s, zero = kind(speed), kind(0)
    dV[:] = 0
    parts = np.zeros((dV.shape[0], width), dV.dtype)
    for j in range(inputs.shape[0]):
        place, first, size = inputs[j, PLACE], inputs[j, START], inputs[j, SIZE]
        start = n_plain + j * width
        if inputs[j, IS_NUMBER]:
            for r in range(x.shape[0]):
                t = min(max(x[r, place], zero), kind(size - 1))
                piece = min(int(t), size - 2)
                share = t - kind(piece)
                whole, part = dV[first + piece], parts[first + piece + 1]
                slope, out = dy[r, start : start + width], y[r, start : start + width]
                for d in range(width):
                    du = s * slope[d] if out[d] > zero else zero
                    whole[d] += du
                    part[d] += share * du
            for i in range(size - 2, -1, -1):
                for d in range(width):
                    dV[first + i, d] += dV[first + i + 1, d]
            for i in range(size):
                for d in range(width):
                    dV[first + i, d] += parts[first + i, d]
        else:
            for r in range(x.shape[0]):
                row = dV[first + int(min(max(x[r, place], zero), kind(size - 1)))]
                for d in range(width):
                    row[d] += dy[r, start + d]
