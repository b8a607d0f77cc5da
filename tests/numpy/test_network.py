"""MLP: one vector of parameters, and calls that change nothing but what they are asked to."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer import Architecture
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    UnknownNameError,
)
from multilayer.numpy import ACTIVATIONS, LOSSES, MLP, OUTPUTS, Glorot, SquaredError
from multilayer.numpy.initializers import Initializer

PROPERTY = settings(max_examples=60)

# Every part that an architecture can have: what holds for this network holds for its parts.
RICH = {
    "hidden_features": (4, 4, 5),
    "activation": ("tanh", "softmax", "gelu"),
    "normalization": "batch",
    "residual": True,
    "dropout": 0.25,
}


def arrays_of(net):
    return [array for pair in net.weights for array in pair if array is not None]


def snapshot(net):
    """Copy all numbers of a network."""
    return [net.parameters.copy(), *(array.copy() for array in net.state.values())]


def assert_equal(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


# One vector ------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, RICH, {"bias": False}, {"normalization": "layer"}])
def test_all_parameters_lie_in_one_contiguous_vector(build, settings):
    net = build(**settings)
    assert net.parameters.ndim == 1
    assert net.parameters.flags.c_contiguous
    assert net.parameters.size == net.n_parameters == net.architecture.n_parameters
    start = net.parameters.__array_interface__["data"][0]
    for array in arrays_of(net):  # one after the other, without a gap
        assert array.__array_interface__["data"][0] == start
        start += array.nbytes
    assert start == net.parameters.__array_interface__["data"][0] + net.parameters.nbytes


def test_weights_are_pairs_in_forward_order(build):
    net = build(3, (4, 5), 2, normalization="layer")
    shapes = [tuple(array.shape for array in pair) for pair in net.weights]
    assert shapes == [
        ((4, 3), (4,)),
        ((4,), (4,)),
        ((5, 4), (5,)),
        ((5,), (5,)),
        ((2, 5), (2,)),
    ]
    assert [pair[1] for pair in build(bias=False).weights] == [None, None]
    batch = build(normalization="batch").weights
    assert [pair[1] is None for pair in batch] == [True, False, False]


def test_writing_to_a_view_or_to_the_vector_changes_the_outputs(build, rng):
    net, X = build(), rng.normal(size=(5, 3))
    before = net(X)
    net.weights[-1][1][:] += 1.0
    np.testing.assert_allclose(net(X), before + 1.0, rtol=0, atol=1e-14)  # one rounding
    net.parameters[:] = 0
    assert not net(X).any()
    assert not any(array.any() for array in arrays_of(net))


def test_the_vector_itself_cannot_be_replaced(build):
    net = build()
    with pytest.raises(AttributeError):
        net.parameters = np.zeros(net.n_parameters)
    with pytest.raises(AttributeError):
        net.weights = []


def test_flatten_is_the_order_of_the_vector(build):
    net = build(**RICH)
    np.testing.assert_array_equal(net.flatten(net.weights), net.parameters)
    assert not np.shares_memory(net.flatten(net.weights), net.parameters)
    bare = build(bias=False)
    np.testing.assert_array_equal(bare.flatten(bare.weights), bare.parameters)


def test_gradients_are_shaped_as_the_weights(build, rng):
    net = build(**RICH)
    _, gradients = net.loss_and_gradients(
        rng.normal(size=(6, 3)), rng.integers(2, size=6), loss="cross_entropy", rng=rng
    )
    for pair, gradient in zip(net.weights, gradients, strict=True):
        for array, its_gradient in zip(pair, gradient, strict=True):
            if array is None:  # there is no bias before batch normalisation
                assert its_gradient is None
                continue
            assert its_gradient.shape == array.shape
            assert its_gradient.dtype == "float64"
    assert net.flatten(gradients).shape == net.parameters.shape


def test_gradients_of_a_layer_without_bias_have_none_in_its_place(build, rng):
    _, gradients = build(bias=False).loss_and_gradients(
        rng.normal(size=(6, 3)), rng.normal(size=(6, 2)), loss="squared_error"
    )
    assert [pair[1] for pair in gradients] == [None, None]


# Making a network ------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_network_in_both_dtypes():
    architecture = Architecture(3, (4,), 2)
    nets = [
        MLP(architecture, dtype=dtype, rng=np.random.default_rng(3))
        for dtype in ("float64", "float64", "float32")
    ]
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
    np.testing.assert_array_equal(nets[0].parameters.astype("float32"), nets[2].parameters)


def test_without_a_seed_two_networks_differ():
    architecture = Architecture(3, (4,), 2)
    assert (MLP(architecture).parameters != MLP(architecture).parameters).any()


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32")])
def test_a_dtype_may_be_inputsas_numpy_takes_it(dtype):
    net = MLP(Architecture(3, (4,), 2), dtype=dtype)
    assert net.dtype == np.float32
    assert net(np.zeros((1, 3))).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "int64", int, "bogus", "complex128", None, 32])
def test_other_dtypes_are_refused(dtype, refusal):
    said = refusal(InvalidArgumentError, MLP, Architecture(3, (4,), 2), dtype=dtype)
    assert said == f"dtype of MLP must be one of float32, float64; got {dtype!r}"


def test_other_arguments_are_refused(refusal):
    architecture = Architecture(3, (4,), 2)
    assert refusal(InvalidTypeError, MLP, (3, 4, 2)) == (
        "architecture of MLP must be an Architecture; got (3, 4, 2)"
    )
    assert refusal(UnknownNameError, MLP, architecture, initializer="golrot") == (
        "initializer must be one of kaiming_uniform, he, glorot, scikit_learn, lecun, orthogonal, "
        "normal, zeros; got 'golrot', did you mean 'glorot'?"
    )
    assert refusal(InvalidTypeError, MLP, architecture, initializer=Glorot) == (
        "initializer must be an object, such as Glorot(); got the class itself"
    )
    assert refusal(InvalidTypeError, MLP, architecture, initializer=0.1) == (
        "initializer must be a name or an instance of Initializer; got 0.1"
    )
    assert refusal(InvalidTypeError, MLP, architecture, rng=0) == (
        "rng of MLP must be a numpy.random.Generator or None; got 0"
    )


def test_an_initializer_of_ones_own_draws_each_layer():
    class Shapes(Initializer):
        def weights(self, out_features, in_features, rng):
            return np.full((out_features, in_features), in_features)

    net = MLP(Architecture(3, (4,), 2), initializer=Shapes())
    assert [pair[0].tolist() for pair in net.weights] == [[[3.0] * 3] * 4, [[4.0] * 4] * 2]
    assert not any(pair[1].any() for pair in net.weights)  # biases are zero by default


def test_normalisations_start_as_the_identity(build):
    net = build(normalization="batch")
    gamma, beta = net.weights[1]
    assert gamma.tolist() == [1] * 4
    assert beta.tolist() == [0] * 4
    assert {name: array.tolist() for name, array in net.state.items()} == {
        "0.1.running_mean": [0] * 4,
        "0.1.running_variance": [1] * 4,
    }


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "MLP(3-4-2, relu → identity, 26 parameters, float64)"),
        ({"hidden_features": ()}, "MLP(3-2, identity, 8 parameters, float64)"),
        (
            {"hidden_features": (4, 5, 6), "activation": ("relu", "tanh", "relu")},
            "MLP(3-4-5-6-2, relu → tanh → identity, 91 parameters, float64)",
        ),
        (
            {"hidden_features": (500,), "output": "softmax", "dtype": "float32"},
            "MLP(3-500-2, relu → softmax, 3,002 parameters, float32)",
        ),
    ],
)
def test_repr_shows_sizes(build, settings, text):
    assert repr(build(**settings)) == text


# Weights in and out ----------------------------------------------------------------------------


def new_weights(net, seed=5):
    rng = np.random.default_rng(seed)
    return [
        tuple(None if array is None else rng.normal(size=array.shape) for array in pair)
        for pair in net.weights
    ]


@pytest.mark.parametrize("settings", [{}, RICH, {"bias": False}, {"hidden_features": ()}])
def test_set_weights_takes_what_weights_gives(build, settings, rng):
    one, other = build(**settings), build(**settings)
    one.set_weights(new_weights(one))
    other.set_weights(one.weights)
    np.testing.assert_array_equal(one.parameters, other.parameters)
    assert not np.shares_memory(one.parameters, other.parameters)
    X = rng.normal(size=(4, 3))
    np.testing.assert_array_equal(one(X), other(X))


def test_set_weights_takes_lists_and_integers_and_leaves_them_alone(build):
    net = build(2, (), 2)
    weights = [[[[1, 2], [3, 4]], (5, 6)]]
    net.set_weights(weights)
    assert net.parameters.tolist() == [1, 2, 3, 4, 5, 6]
    assert weights == [[[[1, 2], [3, 4]], (5, 6)]]
    net.parameters[:] = 0
    assert weights == [[[[1, 2], [3, 4]], (5, 6)]]


def test_set_weights_takes_views_of_the_network_itself(build):
    net = build(3, (3,), 3)
    first, last = ((W.copy(), b.copy()) for W, b in net.weights)
    net.set_weights(net.weights[::-1])  # each is overwritten while the other is read
    for pair, expected in zip(net.weights, (last, first), strict=True):
        assert_equal(pair, expected)


def replaced(i, j, value):
    """Return a function that gives a network's weights with one array replaced."""

    def change(weights):
        weights = [list(pair) for pair in weights]
        weights[i][j] = value
        return weights

    return change


