"""The checks of arguments: what passes in which form, and the whole message of what does not."""

import contextlib
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from multilayer import checks
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    MultilayerError,
)


def message(error_type, function, *arguments, **keywords):
    """Return what is said when the function refuses its arguments by exactly that error."""
    with pytest.raises(MultilayerError) as caught:
        function(*arguments, **keywords)
    assert type(caught.value) is error_type
    return str(caught.value)


# Whole numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, 7, np.int8(7), np.uint64(7), 10**30])
def test_integer_returns_a_plain_int(value):
    found = checks.integer(value, "n", "T")
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize(
    ("minimum", "kind"),
    [(1, "a positive integer"), (0, "a non-negative integer"), (2, "an integer of at least 2")],
)
def test_integer_has_a_least_value(minimum, kind):
    assert checks.integer(minimum, "n", "T", minimum=minimum) == minimum
    said = message(InvalidArgumentError, checks.integer, minimum - 1, "n", "T", minimum=minimum)
    assert said == f"n of T must be {kind}; got {minimum - 1}"


@pytest.mark.parametrize(
    "value", [True, np.True_, 1.0, np.float64(2), "3", None, Fraction(3), np.array([3])]
)
def test_integer_refuses_other_types(value):
    said = message(InvalidTypeError, checks.integer, value, "n", "T")
    assert said == f"n of T must be a positive integer; got {value!r}"


# Real numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5), Fraction(1, 2)])
def test_real_returns_a_plain_float(value):
    found = checks.real(value, "x", "T")
    assert found == 0.5
    assert type(found) is float


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("(0, 1)", [1e-300, 0.5, 1 - 1e-15], [0, 1, -1, 2]),
        ("[0, 1)", [0, -0.0, 0.5], [1, -1e-300]),
        ("(0, 1]", [1, 1e-300], [0, 1.5]),
        ("[0, 1]", [0, 1], [-0.5, 1.5]),
        ("(0, inf)", [1e-300, 1e300], [0, -1, np.inf]),
        ("[0, inf)", [0, 1e300], [-1e-300, np.inf]),
        ("(-inf, inf)", [-1e300, 0, 1e300], [np.inf, -np.inf, np.nan]),
        ("[-2, 3]", [-2, 3], [-2.5, 3.5, np.nan]),
    ],
)
def test_real_lies_in_its_interval(interval, inside, outside):
    for value in inside:
        assert checks.real(value, "x", "T", interval) == value
    for value in outside:
        said = message(InvalidArgumentError, checks.real, value, "x", "T", interval)
        assert said == f"x of T must be a number in {interval}; got {value:g}"


@given(st.floats(), st.booleans(), st.booleans())
def test_brackets_take_in_their_ends_and_parentheses_do_not(value, low_closed, high_closed):
    interval = f"{'[' if low_closed else '('}-1, 1{']' if high_closed else ')'}"
    within = -1 < value < 1 or (low_closed and value == -1) or (high_closed and value == 1)
    if within:
        assert checks.real(value, "x", "T", interval) == value
    else:
        message(InvalidArgumentError, checks.real, value, "x", "T", interval)


@pytest.mark.parametrize("value", [True, np.False_, "0.5", None, Decimal("0.5"), 1j, [0.5]])
def test_real_refuses_other_types(value):
    said = message(InvalidTypeError, checks.real, value, "x", "T", "[0, 1]")
    assert said == f"x of T must be a number in [0, 1]; got {value!r}"


def test_real_refuses_a_whole_number_beyond_every_float():
    # float(10**400) raises an OverflowError of its own, which is no answer to a user.
    said = message(InvalidArgumentError, checks.real, 10**400, "x", "T", "(0, inf)")
    assert said.startswith("x of T must be a number in (0, inf); got ")


def test_real_shows_a_number_that_is_only_just_outside_as_such():
    # Rounded to six digits it would read "must be in [0, 1]; got 1".
    said = message(InvalidArgumentError, checks.real, 1.0000000001, "x", "T", "[0, 1]")
    assert said == "x of T must be a number in [0, 1]; got 1.0000000001"


# Flags and generators --------------------------------------------------------------------------


def test_flag_returns_a_plain_bool():
    for value in (True, False, np.True_, np.False_):
        found = checks.flag(value, "f", "T")
        assert found == value
        assert type(found) is bool


@pytest.mark.parametrize("value", [0, 1, None, "yes", 1.0])
def test_flag_refuses_other_types(value):
    said = message(InvalidTypeError, checks.flag, value, "f", "T")
    assert said == f"f of T must be True or False; got {value!r}"


