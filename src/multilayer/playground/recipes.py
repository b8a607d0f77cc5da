"""Recipes: Python code and a command that train the same network."""

import json
import shlex
from typing import Any

from multilayer.numpy import OPTIMIZERS
from multilayer.playground.bundled import iris
from multilayer.playground.data_sets import Samples
from multilayer.playground.features import FEATURES
from multilayer.playground.settings import PLAIN
from multilayer.playground.training import Training
from multilayer.registry import describe

__all__ = ["recipes"]

DIFFERENT = "Starts again with the current settings; the session changed weights or settings."


def recipes(training: Training) -> dict[str, str]:
    """Return code that does what a session does.

    Returns
    -------
    dict of str to str
        ``python``: a program that trains the same network, with the same bits if the training is
        repeatable; missing for a table. ``estimator``: an estimator with these settings.
        ``command``: a command `mlp` that trains on a file.
    """
    found = {"estimator": _estimator(training), "command": _command(training)}
    is_table = training.settings.data.kind == "table"
    return found if is_table else {"python": _program(training)} | found


def _program(training: Training) -> str:
    """Return a program that trains the network in the same way as the session."""
    settings, samples = training.settings, training.samples
    architecture = training.net.architecture
    imports, lines = _data(training)
    # The saved file of drawn points contains the features already.
    if settings.data.features != PLAIN and settings.data.kind != "points":
        columns = ", ".join(FEATURES[name].python for name in settings.data.features)
        lines.append(f"X = np.column_stack([{columns}])")
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
        *([f"callbacks=[EarlyStopping({settings.patience})]"] if settings.patience else []),
        "rng=rng",
    ]
    imports += [
        "from multilayer import Architecture",
        f"from multilayer.numpy import MLP, {type(training.optimizer).__name__}",
        f"from multilayer.training import {'EarlyStopping, ' if settings.patience else ''}fit",
    ]
    return "\n".join(
        [
            *([] if training.is_repeatable else [f"# {DIFFERENT}"]),
            "import numpy as np",
            *sorted(imports),
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


def _data(training: Training) -> tuple[list[str], list[str]]:
    """Return the imports and the lines for X, y, and the generator that splits them."""
    data = training.settings.data
    seeded = f"rng = np.random.default_rng({data.seed})"
    drawn = f"{data.n_samples}, noise={data.noise:g}, rng=rng)"
    if data.kind == "points":  # the page saves them
        return [], [
            'table = np.loadtxt("samples.csv", delimiter=",", skiprows=1)',
            "X, y = table[:, :-1], table[:, -1].astype(int)",
            seeded,
        ]
    if data.kind == "iris":
        imports, lines = _iris(training.samples)
        return imports, [*lines, seeded]
    if data.kind == "digits":
        imports = ["from sklearn.datasets import load_digits"]
        return imports, ["X, y = load_digits(return_X_y=True)", "X = X / 16", seeded]
    text = f"{json.dumps(data.formula, ensure_ascii=False)}, " if data.kind == "formula" else ""
    return ["from multilayer.data import toy"], [seeded, f"X, y = toy.{data.kind}({text}{drawn}"]


def _iris(samples: Samples) -> tuple[list[str], list[str]]:
    """Return the imports and the lines that encode iris in the same way as a table."""
    *inputs, target = samples.columns
    place = iris().columns.index(target)
    is_species = place == len(inputs)
    return [
        "from multilayer.data import read_table",
        "from multilayer.model import Columns",
        "from sklearn.datasets import load_iris",
    ], [
        "iris = load_iris()",
        "columns = dict(zip(iris.feature_names, iris.data.T))",
        'columns["species"] = iris.target_names[iris.target]',
        f"table = read_table(columns).select({json.dumps(inputs)})",
        "X = np.asarray(Columns.of(table).encode(table)[:], dtype=np.float32)",
        f"y = iris.{'target' if is_species else f'data[:, {place}]'}",
    ]


def _epochs(training: Training) -> int:
    """Return the number of epochs in the settings, or the number trained so far."""
    return training.settings.epochs or max(training.history.n_epochs, 1)


def _encoding(training: Training) -> list[str]:
    """Return the lines that encode classes, or values, for the loss."""
    targets, kind = training.samples.targets, training.settings.data.kind
    if targets.task == "regression":
        return ["y = (y - y.mean()) / y.std()"] if kind in ("formula", "iris") else []
    lines = ["y = np.unique(y, return_inverse=True)[1]"] if kind == "points" else []
    if len(targets.classes) == 2:
        return [*lines, "y = y[:, None]"]
    if training.loss.task == "regression":
        lines.append(f"y = np.eye({len(targets.classes)})[y]")
    return lines


def _architecture(training: Training) -> str:
    """Return the arguments of an architecture besides its widths."""
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
    """Return an estimator with the same settings; its initial weights are different."""
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
    if settings.patience and len(samples.held_out):
        said |= {"early_stopping": "loss", "validation_fraction": settings.data.validation}
        said["n_iter_no_change"] = settings.patience
    said |= {"max_iter": _epochs(training), "random_state": settings.seed}
    arguments = "".join(f", {name}={_shown(value)}" for name, value in said.items())
    name = "MLPClassifier" if is_class else "MLPRegressor"
    text = f"{name}(hidden_layer_sizes={settings.hidden}{arguments})"
    left_out = [
        *(["the L1 penalty"] if settings.l1 else []),
        *(_other_loss(training) if is_class else []),
        *(["early stopping"] if settings.patience and not len(samples.held_out) else []),
    ]
    return _without(text, left_out)


def _other_loss(training: Training) -> list[str]:
    """Return the loss in words, in a list that is empty if it is the targets' default."""
    own = training.samples.targets.loss()
    assert own is not None
    return [] if training.loss.name == own.name else [f"the loss {training.loss.name}"]


def _without(text: str, left_out: list[str]) -> str:
    """Add a comment on settings that a recipe cannot express."""
    return f"{text}\n# without {', '.join(left_out)}" if left_out else text


def _shown(value: Any) -> str:
    """Return a value as Python code; an optimizer with its learning rate only."""
    if (said := describe(value, OPTIMIZERS)) is not None:
        return f"{type(value).__name__}(learning_rate={said['learning_rate']:g})"
    return f"{value:g}" if isinstance(value, float) else repr(value).replace("'", '"')


def _command(training: Training) -> str:
    """Return the command that trains the same network on a file."""
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
    left_out = [
        *(["the L1 penalty"] if settings.l1 else []),
        *_other_loss(training),
        *([f"early stopping after {settings.patience} epochs"] if settings.patience else []),
    ]
    return _without(" ".join(["mlp train samples.csv", *words]), left_out)
