"""Compare whole calls of `fit`, checks included, of our estimator and scikit-learn's.

With the same `random_state`, both start from the same weights and take the samples in the same
order, so their losses can be compared closely. `multilayer.training.fit` also trains the same
network with the same settings, to show the estimator's overhead.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import neural_network as theirs
from sklearn.exceptions import ConvergenceWarning

import multilayer as ours
from cases import Case, Problem
from multilayer.numpy import MLP, Adam
from multilayer.training import fit
from report import Section, entries_of
from turns import take_turns, timed

__all__ = ["compare_estimators"]

LARGEST_EXTRA = 1.1
"""The longest time that an estimator may take, as a multiple of `multilayer.training.fit`'s."""
TOLERANCE = 0.01
"""How far the first epoch's mean loss may be from scikit-learn's, as a share of ln(n_classes).

They differ only by rounding to float32, which many steps then amplify.
"""


def compare_estimators(case: Case, rounds: int) -> Section:
    """Compare both packages' MLPClassifier, and our `fit`, on a whole training run of a case."""
    problem = Problem.of(case)
    n_epochs = 1 + case.n_epochs
    settings = _settings(case, n_epochs)
    losses: dict[str, list[float]] = {}

    def estimator(name: str, package: Any) -> Callable[[], None]:
        def call() -> None:
            model = package.MLPClassifier(case.widths[1:-1], **settings)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # we choose the epochs
                losses[name] = model.fit(problem.X, problem.y).loss_curve_

        return call

    trained = ours.MLPClassifier(case.widths[1:-1], **{**settings, "max_iter": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net = trained.fit(problem.X, problem.y).network_

    def bare() -> None:
        fit(
            MLP(net.architecture, rng=np.random.default_rng(0)),
            (problem.X, problem.y),
            loss="binary_cross_entropy" if net.architecture.out_features == 1 else "cross_entropy",
            optimizer=case.optimizer,
            n_epochs=n_epochs,
            batch_size=case.batch_size,
            rng=np.random.default_rng(0),
        )

    calls = {
        "estimator": estimator("estimator", ours),
        "fit": bare,
        "sklearn": estimator("sklearn", theirs),
    }
    seconds = take_turns({name: timed(call) for name, call in calls.items()}, rounds)
    first, other = (losses[name][0] for name in ("estimator", "sklearn"))
    distance = abs(first - other) / math.log(case.widths[-1])
    off = {}
    if not distance <= TOLERANCE:
        off["sklearn"] = (
            f"a loss is off by {distance:.1%} of ln({case.widths[-1]}); at most {TOLERANCE:.0%}"
        )
    return Section(
        f"{case.name}-estimator",
        f"MLPClassifier.fit, {case.title}, {n_epochs} epochs",
        "fit",
        entries_of(
            seconds,
            "estimator",
            {"fit": 1 / LARGEST_EXTRA, "sklearn": case.goals["sklearn"]},
            off=off,
        ),
        seconds,
        {"samples": case.n_samples, "epochs": n_epochs, "losses": losses},
    )


def _settings(case: Case, n_epochs: int) -> dict[str, Any]:
    """Return the parameters of both estimators."""
    optimizer = case.optimizer
    settings: dict[str, Any] = {
        "alpha": 0,
        "batch_size": case.batch_size,
        "learning_rate_init": optimizer.learning_rate,
        "max_iter": n_epochs,
        "n_iter_no_change": n_epochs,
        "random_state": 0,
    }
    if isinstance(optimizer, Adam):
        return settings | {"solver": "adam"}
    return settings | {
        "solver": "sgd",
        "momentum": optimizer.momentum,
        "nesterovs_momentum": False,
    }
