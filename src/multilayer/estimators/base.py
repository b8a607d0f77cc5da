"""What classifier and regressor share: fitting, going on with it, and predicting."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted

from multilayer import checks, forks
from multilayer.architecture import Architecture
from multilayer.caller import warn
from multilayer.data import TableWarning
from multilayer.data.notation import Notation
from multilayer.errors import InvalidArgumentError, InvalidDataError, ModelFileError
from multilayer.estimators.fitting import Job, Samples, as_samples, forget_results, set_aside
from multilayer.estimators.html import fitted_html
from multilayer.estimators.information import described, information_of
from multilayer.estimators.settings import (
    CONSTRAINTS,
    NAMES,
    check_same_network,
    make_architecture,
    make_initializer,
)
from multilayer.estimators.validation import (
    check_same_columns,
    numbers_of_targets,
    plain_targets,
    table_of,
    validated,
)
from multilayer.estimators.weights import take_weights, views_of
from multilayer.files import export_onnx, save_model
from multilayer.model import Columns, Model, Numbers, Targets
from multilayer.numpy import MLP, Loss
from multilayer.training import Metric

__all__ = ["BaseMLP"]

Array = npt.NDArray[Any]

STRUCTURE = 1
"""Of what is pickled: another number wherever attributes are renamed, or hold something else."""

# random_state=None is NumPy's one generator for all, which another thread may be drawing from.
forks.hold(check_random_state(None)._bit_generator.lock)


class BaseMLP(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A multilayer perceptron with scikit-learn's protocol.

    It holds no arithmetic: a `multilayer.numpy.MLP` computes, `multilayer.training.train` trains
    it, or its twin on PyTorch, and a `multilayer.model.Targets` says what outputs mean.
    """

    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    alpha: float
    batch_size: Any
    learning_rate: Any
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: Any
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: Any
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: Any
    normalization: Any
    clip_norm: Any
    clip_value: Any
    columns: Any
    callbacks: Any
    engine: str
    device: Any
    precision: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def _store(self, parameters: dict[str, Any]) -> None:
        """Keep the arguments of `__init__` as they came."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # What classifier and regressor each have their own of ----------------------------------

    _columns: Columns | None = None
    _kinds: Any = None
    """The parameter `columns` of the fit that `_columns` is of."""
    _notation: Notation | None = None
    """How targets that are text write their numbers."""
    _targets: Targets
    _targets_are_numbers: ClassVar[bool]

    def _take_targets(self, y: Array, *, reset: bool, incremental: bool) -> None:
        """Decide by checked targets what `_targets` is, or raise if they do not go on with it."""
        raise NotImplementedError

    def _check_targets(self, y: Array) -> None:
        """Raise if targets to validate on are not of the kind that is trained on."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        raise NotImplementedError

    def _score_metric(self, weight: Array | None) -> Metric:
        """Return the validation score of coded targets."""
        raise NotImplementedError

    def _weights(self, X: Any, y: Any, sample_weight: Any, name: str) -> Array | None:
        """Return one weight a sample, or None."""
        raise NotImplementedError

    def _strata(self, targets: Array) -> Array | None:
        """Return what a validation part is stratified by."""
        return None

    def _are_alone(self, targets: Array) -> Array:
        """Return which samples are the only ones of their class."""
        return np.zeros(len(targets), dtype=bool)

    def _advice(self, targets: Array) -> str:
        """Return what may keep a training on these coded targets from its end; else nothing."""
        return ""

    # Fitting -------------------------------------------------------------------------------

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Put the estimator back as it was, if what is done inside fails."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        *,
        incremental: bool = False,
    ) -> Self:
        with self._all_or_nothing(), checks.in_terms_of(type(self).__name__, NAMES):
            if incremental and self.early_stopping:
                msg = f"partial_fit does not support early_stopping={self.early_stopping!r}"
                raise InvalidArgumentError(msg)
            is_first = self._is_first(incremental)
            X, y = self._validate(X, y, reset=is_first, incremental=incremental)
            if is_first and incremental and self._columns is not None:
                n = len(y)
                msg = (
                    f"partial_fit decided what the columns of X hold from its first {n:,} "
                    "rows; categories that first appear later count as unknown"
                )
                warn(TableWarning(msg, ()))
            weight = self._weights(X, y, sample_weight, "sample_weight")
            data = Samples(X, self._targets.encode(y), weight)
            self._data = None if incremental else described(as_samples(X), y, self.n_features_in_)
            random_state = check_random_state(self.random_state)
            architecture = make_architecture(self, X.shape[1], self._targets)
            if is_first:
                self._initialize(architecture, X.dtype, random_state)
            data, held_out = self._hold_out(data, X_val, y_val, sample_weight_val, random_state)
            net = self._network(architecture)
            job = Job(self, net, data, held_out, random_state, incremental=incremental)
            job.train()
            job.finish()
            job.warn()
        return self

    def _is_first(self, incremental: bool) -> bool:
        """Return whether a fit begins with new weights."""
        has_weights = hasattr(self, "coefs_") and hasattr(self, "intercepts_")
        return not has_weights or not (self.warm_start or incremental)

    def _validate(
        self,
        X: Any,
        y: Any,
        *,
        reset: bool,
        incremental: bool = False,
        is_training: bool = True,
    ) -> tuple[Any, Array]:
        """Return samples and targets, to train on or to validate on, checked."""
        names = ("X", "y") if is_training else ("X_val", "y_val")
        y = plain_targets(y, names[1], are_numbers=self._targets_are_numbers)
        X, y = self._validate_samples(X, y, reset=reset, names=names)
        is_sparse = issparse(y)
        y = y.toarray() if is_sparse else y
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if is_training:
            self._take_targets(y, reset=reset, incremental=incremental)
            self._has_sparse_targets = is_sparse
        else:
            self._check_targets(y)
        return X, y

    def _validate_samples(self, X: Any, y: Any, *, reset: bool, names: tuple[str, str]) -> Any:
        """Return samples as the network's inputs, and targets, checked by themselves."""
        settings: dict[str, Any] = {"multi_output": True, "y_numeric": self._targets_are_numbers}
        if reset:
            self._columns, self._kinds = None, copy(self.columns)
        else:
            check_same_columns(self._columns, self._kinds, self.columns)
        if self.columns is None and isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
            rule = "must not have masked entries: fill them, or take columns='auto'"
            raise InvalidDataError(rule, names[0])
        table = None
        if self.columns is not None:
            table = table_of(self, X, reset=reset, name=names[0])
            columns = self._columns
            if columns is None:
                kinds = None if self.columns == "auto" else self.columns
                columns = self._columns = Columns.of(table, kinds, names[0])
            X = columns.encode(table, names[0])
            settings["is_encoded"] = True
        if self._targets_are_numbers:
            known = None if reset else self._notation
            y, self._notation = numbers_of_targets(y, names[1], known, table)
        return validated(self, X, y, reset=reset, names=names, **settings)

    def _initialize(
        self, architecture: Architecture, dtype: Any, random_state: np.random.RandomState
    ) -> None:
        """Draw first weights, and forget what an earlier fit has left."""
        # A RandomState and a Generator draw the same real numbers of the same bits.
        rng = np.random.Generator(random_state._bit_generator)
        net = MLP(architecture, dtype=dtype, initializer=make_initializer(architecture), rng=rng)
        forget_results(self)
        self._show_weights(net)

    def _show_weights(self, net: MLP) -> None:
        """Take over a network, and show its weights under scikit-learn's names."""
        self._net = net
        self.coefs_, self.intercepts_ = views_of(net)
        a = net.architecture
        self.n_layers_ = len(a.hidden_features) + 2
        self.n_outputs_ = a.out_features
        self.out_activation_ = "logistic" if a.output == "sigmoid" else a.output

    def _network(self, architecture: Architecture | None = None) -> MLP:
        """Return the network, with whatever has been written to `coefs_` and `intercepts_`."""
        net = getattr(self, "_net", None)
        if net is None:  # weights that were set by hand
            assert architecture is not None  # who predicts has been asked whether there is a fit
            self._initialize_from_weights(architecture)
            net = self._net
        if architecture is not None:
            check_same_network(net.architecture, architecture)
        if take_weights(net, self.coefs_, self.intercepts_):
            self.coefs_, self.intercepts_ = views_of(net)
        return net

    def _initialize_from_weights(self, architecture: Architecture) -> None:
        """Build the network of weights that were set by hand before any fit."""
        coefs, intercepts = self.coefs_, self.intercepts_
        is_single = all(np.asarray(W).dtype == np.float32 for W in coefs)
        dtype = np.float32 if is_single else np.float64
        self._initialize(architecture, dtype, np.random.RandomState(0))
        self.coefs_, self.intercepts_ = coefs, intercepts

    def _hold_out(
        self,
        data: Samples,
        X_val: Any,
        y_val: Any,
        weight: Any,
        random_state: np.random.RandomState,
    ) -> tuple[Samples, Samples | None]:
        """Return what is trained on, and what epochs are judged by: given, or set aside."""
        if X_val is None and y_val is None:
            if weight is not None:
                rule = "must be given with X_val and y_val"
                raise InvalidArgumentError(rule, "sample_weight_val", "fit")
            if not self.early_stopping:
                return data, None
            strata, kept = self._strata(data.targets), np.zeros(len(data), dtype=bool)
            if self.early_stopping == "loss":  # with True it is refused, as by scikit-learn
                kept = self._are_alone(data.targets)
            return set_aside(data, self.validation_fraction, strata, random_state, kept=kept)
        for name, other, value in (("X_val", "y_val", X_val), ("y_val", "X_val", y_val)):
            if value is None:
                raise InvalidArgumentError(f"must be given with {other}", name, "fit", got="None")
        X, y = self._validate(X_val, y_val, reset=False, is_training=False)
        weight = self._weights(X, y, weight, "sample_weight_val")
        return data, Samples(X, self._targets.encode(y), weight)

    # Predicting ----------------------------------------------------------------------------

    def _outputs(self, X: Any) -> Array:
        samples = self._checked(X)
        return self._network()(samples)

    def _checked(self, X: Any) -> Any:
        """Return samples to predict, checked."""
        check_is_fitted(self)
        if self._columns is not None:
            return self._columns.encode(table_of(self, X, reset=False))
        return as_samples(validated(self, X, reset=False))

    def transform(self, X: Any) -> Array:
        """Return ψ(x), the last hidden layer's output: the features that have been learned.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        features : array of shape (n_samples, width of the last hidden layer)
        """
        samples = self._checked(X)
        return self._network().features(samples)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names of `transform`'s columns.

        Parameters
        ----------
        input_features : ignored
            Part of scikit-learn's protocol.
        """
        check_is_fitted(self)
        a = self._net.architecture
        width = (a.in_features, *a.hidden_features)[-1]
        return np.array([f"{type(self).__name__.lower()}{i}" for i in range(width)], dtype=object)

    @property
    def network_(self) -> MLP:
        """The network from scratch, whatever engine has trained it."""
        check_is_fitted(self)
        return self._network()

    @property
    def columns_(self) -> Columns | None:
        """What the columns of a table became; None where samples are numbers alone."""
        check_is_fitted(self)
        return self._columns

    # Files ---------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what predicts to a safetensors file, which cannot run code.

        `multilayer.load` reads it; predicting from it needs neither scikit-learn nor PyTorch.

        Parameters
        ----------
        path : path
            Where to write; a file that is there is replaced when the new one is whole.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError, TypeError
            If the classes or the names of the columns are of a kind that no file holds.
        OSError
            If the file cannot be written.
        """
        save_model(path, self.to_model())

    def export(self, path: str | os.PathLike[str], *, sample: Any = None) -> None:
        """Write what predicts to an ONNX file, checked by onnxruntime before it takes its name.

        Parameters
        ----------
        path : path
            Where to write; a file that is there is replaced when the new one is whole.
        sample : array of shape (n_samples, n_features), optional
            What is predicted to compare; random numbers by default.

        Raises
        ------
        sklearn.exceptions.NotFittedError, multilayer.errors.MultilayerError
            Before `fit`; or as `multilayer.files.export_onnx` does.
        """
        export_onnx(path, self.to_model(), sample=sample)

    def to_model(self) -> Model:
        """Return what predicts without this estimator; they share the network.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        names = getattr(self, "feature_names_in_", None)
        net = self.network_
        inputs = self._columns or Numbers(net.architecture.in_features, names=names)
        return Model(net, self._targets, inputs, information_of(self))

    # scikit-learn's protocol ---------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_net")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        takes_tables = self.columns is not None
        tags.input_tags.sparse = not takes_tables
        tags.input_tags.allow_nan = takes_tables
        tags.input_tags.string = takes_tables
        tags.input_tags.categorical = takes_tables
        tags.transformer_tags.preserves_dtype = [] if takes_tables else ["float64", "float32"]
        return tags

    def _html_repr(self) -> str:
        """Return scikit-learn's picture of the parameters, and the layers and losses if fitted."""
        html: str = super()._html_repr()
        return html + fitted_html(self) if hasattr(self, "history_") else html

    def __getstate__(self) -> dict[str, Any]:
        if hasattr(self, "_net"):
            self._network()  # takes in what was written to the weights
        state = super().__getstate__() | {"_structure": STRUCTURE}
        if "_net" in state:  # views would become copies
            del state["coefs_"], state["intercepts_"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("_structure") != STRUCTURE:
            rule = "was pickled by another release, and can only be fitted again; save() writes "
            rule += "files that later releases read"
            raise ModelFileError(rule, type(self).__name__)
        super().__setstate__({name: value for name, value in state.items() if name != "_structure"})
        if hasattr(self, "_net"):
            self.coefs_, self.intercepts_ = views_of(self._net)
