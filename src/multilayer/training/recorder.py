"""Recorder: records the progress of training in a folder, for other programs to follow."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from multilayer.caller import warn
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.json_text import finite, read_json
from multilayer.training.callbacks import Callback
from multilayer.training.layers import LayerObserver, some_samples
from multilayer.training.run import Run

__all__ = ["FORMAT", "MIDDLE", "MOST_LINE", "RECORDS", "Recorder"]

FORMAT: dict[str, Any] = {"format": "multilayer record", "version": 1}
"""The first entries of a record's first line."""
SAME = ("widths", "activations", "output", "loss", "optimizer", "batch_size", "n_samples")
"""The entries of the first line that a resumed training run must share with the record."""
MOST_LINE = 2**18
"""The largest length of a line in bytes; a file with longer lines is not a record."""
RECORDS = "record-*.jsonl"
"""The names of records in a folder."""
N_SAMPLES = 256
"""The number of samples on which the layers are observed. With it, the 95 % confidence interval of
a share of one half is ± 6 %."""
EVERY = 1.0
"""The shortest time between two writes, in seconds."""
SOONEST, LATEST = 0.1, 2.0
"""Bounds on the pause between two observations of the layers, in seconds. Within these, it is 1 %
of the time since the beginning."""
SHARE, GRACE = 0.02, 10.0
"""Observations take at most this share of the time so far plus `GRACE` seconds, so that short
training runs are observed a few more times."""
MIDDLE = (0.1, 0.5, 0.9)
"""The quantiles over the members of an ensemble that are written for each metric."""


class Recorder(Callback):
    r"""Records losses, metrics and statistics of the layers in a folder, while a network trains.

    ``mlp playground --follow FOLDER`` shows the record live. Each training run has its own file in
    the folder, ``record-1.jsonl`` and so on, with one JSON object per line. A resumed run continues
    the last file if it has the same network, loss, optimizer, batch size and number of samples.
    Complete lines are appended, at most once per second; each has one of these keys:

    ============= ==================================================================
    ``"format"``  the beginning: the time, the network, how it is trained, the number
                  of epochs, and how many of them are over if the run is resumed
    ``"metrics"`` an epoch's values in the history; for an ensemble, the 10, 50 and
                  90 % quantiles over the members that trained in this epoch
    ``"layers"``  what `LayerStatistics` records for each layer, except quantiles,
                  after the last step of some epochs; see below
    ``"step"``    the last step's loss, in epochs that take longer than a second
    ``"ended"``   when and why training ended, and the best epoch
    ============= ==================================================================

    A resumed run writes the completed epochs once more. Infinite and NaN values become ``null``.

    The layers are observed on 256 of the training samples, evenly spaced: ten times per second at
    first, later every two seconds, and less often if this would take more than 2 % of the time.
    They are not observed if the network is an ensemble, or has custom parts that the NumPy engine
    does not have. If the folder cannot be written to, training continues after a warning. With
    several processes, pass a recorder to `fit` in only one of them.

    Parameters
    ----------
    folder : path
        Created if it does not exist.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If `folder` is not a path, or is something other than a folder.

    Examples
    --------
    >>> import tempfile
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> from multilayer.training import fit
    >>> X, y = np.eye(4), np.array([0, 1, 0, 1])
    >>> net = MLP(Architecture(4, (8,), 2), rng=np.random.default_rng(0))
    >>> folder = Path(tempfile.mkdtemp())
    >>> history = fit(net, (X, y), loss="cross_entropy", n_epochs=3, callbacks=[Recorder(folder)])
    >>> text = (folder / "record-1.jsonl").read_text()
    >>> lines = [json.loads(line) for line in text.splitlines()]
    >>> [line["epoch"] for line in lines if "metrics" in line]
    [1, 2, 3]
    >>> lines[-1]["stopped_by"]
    'n_epochs'
    """

    # None between training runs, so that an estimator with this callback can be copied and pickled.
    _under_way: "_UnderWay | None" = None

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise InvalidTypeError("must be a path", "folder", "Recorder", got=repr(folder))
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            rule = f"must be a folder; {self.folder} is something else"
            raise InvalidArgumentError(rule, "folder", "Recorder")

    def __repr__(self) -> str:
        return f"Recorder({str(self.folder)!r})"

    def on_train_begin(self, run: Run) -> None:
        """Write the first line; if the run is resumed, also write the completed epochs."""
        self._under_way = _UnderWay(run, self.folder)

    def on_step_end(self, run: Run) -> None:
        """Write the loss, if it is time."""
        if self._under_way is not None:
            self._under_way.on_step_end(run)

    def on_epoch_end(self, run: Run) -> None:
        """Write the epoch's metrics and, if it is time, the layers' statistics."""
        if self._under_way is not None:
            self._under_way.on_epoch_end(run)

    def on_train_end(self, run: Run) -> None:
        """Write when and why training ended."""
        ending, self._under_way = self._under_way, None
        if ending is not None:
            ending.file.add(_end(run))
            ending.file.write()


