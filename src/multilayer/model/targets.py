"""What a network's outputs say: classes, labels, or values; and how targets become its own."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.data.notation import Notation
from multilayer.errors import InvalidDataError
from multilayer.model.classes import classes_from_dict, classes_to_dict
from multilayer.model.numeric import notation_from_dict
from multilayer.numpy.activations import OUTPUTS

__all__ = ["ClassGroups", "Classes", "Labels", "Targets", "Values", "targets_from_dict"]

Array = npt.NDArray[Any]


class Targets:
    """Translates targets to what a loss takes, and outputs to predictions.

    Attributes
    ----------
    kind : str
        The name of the class in a model file.
    output : str
        The link function that the network's architecture has: see ``OUTPUTS``.
    out_features : int
        How many outputs the network has.
    """

    kind: ClassVar[str]
    output: str
    out_features: int

    def encode(self, y: Array) -> Array:
        """Return targets as a loss takes them."""
        raise NotImplementedError

    def decode(self, outputs: Array) -> Array:
        """Return what outputs, of shape (n_samples, out_features), predict."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return, for JSON, what the network's architecture does not say already.

        Raises
        ------
        InvalidDataError
            If classes are of a kind that JSON cannot hold.
        """
        raise NotImplementedError

    @classmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        """Return the targets, of a network of this architecture, that `to_dict` was told of."""
        raise NotImplementedError


class Classes(Targets):
    """One class of several.

    Two classes need one output, the probability of the second; more have one each.

    Parameters
    ----------
    classes : array of shape (n_classes,)
        In order, each once.

    Examples
    --------
    >>> colours = Classes(np.array(["blue", "green", "red"]))
    >>> colours.encode(np.array(["red", "blue"]))
    array([2, 0])
    >>> colours.decode(np.array([[0.2, 0.7, 0.1]]))
    array(['green'], dtype='<U5')
    """

    kind = "classes"

    def __init__(self, classes: Array) -> None:
        if classes.ndim != 1 or not len(classes) or not (classes[:-1] < classes[1:]).all():
            rule = "must be a vector, in order, each once"
            raise InvalidDataError(rule, "classes", got=repr(classes))
        self.classes = classes
        self.is_binary = len(classes) <= 2
        self.output = "sigmoid" if self.is_binary else "softmax"
        self.out_features = 1 if self.is_binary else len(classes)

    def __repr__(self) -> str:
        return f"{len(self.classes):,} classes"

    def encode(self, y: Array) -> Array:
        """Return the place of each class; of two classes, as a column of 0 and 1.

        Raises
        ------
        InvalidDataError
            If there is a class that is not among `classes`.
        """
        try:
            places = np.searchsorted(self.classes, y)
        except TypeError as error:  # words among numbers have no order
            rule = f"must hold classes {self.classes}, all of one type; {error}"
            raise InvalidDataError(rule, "y") from error
        known = places < len(self.classes)
        known[known] = self.classes[places[known]] == y[known]
        if not known.all():
            row = int(np.argmin(known))
            rule = f"must hold classes {self.classes}"
            raise InvalidDataError(rule, "y", got=f"{y.tolist()[row]!r} at index {row}")
        return places.reshape(-1, 1) if self.is_binary else places

    def probabilities(self, outputs: Array) -> Array:
        """Return the probability of each class, of shape (n_samples, n_classes)."""
        if not self.is_binary:
            return outputs
        if len(self.classes) == 1:
            return np.ones_like(outputs)
        return np.hstack([1 - outputs, outputs])

    def decode(self, outputs: Array) -> Array:
        if not self.is_binary:
            return self.classes[outputs.argmax(axis=1)]
        places = (outputs[:, 0] > 0.5).astype(np.intp)
        return self.classes[np.minimum(places, len(self.classes) - 1)]

    def to_dict(self) -> dict[str, Any]:
        return classes_to_dict(self.classes)

    @classmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        return cls(classes_from_dict(found))


class ClassGroups(Targets):
    """Several targets, each one class of its own several: an output for each class of each.

    The outputs are logits, of which each target takes its own softmax.

    Parameters
    ----------
    groups : sequence of array of shape (n_classes,)
        The classes of each target, in order.
    """

    kind = "class_groups"
    output = "identity"

    def __init__(self, groups: Sequence[Array]) -> None:
        self.groups = [Classes(classes) for classes in groups]
        self.classes = list(groups)
        # One class that is the only one still has two outputs, of which one is never right.
        self.sizes = tuple(max(len(classes), 2) for classes in groups)
        self.out_features = sum(self.sizes)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(classes):,}" for classes in self.classes)
        return f"{len(self.classes):,} targets of {sizes} classes"

    def encode(self, y: Array) -> Array:
        return np.column_stack(
            [group.encode(column).ravel() for group, column in zip(self.groups, y.T, strict=True)]
        )

    def probabilities(self, outputs: Array) -> list[Array]:
        """Return for each target the probability of its classes."""
        parts = np.split(outputs, np.cumsum(self.sizes)[:-1], axis=1)
        softmax = OUTPUTS["softmax"].forward
        return [
            softmax(part) if len(classes) > 1 else np.ones_like(part[:, :1])
            for part, classes in zip(parts, self.classes, strict=True)
        ]

    def decode(self, outputs: Array) -> Array:
        columns = [
            classes[part.argmax(axis=1)]
            for classes, part in zip(self.classes, self.probabilities(outputs), strict=True)
        ]
        if len({column.dtype.kind for column in columns}) > 1:  # numbers stay numbers among words
            columns = [column.astype(object) for column in columns]
        return np.column_stack(columns)

    def to_dict(self) -> dict[str, Any]:
        return {"groups": [classes_to_dict(classes) for classes in self.classes]}

    @classmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        groups = _only(found, "groups")["groups"]
        if not isinstance(groups, list) or not groups:
            raise InvalidDataError("must be a list of classes", "groups")
        return cls([classes_from_dict(group) for group in groups])


class Labels(Targets):
    """Any number of labels: a matrix of 0 and 1, a column a label, and an output each.

    Parameters
    ----------
    n_labels : int
        How many there are.
    """

    kind = "labels"
    output = "sigmoid"

    def __init__(self, n_labels: int) -> None:
        self.classes = np.arange(n_labels)
        self.out_features = n_labels

    def __repr__(self) -> str:
        return f"{self.out_features:,} labels"

    def encode(self, y: Array) -> Array:
        return np.asarray(y)

    def probabilities(self, outputs: Array) -> Array:
        """Return the probability of each label, of shape (n_samples, n_labels)."""
        return outputs

    def decode(self, outputs: Array) -> Array:
        return (outputs > 0.5).astype(np.intp)

    def to_dict(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        _only(found)
        return cls(architecture.out_features)


class Values(Targets):
    """Real values, y = mean + scale · output.

    Parameters
    ----------
    n_targets : int
        How many there are for a sample; one is predicted as a vector.
    n_each : int
        How many outputs each target has: one, or one for each of several quantiles.
    mean, scale : array of shape (n_targets,), optional
        0 and 1 by default.
    output : str
        The network's link function.
    notation : Notation, optional
        How the targets of the training wrote their numbers, if they came as text.
    """

    kind = "values"

    def __init__(
        self,
        n_targets: int,
        *,
        n_each: int = 1,
        mean: Array | None = None,
        scale: Array | None = None,
        output: str = "identity",
        notation: Notation | None = None,
    ) -> None:
        self.notation = notation
        self.n_targets, self.n_each = n_targets, n_each
        self.mean = None if mean is None else self._one_each(mean, "mean")
        self.scale = None if scale is None else self._one_each(scale, "scale")
        if (mean is None) != (scale is None) or (
            self.scale is not None and (self.scale <= 0).any()
        ):
            msg = f"mean and scale of Values must be given together, scale > 0; got {mean}, {scale}"
            raise InvalidDataError(msg)
        self.output = output
        self.out_features = n_targets * n_each

    def __repr__(self) -> str:
        each = f" of {self.n_each:,} quantiles" if self.n_each > 1 else ""
        return f"{self.n_targets:,} value{'s' * (self.n_targets > 1)}{each}"

    def encode(self, y: Array) -> Array:
        y = y.reshape(len(y), self.n_targets)
        return y if self.mean is None else (y - self.mean) / self.scale

    def decode(self, outputs: Array) -> Array:
        values = outputs
        if self.mean is not None and self.scale is not None:
            scale, mean = (np.repeat(a, self.n_each) for a in (self.scale, self.mean))
            # In float64: beside a large mean float32 would have no digits left for the outputs.
            values = scale * outputs + mean
        return values[:, 0] if self.out_features == 1 else values

    def to_dict(self) -> dict[str, Any]:
        return {
            "n_each": self.n_each,
            "mean": None if self.mean is None else self.mean.tolist(),
            "scale": None if self.scale is None else self.scale.tolist(),
            "notation": None if self.notation is None else asdict(self.notation),
        }

    @classmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        values = _only(found, "n_each", "mean", "scale", "notation")
        notation = values["notation"]
        n_each = checks.integer(values["n_each"], "n_each", cls.__name__)
        return cls(
            architecture.out_features // n_each,
            n_each=n_each,
            mean=values["mean"],
            scale=values["scale"],
            output=architecture.output,
            notation=None if notation is None else notation_from_dict(notation),
        )

    def _one_each(self, values: Any, name: str) -> Array:
        array = checks.finite_array(values, name, np.float64)
        if array.shape != (self.n_targets,):
            rule = f"must have shape ({self.n_targets},)"
            raise InvalidDataError(rule, name, "Values", got=array.shape)
        return array


KINDS: dict[str, type[Targets]] = {
    kind.kind: kind for kind in (Classes, ClassGroups, Labels, Values)
}


def targets_from_dict(found: object, architecture: Architecture) -> Targets:
    """Return the targets of a network of this architecture: of the kind in ``found["kind"]``.

    The other entries are what that kind's `to_dict` returned.

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If there is no such kind, or the other entries are not what it needs.
    """
    kind = found.get("kind") if isinstance(found, dict) else found
    if not isinstance(found, dict) or not isinstance(kind, str) or kind not in KINDS:
        rule = f"must be of a kind among {', '.join(KINDS)}"
        raise InvalidDataError(rule, "targets", got=repr(kind))
    rest = {name: value for name, value in found.items() if name != "kind"}
    return KINDS[kind].from_dict(rest, architecture)


def _only(found: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return `found`, if it has these entries and no others."""
    if set(found) != set(names):
        raise InvalidDataError(f"must have the entries {list(names)}", "targets", got=list(found))
    return found
