"""What the checks measure, against scikit-learn, SciPy and simulation."""

import numpy as np
import pytest
from scipy import optimize
from sklearn.datasets import load_diabetes, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from multilayer.doctor.calibration import calibration
from multilayer.doctor.case import sample_of
from multilayer.doctor.measures import (
    N_NEIGHBOURS,
    RIDGE,
    linear_score,
    neighbours_score,
    score,
)
from multilayer.doctor.patient import admit
from multilayer.numpy import LOSSES, GroupedCrossEntropy, Quantile

ROUNDING = 1e-9


class OneSample:
    """A case of which only the samples matter."""

    def __init__(self, net, X, y, loss=None):
        patient = admit(net, loss)
        self.net = patient.net
        self.training, self.loss = sample_of(patient, X, y)


@pytest.fixture
def iris():
    X, y = load_iris(return_X_y=True)
    X, y = X[::3], y[::3]
    return StandardScaler().fit_transform(X), y


@pytest.fixture
def diabetes():
    X, y = (array[:60] for array in load_diabetes(return_X_y=True))
    return StandardScaler().fit_transform(X), y[:, np.newaxis] / y.std()


def test_the_linear_fit_is_ridge_left_one_out(network, iris, diabetes):
    X, y = iris
    ridge = Ridge(alpha=RIDGE * len(X))
    left_out = cross_val_predict(ridge, X, np.eye(3)[y], cv=LeaveOneOut())
    expected = accuracy_score(y, left_out.argmax(axis=1))
    assert linear_score(OneSample(network(4, 3), X, y)) == expected
    X, y = diabetes
    left_out = cross_val_predict(Ridge(alpha=RIDGE * len(X)), X, y, cv=LeaveOneOut())
    found = linear_score(OneSample(network(10, 1), X, y))
    assert found == pytest.approx(r2_score(y, left_out), abs=ROUNDING)


def test_the_linear_fit_is_ridge_of_more_columns_than_samples_too(network):
    rng = np.random.default_rng(0)
    X = StandardScaler().fit_transform(rng.normal(size=(30, 80)))
    y = X[:, :2] + rng.normal(size=(30, 2))
    left_out = cross_val_predict(Ridge(alpha=RIDGE * len(X)), X, y, cv=LeaveOneOut())
    found = linear_score(OneSample(network(80, 2), X, y))
    assert found == pytest.approx(r2_score(y, left_out), abs=ROUNDING)


def test_a_column_that_one_sample_alone_has_does_no_harm(network, iris):
    X, y = iris
    before = linear_score(OneSample(network(4, 3), X, y))
    X = np.column_stack([X, np.arange(50) == 7, X[:, 0], np.ones(50)])
    assert abs(linear_score(OneSample(network(7, 3), X, y)) - before) <= 1 / 50


def test_the_neighbours_are_all_others(network, iris):
    X, y = iris
    nearest = KNeighborsClassifier(N_NEIGHBOURS)
    expected = accuracy_score(y, cross_val_predict(nearest, X, y, cv=LeaveOneOut()))
    # ties in votes and distances may fall otherwise
    assert abs(neighbours_score(OneSample(network(4, 3), X, y)) - expected) <= 1 / 50


def test_scores_are_scikit_learns(network, iris, diabetes):
    X, y = iris
    net = network(4, 5, 3)
    assert score(*_sample(net, X, y)) == accuracy_score(y, net(X).argmax(axis=1))
    X, y = diabetes
    net = network(10, 5, 1)
    # float32 against float64
    assert score(*_sample(net, X, y)) == pytest.approx(r2_score(y, net(X)), rel=1e-5)
    net = network(10, 5, 3)
    assert np.isnan(score(*_sample(net, X, y, Quantile((0.1, 0.5, 0.9)))))


def _sample(*arguments):
    case = OneSample(*arguments)
    return case.training, case.loss


