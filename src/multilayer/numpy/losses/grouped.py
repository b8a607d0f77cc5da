"""The cross-entropy of several targets at once, each with its own classes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.numpy.losses.base import Array, Loss
from multilayer.numpy.losses.classification import class_labels, cross_entropy
from multilayer.numpy.losses.targets import check_lengths, log_mean

__all__ = ["GroupedCrossEntropy"]


@dataclass(frozen=True)
class GroupedCrossEntropy(Loss):
    r"""The sum of the cross-entropies of several targets, each with its own softmax.

    With the logits z divided into groups :math:`z^{(g)}`, one per target, with one logit per class,

    .. math:: ℓ = -\sum_g \sum_k t^{(g)}_k \log p^{(g)}_k, \qquad
              p^{(g)} = \mathrm{softmax}(z^{(g)}), \qquad
              \frac{∂ℓ}{∂z^{(g)}} = p^{(g)} - t^{(g)}.

    Parameters
    ----------
    sizes : sequence of int, optional
        The number of classes of each target, at least 2; by default there is one target, with one
        class per output.
    label_smoothing : float
        ε in [0, 1], as in `CrossEntropy`.

    Examples
    --------
    >>> loss = GroupedCrossEntropy(sizes=(2, 3))
    >>> value, gradient = loss(np.zeros((1, 5)), [[1, 0]])
    >>> round(value, 6) == round(float(np.log(2) + np.log(3)), 6)
    True
    """

    sizes: tuple[int, ...] | None = None
    label_smoothing: float = 0.0

    name = "grouped_cross_entropy"
    outputs = ("identity",)
    takes_logits = True
    task = "classification"
    formula = "Σ −Σ t log softmax(z), over groups of outputs"

    def __post_init__(self) -> None:
        owner = type(self).__name__
        if self.sizes is not None:
            sizes = tuple(
                checks.integer(size, f"sizes[{i}]", owner, minimum=2)
                for i, size in enumerate(self.sizes)
            )
            if not sizes:
                rule = "must hold a number for each target"
                raise InvalidArgumentError(rule, "sizes", "GroupedCrossEntropy", got="none")
            object.__setattr__(self, "sizes", sizes)
        epsilon = checks.real(self.label_smoothing, "label_smoothing", owner, "[0, 1]")
        object.__setattr__(self, "label_smoothing", epsilon)

    def groups(self, out_features: int) -> Iterator[slice]:
        """Yield the slice of each target's outputs."""
        sizes = (out_features,) if self.sizes is None else self.sizes
        for start, stop in pairwise(accumulate(sizes, initial=0)):
            yield slice(start, stop)

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        values, gradient = np.zeros(p.shape[:-1], p.dtype), np.empty_like(p)
        columns = np.moveaxis(targets, -1, 0)
        for group, labels in zip(self.groups(p.shape[-1]), columns, strict=True):
            value, gradient[..., group] = cross_entropy(p[..., group], labels, self.label_smoothing)
            values += value
        return values, gradient

    def targets(self, y: object, n_samples: int, out_features: int, dtype: npt.DTypeLike) -> Array:
        groups = list(self.groups(out_features))
        array = checks.array(y, "y")
        check_lengths(array, n_samples)
        columns = array.reshape(n_samples, -1)
        if array.ndim > 2 or columns.shape[1] != len(groups):
            rule = f"must have shape ({n_samples}, {len(groups)})"
            raise InvalidDataError(rule, "y", got=f"shape {array.shape}")
        return np.column_stack(
            [
                class_labels(column, n_samples, group.stop - group.start)
                for column, group in zip(columns.T, groups, strict=True)
            ]
        )

    def best_constant(self, targets: Array, out_features: int, weight: Array) -> Array:
        groups = self.groups(out_features)
        return np.concatenate(
            [
                log_mean(labels, group.stop - group.start, weight)
                for labels, group in zip(targets.T, groups, strict=True)
            ]
        )

    def predict(self, p: Array) -> Array:
        return self.truth(
            np.stack([p[..., g].argmax(axis=-1) for g in self.groups(p.shape[-1])], axis=-1)
        )

    def truth(self, targets: Array) -> Array:
        return targets if targets.shape[-1] > 1 else targets[..., 0]

    def check_width(self, out_features: int) -> None:
        n_classes = out_features if self.sizes is None else sum(self.sizes)
        if n_classes != out_features or out_features < 2:
            raise InvalidArgumentError(
                f"loss {self.name!r} with sizes {self.sizes} needs {max(n_classes, 2)} outputs; "
                f"got {out_features}"
            )
