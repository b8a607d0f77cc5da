"""What every activation and output function promises: formulas, range and kinks that are true."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pytest

from multilayer import architecture
from multilayer.numpy import ACTIVATIONS, INITIALIZERS, OUTPUTS
from multilayer.numpy.activations import Elementwise

NORMAL = NormalDist()


def logistic(z):
    return 1 / (1 + math.exp(-z))


def gelu_u(z):
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


class Row(NamedTuple):
    """An activation's two formulas as it writes them, and both again in Python."""

    formula: str
    value: object
    derivative_formula: str
    derivative: object


# Of one number z, with a = σ(z).
ELEMENTWISE = {
    "identity": Row("z", lambda z: z, "1", lambda z, a: 1),
    "relu": Row(
        "max(0, z)", lambda z: max(0, z), "1 if z > 0 else 0", lambda z, a: 1 if z > 0 else 0
    ),
    "leaky_relu": Row(
        "z if z > 0 else 0.01 z",
        lambda z: z if z > 0 else 0.01 * z,
        "1 if z > 0 else 0.01",
        lambda z, a: 1 if z > 0 else 0.01,
    ),
    "elu": Row(
        "z if z > 0 else eᶻ − 1",
        lambda z: z if z > 0 else math.exp(z) - 1,
        "1 if z > 0 else a + 1",
        lambda z, a: 1 if z > 0 else a + 1,
    ),
    "selu": Row(
        "λ z if z > 0 else λ α (eᶻ − 1), λ ≈ 1.0507, α ≈ 1.6733",
        lambda z: 1.0507 * z if z > 0 else 1.0507 * 1.6733 * (math.exp(z) - 1),
        "λ if z > 0 else a + λ α",
        lambda z, a: 1.0507 if z > 0 else a + 1.0507 * 1.6733,
    ),
    "gelu": Row(
        "z Φ(z)",
        lambda z: z * NORMAL.cdf(z),
        "Φ(z) + z φ(z)",
        lambda z, a: NORMAL.cdf(z) + z * NORMAL.pdf(z),
    ),
    "gelu_tanh": Row(
        "z/2 (1 + tanh u), u = √(2/π) (z + 0.044715 z³)",
        lambda z: z / 2 * (1 + math.tanh(gelu_u(z))),
        "s + 2 z s (1 − s) u', s = (1 + tanh u)/2",
        lambda z, a: (
            (s := (1 + math.tanh(gelu_u(z))) / 2)
            # u' is the reader's to work out.
            + 2 * z * s * (1 - s) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
        ),
    ),
    "silu": Row(
        "z s(z), s(z) = 1/(1 + e⁻ᶻ)",
        lambda z: z * logistic(z),
        "s + a (1 − s)",
        lambda z, a: logistic(z) + a * (1 - logistic(z)),
    ),
    "mish": Row(
        "z tanh(log(1 + eᶻ))",
        lambda z: z * math.tanh(math.log(1 + math.exp(z))),
        "tanh p + z (1 − tanh² p)/(1 + e⁻ᶻ), p = log(1 + eᶻ)",
        lambda z, a: (
            math.tanh(p := math.log(1 + math.exp(z)))
            + z * (1 - math.tanh(p) ** 2) / (1 + math.exp(-z))
        ),
    ),
    "softplus": Row(
        "log(1 + eᶻ)",
        lambda z: math.log(1 + math.exp(z)),
        "1/(1 + e⁻ᶻ)",
        lambda z, a: 1 / (1 + math.exp(-z)),
    ),
    "softsign": Row(
        "z/(1 + |z|)",
        lambda z: z / (1 + abs(z)),
        "1/(1 + |z|)²",
        lambda z, a: 1 / (1 + abs(z)) ** 2,
    ),
    "sigmoid": Row(
        "1/(1 + e⁻ᶻ)", lambda z: 1 / (1 + math.exp(-z)), "a (1 − a)", lambda z, a: a * (1 - a)
    ),
    "tanh": Row(
        "(eᶻ − e⁻ᶻ)/(eᶻ + e⁻ᶻ)",
        lambda z: (math.exp(z) - math.exp(-z)) / (math.exp(z) + math.exp(-z)),
        "1 − a²",
        lambda z, a: 1 - a**2,
    ),
    "hard_tanh": Row(
        "min(1, max(−1, z))",
        lambda z: min(1, max(-1, z)),
        "1 if |z| < 1 else 0",
        lambda z, a: 1 if abs(z) < 1 else 0,
    ),
    "exp": Row("eᶻ", math.exp, "a", lambda z, a: a),
}

