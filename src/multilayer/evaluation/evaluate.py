"""evaluate: judge a model by new samples."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data import Table, TableWarning, read_table
from multilayer.errors import InvalidArgumentError, InvalidDataError, MultilayerError
from multilayer.evaluation.bootstrap import estimates
from multilayer.evaluation.classes import ClassTask
from multilayer.evaluation.evaluation import Evaluation
from multilayer.evaluation.measures import Measure
from multilayer.evaluation.results import Calibration, ClassScore, Peer
from multilayer.evaluation.simple import baseline, folds_of, linear
from multilayer.evaluation.slices import LEAST, Slice, parts_of, slices
from multilayer.evaluation.task import Task
from multilayer.evaluation.values import ValueTask
from multilayer.evaluation.words import meaning_of
from multilayer.files import load_model
from multilayer.model import (
    Columns,
    Model,
    adopt,
    loss_of_data,
    loss_of_output,
    of_outputs,
    recorded_loss,
)
from multilayer.numpy import Loss, Quantile
from multilayer.registry import Names

__all__ = ["evaluate"]

Array = npt.NDArray[Any]

OWNER = "evaluate"
MOST_CLASSES = 20
"""Of more classes there is no confusion matrix."""


def evaluate(
    model: Any, X: Any, y: Any, *, groups: Any = None, by: str | None = None, seed: int = 0
) -> Evaluation:
    """Judge a model by samples that it was not trained on.

    The metrics fit the model's targets and the loss it was trained with: log loss, accuracy,
    balanced accuracy, area under the ROC curve (of more than two classes the mean of each against
    the rest) and Brier score of classes; errors and R² of values, with the Poisson deviance of
    rates, and the pinball loss and coverage of quantiles. Each has a 95 % interval: see `Estimate`.

    The model is compared with the best constant prediction and with a linear model. These are
    fitted to the same samples by 5-fold cross-validation, so they know the new samples'
    distribution, which the model may not; a model that is not better is hardly of use here.

    Classes that the model does not know count as errors. In the log loss, probabilities below the
    resolution of the network's numbers count as that.

    Parameters
    ----------
    model : Model, MLP, Ensemble, estimator or path
        With one target. The classes of a network without targets are its output numbers.
    X : array or table of shape (n_samples, in_features)
        A table may have further columns.
    y : array of shape (n_samples,)
        The targets; samples where it is None or NaN are left out.
    groups : str or array of shape (n_samples,), optional
        Samples of one group, such as a patient, belong together: resamples and folds take whole
        groups. An array, or the name of a column.
    by : str, optional
        A column, by whose values alone samples are compared. By default it is each column.
    seed : int
        The seed of resamples and folds.

    Returns
    -------
    Evaluation

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError, ModelFileError
        If there is no network in `model`, it has several targets, or the samples do not suit it.

    Examples
    --------
    >>> import numpy as np
    >>> from multilayer import MLPClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "opposite")
    >>> clf = MLPClassifier((16,), solver="lbfgs", random_state=0).fit(X[:300], y[:300])
    >>> found = evaluate(clf, X[300:], y[300:])
    >>> bool(found.metrics["accuracy"].low > 0.9)
    True
    >>> bool(found.linear.metrics["accuracy"] < 0.7)
    True
    """
    found = adopt(model, OWNER, load_model)
    table = _table_of(X, found)
    y, kept = _present(y)
    if len(y) < 2:
        raise InvalidDataError("must have two targets at least", "y", OWNER, got=str(len(y)))
    codes, name = _codes(groups, table, len(kept))
    rows = np.flatnonzero(kept)
    if len(rows) < len(kept):
        X, codes = _taken(X, rows, len(kept)), None if codes is None else codes[rows]
        table = None if table is None else table.take(rows)
    if codes is not None:
        _, codes = np.unique(codes, return_inverse=True)
    samples = X if table is None or found.inputs.names is None else _inputs(found, table)
    task, predicted = _judged(found, samples, y)
    if by is not None:
        if table is None:
            raise InvalidArgumentError("needs a table with names of columns", "by", OWNER)
        Names("by", table.columns).check(by, OWNER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)  # the model's columns have said it
        notes: list[str] = []
        peers = _peers(task, found, samples, codes, seed, notes)
        compared = _slices(task, predicted, table, found, codes, by, name)
    measures = task.measures(predicted) | {"bias": task.bias_of(predicted)}
    for peer, others in peers.items():
        own = task.measures(others)[task.main]
        measures[f"gain over {peer}"] = _difference(own, measures[task.main])
    values = estimates(measures, len(y), codes, seed)
    gains = {peer: values.pop(f"gain over {peer}") for peer in peers}
    bias, bins = values.pop("bias"), task.reliability(predicted)
    is_probability = isinstance(task, ClassTask)
    calibration = Calibration(
        task.calibration,
        bins,
        bias,
        meaning_of(task, predicted, bias),
        bins.error if is_probability else None,
        bins.by_chance if is_probability else None,
    )
    classes, confusion = _classes(task, predicted)
    both = {
        peer: Peer(getattr(task, peer), _values(task, others), gains[peer])
        for peer, others in peers.items()
    }
    return Evaluation(
        subject=repr(found),
        task=task.name,
        n_samples=len(y),
        n_without_target=len(kept) - len(y),
        n_groups=None if codes is None else int(codes.max()) + 1,
        metrics=values,
        main=task.main,
        width=task.width if isinstance(task, ValueTask) else None,
        baseline=both.get("baseline"),
        linear=both.get("linear"),
        calibration=calibration,
        classes=classes,
        confusion=confusion,
        error=task.error,
        slices=tuple(compared),
        notes=tuple(notes),
    )


# Samples -----------------------------------------------------------------------------------


def _table_of(X: Any, model: Model) -> Table | None:
    """Return samples as a table if their columns have names."""
    if not (isinstance(X, (Table, Mapping)) or hasattr(X, "columns")):
        return None
    return read_table(X).without(model.inputs.missing)


def _inputs(model: Model, table: Table) -> Any:
    """Return the model's columns of a table, in the form it takes."""
    names = model.inputs.names
    assert names is not None
    absent = [name for name in model.inputs.needed if name not in table.columns]
    if absent:
        rule = f"must have all inputs of the model; missing: {', '.join(absent)}"
        raise InvalidDataError(rule, table.name, got=", ".join(table.columns))
    return model.inputs.from_table(table.select([n for n in names if n in table.columns]), [])


