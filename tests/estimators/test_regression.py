"""What the estimators for regression share: losses, the form of targets, and scores."""

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import huber
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import (
    d2_absolute_error_score,
    d2_pinball_score,
    d2_tweedie_score,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    r2_score,
)
from sklearn.preprocessing import StandardScaler

import multilayer
from multilayer import MLPRegressor, TabularRegressor
from multilayer.doctor import FindingWarning
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from multilayer.estimators.regression import mean_and_deviation, score_of
from multilayer.numpy import AbsoluteError, Huber, Loss, Poisson, Quantile, SquaredError


def table(n, seed=0):
    """Return rows whose values, counts and spread depend on a number and a category."""
    rng = np.random.default_rng(seed)
    X = {"x": rng.uniform(-2, 2, n), "kind": rng.choice(["a", "b"], n)}
    return X, rng


def mean_of(X):
    return np.sin(2 * X["x"]) + (X["kind"] == "a")


def rate_of(X):
    return np.exp(0.8 * X["x"] + (X["kind"] == "a") - 1)


@dataclass(frozen=True)
class LogCosh(Loss):
    """A loss of the user's own."""

    name = "log_cosh"
    outputs = SquaredError.outputs
    takes_logits = False
    task = "regression"
    formula = "Σ log cosh(ŷ − y)"

    def per_sample(self, p, targets):
        r = p - targets
        return np.sum(np.logaddexp(r, -r) - np.log(2), axis=-1), np.tanh(r)


LOSSES = ("squared_error", "huber", "absolute_error", "quantile", Quantile((0.3, 0.7)), "poisson")


def targets_of(X, rng, loss, n_targets):
    """Return targets for a loss, of unlike scales."""
    if loss == "poisson":
        y = np.column_stack([rng.poisson(size * rate_of(X)) for size in (1, 100)])
    else:
        noise = rng.normal(0, 0.3, (2, len(X["x"])))
        y = np.column_stack([mean_of(X) + noise[0], 1e6 - 1e3 * (X["x"] + noise[1])])
    return y[:, 0] if n_targets == 1 else y


# What the losses learn -------------------------------------------------------------------------


def test_quantiles_cover_their_share_everywhere():
    """Noise that grows with |x| shows whether the interval follows it; 2,400 rows, ± 0.04."""
    X, rng = table(2400)
    y = 500 + 20 * (mean_of(X) + (0.1 + 0.4 * np.abs(X["x"])) * rng.normal(size=2400))
    model = TabularRegressor(loss=Quantile((0.1, 0.5, 0.9)), random_state=0).fit(X, y)
    new, rng = table(6000, seed=1)
    y_new = 500 + 20 * (mean_of(new) + (0.1 + 0.4 * np.abs(new["x"])) * rng.normal(size=6000))
    for X_own, y_own, predicted in (
        (new, y_new, model.predict(new)),
        (X, y, model.oob_prediction_),
    ):
        assert predicted.shape == (len(y_own), 3)
        below = y_own[:, np.newaxis] < predicted
        np.testing.assert_allclose(below.mean(axis=0), [0.1, 0.5, 0.9], atol=0.05)
        inner = np.abs(X_own["x"]) < 1
        for part in (inner, ~inner):
            np.testing.assert_allclose(below[part].mean(axis=0), [0.1, 0.5, 0.9], atol=0.1)
    assert model.predict(new).min() >= y.min()
    assert model.predict({"x": [1e9], "kind": ["a"]}).max() <= y.max()


def test_counts_are_predicted_as_well_as_by_the_true_model():
    """The rates are log-linear, so that scikit-learn's Poisson regression is the truth itself."""
    X, rng = table(2000)
    y = rng.poisson(rate_of(X))
    new, rng = table(4000, seed=1)
    y_new = rng.poisson(rate_of(new))
    model = TabularRegressor(loss="poisson", random_state=0).fit(X, y)
    line = PoissonRegressor(alpha=1e-6, max_iter=1000)
    line.fit(np.c_[X["x"], X["kind"] == "a"], y)
    best = mean_poisson_deviance(y_new, line.predict(np.c_[new["x"], new["kind"] == "a"]))
    constant = mean_poisson_deviance(y_new, np.full(4000, y.mean()))
    found = mean_poisson_deviance(y_new, model.predict(new))
    assert found < best + 0.1 * (constant - best)
    assert model.predict(new).sum() == pytest.approx(y_new.sum(), rel=0.1)


