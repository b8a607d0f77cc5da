"""What PyTorch computes for each name of the package: the oracles that these tests share.

Test modules cannot import one another, so the oracles come to them as fixtures. They are written
with PyTorch's own functions and modules, and take nothing from the engine but its numbers.
"""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

TORCH_ACTIVATIONS = {
    "identity": nn.Identity(),
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    # Above its threshold, 20 by default, PyTorch replaces softplus by z, an error of 2e-9. Where
    # z > 700 the two are equal in float64, and below that exp(z) does not overflow.
    "softplus": partial(F.softplus, threshold=700),
    "softsign": F.softsign,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hard_tanh": F.hardtanh,
    "softmax": partial(F.softmax, dim=1),
    "log_softmax": partial(F.log_softmax, dim=1),
}

TORCH_OUTPUTS = {
    "identity": nn.Identity(),
    "sigmoid": torch.sigmoid,
    "softmax": partial(F.softmax, dim=1),
    "log_softmax": partial(F.log_softmax, dim=1),
    "exp": torch.exp,
}


def _pinball(loss, p, y):
    """The slopes of the pinball loss as two relus; each target has neighbouring quantiles."""
    tau = torch.tensor(loss.quantiles, dtype=p.dtype)
    residual = y[:, :, None] - p.reshape(len(p), -1, len(tau))
    return (tau * F.relu(residual) + (1 - tau) * F.relu(-residual)).sum(dim=(1, 2))


def _half_poisson_deviance(loss, p, y):
    """PyTorch's likelihood, measured from its least value, which the rate y has."""
    likelihood = F.poisson_nll_loss(p, y, log_input=True, reduction="none")
    return (likelihood - (y - torch.xlogy(y, y))).sum(dim=1)


# Each takes the loss object, for its parameters, and gives one value a sample.
def _grouped_cross_entropy(loss, p, y):
    parts = torch.split(p, loss.sizes or (p.shape[1],), dim=1)
    labels = y.reshape(len(p), -1).T
    return sum(
        F.cross_entropy(part, column, reduction="none", label_smoothing=loss.label_smoothing)
        for part, column in zip(parts, labels, strict=True)
    )


def _smoothed(loss, y):
    """Targets of two classes of which each gets its share of ε."""
    return torch.lerp(y, torch.full_like(y, 0.5), loss.label_smoothing)


TORCH_LOSSES = {
    "grouped_cross_entropy": _grouped_cross_entropy,
    "squared_error": lambda loss, p, y: F.mse_loss(p, y, reduction="none").sum(dim=1) / 2,
    "absolute_error": lambda loss, p, y: F.l1_loss(p, y, reduction="none").sum(dim=1),
    "huber": lambda loss, p, y: F.huber_loss(p, y, reduction="none", delta=loss.delta).sum(dim=1),
    "quantile": _pinball,
    "poisson": _half_poisson_deviance,
    "cross_entropy": lambda loss, p, y: F.cross_entropy(
        p, y, reduction="none", label_smoothing=loss.label_smoothing
    ),
    "nll": lambda loss, p, y: F.nll_loss(p, y, reduction="none"),
    "binary_cross_entropy": lambda loss, p, y: F.binary_cross_entropy_with_logits(
        p, _smoothed(loss, y), reduction="none"
    ).sum(dim=1),
}
LOSSES_OF_LOGITS = ("cross_entropy", "grouped_cross_entropy", "binary_cross_entropy", "poisson")


def weighted_mean(values, weight=None):
    """The mean of per-sample values, by their weights if there are any."""
    if weight is None:
        return values.mean()
    weight = torch.as_tensor(weight, dtype=values.dtype)
    return (weight * values).sum() / weight.sum()


def noisy(x, std, rng):
    """Add noise, drawn as the engine draws it; in prediction there is no generator."""
    if not std or rng is None:
        return x
    normal = rng.standard_normal(tuple(x.shape), dtype=np.float32)
    return x + torch.from_numpy(np.float32(std) * normal)


