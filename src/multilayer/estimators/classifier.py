"""MLPClassifier: an estimator that predicts classes or labels."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import check_is_fitted

from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.estimators.base import BaseMLP
from multilayer.estimators.parameters import ACTIVATION, SHARE, WIDTHS, documented, says
from multilayer.estimators.settings import check_takes_steps
from multilayer.estimators.targets import plain_targets
from multilayer.estimators.validation import Checked
from multilayer.model import Classes, ClassGroups, Labels, Targets
from multilayer.numpy import Loss
from multilayer.training.metrics import accuracy

__all__ = ["MLPClassifier"]

Array = npt.NDArray[Any]


@documented
@dataclass(eq=False, repr=False)
class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]
    """A multilayer perceptron for classification: scikit-learn's, plus what its users ask for.

    It minimises the cross-entropy of the class probabilities, or of each label's. It has every
    parameter of ``sklearn.neural_network.MLPClassifier``, with the same meaning and default; the
    same `random_state` gives the same initial weights and order of samples.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The classes, sorted; for labels, their numbers; for several targets, a list of arrays.
    oob_decision_function_ : array of shape (n_samples, n_classes) or list of them
        If `resample` is set, the mean probabilities over the members that have not seen the sample;
        NaN if there are none.
    {attributes}

    Raises
    ------
    ValueError, TypeError
        From `fit`, if a parameter or a sample cannot be used; the message says which and where.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier(hidden_layer_sizes=16, solver="lbfgs", random_state=0).fit(X, y)
    >>> clf.predict(X[:2])
    array([0, 0])
    """

    # fmt: off
    hidden_layer_sizes: Any = field(default=(100,), metadata=WIDTHS)
    activation: Any = field(default="relu", metadata=ACTIVATION)
    _: KW_ONLY
    class_weight: Any = field(default=None, metadata=says(
        "dict, 'balanced', list of dict or None", [dict, list, StrOptions({"balanced"}), None], """
        The weight of each class; ``'balanced'`` gives all classes the same total weight."""))
    label_smoothing: float = field(default=0.0, metadata=says("float", SHARE, """
        ε in [0, 1): targets become (1 − ε) t + ε/K over K classes."""))
    # fmt: on

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network on samples and their classes.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,), (n_samples, n_labels) or (n_samples, n_targets)
            Classes; or a matrix of 0 and 1, one column per label; or one column per target, each
            with its own classes.
        sample_weight : array-like of shape (n_samples,), optional
            The weight of each sample, at least 0.
        X_val, y_val, sample_weight_val : optional
            Separate validation samples, with their classes and weights.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @available_if(check_takes_steps)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one more epoch on these samples; the solver keeps its state.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; y need not hold all classes.
        classes : array-like of shape (n_classes,), optional
            All classes that will ever appear; required in the first call.

        Returns
        -------
        self
        """
        if self.class_weight == "balanced":
            raise InvalidArgumentError(
                "class_weight 'balanced' is not supported for partial_fit, which does not see all "
                "samples: pass a dict; sklearn.utils.compute_class_weight computes the weights"
            )
        with self._all_or_nothing():
            kind = type_of_target(y)
            if kind == "multiclass-multioutput" and not hasattr(self, "classes_"):
                raise InvalidArgumentError(
                    "partial_fit cannot begin with several targets, since it does not know all of "
                    "their classes: call fit first"
                )
            targets: Targets | None = None
            known = isinstance(getattr(self, "classes_", None), list)
            if not known and _check_partial_fit_first_call(self, classes):
                is_labels = kind.startswith("multilabel")
                targets = Labels(len(self.classes_)) if is_labels else Classes(self.classes_)
            return self._fit(X, y, sample_weight, targets=targets, is_incremental=True)

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each sample, or its labels; sparse if `y` was."""
        check_is_fitted(self)
        predicted = self._targets.decode(self._outputs(X))
        return csr_matrix(predicted) if self._has_sparse_targets else predicted

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class or label, of shape (n_samples, n_classes).

        With several targets, return a list of such arrays, one per target.
        """
        check_is_fitted(self)
        return self._targets.probabilities(self._outputs(X))

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithm of `predict_proba`."""
        found = self.predict_proba(X)
        return [np.log(p) for p in found] if isinstance(found, list) else np.log(found)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of samples predicted correctly, in all their labels or targets.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like, as in `fit`
        sample_weight : array-like of shape (n_samples,), optional
        """
        y = plain_targets(y, "y", are_numbers=False)
        predicted = self.predict(X)
        measure = accuracy if isinstance(self.classes_, list) else accuracy_score
        return float(measure(y, predicted, sample_weight=sample_weight))

    def _targets_of(self, found: Checked) -> Targets:
        y = found.y
        if y.ndim == 1:
            check_classification_targets(y)
            return Classes(unique_labels(y))
        if y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all():
            return Labels(y.shape[1])
        columns = [np.array(column.tolist()) for column in y.T]  # each has its own type
        for column in columns:
            check_classification_targets(column)
        return ClassGroups([np.unique(column) for column in columns])

    def _check_targets(self, y: Array, targets: Any, *, is_training: bool) -> None:
        if isinstance(targets.classes, list):
            return  # encoding refuses other classes
        before, classes = targets.classes, unique_labels(y)
        if is_training and self.warm_start:
            if set(classes) != set(before):
                raise InvalidDataError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {before}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, before, assume_unique=True)):
            raise InvalidDataError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {before}. 'y' has "
                f"{classes}."
            )

    def _loss_and_score(self, targets: Targets) -> tuple[Loss, Callable[..., float]]:
        loss = targets.loss(self.label_smoothing)
        assert loss is not None  # classes and labels always determine one
        return loss, accuracy

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
