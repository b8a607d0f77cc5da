"""Targets: the base class of the kinds of targets, which give outputs their meaning."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.data.entries import Entries
from multilayer.data.notation import Notation
from multilayer.data.notes import Note
from multilayer.model.numeric import read_numbers
from multilayer.numpy import Loss

__all__ = ["Targets"]

Array = npt.NDArray[Any]


class Targets(ABC):
    """An encoding of targets for a loss, and a decoding of outputs to predictions.

    Each kind is a subclass in ``TARGETS``.

    Attributes
    ----------
    kind : str
        The kind's name in a model file.
    task : {"classification", "multilabel", "regression"}
        What is predicted, as in `multilayer.numpy.Loss`.
    output : str
        The network's link function: see ``OUTPUTS``.
    out_features : int
        The number of the network's outputs.
    classes : array of shape (n_classes,), list of array or None
        The classes, sorted; for labels, their numbers; for several targets, a list of arrays.
    has_one_class : bool
        Whether each sample has one of `classes`, and each class a column of `probabilities`.
    notation : Notation or None
        How the training targets were written, if they came as text.
    softmax_sizes : tuple of int
        The sizes of groups of outputs that are logits, each with its own softmax; empty if outputs
        are probabilities or values themselves.
    """

    kind: ClassVar[str]
    task: ClassVar[str]
    output: str
    out_features: int
    classes: Any = None
    has_one_class: ClassVar[bool] = False
    notation: Notation | None = None
    softmax_sizes: tuple[int, ...] = ()

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs; empty if they have none."""
        return ()

    @abstractmethod
    def encode(self, y: Array) -> Array:
        """Return targets in the form that a loss expects."""

    @abstractmethod
    def decode(self, outputs: Array) -> Array:
        """Return the predictions for outputs of shape (n_samples, out_features)."""

    def probabilities(self, outputs: Array) -> Any:
        """Return the probability of each class or label; a list of arrays for several targets.

        Targets of regression have none.
        """
        raise NotImplementedError

    @abstractmethod
    def loss(self, label_smoothing: float = 0.0) -> Loss | None:
        """Return the loss that belongs to these targets; None if they do not determine one."""

    def from_entries(self, entries: Entries, notes: list[Note]) -> Array:
        """Return a table's column as targets, by default as numbers; None or NaN if missing.

        Notes on decisions that may be wrong are added to `notes`.
        """
        return read_numbers(entries, notes, self.notation)[0]

    def with_classes(self, classes: Array) -> Self:
        """Return targets with these classes added, if they are one of several classes."""
        return self

    def widen(self, y: Array) -> None:  # noqa: B027  # most kinds have no limits
        """Extend the limits of predictions, if there are any, to include these targets."""

    @abstractmethod
    def __str__(self) -> str:
        """Describe the targets in one line: ``one of 2 classes: no, yes``."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON, except those that the network's architecture determines.

        Raises
        ------
        InvalidDataError
            If JSON cannot hold the classes.
        """

    @classmethod
    @abstractmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        """Return the targets of a network of this architecture, from what `to_dict` returned."""
