"""Losses: targets that cannot be used, in whole messages, and what holds for every loss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.numpy import (
    LOSSES,
    MLP,
    NLL,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    Poisson,
    Quantile,
    SquaredError,
)
from multilayer.numpy.losses import Loss

PROPERTY = settings(max_examples=60)

REGRESSION = ("squared_error", "absolute_error", "huber", "quantile", "poisson")
CLASSES = ("cross_entropy", "nll")


def draw_targets(loss, n_samples, out_features, rng):
    """Targets of a loss's kind, one a row."""
    if loss.task == "classification":
        return rng.integers(out_features, size=n_samples)
    n_targets = out_features // len(getattr(loss, "quantiles", (0,)))
    return rng.integers(2, size=(n_samples, n_targets)).astype(float)


# Targets that cannot be used -------------------------------------------------------------------

THREE = np.zeros((3, 2))
"""Predictions of two outputs for three samples."""

# Names of the tests, the loss, the targets for THREE, the error's class and its whole message.
BAD_LABELS = {
    "out of range": ([0, 1, 2], InvalidDataError, "y must hold labels 0 to 1; got 2 at index 2"),
    "negative": ([0, -1, 1], InvalidDataError, "y must hold labels 0 to 1; got -1 at index 1"),
    "beyond int64": (
        np.array([0, 1, 2**64 - 1], dtype=np.uint64),
        InvalidDataError,
        "y must hold labels 0 to 1; got 18446744073709551615 at index 2",
    ),
    "floats": (
        [0.0, 1.0, 0.0],
        InvalidTypeError,
        "y must hold integer labels 0 to 1; got dtype float64: convert them with y.astype(int)",
    ),
    # Made into integers these would become other labels, and NaN any number.
    "fractions": (
        [0.0, 1.0, 0.5],
        InvalidTypeError,
        "y must hold integer labels 0 to 1; got dtype float64",
    ),
    "NaN": (
        [0, np.nan, 1],
        InvalidTypeError,
        "y must hold integer labels 0 to 1; got dtype float64",
    ),
    "words": (
        ["cat", "dog", "cat"],
        InvalidTypeError,
        "y must hold integer labels 0 to 1; got dtype <U3: number the labels, as LabelEncoder does",
    ),
    "objects": (
        np.array([0, None, 1], dtype=object),
        InvalidTypeError,
        "y must hold integer labels 0 to 1; got dtype object",
    ),
    "too few": (
        [0, 1],
        InvalidDataError,
        "y must have one target for each of the 3 samples; got 2",
    ),
    "too many": (
        [0, 1, 0, 1],
        InvalidDataError,
        "y must have one target for each of the 3 samples; got 4",
    ),
    "empty": ([], InvalidDataError, "y must have one target for each of the 3 samples; got 0"),
    "a single label": (
        1,
        InvalidDataError,
        "y must have one target for each of the 3 samples; got shape ()",
    ),
}

BAD_MATRICES = {
    "too few": (
        [[0.0, 1.0]],
        InvalidDataError,
        "y must have one target for each of the 3 samples; got 1",
    ),
    "empty": ([], InvalidDataError, "y must have one target for each of the 3 samples; got 0"),
    "one column": (
        [[0.0], [1.0], [0.0]],
        InvalidDataError,
        "y must have shape (3, 2); got shape (3, 1)",
    ),
    "three axes": (
        np.zeros((3, 2, 1)),
        InvalidDataError,
        "y must have shape (3, 2); got shape (3, 2, 1)",
    ),
    "NaN": (
        [[0.0, 1.0], [1.0, np.nan], [0.0, 1.0]],
        InvalidDataError,
        "y must be finite in float64; got nan at row 1, column 1",
    ),
    "infinite": (
        [[0.0, 1.0], [1.0, 0.0], [np.inf, np.inf]],
        InvalidDataError,
        "y must be finite in float64; got inf at row 2, column 0 (and 1 more)",
    ),
    "words": (
        [["a", "b"]] * 3,
        InvalidTypeError,
        "y must be an array of numbers; got dtype <U1",
    ),
}


@pytest.mark.parametrize("case", list(BAD_LABELS))
@pytest.mark.parametrize("name", CLASSES)
def test_bad_labels(name, case, refusal):
    y, error_type, message = BAD_LABELS[case]
    assert refusal(error_type, LOSSES[name](), THREE, y) == message


