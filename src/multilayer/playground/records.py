"""Reading the files that `Recorder` writes, even while they are being written."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multilayer.errors import InvalidArgumentError
from multilayer.json_text import printable, read_json
from multilayer.training.layers import MEASURES
from multilayer.training.recorder import FORMAT, MIDDLE, MOST_LINE

__all__ = ["Record", "Series"]

MOST_NAMES, MOST_LAYERS, MOST_WORDS = 64, 256, 300
"""Maximum numbers of metrics, of layers, and of characters in a text, per line of a file."""
POINTS, LAYER_POINTS = 500, 150
"""Long curves of metrics, and of layers, keep at least this many points, at most twice as many."""

Row = tuple[int, dict[str, Any]]


class Series:
    """Rows by epoch; if there are many, only evenly spaced rows are kept.

    Parameters
    ----------
    n_points : int
        At most twice this number of rows are kept, and the last one.

    Examples
    --------
    >>> series = Series(2)
    >>> for epoch in range(1, 8):
    ...     series.add(epoch, {"loss": 1 / epoch})
    >>> [epoch for epoch, _ in series.rows]
    [1, 3, 5, 7]
    """

    def __init__(self, n_points: int) -> None:
        self._n_points = n_points
        self._kept: list[Row] = []
        self._last: Row | None = None
        self._n = 0
        self._stride = 1

    def add(self, epoch: int, values: dict[str, Any]) -> None:
        """Add a row.

        Raises
        ------
        InvalidArgumentError
            If the epoch is not later than that of the last row.
        """
        if self._last is not None and epoch <= self._last[0]:
            raise InvalidArgumentError("must be later than the last one", "epoch", got=epoch)
        self._last = epoch, values
        if self._n % self._stride == 0:
            if len(self._kept) == 2 * self._n_points:
                self._kept = self._kept[::2]
                self._stride *= 2
            if self._n % self._stride == 0:
                self._kept.append(self._last)
        self._n += 1

    def forget_after(self, epoch: int) -> None:
        """Remove the rows of later epochs."""
        self._kept = [row for row in self._kept if row[0] <= epoch]
        self._n = self._stride * len(self._kept)
        self._last = self._kept[-1] if self._kept else None

    @property
    def rows(self) -> list[Row]:
        """The rows that were kept, and the last row."""
        is_kept = self._last is None or (self._kept and self._kept[-1] is self._last)
        return self._kept if is_kept else [*self._kept, self._last]  # type: ignore[list-item]

    @property
    def last(self) -> dict[str, Any]:
        """The values of the last row; empty if there is none."""
        return {} if self._last is None else self._last[1]


class Record:
    """The record of one training run, in a file that may still grow.

    Parameters
    ----------
    path : path

    Attributes
    ----------
    about : dict
        The content of the first line; empty until it has been read.
    fault : str
        Why the file is not a record; empty if no fault was found.
    news : float
        When the file was last written to, in seconds since 1970.
    n_damaged : int
        Number of damaged lines.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin(-1)

    def _begin(self, inode: int) -> None:
        self._inode, self._place, self._rest = inode, 0, b""
        self.about: dict[str, Any] = {}
        self.fault = ""
        self.news = 0.0
        self.n_damaged = 0
        self._metrics, self._layers = Series(POINTS), Series(LAYER_POINTS)
        self._step: dict[str, Any] | None = None
        self._end: dict[str, Any] | None = None

    def read(self, most: int) -> int:
        """Read what is new, up to `most` bytes; return the number of bytes read."""
        try:
            with self.path.open("rb", buffering=0) as file:
                found = os.fstat(file.fileno())
                if found.st_ino != self._inode or found.st_size < self._place:
                    self._begin(found.st_ino)  # the file was replaced
                self.news = found.st_mtime
                if self.fault or found.st_size == self._place:
                    return 0
                file.seek(self._place)
                new = file.read(most)
        except OSError as error:
            self._begin(-1)  # so that it is read from the start once that is possible
            self.fault = f"cannot be read: {(error.strerror or str(error)).lower()}"
            return 0
        self._place += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > MOST_LINE:
            self._take(self._rest)
            self._rest = b"!"  # the rest of that line is damaged too
        return len(new)

    def _take(self, line: bytes) -> None:
        """Store the content of a line, or count the line as damaged."""
        if self.fault or not line.strip():
            return
        try:
            if len(line) > MOST_LINE:
                raise InvalidArgumentError("too long")
            recorded = read_json(line.decode())
            if not isinstance(recorded, dict):
                raise InvalidArgumentError("no object")
            self._understand(recorded)
        except (InvalidArgumentError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            if self.about:
                self.n_damaged += 1
            else:
                self.fault = "is not the record of a training run"

    def _understand(self, recorded: Mapping[str, Any]) -> None:
        if "format" in recorded:
            self._take_beginning(recorded)
        elif not self.about:
            raise InvalidArgumentError("no beginning")
        elif "metrics" in recorded:
            names = list(recorded["metrics"])[:MOST_NAMES]
            values = {_text(name): _value(recorded["metrics"][name]) for name in names}
            self._metrics.add(_count(recorded["epoch"]), values)
            self._step = None
        elif "layers" in recorded:
            n = len(self.about["layer_names"])
            measures = [name for name in MEASURES if name in recorded["layers"]]
            found = {name: _numbers(recorded["layers"][name], n) for name in measures}
            self._layers.add(_count(recorded["epoch"]), found)
        elif "step" in recorded:
            names = ["step", "n_steps", "epoch"]
            self._step = {name: _count(recorded[name]) for name in names}
            self._step["loss"] = _value(recorded["loss"])
        elif "ended" in recorded:
            self._end = _ending(recorded)
        else:
            raise InvalidArgumentError("unknown")

    def _take_beginning(self, recorded: Mapping[str, Any]) -> None:
        if any(recorded[name] != value for name, value in FORMAT.items()):
            raise InvalidArgumentError("another format")
        about = _beginning(recorded)
        self._metrics = Series(POINTS)  # a resumed training run writes all its epochs again
        self._layers.forget_after(about["n_complete"])
        self.about, self._step, self._end = about, None, None

    def summary(self) -> dict[str, Any]:
        """Return the progress of the training run, for a list of runs."""
        rows, about = self._metrics.rows, self.about
        return {
            "began": about["began"],
            "epoch": rows[-1][0] if rows else 0,
            "n_epochs": about["n_epochs"],
            "monitor": about["monitor"],
            "value": _middle(self._metrics.last.get(about["monitor"])),
            "news": self.news,
            "stopped_by": None if self._end is None else self._end["stopped_by"],
            "has_ended": self._end is not None,
        }

    def losses(self) -> list[float | None]:
        """Return the training losses, evenly spaced if there are many.

        For an ensemble, return the medians. None means infinity or NaN.
        """
        rows = [values for _, values in self._metrics.rows if "train_loss" in values]
        return [_middle(values["train_loss"]) for values in rows]

    def last_of(self, measure: str) -> dict[str, float]:
        """Return the last values of a measure, by the layer's name."""
        values = self._layers.last.get(measure, [])
        found = zip(self.about["layer_names"], values, strict=False)
        return {name: value for name, value in found if value is not None}

    def details(self) -> dict[str, Any]:
        """Return the whole record, as values for JSON."""
        rows, of_layers = self._metrics.rows, self._layers.rows
        names = dict.fromkeys(name for _, values in rows for name in values)
        curves = {name: _curve([values.get(name) for _, values in rows]) for name in names}
        measures = dict.fromkeys(name for _, values in of_layers for name in values)
        n = len(self.about["layer_names"])
        unknown: list[float | None] = [None] * n
        return {
            "about": self.about,
            "epochs": [epoch for epoch, _ in rows],
            "curves": curves,
            "layer_epochs": [epoch for epoch, _ in of_layers],
            "measures": {
                name: [
                    [_short(values.get(name, unknown)[i]) for _, values in of_layers]
                    for i in range(n)
                ]
                for name in measures
            },
            "step": self._step,
            "end": self._end,
            "n_damaged": self.n_damaged,
        }


def _beginning(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of the first line, or raise if it is not valid."""
    numbers = ("n_complete", "n_epochs", "n_members", "n_samples", "n_parameters", "batch_size")
    about: dict[str, Any] = {name: _count(recorded[name]) for name in numbers}
    about |= {name: _text(recorded[name]) for name in ("began", "monitor", "output")}
    about["engine"] = _text(recorded.get("engine", ""))
    about["device"] = _text(recorded.get("device", ""))
    about["widths"] = [_count(width) for width in _list(recorded["widths"])]
    for name in ("activations", "layer_names"):
        about[name] = [_text(each) for each in _list(recorded[name])]
    for name in ("loss", "optimizer"):
        about[name] = _in_words(recorded[name])
    return about


def _ending(recorded: Mapping[str, Any]) -> dict[str, Any]:
    members = recorded.get("members") or {}
    best = recorded.get("best_epoch")
    return {
        "at": _text(recorded["ended"]),
        "stopped_by": _text(recorded["stopped_by"]),
        "n_complete": _count(recorded["n_complete"]),
        "best_epoch": None if best is None else _count(best),
        "members": {_text(name): _count(members[name]) for name in list(members)[:MOST_NAMES]},
        "error": _text(recorded.get("error") or "", 4 * MOST_WORDS),
    }


def _text(value: Any, most: int = MOST_WORDS) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError("no text")
    return printable(value[:most])


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_LAYERS:
        raise InvalidArgumentError("no list")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise InvalidArgumentError("no count")
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidArgumentError("no number")
    return float(value) if abs(value) < 1e308 else None


def _numbers(value: Any, n: int) -> list[float | None]:
    if len(_list(value)) != n:
        raise InvalidArgumentError("another length")
    return [_number(each) for each in value]


def _value(value: Any) -> Any:
    """Return a number, or quantiles over an ensemble's members."""
    return _numbers(value, len(MIDDLE)) if isinstance(value, list) else _number(value)


def _middle(value: Any) -> Any:
    return value[len(value) // 2] if isinstance(value, list) else value


def _in_words(part: Any) -> str:
    """Return the name of a loss or optimizer, with its parameters."""
    if not isinstance(part, dict):
        return "" if part is None else _text(part)
    name = _text(part["name"]).replace("_", " ")
    others = [f"{_text(k)}={_text(str(v))}" for k, v in part.items() if k != "name"]
    return f"{name} ({', '.join(others[:MOST_NAMES])})" if others else name


def _short(value: float | None) -> float | None:
    """Return a number, rounded to the digits that a picture can show."""
    return None if value is None else float(f"{value:.4g}")


def _curve(values: Sequence[Any]) -> dict[str, list[float | None] | None]:
    """Return a curve; for an ensemble, the median with the lower and the upper quantile."""
    if not any(isinstance(value, list) for value in values):
        return {"low": None, "middle": list(values), "high": None}
    columns = [value if isinstance(value, list) else [value] * len(MIDDLE) for value in values]
    low, middle, high = (list(column) for column in zip(*columns, strict=True))
    return {"low": low, "middle": middle, "high": high}
