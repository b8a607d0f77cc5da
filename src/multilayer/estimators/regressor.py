"""MLPRegressor: values, counts and quantiles."""

from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.estimators.base import BaseMLP
from multilayer.estimators.documentation import documented
from multilayer.estimators.settings import check_takes_steps
from multilayer.estimators.validation import (
    checked_weights,
    numbers_of_targets,
    plain_targets,
)
from multilayer.model import Values
from multilayer.numpy import LOSSES, Loss, Poisson, Quantile
from multilayer.registry import Names, resolve
from multilayer.training import Metric

__all__ = ["MLPRegressor"]

Array = npt.NDArray[Any]

FAR = 10.0
"""Targets whose mean or standard deviation is so many times what it ought to be train badly."""


@documented
class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """A multilayer perceptron that predicts values: scikit-learn's, and what its users ask for.

    Every parameter of ``sklearn.neural_network.MLPRegressor`` has its name, meaning and default;
    with the same `random_state` it begins with the same weights and sees the samples in the same
    order.

    Parameters
    ----------
    loss : str or Loss, default='squared_error'
        ``'squared_error'``, ``'poisson'`` (of numbers ≥ 0, such as counts; the output is exp),
        ``'absolute_error'``, ``'huber'``, ``'quantile'`` (the median), or an object, such as
        ``multilayer.numpy.Quantile((0.1, 0.5, 0.9))``: it predicts a column a quantile.
    {parameters}
    scale_targets : bool, default=False
        Whether targets are scaled to zero mean and unit variance for the network, and predictions
        back.

    Attributes
    ----------
    {attributes}

    Raises
    ------
    ValueError, TypeError
        From `fit`, if a parameter or the samples cannot be used; the message says which and where.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = MLPRegressor(hidden_layer_sizes=8, solver="lbfgs", alpha=1.0, scale_targets=True,
    ...                    random_state=0).fit(X, y)
    >>> bool(reg.score(X, y) > 0.4)
    True
    """

    loss: Any
    scale_targets: bool
    _targets: Values
    _targets_are_numbers = True
    _quantiles: tuple[float, ...]
    _is_scaled: bool

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": [str, Loss],
        "scale_targets": ["boolean"],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: Any = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        normalization: Any = None,
        clip_norm: Any = None,
        clip_value: Any = None,
        columns: Any = None,
        callbacks: Any = (),
        engine: str = "auto",
        device: Any = "auto",
        precision: Any = None,
        scale_targets: bool = False,
    ) -> None:
        self._store(locals())

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
            What each sample counts, at least 0.
        X_val, y_val, sample_weight_val : optional
            Validation samples of their own, with their targets and weights.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @available_if(check_takes_steps)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on for one epoch on these samples, with the solver's state as it is.

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
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """Return the values of each sample: a vector of one output, else a column an output."""
        check_is_fitted(self)
        return self._targets.decode(self._outputs(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R²; of several quantiles the mean of their D² (share of pinball loss explained).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), optional
        """
        y = plain_targets(y, "y", are_numbers=True)
        y, _ = numbers_of_targets(y, "y", self._notation)
        return float(self._score(sample_weight)(y, self.predict(X)))

    def _score(self, weight: Any) -> Any:
        """Return the score of targets and predictions, of the loss of the last fit."""
        if len(self._quantiles) > 1:
            return partial(_mean_d2, self._quantiles, weight)
        return partial(r2_score, sample_weight=weight)

    def _take_targets(self, y: Array, *, reset: bool, incremental: bool) -> None:
        if reset or not hasattr(self, "_targets"):
            self._targets, self._quantiles = self._wanted(y)
            self._is_scaled = bool(self.scale_targets)
        self._check_targets(y)

    def _check_targets(self, y: Array) -> None:
        with np.errstate(over="ignore"):  # what is named here
            if not np.isfinite(np.square(y, dtype=np.float64).sum()):
                rule = "must be numbers whose squares are finite"
                raise InvalidDataError(rule, "targets", got=f"{np.abs(y).max():g}")
        wanted, _ = self._wanted(y)
        for name, before, now in (
            ("targets", self._targets.n_targets, wanted.n_targets),
            ("outputs for each", self._targets.n_each, wanted.n_each),
            ("link function", self._targets.output, wanted.output),
            ("scale_targets", self._is_scaled, bool(self.scale_targets)),
        ):
            if before != now:
                rule = (
                    f"must be as in the fit before, {before!r}, for a network that is gone on with"
                )
                raise InvalidDataError(rule, name, got=repr(now))

    def _advice(self, targets: Array) -> str:
        if self._is_scaled or self._targets.output != "identity":
            return ""
        mean, deviation = float(targets.mean()), float(targets.std())
        if deviation == 0 or (1 / FAR <= deviation <= FAR and abs(mean) <= FAR * deviation):
            return ""
        return (
            f" The targets have mean {mean:.2g} and standard deviation {deviation:.2g}: with "
            "scale_targets=True the network trains on scaled targets, which works far better."
        )

    def _wanted(self, y: Array) -> tuple[Values, tuple[float, ...]]:
        """Return what the parameters say of such targets, not scaled yet, and the quantiles."""
        loss = self._loss()
        quantiles = loss.quantiles if isinstance(loss, Quantile) else ()
        values = Values(
            1 if y.ndim == 1 else y.shape[1],
            n_each=max(len(quantiles), 1),
            output="exp" if isinstance(loss, Poisson) else "identity",
            notation=self._notation,
        )
        return values, quantiles

    def _weights(self, X: Any, y: Any, sample_weight: Any, name: str) -> Array | None:
        weight: Array | None = checked_weights(X, y, sample_weight, None, name)
        if name == "sample_weight" and self._is_scaled and self._targets.mean is None:
            self._targets = self._scaled(y, weight)
        return weight

    def _scaled(self, y: Array, weight: Array | None) -> Values:
        """Return targets that are scaled to zero mean and unit variance for the network."""
        before = self._targets
        if before.output == "exp":
            rule = "cannot be combined with loss 'poisson', whose values are ≥ 0"
            raise InvalidArgumentError(rule, "scale_targets")
        scaler = StandardScaler().fit(y.reshape(len(y), -1), sample_weight=weight)
        return Values(
            before.n_targets,
            n_each=before.n_each,
            mean=scaler.mean_,
            scale=scaler.scale_,
            notation=before.notation,
        )

    def _loss(self) -> Loss:
        names = Names("loss", [name for name in LOSSES if LOSSES[name].task == "value"])
        if isinstance(self.loss, str):
            names.check(self.loss, type(self).__name__)
        loss = resolve(self.loss, LOSSES, Loss)
        if loss.task != "value":
            rule = f"must be one of {', '.join(names)}"
            raise InvalidArgumentError(rule, "loss", "MLPRegressor", got=repr(loss.name))
        return loss

    def _score_metric(self, weight: Array | None) -> Metric:
        return Metric(self._score(weight), higher_is_better=True)


def _mean_d2(quantiles: tuple[float, ...], weight: Any, y: Any, prediction: Array) -> float:
    """Return the mean D² of the quantiles' columns."""
    y = np.asarray(y).reshape(len(prediction), -1)
    by_quantile = prediction.reshape(len(y), y.shape[1], len(quantiles))
    return float(
        np.mean(
            [
                d2_pinball_score(y, by_quantile[:, :, j], alpha=tau, sample_weight=weight)
                for j, tau in enumerate(quantiles)
            ]
        )
    )