@pytest.mark.parametrize("case", list(BAD_MATRICES))
@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy", *REGRESSION])
def test_bad_matrices(name, case, refusal):
    y, error_type, message = BAD_MATRICES[case]
    if name == "cross_entropy" and case == "empty":
        y = np.zeros((0, 2))
    assert refusal(error_type, LOSSES[name](), THREE, y) == message


@pytest.mark.parametrize("name", ["binary_cross_entropy", *REGRESSION])
def test_a_vector_is_no_matrix_of_two_targets(name, refusal):
    said = refusal(InvalidDataError, LOSSES[name](), THREE, [0.0, 1.0, 0.0])
    assert said == "y must have shape (3, 2); got shape (3,)"


@pytest.mark.parametrize("name", ["binary_cross_entropy", *REGRESSION])
def test_none_is_no_target(name, refusal):
    said = refusal(InvalidTypeError, LOSSES[name](), THREE, None)
    assert said == "y must be an array of numbers; got None"


@pytest.mark.parametrize("name", list(LOSSES))
def test_ragged_targets_are_refused_by_the_packages_own_error(name, refusal):
    said = refusal(InvalidTypeError, LOSSES[name](), THREE, [[0.0, 1.0], [1.0], [0.0]])
    assert said.startswith("y must be an array; setting an array element with a sequence.")


def test_nll_takes_labels_only(refusal):
    said = refusal(InvalidDataError, NLL(), THREE, [[0, 1], [1, 0], [1, 0]])
    assert said == "y must have shape (3,), one label per sample; got shape (3, 2)"


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ([0.5, 0.4], "sum 0.9, smallest 0.4"),
        ([1.0, 1.0], "sum 2, smallest 1"),
        ([0.0, 0.0], "sum 0, smallest 0"),
        ([1.5, -0.5], "sum 1, smallest -0.5"),
        ([1.0, 0.001], "sum 1.001, smallest 0.001"),
    ],
)
def test_probabilities_sum_to_one(row, what, refusal):
    y = [[0.25, 0.75], row, [9.0, 9.0]]
    assert refusal(InvalidDataError, CrossEntropy(), THREE, y) == (
        f"y must hold probabilities that sum to 1 in each row; got {what} at row 1"
    )


def test_probabilities_rounded_to_float32_sum_to_one():
    y = np.random.default_rng(0).dirichlet(np.ones(1000), size=20).astype(np.float32)
    CrossEntropy()(np.zeros((20, 1000), dtype=np.float32), y)


@pytest.mark.parametrize(("value", "shown"), [(-0.25, "-0.25"), (1.5, "1.5"), (2, "2")])
def test_labels_of_binary_cross_entropy_lie_between_zero_and_one(value, shown, refusal):
    y = [[0.0, 1.0], [0.5, value], [0.0, -3.0]]
    assert refusal(InvalidDataError, BinaryCrossEntropy(), THREE, y) == (
        f"y must lie in [0, 1] for loss 'binary_cross_entropy'; got {shown} at row 1, column 1"
    )


def test_targets_of_poisson_are_not_negative(refusal):
    y = [[0.0, 1.5], [2.0, -1.5], [-3.0, 0.0]]
    assert refusal(InvalidDataError, Poisson(), THREE, y) == (
        "y must not be negative for loss 'poisson'; got -1.5 at row 1"
    )


def test_one_target_may_come_as_a_vector():
    p = np.array([[1.0], [2.0], [3.0]])
    for name in REGRESSION:
        loss = LOSSES[name]()
        vector, gradient = loss(p, [0.0, 1.0, 4.0])
        matrix, same = loss(p, [[0.0], [1.0], [4.0]])
        assert vector == matrix
        np.testing.assert_array_equal(gradient, same)


def test_a_single_number_is_no_target_of_a_single_sample(refusal):
    said = refusal(InvalidDataError, SquaredError(), [[1.0]], 3.0)
    assert said == "y must have one target for each of the 1 samples; got shape ()"


# Predictions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (3, 0), (3, 2, 1)])
def test_predictions_are_a_matrix(shape, refusal):
    said = refusal(InvalidDataError, SquaredError(), np.zeros(shape), np.zeros(shape))
    assert said == f"prediction must have shape (n_samples, out_features); got shape {shape}"