class TorchLayer(nn.Module):
    """One hidden layer: affine, normalisation, noise, activation, dropout, and the way around."""

    def __init__(self, spec):
        super().__init__()
        self.linear = nn.Linear(
            spec.in_features, spec.out_features, bias=spec.bias, dtype=torch.float64
        )
        norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, None: nn.Identity}
        self.norm = norms[spec.normalization](spec.out_features, dtype=torch.float64)
        self.spec = spec

    def forward(self, x, mask_rng=None):
        z = noisy(self.norm(self.linear(x)), self.spec.noise, mask_rng)
        a = TORCH_ACTIVATIONS[self.spec.activation](z)
        if self.spec.dropout and mask_rng is not None:
            kept = mask_rng.random(tuple(a.shape), dtype=np.float32) >= self.spec.dropout
            a = a * torch.from_numpy(kept) / (1 - self.spec.dropout)
        return x + a if self.spec.residual else a


class TorchTwin(nn.Module):
    """The same network in float64, of PyTorch's modules, with the weights that `net` has now."""

    def __init__(self, net):
        super().__init__()
        self.architecture = architecture = net.architecture
        self.output = TORCH_OUTPUTS[architecture.output]
        self.hidden = nn.ModuleList([TorchLayer(spec) for spec in architecture.hidden_layers])
        last_width = (architecture.in_features, *architecture.hidden_features)[-1]
        self.last = nn.Linear(
            last_width, architecture.out_features, bias=architecture.bias, dtype=torch.float64
        )
        arrays = [array for pair in net.weights for array in pair if array is not None]
        with torch.no_grad():
            for parameter, array in zip(self.parameters(), arrays, strict=True):
                assert parameter.shape == array.shape
                parameter.copy_(torch.from_numpy(array.astype(np.float64)))

    def logits(self, x, mask_rng=None):
        x = noisy(torch.as_tensor(x, dtype=torch.float64), self.architecture.input_noise, mask_rng)
        for layer in self.hidden:
            x = layer(x, mask_rng)
        return self.last(x)

    def forward(self, x):
        return self.output(self.logits(x))

    def affine_weights(self):
        """The matrices W, which penalties act on."""
        return [*(layer.linear.weight for layer in self.hidden), self.last.weight]

    def batch_norms(self):
        return [layer.norm for layer in self.hidden if isinstance(layer.norm, nn.BatchNorm1d)]

    def objective(self, X, y, loss, *, l1=0.0, l2=0.0, weight=None, mask_rng=None):
        """The loss, penalty included, of a loss object; what autograd differentiates."""
        z = self.logits(X, mask_rng)
        p = z if loss.name in LOSSES_OF_LOGITS else self.output(z)
        value = weighted_mean(TORCH_LOSSES[loss.name](loss, p, torch.as_tensor(y)), weight)
        for W in self.affine_weights():
            value = value + l2 / 2 * W.square().sum() + l1 * W.abs().sum()
        return value


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread():
    """Small tensors are slower on many threads; what other tests set is put back."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(autouse=True)
def torch_in_double_precision():
    """PyTorch keeps NAdam's product of momenta in its default dtype, whatever the parameters'."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(scope="session")
def torch_activations():
    return TORCH_ACTIVATIONS


@pytest.fixture(scope="session")
def torch_outputs():
    return TORCH_OUTPUTS


@pytest.fixture(scope="session")
def torch_losses():
    return TORCH_LOSSES


@pytest.fixture(scope="session")
def torch_mean():
    return weighted_mean


@pytest.fixture(scope="session")
def torch_twin():
    return TorchTwin


@pytest.fixture(scope="session")
def draw_targets():
    """Targets of the kind that a loss takes, for a network's outputs."""

    def draw(loss, n_samples, out_features, rng):
        if loss.name in ("cross_entropy", "nll"):
            return rng.integers(out_features, size=n_samples)
        if loss.name == "grouped_cross_entropy":
            sizes = loss.sizes or (out_features,)
            return np.column_stack([rng.integers(size, size=n_samples) for size in sizes])
        if loss.name == "binary_cross_entropy":
            return rng.uniform(size=(n_samples, out_features))
        if loss.name == "poisson":
            return rng.poisson(2.0, size=(n_samples, out_features)).astype(float)
        n_targets = out_features // len(getattr(loss, "quantiles", (0,)))
        return rng.normal(size=(n_samples, n_targets))

    return draw
