"""Optimizers step by step against PyTorch's, and L-BFGS against scikit-learn's optima."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

from multilayer import Architecture
from multilayer.numpy import (
    LBFGS,
    MLP,
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    Lion,
    NAdam,
    RMSprop,
    clip_by_norm,
    clip_by_value,
)
from multilayer.training import fit

N_STEPS = 50
N_PARAMETERS = 12

# Each of 50 steps rounds at 1.1e-16 of the parameters, which are of size 1. The rates are too small
# for steps to jump to and fro across a minimum, where differences would grow.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}

TORCH = torch.optim
CASES = {
    "sgd": (SGD(0.05), TORCH.SGD, {"lr": 0.05}),
    "sgd, momentum": (SGD(0.02, momentum=0.9), TORCH.SGD, {"lr": 0.02, "momentum": 0.9}),
    "sgd, nesterov": (
        SGD(0.02, momentum=0.8, nesterov=True),
        TORCH.SGD,
        {"lr": 0.02, "momentum": 0.8, "nesterov": True},
    ),
    "sgd, weight decay": (
        SGD(0.05, weight_decay=0.3),
        TORCH.SGD,
        {"lr": 0.05, "weight_decay": 0.3},
    ),
    "sgd, all": (
        SGD(0.02, momentum=0.7, nesterov=True, weight_decay=0.1),
        TORCH.SGD,
        {"lr": 0.02, "momentum": 0.7, "nesterov": True, "weight_decay": 0.1},
    ),
    "adam, defaults": (Adam(), TORCH.Adam, {}),
    "adam": (
        Adam(0.05, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
        TORCH.Adam,
        {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3},
    ),
    "amsgrad, defaults": (AMSGrad(), TORCH.Adam, {"amsgrad": True}),
    "amsgrad": (
        AMSGrad(0.05, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
        TORCH.Adam,
        {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "amsgrad": True},
    ),
    "adamw, defaults": (AdamW(), TORCH.AdamW, {}),
    "adamw": (
        AdamW(0.05, beta_1=0.8, beta_2=0.9, epsilon=1e-3, weight_decay=0.2),
        TORCH.AdamW,
        {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.2},
    ),
    "nadam, defaults": (NAdam(), TORCH.NAdam, {}),
    "nadam": (
        NAdam(0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-2, momentum_decay=0.1),
        TORCH.NAdam,
        {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-2, "momentum_decay": 0.1},
    ),
    "rmsprop, defaults": (RMSprop(), TORCH.RMSprop, {}),
    "rmsprop": (
        RMSprop(0.005, decay=0.8, epsilon=1e-2),
        TORCH.RMSprop,
        {"lr": 0.005, "alpha": 0.8, "eps": 1e-2},
    ),
    "adagrad, defaults": (Adagrad(), TORCH.Adagrad, {}),
    "adagrad": (Adagrad(0.2, epsilon=1e-2), TORCH.Adagrad, {"lr": 0.2, "eps": 1e-2}),
}


class Problem:
    """A random function that is neither convex nor quadratic, with a gradient of changing size."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.A = torch.from_numpy(rng.normal(size=(20, N_PARAMETERS)) / 3)
        self.B = torch.from_numpy(rng.normal(size=(20, N_PARAMETERS)) / 3)
        self.start = rng.normal(size=N_PARAMETERS)

    def value(self, theta):
        return torch.cosh(self.A @ theta).sum() + torch.sin(2 * self.B @ theta).sum()

    def gradient(self, theta):
        leaf = torch.from_numpy(theta.copy()).requires_grad_()
        return torch.autograd.grad(self.value(leaf), leaf)[0].numpy()


def path_of(optimizer, problem, rates=(None,) * N_STEPS):
    """Return θ after each step of ours."""
    theta = problem.start.copy()
    state = optimizer.initial_state(theta)
    path = []
    for rate in rates:
        optimizer.update(theta, problem.gradient(theta), state, rate)
        path.append(theta.copy())
    return np.array(path)


def torch_path_of(make, settings, problem, rates=(None,) * N_STEPS):
    """Return θ after each of PyTorch's steps."""
    theta = torch.from_numpy(problem.start.copy()).requires_grad_()
    optimizer = make([theta], **settings)
    path = []
    for rate in rates:
        if rate is not None:
            optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        problem.value(theta).backward()
        optimizer.step()
        path.append(theta.detach().numpy().copy())
    return np.array(path)


@pytest.fixture(scope="module")
def problem():
    return Problem()


def test_every_optimizer_has_an_oracle():
    tested = {type(optimizer) for optimizer, _, _ in CASES.values()} | {Lion, LBFGS}
    assert set(OPTIMIZERS.values()) - tested == set()


