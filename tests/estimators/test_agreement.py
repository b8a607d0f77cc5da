"""The same seed gives scikit-learn's own training: weights, losses, scores, epoch by epoch."""

import inspect

import numpy as np
import pytest
from sklearn import neural_network as theirs
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification, make_regression
from sklearn.exceptions import ConvergenceWarning

import multilayer as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Sums in another order, in float64, over tens of epochs of steps.
TOLERANCE = 1e-7
# scikit-learn's Adam adds ε to √v before the bias of v is corrected; ours after that, as
# algorithm 1 of the paper does. The less there is of it, the less they differ.
EPSILON = 1e-14


def classes():
    X, y = load_iris(return_X_y=True)
    return X, y


def two_classes():
    X, y = load_digits(n_class=2, return_X_y=True)
    return X[:200] / 16, np.array(["no", "yes"])[y[:200]]


def labels():
    return make_multilabel_classification(n_samples=100, random_state=0)


def values():
    return make_regression(n_samples=120, n_features=6, noise=1, random_state=0)


def several_values():
    return make_regression(n_samples=120, n_features=6, n_targets=3, random_state=0)


CLASSIFICATION = [classes, two_classes, labels]


def both(data, **parameters):
    """Fit both packages' estimators of a kind."""
    X, y = data()
    name = "MLPClassifier" if data in CLASSIFICATION else "MLPRegressor"
    settings = {"hidden_layer_sizes": (8, 5), "random_state": 3, "max_iter": 15} | parameters
    settings["epsilon"] = EPSILON
    return X, y, *(getattr(package, name)(**settings).fit(X, y) for package in (ours, theirs))


def assert_same(mine, other):
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(mine, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)
    for name in ("n_iter_", "n_layers_", "n_outputs_", "out_activation_", "t_", "n_features_in_"):
        assert getattr(mine, name) == getattr(other, name), name


