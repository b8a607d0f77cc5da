"""``mlp train table``: train a classifier or regressor on a table in files."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup, TyperOption

from multilayer import Architecture, checks
from multilayer.cli import options
from multilayer.cli import table_options as tables
from multilayer.cli.command import Command
from multilayer.cli.division import Division
from multilayer.cli.notes import notes
from multilayer.cli.peers import peers
from multilayer.cli.ranks import joined
from multilayer.cli.rows import Rows
from multilayer.cli.show_layers import NoteCompiling, ShowLayers
from multilayer.cli.table_report import described, report
from multilayer.cli.watch import recording
from multilayer.data.large import LargeTable
from multilayer.errors import InvalidArgumentError
from multilayer.numpy import SCHEDULES
from multilayer.registry import Names
from multilayer.training import Progress

__all__ = ["TableCommand", "TrainGroup", "table"]

MODELS = Names("model", ["tabular", "mlp"])
OWN = {
    "tabular": ("members", "group", "time", "time_limit", "compare"),
    "mlp": (
        "hidden",
        "activation",
        "normalization",
        "dropout",
        "noise",
        "optimizer",
        "learning_rate",
        "schedule",
        "epochs",
        "batch_size",
        "alpha",
    ),
}
"""The options that only one kind of model has."""
DROPOUT = 0.1

Kind = Annotated[
    str,
    typer.Option(
        help="tabular: an ensemble of networks, each validated on its own fold, with nothing to "
        "tune; or mlp: one network, with settings."
    ),
]
Schedule = Annotated[
    str, typer.Option(help=f"Schedule of the learning rate: one of {', '.join(SCHEDULES)}.")
]
Members = Annotated[int, typer.Option(help="Number of networks, and of folds.")]
Group = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of groups, such as patients, whose rows stay together; not an input.",
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of times: validation and test rows are later than training rows.",
    ),
]
Weight = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="The column of the rows' weights, at least 0; not an input."
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="The time that training may take; if necessary, fewer networks are trained.",
    ),
]
Compare = Annotated[
    bool, typer.Option("--compare", help="Also train scikit-learn's HistGradientBoosting.")
]
Alpha = Annotated[float, typer.Option(help="Penalty α/(2m) ‖W‖² on the weights, m rows per step.")]
Dropout = Annotated[
    float | None,
    typer.Option(
        help="Probability of dropping a hidden unit; by default 0.1, or 0 with lbfgs or without "
        "hidden units."
    ),
]
BatchSize = Annotated[int | None, typer.Option(help="Rows per step; 200 by default.")]


class TrainGroup(TyperGroup):
    """The commands of ``mlp train``; a file in place of a command means ``table``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments name, and the remaining arguments."""
        if args and args[0] not in self.commands and _names_file(args[0]):
            args = ["table", *args]
        return super().resolve_command(ctx, args)


def _names_file(text: str) -> bool:
    return text == "-" or Path(text).exists() or not set(text).isdisjoint("./\\*?[")


class TableCommand(Command):
    """The command ``table``; its help has a separate panel for the options of each model."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for model, names in OWN.items():
            for parameter in self.params:
                if isinstance(parameter, TyperOption) and parameter.name in names:
                    parameter.rich_help_panel = f"Options of --model {model}"