# Of a sample's row z, with a = σ(z) and the gradient da.
ROWWISE = {
    "softmax": Row(
        "eᶻ / Σ eᶻ",
        lambda z: np.exp(z) / np.exp(z).sum(),
        "dz = a (da − Σ da a)",
        lambda z, a, da: a * (da - (da * a).sum()),
    ),
    "log_softmax": Row(
        "z − log Σ eᶻ",
        lambda z: z - math.log(np.exp(z).sum()),
        "dz = da − eᵃ Σ da",
        lambda z, a, da: da - np.exp(a) * da.sum(),
    ),
}

EVERY = {**ACTIVATIONS, **OUTPUTS}

# λ and α of selu are written to four decimals, of which they are right to half a unit.
ROUNDED = {"selu": 5e-4}


def test_every_activation_has_a_row(assert_rows):
    assert_rows(EVERY, {**ELEMENTWISE, **ROWWISE})


def test_the_architectures_names_are_the_engines():
    assert list(architecture.ACTIVATIONS) == list(ACTIVATIONS)
    assert list(architecture.OUTPUTS) == list(OUTPUTS)


def test_the_architectures_normalizations_are_the_engines():
    from multilayer.numpy.assembly import NORMALIZATIONS

    assert list(architecture.NORMALIZATIONS) == list(NORMALIZATIONS)


@pytest.mark.parametrize("name", list(EVERY))
def test_its_docstring_has_a_formula(name, assert_documented):
    assert_documented(type(EVERY[name]))


