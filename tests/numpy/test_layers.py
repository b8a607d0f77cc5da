"""Layers: nothing is kept between forward and backward, and nothing given is changed."""

import numpy as np
import pytest
from scipy import stats

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError, MultilayerError
from multilayer.numpy import (
    ACTIVATIONS,
    Activate,
    Affine,
    BatchNorm,
    Dropout,
    GaussianNoise,
    LayerNorm,
    Residual,
    Stack,
)
from multilayer.numpy.assembly import assemble
from multilayer.numpy.layers import Layer

WIDTH = 4


def affine(rng):
    return Affine(rng.normal(size=(WIDTH, WIDTH)), rng.normal(size=WIDTH))


def batch_norm(rng):
    return BatchNorm(rng.normal(size=WIDTH), rng.normal(size=WIDTH))


# Each layer takes and gives WIDTH features.
LAYERS = {
    "affine": affine,
    "affine without bias": lambda rng: Affine(rng.normal(size=(WIDTH, WIDTH))),
    "batch norm": batch_norm,
    "layer norm": lambda rng: LayerNorm(rng.normal(size=WIDTH), rng.normal(size=WIDTH)),
    "dropout": lambda rng: Dropout(0.5),
    "noise": lambda rng: GaussianNoise(0.5),
    "stack": lambda rng: Stack([affine(rng), batch_norm(rng), Activate(ACTIVATIONS["gelu"])]),
    "empty stack": lambda rng: Stack([]),
    "residual": lambda rng: Residual(Stack([affine(rng), Activate(ACTIVATIONS["tanh"])])),
    "nested": lambda rng: Residual(
        Stack([affine(rng), Residual(Stack([batch_norm(rng), Dropout(0.5)]))])
    ),
    **{name: lambda rng, name=name: Activate(ACTIVATIONS[name]) for name in ACTIVATIONS},
}


@pytest.fixture(params=list(LAYERS))
def layer(request):
    return LAYERS[request.param](np.random.default_rng(0))


@pytest.fixture
def batches():
    """Two batches of different length, as (x, dy)."""
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(n, WIDTH)), rng.normal(size=(n, WIDTH))) for n in (5, 3)]


def forward(layer, x, seed=0):
    return layer.forward(x, training=True, rng=np.random.default_rng(seed))


def assert_same(one, other):
    (dx, gradients), (expected_dx, expected) = one, other
    np.testing.assert_array_equal(dx, expected_dx)
    for a, b in zip(gradients, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_interleaved_passes_do_not_disturb_each_other(layer, batches):
    (x1, dy1), (x2, dy2) = batches
    alone = []
    for x, dy in batches:
        _, cache = forward(layer, x)
        alone.append(layer.backward(dy, cache))

    _, cache1 = forward(layer, x1)
    _, cache2 = forward(layer, x2)
    assert_same(layer.backward(dy1, cache1), alone[0])
    assert_same(layer.backward(dy2, cache2), alone[1])
    assert_same(layer.backward(dy1, cache1), alone[0])  # a cache may be used twice


def test_neither_pass_changes_inputs_parameters_or_state(layer, batches):
    x, dy = batches[0]
    given = [x, dy, *layer.parameters, *layer.state.values()]
    before = [array.copy() for array in given]
    x.flags.writeable = dy.flags.writeable = False
    y, cache = forward(layer, x)
    dx, gradients = layer.backward(dy, cache)
    for array, expected in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert y.shape == dx.shape == x.shape
    shapes = [array.shape for array in layer.parameters]
    assert [gradient.shape for gradient in gradients] == shapes
    for gradient in gradients:
        assert not any(np.shares_memory(gradient, array) for array in layer.parameters)


def test_gradients_do_not_depend_on_whether_dx_is_needed(layer, batches):
    x, dy = batches[0]
    _, cache = forward(layer, x)
    _, gradients = layer.backward(dy, cache)
    _, without_dx = layer.backward(dy, cache, need_dx=False)
    for a, b in zip(without_dx, gradients, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_affine_map_leaves_out_the_dx_that_nobody_needs(rng):
    for layer in (affine(rng), Stack([affine(rng)]), Residual(Stack([affine(rng)]))):
        x = rng.normal(size=(3, WIDTH))
        _, cache = layer.forward(x)
        dx, _ = layer.backward(x, cache, need_dx=False)
        assert dx is None


def test_float32_stays_float32(layer, batches):
    x, dy = (array.astype(np.float32) for array in batches[0])
    rounded = _in_float32(layer)
    y, cache = forward(rounded, x)
    dx, gradients = rounded.backward(dy, cache)
    assert {array.dtype for array in (y, dx, *gradients)} == {np.dtype("float32")}


def _in_float32(layer):
    """Return the layer with parameters and state in float32."""
    if isinstance(layer, Residual):
        return Residual(_in_float32(layer.inner))
    if isinstance(layer, Stack):
        return Stack([_in_float32(inner) for inner in layer.layers])
    if layer.parameters:
        return type(layer)(*(array.astype(np.float32) for array in layer.parameters))
    return layer


# Single layers ---------------------------------------------------------------------------------


def test_affine_by_hand():
    layer = Affine(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0.5, 0.0, -0.5]))
    z, cache = layer.forward(np.array([[1.0, 10.0]]))
    assert z.tolist() == [[21.5, 43.0, 64.5]]
    dx, (dW, db) = layer.backward(np.array([[1.0, 0.0, 2.0]]), cache)
    assert dx.tolist() == [[11.0, 14.0]]
    assert dW.tolist() == [[1.0, 10.0], [0.0, 0.0], [2.0, 20.0]]
    assert db.tolist() == [1.0, 0.0, 2.0]


