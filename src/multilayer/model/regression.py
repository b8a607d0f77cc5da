"""Values: the targets of regression."""

from dataclasses import asdict
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.data.notation import Notation
from multilayer.errors import InvalidDataError
from multilayer.model.column import parts_of
from multilayer.model.losses import loss_of_output
from multilayer.model.numeric import notation_from_dict
from multilayer.model.targets import Targets
from multilayer.numpy import Loss, SquaredError

__all__ = ["Values"]

Array = npt.NDArray[Any]


class Values(Targets):
    """Real values, y = mean + scale · output.

    Parameters
    ----------
    n_targets : int
        The number of targets of a sample.
    n_each : int
        The number of outputs of each target: one, or one per quantile. If there is only one output
        in all, predictions have shape (n_samples,).
    mean, scale : array of shape (n_targets,), optional
        0 and 1 by default.
    output : str
        The network's link function.
    notation : Notation, optional
        How the training targets were written, if they came as text.
    limits : array of shape (2, n_targets), optional
        The lowest and the highest prediction of each target; others are clipped.
    """

    kind = "values"
    task = "regression"

    def __init__(
        self,
        n_targets: int,
        *,
        n_each: int = 1,
        mean: Array | None = None,
        scale: Array | None = None,
        output: str = "identity",
        notation: Notation | None = None,
        limits: Array | None = None,
    ) -> None:
        self.notation = notation
        self.n_targets, self.n_each = n_targets, n_each
        vector = partial(checks.vector, length=n_targets, owner="Values")
        self.mean = None if mean is None else vector(mean, "mean")
        self.scale = None if scale is None else vector(scale, "scale")
        if (mean is None) != (scale is None) or (
            self.scale is not None and (self.scale <= 0).any()
        ):
            rule, got = "must be given together, with scale > 0", f"{mean}, {scale}"
            raise InvalidDataError(rule, "mean and scale", "Values", got=got)
        self.limits = None
        if limits is not None:
            low, high = (vector(own, f"limits[{i}]") for i, own in enumerate(limits))
            if (low > high).any():
                rule = "must be the lowest values, then the highest"
                raise InvalidDataError(rule, "limits", "Values")
            self.limits = np.stack([low, high])
        self.output = output
        self.out_features = n_targets * n_each

    def __repr__(self) -> str:
        each = f" of {self.n_each:,} quantiles" if self.n_each > 1 else ""
        return f"{self.n_targets:,} value{'s' * (self.n_targets > 1)}{each}"

    def __str__(self) -> str:
        return f"{self!r}{'' if self.mean is None else ', y = mean + scale · output'}"

    def encode(self, y: Array) -> Array:
        y = checks.number_array(y, "y").reshape(len(y), self.n_targets)
        return y if self.mean is None else (y - self.mean) / self.scale

    def decode(self, outputs: Array) -> Array:
        values = outputs
        if self.mean is not None and self.scale is not None:
            scale, mean = (np.repeat(a, self.n_each) for a in (self.scale, self.mean))
            # In float64: next to a large mean, float32 would have no digits left for the outputs.
            values = scale * outputs + mean
        if self.limits is not None:
            values = np.clip(values, *np.repeat(self.limits, self.n_each, axis=1))
        return values[:, 0] if self.out_features == 1 else values

    def widen(self, y: Array) -> None:
        if self.limits is not None:
            rows = np.concatenate([self.limits, y.reshape(len(y), self.n_targets)])
            self.limits = np.stack([rows.min(axis=0), rows.max(axis=0)])

    def loss(self, label_smoothing: float = 0.0) -> Loss | None:
        if self.n_each > 1:  # the quantiles' levels are not known here
            return None
        return loss_of_output(self.output) or SquaredError()

    def to_dict(self) -> dict[str, Any]:
        return {
            "n_each": self.n_each,
            "mean": None if self.mean is None else self.mean.tolist(),
            "scale": None if self.scale is None else self.scale.tolist(),
            "notation": None if self.notation is None else asdict(self.notation),
            "limits": None if self.limits is None else self.limits.tolist(),
        }

    @classmethod
    def from_dict(cls, found: dict[str, Any], architecture: Architecture) -> Self:
        names = ("n_each", "mean", "scale", "notation", "limits")
        found = {"limits": None} | found  # older files lack it
        values = parts_of(found, "targets", dict.fromkeys(names, object))
        notation = values["notation"]
        n_each = checks.integer(values["n_each"], "n_each", cls.__name__)
        return cls(
            architecture.out_features // n_each,
            n_each=n_each,
            mean=values["mean"],
            scale=values["scale"],
            output=architecture.output,
            notation=None if notation is None else notation_from_dict(notation),
            limits=_limits_from(values["limits"]),
        )


def _limits_from(found: Any) -> Any:
    """Return the limits that a file describes."""
    if found is not None and not (isinstance(found, list) and len(found) == 2):
        raise InvalidDataError("must be null or a pair of lists", "limits")
    return found