# Names of the tests, what becomes of the right weights of a 3-4-2 network, class and message.
WRONG_WEIGHTS = {
    "none": (
        lambda w: None,
        InvalidDataError,
        "weights must be a list of 2 pairs (W, b); got NoneType",
    ),
    "text": (lambda w: "ab", InvalidDataError, "weights must be a list of 2 pairs (W, b); got str"),
    "a vector": (
        lambda w: np.zeros(26),
        InvalidDataError,
        "weights must be a list of 2 pairs (W, b); got ndarray",
    ),
    "too few": (
        lambda w: w[:1],
        InvalidDataError,
        "weights must be a list of 2 pairs (W, b); got list of length 1",
    ),
    "too many": (
        lambda w: (*w, w[0]),
        InvalidDataError,
        "weights must be a list of 2 pairs (W, b); got tuple of length 3",
    ),
    "empty": (
        lambda w: [],
        InvalidDataError,
        "weights must be a list of 2 pairs (W, b); got list of length 0",
    ),
    "no pair": (
        lambda w: [w[0], w[1][0]],
        InvalidDataError,
        "weights[1] must be a pair (W, b); got ndarray",
    ),
    "a triple": (
        lambda w: [w[0], (*w[1], 1)],
        InvalidDataError,
        "weights[1] must be a pair (W, b); got tuple of length 3",
    ),
    "transposed": (
        lambda w: [w[0], (w[1][0].T, w[1][1])],
        InvalidDataError,
        "weights[1][0] must have shape (2, 4); got (4, 2)",
    ),
    "too wide": (
        replaced(1, 0, np.ones((2, 5))),
        InvalidDataError,
        "weights[1][0] must have shape (2, 4); got (2, 5)",
    ),
    "a bias too long": (
        replaced(1, 1, np.ones(3)),
        InvalidDataError,
        "weights[1][1] must have shape (2,); got (3,)",
    ),
    "a column of biases": (
        replaced(1, 1, np.ones((2, 1))),
        InvalidDataError,
        "weights[1][1] must have shape (2,); got (2, 1)",
    ),
    "one number for all biases": (
        replaced(1, 1, 1.0),
        InvalidDataError,
        "weights[1][1] must have shape (2,); got ()",
    ),
    "no bias": (
        replaced(1, 1, None),
        InvalidTypeError,
        "weights[1][1] must be an array of numbers; got None",
    ),
    "no matrix": (
        replaced(1, 0, None),
        InvalidTypeError,
        "weights[1][0] must be an array of numbers; got None",
    ),
    "NaN": (
        replaced(1, 0, [[0, 0, 0, 0], [0, 0, np.nan, 0]]),
        InvalidDataError,
        "weights[1][0] must be finite in float64; got nan at row 1, column 2",
    ),
    "infinite": (
        replaced(1, 1, [0, -np.inf]),
        InvalidDataError,
        "weights[1][1] must be finite in float64; got -inf at index 1",
    ),
    "words": (
        replaced(1, 1, ["a", "b"]),
        InvalidTypeError,
        "weights[1][1] must be an array of numbers; got dtype <U1",
    ),
    "complex": (
        replaced(1, 1, [1j, 0]),
        InvalidTypeError,
        "weights[1][1] must be an array of numbers; got dtype complex128",
    ),
}


