"""Contestants in training: loops in plain PyTorch, as people usually write them.

One of them trains many networks as one, as in PyTorch's tutorial on ensembles.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn.functional import cross_entropy, mse_loss

from cases import Array, Problem
from multilayer.numpy import Adam
from multilayer.torch import SampleDataset
from peers import Contestant, Run

__all__ = ["compiled", "eager", "stacked", "textbook"]

Tensor = torch.Tensor
Objective = Callable[[Tensor, Tensor], Tensor]
Batches = Iterable[tuple[Tensor, Tensor]]

LONGEST_EPOCH = 10.0
"""If an epoch takes longer than this, in seconds, the textbook loop is given fewer samples."""


def eager(problem: Problem) -> Contestant:
    """Return the usual loop in eager PyTorch, on tensors in memory."""
    model = _sequential(problem)
    train = _loop(problem, model, lambda X, y: cross_entropy(model(X), y), _indexed(problem))
    return Contestant("eager", train, problem.case.n_samples)


def compiled(problem: Problem) -> Contestant:
    """Return the same loop with the model and the loss compiled, once for each batch shape.

    Raises
    ------
    Exception
        Whatever `torch.compile` raises if it cannot compile, for example without a C++ compiler.
    """
    torch.compiler.reset()  # a process can compile a function for only a few models
    model = _sequential(problem)
    objective: Objective = torch.compile(lambda X, y: cross_entropy(model(X), y), dynamic=False)
    batches = _indexed(problem)
    for X, y in {len(batch[1]): batch for batch in batches()}.values():
        torch.autograd.backward(objective(X, y))
    return Contestant("compiled", _loop(problem, model, objective, batches), problem.case.n_samples)


def textbook(problem: Problem) -> Contestant:
    """Return the loop over a DataLoader that reads one sample at a time and collates them.

    As in ``examples/mnist_pytorch.py``, images are read and scaled on demand. If an epoch would
    take more than 10 s, fewer samples are used and their time is scaled up.
    """
    loader = _loader(problem)
    started = time.perf_counter()
    for _ in zip(range(4), loader, strict=False):
        pass
    batch_seconds = (time.perf_counter() - started) / min(4, len(loader))
    n_samples = problem.case.n_samples
    note = f"samples are read and collated one by one; {problem.data}"
    if batch_seconds * len(loader) > LONGEST_EPOCH:
        n_batches = max(4, int(LONGEST_EPOCH / batch_seconds))
        n_samples = min(n_samples, n_batches * problem.case.batch_size)
        note += f"; measured on {n_samples:,} samples, scaled up"
        problem = problem.first(n_samples)
        loader = _loader(problem)
    model = _sequential(problem)
    train = _loop(problem, model, lambda X, y: cross_entropy(model(X), y), lambda: loader)
    return Contestant("textbook", train, n_samples, note)


def stacked(
    problems: Sequence[Problem],
    samples: tuple[Array, Array],
    splits: Sequence[tuple[Array, Array]] | None,
) -> Callable[[int], list[Run]]:
    """Return the loop over networks with stacked parameters, by `torch.func.vmap`.

    All networks learn from the same rows, or each learns from its own and is validated on others.
    """
    case = problems[0].case
    X, y = (torch.from_numpy(array) for array in samples)
    skeleton = _sequential(problems[0]).to("meta")
    rows, held_out, axis = torch.arange(len(y)), None, None
    if splits is not None:
        rows, held_out = (torch.from_numpy(np.stack(s)) for s in zip(*splits, strict=True))
        axis = 0

    def objective(parameters: dict[str, Tensor], X: Tensor, y: Tensor) -> Tensor:
        outputs = functional_call(skeleton, parameters, (X,))
        if case.loss == "cross_entropy":
            return cross_entropy(outputs, y)
        return mse_loss(outputs[:, 0], y) / 2

    evaluate = vmap(objective, in_dims=(0, axis, axis))
    differentiate = vmap(grad_and_value(objective), in_dims=(0, axis, axis))

    def train(n_epochs: int) -> list[Run]:
        models = [_sequential(problem) for problem in problems]
        for model, problem in zip(models, problems, strict=True):
            _put(model, problem)
        parameters, _ = stack_module_state(models)
        optimizer = _torch_optimizer(parameters.values(), problems[0])
        generator = torch.Generator().manual_seed(0)
        runs = [Run([], []) for _ in problems]
        for _ in range(n_epochs):
            started = time.perf_counter()
            total = torch.zeros(len(problems))
            order = torch.randperm(rows.shape[-1], generator=generator)
            for positions in torch.split(order, case.batch_size):
                batch = rows[..., positions]
                with torch.no_grad():  # torch.func computes gradients nevertheless
                    gradients, losses = differentiate(parameters, X[batch], y[batch])
                for name, parameter in parameters.items():
                    parameter.grad = gradients[name]
                optimizer.step()
                total += losses * len(positions)
            if held_out is not None:
                with torch.no_grad():
                    evaluate(parameters, X[held_out], y[held_out])
            seconds = time.perf_counter() - started
            for member, loss in zip(runs, total / len(order), strict=True):
                member.seconds.append(seconds)
                member.losses.append(loss.item())
        return runs

    return train


def _loader(problem: Problem) -> Any:
    dataset = SampleDataset(problem.X_lazy, problem.y)
    return torch.utils.data.DataLoader(
        dataset,
        batch_size=problem.case.batch_size,
        shuffle=True,
        generator=torch.Generator().manual_seed(0),
    )


def _sequential(problem: Problem) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for n_in, n_out in pairwise(problem.case.widths):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])  # no activation after the last layer


def _indexed(problem: Problem) -> Callable[[], Batches]:
    """Return a function that yields an epoch's batches by indexing tensors with a permutation."""
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    generator = torch.Generator().manual_seed(0)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(y), generator=generator)
        for rows in torch.split(order, problem.case.batch_size):
            yield X[rows], y[rows]

    return batches


def _loop(
    problem: Problem,
    model: torch.nn.Sequential,
    objective: Objective,
    batches: Callable[[], Batches],
) -> Callable[[int], Run]:
    """Return the usual loop: loss, zero_grad, backward, step."""

    def train(n_epochs: int) -> Run:
        _put(model, problem)
        optimizer = _torch_optimizer(model.parameters(), problem)
        run = Run([], [])
        for _ in range(n_epochs):
            started = time.perf_counter()
            total, n_seen = 0.0, 0
            for X, y in batches():
                loss = objective(X, y)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                total += loss.item() * len(y)
                n_seen += len(y)
            run.seconds.append(time.perf_counter() - started)
            run.losses.append(total / n_seen)
        return run

    return train


def _put(model: torch.nn.Sequential, problem: Problem) -> None:
    linear = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer, (W, b) in zip(linear, problem.weights, strict=True):
            layer.weight.copy_(torch.from_numpy(W))
            layer.bias.copy_(torch.from_numpy(b))


def _torch_optimizer(parameters: Iterable[Tensor], problem: Problem) -> torch.optim.Optimizer:
    ours = problem.case.optimizer
    if isinstance(ours, Adam):
        return torch.optim.Adam(parameters, lr=ours.learning_rate)
    return torch.optim.SGD(parameters, lr=ours.learning_rate, momentum=ours.momentum)
