"""Pictures of networks: lines are weights, boxes are nodes, pixels are inputs, curves records."""

from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyBboxPatch

from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    UnknownNameError,
)
from multilayer.graph import Graph, Node, graph
from multilayer.model import Classes, Model, Numbers
from multilayer.numpy import MLP
from multilayer.plots import (
    computation_graph,
    first_layer_weights,
    gradient_flow,
    layer_statistics,
    network_diagram,
)
from multilayer.torch import MLP as TorchMLP
from multilayer.training import LayerStatistics, fit


def network(*widths, **settings):
    n_in, *hidden, n_out = widths
    return MLP(Architecture(n_in, tuple(hidden), n_out, **settings), rng=np.random.default_rng(0))


def texts(ax):
    return [text.get_text() for text in ax.texts]


class TestDiagram:
    @pytest.mark.parametrize("settings", [{}, {"normalization": "layer"}, {"bias": False}])
    def test_each_weight_is_a_line_between_its_units(self, settings):
        net = network(2, 3, 2, **settings)
        ax = network_diagram(net)
        centres = [patch.center for patch in ax.patches if isinstance(patch, Circle)]
        columns = [sorted({x for x, _ in centres})[i] for i in range(3)]
        units = [[c for c in centres if c[0] == x] for x in columns]
        weights = [W for W, _ in net.weights if W.ndim == 2]
        assert len(ax.collections) == len(weights)
        for i, (W, lines) in enumerate(zip(weights, ax.collections, strict=True)):
            found = {}
            for segment, w in zip(lines.get_segments(), lines.get_array(), strict=True):
                ends = [tuple(end) for end in segment]
                found[units[i + 1].index(ends[1]), units[i].index(ends[0])] = w
            assert found == {place: pytest.approx(w) for place, w in np.ndenumerate(W)}
            low, high = lines.get_clim()
            assert high == -low == pytest.approx(max(abs(W).max() for W in weights))

    def test_the_sign_shows_in_print(self):
        lines = network_diagram(network(2, 3)).collections[0]
        dashed = [style[1] is not None for style in lines.get_linestyle()]
        assert dashed == (lines.get_array() < 0).tolist()
        assert 0 < sum(dashed) < 6

    def test_wide_layers_are_elided_and_all_models_are_drawn(self):
        net = network(20, 30, 3, output="softmax")
        model = Model(
            net, Classes(np.array(["a", "b", "c"])), Numbers(20, names=[f"x{i}" for i in range(20)])
        )
        for each in (net, TorchMLP.from_numpy(net), model):
            ax = network_diagram(each, max_units=4)
            assert sum(isinstance(patch, Circle) for patch in ax.patches) == 4 + 4 + 3
            assert len(ax.collections[0].get_segments()) == 16
            assert texts(ax)[:3] == ["inputs\n20", "hidden 1\n30, relu", "output\n3, softmax"]
        assert texts(ax)[3:] == ["x0", "x1", "x18", "x19", "a", "b", "c"]
        shown = net.weights[0][0][np.ix_([0, 1, 28, 29], [0, 1, 18, 19])]
        np.testing.assert_allclose(
            np.sort(ax.collections[0].get_array()), np.sort(shown, axis=None), rtol=1e-6
        )

    def test_embeddings_are_a_column_with_lines_from_their_inputs(self):
        embeddings = Embeddings([(2, 5)], [(0, 3)], width=2)
        net = network(3, 4, 1, embeddings=embeddings)
        for each in (net, TorchMLP.from_numpy(net)):
            ax = network_diagram(each)
            assert texts(ax)[:3] == ["inputs\n3", "embeddings\n5", "hidden 1\n4, relu"]
            centres = [patch.center for patch in ax.patches if isinstance(patch, Circle)]
            columns = [sorted({x for x, _ in centres})[i] for i in range(3)]
            units = [[c for c in centres if c[0] == x] for x in columns]
            links, first = ax.collections[:2]
            ends = [[tuple(end) for end in segment] for segment in links.get_segments()]
            found = {(units[0].index(a), units[1].index(b)) for a, b in ends}
            assert found == {(1, 0), (2, 1), (2, 2), (0, 3), (0, 4)}
            assert len(ends) == 5
            np.testing.assert_allclose(
                np.sort(first.get_array()), np.sort(net.weights[1][0], axis=None), rtol=1e-6
            )
            assert first.get_clim()[1] == pytest.approx(
                max(abs(W).max() for W, _ in net.weights[1:])
            )

    def test_two_classes_with_one_output(self):
        model = Model(network(2, 1, output="sigmoid"), Classes(np.array(["no", "yes"])))
        assert texts(network_diagram(model))[-1] == "yes"

    def test_what_has_no_network_is_refused(self):
        with pytest.raises(InvalidTypeError, match="model of network_diagram must be a network"):
            network_diagram(3)
        with pytest.raises(InvalidArgumentError, match="max_units of network_diagram"):
            network_diagram(network(2, 1), max_units=1)


