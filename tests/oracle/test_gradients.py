"""The whole network's gradient against PyTorch's autograd through the same network.

The twin (see conftest.py) is made of PyTorch's modules and holds the network's weights. What is
compared is the loss that a user sees, penalty included, and every parameter's gradient.
"""

from functools import partial

import numpy as np
import pytest
import torch

from multilayer import Architecture
from multilayer.numpy import (
    ACTIVATIONS,
    LOSSES,
    MLP,
    SGD,
    CrossEntropy,
    Huber,
    Quantile,
    SquaredError,
)
from multilayer.torch import MLP as TorchMLP
from multilayer.training import fit

# A gradient is a chain of products and of sums over at most 60 terms, each rounded at 1.1e-16. The
# division by a standard deviation in a normalisation makes that at most 300 times worse, as ε is
# 1e-5. The absolute part is for entries that are zero but for rounding, as that of a bias before
# batch normalisation.
CLOSE = {"rtol": 1e-10, "atol": 1e-12}

N_SAMPLES = 9
IN_FEATURES = 4

KINDS = {
    "linear": {"hidden_features": ()},
    "linear without bias": {"hidden_features": (), "bias": False},
    "one layer": {"hidden_features": (6,)},
    "three layers": {"hidden_features": (5, 3, 6)},
    "one unit": {"hidden_features": (1,)},
    "without bias": {"hidden_features": (5, 4), "bias": False},
    "batch": {"hidden_features": (5, 6), "normalization": "batch"},
    "batch without bias": {"hidden_features": (5,), "normalization": "batch", "bias": False},
    "layer": {"hidden_features": (5, 6), "normalization": "layer"},
    "residual": {"hidden_features": (4, 4, 3, 3), "residual": True},
    "residual batch": {"hidden_features": (4, 5, 5), "residual": True, "normalization": "batch"},
    "residual layer": {
        "hidden_features": (4, 4),
        "residual": True,
        "normalization": "layer",
        "bias": False,
    },
}
DEEP = [kind for kind in KINDS if KINDS[kind]["hidden_features"]]

LOSS_OUTPUTS = [(name, output) for name in LOSSES for output in LOSSES[name].outputs]


def network(kind, out_features=3, seed=0, **settings):
    """A float64 network whose every parameter, γ and β too, is drawn at random."""
    architecture = Architecture(
        IN_FEATURES, out_features=out_features, **{**KINDS.get(kind, {}), **settings}
    )
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(seed))
    net.parameters[:] = np.random.default_rng(seed).normal(scale=0.6, size=net.n_parameters)
    return net


def flat(pairs):
    return [array for pair in pairs for array in pair if array is not None]


@pytest.fixture
def assert_agrees(torch_twin):
    """Compare value and gradients of a loss with autograd's."""

    def compare(net, X, y, loss, *, l1=0.0, l2=0.0, weight=None, training=True, seed=None):
        value, gradients = net.loss_and_gradients(
            X,
            y,
            loss=loss,
            l1=l1,
            l2=l2,
            sample_weight=weight,
            training=training,
            rng=None if seed is None else np.random.default_rng(seed),
        )
        twin = torch_twin(net).train(training)
        for norm, (mean, variance) in zip(twin.batch_norms(), running_pairs(net), strict=True):
            norm.running_mean.copy_(torch.from_numpy(mean))
            norm.running_var.copy_(torch.from_numpy(variance))
        mask_rng = None if seed is None or not training else np.random.default_rng(seed)
        expected = twin.objective(X, y, loss, l1=l1, l2=l2, weight=weight, mask_rng=mask_rng)
        expected.backward()
        np.testing.assert_allclose(value, expected.item(), **CLOSE)
        for array, parameter in zip(flat(gradients), twin.parameters(), strict=True):
            np.testing.assert_allclose(array, parameter.grad.numpy(), **CLOSE)

    return compare


def running_pairs(net):
    """Each batch normalisation's running mean and variance, in forward order."""
    means = [array for name, array in net.state.items() if name.endswith("running_mean")]
    variances = [array for name, array in net.state.items() if name.endswith("running_variance")]
    return list(zip(means, variances, strict=True))


