"""Losses and their gradients against PyTorch and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn import metrics

from multilayer.numpy import (
    LOSSES,
    NLL,
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    GroupedCrossEntropy,
    Huber,
    Poisson,
    Quantile,
    SquaredError,
)

# Sums of some dozens of numbers of size 10 at most, each rounded at 1.1e-16 of its size.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}

N_SAMPLES = 17

CASES = {
    "squared_error": (SquaredError(), 3),
    "squared_error, one output": (SquaredError(), 1),
    "absolute_error": (AbsoluteError(), 3),
    "huber": (Huber(), 3),
    "huber, narrow": (Huber(delta=0.3), 2),
    "huber, wide": (Huber(delta=50.0), 2),
    "quantile": (Quantile(), 3),
    "quantile, one": (Quantile((0.9,)), 2),
    "quantile, several": (Quantile((0.1, 0.5, 0.8)), 6),
    "poisson": (Poisson(), 3),
    "cross_entropy": (CrossEntropy(), 4),
    "cross_entropy, two classes": (CrossEntropy(), 2),
    "cross_entropy, smooth": (CrossEntropy(label_smoothing=0.1), 4),
    "grouped_cross_entropy": (GroupedCrossEntropy(), 4),
    "grouped_cross_entropy, several": (GroupedCrossEntropy((2, 4, 3)), 9),
    "grouped_cross_entropy, smooth": (GroupedCrossEntropy((3, 2), label_smoothing=0.2), 5),
    "nll": (NLL(), 4),
    "binary_cross_entropy": (BinaryCrossEntropy(), 3),
    "binary_cross_entropy, one label": (BinaryCrossEntropy(), 1),
    "binary_cross_entropy, smooth": (BinaryCrossEntropy(label_smoothing=0.2), 3),
}


def sample_weights(rng, n_samples=N_SAMPLES):
    """Weights that differ, some of them zero."""
    return np.where(rng.random(n_samples) < 0.2, 0.0, rng.uniform(0.1, 3.0, size=n_samples))


def predictions(loss, out_features, rng, scale=1.0):
    p = scale * rng.normal(size=(N_SAMPLES, out_features))
    if loss.name == "nll":  # log-probabilities
        p = torch.log_softmax(torch.from_numpy(p), dim=1).numpy()
    return p


@pytest.fixture
def assert_agrees(torch_losses, torch_mean):
    """Compare a loss's value and gradient with PyTorch's."""

    def compare(loss, p, y, weight=None):
        leaf = torch.from_numpy(p.copy()).requires_grad_()
        expected = torch_mean(torch_losses[loss.name](loss, leaf, torch.from_numpy(y)), weight)
        (expected_gradient,) = torch.autograd.grad(expected, leaf)
        value, gradient = loss(p, y, weight)
        np.testing.assert_allclose(value, expected.item(), **CLOSE)
        np.testing.assert_allclose(gradient, expected_gradient.numpy(), **CLOSE)

    return compare


def test_every_loss_has_an_oracle_and_a_case(torch_losses):
    assert set(LOSSES) - set(torch_losses) == set()
    assert set(LOSSES) - {loss.name for loss, _ in CASES.values()} == set()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_equal_torch(case, scale, weighted, assert_agrees, draw_targets):
    loss, out_features = CASES[case]
    rng = np.random.default_rng(0)
    p = predictions(loss, out_features, rng, scale)
    y = draw_targets(loss, N_SAMPLES, out_features, rng)
    assert_agrees(loss, p, y, sample_weights(rng) if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_cross_entropy_of_probabilities_equals_torch(
    scale, label_smoothing, weighted, assert_agrees
):
    rng = np.random.default_rng(1)
    p = scale * rng.normal(size=(N_SAMPLES, 5))
    y = rng.dirichlet(np.ones(5), size=N_SAMPLES)
    loss = CrossEntropy(label_smoothing=label_smoothing)
    assert_agrees(loss, p, y, sample_weights(rng) if weighted else None)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_labels_and_their_one_hot_probabilities_give_the_same(label_smoothing):
    rng = np.random.default_rng(2)
    loss = CrossEntropy(label_smoothing=label_smoothing)
    p, y = rng.normal(size=(N_SAMPLES, 4)), rng.integers(4, size=N_SAMPLES)
    value, gradient = loss(p, y)
    of_matrix, gradient_of_matrix = loss(p, np.eye(4)[y])
    np.testing.assert_allclose(value, of_matrix, **CLOSE)
    np.testing.assert_allclose(gradient, gradient_of_matrix, **CLOSE)


@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()], ids=lambda loss: loss.name)
def test_confident_logits_stay_exact(loss, assert_agrees):
    """Where exp(z) overflows and 1 - p is 0, the logarithms are still right."""
    p = np.array([[1e3, -1e3], [-800.0, 0.0], [0.0, 800.0], [40.0, -40.0]])
    wrong = np.array([1, 0, 0, 1])
    y = wrong if loss.name == "cross_entropy" else np.eye(2)[wrong]
    assert_agrees(loss, p, y)


@pytest.mark.parametrize(
    ("loss", "residuals"),
    [
        (AbsoluteError(), [-1.0, 0.0, 1.0]),
        (Quantile((0.3,)), [-1.0, 0.0, 1.0]),
        (Huber(delta=1.0), [-1.0, 0.0, 1.0, np.nextafter(1.0, 2), np.nextafter(1.0, 0)]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_subgradient_at_a_kink_equals_torch(loss, residuals, assert_agrees):
    p = np.array(residuals).reshape(-1, 1)
    assert_agrees(loss, p, np.zeros_like(p))


# scikit-learn's metrics, a second oracle that knows nothing of gradients ------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("quantiles", [(0.5,), (0.05, 0.5, 0.9)])
def test_quantile_is_the_sum_of_sklearns_pinball_losses(quantiles, weighted):
    rng = np.random.default_rng(3)
    y = rng.normal(size=(N_SAMPLES, 2))
    p = rng.normal(size=(N_SAMPLES, 2 * len(quantiles)))
    weight = sample_weights(rng) if weighted else None
    expected = sum(
        metrics.mean_pinball_loss(
            y, p[:, i :: len(quantiles)], alpha=tau, sample_weight=weight, multioutput="raw_values"
        ).sum()
        for i, tau in enumerate(quantiles)
    )
    np.testing.assert_allclose(Quantile(quantiles)(p, y, weight)[0], expected, **CLOSE)


@pytest.mark.parametrize("weighted", [False, True])
def test_poisson_is_half_of_sklearns_deviance(weighted):
    rng = np.random.default_rng(4)
    p, y = rng.normal(size=(N_SAMPLES, 2)), rng.poisson(1.5, size=(N_SAMPLES, 2))
    assert (y == 0).any()  # where y log y takes its limit, 0
    weight = sample_weights(rng) if weighted else None
    expected = sum(
        metrics.mean_poisson_deviance(y[:, k], np.exp(p[:, k]), sample_weight=weight) / 2
        for k in range(2)
    )
    np.testing.assert_allclose(Poisson()(p, y, weight)[0], expected, **CLOSE)


def test_poisson_of_the_right_rates_is_zero_and_torchs_full_likelihood_differs_by_a_constant():
    rng = np.random.default_rng(5)
    y = rng.poisson(3.0, size=(N_SAMPLES, 1)) + 1.0
    value, gradient = Poisson()(np.log(y), y)
    # exp(log y) - y rounds at 1e-16 of y, which is 10 at most.
    np.testing.assert_allclose(value, 0, atol=1e-14)
    np.testing.assert_allclose(gradient, 0, atol=1e-14)

    torch_loss = torch.nn.PoissonNLLLoss(log_input=True, full=True, reduction="mean")

    def difference():
        z = rng.normal(size=y.shape)
        expected = torch_loss(torch.from_numpy(z), torch.from_numpy(y)).item()
        return Poisson()(z, y)[0] - expected

    np.testing.assert_allclose(difference(), difference(), **CLOSE)


@pytest.mark.parametrize("weighted", [False, True])
def test_regression_losses_equal_sklearns_metrics(weighted):
    rng = np.random.default_rng(6)
    p, y = rng.normal(size=(2, N_SAMPLES, 3))
    weight = sample_weights(rng) if weighted else None
    for loss, metric, factor in (
        (SquaredError(), metrics.mean_squared_error, 0.5),
        (AbsoluteError(), metrics.mean_absolute_error, 1.0),
    ):
        errors = metric(y, p, sample_weight=weight, multioutput="raw_values")
        np.testing.assert_allclose(loss(p, y, weight)[0], factor * errors.sum(), **CLOSE)


@pytest.mark.parametrize("weighted", [False, True])
def test_classification_losses_equal_sklearns_log_loss(weighted):
    rng = np.random.default_rng(7)
    z, y = rng.normal(size=(N_SAMPLES, 3)), rng.integers(3, size=N_SAMPLES)
    weight = sample_weights(rng) if weighted else None
    log_probabilities = torch.log_softmax(torch.from_numpy(z), dim=1).numpy()
    expected = metrics.log_loss(
        y, np.exp(log_probabilities), sample_weight=weight, labels=[0, 1, 2]
    )
    np.testing.assert_allclose(CrossEntropy()(z, y, weight)[0], expected, **CLOSE)
    np.testing.assert_allclose(NLL()(log_probabilities, y, weight)[0], expected, **CLOSE)


# What the weights mean ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_whole_weights_count_a_sample_so_many_times(case, draw_targets):
    loss, out_features = CASES[case]
    rng = np.random.default_rng(8)
    p = predictions(loss, out_features, rng)
    y = draw_targets(loss, N_SAMPLES, out_features, rng)
    times = rng.integers(4, size=N_SAMPLES)
    rows = np.repeat(np.arange(N_SAMPLES), times)
    value, gradient = loss(p, y, times)
    of_repeated, gradient_of_repeated = loss(p[rows], y[rows])
    summed = np.zeros_like(gradient)
    np.add.at(summed, rows, gradient_of_repeated)
    np.testing.assert_allclose(value, of_repeated, **CLOSE)
    np.testing.assert_allclose(gradient, summed, **CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_float32_stays_float32_and_near_float64(case, draw_targets):
    loss, out_features = CASES[case]
    rng = np.random.default_rng(9)
    p = predictions(loss, out_features, rng).astype(np.float32)
    y = draw_targets(loss, N_SAMPLES, out_features, rng)
    if y.dtype == np.float64:
        y = y.astype(np.float32)
    weight = sample_weights(rng).astype(np.float32)
    value, gradient = loss(p, y, weight)
    expected, expected_gradient = loss(p.astype(np.float64), y, weight)
    assert gradient.dtype == np.float32
    # float32 rounds at 6e-8, and some dozens of numbers of size 1 to 10 are added.
    np.testing.assert_allclose(value, expected, rtol=2e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=2e-6, atol=1e-6)
