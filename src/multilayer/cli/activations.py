"""``mlp activations``: the formulas of all activations."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from multilayer.numpy import ACTIVATIONS

__all__ = ["activations"]


def activations(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print each activation's formula, derivative and range."""
    if as_json:
        rows = {
            name: {
                "formula": activation.formula,
                "derivative": activation.derivative_formula,
                "range": activation.range,
            }
            for name, activation in ACTIVATIONS.items()
        }
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(
        "activation",
        "a = σ(z)",
        "σ'(z)",
        "range",
        title="Activations",
        caption="softmax, log_softmax: over a whole row; dz, da: gradients with respect to z, a",
    )
    for name, activation in ACTIVATIONS.items():
        table.add_row(name, activation.formula, activation.derivative_formula, activation.range)
    Console().print(table, markup=False)