@pytest.mark.parametrize("case", list(WRONG_WEIGHTS))
def test_wrong_weights_change_nothing(build, refusal, case):
    net = build()
    change, error_type, message = WRONG_WEIGHTS[case]
    before = net.parameters.copy()
    # The first layer's are right and new: they must not get in either.
    assert refusal(error_type, net.set_weights, change(new_weights(net))) == message
    np.testing.assert_array_equal(net.parameters, before)


def test_a_bias_for_a_layer_without_one_is_refused(build, refusal):
    net = build(bias=False)
    weights = new_weights(net)
    weights[1] = (weights[1][0], np.zeros(2))
    before = net.parameters.copy()
    said = refusal(InvalidDataError, net.set_weights, weights)
    assert said == "weights[1][1] must be None: the layer has no bias"
    np.testing.assert_array_equal(net.parameters, before)


def test_weights_too_large_for_the_dtype_are_refused(build, refusal):
    net = build(dtype="float32")
    weights = new_weights(net)
    weights[1][1][0] = 1e300
    said = refusal(InvalidDataError, net.set_weights, weights)
    assert said == "weights[1][1] must be finite in float32; got inf at index 0"


def test_set_state_is_all_or_nothing(build, refusal):
    net = build(normalization="batch")
    state = {"0.1.running_mean": [1.0, 2, 3, 4], "0.1.running_variance": [4.0, 3, 2, 1]}
    net.set_state(state)
    assert {name: array.tolist() for name, array in net.state.items()} == state
    assert state["0.1.running_mean"] == [1.0, 2, 3, 4]

    mean = [0.0] * 4
    names = "['0.1.running_mean', '0.1.running_variance']"
    for wrong, message in [
        (
            {"0.1.running_mean": mean},
            f"state must have the entries {names}; got ['0.1.running_mean']",
        ),
        ({}, f"state must have the entries {names}; got []"),
        (
            {**state, "more": 1},
            f"state must have the entries {names}; got "
            "['0.1.running_mean', '0.1.running_variance', 'more']",
        ),
        (
            {"0.1.running_mean": mean, "0.1.running_variance": [1.0, 2]},
            "state['0.1.running_variance'] must have shape (4,); got (2,)",
        ),
        (
            {"0.1.running_mean": mean, "0.1.running_variance": [1, 1, np.nan, 1]},
            "state['0.1.running_variance'] must be finite in float64; got nan at index 2",
        ),
        # Its root is taken: predictions would be NaN without a word.
        (
            {"0.1.running_mean": mean, "0.1.running_variance": [1, 1, -1, 1]},
            "state['0.1.running_variance'] must not be negative; got -1.0 at index 2",
        ),
    ]:
        assert refusal(InvalidDataError, net.set_state, wrong) == message
        assert {name: array.tolist() for name, array in net.state.items()} == state


