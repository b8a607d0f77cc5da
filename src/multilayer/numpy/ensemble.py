"""Ensemble: K networks of the same shape, trained as one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy.assembly import assemble, checked_dtype, members_of
from multilayer.numpy.ensemble_trainer import EnsembleTrainer
from multilayer.numpy.fast.prediction import Predictor
from multilayer.numpy.initializers import Initializer
from multilayer.numpy.layers import Activate
from multilayer.numpy.mlp import MLP
from multilayer.numpy.stacking import check_activation
from multilayer.randomness import Generators

__all__ = ["Ensemble"]

Array = npt.NDArray[Any]


class Ensemble:
    """K networks of the same shape, with parameters in one matrix, trained as one.

    Each has its own weights and, in `multilayer.training.fit`, can have its own rows, optimizer,
    penalties and end of training. Member k equals the same network trained alone.

    Parameters
    ----------
    architecture : Architecture or sequence of K
        The members' architecture. Those in a sequence may differ only in dropout.
    n_members : int, optional
        K; by default, the number of architectures.
    dtype : {"float32", "float64"}
        The type of the parameters and of all arithmetic.
    initializer : str or Initializer
        How the weights are drawn: see ``INITIALIZERS``.
    rng : numpy.random.Generator or sequence of K, optional
        Draws the weights: one generator draws them for all members in turn; of K generators, each
        draws them for one member.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an argument cannot be used, or there is not enough memory for the networks.

    Examples
    --------
    >>> architecture = Architecture(in_features=2, hidden_features=(3,), out_features=1)
    >>> ensemble = Ensemble(architecture, n_members=4, rng=np.random.default_rng(0))
    >>> ensemble
    Ensemble(4 × MLP(2-3-1, relu → identity, 13 parameters, float32))
    >>> ensemble([[0.5, -1.0], [0.0, 2.0]]).shape
    (4, 2, 1)
    >>> ensemble[2]
    MLP(2-3-1, relu → identity, 13 parameters, float32)
    """

    options = ()
    """The additional parameters that `fit` takes for this engine: none."""

    def __init__(
        self,
        architecture: Architecture | Sequence[Architecture],
        n_members: int | None = None,
        *,
        dtype: str | type[np.floating[Any]] | np.dtype[Any] = "float32",
        initializer: str | Initializer = "kaiming_uniform",
        rng: np.random.Generator | Sequence[np.random.Generator] | None = None,
    ) -> None:
        self.dtype = checked_dtype(dtype, "Ensemble")
        self.architectures = _architectures(architecture, n_members)
        given = checks.random_generators(rng, self.n_members, "Ensemble")
        rngs = given if isinstance(given, Generators) else [given] * self.n_members
        self._assemble(_matrix(self.n_members, self.architecture.n_parameters, self.dtype))
        for k, one in enumerate(rngs):
            net = MLP(self.architectures[k], dtype=self.dtype, initializer=initializer, rng=one)
            self.parameters[k] = net.parameters

    @classmethod
    def of(cls, nets: Sequence[MLP]) -> Self:
        """Return an ensemble of copies of these networks.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If there are none, or they are not all of the same shape and dtype.
        """
        if not isinstance(nets, (list, tuple)):
            rule = "must be a list or tuple of networks"
            raise InvalidTypeError(rule, "nets", "Ensemble.of", got=repr(nets))
        for k, net in enumerate(nets):
            if not isinstance(net, MLP):
                rule = "must be a multilayer.numpy.MLP"
                raise InvalidTypeError(rule, f"nets[{k}]", "Ensemble.of", got=repr(net))
            if net.dtype != nets[0].dtype:
                rule = f"must be of dtype {nets[0].dtype}, as member 0 is"
                raise InvalidArgumentError(rule, f"nets[{k}]", "Ensemble.of", got=net.dtype)
        if not len(nets):
            raise InvalidArgumentError("must hold at least one network", "nets", "Ensemble.of")
        ensemble = cls.__new__(cls)
        architectures = [net.architecture for net in nets]
        ensemble.architectures = _alike(architectures, "nets", "Ensemble.of")
        ensemble.dtype = nets[0].dtype
        n_parameters = nets[0].n_parameters
        ensemble._assemble(_matrix(len(nets), n_parameters, ensemble.dtype))
        for k, net in enumerate(nets):
            ensemble.parameters[k] = net.parameters
            for name, array in ensemble.state.items():
                array[k] = net.state[name]
        return ensemble

    def _assemble(self, parameters: Array) -> None:
        self.network = assemble(self.architectures, parameters)
        for layer in self.network.layers:
            if isinstance(layer, Activate):
                check_activation(layer.activation)
        check_activation(self.network.link)
        self.predictor = Predictor(self.network)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "architectures": self.architectures,
            "parameters": self.parameters.copy(),
            "state": {name: array.copy() for name, array in self.state.items()},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.architectures = state["architectures"]
        self.dtype = state["parameters"].dtype
        self._assemble(state["parameters"].copy())
        for name, array in self.state.items():
            array[:] = state["state"][name]

    def __repr__(self) -> str:
        return f"Ensemble({self.n_members} × {self[0]!r})"

    @property
    def architecture(self) -> Architecture:
        """The first member's architecture; those of others may differ in dropout."""
        return self.architectures[0]

    @property
    def n_members(self) -> int:
        """K, the number of networks."""
        return len(self.architectures)

    @property
    def parameters(self) -> Array:
        """All parameters, of shape (K, n_parameters): a row for each member, in forward order."""
        return self.network.parameters

    @property
    def arrays(self) -> list[Array]:
        """The arrays that hold all parameters, with a leading axis for members: `parameters`."""
        return [self.parameters]

    @property
    def state(self) -> dict[str, Array]:
        """Running statistics of batch normalisation, with a leading axis for members."""
        return self.network.state

    def __len__(self) -> int:
        """Return K."""
        return self.n_members

    def __getitem__(self, k: int) -> MLP:
        """Return member k, which shares its memory with the ensemble."""
        if not isinstance(k, (int, np.integer)):
            rule = "must be a member's number"
            raise InvalidTypeError(rule, "the index", "Ensemble", got=repr(k))
        if not -self.n_members <= k < self.n_members:  # an IndexError also ends an iteration
            raise IndexError(f"an ensemble of {self.n_members} members has no member {k}")
        number = range(self.n_members)[k]
        return MLP.over(
            self.architectures[number], members_of(self.network, self.architectures, number)
        )

    def __iter__(self) -> Iterator[MLP]:
        return (self[k] for k in range(self.n_members))

    def copy(self) -> Self:
        """Return a copy with its own memory."""
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin

    def __call__(self, X: object) -> Array:
        """Return the members' outputs, of shape (K, n_samples, out_features).

        Parameters
        ----------
        X : array of shape (n_samples, in_features) or LazySamples
            As for a single network.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If X has another shape, no samples, or entries that are not finite numbers.
        """
        return self.network.link.forward(self.logits(X))

    def logits(self, X: object) -> Array:
        """Return the last layers' values before the link function."""
        x = checks.samples(X, self.architecture.in_features, self.dtype)
        return self.predictor.logits(x)

    def trainer(self, **settings: Any) -> EnsembleTrainer:
        """Return the trainer that `multilayer.training.fit` uses for these networks."""
        return EnsembleTrainer(self, **settings)


