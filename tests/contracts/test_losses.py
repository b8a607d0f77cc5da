"""What every loss promises: a formula that is true, and attributes that say what it takes."""

import math
from typing import NamedTuple

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.numpy import LOSSES, MLP, OUTPUTS, Quantile
from multilayer.numpy.losses import Loss


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


class Row(NamedTuple):
    """A loss's formula as it writes it, and again in Python, of one sample; targets of its kind."""

    formula: str
    value: object
    targets: object


RNG = np.random.default_rng(0)
N, K = 6, 3
VALUES = RNG.normal(size=(N, K))
LABELS = RNG.integers(K, size=N)

ROWS = {
    "squared_error": Row("½ ‖ŷ − y‖²", lambda p, y: np.linalg.norm(p - y) ** 2 / 2, VALUES),
    "absolute_error": Row("Σ |ŷ − y|", lambda p, y: sum(map(abs, p - y)), VALUES),
    "huber": Row(
        "Σ ½ r² if |r| ≤ δ else δ (|r| − δ/2), r = ŷ − y",
        lambda p, y: sum(r**2 / 2 if abs(r) <= 1 else 1 * (abs(r) - 1 / 2) for r in p - y),
        3 * VALUES,
    ),
    "quantile": Row(
        "Σ max(τ r, (τ − 1) r), r = y − ŷ",
        lambda p, y: sum(max(0.5 * r, (0.5 - 1) * r) for r in y - p),
        VALUES,
    ),
    "poisson": Row(
        "Σ eᶻ − y − y (z − log y)",
        lambda z, y: sum(
            math.exp(zk) - yk - yk * (zk - math.log(yk)) for zk, yk in zip(z, y, strict=True)
        ),
        RNG.uniform(0.5, 4, size=(N, K)),
    ),
    "cross_entropy": Row(
        "−Σ t log softmax(z)",
        lambda z, y: -sum(np.eye(K)[y] * np.log(softmax(z))),
        LABELS,
    ),
    "grouped_cross_entropy": Row(
        "Σ −Σ t log softmax(z), over groups of outputs",
        lambda z, y: -sum(np.eye(K)[y] * np.log(softmax(z))),
        LABELS,
    ),
    "nll": Row("−log p_y", lambda a, y: -math.log(np.exp(a)[y]), LABELS),
    "binary_cross_entropy": Row(
        "Σ log(1 + eᶻ) − t z",
        lambda z, t: sum(math.log(1 + math.exp(zk)) - tk * zk for zk, tk in zip(z, t, strict=True)),
        RNG.uniform(size=(N, K)),
    ),
}


def test_every_loss_has_a_row(assert_rows):
    assert_rows(LOSSES, ROWS)


@pytest.fixture(params=list(LOSSES))
def name(request):
    return request.param


def test_its_docstring_has_a_formula(name, assert_documented):
    assert_documented(LOSSES[name])


def test_its_formula_is_true(name):
    loss, row = LOSSES[name](), ROWS[name]
    assert loss.formula == row.formula
    p = np.random.default_rng(1).normal(size=(N, K))
    expected = np.mean([row.value(p[i], row.targets[i]) for i in range(N)])
    assert loss(p, row.targets)[0] == pytest.approx(expected, rel=1e-13)  # rounding of sums


def test_its_attributes_are_of_the_kinds_that_others_rely_on(name):
    loss = LOSSES[name]
    assert issubclass(loss, Loss)
    assert loss.name == name
    assert loss.outputs
    assert set(loss.outputs) <= set(OUTPUTS)
    assert type(loss.takes_logits) is bool
    assert loss.task in ("classification", "multilabel", "regression")
    assert loss().link in loss.outputs
    assert loss.centre in ("mean", "median", None)
    assert loss().n_each == max(len(loss().levels), 1)


def test_what_it_takes_is_what_it_says(name):
    # A loss of logits holds the link function itself: the network's is not applied to what it
    # takes. Any other loss takes the network's outputs.
    loss, y = LOSSES[name](), ROWS[name].targets
    X = np.random.default_rng(2).normal(size=(N, 2))
    for output in loss.outputs:
        architecture = Architecture(2, (4,), K, activation="tanh", output=output)
        net = MLP(architecture, dtype="float64", rng=np.random.default_rng(3))
        value, _ = net.loss_and_gradients(X, y, loss=name)
        assert value == loss(net.logits(X) if loss.takes_logits else net(X), y)[0]


def test_its_prediction_is_of_its_task(name):
    p = np.random.default_rng(4).normal(size=(N, K))
    predicted = LOSSES[name]().predict(p)
    if LOSSES[name].task == "classification":
        assert predicted.tolist() == [row.index(max(row)) for row in p.tolist()]
    elif LOSSES[name].task == "multilabel":
        # A label is likely where its logit is positive.
        assert predicted.tolist() == [[int(z > 0) for z in row] for row in p.tolist()]
    else:
        expected = np.exp(p) if LOSSES[name].takes_logits else p
        np.testing.assert_allclose(predicted, expected, rtol=1e-15)


def test_following_its_gradient_makes_it_smaller(name):
    loss, y = LOSSES[name](), ROWS[name].targets
    p = np.random.default_rng(5).normal(size=(N, K))
    value, gradient = loss(p, y)
    smaller, _ = loss(p - 1e-3 * gradient / np.linalg.norm(gradient), y)
    assert smaller < value


def test_the_best_constant_of_the_pinball_loss_is_the_quantile():
    y = np.arange(1.0, 100.0)  # the 25 % quantile of 1, …, 99 is 25
    candidates = np.arange(1.0, 100.0, 0.5)
    losses = [Quantile(0.25)(np.full((99, 1), c), y)[0] for c in candidates]
    assert candidates[int(np.argmin(losses))] == 25


@pytest.mark.parametrize(
    ("name", "centre"), [("squared_error", "mean"), ("absolute_error", "median")]
)
def test_the_best_constant_is_the_mean_or_the_median(name, centre):
    y = np.array([0.0, 1.0, 2.0, 3.0, 14.0])
    candidates = np.linspace(0, 14, 29)
    losses = [LOSSES[name]()(np.full((5, 1), c), y)[0] for c in candidates]
    assert candidates[int(np.argmin(losses))] == getattr(np, centre)(y)
