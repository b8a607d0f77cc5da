r"""Decoder: from a noisy network's logits back down to its inputs (Rasmus et al. 2015).

A ladder network goes through each batch twice, with noise and without. The decoder starts from the
noisy logits and estimates, layer by layer, what the values would be without noise. The error of
these estimates is added to the loss.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.numpy.blocks import with_caches
from multilayer.numpy.layers import Activate, Affine
from multilayer.numpy.network import Network, Pass
from multilayer.numpy.normalization import BatchNorm
from multilayer.numpy.objective import Batch, Objective

__all__ = ["Decoder", "Denoise", "ladder_value_and_gradients"]

Array = npt.NDArray[Any]

N_BENDS = 5
"""The number of parameters of m, and of v, for each unit: see `Denoise`."""
COLUMNS = "ij,ij->j"
"""The dot products of two matrices' columns, for `einsum`."""


class Denoise:
    r"""ẑ = (z̃ − m) v + m: the estimate of a unit's value z, from the noisy value z̃.

    If z is normal with mean m and variance s², and z̃ = z + n with noise of variance σ², then this
    is the expected value of z given z̃, with v = s²/(s² + σ²). m and v depend on u, which comes from
    the layer above, through five parameters each for every unit (Rasmus et al. 2015)::

        m = a₁ S(a₂ u + a₃) + a₄ u + a₅        v = b₁ S(b₂ u + b₃) + b₄ u + b₅

    with the logistic function S. The backward pass, with m' = ∂m/∂u and v' = ∂v/∂u::

        dz̃ = v dẑ      dm = (1 − v) dẑ      dv = (z̃ − m) dẑ      du = m' dm + v' dv

    Parameters
    ----------
    bends : array of shape (2, 5, width)
        a and b.
    """

    def __init__(self, bends: Array) -> None:
        self.bends = bends

    def forward(self, noisy: Array, u: Array) -> tuple[Array, Any]:
        """Return ẑ, of the shape of z̃ and u, (n_samples, width), and the cache for `backward`."""
        (m, of_m), (v, of_v) = (_bend(a, u) for a in self.bends)
        rest = noisy - m
        return rest * v + m, (rest, v, u, of_m, of_v)

    def backward(self, d: Array, cache: Any) -> tuple[Array, Array, Array]:
        """Return dz̃, du, and the gradient with respect to `bends`, for d = dẑ."""
        rest, v, u, of_m, of_v = cache
        d_noisy, d_bends = d * v, np.empty_like(self.bends)
        du = _bend_back(self.bends[0], u, of_m, d - d_noisy, d_bends[0])
        du += _bend_back(self.bends[1], u, of_v, d * rest, d_bends[1])
        return d_noisy, du, d_bends


def _bend(a: Array, u: Array) -> tuple[Array, Array]:
    """Return a₁ s + a₄ u + a₅ and s = S(a₂ u + a₃), with S(t) = ½ + ½ tanh(t/2)."""
    s = 0.5 + 0.5 * np.tanh(0.5 * a[1] * u + 0.5 * a[2])
    return a[0] * s + a[3] * u + a[4], s


def _bend_back(a: Array, u: Array, s: Array, d: Array, da: Array) -> Array:
    """Return du, and write the gradient with respect to a into `da`."""
    ds = a[0] * d * s * (1 - s)  # of S's argument, as S' = S (1 − S)
    da[0] = np.einsum(COLUMNS, d, s)
    da[1] = np.einsum(COLUMNS, ds, u)
    da[2] = ds.sum(axis=0)
    da[3] = np.einsum(COLUMNS, d, u)
    da[4] = d.sum(axis=0)
    return np.asarray(a[1] * ds + a[3] * d)


