"""What a model predicts, and the task that judges it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.evaluation.classes import ClassificationTask
from multilayer.evaluation.samples import OWNER
from multilayer.evaluation.task import Task
from multilayer.evaluation.values import RegressionTask
from multilayer.model import Model, loss_of_data, loss_of_model, loss_of_output, of_outputs
from multilayer.numpy import Loss, SquaredError

__all__ = ["judged"]

Array = npt.NDArray[Any]


def judged(model: Model, X: Any, y: Array, given: Any = None) -> tuple[Task, Array]:
    """Return the task that judges predictions of `y`, and the model's predictions.

    `given` is the object that the model comes from, such as an estimator.
    """
    outputs, targets = model(X), model.targets
    if not np.isfinite(outputs).all():
        raise InvalidDataError("must predict finite numbers for all samples", "model", OWNER)
    if targets is None or targets.task == "regression":
        try:
            loss = loss_of_model(model, OWNER, given=given)
        except InvalidArgumentError:  # a user's own loss, which is not registered here
            of_output = loss_of_output(model.net.architecture.output)
            loss = of_output if targets is None else SquaredError()
        loss = loss or loss_of_data(y, model.net.architecture.out_features)
        if targets is not None or loss.task == "regression":
            return _values(outputs if targets is None else targets.decode(outputs), y, loss)
        classes, p = of_outputs(model.net, outputs, OWNER)
    elif targets.has_one_class:
        classes, p = targets.classes, targets.probabilities(outputs)
    else:
        raise InvalidArgumentError("must have one target", "model", OWNER, got=repr(targets))
    task = ClassificationTask(y, classes, float(np.finfo(outputs.dtype).eps))
    return task, task.known(p)


def _values(predicted: Array, y: Array, loss: Loss) -> tuple[Task, Array]:
    """Return the task that judges predicted values, and the predictions, one row per sample."""
    predicted = predicted.reshape(len(y), -1).astype(np.float64)
    if predicted.shape[1] != loss.n_each:
        rule = "must predict one value per sample, or the quantiles of a recorded loss"
        raise InvalidArgumentError(rule, "model", OWNER, got=f"{predicted.shape[1]} outputs")
    y = np.array(y.tolist()) if y.dtype == object else y  # it contained None
    return RegressionTask(checks.finite_array(y, "y", np.float64), loss), predicted
