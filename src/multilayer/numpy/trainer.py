"""Trainer: one network with its loss and optimizer, as the training loop drives it."""

import math
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
from multilayer.samples import LazySamples

__all__ = ["Trainer", "check_deterministic", "checked_samples"]

Array = npt.NDArray[Any]
Data = tuple[Array | LazySamples, Array, Array | None]


class Net(Protocol):
    """What a trainer needs of an `MLP`."""

    architecture: Architecture
    dtype: np.dtype[Any]
    network: Network


class Trainer:
    """Takes optimizer steps on a network, evaluates it, and keeps or restores its numbers.

    The arguments are those of `multilayer.training.fit`, which is the one to call.

    Attributes
    ----------
    optimizer : Optimizer or LBFGS
    loss : Loss
    optimizer_state : dict
        The optimizer's state; empty for L-BFGS.
    sync_every : int
        After how many steps the loop looks at the losses: here they are numbers at once.
    shard : tuple of int
        Rank and number of processes: this engine trains in one.
    """

    sync_every = 1
    shard = (0, 1)

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
        self.optimizer = resolve_optimizer(optimizer)
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
        self._predictor = Predictor(net.network)
        self._step: Step | None = None

    @property
    def takes_steps(self) -> bool:
        """Whether the optimizer is one of steps, and not L-BFGS."""
        return self.optimizer.takes_steps

    @property
    def learning_rate(self) -> float:
        """The optimizer's own; NaN for L-BFGS, which has none."""
        return math.nan if isinstance(self.optimizer, LBFGS) else self.optimizer.learning_rate

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

        How many threads there are is decided by the rows of a full batch, or else by those of the
        first batch that comes.
        """
        self.finish()
        self._step = Step(
            self.net.network,
            self.objective,
            optimizer=None if isinstance(self.optimizer, LBFGS) else self.optimizer,
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

    def minimize(
        self, data: Data, n_iterations: int, after_iteration: Callable[[float], bool]
    ) -> str:
        """Run L-BFGS on all samples; return what ended it: see `LBFGS.minimize`.

        `after_iteration` takes the loss after each iteration, with the network at that point; it
        returns whether to stop.
        """
        assert isinstance(self.optimizer, LBFGS)
        net, n_samples = self.net.network, len(data[1])
        self.begin(data)
        step = self._step
        assert step is not None
        accepted = net.parameters.copy()

        def objective(parameters: Array) -> tuple[float, Array]:
            net.parameters[:] = parameters
            return step.loss_and_gradient(n_samples)

        def accept(parameters: Array, value: float) -> bool:
            net.parameters[:] = accepted[:] = parameters
            if net.state:
                x = np.ascontiguousarray(data[0][:], dtype=self.net.dtype)
                net.update_state(net.forward(x, training=True))
            return after_iteration(value)

        try:
            return self.optimizer.minimize(objective, net.parameters, n_iterations, accept)
        finally:  # the line search, or an interruption in it, may end at a point it only tried
            net.parameters[:] = accepted

    def evaluate(self, data: Data) -> tuple[float, Array]:
        """Return the loss without penalty, in prediction mode, and what the loss takes."""
        X, targets, weight = data
        z = self._predictor.logits(X)
        p = z if self.loss.takes_logits else self.net.network.link.forward(z)
        return self.loss.value_and_gradient(p, targets, weight)[0], p

    def losses(self, values: list[float]) -> list[float]:
        """Return steps' losses as numbers, which they are."""
        return values

    def is_finite(self) -> bool:
        """Return whether every parameter is a finite number."""
        return bool(np.isfinite(self.net.network.parameters).all())

    def snapshot(self) -> dict[str, Array]:
        """Return a copy of the network's numbers."""
        state = {name: array.copy() for name, array in self.net.network.state.items()}
        return state | {"parameters": self.net.network.parameters.copy()}

    def restore(self, snapshot: dict[str, Array]) -> None:
        """Put a snapshot's numbers back into the network."""
        self.net.network.parameters[:] = snapshot["parameters"]
        for name, array in self.net.network.state.items():
            array[:] = snapshot[name]

    def to_arrays(self, snapshot: dict[str, Array]) -> dict[str, Array]:
        """Return a snapshot's numbers as arrays by name, which they are."""
        return snapshot

    def from_arrays(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """Return the snapshot of which `to_arrays` made these arrays."""
        return arrays

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
        """Put back what `state` returned, of a trainer with the same arguments."""
        self.restore(part_of(state, "network"))
        for name, value in self.optimizer_state.items():
            kept = state[f"optimizer.{name}"]
            if isinstance(value, np.ndarray):
                value[:] = kept  # a step may hold it
            else:
                self.optimizer_state[name] = kept.item()
        set_generator_state(self.rng, state["masks.generator"])

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
    return x, targets, checks.sample_weights(sample_weight, len(x), dtype)


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
