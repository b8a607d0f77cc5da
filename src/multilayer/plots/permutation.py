"""Permutation importance: which inputs a model relies on."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, get_scorer_names, r2_score

from multilayer import checks
from multilayer.data import Table, read_table
from multilayer.data.entries import Origin
from multilayer.errors import InvalidDataError, InvalidTypeError, MissingPackageError
from multilayer.model import class_places, model_in
from multilayer.plots.models import (
    class_probabilities,
    column_names,
    opened,
    predicted_values,
)
from multilayer.plots.style import BLUE, GREY, one_axes
from multilayer.registry import Names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["importance"]

Array = npt.NDArray[Any]
Score = Callable[[Any, Any], float]

MAX_SAMPLES = 4_000
"""Enough samples to know a share within ± 1.6 % (two standard errors), few enough to be fast."""


def importance(
    model: Any,
    X: Any,
    y: Any,
    *,
    scoring: str | Callable[..., float] | None = None,
    n_repeats: int = 10,
    n_features: int = 15,
    feature_names: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how much worse a model gets when one input is shuffled, with the spread over shuffles.

    This is permutation importance (Breiman 2001, section 10), computed with scikit-learn's
    ``permutation_importance``: the decrease in score without an input, however the model uses it.
    If two inputs carry the same information, each may look unimportant because of the other.

    Parameters
    ----------
    model : estimator, Model, MLP, path or callable
        Any estimator or Model, or another kind of classifier. With `scoring`, any model.
    X : array or table of shape (n_samples, in_features)
        Samples, preferably not used for training. The model gets a table as a pandas DataFrame. Of
        more than 4,000 samples, 4,000 evenly spaced ones are used.
    y : array of shape (n_samples,)
        The samples' targets.
    scoring : str or callable, optional
        The name of a scikit-learn score, or a function of model, X and y. By default, an
        estimator's own ``score``, R² for a regression Model, and the accuracy for others.
    n_repeats : int
        Number of shuffles per input, at least 2.
    n_features : int
        Number of inputs to draw: those with the largest mean decrease.
    feature_names : sequence of str, optional
        Names of the inputs; by default, those of the table, the estimator or the Model.
    rng : numpy.random.Generator, optional
        Draws the shuffles.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        A box for each input, the most important on top: quartiles, whiskers to the extremes, and a
        dot for the mean.

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidDataError, InvalidTypeError
        If matplotlib is not installed, or pandas is needed for a table; or an argument is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> ax = importance(lambda X: X[:, 0] > 0, X, X[:, 0] > 0, feature_names=["used", "unused"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['unused', 'used']
    """
    from sklearn.inspection import permutation_importance

    owner = "importance"
    n_repeats = checks.integer(n_repeats, "n_repeats", owner, minimum=2)
    n_features = checks.integer(n_features, "n_features", owner)
    seed = int(checks.random_generator(rng, owner).integers(2**32))
    model = opened(model)
    own = model_in(model)
    table = None
    if own is not None and own.inputs.takes_tables:
        table = X = read_table(X, "X", own.inputs.names)
    elif np.ndim(X) != 2:
        rule = "must have shape (n_samples, in_features)"
        raise InvalidDataError(rule, "X", owner, got=np.shape(X))
    elif hasattr(X, "columns"):
        X = _as_pandas(X)
    else:
        X = checks.array(X, "X", owner)
    names = _names(model, X, feature_names)
    n_samples, n_columns = X.shape
    rows = np.arange(n_samples)
    if n_samples > MAX_SAMPLES:
        rows = np.linspace(0, n_samples - 1, MAX_SAMPLES).astype(np.intp)
        y = np.asarray(y)[rows]
    score = _score(model, scoring)
    if table is not None:  # shuffle row numbers, so that no entry is parsed again
        X, score = np.tile(rows[:, None], n_columns), _of_rows(score, table)
    elif n_samples > MAX_SAMPLES:
        X = X.iloc[rows] if hasattr(X, "iloc") else X[rows]
    found = permutation_importance(
        _Predictor(model),
        X,
        y,
        scoring=lambda _, X, y: score(X, y),
        n_repeats=n_repeats,
        random_state=seed,
    )
    shown = np.argsort(found.importances_mean, kind="stable")[-n_features:]
    ax = one_axes(ax, owner, (6.0, 0.28 * len(shown) + 1.2))
    boxes = ax.boxplot(
        list(found.importances[shown]),
        orientation="horizontal",
        whis=(0, 100),
        widths=0.6,
        patch_artist=True,
        showmeans=True,
        showfliers=False,
        boxprops={"facecolor": "#8fc1de", "edgecolor": BLUE},
        medianprops={"color": BLUE},
        meanprops={"marker": "o", "markerfacecolor": "black", "markeredgecolor": "black",
                   "markersize": 4},
    )  # fmt: skip
    for part in ("whiskers", "caps"):
        for line in boxes[part]:
            line.set_color(BLUE)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    ax.set_yticks(range(1, len(shown) + 1), [names[i] for i in shown])
    name = scoring if isinstance(scoring, str) else "score"
    ax.set_xlabel(f"decrease in the {name.replace('_', ' ')} when the input is shuffled")
    ax.locator_params(axis="x", nbins=6)
    n_left = n_columns - len(shown)
    if n_left:
        title = f"the {len(shown)} most important of {n_columns:,} inputs"
        ax.set_title(title, fontsize="medium")
    return ax


