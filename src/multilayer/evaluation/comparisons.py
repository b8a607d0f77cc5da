"""What a model's predictions are compared with: simple models, and each other."""

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
    """Return the predictions of simple models by name."""
    folds = folds_of(task, samples.groups, seed)
    if not folds:
        notes.append("too few samples to fit a baseline and a linear model to five folds")
        return {}
    found = {"baseline": baseline(task, folds)}
    try:
        found["linear"] = linear(task, _features(model, samples.X), folds, seed)
    except (ValueError, MemoryError) as error:
        notes.append(f"no linear model to compare with: {str(error).partition(chr(10))[0]}")
    return found


def _features(model: Model, X: Any) -> Array:
    """Return inputs for a linear model: a table's columns as such, or standardised numbers."""
    if isinstance(model.inputs, Columns):
        table = model.inputs.read(X)
        return Columns.of(table, _kinds(model.inputs, table)).encode(table)[:]
    x = checks.sample_matrix(model.inputs.encode(X), model.inputs.in_features, np.float64)
    deviation = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def _kinds(columns: Columns, table: Table) -> dict[str, str]:
    """Return the kinds that the model has found the columns to be of."""
    return {c.name: c.kind for c in columns.columns if c.input_names and c.name in table.columns}


def compared(
    task: Task,
    predicted: Array,
    by_linear: Array | None,
    model: Model,
    samples: Samples,
    by: str | None,
) -> list[Slice]:
    """Return the slices of the table's columns, or of one, compared."""
    table, groups = samples.table, samples.groups
    if table is None:
        return []
    kinds = _kinds(model.inputs, table) if isinstance(model.inputs, Columns) else {}
    names = [by] if by is not None else [n for n in table.columns if n != samples.grouped_by]
    if by is not None and by == samples.grouped_by:
        groups = None  # the question is about these groups, not about others like them
        kinds[by] = "categorical"
    parts = []
    for name in names:
        own = table.select([name])
        try:
            columns = Columns.of(own, {n: kind for n, kind in kinds.items() if n == name})
        except MultilayerError:  # nothing to learn from it, as from identifiers
            if by is None:
                continue
            columns = Columns.of(own, {name: "categorical"})
        parts += list(parts_of(own, columns, groups))
    of_linear = None if by_linear is None else task.errors(by_linear)
    return slices(parts, task.errors(predicted), groups, of_linear)