def test_copy_shares_no_memory(build, rng):
    net, X = build(**RICH), rng.normal(size=(4, 3))
    net.set_state({name: array + 0.5 for name, array in net.state.items()})
    twin = net.copy()
    assert type(twin) is MLP
    assert twin.dtype == net.dtype
    assert twin.architecture == net.architecture
    assert_equal(snapshot(net), snapshot(twin))
    np.testing.assert_array_equal(net(X), twin(X))
    before = snapshot(net)
    twin.parameters[:] = 0
    for array in twin.state.values():
        array[:] = 0
    assert_equal(snapshot(net), before)


def test_copy_in_another_dtype(build, rng):
    net, X = build(**RICH), rng.normal(size=(4, 3))
    single = net.copy(dtype="float32")
    assert {array.dtype for array in snapshot(single)} == {np.dtype("float32")}
    np.testing.assert_array_equal(single.parameters, net.parameters.astype("float32"))
    # float32 rounds at 6e-8; three hidden layers add up some ten such errors of numbers near 1.
    np.testing.assert_allclose(single(X), net(X), rtol=0, atol=2e-6)
    np.testing.assert_array_equal(single.copy("float64").parameters, single.parameters)


# Predictions -----------------------------------------------------------------------------------


def test_features_without_hidden_layers_are_the_samples(build, rng):
    X = rng.normal(size=(5, 3))
    np.testing.assert_array_equal(build(hidden_features=()).features(X), X)


