"""Data sets: the samples that a session trains on, and the view that shows them."""

import csv
import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data import Table, TableWarning, toy
from multilayer.data.delimited import csv_errors, read_delimited
from multilayer.data.dialects import Opens, find_dialect, opened
from multilayer.data.formats import COMPRESSED, format_of
from multilayer.data.reading import refuse_broken
from multilayer.data.split import split_at_random
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.evaluation.samples import are_there
from multilayer.model import Classes, Columns, Inputs, Numbers, Targets, Values
from multilayer.model.target_column import MOST_CLASSES, read_target
from multilayer.playground.bundled import SIDE, digits, iris
from multilayer.playground.features import FEATURES, features_of
from multilayer.playground.settings import PLAIN, DataSettings
from multilayer.playground.view import View
from multilayer.registry import Names

__all__ = ["SETS", "Samples", "read_csv", "samples_of"]

Array = npt.NDArray[Any]

SETS: dict[str, Callable[..., tuple[Array, Array]]] = {
    **toy.PLANE_SETS,
    "blobs": toy.blobs,
    "plane": toy.plane,
    "curve": toy.curve,
}
"""Functions that draw toy data sets, by name."""
REACH = 1.5
"""Points drawn by hand lie between −REACH and REACH; `page/state.js` has this number, too."""
MAX_NUMBERS = 20_000_000
"""Maximum number of cells in a table, and of inputs in all its rows."""
MAX_COLUMNS = 2_000
NOTING = threading.Lock()
TABLE = "the table"
"""The name of a table in messages."""
MOST_DRAWN = 1_500
"""Maximum numbers of training samples, and of validation samples, that are drawn."""
ARE_FOR = "are only for points of the plane"
"""An error message about features."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a session, encoded for its network.

    Attributes
    ----------
    X : array of shape (n_samples, in_features)
    y : array of shape (n_samples,)
        Classes, or values, before encoding.
    encoded : array
        The targets in the form that a loss takes.
    rows, held_out : array of int
        Indices of the training samples and of the validation samples.
    inputs : Inputs
    targets : Targets
    view : View
    places : array of shape (n_samples, 1 or 2)
        The positions of the samples in the view, from 0 to 1 inside it.
    columns : tuple of str
        The columns of the table that contains the samples; empty if they are not from a table.
    target : str
        The name of the target.
    notes : tuple of str
        Remarks on doubtful entries of the table.
    side : int
        Height and width of the images in pixels, if the samples are images; otherwise 0.
    labels : tuple of str
        Labels of the inputs; if empty, those of `inputs` or `view`.
    """

    X: Array
    y: Array
    encoded: Array
    rows: Array
    held_out: Array
    inputs: Inputs
    targets: Targets
    view: View
    places: Array
    columns: tuple[str, ...] = ()
    target: str = "class"
    notes: tuple[str, ...] = ()
    side: int = 0
    labels: tuple[str, ...] = ()

    @property
    def codes(self) -> Array:
        """The class of each sample as a number, or its value, for pictures."""
        if self.targets.task == "classification":
            return np.searchsorted(self.targets.classes, self.y)
        return self.y

    @property
    def shown(self) -> Array:
        """Indices of the samples that are drawn: training samples, then validation samples."""
        return np.concatenate([_some(self.rows), _some(self.held_out)])

    def to_csv(self) -> str:
        """Return the encoded samples as the text of a CSV file."""
        names = self.inputs.input_names or [f"x{i + 1}" for i in range(self.X.shape[1])]
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow([*names, self.target])
        for x, y in zip(self.X.tolist(), self.y.tolist(), strict=True):
            rows.writerow([*(f"{value:.9g}" for value in x), y])
        return out.getvalue()