class TestFirstLayerWeights:
    def test_each_unit_is_an_image_the_strongest_first(self):
        net = network(6, 3, 1)
        W = net.weights[0][0]
        W *= np.array([[1.0], [3.0], [2.0]], np.float32) / np.linalg.norm(W, axis=1, keepdims=True)
        ax = first_layer_weights(TorchMLP.from_numpy(net), image_shape=(2, 3), n=2)
        (image,) = ax.get_images()
        canvas = image.get_array().filled(np.nan)
        np.testing.assert_array_equal(canvas[:, :3], W[1].reshape(2, 3))
        np.testing.assert_array_equal(canvas[:, 4:], W[2].reshape(2, 3))
        assert np.isnan(canvas[:, 3]).all()
        assert image.get_clim() == pytest.approx((-abs(W[1:]).max(), abs(W[1:]).max()))
        assert ax.get_title() == "2 of 3 units of the first layer"

    @pytest.mark.parametrize(
        ("shape", "told"),
        [
            (None, "given if the inputs do not form a square; got None"),
            ((2, 2), "(height, width) with one pixel per input; got (2, 2)"),
        ],
    )
    def test_what_is_no_image_is_refused(self, shape, told):
        with pytest.raises(InvalidArgumentError) as caught:
            first_layer_weights(network(6, 3, 1), image_shape=shape)
        assert (
            str(caught.value) == f"image_shape of first_layer_weights must be {told} for 6 inputs"
        )

    def test_behind_embeddings_there_are_no_images(self):
        net = network(4, 3, 1, embeddings=Embeddings([(0, 2)]))
        with pytest.raises(InvalidArgumentError) as caught:
            first_layer_weights(net)
        assert str(caught.value) == (
            "model of first_layer_weights must be a network whose first layer takes the inputs "
            "themselves, not embeddings"
        )


class TestComputationGraph:
    @pytest.mark.parametrize("engine", ["numpy", "torch"])
    def test_each_node_is_a_box_and_none_lies_on_another(self, engine):
        net = network(4, 5, 3, normalization="layer")
        net = net if engine == "numpy" else TorchMLP.from_numpy(net)
        ax = computation_graph(net)
        boxes = {
            p.get_gid(): p for p in ax.patches if isinstance(p, FancyBboxPatch) and p.get_gid()
        }
        assert set(boxes) == {node.id for node in graph(net).nodes}
        outlines = [box.get_path().get_extents() for box in boxes.values()]
        for i, one in enumerate(outlines):
            assert not any(one.overlaps(other) for other in outlines[i + 1 :])

    def test_boxes_lie_where_the_svg_has_them(self):
        found = graph(network(4, 5, 3, normalization="layer"))
        drawn = [patch for patch in computation_graph(found).patches if patch.get_gid()]
        root = ElementTree.fromstring(found.to_svg())
        rectangles = [g[0] for g in root if g.get("class", "").startswith("node")]
        for patch, rectangle in zip(drawn, rectangles, strict=True):
            assert patch.get_bbox().bounds == pytest.approx(
                [float(rectangle.get(name)) for name in ("x", "y", "width", "height")], abs=0.05
            )
            assert to_hex(patch.get_facecolor()) == rectangle.get("fill")

    @pytest.mark.parametrize("label", ["", " "])
    def test_a_label_may_be_empty(self, label):
        ax = computation_graph(Graph((Node("a", "op", label),), ()))
        assert [patch.get_gid() for patch in ax.patches if patch.get_gid()] == ["a"]

    def test_it_takes_graphs_models_and_axes(self):
        net = network(2, 3, 1)
        _, ax = plt.subplots()
        for given in (net, graph(net), Model(net)):
            assert computation_graph(given, ax=ax) is ax
        with pytest.raises(InvalidTypeError, match="net_or_tensor of graph must be an MLP"):
            computation_graph(3)


@pytest.fixture(scope="module")
def watch():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 2, size=40)
    found = LayerStatistics(X, y, every=2)
    fit(network(3, 4, 4, 2), (X, y), loss="cross_entropy", n_epochs=6, batch_size=20,
        callbacks=[found], rng=rng)  # fmt: skip
    return found


class TestLayerStatistics:
    def test_a_line_a_layer(self, watch):
        ax = layer_statistics(watch, "update_ratio")
        assert [line.get_label() for line in ax.lines] == list(watch.layers)
        for i, line in enumerate(ax.lines):
            np.testing.assert_array_equal(line.get_xdata(), watch.steps)
            np.testing.assert_array_equal(line.get_ydata(), watch["update_ratio"][:, i])
        assert ax.get_yscale() == "log"
        assert ax.get_xlabel() == "step"

    def test_distributions_are_strips_a_layer(self, watch):
        ax = layer_statistics(watch)
        medians = [line for line in ax.lines if len(line.get_xdata()) == len(watch.steps)]
        assert len(medians) == len(watch.layers)
        for i, line in enumerate(medians):
            np.testing.assert_array_equal(line.get_ydata(), watch["activations"][:, i, 2])
            assert i - 0.5 < min(line.get_xdata()) < max(line.get_xdata()) < i + 0.5
        assert ax.get_xlabel() == "steps 1 to 12 in each strip"
        assert [label.get_text() for label in ax.get_xticklabels()] == list(watch.layers)

    def test_every_statistic_is_drawn_and_an_unknown_one_is_not(self, watch):
        from multilayer.training.statistics import STATISTICS

        for name in STATISTICS:
            assert layer_statistics(watch, name).get_ylabel()
        with pytest.raises(UnknownNameError, match="did you mean 'zeros'"):
            layer_statistics(watch, "zeroes")

    def test_gradient_flow_is_a_line_a_step(self, watch):
        ax = gradient_flow(watch)
        assert [line.get_label() for line in ax.lines] == [
            f"step {step}" for step in (1, 4, 6, 8, 12)
        ]
        n_weights = np.array([12, 16, 8])
        expected = watch["gradient_norm"][-1] / np.sqrt(n_weights)
        np.testing.assert_allclose(ax.lines[-1].get_ydata(), expected)

    def test_what_has_seen_nothing_is_refused(self):
        with pytest.raises(InvalidArgumentError, match="must have been used in training"):
            gradient_flow(LayerStatistics([[0.0]], [0]))
        with pytest.raises(InvalidTypeError, match="must be a LayerStatistics; got list"):
            layer_statistics([])