def test_the_loss_of_a_constant_is_the_dummy_classifiers(iris):
    _, y = iris
    y = y[10:]  # classes of 7, 17, 16
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(y), 1)), y)
    expected = log_loss(y, dummy.predict_proba(np.zeros((len(y), 1))))
    loss = LOSSES["cross_entropy"]()
    constant = loss.best_constant(y, 3, np.ones(len(y)))
    value, _ = loss.value_and_gradient(np.tile(constant, (len(y), 1)), y)
    assert value == pytest.approx(expected, abs=ROUNDING)


def targets_of(name, rng):
    classes = rng.choice(3, size=(60, 2), p=[0.2, 0.3, 0.5])
    values = rng.gamma(2.0, size=(60, 2))
    return {
        "cross_entropy": (LOSSES["cross_entropy"](), classes[:, 0], 3),
        "nll": (LOSSES["nll"](), classes[:, 0], 3),
        "grouped_cross_entropy": (GroupedCrossEntropy((3, 3)), classes, 6),
        "binary_cross_entropy": (LOSSES["binary_cross_entropy"](), classes.clip(max=1.0), 2),
        "quantile": (Quantile((0.2, 0.7)), values, 4),
    }.get(name) or (LOSSES[name](), np.floor(values) if name == "poisson" else values, 2)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_no_constant_has_a_smaller_loss(name, is_weighted):
    rng = np.random.default_rng(0)
    loss, y, width = targets_of(name, rng)

    def mean_loss(constant):
        p = np.tile(constant, (len(y), 1))
        if name == "nll":  # log-probabilities, of which any constant makes some
            p = p - np.logaddexp.reduce(p, axis=1, keepdims=True)
        targets = loss.targets(y, len(y), width, np.float64)
        return loss.value_and_gradient(p, targets, weight)[0]

    weight = rng.uniform(0.1, 2, len(y)) if is_weighted else np.ones(len(y))
    found = mean_loss(loss.best_constant(y, width, weight))
    starts = [np.zeros(width), rng.normal(size=width)]
    least = min(optimize.minimize(mean_loss, x, method="Powell", tol=1e-8).fun for x in starts)
    # The median is not quite huber's constant; all others are exact, the search to its tolerance.
    assert found <= least * (1.05 if name == "huber" else 1 + 1e-6) + 1e-9


def test_the_calibration_error_by_chance_is_that_of_simulation():
    rng = np.random.default_rng(0)
    p = rng.beta(2, 1, size=300)
    errors = [calibration(p, rng.random(300) < p).error for _ in range(500)]
    found = calibration(p, p > 0.5)
    # 3 standard errors of the simulation's mean and deviation are 3 % and 10 % here, and sums of 20
    # are normal to some percent
    assert found.by_chance == pytest.approx(np.mean(errors), rel=0.05)
    assert found.deviation == pytest.approx(np.std(errors), rel=0.15)


def test_the_calibration_error_is_the_distance_from_the_frequencies():
    p = np.repeat([0.2, 0.9], 500)
    happened = np.concatenate([np.arange(500) < 50, np.arange(500) < 250])
    # 0.1 against 0.2, and 0.5 against 0.9, each of half of the samples, in bins of one frequency
    assert calibration(p, happened).error == pytest.approx(0.5 * 0.1 + 0.5 * 0.4)
    rounded = p + 1e-9 * happened  # what is alike to rounding is in one bin, whatever its order
    assert calibration(rounded, happened).error == pytest.approx(0.5 * 0.1 + 0.5 * 0.4)


@pytest.mark.parametrize("n", [1, 7, 15, 1500])
def test_the_bins_of_the_calibration_error_are_of_equal_counts(n):
    p, happened = np.linspace(0.5, 1, n) ** 2, np.arange(n) % 3 > 0
    bins = np.array_split(np.arange(n), min(n, 15))
    expected = sum(abs(p[rows].mean() - happened[rows].mean()) * len(rows) / n for rows in bins)
    assert calibration(p, happened).error == pytest.approx(expected)
