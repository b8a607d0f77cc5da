"""Hidden layers as modules, and the modules that PyTorch lacks."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from multilayer.architecture import Architecture, HiddenLayer
from multilayer.torch.activations import ACTIVATIONS
from multilayer.torch.embedding import Embedding

__all__ = [
    "Dropout",
    "GaussianNoise",
    "Linears",
    "RandomLayer",
    "Residual",
    "draw_from",
    "hidden_layers",
    "limit_norms",
]


class Linears(nn.Linear):
    """zₖ = xₖ Wₖᵀ + bₖ, the linear layers of K networks, with W of shape (K, out, in).

    x has the shape (K, n, in), or (n, in) if it is the same for all networks; then one matrix
    product computes all K.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return z, of shape (K, n, out)."""
        W, b = self.weight, self.bias
        if x.ndim == 2:
            z = F.linear(x, W.flatten(0, 1), None if b is None else b.flatten())
            # The operations that follow are far slower on memory that is not contiguous.
            return z.view(-1, *W.shape[:2]).transpose(0, 1).contiguous()
        return x @ W.mT if b is None else torch.baddbmm(b.unsqueeze(1), x, W.mT)


class BatchNorms(nn.BatchNorm1d):
    """The batch normalisations of K networks, with γ, β and statistics of shape (K, features)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return y, of x's shape (K, n, features)."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        is_noted = self.training and self.track_running_stats
        if is_noted:
            self.num_batches_tracked.add_(1)
        needs_them = is_noted or not self.training
        y = F.batch_norm(  # as of one network with the features of all K
            x.transpose(0, 1).flatten(1),
            self.running_mean.view(-1) if needs_them else None,
            self.running_var.view(-1) if needs_them else None,
            self.weight.flatten(),
            self.bias.flatten(),
            self.training,
            self.momentum or 0.0,
            self.eps,
        )
        return y.view(-1, *self.weight.shape).transpose(0, 1)


class LayerNorms(nn.LayerNorm):
    """The layer normalisations of K networks, with γ and β of shape (K, features)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return y, of x's shape (K, n, features)."""
        normal = F.layer_norm(x, self.normalized_shape, eps=self.eps)
        return torch.addcmul(self.bias.unsqueeze(1), normal, self.weight.unsqueeze(1))


class RandomLayer(nn.Module):
    """A module that draws random numbers in training, or takes given ones, so that engines agree.

    Attributes
    ----------
    given : torch.Tensor or None
        Dropout's factors, or the noise. If it is None, they are drawn anew for each batch.
    generator : torch.Generator, list of K or None
        Draws them; K networks have one generator each. None stands for PyTorch's global one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.given: torch.Tensor | None = None
        self.generator: torch.Generator | list[torch.Generator] | None = None


class Dropout(RandomLayer):
    """Inverted dropout: in training, each unit is set to 0 or multiplied by 1/(1 − rate).

    Parameters
    ----------
    rate : float, or tuple of K
        The probability of dropping a unit; a tuple has one for each of K networks.
    """

    def __init__(self, rate: float | tuple[float, ...]) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x, with units dropped in training."""
        if not self.training:
            return x
        if self.given is not None:
            return x * self.given
        if isinstance(self.rate, tuple):
            return x * self._masks(x, self.rate)
        if self.generator is None:
            return F.dropout(x, self.rate)
        assert isinstance(self.generator, torch.Generator)
        drawn = torch.rand(x.shape, generator=self.generator, device=x.device)
        return x * ((drawn >= self.rate) / (1 - self.rate)).to(x.dtype)

    def _masks(self, x: torch.Tensor, rates: tuple[float, ...]) -> torch.Tensor:
        """Return the masks of K networks; a rate of 0 draws nothing, as in a single network."""
        masks = torch.ones(x.shape, device=x.device)
        given = self.generator
        generators = given if isinstance(given, list) else [given] * len(rates)
        for own, rate, generator in zip(masks, rates, generators, strict=True):
            if rate:
                torch.ge(own.uniform_(generator=generator), rate, out=own).div_(1 - rate)
        return masks.to(x.dtype)

    def extra_repr(self) -> str:
        """Return the text in the brackets of the repr."""
        if isinstance(self.rate, tuple):
            return ", ".join(f"{rate:g}" for rate in self.rate)
        return f"{self.rate:g}"


