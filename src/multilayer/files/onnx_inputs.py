"""A model's inputs in an ONNX file: one matrix of numbers, or one input per column."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data import Table
from multilayer.errors import InvalidArgumentError
from multilayer.files.onnx_columns import COLUMN_FORMS
from multilayer.files.onnx_graph import Graph
from multilayer.model import Columns, Model, Numbers

__all__ = ["INPUT_FORMS", "ColumnsForm", "InputForm", "NumbersForm", "form_of"]

Array = npt.NDArray[Any]


class InputForm(ABC):
    """The ONNX form of a model's inputs; each kind of inputs has a subclass."""

    inputs: Any

    def __init__(self, model: Model) -> None:
        self.inputs, self.dtype = model.inputs, model.net.dtype
        self.embeddings = model.net.architecture.embeddings

    @abstractmethod
    def ports(self) -> dict[str, tuple[np.dtype[Any], int]]:
        """Return the type and width of each input of the file, by name."""

    @abstractmethod
    def encode(self, g: Graph) -> str:
        """Add the operations from the file's inputs to the network's; return the latter's name."""

    @abstractmethod
    def read(self, X: Any) -> Any:
        """Return checked samples for the model and for `feed`."""

    @abstractmethod
    def feed(self, samples: Any) -> dict[str, Array]:
        """Return samples in the form that onnxruntime takes."""

    @abstractmethod
    def draw(self, n_samples: int, rng: np.random.Generator) -> Any:
        """Return random samples, typical of the training data."""

    def check_names(self, g: Graph, outputs: list[str]) -> None:  # noqa: B027  # most are safe
        """Raise if an input's name is taken in the graph, or a text is not UTF-8."""


class NumbersForm(InputForm):
    """One matrix of numbers, X."""

    inputs: Numbers

    def ports(self) -> dict[str, tuple[np.dtype[Any], int]]:
        return {"X": (self.dtype, self.inputs.in_features)}

    def encode(self, g: Graph) -> str:
        x = "X"
        for operation, numbers in (("Sub", self.inputs.mean), ("Div", self.inputs.scale)):
            if numbers is not None:
                x = g(operation, g.cast(x, np.float64) if x == "X" else x, numbers)
        return x if x == "X" else g.cast(x, g.dtype)

    def read(self, X: Any) -> Array:
        return checks.sample_matrix(X, self.inputs.in_features, self.dtype)

    def feed(self, samples: Array) -> dict[str, Array]:
        return {"X": samples}

    def draw(self, n_samples: int, rng: np.random.Generator) -> Array:
        x = rng.normal(size=(n_samples, self.inputs.in_features))
        if (found := self.embeddings) is not None:
            for place, size in (*found.numbers, *found.categories):
                x[:, place] = rng.uniform(0, size, n_samples)
        x *= 1 if self.inputs.scale is None else self.inputs.scale
        x += 0 if self.inputs.mean is None else self.inputs.mean
        return x.astype(self.dtype)


class ColumnsForm(InputForm):
    """One input for each column in use, under the column's name."""

    inputs: Columns

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.columns = [column for column in self.inputs.columns if column.input_names]
        for column in self.columns:
            if column.kind not in COLUMN_FORMS:
                raise InvalidArgumentError(
                    f"column {column.name!r} is {column.kind}, which has no ONNX form; these kinds "
                    f"have one: {', '.join(COLUMN_FORMS)}"
                )

    def ports(self) -> dict[str, tuple[np.dtype[Any], int]]:
        return {column.name: (COLUMN_FORMS[column.kind].dtype, 1) for column in self.columns}

    def encode(self, g: Graph) -> str:
        parts = [COLUMN_FORMS[column.kind].build(g, column) for column in self.columns]
        return g.cast(g("Concat", *parts, axis=1), g.dtype)

    def read(self, X: Any) -> Table:
        return self.inputs.read(X, "sample")

    def feed(self, samples: Table) -> dict[str, Array]:
        return {
            column.name: COLUMN_FORMS[column.kind].feed(column, samples[column.name]).reshape(-1, 1)
            for column in self.columns
        }

    def draw(self, n_samples: int, rng: np.random.Generator) -> dict[str, Array]:
        return {
            column.name: COLUMN_FORMS[column.kind].draw(column, n_samples, rng)
            for column in self.columns
        }

    def check_names(self, g: Graph, outputs: list[str]) -> None:
        taken = {node.output for node in g.nodes} | set(g.constants) | set(outputs)
        for column in self.columns:
            if column.name in taken or not column.name:
                raise InvalidArgumentError(
                    f"a column cannot be called {column.name!r} in an ONNX file: rename it before "
                    "fitting"
                )
            for text in (column.name, *getattr(column, "categories", ())):
                try:
                    text.encode()
                except UnicodeEncodeError as error:
                    raise InvalidArgumentError(
                        f"text in an ONNX file must be UTF-8; got {text!r}"
                    ) from error


INPUT_FORMS: dict[str, type[InputForm]] = {Numbers.kind: NumbersForm, Columns.kind: ColumnsForm}


def form_of(model: Model) -> InputForm:
    """Return the ONNX form of a model's inputs, or raise if their kind has none."""
    kind = model.inputs.kind
    if kind not in INPUT_FORMS:
        known = ", ".join(INPUT_FORMS)
        raise InvalidArgumentError(
            f"inputs of kind {kind!r} have no ONNX form; these kinds have one: {known}"
        )
    return INPUT_FORMS[kind](model)
