"""What a network's outputs say: classes, labels, or values; and how targets become its own."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidDataError
from multilayer.numpy.activations import OUTPUTS

__all__ = ["ClassGroups", "Classes", "Labels", "Targets", "Values"]

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
        self.classes = classes
        self.is_binary = len(classes) <= 2
        self.output = "sigmoid" if self.is_binary else "softmax"
        self.out_features = 1 if self.is_binary else len(classes)

    def encode(self, y: Array) -> Array:
        """Return the place of each class; of two classes, as a column of 0 and 1.

        Raises
        ------
        InvalidDataError
            If there is a class that is not among `classes`.
        """
        places = np.searchsorted(self.classes, y)
        known = places < len(self.classes)
        known[known] = self.classes[places[known]] == y[known]
        if not known.all():
            row = int(np.argmin(known))
            msg = f"y must hold classes {self.classes}; got {y[row]!r} at index {row}"
            raise InvalidDataError(msg)
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

    def encode(self, y: Array) -> Array:
        return np.column_stack(
            [group.encode(column).ravel() for group, column in zip(self.groups, y.T, strict=True)]
        )

    def probabilities(self, outputs: Array) -> list[Array]:
        """Return for each target the probability of its classes."""
        parts = np.split(outputs, np.cumsum(self.sizes)[:-1], axis=1)
        softmax = OUTPUTS["softmax"].forward
        return [
            softmax(part)[:, : len(classes)]
            for part, classes in zip(parts, self.classes, strict=True)
        ]

    def decode(self, outputs: Array) -> Array:
        return np.column_stack(
            [
                classes[part.argmax(axis=1)]
                for classes, part in zip(self.classes, self.probabilities(outputs), strict=True)
            ]
        )


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

    def encode(self, y: Array) -> Array:
        return np.asarray(y)

    def probabilities(self, outputs: Array) -> Array:
        """Return the probability of each label, of shape (n_samples, n_labels)."""
        return outputs

    def decode(self, outputs: Array) -> Array:
        return (outputs > 0.5).astype(np.intp)


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
    ) -> None:
        self.n_targets, self.n_each = n_targets, n_each
        self.mean, self.scale = mean, scale
        self.output = output
        self.out_features = n_targets * n_each

    def encode(self, y: Array) -> Array:
        y = y.reshape(len(y), self.n_targets)
        return y if self.mean is None else (y - self.mean) / self.scale

    def decode(self, outputs: Array) -> Array:
        values = outputs
        if self.mean is not None and self.scale is not None:
            scale, mean = (np.repeat(a, self.n_each) for a in (self.scale, self.mean))
            values = (scale * outputs + mean).astype(outputs.dtype, copy=False)
        return values[:, 0] if self.out_features == 1 else values