def test_predictions_are_finite_numbers(refusal):
    p = [[0.0, 1.0], [np.nan, 0.0]]
    assert refusal(InvalidDataError, SquaredError(), p, np.zeros((2, 2))) == (
        "prediction must be finite in float64; got nan at row 1, column 0"
    )
    assert refusal(InvalidTypeError, SquaredError(), [["a"]], [1.0]) == (
        "prediction must be an array of numbers; got dtype <U1"
    )
    said = refusal(InvalidTypeError, SquaredError(), [[0.0, 1.0], [1.0]], np.zeros((2, 2)))
    assert said.startswith("prediction must be an array; setting an array element")


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_needs_an_output_of_its_own(name, refusal):
    message = (
        f"loss {name!r} needs at least 2 outputs, one per class; got 1. "
        "For one output use 'binary_cross_entropy'"
    )
    assert refusal(InvalidArgumentError, LOSSES[name](), np.zeros((3, 1)), [0, 0, 0]) == message
    net = MLP(Architecture(2, (), 1, output="log_softmax"))
    said = refusal(
        InvalidArgumentError, net.loss_and_gradients, np.zeros((3, 2)), [0, 0, 0], loss=name
    )
    assert said == message


# What a network's output is, and the loss -------------------------------------------------------

MISMATCHES = [
    (
        "cross_entropy",
        "sigmoid",
        "loss 'cross_entropy' takes logits of a network with output 'identity' or 'softmax' or "
        "'log_softmax'; got output 'sigmoid'",
    ),
    (
        "nll",
        "softmax",
        "loss 'nll' takes outputs of a network with output 'log_softmax'; got output 'softmax'",
    ),
    (
        "nll",
        "identity",
        "loss 'nll' takes outputs of a network with output 'log_softmax'; got output 'identity'",
    ),
    (
        "binary_cross_entropy",
        "softmax",
        "loss 'binary_cross_entropy' takes logits of a network with output 'identity' or "
        "'sigmoid'; got output 'softmax'",
    ),
    (
        "poisson",
        "softmax",
        "loss 'poisson' takes logits of a network with output 'identity' or 'exp'; got output "
        "'softmax'",
    ),
]


@pytest.mark.parametrize(("name", "output", "message"), MISMATCHES)
def test_a_loss_belongs_to_certain_outputs(name, output, message, refusal):
    net = MLP(Architecture(2, (3,), 2, output=output))
    y = [0, 1] if name in CLASSES else [[0.0, 1.0]] * 2
    said = refusal(InvalidArgumentError, net.loss_and_gradients, np.zeros((2, 2)), y, loss=name)
    assert said == message


def test_a_network_needs_an_output_for_each_quantile(refusal):
    net = MLP(Architecture(2, (), 4))
    said = refusal(
        InvalidArgumentError,
        net.loss_and_gradients,
        np.zeros((2, 2)),
        [[0.0], [0.0]],
        loss=Quantile((0.1, 0.5, 0.9)),
    )
    assert said == "loss 'quantile' with 3 quantiles needs a multiple of 3 outputs; got 4"


# The losses' own parameters ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error_type", "message"),
    [
        (
            lambda: CrossEntropy(label_smoothing=-0.1),
            InvalidArgumentError,
            "label_smoothing of CrossEntropy must be a number in [0, 1]; got -0.1",
        ),
        (
            lambda: CrossEntropy(label_smoothing=1.5),
            InvalidArgumentError,
            "label_smoothing of CrossEntropy must be a number in [0, 1]; got 1.5",
        ),
        (
            lambda: CrossEntropy(label_smoothing=None),
            InvalidTypeError,
            "label_smoothing of CrossEntropy must be a number in [0, 1]; got None",
        ),
        (
            lambda: Huber(delta=0),
            InvalidArgumentError,
            "delta of Huber must be a number in (0, inf); got 0",
        ),
        (
            lambda: Huber(delta="1"),
            InvalidTypeError,
            "delta of Huber must be a number in (0, inf); got '1'",
        ),
        (
            lambda: Quantile((0.5, 0.1)),
            InvalidArgumentError,
            "quantiles of Quantile must be non-empty and strictly increasing; got (0.5, 0.1)",
        ),
        (
            lambda: Quantile((0.5, 0.5)),
            InvalidArgumentError,
            "quantiles of Quantile must be non-empty and strictly increasing; got (0.5, 0.5)",
        ),
        (
            lambda: Quantile(()),
            InvalidArgumentError,
            "quantiles of Quantile must be non-empty and strictly increasing; got ()",
        ),
        (
            lambda: Quantile((0.5, 1)),
            InvalidArgumentError,
            "quantiles[1] of Quantile must be a number in (0, 1); got 1",
        ),
        (
            lambda: Quantile("0.5"),
            InvalidTypeError,
            "quantiles[0] of Quantile must be a number in (0, 1); got '0.5'",
        ),
    ],
)
def test_parameters_of_losses_are_checked(make, error_type, message, refusal):
    assert refusal(error_type, make) == message


