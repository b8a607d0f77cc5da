"""`diagnose`: run all checks on one network."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from typing import Any

import numpy as np

from multilayer import checks
from multilayer.data.batches import DEFAULT_BATCH_SIZE
from multilayer.doctor.balance import class_imbalance
from multilayer.doctor.calibration import miscalibrated
from multilayer.doctor.case import Case, history_values, look, sample_of
from multilayer.doctor.diagnosis import Diagnosis
from multilayer.doctor.finding import Finding
from multilayer.doctor.generalization import chance_level, overfitting, underfitting
from multilayer.doctor.gradients import exploding_gradients, vanishing_gradients
from multilayer.doctor.learning_rate import (
    learning_rate_too_high,
    learning_rate_too_low,
)
from multilayer.doctor.link import link_applied_twice
from multilayer.doctor.patient import (
    admit,
    findings_of_fit,
    members_of,
    network_of,
    subject_of,
)
from multilayer.doctor.scaling import unscaled_inputs, unscaled_targets
from multilayer.doctor.units import dead_units, saturated_units
from multilayer.doctor.weights import initializer_misfit, non_finite_weights
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import LBFGS, Loss, Optimizer
from multilayer.numpy.optimizers import OPTIMIZERS, resolve_optimizer
from multilayer.registry import rebuild

__all__ = ["CHECKS", "diagnose"]

CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    # Causes come before their effects: this is the order to read them in, and to fix them.
    link_applied_twice,
    unscaled_inputs,
    unscaled_targets,
    initializer_misfit,
    learning_rate_too_high,
    learning_rate_too_low,
    dead_units,
    saturated_units,
    vanishing_gradients,
    exploding_gradients,
    chance_level,
    underfitting,
    overfitting,
    class_imbalance,
    miscalibrated,
)
"""The checks; each takes a `Case` and yields its findings."""


def diagnose(
    net_or_estimator: Any,
    X: Any,
    y: Any,
    *,
    loss: str | Loss | None = None,
    history: Any = None,
    validation: tuple[Any, Any] | None = None,
    optimizer: str | Optimizer | None = None,
) -> Diagnosis:
    """Examine a network, its training and its data, and report what is wrong.

    Each finding comes with its evidence, what it means, and what to change. A healthy network gets
    none; each threshold is explained beside its check in ``multilayer.doctor``. The network, its
    statistics and all random states stay unchanged.

    Parameters
    ----------
    net_or_estimator : MLP, Ensemble, estimator, Model or Pipeline
        A network of either engine; a fitted estimator; what `multilayer.load` returns; or a
        scikit-learn pipeline that ends in one of these. In an ensemble, each network is examined,
        and a finding is reported if at least half of them have it. For an estimator for tables, its
        `findings_` are reported too.
    X : array of shape (n_samples, in_features)
        Training samples, or some of them, in the form the model takes for prediction. If there are
        more than 4,000, that many are used, evenly spaced.
    y : array of shape (n_samples,) or (n_samples, out_features)
        Their targets.
    loss : str or Loss, optional
        The training loss, if neither the history nor the estimator contains it. By default, it is
        the loss that belongs to the output's link function; for the output ``"identity"``,
        cross-entropy for integer labels and several outputs, otherwise the squared error.
    history : History or mapping of str to sequence of float, optional
        What `fit` returned, or at least ``train_loss``; by default, the history of the estimator or
        the model file. Without it, and without `optimizer`, the learning rate is not judged.
    validation : tuple (X, y), optional
        Samples that were not used for training. Without them, and without a validation loss in the
        history, overfitting is not judged.
    optimizer : str or Optimizer, optional
        The optimizer used for training, if the history does not contain it. If there is no history,
        or its loss has not fallen as it should, `lr_finder` tests a new network of the same
        architecture on these samples, and the learning rate is compared with the result.

    Returns
    -------
    Diagnosis
        The findings; those of severity ``"wrong"`` come before warnings.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If an argument is invalid.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from multilayer import MLPClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> clf = MLPClassifier((16,), activation="tanh", learning_rate_init=0.003, tol=0.01,
    ...                     random_state=0)
    >>> diagnose(clf.fit(X, y), X, y).names
    ('unscaled_inputs', 'saturated_units', 'chance_level', 'underfitting')
    >>> diagnose(make_pipeline(StandardScaler(), clf).fit(X, y), X, y).names
    ()
    """
    net = network_of(net_or_estimator)
    if getattr(net, "n_members", 0):
        settings = {"loss": loss, "history": history, "validation": validation}
        each = [
            diagnose(member, X, y, optimizer=optimizer, **settings)
            for member in members_of(net_or_estimator)
        ]
        found = [*findings_of_fit(net_or_estimator), *_of_members(each)]
        found.sort(key=_is_warning)
        return Diagnosis(repr(net), tuple(found), each[0].unchecked)
    bad = tuple(non_finite_weights(net))
    if bad:
        return Diagnosis(subject_of(net), bad, {"everything else": "finite weights"})
    # An exploding network overflows, and finding it is the purpose here.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        case, subject = _case(net_or_estimator, X, y, loss, history, validation, optimizer)
        findings = [finding for check in CHECKS for finding in check(case)]
    findings.sort(key=_is_warning)  # stable
    return Diagnosis(subject, tuple(findings), _unchecked(case))


def _is_warning(finding: Finding) -> bool:
    return finding.severity == "warning"


def _of_members(each: Sequence[Diagnosis]) -> Iterator[Finding]:
    """Yield each finding of at least half of the members, with the evidence of the first of them.

    A problem of fewer members has little effect on their mean.
    """
    found: dict[str, list[Finding]] = {}
    for diagnosis in each:
        for name in dict.fromkeys(diagnosis.names):
            found.setdefault(name, []).append(next(f for f in diagnosis if f.name == name))
    for first, *others in found.values():
        n = 1 + len(others)
        if n >= len(each) / 2:
            evidence = {"networks": f"{n} of {len(each)}", **first.evidence}
            yield replace(first, evidence=evidence)


def _case(
    given: Any, X: Any, y: Any, loss: Any, history: Any, validation: Any, optimizer: Any
) -> tuple[Case, str]:
    """Return the case for the checks, and a one-line description of the network."""
    patient = admit(given, loss, history)
    training, chosen = sample_of(patient, X, y)
    held_out = None
    if validation is not None:
        if not isinstance(validation, (tuple, list)) or len(validation) != 2:
            length = f" of length {len(validation)}" if isinstance(validation, Sized) else ""
            came = f"{type(validation).__name__}{length}"
            rule = "must be a tuple (X, y) or None"
            raise InvalidTypeError(rule, "validation", "diagnose", got=came)
        with checks.in_terms_of("diagnose", {"X": "validation[0]", "y": "validation[1]"}):
            held_out, _ = sample_of(patient, *validation)
    layers, dz = look(patient.net, training, chosen)
    case = Case(
        model=patient.model,
        loss=chosen,
        training=training,
        validation=held_out,
        layers=layers,
        dz=dz,
        history=history_values(patient.history),
        has_best_weights=patient.has_best_weights,
        optimizer=_optimizer(patient.settings, optimizer),
        batch_size=_batch_size(patient.settings),
    )
    return case, patient.subject


def _batch_size(settings: Mapping[str, Any]) -> int:
    """Return the batch size in the history, if valid: a file may contain anything."""
    recorded = settings.get("batch_size")
    return recorded if isinstance(recorded, int) and recorded > 0 else DEFAULT_BATCH_SIZE


def _optimizer(settings: Mapping[str, Any], given: Any) -> Optimizer | LBFGS | None:
    """Return the given optimizer, or else the one in the history."""
    if given is None:
        return rebuild(settings.get("optimizer"), OPTIMIZERS)
    found = resolve_optimizer(given)
    if not found.takes_steps:
        rule = "must have a learning rate; L-BFGS has none"
        raise InvalidArgumentError(rule, "optimizer", "diagnose")
    return found


def _unchecked(case: Case) -> dict[str, str]:
    """Return what could not be checked, and what each check would need."""
    needs: dict[str, str] = {}
    if case.takes_steps and "train_loss" not in case.history and case.range_test is None:
        needs["the learning rate"] = "history= or optimizer="
    if case.validation is None and "validation_loss" not in case.history:
        needs["overfitting"] = "validation=(X, y)"
    return needs
