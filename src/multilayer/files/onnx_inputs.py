"""A model's inputs in an ONNX file: one matrix of numbers, or each column of a table."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data import as_numbers, as_words, read_table
from multilayer.errors import InvalidArgumentError
from multilayer.files.onnx_graph import Graph
from multilayer.model import Categorical, Column, Columns, Inputs, Numbers, Numeric

__all__ = ["check_names", "draw", "encode", "feed", "ports"]

Array = npt.NDArray[Any]

FAR = 1e100
"""Beyond this many scales a number is as far as can be; its square is still finite."""


def ports(inputs: Inputs, dtype: np.dtype[Any]) -> dict[str, tuple[np.dtype[Any], int]]:
    """Return the type and width of each input of the file, by name."""
    if not isinstance(inputs, Columns):
        return {"X": (dtype, inputs.in_features)}
    kinds = {Numeric.kind: np.dtype(np.float64), Categorical.kind: np.dtype(object)}
    return {column.name: (kinds[column.kind], 1) for column in inputs.columns}


def encode(g: Graph, inputs: Inputs) -> str:
    """Note what leads from the file's inputs to the network's, and return their name."""
    if isinstance(inputs, Columns):
        parts = [
            _numeric(g, column) if isinstance(column, Numeric) else _categorical(g, column)
            for column in inputs.columns
        ]
        return g.cast(g("Concat", *parts, axis=1), g.dtype)
    assert isinstance(inputs, Numbers)
    x = "X"
    for operation, numbers in (("Sub", inputs.mean), ("Div", inputs.scale)):
        if numbers is not None:
            x = g(operation, g.cast(x, np.float64) if x == "X" else x, numbers)
    return x if x == "X" else g.cast(x, g.dtype)


def _numeric(g: Graph, column: Numeric) -> str:
    """Note a column of numbers, in float64, in which NaN is a gap."""
    x = column.name
    is_gap = g("IsNaN", x)
    one, three = np.array(1.0), np.array(3.0)
    if column.scale == 0:
        distance = g("Mul", g.cast(is_gap, np.float64), np.array(0.0))
    else:
        filled = g("Where", is_gap, np.array(column.median), x)
        distance = g("Div", g("Sub", filled, np.array(column.median)), np.array(column.scale))
        distance = g("Clip", distance, np.array(-FAR), np.array(FAR))
    third = g("Div", distance, three)
    number = g("Div", distance, g("Sqrt", g("Add", one, g("Mul", third, third))))
    number = g.cast(number, np.float32)
    if not column.has_gaps:
        return number
    return g("Concat", number, g.cast(is_gap, np.float32), axis=1)


def _categorical(g: Graph, column: Categorical) -> str:
    """Note a column of words, in which the empty one is a gap."""
    words = [*column.words, ""] if column.has_gaps else [*column.words]
    return g.cast(g("Equal", column.name, np.array([words], dtype=object)), np.float32)


def feed(inputs: Inputs, X: object, dtype: np.dtype[Any]) -> dict[str, Array]:
    """Return samples as onnxruntime takes them.

    Raises
    ------
    InvalidDataError
        If they are none of this model.
    """
    if not isinstance(inputs, Columns):
        return {"X": checks.sample_matrix(X, inputs.in_features, dtype)}
    table = read_table(X, "sample", inputs.names)
    inputs.encode(table, "sample")  # refuses what does not fit
    fed = {}
    for column in inputs.columns:
        entries = table[column.name]
        if isinstance(column, Categorical):
            entries = np.array([word or "" for word in as_words(entries)], dtype=object)
        else:
            entries = as_numbers(entries, column.name)
        fed[column.name] = entries.reshape(-1, 1)
    return fed


def draw(inputs: Inputs, n_samples: int, dtype: np.dtype[Any]) -> Any:
    """Return random samples as a model takes them, in the middle of what it has been trained on."""
    rng = np.random.default_rng(0)
    if isinstance(inputs, Columns):
        return {column.name: _entries(column, n_samples, rng) for column in inputs.columns}
    assert isinstance(inputs, Numbers)
    x = rng.normal(size=(n_samples, inputs.in_features))
    x *= 1 if inputs.scale is None else inputs.scale
    x += 0 if inputs.mean is None else inputs.mean
    return x.astype(dtype)


def _entries(column: Column, n: int, rng: np.random.Generator) -> Array:
    """Return random entries, some of which are gaps, and words that nobody has seen."""
    is_gap = rng.random(n) < 0.2
    if isinstance(column, Numeric):
        entries = column.median + rng.normal(size=n).clip(-2, 2) * (column.scale / 4)
        return np.where(is_gap, np.nan, entries)
    entries = rng.choice(np.array([*column.words, "\N{REPLACEMENT CHARACTER}"], dtype=object), n)
    entries[is_gap] = None
    return entries


def check_names(inputs: Inputs, g: Graph, outputs: list[str]) -> None:
    """Raise if a column has the name of something else in the graph, or no text that is UTF-8."""
    if not isinstance(inputs, Columns):
        return
    taken = {node.output for node in g.nodes} | set(g.constants) | set(outputs)
    for column in inputs.columns:
        if column.name in taken or not column.name:
            msg = (
                f"a column cannot be called {column.name!r} in an ONNX file: rename it before "
                "fitting"
            )
            raise InvalidArgumentError(msg)
        for text in (column.name, *getattr(column, "words", ())):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                msg = f"text in an ONNX file must be UTF-8; got {text!r}"
                raise InvalidArgumentError(msg) from error
