"""A network in training, one step at a time."""

import json
from importlib import import_module
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.data import Batches
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidDataError
from multilayer.model import Model
from multilayer.numpy import MLP, OPTIMIZERS, Optimizer
from multilayer.numpy.network import Pair
from multilayer.playground.data_sets import Samples
from multilayer.playground.described import architecture_of, loss_of, schedule_of
from multilayer.playground.settings import MAX_EPOCHS, Settings
from multilayer.training import METRICS, Callback, EarlyStopping, History, Loop, Metric
from multilayer.training.validation import Validation

__all__ = [
    "WARM",
    "Training",
    "affine_pairs",
    "warm_up",
]

Array = npt.NDArray[Any]

WARM = Event()
"""Set once `warm_up` has finished."""
ENDS = ("n_epochs", "early_stopping")
"""Reasons for the end of training that no longer hold if settings change."""
POINTS = 400
"""When a curve has twice as many points, every other one is removed."""


def _share_right(y: Array, prediction: Array) -> float:
    """Return the accuracy; classes may be numbers, or values fitted as 0 and 1."""
    if prediction.ndim == 2:
        y, prediction = y.argmax(axis=1), prediction.argmax(axis=1)
    elif prediction.dtype.kind == "f":
        prediction = prediction > 0.5
    return float((y == prediction).mean())


SCORES = {
    "classification": {"accuracy": Metric(_share_right, higher_is_better=True)},
    "regression": {"r2": METRICS["r2"]},
}


def affine_pairs(net: MLP, gradients: list[Pair] | None = None) -> list[Pair]:
    """Return W and b of each affine layer, or their gradients, without normalisation layers."""
    pairs = net.weights if gradients is None else gradients
    return pairs[:: 2 if net.architecture.normalization else 1]