@pytest.mark.parametrize("data", [*CLASSIFICATION, values, several_values])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_solvers(data, solver, activation):
    is_lbfgs = solver == "lbfgs"
    if is_lbfgs and data is several_values:
        # Its loss is a mean over the targets, its gradient that of their sum: the line search is
        # led astray.
        pytest.skip("of several targets, scikit-learn's L-BFGS minimises no loss of its own")
    alpha = 1e-3 if is_lbfgs else 0.0  # the last batch is shorter, and penalised more
    X, _, mine, other = both(
        data,
        solver=solver,
        activation=activation,
        alpha=alpha,
        max_iter=8 if is_lbfgs else 15,  # its line search makes more and more of rounding
    )
    assert_same(mine, other)
    if data is not several_values:
        assert mine.loss_ == pytest.approx(other.loss_, rel=1e-4)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        if hasattr(other, method):
            found, expected = getattr(mine, method)(X), getattr(other, method)(X)
            assert found.dtype == expected.dtype
            if found.dtype.kind == "f":
                np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)
            else:
                np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "parameters",
    [
        {"momentum": 0},
        {"momentum": 0.5, "nesterovs_momentum": False},
        {"shuffle": False},
        {"batch_size": 10, "alpha": 0.5},
        {"learning_rate": "invscaling", "momentum": 0, "power_t": 0.3},
        {"learning_rate": "adaptive", "momentum": 0, "tol": 0.05, "n_iter_no_change": 2,
         "max_iter": 60},
        {"tol": 0.01, "n_iter_no_change": 2, "max_iter": 100},
        {"early_stopping": True, "validation_fraction": 0.2, "max_iter": 40},
        {"early_stopping": True, "tol": 0.02, "n_iter_no_change": 3, "max_iter": 100},
        {"early_stopping": True, "learning_rate": "adaptive", "momentum": 0, "max_iter": 60,
         "n_iter_no_change": 2},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("data", [classes, two_classes, values])
def test_settings_of_sgd(data, parameters):
    settings = {"solver": "sgd", "alpha": 0.0, "learning_rate_init": 1e-3} | parameters
    _, _, mine, other = both(data, **settings)
    assert_same(mine, other)
    np.testing.assert_allclose(mine.loss_curve_, other.loss_curve_, rtol=1e-8)
    if settings.get("early_stopping"):
        np.testing.assert_allclose(mine.validation_scores_, other.validation_scores_, rtol=1e-8)
        assert mine.best_validation_score_ == pytest.approx(other.best_validation_score_)
        assert mine.best_loss_ is other.best_loss_ is None
    else:
        assert mine.validation_scores_ is other.validation_scores_ is None
        assert mine.best_validation_score_ is other.best_validation_score_ is None
        assert mine.best_loss_ == pytest.approx(other.best_loss_, rel=1e-8)


@pytest.mark.parametrize("data", [two_classes, values])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
def test_partial_fit_and_warm_start(data, solver, learning_rate):
    X, y = data()
    name = "MLPClassifier" if data in CLASSIFICATION else "MLPRegressor"
    models = [
        getattr(package, name)(
            hidden_layer_sizes=6,
            solver=solver,
            learning_rate=learning_rate,
            momentum=0,
            alpha=0,
            epsilon=EPSILON,
            learning_rate_init=1e-3,
            max_iter=3,
            random_state=5,
            warm_start=True,
        )
        for package in (ours, theirs)
    ]
    first = {"classes": np.unique(y)} if data in CLASSIFICATION else {}
    for model in models:
        model.partial_fit(X[:50], y[:50], **first)
        model.partial_fit(X[50:], y[50:])
        model.partial_fit(X, y)
    assert_same(*models)
    for model in models:
        model.fit(X, y).fit(X, y)
    assert_same(*models)
    np.testing.assert_allclose(models[0].loss_curve_, models[1].loss_curve_, rtol=1e-8)


def test_sample_weights():
    X, y = classes()
    weight = np.random.default_rng(0).uniform(0, 3, size=len(y))
    models = [
        package.MLPClassifier(8, alpha=0, solver="sgd", random_state=0, max_iter=10).fit(
            X, y, sample_weight=weight
        )
        for package in (ours, theirs)
    ]
    assert_same(*models)


def test_poisson():
    X, y = values()
    y = np.round(np.abs(y) / 20)
    models = [
        package.MLPRegressor("poisson", 8, solver="sgd", alpha=0, random_state=0, max_iter=10,
                             learning_rate_init=1e-4).fit(X, y)
        for package in (ours, theirs)
    ]  # fmt: skip
    assert_same(*models)
    np.testing.assert_allclose(models[0].predict(X), models[1].predict(X), rtol=1e-7)


@pytest.mark.parametrize("parameters", [
    {"solver": "sgd", "tol": 0.1, "n_iter_no_change": 2},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.3, "n_iter_no_change": 1,
     "max_iter": 60, "momentum": 0},
    {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 30, "epsilon": EPSILON},
], ids=str)  # fmt: skip
def test_printed_lines(parameters, capsys):
    printed = []
    for package in (ours, theirs):
        package.MLPClassifier(8, alpha=0, random_state=0, verbose=True, **parameters).fit(
            *two_classes()
        )
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "Iteration 1, loss = " in printed[0]


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_parameters_have_the_same_names_order_and_defaults(name):
    mine, other = (
        list(inspect.signature(getattr(package, name)).parameters.values())
        for package in (ours, theirs)
    )
    shared = [(p.name, p.default, p.kind) for p in other]
    assert [(p.name, p.default, p.kind) for p in mine[: len(other)]] == shared


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_warnings(solver):
    X, y = classes()
    messages = []
    for package in (ours, theirs):
        with pytest.warns(ConvergenceWarning) as caught:
            package.MLPClassifier(8, solver=solver, max_iter=2, random_state=0).fit(X, y)
        messages.append(str(caught[0].message).splitlines()[0])
    assert messages[0] == messages[1]