def test_dropout_keeps_the_expected_value_and_scales_the_gradient_alike(rng):
    x = np.ones((200, 500))
    y, cache = Dropout(0.2).forward(x, training=True, rng=rng)
    assert set(np.unique(y)) == {0.0, 1.25}
    # The standard error of 100,000 draws of a unit of variance 0.25 is 0.0016; six of them.
    assert y.mean() == pytest.approx(1, abs=0.01)
    dx, _ = Dropout(0.2).backward(x, cache)
    np.testing.assert_array_equal(dx, y)


def test_dropout_draws_a_new_mask_each_time(rng):
    x = np.ones((20, 20))
    layer = Dropout(0.5)
    first, _ = layer.forward(x, training=True, rng=rng)
    second, _ = layer.forward(x, training=True, rng=rng)
    assert (first != second).any()


def test_dropout_does_nothing_in_prediction(rng):
    x = rng.normal(size=(3, WIDTH))
    y, cache = Dropout(0.5).forward(x, rng=rng)
    np.testing.assert_array_equal(y, x)
    dx, gradients = Dropout(0.5).backward(x, cache)
    np.testing.assert_array_equal(dx, x)
    assert gradients == ()


@pytest.mark.parametrize("std", [0.01, 1.0, 30.0])
def test_noise_is_normal_independent_and_new_each_time(rng, std):
    x = rng.uniform(-1, 1, size=(400, 50))
    layer = GaussianNoise(std)
    first, second = (layer.forward(x, training=True, rng=rng)[0] - x for _ in range(2))
    # A test that is true to its level raises a false alarm once in a million seeds; this is one.
    assert stats.kstest(first.ravel(), "norm", args=(0, std)).pvalue > 1e-6
    pairs = {"batches": (first, second), "rows": (first[1:], first[:-1]),
             "features": (first[:, 1:], first[:, :-1])}  # fmt: skip
    for name, (one, other) in pairs.items():
        assert stats.pearsonr(one.ravel(), other.ravel()).pvalue > 1e-6, name


def test_noise_passes_gradients_on_and_is_none_in_prediction(rng):
    x, dy = rng.normal(size=(2, 3, WIDTH))
    layer = GaussianNoise(0.5)
    _, cache = layer.forward(x, training=True, rng=rng)
    dx, gradients = layer.backward(dy, cache)
    np.testing.assert_array_equal(dx, dy)
    assert gradients == ()
    np.testing.assert_array_equal(layer.forward(x, rng=rng)[0], x)


def test_networks_of_either_dtype_draw_the_same_noise(rng):
    x = rng.normal(size=(9, WIDTH))
    wide, narrow = (
        forward(GaussianNoise(0.5), x.astype(dtype))[0] for dtype in (np.float64, np.float32)
    )
    assert (wide.dtype, narrow.dtype) == (np.float64, np.float32)
    np.testing.assert_allclose(narrow, wide, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [Dropout, GaussianNoise])
def test_what_draws_needs_a_generator_in_training(kind):
    with pytest.raises(InvalidArgumentError) as caught:
        kind(0.5).forward(np.zeros((2, 3)), training=True)
    assert str(caught.value) == (
        f"rng of {kind.__name__} must be a numpy.random.Generator while training; got None"
    )


@pytest.mark.parametrize("std", [-0.1, float("nan"), float("inf"), "0.1", True, None])
def test_noise_has_a_standard_deviation(std):
    with pytest.raises(MultilayerError, match=r"^std of GaussianNoise must be a number in \[0, in"):
        GaussianNoise(std)


