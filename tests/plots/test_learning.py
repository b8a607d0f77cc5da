"""Pictures of what networks learn: spaces of layers, units, features, approximation, and ReLU."""

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import PolynomialFeatures

from multilayer import Architecture, MLPClassifier, plots
from multilayer.data import toy
from multilayer.errors import InvalidArgumentError, InvalidTypeError, MultilayerError
from multilayer.inspection import ActivationMeasurement
from multilayer.numpy import MLP
from multilayer.plots.fitting import best_of, classifier
from multilayer.torch import MLP as TorchMLP

mpl.use("Agg")
X, y = toy.xor(60, rng=np.random.default_rng(0))
PRODUCTS = PolynomialFeatures(2, include_bias=False).fit_transform


@pytest.fixture(autouse=True)
def close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


def network(*hidden, **settings):
    architecture = Architecture(2, hidden, 1, output="sigmoid", **settings)
    return MLP(architecture, dtype="float64", rng=np.random.default_rng(3))


def samples_of(ax):
    """Return the samples of class 0, then those of class 1, as drawn."""
    return np.vstack([c.get_offsets() for c in ax.collections if len(c.get_offsets()) == 30])


def zero_lines(ax):
    contours = [c for c in ax.collections if hasattr(c, "levels") and list(c.levels) == [0]]
    paths = [path.vertices for each in contours for path in each.get_paths()]
    return np.vstack([path for path in paths if len(path)])


ORDER = np.argsort(y, kind="stable")

# The spaces of layers --------------------------------------------------------------------------


def test_samples_stand_at_the_outputs_of_each_layer():
    net = network(2, 2, activation="tanh")
    for model in (net, TorchMLP.from_numpy(net)):
        axes = plots.learned_features(model, X, y)
        (W, b), *_ = net.weights
        expected = [X, np.tanh(X @ W.T + b), net.features(X)]
        assert [ax.get_title() for ax in axes] == [
            "inputs x", "hidden layer 1", "ψ(x), hidden layer 2"
        ]  # fmt: skip
        for ax, a in zip(axes, expected, strict=True):
            assert np.allclose(samples_of(ax), a[ORDER])


def test_the_boundary_is_straight_in_the_space_of_the_features():
    net = classifier(X, y, (3, 2), n_starts=2, rng=np.random.default_rng(0))
    last = plots.learned_features(net, X, y)[-1]
    (V, c) = net.weights[-1]
    line = zero_lines(last)
    distances = (line @ V[0] + c) / np.linalg.norm(V)
    cell = np.ptp(last.get_xlim()) / 199
    assert np.abs(distances).max() < 0.1 * cell  # the probability is bent within a cell


def test_more_than_two_units_are_seen_in_their_principal_components():
    net = network(5, activation="tanh")
    last = plots.learned_features(net, X, y)[-1]
    oracle = PCA(2).fit(net.features(X))
    found, expected = samples_of(last), oracle.transform(net.features(X))[ORDER]
    assert np.allclose(np.abs(found), np.abs(expected))  # but for the components' signs
    share = oracle.explained_variance_ratio_.sum()
    assert last.get_title() == (
        f"ψ(x), hidden layer 1\nfirst 2 of 5 principal components\n({share:.0%} of the variance)"
    )


def test_an_estimator_and_a_layer_of_one_unit():
    clf = MLPClassifier((3, 1), activation="tanh", solver="lbfgs", random_state=0).fit(X, y)
    last = plots.learned_features(clf, X, y)[-1]
    assert np.allclose(samples_of(last)[:, 0], clf.transform(X)[ORDER, 0])
    assert np.allclose(samples_of(last)[:, 1], 0)


@pytest.mark.parametrize("name", ["yes", "a house in the country"])
def test_the_legend_covers_no_samples(name):
    names = np.array(["no", name])
    clf = MLPClassifier((2,), activation="tanh", solver="lbfgs", random_state=0).fit(X, names[y])
    last = plots.learned_features(clf, X, names[y])[-1]
    last.figure.canvas.draw()
    assert not last.get_legend().get_window_extent().overlaps(last.get_window_extent())