def samples(seed=1, n_samples=N_SAMPLES):
    return np.random.default_rng(seed).normal(size=(n_samples, IN_FEATURES))


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_every_activation_in_every_kind_of_network(activation, kind, assert_agrees):
    net = network(kind, activation=activation)
    y = np.random.default_rng(2).integers(3, size=N_SAMPLES)
    assert_agrees(net, samples(), y, CrossEntropy())


@pytest.mark.parametrize("kind", ["linear", "one layer", "residual batch"])
@pytest.mark.parametrize(("name", "output"), LOSS_OUTPUTS)
def test_every_loss_behind_every_output(name, output, kind, assert_agrees, draw_targets):
    loss = LOSSES[name]()
    net = network(kind, activation="tanh", output=output)
    y = draw_targets(loss, N_SAMPLES, 3, np.random.default_rng(3))
    assert_agrees(net, samples(), y, loss)


@pytest.mark.parametrize(
    ("loss", "out_features"),
    [
        (Quantile((0.1, 0.5, 0.9)), 6),
        (Huber(delta=0.2), 2),
        (CrossEntropy(label_smoothing=0.2), 4),
        (SquaredError(), 1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("kind", ["linear", "three layers", "layer"])
def test_losses_with_parameters(loss, out_features, kind, assert_agrees, draw_targets):
    net = network(kind, out_features, activation="silu")
    y = draw_targets(loss, N_SAMPLES, out_features, np.random.default_rng(4))
    assert_agrees(net, samples(), y, loss)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.7), (0.2, 0.5)])
@pytest.mark.parametrize("kind", KINDS)
def test_penalties_and_sample_weights(kind, l1, l2, weighted, assert_agrees, draw_targets):
    rng = np.random.default_rng(5)
    weight = np.where(rng.random(N_SAMPLES) < 0.3, 0, rng.uniform(0.1, 4, size=N_SAMPLES))
    for name in ("cross_entropy", "squared_error", "binary_cross_entropy"):
        loss = LOSSES[name]()
        net = network(kind)
        y = draw_targets(loss, N_SAMPLES, 3, rng)
        assert_agrees(net, samples(), y, loss, l1=l1, l2=l2, weight=weight if weighted else None)


def test_penalty_of_a_weight_that_is_zero_has_gradient_zero(assert_agrees):
    """|W| has a kink there; PyTorch's subgradient is 0 too."""
    net = network("one layer")
    net.weights[0][0][:2] = 0
    assert_agrees(net, samples(), np.zeros((N_SAMPLES, 3)), SquaredError(), l1=0.5)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_an_activation_of_its_own_for_each_layer(normalization, residual, assert_agrees):
    net = network(
        None,
        hidden_features=(4, 7, 7, 5),
        activation=("gelu", "softmax", "relu", "selu"),
        normalization=normalization,
        residual=residual,
    )
    assert_agrees(net, samples(), np.random.default_rng(6).normal(size=(9, 3)), SquaredError())


@pytest.mark.parametrize("kind", [kind for kind in DEEP if "batch" in kind])
def test_prediction_mode_takes_running_statistics_as_constants(kind, assert_agrees):
    net = network(kind)
    rng = np.random.default_rng(7)
    net.set_state({name: rng.uniform(0.2, 2, size=v.shape) for name, v in net.state.items()})
    assert_agrees(net, samples(), np.zeros((N_SAMPLES, 3)), SquaredError(), training=False)


@pytest.mark.parametrize("kind", DEEP)
def test_dropout_with_the_same_mask(kind, assert_agrees):
    net = network(kind, activation="tanh", dropout=0.4)
    y = np.random.default_rng(8).integers(3, size=N_SAMPLES)
    for seed in range(3):
        assert_agrees(net, samples(), y, CrossEntropy(), l2=0.1, seed=seed)


