"""MLPRegressor: an estimator that predicts values, counts or quantiles."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Self

import numpy.typing as npt
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.estimators.base import BaseMLP
from multilayer.estimators.parameters import ACTIVATION, LOSS, WIDTHS, documented, says
from multilayer.estimators.regression import (
    form_of,
    resolved_loss,
    score_of,
    values_of,
)
from multilayer.estimators.settings import check_takes_steps
from multilayer.estimators.targets import numbers_of_targets, plain_targets
from multilayer.estimators.validation import Checked
from multilayer.model import Targets
from multilayer.numpy import Loss

__all__ = ["MLPRegressor"]

Array = npt.NDArray[Any]


@documented
@dataclass(eq=False, repr=False)
class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """A multilayer perceptron for regression: scikit-learn's, plus what its users ask for.

    It has every parameter of ``sklearn.neural_network.MLPRegressor``, with the same meaning and
    default; the same `random_state` gives the same initial weights and order of samples.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    oob_prediction_ : array of shape (n_samples,) or (n_samples, n_targets)
        If `resample` is set, the mean predictions of the members that have not seen the sample; NaN
        if there are none.
    {attributes}

    Raises
    ------
    ValueError, TypeError
        From `fit`, if a parameter or a sample cannot be used; the message says which and where.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = MLPRegressor(hidden_layer_sizes=8, solver="lbfgs", alpha=1.0, scale_targets=True,
    ...                    random_state=0).fit(X, y)
    >>> bool(reg.score(X, y) > 0.4)
    True
    """

    # fmt: off
    loss: Any = field(default="squared_error", metadata=LOSS)
    hidden_layer_sizes: Any = field(default=(100,), metadata=WIDTHS)
    activation: Any = field(default="relu", metadata=ACTIVATION)
    _: KW_ONLY
    scale_targets: bool = field(default=False, metadata=says("bool", ["boolean"], """
        Whether the network trains on targets scaled to zero mean and unit variance, or counts
        scaled to a mean of 1; its predictions are scaled back."""))
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
        """Train the network on samples and their target values.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target values.
        sample_weight : array-like of shape (n_samples,), optional
            The weight of each sample, at least 0.
        X_val, y_val, sample_weight_val : optional
            Separate validation samples, with their targets and weights.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @available_if(check_takes_steps)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one more epoch on these samples; the solver keeps its state.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self
        """
        if self.scale_targets:
            raise InvalidArgumentError(
                "scale_targets=True is not supported for partial_fit, which does not see all "
                "targets: scale them yourself"
            )
        return self._fit(X, y, sample_weight, is_incremental=True)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the values of each sample: a vector for one output, else a column per output.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        return_std : bool
            Whether to also return the standard deviation over the members' predictions,
            √(Σ (ŷₖ − ȳ)²/(K − 1)): how far networks with different seeds and rows disagree. It
            grows where samples are few. It does not include the noise of the targets, so it is not
            the expected error, and mean ± 2 deviations is not an interval for new targets: for
            that, see `multilayer.numpy.Quantile`.

        Returns
        -------
        values : array of shape (n_samples,) or (n_samples, n_outputs)
        std : array of the same shape
            If `return_std` is true.
        """
        check_is_fitted(self)
        if not return_std:
            return self._targets.decode(self._outputs(X))
        if not self._is_ensemble:
            rule = "needs several members: set n_members"
            raise InvalidArgumentError(rule, "return_std", "predict")
        return self._mean_and_std(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R², or D² for absolute errors and quantiles (the share of their loss explained).

        For several targets or quantiles, it is the mean. For counts, it is R², as in scikit-learn's
        MLPRegressor.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), optional
        """
        check_is_fitted(self)
        y = plain_targets(y, "y", are_numbers=True)
        y, _ = numbers_of_targets(y, "y", self._targets.notation)
        return float(_score_of(self._loss)(y, self.predict(X), sample_weight=sample_weight))

    def _targets_of(self, found: Checked) -> Targets:
        targets = values_of(self._resolved_loss(), found, is_scaled=self.scale_targets)
        checks.finite_squares(targets.encode(found.y), "targets")
        return targets

    def _check_targets(self, y: Array, targets: Any, *, is_training: bool) -> None:
        n_targets, n_each, output = form_of(self._resolved_loss(), y)
        for name, before, now in (
            ("targets", targets.n_targets, n_targets),
            ("outputs for each", targets.n_each, n_each),
            ("link function", targets.output, output),
            ("scale_targets", targets.mean is not None, bool(self.scale_targets)),
        ):
            if before != now:
                rule = f"must be {before!r}, as in the previous fit, to continue with its network"
                raise InvalidDataError(rule, name, got=repr(now))
        checks.finite_squares(targets.encode(y), "targets")

    def _loss_and_score(self, targets: Targets) -> tuple[Loss, Callable[..., float]]:
        loss = self._resolved_loss()
        return loss, _score_of(loss)

    def _resolved_loss(self) -> Loss:
        return resolved_loss(self.loss, type(self).__name__)


def _score_of(loss: Loss) -> Callable[..., float]:
    """Return the score that fits a loss; for counts R², which scikit-learn uses to stop early."""
    return r2_score if loss.link == "exp" else score_of(loss)[1]
