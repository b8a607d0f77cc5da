"""Formulas as text, against NumPy's own functions, written out by Python with all brackets."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multilayer.data import toy
from multilayer.data.formula import MAX_LENGTH, UNKNOWN, Formula
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError

POINTS = np.random.default_rng(0).uniform(-2, 2, (2, 40))
# How tightly a form binds, in Python: a part that binds less than its place asks for gets brackets.
OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(9)
BINARY = {
    "+": ("np.add", SUM, SUM, PRODUCT),
    "-": ("np.subtract", SUM, SUM, PRODUCT),
    "*": ("np.multiply", PRODUCT, PRODUCT, SIGN),
    "/": ("np.divide", PRODUCT, PRODUCT, SIGN),
    "%": ("np.mod", PRODUCT, PRODUCT, SIGN),
    "^": ("np.power", POWER, ATOM, SIGN),
    "**": ("np.power", POWER, ATOM, SIGN),
}
FUNCTIONS = {
    "sin": "np.sin", "cos": "np.cos", "tan": "np.tan", "exp": "np.exp", "log": "np.log",
    "sqrt": "np.sqrt", "abs": "np.abs", "sign": "np.sign", "tanh": "np.tanh", "floor": "np.floor",
    "asin": "np.arcsin", "acos": "np.arccos", "atan": "np.arctan", "sinh": "np.sinh",
    "cosh": "np.cosh",
}  # fmt: skip


def inside(part, least):
    return part[0] if part[2] >= least else f"({part[0]})"


@st.composite
def operations(draw, parts, signs):
    sign = draw(st.sampled_from(signs))
    function, level, least_left, least_right = BINARY[sign]
    left, right, space = draw(parts), draw(parts), draw(st.sampled_from(["", " "]))
    text = f"{inside(left, least_left)}{space}{sign}{space}{inside(right, least_right)}"
    return text, f"{function}({left[1]}, {right[1]})", level


def negative(part):
    return f"-{inside(part, SIGN)}", f"np.negative({part[1]})", SIGN


def called(of):
    name, part = of
    return f"{name}({part[0]})", f"{FUNCTIONS[name]}({part[1]})", ATOM


def extreme(of):
    name, left, right = of
    return f"{name}({left[0]}, {right[0]})", f"np.{name}imum({left[1]}, {right[1]})", ATOM


LEAVES = st.sampled_from(
    [(text, f"np.float64({text})", ATOM) for text in ("0", "1", "2", "0.5", "3", "1e-3", "2.5")]
    + [("x", "x", ATOM), ("y", "y", ATOM), ("pi", "np.pi", ATOM), ("e", "np.e", ATOM)]
)


def numbers(signs, functions):
    """Return expressions: as a formula, as NumPy's functions, and how tightly the first binds."""
    return st.recursive(
        LEAVES,
        lambda parts: st.one_of(
            operations(parts, signs),
            parts.map(negative),
            st.tuples(st.sampled_from(functions), parts).map(called),
            st.tuples(st.sampled_from(["min", "max"]), parts, parts).map(extreme),
        ),
        max_leaves=8,
    ).filter(lambda part: len(part[0]) <= MAX_LENGTH)


NUMBERS = numbers(list(BINARY), list(FUNCTIONS))
FINITE = numbers(["+", "-", "*"], ["sin", "cos", "abs", "sign", "tanh", "floor", "atan"])


@st.composite
def comparisons(draw):
    signs = draw(st.lists(st.sampled_from(["<", "<=", ">", ">="]), min_size=1, max_size=2))
    sides = [draw(FINITE) for _ in range(len(signs) + 1)]
    text = inside(sides[0], SUM) + "".join(
        sign + inside(side, SUM) for sign, side in zip(signs, sides[1:], strict=True)
    )
    pairs = [
        f"({left[1]} {sign} {right[1]})"
        for left, sign, right in zip(sides, signs, sides[1:], strict=False)
    ]
    return text, f"np.bool_({' & '.join(pairs)})", COMPARISON


def joined(word, sign, level):
    def join(two):
        left, right = two
        text = f"{inside(left, level)} {word} {inside(right, level + 1)}"
        return text, f"({left[1]} {sign} {right[1]})", level

    return join


CONDITIONS = st.recursive(
    comparisons(),
    lambda parts: st.one_of(
        st.tuples(parts, parts).map(joined("and", "&", AND)),
        st.tuples(parts, parts).map(joined("or", "|", OR)),
        parts.map(lambda part: (f"not {inside(part, NOT)}", f"(~{part[1]})", NOT)),
    ),
    max_leaves=4,
).filter(lambda part: len(part[0]) <= MAX_LENGTH)


