"""The kinds of columns in an ONNX file: one input each, and the operations on it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.data.entries import Entries
from multilayer.data.notation import TIMES
from multilayer.data.numerals import SCALES
from multilayer.files.onnx_graph import Graph
from multilayer.model import Categorical, Date, Numeric
from multilayer.model.date import CYCLES, PIECES
from multilayer.model.scaled import FAR

__all__ = ["COLUMN_FORMS", "ColumnForm"]

Array = npt.NDArray[Any]
Generator = np.random.Generator


class ColumnForm(NamedTuple):
    """The ONNX form of one kind of column."""

    dtype: np.dtype[Any]
    """The type of the file's input."""
    build: Callable[[Graph, Any], str]
    """Adds the operations that turn it into the network's inputs, and returns the inputs' name."""
    feed: Callable[[Any, Entries], Array]
    """Returns entries in the form that the file takes."""
    draw: Callable[[Any, int, Generator], Array]
    """Returns random entries, some missing, typical of the training data."""


def _numeric(g: Graph, column: Numeric) -> str:
    """Add a column of numbers in float64, where NaN means missing."""
    x = column.name
    is_missing = g("IsNaN", x)
    return _with_missing(g, [_value(g, x, is_missing, column)], is_missing, column.has_missing)


def _date(g: Graph, column: Date) -> str:
    """Add a column of dates in seconds since 1970, where NaN means missing."""
    x = column.name
    is_missing = g("IsNaN", x)
    inputs = [_value(g, x, is_missing, column)]
    zero = np.array(0.0)
    for cycle in column.cycles:
        period = CYCLES[cycle]
        place = g("Mod", x, np.array(period), fmod=1)
        if column.knots:
            # For times before 1970, the remainder is negative.
            place = g("Where", g("Less", place, zero), g("Add", place, np.array(period)), place)
            place = g("Mul", place, np.array(PIECES[cycle] / period))
            inputs.append(g.cast(g("Where", is_missing, zero, place), np.float32))
            continue
        phase = g("Mul", place, np.array(2 * np.pi / period))
        # cos x = sin(x + π/2): onnxruntime 1.20 has no cosine in float64.
        waves = (g("Sin", angle) for angle in (phase, g("Add", phase, np.array(np.pi / 2))))
        inputs += [g.cast(g("Where", is_missing, zero, wave), np.float32) for wave in waves]
    return _with_missing(g, inputs, is_missing, column.has_missing)


def _categorical(g: Graph, column: Categorical) -> str:
    """Add a column of strings, where an empty one means missing."""
    names = [*column.categories, ""] if column.has_missing else [*column.categories]
    is_each = g.cast(g("Equal", column.name, np.array([names], dtype=object)), np.float32)
    if not column.is_embedded:
        return is_each
    return g("MatMul", is_each, np.arange(1, len(names) + 1, dtype=np.float32)[:, np.newaxis])


def _value(g: Graph, x: str, is_missing: str, column: Numeric | Date) -> str:
    """Add the scaled value, or its position among the knots."""
    if not column.knots:
        return _bent(g, x, is_missing, column.median, column.scale)
    knots = np.array(column.knots)
    shares = g("Div", g("Sub", x, knots[np.newaxis, :-1]), np.diff(knots)[np.newaxis])
    pieces = g("Clip", shares, np.array(0.0), np.array(1.0))
    position = g("ReduceSum", pieces, np.array([1]), keepdims=1)
    return g.cast(g("Where", is_missing, np.array(0.0), position), np.float32)


def _bent(g: Graph, x: str, is_missing: str, median: float, scale: float) -> str:
    """Add r/√(1 + (r/3)²) for r = (x − median)/scale; 0 if missing."""
    one, three = np.array(1.0), np.array(3.0)
    if scale == 0:
        return g.cast(g("Mul", g.cast(is_missing, np.float64), np.array(0.0)), np.float32)
    filled = g("Where", is_missing, np.array(median), x)
    r = g("Div", g("Sub", filled, np.array(median)), np.array(scale))
    r = g("Clip", r, np.array(-FAR), np.array(FAR))
    third = g("Div", r, three)
    return g.cast(g("Div", r, g("Sqrt", g("Add", one, g("Mul", third, third)))), np.float32)


def _with_missing(g: Graph, inputs: list[str], is_missing: str, has_missing: bool) -> str:
    """Concatenate the inputs, with a last one for missing values if the column has one."""
    if has_missing:
        inputs = [*inputs, g.cast(is_missing, np.float32)]
    return g("Concat", *inputs, axis=1) if len(inputs) > 1 else inputs[0]


def _names(column: Categorical, entries: Entries) -> Array:
    """Return entries as strings, in the model's spelling if it knows them."""
    codes, names = entries.categories()
    places = column.places(names).tolist()
    own = [column.categories[p] if p >= 0 else n for p, n in zip(places, names, strict=True)]
    return np.array([*own, ""], dtype=object)[codes]  # code −1 selects the last


def _drawn(column: Numeric | Date, n: int, rng: Generator) -> Array:
    values = column.median + rng.normal(size=n).clip(-2, 2) * (column.scale / 4)
    return np.where(rng.random(n) < MISSING, np.nan, values)


def _drawn_numbers(column: Numeric, n: int, rng: Generator) -> Array:
    numbers, form = _drawn(column, n, rng), column.notation
    if form.scale in TIMES:
        return _times(numbers, "timedelta64[us]")
    units = [unit for unit, worth in SCALES.get(form.scale, {}).items() if worth == 1]
    if not units:
        return numbers
    texts = [f"{number} {units[0]}".replace(".", form.decimal) for number in numbers.tolist()]
    return np.where(np.isnan(numbers), "", np.array(texts, dtype=object))


def _drawn_dates(column: Date, n: int, rng: Generator) -> Array:
    return _times(_drawn(column, n, rng), "datetime64[us]")


def _times(seconds: Array, dtype: str) -> Array:
    """Return seconds as NumPy's dates or durations."""
    times = np.full(len(seconds), "NaT", dtype)
    is_present = ~np.isnan(seconds)
    times[is_present] = np.rint(seconds[is_present] * 1e6).astype(np.int64).astype(dtype)
    return times


def _drawn_names(column: Categorical, n: int, rng: Generator) -> Array:
    names = np.array([*column.categories, "\N{REPLACEMENT CHARACTER}"], dtype=object)
    entries = rng.choice(names, n)
    entries[rng.random(n) < MISSING] = None
    return entries


MISSING = 0.2
"""The share of drawn entries that are missing."""
NUMBERS = np.dtype(np.float64)
COLUMN_FORMS: dict[str, ColumnForm] = {
    Numeric.kind: ColumnForm(
        NUMBERS, _numeric, lambda c, entries: c.values(entries, []), _drawn_numbers
    ),
    Categorical.kind: ColumnForm(np.dtype(object), _categorical, _names, _drawn_names),
    Date.kind: ColumnForm(NUMBERS, _date, lambda c, entries: c.values(entries, []), _drawn_dates),
}
