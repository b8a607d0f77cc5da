"""Trainer: a module with its loss and optimizer, driven by the training loop."""

import math
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.groups import join, part_of
from multilayer.numpy.adversaries import Adversary
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.optimizers import LBFGS, Optimizer, resolve_optimizer
from multilayer.numpy.state import extras, set_extras
from multilayer.numpy.trainer import (
    check_lbfgs,
    checked_adversary,
    checked_clip,
    checked_ema,
    checked_max_norm,
    checked_penalties,
    checked_samples,
)
from multilayer.registry import resolve
from multilayer.samples import Data
from multilayer.torch import capture, distributed
from multilayer.torch.adversaries import draw_directions, loss_with
from multilayer.torch.average import RunningAverage
from multilayer.torch.layers import draw_from, limit_norms
from multilayer.torch.lbfgs import minimize
from multilayer.torch.losses import mean_loss
from multilayer.torch.module import Net
from multilayer.torch.objective import Objective, shares
from multilayer.torch.optimizers import Rates, check_own, clip_gradients, make_optimizer
from multilayer.torch.placement import as_index, on_host, place, to_device, together, whole
from multilayer.torch.precision import Precision
from multilayer.torch.prediction import predict
from multilayer.torch.state import (
    module_arrays,
    optimizer_arrays,
    set_module_arrays,
    set_optimizer_arrays,
)

__all__ = ["Trainer"]

Array = npt.NDArray[Any]
Tensor = torch.Tensor


