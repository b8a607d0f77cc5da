"""The layers of a network: their shapes, and their cost in arithmetic and memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, overload

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidDataError, InvalidTypeError
from multilayer.model import network_in, one_network

__all__ = ["LayerRow", "Summary", "summary"]

FLOAT32_BYTES = 4


class LayerRow(NamedTuple):
    """One layer of a network."""

    name: str
    """The layer's name: ``hidden 1``, …, ``output``."""
    operations: str
    """Its operations, in order: ``affine → relu → dropout 0.2``."""
    in_features: int
    """Number of inputs of the affine map, per sample."""
    out_features: int
    """Number of outputs per sample."""
    n_parameters: int
    """Number of weights and biases, including scale and shift of a normalisation."""
    output_shape: tuple[int, int]
    """The shape (n_samples, out_features)."""
    n_multiply_adds: int
    """Multiply-adds of the matrix product x Wᵀ: n_samples · in_features · out_features."""
    parameter_bytes: int
    """Memory for the parameters."""
    activation_bytes: int
    """Memory for the outputs of the layer's operations during training."""


@dataclass(frozen=True, repr=False)
class Summary(Sequence[LayerRow]):
    """The rows of `summary`, in forward order, with totals; ``str`` gives a table."""

    rows: tuple[LayerRow, ...]

    @overload
    def __getitem__(self, index: int) -> LayerRow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[LayerRow, ...]: ...
    def __getitem__(self, index: int | slice) -> LayerRow | tuple[LayerRow, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_samples(self) -> int:
        """Number of samples that shapes, multiply-adds and activations are for."""
        return self.rows[0].output_shape[0]

    @property
    def n_parameters(self) -> int:
        """Parameters of all layers."""
        return sum(row.n_parameters for row in self.rows)

    @property
    def n_multiply_adds(self) -> int:
        """Multiply-adds of all layers."""
        return sum(row.n_multiply_adds for row in self.rows)

    @property
    def parameter_bytes(self) -> int:
        """Memory for the parameters of all layers."""
        return sum(row.parameter_bytes for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Memory for the activations of all layers."""
        return sum(row.activation_bytes for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return rows and totals as a dict, ready for JSON."""
        totals = ("n_parameters", "n_multiply_adds", "parameter_bytes", "activation_bytes")
        return {
            "n_samples": self.n_samples,
            "layers": [
                row._asdict() | {"output_shape": list(row.output_shape)} for row in self.rows
            ],
            "total": {name: getattr(self, name) for name in totals},
        }

    def __str__(self) -> str:
        # Two-line headers keep the table narrow.
        table = [
            ["", "", "output", "", "multiply-", "parameter", "activation"],
            ["layer", "computes", "shape", "parameters", "adds", "bytes", "bytes"],
        ]
        table += [
            [row.name, row.operations, str(row.output_shape), *_numbers(row)] for row in self.rows
        ]
        table.append(["total", "", "", *_numbers(self)])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)  # names left, numbers right
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ]
        rule = "─" * len(lines[0])
        return "\n".join([*lines[:2], rule, *lines[2:-1], rule, lines[-1]])

    __repr__ = __str__


def _numbers(of: LayerRow | Summary) -> list[str]:
    numbers = (of.n_parameters, of.n_multiply_adds, of.parameter_bytes, of.activation_bytes)
    return [f"{number:,}" for number in numbers]


