"""What the layers of a network compute for some samples, and the loss's gradients in it."""

from typing import Any, NamedTuple

import numpy.typing as npt

from multilayer.numpy.layers import Activate, Residual, Stack
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.network import MLP
from multilayer.registry import resolve

__all__ = ["LayerObservation", "observe"]

Array = npt.NDArray[Any]


class LayerObservation(NamedTuple):
    """What a layer computes for some samples, and the loss's gradients there."""

    name: str
    """Its place: ``hidden 1``, …, ``output``."""
    z: Array
    """What the activation takes, of shape (n_samples, out_features): x Wᵀ + b, normalised where
    there is a normalisation; of the output layer the logits."""
    a: Array
    """What the activation puts out, of the same shape, before a residual block adds its input; of
    the output layer what the link function puts out."""
    da: Array
    """∂J/∂a of a hidden layer; of the output layer ∂J/∂z, which losses of logits are told by. J is
    a mean over samples, so each row has the factor 1/n_samples."""
    W: Array
    """The weights, of shape (out_features, in_features)."""
    dW: Array  # noqa: N815 - the mathematics' own name
    """∂J/∂W."""


def observe(
    net: MLP, X: object, y: object, *, loss: str | Loss, sample_weight: object = None
) -> list[LayerObservation]:
    r"""Return what each layer computes for some samples, and the loss's gradients there.

    The network predicts: nothing is dropped, batch normalisation takes its running statistics, and
    nothing changes. The gradients are those of the loss without penalty,

    .. math:: da_l = \frac{∂J}{∂a_l}, \qquad dW_l = \frac{∂J}{∂W_l}.

    Parameters
    ----------
    net : MLP
        A network of this engine; one of PyTorch's has ``to_numpy()``.
    X : array of shape (n_samples, in_features)
    y : array of shape (n_samples,) or (n_samples, out_features)
        Targets, as the loss takes them.
    loss : str or Loss
        See ``LOSSES``.
    sample_weight : array of shape (n_samples,), optional
        Non-negative weights.

    Returns
    -------
    list of LayerObservation
        In forward order, the output layer last.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, InvalidTypeError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from multilayer import Architecture
    >>> net = MLP(Architecture(2, (3,), 2), rng=np.random.default_rng(0))
    >>> for layer in observe(net, [[0.5, -1.0], [1.0, 2.0]], [0, 1], loss="cross_entropy"):
    ...     print(layer.name, layer.a.shape, layer.dW.shape, int((layer.a == 0).sum()))
    hidden 1 (2, 3) (3, 2) 3
    output (2, 2) (2, 3) 0
    """
    chosen = resolve(loss, LOSSES, Loss)
    x, targets, weight = net._check_samples(X, y, sample_weight, chosen)
    _, dz, last_cache, caches = net._forward(
        x, targets, weight, loss=chosen, training=False, rng=None
    )
    z, _ = net._last.forward(last_cache)
    d: Any
    d, of_last = net._last.backward(dz, last_cache)
    found = [LayerObservation("output", z, net._output.forward(z), dz, net._last.W, of_last[0])]
    for i in reversed(range(len(net._hidden.layers))):
        block = net._hidden.layers[i]
        inner = block.inner if isinstance(block, Residual) else block
        assert isinstance(inner, Stack)
        z, a = next(
            cache
            for layer, cache in zip(inner.layers, caches[i], strict=True)
            if isinstance(layer, Activate)
        )
        # Nothing is dropped, and what a residual block adds does not depend on a: the gradient in
        # the block's output is that in a.
        da = d
        d, gradients = block.backward(da, caches[i])
        W = inner.parameters[0]
        found.append(LayerObservation(f"hidden {i + 1}", z, a, da, W, gradients[0]))
    return found[::-1]
