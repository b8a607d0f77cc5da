"""From an Architecture to the network that it describes."""

import math
from typing import Any

import numpy.typing as npt

from multilayer.architecture import Architecture, HiddenLayer
from multilayer.numpy.activations import ACTIVATIONS, OUTPUTS
from multilayer.numpy.blocks import Dropout, Residual
from multilayer.numpy.layers import Activate, Affine, Layer, Stack
from multilayer.numpy.network import Network
from multilayer.numpy.normalization import BatchNorm, LayerNorm

__all__ = ["assemble"]

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


def assemble(architecture: Architecture, parameters: Array) -> Network:
    """Return the network whose layers are made of views of `parameters`.

    Parameters
    ----------
    architecture : Architecture
    parameters : array of shape (architecture.n_parameters,)
        Used in forward order; the scale γ of normalisations is set to 1, nothing else is changed.
    """
    carve = _Carver(parameters)
    hidden = Stack([_hidden_layer(layer, carve) for layer in architecture.hidden_layers])
    last_width = (architecture.in_features, *architecture.hidden_features)[-1]
    last = _affine(last_width, architecture.out_features, architecture.bias, carve)
    return Network(hidden, last, OUTPUTS[architecture.output], parameters)


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
