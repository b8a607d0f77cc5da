"""A network with its inputs' scaling and the meaning of its outputs; NumPy is all it needs."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.model.targets import Classes, ClassGroups, Labels, Targets
from multilayer.numpy.network import MLP

__all__ = ["Model"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
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
        What is told of it, as JSON has it: metrics, how it was trained, the data's fingerprint.

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If one of these is not of its kind, or does not fit the network.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> net = MLP(Architecture(2, (3,), 1, output="sigmoid"), rng=np.random.default_rng(0))
    >>> model = Model(net, Classes(np.array(["no", "yes"])), columns=("age", "height"))
    >>> model.predict([[30, 1.7]])
    array(['no'], dtype='<U3')
    """

    net: MLP
    targets: Targets | None = None
    mean: Array | None = None
    scale: Array | None = None
    columns: tuple[str, ...] | None = None
    information: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kinds: dict[str, Any] = {
            "net": MLP,
            "targets": (Targets, type(None)),
            "columns": (tuple, list, type(None)),
            "information": dict,
        }
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                allowed = kind[0] if isinstance(kind, tuple) else kind
                found = type(getattr(self, name)).__name__
                msg = f"{name} of Model must be a {allowed.__name__}; got {found}"
                raise InvalidTypeError(msg)
        for name in ("mean", "scale"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, self._one_an_input(name))
        if self.scale is not None and (self.scale <= 0).any():
            index = int(np.argmax(self.scale <= 0))
            msg = f"scale of Model must be above 0; got {self.scale[index]:g} at index {index}"
            raise InvalidDataError(msg)
        if self.columns is not None:
            object.__setattr__(self, "columns", self._names())
        if self.targets is not None:
            self._check_outputs(self.targets)

    def __repr__(self) -> str:
        parts = [repr(part) for part in (self.net, self.targets) if part is not None]
        if self.columns is not None:
            parts.append(f"{len(self.columns):,} columns")
        return f"Model({', '.join(parts)})"

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

    def _one_an_input(self, name: str) -> Array:
        array = checks.finite_array(getattr(self, name), name, np.float64)
        if array.shape != (self.net.architecture.in_features,):
            msg = (
                f"{name} of Model must have shape ({self.net.architecture.in_features},), one an "
                f"input; got {array.shape}"
            )
            raise InvalidDataError(msg)
        return array

    def _names(self) -> tuple[str, ...]:
        """Return the columns, checked."""
        names, width = tuple(self.columns or ()), self.net.architecture.in_features
        if len(names) != width or not all(isinstance(name, str) for name in names):
            msg = f"columns of Model must be {width} strings, one an input; got {names}"
            raise InvalidDataError(msg)
        return names

    def _check_outputs(self, targets: Targets) -> None:
        """Raise if the network has other outputs than the targets are told by."""
        architecture = self.net.architecture
        if (architecture.out_features, architecture.output) != (
            targets.out_features,
            targets.output,
        ):
            msg = (
                f"targets of Model need {targets.out_features} outputs with {targets.output!r}; "
                f"the network has {architecture.out_features} with {architecture.output!r}"
            )
            raise InvalidDataError(msg)

    def _scaled(self, X: object) -> Any:
        self._check_columns(X)
        if self.mean is None and self.scale is None:
            return X
        x = checks.sample_matrix(X, self.net.architecture.in_features, np.float64)
        if self.mean is not None:
            x = x - self.mean
        return x if self.scale is None else x / self.scale

    def _check_columns(self, X: object) -> None:
        """Raise if a table's columns have not the names of the inputs, in their order."""
        names = getattr(X, "columns", None)
        if self.columns is None or names is None:
            return
        found = tuple(map(str, names))
        if found != tuple(self.columns):
            missing = [name for name in self.columns if name not in found]
            extra = [name for name in found if name not in self.columns]
            msg = (
                f"X must have the columns {', '.join(self.columns)}, in this order; missing: "
                f"{', '.join(missing) or 'none'}; beyond them: {', '.join(extra) or 'none'}"
            )
            raise InvalidDataError(msg)
