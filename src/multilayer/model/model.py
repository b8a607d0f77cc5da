"""Model: a network with its inputs and targets, which needs only NumPy to predict."""

from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Self

import numpy.typing as npt

from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.model.inputs import Inputs, Numbers
from multilayer.model.members import features_of, outputs_of
from multilayer.model.targets import Targets
from multilayer.numpy import MLP, Ensemble
from multilayer.registry import Names

__all__ = ["Model"]

Array = npt.NDArray[Any]

MEANS = ("outputs", "logits")


@dataclass(frozen=True, eq=False)
class Model:
    """A network that predicts from raw samples, with the meaning of its inputs and outputs.

    An ensemble predicts the mean over its members. For classes and labels, this is the mean of
    their probabilities: its cross-entropy is at most the members' average, since −log is convex,
    and an unsure member has less influence than in a vote. For values, it is the mean of the
    values, whose squared error is likewise at most the members' average; for quantiles, the mean of
    each quantile. The mean of the logits instead gives the geometric mean of the members'
    probabilities, normalized; it is sharper, and at least as good if the members are calibrated.

    Parameters
    ----------
    net : MLP or Ensemble
        The network, or an ensemble.
    targets : Targets, optional
        The meaning of the outputs; without it, `predict` returns the outputs.
    inputs : Inputs, optional
        How raw samples become the network's inputs; by default, as numbers without scaling.
    information : dict
        Values for JSON: metrics, how the model was trained, the data's fingerprint.
    mean_of : {"outputs", "logits"}
        What an ensemble averages over its members.

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If an argument has the wrong type, or does not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> from multilayer import Architecture
    >>> from multilayer.model import Classes
    >>> net = MLP(Architecture(2, (3,), 1, output="sigmoid"), rng=np.random.default_rng(0))
    >>> inputs = Numbers(2, mean=np.array([40, 1.7]), names=("age", "height"))
    >>> model = Model(net, Classes(np.array(["no", "yes"])), inputs)
    >>> model.predict([[30, 1.7]])
    array(['yes'], dtype='<U3')
    """

    net: MLP | Ensemble
    targets: Targets | None = None
    inputs: Inputs = None  # type: ignore[assignment]  # set once the network is known
    information: dict[str, Any] = field(default_factory=dict)
    mean_of: str = "outputs"

    def __post_init__(self) -> None:
        if isinstance(self.net, (MLP, Ensemble)) and self.inputs is None:
            object.__setattr__(self, "inputs", Numbers(self.net.architecture.in_features))
        kinds: dict[str, Any] = {
            "net": (MLP, Ensemble),
            "targets": (Targets, type(None)),
            "inputs": Inputs,
            "information": dict,
        }
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                allowed = kind[0] if isinstance(kind, tuple) else kind
                found = type(getattr(self, name)).__name__
                raise InvalidTypeError(f"must be a {allowed.__name__}", name, "Model", got=found)
        Names("mean_of", MEANS).check(self.mean_of, "Model")
        width = self.net.architecture.in_features
        if self.inputs.in_features != width:
            rule = f"must be as many as the network's, {width}"
            raise InvalidDataError(rule, "inputs", "Model", got=self.inputs.in_features)
        if self.targets is not None:
            self._check_outputs(self.targets)

    def __repr__(self) -> str:
        parts = [repr(part) for part in (self.net, self.targets) if part is not None]
        if self.inputs.names is not None:
            n = len(self.inputs.names)
            parts.append(f"{n:,} column{'s' * (n != 1)}")
        return f"Model({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """Let notebooks show the layers, and the columns of a table, as tables."""
        columns = self.inputs._repr_html_() or ""
        layers = self.net.architecture._repr_html_()
        return f"<div><code>{escape(repr(self))}</code>{layers}{columns}</div>"

    def __call__(self, X: object) -> Array:
        """Return the network's outputs for raw samples, of shape (n_samples, out_features)."""
        return outputs_of(self.net, self.inputs.encode(X), self.targets, self.mean_of)

    def predict(self, X: object) -> Array:
        """Return classes, labels or values."""
        outputs = self(X)
        return outputs if self.targets is None else self.targets.decode(outputs)

    def predict_proba(self, X: object) -> Any:
        """Return the probability of each class or label; a list of them for several targets.

        Raises
        ------
        InvalidArgumentError
            If the model predicts values.
        """
        if self.targets is None or self.targets.task == "regression":
            raise InvalidArgumentError(
                "predict_proba needs a model of classes or labels; this one predicts values"
            )
        return self.targets.probabilities(self(X))

    def features(self, X: object) -> Array:
        """Return the last hidden layer's output; of an ensemble, its members' side by side."""
        return features_of(self.net, self.inputs.encode(X))

    @property
    def members(self) -> tuple[Self, ...]:
        """A model of each member of an ensemble, sharing its memory; for one network, itself."""
        if isinstance(self.net, MLP):
            return (self,)
        return tuple(replace(self, net=net) for net in self.net)

    def _check_outputs(self, targets: Targets) -> None:
        """Raise if the network's outputs do not fit the targets."""
        architecture = self.net.architecture
        if (architecture.out_features, architecture.output) != (
            targets.out_features,
            targets.output,
        ):
            rule = (
                f"need {targets.out_features} outputs with {targets.output!r}; the network has "
                f"{architecture.out_features} with {architecture.output!r}"
            )
            raise InvalidDataError(rule, "targets", "Model")