def summary(
    net_or_architecture: Any,
    input: object = None,  # noqa: A002  (the field's word for a network's samples)
) -> Summary:
    """Return a row for each layer, in forward order, without running the network.

    Multiply-adds count the matrix products, which are nearly all of the work; biases, elementwise
    operations and the look-ups of embeddings are left out. Activations are the arrays of shape
    (n_samples, out_features) that a training step produces, one for each operation except the
    identity; those of embeddings and of noise on the inputs have in_features columns.

    Parameters
    ----------
    net_or_architecture : MLP, Model, estimator or Architecture
        A network of either engine, or an object that contains one. An architecture is assumed to
        have float32 numbers.
    input : array, tensor or tuple of int, optional
        Samples or their shape: (n_samples, in_features), or with more axes, which are flattened.
        Only the shape is used. None means one sample.

    Returns
    -------
    Summary
        A sequence of `LayerRow` with totals.

    Raises
    ------
    InvalidTypeError
        If the first argument is not an architecture and contains no network.
    InvalidDataError
        If the input does not fit the network.

    Examples
    --------
    >>> table = summary(Architecture(64, (32,), 10, dropout=0.2), input=(100, 64))
    >>> for row in table:
    ...     print(row.name, "|", row.operations, "|", row.n_parameters)
    hidden 1 | affine → relu → dropout 0.2 | 2080
    output | affine → identity | 330
    >>> table.n_multiply_adds == 100 * (64 * 32 + 32 * 10)
    True
    >>> print(summary(Architecture(4, (8,), 3)))
                                 output              multiply-  parameter  activation
    layer     computes            shape  parameters       adds      bytes       bytes
    ─────────────────────────────────────────────────────────────────────────────────
    hidden 1  affine → relu      (1, 8)          40         32        160          64
    output    affine → identity  (1, 3)          27         24        108          12
    ─────────────────────────────────────────────────────────────────────────────────
    total                                        67         56        268          76
    """
    architecture, n_bytes = _described(net_or_architecture)
    n_samples = _n_samples(input, architecture.in_features)
    rows = []
    *of_hidden, of_output = architecture.operations
    for i, (operations, layer) in enumerate(
        zip(of_hidden, architecture.hidden_layers, strict=True), start=1
    ):
        rows.append(_row(f"hidden {i}", operations, layer, layer.n_parameters, n_samples, n_bytes))
    last = _Widths(
        (architecture.in_features, *architecture.hidden_features)[-1], architecture.out_features
    )
    n_last = architecture.n_parameters - sum(row.n_parameters for row in rows)
    rows.append(_row("output", of_output, last, n_last, n_samples, n_bytes))
    return Summary(tuple(rows))


class _HasWidths(Protocol):
    @property
    def in_features(self) -> int: ...

    @property
    def out_features(self) -> int: ...


class _Widths(NamedTuple):
    in_features: int
    out_features: int


def _row(
    name: str,
    operations: Sequence[str],
    widths: _HasWidths,
    n_parameters: int,
    n_samples: int,
    n_bytes: int,
) -> LayerRow:
    n_in, n_out = widths.in_features, widths.out_features
    affine = operations.index("affine")
    n_wide = sum(operation != "identity" for operation in operations[affine:])
    return LayerRow(
        name=name,
        operations=" → ".join(operations),
        in_features=n_in,
        out_features=n_out,
        n_parameters=n_parameters,
        output_shape=(n_samples, n_out),
        n_multiply_adds=n_samples * n_in * n_out,
        parameter_bytes=n_parameters * n_bytes,
        activation_bytes=(affine * n_in + n_wide * n_out) * n_samples * n_bytes,
    )


def _described(given: object) -> tuple[Architecture, int]:
    """Return the architecture, and the size of a number in bytes."""
    if isinstance(given, Architecture):
        return given, FLOAT32_BYTES
    net = network_in(given)
    if net is None:
        rule = "must be an Architecture, an MLP of either engine, a Model or an estimator"
        raise InvalidTypeError(rule, "net_or_architecture", "summary", got=type(given).__name__)
    one_network(net, "net_or_architecture", "summary")
    if hasattr(net, "last"):  # PyTorch's engine; NumPy has no name for its bfloat16
        return net.architecture, int(net.last.weight.element_size())
    return net.architecture, int(net.dtype.itemsize)


def _n_samples(given: object, in_features: int) -> int:
    """Return the number of samples in an input that fits the network."""
    if given is None:
        return 1
    if isinstance(given, tuple) and all(isinstance(length, int) for length in given):
        shape = given
    else:
        shape = tuple(getattr(given, "shape", None) or checks.array(given, "input").shape)
    if len(shape) < 2 or min(shape) < 1 or math.prod(shape[1:]) != in_features:
        rule = (
            f"must have shape (n_samples, {in_features}), or further axes that are flattened to it"
        )
        raise InvalidDataError(rule, "input", "summary", got=f"shape {tuple(shape)}")
    return int(shape[0])
