"""BaseTabular: what the estimators for tables share, from a table to its networks."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from multilayer import checks
from multilayer.caller import warn
from multilayer.data import Blocks, read_file, read_table
from multilayer.data.folds import (
    Split,
    check_groups,
    grouped_folds,
    ordered_folds,
    stratified_folds,
)
from multilayer.data.large import LargeTable, is_in_files, open_table
from multilayer.data.table import in_memory
from multilayer.doctor import Finding, FindingWarning
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.estimators.engines import Engine
from multilayer.estimators.findings import findings_of
from multilayer.estimators.fitted import Fitted
from multilayer.estimators.html import tabular_html
from multilayer.estimators.importances import Unseen, importances_of
from multilayer.estimators.information import described
from multilayer.estimators.members import unseen_predictions
from multilayer.estimators.out_of_fold import OutOfFold
from multilayer.estimators.recipe import PATIENCE, architecture_of, batch_size, run
from multilayer.estimators.roles import Roles, divided, has_columns, without_columns
from multilayer.estimators.streaming import Beyond, RowWeights
from multilayer.estimators.tabular_parameters import TabularParameters
from multilayer.estimators.targets import shown
from multilayer.estimators.time_limit import TimeLimit, members_in_time
from multilayer.estimators.validation import Checked, check_data, check_samples
from multilayer.model import Targets
from multilayer.numpy import Ensemble, Loss

__all__ = ["BaseTabular"]

Array = npt.NDArray[Any]

REPEATS = 5
"""How many times a column is shuffled."""
IN_MEMORY = 2**30
"""Encoded samples of up to this many bytes are held in memory; others are encoded again for each
batch."""


class BaseTabular(Fitted, TabularParameters, BaseEstimator):  # type: ignore[misc]
    """What the two estimators for tables share."""

    _mean_of = "logits"
    takes_embeddings = True
    """Whether numbers and categories become inputs for learned embeddings."""
    _score_name: Any
    """The score's name for display."""
    _loss: Loss
    _roles: Sequence[str | None] = ()
    """Columns of the training table that are not inputs; tables to predict may include them."""

    # Defined by the classifier and the regressor -------------------------------------------

    def _targets_of(self, found: Checked) -> Targets:
        """Return the meaning of the targets, or raise."""
        raise NotImplementedError

    def _loss_of(self, targets: Targets) -> Loss:
        raise NotImplementedError

    def _measure(self, y: Array, outputs: Array, weight: Array | None) -> float:
        """Return the score of outputs for encoded targets."""
        raise NotImplementedError

    # Fitting -------------------------------------------------------------------------------

    def _fit(self, X: Any, y: Any, sample_weight: Any, groups: Any, target: Any) -> Self:
        with self._all_or_nothing(), checks.in_terms_of(type(self).__name__, {}):
            limit = None
            if self.time_limit is not None:
                limit = TimeLimit(self.time_limit, self._engine.ranks)
            self._roles = [target, sample_weight, groups] if target is not None else []
            if target is None and not is_in_files(X):
                self._train(X, y, sample_weight, groups, limit)
            else:
                self._train_table(X, y, sample_weight, groups, target, limit)
        return self

    def _train_table(
        self, X: Any, y: Any, weight: Any, groups: Any, target: Any, limit: TimeLimit | None
    ) -> None:
        """Train on a table that has targets, weights and groups among its columns."""
        if target is None:
            raise InvalidArgumentError("must name a column of the files", "target", "fit", got=None)
        if y is not None:
            rule = "cannot be given together with {target}, the column that holds it"
            raise InvalidArgumentError(rule, "y", "fit", others=["target"])
        are_classes = isinstance(self, ClassifierMixin)
        if is_in_files(X):
            named = [target, groups] if are_classes else [groups]
            counted = [name for name in named if isinstance(name, str)]
            found = open_table(X, counted, ranks=self._engine.ranks)
        else:
            X = in_memory(X, "X")
            if has_columns(X):
                parts = divided(X, target, weight, groups, are_classes=are_classes)
                return self._train(*parts, limit)
            found = read_table(X)
        roles = Roles.of(found, target, weight, groups, are_classes=are_classes)
        table = roles.with_target(found)
        if isinstance(table, LargeTable):
            beyond = Beyond(table, roles, self.time, self.cache)
            return self._train(*roles.parts_of(table.sample), limit, beyond)
        return self._train(*roles.parts_of(table), limit)

    def _train(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        groups: Any,
        limit: TimeLimit | None,
        beyond: Beyond | None = None,
    ) -> None:
        tallies = tally = None
        if beyond is not None:
            tallies, roles = beyond.table.tallies, beyond.roles
            tally = tallies[roles.target]
        found = check_data(self, X, y, sample_weight, reset=True, tallies=tallies)
        largest = 1.0
        if found.weight is not None:  # only ratios of weights matter, and float32 can hold these
            largest = float(found.weight.max())
            found = found._replace(weight=found.weight / largest)
        targets = self._targets_of(found)
        if tally is not None:
            targets = targets.with_classes(roles.classes_in(tally))
        encoded = targets.encode(found.y)
        n_samples, n_inputs = found.X.shape
        if n_samples * n_inputs * found.X.dtype.itemsize <= IN_MEMORY:
            found = found._replace(X=found.X[:])
        assert found.columns is not None
        data = (found.X, encoded) if found.weight is None else (found.X, encoded, found.weight)
        engine, loss = self._engine, self._loss_of(targets)
        engine.check_same(*data)
        deal = partial(self._splits, X, found, encoded, groups, beyond)
        train = partial(run, engine, architecture_of(found.columns, targets), loss, data)

        n_members = self.n_members
        n_asked = 0  # later, as many as rows and groups allow
        if limit is not None and n_members > 2:
            trial = deal(n_members, np.random.RandomState(0))
            n_asked = len(trial)
            share = 1.0 if beyond is None else beyond.epoch_share
            n_in_time = members_in_time(limit, trial, train, batch_size(trial), share)
            n_members = n_in_time if n_in_time < n_asked else n_members
        random_state = engine.ranks.first(check_random_state(self.random_state))
        splits = deal(n_members, random_state)
        rng = np.random.default_rng(random_state.randint(2**31))
        judge = OutOfFold(
            [judging for _, judging in splits],
            encoded,
            found.weight,
            loss=loss,
            has_classes=targets.has_one_class,
            patience=PATIENCE,
        )
        callbacks = [*([] if limit is None else [limit]), judge, *self.callbacks]
        if beyond is None:
            ensemble, stopped_by = train(splits, callbacks, rng)
        else:
            weights = None
            if found.weight is not None:
                by_class = getattr(self, "class_weight", None)
                weights = RowWeights.of(by_class, found.y, targets.classes, largest)
            with beyond.encoded(found.columns, targets, weights) as rows:
                ensemble, stopped_by = train(splits, callbacks, rng, rows)
                n_samples = sum(engine.ranks.gather(rows[0].n_samples))
        if judge.error is not None:
            raise judge.error
        if stopped_by == "interrupt" and not judge.epoch:  # no weights are worth keeping
            raise KeyboardInterrupt
        findings = [*findings_of(judge, found.X, found.columns, splits, found.y, self.time, tally)]
        if limit is not None:
            cost = limit.finding(len(splits), max(n_asked, len(splits)), judge.history)
            findings += [] if cost is None else [cost]
        self._take(found, targets, ensemble, judge, findings, n_samples)

    @property
    def _engine(self) -> Engine:
        return Engine.of(self)

    def _splits(
        self,
        X: Any,
        found: Checked,
        encoded: Array,
        groups: Any,
        beyond: Beyond | None,
        n_members: int,
        rng: np.random.RandomState,
    ) -> list[Split]:
        """Return the rows that each member trains on, and those that judge it.

        Rows without weight do neither.
        """
        rows = np.arange(len(found.y))
        if found.weight is not None:
            rows = rows[found.weight.astype(np.float32) > 0]
        if len(rows) < 2:
            name = "the number of samples" + " with a weight" * (len(rows) < len(found.y))
            raise InvalidDataError("must be at least 2", name, got=f"{len(rows)} sample")
        # Several targets are summed: since they are scaled, each counts about equally.
        strata = encoded if encoded.ndim == 1 else encoded.sum(axis=1)
        is_classifier = isinstance(self, ClassifierMixin)
        strata = strata.astype(np.intp if is_classifier else np.float64)
        if is_classifier and np.ptp(strata[rows]) == 0 < np.ptp(strata):
            rule = "must have at least two classes among the rows with a weight: see sample_weight"
            rule += " and class_weight"
            raise InvalidDataError(rule, "y", "fit", got=f"{shown(found.y[rows[0]])} alone")
        n_folds = min(n_members, max(2, len(rows) // 2))
        assert found.columns is not None
        if self.time is not None and groups is not None:
            raise InvalidArgumentError("cannot be combined with time", "groups", "fit")
        if beyond is not None:  # networks may train on classes that the sample lacks
            return beyond.deal(found.columns, rows, n_folds)
        if self.time is not None:
            folds = ordered_folds(found.columns.numbers(self.time, X)[rows], n_folds)
        elif groups is not None:
            of_rows = check_groups(groups, len(found.y))[rows]
            folds = grouped_folds(of_rows, strata[rows], n_folds, rng)
        else:
            folds = stratified_folds(strata[rows], n_folds, rng)
        splits = [(rows[training], rows[judging]) for training, judging in folds]
        for k, (training, _) in enumerate(splits):
            if is_classifier and np.ptp(strata[training]) == 0 < np.ptp(strata):
                rule = "must have at least two classes among the rows that each network trains on; "
                rule += "take more rows" if groups is None else "take more rows, or other groups"
                got = f"{shown(found.y[training[0]])} alone for network {k}"
                raise InvalidDataError(rule, "y", "fit", got=got)
        return splits

    def _take(
        self,
        found: Checked,
        targets: Targets,
        net: Ensemble,
        judge: OutOfFold,
        findings: list[Finding],
        n_samples: int,
    ) -> None:
        """Set the attributes of the fitted estimator, and issue findings as warnings."""
        self.__dict__.update(found.features)
        last = net.network.last
        last.W /= judge.temperature
        if last.b is not None:
            last.b /= judge.temperature
        self._net, self._targets, self._columns = net, targets, found.columns
        self.__dict__.pop("_shuffled", None)
        if targets.classes is not None:
            self.classes_ = targets.classes
        self.n_iter_ = judge.epoch
        self.temperature_ = judge.temperature
        self.history_, self.loss_curve_ = judge.history, judge.curve
        self._loss, self.loss_ = judge.loss, judge.value
        outputs = net.network.link.forward(judge.outputs / np.float32(judge.temperature))
        outputs[np.isnan(judge.outputs)] = np.nan
        self.__dict__.update(unseen_predictions(targets, outputs))
        weight = found.weight
        scores = []
        for rows in (judge.rows, *judge.held_out):
            own = None if weight is None else weight[rows]
            scores.append(self._measure(judge.all_targets[rows], outputs[rows], own))
        self.oob_score_, self.oob_scores_ = scores[0], np.array(scores[1:])
        self._unseen = Unseen(found.X, judge.held_out, partial(judge.loss_of, weight=weight))
        self._data = described(found.X, found.y, self.n_features_in_) | {"n_samples": n_samples}
        self.findings_ = findings
        for finding in findings:
            warn(FindingWarning(finding))

    @property
    def feature_importances_(self) -> Array:
        """How much each column of the table helps on rows that a network has not seen.

        It is the mean rise of the out-of-fold loss `loss_` over five shuffles of the column;
        `feature_importances_std_` is the standard deviation. It is computed on first access, from
        the training data, which neither files nor pickles hold. If two columns carry the same
        information, either may look unimportant because of the other.
        """
        importances: Array = self._importances().mean(axis=1)
        return importances

    @property
    def feature_importances_std_(self) -> Array:
        """The standard deviation of `feature_importances_` over the shuffles."""
        spread: Array = self._importances().std(axis=1, ddof=1)
        return spread

    def _importances(self) -> Array:
        check_is_fitted(self)
        if not hasattr(self, "_shuffled"):
            if not hasattr(self, "_unseen"):
                raise AttributeError(
                    "feature_importances_ needs the training data, which a pickle does not hold: "
                    "read it once before pickling"
                )
            rng, fitted = np.random.default_rng(0), (self._net, self._columns)
            self._shuffled = importances_of(*fitted, self._unseen, REPEATS, rng)  # type: ignore[arg-type]
        return self._shuffled

    # Predicting ----------------------------------------------------------------------------

    def _inputs(self, X: Any) -> Any:
        check_is_fitted(self)
        if is_in_files(X):
            X = iter(X) if isinstance(X, Blocks) else read_file(X)
        return check_samples(self, without_columns(X, self._roles), self._columns)

    # scikit-learn's API --------------------------------------------------------------------

    def _html_repr(self) -> str:
        """Return scikit-learn's table of parameters and, once fitted, scores and columns."""
        html: str = super()._html_repr()
        return html + tabular_html(self) if hasattr(self, "_net") else html

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_unseen"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags
