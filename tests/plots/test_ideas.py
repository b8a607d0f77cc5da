"""Pictures of activations, boundaries and geometry: what is drawn is what is computed."""

import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from sklearn.linear_model import LogisticRegression

from multilayer import Architecture, MLPClassifier, plots
from multilayer.data import toy
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    MissingPackageError,
    MultilayerError,
    UnknownNameError,
)
from multilayer.inspection import Hyperplane
from multilayer.model import Classes, Columns, Model, Numbers
from multilayer.numpy import ACTIVATIONS, MLP, Elementwise
from multilayer.plots.style import diverging
from multilayer.torch import MLP as TorchMLP

mpl.use("Agg")
X, y = toy.moons(60, rng=np.random.default_rng(0))
TABLE = pd.DataFrame(100 * X + 7, columns=["width", "height"])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


def perceptron(w, b):
    net = MLP(Architecture(2, (), 1, output="sigmoid"), dtype="float64")
    net.set_weights([([w], [b])])
    return net


def new_axes(n):
    from matplotlib import pyplot as plt

    return plt.subplots(1, n, squeeze=False)[1][0]


# Activations -----------------------------------------------------------------------------------


def test_every_activation_of_single_numbers_has_a_panel_with_both_curves():
    axes = plots.activations()
    names = [name for name, each in ACTIVATIONS.items() if isinstance(each, Elementwise)]
    assert [ax.get_title() for ax in axes] == names
    assert len(names) == len(ACTIVATIONS) - 2
    for ax in axes:
        curve, slope = ax.get_lines()[:2]
        z, a = curve.get_data()
        gaps = np.isnan(z)
        # Central differences; of a curve of line pieces exact, else h²/6 |σ'''| < 1e-4.
        h = 1e-3
        away = ~gaps & (np.abs(z) > 0.01) & (np.abs(np.abs(z) - 1) > 0.01)
        sigma = ACTIVATIONS[ax.get_title()].forward
        differences = (sigma(z[away] + h) - sigma(z[away] - h)) / (2 * h)
        assert np.allclose(slope.get_ydata()[away], differences, atol=1e-5)
        assert np.allclose(a[~gaps], sigma(z[~gaps]))


def test_a_derivative_that_jumps_is_not_drawn_as_if_it_were_steep():
    (ax,) = plots.activations("relu")
    z, slope = ax.get_lines()[1].get_data()
    assert set(slope[~np.isnan(slope)]) == {0.0, 1.0}
    place = int(np.flatnonzero(np.isnan(z))[0])
    assert (slope[place - 1], slope[place + 1]) == (0.0, 1.0)
    assert z[place - 1] < 0 < z[place + 1]


def test_activations_together_and_their_range():
    left, right = plots.activations(["tanh", "relu"], together=True, z_max=2.0)
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["tanh", "relu"]
    styles = [(line.get_color(), line.get_linestyle()) for line in left.get_lines()[:2]]
    assert styles == [(line.get_color(), line.get_linestyle()) for line in right.get_lines()[:2]]
    assert len(set(styles)) == 2
    z, a = left.get_lines()[0].get_data()
    assert (z.min(), z.max()) == (pytest.approx(-2), pytest.approx(2))
    assert np.allclose(right.get_lines()[0].get_ydata(), 1 - np.tanh(z) ** 2)
    assert np.allclose(a, np.tanh(z))


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ("rleu", UnknownNameError, "did you mean 'relu'?"),
        (["softmax"], InvalidArgumentError, "'softmax' acts on a whole row"),
        ([], InvalidArgumentError, "names of activations must contain at least one name; got []"),
        (3, InvalidTypeError, "names of activations must be names of activations; got 3"),
    ],
)
def test_wrong_activations(names, error, message):
    with pytest.raises(error) as caught:
        plots.activations(names)
    assert message in str(caught.value)


# Boundaries ------------------------------------------------------------------------------------


def boundary_lines(ax):
    """Return the points of the black lines between regions."""
    contours = [c for c in ax.collections if hasattr(c, "levels") and list(c.levels) == [0]]
    paths = [path.vertices for each in contours for path in each.get_paths()]
    return np.vstack([path for path in paths if len(path)])


def test_the_boundary_of_a_linear_model_is_its_line():
    model = LogisticRegression().fit(X, y)
    ax = plots.decision_boundary(model, X, y)
    points = boundary_lines(ax)
    distances = (points @ model.coef_[0] + model.intercept_) / np.linalg.norm(model.coef_)
    # The logit is linear, its probability is bent a little within a cell of 0.02.
    assert np.abs(distances).max() < 1e-3
    assert ax.get_title() == f"accuracy {model.score(X, y):.1%}"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1"]


def covers_samples(ax):
    ax.figure.canvas.draw()
    return ax.get_legend().get_window_extent().overlaps(ax.get_window_extent())


@pytest.mark.parametrize("names", [["no", "yes"], ["no", "a house in the country"]])
def test_the_legend_is_below_the_samples(names):
    def model(X):
        return np.where(X[:, 0] > 0, names[1], names[0])

    ax = plots.decision_boundary(model, X, model(X), resolution=5)
    assert not covers_samples(ax)
    axes = plots.decision_boundaries({"a": model, "b": model}, X, model(X), resolution=5)
    assert axes[0].get_legend() is None
    assert not covers_samples(axes[1])


@pytest.mark.parametrize("n", [1, 3, 4, 5, 9])
def test_many_panels_fit_on_a_page(n):
    models = {str(i): lambda X: X[:, 0] > 0 for i in range(n)}
    axes = plots.decision_boundaries(models, X, y, resolution=5)
    assert axes[0].figure.get_size_inches()[0] <= 9.5
    assert {ax.get_xlabel() for ax in axes} == {"$x_1$"}
    assert axes[0].get_ylabel() == "$x_2$"
    assert {ax.get_ylabel() for ax in axes[1:3]} <= {""}


def test_samples_are_drawn_once_with_a_marker_a_class():
    ax = plots.decision_boundary(lambda X: X[:, 0] > 0, X, y, resolution=5)
    clouds = [c for c in ax.collections if len(c.get_offsets()) == 30]
    assert np.array_equal(clouds[0].get_offsets(), X[y == 0])
    assert np.array_equal(clouds[1].get_offsets(), X[y == 1])
    markers = [c.get_paths()[0].vertices for c in clouds]
    assert len(markers[0]) != len(markers[1])


@pytest.mark.parametrize("resolution", [10, 40])
def test_the_model_is_asked_at_every_point_of_the_grid(resolution):
    seen = []
    plots.decision_boundary(lambda X: seen.append(len(X)) or X[:, 0] > 0, X, y,
                            resolution=resolution)  # fmt: skip
    assert seen == [len(X) + resolution**2]


def test_a_functions_classes_are_those_of_the_samples_and_the_plane():
    def model(X):
        return np.where(X[:, 0] < X_LEFT, "a", np.where(X[:, 0] < 0.5, "p", "q"))

    X_LEFT = X[:, 0].min() - 0.01  # beyond the samples, in the margin
    ax = plots.decision_boundary(model, X, model(X), resolution=50)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "p", "q"]
    assert ax.get_title() == "accuracy 100.0%"
    (image,) = ax.get_images()
    assert len(np.unique(np.asarray(image.get_array()).reshape(-1, 3), axis=0)) == 3


def test_colours_begin_again_after_the_last_one():
    def model(X):
        return np.digitize(X[:, 0], np.linspace(X[:, 0].min(), X[:, 0].max(), 11)[1:-1])

    ax = plots.decision_boundary(model, X, np.zeros(len(X), int), resolution=60)
    (image,) = ax.get_images()
    row = np.asarray(image.get_array())[0]
    assert len(ax.get_legend().get_texts()) == 10
    assert np.array_equal(row[1], row[-7])  # the first class, and the ninth
    assert np.array_equal(row[7], row[-1])  # the second, and the tenth


def test_a_single_sample_has_a_plane_around_it():
    ax = plots.decision_boundary(perceptron([1, 0], 0), [[0.5, 2.0]], [1], resolution=5)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 1.5), (1.0, 3.0))


