"""Ensemble: K networks of one shape as one module, trained as one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from multilayer.architecture import Architecture
from multilayer.errors import InvalidTypeError
from multilayer.numpy.ensemble import Ensemble as NumpyEnsemble
from multilayer.numpy.initializers import Initializer
from multilayer.torch.activations import OUTPUTS
from multilayer.torch.ensemble_trainer import EnsembleTrainer
from multilayer.torch.layers import Linears, hidden_layers
from multilayer.torch.module import Net
from multilayer.torch.network import DTYPES, MLP, find_device

__all__ = ["Ensemble"]

Array = npt.NDArray[Any]


class Ensemble(Net):
    """K networks of one shape as one module, for any PyTorch loop or for `fit`.

    Its parameters are those of an `MLP`, under the same names, with an axis of members in front.
    Each member has its own weights; in `multilayer.training.fit` each may also have its own rows,
    optimizer, penalties and stopping point. Member k equals the same network trained alone.

    Parameters
    ----------
    architecture : Architecture or sequence of K
        The members' structure. Several architectures may differ only in dropout.
    n_members : int, optional
        K; by default as many as there are architectures.
    dtype, device, initializer
        As in `MLP`.
    rng : numpy.random.Generator or sequence of K, optional
        Draws the weights: one generator for all members, one member after the other, or one for
        each member.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an argument is invalid, or there is not enough memory for the networks.

    Examples
    --------
    >>> architecture = Architecture(in_features=2, hidden_features=(3,), out_features=1)
    >>> ensemble = Ensemble(architecture, n_members=4, rng=np.random.default_rng(0))
    >>> ensemble(torch.zeros(5, 2)).shape
    torch.Size([4, 5, 1])
    >>> ensemble.last.weight.shape, ensemble[2].last.weight.shape
    (torch.Size([4, 1, 3]), torch.Size([1, 3]))
    """

    options = ()
    """The extra parameters that `fit` accepts for this engine; for an ensemble, none."""

    def __init__(
        self,
        architecture: Architecture | Sequence[Architecture],
        n_members: int | None = None,
        *,
        dtype: str = "float32",
        device: str | torch.device = "cpu",
        initializer: str | Initializer | None = None,
        rng: np.random.Generator | Sequence[np.random.Generator] | None = None,
    ) -> None:
        if initializer is None and rng is not None:
            initializer = "kaiming_uniform"
        # Checks the arguments, and draws the weights unless PyTorch does.
        drawn = NumpyEnsemble(
            architecture, n_members, dtype=dtype, initializer=initializer or "zeros", rng=rng
        )
        self._assemble(drawn.architectures, DTYPES[str(drawn.dtype)], find_device(device))
        for k, own in enumerate(drawn):
            draws = initializer is None
            net = MLP(own.architecture, dtype=self.dtype) if draws else MLP.from_numpy(own)
            self[k].load_state_dict(net.state_dict())

    @classmethod
    def of(cls, nets: Sequence[MLP]) -> Self:
        """Return an ensemble of copies of these networks, on the device of the first.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If `nets` is empty, or the networks do not have the same shape.
        """
        for k, net in enumerate(nets):
            if not isinstance(net, MLP):
                rule = "must be a multilayer.torch.MLP"
                raise InvalidTypeError(rule, f"nets[{k}]", "Ensemble.of", got=repr(net))
        checked = NumpyEnsemble.of([net.to_numpy() for net in nets])
        ensemble = cls.__new__(cls)
        ensemble._assemble(checked.architectures, nets[0].last.weight.dtype, nets[0].device)
        for k, net in enumerate(nets):
            ensemble[k].load_state_dict(net.state_dict())
        return ensemble

    @classmethod
    def from_numpy(cls, ensemble: NumpyEnsemble, *, device: str | torch.device = "cpu") -> Self:
        """Return the same networks in this engine: weights, running statistics and dtype."""
        return cls.of([MLP.from_numpy(net, device=device) for net in ensemble])

    def to_numpy(self) -> NumpyEnsemble:
        """Return a copy of the networks in the engine from scratch."""
        return NumpyEnsemble.of([net.to_numpy() for net in self])

    def part(self, members: Sequence[int]) -> Self:
        """Return an ensemble of copies of these members, at least one."""
        ensemble = type(self).__new__(type(self))
        architectures = tuple(self.architectures[k] for k in members)
        ensemble._assemble(architectures, self.last.weight.dtype, self.device)
        ensemble.load_state_dict(
            {name: tensor[list(members)] for name, tensor in self.state_dict().items()}
        )
        return ensemble

    def _assemble(
        self, architectures: Sequence[Architecture], dtype: torch.dtype, device: torch.device
    ) -> None:
        """Make the modules, with all parameters 0."""
        super().__init__()
        self.architectures, self.architecture = tuple(architectures), architectures[0]
        self.n_members = len(architectures)
        one = self.architecture
        last_width = (one.in_features, *one.hidden_features)[-1]
        with torch.device("meta"):  # modules of one network, without memory
            self.hidden = hidden_layers(one, architectures)
            self.last = Linears(last_width, one.out_features, bias=one.bias)
            self.output = OUTPUTS[one.output]()
        for module in list(self.modules()):
            for name, p in list(module.named_parameters(recurse=False)):
                whole = torch.zeros(self.n_members, *p.shape, dtype=dtype, device=device)
                setattr(module, name, nn.Parameter(whole))
            for name, buffer in list(module.named_buffers(recurse=False)):
                if buffer.is_meta:
                    kind = dtype if buffer.is_floating_point() else buffer.dtype
                    whole = torch.zeros(self.n_members, *buffer.shape, dtype=kind, device=device)
                else:  # an embedding's indices, the same for all members
                    whole = buffer.to(device)
                setattr(module, name, whole)

    def extra_repr(self) -> str:
        """Return the text in the brackets of the repr."""
        return f"{self.n_members} members"

    def __len__(self) -> int:
        """Return K."""
        return self.n_members

    def __getitem__(self, k: int) -> MLP:
        """Return member k, which shares its memory with the ensemble."""
        number = range(self.n_members)[k]
        own = {name: tensor[number] for name, tensor in self.state_dict().items()}
        return MLP.over(self.architectures[number], own).train(self.training)

    def __iter__(self) -> Iterator[MLP]:
        return (self[k] for k in range(self.n_members))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layers' outputs, of shape (K, n_samples, width).

        Parameters
        ----------
        x : tensor of shape (n_samples, …) or (K, n_samples, in_features)
            The same samples for all members, flat or not; or flat samples for each member.
        """
        is_flat = x.shape[-1] == self.architecture.in_features
        return self.hidden(x if is_flat else x.flatten(1))

    @property
    def arrays(self) -> list[torch.Tensor]:
        """All parameters, without gradients, each with an axis of members in front."""
        return [p.detach() for p in self.parameters()]

    @property
    def state(self) -> dict[str, Array]:
        """Copies of the running statistics, with an axis of members in front."""
        states = [net.state for net in self]
        return {name: np.stack([state[name] for state in states]) for name in states[0]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Copy running statistics, shaped as in `state`, into the networks."""
        for k, net in enumerate(self):
            net.set_state({name: array[k] for name, array in state.items()})

    def trainer(self, **settings: Any) -> EnsembleTrainer:
        """Return the trainer with which `multilayer.training.fit` trains these networks."""
        return EnsembleTrainer(self, **settings)
