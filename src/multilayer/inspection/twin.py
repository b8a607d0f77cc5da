"""A network's twin: a float64 copy for derivatives with respect to raw samples."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.model import Model, adopt, one_network
from multilayer.numpy import MLP
from multilayer.numpy.sensitivity import to_inputs

__all__ = ["Twin", "model_of_numbers"]

Array = npt.NDArray[Any]

CHUNK = 1024
"""How many samples go forward and back at once."""


def model_of_numbers(model: Any, owner: str) -> tuple[Model, MLP]:
    """Return a network, a Model or an estimator as a Model, and its network.

    It raises the errors that `Twin.of` lists.
    """
    found = adopt(model, owner)
    net = one_network(found.net, "model", owner)
    if not found.inputs.is_affine:
        rule = "must take plain or scaled numbers"
        raise InvalidArgumentError(rule, "model", owner, got=repr(found.inputs))
    return found, net


class Twin(NamedTuple):
    """A network of either engine, copied to the engine from scratch in float64."""

    model: Model
    net: MLP
    """The model's network."""
    slopes: Array
    """The derivative of each input with respect to its raw number, of shape (in_features,)."""

    @classmethod
    def of(cls, model: Any, owner: str) -> Self:
        """Return the twin of a network, a Model or an estimator.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If it contains no network or several, or its inputs are made of a table's columns.
        """
        found, net = model_of_numbers(model, owner)
        twin = replace(found, net=net.copy(dtype="float64"))
        ends = np.repeat([[0.0], [1.0]], found.inputs.in_features, axis=1)
        low, high = found.inputs.encode(ends)
        assert isinstance(twin.net, MLP)
        return cls(twin, twin.net, high - low)

    def encode(self, X: object) -> Array:
        """Return the network's inputs for raw samples, of shape (n_samples, in_features)."""
        n = self.model.inputs.in_features
        return checks.sample_matrix(self.model.inputs.encode(X), n, np.float64)

    def gradient(self, x: Array, dz: Callable[[Array, slice], Array]) -> Array:
        """Return the gradient of a function of the logits with respect to the network's inputs.

        Parameters
        ----------
        x : array of shape (n_samples, in_features)
            The network's inputs.
        dz : callable
            Takes the logits of some samples and the slice of these samples' rows, and returns the
            function's derivatives with respect to these logits.
        """
        found = np.empty_like(x)
        network = self.net.network
        for start in range(0, len(x), CHUNK):
            rows = slice(start, start + CHUNK)
            passed = network.forward(x[rows])
            found[rows] = to_inputs(network, dz(passed.logits, rows), passed)
        return found
