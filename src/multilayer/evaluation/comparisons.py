"""Compare a model's predictions with those of simple models, and between groups of samples."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data import Table
from multilayer.errors import MultilayerError
from multilayer.evaluation.samples import Samples
from multilayer.evaluation.simple import baseline, folds_of, linear
from multilayer.evaluation.slices import Slice, parts_of, slices
from multilayer.evaluation.task import Task
from multilayer.model import Columns, Model

__all__ = ["compared", "simple_models"]

Array = npt.NDArray[Any]


def simple_models(
    task: Task, model: Model, samples: Samples, seed: int, notes: list[str]
) -> dict[str, Array]:
    """Return the predictions of simple models by name; add a note if one cannot be fitted."""
    folds = folds_of(task, samples.groups, seed)
    if not folds:
        notes.append("too few samples to fit a baseline and a linear model in five folds")
        return {}
    found = {"baseline": baseline(task, folds)}
    try:
        found["linear"] = linear(task, _features(model, samples.X), folds, seed)
    except (ValueError, MemoryError) as error:
        notes.append(f"no linear model to compare with: {str(error).partition(chr(10))[0]}")
    return found


def _features(model: Model, X: Any) -> Array:
    """Return inputs for a linear model: a table's encoded columns, or standardised numbers."""
    if isinstance(model.inputs, Columns):
        table = model.inputs.read(X)
        return Columns.of(table, _kinds(model.inputs, table)).encode(table)[:]
    x = checks.sample_matrix(model.inputs.encode(X), model.inputs.in_features, np.float64)
    deviation = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def _kinds(columns: Columns, table: Table) -> dict[str, str]:
    """Return the kind of each column, as the model knows it."""
    return {c.name: c.kind for c in columns.columns if c.input_names and c.name in table.columns}


def compared(
    task: Task,
    predicted: Array,
    by_linear: Array | None,
    model: Model,
    samples: Samples,
    by: str | None,
) -> list[Slice]:
    """Return the compared slices of all of the table's columns, or of the column `by`."""
    table, groups = samples.table, samples.groups
    if table is None:
        return []
    kinds = _kinds(model.inputs, table) if isinstance(model.inputs, Columns) else {}
    names = [by] if by is not None else [n for n in table.columns if n != samples.grouped_by]
    if by is not None and by == samples.grouped_by:
        groups = None  # the question is about these very groups, not about others like them
        kinds[by] = "categorical"
    parts = []
    for name in names:
        own = table.select([name])
        try:
            columns = Columns.of(own, {n: kind for n, kind in kinds.items() if n == name})
        except MultilayerError:  # there is nothing to learn from it, as in identifiers
            if by is None:
                continue
            columns = Columns.of(own, {name: "categorical"})
        parts += list(parts_of(own, columns, groups))
    of_linear = None if by_linear is None else task.errors(by_linear)
    return slices(parts, task.errors(predicted), groups, of_linear)