def _as_pandas(X: Any) -> Any:
    """Return a table of any library as a pandas DataFrame, whose columns scikit-learn keeps."""
    import narwhals as nw

    try:
        return nw.from_native(X, eager_only=True).to_pandas()
    except TypeError as error:
        rule = "must be an array or a table in memory"
        raise InvalidTypeError(rule, "X", "importance", got=type(X).__name__) from error
    except ImportError as error:
        raise MissingPackageError(
            'importance needs pandas for the columns of a table: pip install "pandas"'
        ) from error


class _Predictor(BaseEstimator):  # type: ignore[misc]
    """A model as an estimator for scikit-learn, which requires a `fit` but never calls it."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: Any, y: Any) -> None:
        """Do nothing."""

    def predict(self, X: Any) -> Array:
        """Return the model's predictions."""
        return np.asarray(self.model.predict(X))


class _Classifier(ClassifierMixin, _Predictor):  # type: ignore[misc]
    """A classification Model, with the probabilities that some scores need."""

    @property
    def classes_(self) -> Array:
        """The model's classes."""
        return self.model.targets.classes

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class."""
        return np.asarray(self.model.predict_proba(X))


def _score(model: Any, scoring: Any) -> Score:
    """Return the score as a function of X and y."""
    if callable(scoring):
        return lambda X, y: scoring(model, X, y)
    if scoring is not None:
        return _named_score(model, scoring)
    if hasattr(model, "score"):
        return lambda X, y: model.score(X, y)
    targets = getattr(model, "targets", None)
    own = _accuracy if targets is None or targets.task != "regression" else _r2
    return lambda X, y: own(model, X, y)


def _named_score(model: Any, scoring: Any) -> Score:
    """Return the scikit-learn score with this name."""
    if not hasattr(model, "predict"):
        rule = (
            f"must be a function of model, X and y, or None, for {type(model).__name__}, which "
            "has no predict"
        )
        raise InvalidTypeError(rule, "scoring", "importance", got=repr(scoring))
    scorer = get_scorer(Names("scoring", get_scorer_names()).check(scoring, "importance"))
    estimator = model
    if not hasattr(model, "fit"):
        targets = getattr(model, "targets", None)
        has_one_class = targets is not None and targets.has_one_class
        estimator = (_Classifier if has_one_class else _Predictor)(model)
    return lambda X, y: scorer(estimator, X, y)


def _of_rows(score: Score, table: Table) -> Score:
    """Return a score that takes row numbers for each column of a table."""
    origin = Origin("X")

    def of_rows(rows: Array, y: Any) -> float:
        entries = [table[name].take(rows[:, i], origin) for i, name in enumerate(table.columns)]
        return score(table.with_columns(entries), y)

    return of_rows


def _r2(model: Any, X: Any, y: Any) -> float:
    return float(r2_score(y, predicted_values(model, X, "importance")))


def _accuracy(model: Any, X: Any, y: Any) -> float:
    classes, p = class_probabilities(model, X, "importance")
    return float((p.argmax(axis=1) == class_places(y, classes, len(p), "importance")).mean())


def _names(model: Any, X: Any, given: Sequence[str] | None) -> list[str]:
    n = X.shape[1]
    found: Any = given
    if found is None:
        found = getattr(X, "columns", None)
    if found is None:
        found = column_names(model)
    if found is None:
        return [f"input {i}" for i in range(n)]
    if len(found) != n:
        rule = f"must be {n} names, one per input"
        raise InvalidDataError(rule, "feature_names", "importance", got=len(found))
    return list(map(str, found))
