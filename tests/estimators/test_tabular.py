"""The estimators for tables: what they promise beyond an MLP with columns."""

import pickle
import warnings

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict, cross_val_score, train_test_split
from sklearn.utils import compute_sample_weight, estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import multilayer
from multilayer import Architecture, Embeddings, TabularClassifier, TabularRegressor
from multilayer.data import TableWarning
from multilayer.data.folds import grouped_folds, ordered_folds, stratified_folds
from multilayer.doctor import FindingWarning
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.estimators import recipe
from multilayer.estimators.out_of_fold import best_temperature
from multilayer.model import Categorical, Columns, Numeric
from multilayer.numpy import Ensemble
from multilayer.training import Callback

pytestmark = pytest.mark.filterwarnings("ignore::multilayer.data.TableWarning")


def table(n=300, seed=0):
    """Return a table with every kind of column, and classes and values that depend on it."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n).astype(float)
    city = rng.choice([f"city {i:02d}" for i in range(20)], n)
    job = rng.choice(["cook", "smith", "baker"], n)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 800, n), "D")
    effect = 0.05 * age + (job == "cook") + (np.char.find(city, "city 0") == 0)
    y = effect + rng.normal(0, 0.3, n)
    age[rng.random(n) < 0.1] = np.nan
    frame = pd.DataFrame({"age": age, "city": city, "job": job, "day": day})
    return frame, np.where(y > np.median(y), "high", "low"), 1000 + 100 * y


@pytest.fixture(scope="module")
def classifier():
    X, y, _ = table()
    return TabularClassifier(random_state=0).fit(X, y), X, y


@pytest.fixture(scope="module")
def regressor():
    X, _, y = table()
    return TabularRegressor(random_state=0).fit(X, y), X, y


# What they are ---------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [TabularClassifier(n_members=2), TabularRegressor(n_members=2)],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "folds and batches see no weights"
    },
)
def test_checks_of_scikit_learn(estimator, check, monkeypatch):
    """With the digits of float32: how a product is rounded depends on its rows, and the processor.

    scikit-learn wants 1e-7, as of float64.
    """

    def close(actual, desired, **how):
        np.testing.assert_allclose(actual, desired, **{**how, "rtol": 1e-5, "atol": 1e-5})

    if "invariance" in check.func.__name__:
        for name in ("assert_allclose", "assert_allclose_dense_sparse"):
            monkeypatch.setattr(estimator_checks, name, close)
    check(estimator)


def test_they_learn_what_linear_models_do_and_more():
    X, y = load_breast_cancer(return_X_y=True)
    parts = train_test_split(X, y, random_state=0, stratify=y)
    model = TabularClassifier(random_state=0).fit(parts[0], parts[2])
    assert model.score(parts[1], parts[3]) > 0.94
    X, y = load_diabetes(return_X_y=True)
    parts = train_test_split(X, y, random_state=0)
    model = TabularRegressor(random_state=0).fit(parts[0], parts[2])
    assert model.score(parts[1], parts[3]) > 0.15  # of a mean, at most 0


def test_out_of_fold_predictions_are_those_of_the_member_that_saw_no_row(classifier, regressor):
    """The network that judges a row is one of the members, and each judges its share."""
    for (model, X, _), found in (
        (classifier, classifier[0].oob_decision_function_),
        (regressor, regressor[0].oob_prediction_),
    ):
        each = [
            member.predict_proba(X) if found.ndim == 2 else member.predict(X)
            for member in model.to_model().members
        ]
        apart = [np.abs(own - found).reshape(len(X), -1).max(axis=1) for own in each]
        scale = np.abs(found).max()
        judges = np.argmin(apart, axis=0)
        assert np.min(apart, axis=0).max() < 1e-5 * scale
        assert np.bincount(judges, minlength=8).min() >= len(X) // 8 - 1


def test_the_scores_are_scikit_learns(classifier, regressor):
    model, _, y = classifier
    predicted = model.classes_[model.oob_decision_function_.argmax(axis=1)]
    assert model.oob_score_ == accuracy_score(y, predicted)
    assert model.loss_ == pytest.approx(log_loss(y, model.oob_decision_function_), rel=1e-5)
    assert len(model.oob_scores_) == 8
    assert model.oob_scores_.mean() == pytest.approx(model.oob_score_, abs=0.01)
    model, _, y = regressor
    assert model.oob_score_ == pytest.approx(r2_score(y, model.oob_prediction_), rel=1e-6)


def test_an_out_of_fold_score_is_honest():
    """Of noise nothing can be learned, and the score says so, whatever the members remember."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 10)), rng.integers(2, size=200)
    model = TabularClassifier(random_state=0).fit(X, y)
    assert model.oob_score_ < 0.65
    assert model.loss_ > 0.6  # log 2 = 0.69 is that of a fair coin


