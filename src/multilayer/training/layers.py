"""What is measured in a network's layers during training, always on the same samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data.stream import Stream
from multilayer.model import adopt
from multilayer.numpy import LayerObservation, observe
from multilayer.numpy.units import are_dead, are_saturated, slopes_of
from multilayer.samples import Data

__all__ = ["MEASURES", "LayerObserver", "some_samples"]

Array = npt.NDArray[Any]

MEASURES = (
    "activation_mean",
    "activation_std",
    "zeros",
    "dead",
    "saturated",
    "weight_norm",
    "gradient_norm",
    "update_ratio",
)
"""What is measured in each layer: see `LayerStatistics`."""


class LayerObserver:
    """Observes a network of either engine, and how a step updates its weights.

    Parameters
    ----------
    X : array of shape (n_samples, in_features)
    y : array of shape (n_samples,) or (n_samples, out_features)
        Targets, as the loss takes them.
    loss : Loss
    """

    def __init__(self, X: object, y: object, loss: Any) -> None:
        self.X, self.y, self.loss = X, y, loss
        self._before: list[Array] = []

    def observe(self, net: Any) -> list[LayerObservation]:
        """Return what each layer computes; a PyTorch network is observed through its NumPy twin."""
        twin: Any = adopt(net, "LayerStatistics").net
        return observe(twin, self.X, self.y, loss=self.loss)

    def expect_step(self, net: Any) -> None:
        """Keep a copy of the weights before a step that will be measured."""
        self._before = _weights(net)

    def measure(self, net: Any, layers: Sequence[LayerObservation]) -> dict[str, list[float]]:
        """Return each measure of each layer; an unknown update is NaN.

        Parameters
        ----------
        net : MLP
            The network after the step.
        layers : sequence of LayerObservation
            What `observe` returned for it.
        """
        hidden = net.architecture.hidden_layers
        flat = [
            _shares_of_flat(spec.activation, layer)
            for spec, layer in zip(hidden, layers, strict=False)
        ]
        after, before = _weights(net), self._before
        self._before = []  # they are valid for one step only
        found: dict[str, Any] = {
            "activation_mean": [layer.a.mean() for layer in layers],
            "activation_std": [layer.a.std() for layer in layers],
            "zeros": [(layer.a == 0).mean() for layer in layers],
            "dead": [*(dead for dead, _ in flat), 0.0],
            "saturated": [*(saturated for _, saturated in flat), 0.0],
            "weight_norm": [np.linalg.norm(W) for W in after],
            "gradient_norm": [np.linalg.norm(layer.dW) for layer in layers],
            "update_ratio": [
                np.linalg.norm(W - old) / np.linalg.norm(old) if old.any() else np.nan
                for W, old in zip(after, before or [np.zeros(1)] * len(after), strict=True)
            ],
        }
        return {name: [float(value) for value in values] for name, values in found.items()}


def _shares_of_flat(activation: str, layer: LayerObservation) -> tuple[float, float]:
    """Return the shares of dead and of saturated units; no activation has both kinds."""
    found = slopes_of(activation, layer.z, layer.a)
    if found is None:  # the activation mixes features, so a single unit has no slope
        return 0.0, 0.0
    slope, is_two_sided = found
    if is_two_sided:
        return 0.0, are_saturated(slope).mean()
    return are_dead(slope).mean(), 0.0


def _weights(net: Any) -> list[Array]:
    """Return copies of the affine layers' weights."""
    found = [np.array(W, dtype=np.float64) for W, _ in net.weights if W.ndim == 2]
    return found if net.architecture.embeddings is None else found[1:]


def some_samples(training: Data | Stream, n: int) -> tuple[Array, Array]:
    """Return at most `n` of the training samples, evenly spaced, with their targets."""
    rows = np.unique(np.linspace(0, training.n_samples - 1, n).astype(np.intp))
    if isinstance(training, Stream):
        found = training.read([(int(row), int(row) + 1) for row in rows])
        return found.X, found.y
    X, y = training.X[rows], training.targets[rows]
    return _as_array(X), _as_array(y)


def _as_array(values: Any) -> Array:
    """Return an array, or a tensor on any device, as a NumPy array."""
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)