def test_random_generator_passes_through():
    rng = np.random.default_rng(0)
    assert checks.random_generator(rng, "T") is rng


def test_no_random_generator_gives_fresh_ones():
    one, other = checks.random_generator(None, "T"), checks.random_generator(None, "T")
    assert one.integers(2**63) != other.integers(2**63)


@pytest.mark.parametrize("value", [0, 1.5, "seed", np.random.RandomState(0)])
def test_random_generator_refuses_seeds(value):
    said = message(InvalidTypeError, checks.random_generator, value, "T")
    assert said == f"rng of T must be a numpy.random.Generator or None; got {value!r}"


# Arrays ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [3, 4]],
        ((True, False), (False, True)),
        np.arange(4, dtype=np.uint8).reshape(2, 2),
        np.arange(4.0, dtype=np.float16).reshape(2, 2),
        np.arange(4.0, dtype=np.longdouble).reshape(2, 2),
        np.arange(8.0).reshape(2, 4)[:, ::2],
        np.array([[1, 2.5], [3, 4]], dtype=object),
        pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}),
    ],
)
def test_finite_array_has_the_dtype_and_lies_in_one_piece(values, dtype):
    found = checks.finite_array(values, "A", dtype)
    assert found.dtype == dtype
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, np.asarray(values, dtype=dtype))


@settings(max_examples=50)
@given(arrays(np.float64, (3, 4)))
def test_finite_array_never_changes_what_it_is_given(values):
    before = values.copy()
    values.flags.writeable = False
    with contextlib.suppress(InvalidDataError):
        checks.finite_array(values, "A", np.float32)
    np.testing.assert_array_equal(values, before)


def nan_at(shape, *places):
    """Return zeros with a NaN in some places."""
    array = np.zeros(shape)
    for place in places:
        array[place] = np.nan
    return array


@pytest.mark.parametrize(
    ("values", "where"),
    [
        (nan_at(3, 2), "nan at index 2"),
        (nan_at((3, 4), (1, 2)), "nan at row 1, column 2"),
        (nan_at((3, 4), (2, 0), (1, 3)), "nan at row 1, column 3 (and 1 more)"),
        (nan_at((2, 3, 4), (1, 0, 2)), "nan at index (1, 0, 2)"),
        (np.full((2, 2), np.inf), "inf at row 0, column 0 (and 3 more)"),
        ([1.0, -np.inf], "-inf at index 1"),
        ([1.0, None], "nan at index 1"),
        (pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, np.nan]}), "nan at row 1, column 1"),
    ],
)
def test_finite_array_says_where_the_first_bad_number_is(values, where):
    said = message(InvalidDataError, checks.finite_array, values, "A", np.float64)
    assert said == f"A must be finite in float64; got {where}"


def test_finite_array_reports_what_is_too_large_for_its_dtype():
    assert checks.finite_array([1e300], "A", np.float64).tolist() == [1e300]
    with warnings.catch_warnings(action="error"):
        said = message(InvalidDataError, checks.finite_array, [0.0, 1e300], "A", np.float32)
    assert said == "A must be finite in float32; got inf at index 1"


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["a", "b"], "<U1"),
        (["1", "2"], "<U1"),
        ([1j], "complex128"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "datetime64[D]"),
    ],
)
def test_finite_array_takes_numbers_only(values, dtype):
    said = message(InvalidTypeError, checks.finite_array, values, "A", np.float64)
    assert said == f"A must be an array of numbers; got dtype {dtype}"


@pytest.mark.parametrize("values", [None, ["a"], [[1], [1, 2]], [np.nan], [Decimal("sNaN")]])
def test_finite_array_has_an_owner_which_can_be_renamed(values):
    with (
        pytest.raises(MultilayerError, match=r"^--y of mlp must be "),
        checks.in_terms_of("mlp", {"y": "--y"}),
    ):
        checks.finite_array(values, "y", np.float64, "residuals")


def test_finite_array_of_none_says_so():
    # NumPy turns None into NaN; "got nan" would send its reader looking for one in the data.
    said = message(InvalidTypeError, checks.finite_array, None, "A", np.float64)
    assert said == "A must be an array of numbers; got None"


def test_finite_array_of_another_object_passes_on_what_python_says():
    said = message(InvalidTypeError, checks.finite_array, {"a": 1}, "A", np.float64)
    assert said == (
        "A must be an array of numbers; float() argument must be a string or a real number, not "
        "'dict'"
    )


