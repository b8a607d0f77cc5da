"""The learning-rate range test: which learning rates a training can begin with."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data.batches import DEFAULT_BATCH_SIZE, Batches
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidTypeError
from multilayer.numpy.optimizers import resolve_optimizer
from multilayer.training.loop import Loop

__all__ = ["RangeTest", "lr_finder"]

Array = npt.NDArray[Any]

SMOOTHING = 0.9
"""What remains of the running mean at each step: about ten batches are averaged."""
BLOWN_UP = 4.0
"""The test ends where the smoothed loss is this many times its least, as fastai's does."""
SAFETY = 10.0
"""The rate that is suggested lies this far below that of the least loss, where the loss is about to
rise: the usual reading of the curve (Bengio 2012, section 3.1; fastai)."""


@dataclass(frozen=True)
class RangeTest:
    """What `lr_finder` has measured.

    Attributes
    ----------
    learning_rates, losses : array of shape (n_steps,)
        The rate of each step, and the batch's loss before it.
    smoothed : array of shape (n_steps,)
        The losses' running mean, without the bias of its start (Kingma & Ba 2015, section 3).
    has_diverged : bool
        Whether the test ended because the loss blew up, at the last of the rates.
    """

    learning_rates: Array
    losses: Array
    smoothed: Array
    has_diverged: bool

    @property
    def best(self) -> float:
        """The rate at which the smoothed loss was least: larger ones are too high."""
        return float(self.learning_rates[self.smoothed.argmin()])

    @property
    def suggestion(self) -> float:
        """A rate to begin with: a tenth of `best`."""
        return self.best / SAFETY

    @property
    def diverged_at(self) -> float:
        """The rate at which the loss had blown up; infinite if it did not."""
        return float(self.learning_rates[-1]) if self.has_diverged else math.inf

    def __repr__(self) -> str:
        return (
            f"RangeTest({len(self.losses)} steps, rates {self.learning_rates[0]:.1e} to "
            f"{self.learning_rates[-1]:.1e}, suggestion {self.suggestion:.1e})"
        )


def lr_finder(
    net: Any,
    X: object,
    y: object,
    *,
    loss: Any,
    optimizer: Any = "adam",
    smallest: float = 1e-6,
    largest: float = 10.0,
    n_steps: int = 100,
    batch_size: int = DEFAULT_BATCH_SIZE,
    rng: np.random.Generator | None = None,
) -> RangeTest:
    r"""Train a copy of a network with a learning rate that grows at each step.

    .. math:: η_i = η_{\min} \left(\frac{η_{\max}}{η_{\min}}\right)^{i/(n - 1)},
              \qquad i = 0, …, n - 1.

    As long as the rate is too low, the loss stays; it falls over the range of good ones, and rises
    where they are too high. The test ends there. The network itself is not changed.

    Parameters
    ----------
    net : MLP
        A network of either engine, as the training would begin with it.
    X : array of shape (n_samples, in_features)
    y : array of shape (n_samples,) or (n_samples, out_features)
        Targets, as the loss takes them.
    loss : str or Loss
        See ``multilayer.numpy.LOSSES``.
    optimizer : str or Optimizer
        The one that is to be trained with; its own learning rate does not matter.
    smallest, largest : float
        The first rate and the last one.
    n_steps : int
        At least 2.
    batch_size : int
        Samples a step, as in the training: good rates depend on it.
    rng : numpy.random.Generator, optional
        Draws order and dropout.

    Returns
    -------
    RangeTest

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If an argument cannot be used.
    DivergenceError
        If the first batch's loss is infinite or NaN already.

    References
    ----------
    Smith 2017, "Cyclical learning rates for training neural networks", section 3.3; there the rate
    grows linearly. That it grows by a factor is fastai's way, so that each decade has as many
    steps.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.data import load_digits
    >>> from multilayer.numpy import MLP
    >>> digits = load_digits()
    >>> net = MLP(Architecture(64, (32,), 10), rng=np.random.default_rng(0))
    >>> test = lr_finder(net, digits.X_train, digits.y_train, loss="cross_entropy",
    ...                  optimizer="sgd", rng=np.random.default_rng(0))
    >>> 0.05 < test.suggestion < 1 < test.diverged_at
    True
    """
    owner = "lr_finder"
    if isinstance(net, type) or not callable(getattr(net, "trainer", None)):
        rule = "must be a network, such as multilayer.numpy.MLP"
        is_fitted = hasattr(type(net), "to_model")
        hint = ": give its network_, and y as the loss takes it" if is_fitted else ""
        raise InvalidTypeError(rule, "net", owner, got=f"{net!r}{hint}")
    smallest = checks.real(smallest, "smallest", owner, "(0, inf)")
    largest = checks.real(largest, "largest", owner, "(0, inf)")
    if largest <= smallest:
        rule = f"must be above smallest, {smallest:g}"
        raise InvalidArgumentError(rule, "largest", owner, got=f"{largest:g}")
    n_steps = checks.integer(n_steps, "n_steps", owner, minimum=2)
    batch_size = checks.integer(batch_size, "batch_size", owner)
    rng = checks.random_generator(rng, owner)
    chosen: Any = resolve_optimizer(optimizer)
    if not chosen.takes_steps:
        rule = "must have a learning rate; L-BFGS has none"
        raise InvalidArgumentError(rule, "optimizer", "lr_finder")
    chosen = replace(chosen, learning_rate=1.0)  # so that the loop's factor is the rate itself
    trainer = copy.deepcopy(net).trainer(loss=loss, optimizer=chosen, rng=rng.spawn(1)[0])
    data = trainer.check(X, y, None)
    order = _WholeBatches(data.n_samples, min(batch_size, data.n_samples), rng)
    batches = Batches(data.n_samples, batch_size=order.batch_size, shuffle=order)
    loop = Loop(trainer, data, batches, n_epochs=n_steps)
    rates = np.geomspace(smallest, largest, n_steps)
    losses: list[float] = []
    smoothed: list[float] = []
    mean, has_diverged = 0.0, False
    loop.run.factor = smallest
    try:
        # A step may overflow: that is what the test is there to find.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for run in loop:
                if not run.is_under_way:
                    continue
                loop.settle()
                losses.append(run.loss)
                mean = SMOOTHING * mean + (1 - SMOOTHING) * run.loss
                smoothed.append(mean / (1 - SMOOTHING ** len(losses)))
                has_diverged = smoothed[-1] > BLOWN_UP * min(smoothed)
                if has_diverged or len(losses) == n_steps:
                    break
                run.factor = float(rates[len(losses)])
    except DivergenceError as error:
        if not losses:
            raise DivergenceError(
                "the loss of lr_finder is not finite at the first step already: scale the samples",
                epoch=1,
                step=1,
                learning_rate=smallest,
            ) from error
        has_diverged = True
    finally:
        trainer.finish()
    n = len(losses)
    return RangeTest(rates[:n], np.array(losses), np.array(smoothed), has_diverged)


class _WholeBatches:
    """A sampler of epochs that have no shorter last batch: losses are compared step by step."""

    def __init__(self, n_samples: int, batch_size: int, rng: np.random.Generator) -> None:
        self.n_samples, self.batch_size, self.rng = n_samples, batch_size, rng

    def __len__(self) -> int:
        return self.n_samples // self.batch_size * self.batch_size

    def __iter__(self) -> Iterator[int]:
        return iter(self.rng.permutation(self.n_samples)[: len(self)].tolist())
