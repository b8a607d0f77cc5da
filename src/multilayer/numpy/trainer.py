"""Trainer: one network with its loss and optimizer, as the training loop drives it."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError
from multilayer.groups import join, part_of
from multilayer.numpy.clipping import Clip
from multilayer.numpy.fast.prediction import Predictor
from multilayer.numpy.fast.step import Step
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Objective
from multilayer.numpy.optimizers import LBFGS, Optimizer, State, resolve_optimizer
from multilayer.randomness import generator_state, set_generator_state
from multilayer.registry import resolve
from multilayer.samples import Data

__all__ = ["Trainer", "check_deterministic", "checked_samples"]

Array = npt.NDArray[Any]


class Net(Protocol):
    """What a trainer needs of an `MLP`."""

    architecture: Architecture
    dtype: np.dtype[Any]
    network: Network
    predictor: Predictor


class Trainer:
    """Takes optimizer steps on a network, evaluates it, and keeps or restores its numbers.

    The arguments are those of `multilayer.training.fit`, which is the one to call.

    Attributes
    ----------
    optimizer : Optimizer or LBFGS
    loss : Loss
    optimizer_state : dict
        The optimizer's state; empty for L-BFGS.
    learning_rate : float or None
        The optimizer's own; None for L-BFGS, which has none.
    """

    def __init__(
        self,
        net: Net,
        *,
        loss: str | Loss,
        optimizer: str | Optimizer | LBFGS,
        l1: float,
        l2: float,
        clip_norm: float | None,
        clip_value: float | None,
        rng: np.random.Generator | None,
    ) -> None:
        self.net = net
        self.loss = resolve(loss, LOSSES, Loss)
        self.loss.check_architecture(net.architecture)
        self.optimizer: Any = resolve_optimizer(optimizer)
        self.learning_rate: float | None = getattr(self.optimizer, "learning_rate", None)
        self.objective = Objective(
            self.loss,
            checks.real(l1, "l1", "fit", "[0, inf)"),
            checks.real(l2, "l2", "fit", "[0, inf)"),
        )
        self.clip = Clip(
            *(
                None if value is None else checks.real(value, name, "fit", "(0, inf)")
                for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value))
            )
        )
        self.rng = checks.random_generator(rng, "fit")
        self.optimizer_state: State = {}
        if isinstance(self.optimizer, Optimizer):
            self.optimizer_state = self.optimizer.initial_state(net.network.parameters)
        else:
            check_deterministic(net.architecture, self.clip)
        self._step: Step | None = None

    def check(self, X: object, y: object, weight: object) -> Data:
        """Return samples, targets and weights as the other methods take them; lazy ones lazy."""
        return checked_samples(self.net, X, y, weight, self.loss)

    def description(self) -> dict[str, Any]:
        """Return what it trains, and how, by name, as values that go into JSON."""
        return asdict(self.net.architecture) | {
            "engine": "numpy",
            "dtype": str(self.net.dtype),
            "loss": repr(self.loss),
            "optimizer": repr(self.optimizer),
            "l1": self.objective.l1,
            "l2": self.objective.l2,
            "clip_norm": self.clip.norm,
            "clip_value": self.clip.value,
        }

    def begin(self, data: Data, batch_size: int | None = None) -> None:
        """Take the samples that steps are taken on.

        How many threads there are is decided by the rows of a full batch, or else by how many there
        are in all.
        """
        self.finish()
        self._step = Step(
            self.net.network,
            self.objective,
            optimizer=self.optimizer if self.optimizer.takes_steps else None,
            state=self.optimizer_state,
            clip=self.clip,
            rng=self.rng,
            data=data,
            batch_size=batch_size,
        )

    def begin_epoch(self, order: Array | None) -> None:
        """Take the order of the next epoch's samples; None is that in which they came."""
        assert self._step is not None
        self._step.begin_epoch(order)

    def step(self, start: int, stop: int, learning_rate: float) -> float:
        """Take an optimizer step on the samples at these places of the epoch's order.

        It returns the loss, penalty included, before it. If the samples' loss is infinite or NaN,
        or none of them has a weight, nothing is changed.
        """
        assert self._step is not None
        return self._step.take(start, stop, learning_rate)

    def settle(self) -> tuple[list[float], bool]:
        """Return losses that `step` has not returned: none; and whether all weights are finite."""
        return [], bool(np.isfinite(self.net.network.parameters).all())

    def minimize(
        self, data: Data, n_iterations: int, after_iteration: Callable[[float], bool]
    ) -> str:
        """Run L-BFGS on all samples; return what ended it: see `LBFGS.minimize`.

        `after_iteration` takes the loss after each iteration, with the network at that point; it
        returns whether to stop.
        """
        net = self.net.network
        self.begin(data)
        step = self._step
        assert step is not None
        accepted = net.parameters.copy()

        def objective(parameters: Array) -> tuple[float, Array]:
            net.parameters[:] = parameters
            return step.loss_and_gradient(data.n_samples)

        def accept(parameters: Array, value: float) -> bool:
            net.parameters[:] = accepted[:] = parameters
            if net.state:
                x = np.ascontiguousarray(data.X[:], dtype=self.net.dtype)
                net.update_state(net.forward(x, training=True))
            return after_iteration(value)

        try:
            reason: str = self.optimizer.minimize(objective, net.parameters, n_iterations, accept)
            return reason
        finally:  # the line search, or an interruption in it, may end at a point it only tried
            net.parameters[:] = accepted

    def evaluate(self, data: Data) -> tuple[float, Array]:
        """Return the loss without penalty, in prediction mode, and what the loss takes."""
        X, targets, weight = data
        z = self.net.predictor.logits(X)
        p = z if self.loss.takes_logits else self.net.network.link.forward(z)
        return self.loss.value_and_gradient(p, targets, weight)[0], p

    def snapshot(self) -> dict[str, Array]:
        """Return a copy of the network's numbers."""
        state = {name: array.copy() for name, array in self.net.network.state.items()}
        return state | {"parameters": self.net.network.parameters.copy()}

    def state(self) -> dict[str, Array]:
        """Return a copy of all that the next step depends on, as arrays by name.

        It is the network's numbers, the optimizer's state, and where the generator of the dropout
        masks is.
        """
        return join(
            {
                "network": self.snapshot(),
                "optimizer": {name: np.array(v) for name, v in self.optimizer_state.items()},
                "masks": {"generator": generator_state(self.rng)},
            }
        )

    def set_state(self, state: dict[str, Array]) -> None:
        """Put back what `state` returned, of a trainer with the same arguments.

        Groups that are not there stay as they are: ``{"network": …}`` alone, joined, puts back a
        snapshot.
        """
        if network := part_of(state, "network"):
            self.net.network.parameters[:] = network["parameters"]
            for name, array in self.net.network.state.items():
                array[:] = network[name]
        if optimizer := part_of(state, "optimizer"):
            for name, value in self.optimizer_state.items():
                if isinstance(value, np.ndarray):
                    value[:] = optimizer[name]  # a step may hold it
                else:
                    self.optimizer_state[name] = optimizer[name].item()
        if masks := part_of(state, "masks"):
            set_generator_state(self.rng, masks["generator"])

    def finish(self) -> None:
        """Do what remains at the end: let go of threads and work arrays."""
        step, self._step = self._step, None
        if step is not None:
            step.finish()


def checked_samples(net: Net, X: object, y: object, sample_weight: object, loss: Loss) -> Data:
    """Return samples, targets and weights as a network and a loss take them; lazy ones lazy.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, InvalidTypeError
        If they are not of this network, or the loss is not of its output.
    """
    architecture, dtype = net.architecture, net.dtype
    loss.check_architecture(architecture)
    x = checks.samples(X, architecture.in_features, dtype)
    targets = loss.targets(y, len(x), architecture.out_features, dtype)
    return Data(x, targets, checks.sample_weights(sample_weight, len(x), dtype))


def check_deterministic(architecture: Architecture, clip: Clip) -> None:
    """Raise for what L-BFGS cannot do: its line search needs one loss and its own gradient."""
    refused = {
        "dropout": any(layer.dropout for layer in architecture.hidden_layers),
        "clip_norm": clip.norm is not None,
        "clip_value": clip.value is not None,
    }
    for name, given in refused.items():
        if given:
            rule = "cannot be combined with L-BFGS, whose line search it would mislead"
            raise InvalidArgumentError(rule, name)