def test_quantiles_become_a_tuple_of_floats():
    assert Quantile(0.25).quantiles == (0.25,)
    assert Quantile([0.25, np.float32(0.5)]).quantiles == (0.25, 0.5)
    assert Quantile(np.array([0.25, 0.5])).quantiles == (0.25, 0.5)
    assert hash(Quantile([0.5])) == hash(Quantile((0.5,)))


def test_the_ends_of_label_smoothing():
    z = np.array([[2.0, -1.0, 0.5]])
    plain, _ = CrossEntropy()(z, [1])
    assert CrossEntropy(label_smoothing=0.0)(z, [1])[0] == plain
    # Smoothed all the way every label is the same: nothing is left of the target.
    everything = [CrossEntropy(label_smoothing=1.0)(z, [label])[0] for label in range(3)]
    assert everything == pytest.approx([everything[0]] * 3, rel=1e-15)


# What holds for every loss ---------------------------------------------------------------------


@pytest.fixture(params=list(LOSSES))
def loss(request):
    return LOSSES[request.param]()


def test_weights_that_are_all_zero_are_refused(loss, refusal, rng):
    y = draw_targets(loss, 3, 2, rng)
    said = refusal(InvalidDataError, loss, THREE, y, sample_weight=[0, 0, 0])
    assert said == "sample_weight must not be zero for every sample"


def test_a_batch_whose_weights_are_all_zero_moves_nothing(loss, rng):
    # It may happen to a batch of samples that have weights elsewhere; 0/0 must not come of it.
    targets = loss.targets(draw_targets(loss, 3, 2, rng), 3, 2, np.float64)
    value, gradient = loss.value_and_gradient(THREE, targets, np.zeros(3))
    assert value == 0
    assert not gradient.any()


def test_weights_near_the_largest_float_do_not_overflow(rng):
    # An infinite sum of weights makes every share 0, and with it loss and gradient.
    p, y = rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=(3, 2))
    even, gradient = SquaredError()(p, y)
    largest, same = SquaredError()(p, y, sample_weight=[3e38, 3e38, 3e38])
    assert largest == pytest.approx(even, rel=1e-6)  # float32 rounds at 6e-8
    np.testing.assert_allclose(same, gradient, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradient_has_the_predictions_shape_and_dtype(loss, dtype, rng):
    p = rng.normal(size=(5, 3)).astype(dtype)
    y = draw_targets(loss, 5, 3, rng)
    for weight in (None, rng.uniform(0.5, 2, size=5)):
        value, gradient = loss(p, y, weight)
        assert type(value) is float
        assert gradient.shape == p.shape
        assert gradient.dtype == dtype


def test_integers_and_lists_are_taken_as_float64(loss, rng):
    p = rng.integers(-2, 3, size=(5, 2))
    y = draw_targets(loss, 5, 2, rng)
    expected = loss(p.astype(float), y)
    for inputs in (p, p.tolist(), p.astype(np.int8)):
        value, gradient = loss(inputs, y.tolist())
        assert value == expected[0]
        np.testing.assert_array_equal(gradient, expected[1])


def test_inputs_may_be_read_only_and_are_not_changed(loss, rng):
    inputs = [rng.normal(size=(5, 2)), draw_targets(loss, 5, 2, rng), rng.uniform(size=5)]
    before = [array.copy() for array in inputs]
    for array in inputs:
        array.flags.writeable = False
    _, gradient = loss(*inputs)
    gradient[:] = 0
    for array, expected in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_predictions_have_the_form_of_targets(loss, rng):
    p = rng.normal(size=(5, 3))
    found = loss.predict(p)
    assert found.shape == ((5,) if loss.task == "classification" else (5, 3))
    assert (found.dtype.kind == "i") == (loss.task != "regression")


def test_the_interface_itself_computes_nothing():
    with pytest.raises(NotImplementedError):
        Loss().per_sample(THREE, THREE)


def logits_and_targets(loss_name):
    """Predictions for four samples of three outputs, and targets for them."""
    p = arrays(np.float64, (4, 3), elements=st.floats(-20, 20))
    if loss_name in (*CLASSES, "grouped_cross_entropy"):
        y = arrays(np.int64, 4, elements=st.integers(0, 2))
    elif loss_name == "binary_cross_entropy":
        y = arrays(np.float64, (4, 3), elements=st.floats(0, 1))
    else:
        y = arrays(np.float64, (4, 3), elements=st.floats(0, 10))
    return st.tuples(p, y)


@PROPERTY
@given(data=st.data())
@pytest.mark.parametrize("name", list(LOSSES))
def test_samples_have_no_order_and_one_inputstwice_counts_as_weight_two(name, data):
    loss = LOSSES[name]()
    p, y = data.draw(logits_and_targets(name))
    order = data.draw(st.permutations(range(4)))
    value, gradient = loss(p, y)
    permuted, permuted_gradient = loss(p[order], y[order])
    # Sums in another order: rounding.
    assert permuted == pytest.approx(value, rel=1e-12, abs=1e-12)
    np.testing.assert_array_equal(permuted_gradient, gradient[order])

    weight = np.ones(4)
    weight[order[0]] = 2
    rows = [*range(4), order[0]]
    weighted, gradient = loss(p, y, weight)
    repeated, parts = loss(p[rows], y[rows])
    assert weighted == pytest.approx(repeated, rel=1e-12, abs=1e-12)
    expected = parts[:4].copy()
    expected[order[0]] += parts[4]
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-300)


