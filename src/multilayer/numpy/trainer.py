"""Trainer: one network with its loss and optimizer, driven by the training loop."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.groups import join, part_of
from multilayer.numpy.adversaries import Adversary
from multilayer.numpy.average import RunningAverage
from multilayer.numpy.clipping import Clip
from multilayer.numpy.fast.prediction import Predictor
from multilayer.numpy.fast.step import Step
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Objective
from multilayer.numpy.optimizers import LBFGS, Optimizer, State, resolve_optimizer
from multilayer.numpy.state import extras, network_arrays, set_extras, set_network_arrays
from multilayer.randomness import generator_state, set_generator_state
from multilayer.registry import resolve
from multilayer.samples import Data

__all__ = [
    "Trainer",
    "check_lbfgs",
    "checked_adversary",
    "checked_clip",
    "checked_ema",
    "checked_max_norm",
    "checked_penalties",
    "checked_samples",
    "set_optimizer_state",
]

Array = npt.NDArray[Any]


class Net(Protocol):
    """The part of an `MLP` that a trainer uses."""

    architecture: Architecture
    dtype: np.dtype[Any]
    network: Network
    predictor: Predictor

    def copy(self) -> Self: ...


class Steps(Protocol):
    """The part of a `Step` that a trainer uses."""

    def begin_epoch(self, order: Array | None) -> None: ...

    def take(self, start: int, stop: int, learning_rate: float) -> Any: ...

    def finish(self) -> None: ...


class Trainer:
    """Takes optimizer steps on a network, evaluates it, and saves or restores its state.

    The arguments are those of `multilayer.training.fit`, which users should call instead.

    Attributes
    ----------
    optimizer : Optimizer or LBFGS
    loss : Loss
    optimizer_state : dict
        The optimizer's state; empty for L-BFGS.
    learning_rate : float or None
        The optimizer's learning rate; None for L-BFGS.
    """

    n_members = 0
    """0: it trains a single network, not an ensemble."""

    def __init__(
        self,
        net: Net,
        *,
        loss: str | Loss,
        optimizer: str | Optimizer | LBFGS,
        l1: float = 0.0,
        l2: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        max_norm: float | None = None,
        ema: float | None = None,
        rng: np.random.Generator | None = None,
        adversary: Adversary | None = None,
    ) -> None:
        self.net = net
        self.loss = resolve(loss, LOSSES, Loss)
        self.loss.check_architecture(net.architecture)
        self.optimizer: Any = resolve_optimizer(optimizer)
        self.learning_rate: float | None = getattr(self.optimizer, "learning_rate", None)
        self.objective = Objective(self.loss, *checked_penalties(l1, l2))
        self.clip = checked_clip(clip_norm, clip_value)
        self.max_norm, self._ema = checked_max_norm(max_norm), checked_ema(ema)
        self.rng = checks.random_generator(rng, "fit")
        self.adversary = checked_adversary(adversary, self.loss, net.architecture)
        self._directions = None if adversary is None else self.rng.spawn(1)[0]
        self.optimizer_state: State = {}
        if self.optimizer.takes_steps:
            self.optimizer_state = self.optimizer.initial_state(net.network.parameters)
        else:
            check_lbfgs(net.architecture, self.clip, self.adversary, self.max_norm, self._ema)
        self._average = None if self._ema is None else RunningAverage(net, self._ema)
        self._step: Steps | None = None

    def check(self, X: object, y: object, weight: object) -> Data:
        """Check samples, targets and weights, for the other methods; lazy samples stay lazy."""
        return checked_samples(self.net, X, y, weight, self.loss)

    def description(self) -> dict[str, Any]:
        """Return the network's and the training's settings by name, as values for JSON."""
        return asdict(self.net.architecture) | {
            "engine": "numpy",
            "dtype": str(self.net.dtype),
            "loss": repr(self.loss),
            "optimizer": repr(self.optimizer),
            "l1": self.objective.l1,
            "l2": self.objective.l2,
            "clip_norm": self.clip.norm,
            "clip_value": self.clip.value,
            "max_norm": self.max_norm,
            "adversary": repr(self.adversary),
            "ema": self._ema,
        }

    def begin(self, data: Data, batch_size: int | None = None) -> None:
        """Set the samples to take steps on.

        The number of threads depends on the number of rows in a full batch, or of all samples if
        `batch_size` is None.
        """
        self._release()
        self._step = Step(
            self.net.network,
            self.objective,
            optimizer=self.optimizer if self.optimizer.takes_steps else None,
            state=self.optimizer_state,
            clip=self.clip,
            max_norm=self.max_norm,
            rng=self.rng,
            adversary=self.adversary,
            directions=self._directions,
            data=data,
            batch_size=batch_size,
        )

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch's samples; None is the order in which they were given."""
        assert self._step is not None
        self._step.begin_epoch(order)

    def step(self, start: int, stop: int, learning_rate: float) -> float:
        """Take an optimizer step on the samples at these positions of the epoch's order.

        Return the loss before the step, penalty included. If the samples' loss is infinite or NaN,
        or all their weights are 0, nothing is changed.
        """
        assert self._step is not None
        if self._average is None:
            return self._step.take(start, stop, learning_rate)
        before = self.optimizer_state["step"]
        loss = self._step.take(start, stop, learning_rate)
        if self.optimizer_state["step"] != before:
            self._average.update()
        return loss

    def settle(self) -> tuple[list[float], bool]:
        """Return losses that `step` deferred (here none), and whether all weights are finite."""
        return [], bool(np.isfinite(self.net.network.parameters).all())

    def minimize(
        self, data: Data, n_iterations: int, after_iteration: Callable[[float], bool]
    ) -> str:
        """Run L-BFGS on all samples; return why it stopped: see `LBFGS.minimize`.

        After each iteration, when the network has the new weights, `after_iteration` takes the loss
        and returns whether to stop.
        """
        net = self.net.network
        self.begin(data)
        step = self._step
        assert isinstance(step, Step)
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
        finally:  # the line search may end, or be interrupted, at a trial point
            net.parameters[:] = accepted

    def evaluate(self, data: Data) -> tuple[float, Array]:
        """Return the loss without penalty, in prediction mode, and p: the logits or the outputs."""
        X, targets, weight = data
        net = self._validated
        z = net.predictor.logits(X)
        p = z if self.loss.takes_logits else net.network.link.forward(z)
        return self.loss.value_and_gradient(p, targets, weight)[0], p

    def snapshot(self) -> dict[str, Array]:
        """Return a copy of what is validated: parameters and state, or their averages."""
        return network_arrays(self._validated.network)

    def state(self) -> dict[str, Array]:
        """Return a copy of everything the next step depends on, as arrays by name.

        That is the state of the network and its average, of the optimizer, and of the generators
        that draw dropout masks, noise and an adversary's directions.
        """
        found = {
            "network": network_arrays(self.net.network),
            "optimizer": {name: np.array(v) for name, v in self.optimizer_state.items()},
            "masks": {"generator": generator_state(self.rng)},
        }
        return join(found | extras(self._directions, self._average))

    def set_state(self, state: dict[str, Array]) -> None:
        """Restore what `state` returned, in a trainer with the same arguments.

        Parts of the state that are absent stay unchanged: ``join({"network": snapshot})`` restores
        a snapshot, from which an average restarts.
        """
        if network := part_of(state, "network"):
            set_network_arrays(self.net.network, network)
        if optimizer := part_of(state, "optimizer"):
            set_optimizer_state(self.optimizer_state, optimizer)
        if masks := part_of(state, "masks"):
            set_generator_state(self.rng, masks["generator"])
        set_extras(state, self._directions, self._average)

    def finish(self) -> None:
        """Release threads and work arrays, and give the network its final weights."""
        self._release()
        if self._average is not None:
            set_network_arrays(self.net.network, self.snapshot())

    @property
    def _validated(self) -> Net:
        """The network that is validated: the one in training, or its running average."""
        return self.net if self._average is None else self._average.net

    def _release(self) -> None:
        """Release threads and work arrays."""
        step, self._step = self._step, None
        if step is not None:
            step.finish()