def test_features_logits_and_outputs_follow_from_one_another(build, rng):
    net, X = build(output="softmax", **RICH), rng.normal(size=(5, 3))
    W, b = net.weights[-1]
    features, logits = net.features(X), net.logits(X)
    assert features.shape == (5, 5)
    np.testing.assert_allclose(logits, features @ W.T + b, rtol=0, atol=1e-14)  # rounding
    np.testing.assert_array_equal(net(X), OUTPUTS["softmax"].forward(logits))


def test_images_are_flattened(build, rng):
    net, images = build(in_features=12), rng.normal(size=(5, 3, 2, 2))
    np.testing.assert_array_equal(net(images), net(images.reshape(5, 12)))
    labels = rng.integers(2, size=5)
    value, gradients = net.loss_and_gradients(images, labels, loss="cross_entropy")
    flat_value, flat_gradients = net.loss_and_gradients(
        images.reshape(5, 12), labels, loss="cross_entropy"
    )
    assert value == flat_value
    np.testing.assert_array_equal(net.flatten(gradients), net.flatten(flat_gradients))


def test_samples_may_come_as_lists_tables_integers_or_in_any_layout(build):
    net = build()
    X = np.array([[1, 2, 3], [4, 5, 6]])
    expected = net(X.astype(float))
    for inputs in (
        X.tolist(),
        tuple(map(tuple, X.tolist())),
        X,
        X.astype(np.uint8),
        X.astype(np.float32),
        np.asfortranarray(X.astype(float)),
        np.repeat(X, 2, axis=1)[:, ::2],
        pd.DataFrame(X, columns=["a", "b", "c"]),
        pd.DataFrame(X.astype(float), index=[9, 7]),
    ):
        np.testing.assert_array_equal(net(inputs), expected)


def test_targets_and_weights_may_come_as_lists_and_series(build, rng):
    net, X = build(), rng.normal(size=(3, 3))
    expected, _ = net.loss_and_gradients(
        X, np.array([0, 1, 1]), loss="cross_entropy", sample_weight=np.array([1.0, 2.0, 3.0])
    )
    for container in (list, tuple, pd.Series):
        value, _ = net.loss_and_gradients(
            X, container([0, 1, 1]), loss="cross_entropy", sample_weight=container([1, 2, 3])
        )
        assert value == expected


