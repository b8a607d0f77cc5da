"""MLP: the network described by an Architecture, as a torch.nn.Module."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy.initializers import INITIALIZERS, Initializer
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.mlp import MLP as NumpyMLP
from multilayer.numpy.trainer import checked_samples
from multilayer.registry import resolve
from multilayer.torch import capture, sensitivity
from multilayer.torch.activations import OUTPUTS
from multilayer.torch.embedding import Embedding
from multilayer.torch.layers import hidden_layers
from multilayer.torch.module import Net
from multilayer.torch.placement import on_host
from multilayer.torch.trainer import Trainer

__all__ = ["MLP", "find_device"]

Array = npt.NDArray[Any]
Pair = tuple[Array, Array | None]

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class MLP(Net):
    """A multilayer perceptron as an ordinary module, for any PyTorch loop or for `fit`.

    Parameters
    ----------
    architecture : Architecture
        The network's structure.
    dtype : {"float32", "float64"}
        The parameters' dtype.
    device : str or torch.device
        The parameters' device; ``"auto"`` means a GPU if there is one.
    initializer : str or Initializer, optional
        One of ``multilayer.numpy.INITIALIZERS``. By default ``"kaiming_uniform"``, as in the engine
        from scratch, if `rng` is given; else PyTorch's default, which initializes one ``nn.Linear``
        after the other and follows ``torch.manual_seed``.
    rng : numpy.random.Generator, optional
        Draws the weights: the same numbers as for `multilayer.numpy.MLP`.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an argument is invalid, or the device does not exist.

    Examples
    --------
    >>> net = MLP.from_widths(784, [32, 64, 128, 64], 10, activation="tanh")
    >>> sum(p.numel() for p in net.parameters())
    44458
    >>> net(torch.zeros(5, 28, 28)).shape
    torch.Size([5, 10])
    """

    options = ("precision", "accumulate", "compile")
    """The extra parameters that `fit` accepts for this engine: see `Trainer`."""

    def __init__(
        self,
        architecture: Architecture,
        *,
        dtype: str = "float32",
        device: str | torch.device = "cpu",
        initializer: str | Initializer | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(architecture, Architecture):
            rule = "must be an Architecture"
            raise InvalidTypeError(rule, "architecture", "MLP", got=repr(architecture))
        if dtype not in DTYPES:
            rule = f"must be one of {', '.join(DTYPES)}"
            raise InvalidArgumentError(rule, "dtype", "MLP", got=repr(dtype))
        if initializer is None and rng is not None:
            initializer = "kaiming_uniform"
        place = find_device(device)
        self._assemble(architecture)
        self.to(device=place, dtype=DTYPES[dtype])
        if initializer is not None:
            chosen = resolve(initializer, INITIALIZERS, Initializer)
            drawn = NumpyMLP(architecture, dtype=dtype, initializer=chosen, rng=rng)
            self.set_weights(drawn.weights)

    def _assemble(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.flatten = nn.Flatten()
        self.hidden = hidden_layers(architecture)
        last_width = (architecture.in_features, *architecture.hidden_features)[-1]
        self.last = nn.Linear(last_width, architecture.out_features, bias=architecture.bias)
        self.output = OUTPUTS[architecture.output]()

    @classmethod
    def over(cls, architecture: Architecture, tensors: Mapping[str, torch.Tensor]) -> Self:
        """Return a network that shares the memory of tensors named as in ``state_dict``."""
        net = cls.__new__(cls)
        nn.Module.__init__(net)
        with torch.device("meta"):  # draws no weights
            net._assemble(architecture)
        net.load_state_dict(tensors, assign=True)
        return net.to(net.device)  # moves an embedding's indices, which are not in `tensors`

    @classmethod
    def from_widths(
        cls,
        in_features: int,
        hidden_features: Sequence[int],
        out_features: int,
        *,
        dtype: str = "float32",
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> Self:
        """Return a network of these widths; `settings` are `Architecture`'s other fields."""
        architecture = Architecture(in_features, tuple(hidden_features), out_features, **settings)
        return cls(architecture, dtype=dtype, device=device)

    @classmethod
    def from_numpy(cls, net: NumpyMLP, *, device: str | torch.device = "cpu") -> Self:
        """Return the same network in this engine: weights, running statistics and dtype.

        Examples
        --------
        >>> net = NumpyMLP(Architecture(3, (4,), 2), rng=np.random.default_rng(0))
        >>> twin = MLP.from_numpy(net)
        >>> bool((twin.to_numpy().parameters == net.parameters).all())
        True
        """
        twin = cls(net.architecture, dtype=str(net.dtype), device=device)
        twin.set_weights(net.weights)
        twin.set_state({**net.state})
        return twin

    def to_numpy(self) -> NumpyMLP:
        """Return a copy of the network in the engine from scratch."""
        twin = NumpyMLP(self.architecture, dtype=self.dtype, initializer="zeros")
        twin.set_weights(self.weights)
        twin.set_state({**self.state})
        return twin

    def _repr_html_(self) -> str:
        """Return HTML that shows the layers as a table in notebooks."""
        text = f"multilayer.torch.MLP, {self.dtype}, on {self.device}"
        return f"<code>{text}</code>{self.architecture._repr_html_()}"

    @property
    def weights(self) -> list[Pair]:
        """Copies of the parameters as NumPy arrays, shaped as in `multilayer.numpy.MLP.weights`."""
        return [
            (_array(layer.weight), None if layer.bias is None else _array(layer.bias))
            for layer in self._layers()
        ]

    @property
    def gradients(self) -> list[Pair]:
        """Copies of the parameters' gradients after a backward pass, shaped as in `weights`."""
        return [
            (_array(layer.weight.grad), None if layer.bias is None else _array(layer.bias.grad))
            for layer in self._layers()
        ]

    def set_weights(self, weights: object) -> None:
        """Copy pairs of arrays, shaped as in `weights`, into the network; all or nothing.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If the number of pairs, the shapes or the values do not fit the network.
        """
        twin = NumpyMLP(self.architecture, dtype=self.dtype, initializer="zeros")
        twin.set_weights(weights)  # checks them
        with torch.no_grad():
            for layer, (W, b) in zip(self._layers(), twin.weights, strict=True):
                layer.weight.copy_(torch.from_numpy(W))
                if b is not None:
                    layer.bias.copy_(torch.from_numpy(b))

    @property
    def state(self) -> dict[str, Array]:
        """Copies of the running statistics, named as in `multilayer.numpy.MLP.state`."""
        return {name: _array(tensor) for name, tensor in self._statistics().items()}

    def set_state(self, state: Mapping[str, object]) -> None:
        """Copy running statistics, named as in `state`, into the network; all or nothing."""
        twin = NumpyMLP(self.architecture, dtype=self.dtype, initializer="zeros")
        twin.set_state(state)
        for name, tensor in self._statistics().items():
            tensor.copy_(torch.from_numpy(twin.state[name]))

    def input_gradients(self, X: object, y: object, *, loss: str | Loss) -> Array:
        r"""Return the gradient of each sample's loss with respect to its inputs, of X's shape.

        .. math:: g_i = \frac{∂ℓ(f(x_i), y_i)}{∂x_i}

        See `multilayer.numpy.MLP.input_gradients`: arguments, mode and result are the same.
        Afterwards the network is in prediction mode.

        Examples
        --------
        >>> net = MLP(Architecture(2, (), 1))
        >>> net.set_weights([([[2, -1]], [0])])  # f(x) = 2 x₁ − x₂, so g = (f(x) − y) (2, −1)
        >>> net.input_gradients([[1.0, 1.0]], [0.0], loss="squared_error")
        array([[ 2., -1.]], dtype=float32)
        """
        chosen = resolve(loss, LOSSES, Loss)
        samples = checked_samples(self, on_host(X), on_host(y), None, chosen)
        return sensitivity.input_gradients(self, samples, chosen)

    def jacobian(self, X: object, *, of_logits: bool = False) -> Array:
        """Return ∂f_k/∂x_j, of shape (n_samples, out_features, in_features), or that of the logits.

        See `multilayer.numpy.MLP.jacobian`.
        """
        of_logits = checks.flag(of_logits, "of_logits", "jacobian")
        x = checks.samples(on_host(X), self.architecture.in_features, self.dtype)
        return sensitivity.jacobian(self, x, of_logits=of_logits)

    def trainer(self, **settings: Any) -> Trainer:
        """Return the `Trainer` with which `multilayer.training.fit` trains this network."""
        return Trainer(self, **settings)

    def _layers(self) -> Iterator[Any]:
        """Yield the modules that have parameters, in forward order."""
        for module in self.modules():
            if isinstance(module, (Embedding, nn.Linear, nn.BatchNorm1d, nn.LayerNorm)):
                yield module

    def _statistics(self) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        for i, layer in enumerate(self.hidden):
            for j, module in enumerate(layer.children()):
                if isinstance(module, nn.BatchNorm1d):
                    assert module.running_mean is not None
                    assert module.running_var is not None
                    found[f"{i}.{j}.running_mean"] = module.running_mean
                    found[f"{i}.{j}.running_variance"] = module.running_var
        return found


capture.MODULES.add(MLP)


def find_device(device: str | torch.device) -> torch.device:
    """Return the device with this name; ``"auto"`` means a GPU if there is one.

    Raises
    ------
    InvalidArgumentError
        If the device does not exist; the message lists the available ones.
    """
    there = ["cpu"]
    there += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        there.append("mps")
    if device == "auto":
        return torch.device(there[1] if len(there) > 1 else "cpu")
    try:
        found = torch.device(device)
        name = f"{found.type}:{found.index or 0}" if found.type == "cuda" else found.type
    except (RuntimeError, TypeError):
        name = ""
    if name not in there:
        shown = str(device) if isinstance(device, torch.device) else device
        rule = f"must be 'auto' or a device that PyTorch finds here: {', '.join(there)}"
        raise InvalidArgumentError(rule, "device", got=repr(shown))
    return found


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().cpu().numpy().copy()
