"""Hidden layers as modules, and the parts that PyTorch lacks."""

import torch
from torch import nn

from multilayer.architecture import HiddenLayer
from multilayer.torch.activations import ACTIVATIONS

__all__ = ["Dropout", "Residual", "draw_masks_from", "hidden_layer"]


class Dropout(nn.Module):
    """Inverted dropout whose mask may be given, so that two engines can share it.

    Parameters
    ----------
    rate : float
        The probability of dropping a unit.

    Attributes
    ----------
    mask : torch.Tensor or None
        The factors of the inputs in training: 0 or 1/(1 − rate), of the input's shape; None draws
        them anew for each batch.
    generator : torch.Generator or None
        Draws the masks; None takes PyTorch's global generator.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.mask: torch.Tensor | None = None
        self.generator: torch.Generator | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x, with units dropped in training."""
        if self.training and self.mask is not None:
            return x * self.mask
        if self.training and self.generator is not None:
            drawn = torch.rand(x.shape, generator=self.generator, device=x.device)
            return x * ((drawn >= self.rate) / (1 - self.rate)).to(x.dtype)
        return nn.functional.dropout(x, self.rate, self.training)

    def extra_repr(self) -> str:
        """Return the text in the brackets of the repr."""
        return f"{self.rate:g}"


def draw_masks_from(generator: torch.Generator | None, net: nn.Module) -> None:
    """Make a network's dropout layers draw their masks from this generator."""
    for module in net.modules():
        if isinstance(module, Dropout):
            module.generator = generator


class Residual(nn.Sequential):
    """y = x + f(x), where f is the modules inside, one after the other."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x + f(x)."""
        inner: torch.Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + inner


def hidden_layer(spec: HiddenLayer) -> nn.Sequential:
    """Return linear → normalisation → activation → dropout, as a residual block if it is one."""
    width = spec.out_features
    modules: list[nn.Module] = [nn.Linear(spec.in_features, width, bias=spec.bias)]
    if spec.normalization == "batch":
        modules.append(nn.BatchNorm1d(width))
    elif spec.normalization == "layer":
        modules.append(nn.LayerNorm(width))
    modules.append(ACTIVATIONS[spec.activation]())
    if spec.dropout:
        modules.append(Dropout(spec.dropout))
    return Residual(*modules) if spec.residual else nn.Sequential(*modules)
