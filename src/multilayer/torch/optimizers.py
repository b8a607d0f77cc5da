"""PyTorch's optimizers, made from this package's hyperparameters."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from multilayer.errors import InvalidArgumentError
from multilayer.numpy import optimizers as hyperparameters
from multilayer.numpy.clipping import Clip
from multilayer.registry import Names, Registry

__all__ = ["OPTIMIZERS", "Lion", "Rates", "check_own", "clip_gradients", "make_optimizer"]

Parameters = Iterable[torch.nn.Parameter]


class Lion(torch.optim.Optimizer):
    """Lion (Chen et al. 2023, algorithm 2), which PyTorch lacks: see `multilayer.numpy.Lion`."""

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rate, (beta_1, beta_2) = group["lr"], group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                if "m" not in self.state[p]:
                    self.state[p]["m"] = torch.zeros_like(p)
                m = self.state[p]["m"]
                direction = torch.sign(beta_1 * m + (1 - beta_1) * p.grad)
                p.sub_(rate * (direction + group["weight_decay"] * p))
                m.mul_(beta_2).add_((1 - beta_2) * p.grad)
        return loss


def _sgd(o: Any, parameters: Parameters) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=o.learning_rate,
        momentum=o.momentum,
        nesterov=o.nesterov,
        weight_decay=o.weight_decay,
    )


def _adam(o: Any, parameters: Parameters) -> torch.optim.Optimizer:
    amsgrad = isinstance(o, hyperparameters.AMSGrad)
    return torch.optim.Adam(
        parameters, o.learning_rate, (o.beta_1, o.beta_2), o.epsilon, amsgrad=amsgrad
    )


def _adamw(o: Any, parameters: Parameters) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters, o.learning_rate, (o.beta_1, o.beta_2), o.epsilon, weight_decay=o.weight_decay
    )


def _nadam(o: Any, parameters: Parameters) -> torch.optim.Optimizer:
    optimizer = torch.optim.NAdam(
        parameters,
        o.learning_rate,
        (o.beta_1, o.beta_2),
        o.epsilon,
        momentum_decay=o.momentum_decay,
    )
    for p in optimizer.param_groups[0]["params"]:
        # PyTorch would keep the product of momenta in float32, whatever the parameters' dtype.
        optimizer.state[p] = {
            "step": torch.zeros((), dtype=torch.float32),
            "mu_product": torch.ones((), dtype=p.dtype),
            "exp_avg": torch.zeros_like(p),
            "exp_avg_sq": torch.zeros_like(p),
        }
    return optimizer


def _rmsprop(o: Any, parameters: Parameters) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(parameters, lr=o.learning_rate, alpha=o.decay, eps=o.epsilon)


def _adagrad(o: Any, parameters: Parameters) -> torch.optim.Optimizer:
    return torch.optim.Adagrad(parameters, lr=o.learning_rate, eps=o.epsilon)


def _lion(o: Any, parameters: Parameters) -> torch.optim.Optimizer:
    return Lion(parameters, o.learning_rate, (o.beta_1, o.beta_2), o.weight_decay)


OPTIMIZERS: Registry[Callable[[Any, Parameters], torch.optim.Optimizer]] = Registry(
    Names("optimizer", []),
    {
        "sgd": _sgd,
        "adam": _adam,
        "amsgrad": _adam,
        "adamw": _adamw,
        "nadam": _nadam,
        "rmsprop": _rmsprop,
        "adagrad": _adagrad,
        "lion": _lion,
    },
)
"""For each optimizer's name, a function of its hyperparameters and the parameters to train."""


def make_optimizer(
    optimizer: hyperparameters.Optimizer, parameters: Parameters
) -> torch.optim.Optimizer:
    """Return PyTorch's optimizer with these hyperparameters."""
    for name, kind in hyperparameters.OPTIMIZERS.items():
        if type(optimizer) is kind and name in OPTIMIZERS:
            return OPTIMIZERS[name](optimizer, parameters)
    raise InvalidArgumentError(
        f"{type(optimizer).__name__} has no counterpart in multilayer.torch.OPTIMIZERS; pass an "
        "optimizer of torch.optim instead"
    )


def check_own(optimizer: torch.optim.Optimizer, parameters: Parameters) -> None:
    """Raise if `fit` cannot use a PyTorch optimizer for these parameters."""
    own = {id(p) for p in parameters}
    given = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not given <= own:
        raise InvalidArgumentError("must have been made with net.parameters()", "optimizer", "fit")
    if isinstance(optimizer, torch.optim.LBFGS):
        rule = "must be 'lbfgs', which has its own line search"
        raise InvalidArgumentError(rule, "optimizer", "fit", got="torch.optim.LBFGS")


class Rates:
    """Sets an optimizer's learning rates to the initial ones times a factor."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self.first = [float(group["lr"]) for group in optimizer.param_groups]
        self._factor = 1.0

    def multiply(self, factor: float, *, in_place: bool) -> None:
        """Set the rates; `in_place` if recorded steps read them from the device's memory."""
        for group, rate in zip(self._optimizer.param_groups, self.first, strict=True):
            if not in_place:
                group["lr"] = rate * factor
            elif factor != self._factor:
                group["lr"].fill_(rate * factor)
        self._factor = factor


def clip_gradients(parameters: Parameters, clip: Clip) -> None:
    """Clip the gradients of all parameters together, by value first."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if clip.value is not None:
        for gradient in gradients:
            gradient.clamp_(-clip.value, clip.value)
    if clip.norm is not None:
        norm = torch.linalg.vector_norm(
            torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
        )
        factor = (clip.norm / norm).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(factor)
