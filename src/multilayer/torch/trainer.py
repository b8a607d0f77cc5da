"""Trainer: a module with its loss and optimizer, as the training loop drives it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.numpy.lbfgs import LBFGS
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.trainer import check_deterministic, resolve_optimizer
from multilayer.registry import Names, resolve
from multilayer.samples import LazySamples
from multilayer.torch import distributed
from multilayer.torch.layers import Dropout
from multilayer.torch.losses import mean_loss
from multilayer.torch.optimizers import make_optimizer

if TYPE_CHECKING:
    from multilayer.numpy.optimizers import Optimizer
    from multilayer.torch.network import MLP

__all__ = ["Trainer"]

Array = npt.NDArray[Any]
Tensor = torch.Tensor
Batch = tuple[Any, Tensor, Tensor | None]

PREDICTION_CHUNK = 8192
RESIDENT_BYTES = 2**31
"""Samples of up to so many bytes are kept whole on the device."""
PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Trainer:
    """Takes optimizer steps on a module, evaluates it, and keeps or restores its numbers.

    Parameters
    ----------
    net : MLP
        The network.
    loss, l1, l2, clip_norm, clip_value, rng
        As in `multilayer.training.fit`.
    optimizer : str, Optimizer, LBFGS or torch.optim.Optimizer
        One of PyTorch's must have been made of the network's own parameters.
    precision : {"bfloat16", "float16"}, optional
        The type of matrix products in mixed precision; parameters stay as they are.
    accumulate : int
        In how many parts a batch is computed, their gradients added: the same step, less memory.
    ema : float, optional
        The decay, in (0, 1), of a running average of the weights, which is what is validated and
        what the network has in the end.
    compile : bool
        Whether the loss is compiled by `torch.compile`, on a GPU with CUDA graphs.
    """

    def __init__(
        self,
        net: "MLP",
        *,
        loss: str | Loss,
        optimizer: "str | Optimizer | LBFGS | torch.optim.Optimizer",
        l1: float = 0.0,
        l2: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        rng: np.random.Generator | None = None,
        precision: str | None = None,
        accumulate: int = 1,
        ema: float | None = None,
        compile: bool = False,  # noqa: A002 - PyTorch's own word
    ) -> None:
        self.net = net
        self.loss = resolve(loss, LOSSES, Loss)
        self.loss.check_architecture(net.architecture)
        l1, l2 = (
            checks.real(value, name, "fit", "[0, inf)") for name, value in (("l1", l1), ("l2", l2))
        )
        self.clip_norm, self.clip_value = (
            None if value is None else checks.real(value, name, "fit", "(0, inf)")
            for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value))
        )
        self.accumulate = checks.integer(accumulate, "accumulate", "fit")
        if precision is not None:
            Names("precision", PRECISIONS).check(precision, "fit")
        self.precision = None if precision is None else PRECISIONS[precision]
        self.shard = distributed.shard()
        self._set_optimizer(optimizer)
        self._draw_masks_from(checks.random_generator(rng, "fit"))
        self._scaler = torch.amp.GradScaler(
            net.device.type, enabled=self.precision is torch.float16
        )
        self._average: AveragedModel | None = None
        if ema is not None:
            decay = checks.real(ema, "ema", "fit", "(0, 1)")
            average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
            self._average = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
        self._objective: Any = _Objective(net, self.loss, l1, l2, self.shard[1])
        if self.shard[1] > 1:
            if net.architecture.normalization == "batch":
                msg = "normalization 'batch' cannot be trained in several processes; use 'layer'"
                raise InvalidArgumentError(msg)
            self._objective = DistributedDataParallel(self._objective)
        if checks.flag(compile, "compile", "fit"):
            mode = "reduce-overhead" if net.device.type == "cuda" else None
            self._objective = torch.compile(self._objective, mode=mode)

    @property
    def takes_steps(self) -> bool:
        """Whether the optimizer is one of steps, and not L-BFGS."""
        return not isinstance(self.optimizer, LBFGS)

    @property
    def sync_every(self) -> int:
        """After how many steps the losses are looked at: on a GPU each look waits for it."""
        return 1 if self.net.device.type == "cpu" else 100

    def check(self, X: object, y: object, weight: object) -> Batch:
        """Return samples, targets and weights, checked, as tensors; lazy samples as they are.

        They lie on the network's device, unless they are larger than 2 GiB or lazy: then batches
        are moved there.
        """
        architecture, device = self.net.architecture, self.net.device
        x = checks.samples(_on_host(X), architecture.in_features, self.net.dtype)
        targets = self.loss.targets(
            _on_host(y), x.shape[0], architecture.out_features, self.net.dtype
        )
        weights = checks.sample_weights(_on_host(weight), x.shape[0], self.net.dtype)
        tensors = [None if a is None else torch.from_numpy(a) for a in (targets, weights)]
        if isinstance(x, LazySamples):
            return x, tensors[0], tensors[1]  # type: ignore[return-value]
        everything = [torch.from_numpy(x), *tensors]
        n_bytes = sum(t.numel() * t.element_size() for t in everything if t is not None)
        if n_bytes <= RESIDENT_BYTES:
            everything = [None if t is None else t.to(device) for t in everything]
        return tuple(everything)  # type: ignore[return-value]

    def index(self, X: Any, order: Array) -> Any:
        """Return row numbers as what indexes X: a tensor beside it."""
        return torch.from_numpy(order).to(X.device) if isinstance(X, Tensor) else order

    def step(self, batch: Batch, learning_rate: float) -> Tensor:
        """Take one optimizer step on a batch; return the loss, penalty included, before it.

        The batch is this rank's part of the whole one.
        """
        for group, rate in zip(self._torch_optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * (learning_rate / self.learning_rate)
        self.net.train()
        self._torch_optimizer.zero_grad()
        value = self._backward(batch)
        if self.net.device.type == "cpu" and not torch.isfinite(value):
            return value
        self._scaler.unscale_(self._torch_optimizer)
        self._clip()
        self._scaler.step(self._torch_optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update_parameters(self.net)
        return value

    def losses(self, values: list[Tensor]) -> list[float]:
        """Return steps' losses as numbers: the one place where the host waits for the device."""
        return torch.stack(values).tolist()

    def minimize(
        self, data: Batch, n_iterations: int, after_iteration: Callable[[float], bool]
    ) -> str:
        """Run L-BFGS on all samples; return what ended it: see `LBFGS.minimize`."""
        assert isinstance(self.optimizer, LBFGS)
        net = self.net
        parameters = list(net.parameters())
        accepted = parameters_to_vector(parameters).detach().clone()

        def put(vector: Array) -> None:
            tensor = torch.from_numpy(vector).to(accepted)
            vector_to_parameters(tensor, parameters)

        def objective(vector: Array) -> tuple[float, Array]:
            put(vector)
            statistics = net.state
            net.train()  # an evaluation may have come between
            net.zero_grad()
            value = self._backward(data)
            net.set_state(statistics)  # type: ignore[arg-type]
            gradient = torch.cat([_gradient(p).flatten() for p in parameters])
            return value.item(), gradient.double().cpu().numpy()

        def accept(vector: Array, value: float) -> bool:
            put(vector)
            accepted.copy_(parameters_to_vector(parameters))
            if net.state:
                net.train()
                with torch.no_grad():
                    net(_to(data[0], net))
            return after_iteration(value)

        try:
            start = accepted.double().cpu().numpy()
            return self.optimizer.minimize(objective, start, n_iterations, accept)
        finally:
            vector_to_parameters(accepted, parameters)

    def evaluate(self, data: Batch) -> tuple[float, Array]:
        """Return the loss without penalty, in prediction mode, and what the loss takes.

        Of several ranks each predicts its share of the samples; all get the whole result.
        """
        X, targets, weight = data
        rank, n_ranks = self.shard
        net: Any = self.net if self._average is None else self._average.module
        net.eval()
        rows = np.arange(rank, X.shape[0], n_ranks)
        takes = net.logits if self.loss.takes_logits else net
        with torch.inference_mode():
            chunks = range(0, len(rows), PREDICTION_CHUNK)
            parts = [
                takes(_to(X[self.index(X, rows[i : i + PREDICTION_CHUNK])], self.net)).cpu()
                for i in chunks
            ]
            empty = torch.empty(
                0, self.net.architecture.out_features, dtype=self.net.last.weight.dtype
            )
            whole = distributed.gather_rows(torch.cat([*parts, empty]).numpy(), X.shape[0])
            p = torch.from_numpy(whole)
            share = _share(None if weight is None else weight.cpu(), p)
            value = mean_loss(self.loss, p, targets.cpu(), share)
        return value.item(), whole

    def is_finite(self) -> bool:
        """Return whether every parameter is a finite number."""
        return all(bool(torch.isfinite(p).all()) for p in self.net.parameters())

    def snapshot(self) -> dict[str, Tensor]:
        """Return a copy of the numbers that are validated: the network's, or their average."""
        net = self.net if self._average is None else self._average.module
        return {name: tensor.clone() for name, tensor in net.state_dict().items()}

    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """Put a snapshot's numbers into the network."""
        self.net.load_state_dict(snapshot)

    def finish(self) -> None:
        """Give the network what it is to have in the end, and leave it in prediction mode."""
        if self._average is not None:
            self.restore(self.snapshot())
        for module in self.net.modules():
            if isinstance(module, Dropout):
                module.generator = None
        self.net.eval()

    def _set_optimizer(self, optimizer: object) -> None:
        """Take one of our optimizers, turned into PyTorch's, or PyTorch's own."""
        if isinstance(optimizer, torch.optim.Optimizer):
            own = {id(p) for p in self.net.parameters()}
            given = {id(p) for group in optimizer.param_groups for p in group["params"]}
            if not given <= own:
                msg = "optimizer of fit must have been made of net.parameters()"
                raise InvalidArgumentError(msg)
            if isinstance(optimizer, torch.optim.LBFGS):
                msg = "optimizer of fit: for L-BFGS give 'lbfgs', which brings its line search"
                raise InvalidArgumentError(msg)
            self.optimizer: Any = optimizer
            self._torch_optimizer = optimizer
        else:
            self.optimizer = resolve_optimizer(optimizer)
            if isinstance(self.optimizer, LBFGS):
                check_deterministic(self.net.architecture, self.clip_norm, self.clip_value)
                self.learning_rate = float("nan")
                return
            self._torch_optimizer = make_optimizer(self.optimizer, self.net.parameters())
        self._rates = [float(group["lr"]) for group in self._torch_optimizer.param_groups]
        self.learning_rate = self._rates[0]

    def _draw_masks_from(self, rng: np.random.Generator) -> None:
        """Give the dropout layers a generator of their own, seeded by `rng`."""
        seed = int(rng.integers(2**62)) + self.shard[0]
        generator = torch.Generator(self.net.device).manual_seed(seed)
        for module in self.net.modules():
            if isinstance(module, Dropout):
                module.generator = generator

    def _backward(self, batch: Batch) -> Tensor:
        """Return the loss of the batch, with its gradient in the parameters' ``grad``."""
        X, targets = _to(batch[0], self.net), _to(batch[1], self.net)
        weight = None if batch[2] is None else _to(batch[2], self.net)
        share = _share(weight, X, over_ranks=True)
        n_parts = min(self.accumulate, max(len(X), 1))
        value = X.new_zeros(())
        for part in zip(*(t.tensor_split(n_parts) for t in (X, targets, share)), strict=True):
            with self._autocast():
                loss = self._objective(*part, 1 / n_parts)
            self._scaler.scale(loss).backward()
            value = value + loss.detach()
        return distributed.sum_over_ranks(value) / self.shard[1]

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(
            self.net.device.type, dtype=self.precision, enabled=self.precision is not None
        )

    def _clip(self) -> None:
        """Clip the gradients, by value first."""
        gradients = [p.grad for p in self.net.parameters() if p.grad is not None]
        if self.clip_value is not None:
            for gradient in gradients:
                gradient.clamp_(-self.clip_value, self.clip_value)
        if self.clip_norm is not None:
            norm = torch.linalg.vector_norm(
                torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
            )
            factor = (self.clip_norm / norm).clamp(max=1.0)
            for gradient in gradients:
                gradient.mul_(factor)


