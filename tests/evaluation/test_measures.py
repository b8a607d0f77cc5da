"""Measures, intervals and bins, against scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from multilayer.evaluation.bootstrap import estimates
from multilayer.evaluation.classes import ClassificationTask
from multilayer.evaluation.measures import mean, r_squared
from multilayer.evaluation.reliability import Reliability
from multilayer.evaluation.values import RegressionTask
from multilayer.numpy import Poisson, Quantile, SquaredError

N = 300


def weights(seed=0, n=N):
    """Return a resample's counts, and ones."""
    rng = np.random.default_rng(seed)
    return np.column_stack([np.ones(n), np.bincount(rng.integers(n, size=n), minlength=n)])


def classes(n_classes, seed=0, digits=2):
    """Return classes and probabilities, many of which are equal."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_classes), size=N)
    y = (p.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1)
    p = p.round(digits) + 0.01
    return y, p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_measures_of_classes_are_those_of_scikit_learn(n_classes):
    y, p = classes(n_classes)
    names = np.array([f"class {k}" for k in range(n_classes)])
    task = ClassificationTask(names[y], names, 1e-15)
    for weight in weights().T:
        found = {k: float(of(weight[:, None])[0]) for k, of in task.measures(p).items()}
        same = {"sample_weight": weight}
        if n_classes == 2:
            area = metrics.roc_auc_score(y, p[:, 1], **same)
            brier = metrics.brier_score_loss(y, p[:, 1], **same)
        else:
            area = metrics.roc_auc_score(y, p, multi_class="ovr", **same)
            brier = metrics.brier_score_loss(y, p, **same)
        assert found == pytest.approx(
            {
                "log_loss": metrics.log_loss(y, p, **same),
                "accuracy": metrics.accuracy_score(y, p.argmax(axis=1), **same),
                "balanced_accuracy": metrics.balanced_accuracy_score(y, p.argmax(axis=1), **same),
                "auc": area,
                "brier": brier,
            },
            rel=1e-12,
        )
    assert (task.confusion(p) == metrics.confusion_matrix(y, p.argmax(axis=1))).all()


def test_measures_of_values_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    y = 1e6 + rng.normal(size=N)  # far from 0, where differences of squares have no digits
    predicted = y + rng.normal(size=N)
    task = RegressionTask(y, SquaredError())
    for weight in weights().T:
        found = {
            k: float(of(weight[:, None])[0]) for k, of in task.measures(predicted[:, None]).items()
        }
        drawn = np.repeat(np.arange(N), weight.astype(int))
        assert found == pytest.approx(
            {
                "rmse": metrics.root_mean_squared_error(y[drawn], predicted[drawn]),
                "mae": metrics.mean_absolute_error(y[drawn], predicted[drawn]),
                "median_absolute_error": metrics.median_absolute_error(y[drawn], predicted[drawn]),
                "r2": metrics.r2_score(y[drawn], predicted[drawn]),
            },
            rel=1e-9,
        )


def test_the_median_of_an_odd_number_of_values():
    task = RegressionTask(np.array([0.0, 0.0, 0.0]), SquaredError())
    of = task.measures(np.array([[3.0], [1.0], [2.0]]))["median_absolute_error"]
    assert of(np.array([[1, 0], [1, 3], [1, 0]], dtype=float)).tolist() == [2, 1]


def test_rates_and_quantiles():
    rng = np.random.default_rng(0)
    rate = rng.gamma(2.0, size=N)
    y = rng.poisson(rate).astype(float)
    of = RegressionTask(y, Poisson()).measures(rate[:, None])["deviance"]
    assert of(np.ones((N, 1)))[0] == pytest.approx(metrics.mean_poisson_deviance(y, rate))
    levels = (0.1, 0.5, 0.9)
    found = RegressionTask(y, Quantile(levels))
    predicted = np.column_stack([rate - 1, rate, rate + 2])
    measures = {k: float(of(np.ones((N, 1)))[0]) for k, of in found.measures(predicted).items()}
    each = [
        metrics.mean_pinball_loss(y, predicted[:, j], alpha=tau) for j, tau in enumerate(levels)
    ]
    assert measures["pinball"] == pytest.approx(np.mean(each))
    assert measures["coverage"] == ((rate - 1 <= y) & (y <= rate + 2)).mean()
    assert measures["mae"] == pytest.approx(metrics.mean_absolute_error(y, rate))
    bins = found.reliability(predicted)
    assert bins.predicted.tolist() == [0.1, 0.5, 0.9]
    assert bins.observed[1] == (y <= rate).mean()


def test_a_measure_that_is_not_defined_is_none():
    y = np.array(["a"] * 30)
    task = ClassificationTask(y, np.array(["a", "b"]), 1e-15)
    found = estimates(task.measures(np.full((30, 2), 0.5)), 30)
    assert found["auc"] == (None, None, None)
    assert found["accuracy"].value == 1
    constant = estimates({"r2": r_squared(np.ones(9), np.zeros(9))}, 9)
    assert constant["r2"].value is None


# Intervals ---------------------------------------------------------------------------------


def test_intervals_are_those_of_scipys_bootstrap():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    predicted = 0.7 * y + rng.normal(size=200) / 2
    found = estimates({"r2": r_squared(y, predicted)}, 200)["r2"]
    theirs = stats.bootstrap(
        (y, predicted),
        metrics.r2_score,
        paired=True,
        vectorized=False,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    # Quantiles of 1,000 values are known to about 0.1 standard deviations.
    deviation = (theirs.high - theirs.low) / 3.92
    assert found.low == pytest.approx(theirs.low, abs=0.35 * deviation)
    assert found.high == pytest.approx(theirs.high, abs=0.35 * deviation)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        found = estimates({"mean": mean(rng.normal(size=100))}, 100, seed=seed)["mean"]
        held += found.low <= 0 <= found.high
    assert 0.90 <= held / 200 <= 0.99  # 0.95 ± 3 standard errors, less what 100 samples cost


def test_intervals_over_groups_are_those_of_their_means():
    """20 groups of 50 equal values are 20 values."""
    values = np.random.default_rng(0).normal(size=20)
    groups = np.repeat(np.arange(20), 50)
    whole = estimates({"mean": mean(values[groups])}, 1000, groups)["mean"]
    of_groups = estimates({"mean": mean(values)}, 20)["mean"]
    assert np.allclose(whole, of_groups, rtol=1e-12)
    single = estimates({"mean": mean(values[groups])}, 1000)["mean"]
    assert single.high - single.low < 0.3 * (whole.high - whole.low)


def test_the_seed_decides():
    values = {"mean": mean(np.arange(50.0))}
    assert estimates(values, 50, seed=1) == estimates(values, 50, seed=1)
    assert estimates(values, 50, seed=1) != estimates(values, 50, seed=2)


# Calibration -------------------------------------------------------------------------------


def test_bins_are_those_of_scikit_learn():
    from sklearn.calibration import calibration_curve

    rng = np.random.default_rng(0)
    p = rng.random(500)
    happened = (rng.random(500) < p**2).astype(float)
    found = Reliability.of_probabilities(p, happened)
    observed, predicted = calibration_curve(happened, p, n_bins=10)
    assert found.observed == pytest.approx(observed)
    assert found.predicted == pytest.approx(predicted)
    expected = sum(
        np.mean((p > i / 10) & (p <= (i + 1) / 10)) * abs(observed[i] - predicted[i])
        for i in range(10)
    )
    assert found.error == pytest.approx(expected)


def test_the_error_of_correct_probabilities_is_about_what_is_said():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        p = rng.random(500)
        found.append(Reliability.of_probabilities(p, rng.random(500) < p))
    errors, said = (np.mean([getattr(r, name) for r in found]) for name in ("error", "by_chance"))
    assert said == pytest.approx(errors, rel=0.05)


def test_bins_of_values_hold_as_many_each():
    predicted = np.random.default_rng(0).normal(size=1000)
    found = Reliability.of_values(predicted, predicted**2)
    assert found.n.tolist() == [100] * 10
    assert (np.diff(found.predicted) > 0).all()
    constant = Reliability.of_values(np.ones(20), np.arange(20.0))
    assert (constant.n.tolist(), constant.observed.tolist()) == ([20], [9.5])
