"""``mlp train``: train on digits, on MNIST, or on a table."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import typer
from rich.console import Console

from multilayer import Architecture, checks
from multilayer.cli import options
from multilayer.cli.command import Command
from multilayer.cli.notes import notes
from multilayer.cli.ranks import joined
from multilayer.cli.recipes import with_recipe
from multilayer.cli.show_layers import NoteCompiling, ShowLayers
from multilayer.cli.train_report import print_results
from multilayer.cli.train_table import TableCommand, TrainGroup, table
from multilayer.cli.watch import recording
from multilayer.data import fingerprint, load_digits, load_images
from multilayer.errors import DivergenceError, InvalidArgumentError
from multilayer.files import save_model
from multilayer.model import Classes, Model, Numbers, adopt
from multilayer.numpy import MLP, OPTIMIZERS, Ladder
from multilayer.training import Callback, EarlyStopping, History, Progress, Run, fit
from multilayer.training.progress import shown

__all__ = ["app"]

HELP = "Train on a data set, or on a table in files: mlp train FILE."
app = typer.Typer(cls=TrainGroup, help=HELP)
app.command("table", cls=TableCommand)(table)

MNIST_MEAN, MNIST_STD = 0.1307, 0.3081
"""Mean and standard deviation of the training pixels, scaled to [0, 1]."""
BASELINE = math.log(10)
"""The loss of the baseline, which gives each of ten classes the same probability."""
NOT_RECORDED = ("device", "save", "checkpoint", "resume", "record", "watch", "as_json")
"""Settings that do not describe the model."""
IN_HISTORY = ("losses", "n_epochs", "best_epoch", "stopped_by")
"""Results that are part of the history."""


class _Data(NamedTuple):
    name: str
    X_train: Any
    y_train: Any
    X_test: Any
    y_test: Any
    mean: Any
    """The value to subtract from each raw input."""
    scale: Any


class _Settings(NamedTuple):
    hidden: str
    activation: str
    normalization: str | None
    dropout: float
    noise: str
    optimizer: str
    learning_rate: float | None
    schedule: str | None
    epochs: int
    batch_size: int | None
    l2: float
    max_norm: float | None
    ema: float | None
    adversary: str | None
    ladder: str | None
    """Only mnist has these two options."""
    early_stopping: bool
    seed: int
    engine: str
    device: str
    save: Path | None
    checkpoint: Path | None
    resume: bool
    record: Path | None
    watch: bool
    as_json: bool


@app.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(cls=Command)
def digits(
    hidden: options.Hidden = "64,32",
    activation: options.Activation = "relu",
    normalization: options.Normalization = None,
    dropout: options.Dropout = 0.0,
    noise: options.Noise = "0",
    optimizer: options.Optimizer = "adam",
    learning_rate: options.LearningRate = None,
    schedule: options.Schedule = None,
    epochs: options.Epochs = 50,
    batch_size: options.BatchSize = None,
    l2: options.L2 = 3e-3,
    max_norm: options.MaxNorm = None,
    ema: options.Ema = None,
    early_stopping: options.EarlyStopping = False,
    seed: options.Seed = 0,
    engine: options.Engine = "numpy",
    device: options.Device = "auto",
    save: options.Save = None,
    checkpoint: options.Checkpoint = None,
    resume: options.Resume = False,
    record: options.Record = None,
    watch: options.Watch = False,
    as_json: options.Json = False,
) -> None:
    """Train on scikit-learn's handwritten digits, and test on held-out images.

    There are 1,797 images of 8 × 8 pixels; a fifth of them are for testing. The split is fixed.
    """
    if learning_rate is None and optimizer == "adam":
        learning_rate = 3e-3
    settings = _Settings._make(map(locals().get, _Settings._fields))  # each option by its name
    with _Job(settings) as job:
        data = load_digits()
        job.run(_Data("digits", *data))


@app.command(cls=Command)
def mnist(
    context: typer.Context,
    recipe: options.Recipe = None,
    hidden: options.Hidden = "256,128",
    activation: options.Activation = "relu",
    normalization: options.Normalization = None,
    dropout: options.Dropout = 0.1,
    noise: options.Noise = "0",
    optimizer: options.Optimizer = "adam",
    learning_rate: options.LearningRate = None,
    schedule: options.Schedule = None,
    epochs: options.Epochs = 10,
    batch_size: options.BatchSize = None,
    l2: options.L2 = 0.0,
    max_norm: options.MaxNorm = None,
    ema: options.Ema = None,
    adversary: options.Adversary = None,
    ladder: options.Ladder = None,
    early_stopping: options.EarlyStopping = False,
    n_train: options.NTrain = 60_000,
    n_test: options.NTest = 10_000,
    data_dir: options.DataDir = None,
    seed: options.Seed = 0,
    engine: options.Engine = "numpy",
    device: options.Device = "auto",
    save: options.Save = None,
    checkpoint: options.Checkpoint = None,
    resume: options.Resume = False,
    record: options.Record = None,
    watch: options.Watch = False,
    as_json: options.Json = False,
) -> None:
    """Train on MNIST's handwritten digits, read from disk batch by batch.

    There are 60,000 training images of 28 × 28 pixels, and 10,000 test images. The files are looked
    for in --data-dir, $MULTILAYER_DATA and the cache, and downloaded if they are not there.
    """
    settings = _Settings._make(map(locals().get, _Settings._fields))  # each option by its name
    settings = with_recipe(settings, recipe, context)
    if settings.batch_size is None and OPTIMIZERS[optimizer].takes_steps:
        settings = settings._replace(batch_size=128)
    with _Job(settings) as job:
        images = load_images("mnist", data_dir=data_dir)
        with checks.in_terms_of("mlp", {"n": "n_train"}):
            X_train = images.X_train.scaled(MNIST_MEAN, MNIST_STD).take(n_train)
        with checks.in_terms_of("mlp", {"n": "n_test"}):
            X_test = images.X_test.scaled(MNIST_MEAN, MNIST_STD).take(n_test)
        job.run(
            _Data(
                "mnist",
                X_train,
                images.y_train[:n_train],
                X_test,
                images.y_test[:n_test],
                np.full(784, 255 * MNIST_MEAN),
                np.full(784, 255 * MNIST_STD),
            )
        )


class _Job:
    """One training run, from the settings to the report; of several processes, rank 0 reports."""

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        checks.integer(settings.seed, "seed", "mlp", minimum=0)
        options.check_engine(settings.engine, settings.device)
        options.check_file(settings.save, "save")
        options.check_checkpoint(settings.checkpoint, settings.resume)

    def __enter__(self) -> "_Job":
        self._joined = joined(self.settings.engine, self.settings.device)
        self.rank = self._joined.__enter__().rank
        return self

    def __exit__(self, *error: Any) -> None:
        self._joined.__exit__(*error)

    def run(self, data: _Data) -> None:
        """Train, test, save and report; record and show the training run if options say so."""
        s, is_first = self.settings, self.rank == 0
        with (
            recording(
                data.name, s.record if is_first else None, watch=s.watch and is_first
            ) as recorders,
            notes(),
        ):
            self._run(data, recorders)

    def _run(self, data: _Data, recorders: Sequence[Callback]) -> None:
        s = self.settings
        rng = np.random.default_rng(s.seed)
        architecture = Architecture(
            in_features=data.X_train.shape[1],
            hidden_features=options.read_widths(s.hidden),
            out_features=10,
            activation=options.read_activation(s.activation),
            normalization=s.normalization,
            dropout=s.dropout,
            noise=options.read_noise(s.noise),
            output="softmax",
        )
        optimizer = options.read_optimizer(s.optimizer, s.learning_rate)
        schedule = s.schedule
        if schedule is None and optimizer.takes_steps:
            schedule = "cosine"
        net = self._network(architecture, rng)
        pixel = 255 / data.scale.max()
        keep = _KeepRun()
        callbacks: list[Callback] = [keep, *recorders]
        if s.early_stopping:
            callbacks.append(EarlyStopping(options.PATIENCE))
        if self.rank == 0 and not s.as_json:
            callbacks += [NoteCompiling(), ShowLayers(architecture), Progress()]
        divergence = None
        try:
            fit(
                net if s.ladder is None else self._ladder(net, pixel, rng),
                (data.X_train, data.y_train),
                loss="cross_entropy",
                optimizer=optimizer,
                n_epochs=s.epochs,
                batch_size=s.batch_size,
                validation=options.VALIDATION_SHARE if s.early_stopping else None,
                schedule=schedule,
                l2=s.l2,
                max_norm=s.max_norm,
                ema=s.ema,
                adversary=options.read_adversary(s.adversary, pixel),
                callbacks=callbacks,
                rng=rng,
                checkpoint=s.checkpoint,
                resume=s.resume,
            )
        except DivergenceError as error:
            divergence = error
        history = keep.run.history
        if divergence is not None and not history.best_epoch:
            raise divergence
        if history.stopped_by == "interrupt" and not keep.has_trained:
            raise typer.Exit(130)  # nothing to show
        seconds = sum(history.get("seconds", []))
        n_seen = history.n_epochs * len(data.X_train)
        results = _results(net, data.X_train, data.y_train, "train")
        results |= _results(net, data.X_test, data.y_test, "test")
        results |= {
            "n_parameters": architecture.n_parameters,
            "schedule": schedule,
            "n_epochs": history.n_epochs,
            "best_epoch": history.best_epoch,
            "stopped_by": history.stopped_by,
            "losses": history["train_loss"] if history.n_epochs else [],
            "seconds": seconds,
            "samples_per_second": n_seen / seconds if n_seen else 0.0,
            "seed": s.seed,
            "engine": s.engine,
        }
        if self.rank == 0:
            self._report(net, data, results, history)
        if history.stopped_by == "interrupt":
            if s.checkpoint is not None and not s.as_json:
                note = f"saved in {s.checkpoint}; to continue, run the same command with --resume"
                Console(stderr=True).print(note, highlight=False, soft_wrap=True)
            raise typer.Exit(130)
        _raise_if_diverged(divergence, keep.run, results["train_loss"])

    def _network(self, architecture: Architecture, rng: np.random.Generator) -> Any:
        if self.settings.engine == "numpy":
            return MLP(architecture, rng=rng)
        from multilayer.torch import MLP as TorchMLP
        from multilayer.torch import distributed

        device = distributed.local_device(self.settings.device)
        return TorchMLP(architecture, device=device, initializer="kaiming_uniform", rng=rng)

    def _ladder(self, net: Any, pixel: float, rng: np.random.Generator) -> Ladder:
        s = self.settings
        assert s.ladder is not None
        if s.engine != "numpy":
            raise InvalidArgumentError("must be numpy for a ladder", "engine", got=repr(s.engine))
        first, *others = options.read_ladder(s.ladder)
        with checks.in_terms_of("mlp", {"weights": "ladder"}):
            Ladder(net, (first, *others))  # so that an error has the numbers that were given
        return Ladder(net, (first / pixel**2, *others), rng=rng)

    def _model(self, net: Any, data: _Data, results: dict[str, Any], history: History) -> Model:
        """Return a `Model` that takes raw images, with information about its training."""
        metrics = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
        settings = {k: v for k, v in self.settings._asdict().items() if k not in NOT_RECORDED}
        return Model(
            adopt(net, "mlp").net,
            Classes(np.arange(10)),
            Numbers(net.architecture.in_features, data.mean, data.scale),
            {
                "metrics": {name: results[name] for name in metrics},
                "training": settings
                | {k: v for k, v in results.items() if k not in (*metrics, *IN_HISTORY)},
                "history": json.loads(history.to_json()),
                "data": {
                    "name": data.name,
                    "fingerprint": fingerprint(data.X_train, data.y_train),
                },
            },
        )

    def _report(self, net: Any, data: _Data, results: dict[str, Any], history: History) -> None:
        save = self.settings.save
        if save is not None:
            save_model(save, self._model(net, data, results, history))
        if self.settings.as_json:
            typer.echo(json.dumps(results))
        else:
            print_results(results, history, save, is_ladder=self.settings.ladder is not None)


def _raise_if_diverged(divergence: DivergenceError | None, run: Run, train_loss: float) -> None:
    """Raise the error that ended training, or a new one if the loss is far above the baseline's."""
    if divergence is None and train_loss > 2 * BASELINE:
        divergence = DivergenceError(
            f"the training diverged: its train loss is {shown(train_loss)}, but that of the "
            f"baseline is {shown(BASELINE)}. Try a smaller learning rate",
            epoch=run.epoch,
            step=run.step,
            learning_rate=run.learning_rate,
        )
    if divergence is not None:
        raise divergence


def _results(net: Any, X: Any, y: Any, part: str) -> dict[str, Any]:
    """Return the loss, without penalty, and the accuracy of a part of the data."""
    trainer = net.trainer(loss="cross_entropy", optimizer="sgd")
    loss, logits = trainer.evaluate(trainer.check(X, y, None))
    accuracy = float((logits.argmax(axis=1) == y).mean())
    return {f"{part}_loss": loss, f"{part}_accuracy": accuracy}


class _KeepRun(Callback):
    """Keeps the run, since `fit` does not return the history after an error."""

    def on_train_begin(self, run: Run) -> None:
        self.run = run

    @property
    def has_trained(self) -> bool:
        """Whether any step has been taken."""
        return self.run.epoch > 1 or self.run.step > 0