class _Objective(nn.Module):
    """The loss as a module, so that DistributedDataParallel and torch.compile can take it whole.

    DistributedDataParallel averages gradients over ranks; the samples' losses are to be added, so
    they are multiplied by the number of ranks.
    """

    def __init__(self, net: "MLP", loss: Loss, l1: float, l2: float, n_ranks: int) -> None:
        super().__init__()
        self.net = net
        self.loss = loss
        self.l1 = l1
        self.l2 = l2
        self.n_ranks = n_ranks

    def forward(self, X: Tensor, targets: Tensor, share: Tensor, part: float) -> Tensor:
        """Return the loss of some samples with their shares, and that part of the penalty."""
        p = self.net.logits(X) if self.loss.takes_logits else self.net(X)
        value = self.n_ranks * mean_loss(self.loss, p.to(share.dtype), targets, share)
        for W in self._weights():
            if self.l2:
                value = value + part * 0.5 * self.l2 * W.square().sum()
            if self.l1:
                value = value + part * self.l1 * W.abs().sum()
        return value

    def _weights(self) -> Iterator[Tensor]:
        for module in self.net.modules():
            if isinstance(module, nn.Linear):
                yield module.weight


def _share(weight: Tensor | None, like: Tensor, *, over_ranks: bool = False) -> Tensor:
    """Return each sample's share wᵢ/Σw of the mean, over the batches of all ranks if asked."""
    if weight is None:
        weight = torch.ones(len(like), dtype=like.dtype, device=like.device)
    total = weight.sum()
    if over_ranks:
        total = distributed.sum_over_ranks(total)
    return weight / torch.where(total > 0, total, torch.ones_like(total))


def _to(part: Any, net: "MLP") -> Tensor:
    """Return a batch's part as a tensor on the network's device."""
    tensor = torch.as_tensor(part)
    dtype = net.last.weight.dtype if tensor.is_floating_point() else None
    return tensor.to(net.device, dtype=dtype, non_blocking=True)


def _on_host(values: object) -> object:
    """Return a tensor as an array; anything else as it is."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else values


def _gradient(p: Tensor) -> Tensor:
    return torch.zeros_like(p) if p.grad is None else p.grad
