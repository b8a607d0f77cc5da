"""The entry point of the command: its subcommands, and how it reports errors."""

import io
import sys
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import TyperException

from multilayer.cli import (
    activations,
    data,
    doctor,
    evaluate,
    export,
    gradcheck,
    graph,
    parity,
    playground,
    plot,
    predict,
    schema,
    show,
    train,
    tune,
)
from multilayer.cli.command import Command
from multilayer.errors import DivergenceError, ExportError, MultilayerError
from multilayer.version import __version__

__all__ = ["app", "run"]

app = typer.Typer(
    name="mlp",
    help="The multilayer perceptron, done properly.",
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(train.app, name="train")
app.command("tune", cls=Command)(tune.tune)
app.add_typer(plot.app, name="plot")
app.command("show", cls=Command)(show.show)
app.command("playground", cls=Command)(playground.playground)
app.command("schema", cls=Command)(schema.schema)
app.command("predict", cls=Command)(predict.predict)
app.command("evaluate", cls=Command)(evaluate.evaluate)
app.command("doctor", cls=Command)(doctor.doctor)
app.command("export", cls=Command)(export.export)
app.command("data", cls=Command)(data.data)
app.command("gradcheck", cls=Command)(gradcheck.gradcheck)
app.command("parity", cls=Command)(parity.parity)
app.command("graph", cls=Command)(graph.graph)
app.command("activations", cls=Command)(activations.activations)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"multilayer {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run() -> None:
    """Run the command; exit with 0, 1 for a failure, 2 for an invalid argument, 130 for Ctrl-C.

    A user's mistake prints one line on standard error, never a traceback.
    """
    for stream in (sys.stdout, sys.stderr):  # formulas are printed, perhaps on an ASCII terminal
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = app(prog_name="mlp", standalone_mode=False)
    except TyperException as error:
        code = _complain(error.format_message(), 2)
    except (DivergenceError, ExportError) as error:
        code = _complain(str(error), 1)
    except MultilayerError as error:
        code = _complain("; ".join([str(error), *getattr(error, "__notes__", ())]), 2)
    except OSError as error:
        code = _complain(_in_plain_words(error), 2)
    except (typer.Abort, KeyboardInterrupt):
        code = _complain("interrupted", 130)
    sys.exit(code if isinstance(code, int) else 0)


def _in_plain_words(error: OSError) -> str:
    """Return which file could not be read or written, and why, without the error number."""
    if error.strerror is None:  # raised by this package, with a message for users
        return str(error)
    file = "a file" if error.filename is None else error.filename
    return f"cannot read or write {file}: {error.strerror.lower()}"


def _complain(message: str, code: int) -> int:
    line = " ".join(message.split())
    Console(stderr=True).print(f"mlp: {line}", markup=False, highlight=False, soft_wrap=True)
    return code
