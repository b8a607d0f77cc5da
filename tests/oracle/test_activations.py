"""Activations and output functions against PyTorch's autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from multilayer.numpy import ACTIVATIONS, OUTPUTS

# Both sides round at 1.1e-16. Sums over a row, 1 - a·a near a = 1 and the subtraction of a row's
# maximum of up to 1e4 lose three to four digits of that at most.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def reference(function, z, da):
    """Return σ(z) and its vector–Jacobian product with da, as PyTorch has them."""
    leaf = torch.from_numpy(z).requires_grad_()
    a = function(leaf)
    (dz,) = torch.autograd.grad(a, leaf, torch.from_numpy(da))
    return a.detach().numpy(), dz.numpy()


def assert_agrees(activation, function, z, da):
    a = activation.forward(z)
    dz = activation.backward(da, z, a)
    expected_a, expected_dz = reference(function, z, da)
    np.testing.assert_allclose(a, expected_a, **CLOSE)
    np.testing.assert_allclose(dz, expected_dz, **CLOSE)


def test_every_activation_has_an_oracle(torch_activations):
    assert set(ACTIVATIONS) - set(torch_activations) == set()


def test_every_output_has_an_oracle(torch_outputs):
    assert set(OUTPUTS) - set(torch_outputs) == set()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 5.0, 30.0, 1e3])
@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_activation_equals_torch(name, scale, torch_activations):
    rng = np.random.default_rng(0)
    z, da = scale * rng.normal(size=(40, 7)), rng.normal(size=(40, 7))
    assert_agrees(ACTIVATIONS[name], torch_activations[name], z, da)


@settings(max_examples=60)
@given(z=arrays(np.float64, (2, 3), elements=st.floats(-1e4, 1e4)))
@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_activation_equals_torch_wherever_it_is_looked_for(name, z, torch_activations):
    da = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 3.0]])
    assert_agrees(ACTIVATIONS[name], torch_activations[name], z, da)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_activation_equals_torch_at_kinks_and_around_them(name, torch_activations):
    """A kink has many subgradients; the one that PyTorch takes is taken."""
    kinks = np.array([-1.0, -0.0, 0.0, 1.0])
    z = np.concatenate([kinks, np.nextafter(kinks, 2), np.nextafter(kinks, -2)]).reshape(-1, 2)
    assert_agrees(ACTIVATIONS[name], torch_activations[name], z, np.full_like(z, 3.0))


# Far below 0 these are next to nothing, and an absolute tolerance would say nothing of them.
TAILS = {
    "elu": lambda z: z * special.exprel(z),
    "sigmoid": special.expit,
    "softplus": lambda z: -special.log_expit(-z),
    "silu": lambda z: z * special.expit(z),
    "gelu": lambda z: z / 2 * special.erfc(-z / np.sqrt(2)),
    "mish": lambda z: z * np.tanh(-special.log_expit(-z)),
}


@pytest.mark.parametrize("name", TAILS)
def test_small_values_have_all_their_digits(name):
    z = np.concatenate([-np.linspace(0.1, 30, 200), -np.logspace(-12, -1, 50)]).reshape(-1, 2)
    # exp(-z²/2) at z = -30 rounds at 450 times 1.1e-16, the worst of these.
    np.testing.assert_allclose(ACTIVATIONS[name].forward(z), TAILS[name](z), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("name", "z", "slope"),
    [
        ("relu", 0.0, 0.0),
        ("leaky_relu", 0.0, 0.01),
        ("elu", 0.0, 1.0),
        ("softsign", 0.0, 1.0),
        ("hard_tanh", -1.0, 0.0),
        ("hard_tanh", 1.0, 0.0),
    ],
)
def test_slope_at_a_kink_is_the_documented_one(name, z, slope):
    activation = ACTIVATIONS[name]
    array = np.array([[z]])
    dz = activation.backward(np.ones((1, 1)), array, activation.forward(array))
    assert dz.item() == slope


@pytest.mark.parametrize("scale", [1.0, 30.0, 200.0])
@pytest.mark.parametrize("name", list(OUTPUTS))
def test_output_equals_torch(name, scale, torch_outputs):
    rng = np.random.default_rng(1)
    # Up to 700: beyond, exp overflows in PyTorch, and is held back here.
    z = np.clip(scale * rng.normal(size=(40, 5)), -700, 700)
    assert_agrees(OUTPUTS[name], torch_outputs[name], z, rng.normal(size=(40, 5)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_stops_at_the_largest_finite_number(dtype):
    largest = np.finfo(dtype).max
    a = OUTPUTS["exp"].forward(np.array([[1e4, 1e30]], dtype=dtype))
    assert np.isfinite(a).all()
    # The exponent is within two roundings of log(largest), about 89 or 710 in size, and e to the
    # power of it is that many times less accurate.
    np.testing.assert_allclose(a, largest, rtol=4 * np.log(largest) * np.finfo(dtype).eps)


def extreme_logits(dtype):
    """Numbers of all sizes up to 1e4, by rows: alone, with their opposites, and all at once."""
    sizes = np.array([0, 1e-38, 1e-8, 1, 15, 20, 50, 88, 89, 104, 710, 1e3, 1e4], dtype=dtype)
    pairs = np.stack([sizes, -sizes], axis=1)
    return [pairs, np.stack([sizes, sizes], axis=1), -pairs, pairs.reshape(1, -1)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("registry", [ACTIVATIONS, OUTPUTS], ids=["hidden", "output"])
def test_large_numbers_neither_overflow_nor_change_the_dtype(registry, dtype):
    for name, activation in registry.items():
        for z in extreme_logits(dtype):
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                a = activation.forward(z)
                dz = activation.backward(np.ones_like(z), z, a)
            for array in (a, dz):
                assert array.dtype == dtype, name
                assert array.shape == z.shape, name
                assert np.isfinite(array).all(), name


@pytest.mark.parametrize("registry", [ACTIVATIONS, OUTPUTS], ids=["hidden", "output"])
def test_nothing_changes_its_inputs(registry):
    rng = np.random.default_rng(2)
    z, da = rng.normal(size=(2, 6, 4))
    for activation in registry.values():
        a = activation.forward(z)
        before = [array.copy() for array in (da, z, a)]
        activation.backward(da, z, a)
        for array, copy in zip((da, z, a), before, strict=True):
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_float32_is_as_near_to_float64_as_its_rounding_allows(name, torch_activations):
    rng = np.random.default_rng(3)
    z, da = (3 * rng.normal(size=(2, 40, 7))).astype(np.float32)
    expected_a, expected_dz = reference(
        torch_activations[name], z.astype(np.float64), da.astype(np.float64)
    )
    a = ACTIVATIONS[name].forward(z)
    dz = ACTIVATIONS[name].backward(da, z, a)
    # float32 rounds at 6e-8; numbers here are of size 10, and 1 - a·a or a sum loses one digit.
    np.testing.assert_allclose(a, expected_a, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(dz, expected_dz, rtol=1e-6, atol=1e-5)
