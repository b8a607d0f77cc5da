"""evaluate: judge a model on new samples."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data import TableWarning
from multilayer.errors import InvalidArgumentError
from multilayer.evaluation.bootstrap import estimates
from multilayer.evaluation.comparisons import compared, simple_models
from multilayer.evaluation.evaluation import Evaluation
from multilayer.evaluation.judging import judged
from multilayer.evaluation.measures import Measure
from multilayer.evaluation.results import Calibration, Peer
from multilayer.evaluation.samples import OWNER, samples_of
from multilayer.evaluation.slices import LEAST
from multilayer.evaluation.task import Task
from multilayer.files import load_model
from multilayer.model import adopt
from multilayer.registry import Names

__all__ = ["evaluate"]

Array = npt.NDArray[Any]


def evaluate(
    model: Any, X: Any, y: Any, *, groups: Any = None, by: str | None = None, seed: int = 0
) -> Evaluation:
    """Judge a model on samples that it was not trained on.

    The metrics fit the model's targets and the loss it was trained with. For classes, they are the
    log loss, accuracy, balanced accuracy, area under the ROC curve (for more than two classes, the
    mean of each against the rest) and Brier score; for values, errors and R², with the Poisson
    deviance for rates, and the pinball loss and coverage for quantiles. Each has a 95 % interval:
    see `Estimate`.

    The model is compared with the best constant prediction and with a linear model. These are
    fitted to the same samples by 5-fold cross-validation, so they know the new samples'
    distribution, which the model may not; a model that is no better than they are is of little use.

    Samples of classes that the model does not know count as errors. In the log loss, probabilities
    below the resolution of the network's numbers are raised to it.

    Parameters
    ----------
    model : Model, MLP, Ensemble, estimator or path
        A model with one target. The classes of a network that records none are the numbers of its
        outputs.
    X : array or table of shape (n_samples, in_features)
        A table may have further columns.
    y : array of shape (n_samples,)
        The targets; samples whose target is None or NaN are left out.
    groups : str or array of shape (n_samples,), optional
        The group of each sample, such as a patient, or the column of X that holds it. Samples of
        one group belong together: resamples and folds take whole groups.
    by : str, optional
        The only column of X by whose values samples are compared; by default, all columns are used.
    seed : int
        The seed of resamples and folds.

    Returns
    -------
    Evaluation

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError, ModelFileError
        If `model` contains no network or has several targets, or the samples do not fit it.

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
    samples = samples_of(X, y, groups, found)
    if by is not None:
        if samples.table is None:
            raise InvalidArgumentError("needs a table with named columns", "by", OWNER)
        Names("by", samples.table.columns).check(by, OWNER)
    task, predicted = judged(found, samples.X, samples.y, model)
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)  # the model's columns have already warned
        peers = simple_models(task, found, samples, seed, notes)
        slices = compared(task, predicted, peers.get("linear"), found, samples, by)
    if by is not None and not slices:
        notes.append(f"column {by!r} has no groups to compare: each needs at least {LEAST} rows")
    measures = task.measures(predicted) | {"bias": task.bias_of(predicted)}
    for peer, others in peers.items():
        own = task.measures(others)[task.main]
        measures[f"gain over {peer}"] = _difference(own, measures[task.main])
    values = estimates(
        measures, len(samples.y), samples.groups, seed, cost=max(task.n_outputs() // 2, 1)
    )
    gains = {peer: values.pop(f"gain over {peer}") for peer in peers}
    bias, bins = values.pop("bias"), task.reliability(predicted)
    calibration = Calibration(
        task.calibration,
        bins,
        bias,
        "" if None in bias else task.meaning(predicted, bias),
        bins.error if task.has_probabilities else None,
        bins.by_chance if task.has_probabilities else None,
    )
    classes, confusion = task.scores(predicted)
    both = {
        peer: Peer(getattr(task, peer), _values(task, others), gains[peer])
        for peer, others in peers.items()
    }
    return Evaluation(
        subject=repr(found),
        task=task.name,
        n_samples=len(samples.y),
        n_without_target=samples.n_without_target,
        n_groups=None if samples.groups is None else int(samples.groups.max()) + 1,
        metrics=values,
        main=task.main,
        width=task.width,
        baseline=both.get("baseline"),
        linear=both.get("linear"),
        calibration=calibration,
        classes=classes,
        confusion=confusion,
        error=task.error,
        slices=tuple(slices),
        notes=tuple(notes),
    )


def _difference(a: Measure, b: Measure) -> Measure:
    return lambda weight: a(weight) - b(weight)


def _values(task: Task, predicted: Array) -> dict[str, float | None]:
    """Return the measures of predictions, without intervals."""
    ones = np.ones((len(predicted), 1))
    found = {name: float(of(ones)[0]) for name, of in task.measures(predicted).items()}
    return {name: None if np.isnan(value) else value for name, value in found.items()}
