"""``mlp graph``: the computation graph of a network, as SVG, DOT or JSON."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from multilayer import Architecture, checks
from multilayer.architecture import OUTPUTS
from multilayer.cli import options
from multilayer.errors import InvalidArgumentError
from multilayer.graph import Graph
from multilayer.graph import graph as graph_of
from multilayer.numpy import MLP
from multilayer.registry import Names

__all__ = ["graph"]

FORMATS = Names("format", ["dot", "svg", "json"])


def graph(
    hidden: options.Hidden = "64,32",
    in_features: Annotated[int, typer.Option("--in", help="Number of features.")] = 64,
    out_features: Annotated[int, typer.Option("--out", help="Number of outputs.")] = 10,
    activation: options.Activation = "relu",
    output: Annotated[str, typer.Option(help=f"One of {', '.join(OUTPUTS)}.")] = "identity",
    normalization: options.Normalization = None,
    dropout: options.Dropout = 0.0,
    noise: options.Noise = "0",
    residual: Annotated[
        bool, typer.Option("--residual", help="Add a layer's input to its output if widths match.")
    ] = False,
    engine: Annotated[
        str, typer.Option(help="numpy: layers and gradients; torch: what autograd records.")
    ] = "numpy",
    form: Annotated[
        str | None,
        typer.Option("--format", help="dot, svg or json; by default the ending of --save, or dot."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write to this file instead of standard output.")
    ] = None,
) -> None:
    """Show what a network computes, node by node, and how gradients flow back."""
    options.ENGINES.check(engine)
    options.check_file(save, "save")
    form = FORMATS.check(form or _format_of(save))
    architecture = Architecture(
        in_features=checks.integer(in_features, "in_features", "mlp"),
        hidden_features=options.read_widths(hidden),
        out_features=checks.integer(out_features, "out_features", "mlp"),
        activation=options.read_activation(activation),
        output=output,
        normalization=normalization,
        dropout=dropout,
        noise=options.read_noise(noise),
        residual=residual,
    )
    found = graph_of(_network(architecture, engine))
    text = _text(found, form)
    if save is None:
        typer.echo(text)
        return
    save.write_text(text + "\n", encoding="utf-8")
    Console(stderr=True).print(f"{found} written to {save}", highlight=False, soft_wrap=True)


def _format_of(path: Path | None) -> str:
    ending = "dot" if path is None else path.suffix.removeprefix(".")
    if ending not in FORMATS:
        rule = f"must end in .{', .'.join(FORMATS)}, or needs --format"
        raise InvalidArgumentError(rule, "save", got=str(path))
    return ending


def _network(architecture: Architecture, engine: str) -> Any:
    if engine == "numpy":
        return MLP(architecture, initializer="zeros")
    from multilayer.torch import MLP as TorchMLP

    return TorchMLP(architecture)


def _text(found: Graph, form: str) -> str:
    if form == "json":
        return json.dumps(found.to_dict(), ensure_ascii=False)
    return found.to_svg() if form == "svg" else found.to_dot()