class _UnderWay:
    """A training run that is being recorded."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.layers = None if run.is_ensemble else _Layers.of(run)
        beginning = _beginning(run, () if self.layers is None else self.layers.names)
        self.file = _File(folder, resumed=beginning if run.epoch else None)
        self.file.add(beginning)
        for epoch in range(1, run.n_complete + 1):
            self.file.add(_epoch(run, epoch))
        self.file.write()
        if self.layers is not None:
            self.layers.expect(run)

    def on_step_end(self, run: Run) -> None:
        if self.layers is not None:
            self.layers.expect(run)
        if self.file.is_due:
            losses = np.ravel(run.loss)[run.active if run.is_ensemble else [0]].tolist()
            place = {"epoch": run.epoch, "n_steps": run.n_steps}
            self.file.add({"step": run.step, **place, "loss": _summary(losses)})
            self.file.write()

    def on_epoch_end(self, run: Run) -> None:
        self.file.add(_epoch(run, run.epoch))
        if self.layers is not None:
            try:
                found = self.layers.look(run)
            except Exception:  # a custom part may fail in any way: see `_Layers.of`
                self.layers, found = None, {}
            if found:
                self.file.add({"layers": found, "epoch": run.epoch})
        if self.layers is not None:
            self.layers.expect(run)
        if self.file.is_due:
            self.file.write()


class _Layers:
    """Observes the layers after the last step of some epochs."""

    def __init__(self, observer: LayerObserver, names: Sequence[str]) -> None:
        self._observer, self.names = observer, tuple(names)
        self._is_expected = False
        self._next = self._spent = 0.0
        self._began = time.monotonic()

    @classmethod
    def of(cls, run: Run) -> "_Layers | None":
        """Return an observer of the network's layers; None if they cannot be observed."""
        # Observing a custom network, loss or data set may fail in any way. That must not prevent
        # training.
        try:
            observer = LayerObserver(*some_samples(run.training, N_SAMPLES), run.trainer.loss)
            with np.errstate(all="ignore"):
                layers = observer.observe(run.net)
        except Exception:
            return None
        return cls(observer, [layer.name for layer in layers])

    def expect(self, run: Run) -> None:
        """Keep the weights if the next step is an epoch's last one and it is time to observe."""
        done = run.step if run.is_under_way else 0
        if self._is_expected or done != run.n_steps - 1:
            return
        began = time.monotonic()
        if began >= self._next or run.n_complete == run.n_epochs - 1:
            self._observer.expect_step(run.net)
            self._is_expected = True
            self._spent += time.monotonic() - began

    def look(self, run: Run) -> dict[str, list[float]]:
        """Return the layers' statistics if `expect` has kept the weights; otherwise nothing."""
        if not self._is_expected:
            return {}
        began = time.monotonic()
        with np.errstate(all="ignore"):
            found = self._observer.measure(run.net, self._observer.observe(run.net))
        ended = time.monotonic()
        self._spent += ended - began
        rest = min(max((ended - self._began) / 100, SOONEST), LATEST)
        self._next = max(ended + rest, self._began + self._spent / SHARE - GRACE)
        self._is_expected = False
        return found


def _beginning(run: Run, layers: Sequence[str]) -> dict[str, Any]:
    """Return the first line, which describes the training run."""
    architecture, how = run.net.architecture, run.trainer.description()
    settings = run.members[0].history.settings
    given = [name for name in ("engine", "device", "dtype", "l1", "l2") if name in how]
    return {
        **FORMAT,
        "began": _now(),
        "n_complete": run.n_complete,
        "n_epochs": run.n_epochs,
        "n_steps": run.n_steps,
        "n_members": len(run.members) if run.is_ensemble else 0,
        "n_samples": run.training.n_samples,
        "n_parameters": architecture.n_parameters,
        "widths": [
            architecture.in_features,
            *architecture.hidden_features,
            architecture.out_features,
        ],
        "activations": [layer.activation for layer in architecture.hidden_layers],
        "output": architecture.output,
        "layer_names": list(layers),
        "loss": settings["loss"],
        "optimizer": settings["optimizer"],
        "batch_size": settings["batch_size"],
        "monitor": run.monitor,
        **{name: how[name] for name in given},
    }