def _present(y: Any) -> tuple[Array, Array]:
    """Return the targets that are there, and where they are."""
    y = checks.array(y, f"y of {OWNER}")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        rule = "must be a vector, one target a sample"
        raise InvalidDataError(rule, "y", OWNER, got=f"shape {y.shape}")
    if y.dtype.kind == "f":
        kept = ~np.isnan(y)
    else:
        kept = np.array([each is not None and each == each for each in y.tolist()], dtype=bool)
    return y[kept], kept


def _taken(X: Any, rows: Array, n: int) -> Any:
    """Return some of the samples."""
    if isinstance(X, Mapping) or hasattr(X, "columns"):
        return read_table(X).take(rows)
    X = X if hasattr(X, "shape") else checks.array(X, f"X of {OWNER}")
    if len(X) != n:
        raise InvalidDataError(f"must have {n} samples, as y has", "X", OWNER, got=len(X))
    return X[rows]


def _codes(groups: Any, table: Table | None, n: int) -> tuple[Array | None, str | None]:
    """Return the group of each sample as a number, and the name of the column."""
    if groups is None:
        return None, None
    name = None
    if isinstance(groups, str):
        if table is None:
            rule = "must be an array, or a column of a table"
            raise InvalidArgumentError(rule, "groups", OWNER, got=repr(groups))
        name = Names("groups", table.columns).check(groups, OWNER)
        codes, _ = table[name].categories()  # rows without a group are one, of code −1
    else:
        _, codes = np.unique(checks.array(groups, f"groups of {OWNER}"), return_inverse=True)
    if codes.shape != (n,):
        rule = f"must have shape ({n},), one group a sample"
        raise InvalidDataError(rule, "groups", OWNER, got=codes.shape)
    if len(np.unique(codes)) < 2:
        raise InvalidDataError("must have two groups at least", "groups", OWNER)
    return codes, name


# Predictions -------------------------------------------------------------------------------