def test_predictions_stay_in_the_range_of_training(regressor):
    model, X, y = regressor
    far = X.assign(age=1e6)
    assert model.predict(far).max() <= y.max()
    assert model.predict(far.assign(age=-1e6)).min() >= y.min()


def test_the_mean_and_its_spread(regressor):
    model, X, _ = regressor
    mean, std = model.predict(X, return_std=True)
    each = np.stack([member.predict(X) for member in model.to_model().members])
    low, high = model.oob_prediction_.min(), model.oob_prediction_.max()
    inside = ((each > low) & (each < high)).all(axis=0)  # where no member meets a limit
    assert inside.mean() > 0.5
    np.testing.assert_allclose(mean[inside], each.mean(axis=0)[inside], rtol=1e-5)
    np.testing.assert_allclose(std, each.std(axis=0, ddof=1), rtol=1e-3)


def test_probabilities_are_those_of_the_mean_logits(classifier):
    model, X, _ = classifier
    each = np.stack([member.predict_proba(X) for member in model.to_model().members])
    logits = np.log(each[..., 1] / each[..., 0]).mean(axis=0)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expit(logits), atol=1e-5)


def test_onnx_takes_the_raw_columns(classifier, regressor, tmp_path):
    for i, (model, X, _) in enumerate((classifier, regressor)):
        path = tmp_path / f"{i}.onnx"
        model.export(path, sample=X)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        assert [port.name for port in session.get_inputs()] == ["age", "city", "job", "day"]


def test_the_same_seed_gives_the_same_bits(classifier):
    model, X, y = classifier
    again = clone(model).fit(X, y)
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    assert (clone(model).set_params(random_state=1).fit(X, y).predict_proba(X)
            != model.predict_proba(X)).any()  # fmt: skip


def test_scikit_learns_tools():
    X, y, _ = table(120)
    model = TabularClassifier(n_members=2, random_state=0)
    assert cross_val_score(model, X, y, cv=3).shape == (3,)
    assert cross_val_predict(model, X, y, cv=3, method="predict_proba").shape == (120, 2)


def test_log_probabilities_are_finite():
    rng = np.random.default_rng(0)
    x = np.sign(rng.normal(size=2000)) + rng.normal(0, 0.01, 2000)
    for y in (x > 0, np.where(x > 0, np.where(x > 1, "c", "b"), "a")):
        model = TabularClassifier(n_members=2, random_state=0).fit({"x": x}, y)
        p, log_p = model.predict_proba({"x": x}), model.predict_log_proba({"x": x})
        assert np.isfinite(log_p).all()
        np.testing.assert_allclose(np.exp(log_p), p, atol=1e-6)
    model.fit({"x": x}, ["one"] * 2000)
    assert (model.predict_log_proba({"x": x}) == 0).all()


# Temperature -----------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(5, 200),
    n_classes=st.integers(2, 5),
    size=st.floats(0.1, 30),
)
@settings(max_examples=60)
def test_the_temperature_minimises_the_smoothed_log_loss(seed, n, n_classes, size):
    rng = np.random.default_rng(seed)
    z = size * rng.normal(size=(n, n_classes))
    y, weight = rng.integers(n_classes, size=n), rng.uniform(0.1, 2, n)
    share = 1 / (n + 1)
    targets = share / n_classes + (1 - share) * np.eye(n_classes)[y]

    def loss(log_t):
        scaled = z / np.exp(log_t)
        log_p = scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)
        return -(weight @ (targets * log_p).sum(axis=1)) / weight.sum()

    best = minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-6})
    found = loss(np.log(best_temperature(z, y, weight)))
    assert found <= best.fun + 1e-6 * max(1, abs(best.fun))


