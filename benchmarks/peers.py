"""Contestants in training: both engines of this package, and scikit-learn.

Like the plain PyTorch loops in `by_hand`, each starts every turn from the same weights with a new
optimizer, trains the same number of epochs on the same samples in its own order, and returns the
seconds and the mean loss of each epoch. What happens once before the first epoch (checks, copies,
compiling) is not timed.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import threadpoolctl
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from cases import Problem
from multilayer import torch as on_torch
from multilayer.numpy import MLP, Adam
from multilayer.training import fit

__all__ = [
    "Contestant",
    "Run",
    "numpy_engine",
    "one_thread",
    "scikit",
    "torch_engine",
]


@dataclass(frozen=True)
class Run:
    """The seconds and losses of some epochs."""

    seconds: list[float]
    losses: list[float]


@dataclass(frozen=True)
class Contestant:
    """A way to train: ``train(n_epochs)`` starts afresh each time."""

    name: str
    train: Callable[[int], Run]
    n_samples: int
    """Samples per epoch: all of the problem's samples, or the number in the note."""
    note: str = ""


def numpy_engine(problem: Problem) -> Contestant:
    """Return this package's NumPy engine, through `fit`, with several epochs per call."""
    return _through_fit("numpy", MLP, problem)


def torch_engine(problem: Problem) -> Contestant:
    """Return this package's PyTorch engine, through `fit`."""
    return _through_fit("torch", on_torch.MLP, problem)


def one_thread(contestant: Contestant) -> Contestant:
    """Return the contestant with BLAS, and therefore also our workers, limited to one thread."""

    def train(n_epochs: int) -> Run:
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            return contestant.train(n_epochs)

    return Contestant(f"{contestant.name}, one thread", train, contestant.n_samples)


def _through_fit(name: str, engine: Any, problem: Problem) -> Contestant:
    case = problem.case

    def train(n_epochs: int) -> Run:
        net = engine(case.architecture, rng=np.random.default_rng(0))
        net.set_weights(problem.weights)
        history = fit(
            net,
            (problem.X, problem.y),
            loss=case.loss,
            optimizer=case.optimizer,
            n_epochs=n_epochs,
            batch_size=case.batch_size,
            validation=problem.held_out,
            rng=np.random.default_rng(0),
        )
        return Run(history["seconds"], history["train_loss"])

    return Contestant(name, train, case.n_samples)


def scikit(problem: Problem) -> Contestant:
    """Return scikit-learn's network with the same solver, from the same weights.

    An epoch ends when scikit-learn checks whether the loss still falls. The seconds are measured
    between these checks, and so exclude the rest of `fit`. For two classes the network has one
    output, whose initial weights are the difference of those of our two.
    """
    ours = problem.case.optimizer
    kind = MLPClassifier if problem.case.loss == "cross_entropy" else MLPRegressor
    settings: dict[str, Any] = {"solver": "adam"}
    if not isinstance(ours, Adam):
        settings = {"solver": "sgd", "momentum": ours.momentum, "nesterovs_momentum": False}

    def train(n_epochs: int) -> Run:
        model = kind(
            hidden_layer_sizes=problem.case.widths[1:-1],
            alpha=0,
            batch_size=problem.case.batch_size,
            learning_rate_init=ours.learning_rate,
            max_iter=n_epochs,
            n_iter_no_change=n_epochs,
            random_state=0,
            **settings,
        )
        moments: list[float] = []
        initialize = model._initialize

        def start_from_ours(*arguments: Any) -> None:
            initialize(*arguments)
            for W, b, (ours_W, ours_b) in zip(
                model.coefs_, model.intercepts_, problem.weights, strict=True
            ):
                two = len(b) < len(ours_b)
                W[:] = (ours_W[1:] - ours_W[:1]).T if two else ours_W.T
                b[:] = ours_b[1:] - ours_b[:1] if two else ours_b
            moments.append(time.perf_counter())

        # Its public interface offers neither initial weights nor a callback after an epoch.
        model._initialize = start_from_ours
        model._update_no_improvement_count = lambda *_: moments.append(time.perf_counter())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # we choose the number of epochs
            model.fit(problem.X, problem.y)
        return Run([b - a for a, b in pairwise(moments)], [float(x) for x in model.loss_curve_])

    return Contestant("sklearn", train, problem.case.n_samples)
