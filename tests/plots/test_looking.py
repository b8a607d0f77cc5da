"""What a network looks at, and how it is fooled: pixels of known weight, known margins."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from multilayer import Architecture, MLPClassifier
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.files import save_model
from multilayer.inspection import integrated_gradients
from multilayer.model import Classes, Model, Numbers
from multilayer.numpy import MLP
from multilayer.plots import adversarial_examples, robustness, saliency
from multilayer.torch import MLP as TorchMLP

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(12, 2, 3))
W = np.array([[0.0, 4.0, 0.0, -2.0, 0.0, 1.0]])


def network(*widths, **settings):
    n_in, *hidden, n_out = widths
    return MLP(Architecture(n_in, tuple(hidden), n_out, **settings), dtype="float64",
               rng=np.random.default_rng(1))  # fmt: skip


def line():
    """A linear network that weighs the pixels with W."""
    net = network(6, 1, output="sigmoid")
    net.set_weights([(W, [-1.5])])
    return net


def drawn(ax):
    (image,) = ax.get_images()
    return np.asarray(image.get_array())


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("draw", [saliency, lambda model, X: adversarial_examples(model, X, [0])])
def test_a_model_of_columns_is_named_before_a_table_that_is_no_image(draw):
    table = [["red", 1.0], ["blue", 2.0]] * 10
    model = MLPClassifier((2,), solver="lbfgs", columns="auto").fit(table, [0, 1] * 10)
    with pytest.raises(
        InvalidArgumentError, match=r"model of .* must take plain or scaled numbers"
    ):
        draw(model, table)


class TestSaliency:
    def test_a_linear_network_shows_its_weights_for_the_class_that_it_predicts(self):
        axes = saliency(line(), IMAGES, n=4)
        assert axes.shape == (3, 4)
        p = line()(IMAGES)[:, 0]
        for i in range(4):
            sign = 1 if p[i] > 0.5 else -1
            np.testing.assert_allclose(drawn(axes[0, i]), IMAGES[i])
            np.testing.assert_allclose(drawn(axes[1, i]), np.abs(W).reshape(2, 3))
            parts = sign * W.reshape(2, 3) * IMAGES[i]
            np.testing.assert_allclose(drawn(axes[2, i]), parts, atol=1e-12)
            low, high = axes[2, i].get_images()[0].get_clim()
            assert high == -low == pytest.approx(np.abs(parts).max())
            said = f"predicted {int(p[i] > 0.5)}\n{100 * max(p[i], 1 - p[i]):.1f} %"
            assert axes[0, i].get_title() == said
        assert [ax.get_ylabel() for ax in axes[:, 0]] == [
            "image", "gradient", "integrated\ngradients"
        ]  # fmt: skip

    def test_every_kind_of_model(self, tmp_path):
        net = network(64, 8, 3, activation="tanh", output="softmax")
        images = RNG.uniform(size=(3, 8, 8))
        k = net(images).argmax(axis=1)
        expected = integrated_gradients(net, images, output=k, of_logits=True).values
        slopes = np.abs(net.jacobian(images, of_logits=True)[np.arange(3), k])
        named = Model(net, Classes(np.array(["a", "b", "c"])))
        save_model(tmp_path / "m.safetensors", named)
        for model in (net, TorchMLP.from_numpy(net), named, tmp_path / "m.safetensors"):
            for X in (images, images.reshape(3, 64)):  # flattened ones are squares
                axes = saliency(model, X)
                for i in range(3):
                    np.testing.assert_allclose(drawn(axes[1, i]), slopes[i].reshape(8, 8))
                    np.testing.assert_allclose(
                        drawn(axes[2, i]), expected[i].reshape(8, 8), atol=1e-12
                    )
        assert axes[0, 0].get_title().startswith(f"predicted {'abc'[k[0]]}\n")

    def test_the_gradient_is_in_terms_of_the_raw_pixels(self):
        scale = np.array([1.0, 2.0, 4.0, 0.5, 1.0, 1.0])
        model = Model(line(), inputs=Numbers(6, scale=scale))
        axes = saliency(model, IMAGES, n=1, baseline=0.5)
        np.testing.assert_allclose(drawn(axes[1, 0]), np.abs(W / scale).reshape(2, 3))
        parts = np.abs(W / scale).reshape(2, 3) * np.abs(IMAGES[0] - 0.5)
        np.testing.assert_allclose(np.abs(drawn(axes[2, 0])), parts, atol=1e-12)

    def test_an_image_that_nothing_depends_on_is_white(self):
        net = network(4, 2)
        net.parameters[:] = 0, 0, 0, 0, 0, 0, 0, 0, 1, 0
        axes = saliency(net, np.ones((1, 2, 2)))
        for row in (1, 2):
            assert (drawn(axes[row, 0]) == 0).all()

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (np.zeros((2, 6)), "X of saliency must have shape (n_samples, height, width), or as "
             "many features as a square of at least 8 × 8 pixels; got shape (2, 6)"),
            (np.zeros((2, 4)), "8 × 8 pixels; got shape (2, 4)"),  # a table of four columns
            (np.zeros(6), "got shape (6,)"),
            (np.zeros((0, 2, 3)), "got shape (0, 2, 3)"),
        ],
    )  # fmt: skip
    def test_what_is_no_image_is_refused(self, X, message):
        with pytest.raises(InvalidDataError) as caught:
            saliency(line(), X)
        assert message in str(caught.value)

    def test_what_else_does_not_fit(self):
        with pytest.raises(InvalidDataError, match="baseline of saliency must be a number"):
            saliency(line(), IMAGES, baseline=np.zeros(5))
        with pytest.raises(InvalidArgumentError, match="n of saliency"):
            saliency(line(), IMAGES, n=0)
        with pytest.raises(InvalidTypeError, match="model of saliency must be a network"):
            saliency(lambda X: X[:, 0], IMAGES)
        with pytest.raises(InvalidArgumentError, match="axes of saliency must be 36"):
            saliency(line(), IMAGES, n=12, axes=plt.subplots()[1])


class TestAdversarialExamples:
    def test_of_a_line_the_change_is_along_its_normal_by_the_distance(self):
        p = line()(IMAGES)[:, 0]
        y = (p > 0.5).astype(int)
        y[0] = 1 - y[0]  # one that is predicted wrongly, and not drawn
        axes = adversarial_examples(line(), IMAGES, y, n=3)
        assert axes.shape == (3, 3)
        for i, row in enumerate((1, 2, 3)):
            z = (IMAGES[row].ravel() @ W[0] - 1.5).item()
            change = (-1.02 * z / (W**2).sum() * W).reshape(2, 3)
            np.testing.assert_allclose(drawn(axes[0, i]), IMAGES[row])
            np.testing.assert_allclose(drawn(axes[1, i]), change, atol=1e-9)
            np.testing.assert_allclose(drawn(axes[2, i]), IMAGES[row] + change, atol=1e-9)
            factor = np.ptp(IMAGES) / np.abs(change).max()
            assert axes[1, i].get_xlabel() == f"× {factor:.{0 if factor >= 10 else 1}f}"
            said, _, distance = axes[2, i].get_xlabel().split("\n")
            assert axes[0, i].get_title().split("\n")[0] == f"predicted {y[row]}"
            assert said == f"predicted {1 - y[row]}"
            length = 1.02 * abs(z) / np.linalg.norm(W)
            assert distance.startswith("distance 0.")
            assert float(distance.split()[1]) == pytest.approx(length, rel=0.05)

    @pytest.mark.parametrize(
        ("scale", "shown"), [(1e-3, "0.00051"), (1.0, "0.51"), (100.0, "51"), (1e4, "5,100")]
    )
    def test_distances_of_any_unit_can_be_read(self, scale, shown):
        net = network(4, 1)
        net.parameters[:] = 2, 0, 0, 0, -scale
        axes = adversarial_examples(net, scale * np.eye(4)[:1].reshape(1, 2, 2), [1])
        assert axes[2, 0].get_xlabel().split("\n")[2] == f"distance {shown}"

    @pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
    def test_of_an_estimator_the_classes_are_named(self):
        X = IMAGES.reshape(12, 6)
        names = np.array(["no", "yes"])[(X[:, 1] > 0.5).astype(int)]
        clf = MLPClassifier((8,), max_iter=300, random_state=0).fit(X, names)
        axes = adversarial_examples(clf, IMAGES, names, n=2)
        for ax, other in zip(axes[0], axes[2], strict=True):
            words = [each.split("\n")[0] for each in (ax.get_title(), other.get_xlabel())]
            assert sorted(words) == ["predicted no", "predicted yes"]

    def test_one_that_cannot_be_fooled_says_so(self):
        net = network(4, 2)
        net.parameters[:] = 0, 0, 0, 0, 0, 0, 0, 0, 1, 0
        axes = adversarial_examples(net, np.arange(4.0).reshape(1, 2, 2), [0])
        assert axes[2, 0].get_xlabel() == "not fooled"

    def test_what_does_not_fit(self):
        wrong = (line()(IMAGES)[:, 0] < 0.5).astype(int)
        with pytest.raises(InvalidDataError) as caught:
            adversarial_examples(line(), IMAGES, wrong)
        assert str(caught.value) == (
            "X of adversarial_examples must contain an image that is predicted correctly; there is "
            "none"
        )
        with pytest.raises(InvalidTypeError, match="model of adversarial_examples must be"):
            adversarial_examples(lambda X: X[:, 0], IMAGES, (IMAGES[:, 0, 0] > 0.5).astype(int))
        with pytest.raises(InvalidDataError, match="y of adversarial_examples must hold"):
            adversarial_examples(line(), IMAGES, np.full(12, 5))


class TestRobustness:
    def test_each_model_has_a_line_of_margins(self):
        z = IMAGES.reshape(12, 6) @ W[0] - 1.5
        y = (z > 0).astype(int)
        twice = line()
        twice.parameters[:] *= 2  # whose boundary is the same
        epsilons = np.linspace(0, 0.5, 7)
        ax = robustness({"one": line(), "two": TorchMLP.from_numpy(twice)}, IMAGES, y,
                        epsilons=epsilons, n_steps=1)  # fmt: skip
        expected = [(np.abs(z) > epsilon * np.abs(W).sum()).mean() for epsilon in epsilons]
        assert len(set(expected)) > 3
        for found in ax.lines:
            np.testing.assert_allclose(found.get_xdata(), epsilons)
            np.testing.assert_allclose(found.get_ydata(), expected)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
        assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
        assert ax.get_xlabel() == "ε, the largest change of an input (in one step)"

    def test_one_model_needs_no_name_and_the_range_of_the_samples_is_the_scale(self):
        _, ax = plt.subplots()
        assert robustness(line(), 10 * IMAGES, np.ones(12, int), ax=ax) is ax
        assert ax.get_legend() is None
        epsilons = ax.lines[0].get_xdata()
        assert epsilons[0] == 0
        assert epsilons[-1] == pytest.approx(0.2 * 10 * np.ptp(IMAGES))

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (({}, IMAGES, np.zeros(12)), InvalidTypeError, "models of robustness must be"),
            ((lambda X: X, IMAGES, np.zeros(12)), InvalidTypeError,
             "models of robustness must be a network"),
            ((line(), IMAGES, np.full(12, 3)), InvalidDataError, "y of robustness must hold"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit(self, arguments, error, message):
        with pytest.raises(error, match=message):
            robustness(*arguments)
        with pytest.raises(InvalidDataError, match="epsilons of robustness must be a vector"):
            robustness(line(), IMAGES, np.zeros(12), epsilons=[-1.0])