def test_dropout_rates_by_layer_and_none_in_prediction(assert_agrees):
    net = network("three layers", activation="tanh", dropout=(0.5, 0.0, 0.2))
    y = np.zeros((N_SAMPLES, 3))
    assert_agrees(net, samples(), y, SquaredError(), seed=9)
    assert_agrees(net, samples(), y, SquaredError(), seed=9, training=False)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_with_the_same_numbers(kind, assert_agrees):
    net = network(kind, activation="gelu", noise=0.4)
    y = np.random.default_rng(8).integers(3, size=N_SAMPLES)
    for seed in range(3):
        assert_agrees(net, samples(), y, CrossEntropy(), l2=0.1, seed=seed)
    assert_agrees(net, samples(), y, CrossEntropy(), seed=9, training=False)


@pytest.mark.parametrize("noise", [(0.3, 0, 0, 0), (0, 0.3, 0, 0.2)])
def test_noise_by_layer_beside_dropout(noise, assert_agrees):
    net = network("three layers", activation="tanh", noise=noise, dropout=(0.5, 0.0, 0.2))
    assert_agrees(net, samples(), np.zeros((N_SAMPLES, 3)), SquaredError(), seed=9)


def _summed(output, x):
    return output(x).sum(dim=0)


@pytest.fixture
def assert_input_gradients_agree(torch_twin):
    """Compare the gradients in the inputs with autograd's, for both engines."""

    def compare(net, X, y, loss):
        x = torch.tensor(X, requires_grad=True)
        twin = torch_twin(net).eval()
        for norm, (mean, variance) in zip(twin.batch_norms(), running_pairs(net), strict=True):
            norm.running_mean.copy_(torch.from_numpy(mean))
            norm.running_var.copy_(torch.from_numpy(variance))
        (expected,) = torch.autograd.grad(twin.objective(x, y, loss), x)
        expected = len(X) * expected.numpy()  # of a mean
        np.testing.assert_allclose(net.input_gradients(X, y, loss=loss), expected, **CLOSE)
        other = TorchMLP.from_numpy(net)
        np.testing.assert_allclose(other.input_gradients(X, y, loss=loss), expected, **CLOSE)
        for of_logits, output in ((True, twin.logits), (False, twin)):
            # Of the sum over samples: each depends on its own inputs alone.
            sums = torch.autograd.functional.jacobian(partial(_summed, output), torch.tensor(X))
            expected = sums.transpose(0, 1).numpy()
            for each in (net, other):
                found = each.jacobian(X, of_logits=of_logits)
                np.testing.assert_allclose(found, expected, **CLOSE)

    return compare


