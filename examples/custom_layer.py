"""A custom fully connected layer, as a torch.nn.Module with registered parameters.

`nn.Parameter` makes a tensor a parameter: when it is assigned to a module, it is registered, so
`parameters()` yields it, an optimizer adjusts it, `state_dict()` stores it and `to(device)` moves
it. The layer can replace `nn.Linear`, and draws its initial weights from the same distribution.

Run it: python examples/custom_layer.py
"""

import math

import torch
from torch import nn


class FullyConnected(nn.Module):
    """z = x Wᵀ + b.

    Parameters
    ----------
    in_features, out_features : int
        W has the shape (out_features, in_features), and b the shape (out_features,).
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features))
        bound = 1 / math.sqrt(in_features)  # as in nn.Linear
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return z, of shape (n_samples, out_features)."""
        return x @ self.weight.T + self.bias

    def extra_repr(self) -> str:
        """Return the text in the brackets of the repr."""
        return f"{self.weight.shape[1]} → {self.weight.shape[0]}"


def train(n_epochs: int = 300) -> tuple[nn.Module, list[float]]:
    """Learn xor with two of these layers; return the network and the losses."""
    torch.manual_seed(0)
    net = nn.Sequential(FullyConnected(2, 8), nn.Tanh(), FullyConnected(8, 1))
    X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(n_epochs):
        loss = nn.functional.binary_cross_entropy_with_logits(net(X), y)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    return net, losses


if __name__ == "__main__":
    net, losses = train()
    print(net)
    for name, parameter in net.named_parameters():
        print(f"{name:10} {tuple(parameter.shape)}")
    print(f"loss {losses[0]:.4f} → {losses[-1]:.4f}")
