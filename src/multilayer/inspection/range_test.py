"""The learning-rate range test: find a learning rate to start training with."""

import copy
import math
from collections.abc import Iterator
from contextlib import suppress
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
"""Decay of the running mean at each step: it averages about ten batches."""
BLOWN_UP = 4.0
"""The test ends when the smoothed loss is this many times its minimum, as in fastai."""
SAFETY = 10.0
"""The suggestion is this factor below the rate of the lowest loss, where the loss is about to rise:
the usual reading of the curve (Bengio 2012, section 3.1; fastai)."""


@dataclass(frozen=True)
class RangeTest:
    """The result of `lr_finder`.

    Attributes
    ----------
    learning_rates, losses : array of shape (n_steps,)
        The rate of each step, and the batch's loss before it.
    smoothed : array of shape (n_steps,)
        The running mean of the losses, corrected for its start (Kingma & Ba 2015, section 3).
    has_diverged : bool
        Whether the test ended because the loss blew up, at the last rate.
    """

    learning_rates: Array
    losses: Array
    smoothed: Array
    has_diverged: bool

    @property
    def best(self) -> float:
        """The rate with the lowest smoothed loss; larger rates are too high."""
        return float(self.learning_rates[self.smoothed.argmin()])

    @property
    def suggestion(self) -> float:
        """A rate to start with: a tenth of `best`."""
        return self.best / SAFETY

    @property
    def diverged_at(self) -> float:
        """The rate at which the loss blew up; infinite if it did not."""
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
    r"""Train a copy of a network with a learning rate that grows in each step.

    .. math:: η_i = η_{\min} \left(\frac{η_{\max}}{η_{\min}}\right)^{i/(n - 1)},
              \qquad i = 0, …, n - 1.

    The loss stays flat while the rate is too low, falls over the range of good rates, and rises
    when the rate is too high, where the test ends. The network itself stays unchanged.

    Parameters
    ----------
    net : MLP
        An untrained network of either engine.
    X : array of shape (n_samples, in_features)
    y : array of shape (n_samples,) or (n_samples, out_features)
        Targets, in the form that the loss takes.
    loss : str or Loss
        See ``multilayer.numpy.LOSSES``.
    optimizer : str or Optimizer
        The optimizer to train with; its own learning rate does not matter.
    smallest, largest : float
        The first and the last rate.
    n_steps : int
        Number of steps, at least 2.
    batch_size : int
        Samples per step. Use that of the training run, since good rates depend on it.
    rng : numpy.random.Generator, optional
        Draws the order of samples, dropout masks and noise.

    Returns
    -------
    RangeTest

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If an argument is invalid.
    DivergenceError
        If the loss of the first batch is already infinite or NaN.

    References
    ----------
    Smith 2017, "Cyclical learning rates for training neural networks", section 3.3, where the rate
    grows linearly. Growth by a factor, with equally many steps per decade, follows fastai.

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
        hint = ": pass its network_, and y as the loss takes it" if is_fitted else ""
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
    with suppress(TypeError):  # a user's own optimizer may take other arguments
        chosen = replace(chosen, learning_rate=1.0)  # then the loop's factor is the rate itself
    trainer = copy.deepcopy(net).trainer(loss=loss, optimizer=chosen, rng=rng.spawn(1)[0])
    data = trainer.check(X, y, None)
    order = _WholeBatches(data.n_samples, min(batch_size, data.n_samples), rng)
    batches = Batches(data.n_samples, batch_size=order.batch_size, shuffle=order)
    loop = Loop(trainer, data, batches, n_epochs=n_steps)
    rates = np.geomspace(smallest, largest, n_steps)
    losses: list[float] = []
    smoothed: list[float] = []
    mean, has_diverged = 0.0, False
    loop.run.factor = smallest / trainer.learning_rate
    try:
        # A step may overflow, which is what the test looks for.
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
                run.factor = float(rates[len(losses)]) / trainer.learning_rate
    except DivergenceError as error:
        if not losses:
            raise DivergenceError(
                "the loss of lr_finder is not finite even at the first step: scale the samples",
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
    """A sampler that drops a shorter last batch, to keep losses comparable from step to step."""

    def __init__(self, n_samples: int, batch_size: int, rng: np.random.Generator) -> None:
        self.n_samples, self.batch_size, self.rng = n_samples, batch_size, rng

    def __len__(self) -> int:
        return self.n_samples // self.batch_size * self.batch_size

    def __iter__(self) -> Iterator[int]:
        return iter(self.rng.permutation(self.n_samples)[: len(self)].tolist())
