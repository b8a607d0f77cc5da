"""What a model predicts, and how that is judged."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.evaluation.classes import ClassTask
from multilayer.evaluation.samples import OWNER
from multilayer.evaluation.task import Task
from multilayer.evaluation.values import ValueTask
from multilayer.model import Model, loss_of_data, loss_of_output, of_outputs, recorded_loss
from multilayer.numpy import Loss

__all__ = ["judged"]

Array = npt.NDArray[Any]


def judged(model: Model, X: Any, y: Array) -> tuple[Task, Array]:
    """Return how the targets are judged, and the predictions for them."""
    outputs, targets = model(X), model.targets
    if not np.isfinite(outputs).all():
        raise InvalidDataError("must predict finite numbers for all samples", "model", OWNER)
    loss = _loss_of(model, y)
    if targets is not None and targets.task != "regression" and not targets.has_one_class:
        raise InvalidArgumentError("must have one target", "model", OWNER, got=repr(targets))
    if (loss.task if targets is None else targets.task) == "regression":
        predicted = outputs if targets is None else targets.decode(outputs)
        predicted = predicted.reshape(len(y), -1).astype(np.float64)
        if predicted.shape[1] != loss.n_each:
            rule = "must predict one value a sample, or quantiles of a recorded loss"
            raise InvalidArgumentError(rule, "model", OWNER, got=f"{predicted.shape[1]} outputs")
        y = np.array(y.tolist()) if y.dtype == object else y  # there was a None in it
        return ValueTask(checks.finite_array(y, "y", np.float64), loss), predicted
    if targets is None:
        classes, p = of_outputs(model.net, outputs, OWNER)
    else:
        classes, p = targets.classes, targets.probabilities(outputs)
    task = ClassTask(y, classes, float(np.finfo(outputs.dtype).eps))
    return task, task.known(p)


def _loss_of(model: Model, y: Array) -> Loss:
    """Return the loss that a model was trained with; if it is not recorded, the likely one."""
    history = model.information.get("history")
    history = history[0] if isinstance(history, list) and history else history
    settings = history.get("settings") if isinstance(history, dict) else None
    training = model.information.get("training")
    recorded = recorded_loss(
        settings if isinstance(settings, dict) else {},
        training if isinstance(training, dict) else {},
    )
    if recorded is not None:
        return recorded
    own = None if model.targets is None else model.targets.loss()
    architecture = model.net.architecture
    return own or loss_of_output(architecture.output) or loss_of_data(y, architecture.out_features)