def test_three_classes_have_three_colours():
    def model(X):
        angle = np.arctan2(X[:, 1], X[:, 0])
        return ((angle + np.pi) // (2 * np.pi / 3)).astype(int).clip(0, 2)

    ax = plots.decision_boundary(model, X, model(X), resolution=50)
    (image,) = ax.get_images()
    assert len(np.unique(np.asarray(image.get_array()).reshape(-1, 3), axis=0)) == 3
    assert ax.get_title() == "accuracy 100.0%"


def test_both_engines_and_several_models_side_by_side():
    net = MLP(Architecture(2, (3,), 2), dtype="float64", rng=np.random.default_rng(0))
    axes = new_axes(2)
    models = {"ours": net, "PyTorch": TorchMLP.from_numpy(net)}
    found = plots.decision_boundaries(models, X, y, axes=axes)
    assert list(found) == list(axes)
    assert [ax.get_title().split("\n")[0] for ax in found] == ["ours", "PyTorch"]
    assert np.allclose(boundary_lines(found[0]), boundary_lines(found[1]))


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: plots.decision_boundary(MLP(Architecture(3, (), 1)), X, y),
         InvalidDataError, "X must have 3 features, one per input of the network; got shape"),
        (lambda: plots.decision_boundary(lambda X: np.full(len(X), "p"), X, ["p"] * len(X)),
         InvalidArgumentError,
         "model of decision_boundary must tell at least two classes apart; got one, p"),
        (lambda: plots.decision_boundary(
            Model(perceptron([1, 0], 0), Classes(np.array(["only"]))), X, ["only"] * len(X)),
         InvalidArgumentError,
         "model of decision_boundary must tell at least two classes apart; got one, only"),
        (lambda: plots.decision_boundary(perceptron([1, 0], 0), X, y + 1), InvalidDataError,
         "y of decision_boundary must hold the model's classes 0, 1; got 2 at index"),
        (lambda: plots.decision_boundary(perceptron([1, 0], 0), X, y, resolution=1),
         InvalidArgumentError,
         "resolution of decision_boundary must be an integer of at least 2; got 1"),
        (lambda: plots.decision_boundary(perceptron([1, 0], 0), X, y, ax=3), InvalidTypeError,
         "ax of decision_boundary must be a matplotlib Axes; got int"),
        (lambda: plots.decision_boundaries([perceptron([1, 0], 0)], X, y), InvalidTypeError,
         "models of decision_boundaries must be a mapping of names to models"),
        (lambda: plots.decision_boundaries({"a": perceptron([1, 0], 0)}, X, y, axes=new_axes(2)),
         InvalidArgumentError,
         "axes of decision_boundaries must be 1 matplotlib Axes, one per panel; got 2"),
    ],
)  # fmt: skip
def test_wrong_boundaries(draw, error, message):
    with pytest.raises(error) as caught:
        draw()
    assert message in str(caught.value)


# Geometry --------------------------------------------------------------------------------------


def texts(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


def test_the_line_its_normal_and_its_distances():
    line = Hyperplane(np.array([3.0, 4.0]), -10.0)
    points = np.array([[0.0, 4.0], [1.0, 0.5]])
    ax = plots.hyperplane(line, points)
    drawn = {each.get_label(): each.get_xydata() for each in ax.get_lines()}
    assert np.allclose(drawn["w·x + b = 0"] @ line.w, 10)
    (start, foot) = drawn["−b/‖w‖ = 2.00"]
    assert start.tolist() == [0, 0]
    assert np.linalg.norm(foot) == pytest.approx(2)
    for point, way in zip(points, [each.get_xydata() for each in ax.get_lines()[2:]], strict=True):
        assert way[0].tolist() == point.tolist()
        assert line.w @ way[1] == pytest.approx(10)  # it ends on the line, at a right angle
        assert np.cross([*line.w, 0], [*(way[1] - way[0]), 0])[2] == pytest.approx(0, abs=1e-12)
    assert texts(ax) == ["w/‖w‖", "+1.20", "−1.00"]
    assert ax.get_aspect() == 1.0


def test_the_line_of_a_model_is_where_its_probability_is_a_half():
    net = perceptron([2.0, -1.0], 0.5)
    mean, scale = np.array([1.0, 2.0]), np.array([3.0, 0.5])
    model = Model(net, Classes(np.array([0, 1])), Numbers(2, mean, scale))
    ax = plots.hyperplane(model, X, y)
    ends = ax.get_lines()[0].get_xydata()
    assert np.allclose(model(ends), 0.5)
    assert texts(ax) == ["w/‖w‖"]  # of many points no numbers
    assert [t.get_text() for t in ax.get_legend().get_texts()][-2:] == ["class 0", "class 1"]


def test_the_line_between_two_of_several_classes():
    net = MLP(Architecture(2, (), 3), dtype="float64", rng=np.random.default_rng(0))
    ends = plots.hyperplane(net, classes=(1, 2)).get_lines()[0].get_xydata()
    z = net.logits(ends)
    assert np.allclose(z[:, 1], z[:, 2])


@pytest.mark.parametrize("angle", np.arange(0, 360, 15))
@pytest.mark.parametrize("b", [-2.0, 2.0])
def test_texts_stand_beside_the_lines(angle, b):
    w = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    across = np.array([-w[1], w[0]])
    points = np.array([d * w + c * across for d in (2 - b, -0.1 - b, 0.1 - b) for c in (-0.1, 1)])
    ax = plots.hyperplane(Hyperplane(w, b), points)
    ax.set(xlim=(-6, 6), ylim=(-6, 6))
    ax.figure.canvas.draw()
    line, origin = ax.get_lines()[:2]
    for text in filter(Text.get_text, ax.texts):
        box = text.get_window_extent()
        for drawn in (line, origin) if text.get_text()[0] in "+−" else (origin,):
            path = drawn.get_transform().transform_path(drawn.get_path())
            assert not path.intersects_bbox(box, filled=False)


def test_a_line_through_the_origin_has_distance_zero_without_a_sign():
    ax = plots.hyperplane(perceptron([3, 4], 0))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["w·x + b = 0", "−b/‖w‖ = 0.00"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Hyperplane(np.ones(3), 0.0),),
         "hyperplane draws models with two inputs; this one has 3"),
        ((perceptron([1, 1], 0), None, [0]), "y of hyperplane must be given with X; X is None"),
        ((MLP(Architecture(2, (3,), 1)),),
         "decision_hyperplane needs a network without hidden layers; got hidden_features (3,)"),
        ((3,), "model of hyperplane must be a network, a Model or an MLP estimator; got int"),
        ((Model(perceptron([1, 1], 0), inputs=Columns.of(TABLE)),),
         "model of hyperplane must take plain or scaled numbers; "
         "got Columns(2 numeric → 2 inputs)"),
    ],
)  # fmt: skip
def test_wrong_hyperplanes(arguments, message):
    with pytest.raises(MultilayerError) as caught:
        plots.hyperplane(*arguments)
    assert str(caught.value) == message