# From the squared errors of such targets, hardly anything is learned; the finding is true.
@pytest.mark.filterwarnings("ignore::multilayer.doctor.FindingWarning")
def test_robust_losses_bear_outliers():
    X, rng = table(1000)
    y = mean_of(X) + rng.normal(0, 0.2, 1000)
    y[rng.random(1000) < 0.1] += 60
    new, _ = table(1000, seed=1)

    def error(loss):
        model = TabularRegressor(loss=loss, random_state=0).fit(X, y)
        return mean_absolute_error(mean_of(new), model.predict(new))

    squared = error("squared_error")  # the outliers alone move its mean by 6
    assert error("huber") < 0.7 * squared
    assert error(Huber(0.1)) < 0.2 * squared
    assert error("absolute_error") < 0.2 * squared


@pytest.mark.parametrize("unit", [1e-9, 1e6, 1e200])
def test_the_unit_of_rates_does_not_matter(unit):
    X, rng = table(200)
    y = rng.poisson(rate_of(X)) + 0.5
    plain = TabularRegressor(loss="poisson", n_members=2, random_state=0).fit(X, y)
    scaled = TabularRegressor(loss="poisson", n_members=2, random_state=0).fit(X, unit * y)
    np.testing.assert_allclose(scaled.predict(X) / unit, plain.predict(X), rtol=1e-4)
    assert scaled.oob_score_ == pytest.approx(plain.oob_score_, abs=1e-4)
    numbers = np.c_[X["x"], X["kind"] == "a"]
    one = MLPRegressor("poisson", 8, scale_targets=True, max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # five epochs
        few = one.fit(numbers, y).predict(numbers)
        np.testing.assert_allclose(one.fit(numbers, unit * y).predict(numbers) / unit, few, 1e-6)
    assert few.mean() == pytest.approx(y.mean(), rel=0.5)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_scaled_targets_of_any_size(size):
    x = np.random.default_rng(0).uniform(-1, 1, (200, 1))
    weight = np.random.default_rng(1).uniform(1e299, 1e300, 200)
    one = MLPRegressor(hidden_layer_sizes=8, scale_targets=True, solver="lbfgs", random_state=0)
    one.fit(x, size * x[:, 0], weight)
    np.testing.assert_allclose(one.predict(x) / size, x[:, 0], atol=0.1)


# What every loss offers ------------------------------------------------------------------------


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_files_and_spread(loss, n_targets, tmp_path):
    X, rng = table(160)
    y = targets_of(X, rng, loss, n_targets)
    model = TabularRegressor(loss=loss, n_members=3, random_state=0).fit(X, y)
    width = n_targets * (2 if isinstance(loss, Quantile) else 1)
    predicted = model.predict(X)
    assert predicted.shape == model.oob_prediction_.shape == ((160, width) if width > 1 else (160,))
    assert np.isfinite(model.oob_prediction_).all()
    assert model.oob_scores_.shape == (3,)
    assert model.oob_score_ > 0.2
    mean, std = model.predict(X, return_std=True)
    each = np.stack([member.predict(X) for member in model.to_model().members])
    np.testing.assert_array_equal(mean, predicted)
    np.testing.assert_allclose(std, each.std(axis=0, ddof=1), rtol=1e-3, atol=1e-6)
    low, high = each.min(axis=(0, 1)), each.max(axis=(0, 1))
    inside = ((each > low) & (each < high)).all(axis=0)  # where no member meets a limit
    np.testing.assert_allclose(predicted[inside], each.mean(axis=0)[inside], rtol=1e-4, atol=1e-5)
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = multilayer.load(path)
    np.testing.assert_array_equal(again.predict(X), predicted)
    assert again.information["metrics"]["oob_score"] == model.oob_score_
    model.export(tmp_path / "model.onnx", sample=X)  # which compares predictions
    assert f"out-of-fold {score_of(model._loss)[0]} {model.oob_score_:.3f}" in model._repr_html_()


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_scores_and_losses_are_those_of_scikit_learn(loss, n_targets):
    X, rng = table(240)
    y = targets_of(X, rng, loss, n_targets).reshape(240, -1)
    weight = rng.uniform(0.5, 2, 240)
    model = TabularRegressor(loss=loss, n_members=3, random_state=0)
    model.fit(X, y[:, 0] if n_targets == 1 else y, weight)
    predicted = model.oob_prediction_.reshape(240, n_targets, -1)
    levels = {"quantile": (0.5,)}.get(loss) or getattr(loss, "quantiles", (None,))
    scores, losses = [], []
    for j in range(n_targets):
        for i, tau in enumerate(levels):
            own, p = y[:, j], predicted[:, j, i]
            mean = np.average(own, weights=weight)
            deviation = np.sqrt(np.average((own - mean) ** 2, weights=weight))
            if tau is not None:
                scores.append(d2_pinball_score(own, p, alpha=tau, sample_weight=weight))
                losses.append(mean_pinball_loss(own, p, alpha=tau, sample_weight=weight))
                losses[-1] /= deviation
            elif loss == "poisson":
                scores.append(d2_tweedie_score(own, p, power=1, sample_weight=weight))
                losses.append(mean_poisson_deviance(own, p, sample_weight=weight) / 2 / mean)
            elif loss == "absolute_error":
                scores.append(d2_absolute_error_score(own, p, sample_weight=weight))
                losses.append(mean_absolute_error(own, p, sample_weight=weight) / deviation)
            else:
                scores.append(r2_score(own, p, sample_weight=weight))
                losses.append(mean_squared_error(own, p, sample_weight=weight) / 2 / deviation**2)
                if loss == "huber":
                    losses[-1] = np.average(huber(1.0, (own - p) / deviation), weights=weight)
    assert model.oob_score_ == pytest.approx(np.mean(scores), rel=1e-5)
    # The loss is that of predictions before they are kept in the range of the targets.
    assert model.loss_ == pytest.approx(np.sum(losses), rel=0.02)
    assert model.loss_ == min(model.loss_curve_)
    plain = y[:, 0] if n_targets == 1 else y
    name, score = score_of(model._loss)
    assert name == ("R²" if loss in ("squared_error", "huber") else "D²")
    assert model.score(X, plain) == score(plain, model.predict(X))


def test_scores_of_one_network():
    """Counts have R², as in scikit-learn's MLPRegressor; quantiles, which it lacks, D²."""
    X, rng = table(100)
    numbers, y = np.c_[X["x"], X["kind"] == "a"], rng.poisson(rate_of(X))
    expected = {
        "squared_error": r2_score,
        "huber": r2_score,
        "poisson": r2_score,
        "absolute_error": d2_absolute_error_score,
        "quantile": lambda *data: d2_pinball_score(*data, alpha=0.5),
        Quantile(0.9): lambda *data: d2_pinball_score(*data, alpha=0.9),
    }
    for loss, score in expected.items():
        model = MLPRegressor(loss, 8, solver="lbfgs", max_iter=30, random_state=0, alpha=1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(numbers, y)
        assert model.score(numbers, y) == pytest.approx(score(y, model.predict(numbers)))


@pytest.mark.filterwarnings("ignore:.* is 7.3 in all rows:multilayer.doctor.FindingWarning")
def test_several_targets_are_learned_whatever_their_scales():
    X, rng = table(400)
    first, second = mean_of(X), 1e9 + 1e-3 * X["x"]
    y = np.column_stack([first, second, np.full(400, 7.3)]) + 0 * rng.normal(size=(400, 1))
    model = TabularRegressor(random_state=0).fit(X, y)
    scores = r2_score(y, model.oob_prediction_, multioutput="raw_values")
    assert scores[:2].min() > 0.8
    assert (model.predict(X)[:, 2] == 7.3).all()
    assert model.oob_score_ == pytest.approx(scores.mean(), rel=1e-4)
    assert model.score(X, y) == r2_score(y, model.predict(X))
    by_time = TabularRegressor(n_members=2, time="x", random_state=0).fit(X, y)
    assert np.isnan(by_time.oob_prediction_).mean() == pytest.approx(0.5, abs=0.02)
    grouped = TabularRegressor(n_members=2, random_state=0).fit(X, y, groups=np.arange(400) // 4)
    assert grouped.oob_prediction_.shape == (400, 3)


# One column does give the target away, so that the rise is known.
@pytest.mark.filterwarnings("ignore::multilayer.doctor.FindingWarning")
def test_importances_are_the_rise_of_the_loss():
    """Shuffling 2 x adds |2 (x − x′)| to an absolute error, 4/√π in the mean for normal x."""
    rng = np.random.default_rng(0)
    X = {"much": rng.normal(size=800), "none": rng.normal(size=800)}
    y = 50 + 10 * (2 * X["much"] + rng.normal(0, 0.05, 800))
    model = TabularRegressor(loss="absolute_error", random_state=0).fit(X, y)
    much, none = model.feature_importances_
    assert much == pytest.approx(4 / np.sqrt(np.pi) / 2 - model.loss_, rel=0.15)
    assert abs(none) < 0.02


def test_a_loss_of_ones_own():
    X, rng = table(200)
    y = mean_of(X) + rng.normal(0, 0.1, 200)
    model = TabularRegressor(loss=LogCosh(), n_members=2, random_state=0).fit(X, y)
    assert model.oob_score_ > 0.5
    assert model.oob_score_ == pytest.approx(r2_score(y, model.oob_prediction_), rel=1e-5)


def test_rows_without_weight_do_not_set_the_mean_rate():
    X, rng = table(200)
    y = rng.poisson(rate_of(X)).astype(float)
    weight = np.r_[np.ones(150), np.zeros(50)]
    far = np.r_[y[:150], np.full(50, 1e6)]
    model = TabularRegressor(loss="poisson", n_members=2, random_state=0)
    assert model.fit(X, far, weight).oob_score_ > 0.2
    assert model.predict(X)[:150].mean() == pytest.approx(y[:150].mean(), rel=0.3)


# Scaling and scores ----------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32 - 1),
    exponent=st.integers(-900, 900),
    is_weighted=st.booleans(),
)
def test_mean_and_deviation(seed, exponent, is_weighted):
    """A power of two changes no digit, so scikit-learn's numbers can be had for any size."""
    rng = np.random.default_rng(seed)
    y = rng.normal(rng.normal(0, 3, 2), 1, (20, 2))
    weight = rng.uniform(0.1, 2, 20) if is_weighted else None
    scaler = StandardScaler().fit(y, sample_weight=weight)
    huge = None if weight is None else 2.0**1000 * weight
    mean, deviation = mean_and_deviation(np.ldexp(y, exponent), huge)
    np.testing.assert_allclose(np.ldexp(mean, -exponent), scaler.mean_, 1e-10, 1e-12)
    np.testing.assert_allclose(np.ldexp(deviation, -exponent), scaler.scale_, 1e-10)


def test_deviations_of_constants():
    y = np.column_stack([np.full(7, 7.3), np.zeros(7), np.full(7, 1e300), np.full(7, 5e-324)])
    for weight in (None, np.arange(7.0)):
        mean, deviation = mean_and_deviation(y, weight)
        assert (mean == y[0]).all()
        assert (deviation == 1).all()


def test_rows_without_weight_set_no_limits():
    X, rng = table(200)
    y, weight = mean_of(X) + rng.normal(0, 0.1, 200), np.ones(200)
    y[0], weight[0] = 1e6, 0
    model = TabularRegressor(n_members=2, random_state=0).fit(X, y, weight)
    assert model.to_model().targets.limits.max() == y[1:].max()


def test_scores_where_there_is_nothing_to_explain():
    """As scikit-learn's R²: 1 if all is right, else 0."""
    for loss in (SquaredError(), Poisson(), AbsoluteError(), Quantile(0.5)):
        _, score = score_of(loss)
        assert score(np.full(4, 3.0), np.full(4, 3.0)) == 1
        assert score(np.full(4, 3.0), np.array([3.0, 3.0, 3.0, 4.0])) == 0
    _, score = score_of(Poisson())
    assert score(np.zeros(4), np.full(4, 0.1)) == 0
    assert np.isfinite(score(np.array([0.0, 1.0]), np.array([0.0, 1.0])))  # a rate that rounded


@pytest.mark.parametrize("value", [3, 1e-300, 1e300])
def test_constant_rates_and_quantiles(value):
    X, _ = table(40)
    for loss in ("poisson", Quantile((0.1, 0.9)), "absolute_error", "huber"):
        model = TabularRegressor(loss=loss, n_members=2, random_state=0)
        with pytest.warns(FindingWarning, match="in all rows: there is nothing to learn"):
            model.fit(X, np.full(40, value))
        assert (model.predict(X) == value).all()
        assert model.oob_score_ == 1


# Bad input -------------------------------------------------------------------------------------


def test_targets_that_a_loss_cannot_take_are_named():
    X, rng = table(60)
    y = rng.poisson(rate_of(X)).astype(float)
    negative = np.where(np.arange(60) == 7, -2.5, y)
    for model in (TabularRegressor(loss="poisson"), MLPRegressor("poisson", scale_targets=True)):
        samples = X if isinstance(model, TabularRegressor) else X["x"].reshape(-1, 1)
        for targets in (negative, np.c_[y, negative]):
            with pytest.raises(InvalidDataError, match=r"negative .*; got -2\.5 at row 7"):
                model.fit(samples, targets)
        rule = r" must be above 0 in some row with a weight, for loss 'poisson'$"
        with pytest.raises(InvalidDataError, match="^y" + rule):
            model.fit(samples, 0 * y)
        with pytest.raises(InvalidDataError, match=r"^y\[:, 1\]" + rule):
            model.fit(samples, np.c_[y, 0 * y])
        with pytest.raises(InvalidDataError, match="^y" + rule):
            model.fit(samples, np.r_[1, np.zeros(59)], np.r_[0, np.ones(59)])
        assert not hasattr(model, "n_features_in_")
    with pytest.raises(InvalidDataError, match=r"^y\[:, 1\] must have a range that float64 can"):
        TabularRegressor().fit(X, np.c_[y, np.r_[1e308, -1e308, np.zeros(58)]])
    with pytest.raises(ValueError, match="Found array with dim 3"):
        TabularRegressor().fit(X, y[:, np.newaxis, np.newaxis])
    with pytest.raises(ValueError, match=r"Input y contains NaN\. The first is at row 3, column 1"):
        TabularRegressor().fit(X, np.c_[y, np.where(np.arange(60) == 3, np.nan, y)])


def test_losses_that_are_none_are_named():
    X, rng = table(40)
    y = rng.normal(size=40)
    names = "squared_error, absolute_error, huber, quantile, poisson"
    for model in (TabularRegressor(), MLPRegressor(columns="auto")):
        owner = type(model).__name__
        rule = rf"^loss of {owner} must be one of {names}; got 'hubert', did you mean 'huber'\?$"
        with pytest.raises(UnknownNameError, match=rule):
            model.set_params(loss="hubert").fit(X, y)
        with pytest.raises(UnknownNameError, match="got 'cross_entropy'"):
            model.set_params(loss="cross_entropy").fit(X, y)
        with pytest.raises(InvalidArgumentError, match=f"loss of {owner} must be .* 'cross_entro"):
            model.set_params(loss=multilayer.numpy.CrossEntropy()).fit(X, y)
        with pytest.raises(ValueError, match="The 'loss' parameter of"):
            model.set_params(loss=3).fit(X, y)