def test_wrong_samples_are_refused_everywhere(build, refusal):
    net = build()
    message = "X must have 3 features, one per input of the network; got shape (4, 2)"
    for method in (net, net.logits, net.features):
        assert refusal(InvalidDataError, method, np.zeros((4, 2))) == message
    said = refusal(
        InvalidDataError, net.loss_and_gradients, np.zeros((4, 2)), [0] * 4, loss="cross_entropy"
    )
    assert said == message
    holes = [[0, 1, 2], [3, np.nan, 5]]
    message = "X must be finite in float64; got nan at row 1, column 1"
    assert refusal(InvalidDataError, net, holes) == message


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", list(OUTPUTS))
def test_one_row_and_the_batch_agree(build, rng, output, dtype):
    net, X = build(output=output, dtype=dtype, **RICH), rng.normal(size=(7, 3))
    rows = np.concatenate([net(X[i : i + 1]) for i in range(len(X))])
    assert rows.shape == (7, 2)
    assert rows.dtype == dtype
    # BLAS sums in another order for one row than for many.
    np.testing.assert_allclose(rows, net(X), rtol=0, atol=100 * np.finfo(dtype).eps)


def test_dropout_is_off_in_prediction(build, rng):
    X = rng.normal(size=(5, 3))
    dropped, plain = build(dropout=0.9), build()
    np.testing.assert_array_equal(dropped(X), plain(X))
    np.testing.assert_array_equal(dropped(X), dropped(X))
    y = rng.normal(size=(5, 2))
    value, _ = dropped.loss_and_gradients(X, y, loss="squared_error", training=False)
    assert value == plain.loss_and_gradients(X, y, loss="squared_error")[0]


@pytest.mark.parametrize("settings", [{"dropout": (0.5,)}, {"noise": (0.5, 0)}])
def test_what_draws_needs_a_generator_to_train(build, refusal, settings):
    net = build(**settings)
    X, y = np.ones((2, 3)), np.zeros((2, 2))
    said = refusal(InvalidArgumentError, net.loss_and_gradients, X, y, loss="squared_error")
    assert said == (
        "rng of loss_and_gradients must be a numpy.random.Generator for a network with dropout "
        "or noise, unless training is False; got None"
    )


def test_the_same_seed_drops_the_same_units(build, rng):
    net, X, y = build(dropout=0.5), rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    values = [
        net.loss_and_gradients(X, y, loss="squared_error", rng=np.random.default_rng(seed))[0]
        for seed in (0, 0, 1)
    ]
    assert values[0] == values[1] != values[2]


def test_wrong_settings_of_the_loss_are_refused(build, refusal):
    net, X, y = build(), np.ones((2, 3)), np.zeros((2, 2))

    def said(error_type, **changes):
        arguments = {"loss": "squared_error"} | changes
        return refusal(error_type, net.loss_and_gradients, X, y, **arguments)

    assert said(InvalidArgumentError, l1=-1) == (
        "l1 of loss_and_gradients must be a number in [0, inf); got -1"
    )
    assert said(InvalidTypeError, l2="0.1") == (
        "l2 of loss_and_gradients must be a number in [0, inf); got '0.1'"
    )
    assert said(InvalidTypeError, rng=0) == (
        "rng of loss_and_gradients must be a numpy.random.Generator or None; got 0"
    )
    assert said(UnknownNameError, loss="mse") == (
        f"loss must be one of {', '.join(LOSSES)}; got 'mse'"
    )
    assert said(InvalidTypeError, loss=SquaredError) == (
        "loss must be an object, such as SquaredError(); got the class itself"
    )
    assert said(InvalidDataError, sample_weight=[1, 2, 3]) == (
        "sample_weight must have shape (2,), one per sample; got (3,)"
    )


# What is left alone ----------------------------------------------------------------------------