def test_a_line_has_no_classes_to_choose_from():
    with pytest.raises(InvalidArgumentError) as caught:
        plots.hyperplane(Hyperplane(np.ones(2), 0.0), classes=(1, 2))
    assert str(caught.value) == (
        "classes of hyperplane apply to several outputs; got (1, 2) for a Hyperplane"
    )


def test_without_matplotlib_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (
        lambda: plots.activations("relu"),
        lambda: plots.decision_boundary(perceptron([1, 0], 0), X, y),
    ):
        with pytest.raises(MissingPackageError) as caught:
            draw()
        assert str(caught.value) == (
            'multilayer.plots needs matplotlib: pip install "multilayer[plot]"'
        )


def test_a_table_gives_the_axes_their_names_and_estimators_their_columns():
    table = pd.DataFrame(X, columns=["width", "height"])
    model = LogisticRegression().fit(table, y)
    ax = plots.decision_boundary(model, table, y, resolution=20)  # warnings would be errors
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width", "height")
    assert ax.get_title() == f"accuracy {model.score(table, y):.1%}"


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_what_was_made_for_a_table_is_drawn_with_it():
    clf = MLPClassifier((4, 2), solver="lbfgs", max_iter=50, columns="auto", random_state=0)
    clf.fit(TABLE, y)
    axes = plots.decision_boundaries({"ours": clf, "a file's": clf.to_model()}, TABLE, y)
    assert [ax.get_title().split("\n")[1] for ax in axes] == [
        f"accuracy {clf.score(TABLE, y):.1%}"
    ] * 2
    assert np.allclose(boundary_lines(axes[0]), boundary_lines(axes[1]))
    for model in (clf, clf.to_model()):
        spaces = plots.learned_features(model, TABLE, y)
        expected = clf.transform(TABLE)
        found = np.vstack([c.get_offsets() for c in spaces[-1].collections[-2:]])
        assert np.allclose(found, np.vstack([expected[y == 0], expected[y == 1]]))
        (image,) = plots.hidden_units(model, TABLE)[-1].get_images()
        low, high = image.get_extent()[::2], image.get_extent()[1::2]
        corners = clf.transform(pd.DataFrame([low, high], columns=TABLE.columns))[:, 1]
        shown = np.asarray(image.get_array())
        assert np.allclose([shown[0, 0], shown[-1, -1]], corners, atol=1e-6)


def test_surfaces_differ_in_grey_too():
    low, middle, high = (
        np.dot(diverging()(at)[:3], [0.299, 0.587, 0.114]) for at in (0.0, 0.5, 1.0)
    )
    assert middle > 0.98  # white
    assert high - low > 0.2


def test_scikit_learns_display_takes_our_estimators():
    from sklearn.inspection import DecisionBoundaryDisplay

    clf = MLPClassifier((2,), solver="lbfgs", max_iter=500, random_state=0).fit(X, y)
    shown = DecisionBoundaryDisplay.from_estimator(clf, X, response_method="predict_proba")
    assert shown.response.shape == (100, 100)
