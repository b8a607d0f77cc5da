"""Options that commands share, and functions that parse them."""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any

import typer

from multilayer import checks, training
from multilayer.architecture import ACTIVATIONS
from multilayer.cli.recipes import RECIPES
from multilayer.data.reading import MOST_BAD_ROWS
from multilayer.errors import InvalidArgumentError
from multilayer.numpy import OPTIMIZERS, SCHEDULES, Adversarial, VirtualAdversarial
from multilayer.numpy.adversaries import Adversary as AnyAdversary
from multilayer.registry import Names

__all__ = [
    "L2",
    "Activation",
    "Adversary",
    "BadRows",
    "BatchSize",
    "Checkpoint",
    "DataDir",
    "Device",
    "Dropout",
    "EarlyStopping",
    "Ema",
    "Encoding",
    "Engine",
    "Epochs",
    "Hidden",
    "Json",
    "Ladder",
    "LearningRate",
    "MaxNorm",
    "NTest",
    "NTrain",
    "Noise",
    "Normalization",
    "Optimizer",
    "Recipe",
    "Record",
    "Resume",
    "Save",
    "Schedule",
    "Seed",
    "Separator",
    "TableFile",
    "Watch",
    "check_checkpoint",
    "check_engine",
    "check_file",
    "read_activation",
    "read_adversary",
    "read_ladder",
    "read_noise",
    "read_optimizer",
    "read_separator",
    "read_widths",
]

VALIDATION_SHARE = 0.1
PATIENCE = 15
ENGINES = Names("engine", ["numpy", "torch"])

Hidden = Annotated[str, typer.Option(help="Widths of the hidden layers; '' for none.")]
Activation = Annotated[
    str, typer.Option(help="One name, or one per hidden layer: relu,tanh. See mlp activations.")
]
Normalization = Annotated[str | None, typer.Option(help="batch or layer; none by default.")]
Dropout = Annotated[float, typer.Option(help="Probability of dropping a hidden unit.")]
Noise = Annotated[
    str,
    typer.Option(
        help="Standard deviation of the noise that training adds to the inputs and before each "
        "activation; or one number for the inputs and one per hidden layer: 0.3,0,0."
    ),
]
Optimizer = Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")]
LearningRate = Annotated[
    float | None,
    typer.Option(help="By default that of the optimizer; 3e-3 for adam on digits."),
]
Schedule = Annotated[
    str | None, typer.Option(help=f"One of {', '.join(SCHEDULES)}; cosine by default.")
]
Epochs = Annotated[int, typer.Option(help="Maximum number of passes over the samples.")]
BatchSize = Annotated[
    int | None,
    typer.Option(help="Images per step; 32 on digits, 128 on mnist, all with lbfgs."),
]
L2 = Annotated[float, typer.Option(help="Penalty λ/2 ‖W‖² on the weights.")]
MaxNorm = Annotated[
    float | None,
    typer.Option(help="Maximum norm of each unit's incoming weights; 3 is usual."),
]
Ema = Annotated[
    float | None,
    typer.Option(
        help="Keep an exponential moving average of the weights with this decay, such as 0.999; "
        "the average is validated and saved."
    ),
]
Adversary = Annotated[
    str | None,
    typer.Option(
        help="Train on perturbed images, too: fgsm:0.1 changes each pixel by at most 0.1; "
        "virtual:2.1 changes the image by this Euclidean length. Pixels are between 0 and 1. A "
        "second number is the weight, a third the number of steps: virtual:2.1:2:1."
    ),
]
Ladder = Annotated[
    str | None,
    typer.Option(
        help="Also train a decoder to remove noise: the weights of its errors in the pixels (0 to "
        "1) and in each layer, such as 1000,1,0.01; the last also applies to all layers above. "
        "Needs --noise and --normalization batch; NumPy engine only."
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help=f"A set of settings for the options that are not given: {', '.join(RECIPES)}."
    ),
]
EarlyStopping = Annotated[
    bool,
    typer.Option(
        "--early-stopping",
        help=f"Hold out {VALIDATION_SHARE:.0%} of the training images, stop when their loss has "
        f"not decreased for {PATIENCE} epochs, and keep the best weights.",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed for weights, sample order, masks and noise.")]
Engine = Annotated[str, typer.Option(help="numpy (from scratch) or torch.")]
Device = Annotated[str, typer.Option(help="For torch: auto, cpu, cuda:0, …")]
TableFile = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="A CSV, Parquet, Arrow or JSON lines file, compressed or not; several files with the "
        "same columns; a folder of files; a pattern such as 'data/*.csv'; or - for standard input.",
    ),
]
BadRows = Annotated[
    str | None,
    typer.Option(
        help="What to do about rows with too many cells or no target: skip or fail. By default, "
        f"skip them, but fail if they are more than {MOST_BAD_ROWS:.0%} of all rows."
    ),
]
Separator = Annotated[
    str | None,
    typer.Option("--sep", help="The cell separator: , ; tab or |. Detected by default."),
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of a CSV file: utf-8, cp1252, …; detected by default.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the files; by default $MULTILAYER_DATA, the cache, or a download."
    ),
]
NTrain = Annotated[int, typer.Option(help="Number of training images to use.")]
NTest = Annotated[int, typer.Option(help="Number of test images to use.")]
Save = Annotated[Path | None, typer.Option(help="Write the model to this safetensors file.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Save checkpoints in this folder, to continue after an interruption."
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue from the checkpoint, if there is one.")
]
Record = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Record the training run in this folder; mlp playground --follow DIR shows it, live "
        "or later.",
    ),
]
Watch = Annotated[
    bool,
    typer.Option(
        "--watch",
        help="Record the training run, in a new folder in runs/ unless --record names one, and "
        "show it live in the browser.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and no progress.")]