@pytest.mark.parametrize("case", CASES)
def test_steps_equal_torchs(case, problem):
    optimizer, make, settings = CASES[case]
    ours, theirs = path_of(optimizer, problem), torch_path_of(make, settings, problem)
    np.testing.assert_allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_steps_equal_torchs_while_the_learning_rate_changes(case, problem):
    optimizer, make, settings = CASES[case]
    rates = optimizer.learning_rate * np.random.default_rng(1).uniform(0.1, 1.5, size=N_STEPS)
    ours = path_of(optimizer, problem, rates.tolist())
    theirs = torch_path_of(make, settings, problem, rates.tolist())
    np.testing.assert_allclose(ours, theirs, **CLOSE)


def test_the_problem_tells_optimizers_apart(problem):
    """Were AMSGrad's maximum never to matter, its tests above would be Adam's."""
    cases = [case for case in CASES if "defaults" not in case]
    ends = [path_of(CASES[case][0], problem)[-1] for case in cases]
    for i, end in enumerate(ends):
        for other in ends[:i]:
            assert np.abs(end - other).max() > 1e-6


@pytest.mark.parametrize("case", CASES)
def test_entries_that_never_had_a_gradient_stay(case):
    """0/(√0 + ε) is 0: what is at rest, stays, but for weight decay."""
    optimizer, _, settings = CASES[case]
    theta = np.array([2.0, 1.0])
    state = optimizer.initial_state(theta)
    for _ in range(5):
        optimizer.update(theta, np.array([0.0, 1.0]), state)
    decays = settings.get("weight_decay", 0) or isinstance(optimizer, AdamW)
    assert (theta[0] < 2.0) if decays else (theta[0] == 2.0)


# Lion, which PyTorch does not have: closed forms ------------------------------------------------


def test_lion_moves_every_entry_by_the_learning_rate():
    gradient = np.array([3.0, -1e-6, 0.0, 250.0])
    optimizer, theta = Lion(learning_rate=0.25), np.zeros(4)
    state = optimizer.initial_state(theta)
    for step in range(1, 9):
        optimizer.update(theta, gradient, state)
        # Multiples of a quarter are exact.
        np.testing.assert_array_equal(theta, -0.25 * step * np.array([1, -1, 0, 1]))


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.99), (0.5, 0.9), (0.95, 0.98)])
@pytest.mark.parametrize("ratio", [0.05, 0.5, 3.0])
@pytest.mark.parametrize("n_before", [1, 7, 40])
def test_lion_turns_round_when_the_exponential_average_does(beta_1, beta_2, ratio, n_before):
    """After n steps of gradient 1 come gradients of -ratio.

    The average is 1 - β₂ⁿ after the first n steps, and k steps later
    β₂ᵏ (1 - β₂ⁿ) - (1 - β₂ᵏ) ratio. The step mixes it with the gradient by β₁, so it turns as soon
    as β₂ᵏ < ratio/(β₁ (1 - β₂ⁿ + ratio)).
    """
    bound = ratio / (beta_1 * (1 - beta_2**n_before + ratio))
    n_more = 0 if bound > 1 else math.ceil(math.log(bound) / math.log(beta_2))

    optimizer = Lion(learning_rate=1.0, beta_1=beta_1, beta_2=beta_2)
    theta = np.zeros(1)
    state = optimizer.initial_state(theta)
    for _ in range(n_before):
        optimizer.update(theta, np.ones(1), state)
    assert theta[0] == -n_before
    n_in_the_old_direction = 0
    while True:
        before = theta[0]
        optimizer.update(theta, np.array([-ratio]), state)
        if theta[0] > before:
            break
        n_in_the_old_direction += 1
    assert n_in_the_old_direction == n_more


def test_lion_decays_weights_geometrically_without_a_gradient():
    theta = np.array([4.0, -2.0])
    optimizer = Lion(learning_rate=0.1, weight_decay=0.5)
    state = optimizer.initial_state(theta)
    for rate in (0.1, 0.2, 0.3):
        optimizer.update(theta, np.zeros(2), state, rate)
    # Three roundings.
    np.testing.assert_allclose(theta, np.array([4.0, -2.0]) * 0.95 * 0.9 * 0.85, rtol=1e-15)


# Clipping ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [1e-3, 0.5, 1.0, 3.0, 1e3])
def test_clip_by_norm_equals_torch(max_norm):
    gradient = np.random.default_rng(2).normal(size=30)
    parameter = torch.zeros(30, dtype=torch.float64, requires_grad=True)
    parameter.grad = torch.from_numpy(gradient.copy())
    norm = torch.nn.utils.clip_grad_norm_([parameter], max_norm).item()
    # PyTorch divides by norm + 1e-6, so its result is shorter by that share.
    np.testing.assert_allclose(
        clip_by_norm(gradient, max_norm), parameter.grad.numpy(), rtol=1.01e-6 / norm
    )


def test_clip_by_norm_keeps_direction_and_reaches_the_norm():
    gradient = np.random.default_rng(3).normal(size=30)
    clipped = clip_by_norm(gradient, 0.25)
    # A square root and a quotient, each rounded once, and a sum of 30 squares.
    np.testing.assert_allclose(np.linalg.norm(clipped), 0.25, rtol=1e-14)
    np.testing.assert_allclose(clipped / 0.25, gradient / np.linalg.norm(gradient), rtol=1e-14)
    np.testing.assert_array_equal(clip_by_norm(np.zeros(3), 0.25), np.zeros(3))


