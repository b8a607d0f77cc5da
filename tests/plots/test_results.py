"""Pictures of results: their numbers against scikit-learn's and closed forms, planted facts."""

import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix as their_confusion_matrix

from multilayer import Architecture, MLPClassifier, MLPRegressor, load
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    MissingPackageError,
)
from multilayer.model import Classes, Model, Numbers
from multilayer.numpy import MLP
from multilayer.plots import (
    ConfusionDisplay,
    ReliabilityDisplay,
    ResidualsDisplay,
    confusion_matrix,
    importance,
    most_wrong,
    reliability,
    residuals,
)
from multilayer.torch import MLP as TorchMLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = (X[:, 0] + 0.5 * RNG.normal(size=200) > 0).astype(int) + (X[:, 0] > 1)
NAMES = np.array(["blue", "green", "red"])


def network():
    return MLP(Architecture(3, (8,), 3, output="softmax"), dtype="float64",
               rng=np.random.default_rng(1))  # fmt: skip


@pytest.fixture(scope="module")
def classifier():
    with pytest.warns(UserWarning, match="Maximum iterations"):
        return MLPClassifier((8,), max_iter=20, random_state=0).fit(X, NAMES[Y])


def texts(ax):
    return [text.get_text() for text in ax.texts]


class TestConfusionMatrix:
    def test_every_kind_of_model_has_its_counts(self, classifier):
        net = network()
        expected = their_confusion_matrix(Y, net(X).argmax(axis=1)).ravel().astype(str).tolist()
        for model in (net, TorchMLP.from_numpy(net), Model(net, Classes(np.arange(3)))):
            assert texts(confusion_matrix(model, X, Y)) == expected
        ax = confusion_matrix(classifier, X, NAMES[Y], normalize="true")
        theirs = their_confusion_matrix(NAMES[Y], classifier.predict(X), normalize="true")
        assert texts(ax) == [f"{share:.2f}" for share in theirs.ravel()]
        assert [label.get_text() for label in ax.get_yticklabels()] == NAMES.tolist()
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")

    def test_the_display_is_scikit_learns(self, classifier):
        from matplotlib import pyplot as plt

        _, ax = plt.subplots()
        display = ConfusionDisplay.from_estimator(classifier, X, NAMES[Y], ax=ax)
        assert display.ax_ is ax
        again = ConfusionDisplay.from_predictions(NAMES[Y], classifier.predict(X))
        np.testing.assert_array_equal(display.confusion_matrix, again.confusion_matrix)

    def test_long_names_leave_room_for_the_matrix(self):
        names = np.array(["a house in the country", "a flat in the city of London", "no"])
        ax = confusion_matrix(lambda X: names[Y], X, names[Y])
        ax.figure.canvas.draw()
        assert ax.get_position().width * ax.figure.get_figwidth() > 1.5
        labels = [label.get_text() for label in ax.get_yticklabels()]
        assert labels == ["a flat in…of London", "a house in…e country", "no"]

    def test_counts_are_written_out(self):
        y = np.arange(20_240) % 2 == 0  # 10,120 of each, which scikit-learn writes 1e+04
        ax = confusion_matrix(lambda X: X[:, 0] > 0, np.where(y, 1.0, -1.0)[:, None], y)
        assert texts(ax) == ["10120", "0", "0", "10120"]

    @pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
    def test_the_names_of_a_tables_columns_are_kept(self):
        table = pd.DataFrame(X, columns=["u", "v", "w"])
        clf = MLPClassifier((4,), max_iter=2, random_state=0).fit(table, Y)
        reg = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(table, Y)
        # scikit-learn would warn of a matrix without names, and warnings are errors.
        for draw, model in (
            (confusion_matrix, clf),
            (reliability, clf),
            (most_wrong, clf),
            (residuals, reg),
        ):
            assert draw(model, table, Y)
        labels = importance(clf, table, Y, n_repeats=2).get_yticklabels()
        assert sorted(label.get_text() for label in labels) == ["u", "v", "w"]

    def test_a_word_that_means_nothing_is_refused(self, classifier):
        with pytest.raises(InvalidArgumentError, match="did you mean 'true'"):
            confusion_matrix(classifier, X, NAMES[Y], normalize="tru")
        with pytest.raises(InvalidDataError, match="must hold the model's classes blue"):
            confusion_matrix(classifier, X, Y)