@pytest.mark.parametrize("kind", ["three layers", "residual batch", "residual layer"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_input_gradients_of_every_activation(activation, kind, assert_input_gradients_agree):
    net = network(kind, activation=activation, output="softmax")
    rng = np.random.default_rng(7)
    net.set_state({name: rng.uniform(0.2, 2, size=v.shape) for name, v in net.state.items()})
    assert_input_gradients_agree(net, samples(), rng.integers(3, size=9), CrossEntropy())


@pytest.mark.parametrize("kind", ["linear", "one layer", "residual batch"])
@pytest.mark.parametrize(("name", "output"), LOSS_OUTPUTS)
def test_input_gradients_of_every_loss(
    name, output, kind, assert_input_gradients_agree, draw_targets
):
    loss = LOSSES[name]()
    net = network(kind, activation="tanh", output=output)
    y = draw_targets(loss, N_SAMPLES, 3, np.random.default_rng(3))
    assert_input_gradients_agree(net, samples(), y, loss)


def test_input_gradients_of_more_samples_than_go_at_once(monkeypatch):
    net, X, y = network("batch"), samples(), np.zeros((N_SAMPLES, 3))
    whole = net.input_gradients(X, y, loss="squared_error"), net.jacobian(X)
    monkeypatch.setattr("multilayer.numpy.sensitivity.CHUNK", 4)
    monkeypatch.setattr("multilayer.torch.sensitivity.CHUNK", 4)
    for each in (net, TorchMLP.from_numpy(net)):
        parts = each.input_gradients(X, y, loss="squared_error"), each.jacobian(X)
        for one, other in zip(parts, whole, strict=True):
            np.testing.assert_allclose(one, other, **CLOSE)


@pytest.mark.parametrize("settings", [{"dropout": 0.5}, {"noise": 0.5}], ids=str)
def test_nothing_is_random_in_the_gradients_in_the_inputs(settings, assert_input_gradients_agree):
    net = network("three layers", activation="tanh", **settings)
    assert_input_gradients_agree(net, samples(), np.zeros((N_SAMPLES, 3)), SquaredError())


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_expected_value(rate):
    """One hidden unit, always 1: what leaves it is 0 or 1/(1 - rate), and 1 on average."""
    net = network(None, 1, hidden_features=(1,), activation="identity", dropout=rate, bias=False)
    net.parameters[:] = 1.0
    X = np.zeros((20_000, IN_FEATURES))
    X[:, 0] = 1.0
    mean_of_outputs, _ = net.loss_and_gradients(
        X, np.zeros(len(X)), loss="absolute_error", rng=np.random.default_rng(10)
    )
    # The variance of an output is rate/(1 - rate); five standard deviations of 20,000 draws' mean.
    assert abs(mean_of_outputs - 1) < 5 * np.sqrt(rate / (1 - rate) / len(X))


@pytest.mark.parametrize("std", [0.2, 1.0])
def test_noise_on_the_inputs_of_a_linear_network_is_ridge_regression(std):
    """In the mean over the noise, the gradient is that of the penalty λ₂ = σ²."""
    net, X = network("linear"), samples()
    y = np.random.default_rng(10).normal(size=(N_SAMPLES, 3))
    _, expected = net.loss_and_gradients(X, y, loss="squared_error", l2=std**2)
    noisy = network("linear", noise=std)
    noisy.parameters[:] = net.parameters
    n = 5000  # copies of each sample, so that one batch is the mean of as many draws
    rng = np.random.default_rng(11)
    batches = [
        noisy.flatten(
            noisy.loss_and_gradients(
                np.tile(X, (n, 1)), np.tile(y, (n, 1)), loss="squared_error", rng=rng
            )[1]
        )
        for _ in range(12)
    ]
    mean, error = np.mean(batches, axis=0), np.std(batches, axis=0, ddof=1) / np.sqrt(12)
    # Student's t of 11 degrees of freedom exceeds 9 once in 400,000; there are 15 entries.
    assert (np.abs(mean - net.flatten(expected)) < 9 * error).all()
    plain = net.flatten(net.loss_and_gradients(X, y, loss="squared_error")[1])
    assert (np.abs(mean - plain) > 20 * error).any()


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("output", ["identity", "sigmoid", "softmax", "log_softmax", "exp"])
def test_outputs_of_prediction_equal_torch(kind, output, torch_twin):
    net = network(kind, output=output)
    with torch.no_grad():
        twin = torch_twin(net).eval()
        np.testing.assert_allclose(net(samples()), twin(samples()).numpy(), **CLOSE)
        np.testing.assert_allclose(net.logits(samples()), twin.logits(samples()), **CLOSE)


@pytest.mark.parametrize("batch_size", [8, 5], ids=["whole batches", "short last batch"])
@pytest.mark.parametrize("kind", [kind for kind in DEEP if "batch" in kind])
def test_running_statistics_and_predictions_after_training(kind, batch_size, torch_twin):
    net = network(kind, activation="tanh")
    X, y = samples(11, 24), np.random.default_rng(12).normal(size=(24, 3))
    loss, twin = SquaredError(), torch_twin(net)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.05)
    for _ in range(4):
        for start in range(0, 24, batch_size):
            rows = slice(start, start + batch_size)
            optimizer.zero_grad()
            twin.objective(X[rows], y[rows], loss).backward()
            optimizer.step()
    fit(
        net,
        (X, y),
        loss=loss,
        optimizer=SGD(learning_rate=0.05),
        n_epochs=4,
        batch_size=batch_size,
        shuffle=False,
    )
    # 20 steps each add the rounding of their gradient, 1e-12 at most, to the weights.
    for norm, (mean, variance) in zip(twin.batch_norms(), running_pairs(net), strict=True):
        np.testing.assert_allclose(mean, norm.running_mean, rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(variance, norm.running_var, rtol=1e-10, atol=1e-11)
    with torch.no_grad():
        expected = twin.eval()(samples(13)).numpy()
    np.testing.assert_allclose(net(samples(13)), expected, rtol=1e-10, atol=1e-11)