def test_a_dead_layer_is_a_point():
    net = network(2)
    net.set_weights([([[1.0, 0], [0, 1]], [-9.0, -9]), ([[1.0, 1]], [0.0])])
    last = plots.learned_features(net, X, y)[-1]
    assert not samples_of(last).any()
    assert last.get_xlim() == (-1, 1)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (network(), "model of learned_features must have hidden layers; got MLP(2-1, sigmoid,"),
        (len, "model of learned_features must be a network, a Model or an MLP estimator; got"),
    ],
)
def test_what_has_learned_no_features(model, message):
    with pytest.raises(MultilayerError) as caught:
        plots.learned_features(model, X, y)
    assert str(caught.value).startswith(message)


# The units -------------------------------------------------------------------------------------


def test_each_unit_has_its_own_surface():
    net = network(3, 2)
    axes = plots.hidden_units(net, X)
    assert len(axes) == 5
    (W, b), *_ = net.weights
    for k, ax in enumerate(axes[:3]):
        (image,) = ax.get_images()
        x1, x2 = image.get_extent()[:2], image.get_extent()[2:]
        corners = np.array([[x1[0], x2[0]], [x1[1], x2[0]], [x1[0], x2[1]], [x1[1], x2[1]]])
        shown = np.asarray(image.get_array())[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert np.allclose(shown, np.maximum(corners @ W.T + b, 0)[:, k])
        line = zero_lines(ax)
        assert np.allclose(line @ W[k] + b[k], 0, atol=1e-9)  # z is linear: no error in a cell
    assert axes[3].get_title().startswith("layer 2, unit 1\n")


def test_units_of_wide_layers_are_the_first_ones():
    axes = plots.hidden_units(network(20, 3), X, n_units=4)
    names = [ax.get_title().split("\n")[0] for ax in axes]
    assert names[3:5] == ["layer 1, unit 4", "layer 2, unit 1"]
    assert len(names) == 7
    with pytest.raises(InvalidArgumentError) as caught:
        plots.hidden_units(network(20), X, n_units=0)
    assert str(caught.value) == "n_units of hidden_units must be a positive integer; got 0"


# Fixed and learned features --------------------------------------------------------------------


def test_fixed_features_beside_learned_ones():
    axes = plots.fixed_features(
        {"xor": (X, y)},
        features={"x": lambda X: X, "x, x²": PRODUCTS},
        hidden_features=(4,),
        rng=np.random.default_rng(0),
    )
    assert axes.shape == (1, 3)
    assert [ax.get_ylabel() for ax in axes[0]] == ["xor\n$x_2$", "", ""]
    assert {ax.get_xlabel() for ax in axes[0]} == {"$x_1$"}
    names, numbers = zip(*(ax.get_title().split("\n") for ax in axes[0]), strict=True)
    assert names == ("x", "x, x²", "learned, 4")
    assert [each.split(",")[0] for each in numbers] == ["2 features", "5 features", "4 features"]
    accuracies = [float(each.split()[-1][:-1]) for each in numbers]
    assert accuracies[0] < 80  # a line has at most three of four corners
    assert min(accuracies[1:]) >= 98
    line = zero_lines(axes[0, 0])
    centred = line - line.mean(axis=0)
    assert np.linalg.svd(centred)[1][1] < 1e-2 * np.linalg.svd(centred)[1][0]  # it is straight


def test_the_penalty_makes_probabilities_less_certain():
    def bands(l2):
        """Return how many of the ten steps of probability come up."""
        axes = plots.fixed_features(
            {"xor": (X, y)},
            features={"products": PRODUCTS},
            hidden_features=(2,),
            l2=l2,
            rng=np.random.default_rng(0),
        )
        filled = next(c for c in axes[0, 0].collections if len(getattr(c, "levels", ())) == 11)
        return sum(len(path.vertices) > 0 for path in filled.get_paths())

    assert bands(1e-4) == 10
    assert bands(10.0) < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": {"xor": (X, y + 1)}},
         "y of fixed_features (xor) must hold the model's classes 0, 1; got 2 at index"),
        ({"data": {}}, "data of fixed_features must be a mapping with at least one name; got {}"),
        ({"data": {"xor": X}},
         "data of fixed_features must be pairs (X, y); got ndarray for 'xor'"),
        ({"hidden_features": ()},
         "hidden_features of fixed_features must have at least one width; got ()"),
    ],
)  # fmt: skip
def test_wrong_features(arguments, message):
    with pytest.raises(MultilayerError) as caught:
        plots.fixed_features(**arguments)
    assert str(caught.value).startswith(message)


