"""What the classifier and the regressor share: fitting, continuing to fit, and predicting."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from multilayer import checks, forks
from multilayer.caller import warn
from multilayer.data import TableWarning
from multilayer.errors import ModelFileError
from multilayer.estimators.fitted import Fitted
from multilayer.estimators.fitting import Job, Outcome, Past, train_network
from multilayer.estimators.html import fitted_html
from multilayer.estimators.information import described
from multilayer.estimators.lockstep import train_networks
from multilayer.estimators.members import (
    bootstrap,
    check_members,
    check_memory,
    folds_of,
    results_of,
    seeds_of,
    unseen_outputs,
    unseen_predictions,
    warning_of_all,
)
from multilayer.estimators.parameters import Parameters
from multilayer.estimators.samples import Part, as_samples, set_aside
from multilayer.estimators.settings import NAMES, Settings, check_same_network
from multilayer.estimators.validation import (
    Checked,
    are_given,
    check_data,
    check_same_columns,
    check_samples,
)
from multilayer.estimators.weights import network_of, new_network, views_of
from multilayer.model import (
    Columns,
    Targets,
    features_of,
)
from multilayer.numpy import MLP, Ensemble, Loss
from multilayer.samples import Data

__all__ = ["BaseMLP", "Reading"]

Array = npt.NDArray[Any]

STRUCTURE = 2
"""Version of the pickled attributes; raise it when they are renamed or change their meaning."""

# random_state=None means NumPy's global generator, which another thread may be drawing from.
forks.hold(check_random_state(None)._bit_generator.lock)


FEATURES = ("n_features_in_", "feature_names_in_")
OF_SOME_FITS = (
    "coefs_", "intercepts_", "seeds_", "oob_score_", "oob_prediction_", "oob_decision_function_",
    "_n_drawn",
)  # fmt: skip
"""Attributes that only some fits set: those of one network, of several, or with `resample`."""


@dataclass(frozen=True)
class Reading:
    """The checked samples of a fit, and what was found about them.

    Parameters
    ----------
    training, held_out : Part
        The training and the validation data given to `fit`.
    targets : Targets
        The meaning of the targets.
    columns : Columns or None
        The columns of a table; None if samples are plain numbers.
    has_sparse_targets : bool
        Whether the targets came as a sparse matrix.
    dtype : dtype
        The type in which the network computes.
    description : dict or None
        The description of the samples for a model file.
    features : dict
        The estimator's attributes that describe its features.
    """

    training: Part
    held_out: Part | None
    targets: Targets
    columns: Columns | None
    has_sparse_targets: bool
    dtype: Any
    description: dict[str, Any] | None
    features: dict[str, Any]


class BaseMLP(Fitted, TransformerMixin, Parameters, BaseEstimator):  # type: ignore[misc]
    """A multilayer perceptron with scikit-learn's API.

    It does no arithmetic itself: a `multilayer.numpy.MLP` computes, `multilayer.training.train`
    trains it or its PyTorch twin, and a `multilayer.model.Targets` gives outputs their meaning.
    """

    takes_embeddings = False
    """Whether numbers and categories become inputs for learned embeddings."""
    _targets: Any
    """The meaning of the outputs, as `_targets_of` returned it."""
    _pasts: list[Past]
    """What each member's next training run continues from."""

    # Defined by the classifier and the regressor -------------------------------------------

    def _targets_of(self, found: Checked) -> Targets:
        """Return the targets of a new network, or raise."""
        raise NotImplementedError

    def _check_targets(self, y: Array, targets: Any, *, is_training: bool) -> None:
        """Raise if a network with these targets cannot be trained or judged on `y`."""
        raise NotImplementedError

    def _loss_and_score(self, targets: Targets) -> tuple[Loss, Callable[..., float]]:
        """Return the loss to minimise, and the score of validation samples."""
        raise NotImplementedError

    # Fitting -------------------------------------------------------------------------------

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        *,
        targets: Targets | None = None,
        is_incremental: bool = False,
    ) -> Self:
        """Train, for `fit` and for `partial_fit`, which may know the targets beforehand."""
        with self._fitting():
            reading = self._read(
                X, y, sample_weight, X_val, y_val, sample_weight_val,
                targets=targets, is_incremental=is_incremental,
            )  # fmt: skip
            jobs = self._jobs(reading, is_incremental=is_incremental)
            outcomes = train_networks(jobs) if len(jobs) > 1 else [train_network(jobs[0])]
            self._take(reading, jobs, outcomes)
        return self

    @contextmanager
    def _fitting(self) -> Iterator[None]:
        """Name this class's parameters in errors, and restore the estimator after one."""
        with self._all_or_nothing(), checks.in_terms_of(type(self).__name__, NAMES):
            yield

    def _starts(self, *, is_incremental: bool) -> tuple[bool, bool]:
        """Return whether training starts from new weights, and whether it continues a fit."""
        has_weights = hasattr(self, "coefs_") and hasattr(self, "intercepts_")
        is_anew = not (has_weights or self._is_ensemble) or not (self.warm_start or is_incremental)
        return is_anew, hasattr(self, "_net") and not is_anew

    def _read(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        *,
        targets: Targets | None = None,
        is_incremental: bool = False,
    ) -> Reading:
        """Check the samples of a fit, and find out what they and their targets mean."""
        _, goes_on = self._starts(is_incremental=is_incremental)
        found, targets = self._validate(X, y, sample_weight, targets, goes_on=goes_on)
        self.__dict__.update(found.features)  # validation samples are compared with them
        data = Data(as_samples(found.X), targets.encode(found.y), found.weight)
        if is_incremental and not goes_on and found.columns is not None:
            n = data.n_samples
            msg = (
                f"partial_fit decided what the columns of X hold from its first {n:,} "
                "rows; categories that first appear later are treated as unknown"
            )
            warn(TableWarning(msg, ()))
        held_out = self._validate_held_out(X_val, y_val, sample_weight_val, found, targets)
        return Reading(
            Part(data),
            None if held_out is None else Part(held_out),
            targets=targets,
            columns=found.columns,
            has_sparse_targets=found.is_sparse,
            dtype=found.X.dtype,
            description=None if is_incremental else described(data.X, found.y, self.n_features_in_),
            features={name: value for name, value in self.__dict__.items() if name in FEATURES},
        )

    def _jobs(self, reading: Reading, *, is_incremental: bool = False) -> list[Job]:
        """Return each member's job, with everything that is drawn at random before training."""
        is_anew, goes_on = self._starts(is_incremental=is_incremental)
        targets = reading.targets
        loss, score = self._loss_and_score(targets)
        n_inputs = reading.training.data.X.shape[1]
        settings = Settings.of(self, n_inputs, targets, loss, score, is_incremental=is_incremental)
        if not is_anew or is_incremental:
            check_members(self, len(self._pasts) if goes_on else 0)
        owner = type(self).__name__
        check_memory(self.n_members, settings.architecture, reading.dtype, owner)
        seeds: Any = [None]  # a single network continues to draw from a given RandomState
        if goes_on:
            seeds = getattr(self, "seeds_", seeds)
        elif self.n_members > 1 or self.resample is not None:
            seeds = seeds_of(self.random_state, self.n_members)
        folds = None
        if self.resample == "folds":
            folds = folds_of(reading.training, targets, self.n_members, seeds[0])
        before = self.networks_ if goes_on else []
        jobs = []
        for k, seed in enumerate(seeds):
            random_state = check_random_state(self.random_state if seed is None else seed)
            training, held_out = reading.training, reading.held_out
            if folds is not None:
                training = training.take(folds[k][0])
            if is_anew:
                net = new_network(settings.architecture, reading.dtype, random_state)
            elif goes_on:
                net = before[k]
                check_same_network(net.architecture, settings.architecture)
            else:  # weights set by hand before any fit
                net = network_of(settings.architecture, self.coefs_, self.intercepts_)
            if held_out is None and settings.keeps_best:
                training, held_out = set_aside(training, settings, random_state)
            if self.resample == "bootstrap":
                training = bootstrap(training, seed)
            past = self._pasts[k] if goes_on else Past()
            jobs.append(Job(settings, net, training, held_out, past, random_state, seed))
        return jobs

    def _validate(
        self, X: Any, y: Any, sample_weight: Any, targets: Targets | None, *, goes_on: bool
    ) -> tuple[Checked, Targets]:
        """Return the checked training data, and the meaning of its targets."""
        columns = None
        if goes_on:
            columns, targets = self._columns, targets or self._targets
            check_same_columns(columns, self._kinds, self.columns)
        notation = getattr(targets, "notation", None)
        found = check_data(self, X, y, sample_weight, columns, notation, reset=not goes_on)
        if targets is None:
            return found, self._targets_of(found)
        self._check_targets(found.y, targets, is_training=True)
        return found, targets

    def _validate_held_out(
        self, X: Any, y: Any, sample_weight: Any, training: Checked, targets: Targets
    ) -> Data | None:
        """Return the checked validation data, if `fit` was given any."""
        if not are_given(X, y, sample_weight):
            return None
        columns, notation = training.columns, training.notation
        found = check_data(self, X, y, sample_weight, columns, notation, reset=False, suffix="_val")
        self._check_targets(found.y, targets, is_training=False)
        return Data(as_samples(found.X), targets.encode(found.y), found.weight)

    def _take(
        self, reading: Reading, jobs: Sequence[Job], outcomes: Sequence[Outcome | Exception]
    ) -> None:
        """Store the members' outcomes under scikit-learn's names, and issue their warnings."""
        trained = []
        for k, outcome in enumerate(outcomes):
            if not isinstance(outcome, Outcome):
                if len(jobs) > 1:
                    outcome.add_note(f"in member {k} of {len(jobs)}")
                raise outcome
            trained.append(outcome)
        for name in OF_SOME_FITS:  # the previous fit may have been of another kind
            self.__dict__.pop(name, None)
        self.__dict__.update(reading.features)
        settings, targets = jobs[0].settings, jobs[0].settings.targets
        # The user may change `columns` later.
        self._columns, self._kinds = reading.columns, copy(self.columns)
        self._targets, self._has_sparse_targets = targets, reading.has_sparse_targets
        if targets.classes is not None:
            self.classes_ = targets.classes
        self._loss = settings.loss
        self._data = reading.description

        nets = [outcome.net for outcome in trained]
        if len(nets) == 1:
            self._net: MLP | Ensemble = nets[0]
            self.coefs_, self.intercepts_ = views_of(nets[0])
        else:
            self._net = Ensemble.of(nets)
        architecture = self._net.architecture
        self.n_layers_ = len(architecture.hidden_features) + 2
        self.n_outputs_ = architecture.out_features
        is_logistic = architecture.output == "sigmoid"
        self.out_activation_ = "logistic" if is_logistic else architecture.output

        if jobs[0].seed is not None:
            self.seeds_ = [job.seed for job in jobs]
        self._pasts = [outcome.past for outcome in trained]
        self.__dict__.update(results_of(trained))
        if self.resample is not None:
            part, sizes = reading.training, targets.softmax_sizes
            outputs, self._n_drawn = unseen_outputs(part, reading.held_out, jobs, nets, sizes)
            self.__dict__.update(unseen_predictions(targets, outputs))
            are_judged = ~np.isnan(outputs[:, 0])
            predicted, y = outputs[are_judged], part.targets[are_judged]
            if targets.classes is not None:
                predicted = targets.encode(targets.decode(predicted))
            weight = None if part.weight is None else part.weight[are_judged]
            can_judge = len(y) if weight is None else weight.any()
            score = settings.score(y, predicted, sample_weight=weight) if can_judge else math.nan
            self.oob_score_ = float(score)
        if (warning := warning_of_all([outcome.warning for outcome in trained])) is not None:
            warn(warning)

    # Predicting ----------------------------------------------------------------------------

    def _inputs(self, X: Any) -> Any:
        """Check samples to predict, and return them as the network's inputs."""
        check_is_fitted(self)
        return as_samples(check_samples(self, X, self._columns))

    def transform(self, X: Any) -> Array:
        """Return ψ(x), the last hidden layer's output: the learned features of all members.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        features : array of shape (n_samples, n_members · width of the last hidden layer)
        """
        inputs = self._inputs(X)
        return features_of(self._network(), inputs)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names of `transform`'s columns.

        Parameters
        ----------
        input_features : ignored
            Part of scikit-learn's API.
        """
        check_is_fitted(self)
        a = self._net.architecture
        width = (a.in_features, *a.hidden_features)[-1] * len(self._pasts)
        return np.array([f"{type(self).__name__.lower()}{i}" for i in range(width)], dtype=object)

    # scikit-learn's API --------------------------------------------------------------------

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
        """Return scikit-learn's table of parameters and, once fitted, layers and losses."""
        html: str = super()._html_repr()
        return html + fitted_html(self) if hasattr(self, "history_") else html

    def __getstate__(self) -> dict[str, Any]:
        if hasattr(self, "_net"):
            self._network()  # copies anything written to `coefs_` and `intercepts_`
        state = super().__getstate__() | {"_structure": STRUCTURE}
        if "_net" in state:  # views would become copies
            for name in ("coefs_", "intercepts_"):
                state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("_structure") != STRUCTURE:
            rule = "was pickled by another release, and can only be fitted again; save() writes "
            rule += "files that later releases read"
            raise ModelFileError(rule, type(self).__name__)
        super().__setstate__({name: value for name, value in state.items() if name != "_structure"})
        if isinstance(net := getattr(self, "_net", None), MLP):
            self.coefs_, self.intercepts_ = views_of(net)
