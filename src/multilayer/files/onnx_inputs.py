"""A model's inputs in an ONNX file: one matrix of numbers, or each column of a table."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.files.onnx_columns import COLUMN_FORMS
from multilayer.files.onnx_graph import Graph
from multilayer.model import Column, Columns, Inputs, Numbers

__all__ = ["check_names", "draw", "encode", "feed", "ports"]

Array = npt.NDArray[Any]


def ports(inputs: Inputs, dtype: np.dtype[Any]) -> dict[str, tuple[np.dtype[Any], int]]:
    """Return the type and width of each input of the file, by name."""
    if not isinstance(inputs, Columns):
        return {"X": (dtype, inputs.in_features)}
    return {column.name: (COLUMN_FORMS[column.kind].dtype, 1) for column in _used(inputs)}


def encode(g: Graph, inputs: Inputs) -> str:
    """Note what leads from the file's inputs to the network's, and return their name."""
    if isinstance(inputs, Columns):
        parts = [COLUMN_FORMS[column.kind].build(g, column) for column in _used(inputs)]
        return g.cast(g("Concat", *parts, axis=1), g.dtype)
    assert isinstance(inputs, Numbers)
    x = "X"
    for operation, numbers in (("Sub", inputs.mean), ("Div", inputs.scale)):
        if numbers is not None:
            x = g(operation, g.cast(x, np.float64) if x == "X" else x, numbers)
    return x if x == "X" else g.cast(x, g.dtype)


def feed(inputs: Inputs, X: object, dtype: np.dtype[Any]) -> dict[str, Array]:
    """Return samples as onnxruntime takes them.

    Raises
    ------
    InvalidDataError
        If they are none of this model.
    """
    if not isinstance(inputs, Columns):
        return {"X": checks.sample_matrix(X, inputs.in_features, dtype)}
    table = inputs.read(X, "sample")
    return {
        column.name: COLUMN_FORMS[column.kind].feed(column, table[column.name]).reshape(-1, 1)
        for column in _used(inputs)
    }


def draw(inputs: Inputs, n_samples: int, dtype: np.dtype[Any]) -> Any:
    """Return random samples as a model takes them, in the middle of what it has been trained on."""
    rng = np.random.default_rng(0)
    if isinstance(inputs, Columns):
        return {
            column.name: COLUMN_FORMS[column.kind].draw(column, n_samples, rng)
            for column in _used(inputs)
        }
    assert isinstance(inputs, Numbers)
    x = rng.normal(size=(n_samples, inputs.in_features))
    x *= 1 if inputs.scale is None else inputs.scale
    x += 0 if inputs.mean is None else inputs.mean
    return x.astype(dtype)


def check_names(inputs: Inputs, g: Graph, outputs: list[str]) -> None:
    """Raise if a column has the name of something else in the graph, or no text that is UTF-8."""
    if not isinstance(inputs, Columns):
        return
    taken = {node.output for node in g.nodes} | set(g.constants) | set(outputs)
    for column in _used(inputs):
        if column.name in taken or not column.name:
            raise InvalidArgumentError(
                f"a column cannot be called {column.name!r} in an ONNX file: rename it before "
                "fitting"
            )
        for text in (column.name, *getattr(column, "categories", ())):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                msg = f"text in an ONNX file must be UTF-8; got {text!r}"
                raise InvalidArgumentError(msg) from error


def _used(inputs: Columns) -> list[Column]:
    """Return the columns that make inputs."""
    return [column for column in inputs.columns if column.input_names]
