"""Losses for classes and labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.numpy.activations.outputs import log_softmax
from multilayer.numpy.activations.sigmoids import logistic
from multilayer.numpy.losses.base import Array, Loss
from multilayer.numpy.losses.targets import TINY, check_lengths, log_mean

__all__ = ["NLL", "BinaryCrossEntropy", "CrossEntropy"]


@dataclass(frozen=True)
class CrossEntropy(Loss):
    r"""The cross-entropy between the targets and the softmax of the logits z.

    With targets t, a distribution over the classes,

    .. math:: ℓ = -\sum_k t_k \log p_k, \qquad \log p = z - \log\sum_k e^{z_k}.

    Since :math:`∂\log p_k/∂z_j = δ_{kj} - p_j` and the targets sum to 1,

    .. math:: \frac{∂ℓ}{∂z_j} = -\sum_k t_k (δ_{kj} - p_j) = p_j - t_j.

    Parameters
    ----------
    label_smoothing : float
        ε in [0, 1]: targets become (1 − ε) t + ε/K over K classes (Szegedy et al. 2016, section 7).

    Examples
    --------
    >>> value, gradient = CrossEntropy()([[0.0, 0.0]], [1])
    >>> round(value, 6), gradient.tolist()
    (0.693147, [[0.5, -0.5]])
    """

    label_smoothing: float = 0.0

    name = "cross_entropy"
    outputs = ("identity", "softmax", "log_softmax")
    takes_logits = True
    task = "classification"
    formula = "−Σ t log softmax(z)"

    def __post_init__(self) -> None:
        epsilon = checks.real(self.label_smoothing, "label_smoothing", "CrossEntropy", "[0, 1]")
        object.__setattr__(self, "label_smoothing", epsilon)

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        return cross_entropy(p, targets, self.label_smoothing)

    def targets(self, y: object, n_samples: int, out_features: int, dtype: npt.DTypeLike) -> Array:
        if checks.array(y, "y").ndim < 2:
            return class_labels(y, n_samples, out_features)
        matrix = super().targets(y, n_samples, out_features, dtype)
        sums = matrix.sum(axis=1)
        # 1e-4 allows for rounding in rows that were normalised in float32.
        wrong = (matrix < 0).any(axis=1) | (np.abs(sums - 1) > 1e-4)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InvalidDataError(
                "must hold probabilities that sum to 1 in each row",
                "y",
                got=f"sum {sums[row]:g}, smallest {matrix[row].min():g} at row {row}",
            )
        return matrix

    def best_constant(self, targets: Array, out_features: int, weight: Array) -> Array:
        return log_mean(targets, out_features, weight)

    def predict(self, p: Array) -> Array:
        return np.asarray(p.argmax(axis=-1))

    def truth(self, targets: Array) -> Array:
        return targets if targets.dtype.kind == "i" else targets.argmax(axis=-1)

    def check_width(self, out_features: int) -> None:
        _need_classes(self.name, out_features)


@dataclass(frozen=True)
class NLL(Loss):
    r"""The negative log-likelihood :math:`ℓ = -a_y` of the class y, from log-probabilities a.

    Its derivative is −1 with respect to :math:`a_y` and 0 otherwise. With `sample_weight` the loss
    is the weighted mean, as in PyTorch's NLLLoss with class weights.
    """

    name = "nll"
    outputs = ("log_softmax",)
    takes_logits = False
    task = "classification"
    formula = "−log p_y"

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        of_label = _at_labels(targets, p)
        gradient = np.zeros_like(p)
        gradient[of_label] = -1
        return -p[of_label], gradient

    def targets(self, y: object, n_samples: int, out_features: int, dtype: npt.DTypeLike) -> Array:
        return class_labels(y, n_samples, out_features)

    def best_constant(self, targets: Array, out_features: int, weight: Array) -> Array:
        return log_mean(targets, out_features, weight)

    def predict(self, p: Array) -> Array:
        return np.asarray(p.argmax(axis=-1))

    def check_width(self, out_features: int) -> None:
        _need_classes(self.name, out_features)


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    r"""The cross-entropy between each label's target and its probability, from the logits z.

    With p = 1/(1 + e⁻ᶻ) and t in [0, 1], summed over a sample's labels,

    .. math:: ℓ = -t \log p - (1 - t) \log(1 - p) = \log(1 + e^z) - t z, \qquad
              \frac{∂ℓ}{∂z} = p - t.

    Parameters
    ----------
    label_smoothing : float
        ε in [0, 1): targets become (1 − ε) t + ε/2, as for two classes in `CrossEntropy`.
    """

    label_smoothing: float = 0.0

    name = "binary_cross_entropy"
    outputs = ("identity", "sigmoid")
    takes_logits = True
    task = "multilabel"
    formula = "Σ log(1 + eᶻ) − t z"

    def __post_init__(self) -> None:
        epsilon = checks.real(
            self.label_smoothing, "label_smoothing", "BinaryCrossEntropy", "[0, 1)"
        )
        object.__setattr__(self, "label_smoothing", epsilon)

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        if not isinstance(self.label_smoothing, float):  # K networks with the same targets
            targets = self._smoothed(targets)
        # log(1 + eᶻ) − t z; subtracting the large terms first keeps small losses accurate.
        values = (np.maximum(p, 0) - targets * p) + np.log1p(np.exp(-np.abs(p)))
        return values.sum(axis=-1), logistic(p) - targets

    def targets(self, y: object, n_samples: int, out_features: int, dtype: npt.DTypeLike) -> Array:
        array = super().targets(y, n_samples, out_features, dtype)
        wrong = (array < 0) | (array > 1)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise InvalidDataError(
                "must lie in [0, 1] for loss 'binary_cross_entropy'",
                "y",
                got=f"{array[row, column]:g} at row {row}, column {column}",
            )
        is_one = isinstance(self.label_smoothing, float)
        return self._smoothed(array) if is_one and self.label_smoothing else array

    def _smoothed(self, targets: Array) -> Array:
        epsilon: Any = self.label_smoothing
        return np.asarray((1 - epsilon) * targets + epsilon / 2)

    def best_constant(self, targets: Array, out_features: int, weight: Array) -> Array:
        mean = np.clip(weight / weight.sum() @ targets, TINY, 1 - TINY)
        return np.asarray(np.log(mean / (1 - mean)))

    def predict(self, p: Array) -> Array:
        return (p > 0).astype(np.int64)

    def truth(self, targets: Array) -> Array:
        return (targets > 0.5).astype(np.int64)


def cross_entropy(z: Array, targets: Array, label_smoothing: Any) -> tuple[Array, Array]:
    """Return each sample's cross-entropy from its logits z, and the gradient with respect to z."""
    log_probabilities = log_softmax(z)
    gradient = np.exp(log_probabilities)
    if targets.dtype.kind == "i" and not np.any(label_smoothing):  # t is one-hot
        of_label = _at_labels(targets, z)
        gradient[of_label] -= 1
        return -log_probabilities[of_label], gradient
    if targets.dtype.kind == "i":
        targets = np.eye(z.shape[-1], dtype=z.dtype)[targets]
    smooth = (1 - label_smoothing) * targets + label_smoothing / z.shape[-1]
    return -np.sum(smooth * log_probabilities, axis=-1), gradient - smooth