class TestReliability:
    def test_two_classes_have_scikit_learns_curve(self):
        p = RNG.uniform(size=500)
        y = (RNG.uniform(size=500) < p**2).astype(int)
        ax = reliability(lambda X: X[:, 0], p[:, None], y, n_bins=8)
        observed, predicted = calibration_curve(y, p, n_bins=8)
        line = next(line for line in ax.lines if line.get_label() == "observed")
        np.testing.assert_allclose(line.get_xdata(), predicted)
        np.testing.assert_allclose(line.get_ydata(), observed)
        shares = ax.patches[0].get_data().values
        np.testing.assert_allclose(shares, np.histogram(p, bins=8, range=(0, 1))[0] / 500)

    def test_the_calibration_error_of_planted_bins(self):
        # 60 samples of 0.9, of which 30 are so; 40 of 0.1, of which 4 are: 0.6 · 0.4 + 0.4 · 0.
        p = np.repeat([0.9, 0.1], [60, 40])
        y = np.repeat([1, 0, 1, 0], [30, 30, 4, 36])
        display = ReliabilityDisplay.from_predictions(y, p)
        assert display.expected_calibration_error == pytest.approx(0.24)
        assert display.ax_.get_title() == "expected calibration error 0.240"

    def test_of_more_classes_it_asks_how_often_the_predicted_one_is_right(self, classifier):
        display = ReliabilityDisplay.from_estimator(classifier, X, NAMES[Y], n_bins=5)
        p = classifier.predict_proba(X)
        right = classifier.predict(X) == NAMES[Y]
        observed, predicted = calibration_curve(right, p.max(axis=1), n_bins=5)
        np.testing.assert_allclose(display.prob_true, observed)
        np.testing.assert_allclose(display.prob_pred, predicted)

    def test_what_is_no_probability_is_refused(self):
        with pytest.raises(InvalidArgumentError, match="must be 0 or 1"):
            ReliabilityDisplay.from_predictions([0, 2], [0.5, 0.5])
        with pytest.raises(InvalidDataError, match="vectors of the same length"):
            ReliabilityDisplay.from_predictions([0, 1], [0.5])


class TestResiduals:
    @pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
    def test_every_kind_of_model_has_its_residuals(self):
        target = X @ [1.0, -2.0, 0.5]
        reg = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0).fit(X, target)
        expected = target - reg.predict(X)
        for model in (reg, reg.network_, TorchMLP.from_numpy(reg.network_), reg.predict):
            ax = residuals(model, X, target)
            points = ax.collections[0].get_offsets()
            np.testing.assert_allclose(points[:, 1], expected)
            np.testing.assert_allclose(points[:, 0], reg.predict(X))
        rmse = np.sqrt(np.mean(expected**2))
        assert ax.get_title() == f"root mean squared error {rmse:.4g}"
        display = ResidualsDisplay.from_estimator(reg, X, target, kind="actual_vs_predicted")
        assert display.ax_.get_ylabel() == "true value"

    @pytest.mark.parametrize(("n", "alpha"), [(100, 0.6), (8000, 0.15), (10**6, 0.06)])
    def test_of_many_points_each_is_fainter(self, n, alpha):
        ax = residuals(lambda X: X[:, 0], np.ones((n, 1)), np.ones(n))
        assert ax.collections[0].get_alpha() == pytest.approx(alpha)

    def test_large_numbers_do_not_run_into_each_other(self):
        predicted = np.linspace(1.2e5, 5.1e5, 200)
        ax = residuals(lambda X: predicted, X, predicted + 1)
        ax.figure.canvas.draw()
        boxes = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
        assert all(left.x1 + 5 < right.x0 for left, right in pairwise(boxes))

    def test_classes_have_no_residuals(self, classifier):
        with pytest.raises(InvalidArgumentError, match="MLPClassifier predicts classes"):
            residuals(classifier, X, Y)
        with pytest.raises(InvalidDataError, match="one value per sample"):
            residuals(network(), X, Y)
        with pytest.raises(InvalidTypeError):
            residuals(3, X, Y)


def accuracy(model, X, y):
    return np.mean(model.predict(X) == y)


def worst(model, X, y):
    return -np.abs(model.predict(X) - y).max()