@pytest.mark.parametrize("max_value", [1e-3, 0.5, 1.0, 1e3])
def test_clip_by_value_equals_torch(max_value):
    gradient = np.random.default_rng(4).normal(size=30)
    parameter = torch.zeros(30, dtype=torch.float64, requires_grad=True)
    parameter.grad = torch.from_numpy(gradient.copy())
    torch.nn.utils.clip_grad_value_([parameter], max_value)
    np.testing.assert_array_equal(clip_by_value(gradient, max_value), parameter.grad.numpy())


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
def test_clipping_leaves_its_input_alone(clip):
    gradient = np.array([3.0, -4.0])
    clip(gradient, 0.1)
    np.testing.assert_array_equal(gradient, [3.0, -4.0])


# L-BFGS on convex problems: there is one optimum, and scikit-learn finds it by other means -------

# The search ends where no entry of the gradient is above 1e-8, or where the loss changes by less
# than 64 roundings, 1.4e-14 of it. (Asked for a smaller gradient it may end in a line search that
# sees nothing but rounding.) At distance d from an optimum of curvature κ the gradient is κ d, and
# the loss ½ κ d² above its least. κ is 0.01 or more here (the penalty's alone is), so d is about
# 1e-6 at most.
OPTIMUM = {"rtol": 1e-5, "atol": 3e-6}


def linear_model(X, y, *, out_features, loss, l2, weight=None, output="identity"):
    """Return (W, b) of a network without hidden layers, trained by L-BFGS."""
    architecture = Architecture(X.shape[1], (), out_features, output=output)
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(5))
    data = (X, y) if weight is None else (X, y, weight)
    optimizer = LBFGS(tolerance=1e-8)
    history = fit(net, data, loss=loss, optimizer=optimizer, n_epochs=2000, l2=l2)
    assert history.stopped_by == "converged"
    return net.weights[0]


@pytest.fixture
def classes():
    rng = np.random.default_rng(6)
    y = rng.integers(3, size=120)
    return rng.normal(size=(3, 5))[y] + rng.normal(size=(120, 5)), y


def weights_of(n_samples, weighted):
    return np.random.default_rng(7).uniform(0.2, 3, size=n_samples) if weighted else None


def total(weight, n_samples):
    """What scikit-learn's sum of losses is divided by, to be our mean."""
    return n_samples if weight is None else weight.sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l2", [0.01, 0.3])
def test_lbfgs_of_labels_equals_logistic_regression(l2, weighted, classes):
    X, y = classes[0], (classes[1] == 0).astype(int)
    weight = weights_of(len(X), weighted)
    W, b = linear_model(X, y, out_features=1, loss="binary_cross_entropy", l2=l2, weight=weight)
    C = 1 / (l2 * total(weight, len(X)))
    expected = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12)
    expected.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(W, expected.coef_, **OPTIMUM)
    np.testing.assert_allclose(b, expected.intercept_, **OPTIMUM)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l2", [0.01, 0.3])
def test_lbfgs_of_classes_equals_logistic_regression(l2, weighted, classes):
    X, y = classes
    weight = weights_of(len(X), weighted)
    W, b = linear_model(X, y, out_features=3, loss="cross_entropy", l2=l2, weight=weight)
    C = 1 / (l2 * total(weight, len(X)))
    expected = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12)
    expected.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(W, expected.coef_, **OPTIMUM)
    # Adding one number to all biases changes no probability, and they bear no penalty.
    np.testing.assert_allclose(
        b - b.mean(), expected.intercept_ - expected.intercept_.mean(), **OPTIMUM
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_of_squared_error_equals_ridge_regression(weighted):
    rng = np.random.default_rng(8)
    X = rng.normal(size=(60, 4))
    y = X @ rng.normal(size=(4, 2)) + 3 + rng.normal(size=(60, 2))
    weight = weights_of(60, weighted)
    W, b = linear_model(X, y, out_features=2, loss="squared_error", l2=0.1, weight=weight)
    expected = Ridge(alpha=0.1 * total(weight, 60), solver="cholesky")
    expected.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(W, expected.coef_, **OPTIMUM)
    np.testing.assert_allclose(b, expected.intercept_, **OPTIMUM)


@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_of_counts_equals_poisson_regression(weighted):
    rng = np.random.default_rng(9)
    X = rng.normal(size=(80, 3))
    y = rng.poisson(np.exp(X @ [0.5, -0.4, 0.2] + 0.3))
    weight = weights_of(80, weighted)
    W, b = linear_model(X, y, out_features=1, loss="poisson", l2=0.05, weight=weight, output="exp")
    # scikit-learn's objective is half the mean deviance plus α/2 ‖w‖², as ours is.
    expected = PoissonRegressor(alpha=0.05, solver="newton-cholesky", tol=1e-12)
    expected.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(W[0], expected.coef_, **OPTIMUM)
    np.testing.assert_allclose(b[0], expected.intercept_, **OPTIMUM)