def read_widths(text: str) -> tuple[int, ...]:
    """Read ``64,32``."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    try:
        return tuple(int(part) for part in parts)
    except ValueError:
        rule = "must be widths such as 64,32"
        raise InvalidArgumentError(rule, "hidden", got=repr(text)) from None


def read_activation(text: str) -> str | tuple[str, ...]:
    """Read ``relu`` or ``relu,tanh``."""
    names = tuple(ACTIVATIONS.check(name.strip()) for name in text.split(","))
    return names if len(names) > 1 else names[0]


def read_noise(text: str) -> float | tuple[float, ...]:
    """Read ``0.3`` or ``0.3,0,0``."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        rule = "must be numbers such as 0.3 or 0.3,0,0"
        raise InvalidArgumentError(rule, "noise", got=repr(text)) from None
    return values if len(values) > 1 else values[0]


def read_adversary(text: str | None, pixel: float) -> AnyAdversary | None:
    """Read ``virtual:2.1``, ``virtual:2.1:2`` or ``virtual:2.1:2:1``.

    ε is multiplied by `pixel`, the difference between the inputs of a white and a black pixel.
    """
    if text is None:
        return None
    name, *numbers = text.split(":")
    names = ("epsilon", "weight", "n_steps")
    try:
        kind = {"fgsm": Adversarial, "virtual": VirtualAdversarial}[name]
        values = {n: json.loads(v) for n, v in zip(names, numbers, strict=False)}
        if not values or len(numbers) > len(names):
            raise KeyError
    except (KeyError, json.JSONDecodeError):
        rule = "must be fgsm:ε or virtual:ε, such as virtual:2.1, with an optional :weight:steps"
        raise InvalidArgumentError(rule, "adversary", got=repr(text)) from None
    with checks.in_terms_of("mlp", dict.fromkeys(names, "adversary")):
        found = kind(**values)
        return replace(found, epsilon=found.epsilon * float(pixel))


def read_ladder(text: str) -> tuple[float, ...]:
    """Read ``1000,1,0.01``."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        rule = "must be numbers such as 1000,1,0.01"
        raise InvalidArgumentError(rule, "ladder", got=repr(text)) from None


def read_separator(text: str | None) -> str | None:
    """Read one character, or the name of one that is hard to type."""
    separator = {"tab": "\t", "\\t": "\t", "space": " "}.get(text or "", text)
    if separator is not None and len(separator) != 1:
        raise InvalidArgumentError("must be one character, or tab", "separator", got=repr(text))
    return separator


def read_optimizer(name: str, learning_rate: float | None) -> Any:
    """Return the optimizer with this name and learning rate."""
    cls: Any = OPTIMIZERS[name]
    if not cls.takes_steps:
        if learning_rate is not None:
            rule = f"cannot be combined with --optimizer {name}, which has no learning rate"
            raise InvalidArgumentError(rule, "learning_rate")
        return cls()
    rate: dict[str, float] = {} if learning_rate is None else {"learning_rate": learning_rate}
    return cls(**rate)


def check_engine(engine: str, device: str) -> None:
    """Raise if the engine is unknown or does not have the device."""
    ENGINES.check(engine)
    if engine == "numpy" and device not in ("auto", "cpu"):
        rule = "needs --engine torch, since the engine numpy computes on the CPU"
        raise InvalidArgumentError(rule, "device", got=device)


def check_file(path: Path | None, parameter: str, sources: Iterable[Path | None] = ()) -> None:
    """Raise, before any work is done, if its result cannot be written or would replace an input.

    Parameters
    ----------
    path : path, optional
        The file to write.
    parameter : str
        The option that names it.
    sources : iterable of path or None
        The files that are read, such as a model, tables or a schema; None if not given.
    """
    if path is None:
        return
    path = path.resolve()
    if any(source is not None and _is_read(path, source) for source in sources):
        rule = f"must not be among the files that are read; got {path}"
    elif path.exists() and not path.is_file():
        rule = f"must name a file; {path} is something else"
    elif not path.parent.is_dir():
        rule = f"must name a file in a folder that exists; there is no {path.parent}"
    elif not os.access(path.parent, os.W_OK):
        rule = f"must name a file in a folder that can be written to; got {path.parent}"
    else:
        return
    raise InvalidArgumentError(rule, parameter)


def _is_read(path: Path, source: Path) -> bool:
    """Return whether this source contains the file, or would once the file exists."""
    if str(source) == "-":
        try:
            return path.exists() and os.path.samestat(os.fstat(sys.stdin.fileno()), path.stat())
        except (OSError, ValueError):  # standard input is no file
            return False
    if source.is_dir():
        return path.is_relative_to(source.resolve())
    if source.exists():
        return path.exists() and path.samefile(source)
    return fnmatch(str(path), str(source.absolute()))


def check_checkpoint(folder: Path | None, resume: bool) -> None:
    """Raise, before the data is read, if it is unclear whether to continue from a checkpoint."""
    if folder is None and resume:
        raise InvalidArgumentError("needs --checkpoint DIR, the folder to continue from", "resume")
    if folder is not None and not resume and training.Checkpoint(folder).path.exists():
        raise InvalidArgumentError(
            f"there is a checkpoint in {folder}: continue from it with --resume, or pass another "
            "--checkpoint"
        )
