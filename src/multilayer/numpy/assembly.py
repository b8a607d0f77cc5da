"""From an Architecture to layers whose parameters are views of one vector."""

import math
from typing import Any

import numpy.typing as npt

from multilayer.architecture import Architecture, HiddenLayer
from multilayer.numpy.activations import ACTIVATIONS
from multilayer.numpy.layers import Activate, Affine, Dropout, Layer, Residual, Stack
from multilayer.numpy.normalization import BatchNorm, LayerNorm

__all__ = ["assemble", "layout", "opened"]

Array = npt.NDArray[Any]

NORMALIZATIONS = {"batch": BatchNorm, "layer": LayerNorm}


class _Carver:
    """Cuts a vector into consecutive views."""

    def __init__(self, vector: Array) -> None:
        self._rest = vector

    def __call__(self, *shape: int) -> Array:
        size = math.prod(shape)
        view, self._rest = self._rest[:size].reshape(shape), self._rest[size:]
        return view


def assemble(architecture: Architecture, parameters: Array) -> tuple[Stack, Affine]:
    """Return the hidden layers and the last affine map, made of views of `parameters`.

    Parameters
    ----------
    architecture : Architecture
    parameters : array of shape (architecture.n_parameters,)
        Taken in forward order; the scale γ of normalisations is set to 1, nothing else changed.
    """
    carve = _Carver(parameters)
    hidden = Stack([_hidden_layer(layer, carve) for layer in architecture.hidden_layers])
    last_width = (architecture.in_features, *architecture.hidden_features)[-1]
    return hidden, _affine(last_width, architecture.out_features, architecture.bias, carve)


def _affine(in_features: int, out_features: int, bias: bool, carve: _Carver) -> Affine:
    W = carve(out_features, in_features)
    return Affine(W, carve(out_features) if bias else None)


def _hidden_layer(spec: HiddenLayer, carve: _Carver) -> Layer:
    """Build affine → normalisation → activation → dropout, as a residual block if it is one."""
    width = spec.out_features
    layers: list[Layer] = [_affine(spec.in_features, width, spec.bias, carve)]
    if spec.normalization is not None:
        gamma, beta = carve(width), carve(width)
        gamma[:] = 1
        layers.append(NORMALIZATIONS[spec.normalization](gamma, beta))
    layers.append(Activate(ACTIVATIONS[spec.activation]))
    if spec.dropout:
        layers.append(Dropout(spec.dropout))
    return Residual(Stack(layers)) if spec.residual else Stack(layers)


def layout(layers: tuple[Layer, ...]) -> list[list[tuple[slice, tuple[int, ...]]]]:
    """Return where each layer's arrays lie in the vector, and their shapes."""
    places = []
    start = 0
    for layer in layers:
        arrays = []
        for array in layer.parameters:
            arrays.append((slice(start, start + array.size), array.shape))
            start += array.size
        if arrays:
            places.append(arrays)
    return places


def opened(layer: Layer) -> list[Layer]:
    """List the layers inside stacks and residual blocks, in forward order."""
    if isinstance(layer, Residual):
        return opened(layer.inner)
    if isinstance(layer, Stack):
        return [inner for part in layer.layers for inner in opened(part)]
    return [layer]
