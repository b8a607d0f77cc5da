"""How predicted classes are judged."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidDataError
from multilayer.evaluation.bootstrap import Estimate
from multilayer.evaluation.linear import linear_model
from multilayer.evaluation.measures import Measure, area, mean, mean_recall
from multilayer.evaluation.reliability import Reliability
from multilayer.evaluation.results import ClassScore
from multilayer.evaluation.task import Task
from multilayer.evaluation.words import sentence, share
from multilayer.json_text import listed

__all__ = ["ClassificationTask"]

Array = npt.NDArray[Any]

MOST_CLASSES = 20
"""For more classes, there is no confusion matrix."""


class ClassificationTask(Task):
    """The task of predicting one of several classes for each sample, by probabilities.

    A class that the model does not know has probability 0, so its samples are always wrong.

    Parameters
    ----------
    y : array of shape (n_samples,)
        The true classes.
    known : array of shape (n_classes,)
        The model's classes.
    smallest : float
        Lower probabilities are raised to this in the log loss, which would be infinite at 0.

    Attributes
    ----------
    classes : list
        The model's classes, followed by those that it does not know.
    n_known : int
        The number of the model's classes.
    """

    name = "classification"
    has_probabilities = True
    main = "log_loss"
    error = "error rate"
    bias = "overconfidence"
    baseline = "the shares of the classes"
    linear = "logistic regression"

    def __init__(self, y: Array, known: Array, smallest: float) -> None:
        places = {each: i for i, each in enumerate(known.tolist())}
        self.n_known = len(places)
        found = y.tolist()
        if places.keys().isdisjoint(found):
            rule = f"must contain at least one of the model's classes, {listed(places)}"
            raise InvalidDataError(rule, "y", got=repr(found[0]))
        for each in sorted(set(found) - places.keys(), key=str):
            places[each] = len(places)
        self.classes = list(places)
        self.y = np.array([places[each] for each in found], dtype=np.intp)
        self.smallest = smallest
        self.calibration = (
            f"probability of {self.classes[1]}"
            if len(self.classes) == 2
            else "probability of the predicted class"
        )

    def known(self, p: Array) -> Array:
        """Return the model's probabilities, with columns of 0 for the classes it does not know."""
        return np.pad(p.astype(np.float64), ((0, 0), (0, len(self.classes) - p.shape[1])))

    def measures(self, predicted: Array) -> dict[str, Measure]:
        is_right = predicted.argmax(axis=1) == self.y
        losses = -np.log(np.clip(self._of_truth(predicted), self.smallest, 1 - self.smallest))
        return {
            "log_loss": mean(losses),
            "accuracy": mean(is_right.astype(np.float64)),
            "balanced_accuracy": mean_recall(self.y, is_right),
            "auc": self._area(predicted),
            "brier": mean(self._squares(predicted)),
        }

    def errors(self, predicted: Array) -> Array:
        return (predicted.argmax(axis=1) != self.y).astype(np.float64)

    def bias_of(self, predicted: Array) -> Measure:
        return mean(predicted.max(axis=1) - (predicted.argmax(axis=1) == self.y))

    def meaning(self, predicted: Array, bias: Estimate) -> str:
        claimed = float(predicted.max(axis=1).mean())
        assert bias.value is not None
        return sentence(
            "The probabilities are", bias, ("too sure", "not sure enough"), share,
            f"they expect {share(claimed)} of the predictions to be right, and "
            f"{share(claimed - bias.value)} are",
        )  # fmt: skip

    def reliability(self, predicted: Array) -> Reliability:
        if len(self.classes) == 2:
            return Reliability.of_probabilities(predicted[:, 1], self.y.astype(np.float64))
        is_right = (predicted.argmax(axis=1) == self.y).astype(np.float64)
        return Reliability.of_probabilities(predicted.max(axis=1), is_right)

    def baseline_of(self, y: Array) -> Array:
        return np.bincount(y, minlength=len(self.classes)) / len(y)

    def linear_of(self, x: Array, y: Array, x_new: Array) -> Array:
        found = np.zeros((len(x_new), len(self.classes)))
        there = np.unique(y)
        if len(there) < 2:
            found[:, there] = 1
        else:
            model = linear_model(self.name).fit(x, y)
            found[:, there] = model.predict_proba(x_new)
        return found

    def n_outputs(self) -> int:
        return len(self.classes)

    def strata(self) -> Array | None:
        return self.y

    def scores(self, predicted: Array) -> tuple[tuple[ClassScore, ...], list[list[int]] | None]:
        confusion = self.confusion(predicted)
        right, n, n_predicted = (
            each.tolist() for each in (confusion.diagonal(), confusion.sum(1), confusion.sum(0))
        )
        scores = tuple(
            ClassScore(
                str(name),
                n[k],
                n_predicted[k],
                right[k] / n_predicted[k] if n_predicted[k] else None,
                right[k] / n[k] if n[k] else None,
                k < self.n_known,
            )
            for k, name in enumerate(self.classes)
        )
        return scores, confusion.tolist() if len(self.classes) <= MOST_CLASSES else None

    def confusion(self, predicted: Array) -> Array:
        """Return how many samples of each class (rows) are predicted as each (columns)."""
        n = len(self.classes)
        pairs = self.y * n + predicted.argmax(axis=1)
        return np.bincount(pairs, minlength=n * n).reshape(n, n)

    def _of_truth(self, p: Array) -> Array:
        return p[np.arange(len(p)), self.y]

    def _squares(self, p: Array) -> Array:
        """Return each sample's Brier score: (p − y)² for two classes, its sum over more classes."""
        if len(self.classes) == 2:
            return np.square(1 - self._of_truth(p))
        return np.square(p).sum(axis=1) - 2 * self._of_truth(p) + 1

    def _area(self, p: Array) -> Measure:
        """Return the area under the ROC curve, averaged over the classes if there are many."""
        if len(self.classes) == 2:
            return area(self.y == 1, p[:, 1])
        each = [area(self.y == k, p[:, k]) for k in np.unique(self.y)]

        def of(weight: Array) -> Array:
            found = np.stack([own(weight) for own in each])
            n = (~np.isnan(found)).sum(axis=0)  # a class may be missing in a resample
            with np.errstate(invalid="ignore"):
                return np.nansum(found, axis=0) / n

        return of
