"""Tables in files: one or several, in any format, from a folder or from standard input."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from multilayer.caller import warn
from multilayer.data.formats import read_one
from multilayer.data.notes import Note, TableWarning
from multilayer.data.reading import BAD_ROWS, Read, refuse_broken
from multilayer.data.sources import Source, find_sources
from multilayer.data.table import Table
from multilayer.errors import InvalidDataError

__all__ = ["read_file"]

MARKS = {".": "points", ",": "commas"}


def read_file(
    source: Source | Iterable[Source],
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    date_order: str | None = None,
    missing: Sequence[str] = (),
    bad_rows: str | None = None,
) -> Table:
    r"""Read a table from a file, or from several files with the same columns.

    A file may be CSV in any dialect, Parquet, Arrow or Feather, or JSON with an object in each
    line (or a list of objects), and it may be compressed with gzip, bz2, xz or zstd. The format is
    detected from the first bytes; the file's name does not matter.

    Every cell of a CSV file is read as text. The type of a column is decided from all its cells in
    all files: ``02139`` remains a code, and ``NA`` a category unless it is among numbers.

    Parameters
    ----------
    source : path, or iterable of paths
        A file; a folder, for all files in it; a pattern such as ``"data/*.parquet"``, in which
        ``**`` matches folders at any depth; ``"-"`` for standard input; or several of these. Files
        of a folder or pattern are read in the order of their names, part-2 before part-10, and
        files whose names begin with ``.`` or ``_``, such as ``_SUCCESS``, are skipped.
    separator : str, optional
        What separates cells; by default, comma, semicolon, tab or ``|``, whichever fits.
    decimal : {".", ","}, optional
        The decimal mark to use if a column's numbers leave it open.
    encoding : str, optional
        By default, the encoding that the first bytes of the file show; otherwise UTF-8, if it fits
        most characters that are not ASCII; otherwise Windows-1252.
    date_order : {"day first", "month first"}, optional
        The order of dates such as 5/1/2024 to use if a column leaves it open.
    missing : sequence of str
        Texts that mark missing values, in any column; empty cells are always missing.
    bad_rows : {"skip", "fail"}, optional
        What to do with rows that have more cells than the header: leave them out, or raise. By
        default, raise only if they are more than 1 % of all rows. Cells that are absent at the end
        of a row are missing values.

    Returns
    -------
    Table

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If there is no such file, or it is not a table; the message names the file and, where
        possible, the line.
    MissingPackageError
        If the file can only be read by pyarrow, and pyarrow is not installed.

    Warns
    -----
    TableWarning
        About decisions that are open to doubt.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "homes-1.csv").write_text("area;kind\n70,5;flat\n120;house\n")
    >>> _ = (folder / "homes-2.jsonl").write_text('{"kind": "loft", "area": 80}\n')
    >>> homes = read_file(folder)
    >>> homes, homes["area"].find_notation().notation.decimal
    (Table(3 rows: area, kind), ',')
    """
    if bad_rows is not None:
        BAD_ROWS.check(bad_rows)
    name, paths = find_sources(source)
    found = [read_one(path, separator, encoding) for path in paths]
    tables = [each.table for each in found]
    if len(tables) > 1:
        _check_decimals(tables, decimal)
    table = tables[0] if len(tables) == 1 else Table.join(tables, name, are_files=True)
    refuse_broken([each.counted for each in found], bad_rows)
    if not len(table):
        raise InvalidDataError("has a header but no rows", paths[0] if len(paths) == 1 else name)
    for remark in _remarks(found):
        warn(TableWarning(remark, ()))
    entries = [table[column] for column in table.columns]
    return Table(entries, decimal=decimal, date_order=date_order).without(missing)


def _check_decimals(tables: Sequence[Table], decimal: str | None) -> None:
    """Raise if a column has decimal points in one file and decimal commas in another.

    Warn if a column is ambiguous in one file but not in another, and `decimal` is not given.
    """
    for column in tables[0].columns:
        first: dict[str, tuple[str, str]] = {}
        are_open = []
        for table in tables:
            found = table[column].find_notation() if column in table.columns else None
            if found is None or found.notation is None:
                continue
            if shows := found.shows or (found.is_open and table.shown_decimal()):
                first.setdefault(shows, (table.name, found.notation.thousands))
            elif found.is_open:
                are_open.append((found.notation.thousands or ".", found.notation, table))
        if len(first) > 1:
            rule = "must have the same decimal mark in all files"
            got = ", ".join(f"{MARKS[mark]} in {first[mark][0]}" for mark in MARKS)
            raise InvalidDataError(rule, f"column {column!r}", got=got)
        for shown, (name, thousands) in first.items() if decimal is None else ():
            # There is no doubt about thousands separators that the other file has too.
            others = (each for each in are_open if each[0] not in (shown, thousands))
            for mark, notation, table in islice(others, 1):
                read = replace(notation, decimal=shown, thousands=mark).number
                numbers = ((text, read(text)) for text in table[column].categories()[1])
                text, number = next(
                    (text, n) for text, n in numbers if mark in text and n is not None and n == n
                )
                says = f"writes {text!r}, which is read as {number:g}, since {name} has decimal "
                note = Note(column, table.name, says + MARKS[shown])
                warn(TableWarning(str(note), (note,)))


def _remarks(found: Sequence[Read]) -> Iterator[str]:
    """Yield each remark once, with the names of all files that it is about."""
    names: dict[str, list[str]] = {}
    for each in found:
        for remark in each.remarks:
            names.setdefault(remark, []).append(each.table.name)
    for remark, (first, *others) in names.items():
        more = f" and {len(others):,} more" if others else ""
        yield f"{first}{more}: {remark}"
