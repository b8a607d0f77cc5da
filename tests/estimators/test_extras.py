"""What scikit-learn's MLP cannot do: each parameter has its effect, or is refused."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn import neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.metrics import d2_pinball_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multilayer import MLPClassifier, MLPRegressor
from multilayer.errors import InvalidArgumentError, ModelFileError
from multilayer.numpy import (
    LBFGS,
    SGD,
    Adam,
    Adversarial,
    Cosine,
    Huber,
    Quantile,
    VirtualAdversarial,
)
from multilayer.training import Callback, fit

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
X_values, y_values = load_diabetes(return_X_y=True)
X_values = StandardScaler().fit_transform(X_values)


def classifier(**parameters):
    return MLPClassifier(
        **{"hidden_layer_sizes": (8, 6), "max_iter": 10, "random_state": 0} | parameters
    )


def regressor(**parameters):
    return MLPRegressor(
        **{"hidden_layer_sizes": (8, 6), "max_iter": 10, "random_state": 0} | parameters
    )


@pytest.mark.parametrize("engine", ["numpy", "torch"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"dropout": 0.3},
        {"dropout": (0.0, 0.5)},
        {"noise": 0.3},
        {"noise": (0.3, 0.0, 0.0)},
        {"noise": [0.0, 0.0, 0.3]},
        {"normalization": "batch"},
        {"normalization": "layer"},
        {"activation": ("tanh", "gelu")},
        {"activation": "silu"},
        {"clip_norm": 1e-3, "solver": "sgd"},
        {"clip_value": 1e-3, "solver": "sgd"},
        {"class_weight": "balanced"},
        {"class_weight": {0: 5.0, 1: 1.0, 2: 0.1}},
        {"label_smoothing": 0.2},
        {"solver": "adamw"},  # decays weights, which adam does not
        {"solver": Adam(0.001, beta_1=0.5)},
        {"max_norm": 0.5},
        {"ema": 0.9},
        {"adversary": Adversarial(0.1)},
        {"adversary": VirtualAdversarial(0.5)},
        {"learning_rate": "cosine"},
        {"learning_rate": Cosine(final=0.5)},
        {"learning_rate": "one_cycle", "solver": "sgd"},
    ],
    ids=str,
)
def test_each_has_an_effect(parameters, engine):
    unbalanced, labels = X[:120], y[:120]
    plain = classifier(solver="sgd" if parameters.get("solver") == "sgd" else "adam", engine=engine)
    changed = clone(plain).set_params(**parameters)
    first, second = (model.fit(unbalanced, labels) for model in (plain, changed))
    assert not np.array_equal(first.predict_proba(X), second.predict_proba(X))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"loss": "absolute_error"},
        {"loss": "huber"},
        {"loss": Huber(0.1)},
        {"loss": "quantile"},
        {"loss": Quantile((0.1, 0.9))},
        {"loss": "poisson"},
        {"scale_targets": True},
        {"max_norm": 0.5, "ema": 0.9},
        {"adversary": Adversarial(0.1, n_steps=2)},
        {"adversary": VirtualAdversarial(0.5)},
    ],
    ids=str,
)
def test_both_engines_train_the_same_regressor(parameters):
    models = [
        regressor(engine=engine, alpha=0.1, **parameters).fit(X_values, y_values)
        for engine in ("numpy", "torch")
    ]
    # Float64, some tens of steps.
    np.testing.assert_allclose(*(m.predict(X_values) for m in models), rtol=1e-6)
    np.testing.assert_allclose(*(m.loss_curve_ for m in models), rtol=1e-6)


@pytest.mark.parametrize(
    "parameters", [{"adversary": VirtualAdversarial(0.5)}, {"ema": 0.9}, {"max_norm": 0.5}], ids=str
)
def test_members_are_those_that_train_alone(parameters):
    several = classifier(n_members=2, **parameters).fit(X, y)
    each = [classifier(random_state=seed, **parameters).fit(X, y) for seed in several.seeds_]
    mean = np.mean([alone.predict_proba(X) for alone in each], axis=0)
    np.testing.assert_allclose(several.predict_proba(X), mean, rtol=1e-12)


def test_an_average_is_refused_where_it_would_begin_anew():
    with pytest.raises(InvalidArgumentError) as caught:
        classifier(ema=0.9).partial_fit(X, y, classes=np.unique(y))
    assert str(caught.value) == (
        "ema of MLPClassifier cannot be combined with partial_fit, which would start it anew each "
        "time; got 0.9"
    )


def test_an_adversary_refuses_what_has_no_gradient():
    with pytest.raises(InvalidArgumentError, match=r"adversary .* cannot be combined with L-BFGS"):
        classifier(solver="lbfgs", adversary=Adversarial(0.1)).fit(X, y)
    with pytest.raises(ValueError, match="adversary"):
        classifier(adversary="strong").fit(X, y)


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_batch_normalisation_predicts_with_its_statistics(engine):
    model = classifier(
        normalization="batch", engine=engine, max_iter=40, learning_rate_init=0.05
    ).fit(X, y)
    assert len(model.coefs_) == 3
    alone = np.vstack([model.predict_proba(row[None]) for row in X[:5]])
    np.testing.assert_allclose(alone, model.predict_proba(X)[:5], rtol=1e-10)
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("engine", ["numpy", "torch"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_early_stopping_keeps_the_best_weights_with_any_solver(solver, engine):
    model = classifier(
        early_stopping=True, solver=solver, max_iter=60, n_iter_no_change=3, engine=engine
    ).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X[1::2], y[1::2]) == model.best_validation_score_


def test_validation_samples_without_early_stopping_only_look_on():
    plain = classifier().fit(X, y)
    watched = classifier().fit(X, y, X_val=X[:10], y_val=y[:10])
    np.testing.assert_array_equal(plain.predict_proba(X), watched.predict_proba(X))
    assert plain.validation_loss_curve_ is None
    assert len(watched.validation_loss_curve_) == 10
    loss = -np.log(watched.predict_proba(X[:10])[np.arange(10), y[:10]]).mean()
    assert watched.validation_loss_curve_[-1] == pytest.approx(loss, rel=1e-10)


def test_balanced_classes_are_as_if_repeated():
    rows = np.r_[np.arange(50), np.arange(50, 75)]
    repeated = np.r_[rows, np.arange(50, 75)]
    settings = {"solver": "lbfgs", "max_iter": 300, "alpha": 0.1, "tol": 1e-8}
    weighted = classifier(class_weight="balanced", **settings).fit(X[rows], y[rows])
    plain = classifier(**settings).fit(X[repeated], y[repeated])
    weighted.set_params(alpha=0.1 * 75 / 100)  # the penalty is one for all samples
    weighted.fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), atol=1e-3)


def test_smoothed_labels_pull_probabilities_to_the_middle():
    X, y = load_breast_cancer(return_X_y=True)
    X, y = StandardScaler().fit_transform(X)[:100], y[:100]
    settings = {
        "hidden_layer_sizes": 32,
        "solver": "lbfgs",
        "max_iter": 1000,
        "tol": 1e-6,
        "alpha": 0,
    }
    smooth = classifier(label_smoothing=0.2, **settings).fit(X, y)
    # So many units fit each target of so few samples, and the probability is the smoothed target
    # itself, but for 4e-4 where L-BFGS is content.
    targets = np.where(y[:, None] == [0, 1], 0.9, 0.1)
    np.testing.assert_allclose(smooth.predict_proba(X), targets, atol=2e-3)
    assert classifier(**settings).fit(X, y).predict_proba(X).max() > 0.999


def test_several_quantiles():
    quantiles = (0.1, 0.5, 0.9)
    model = regressor(
        loss=Quantile(quantiles), solver="lbfgs", max_iter=300, scale_targets=True, alpha=0.5
    ).fit(X_values, y_values)
    predicted = model.predict(X_values)
    assert predicted.shape == (len(X_values), 3)
    shares = (y_values[:, None] < predicted).mean(axis=0)
    np.testing.assert_allclose(shares, quantiles, atol=0.06)
    d2 = [d2_pinball_score(y_values, predicted[:, j], alpha=tau) for j, tau in enumerate(quantiles)]
    assert model.score(X_values, y_values) == pytest.approx(np.mean(d2))


def test_scaled_targets_make_the_scale_of_the_targets_irrelevant():
    settings = {"scale_targets": True, "max_iter": 30}
    small = regressor(**settings).fit(X_values, y_values)
    large = regressor(**settings).fit(X_values, 1e6 * y_values + 1e8)
    np.testing.assert_allclose(
        (large.predict(X_values) - 1e8) / 1e6, small.predict(X_values), rtol=1e-6
    )
    settings = {"scale_targets": True, "max_iter": 60, "learning_rate_init": 0.05}
    several = regressor(**settings).fit(X_values, np.c_[y_values, 1e3 * y_values])
    assert several.predict(X_values).shape == (len(y_values), 2)
    assert several.score(X_values, np.c_[y_values, 1e3 * y_values]) > 0.2


def test_hidden_features_lead_to_the_outputs():
    model = classifier().fit(X, y)
    features = model.transform(X)
    assert features.shape == (150, 6)
    z = features @ model.coefs_[-1] + model.intercepts_[-1]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    np.testing.assert_allclose(p / p.sum(axis=1, keepdims=True), model.predict_proba(X), rtol=1e-9)
    frame = model.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == [f"mlpclassifier{i}" for i in range(6)]


class Watch(Callback):
    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, run):
        self.epochs.append(run.epoch)
        if run.epoch == 4:
            run.stop("enough")


def test_callbacks_look_on_and_stop():
    watch = Watch()
    model = classifier(callbacks=watch).fit(X, y)
    assert watch.epochs == [1, 2, 3, 4]
    assert model.n_iter_ == 4
    assert model.history_.stopped_by == "enough"


def test_written_weights_change_the_network():
    model = classifier().fit(X, y)
    before = model.predict_proba(X)
    for change in (
        lambda: model.coefs_[0].__imul__(0.5),
        lambda: model.coefs_.__setitem__(0, model.coefs_[0] * 0.5),
        lambda: setattr(model, "coefs_", [W * 0.5 for W in model.coefs_]),
        lambda: setattr(model, "intercepts_", [b + 1 for b in model.intercepts_]),
    ):
        change()
        after = model.predict_proba(X)
        assert not np.array_equal(before, after)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), after)
        before = after
    model.coefs_[1] = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"coefs_\[1\] must have shape \(8, 6\); got \(2, 2\)"):
        model.predict(X)


def test_a_linear_model():
    model = classifier(hidden_layer_sizes=(), solver="lbfgs", max_iter=200).fit(X, y)
    assert len(model.coefs_) == 1
    assert model.score(X, y) > 0.95
    np.testing.assert_array_equal(model.transform(X), X)


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_sparse_samples_are_never_dense_as_a_whole(engine, monkeypatch):
    sparse = csr_array(X)
    expected = classifier(engine=engine).fit(X, y).predict_proba(X)
    largest = []
    toarray = csr_array.toarray

    def watched(self, *arguments, **more):
        largest.append(self.shape[0])
        return toarray(self, *arguments, **more)

    monkeypatch.setattr(csr_array, "toarray", watched)
    model = classifier(engine=engine, batch_size=50).fit(sparse, y)
    assert max(largest) == 50
    monkeypatch.undo()
    np.testing.assert_allclose(
        model.predict_proba(sparse), classifier(batch_size=50).fit(X, y).predict_proba(X), rtol=1e-6
    )
    assert expected.shape == (150, 3)


def test_it_costs_nothing_to_be_a_part_of_scikit_learn():
    pipeline = make_pipeline(StandardScaler(), classifier(max_iter=50))
    search = GridSearchCV(pipeline, {"mlpclassifier__dropout": [0.0, 0.2]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.5
    calibrated = CalibratedClassifierCV(classifier(max_iter=50), cv=2).fit(X, y)
    assert calibrated.predict_proba(X).shape == (150, 3)
    model = classifier(max_iter=100).fit(X, y)
    importance = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (4,)
    assert cross_val_score(regressor(), X_values, y_values, cv=2).shape == (2,)


def test_metadata_are_routed():
    from sklearn import config_context

    with config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True, X_val=True, y_val=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        pipeline.fit(X, y, sample_weight=np.ones(150), X_val=X[:9], y_val=y[:9])
    assert len(pipeline[-1].validation_loss_curve_) == 10


def test_clones_and_copies():
    model = classifier(dropout=0.1, solver=SGD(0.1)).fit(X, y)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        twin.predict(X)
    same = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(same.predict_proba(X), model.predict_proba(X))
    same.coefs_[0][:] = 0
    assert model.coefs_[0].any()
    assert not np.array_equal(same.predict_proba(X), model.predict_proba(X))


def test_a_table_with_named_columns():
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = classifier().fit(frame, y)
    assert list(model.feature_names_in_) == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"a": "z"}))


def test_a_notebook_shows_layers_and_losses():
    model = classifier(early_stopping=True)
    assert "<polyline" not in model._repr_html_()
    html = model.fit(X, y)._repr_html_()
    assert html.count("<polyline") == 2
    for text in ("hidden 1", "8 × 4", "training loss", "validation loss", "total"):
        assert text in html


def test_no_arithmetic_of_its_own():
    """The network of an estimator is what `fit` makes of the same settings."""
    model = classifier(
        activation="tanh", solver=Adam(0.01), alpha=0.3, batch_size=25, shuffle=False
    )
    model.fit(X, y)
    start = classifier(activation="tanh", solver=Adam(0.01), max_iter=1, shuffle=False)
    net = start.fit(X, y).network_.copy()
    rng = np.random.RandomState(0)
    for (W, b), n_in in zip(net.weights, (4, 8, 6), strict=True):
        bound = np.sqrt(6 / (n_in + len(W)))
        W[:] = rng.uniform(-bound, bound, (n_in, len(W))).T
        b[:] = rng.uniform(-bound, bound, len(b))
    fit(net, (X, y), loss="cross_entropy", optimizer=Adam(0.01), l2=0.3 / 25, batch_size=25,
        n_epochs=10, shuffle=False)  # fmt: skip
    np.testing.assert_array_equal(net.parameters, model.network_.parameters)


def test_r2_of_a_regressor():
    model = regressor(max_iter=100, scale_targets=True).fit(X_values, y_values)
    residual = ((y_values - model.predict(X_values)) ** 2).mean()
    assert model.score(X_values, y_values) == pytest.approx(1 - residual / y_values.var())


def test_convergence_warning_is_scikit_learns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="Maximum iterations"):
            classifier(max_iter=1).fit(X, y)


@pytest.mark.parametrize("limit", [{"max_iter": 3}, {"max_fun": 3}])
def test_warning_of_lbfgs_is_word_for_word_scikit_learns(limit):
    said = []
    for model in (MLPClassifier, neural_network.MLPClassifier):
        with pytest.warns(ConvergenceWarning) as caught:
            model((5,), solver="lbfgs", random_state=0, **limit).fit(X, y)
        said.append(str(caught[0].message))
    assert said[0] == said[1]


BAD = {
    "unknown activation": (
        {"activation": "rleu"}, ValueError,
        "activation of MLPClassifier must be one of identity, relu, leaky_relu, elu, selu, gelu, "
        "gelu_tanh, silu, mish, softplus, softsign, sigmoid, tanh, hard_tanh, softmax, "
        "log_softmax, logistic; got 'rleu', did you mean 'relu'?"),
    "unknown solver": (
        {"solver": "adm"}, ValueError,
        "solver of MLPClassifier must be one of sgd, adam, amsgrad, adamw, nadam, rmsprop, "
        "adagrad, lion, lbfgs; got 'adm', did you mean 'adam'?"),
    "unknown schedule": ({"learning_rate": "cosin"}, ValueError, "did you mean 'cosine'"),
    "a rate beside a solver object": (
        {"solver": SGD(0.1), "learning_rate_init": 0.2}, ValueError,
        "learning_rate_init of MLPClassifier cannot be 0.2 with a solver object, which has"),
    "dropout with lbfgs": (
        {"solver": "lbfgs", "dropout": 0.1}, ValueError,
        "dropout of MLPClassifier cannot be combined with L-BFGS"),
    "noise with lbfgs": (
        {"solver": "lbfgs", "noise": 0.1}, ValueError,
        "noise of MLPClassifier cannot be combined with L-BFGS"),
    "clipping with lbfgs": (
        {"solver": LBFGS(), "clip_norm": 1.0}, ValueError,
        "clip_norm of MLPClassifier cannot be combined with L-BFGS"),
    "a maximum norm with lbfgs": (
        {"solver": "lbfgs", "max_norm": 1.0}, ValueError,
        "max_norm of MLPClassifier cannot be combined with L-BFGS"),
    "an average with lbfgs": (
        {"solver": "lbfgs", "ema": 0.9}, ValueError,
        "ema of MLPClassifier cannot be combined with L-BFGS"),
    "an average of all time": ({"ema": 1.0}, ValueError, "ema"),
    "a schedule with lbfgs": (
        {"solver": "lbfgs", "learning_rate": "cosine"}, ValueError,
        "learning_rate of MLPClassifier cannot be 'cosine' with L-BFGS"),
    "a device with numpy": (
        {"engine": "numpy", "device": "cuda:0"}, ValueError,
        "device of MLPClassifier cannot be 'cuda:0' with engine 'numpy'"),
    "precision with numpy": (
        {"engine": "numpy", "precision": "bfloat16"}, ValueError,
        "precision of MLPClassifier cannot be 'bfloat16' with engine 'numpy'"),
    "a device that is not there": (
        {"engine": "torch", "device": "cuda:7"}, ValueError,
        "device of MLPClassifier must be 'auto' or a device that PyTorch finds here: cpu"),
    "too many dropouts": (
        {"dropout": (0.1, 0.2, 0.3)}, ValueError, "dropout of MLPClassifier must be one value"),
    "too many activations": (
        {"activation": ("relu",) * 3}, ValueError,
        "activation of MLPClassifier must be one value"),
    "dropout of 1": ({"dropout": 1.0}, ValueError, "The 'dropout' parameter of MLPClassifier"),
    "negative noise": ({"noise": -0.1}, ValueError, "The 'noise' parameter of MLPClassifier"),
    "noise of the hidden layers alone": (
        {"noise": (0.1, 0.2)}, ValueError,
        "noise of MLPClassifier must be one value, or one for the inputs and each of the 2 hidden"),
    "no callback": ({"callbacks": [3]}, TypeError, "callbacks of MLPClassifier must be"),
    "no hidden units": (
        {"hidden_layer_sizes": (3, 0)}, ValueError,
        "hidden_layer_sizes[1] of MLPClassifier must be a positive integer; got 0"),
    "widths that are words": (
        {"hidden_layer_sizes": (3, "a")}, TypeError,
        "hidden_layer_sizes[1] of MLPClassifier must be a positive integer; got 'a'"),
    "dropouts that are words": (
        {"dropout": ("a", 0.1)}, TypeError,
        "dropout[0] of MLPClassifier must be a number in [0, 1); got 'a'"),
    "an activation that is no word": (
        {"activation": ("relu", 3)}, TypeError, "log_softmax, logistic; got 3"),
    "full momentum": (
        {"solver": "sgd", "momentum": 1.0}, ValueError,
        "momentum of MLPClassifier must be a number in [0, 1); got 1"),
    "nothing to validate on": (
        {"early_stopping": True, "validation_fraction": 0.0}, ValueError,
        "validation_fraction of MLPClassifier cannot be 0.0 of "),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_contradictions_are_refused(name):
    parameters, error, message = BAD[name]
    model = classifier(**parameters)
    with pytest.raises(error, match=re.escape(message)):
        model.fit(X, y)


BAD_DATA = {
    "NaN": (lambda: (np.where(X[3, 2] == X, np.nan, X), y), {}, ValueError, "contains NaN"),
    "infinity": (lambda: (np.where(X.max() == X, np.inf, X), y), {}, ValueError,
                 "Input X contains infinity"),
    "text": (lambda: (np.array([["a"] * 4] * 150), y), {}, ValueError, "could not convert string"),
    "fewer targets": (lambda: (X, y[:9]), {}, ValueError, "inconsistent numbers of samples"),
    "continuous classes": (lambda: (X, X[:, 0]), {}, ValueError, "Unknown label type"),
    "negative weights": (
        lambda: (X, y), {"sample_weight": np.full(150, -1.0)}, ValueError, "Negative values"),
    "no weights": (
        lambda: (X, y), {"sample_weight": np.zeros(150)}, ValueError,
        "Sample weights must contain at least one non-zero number"),
    "a single member and early stopping": (
        lambda: (X[:51], (y[:51] > 0).astype(int)), {}, ValueError, "too few"),
    "X_val alone": (
        lambda: (X, y), {"X_val": X}, ValueError, "y_val of fit must be given with X_val"),
    "unseen classes to validate on": (
        lambda: (X[:100], y[:100]), {"X_val": X, "y_val": y}, ValueError,
        "`y` has classes not in"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_are_refused(name):
    data, more, error, message = BAD_DATA[name]
    samples, targets = data()
    with np.errstate(invalid="ignore"), pytest.raises(error, match=message):
        classifier(early_stopping=True).fit(samples, targets, **more)


def test_one_class_is_predicted_with_certainty():
    model = classifier().fit(X[:50], y[:50])
    np.testing.assert_array_equal(model.predict(X), np.zeros(150))
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((150, 1)))


def test_unseen_classes_in_partial_fit():
    model = classifier().partial_fit(X[:100], y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
        model.partial_fit(X, y)


def test_regression_of_the_wrong_number_of_targets():
    X, y = make_regression(60, 4, n_targets=2, random_state=0)
    model = regressor().partial_fit(X, y)
    with pytest.raises(ValueError, match="targets must be 2, as in the previous fit"):
        model.partial_fit(X, y[:, 0])


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_several_targets_with_classes_of_their_own(engine):
    several = np.c_[np.array(["a", "b", "c"])[y], np.where(X[:, 0] > 0, "long", "short")]
    model = classifier(engine=engine, solver="lbfgs", max_iter=200, alpha=0.01).fit(X, several)
    assert [list(classes) for classes in model.classes_] == [["a", "b", "c"], ["long", "short"]]
    predicted = model.predict(X)
    assert predicted.shape == (150, 2)
    assert (predicted == several).mean(axis=0).min() > 0.95
    assert model.score(X, several) == (predicted == several).all(axis=1).mean()
    probabilities = model.predict_proba(X)
    assert [p.shape for p in probabilities] == [(150, 3), (150, 2)]
    for p, logarithm, column, classes in zip(
        probabilities, model.predict_log_proba(X), predicted.T, model.classes_, strict=True
    ):
        np.testing.assert_allclose(p.sum(axis=1), 1)
        np.testing.assert_allclose(logarithm, np.log(p))
        np.testing.assert_array_equal(np.array(classes)[p.argmax(axis=1)], column)
    stopped = classifier(early_stopping=True).fit(X, several)
    assert max(stopped.validation_scores_) == stopped.best_validation_score_
    with pytest.raises(ValueError, match="y must hold classes"):
        model.set_params(solver="adam").partial_fit(X, np.where(several == "a", "z", several))


def test_a_fit_that_fails_leaves_the_estimator_as_it_was():
    fresh = classifier(solver="lbfgs", dropout=0.1)
    with pytest.raises(ValueError, match="dropout of MLPClassifier cannot be combined"):
        fresh.fit(X, y)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    model = classifier().fit(X, y)
    before = model.predict_proba(X)
    model.set_params(clip_norm=-1.0)
    with pytest.raises(ValueError, match="clip_norm"):
        model.fit(X[:, :2], y)
    model.set_params(clip_norm=None, max_iter=5, solver=SGD(1e12))
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        model.fit(1e6 * X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.n_features_in_ == 4


def test_weights_set_by_hand_wait_for_a_fit():
    model = classifier()
    model.coefs_, model.intercepts_ = [np.ones((4, 1))], [np.zeros(1)]
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.predict_proba(X)


def test_signature_defaults_and_documentation_agree():
    import inspect

    from multilayer.estimators.parameters import ATTRIBUTES

    for Estimator in (MLPClassifier, MLPRegressor):
        documented = {}
        section = inspect.getdoc(Estimator).split("Attributes\n")[0]
        for line in section.splitlines():
            if " : " in line and not line.startswith(" "):
                names, kind = line.split(" : ", 1)
                defaults = kind.partition("default=")[2]
                split = defaults.split(", ") if ", " in names else [defaults]
                documented |= dict(zip(names.split(", "), split * 9, strict=False))
        parameters = inspect.signature(Estimator).parameters
        assert set(documented) == set(parameters)
        for name, parameter in parameters.items():
            assert eval(documented[name]) == parameter.default, name
    model = classifier(early_stopping=True, resample="bootstrap")
    model.fit(pd.DataFrame(X, columns=list("abcd")), y)
    for line in ATTRIBUTES.splitlines():
        if not line.startswith(" "):
            for name in line.split(" : ")[0].split(", "):
                assert hasattr(model, name), name


@pytest.mark.parametrize("engine", ["numpy", "torch"])
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("given", [{"adversary": VirtualAdversarial(0.5)}, {"ema": 0.9}], ids=str)
def test_a_fit_goes_on_without_what_is_taken_out(given, n_members, engine):
    model = classifier(engine=engine, n_members=n_members, **given).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(**dict.fromkeys(given)).partial_fit(X, y)
    after = model.predict_proba(X)
    assert np.isfinite(after).all()
    assert not np.array_equal(before, after)


@pytest.mark.parametrize("columns", [None, "auto"])
def test_text_among_the_targets_is_not_the_samples_fault(columns):
    y = np.array(["1", "2", "four"], dtype=object)
    with pytest.raises(ValueError, match=r"^y must hold numbers; got 'four' at index 2$"):
        MLPRegressor(columns=columns).fit(np.arange(6).reshape(3, 2), y)


def test_a_pickle_of_another_structure_is_refused():
    pickled = pickle.dumps(MLPRegressor())
    assert pickled.count(b"_structure") == 1
    with pytest.raises(ModelFileError) as caught:
        pickle.loads(pickled.replace(b"_structure", b"_formation"))
    assert str(caught.value) == (
        "MLPRegressor was pickled by another release, and can only be fitted again; save() writes "
        "files that later releases read"
    )
    assert "_structure" not in vars(pickle.loads(pickled))
