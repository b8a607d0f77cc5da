"""TabularClassifier and TabularRegressor: estimators for tables, with nothing to tune."""

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted

from multilayer.errors import InvalidDataError
from multilayer.estimators.out_of_fold import logits_of_classes
from multilayer.estimators.parameters import LOSS, documented, says
from multilayer.estimators.regression import (
    resolved_loss,
    score_of,
    values_of,
)
from multilayer.estimators.tabular_base import BaseTabular
from multilayer.estimators.targets import numbers_of_targets, plain_targets
from multilayer.estimators.validation import Checked
from multilayer.model import Classes, Targets
from multilayer.numpy import Loss
from multilayer.numpy.activations.outputs import log_softmax

__all__ = ["TabularClassifier", "TabularRegressor"]

Array = npt.NDArray[Any]


@documented
@dataclass(eq=False, repr=False)
class TabularClassifier(ClassifierMixin, BaseTabular):  # type: ignore[misc]
    """A classifier for tables, with calibrated probabilities and nothing to tune.

    K networks train as one, each on all but one of K folds of the samples. So every row trains
    K − 1 networks, and the remaining one predicts it. These out-of-fold predictions determine the
    number of epochs, the temperature that calibrates probabilities, and an honest score. A
    prediction is the mean of the K networks' logits.

    Numbers become learned piecewise linear functions, and categories learned vectors: see
    `multilayer.Embeddings`.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The classes, sorted.
    oob_decision_function_ : array of shape (n_samples, n_classes)
        The probabilities from the network that has not seen the row; NaN if all have seen it, or it
        has no weight.
    oob_score_ : float
        Their accuracy; `oob_scores_` holds that of each fold.
    temperature_ : float
        The number by which the networks' logits were divided.
    {attributes}

    Raises
    ------
    ValueError, TypeError
        From `fit`, if a parameter or a sample cannot be used; the message says which and where.

    Examples
    --------
    >>> ages = np.random.default_rng(0).integers(18, 80, 400)
    >>> jobs = np.array(["cook", "smith"])[ages % 2]
    >>> table = {"age": ages, "job": jobs}
    >>> y = np.where((ages > 40) & (jobs == "cook"), "yes", "no")
    >>> model = TabularClassifier(random_state=0).fit(table, y)
    >>> bool(model.oob_score_ > 0.9)
    True
    """

    _score_name = "accuracy"

    _: KW_ONLY
    # fmt: off
    class_weight: Any = field(default=None, metadata=says(
        "dict, 'balanced' or None", [dict, StrOptions({"balanced"}), None], """
        The weight of each class; ``'balanced'`` gives all classes the same total weight."""))
    # fmt: on

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        target: str | None = None,
        groups: Any = None,
    ) -> Self:
        """Train on a table and the class of each row.

        Parameters
        ----------
        X : data frame, dict of columns, array-like of shape (n_samples, n_columns), path or Blocks
            Numbers, text, categories, dates, booleans and missing values. A path, a pattern such as
            ``"data/*.parquet"``, a list of these, or what `multilayer.data.read_blocks` returns may
            have more rows than memory holds: networks then train on all of them, and are judged by
            a sample, to which the out-of-fold predictions belong.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or str, optional
            The weight of each sample, at least 0; with `target`, the name of a column.
        target : str, optional
            The column of X that holds the classes, instead of `y`; required for files.
        groups : array-like of shape (n_samples,) or str, optional
            Which rows belong together, such as those of one patient: a group is never divided
            between training and judging. With `target`, the name of a column.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, groups, target)

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : as in `fit`
            Files are read whole. X may include the columns that were `target`, `sample_weight` and
            `groups` in `fit`.
        """
        outputs = self._outputs(X)
        return self._targets.decode(outputs)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, of shape (n_samples, n_classes)."""
        outputs = self._outputs(X)
        return self._targets.probabilities(outputs)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`, finite even where a probability rounds to 0."""
        inputs = self._inputs(X)
        logits = self._net.logits(inputs).mean(axis=0)
        one_class = len(self.classes_) == 1
        return np.zeros_like(logits) if one_class else log_softmax(logits_of_classes(logits))

    def _targets_of(self, found: Checked) -> Targets:
        if found.y.ndim != 1:
            rule = "must be one class for each sample"
            raise InvalidDataError(rule, "y", got=f"shape {found.y.shape}")
        check_classification_targets(found.y)
        return Classes(unique_labels(found.y))

    def _loss_of(self, targets: Targets) -> Loss:
        loss = targets.loss()
        assert loss is not None
        return loss

    def _measure(self, y: Array, outputs: Array, weight: Array | None) -> float:
        predicted = self._targets.encode(self._targets.decode(outputs))
        return float(accuracy_score(y, predicted, sample_weight=weight))