def set_optimizer_state(state: State, arrays: dict[str, Array]) -> None:
    """Restore an optimizer's state from its arrays by name."""
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            value[:] = arrays[name]  # in place: a step may hold a reference
        else:
            state[name] = arrays[name].item()


def checked_samples(net: Any, X: object, y: object, sample_weight: object, loss: Loss) -> Data:
    """Check samples, targets and weights for a network of either engine; lazy samples stay lazy.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, InvalidTypeError
        If they do not fit the network, or the loss does not fit its output.
    """
    architecture, dtype = net.architecture, net.dtype
    loss.check_architecture(architecture)
    x = checks.samples(X, architecture.in_features, dtype)
    targets = loss.targets(y, len(x), architecture.out_features, dtype)
    return Data(x, targets, checks.sample_weights(sample_weight, len(x), dtype))


def checked_penalties(l1: object, l2: object) -> tuple[float, float]:
    """Check and return the penalties of `fit`."""
    return checks.real(l1, "l1", "fit", "[0, inf)"), checks.real(l2, "l2", "fit", "[0, inf)")


def checked_clip(norm: object, value: object) -> Clip:
    """Check the limits of `fit` on gradients, and return them as a `Clip`."""
    limits = {"clip_norm": norm, "clip_value": value}
    return Clip(
        *(None if v is None else checks.real(v, n, "fit", "(0, inf)") for n, v in limits.items())
    )


def checked_max_norm(max_norm: object) -> float | None:
    """Check and return the bound of `fit` on the norms of weights."""
    return None if max_norm is None else checks.real(max_norm, "max_norm", "fit", "(0, inf)")


def checked_ema(ema: object) -> float | None:
    """Check and return the decay of the running average of `fit`."""
    return None if ema is None else checks.real(ema, "ema", "fit", "(0, 1)")


def checked_adversary(
    adversary: object, loss: Loss, architecture: Architecture
) -> Adversary | None:
    """Return the adversary of `fit`; raise unless it can be used with the loss and the network."""
    if adversary is None:
        return None
    if not isinstance(adversary, Adversary):
        rule = "must be an Adversary, such as VirtualAdversarial(1.0)"
        raise InvalidTypeError(rule, "adversary", "fit", got=repr(adversary))
    if architecture.embeddings is not None:
        rule = "cannot be combined with embeddings, which have no gradient for their inputs"
        raise InvalidArgumentError(rule, "adversary", "fit")
    adversary.judge(loss)
    return adversary


def check_lbfgs(
    architecture: Architecture,
    clip: Clip,
    adversary: Adversary | None,
    max_norm: float | None,
    ema: float | None,
) -> None:
    """Raise for what L-BFGS cannot do: its line search needs a fixed loss and its true gradient."""
    refused = {
        "dropout": any(layer.dropout for layer in architecture.hidden_layers),
        "noise": bool(np.any(architecture.noise)),
        "clip_norm": clip.norm is not None,
        "clip_value": clip.value is not None,
        "adversary": adversary is not None,
        "max_norm": max_norm is not None,
    }
    for name, given in refused.items():
        if given:
            rule = "cannot be combined with L-BFGS, whose line search it would mislead"
            raise InvalidArgumentError(rule, name)
    if ema is not None:
        rule = "cannot be combined with L-BFGS, which does not step batch by batch"
        raise InvalidArgumentError(rule, "ema")