def _epoch(run: Run, epoch: int) -> dict[str, Any]:
    """Return the line for a completed epoch."""
    found: dict[str, list[float]] = {}
    for member in run.members:
        for name, column in member.history.items():
            if epoch <= len(column):
                found.setdefault(name, []).append(column[epoch - 1])
    return {"metrics": {name: _summary(each) for name, each in found.items()}, "epoch": epoch}


def _summary(values: list[float]) -> float | list[float] | None:
    """Return a single value, or quantiles over an ensemble's members; None without values."""
    if len(values) < 2:
        return values[0] if values else None
    with np.errstate(invalid="ignore"):
        return [float(value) for value in np.quantile(values, MIDDLE)]


def _end(run: Run) -> dict[str, Any]:
    """Return the last line: when and why training ended."""
    reasons = Counter(member.stopped_by for member in run.members)
    error = sys.exception() if run.stopped_by in ("", "divergence") else None
    return {
        "ended": _now(),
        "stopped_by": run.stopped_by,
        "n_complete": run.n_complete,
        "best_epoch": None if run.is_ensemble else run.history.best_epoch,
        "members": dict(reasons) if run.is_ensemble else None,
        "error": None if error is None else str(error) or type(error).__name__,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _number(path: Path) -> int:
    """Return the number in a record's file name; 0 if there is none."""
    number = path.stem.partition("-")[2]
    return int(number) if number.isdecimal() and number.isascii() else 0


def _is_of(path: Path, beginning: Mapping[str, Any]) -> bool:
    """Return whether a record's first line matches this one in `SAME`, or is still missing."""
    with path.open("rb") as file:
        line = file.readline(MOST_LINE)
    try:
        own = json.loads(json.dumps(finite(beginning)))  # turns tuples into lists
        recorded = read_json(line.decode()) if line.strip() else own
        return all(recorded[name] == own[name] for name in SAME)
    except (InvalidArgumentError, UnicodeDecodeError, LookupError, TypeError):
        return False


class _File:
    """The file of one training run; if it cannot be written to, it warns once and writes no more.

    Parameters
    ----------
    folder : path
    resumed : dict, optional
        The first line of a resumed run, which continues the last file if that matches it; by
        default, a new file is begun.
    """

    def __init__(self, folder: Path, *, resumed: Mapping[str, Any] | None) -> None:
        self._folder, self._resumed = folder, resumed
        self._path: Path | None = None
        self._has_failed = False
        self._lines: list[str] = []
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return time.monotonic() >= self._next

    def add(self, line: Mapping[str, Any]) -> None:
        """Add a line to the next write."""
        self._lines.append(json.dumps(finite(line), allow_nan=False) + "\n")

    def write(self) -> None:
        """Append all new lines to the file at once."""
        lines, self._lines = self._lines, []
        self._next = time.monotonic() + EVERY
        if self._has_failed:
            return
        try:
            if self._path is None:
                self._path = self._begun()
            with self._path.open("ab", buffering=0) as file:
                file.write("".join(lines).encode())
        except OSError as error:
            self._has_failed = True
            why = (error.strerror or str(error)).lower()
            warn(f"training continues, but cannot be recorded in {self._folder}: {why}")

    def _begun(self) -> Path:
        """Return the path of a file that no other training run writes to."""
        self._folder.mkdir(parents=True, exist_ok=True)
        n = max(map(_number, self._folder.glob(RECORDS)), default=0)
        path = self._folder / f"record-{n}.jsonl"
        if n and self._resumed is not None and _is_of(path, self._resumed):
            with path.open("ab+") as file:
                file.seek(max(file.tell() - 1, 0))
                if file.read() not in (b"", b"\n"):  # the run was killed in the middle of a line
                    file.write(b"\n")
            return path
        while True:
            n += 1
            path = self._folder / f"record-{n}.jsonl"
            try:
                path.touch(exist_ok=False)
            except FileExistsError:  # another run has begun at the same time
                continue
            return path