def _at_labels(labels: Array, p: Array) -> tuple[Array, ...]:
    """Return an index into p: each sample's entry for its label."""
    *rows, _ = np.indices((*p.shape[:-1], 1), sparse=True)
    return (*(row[..., 0] for row in rows), labels)


def class_labels(y: object, n_samples: int, n_classes: int) -> Array:
    """Return integer labels from 0 to n_classes − 1, one per sample."""
    array = checks.array(y, "y")
    if array.dtype.kind not in "biu" and array.size:
        hint = ""
        if array.dtype.kind == "f" and np.isfinite(array).all() and (array % 1 == 0).all():
            hint = ": convert them with y.astype(int)"
        elif array.dtype.kind == "U":
            hint = ": number the labels, as LabelEncoder does"
        rule = f"must hold integer labels 0 to {n_classes - 1}"
        raise InvalidTypeError(rule, "y", got=f"dtype {array.dtype}{hint}")
    check_lengths(array, n_samples)
    if array.ndim != 1:
        rule = f"must have shape ({n_samples},), one label per sample"
        raise InvalidDataError(rule, "y", got=f"shape {array.shape}")
    wrong = (array < 0) | (array >= n_classes)
    if wrong.any():
        index = int(np.argmax(wrong))
        rule = f"must hold labels 0 to {n_classes - 1}"
        raise InvalidDataError(rule, "y", got=f"{array[index]} at index {index}")
    return array.astype(np.intp)


def _need_classes(name: str, out_features: int) -> None:
    if out_features < 2:
        raise InvalidArgumentError(
            f"loss {name!r} needs at least 2 outputs, one per class; got {out_features}. "
            "For one output use 'binary_cross_entropy'"
        )