def test_a_residual_block_adds_its_input(rng):
    inner = Stack([affine(rng), Activate(ACTIVATIONS["tanh"])])
    x, dy = rng.normal(size=(2, 3, WIDTH))
    f, cache = inner.forward(x)
    df, expected = inner.backward(dy, cache)
    y, cache = Residual(inner).forward(x)
    dx, gradients = Residual(inner).backward(dy, cache)
    np.testing.assert_array_equal(y, x + f)
    np.testing.assert_array_equal(dx, dy + df)
    for a, b in zip(gradients, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_stack_is_its_layers_one_after_the_other(rng):
    layers = [affine(rng), Activate(ACTIVATIONS["silu"]), affine(rng)]
    x = rng.normal(size=(3, WIDTH))
    expected = x
    for layer in layers:
        expected, _ = layer.forward(expected)
    np.testing.assert_array_equal(Stack(layers).forward(x)[0], expected)
    parameters = Stack(layers).parameters
    assert [id(array) for array in parameters] == [
        id(array) for layer in layers for array in layer.parameters
    ]


# Normalisation ---------------------------------------------------------------------------------


def test_batch_norm_gives_each_feature_mean_zero_and_variance_one(rng):
    layer = BatchNorm(np.ones(WIDTH), np.zeros(WIDTH), epsilon=1e-12)
    y, _ = forward(layer, rng.normal(3.0, 2.0, size=(50, WIDTH)))
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-14)  # rounding
    np.testing.assert_allclose(y.var(axis=0), 1, rtol=1e-11)  # ε beside a variance of about 4


def test_layer_norm_gives_each_sample_mean_zero_and_variance_one(rng):
    layer = LayerNorm(np.ones(50), np.zeros(50), epsilon=1e-12)
    y, _ = layer.forward(rng.normal(3.0, 2.0, size=(6, 50)))
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axis=1), 1, rtol=1e-11)


def test_only_update_state_moves_the_running_statistics(rng):
    layer = BatchNorm(np.ones(2), np.zeros(2), momentum=0.25)
    x = np.array([[0.0, 1.0], [2.0, 5.0]])  # means 1 and 3, unbiased variances 2 and 8
    _, cache = forward(layer, x)
    assert layer.state["running_mean"].tolist() == [0, 0]
    layer.update_state(cache)
    assert layer.state["running_mean"].tolist() == [0.25, 0.75]
    assert layer.state["running_variance"].tolist() == [1.25, 2.75]
    _, cache = layer.forward(x)  # in prediction there is nothing to learn from
    layer.update_state(cache)
    assert layer.state["running_mean"].tolist() == [0.25, 0.75]


def test_batch_norm_predicts_by_its_running_statistics():
    layer = BatchNorm(np.array([2.0]), np.array([1.0]), epsilon=1e-300)
    layer.running_mean[:] = 3
    layer.running_variance[:] = 4
    y, _ = layer.forward(np.array([[3.0], [5.0]]))
    assert y.tolist() == [[1.0], [3.0]]


def test_batch_norm_cannot_train_on_one_sample(refusal):
    # It is its own mean: whatever it is, x̂ would be zero, and the unbiased variance 0/0.
    layer = BatchNorm(np.ones(2), np.zeros(2))
    said = refusal(InvalidDataError, layer.forward, np.array([[1.0, 2.0]]), training=True)
    assert said == "batch normalisation needs at least 2 samples to train on; got 1"
    assert layer.forward(np.array([[1.0, 2.0]]))[0].shape == (1, 2)


def test_updates_reach_normalisations_inside_stacks_and_residual_blocks(rng):
    layer = LAYERS["nested"](rng)
    _, cache = forward(layer, rng.normal(size=(5, WIDTH)))
    layer.update_state(cache)
    assert list(layer.state) == ["1.0.running_mean", "1.0.running_variance"]
    assert layer.state["1.0.running_mean"].all()


# Assembly --------------------------------------------------------------------------------------


def test_layers_of_a_network_stand_in_forward_order():
    architecture = Architecture(
        4, (4, 5), 2, normalization="batch", dropout=(0.5, 0.0), residual=True
    )
    network = assemble(architecture, np.zeros(architecture.n_parameters))
    hidden, last = network.hidden, network.last
    assert [type(layer) for layer in hidden.layers] == [Residual, Stack]
    assert [type(layer) for layer in hidden.parts()] == [
        *(Affine, BatchNorm, Activate, Dropout),
        *(Affine, BatchNorm, Activate),
    ]
    assert last.W.shape == (2, 5)


def test_the_interface_itself_computes_nothing():
    layer = Layer()
    assert layer.parameters == ()
    assert layer.state == {}
    assert layer.update_state(None) is None
    with pytest.raises(NotImplementedError):
        layer.forward(np.zeros((1, 1)))
    with pytest.raises(NotImplementedError):
        layer.backward(np.zeros((1, 1)), None)
