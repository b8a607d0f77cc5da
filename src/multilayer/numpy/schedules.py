"""Learning-rate schedules: factors of the optimizer's rate, as functions of time.

Time t is measured in epochs and need not be whole, so a schedule does not depend on the batch size:
the third of ten steps in the first epoch has t = 0.2. A training run has T epochs.
"""

import math
from dataclasses import dataclass, field, fields
from typing import ClassVar, NamedTuple

from multilayer import checks
from multilayer.errors import InvalidTypeError
from multilayer.registry import Names, Registry

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "OneCycle",
    "Plateau",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
    "WarmUp",
]


class Plateau(NamedTuple):
    """What a schedule remembers of the losses it has observed."""

    best: float = math.inf
    """The lowest loss so far."""
    n_stalled: int = 0
    """Number of epochs since the lowest loss, or since the last reduction if that is later."""
    n_reductions: int = 0
    """Number of times the rate has been reduced."""


@dataclass(frozen=True)
class Schedule:
    """A factor of the learning rate as a function of time; the caller keeps the state."""

    intervals: ClassVar[dict[str, str]] = {}
    """The interval of each real parameter; the others are whole numbers of at least 1."""

    def __post_init__(self) -> None:
        owner = type(self).__name__
        for parameter in fields(self):
            value = getattr(self, parameter.name)
            if parameter.name in self.intervals:
                value = checks.real(value, parameter.name, owner, self.intervals[parameter.name])
            elif isinstance(parameter.default, int):
                value = checks.integer(value, parameter.name, owner)
            object.__setattr__(self, parameter.name, value)

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        """Return the factor at time t of a training run of `n_epochs` epochs."""
        raise NotImplementedError

    def observe(self, loss: float, state: Plateau) -> Plateau:
        """Return the state after an epoch that ended with this loss."""
        return state


@dataclass(frozen=True)
class Constant(Schedule):
    """Factor 1."""

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        return 1.0


@dataclass(frozen=True)
class Step(Schedule):
    """Factor γᵏ with k = ⌊t/every⌋: the rate is multiplied by γ every `every` epochs.

    Examples
    --------
    >>> [round(Step(every=2, gamma=0.5).factor(t, 6, Plateau()), 3) for t in (0, 1.9, 2, 5)]
    [1.0, 1.0, 0.5, 0.25]
    """

    every: int = 30
    gamma: float = 0.1

    intervals = {"gamma": "(0, 1]"}

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        return self.gamma ** math.floor(t / self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """Factor γᵗ: the rate is multiplied by γ in each epoch, spread evenly over its steps."""

    gamma: float = 0.95

    intervals = {"gamma": "(0, 1]"}

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        return self.gamma**t


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """Factor 1/(1 + r t)ᵖ.

    Parameters
    ----------
    power : float
        p > 0; 1/2 by default, as in scikit-learn's ``invscaling``.
    rate : float
        r > 0, in 1/epoch. scikit-learn counts samples: there, r is the number of samples per epoch.
    """

    power: float = 0.5
    rate: float = 1.0

    intervals = {"power": "(0, inf)", "rate": "(0, inf)"}

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        return float((1 + self.rate * t) ** -self.power)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Factor f + (1 − f)(1 + cos(πt/T))/2, from 1 to `final` (Loshchilov & Hutter 2017, eq. 5)."""

    final: float = 0.0

    intervals = {"final": "[0, 1]"}

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        return _cosine(1.0, self.final, t / n_epochs)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """One rise and one fall over the whole training run (Smith & Topin 2018).

    With s = t/T and c(a, b, u) = b + (a − b)(1 + cos(πu))/2, half a cosine from a to b, the factor
    is c(start, 1, s/rise) while s < rise, and c(1, final, (s − rise)/(1 − rise)) after that. The
    optimizer's learning rate is the highest.

    Parameters
    ----------
    rise : float
        The fraction of the run that the rise takes, in (0, 1).
    start, final : float
        The first and the last factor, in [0, 1].
    """

    rise: float = 0.3
    start: float = 0.04
    final: float = 4e-6

    intervals = {"rise": "(0, 1)", "start": "[0, 1]", "final": "[0, 1]"}

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        share = t / n_epochs
        if share < self.rise:
            return _cosine(self.start, 1.0, share / self.rise)
        return _cosine(1.0, self.final, (share - self.rise) / (1 - self.rise))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A straight line from `start` to 1 in the first epochs, then another schedule.

    With E epochs of warm-up, the factor is start + (1 − start) t/E while t < E; after that it is
    the other schedule's factor at time t − E of T − E epochs.

    Parameters
    ----------
    epochs : int
        Number of epochs of warm-up (Goyal et al. 2017, section 2.2, use 5).
    start : float
        The first factor, in [0, 1].
    then : Schedule
        The schedule that follows; its time starts at the end of the warm-up.
    """

    epochs: int = 5
    start: float = 0.1
    then: Schedule = field(default_factory=Constant)

    intervals = {"start": "[0, 1]"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.then, Schedule):
            raise InvalidTypeError("must be a Schedule", "then", "WarmUp", got=repr(self.then))

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        if t < self.epochs:
            return self.start + (1 - self.start) * t / self.epochs
        return self.then.factor(t - self.epochs, max(n_epochs - self.epochs, 1), state)

    def observe(self, loss: float, state: Plateau) -> Plateau:
        return self.then.observe(loss, state)


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """Factor γᵏ, where k grows by one whenever the loss has not fallen for `patience` epochs.

    The loss is the validation loss if there is one, else the training loss. It has fallen if it is
    below the best so far by more than `min_delta`.
    """

    gamma: float = 0.1
    patience: int = 10
    min_delta: float = 0.0

    intervals = {"gamma": "(0, 1)", "min_delta": "[0, inf)"}

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        return self.gamma**state.n_reductions

    def observe(self, loss: float, state: Plateau) -> Plateau:
        if loss < state.best - self.min_delta:
            return state._replace(best=loss, n_stalled=0)
        if state.n_stalled + 1 < self.patience:
            return state._replace(n_stalled=state.n_stalled + 1)
        return state._replace(n_stalled=0, n_reductions=state.n_reductions + 1)


def _cosine(start: float, end: float, share: float) -> float:
    """Return the value at `share` of half a cosine that goes from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


SCHEDULES: Registry[type[Schedule]] = Registry(
    Names("schedule", []),
    {
        "constant": Constant,
        "step": Step,
        "exponential": Exponential,
        "inverse_scaling": InverseScaling,
        "cosine": Cosine,
        "one_cycle": OneCycle,
        "warm_up": WarmUp,
        "reduce_on_plateau": ReduceOnPlateau,
    },
)