@documented
@dataclass(eq=False, repr=False)
class TabularRegressor(RegressorMixin, BaseTabular):  # type: ignore[misc]
    """A regressor for tables that predicts values, counts or quantiles, with nothing to tune.

    It works like `TabularClassifier`, for one or several real-valued targets. Networks train on
    targets scaled to zero mean and unit variance, or counts scaled to a mean of 1; predictions are
    the mean over the networks, within the range of the training values. For rates, this is the
    arithmetic mean: the geometric one, from the mean of the logits, would make totals too small.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    oob_prediction_ : array of shape (n_samples,) or (n_samples, n_outputs)
        The prediction by the network that has not seen the row; NaN if all have seen it, or it has
        no weight.
    oob_score_ : float
        Their score, as `score` computes it; `oob_scores_` holds that of each fold, NaN for a fold
        of a single row.
    {attributes}

    Raises
    ------
    ValueError, TypeError
        From `fit`, if a parameter or a sample cannot be used; the message says which and where.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = {"size": rng.uniform(20, 200, 400), "town": rng.choice(["A", "B"], 400)}
    >>> rent = 8 * table["size"] + 200 * (table["town"] == "B") + rng.normal(0, 20, 400)
    >>> model = TabularRegressor(random_state=0).fit(table, rent)
    >>> bool(model.oob_score_ > 0.9)
    True
    """

    _: KW_ONLY
    loss: Any = field(default="squared_error", metadata=LOSS)

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        target: str | None = None,
        groups: Any = None,
    ) -> Self:
        """Train on a table and the value of each row.

        Parameters
        ----------
        X, sample_weight, target, groups
            As in `TabularClassifier`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, groups, target)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the values of each row: a vector for one output, else a column per output.

        Parameters
        ----------
        X : as in `TabularClassifier`
        return_std : bool
            Whether to also return the standard deviation over the networks: see `MLPRegressor`.
        """
        if not return_std:
            outputs = self._outputs(X)
            return self._targets.decode(outputs)
        return self._mean_and_std(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of a constant's loss that predictions explain, R² or D².

        It is D² for absolute errors, quantiles (averaged over them) and counts: the share of the
        absolute error, pinball loss or Poisson deviance. Otherwise, it is R². For several targets,
        it is the mean.
        """
        check_is_fitted(self)
        y = plain_targets(y, "y", are_numbers=True)
        y, _ = numbers_of_targets(y, "y", self._targets.notation)
        _, score = score_of(self._loss)
        return float(score(y, self.predict(X), sample_weight=sample_weight))

    def _targets_of(self, found: Checked) -> Targets:
        loss = resolved_loss(self.loss, type(self).__name__)
        return values_of(loss, found, is_scaled=True, has_limits=True)

    def _loss_of(self, targets: Targets) -> Loss:
        return resolved_loss(self.loss, type(self).__name__)

    def _measure(self, y: Array, outputs: Array, weight: Array | None) -> float:
        if len(y) < 2:
            return math.nan
        values = self._targets.decode(outputs).reshape(len(y), -1, self._targets.n_each)
        encoded = [self._targets.encode(each) for each in np.moveaxis(values, -1, 0)]
        predicted = np.stack(encoded, axis=-1).reshape(len(y), -1)
        _, score = score_of(self._loss)
        return float(score(y, predicted, sample_weight=weight))

    @property
    def _mean_of(self) -> str:  # type: ignore[override]
        return "outputs" if self._targets.output == "exp" else "logits"

    @property
    def _score_name(self) -> str:
        name, _ = score_of(self._loss)
        return name

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