def test_finite_array_keeps_the_shape_of_a_single_number():
    # With one axis too many a scalar passes for one target, one weight or one bias.
    assert checks.finite_array(2.0, "A", np.float64).shape == ()
    said = message(InvalidDataError, checks.sample_weights, 2.0, 1, np.float64)
    assert said == "sample_weight must have shape (1,), one per sample; got ()"


def test_finite_array_of_ragged_rows_passes_on_what_numpy_says():
    with pytest.raises(ValueError, match="inhomogeneous") as numpys:
        np.asarray([[1, 2], [3]])
    said = message(InvalidTypeError, checks.finite_array, [[1, 2], [3]], "A", np.float64)
    assert said == f"A must be an array; {numpys.value}"


def test_finite_array_of_a_table_with_words_passes_on_what_numpy_says():
    table = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    said = message(InvalidTypeError, checks.finite_array, table, "A", np.float64)
    assert said == "A must be an array of numbers; could not convert string to float: 'x'"


# Samples ---------------------------------------------------------------------------------------


def test_sample_matrix_flattens_images_row_by_row():
    images = np.arange(24.0).reshape(2, 3, 4)
    matrix = checks.sample_matrix(images, 12, np.float32)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, [range(12), range(12, 24)])


@pytest.mark.parametrize("shape", [(), (3,)])
def test_sample_matrix_needs_two_axes(shape):
    said = message(InvalidDataError, checks.sample_matrix, np.zeros(shape), 3, np.float32)
    assert said == (
        f"X must have shape (n_samples, 3); got shape {shape}. "
        "Reshape a single sample with X.reshape(1, -1)"
    )


def test_sample_matrix_needs_a_sample():
    said = message(InvalidDataError, checks.sample_matrix, np.zeros((0, 3)), 3, np.float32)
    assert said == "X must have at least one sample; got shape (0, 3)"


@pytest.mark.parametrize("shape", [(5, 2), (5, 4), (5, 3, 2), (5, 0)])
def test_sample_matrix_needs_as_many_features_as_the_network_has_inputs(shape):
    said = message(InvalidDataError, checks.sample_matrix, np.zeros(shape), 3, np.float32)
    assert said == f"X must have 3 features, one per input of the network; got shape {shape}"


def test_sample_matrix_says_in_which_sample_and_feature_a_nan_is():
    values = nan_at((4, 3), (2, 1))
    said = message(InvalidDataError, checks.sample_matrix, values, 3, np.float32)
    assert said == "X must be finite in float32; got nan at row 2, column 1"


def test_sample_matrix_of_words():
    said = message(InvalidTypeError, checks.sample_matrix, [["a", "b"]], 2, np.float32)
    assert said == "X must be an array of numbers; got dtype <U1"


@settings(max_examples=50)
@given(arrays(np.float32, (3, 2, 2)))
def test_sample_matrix_never_changes_what_it_is_given(values):
    before = values.copy()
    with contextlib.suppress(InvalidDataError):
        checks.sample_matrix(values, 4, np.float32)
    np.testing.assert_array_equal(values, before)


# Weights ---------------------------------------------------------------------------------------


def test_no_weights_stay_none():
    assert checks.sample_weights(None, 3, np.float32) is None


@pytest.mark.parametrize("weight", [[1, 0, 2], (1.0, 0.0, 2.0), pd.Series([1, 0, 2])])
def test_weights_become_an_array(weight):
    found = checks.sample_weights(weight, 3, np.float32)
    assert found.dtype == np.float32
    assert found.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("weight", "error_type", "said"),
    [
        ([1, 2], InvalidDataError, "must have shape (3,), one per sample; got (2,)"),
        (1.0, InvalidDataError, "must have shape (3,), one per sample; got ()"),
        ([[1], [1], [1]], InvalidDataError, "must have shape (3,), one per sample; got (3, 1)"),
        ([], InvalidDataError, "must have shape (3,), one per sample; got (0,)"),
        ([1, 1, -2], InvalidDataError, "must not be negative; got -2.0 at index 2"),
        ([0, 0, 0], InvalidDataError, "must not be zero for every sample"),
        ([1, np.nan, 1], InvalidDataError, "must be finite in float32; got nan at index 1"),
        (["a", "b", "c"], InvalidTypeError, "must be an array of numbers; got dtype <U1"),
    ],
)
def test_weights_that_cannot_be_used(weight, error_type, said):
    assert (
        message(error_type, checks.sample_weights, weight, 3, np.float32) == f"sample_weight {said}"
    )