def targets_of(loss, rng, n_samples, out_features):
    """Draw targets of a loss's kind."""
    if loss.task == "classification":
        return rng.integers(out_features, size=n_samples)
    return rng.integers(2, size=(n_samples, out_features)).astype(float)


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_may_be_read_only_and_are_not_changed(name, dtype, rng):
    loss = LOSSES[name]()
    architecture = Architecture(3, **RICH, out_features=2, output=loss.outputs[-1])
    net = MLP(architecture, dtype=dtype, rng=rng)
    inputs = [
        rng.normal(size=(6, 3)).astype(dtype),
        targets_of(loss, rng, 6, 2),
        rng.uniform(0.5, 2, size=6).astype(dtype),
    ]
    before = [array.copy() for array in inputs]
    for array in inputs:
        array.flags.writeable = False
    X, y, weight = inputs
    for function in (net, net.logits, net.features):
        function(X)
    net.loss_and_gradients(X, y, loss=loss, l1=0.1, l2=0.1, sample_weight=weight, rng=rng)
    assert_equal(inputs, before)


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("training", [True, False])
def test_loss_and_gradients_leaves_the_network_alone(name, training, rng):
    loss = LOSSES[name]()
    architecture = Architecture(3, **RICH, out_features=2, output=loss.outputs[-1])
    net = MLP(architecture, dtype="float64", rng=rng)
    before = snapshot(net)
    X, y = rng.normal(size=(6, 3)), targets_of(loss, rng, 6, 2)
    _, gradients = net.loss_and_gradients(
        X, y, loss=loss, l1=0.1, l2=0.1, training=training, rng=rng
    )
    assert_equal(snapshot(net), before)
    for array in (array for pair in gradients for array in pair if array is not None):
        array[:] = np.nan  # nor do the gradients give a way into it
    assert_equal(snapshot(net), before)


def test_refused_arguments_leave_the_network_alone(build):
    net = build(normalization="batch")
    before = snapshot(net)
    with pytest.raises(InvalidDataError):
        net.loss_and_gradients(np.ones((2, 3)), [0, 5], loss="cross_entropy")
    assert_equal(snapshot(net), before)


# Properties ------------------------------------------------------------------------------------


@st.composite
def networks(draw, **fixed):
    """Any small network in float64."""
    hidden = tuple(draw(st.lists(st.integers(1, 5), max_size=3)))
    settings = {
        "activation": tuple(draw(st.sampled_from(list(ACTIVATIONS))) for _ in hidden),
        "bias": draw(st.booleans()),
        "output": draw(st.sampled_from(list(OUTPUTS))),
    }
    if hidden:
        settings["normalization"] = draw(st.sampled_from([None, "batch", "layer"]))
    architecture = Architecture(
        draw(st.integers(1, 4)), hidden, draw(st.integers(1, 4)), **settings | fixed
    )
    seed = draw(st.integers(0, 1000))
    return MLP(architecture, dtype="float64", rng=np.random.default_rng(seed))


def draw_samples(net, n_samples, seed):
    return np.random.default_rng(seed).normal(size=(n_samples, net.architecture.in_features))


@PROPERTY
@given(networks(), st.sampled_from(["float32", "float64"]), st.integers(1, 6))
def test_shapes_and_dtypes(net, dtype, n_samples):
    net = net.copy(dtype)
    architecture = net.architecture
    X = draw_samples(net, n_samples, 0)
    last_width = (architecture.in_features, *architecture.hidden_features)[-1]
    for found, width in (
        (net.features(X), last_width),
        (net.logits(X), architecture.out_features),
        (net(X), architecture.out_features),
    ):
        assert found.shape == (n_samples, width)
        assert found.dtype == dtype
        assert np.isfinite(found).all()


@PROPERTY
@given(networks(), st.randoms(use_true_random=False))
def test_permuted_samples_permute_the_outputs(net, random):
    X = draw_samples(net, 6, 1)
    order = list(range(6))
    random.shuffle(order)
    # Rows are computed apart from each other; BLAS may group them otherwise.
    np.testing.assert_allclose(net(X[order]), net(X)[order], rtol=1e-12, atol=1e-12)


