"""Targets: what a network's outputs say; the kinds derive from it."""

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
    """Translates targets to what a loss takes, and outputs to predictions.

    A kind is a subclass in ``TARGETS``.

    Attributes
    ----------
    kind : str
        The kind's name in a model file.
    task : {"classification", "multilabel", "regression"}
        What is predicted, as in `multilayer.numpy.Loss`.
    output : str
        The link function that the network's architecture has: see ``OUTPUTS``.
    out_features : int
        How many outputs the network has.
    classes : array of shape (n_classes,), list of array or None
        The classes in order; of labels their numbers, of several targets a list, one for each.
    has_one_class : bool
        Whether a sample has one of `classes`, each with a column of `probabilities`.
    notation : Notation or None
        How the training targets wrote their numbers, if they came as text.
    """

    kind: ClassVar[str]
    task: ClassVar[str]
    output: str
    out_features: int
    classes: Any = None
    has_one_class: ClassVar[bool] = False
    notation: Notation | None = None

    @property
    def output_names(self) -> tuple[str, ...]:
        """What each output is called; empty if outputs have no names."""
        return ()

    @abstractmethod
    def encode(self, y: Array) -> Array:
        """Return targets as a loss takes them."""

    @abstractmethod
    def decode(self, outputs: Array) -> Array:
        """Return what outputs, of shape (n_samples, out_features), predict."""

    def probabilities(self, outputs: Array) -> Any:
        """Return the probability of each class or label, unless the task is regression.

        Of several targets with classes of their own it is a list, one array for each.
        """
        raise NotImplementedError

    @abstractmethod
    def loss(self, label_smoothing: float = 0.0) -> Loss | None:
        """Return the loss that belongs to these targets; None if they do not determine one."""

    def from_entries(self, entries: Entries, notes: list[Note]) -> Array:
        """Return a table's column as targets, None or NaN for missing ones.

        By default they are numbers. What is open to doubt is added to `notes`.
        """
        return read_numbers(entries, notes, self.notation)[0]

    @abstractmethod
    def __str__(self) -> str:
        """Say what an output means, in a line: ``one of 2 classes: no, yes``."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return, for JSON, what the network's architecture does not say already.

        Raises
        ------
        InvalidDataError
            If classes are of a kind that JSON cannot hold.
        """

    @classmethod
    @abstractmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        """Return the targets of a network of this architecture, from what `to_dict` returned."""
