"""Several fits trained as one: each outcome is that of the fit alone."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification, make_regression

from multilayer import MLPClassifier, MLPRegressor
from multilayer.errors import InvalidDataError
from multilayer.estimators.lockstep import groups_of, train_networks
from multilayer.numpy import Adam, AdamW, Huber, VirtualAdversarial
from multilayer.training import Callback

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size`"),
]

# Sums in another order, in float64.
TOLERANCE = 1e-10
# The same in float32, of which a sum of some hundred products keeps five digits or six.
SINGLE = 1e-4


def table():
    rng = np.random.default_rng(0)
    n = 90
    X = pd.DataFrame({"size": rng.normal(size=n), "colour": rng.choice(["red", "blue", "tan"], n)})
    X.loc[::11, "size"] = np.nan
    return X, np.array(["no", "yes"])[(X["colour"] == "red").astype(int)]


def digits():
    X, y = load_digits(return_X_y=True)
    return X[:150] / 16, y[:150]


DATA = {
    "classes": (MLPClassifier, lambda: load_iris(return_X_y=True)),
    "digits": (MLPClassifier, digits),
    "labels": (MLPClassifier, lambda: make_multilabel_classification(90, 6, random_state=0)),
    "values": (MLPRegressor, lambda: make_regression(90, 5, noise=1, random_state=0)),
    "two values": (MLPRegressor, lambda: make_regression(90, 5, n_targets=2, random_state=0)),
    "table": (MLPClassifier, table),
}


def fits(data, rows, several):
    """Return unfitted estimators with their samples."""
    cls, load = DATA[data]
    X, y = load()
    take = X.iloc.__getitem__ if hasattr(X, "iloc") else X.__getitem__
    return [
        (cls(**{"random_state": k, "max_iter": 6} | parameters), take(own), y[own])
        for k, (own, parameters) in enumerate(zip(rows, several, strict=True))
    ]


def jobs_of(estimators):
    return [mlp._jobs(mlp._read(X, y))[0] for mlp, X, y in estimators]


def assert_same(outcome, alone, tolerance=TOLERANCE):
    """Compare an outcome with a fitted estimator, number by number."""
    coefs = [W.T for W, _ in outcome.net.weights if W.ndim == 2]
    pairs = [
        *zip(coefs, alone.coefs_, strict=True),
        (outcome.past.loss_curve, alone.loss_curve_),
        (outcome.past.validation_scores or [], alone.validation_scores_ or []),
        (outcome.past.validation_loss_curve or [], alone.validation_loss_curve_ or []),
    ]
    for name, value in alone._pasts[0].solver_state.items():
        if name.startswith("optimizer."):
            pairs.append((outcome.past.solver_state[name], value))
    for found, expected in pairs:
        assert np.shape(found) == np.shape(expected)
        scale = max(1.0, np.abs(expected).max(initial=0))
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)
    for name, value in (
        ("best_loss", alone.best_loss_),
        ("best_validation_score", alone.best_validation_score_),
    ):
        found = getattr(outcome.past, name)
        assert (found is None) == (value is None)
        assert found is None or found == pytest.approx(value, rel=tolerance)
    assert outcome.history.n_epochs == alone.n_iter_
    assert outcome.history.stopped_by == alone.history_.stopped_by
    assert outcome.past.t == alone.t_
    own, others = outcome.past.solver_state, alone._pasts[0].solver_state
    assert set(own) == set(others)
    for name in own:
        if name.endswith(".generator"):
            assert own[name].tobytes() == others[name].tobytes()


# Of these rates, training is well-conditioned. With 0.1, momentum and inputs that are not scaled, a
# difference of one unit in the last place grows a hundredfold in each epoch, in one network alone.
NUMBERS = st.fixed_dictionaries(
    {
        "alpha": st.sampled_from([0.0, 1e-4, 1.0]),
        "learning_rate_init": st.sampled_from([1e-4, 1e-3, 1e-2]),
        "tol": st.sampled_from([1e-4, 0.05]),
        "dropout": st.sampled_from([0.0, 0.2]),
        "clip_norm": st.sampled_from([None, 1.0]),
        "max_norm": st.sampled_from([None, 0.7]),
        "ema": st.sampled_from([None, 0.9]),
    }
)
"""What members of a group may differ in."""
SHARED = st.fixed_dictionaries(
    {
        "solver": st.sampled_from(["sgd", "adam", "adamw", "rmsprop"]),
        "activation": st.sampled_from(["relu", "tanh"]),
        "early_stopping": st.sampled_from([False, True, "loss"]),
        "batch_size": st.sampled_from(["auto", 16, 25]),
        "shuffle": st.booleans(),
        "hidden_layer_sizes": st.sampled_from([(7,), (5, 4), ()]),
        "normalization": st.sampled_from([None, "batch", "layer"]),
        "n_iter_no_change": st.sampled_from([1, 3]),
        "noise": st.sampled_from([0.0, 0.2]),
    }
)


@pytest.mark.parametrize("data", DATA)
@settings(max_examples=12)
@given(st.data())
def test_each_outcome_is_that_of_the_fit_alone(data, draw):
    shared = draw.draw(SHARED)
    several = [shared | draw.draw(NUMBERS) for _ in range(3)]
    if not shared["hidden_layer_sizes"]:  # neither has a place in a linear model
        several = [own | {"dropout": 0.0, "normalization": None} for own in several]
    # Of 90 rows each has others; where all are the same number, they take their steps together.
    sizes = draw.draw(st.sampled_from([(80, 80, 80), (80, 61, 75)]))
    rng = np.random.default_rng(draw.draw(st.integers(0, 99)))
    rows = [np.sort(rng.permutation(90)[:size]) for size in sizes]
    if data == "values":
        several = [own | {"scale_targets": True} for own in several]
    if data == "table":
        # In float32, RMSprop with batch normalisation is ill-conditioned: if a network's first
        # weights move by one unit in the last place, its result alone moves by up to 1.
        several = [own | {"columns": "auto"} for own in several]
        if shared["normalization"] == "batch":
            several = [own | {"normalization": None} for own in several]
    jobs = jobs_of(fits(data, rows, several))
    outcomes = train_networks(jobs)
    by_group = {i: len(group) for group in groups_of(jobs) for i in group}
    for k, (mlp, X, y) in enumerate(fits(data, rows, several)):
        if isinstance(outcomes[k], Exception):
            with pytest.raises(type(outcomes[k])):
                mlp.fit(X, y)
            continue
        assert outcomes[k].n_together == by_group[k]
        assert_same(outcomes[k], mlp.fit(X, y), SINGLE if data == "table" else TOLERANCE)


ALL = np.arange(90)


@pytest.mark.parametrize(
    "shared",
    [
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"learning_rate": "cosine"},
        {"learning_rate": "reduce_on_plateau"},
        {"class_weight": "balanced", "early_stopping": True},
        {"label_smoothing": 0.1},
        {"adversary": VirtualAdversarial(0.5), "activation": "tanh"},
    ],
    ids=str,
)
def test_schedules_weights_smoothing_and_adversaries(shared):
    rng = np.random.default_rng(0)
    rows = [np.sort(rng.permutation(150)[:90]) for _ in range(3)]
    several = [{"max_iter": 25, "alpha": 10.0**-k} | shared for k in range(3)]
    outcomes = train_networks(jobs_of(fits("classes", rows, several)))
    for outcome, (mlp, X, y) in zip(outcomes, fits("classes", rows, several), strict=True):
        assert outcome.n_together == 3
        assert_same(outcome, mlp.fit(X, y))


def test_members_may_end_at_different_epochs():
    several = [{"tol": tol, "n_iter_no_change": 2, "max_iter": 40} for tol in (0.0, 0.5, 0.02)]
    estimators = fits("digits", [ALL] * 3, several)
    outcomes = train_networks(jobs_of(estimators))
    n_epochs = [outcome.history.n_epochs for outcome in outcomes]
    assert len(set(n_epochs)) > 1
    for outcome, (mlp, X, y) in zip(outcomes, estimators, strict=True):
        assert outcome.n_together == 3
        assert_same(outcome, mlp.fit(X, y))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("all_diverge", [False, True])
def test_a_member_that_diverges_ends_alone(early_stopping, all_diverge):
    rates = [1e200, 1e250 if all_diverge else 1e-3, 1e200]
    several = [
        {"solver": "sgd", "learning_rate_init": rate, "early_stopping": early_stopping}
        for rate in rates
    ]
    estimators = fits("values", [ALL] * 3, several)
    outcomes = train_networks(jobs_of(estimators))
    for k, (mlp, X, y) in enumerate(estimators):
        if isinstance(outcomes[k], Exception):
            with pytest.raises(InvalidDataError) as error:
                mlp.fit(X, y)
            assert str(outcomes[k]) == str(error.value)
            continue
        assert outcomes[k].n_together == 3
        mlp.fit(X, y)
        alone = train_networks(jobs_of([(mlp, X, y)]))[0]
        assert str(outcomes[k].warning) == str(alone.warning)
        for found, expected in zip(outcomes[k].net.weights, mlp.network_.weights, strict=True):
            np.testing.assert_allclose(found[0], expected[0], rtol=TOLERANCE)
    assert isinstance(outcomes[0], Exception) == (not early_stopping)
    assert isinstance(outcomes[1], Exception) == (all_diverge and not early_stopping)


def test_dropout_in_other_layers_is_another_group():
    several = [
        {"hidden_layer_sizes": (5, 4), "dropout": dropout}
        for dropout in [(0.0, 0.2), (0.2, 0.0), (0.2, 0.2), (0.3, 0.1), 0.0]
    ]
    estimators = fits("classes", [ALL] * 5, several)
    outcomes = train_networks(jobs_of(estimators))
    assert [outcome.n_together for outcome in outcomes] == [1, 1, 2, 2, 1]
    for outcome, (mlp, X, y) in zip(outcomes, estimators, strict=True):
        assert_same(outcome, mlp.fit(X, y))


def test_what_cannot_be_trained_together():
    X, y = load_iris(return_X_y=True)

    def groups(*several):
        estimators = [(MLPClassifier(**own), X, y) for own in several]
        return sorted(map(len, groups_of(jobs_of(estimators))))

    assert groups({}, {"alpha": 1.0}, {"tol": 0.1}) == [3]
    assert groups({}, {"dropout": 0.5}, {"dropout": 0.2}) == [1, 2]
    assert groups({"noise": 0.5}, {"noise": 0.2}, {"noise": 0.2}) == [1, 2]
    assert groups({}, {"hidden_layer_sizes": (9,)}, {}) == [1, 2]
    assert groups({"batch_size": 10}, {}, {"max_iter": 10}) == [1, 1, 1]
    assert groups({"solver": "lbfgs"}, {"solver": "lbfgs"}) == [1, 1]
    near, far = ({"adversary": VirtualAdversarial(epsilon)} for epsilon in (0.1, 0.5))
    assert groups({}, near, far, near) == [1, 1, 2]
    assert groups({"solver": Adam(0.1)}, {"solver": Adam(0.2)}, {"solver": AdamW(0.1)}) == [1, 2]
    assert groups({"nesterovs_momentum": False, "solver": "sgd"}, {"solver": "sgd"}) == [1, 1]
    assert groups({"early_stopping": True}, {"early_stopping": "loss"}, {}) == [1, 1, 1]
    assert groups({"callbacks": [Callback()]}, {"verbose": True}) == [1, 1]
    assert groups({"learning_rate": "cosine"}, {"learning_rate": "cosine", "alpha": 1.0}) == [2]


@dataclass(frozen=True)
class Named(Huber):
    """A loss that has no hash."""

    names: list[str] = field(default_factory=list)


def test_a_loss_without_a_hash_is_trained_alone():
    estimators = fits("values", [ALL] * 3, [{"loss": Named()}, {"loss": Named()}, {}])
    outcomes = train_networks(jobs_of(estimators))
    assert [outcome.n_together for outcome in outcomes] == [1, 1, 1]
    for outcome, (mlp, X, y) in zip(outcomes, estimators, strict=True):
        assert_same(outcome, mlp.fit(X, y))


def test_a_group_takes_no_more_memory_than_allowed(monkeypatch):
    estimators = fits("classes", [ALL] * 5, [{}] * 5)
    jobs = jobs_of(estimators)
    one = 8 * jobs[0].net.n_parameters * 8
    monkeypatch.setattr("multilayer.estimators.lockstep.MEMORY", 2 * one)
    assert groups_of(jobs) == [[0, 1], [2, 3], [4]]
    for outcome, (mlp, X, y) in zip(train_networks(jobs), estimators, strict=True):
        assert_same(outcome, mlp.fit(X, y))
