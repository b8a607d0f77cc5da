"""Frames: a table as a series of data frames, which need not all be in memory at once."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain, count
from typing import Any, NamedTuple

from multilayer.data.formats import import_pyarrow
from multilayer.data.table import Table
from multilayer.errors import InvalidDataError

__all__ = ["Frames", "find_frames"]

PATHS = (str, os.PathLike)


class Frames(NamedTuple):
    """A series of frames, which can be iterated over repeatedly."""

    begin: Callable[[], Iterator[Any]]
    """Returns an iterator of the frames, for a new pass."""


def find_frames(source: Any, n_rows: int) -> Frames | Any:
    """Return the frames of a source; if it names files, return the source itself.

    An iterator of paths is returned as a list.

    Parameters
    ----------
    source : object
        As in `multilayer.data.read_blocks`.
    n_rows : int
        How many rows a frame should have, if that can be chosen.
    """
    library = type(source).__module__.partition(".")[0]
    if isinstance(source, (*PATHS, bytes)):
        return source
    if library == "polars" and hasattr(type(source), "collect"):
        return Frames(partial(_of_lazy_frame, source, n_rows))
    if library == "pyarrow" and hasattr(type(source), "to_table"):
        return Frames(partial(_of_dataset, source, n_rows))
    if isinstance(source, (Table, Mapping)) or hasattr(type(source), "__array__"):
        return Frames(partial(iter, [source]))
    if isinstance(source, Iterator):
        return _of_iterator(source)
    if isinstance(source, Iterable):
        first = next(iter(source), "")
        return source if isinstance(first, PATHS) else Frames(partial(iter, source))
    return Frames(lambda: iter(source())) if callable(source) else source


def _of_iterator(source: Iterator[Any]) -> Frames | list[Any]:
    """Return frames that can be iterated over once, or a list of paths."""
    first = next(source, "")
    if isinstance(first, PATHS):
        return [first, *source] if first else []
    rest = [chain([first], source)]

    def once() -> Iterator[Any]:
        if not rest:
            rule = (
                "can be iterated over only once; pass something that can be iterated over again, "
                "such as a list of tables, or a function that returns an iterator of them"
            )
            got = type(source).__name__
            raise InvalidDataError(rule, "source", "read_blocks", got=got)
        return rest.pop()

    return Frames(once)


def _of_lazy_frame(lazy: Any, n_rows: int) -> Iterator[Any]:
    with _errors():
        if hasattr(lazy, "collect_batches"):  # from polars 1.34 on
            yield from lazy.collect_batches(chunk_size=n_rows, maintain_order=True)
            return
        for start in count(0, n_rows):
            frame = lazy.slice(start, n_rows).collect()
            if start and not len(frame):
                return
            yield frame


def _of_dataset(dataset: Any, n_rows: int) -> Iterator[Any]:
    options = {}
    if getattr(getattr(dataset, "format", None), "default_extname", "") == "parquet":
        # Otherwise everything read from a file stays in memory until the end of the file.
        scan = import_pyarrow("Parquet", "dataset").ParquetFragmentScanOptions
        options["fragment_scan_options"] = scan(use_buffered_stream=True, pre_buffer=False)
    with _errors():
        yield from dataset.to_batches(
            batch_size=n_rows, batch_readahead=1, fragment_readahead=1, **options
        )


@contextmanager
def _errors() -> Iterator[None]:
    """Turn any error of a query into one about the table."""
    try:
        yield
    except Exception as error:
        what = str(error).partition("\n")[0]  # polars adds the whole plan
        raise InvalidDataError(f"cannot be read: {what}", "X") from error
