"""Compare predictions: probabilities for one row, and for many rows in one call."""

import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from cases import prediction_flops
from machine import matrix_products, product_rate
from multilayer import Architecture
from multilayer.numpy import MLP
from report import Section, entries_of
from turns import Turn, take_turns

__all__ = ["PREDICTIONS", "compare_prediction"]

Array = npt.NDArray[Any]
Predict = Callable[[], Array]

Widths = tuple[int, ...]
WIDTHS = (784, 512, 512, 10)
PREDICTIONS: dict[str, tuple[Widths, int, int, dict[str, float]]] = {
    "predict-one": (WIDTHS, 1, 300, {"eager": 3, "sklearn": 3}),
    "predict-one-narrow": ((784, 32, 32, 32, 10), 1, 1000, {}),
    "predict-one-wide": ((784, 1200, 1200, 10), 1, 100, {}),
    "predict-many": (WIDTHS, 100_000, 1, {"eager": 1.3, "sklearn": 1.3, "limit": 0.8}),
}
"""By name: widths, rows, calls per turn, goals."""


def compare_prediction(name: str, rounds: int, *, quick: bool = False) -> Section:
    """Compare our predictions with eager PyTorch's and scikit-learn's, with the same weights."""
    widths, n_rows, n_calls, goals = PREDICTIONS[name]
    if quick:
        n_rows = min(n_rows, 5_000)
    net = MLP(
        Architecture(widths[0], widths[1:-1], widths[-1], output="softmax"),
        rng=np.random.default_rng(0),
    )
    X = np.random.default_rng(1).standard_normal((n_rows, widths[0]), dtype=np.float32)
    predictors = {
        "numpy": lambda: net(X),
        "eager": _by_torch(net, widths, X),
        "sklearn": _by_scikit(net, widths, X),
    }
    off = _who_is_off(predictors)
    turns = {who: _turn(predict, n_calls) for who, predict in predictors.items()}
    products = matrix_products(tries=1 if quick else 3) if "limit" in goals else {}
    seconds = take_turns(turns | products, rounds)
    rate = product_rate(seconds) if products else None
    n_flops = prediction_flops(widths, n_rows)
    return Section(
        name,
        f"{'-'.join(map(str, widths))}, {n_rows:,} row{'s' * (n_rows > 1)}",
        "call",
        entries_of(
            {who: seconds[who] for who in predictors},
            "numpy",
            goals,
            n_flops=n_flops,
            rate=rate,
            off=off,
        ),
        seconds,
        {
            "rows": n_rows,
            "calls_per_turn": n_calls,
            "flops_per_call": n_flops,
            "limit_flops_per_second": rate,
        },
    )


def _turn(predict: Predict, n_calls: int) -> Turn:
    """Return a turn: the mean seconds per call, over enough calls to measure them."""

    def turn() -> list[float]:
        predict()
        started = time.perf_counter()
        for _ in range(n_calls):
            predict()
        return [(time.perf_counter() - started) / n_calls]

    return turn


def _by_torch(net: MLP, widths: Widths, X: Array) -> Predict:
    layers: list[torch.nn.Module] = []
    for (n_in, n_out), (W, b) in zip(pairwise(widths), net.weights, strict=True):
        linear = torch.nn.Linear(n_in, n_out)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W))
            linear.bias.copy_(torch.from_numpy(np.array(b)))
        layers += [linear, torch.nn.ReLU()]
    module = torch.nn.Sequential(*layers[:-1], torch.nn.Softmax(dim=1)).eval()
    inputs = torch.from_numpy(X)

    def predict() -> Array:
        with torch.inference_mode():
            return module(inputs).numpy()

    return predict


def _by_scikit(net: MLP, widths: Widths, X: Array) -> Predict:
    model = MLPClassifier(widths[1:-1], max_iter=1)
    some = np.random.default_rng(0).standard_normal((20, widths[0]), dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(some, np.arange(20) % widths[-1])  # sets the classes
    for coefficients, intercepts, (W, b) in zip(
        model.coefs_, model.intercepts_, net.weights, strict=True
    ):
        coefficients[:], intercepts[:] = W.T, b
    return lambda: model.predict_proba(X)


def _who_is_off(predictors: dict[str, Predict]) -> dict[str, str]:
    """Return the contestants whose probabilities differ from eager PyTorch's."""
    reference = predictors["eager"]()
    off = {}
    for who, predict in predictors.items():
        distance = float(np.abs(predict() - reference).max())
        if not distance <= 1e-5:  # float32, sums of 784 terms
            off[who] = f"a probability is off by {distance:.1e}"
    return off