@PROPERTY
@given(data=st.data())
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "nll"])
def test_losses_are_never_negative(name, data):
    # A sum of squares, distances, divergences or entropies; nll takes any number.
    p, y = data.draw(logits_and_targets(name))
    value, _ = LOSSES[name]()(p, y)
    assert value >= -1e-12  # where the least value is 0, rounding may fall below it


@PROPERTY
@given(data=st.data())
@pytest.mark.parametrize("name", [*REGRESSION, "cross_entropy", "binary_cross_entropy"])
def test_losses_are_convex_in_what_they_take(name, data):
    # Every one is a convex function of its logits or outputs: on a line between two points it
    # lies above its tangent, J(q) ≥ J(p) + ∇J(p)·(q − p). A wrong sign of a gradient breaks it.
    loss = LOSSES[name]()
    p, y = data.draw(logits_and_targets(name))
    q, _ = data.draw(logits_and_targets(name))
    value, gradient = loss(p, y)
    above, _ = loss(q, y)
    tangent = value + float(np.sum(gradient * (q - p)))
    # Poisson's e^20 is 5e8: rounding is relative to the largest term.
    scale = 1 + abs(value) + abs(above) + float(np.sum(np.abs(gradient * (q - p))))
    assert above >= tangent - 1e-13 * scale


@PROPERTY
@given(logits_and_targets("cross_entropy"), st.floats(-1e3, 1e3))
def test_cross_entropy_does_not_see_a_constant_added_to_the_logits(inputs, constant):
    z, y = inputs
    value, gradient = CrossEntropy()(z, y)
    shifted, same = CrossEntropy()(z + constant, y)
    # A shift by 1000 costs three digits of the logits.
    assert shifted == pytest.approx(value, abs=1e-11)
    np.testing.assert_allclose(same, gradient, atol=1e-11)
    # Probabilities and targets both sum to 1.
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-14)


@PROPERTY
@given(logits_and_targets("cross_entropy"))
def test_labels_and_one_hot_rows_are_the_same_targets(inputs):
    z, y = inputs
    labels = CrossEntropy()(z, y)
    rows = CrossEntropy()(z, np.eye(3)[y])
    assert rows[0] == pytest.approx(labels[0], rel=1e-14)
    np.testing.assert_allclose(rows[1], labels[1], rtol=0, atol=1e-16)


def test_large_logits_neither_overflow_nor_lose_the_loss():
    # log(1 + e^1000) is 1000; the naive form is infinite.
    assert CrossEntropy()([[1000.0, 0.0]], [1])[0] == 1000
    assert BinaryCrossEntropy()([[1000.0]], [0.0])[0] == 1000
    assert BinaryCrossEntropy()([[-1000.0]], [1.0])[0] == 1000
    assert CrossEntropy()([[-1000.0, 0.0]], [1])[0] == 0