@PROPERTY
@given(networks(output="exp"), st.randoms(use_true_random=False))
def test_permuted_samples_leave_loss_and_gradient_the_same(net, random):
    X = draw_samples(net, 6, 1)
    y = np.random.default_rng(2).poisson(2.0, size=(6, net.architecture.out_features))
    order = list(range(6))
    random.shuffle(order)
    one, gradients = net.loss_and_gradients(X, y, loss="poisson")
    other, permuted = net.loss_and_gradients(X[order], y[order], loss="poisson")
    # A mean, summed in another order; batch normalisation divides by the root of a variance as
    # small as 1e-5, which magnifies the rounding.
    assert other == pytest.approx(one, rel=1e-9)
    np.testing.assert_allclose(net.flatten(permuted), net.flatten(gradients), rtol=1e-7, atol=1e-9)


@PROPERTY
@given(networks(output="identity", normalization=None), st.integers(0, 4))
def test_a_sample_inputstwice_counts_as_one_of_weight_two(net, twice):
    X = draw_samples(net, 5, 1)
    y = np.random.default_rng(2).normal(size=(5, net.architecture.out_features))
    weight = np.ones(5)
    weight[twice] = 2
    weighted, gradients = net.loss_and_gradients(X, y, loss="squared_error", sample_weight=weight)
    rows = [*range(5), twice]
    repeated, expected = net.loss_and_gradients(X[rows], y[rows], loss="squared_error")
    # Equal sums in another order.
    assert weighted == pytest.approx(repeated, rel=1e-12)
    np.testing.assert_allclose(net.flatten(gradients), net.flatten(expected), atol=1e-12)


@PROPERTY
@given(networks(output="softmax"))
def test_softmax_outputs_are_a_distribution(net):
    p = net(draw_samples(net, 4, 1))
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=0, atol=1e-14)  # rounding of a sum


@PROPERTY
@given(st.integers(1, 4), st.lists(st.integers(1, 5), max_size=3), st.integers(0, 100))
def test_softmax_and_log_softmax_of_the_same_weights(in_features, hidden, seed):
    nets = [
        MLP(
            Architecture(in_features, hidden, 3, activation="tanh", output=output),
            dtype="float64",
            rng=np.random.default_rng(seed),
        )
        for output in ("softmax", "log_softmax")
    ]
    X = draw_samples(nets[0], 4, seed)
    np.testing.assert_allclose(np.log(nets[0](X)), nets[1](X), rtol=1e-12, atol=1e-13)


@PROPERTY
@given(st.integers(1, 4), st.lists(st.integers(1, 5), max_size=3), st.integers(0, 100))
def test_identity_activations_multiply_out_to_one_affine_map(in_features, hidden, seed):
    architecture = Architecture(in_features, hidden, 2, activation="identity")
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(seed))
    A, c = np.eye(in_features), np.zeros(in_features)
    for W, b in net.weights:
        A, c = W @ A, W @ c + b
    X = draw_samples(net, 4, seed)
    np.testing.assert_allclose(net(X), X @ A.T + c, rtol=0, atol=1e-13)  # rounding of four sums


@PROPERTY
@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(0, 100))
def test_units_may_change_places(hidden, seed):
    # A hidden layer's units have no order: permuted rows of W and b, and permuted columns of the
    # next W, are the same function.
    net = MLP(
        Architecture(3, hidden, 2, activation="gelu", normalization="layer"),
        dtype="float64",
        rng=np.random.default_rng(seed),
    )
    X = draw_samples(net, 4, seed)
    before = net(X)
    order = np.random.default_rng(seed).permutation(hidden[0])
    weights = [[array.copy() for array in pair] for pair in net.weights]
    for pair in weights[:2]:
        pair[:] = [array[order] for array in pair]
    weights[2][0] = weights[2][0][:, order]
    net.set_weights(weights)
    # Layer normalisation divides by a standard deviation of down to 3e-3.
    np.testing.assert_allclose(net(X), before, rtol=0, atol=1e-11)