def _judged(model: Model, X: Any, y: Array) -> tuple[Task, Array]:
    """Return how the targets are judged, and the predictions for them."""
    outputs, targets = model(X), model.targets
    if len(outputs) != len(y):
        raise InvalidDataError(f"must have {len(outputs)} targets, as X has samples", "y", OWNER,
                               got=len(y))  # fmt: skip
    if not np.isfinite(outputs).all():
        raise InvalidDataError("must predict finite numbers for all samples", "model", OWNER)
    loss = _loss_of(model, y)
    if targets is not None and (targets.task == "multilabel" or isinstance(targets.classes, list)):
        raise InvalidArgumentError("must have one target", "model", OWNER, got=repr(targets))
    if (loss.task if targets is None else targets.task) == "regression":
        predicted = outputs if targets is None else targets.decode(outputs)
        predicted = predicted.reshape(len(y), -1).astype(np.float64)
        n_wanted = len(loss.quantiles) if isinstance(loss, Quantile) else 1
        if predicted.shape[1] != n_wanted:
            rule = "must predict one value a sample, or quantiles of a recorded loss"
            raise InvalidArgumentError(rule, "model", OWNER, got=f"{predicted.shape[1]} outputs")
        return ValueTask(checks.finite_array(y, "y", np.float64), loss), predicted
    if targets is None:
        classes, p = of_outputs(model.net, outputs, OWNER)
    else:
        classes, p = targets.classes, targets.probabilities(outputs)
    task = ClassTask(y, classes, float(np.finfo(outputs.dtype).eps))
    return task, task.known(p)


def _loss_of(model: Model, y: Array) -> Loss:
    """Return the loss that a model was trained with; if it is not recorded, the likely one."""
    history = model.information.get("history")
    history = history[0] if isinstance(history, list) and history else history
    settings = history.get("settings") if isinstance(history, dict) else None
    training = model.information.get("training")
    recorded = recorded_loss(
        settings if isinstance(settings, dict) else {},
        training if isinstance(training, dict) else {},
    )
    if recorded is not None:
        return recorded
    own = None if model.targets is None else model.targets.loss()
    architecture = model.net.architecture
    return own or loss_of_output(architecture.output) or loss_of_data(y, architecture.out_features)


# Comparisons -------------------------------------------------------------------------------


def _peers(
    task: Task, model: Model, X: Any, groups: Array | None, seed: int, notes: list[str]
) -> dict[str, Array]:
    """Return the predictions of simple models by name."""
    folds = folds_of(task, groups, seed)
    if not folds:
        notes.append("too few samples to fit a baseline and a linear model to five folds")
        return {}
    found = {"baseline": baseline(task, folds)}
    try:
        found["linear"] = linear(task, _features(model, X), folds, seed)
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


def _slices(
    task: Task,
    predicted: Array,
    table: Table | None,
    model: Model,
    groups: Array | None,
    by: str | None,
    grouped_by: str | None,
) -> list[Slice]:
    """Return the slices of the table's columns, compared."""
    if table is None or len(task.y) < 2 * LEAST:
        return []
    inputs = model.inputs
    kinds = _kinds(inputs, table) if isinstance(inputs, Columns) else {}
    names = [by] if by is not None else [n for n in table.columns if n != grouped_by]
    if by is not None and by == grouped_by:
        groups = None  # the question is about these groups, not about others like them
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
    return slices(parts, task.errors(predicted), groups)


def _difference(a: Measure, b: Measure) -> Measure:
    return lambda weight: a(weight) - b(weight)


def _values(task: Task, predicted: Array) -> dict[str, float | None]:
    """Return the measures of predictions, without intervals."""
    ones = np.ones((len(predicted), 1))
    found = {name: float(of(ones)[0]) for name, of in task.measures(predicted).items()}
    return {name: None if np.isnan(value) else value for name, value in found.items()}


def _classes(task: Task, predicted: Array) -> tuple[tuple[ClassScore, ...], list[list[int]] | None]:
    """Return how each class is predicted, and the confusion matrix."""
    if not isinstance(task, ClassTask):
        return (), None
    confusion = task.confusion(predicted)
    right, n, n_predicted = (
        each.tolist() for each in (confusion.diagonal(), confusion.sum(1), confusion.sum(0))
    )
    scores = tuple(
        ClassScore(
            str(name),
            n[k],
            n_predicted[k],
            right[k] / n_predicted[k] if n_predicted[k] else None,
            right[k] / n[k] if n[k] else None,
            k < task.n_known,
        )
        for k, name in enumerate(task.classes)
    )
    return scores, confusion.tolist() if len(task.classes) <= MOST_CLASSES else None