class TestImportance:
    def test_the_input_that_decides_is_on_top_and_the_others_are_worth_nothing(self):
        def model(X):
            return X[:, 1] > 0

        ax = importance(model, X, X[:, 1] > 0, n_repeats=5, feature_names=["a", "b", "c"])
        assert ax.get_yticklabels()[-1].get_text() == "b"
        means = [line for line in ax.lines if line.get_marker() == "o"]
        values = [float(line.get_xdata()[0]) for line in means]
        assert values[:2] == [0, 0]
        # Half of the shuffled signs are right by chance: 4 standard deviations of 1,000 coins.
        assert values[2] == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(1000))

    def test_every_kind_of_model(self, classifier):
        net = network()
        y = net(X).argmax(axis=1)
        for model in (net, TorchMLP.from_numpy(net), Model(net, Classes(np.arange(3)))):
            assert (
                importance(model, X, y, n_repeats=2).get_yticklabels()[0].get_text()[:5] == "input"
            )
        ax = importance(classifier, X, NAMES[Y], n_repeats=2, n_features=2, scoring="f1_macro")
        assert ax.get_title() == "the 2 most important of 3 inputs"
        assert ax.get_xlabel() == "decrease in the f1 macro when the input is shuffled"

    @pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
    def test_a_model_of_values_has_its_estimators_picture(self):
        table = pd.DataFrame(X, columns=["u", "v", "w"])
        reg = MLPRegressor(hidden_layer_sizes=(4,), max_iter=30, random_state=0).fit(table, X[:, 1])
        drawn = []
        for model in (reg, reg.to_model()):
            for scoring in (None, "r2"):
                rng = np.random.default_rng(0)
                ax = importance(model, table, X[:, 1], scoring=scoring, n_repeats=2, rng=rng)
                drawn.append(np.concatenate([line.get_xdata() for line in ax.lines]))
        for other in drawn[1:]:
            np.testing.assert_allclose(other, drawn[0], rtol=1e-5, atol=1e-6)

    def test_the_columns_name_the_inputs(self):
        model = Model(network(), Classes(np.arange(3)), Numbers(3, names=("u", "v", "w")))
        labels = importance(model, X, Y, n_repeats=2).get_yticklabels()
        assert sorted(label.get_text() for label in labels) == ["u", "v", "w"]
        with pytest.raises(InvalidDataError, match="must be 3 names, one per input; got 1"):
            importance(model, X, Y, feature_names=["u"])

    @pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
    def test_a_table_of_any_library_keeps_its_columns(self):
        table = {"size": X[:, 0], "colour": NAMES[Y]}
        clf = MLPClassifier((4,), max_iter=2, random_state=0, columns="auto")
        clf.fit(pl.DataFrame(table), Y)
        drawn = []
        for frame in (pd.DataFrame(table), pl.DataFrame(table), pa.table(table)):
            for model in (clf, clf.to_model()):
                ax = importance(model, frame, Y, n_repeats=2, rng=np.random.default_rng(0))
                drawn.append([list(line.get_xdata()) for line in ax.lines])
        assert drawn[1:] == drawn[:1] * 5
        labels = importance(clf, pl.DataFrame(table), Y, n_repeats=2).get_yticklabels()
        assert {label.get_text() for label in labels} == {"size", "colour"}

    @pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
    @pytest.mark.parametrize("engine", ["numpy", "torch"])
    @pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, dict, np.column_stack])
    def test_a_model_from_a_file_has_its_estimators_scores(self, tmp_path, engine, frame):
        rng = np.random.default_rng(0)
        size, words = rng.normal(size=60), NAMES[rng.integers(0, 2, 60)]
        kinds = {"columns": "auto", "engine": engine, "random_state": 0, "max_iter": 3}
        table = {"size": size, "colour": words}
        if frame is np.column_stack:
            del kinds["columns"]
            table = np.column_stack([size, words == "blue"]).astype(float)
        else:
            table = frame(table)
        for make, y, scores in (
            (MLPClassifier, words, [None, "accuracy", "neg_log_loss", "roc_auc", accuracy]),
            (MLPRegressor, size, [None, "r2", "neg_mean_squared_error", worst]),
        ):
            made = make(hidden_layer_sizes=(4,), **kinds).fit(table, y)
            made.save(tmp_path / "model")
            for scoring in scores:
                drawn = []
                for model in (made, load(tmp_path / "model")):
                    rng = np.random.default_rng(0)
                    ax = Figure().subplots()
                    importance(model, table, y, scoring=scoring, n_repeats=2, rng=rng, ax=ax)
                    drawn.append(np.concatenate([line.get_xdata() for line in ax.lines]))
                # The engines round float32 differently.
                np.testing.assert_allclose(drawn[1], drawn[0], rtol=1e-4, atol=1e-5)

    def test_an_unknown_score_is_named(self, classifier):
        with pytest.raises(
            InvalidArgumentError, match=r"scoring of importance must .* 'accuracy'\?$"
        ):
            importance(classifier, X, NAMES[Y], scoring="acuracy")

    def test_a_table_of_no_known_library_is_refused(self):
        class Table:
            columns, ndim = ("u", "v", "w"), 2

        with pytest.raises(InvalidTypeError) as caught:
            importance(network(), Table(), Y)
        expected = "X of importance must be an array or a table in memory; got Table"
        assert str(caught.value) == expected

    def test_without_pandas_it_is_told_what_to_install(self, monkeypatch):
        frame = pl.DataFrame({"u": X[:, 0]})
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(MissingPackageError, match="importance needs pandas for the columns"):
            importance(lambda X: X[:, 0] > 0, frame, X[:, 0] > 0)

    def test_the_generator_draws_the_shuffles(self):
        def means(rng):
            ax = importance(lambda X: X[:, 0] > 0, X, X[:, 0] > 0, n_repeats=2, rng=rng)
            return [list(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"]

        assert means(np.random.default_rng(0)) == means(np.random.default_rng(0))
        assert means(np.random.default_rng(0)) != means(np.random.default_rng(1))
        with pytest.raises(InvalidTypeError) as caught:
            means(0)
        expected = "rng of importance must be a numpy.random.Generator or None; got 0"
        assert str(caught.value) == expected


class TestMostWrong:
    def test_planted_mistakes_come_worst_first(self):
        p = np.array([[0.9, 0.1], [0.2, 0.8], [0.05, 0.95], [0.4, 0.6]])
        images = np.arange(16.0).reshape(4, 2, 2)
        ax = most_wrong(lambda X: X, p, [0, 0, 0, 1], images=images, n=5)
        assert texts(ax) == [
            "row 2\ntrue 0: 5.0 %\npredicted 1: 95.0 %",
            "row 1\ntrue 0: 20.0 %\npredicted 1: 80.0 %",
        ]
        drawn = [image.get_array() for image in ax.get_images()]
        np.testing.assert_array_equal(drawn, images[[2, 1]])

    def test_rows_of_a_table(self):
        table = pd.DataFrame(X, columns=["u", "v", "w"])
        ax = most_wrong(lambda X: np.asarray(X)[:, 0] > 0, table, np.zeros(200, int), n=1)
        cells = {
            place: cell.get_text().get_text() for place, cell in ax.tables[0].get_celld().items()
        }
        assert [cells[0, i] for i in range(6)] == ["row", "true", "predicted", "u", "v", "w"]
        row = int(np.flatnonzero(X[:, 0] > 0)[0])
        expected = [str(row), "0: 0 %", "1: 100.0 %", *(f"{value:.4g}" for value in X[row])]
        assert [cells[1, i] for i in range(6)] == expected

    def test_rows_have_the_frames_labels_and_columns_that_say_nothing_come_last(self):
        same = pd.DataFrame(1.0, index=range(200), columns=list("abcdef"))
        table = same.assign(u=X[:, 0]).set_axis([f"id {i}" for i in range(200)])
        ax = most_wrong(lambda X: np.asarray(X)[:, -1] > 0, table, np.zeros(200, int), n=2)
        cells = ax.tables[0].get_celld()
        heads = [cells[0, j].get_text().get_text() for j in range(3, 10)]
        assert heads == ["u", *"abcde", "1 more"]
        first, second = np.flatnonzero(X[:, 0] > 0)[:2]
        shown = [[cells[i, j].get_text().get_text() for j in (0, 3)] for i in (1, 2)]
        assert shown == [[f"id {row}", f"{X[row, 0]:.4g}"] for row in (first, second)]

    def test_gaps_and_words_of_a_table_are_shown(self):
        table = np.array([["red", 1], [None, 2.5]], dtype=object)
        ax = most_wrong(lambda X: np.ones(len(X), bool), table, [0, 0])
        cells = ax.tables[0].get_celld()
        shown = [[cells[i, j].get_text().get_text() for j in (3, 4)] for i in (1, 2)]
        assert shown == [["red", "1"], ["None", "2.5"]]

    def test_without_mistakes_it_says_so(self):
        ax = most_wrong(lambda X: X[:, 0] > 0, X, X[:, 0] > 0)
        assert texts(ax) == ["all 200 samples are predicted correctly"]

    def test_images_of_other_samples_are_refused(self):
        with pytest.raises(InvalidDataError) as caught:
            most_wrong(lambda X: X[:, 0] > 0, X, Y, images=np.zeros((3, 2, 2)))
        assert str(caught.value) == (
            "images of most_wrong must have shape (200, height, width), one per sample; "
            "got (3, 2, 2)"
        )


def test_of_many_samples_importance_takes_some_evenly():
    seen = []

    def score(model, X, y):
        seen.append((len(X), X[0, 0], X[-1, 0]))
        return 0.0

    n = 9_001
    X = np.column_stack([np.arange(n), np.zeros(n)])
    importance(lambda X: np.zeros(len(X)), X, np.zeros(n), scoring=score, n_repeats=2)
    assert seen[0] == (4_000, 0, n - 1)