def by_numpy(expression):
    x, y = POINTS
    with np.errstate(all="ignore"):
        return np.broadcast_to(eval(expression, {"np": np, "x": x, "y": y}), x.shape)


@given(NUMBERS)
def test_numbers_are_those_of_numpy(part):
    text, expression, _ = part
    # The same functions of the same numbers, so the same bits.
    np.testing.assert_array_equal(Formula(text)(*POINTS), by_numpy(expression))


@given(CONDITIONS)
def test_conditions_are_those_of_numpy(part):
    text, expression, _ = part
    np.testing.assert_array_equal(Formula(text)(*POINTS), by_numpy(expression))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2x", "2*x"),
        ("3sin(x)", "3*sin(x)"),
        ("2(x + y)", "2*(x + y)"),
        ("2pi*x", "2*pi*x"),
        ("2e*x", "2*e*x"),
        ("2e3x", "2000*x"),
        (".5x^2", "0.5*x**2"),
        ("1/2x", "0.5*x"),
        ("-x^2", "0 - x*x"),
        ("2^3^2*x", "512*x"),
        ("x² − y³ · 2π ÷ 4", "x^2 - y^3 * 2*pi / 4"),
        ("min(x, y, 0)", "min(min(x, y), 0)"),
    ],
)
def test_what_is_usual_on_paper(text, same):
    # Powers and products of the same factors may be rounded otherwise.
    np.testing.assert_allclose(Formula(text)(*POINTS), Formula(same)(*POINTS), rtol=1e-14)


def test_a_condition_is_unknown_where_its_parts_leave_it_open():
    x = np.array([-1.0, 1.0])
    for text, left in [
        ("log(x) > -9", UNKNOWN),
        ("not log(x) > -9", UNKNOWN),
        ("x > 0 and log(x) > -9", 0),
        ("x < 0 or log(x) > -9", 1),
        ("x < 0 and log(x) > -9", UNKNOWN),
        ("x > 0 or log(x) > -9", UNKNOWN),
        ("-9 < log(x) < 9", UNKNOWN),
    ]:
        assert Formula(text)(x, x)[0] == left


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sen(x)", 'at character 1: there is no "sen"; did you mean sin?'),
        ("x + Y", 'at character 5: there is no "Y"; did you mean y?'),
        ("x +", "at character 4: it ends too early"),
        ("y < x <", "at character 8: it ends too early"),
        ("2*(x", "at character 3: this bracket is never closed"),
        ("x)", "at character 2: this bracket was never opened"),
        ("x y", 'at character 3: cannot be read from "y" on; is a * or a + missing?'),
        ("sin(x y)", 'at character 5: cannot be read from "x" on; is a * or a + missing?'),
        ("x + * y", 'at character 5: cannot be read from "*" on; is a * or a + missing?'),
        ("x^2 + ^ y", 'at character 7: cannot be read from "^" on; is a * or a + missing?'),
        ("1 + sin x", "at character 5: sin is a function; write sin(…)"),
        ("x(y + 1)", "at character 1: x is not a function; write x*(…)"),
        ("1 + π(y + 1)", "at character 5: pi is not a function; write pi*(…)"),
        ("(x+1)(y)", "at character 1: an operator is missing before a bracket; write (…)*(…)"),
        ("y = x", 'at character 3: unexpected "="; write < or > for two classes, or the expression '
         "for y alone"),
        ("x > 0 && y > 0", 'at character 7: unexpected "&&"; write and'),
        ("x[0]", 'at character 2: unexpected "["; write ('),
        ("x.real", 'at character 2: unexpected "."; it has no meaning here'),
        ("x // 2", 'at character 3: unexpected "//"; it has no meaning here'),
        ("sin(x, y)", "at character 1: sin takes one number, not 2"),
        ("1 + min(x)", "at character 5: min takes two numbers or more, not 1"),
        ("x, y", "at character 1: a number is expected"),
        ("min(*x)", "at character 5: a number is expected"),
        ("x and y > 0", "at character 1: a comparison is expected, such as y > 0; this is a "
         "number"),
        ("x + (y > 2)", "at character 6: a number is expected; this is a comparison"),
        ("", "is empty: write one such as y > sin(3*x)"),
        ("x" * 201, "must have at most 200 characters; got 201"),
        ("-" * 199 + "x", "must have fewer nested brackets and operations"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_its_place(text, message):
    with pytest.raises(InvalidArgumentError) as caught:
        toy.formula(text)
    assert str(caught.value) == f"formula {message}"


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "lambda: x", "x if x else y", "True", "x.__class__", "'x'", "exec(x)",
     "x;y", "[x for x in y]", "(x := 2)", "f'{x}'", "2j", "0x10", "1_000", "x\0", "x\\", "`x`",
     "x@y", "...", "(" * 199, "(" * 99 + "x" + ")" * 98, "await x", "1.2.3and", "é", "😀"],
)  # fmt: skip
def test_nothing_else_is_evaluated(text):
    with pytest.raises(InvalidArgumentError):
        Formula(text)


