"""Follow: the training runs recorded in a folder, including those that begin later."""

import os
import threading
import time
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from multilayer.doctor.finding import in_words
from multilayer.doctor.in_training import findings_of
from multilayer.json_text import printable
from multilayer.playground.records import Record
from multilayer.training.recorder import RECORDS

__all__ = ["Follower"]

DEPTH = 3
"""Maximum depth of subfolders that are searched."""
MOST_ENTRIES = 20_000
"""Maximum number of files and folders that are searched."""
MOST_RECORDS = 200
"""Maximum number of records that are read; if there are more, the latest ones."""
MOST_AT_ONCE = 2**22
"""Number of bytes after which a request is answered; the next request reads the others."""
MOST_SHOWN = 8


class Follower:
    """Reads the training runs recorded in a folder, on each request.

    Parameters
    ----------
    folder : path
        The folder of a training run, or a folder that contains such folders; it need not exist yet.

    Attributes
    ----------
    asked : float
        The time of the last request, by `time.monotonic`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.asked = -float("inf")
        self._records: dict[str, Record] = {}
        self._lock = threading.Lock()

    def look(self, shown: Collection[str] = ()) -> dict[str, Any]:
        """Return all training runs, with the details of those that are shown, as values for JSON.

        Parameters
        ----------
        shown : collection of str
            The names of the runs that are shown; only the first eight are used.
        """
        with self._lock:
            self._read()
            records = {n: r for n, r in self._records.items() if r.about and not r.fault}
            chosen = [name for name in list(shown)[:MOST_SHOWN] if name in records]
            self.asked = time.monotonic()
            return {
                "folder": printable(str(self.folder)),
                "runs": [{"name": n, **r.summary()} for n, r in sorted(records.items())],
                "shown": {name: _details(records[name]) for name in chosen},
                "passed_over": [
                    {"name": name, "reason": record.fault}
                    for name, record in sorted(self._records.items())
                    if record.fault
                ],
            }

    def _read(self) -> None:
        """Read what is new in all records, the latest ones first."""
        found = sorted(self._found(), key=lambda each: each[1], reverse=True)[:MOST_RECORDS]
        known = {record.path: record for record in self._records.values()}
        records = {path: known.get(path) or Record(path) for path, _ in found}
        self._records = {}
        for path in sorted(records):
            name = self._name(path)
            if name in self._records:  # for example, if runs/ and runs/runs/ both have records
                name = printable(path.relative_to(self.folder).as_posix())
            self._records[name] = records[path]
        left = MOST_AT_ONCE
        for record in records.values():
            left -= record.read(left) if left > 0 else 0

    def _found(self) -> Iterator[tuple[Path, float]]:
        """Yield the files that may be records, and the times of their last change."""
        folders, left = [(self.folder, 0)], MOST_ENTRIES
        for folder, depth in folders:  # the list grows: a breadth-first search
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        left -= 1
                        if left < 0:
                            return
                        if entry.is_dir(follow_symlinks=False):
                            if depth < DEPTH and not entry.name.startswith("."):
                                folders.append((Path(entry.path), depth + 1))
                        # Anything but a plain file, such as a pipe, might have no end.
                        elif fnmatch(entry.name, RECORDS) and entry.is_file(follow_symlinks=False):
                            yield Path(entry.path), entry.stat().st_mtime
            except OSError:  # the folder does not exist yet, or cannot be read
                continue

    def _name(self, path: Path) -> str:
        """Return the name of a record: its folder, with a number if it is not the first there."""
        folder = path.parent.relative_to(self.folder).as_posix()
        folder = (self.folder.resolve().name or "/") if folder == "." else folder
        number = path.stem.partition("-")[2]
        return printable(folder if number == "1" else f"{folder} ({number})")


def _details(record: Record) -> dict[str, Any]:
    found = findings_of(
        record.losses(),
        dead=record.last_of("dead"),
        saturated=record.last_of("saturated"),
        has_diverged=record.summary()["stopped_by"] == "divergence",
    )
    findings = [each.to_dict() | {"evidence": in_words(each.evidence)} for each in found]
    return record.details() | {"findings": findings}
