"""A network with its inputs' scaling and the meaning of its outputs; NumPy is all it needs."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.model.targets import Classes, ClassGroups, Labels, Targets
from multilayer.numpy.network import MLP

__all__ = ["Model"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Model:
    """What predicts from raw samples: scaling, network, and the meaning of the outputs.

    Parameters
    ----------
    net : MLP
        The network.
    targets : Targets, optional
        What its outputs say; without it `predict` returns them as they are.
    mean, scale : array of shape (in_features,), optional
        Inputs are (x − mean)/scale; as they come by default.
    columns : tuple of str, optional
        The inputs' names.
    information : dict
        What is told of it: metrics, training configuration.
    """

    net: MLP
    targets: Targets | None = None
    mean: Array | None = None
    scale: Array | None = None
    columns: tuple[str, ...] | None = None
    information: dict[str, Any] = field(default_factory=dict)

    def __call__(self, X: object) -> Array:
        """Return the network's outputs of raw samples, of shape (n_samples, out_features)."""
        return self.net(self._scaled(X))

    def predict(self, X: object) -> Array:
        """Return classes, labels or values."""
        outputs = self(X)
        return outputs if self.targets is None else self.targets.decode(outputs)

    def predict_proba(self, X: object) -> Any:
        """Return the probability of each class or label; of several targets a list, one for each.

        Raises
        ------
        InvalidArgumentError
            If the model predicts values.
        """
        if not isinstance(self.targets, (ClassGroups, Classes, Labels)):
            msg = "predict_proba needs a model of classes or labels; this one predicts values"
            raise InvalidArgumentError(msg)
        return self.targets.probabilities(self(X))

    def features(self, X: object) -> Array:
        """Return the last hidden layer's output of raw samples."""
        return self.net.features(self._scaled(X))

    def _scaled(self, X: object) -> Any:
        if self.mean is None and self.scale is None:
            return X
        x = checks.sample_matrix(X, self.net.architecture.in_features, np.float64)
        if self.mean is not None:
            x = x - self.mean
        return x if self.scale is None else x / self.scale
