"""Case: everything that the checks need, measured once for all of them."""

import math
from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data import Table, read_table
from multilayer.doctor.patient import Patient
from multilayer.errors import DivergenceError, InvalidDataError, InvalidTypeError
from multilayer.inspection.range_test import RangeTest, lr_finder
from multilayer.model import Model, loss_of_data, one_network
from multilayer.numpy import (
    ACTIVATIONS,
    LBFGS,
    MLP,
    OUTPUTS,
    LayerObservation,
    Loss,
    Optimizer,
    observe,
)
from multilayer.numpy.losses.targets import check_lengths
from multilayer.samples import LazySamples

__all__ = ["Case", "Sample", "history_values", "look", "sample_of"]

Array = npt.NDArray[Any]

MAX_SAMPLES = 4_000
"""Larger data sets are sampled at even spacing, so that a diagnosis takes seconds. With this many
samples, a share of one half is known to ± 1.6 % (two standard errors)."""


class Sample(NamedTuple):
    """Samples as the network sees them, with its predictions."""

    X: Array
    y: Array
    """Targets as given, encoded if an estimator encodes them."""
    targets: Array
    """Targets in the form that the loss takes."""
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
    """A model with a sample of its data, measured once for all checks."""

    model: Model
    loss: Loss
    training: Sample
    validation: Sample | None
    layers: tuple[LayerObservation, ...]
    """In forward order, the output layer last."""
    dz: tuple[Array, ...]
    """The gradient of the loss with respect to each layer's z."""
    history: Mapping[str, Array]
    has_best_weights: bool
    """Whether training ended by restoring the weights of the best epoch."""
    optimizer: Optimizer | LBFGS | None
    """The optimizer that trained the network, if known."""
    batch_size: int
    _range_tests: list[RangeTest | None] = field(default_factory=list, init=False, repr=False)

    @property
    def net(self) -> MLP:
        """The model's network."""
        return one_network(self.model.net, "net_or_estimator", "diagnose")

    @property
    def held_out(self) -> Sample:
        """The validation samples if there are any, otherwise the training samples."""
        return self.training if self.validation is None else self.validation

    @property
    def takes_steps(self) -> bool:
        """Whether the optimizer has a learning rate to judge; L-BFGS has none."""
        return self.optimizer is None or self.optimizer.takes_steps

    @property
    def learning_rate(self) -> float:
        """The optimizer's learning rate; NaN if unknown."""
        optimizer = self.optimizer
        return optimizer.learning_rate if optimizer and optimizer.takes_steps else math.nan

    @property
    def range_test(self) -> RangeTest | None:
        """The range test of a new network; None if there is no rate or the test cannot start."""
        # Not functools.cached_property: before Python 3.12, it holds a lock for the seconds that
        # this takes, and a process forked in the meantime would wait for it forever.
        if not self._range_tests:
            self._range_tests.append(self._test_rates())
        return self._range_tests[0]

    def _test_rates(self) -> RangeTest | None:
        if self.optimizer is None or not self.optimizer.takes_steps:
            return None
        # A fixed seed: the same network and samples get the same findings.
        rng = np.random.default_rng(0)
        try:
            return lr_finder(
                MLP(self.net.architecture, rng=rng),
                self.training.X,
                self.training.y,
                loss=self.loss,
                optimizer=self.optimizer,
                batch_size=self.batch_size,
                rng=rng,
            )
        except (DivergenceError, InvalidDataError):
            # Badly scaled samples, which other checks find, or a single sample with batch norm.
            return None


def sample_of(patient: Patient, X: Any, y: Any) -> tuple[Sample, Loss]:
    """Return a network's predictions for raw samples, and the loss to judge them by.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, InvalidTypeError
        If samples or targets are invalid.
    """
    model, net = patient.model, patient.net
    n_samples = _n_samples(X)
    raw = _dense(patient.prepare(_some(X, n_samples)))
    x = checks.sample_matrix(model.inputs.encode(raw), net.architecture.in_features, net.dtype)
    coded = np.asarray(_dense(y))
    check_lengths(coded, n_samples)
    coded = coded if model.targets is None else model.targets.encode(coded)
    coded = _some(coded, n_samples)
    loss = patient.loss or loss_of_data(coded, net.architecture.out_features)
    loss.check_architecture(net.architecture)
    targets = loss.targets(coded, len(x), net.architecture.out_features, net.dtype)
    logits = net.logits(x)
    outputs = OUTPUTS[net.architecture.output].forward(logits)
    values, _ = loss.per_sample(logits if loss.takes_logits else outputs, targets)
    return Sample(x, coded, targets, logits, outputs, values), loss


def _n_samples(X: Any) -> int:
    """Return the number of samples in any kind of container; 0 if it has no length."""
    if isinstance(X, Mapping) and not hasattr(X, "tocsr"):  # columns by name
        return _n_samples(next(iter(X.values()), None))
    if hasattr(X, "shape"):  # sparse matrices have no len
        return int(X.shape[0]) if X.shape else 0
    return len(X) if isinstance(X, Sized) else 0


def _some(X: Any, n_samples: int) -> Any:
    """Return at most 4,000 of the samples, evenly spaced, in a container of the same kind."""
    from sklearn.utils import _safe_indexing

    if n_samples <= MAX_SAMPLES:
        return X
    rows = np.linspace(0, n_samples - 1, MAX_SAMPLES).astype(np.intp)
    if hasattr(X, "tocsr"):
        return X.tocsr()[rows]
    if isinstance(X, (Mapping, Table)):
        return read_table(X).take(rows)
    return X[rows] if isinstance(X, LazySamples) else _safe_indexing(X, rows)


def _dense(X: Any) -> Any:
    return X.toarray() if hasattr(X, "toarray") else X


def look(net: MLP, sample: Sample, loss: Loss) -> tuple[tuple[LayerObservation, ...], Any]:
    """Return what each layer computes, and the gradient of the loss with respect to its z."""
    layers = tuple(observe(net, sample.X, sample.y, loss=loss))
    dz = [
        ACTIVATIONS[spec.activation].backward(layer.da, layer.z, layer.a)
        for spec, layer in zip(net.architecture.hidden_layers, layers, strict=False)
    ]
    return layers, (*dz, layers[-1].da)


def history_values(history: Any) -> dict[str, Array]:
    """Return the metrics of each epoch as arrays; None, as JSON writes it, becomes NaN.

    Raises
    ------
    InvalidTypeError
        If it is not a mapping of names to numbers.
    """
    if not isinstance(history, Mapping):
        rule = "must be a History, or a mapping of names to one number per epoch"
        raise InvalidTypeError(rule, "history", "diagnose", got=type(history).__name__)
    try:
        return {
            str(name): np.array([np.nan if v is None else float(v) for v in column])
            for name, column in history.items()
        }
    except (TypeError, ValueError) as error:
        rule = f"must hold one number per epoch; {error}"
        raise InvalidTypeError(rule, "history", "diagnose") from error
