"""Whole steps as CUDA graphs: recorded once for each batch size, then replayed.

A step of a small network runs some fifty kernels of a few microseconds each; Python takes longer to
launch them one by one than a GPU takes to run them. A CUDA graph launches all of them at once. It
repeats the kernels with the recorded addresses and numbers, so whatever differs between steps must
be in memory that does not move: the batch's row numbers, the learning rate, and the optimizer's
step counts.
"""

import warnings
from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import nn
from torch.optim import SGD, Adagrad, Adam, AdamW, NAdam, RMSprop

from multilayer.numpy.losses import Loss
from multilayer.torch import losses
from multilayer.torch.activations import Exp
from multilayer.torch.embedding import Embedding
from multilayer.torch.layers import Dropout, GaussianNoise, Residual
from multilayer.torch.module import Net
from multilayer.torch.optimizers import Lion

__all__ = ["Captured", "CudaGraphs", "Recorder", "can_capture", "make_capturable"]

Tensor = torch.Tensor

DEVICE = "cuda"
"""The kind of device whose work can be recorded."""
N_REHEARSALS = 3
"""How many steps with a batch size precede its recording.

During the first of them, libraries initialize and the optimizer creates its state. They are
ordinary steps, so nothing has to be undone; and a rare size, such as a short last batch, may never
be recorded.
"""
FUSED = (SGD, Adam, AdamW)
"""Optimizers with one kernel for all parameters, which reads the learning rate from memory."""
RECORDABLE = (*FUSED, NAdam, RMSprop, Adagrad, Lion)
"""Optimizers whose steps can be recorded."""
MODULES: set[type] = {
    Dropout,
    Embedding,
    Exp,
    GaussianNoise,
    Residual,
    *(kind for kind in vars(nn).values() if isinstance(kind, type)),
}
"""PyTorch's and this engine's modules, whose Python code does the same at every step.

`network` adds `MLP`; subclasses are excluded.
"""
HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_post_accumulate_grad_hooks",
)


def can_capture(net: Net, loss: Loss, optimizer: torch.optim.Optimizer) -> bool:
    """Return whether replaying a step's kernels does everything that the step does.

    Custom modules, losses and hooks may run any Python code, but a recording only repeats the
    kernels. Float64 networks are excluded, since the fused optimizers keep their learning rate in
    float32.
    """
    parts = [*net.modules(), *net.parameters()]
    return (
        net.device.type == DEVICE
        and net.dtype == "float32"
        and type(optimizer) in RECORDABLE
        and loss.name in losses.FORMULAS
        and losses.LOSSES[loss.name] is losses.FORMULAS[loss.name]
        and all(type(module) in MODULES for module in net.modules())
        and not any(getattr(part, name, None) for part in parts for name in HOOKS)
    )


def make_capturable(optimizer: torch.optim.Optimizer) -> None:
    """Make an optimizer keep its learning rate and its step count in the device's memory."""
    is_fused = isinstance(optimizer, FUSED)
    for group in optimizer.param_groups:
        device = group["params"][0].device
        group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=device)
        if is_fused:
            group["fused"] = True
        elif "foreach" in group:
            group["foreach"] = True
        if "capturable" in group:
            group["capturable"] = True
            for p in group["params"]:
                state = optimizer.state[p]
                state.update({name: value.to(device) for name, value in state.items()})


class Recorder(Protocol):
    """Runs a function, and records it so that it can be run again without Python.

    `CudaGraphs` implements it; the tests have another for machines without a GPU.
    """

    def rehearse(self, run: Callable[[], None]) -> None:
        """Run the function once, to prepare for recording it."""

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        """Record the function without running it; return a function that replays it."""


class CudaGraphs(Recorder):
    """Records work on a CUDA device, as PyTorch's notes on CUDA graphs describe.

    Parameters
    ----------
    device : torch.device
        The device.
    generator : torch.Generator
        The source of the work's random numbers; each replay draws new ones.
    """

    def __init__(self, device: torch.device, generator: torch.Generator) -> None:
        # Work on the default stream cannot be recorded.
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._generator = generator

    def rehearse(self, run: Callable[[], None]) -> None:
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream), warnings.catch_warnings():
            # PyTorch warns about a capturable optimizer whose steps are not (yet) recorded.
            warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
            run()
        current.wait_stream(self._stream)

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        # Other threads may keep using their devices meanwhile.
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            run()
        return graph.replay


class Captured:
    """A step that is recorded once for each batch size, and replayed from then on.

    Parameters
    ----------
    step : callable
        Takes a tensor of row numbers and returns the loss as a tensor; it may depend only on
        tensors.
    parameters : iterable of Parameter
        The parameters that it trains.
    recorder : Recorder
        Runs and records the step.
    """

    def __init__(
        self,
        step: Callable[[Tensor], Tensor],
        parameters: Iterable[nn.Parameter],
        recorder: Recorder,
    ) -> None:
        self._step = step
        self._parameters = list(parameters)
        self._recorder = recorder
        self._recordings: dict[tuple[int, ...], _Recording] = {}

    def __call__(self, rows: Tensor) -> Tensor:
        """Take a step on these rows; return its loss."""
        # A callback may freeze and unfreeze layers.
        key = (len(rows), *(p.requires_grad for p in self._parameters))
        if key not in self._recordings:
            self._recordings[key] = _Recording(self._step, self._parameters, self._recorder, rows)
        return self._recordings[key].step(rows)

    def forget(self) -> None:
        """Drop all recordings, since tensors that they read may have been replaced."""
        self._recordings.clear()


class _Recording:
    """The steps on batches of one size, with the tensors for their rows and their loss."""

    def __init__(
        self,
        step: Callable[[Tensor], Tensor],
        parameters: list[nn.Parameter],
        recorder: Recorder,
        like: Tensor,
    ) -> None:
        self._step = step
        self._parameters = parameters
        self._recorder = recorder
        self._rows = torch.empty_like(like)
        self._loss = parameters[0].new_zeros((), requires_grad=False)
        self._n_rehearsals = 0
        self._replay: Callable[[], None] | None = None
        self._gradients: list[Tensor | None] = []

    def step(self, rows: Tensor) -> Tensor:
        self._rows.copy_(rows)
        if self._replay is None and self._n_rehearsals < N_REHEARSALS:
            self._n_rehearsals += 1
            self._recorder.rehearse(self._run)
            return self._loss.clone()
        if self._replay is None:
            self._replay = self._recorder.record(self._run)
            self._gradients = [p.grad for p in self._parameters]
        self._replay()
        for p, gradient in zip(self._parameters, self._gradients, strict=True):
            p.grad = gradient  # the recording of each size has its own
        return self._loss.clone()

    def _run(self) -> None:
        self._loss.copy_(self._step(self._rows))