class GaussianNoise(RandomLayer):
    """Adds normally distributed noise with the standard deviation σ in training.

    Parameters
    ----------
    std : float
        σ ≥ 0.
    n_networks : int
        K, if this is a layer of K networks: they may have the same x, but not the same noise.
    """

    def __init__(self, std: float, n_networks: int = 0) -> None:
        super().__init__()
        self.std, self.n_networks = std, n_networks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x, with noise in training; for K networks then of shape (K, n, features)."""
        if not self.training:
            return x
        if self.given is not None:
            return x + self.given
        lead = (self.n_networks,) if self.n_networks else ()
        normal = torch.empty((*lead, *x.shape[-2:]), device=x.device)
        if isinstance(self.generator, list):
            for own, generator in zip(normal, self.generator, strict=True):
                own.normal_(generator=generator)
        else:
            normal.normal_(generator=self.generator)
        return x + (self.std * normal).to(x.dtype)

    def extra_repr(self) -> str:
        """Return the text in the brackets of the repr."""
        return f"{self.std:g}"


def draw_from(generator: torch.Generator | list[torch.Generator] | None, net: nn.Module) -> None:
    """Make layers draw masks and noise from this generator; from K generators for K networks."""
    for module in net.modules():
        if isinstance(module, RandomLayer):
            module.generator = generator


@torch.no_grad()
def limit_norms(net: nn.Module, max_norm: Any) -> None:
    """Scale each unit's incoming weights down to this norm, as `multilayer.numpy.limit_norms` does.

    For K networks, with weights of shape (K, out, in), the norm is a number or of shape (K, 1).
    """
    if isinstance(max_norm, torch.Tensor):
        max_norm = max_norm.unsqueeze(-1)
    for module in net.modules():
        if isinstance(module, nn.Linear):
            W = module.weight
            # Divide by the largest entry first: the squares may overflow where the entries do not.
            largest = W.abs().amax(dim=-1, keepdim=True)
            norms = torch.linalg.vector_norm(W / largest, dim=-1, keepdim=True)
            factors = (max_norm / norms) / largest
            # Zeros and values that are not finite give NaN, and stay; training reports the latter.
            W.mul_(torch.where(factors < 1, factors, 1))


class Residual(nn.Sequential):
    """y = x + f(x), where f applies the modules inside one after the other."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x + f(x)."""
        inner: torch.Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + inner


def hidden_layers(
    architecture: Architecture, members: Sequence[Architecture] = ()
) -> nn.Sequential:
    """Return the hidden layers, after the noise on the inputs if there is any.

    With the architectures of K members, they are layers for all K, but their parameters still have
    the shapes of one network's.
    """
    modules: list[nn.Module] = []
    if architecture.input_noise:
        modules.append(GaussianNoise(architecture.input_noise, len(members)))
    of_members = [member.hidden_layers for member in members]
    for i, spec in enumerate(architecture.hidden_layers):
        modules.append(_hidden_layer(spec, tuple(layers[i].dropout for layers in of_members)))
    return nn.Sequential(*modules)


def _hidden_layer(spec: HiddenLayer, rates: tuple[float, ...]) -> nn.Sequential:
    """Return linear → normalisation → noise → activation → dropout, in a residual block or not.

    Embeddings come first. With the dropout rates of K networks, it is a layer for all K.
    """
    linear, batch, layer = SEVERAL if rates else ONE
    width = spec.out_features
    modules: list[nn.Module] = []
    if (found := spec.embeddings) is not None:
        modules.append(Embedding(found, spec.in_features - found.out_features(0)))
    modules.append(linear(spec.in_features, width, bias=spec.bias))
    if spec.normalization == "batch":
        modules.append(batch(width))
    elif spec.normalization == "layer":
        modules.append(layer(width))
    if spec.noise:
        modules.append(GaussianNoise(spec.noise, len(rates)))
    modules.append(ACTIVATIONS[spec.activation]())
    if any(rates or (spec.dropout,)):
        modules.append(Dropout(rates or spec.dropout))
    return Residual(*modules) if spec.residual else nn.Sequential(*modules)


ONE = nn.Linear, nn.BatchNorm1d, nn.LayerNorm
SEVERAL = Linears, BatchNorms, LayerNorms