class Decoder:
    """The way down, through the layers l = L − 1, …, 0; layer 0 is the inputs.

    ::

        u_l = N(ẑ_{l+1} V_lᵀ)      ẑ_l = g_l(z̃_l, u_l)      C = Σ_l c_l/width_l Σ s ‖ẑ_l − z_l‖²

    from the noisy logits ẑ_L = z̃_L, with N, which normalises each feature over the batch, and
    `Denoise` as g. z_l are a hidden layer's values before its activation in the pass without noise,
    and s the samples' shares of the mean. C has a gradient in z_l too: it makes them easy to find.

    Parameters
    ----------
    architecture : Architecture
        That of the network.
    weights : sequence of float
        c_0, …, c_{L−1}, one for the inputs and one for each hidden layer.
    rng : numpy.random.Generator
        Draws the first V, normal with variance 1/fan-in; the estimates begin at 0.

    Attributes
    ----------
    parameters : array of shape (n_parameters,)
        All V and bends, as one vector.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: tuple[float, ...],
        rng: np.random.Generator,
        dtype: Any,
    ) -> None:
        widths = (architecture.in_features, *architecture.hidden_features)
        above = (*architecture.hidden_features, architecture.out_features)
        sizes = [n * (m + 2 * N_BENDS) for n, m in zip(widths, above, strict=True)]
        self.parameters = np.zeros(sum(sizes), dtype)
        self.weights = weights
        self._rungs: list[tuple[Affine, BatchNorm, Denoise]] = []
        parts = np.split(self.parameters, np.cumsum(sizes)[:-1])
        for part, n, m in zip(parts, widths, above, strict=True):
            V, bends = part[: n * m].reshape(n, m), part[n * m :].reshape(2, N_BENDS, n)
            V[:] = rng.standard_normal(V.shape) / math.sqrt(m)
            bends[:, 1] = 1
            norm = BatchNorm(np.ones(n, dtype), np.zeros(n, dtype))
            self._rungs.append((Affine(V), norm, Denoise(bends)))

    def value_and_gradients(
        self, logits: Array, noisy: list[Array], clean: list[Array], shares: Array
    ) -> tuple[float, Array, list[Array], list[Array], Array]:
        """Return C and its gradients: in the noisy logits, in z̃, in z, and in the parameters.

        Parameters
        ----------
        logits : array of shape (n_samples, out_features)
            z̃_L.
        noisy, clean : list of array of shape (n_samples, width)
            z̃_l and z_l for l = 0, …, L − 1.
        shares : array of shape (n_samples,)
        """
        z, value, caches, of_clean = logits, 0.0, [], []
        layers = list(zip(self._rungs, noisy, clean, self.weights, strict=True))
        for (affine, norm, denoise), beside, target, weight in reversed(layers):
            u, of_affine = affine.forward(z)
            u, of_norm = norm.forward(u, training=True)
            z, of_denoise = denoise.forward(beside, u)
            caches.append((of_affine, of_norm, of_denoise))
            error = z - target
            half = (weight / target.shape[1] * shares)[:, np.newaxis] * error
            value += float(np.vdot(half, error))
            of_clean.append(-2 * half)
        of_clean.reverse()
        d: Any = 0.0
        of_noisy, of_parameters = [], []
        for (affine, norm, denoise), of_target in zip(self._rungs, of_clean, strict=True):
            of_affine, of_norm, of_denoise = caches.pop()
            d_beside, du, d_bends = denoise.backward(d - of_target, of_denoise)
            du, _ = norm.backward(du, of_norm)  # type: ignore[assignment]
            d, (dV,) = affine.backward(du, of_affine)
            of_noisy.append(d_beside)
            of_parameters += [dV.ravel(), d_bends.ravel()]
        return value, d, of_noisy, of_clean, np.concatenate(of_parameters)


def ladder_value_and_gradients(
    objective: Objective,
    network: Network,
    quiet: Network,
    decoder: Decoder,
    batch: Batch,
    rng: np.random.Generator,
) -> tuple[float, Array, Array, Pass]:
    """Return J + C, its gradients with respect to θ and φ, and the pass without noise.

    J is the objective of the noisy network. On the way back through each pass, the decoder's
    gradient in a value joins that of the layers above: the value acts on the loss in both ways.

    Parameters
    ----------
    objective : Objective
        J; its penalties are left out.
    network, quiet : Network
        With noise and without, over the same θ.
    decoder : Decoder
    batch : Batch
    rng : numpy.random.Generator
        Draws the noise.
    """
    passed = network.forward(batch.x, training=True, rng=rng)
    clean = quiet.forward(batch.x, training=True)
    value, dz = objective.loss_and_dz(network, passed.logits, batch)
    shares = np.ones(len(batch.x), batch.x.dtype) if batch.weight is None else batch.weight
    shares = shares / max(shares.sum(), np.finfo(shares.dtype).tiny)
    parts = list(with_caches(network.hidden, passed.caches))
    clean_parts = list(with_caches(quiet.hidden, clean.caches))
    cost, d_logits, of_noisy, of_clean, of_decoder = decoder.value_and_gradients(
        passed.logits,
        [_input_of(parts), *_before_activation(parts)],
        [batch.x, *_before_activation(clean_parts)],
        shares,
    )
    d, of_last = network.last.backward(dz + d_logits, passed.features)
    assert d is not None
    of_theta = [*_back(parts, d, of_noisy), *of_last]
    of_targets = _back(clean_parts, np.zeros_like(d), of_clean)
    for array, more in zip(of_theta, of_targets, strict=False):  # none in the last layer
        array += more
    flat = np.concatenate([array.ravel() for array in of_theta])
    return value + cost, flat, of_decoder, clean


def _back(parts: list[tuple[Any, Any]], d: Any, before_activation: list[Array]) -> list[Array]:
    """Return the gradients of the hidden layers' parameters, in forward order.

    Parameters
    ----------
    parts : list of (layer, cache)
    d : array of shape (n_samples, width)
        The gradient in the last hidden layer's output.
    before_activation : list of array of shape (n_samples, width)
        More gradients, in what activations are applied to; the first one, in the inputs, is not
        used.
    """
    first = next(i for i, (layer, _) in enumerate(parts) if isinstance(layer, Affine))
    more = iter(reversed(before_activation))
    gradients: list[Array] = []
    for i, (layer, cache) in reversed(list(enumerate(parts))[first:]):
        d, of_layer = layer.backward(d, cache, need_dx=i > first)
        if isinstance(layer, Activate):
            d = d + next(more)
        gradients[:0] = of_layer
    return gradients


def _before_activation(parts: list[tuple[Any, Any]]) -> list[Array]:
    return [cache[0] for layer, cache in parts if isinstance(layer, Activate)]


def _input_of(parts: list[tuple[Any, Any]]) -> Array:
    """Return the inputs with their noise: the cache of the first affine layer."""
    cache: Array = next(cache for layer, cache in parts if isinstance(layer, Affine))
    return cache
