"""The layers of a network, their shapes and their sizes."""

from typing import NamedTuple

from multilayer.architecture import Architecture

__all__ = ["LayerRow", "summary"]


class LayerRow(NamedTuple):
    """One layer of a network."""

    name: str
    """Its place: ``hidden 1``, …, ``output``."""
    operations: str
    """What it does, in order: ``affine → relu → dropout 0.2``."""
    in_features: int
    out_features: int
    n_parameters: int


def summary(architecture: Architecture) -> list[LayerRow]:
    """Return a row for each layer, in forward order; nothing is built for it.

    Examples
    --------
    >>> for row in summary(Architecture(64, (32,), 10, dropout=0.2)):
    ...     print(row.name, "|", row.operations, "|", row.n_parameters)
    hidden 1 | affine → relu → dropout 0.2 | 2080
    output | affine → identity | 330
    """
    rows = []
    for i, layer in enumerate(architecture.hidden_layers, start=1):
        operations = ["affine"]
        if layer.normalization:
            operations.append(f"{layer.normalization} norm")
        operations.append(layer.activation)
        if layer.dropout:
            operations.append(f"dropout {layer.dropout:g}")
        if layer.residual:
            operations.append("+ input")
        rows.append(
            LayerRow(
                f"hidden {i}",
                " → ".join(operations),
                layer.in_features,
                layer.out_features,
                layer.n_parameters,
            )
        )
    n_hidden_parameters = sum(row.n_parameters for row in rows)
    rows.append(
        LayerRow(
            "output",
            f"affine → {architecture.output}",
            (architecture.in_features, *architecture.hidden_features)[-1],
            architecture.out_features,
            architecture.n_parameters - n_hidden_parameters,
        )
    )
    return rows