class Trainer:
    """Takes optimizer steps on a module, evaluates it, and saves or restores its state.

    Parameters
    ----------
    net : MLP
        The network.
    loss, l1, l2, clip_norm, clip_value, max_norm, ema, rng, adversary
        As in `multilayer.training.fit`.
    optimizer : str, Optimizer, LBFGS or torch.optim.Optimizer
        An optimizer of torch.optim must have been made with the network's own parameters.
    precision : {"bfloat16", "float16"}, optional
        The dtype of matrix products in mixed precision; parameters keep theirs.
    accumulate : int
        The number of parts in which a batch is computed, to save memory; the step is the same.
    compile : bool
        Whether to compile the loss with `torch.compile`.

    Notes
    -----
    On a CUDA device, whole steps are recorded as CUDA graphs and replayed, once a batch size has
    occurred a few times: see `multilayer.torch.capture`. Steps run one operation at a time if
    samples are lazy or larger than 2 GiB, in several processes, in float64, and with
    ``precision="float16"``, an adversary, an optimizer of torch.optim, or custom modules, losses or
    hooks; `compile` then makes CUDA graphs of the loss and its gradient. Both ways take the same
    steps, up to rounding.
    """

    n_members = 0
    """It is not an ensemble's."""

    def __init__(
        self,
        net: Net,
        *,
        loss: str | Loss,
        optimizer: str | Optimizer | LBFGS | torch.optim.Optimizer,
        l1: float = 0.0,
        l2: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        rng: np.random.Generator | None = None,
        precision: str | None = None,
        accumulate: int = 1,
        ema: float | None = None,
        compile: bool = False,  # noqa: A002 - PyTorch's own word
        adversary: Adversary | None = None,
        max_norm: float | None = None,
    ) -> None:
        self.net = net
        self.loss = resolve(loss, LOSSES, Loss)
        self.loss.check_architecture(net.architecture)
        l1, l2 = checked_penalties(l1, l2)
        self.clip, self.max_norm = checked_clip(clip_norm, clip_value), checked_max_norm(max_norm)
        self.accumulate = checks.integer(accumulate, "accumulate", "fit")
        self._precision = Precision(precision, net.device)
        self.shard = distributed.shard()
        self.adversary = checked_adversary(adversary, self.loss, net.architecture)
        if adversary is not None and precision == "float16":
            rule = "cannot be combined with float16, in which the inputs' gradients vanish"
            raise InvalidArgumentError(rule, "adversary", "fit")
        ema = checked_ema(ema)
        self._set_optimizer(optimizer)
        if self.learning_rate is None:
            check_lbfgs(net.architecture, self.clip, adversary, self.max_norm, ema)
        generator = checks.random_generator(rng, "fit")
        self._directions = None if adversary is None else generator.spawn(1)[0]
        seed = int(generator.integers(2**62))
        distributed.agree(net, [] if rng is None else [seed])
        # Draws masks and noise, different on each rank.
        self._generator = torch.Generator(net.device)
        self._generator.manual_seed(seed + self.shard[0])
        self._average = None if ema is None else RunningAverage(net, ema)
        self._captured: capture.Captured | None = None
        self._waits = net.device.type != capture.DEVICE  # a GPU works asynchronously
        self._late: list[Tensor] = []
        self._objective: Any = Objective(net, self.loss, l1, l2)
        self._is_to_compile = checks.flag(compile, "compile", "fit")
        self._settings = {
            "l1": l1, "l2": l2, "clip_norm": self.clip.norm, "clip_value": self.clip.value,
            "max_norm": self.max_norm, "precision": precision, "accumulate": self.accumulate,
            "ema": ema, "compile": self._is_to_compile, "adversary": repr(adversary),
        }  # fmt: skip

    def check(self, X: object, y: object, weight: object) -> Data:
        """Check samples, targets and weights, and return them as tensors; lazy samples stay lazy.

        Samples are moved to the network's device; if they are larger than 2 GiB or lazy, each batch
        is. Targets and weights stay on the host, where splits and metrics need them.
        """
        net = self.net
        given = on_host(X), on_host(y), on_host(weight)
        x, targets, weights = checked_samples(net, *given, self.loss)
        return place(whole(x, net.device, net.dtype), targets, weights, net.device)

    def description(self) -> dict[str, Any]:
        """Return the network's structure and the settings, by name, as values for JSON."""
        net = self.net
        return asdict(net.architecture) | self._settings | {
            "engine": "torch",
            "parameters": {name: list(tensor.shape) for name, tensor in net.state_dict().items()},
            "dtype": net.dtype,
            "device": net.device.type,
            "loss": repr(self.loss),
            "optimizer": repr(self.optimizer),
        }  # fmt: skip

    def begin(self, data: Data, batch_size: int | None = None) -> None:
        """Set the samples for the steps that follow; also in the middle of a training run.

        A rank needs only its own samples, if the order says where they are: see `begin_epoch`.
        """
        self._data = together(data)
        draw_from(self._generator, self.net)
        self._captured = None  # recorded steps read the previous samples
        X = data[0]
        if isinstance(X, Tensor) and X.device == self.net.device and self._can_capture():
            capture.make_capturable(self._torch_optimizer)
            self._captured = capture.Captured(
                self._step_on,
                self.net.parameters(),
                capture.CudaGraphs(self.net.device, self._generator),
            )
        self._compile()

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch's samples; None keeps the order of the data.

        With w ranks, rank r takes the positions r, r + w, r + 2w, … of each batch and ignores the
        others.
        """
        if order is None and self._captured is not None:
            order = np.arange(len(self._data[0]))
        self._order = None if order is None else as_index(self._data[0], order)

    def step(self, start: int, stop: int, learning_rate: float) -> float | None:
        """Take an optimizer step on the samples at these positions of the epoch's order.

        Return the loss before the step, penalty included. On a GPU, return None without waiting;
        `settle` returns the loss later. With several ranks, each takes its part of the batch.
        """
        places = distributed.own_places(start, stop)
        rows: Any = places if self._order is None else self._order[places]
        assert self.learning_rate is not None
        factor = learning_rate / self.learning_rate
        self._rates.multiply(factor, in_place=self._captured is not None)
        if not self.net.training:  # an evaluation may have come in between
            self.net.train()
        if self._captured is not None:
            loss = self._captured(rows)
        else:
            loss = self._step_on(rows, stop - start)
        if self._waits:
            return loss.item()
        self._late.append(loss)
        return None

    def settle(self) -> tuple[list[float], bool]:
        """Return the losses that `step` did not return, and whether all weights are finite.

        The host waits for the device here.
        """
        largest = torch.nn.utils.get_total_norm(self.net.parameters(), math.inf)
        *losses, norm = torch.stack([*self._late, largest]).tolist()
        self._late.clear()
        return losses, math.isfinite(norm)

    def minimize(
        self, data: Data, n_iterations: int, after_iteration: Callable[[float], bool]
    ) -> str:
        """Run L-BFGS on all samples; return why it stopped: see `LBFGS.minimize`.

        With several ranks, each takes its part of the samples.
        """
        self._compile()
        backward = partial(self._backward, n_whole=data.n_samples)
        if self.shard[1] > 1:
            data = data.part(np.arange(data.n_samples)[distributed.own_places(0, data.n_samples)])
        return minimize(
            self.optimizer, self.net, together(data), backward, n_iterations, after_iteration
        )

    def evaluate(self, data: Data) -> tuple[float, Array]:
        """Return the loss in prediction mode, without penalty, and the loss's argument."""
        X, targets, weight = data
        outputs = predict(self._validated, X, logits=self.loss.takes_logits)
        p = torch.from_numpy(outputs)
        value = mean_loss(self.loss, p, targets, shares(weight, p))
        return value.item(), outputs

    def snapshot(self) -> dict[str, Array]:
        """Return a copy of what is validated: the network's weights, or their average."""
        return module_arrays(self._validated)

    def state(self) -> dict[str, Array]:
        """Return a copy of everything the next step depends on, as arrays by name.

        That is the state of the network and its average, the optimizer, the float16 scaler, and
        the generators of dropout masks, noise and an adversary's directions.

        Raises
        ------
        InvalidArgumentError
            If there are several processes.
        InvalidTypeError
            If the optimizer's state contains something other than tensors and numbers.
        """
        if self.shard[1] > 1:
            rule = "cannot be combined with several processes"
            raise InvalidArgumentError(rule, "checkpoint", "fit")
        found = {
            "network": module_arrays(self.net),
            "scaler": self._precision.arrays(),
            "masks": {"generator": self._generator.get_state().numpy()},
        }
        if self.learning_rate is not None:
            found["optimizer"] = optimizer_arrays(self._torch_optimizer)
        return join(found | extras(self._directions, self._average))

    def set_state(self, state: dict[str, Array]) -> None:
        """Restore what `state` returned, in a trainer with the same arguments.

        Absent groups stay unchanged: ``join({"network": …})`` alone restores a snapshot, from which
        an average starts anew.
        """
        if network := part_of(state, "network"):
            set_module_arrays(self.net, network)
        if scaler := part_of(state, "scaler"):
            self._precision.set_arrays(scaler)
        if masks := part_of(state, "masks"):
            self._generator.set_state(torch.from_numpy(masks["generator"].copy()))
            # An optimizer's group is empty before the first step, and therefore absent.
            if self.learning_rate is not None:
                set_optimizer_arrays(self._torch_optimizer, part_of(state, "optimizer"))
        set_extras(state, self._directions, self._average)
        if self._captured is not None:
            self._captured.forget()

    def finish(self) -> None:
        """Give the network its final weights, and leave it in prediction mode."""
        if self._average is not None:
            self.net.load_state_dict(self._validated.state_dict())
        draw_from(None, self.net)
        self._late.clear()  # losses of an interrupted training run
        self._captured = None  # frees the device's memory
        self.net.eval()

    @property
    def _validated(self) -> Net:
        """The network that is validated: the one in training, or its running average."""
        return self.net if self._average is None else self._average.net

    def _set_optimizer(self, optimizer: object) -> None:
        """Set PyTorch's optimizer: the given one, or one made from this package's."""
        if isinstance(optimizer, torch.optim.Optimizer):
            check_own(optimizer, self.net.parameters())
            self.optimizer: Any = optimizer
            self._torch_optimizer = optimizer
        else:
            self.optimizer = resolve_optimizer(optimizer)
            if not self.optimizer.takes_steps:
                self.learning_rate: float | None = None
                return
            self._torch_optimizer = make_optimizer(self.optimizer, self.net.parameters())
        self._rates = Rates(self._torch_optimizer)
        self.learning_rate = self._rates.first[0]

    def _compile(self) -> None:
        """Compile the loss if requested, with its own CUDA graphs if steps are not recorded."""
        if self._is_to_compile:
            makes_graphs = self.net.device.type == "cuda" and self._captured is None
            mode = "reduce-overhead" if makes_graphs else None
            self._objective = torch.compile(self._objective, mode=mode)
            self._is_to_compile = False

    def _can_capture(self) -> bool:
        """Return whether steps can be recorded, provided the samples are on the device."""
        return (
            self.learning_rate is not None
            and self.shard[1] == 1
            and not self._precision.scales
            and self.adversary is None  # the host draws the directions of a virtual one
            and self._torch_optimizer is not self.optimizer  # a user's optimizer is left unchanged
            and capture.can_capture(self.net, self.loss, self._torch_optimizer)
        )

    def _step_on(self, rows: Any, n_whole: int | None = None) -> Tensor:
        """Take an optimizer step on this rank's rows of a batch of `n_whole` rows.

        Return the loss before the step.

        A CUDA graph records this: on a GPU, nothing in here may read a number from the device or
        copy one to it.
        """
        X, targets, weight = self._data
        batch = Data(X[rows], targets[rows], None if weight is None else weight[rows])
        value = self._backward(batch, n_whole)
        if self._waits and not torch.isfinite(value):
            return value
        self._precision.unscale(self._torch_optimizer)
        clip_gradients(self.net.parameters(), self.clip)
        self._precision.step(self._torch_optimizer)
        if self.max_norm is not None:
            limit_norms(self.net, self.max_norm)
        if self._average is not None:
            self._average.update()
        return value

    def _backward(self, batch: Data, n_whole: int | None) -> Tensor:
        """Return the loss of the batch, and leave its gradient in the parameters' ``grad``."""
        X, targets = to_device(batch[0], self.net), to_device(batch[1], self.net)
        weight = None if batch[2] is None else to_device(batch[2], self.net)
        share = shares(weight, X, n_whole)
        n_parts = min(self.accumulate, max(len(X), 1))
        part_of_penalty = 1 / (n_parts * self.shard[1])
        tensors = [X, targets, share]
        tensors += draw_directions(self.adversary, self._directions, X, n_whole)
        self.net.zero_grad()
        losses = []
        for part in zip(*(t.tensor_split(n_parts) for t in tensors), strict=True):
            with self._precision.autocast():
                loss = loss_with(self.adversary, self._objective, part, part_of_penalty)
            self._precision.backward(loss)
            losses.append(loss.detach())
        value = sum(losses[1:], losses[0])
        gradients = [p.grad for p in self.net.parameters() if p.grad is not None]
        distributed.sum_over_ranks([*gradients, value])
        return value