@pytest.mark.parametrize("name", list(ELEMENTWISE))
def test_elementwise_formulas_are_true(name):
    row, activation = ELEMENTWISE[name], EVERY[name]
    assert isinstance(activation, Elementwise)
    assert (activation.formula, activation.derivative_formula) == (
        row.formula,
        row.derivative_formula,
    )
    z = np.linspace(-7.3, 7.3, 101).reshape(1, -1)  # no kink among them
    a = activation.forward(z)
    written = [row.value(x) for x in z[0].tolist()]
    # As written the formulas lose some digits: e^7 − e^−7 over 1 + tanh, and the like.
    tolerance = ROUNDED.get(name, 1e-12)
    np.testing.assert_allclose(a[0], written, rtol=tolerance, atol=tolerance)
    slopes = [row.derivative(x, y) for x, y in zip(z[0].tolist(), a[0].tolist(), strict=True)]
    dz = activation.backward(np.full_like(z, 2.0), z, a)
    np.testing.assert_allclose(dz[0] / 2, slopes, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", list(ROWWISE))
def test_rowwise_formulas_are_true(name):
    row, activation = ROWWISE[name], EVERY[name]
    assert (activation.formula, activation.derivative_formula) == (
        row.formula,
        row.derivative_formula,
    )
    rng = np.random.default_rng(0)
    z, da = 3 * rng.normal(size=(20, 4)), rng.normal(size=(20, 4))
    a = activation.forward(z)
    dz = activation.backward(da, z, a)
    for i in range(len(z)):
        np.testing.assert_allclose(a[i], row.value(z[i]), rtol=1e-12)
        np.testing.assert_allclose(dz[i], row.derivative(z[i], a[i], da[i]), rtol=1e-12)


# Ranges ----------------------------------------------------------------------------------------


def interval(text):
    """Read ``(−1.7581, ∞)``: both ends, whether each belongs to it, and how exactly it is written.

    An end of four decimals is right to half a unit of the fourth.
    """
    low, high = text[1:-1].replace("−", "-").replace("∞", "inf").split(", ")
    n_decimals = max(len(end.partition(".")[2]) for end in (low, high))
    error = 0.5 * 10**-n_decimals if n_decimals else 0.0
    assert text[0] in "[("
    assert text[-1] in "])"
    return float(low), float(high), text[0] == "[", text[-1] == "]", error


NEAR = np.linspace(-5, 5, 3000)
"""Where no value is so near to an end that it is rounded to it."""
FAR = np.concatenate([NEAR, np.linspace(-1e5, 1e5, 3000)])


def values(activation, numbers):
    """Evaluate on the numbers, in rows of 1, 2 and 3 features, small beside large ones."""
    numbers = np.random.default_rng(0).permutation(numbers)
    return np.concatenate(
        [activation.forward(numbers.reshape(-1, width)).ravel() for width in (1, 2, 3)]
    )


@pytest.mark.parametrize("name", list(EVERY))
def test_values_lie_within_the_range(name):
    low, high, low_closed, high_closed, error = interval(EVERY[name].range)
    far, near = values(EVERY[name], FAR), values(EVERY[name], NEAR)
    assert np.isfinite(far).all()
    assert far.min() >= low - error
    assert far.max() <= high + error
    # Far out an open end is reached by rounding; near 0 it must not be.
    assert near.min() > low - error or low_closed
    assert near.max() < high + error or high_closed
    assert not np.isinf(low) or not low_closed
    assert not np.isinf(high) or not high_closed


@pytest.mark.parametrize("name", list(EVERY))
def test_the_range_is_no_wider_than_the_values(name):
    low, high, low_closed, high_closed, error = interval(EVERY[name].range)
    far = values(EVERY[name], FAR)
    for end, extreme, closed in ((low, far.min(), low_closed), (high, far.max(), high_closed)):
        if np.isinf(end):
            assert abs(extreme) > 900  # leaky_relu is 0.01 z below 0
        else:
            # 1e-5 is softsign's distance from 1 at 1e5, and the grid's from a minimum.
            assert abs(extreme - end) <= error + 1.1e-5 + 1e-12 * closed


# Kinks -----------------------------------------------------------------------------------------


def jumps(activation, points, h=1e-4):
    """Return how much σ' and σ'' jump at each point, by one-sided differences of σ'."""

    def slope(z):
        z = z.reshape(1, -1)
        return activation.backward(np.ones_like(z), z, activation.forward(z))[0]

    left = (slope(points - h) - slope(points - 2 * h)) / h
    right = (slope(points + 2 * h) - slope(points + h)) / h
    return np.maximum(np.abs(slope(points + h) - slope(points - h)), np.abs(right - left))


@pytest.mark.parametrize("name", list(ELEMENTWISE))
def test_kinks_are_where_the_second_derivative_jumps_and_nowhere_else(name):
    activation = EVERY[name]
    kinks = np.array(activation.kinks)
    # A jump of σ'' by 1 (elu) or of σ' by 0.99 (leaky_relu) is the smallest there is; elsewhere the
    # differences leave some h = 1e-4 times the third derivative.
    assert (jumps(activation, kinks) > 0.5).all() if len(kinks) else True
    grid = np.linspace(-4, 4, 801)  # −1, 0 and 1 are among them
    smooth = grid[[np.abs(kinks - z).min(initial=np.inf) > 0.005 for z in grid]]
    scale = 1 + np.abs(activation.forward(smooth.reshape(1, -1))[0])  # exp's grow with it
    assert (jumps(activation, smooth) < 0.01 * scale).all()


@pytest.mark.parametrize("name", list(ROWWISE))
def test_rowwise_functions_are_smooth(name):
    assert EVERY[name].kinks == ()


# Initializers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(EVERY))
def test_its_initializer_is_one(name):
    assert EVERY[name].initializer in INITIALIZERS


@pytest.mark.parametrize("name", ["identity", "relu", "selu"])
def test_its_initializer_keeps_the_size_of_what_goes_through(name):
    # n Var(W) E[σ(z)²] = 1 for normal z: where that is so exactly, by the derivation.
    W = INITIALIZERS[EVERY[name].initializer]().weights(500, 500, np.random.default_rng(0))
    z = np.array([[NORMAL.inv_cdf((i + 0.5) / 10_000) for i in range(10_000)]])
    passed = 500 * W.var() * (EVERY[name].forward(z) ** 2).mean()
    # The deviation of the variance of 250,000 weights is 0.3 %, the grid's error less.
    assert passed == pytest.approx(1, abs=0.015)