def table(
    context: typer.Context,
    files: options.TableFile,
    schema: tables.SchemaFile = None,
    target: tables.Target = None,
    task: tables.Task = None,
    drop: tables.Drop = None,
    numeric: tables.Numeric = None,
    categorical: tables.Categorical = None,
    date: tables.Date = None,
    separator: options.Separator = None,
    decimal: tables.Decimal = None,
    day_first: tables.DateOrder = None,
    missing: tables.Missing = None,
    encoding: options.Encoding = None,
    bad_rows: options.BadRows = None,
    test: tables.Test = 0.2,
    seed: options.Seed = 0,
    model: Kind = "tabular",
    members: Members = 8,
    group: Group = None,
    time: Time = None,
    weight: Weight = None,
    time_limit: TimeLimit = None,
    compare: Compare = False,
    hidden: options.Hidden = "128,64",
    activation: options.Activation = "relu",
    normalization: options.Normalization = None,
    dropout: Dropout = None,
    noise: options.Noise = "0",
    optimizer: options.Optimizer = "adam",
    learning_rate: options.LearningRate = None,
    schedule: Schedule = "constant",
    epochs: options.Epochs = 200,
    batch_size: BatchSize = None,
    alpha: Alpha = 1e-4,
    engine: options.Engine = "numpy",
    device: options.Device = "auto",
    save: options.Save = None,
    record: options.Record = None,
    watch: options.Watch = False,
    as_json: options.Json = False,
) -> None:
    """Train on a raw table: CSV in any dialect, Parquet, Arrow or JSON lines, in one file or many.

    The kind of each column is detected and shown; columns with nothing to learn from are left out.
    Options that take a COLUMN may be repeated, except --group, --time and --weight. Some rows are
    held out for testing, on which a linear model is tested too. Each network trains on all other
    rows except one fold, on which it is validated. With --model mlp, a tenth of the training rows
    decides when to stop and which epoch's weights are best.
    """
    _check_model(context, model)
    tables.check_seed(seed)
    options.check_file(save, "save", [*files, schema])
    options.check_engine(engine, device)
    settings: dict[str, Any]
    if model == "tabular":
        settings = {
            "n_members": checks.integer(members, "members", "mlp", minimum=2),
            "time_limit": time_limit,
            "callbacks": [] if as_json else [NoteCompiling(), Progress()],
        }
        if time_limit is not None:
            checks.real(time_limit, "time_limit", "mlp", "(0, inf)")
    else:
        settings = _network(
            hidden, activation, normalization, dropout, noise, optimizer, learning_rate,
            schedule, epochs, batch_size, alpha,
        )  # fmt: skip
        settings["callbacks"] = [] if as_json else [NoteCompiling(), ShowLayers(), Progress()]
    settings |= {"engine": engine, "device": device}
    ranks = context.with_resource(joined(engine, device))
    if ranks.n_ranks > 1 and model == "mlp":
        raise InvalidArgumentError("must be tabular in several processes", "model", got=model)
    if ranks.rank:
        settings["callbacks"] = []
    else:
        name = files[0].stem if files[0].stem.strip("-*?[]") else "table"
        settings["callbacks"] += context.with_resource(recording(name, record, watch=watch))
    found, said = tables.read_described(
        files, schema, drop, numeric=numeric, categorical=categorical, date=date,
        day_first=day_first, bad_rows=bad_rows, ranks=ranks, separator=separator, encoding=encoding,
        decimal=decimal, missing=missing, target=target, task=task, group=group, time=time,
        weight=weight,
    )  # fmt: skip
    general = said.general
    for name in ("group", "time"):
        if general[name] is not None and model == "mlp":  # set by the schema
            raise InvalidArgumentError("needs --model tabular", name)
    if isinstance(found, LargeTable) and model == "mlp":
        rule = f"must be tabular, since {found.name} is too large for memory"
        raise InvalidArgumentError(rule, "model", got=model)
    if model == "tabular":
        settings["time"] = general["time"]
    division = Division(test, seed, general["group"], general["time"], said.kinds)
    rows = Rows.of(
        found,
        general["target"],
        general["task"],
        drop or [],
        division,
        bad_rows,
        general["weight"],
    )
    kinds, columns = described(rows, said, embedded=model == "tabular", is_quiet=as_json)
    make = rows.tabular if model == "tabular" else rows.network
    estimator = make(columns=kinds or "auto", random_state=seed, **settings)
    _fit(estimator, rows)
    history = estimator.history_
    is_interrupted = history.stopped_by == "interrupt"
    if ranks.rank == 0 and history.best_epoch:  # otherwise nothing to show
        has_peers = model == "tabular" and not is_interrupted
        others = peers(rows, kinds, trees=compare) if has_peers else ()
        report(estimator, rows, columns, save, as_json=as_json, peers=others)
    elif is_interrupted:
        _say_interrupted()
    ranks.wait()  # a process that ends with an error ends the others
    if is_interrupted:
        raise typer.Exit(130)
    if history.stopped_by == "divergence":
        best = history.best_epoch
        kept = f"; the weights are those of epoch {best}" if best else ""
        rate = settings["solver"].learning_rate
        text = f"the learning rate {rate:g}{kept}. Try a smaller learning rate"
        Console(stderr=True).print(f"mlp: the training diverged with {text}", soft_wrap=True)
        raise typer.Exit(1)


def _check_model(context: typer.Context, model: str) -> None:
    """Raise if an option was given that only the other model has."""
    MODELS.check(model)
    for other, names in OWN.items():
        for name in names if other != model else ():
            source = context.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE":
                raise InvalidArgumentError(f"needs --model {other}", name)


def _network(
    hidden: str,
    activation: str,
    normalization: str | None,
    dropout: float | None,
    noise: str,
    optimizer: str,
    learning_rate: float | None,
    schedule: str,
    epochs: int,
    batch_size: int | None,
    alpha: float,
) -> dict[str, Any]:
    """Return the settings of one network, or raise, before the file is read."""
    checks.integer(epochs, "epochs", "mlp")
    checks.real(alpha, "alpha", "mlp", "[0, inf)")
    if batch_size is not None:
        checks.integer(batch_size, "batch_size", "mlp")
    SCHEDULES.names.check(schedule, "mlp")
    solver = options.read_optimizer(optimizer, learning_rate)
    if not solver.takes_steps and batch_size is not None:
        rule = "cannot be combined with --optimizer lbfgs, which takes all rows"
        raise InvalidArgumentError(rule, "batch_size")
    widths = options.read_widths(hidden)
    if dropout is None:
        dropout = DROPOUT if widths and solver.takes_steps else 0.0
    layers: dict[str, Any] = {
        "activation": options.read_activation(activation),
        "normalization": normalization,
        "dropout": dropout,
        "noise": options.read_noise(noise),
    }
    Architecture(1, widths, 1, **layers)  # raises if the settings do not describe a network
    return layers | {
        "hidden_layer_sizes": widths,
        "solver": solver,
        "learning_rate": schedule,
        "max_iter": epochs,
        "batch_size": batch_size or "auto",
        "alpha": alpha,
        "early_stopping": "loss",
        "n_iter_no_change": options.PATIENCE,
    }


def _fit(estimator: Any, rows: Rows) -> None:
    """Train the estimator; groups are passed only if there are any."""
    from sklearn.exceptions import ConvergenceWarning

    from multilayer.doctor import FindingWarning

    X: Any = rows.X_train
    others: dict[str, Any] = {"y": rows.targets}
    if rows.large is None:
        others |= {} if rows.groups is None else {"groups": rows.groups}
        if rows.weight_train is not None:
            others["sample_weight"] = rows.weight_train
    else:
        X, others = rows.large, {"target": rows.target}
        others |= {"sample_weight": rows.weight, "groups": rows.group}
    try:
        with notes(ConvergenceWarning, FindingWarning):  # the report contains both
            estimator.fit(X, **others)
    except KeyboardInterrupt:
        _say_interrupted()
        raise typer.Exit(130) from None


def _say_interrupted() -> None:
    says = "mlp: interrupted before the first epoch was over: there is no model"
    Console(stderr=True).print(says, highlight=False, soft_wrap=True)
