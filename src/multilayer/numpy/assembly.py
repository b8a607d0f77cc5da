"""Assembly: builds the network that an Architecture describes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.architecture import Architecture, HiddenLayer
from multilayer.errors import InvalidArgumentError
from multilayer.numpy.activations import ACTIVATIONS, OUTPUTS
from multilayer.numpy.blocks import Dropout, GaussianNoise, Residual
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.layers import Activate, Affine, Layer, Stack
from multilayer.numpy.network import Network
from multilayer.numpy.normalization import BatchNorm, LayerNorm

__all__ = ["assemble", "checked_dtype", "copies_of", "members_of"]

Array = npt.NDArray[Any]

DTYPES = ("float32", "float64")
NORMALIZATIONS = {"batch": BatchNorm, "layer": LayerNorm}


class _Carver:
    """Cuts the parameter vector of a network, or those of K, into consecutive views."""

    def __init__(self, vectors: Array) -> None:
        self._rest = vectors

    def __call__(self, *shape: int) -> Array:
        size = math.prod(shape)
        cut, self._rest = self._rest[..., :size], self._rest[..., size:]
        return cut.reshape(*cut.shape[:-1], *shape)


def assemble(architecture: Architecture | Sequence[Architecture], parameters: Array) -> Network:
    """Return the network of an architecture, with layers whose arrays are views of `parameters`.

    Parameters
    ----------
    architecture : Architecture, or sequence of K
        The members of a sequence differ at most in dropout.
    parameters : array of shape (architecture.n_parameters,), or (K, n_parameters)
        Used in forward order, and not changed.
    """
    members = [architecture] if isinstance(architecture, Architecture) else architecture
    one, carve = members[0], _Carver(parameters)
    rates = zip(*([layer.dropout for layer in a.hidden_layers] for a in members), strict=True)
    hidden: list[Layer] = [GaussianNoise(one.input_noise)] if one.input_noise else []
    hidden += [
        _hidden_layer(layer, _rate(rate), carve)
        for layer, rate in zip(one.hidden_layers, rates, strict=True)
    ]
    last_width = (one.in_features, *one.hidden_features)[-1]
    last = _affine(last_width, one.out_features, one.bias, carve)
    return Network(Stack(hidden), last, OUTPUTS[one.output], parameters)


def members_of(
    network: Network, architectures: Sequence[Architecture], members: int | slice
) -> Network:
    """Return one or some of K networks as a network that shares their memory."""
    part = assemble(architectures[members], network.parameters[members])
    # The layers need not correspond: the members chosen may be without dropout.
    layers, sources = ([layer for layer in n.layers if layer.state] for n in (part, network))
    for layer, source in zip(layers, sources, strict=True):
        for name, array in source.state.items():
            setattr(layer, name, array[members])
    return part


def copies_of(
    network: Network, architectures: Sequence[Architecture], members: Sequence[int]
) -> Network:
    """Return copies of some of K networks as one network, contiguous in memory."""
    rows = list(members)
    part = assemble([architectures[k] for k in rows], network.parameters[rows])
    for name, array in part.state.items():
        array[:] = network.state[name][rows]
    return part


def _rate(rates: Sequence[float]) -> Any:
    """Return the dropout rates of K networks as a number if they are equal, else as an array."""
    if len(set(rates)) == 1:
        return rates[0]
    return np.array(rates)[:, np.newaxis, np.newaxis]


def _affine(in_features: int, out_features: int, bias: bool, carve: _Carver) -> Affine:
    W = carve(out_features, in_features)
    return Affine(W, carve(out_features) if bias else None)


def _hidden_layer(spec: HiddenLayer, dropout: Any, carve: _Carver) -> Layer:
    """Build embedding → affine → normalisation → noise → activation → dropout, maybe residual."""
    width = spec.out_features
    layers: list[Layer] = []
    if (found := spec.embeddings) is not None:
        n_inputs = spec.in_features - found.out_features(0)
        layers.append(Embedding(carve(found.n_vectors, found.width), found, n_inputs))
    layers.append(_affine(spec.in_features, width, spec.bias, carve))
    if spec.normalization is not None:
        layers.append(NORMALIZATIONS[spec.normalization](carve(width), carve(width)))
    if spec.noise:
        layers.append(GaussianNoise(spec.noise))
    layers.append(Activate(ACTIVATIONS[spec.activation]))
    if np.any(dropout):
        layers.append(Dropout(dropout))
    return Residual(Stack(layers)) if spec.residual else Stack(layers)


def checked_dtype(dtype: object, owner: str) -> np.dtype[Any]:
    """Return the NumPy dtype; raise if networks cannot have it."""
    try:
        found = None if dtype is None else np.dtype(dtype)  # type: ignore[call-overload]
    except TypeError:
        found = None
    if found is None or found not in [np.dtype(name) for name in DTYPES]:
        rule = f"must be one of {', '.join(DTYPES)}"
        raise InvalidArgumentError(rule, "dtype", owner, got=repr(dtype))
    return found