def test_classes_without_a_mistake_do_not_become_certain():
    z = np.array([[5.0, 0.0], [0.0, 5.0]] * 50)
    temperature = best_temperature(z, np.array([0, 1] * 50), np.ones(100))
    p = 1 / (1 + np.exp(-5 / temperature))
    assert 0.97 < p < 0.999


# Folds -----------------------------------------------------------------------------------------


def are_partitions(folds, n):
    for training, judging in folds:
        assert np.array_equal(np.sort(np.r_[training, judging]), np.arange(n))
    return np.array_equal(np.sort(np.concatenate([own for _, own in folds])), np.arange(n))


@given(n=st.integers(4, 100), n_folds=st.integers(2, 8), seed=st.integers(0, 99))
@settings(max_examples=300)
def test_folds_have_equal_shares(n, n_folds, seed):
    n_folds = min(n_folds, n // 2)
    rng = np.random.RandomState(seed)
    values = rng.normal(size=n)
    folds = stratified_folds(values, n_folds, rng)
    assert are_partitions(folds, n)
    assert np.ptp([len(own) for _, own in folds]) <= 1
    ranks = np.argsort(np.argsort(values))
    for _, own in folds:  # one of each group of neighbours
        assert len(np.unique(ranks[own] // n_folds)) == len(own)
    classes = rng.randint(3, size=n)
    folds = stratified_folds(classes, n_folds, rng)
    assert are_partitions(folds, n)
    for label in np.unique(classes):
        counts = [np.sum(classes[own] == label) for _, own in folds]
        assert np.ptp(counts) <= 1


def test_a_class_with_fewer_rows_than_folds_is_learned():
    X, y, _ = table(200)
    y = y.astype(object)
    y[:3] = "rare"
    model = TabularClassifier(random_state=0).fit(X, y)
    assert list(model.classes_) == ["high", "low", "rare"]
    assert np.isfinite(model.loss_)


def test_groups_are_never_divided():
    X, y, _ = table(200)
    groups = np.repeat([f"patient {i}" for i in range(20)], 10)
    for strata in (np.unique(y, return_inverse=True)[1], np.random.default_rng(0).normal(size=200)):
        folds = grouped_folds(groups, strata, 8, np.random.RandomState(0))
        assert are_partitions(folds, 200)
        for training, judging in folds:
            assert not set(groups[training]) & set(groups[judging])
    model = TabularClassifier(random_state=0).fit(X, y, groups=groups)
    assert len(model.networks_) == 8
    model = TabularClassifier(random_state=0).fit(X, y, groups=np.arange(200) % 3)
    assert len(model.networks_) == 3


@given(
    times=st.lists(st.one_of(st.integers(0, 30), st.none()), min_size=4, max_size=60),
    n_folds=st.integers(2, 6),
)
@settings(max_examples=60)
def test_later_rows_judge_earlier_ones(times, n_folds):
    time = np.array([np.nan if t is None else t for t in times], dtype=float)
    if len(np.unique(time[~np.isnan(time)])) < 2:
        with pytest.raises(InvalidDataError, match="two different times"):
            ordered_folds(time, n_folds)
        return
    folds = ordered_folds(time, n_folds)
    assert 1 <= len(folds) <= n_folds
    for training, judging in folds:
        assert len(judging)
        assert len(training)
        assert np.nanmax(time[training]) < time[judging].min()
    judged = np.concatenate([own for _, own in folds])
    assert len(np.unique(judged)) == len(judged)


def test_time_is_a_column():
    X, _, y = table(200)
    model = TabularRegressor(time="day", random_state=0).fit(X, y)
    assert np.isnan(model.oob_prediction_).mean() == pytest.approx(0.5, abs=0.05)
    earliest_half = X["day"].rank().to_numpy() < 95
    assert np.isnan(model.oob_prediction_[earliest_half]).all()


@pytest.mark.parametrize(
    ("mean", "size"),
    [(0, 1e-320), (0, 1e-200), (0, 1e200), (1e12, 1.0), (1e12, 0.01), (-1e16, 1e3)],
)
def test_targets_of_any_size_are_learned(mean, size):
    x = np.random.default_rng(0).uniform(-1, 1, 200)
    model = TabularRegressor(n_members=2, random_state=0).fit({"x": x}, mean + size * x)
    assert model.oob_score_ > 0.9
    learned = (model.predict({"x": x}) - mean) / size
    assert np.corrcoef(learned, x)[0, 1] > 0.95


@pytest.mark.parametrize("value", [0.0, 7.3, -1e12, 1e300, 5e-324])
def test_a_constant_target_is_predicted(value):
    X, _, _ = table(40)
    model = TabularRegressor(n_members=2, random_state=0).fit(X, np.full(40, value))
    assert (model.predict(X) == value).all()
    assert model.oob_score_ == 1  # as of scikit-learn's r2_score


def test_small_integers_do_not_overflow():
    x = np.arange(256)
    for dtype in (np.int8, np.uint8, bool):
        y = x.astype(np.uint8).view(np.int8) if dtype == np.int8 else x.astype(dtype)
        model = TabularRegressor(n_members=2, random_state=0).fit({"x": x}, y)
        plain = clone(model).fit({"x": x}, y.astype(float))
        assert (model.predict({"x": x}) == plain.predict({"x": x})).all()


@pytest.mark.parametrize("estimator", [TabularClassifier, TabularRegressor])
def test_rows_without_weight_neither_train_nor_judge(estimator):
    """Their targets are the opposite of the truth: whoever learned from them would be worse."""
    X, labels, values = table(240)
    y = labels if estimator is TabularClassifier else values
    opposite = np.where(labels == "low", "high", "low")
    opposite = opposite if estimator is TabularClassifier else 2 * values.mean() - values
    for more, name in (({}, None), ({"groups": np.arange(240) // 20}, None), ({}, "day")):
        model = estimator(n_members=4, random_state=0, time=name)
        weight = (np.arange(240) // 40 % 2 == 0).astype(float)  # whole folds of groups
        if name:
            weight = np.asarray(X["day"].rank(pct=True) < 0.7, float)  # the last folds
        rows = weight > 0
        model.fit(X, np.where(rows, y, opposite), weight, **more)
        found = model.__dict__.get("oob_decision_function_", model.__dict__.get("oob_prediction_"))
        assert np.isnan(found[~rows]).all()
        assert np.isfinite([model.oob_score_, model.loss_, *model.oob_scores_]).all()
        own = {key: value[rows] for key, value in more.items()}
        alone = clone(model).fit(X[rows], y[rows], **own)
        least = 0.7 if estimator is TabularClassifier else 0.2  # of others' opposites: below 0.5, 0
        assert min(model.oob_score_, alone.oob_score_) > least
        assert len(model.networks_) == len(alone.networks_)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 7.0, 1e300])
def test_only_the_ratios_of_weights_count(size):
    X, _, y = table(60)
    weight = np.random.default_rng(0).uniform(0.5, 2, 60)
    model = TabularRegressor(n_members=2, random_state=0).fit(X, y, weight)
    scaled = clone(model).fit(X, y, size * weight)
    np.testing.assert_allclose(scaled.predict(X), model.predict(X), rtol=1e-4)


def test_rows_without_weight_do_not_shape_the_encodings():
    rng = np.random.default_rng(0)
    x, job = rng.normal(size=300), rng.choice(["cook", "smith", "baker"], 300)
    y = (job == "cook") * 2 + x
    weight = np.repeat([1.0, 0.0], [200, 100])
    X = pd.DataFrame({"x": np.where(weight > 0, x, 1e6), "job": np.where(weight > 0, job, "ghost")})
    with pytest.warns(TableWarning, match="'ghost' at row 200"):
        model = TabularRegressor(n_members=2, random_state=0).fit(X, y, weight)
    columns = model.columns_.columns
    assert max(columns[0].knots) < 10
    assert columns[1].categories == ("baker", "cook", "smith")


@pytest.mark.parametrize("way", ["class_weight", "sample_weight"])
def test_weights_do_not_carry_targets_into_the_encodings(way):
    """If they decided which categories are rare, the others would be those with a positive row."""
    rng = np.random.default_rng(0)
    X = {"c": rng.integers(0, 700, 2000).astype(str)}
    y = rng.random(2000) < 0.03
    weight = compute_sample_weight("balanced", y) if way == "sample_weight" else None
    model = TabularClassifier(
        class_weight="balanced" if weight is None else None, columns={"c": "categorical"}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FindingWarning)  # that nothing is learned is true
        model.set_params(random_state=0).fit(X, y, weight)
    assert roc_auc_score(y, model.oob_decision_function_[:, 1]) < 0.65


# First vectors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["values", "two classes", "three classes"])
def test_frequent_categories_begin_with_the_means_of_their_targets(form):
    """As pandas computes them, in the rows of each network."""
    rng = np.random.default_rng(0)
    n, width = 600, recipe.WIDTH
    code = rng.permutation(np.r_[rng.integers(1, 5, n - 30), np.full(30, 5)])  # 5 is rare
    weight = rng.uniform(0.5, 2, n)
    classes = rng.integers(0, 3, n)
    targets = {
        "values": rng.normal(size=(n, 2)) + code[:, np.newaxis],
        "two classes": (rng.random((n, 1)) < 0.1 * code[:, np.newaxis]).astype(np.float32),
        "three classes": np.where(rng.random(n) < 0.5, code % 3, classes),
    }[form]
    embeddings = Embeddings(categories=[(0, 6)], width=width)
    splits = [(np.arange(50, n), np.arange(50)), (np.arange(n - 50), np.arange(n - 50, n))]
    ensemble = Ensemble(Architecture(1, (4,), 2, embeddings=embeddings), 2)
    drawn = ensemble.network.layers[0].V.copy()
    data = (code[:, np.newaxis].astype(np.float32), targets, weight)
    recipe.set_first_vectors(ensemble, data, splits)
    columns = pd.get_dummies(targets).to_numpy(float) if targets.ndim == 1 else targets
    for V, old, (rows, _) in zip(ensemble.network.layers[0].V, drawn, splits, strict=True):
        assert (V[0] == 0).all()
        assert (V[5] == old[5]).all()
        for j, own in enumerate(columns.T):
            frame = pd.DataFrame({"c": code[rows], "t": own[rows], "w": weight[rows]})
            frame["t"] -= np.average(frame.t, weights=frame.w)
            frame["t"] /= np.sqrt(np.average(frame.t**2, weights=frame.w))
            means = frame.groupby("c").apply(lambda of: np.average(of.t, weights=of.w))
            np.testing.assert_allclose(V[1:5, j], 2 * means[[1, 2, 3, 4]], rtol=1e-5)
        assert (V[1:, columns.shape[1] :] == old[1:, columns.shape[1] :]).all()


def test_categories_that_only_judge_a_network_have_vectors_of_zero():
    """As new ones will have: so rows of new groups are judged as they will be predicted."""
    rng = np.random.default_rng(0)
    store = np.repeat(np.arange(20), 20)
    X = {"store": store.astype(str), "x": rng.normal(size=400)}
    y = X["x"] + rng.normal(size=20)[store]
    model = TabularRegressor(n_members=4, columns={"store": "categorical"}, random_state=0)
    model.fit(X, y, groups=store)
    _, vectors, _ = model.networks_[0].network.layers[0].inputs[-1]
    is_zero = np.array(
        [(net.network.layers[0].V[vectors] == 0).all(axis=1) for net in model.networks_]
    )
    assert (is_zero[:, 1:].sum(axis=0) == 1).all()  # each is held out from one network
    assert is_zero[:, 0].all()


# Encodings -------------------------------------------------------------------------------------


def test_what_the_columns_become(classifier):
    model, _, _ = classifier
    kinds = {column.name: column for column in model.columns_.columns}
    assert isinstance(kinds["age"], Numeric)
    assert len(kinds["age"].knots) == 49
    assert isinstance(kinds["city"], Categorical)
    assert kinds["city"].is_embedded
    assert kinds["job"].is_embedded
    assert kinds["day"].input_names == ("day", "day, week", "day, month", "day, year")
    embeddings = model.networks_[0].architecture.embeddings
    assert [size for _, size in embeddings.numbers] == [48, 48, 7, 30, 24]
    assert [size for _, size in embeddings.categories] == [21, 4]


@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0, np.nan]), min_size=2, max_size=50),
)
@settings(max_examples=60)
def test_a_position_is_linear_between_knots(values):
    from multilayer.data import read_table

    entries = read_table({"a": np.array(values)})["a"]
    values = np.array(values)
    present = np.unique(values[~np.isnan(values)])
    if len(present) < 2:
        return
    column = Numeric.of(entries, is_asked=True).column.embedded(entries)
    assert column.knots == tuple(present)
    found = column.encode(entries, [])[:, 0]
    expected = np.searchsorted(present, values)
    assert (found == np.where(np.isnan(values), 0, expected)).all()
    between = read_table({"a": (present[:-1] + present[1:]) / 2})["a"]
    np.testing.assert_allclose(column.encode(between, [])[:, 0], np.arange(len(present) - 1) + 0.5)


def test_duplicate_columns_are_ignored_and_named():
    X, y, _ = table(60)
    X = X.assign(age2=X["age"], job2=X["job"], day2=X["day"], other=X["age"].shift(1, fill_value=3))
    with pytest.warns(TableWarning, match=r"'age2' \(the same as 'age'\); 'job2' .*'job'\)"):
        model = TabularClassifier(n_members=2, random_state=0).fit(X, y)
    assert model.columns_.needed == ("age", "city", "job", "day", "other")
    without = X.drop(columns=["age2", "job2", "day2"])
    alone = clone(model).fit(without, y)
    assert (model.predict_proba(without) == alone.predict_proba(without)).all()
    model = TabularClassifier(n_members=2, columns={"age2": "numeric"}).fit(X, y)
    assert "age2" in model.columns_.needed  # the user wants it


@pytest.mark.parametrize("size", [5e-324, 5e-322, 1e-310, 1e-300, 1e300])
def test_numbers_of_any_size_have_finite_positions(size):
    rng = np.random.default_rng(0)
    values = np.append(rng.integers(0, 60, 100) * size, 1.0)
    inputs = Columns.of({"a": values[:-1]}, embedded=True).encode({"a": values})[:]
    assert np.isfinite(inputs).all()
    assert (np.diff(inputs[np.argsort(values), 0]) >= 0).all()
    inputs = Columns.of({"a": values}, embedded=True).encode({"a": values})[:]
    assert np.isfinite(inputs).all()


def test_a_column_of_rare_categories_alone_keeps_the_most_frequent():
    rng = np.random.default_rng(0)
    rare = [None] * 80 + ["a", "a", "a", "b", "c", "d"] + [None] * 14
    X = pd.DataFrame({"rare": rare, "x": rng.normal(size=100)})
    model = TabularRegressor(n_members=2, random_state=0).fit(X, X["x"])
    column = model.columns_.columns[0]
    assert column.categories == ("a",)
    assert column.has_rare
    assert np.isfinite(model.predict(X.assign(rare="new"))).all()


def test_an_unseen_category_and_a_missing_value_are_taken(classifier):
    model, X, _ = classifier
    odd = X.head(4).assign(city=["Atlantis", None, "city 01", "city 02"], job=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isfinite(model.predict_proba(odd)).all()


# Files -----------------------------------------------------------------------------------------


def test_a_file_predicts_the_same_bits(classifier, regressor, tmp_path):
    for i, (model, X, _) in enumerate((classifier, regressor)):
        path = tmp_path / f"{i}.safetensors"
        model.save(path)
        again = multilayer.load(path)
        assert (again.predict(X) == model.predict(X)).all()
        plain = {name: X[name].tolist() for name in X}
        assert (again.predict(plain) == model.predict(X)).all()
    again = multilayer.load(tmp_path / "0.safetensors")
    assert (again.predict_proba(X) == classifier[0].predict_proba(X)).all()


def test_a_file_is_small(classifier, tmp_path):
    model, _, _ = classifier
    model.save(tmp_path / "model.safetensors")
    n_bytes = (tmp_path / "model.safetensors").stat().st_size
    assert n_bytes < 4 * sum(net.n_parameters for net in model.networks_) + 40_000


# Bad input -------------------------------------------------------------------------------------


def test_bad_input_is_named_and_leaves_the_fit(classifier):
    model, X, y = classifier
    before = model.predict_proba(X)
    bad = {
        "one class": (X, np.full(len(y), "high"), {}),
        "missing target": (X, np.where(np.arange(len(y)) == 3, None, y), {}),
        "no rows": (X.head(0), y[:0], {}),
        "one row": (X.head(1), y[:1], {}),
        "lengths": (X, y[:-1], {}),
        "empty columns": (X[["age"]].assign(age=np.nan), y, {}),
        "groups": (X, y, {"groups": np.zeros(len(y))}),
        "short groups": (X, y, {"groups": [1, 2]}),
    }
    for name, (samples, targets, more) in bad.items():
        if name == "one class":
            continue
        with pytest.raises((ValueError, TypeError)):
            model.fit(samples, targets, **more)
        assert (model.predict_proba(X) == before).all(), name


def test_messages():
    X, y, _ = table(60)
    with pytest.raises(InvalidArgumentError, match=r"time .*'age', 'day'; got 'city'"):
        TabularClassifier(time="city").fit(X, y)
    with pytest.raises(InvalidArgumentError, match=r"got 'day', which is ignored: one value"):
        TabularClassifier(time="day").fit(X.assign(day="2024-01-01"), y)
    with pytest.raises(InvalidArgumentError, match=r"not ignored: 'age'; got 'day', .* columns="):
        TabularClassifier(time="day", columns={"day": "ignored"}).fit(X, y)
    with pytest.raises(
        InvalidDataError, match=r"must be a vector; for .* \{'age': \[3\], …\}; got"
    ):
        TabularClassifier().fit({"age": 3, "job": "cook"}, ["high"])
    with pytest.raises(InvalidDataError, match="y must have a range that float64 can hold; got va"):
        TabularRegressor().fit(X, np.r_[1e308, -1e308, np.zeros(58)])
    with pytest.raises(ValueError, match="n_members"):
        TabularClassifier(n_members=1).fit(X, y)
    with pytest.raises(InvalidDataError, match="groups of fit must hold the group of each of"):
        TabularClassifier().fit(X, y, groups=[1, 2])
    with pytest.raises(InvalidArgumentError, match="groups of fit must be at least two"):
        TabularClassifier().fit(X, y, groups=np.zeros(60))
    model = TabularClassifier(n_members=2).fit(X, y)
    with pytest.raises(ValueError, match="job"):
        model.predict(X.drop(columns="job"))


def test_classes_are_shown_whatever_holds_them():
    X = pd.DataFrame({"x": np.arange(40.0)})
    for kind in (str, object, "category"):
        y = pd.Series(np.where(X["x"] < 20, "low", "high")).astype(kind)
        with pytest.raises(InvalidDataError, match=r"got '(high|low)' alone"):
            TabularClassifier(n_members=2).fit(X, y, groups=y)
        with pytest.raises(InvalidDataError, match="got 'low' alone"):
            TabularClassifier(class_weight={"high": 0, "low": 1}).fit(X, y)


def test_what_folds_cannot_divide_is_named():
    X, y, _ = table(60)
    alone = (
        r"y of fit must have at least two classes .* take more rows; got 'low' alone for network \d"
    )
    with pytest.raises(InvalidDataError, match=alone):
        TabularClassifier(random_state=0).fit(X.head(20), ["high"] + ["low"] * 19)
    with pytest.raises(InvalidDataError, match="take more rows, or other groups; got 'high' alone"):
        TabularClassifier(random_state=0).fit(X, np.sort(y), groups=np.arange(60) // 30)
    with pytest.raises(InvalidDataError, match="two classes among the rows"):
        TabularClassifier(time="day").fit(X.sort_values("day"), np.sort(y))
    with pytest.raises(InvalidDataError, match=r"a weight: .* and class_weight; got 'low' alone"):
        TabularClassifier(class_weight={"high": 0}).fit(X, y)
    with pytest.raises(InvalidDataError, match="with a weight must be at least 2; got 1 sample"):
        TabularClassifier().fit(X, y, [0] * 59 + [1])


@pytest.mark.parametrize(
    "groups",
    [
        [1.0, np.nan] * 30,
        ["a", None] * 30,
        pd.array([1, None] * 30, dtype="Int64"),
        pd.to_datetime(["2024-01-01", None] * 30),
    ],
)
def test_missing_groups_are_named(groups):
    X, y, _ = table(60)
    rule = r"groups of fit must not have missing values: .*; got (nan|None|<NA>|NaT) at index 1"
    with pytest.raises(InvalidDataError, match=rule):
        TabularClassifier().fit(X, y, groups=groups)


def test_one_class_is_predicted():
    X, _, _ = table(40)
    model = TabularClassifier(n_members=2).fit(X, np.full(40, "high"))
    assert set(model.predict(X)) == {"high"}
    assert (model.predict_proba(X) == 1).all()


class Interrupt(Callback):
    """Presses Ctrl-C."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_step_end(self, run):
        if run.epoch == self.epoch:
            raise KeyboardInterrupt


def test_an_interrupted_fit_keeps_the_best_epoch_so_far_or_nothing():
    X, y, _ = table(60)
    model = TabularClassifier(n_members=2, random_state=0, callbacks=[Interrupt(1)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "n_features_in_")
    model.set_params(callbacks=[Interrupt(4)])
    with pytest.warns(FindingWarning, match="Ctrl-C ended the training in epoch 4"):
        model.fit(X, y)
    history = model.history_
    assert (history.n_epochs, history.stopped_by) == (3, "interrupt")
    assert history["validation_loss"] == model.loss_curve_
    assert history.best_epoch == model.n_iter_ == 1 + np.argmin(model.loss_curve_)
    assert model.loss_ == pytest.approx(log_loss(y, model.oob_decision_function_), rel=1e-5)
    before = model.predict_proba(X)
    assert np.isfinite(before).all()
    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=[Interrupt(1)]).fit(X[["age", "day"]], y)
    assert (model.predict_proba(X) == before).all()


# Importances -----------------------------------------------------------------------------------


def test_importances_name_what_matters_and_nothing_else():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(600, 3)), columns=["much", "some", "none"])
    X["id"] = [f"row {i}" for i in range(600)]
    y = 2 * X["much"] + X["some"] + rng.normal(0, 0.1, 600)
    model = TabularRegressor(random_state=0).fit(X, y)
    much, some, none, identifier = model.feature_importances_
    # Shuffling a term c x adds c² Var x to half the squared error; the variance of targets is 5.
    assert much == pytest.approx(4 / 5, rel=0.25)
    assert some == pytest.approx(1 / 5, rel=0.25)
    assert abs(none) < 0.01
    assert identifier == 0
    assert (model.feature_importances_std_ < 0.05).all()
    again = pickle.loads(pickle.dumps(model))
    assert (again.feature_importances_ == model.feature_importances_).all()
    fresh = pickle.loads(pickle.dumps(clone(model).fit(X, y)))
    with pytest.raises(AttributeError, match="needs the training data"):
        _ = fresh.feature_importances_


# In a notebook ---------------------------------------------------------------------------------


def test_a_notebook_shows_scores_columns_and_importances(classifier):
    model, X, y = classifier
    fresh = clone(model)
    assert "out-of-fold" not in fresh._repr_html_()
    fresh.fit(X.rename(columns={"job": "<job>"}), y)
    html = fresh._repr_html_()
    assert f"out-of-fold accuracy {fresh.oob_score_:.3f}" in html
    assert "<td>&lt;job&gt;</td>" in html
    assert "<th>importance</th>" in html
    unpickled = pickle.loads(pickle.dumps(clone(model).fit(X, y)))
    assert "<th>importance</th>" not in unpickled._repr_html_()
