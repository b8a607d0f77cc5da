"""OutOfFold: judge the members of an ensemble together, each by the rows that it has not seen.

The moving average of the weights is judged.
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.groups import join
from multilayer.numpy.activations.outputs import log_softmax
from multilayer.training import Callback, History, Run

__all__ = ["OutOfFold", "best_temperature", "log_loss", "logits_of_classes"]

Array = npt.NDArray[Any]

DECAY = 0.99
"""How much of the average is kept in each step."""
EVERY = 4
"""The average moves only once in so many steps, by as much as it would have moved in all."""
MOST_STEPS = 50
LARGEST = 4.0
"""The largest |log T|."""


class OutOfFold(Callback):
    """A callback that judges each epoch by its out-of-fold predictions, and keeps the best one.

    Epochs are judged, and predictions made, with the moving average of each member's weights over
    the steps so far, a ← d a + (1 − d) θ with d = `DECAY`, or (1 + t)/(10 + t) in the first steps t
    where that is less. This has the effect of a learning rate that falls to 0, without the need to
    know in advance when training will end.

    All members keep the same epoch, since their mean predicts. For classes, an epoch is judged by
    the log-loss after calibration with one temperature for all members (Berta et al. 2025: refine,
    then calibrate). A single member's loss penalizes overconfidence that the mean does not have,
    and would end training much earlier.

    Parameters
    ----------
    held_out : sequence of K arrays
        The rows that each member does not see.
    targets : array of shape (n_samples,) or (n_samples, n_outputs)
        Targets in the form that the loss expects.
    weight : array of shape (n_samples,), optional
    loss : Loss
    has_classes : bool
        Whether outputs are the logits of classes; a single output belongs to the second of two.
    patience : int
        The number of epochs without improvement after which training ends.

    Attributes
    ----------
    epoch : int
        The best epoch, from 1.
    value : float
        The best epoch's loss.
    temperature : float
        T, by which its logits are divided; 1 if there are no classes.
    outputs : array of shape (n_samples, n_outputs)
        Its out-of-fold outputs; NaN for rows that every member has seen.
    curve : list of float
        The loss of each epoch.
    error : DivergenceError or None
        The error that ended a member, and so training: the mean needs all members.
    history : History
        After the end, the metrics averaged over the members, with the common loss as
        ``validation_loss``; without epochs if none was judged.
    """

    def __init__(
        self,
        held_out: Sequence[Array],
        targets: Array,
        weight: Array | None,
        *,
        loss: Any,
        has_classes: bool,
        patience: int,
    ) -> None:
        self.held_out, self.loss, self.patience = held_out, loss, patience
        self.all_targets = targets
        self.has_classes = has_classes
        self.rows = np.sort(np.concatenate(held_out))
        self.n_samples = len(targets)
        self.targets = targets[self.rows]
        self.weight = np.ones(len(self.rows)) if weight is None else weight[self.rows]
        self.curve: list[float] = []
        self.value, self.temperature, self.epoch = math.inf, 1.0, 0
        self.error: Exception | None = None
        self.history = History()
        self._average: list[Any] = []  # of arrays, or of tensors
        self._latest: list[Any] = []
        self._n_steps = 0

    def on_step_end(self, run: Run) -> None:
        """Move the average; at the end of an epoch, put it in place of the weights."""
        self._n_steps += 1
        is_last = run.step == run.n_steps or bool(run.stopped_by)
        if not self._average:
            self._average = deepcopy(run.net.arrays)
        elif self._n_steps % EVERY == 0 or is_last:
            t = self._n_steps
            kept = min(DECAY, (1 + t) / (10 + t)) ** EVERY
            for average, weights in zip(self._average, run.net.arrays, strict=True):
                change = weights - average
                change *= 1 - kept
                average += change
        if is_last:
            self._latest = deepcopy(run.net.arrays)
            _copy(self._average, run.net.arrays)

    def on_epoch_end(self, run: Run) -> None:
        """Judge the epoch; stop if none has been better for too long, or a member has diverged."""
        self.error = next((m.error for m in run.members if m.error is not None), None)
        if self.error is not None:
            run.stop("divergence")
            return
        self._judge_epoch(run)
        if self._latest:
            _copy(self._latest, run.net.arrays)

    def _judge_epoch(self, run: Run) -> None:
        width = next(iter(run.outputs.values())).shape[1]
        outputs = np.full((self.n_samples, width), np.nan, np.float32)
        for k, own in run.outputs.items():
            outputs[self.held_out[k]] = own
        value, temperature = self._judge(outputs[self.rows])
        self.curve.append(value)
        if value < self.value:
            self.value, self.temperature, self.epoch = value, temperature, run.epoch
            self.outputs, self._weights = outputs, run.trainer.snapshot()
        elif run.epoch - self.epoch >= self.patience:
            run.stop("early_stopping")

    def on_train_end(self, run: Run) -> None:
        """Restore the weights of the best epoch; average the members' histories."""
        if not self.epoch:
            return
        run.trainer.set_state(join({"network": self._weights}))
        n_epochs, each = len(self.curve), run.history
        means = {n: np.mean([own[n][:n_epochs] for own in each], axis=0).tolist() for n in each[0]}
        self.history = History(means | {"validation_loss": self.curve})
        self.history.best_epoch, self.history.stopped_by = self.epoch, each[0].stopped_by
        self.history.settings = each[0].settings

    def loss_of(self, logits: Array, rows: Array, weight: Array | None) -> float:
        """Return the loss of calibrated logits for some rows."""
        y = self.all_targets[rows]
        own = np.ones(len(rows)) if weight is None else weight[rows]
        if self.has_classes:
            return log_loss(logits_of_classes(logits), y.reshape(-1).astype(np.intp), own)
        return float(self.loss.value_and_gradient(logits, y, own)[0])

    def _judge(self, outputs: Array) -> tuple[float, float]:
        """Return the loss, and the temperature."""
        if not self.has_classes:
            return float(self.loss.value_and_gradient(outputs, self.targets, self.weight)[0]), 1.0
        log_p, y = logits_of_classes(outputs), self.targets.reshape(-1).astype(np.intp)
        temperature = best_temperature(log_p, y, self.weight)
        return log_loss(log_p / temperature, y, self.weight), temperature