class Training:
    """A network in training; its weights have the same bits as after `multilayer.training.fit`.

    Parameters
    ----------
    settings : Settings
    samples : Samples
    model : Model, optional
        A model with the same architecture, whose weights are the initial ones.

    Attributes
    ----------
    net : MLP
    loop : Loop
    curve : list of (epoch, training loss, validation loss, training score, validation score)
        NaN where nothing was measured.
    scores : tuple of float
        Accuracy, or R², on the training and on the validation samples after the last epoch.
    n_edits : int
        How many times a weight was set by hand.
    is_repeatable : bool
        Whether the settings alone determine the weights: none was set by hand or came from a file,
        and no setting was changed during training.
    """

    def __init__(self, settings: Settings, samples: Samples, model: Model | None = None) -> None:
        self.settings, self.samples = settings, samples
        rng = np.random.default_rng(settings.seed)
        architecture = architecture_of(settings, samples)
        self.net = MLP(architecture, initializer=settings.initializer, rng=rng)
        if model is not None:
            self._take_weights(model.net)
        self._rng, self._masks = rng, rng.spawn(1)[0]
        self.loss = loss_of(settings, samples.targets)
        self.metrics = SCORES[samples.targets.task]
        self._begin()
        self.n_edits, self.is_repeatable = 0, model is None
        self.curve: list[tuple[float, ...]] = []
        self.scores = np.nan, np.nan
        self._stride = 1  # epochs between two points of the curve

    def _take_weights(self, net: Any) -> None:
        if net.architecture != self.net.architecture:
            raise InvalidDataError(
                f"the model's network, {net!r}, does not fit these samples and settings, which "
                f"need {self.net!r}"
            )
        self.net.parameters[:] = net.parameters
        self.net.set_state({**net.state})

    def _begin(self) -> None:
        settings, samples = self.settings, self.samples
        self.trainer = self.net.trainer(
            loss=self.loss,
            optimizer=self.optimizer,
            l1=settings.l1,
            l2=settings.l2,
            rng=self._masks,
        )
        y = self.targets
        self.training = self.trainer.check(samples.X[samples.rows], y[samples.rows], None)
        held_out = None
        if len(samples.held_out):
            held_out = self.trainer.check(samples.X[samples.held_out], y[samples.held_out], None)
        least = 2 if settings.normalization == "batch" else 1
        n_samples = self.training.n_samples
        if min(settings.batch_size, n_samples) < least:
            rule = "must be at least 2, and so must be the samples, for batch normalisation"
            raise InvalidArgumentError(rule, "batch_size", got=settings.batch_size)
        self.loop = Loop(
            self.trainer,
            self.training,
            Batches(n_samples, batch_size=settings.batch_size, least=least),
            n_epochs=settings.epochs or MAX_EPOCHS,
            schedule=schedule_of(settings),
            held_out=held_out,
            metrics=self.metrics if len(samples.held_out) > 1 else None,
            monitor="train_loss" if held_out is None else "validation_loss",
            rng=self._rng,
        )
        self._moments = iter(self.loop)
        self._is_at_end = False
        self._stopping = Callback()
        if settings.patience is not None:
            self._stopping = EarlyStopping(settings.patience)
            self._stopping.on_train_begin(self.loop.run)

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer, with the learning rate of the settings."""
        made: Any = OPTIMIZERS[self.settings.optimizer]
        return made(learning_rate=self.settings.learning_rate)

    @property
    def targets(self) -> Array:
        """The targets of all samples, in the form that the loss takes."""
        found = self.samples.encoded
        if self.loss.task == "regression" and found.ndim == 1:  # one-hot classes
            return np.eye(self.samples.targets.out_features)[found]
        return found

    @property
    def stopped_by(self) -> str:
        """Why training has ended: see `History`; empty if it has not."""
        found: str = self.loop.run.stopped_by
        return found

    @property
    def history(self) -> History:
        """The metrics of each epoch."""
        found: History = self.loop.run.history
        return found

    def step(self) -> bool:
        """Take one step, and end the epoch after its last step; return False if none was left.

        Raises
        ------
        DivergenceError
            If training diverges; the weights are then reset to those of the best epoch.
        """
        run = self.loop.run
        try:
            # An overflow becomes an infinite loss, which is reported with epoch and step.
            with np.errstate(over="ignore", invalid="ignore"):
                if next(self._moments, None) is None:
                    if run.keep_best and not self._is_at_end:  # set by `EarlyStopping`
                        run.restore_best(run.members)
                    self._is_at_end = True  # later edits of weights must not be undone
                    return False
                if run.is_under_way and run.step == run.n_steps:
                    next(self._moments)
                    self._note_epoch()
        except DivergenceError:
            self._go_back()
            raise
        return True

    def change(self, settings: Settings) -> None:
        """Continue with another rate, schedule, end or penalties from the next step on.

        Raises
        ------
        InvalidArgumentError
            If the schedule needs a number of epochs, and there is none; nothing changes then.
        """
        schedule_of(settings)
        has_begun = self.loop.run.epoch > 0
        is_other = _steps_of(settings) != _steps_of(self.settings)
        is_back = bool(self.stopped_by) and self.loop.run.keep_best  # best weights were restored
        if has_begun and (is_other or is_back):
            self.is_repeatable = False
        numbers, arrays = self.loop.state()
        stopping = None if self.stopped_by else self._stopping.state()
        for member in numbers["run"]["members"]:
            if member["stopped_by"] in ENDS:  # training may continue with the new settings
                member["stopped_by"] = ""
        self.trainer.finish()
        self.settings = settings
        self._begin()
        self.loop.set_state(numbers, arrays)
        if stopping and settings.patience is not None:
            self._stopping.set_state(stopping)

    def edit(self, layer: int, unit: int, source: int | None, value: float) -> None:
        """Set one weight by hand; the optimizer keeps its state.

        If epochs are judged by the training loss, the current epoch begins again: the mean of its
        losses would belong neither to the old weights nor to the new ones.

        Parameters
        ----------
        layer, unit : int
            The layer, from 1, where the output layer is the last one; and the unit, from 0.
        source : int or None
            The input that the weight multiplies, from 0; None for the bias.
        value : float

        Raises
        ------
        InvalidArgumentError
            If there is no such weight.
        """
        pairs = affine_pairs(self.net)
        if layer > len(pairs):
            raise InvalidArgumentError(f"must be at most {len(pairs)}", "layer", got=layer)
        W, b = pairs[layer - 1]
        for name, place, n in (("unit", unit, W.shape[0]), ("input", source or 0, W.shape[1])):
            if place >= n:
                raise InvalidArgumentError(f"must be less than {n}", name, got=place)
        if source is not None:
            W[unit, source] = value
        elif b is None:
            raise InvalidArgumentError("has no bias before batch normalisation", "layer", got=layer)
        else:
            b[unit] = value
        self.n_edits += 1
        self.is_repeatable = False
        if self.loop.run.judges_start:
            self._begin_epoch_anew()

    def _go_back(self) -> None:
        """Continue from the weights of the best epoch, with a fresh state of the optimizer."""
        run = self.loop.run
        run.restore_best(run.members)
        self.is_repeatable = False
        self._begin_epoch_anew(keep_optimizer=False)

    def _begin_epoch_anew(self, *, keep_optimizer: bool = True) -> None:
        """Go back to the first step of the current epoch, if there is one, with these weights."""
        run = self.loop.run
        numbers, arrays = self.loop.state()
        if run.is_under_way:
            numbers["run"] |= {"epoch": run.epoch - 1, "step": 0, "is_under_way": False}
        if not keep_optimizer:
            arrays = {
                name: a for name, a in arrays.items() if not name.startswith("trainer.optimizer.")
            }
        self.trainer.finish()
        is_at_end = self._is_at_end
        self._begin()
        self.loop.set_state(numbers, arrays)
        self._is_at_end = is_at_end

    def _note_epoch(self) -> None:
        """Add a point to the curve, and stop if there is no improvement."""
        self._stopping.on_epoch_end(self.loop.run)
        history, epoch = self.history, self.loop.run.epoch
        (name,) = self.metrics
        held_out = [history.get(f"validation_{of}", [np.nan])[-1] for of in ("loss", name)]
        self.scores = self.score(), held_out[1]
        if epoch % self._stride:
            return
        self.curve.append((epoch, history["train_loss"][-1], held_out[0], *self.scores))
        if len(self.curve) == 2 * POINTS:
            self.curve = self.curve[1::2]
            self._stride *= 2

    def score(self) -> float:
        """Return the accuracy, or R², on the training samples; NaN if there is only one."""
        if self.training.n_samples < 2:
            return np.nan
        _, p = self.trainer.evaluate(self.training)
        (score,) = Validation(self.training, self.metrics, [self.loss]).measure(0, p).values()
        return score

    @property
    def points(self) -> Array:
        """The curve as an array of shape (n_points, 5)."""
        return np.array(self.curve, dtype=np.float32).reshape(-1, 5)

    def to_model(self) -> Model:
        """Return a model of the network, with the settings and the history as information."""
        samples = self.samples
        information = {
            "playground": self.settings.to_dict(),
            "history": json.loads(self.history.to_json()),
        }
        return Model(self.net, samples.targets, samples.inputs, information)

    def finish(self) -> None:
        """Release the resources of the trainer."""
        self.trainer.finish()


def _steps_of(settings: Settings) -> dict[str, Any]:
    """Return the live settings that affect steps: the number of epochs only with a schedule."""
    return settings.live | ({} if settings.schedule else {"epochs": None})


def warm_up() -> None:
    """Compile and import what the first epoch, R² and the doctor need, before they are used."""
    try:
        _load()
    finally:
        WARM.set()  # even after an error: training then fails too, and says why


def _load() -> None:
    net = MLP(Architecture(2, (4, 4), 1, output="sigmoid"), rng=np.random.default_rng(0))
    trainer = net.trainer(loss="binary_cross_entropy", optimizer="adam")
    training = trainer.check(np.zeros((2, 2)), [[0], [1]], None)
    for _ in Loop(trainer, training, Batches(2, batch_size=2), n_epochs=1, held_out=training):
        pass
    trainer.finish()
    for name in ("metrics", "neighbors"):
        import_module(f"sklearn.{name}")