def _some(rows: Array) -> Array:
    return rows[:: -(-len(rows) // MOST_DRAWN) or 1]


def samples_of(said: DataSettings, table: Table | None) -> Samples:
    """Return the samples that the settings describe.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, InvalidTypeError
        If the samples are not suitable for training.
    """
    if said.kind == "table":
        if table is None:
            raise InvalidDataError("there is no table yet: paste one, or drop a file")
        return _of_table(said, table)
    if said.kind == "iris":
        return _of_table(said, iris())
    rng = np.random.default_rng(said.seed)
    reach, axes, side = None, ("x₁", "x₂"), 0
    match said.kind:
        case "points":
            (X, y), reach = _drawn(said), REACH
        case "formula":
            X, y = toy.formula(said.formula, said.n_samples, said.noise, rng)
            axes = "x", "y"
        case "digits":
            (X, y), side = digits(), SIDE
        case _:
            X, y = SETS[said.kind](said.n_samples, noise=said.noise, rng=rng)
    is_class = y.dtype.kind == "i"
    targets: Targets = Classes(np.unique(y)) if is_class else Values(1)
    if said.kind == "formula" and not is_class:  # its values may be of any size
        targets = _scaled(y)
    points = X.astype(np.float32)
    view = View.of_table(points, (), ()) if side else View.of_drawn(points, reach, axes)
    value = "z" if "y" in view.names else "y"
    names: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    if said.features != PLAIN:
        if X.shape[1] != 2:
            raise InvalidArgumentError(ARE_FOR, "features")
        names, labels = said.features, tuple(FEATURES[name].label for name in said.features)
        view = replace(view, features=partial(features_of, said.features))
        X = features_of(said.features, X)
    X = X.astype(np.float32)
    return Samples(
        X,
        y,
        targets.encode(y),
        *split_at_random(len(y), said.validation, rng),
        Numbers(X.shape[1], names=names),
        targets,
        view,
        view.positions(points),
        labels=labels,
        target="digit" if side else "class" if is_class else value,
        side=side,
    )


def _scaled(y: Array) -> Values:
    """Return the values as targets of mean 0 and standard deviation 1."""
    return Values(1, mean=np.array([y.mean()]), scale=np.array([y.std()]))


def _drawn(said: DataSettings) -> tuple[Array, Array]:
    """Return the points that were drawn by hand."""
    drawn = np.array(said.points, dtype=float).reshape(-1, 3)
    y = drawn[:, 2].astype(np.int64)
    if len(np.unique(y)) < 2:
        raise InvalidDataError(
            "draw points of at least two classes: there is nothing to tell apart"
        )
    return drawn[:, :2], y


def read_csv(content: bytes) -> tuple[Table, tuple[str, ...]]:
    r"""Return the table in the content of a CSV file, and remarks on doubtful entries.

    Files in other formats are rejected, and compressed files, too, since a few bytes could become
    any number of rows.

    Raises
    ------
    InvalidDataError
        If the content is not a CSV file, or too large.

    Examples
    --------
    >>> read_csv(b"a;b\n1,5;x\n2,5;y\n")
    (Table(2 rows: a, b), ())
    """
    opens = partial(io.BytesIO, content)
    with _noting() as said:
        is_packed = content.startswith(tuple(COMPRESSED))
        form = None if is_packed else format_of(opens, None, TABLE)
        if form is None or form.mark or form.is_json:
            raise InvalidDataError("must be a CSV file, and not compressed", TABLE)
        _check_size(content, opens, form.encoding)
        found = read_delimited(opens, form.encoding, TABLE)
        refuse_broken([found.counted], None)
    if not len(found.table):
        raise InvalidDataError("has a header but no rows", TABLE)
    return found.table, (*found.remarks, *form.remarks, *_in_words(said))


def _check_size(content: bytes, opens: Opens, encoding: str) -> None:
    """Raise if a table has too many columns or cells; a short row counts as a full one."""
    with csv_errors(TABLE), opened(opens, encoding) as text:
        n_columns = len(find_dialect(text, None, TABLE).names)
    if n_columns > MAX_COLUMNS:
        rule = f"must have at most {MAX_COLUMNS:,} columns"
        raise InvalidDataError(rule, TABLE, got=f"{n_columns:,}")
    n_cells = n_columns * content.count(b"\n")
    if n_cells > MAX_NUMBERS:
        rule = f"must have at most {MAX_NUMBERS:,} cells"
        raise InvalidDataError(rule, TABLE, got=f"{n_cells:,}")


@contextmanager
def _noting() -> Iterator[list[warnings.WarningMessage]]:
    """Collect warnings, in one session at a time: all threads share Python's warning filters."""
    with NOTING, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield said


def _in_words(said: list[warnings.WarningMessage]) -> tuple[str, ...]:
    return tuple(str(each.message) for each in said if isinstance(each.message, TableWarning))


def _of_table(said: DataSettings, table: Table) -> Samples:
    if said.features != PLAIN:
        raise InvalidArgumentError(ARE_FOR, "features")
    target = Names("target", table.columns).check(said.target or table.columns[-1])
    others = [name for name in table.columns if name != target]
    if not others:
        raise InvalidDataError(f"the table has no column besides the target, {target!r}")
    y, is_there, targets = _targets(table, target)
    places = np.flatnonzero(is_there)
    table, y = table.select(others).take(places), y[is_there]
    with _noting() as doubts:
        columns = Columns.of(table, name=TABLE)
        n_numbers = len(table) * columns.in_features
        if n_numbers > MAX_NUMBERS:
            rule = (
                f"has {len(table):,} rows with {columns.in_features:,} inputs each, but at most "
                f"{MAX_NUMBERS:,} numbers are allowed. Leave out rows, or columns of text"
            )
            raise InvalidDataError(rule, TABLE)
        X = np.asarray(columns.encode(table)[:], dtype=np.float32)
    view = View.of_table(X, columns.input_names, said.shown)
    return Samples(
        X,
        y,
        targets.encode(y),
        *split_at_random(len(y), said.validation, np.random.default_rng(said.seed)),
        columns,
        targets,
        view,
        view.positions(X),
        (*others, target),
        target,
        _in_words(doubts),
    )


def _targets(table: Table, name: str) -> tuple[Array, Array, Targets]:
    """Return a column as targets, which rows have a target, and the kind of the targets."""
    found = read_target(table, name)
    is_there = are_there(found.values)
    present, where = found.values[is_there], f"{table[name].where}, the target,"
    kinds = np.unique(present)
    if len(kinds) < 2:
        raise InvalidDataError(f"{where} must have at least two values")
    if found.task == "regression":
        return found.values, is_there, _scaled(present)
    if len(kinds) > MOST_CLASSES:
        rule = f"must have at most {MOST_CLASSES} classes; it has {len(kinds):,}"
        raise InvalidDataError(f"{where} {rule}")
    kind = str if found.notation is None else np.int64
    return np.where(is_there, found.values, 0).astype(kind), is_there, Classes(kinds.astype(kind))
