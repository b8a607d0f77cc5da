"""Case: what the checks look at, measured once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidTypeError
from multilayer.inspection.doctor.patient import Patient
from multilayer.inspection.range_test import RangeTest
from multilayer.numpy import ACTIVATIONS, LOSSES, MLP, LayerObservation, Loss, observe

__all__ = ["Case", "Sample", "history_values", "sample_of"]

Array = npt.NDArray[Any]

MAX_SAMPLES = 4_000
"""Of the samples, evenly spaced, so that a look takes seconds however many there are; a share of
one half is then known to ± 1.6 % (two standard errors)."""


class Sample(NamedTuple):
    """Samples as the network sees them, and what it says of them."""

    X: Array
    y: Array
    """Targets as they came, encoded where an estimator does so."""
    targets: Array
    """Targets as the loss takes them."""
    logits: Array
    outputs: Array
    values: Array
    """The loss of each sample."""

    @property
    def loss(self) -> float:
        """The mean loss."""
        return float(self.values.mean())

    def __len__(self) -> int:
        return len(self.X)


@dataclass(frozen=True)
class Case:
    """A network with a sample of its data, looked at once for all checks."""

    net: MLP
    loss: Loss
    training: Sample
    validation: Sample | None
    layers: tuple[LayerObservation, ...]
    """In forward order, the output layer last."""
    dz: tuple[Array, ...]
    """The loss's gradient in each layer's z."""
    history: Mapping[str, Array]
    has_best_weights: bool
    """Whether the best epoch's weights were put back at the end of the training."""
    range_test: RangeTest | None
    learning_rate: float | None
    """The optimizer's, where it was given."""

    @property
    def held_out(self) -> Sample:
        """The samples that tell most of new ones: validation samples where there are any."""
        return self.training if self.validation is None else self.validation


def sample_of(patient: Patient, X: Any, y: Any) -> tuple[Sample, Loss]:
    """Return what a network says of raw samples, and the loss that it is held to.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, InvalidTypeError
        If samples or targets cannot be used.
    """
    net = patient.net
    x = net._samples(patient.inputs(X))
    coded = np.asarray(patient.encode(y))
    loss = patient.loss or _loss_of_labels(coded, net)
    loss.check_architecture(net.architecture)
    targets = loss.targets(coded, len(x), net.architecture.out_features, net.dtype)
    if len(x) > MAX_SAMPLES:
        rows = np.linspace(0, len(x) - 1, MAX_SAMPLES).astype(np.intp)
        x = x.subset(rows) if hasattr(x, "subset") else x[rows]
        coded, targets = coded[rows], targets[rows]
    x = np.asarray(x[:], dtype=net.dtype)  # lazy samples are read here
    logits = net.logits(x)
    outputs = net._output.forward(logits)
    values, _ = loss.per_sample(logits if loss.takes_logits else outputs, targets)
    return Sample(x, coded, targets, logits, outputs, values), loss


def _loss_of_labels(y: Array, net: MLP) -> Loss:
    """Return the loss of an output without link function: by whether targets are labels."""
    is_labels = y.ndim == 1 and y.dtype.kind in "biu" and net.architecture.out_features > 1
    return LOSSES["cross_entropy" if is_labels else "squared_error"]()


def look(net: MLP, sample: Sample, loss: Loss) -> tuple[tuple[LayerObservation, ...], Any]:
    """Return what each layer computes, and the loss's gradient in each layer's z."""
    layers = tuple(observe(net, sample.X, sample.y, loss=loss))
    dz = [
        ACTIVATIONS[spec.activation].backward(layer.da, layer.z, layer.a)
        for spec, layer in zip(net.architecture.hidden_layers, layers, strict=False)
    ]
    return layers, (*dz, layers[-1].da)


def history_values(history: Any) -> dict[str, Array]:
    """Return what was measured in each epoch as arrays; None, as JSON has it, is NaN.

    Raises
    ------
    InvalidTypeError
        If it is no mapping of names to numbers.
    """
    if not isinstance(history, Mapping):
        msg = (
            "history of diagnose must be a History, or a mapping of names to a number an epoch; "
            f"got {type(history).__name__}"
        )
        raise InvalidTypeError(msg)
    try:
        return {
            str(name): np.array([np.nan if v is None else float(v) for v in column])
            for name, column in history.items()
        }
    except (TypeError, ValueError) as error:
        msg = f"history of diagnose must hold a number an epoch; {error}"
        raise InvalidTypeError(msg) from error
