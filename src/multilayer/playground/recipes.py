"""Recipes: the Python and the command that train the same network."""

import shlex
from typing import Any

from multilayer.numpy import OPTIMIZERS
from multilayer.playground.training import Training
from multilayer.registry import describe

__all__ = ["recipes"]

DIFFERENT = "From the start, and with the settings of now: weights or settings changed on the way."


def recipes(training: Training) -> dict[str, str]:
    """Return, by name, texts that do what a session does.

    Returns
    -------
    dict of str to str
        ``python``: a program that trains the same network, but for tables; to the same bits, if
        the training is repeatable;
        ``estimator``: an estimator with these settings; ``command``: one of `mlp` for a file.
    """
    found = {"estimator": _estimator(training), "command": _command(training)}
    return {"python": _program(training)} | found if not training.samples.columns else found


def _program(training: Training) -> str:
    """Return a program that trains the network as the session does."""
    settings, samples = training.settings, training.samples
    data, architecture = settings.data, training.net.architecture
    seeded = f"np.random.default_rng({data.seed})"
    if data.kind == "points":  # the page saves them
        lines = [
            'table = np.loadtxt("samples.csv", delimiter=",", skiprows=1)',
            "X, y = table[:, :2], table[:, 2].astype(int)",
            f"rng = {seeded}",
        ]
    else:
        noise = f"{data.n_samples}, noise={data.noise:g}"
        lines = [f"rng = {seeded}", f"X, y = toy.{data.kind}({noise}, rng=rng)"]
    lines += [
        "order = rng.permutation(len(X))",
        f"rows, held_out = order[{len(samples.held_out)}:], order[:{len(samples.held_out)}]",
    ]
    lines += _encoding(training)
    fields = _architecture(training)
    arguments = [
        f'loss="{training.loss.name}"',
        f"optimizer={_optimizer(training)}",
        f"batch_size={settings.batch_size}",
        *(
            f"{name}={value:g}"
            for name, value in (("l1", settings.l1), ("l2", settings.l2))
            if value
        ),
        *(["validation=(X[held_out], y[held_out])"] if len(samples.held_out) else []),
        *([f'schedule="{settings.schedule}"'] if settings.schedule else []),
        f"n_epochs={_epochs(training)}",
        "rng=rng",
    ]
    names = ["MLP", type(training.optimizer).__name__]
    return "\n".join(
        [
            *([] if training.is_repeatable else [f"# {DIFFERENT}"]),
            "import numpy as np",
            "from multilayer import Architecture",
            *([] if data.kind == "points" else ["from multilayer.data import toy"]),
            f"from multilayer.numpy import {', '.join(names)}",
            "from multilayer.training import fit",
            "",
            *lines,
            f"rng = np.random.default_rng({settings.seed})",
            f"architecture = Architecture({architecture.in_features}, {settings.hidden}, "
            f"{architecture.out_features}{fields})",
            f'net = MLP(architecture, initializer="{settings.initializer}", rng=rng)',
            f"history = fit(net, (X[rows], y[rows]), {', '.join(arguments)})",
            "",
        ]
    )


def _epochs(training: Training) -> int:
    """Return how many epochs there are to be, or else have been."""
    return training.settings.epochs or max(training.history.n_epochs, 1)


def _encoding(training: Training) -> list[str]:
    """Return the lines that turn classes into what the loss takes."""
    targets, kind = training.samples.targets, training.settings.data.kind
    if targets.task == "regression":
        return []
    lines = ["y = np.unique(y, return_inverse=True)[1]"] if kind == "points" else []
    if len(targets.classes) == 2:
        return [*lines, "y = y[:, None]"]
    if training.loss.task == "regression":
        lines.append(f"y = np.eye({len(targets.classes)})[y]")
    return lines


def _architecture(training: Training) -> str:
    """Return what an architecture has beside its widths, as arguments."""
    architecture = training.net.architecture
    said: dict[str, Any] = {"output": architecture.output}
    if architecture.hidden_features:
        said |= {"activation": architecture.activation}
    if architecture.dropout:
        said |= {"dropout": architecture.dropout}
    if architecture.normalization:
        said |= {"normalization": architecture.normalization}
    return "".join(f", {name}={value!r}" for name, value in said.items()).replace("'", '"')


def _optimizer(training: Training) -> str:
    return f"{type(training.optimizer).__name__}(learning_rate={training.settings.learning_rate:g})"


def _estimator(training: Training) -> str:
    """Return an estimator with the same settings; it has its own first weights."""
    settings, samples = training.settings, training.samples
    is_class = samples.targets.task == "classification"
    architecture = training.net.architecture
    said: dict[str, Any] = {}
    if architecture.hidden_features:
        said["activation"] = architecture.activation
    said["solver"] = training.optimizer
    said["batch_size"] = settings.batch_size
    said["alpha"] = settings.l2 * settings.batch_size
    if settings.dropout:
        said["dropout"] = settings.dropout
    if settings.normalization:
        said["normalization"] = settings.normalization
    if not is_class and settings.loss not in (None, "squared_error"):
        said["loss"] = settings.loss
    if samples.columns:
        said["columns"] = "auto"
    if settings.schedule:
        said["learning_rate"] = settings.schedule
    said |= {"max_iter": _epochs(training), "random_state": settings.seed}
    arguments = "".join(f", {name}={_shown(value)}" for name, value in said.items())
    name = "MLPClassifier" if is_class else "MLPRegressor"
    return f"{name}(hidden_layer_sizes={settings.hidden}{arguments})"


def _shown(value: Any) -> str:
    """Return a value as Python, an optimizer with its rate alone."""
    if (said := describe(value, OPTIMIZERS)) is not None:
        return f"{type(value).__name__}(learning_rate={said['learning_rate']:g})"
    return f"{value:g}" if isinstance(value, float) else repr(value).replace("'", '"')


def _command(training: Training) -> str:
    """Return the command that trains such a network on a file."""
    settings, samples = training.settings, training.samples
    said = {
        "target": samples.target,
        "model": "mlp",
        "hidden": ",".join(map(str, settings.hidden)),
        "activation": ",".join(settings.activation),
        "optimizer": settings.optimizer,
        "learning-rate": f"{settings.learning_rate:g}",
        "batch-size": settings.batch_size,
        "alpha": f"{settings.l2 * settings.batch_size:g}",
        "dropout": f"{settings.dropout:g}",
        "normalization": settings.normalization,
        "schedule": settings.schedule,
        "epochs": _epochs(training),
        "seed": settings.seed,
    }
    words = [
        f"--{name} {shlex.quote(str(value))}" for name, value in said.items() if value is not None
    ]
    if not settings.hidden:
        words = [word for word in words if not word.startswith(("--activation", "--dropout"))]
    return " ".join(["mlp train samples.csv", *words])