def _architectures(
    architecture: Architecture | Sequence[Architecture], n_members: int | None
) -> tuple[Architecture, ...]:
    """Return each member's architecture; raise unless all are of the same shape."""
    if n_members is not None:
        n_members = checks.integer(n_members, "n_members", "Ensemble")
    if isinstance(architecture, Architecture):
        if n_members is None:
            rule = "must be given with a single architecture"
            raise InvalidArgumentError(rule, "n_members", "Ensemble", got=None)
        try:
            return (architecture,) * n_members
        except (MemoryError, OverflowError) as error:
            raise InvalidArgumentError(f"not enough memory for {n_members} networks") from error
    if not isinstance(architecture, (list, tuple)) or not architecture:
        rule = "must be an Architecture, or a sequence of them"
        raise InvalidTypeError(rule, "architecture", "Ensemble", got=repr(architecture))
    for k, one in enumerate(architecture):
        if not isinstance(one, Architecture):
            rule = "must be an Architecture"
            raise InvalidTypeError(rule, f"architecture[{k}]", "Ensemble", got=repr(one))
    if n_members not in (None, len(architecture)):
        rule = f"must be {len(architecture)}, the number of architectures"
        raise InvalidArgumentError(rule, "n_members", "Ensemble", got=n_members)
    return _alike(architecture, "architecture", "Ensemble")


def _alike(
    architectures: Sequence[Architecture], name: str, owner: str
) -> tuple[Architecture, ...]:
    """Return the architectures; raise if they differ in more than dropout."""
    first = replace(architectures[0], dropout=0.0)
    for k, one in enumerate(architectures):
        if replace(one, dropout=0.0) != first:
            rule = f"must match {name}[0], {architectures[0]!r}, except for dropout"
            raise InvalidArgumentError(rule, f"{name}[{k}]", owner, got=repr(one))
    return tuple(architectures)


def _matrix(n_members: int, n_parameters: int, dtype: np.dtype[Any]) -> Array:
    try:
        return np.zeros((n_members, n_parameters), dtype=dtype)
    except (MemoryError, ValueError) as error:
        raise InvalidArgumentError(
            f"not enough memory for {n_members} networks of {n_parameters:,} parameters"
        ) from error
