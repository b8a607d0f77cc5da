"""Targets of classification: classes, groups of classes, and labels."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.data.entries import Entries
from multilayer.data.notes import Note
from multilayer.errors import InvalidDataError
from multilayer.json_text import listed
from multilayer.model.categorical import Categorical
from multilayer.model.classes import classes_from_dict, classes_to_dict
from multilayer.model.column import parts_of
from multilayer.model.targets import Targets
from multilayer.numpy import (
    OUTPUTS,
    BinaryCrossEntropy,
    CrossEntropy,
    GroupedCrossEntropy,
    Loss,
)

__all__ = ["ClassGroups", "Classes", "Labels"]

Array = npt.NDArray[Any]


class Classes(Targets):
    """Targets that are one of several classes.

    Two classes share one output, the probability of the second; more classes have one output each.

    Parameters
    ----------
    classes : array of shape (n_classes,)
        The distinct classes, sorted.

    Examples
    --------
    >>> colours = Classes(np.array(["blue", "green", "red"]))
    >>> colours.encode(np.array(["red", "blue"]))
    array([2, 0])
    >>> colours.decode(np.array([[0.2, 0.7, 0.1]]))
    array(['green'], dtype='<U5')
    """

    kind = "classes"
    task = "classification"
    has_one_class = True

    def __init__(self, classes: Array) -> None:
        if classes.ndim != 1 or not len(classes) or not (classes[:-1] < classes[1:]).all():
            rule = "must be a sorted vector of distinct values"
            raise InvalidDataError(rule, "classes", got=repr(classes))
        self.classes = classes
        self.is_binary = len(classes) <= 2
        self.output = "sigmoid" if self.is_binary else "softmax"
        self.out_features = 1 if self.is_binary else len(classes)

    def __repr__(self) -> str:
        n = len(self.classes)
        return f"{n:,} class{'es' * (n != 1)}"

    def __str__(self) -> str:
        return f"one of {self!r}: {listed(self.classes)}"

    @property
    def output_names(self) -> tuple[str, ...]:
        # One output is the probability of the second of two classes.
        return tuple(map(str, self.classes[-self.out_features :]))

    def encode(self, y: Array) -> Array:
        """Return the position of each class; for two classes, a column of 0 and 1.

        Raises
        ------
        InvalidDataError
            If a class is not among `classes`.
        """
        try:
            places = np.searchsorted(self.classes, y)
        except TypeError as error:  # text and numbers have no common order
            rule = f"must hold classes {self.classes}, all of one type; {error}"
            raise InvalidDataError(rule, "y") from error
        known = places < len(self.classes)
        known[known] = self.classes[places[known]] == y[known]
        if not known.all():
            row = int(np.argmin(known))
            got = f"{y.tolist()[row]!r} at index {row}"
            raise InvalidDataError(f"must hold classes {self.classes}", "y", got=got)
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

    def loss(self, label_smoothing: float = 0.0) -> Loss:
        return (BinaryCrossEntropy if self.is_binary else CrossEntropy)(label_smoothing)

    def with_classes(self, classes: Array) -> Self:
        return type(self)(np.union1d(self.classes, classes))

    def from_entries(self, entries: Entries, notes: list[Note]) -> Array:
        if self.classes.dtype.kind in "iuf":
            return super().from_entries(entries, notes)
        classes = self.classes.tolist()
        codes, names = entries.categories()
        known = Categorical("", tuple(map(str, classes))).places(names).tolist()
        own = [classes[place] if place >= 0 else n for place, n in zip(known, names, strict=True)]
        return np.array([*own, None], dtype=object)[codes]  # code −1 picks the last

    def to_dict(self) -> dict[str, Any]:
        return classes_to_dict(self.classes)

    @classmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        return cls(classes_from_dict(found))


class ClassGroups(Targets):
    """Several targets per sample, each with its own classes and one output per class.

    The outputs are logits; each target has its own softmax.

    Parameters
    ----------
    groups : sequence of array of shape (n_classes,)
        The sorted classes of each target.
    """

    kind = "class_groups"
    task = "classification"
    output = "identity"

    def __init__(self, groups: Sequence[Array]) -> None:
        self.groups = [Classes(classes) for classes in groups]
        self.classes = list(groups)
        # A target with a single class still has two outputs, one of which is never right.
        self.softmax_sizes = tuple(max(len(classes), 2) for classes in groups)
        self.out_features = sum(self.softmax_sizes)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(group.classes):,}" for group in self.groups)
        return f"{len(self.groups):,} targets of {sizes} classes"

    def __str__(self) -> str:
        groups = (f"one of {listed(group.classes)}" for group in self.groups)
        return f"{len(self.groups):,} targets: {'; '.join(groups)}"

    def encode(self, y: Array) -> Array:
        return np.column_stack(
            [group.encode(column).ravel() for group, column in zip(self.groups, y.T, strict=True)]
        )

    def probabilities(self, outputs: Array) -> list[Array]:
        """Return the class probabilities of each target, of shape (n_samples, n_classes)."""
        parts = np.split(outputs, np.cumsum(self.softmax_sizes)[:-1], axis=1)
        softmax = OUTPUTS["softmax"].forward
        return [
            softmax(part) if len(group.classes) > 1 else np.ones_like(part[:, :1])
            for part, group in zip(parts, self.groups, strict=True)
        ]

    def decode(self, outputs: Array) -> Array:
        columns = [
            group.classes[part.argmax(axis=1)]
            for group, part in zip(self.groups, self.probabilities(outputs), strict=True)
        ]
        if len({column.dtype.kind for column in columns}) > 1:  # else numbers would become text
            columns = [column.astype(object) for column in columns]
        return np.column_stack(columns)

    def loss(self, label_smoothing: float = 0.0) -> Loss:
        return GroupedCrossEntropy(self.softmax_sizes, label_smoothing)

    def to_dict(self) -> dict[str, Any]:
        return {"groups": [group.to_dict() for group in self.groups]}

    @classmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        groups = parts_of(found, "targets", {"groups": object})["groups"]
        if not isinstance(groups, list) or not groups:
            raise InvalidDataError("must be a list of classes", "groups")
        return cls([classes_from_dict(group) for group in groups])


class Labels(Targets):
    """Any number of labels for each sample: a matrix of 0 and 1, one column and output per label.

    Parameters
    ----------
    n_labels : int
    """

    kind = "labels"
    task = "multilabel"
    output = "sigmoid"

    def __init__(self, n_labels: int) -> None:
        self.classes = np.arange(n_labels)
        self.out_features = n_labels

    def __repr__(self) -> str:
        return f"{self.out_features:,} labels"

    def __str__(self) -> str:
        return f"any of {self.out_features:,} labels"

    def encode(self, y: Array) -> Array:
        return np.asarray(y)

    def probabilities(self, outputs: Array) -> Array:
        """Return the probability of each label, of shape (n_samples, n_labels)."""
        return outputs

    def decode(self, outputs: Array) -> Array:
        return (outputs > 0.5).astype(np.intp)

    def loss(self, label_smoothing: float = 0.0) -> Loss:
        return BinaryCrossEntropy(label_smoothing)

    def to_dict(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        parts_of(found, "targets", {})
        return cls(architecture.out_features)