# Approximation ---------------------------------------------------------------------------------


def test_contributions_add_up_to_the_curve_and_more_units_fit_better():
    rng = np.random.default_rng(0)
    samples, values = toy.curve(80, 0.05, rng)
    axes = plots.approximation(samples, values, widths=(1, 4, 9), n_starts=3, rng=rng)
    assert axes.shape == (2, 3)
    errors = []
    for upper, lower in axes.T:
        (fit,) = upper.get_lines()
        *terms, constant = lower.get_lines()
        total = sum(term.get_ydata() for term in terms) + constant.get_ydata()[0]
        assert np.allclose(total, fit.get_ydata().ravel())
        at_samples = np.interp(samples[:, 0], fit.get_xdata().ravel(), fit.get_ydata().ravel())
        errors.append(np.sqrt(np.mean((at_samples - values) ** 2)))
        # Rounded to one digit, which at worst makes 2 of 1.5, a third more.
        assert float(upper.get_title().split()[-1]) == pytest.approx(errors[-1], rel=0.34)
    assert errors[0] > 2 * errors[1] > 2 * errors[2]
    assert axes[0, 0].get_title().startswith("1 hidden unit, RMSE")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": [[0.0], [1.0]]}, "X of approximation must be given with y; y is None"),
        ({"y": [0.0, 1.0]}, "y of approximation must be given with X; X is None"),
        ({"X": [[0.0], [1.0]], "y": [1.0]},
         "y of approximation must have shape (2,), one value per sample; got (1,)"),
        ({"widths": (3, 0)}, "widths[1] of approximation must be a positive integer; got 0"),
        ({"widths": 3}, "widths of approximation must be a sequence of integers; got 3"),
        ({"X": [[1.0], [1.0]], "y": [1.0, 2.0]},
         "X of approximation must have samples that differ; all 2 are 1.0"),
    ],
)  # fmt: skip
def test_wrong_approximations(arguments, message):
    with pytest.raises(MultilayerError) as caught:
        plots.approximation(**arguments)
    assert str(caught.value) == message


def test_the_best_of_some_starts_has_the_least_loss():
    architecture = Architecture(2, (2,), 1, activation="tanh", output="sigmoid")
    few, many = (
        best_of(architecture, (X, y), loss="binary_cross_entropy", n_starts=n, l2=0.0,
                rng=np.random.default_rng(0))
        for n in (1, 6)
    )  # fmt: skip
    losses = [net.loss_and_gradients(X, y, loss="binary_cross_entropy")[0] for net in (few, many)]
    assert losses[1] < losses[0]


# Why ReLU --------------------------------------------------------------------------------------


def measured(name, sizes, zeros, nanoseconds):
    return ActivationMeasurement(name, np.array(sizes), np.array(zeros), nanoseconds)


def test_why_relu_draws_what_was_measured():
    axes = plots.why_relu(
        [measured("a", [0.1, 0.2, 0.4], [0, 0.5, 1], 3.0),
         measured("b", [0.0, 5.0, 10.0], [0, 0, 0], 1.0)]
    )  # fmt: skip
    gradients, zeros, times = axes
    assert gradients.get_yscale() == "log"
    a, b = gradients.get_lines()
    assert np.allclose(a.get_ydata(), [0.25, 0.5, 1])
    assert np.isnan(b.get_ydata()[0])
    assert np.allclose(b.get_ydata()[1:], [0.5, 1])
    assert np.allclose(zeros.get_lines()[0].get_ydata(), [0, 50, 100])
    assert [bar.get_width() for bar in times.patches] == [3, 1]
    assert [label.get_text() for label in times.get_yticklabels()] == ["a", "b"]
    assert a.get_marker() != b.get_marker()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([],), InvalidTypeError,
         "measurements of why_relu must be the result of measure_activations; got []"),
        ((None,), InvalidTypeError,
         "measurements of why_relu must be the result of measure_activations; got None"),
        (([measured("a", [1], [0], 1.0), measured("b", [1, 1], [0, 0], 1.0)],),
         InvalidArgumentError,
         "measurements of why_relu must be of networks with the same depth; got [1, 2]"),
    ],
)  # fmt: skip
def test_wrong_measurements(arguments, error, message):
    with pytest.raises(error) as caught:
        plots.why_relu(*arguments)
    assert str(caught.value) == message