def _copy(source: list[Any], target: list[Any]) -> None:
    for values, own in zip(source, target, strict=True):
        own[:] = values


def best_temperature(logits: Array, y: Array, weight: Array) -> float:
    """Return the T that minimises the log-loss of softmax(logits/T) (Guo et al. 2017).

    With β = 1/T, the loss is convex in β: its derivative is the weighted mean of E[z] − z_y, its
    second derivative that of Var[z], over the probabilities at β. Newton's method finds the minimum
    in a few steps. A share 1/(n + 1) of each target is spread evenly over all classes, as if one
    more sample could have any class; otherwise, T would be 0 if all predictions were right.

    Parameters
    ----------
    logits : array of shape (n_samples, n_classes)
    y : array of int of shape (n_samples,)
    weight : array of shape (n_samples,)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(20000, 3))
    >>> p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    >>> y = (rng.random((20000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    >>> bool(abs(best_temperature(2 * z, y, np.ones(20000)) - 2) < 0.1)
    True
    """
    z = logits.astype(np.float64)
    share = 1 / (len(z) + 1)
    wanted = (1 - share) * z[np.arange(len(z)), y] + share * z.mean(axis=1)
    weight = weight / weight.sum()
    low, high, beta = math.exp(-LARGEST), math.exp(LARGEST), 1.0
    for _ in range(MOST_STEPS):
        p = np.exp(log_softmax(beta * z))
        mean = (p * z).sum(axis=1)
        slope = float(weight @ (mean - wanted))
        low, high = (low, beta) if slope > 0 else (beta, high)
        curvature = float(weight @ ((p * z * z).sum(axis=1) - mean * mean))
        new = beta - slope / curvature if curvature > 0 else math.nan
        if not low < new < high:  # a step too far: halve the interval instead
            new = math.sqrt(low * high)
        if abs(new - beta) < 1e-6 * beta:
            break
        beta = new
    return 1 / beta


def log_loss(logits: Array, y: Array, weight: Array) -> float:
    """Return the weighted mean of −log softmax(logits)_y."""
    own = log_softmax(logits.astype(np.float64))[np.arange(len(y)), y]
    return float(-(weight @ own) / weight.sum())


def logits_of_classes(outputs: Array) -> Array:
    """Return a logit for each class; a single output is that of the second of two classes."""
    if outputs.shape[1] > 1:
        return outputs
    return np.hstack([np.zeros_like(outputs), outputs])