@given(st.text(max_size=MAX_LENGTH + 1) | st.text("xy0129.+-*/^()<>=,einpsadot π²", max_size=60))
def test_any_text_is_a_formula_or_refused(text):
    with suppress(InvalidArgumentError):
        assert Formula(text)(*POINTS).shape == (40,)


def test_a_number_of_any_size_takes_no_time_and_no_memory():
    assert np.isinf(Formula("9^9^9^9^9")(np.zeros(3), np.zeros(3))).all()
    assert np.isinf(Formula("9" * 198 + "^9")(np.zeros(3), np.zeros(3))).all()


def test_a_text_is_asked_for():
    with pytest.raises(InvalidTypeError) as caught:
        toy.formula(3)
    assert str(caught.value) == "formula must be a string; got 3"


def test_two_classes():
    X, y = toy.formula("y > sin(3*x)", 300, 0.0, np.random.default_rng(0))
    assert X.shape == (300, 2)
    assert np.abs(X).max() <= 1.5
    assert y.dtype == np.int64
    assert np.array_equal(y, (X[:, 1] > np.sin(3 * X[:, 0])).astype(int))


def test_a_surface_and_a_curve():
    X, y = toy.formula("sin(3*x) * y", 50, 0.0, np.random.default_rng(0))
    assert X.shape == (50, 2)
    assert np.array_equal(y, np.sin(3 * X[:, 0]) * X[:, 1])
    X, y = toy.formula("abs(sin(3*x))", 50, 0.0, np.random.default_rng(0))
    assert X.shape == (50, 1)
    assert (np.diff(X[:, 0]) > 0).all()
    assert np.array_equal(y, np.abs(np.sin(3 * X[:, 0])))
    assert toy.formula("cos(y)", 50)[0].shape == (50, 2)
    assert toy.formula("x > 0", 50)[0].shape == (50, 2)


@pytest.mark.parametrize(("text", "column"), [("x > y", 0), ("x*y", 1), ("x^2", 1)])
def test_noise_has_the_standard_deviation_that_is_asked_for(text, column):
    clean, noisy = (
        np.asarray(toy.formula(text, 2000, noise, np.random.default_rng(0))[column])
        for noise in (0.0, 0.2)
    )
    assert (noisy - clean).std() == pytest.approx(0.2, rel=0.05)  # of 2000: 1.6 %, times three


def test_points_without_a_value_are_left_out():
    X, y = toy.formula("log(x) + y", 1000, 0.0, np.random.default_rng(0))
    assert 430 < len(X) < 570  # half of them, and four standard deviations
    assert (X[:, 0] > 0).all()
    assert np.isfinite(y).all()
    X, y = toy.formula("log(x) < y", 1000, 0.0, np.random.default_rng(0))
    assert (X[:, 0] > 0).all()
    assert np.array_equal(y, np.log(X[:, 0]) < X[:, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("log(-1 - x^2)", "formula has a finite value at only 0 of 200 points with x and y between "
         "-1.5 and 1.5"),
        ("x * 1e300", "formula has a finite value at only 0 of 200 points with x and y between "
         "-1.5 and 1.5"),
        ("x^2 >= 0", "formula is true at all 200 points with x and y between -1.5 and 1.5: there "
         "is nothing to learn"),
        ("y > 2", "formula is false at all 200 points with x and y between -1.5 and 1.5: there is "
         "nothing to learn"),
        ("sin(x)^2 + cos(x)^2", "formula is 1 at all 200 points with x and y between -1.5 and 1.5: "
         "there is nothing to learn"),
    ],
)  # fmt: skip
def test_a_formula_that_teaches_nothing(text, message):
    with pytest.raises(InvalidDataError) as caught:
        toy.formula(text)
    assert str(caught.value) == message
