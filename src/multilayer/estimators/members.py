"""The members of an estimator's ensemble: how they differ, and what they have in common."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import check_random_state

from multilayer.errors import InvalidArgumentError
from multilayer.estimators.fitting import Outcome
from multilayer.estimators.samples import Part
from multilayer.model import Targets

__all__ = ["bootstrap", "folds_of", "results_of", "seeds_of", "warning_of_all"]

Array = npt.NDArray[Any]

MAX_SEED = np.iinfo(np.int32).max


def seeds_of(random_state: Any, n_members: int) -> list[int]:
    """Return a seed for each member; the first ones do not depend on how many there are.

    An int is the seed of the first member, which thus is the network that it makes alone.
    """
    rng = check_random_state(random_state)
    own = [int(random_state)] if isinstance(random_state, Integral) else []
    return own + rng.randint(MAX_SEED, size=n_members - len(own)).tolist()


def folds_of(part: Part, targets: Targets, n_folds: int, seed: int) -> Array:
    """Return the fold of each sample, as scikit-learn draws them; classes have equal shares.

    Raises
    ------
    InvalidArgumentError
        If there are fewer than two folds, or more than samples, or than samples of any class.
    """
    has_classes = targets.has_one_class
    splitter = StratifiedKFold if has_classes else KFold
    classes = part.targets.ravel() if has_classes else None
    found = np.empty(part.n_samples, dtype=np.intp)
    try:
        folds = splitter(n_folds, shuffle=True, random_state=seed)
        for k, (_, rows) in enumerate(folds.split(found, classes)):
            found[rows] = k
    except ValueError as error:
        rule = f"cannot be {n_folds} with resample='folds': {error}"
        raise InvalidArgumentError(rule, "n_members") from error
    return found


def bootstrap(part: Part, seed: int) -> Part:
    """Return as many rows as the part has, drawn from it with replacement, in order."""
    n = part.n_samples
    return part.take(np.sort(np.random.default_rng(seed).integers(n, size=n)))


def results_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return results under scikit-learn's names; of several networks, a list with each one's.

    Of their numbers of epochs it is the largest; what none has is None.
    """
    each = [_results(outcome) for outcome in outcomes]
    if len(each) == 1:
        return each[0]
    found: dict[str, Any] = {name: [own[name] for own in each] for name in each[0]}
    for name, values in found.items():
        if all(value is None for value in values):
            found[name] = None
    return found | {"n_iter_": max(found["n_iter_"])}


def _results(outcome: Outcome) -> dict[str, Any]:
    history, past = outcome.history, outcome.past
    return {
        "history_": history,
        "n_iter_": history.n_epochs,
        "loss_": history.get("train_loss", [math.nan])[-1],
        "t_": past.t,
        "loss_curve_": past.loss_curve,
        "best_loss_": past.best_loss,
        "best_validation_score_": past.best_validation_score,
        "validation_scores_": past.validation_scores,
        "validation_loss_curve_": past.validation_loss_curve,
        "_no_improvement_count": past.n_stalled,  # scikit-learn's own tests read it
    }


def warning_of_all(warnings: Sequence[Warning | None]) -> Warning | None:
    """Return one warning for all members, the first one's; None if there is none."""
    given = [(k, warning) for k, warning in enumerate(warnings) if warning is not None]
    if not given:
        return None
    k, first = given[0]
    if len(warnings) == 1:
        return first
    return type(first)(f"{len(given)} of {len(warnings)} members, such as member {k}: {first}")
