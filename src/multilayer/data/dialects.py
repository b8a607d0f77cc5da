"""Dialects of CSV: a file's encoding, its separator, and where its table begins."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from operator import or_
from typing import IO, NamedTuple, TextIO

from multilayer.data.dates import moment
from multilayer.data.numerals import is_missing_mark, plain
from multilayer.errors import InvalidArgumentError, InvalidDataError

__all__ = [
    "Dialect",
    "Opens",
    "cells",
    "find_dialect",
    "find_encoding",
    "is_blank",
    "named",
    "opened",
]

Opens = Callable[[], IO[bytes]]
"""A function that opens a file's content at its beginning each time it is called."""

MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""Byte order marks, and the encodings that they indicate."""
SEPARATORS = (",", ";", "\t", "|")
OTHERS = {
    **dict.fromkeys(SEPARATORS, "if each row is quoted as a whole, remove those quotes"),
    **{each: f"if {each!r} separates cells, give it as the separator" for each in " ^~"},
}
"""What may separate cells in lines that seem to have only one cell, and what to do then."""
SAMPLE = 2**18
"""About how many characters to look at, in whole lines."""
SAMPLE_LINES = 20
"""Lines to look at first, however long they are."""
PART = 2**20
"""Characters to decode at a time when an encoding is tried."""


class Dialect(NamedTuple):
    """How a file is written."""

    separator: str
    names: tuple[str, ...]
    """Column names in order; an empty one becomes ``Unnamed: 0``, with its position."""
    n_above: int
    """Number of lines above the first row, including the header."""
    remarks: tuple[str, ...] = ()
    """Decisions that are open to doubt."""


def find_encoding(opens: Opens, asked: str | None, path: object) -> tuple[str, tuple[str, ...]]:
    """Return a file's encoding, and remarks on what is open to doubt about it.

    It is the encoding that is `asked` for, the one that a byte order mark indicates, or one that
    can decode the whole file. UTF-8 is also chosen if it decodes most of the non-ASCII characters.

    Raises
    ------
    InvalidArgumentError
        If Python knows no encoding of the name `asked`.
    InvalidDataError
        If the file is not text in this encoding.
    """
    with opens() as file:
        first = file.read(100)
    known = asked or next((name for mark, name in MARKS.items() if first.startswith(mark)), None)
    names = [known] if known else ["utf-8", "cp1252", "latin-1"]
    if known is None and b"\0" in first:  # UTF-16 without a mark, or not text at all
        names.insert(0, "utf-16-le" if first[1:2] == b"\0" else "utf-16-be")
    for name in names:
        try:
            with opened(opens, name, "strict") as text:
                _check_text(text, path)
        except LookupError as error:
            rule = "must be one that Python knows, such as utf-8, cp1252"
            raise InvalidArgumentError(rule, "encoding", got=repr(name)) from error
        except UnicodeError as error:
            if known:
                rule = f"must be text in {name}: {_placed(error, opens, name)}"
                raise InvalidDataError(rule, path) from error
            if name == "utf-8" and (stray := _stray(opens)):
                return name, (stray,)
        else:
            remark = f"it is not UTF-8 and is read as {name}; if that is wrong, give its encoding"
            return name, () if known or name.startswith("utf") else (remark,)
    raise AssertionError  # latin-1 decodes everything


def _stray(opens: Opens) -> str | None:
    """Return a remark on bytes that are not UTF-8, if more non-ASCII characters are UTF-8."""
    n_good = n_bad = first = 0
    line = 1
    with opened(opens, "utf-8", "surrogateescape") as text:
        while part := text.read(PART):
            if "\0" in part:
                return None  # it is not text
            bad = re.findall("[\udc80-\udcff]", part)
            n_good += len(re.findall("[^\0-\x7f]", part)) - len(bad)
            if bad and not n_bad:
                first = line + part.count("\n", 0, part.index(bad[0]))
            n_bad += len(bad)
            line += part.count("\n")
    if n_bad >= n_good:
        return None
    what = f"a byte in line {first:,} is not UTF-8 and is"
    if n_bad > 1:
        what = f"{n_bad:,} bytes are not UTF-8, the first in line {first:,}, and are"
    return f"{what} read as �; if the whole file is in another encoding, give that"


def _check_text(text: TextIO, path: object) -> None:
    """Raise if a file contains a NUL character, and so is not text."""
    line = 1
    while part := text.read(PART):
        if "\0" in part:
            line += part.count("\n", 0, part.index("\0"))
            raise InvalidDataError(
                "must be text", path, got=f"a NUL character, as in binary files, in line {line:,}"
            )
        line += part.count("\n")


def _placed(error: UnicodeError, opens: Opens, encoding: str) -> str:
    """Return an error's message, with the line and the position in the whole file."""
    decoder, line, n_read = codecs.getincrementaldecoder(encoding)(), 1, 0
    try:
        with opens() as file:
            while part := file.read(PART):
                n_read += len(part)
                line += decoder.decode(part).count("\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as found:
        line += found.object[: found.start].decode(encoding, "ignore").count("\n")
        place = n_read - len(found.object) + found.start
        return f"line {line:,}: " + re.sub(r"position \d+(-\d+)?", f"position {place}", str(found))
    except UnicodeError:  # without a position, such as for a missing byte order mark
        pass
    return str(error)


def opened(opens: Opens, encoding: str, errors: str = "replace") -> io.TextIOWrapper:
    """Open a file as text, without its byte order mark, to be read in parts.

    Bytes that cannot be decoded become � by default: `find_encoding` has already checked them. The
    whole text at once would take up to four times as much memory as the file.
    """
    codecs.lookup(encoding)  # raises before the file is opened
    text = io.TextIOWrapper(opens(), encoding, errors, newline="")
    try:
        if text.read(1) != "\ufeff":
            text.seek(0)
    except BaseException:
        text.close()
        raise
    return text


def cells(
    lines: Iterable[str], separator: str, *, is_whole: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's line number, counted from 1, and its cells.

    A row that spans several lines, by a quote, has the number of the last one. An empty line has no
    cells; a line ``""`` has one empty cell. If the text is only the beginning of a file (`is_whole`
    is False), rows end before a cell that is too long.

    Raises
    ------
    csv.Error
        If the text is whole, and a quote is not closed, or not closed at the end of its cell; the
        message names the line.
    """
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=is_whole)
    n_before = 0
    try:
        for row in reader:
            yield reader.line_num, row
            n_before = reader.line_num
    except csv.Error as error:
        if not is_whole:
            return
        begun = f", in the row that begins in line {n_before + 1:,}"
        raise csv.Error(
            f"line {reader.line_num:,}: {error}{begun * (n_before + 1 < reader.line_num)}"
        ) from error


def is_blank(row: list[str]) -> bool:
    """Return whether all cells are blank."""
    return not any(map(str.strip, row))


def named(row: list[str]) -> tuple[str, ...]:
    """Return the names in a header; an empty one becomes ``Unnamed: 0``, with its position."""
    return tuple(cell.strip() or f"Unnamed: {i}" for i, cell in enumerate(row))


def find_dialect(text: TextIO, separator: str | None, path: object) -> Dialect:
    """Return the dialect of a file's text, judged by its beginning.

    The separator is the one that gives the largest share of lines the same number of cells; if
    several do, the one that gives the most cells. The header is the first line with that number of
    cells, or else the line above it in one of three cases:

    - only one of the two lines ends in separators;
    - the line above is the first line and has one cell fewer: rows begin with their names or, if
      their first cells cannot be names, are broken;
    - the line above has more cells and looks like names, which the line below does not: rows lack
      cells at their end.

    Lines above the header are skipped, and so are titles and comments with the same number of
    cells. A first line of only numbers, dates, and texts that occur again below is a row and not a
    header, unless it is 0, 1, 2, ….

    Raises
    ------
    InvalidDataError
        If the file is empty, or two columns have the same name.
    """
    lines = [*islice(text, SAMPLE_LINES), *text.readlines(SAMPLE)]
    is_whole = not text.read(1)
    given = re.match(r'"?sep=(.)"?[\r\n]', "".join(lines[:1]), re.IGNORECASE)  # for Excel
    separator, n_given = separator or (given and given[1]), int(given is not None)
    filled = {}
    for each in [separator] if separator else SEPARATORS:
        sample = [row for _, row in cells(lines, each, is_whole=False)]
        sample = sample if is_whole else sample[:-1]  # the last may be cut off
        filled[each] = [
            (i, row) for i, row in enumerate(sample) if i >= n_given and not is_blank(row)
        ]
    best = max(filled, key=lambda each: _consistency([row for _, row in filled[each]]))
    places, rows = [place for place, _ in filled[best]], [row for _, row in filled[best]]
    if not rows:
        is_empty = not any(map(str.strip, lines))
        what = "it is empty" if is_empty else f"its first {len(lines)} lines have no cells"
        raise InvalidDataError(f"must have a header and rows below it; {what}", path)
    header, n_rows_above, remarks = _header(rows)
    if len(header) == 1 and n_rows_above and not separator:
        remarks += _in_one_cell([row[0] for row in rows[n_rows_above - 1 :]])
    names = named(header)
    twice, n = Counter(names).most_common(1)[0]
    if n > 1:
        rule = "must have a different name for each column: rename one"
        raise InvalidDataError(rule, path, got=f"{twice!r} twice")
    n_above = places[n_rows_above - 1] + 1 if n_rows_above else places[0]
    return Dialect(best, names, n_above, tuple(remarks))


def _in_one_cell(lines: list[str]) -> list[str]:
    """Return a remark on lines of one cell if they seem to contain another separator."""
    for each, what in OTHERS.items():
        rows = [line.split(None if each == " " else each) for line in lines]
        if len(set(map(len, rows))) == 1 < len(rows[0]) and any(map(plain, rows[-1])):
            return [f"it has one column, {lines[0]!r}; {what}"]
    return []


def _consistency(rows: list[list[str]]) -> tuple[float, int]:
    """Return the share of lines with the most frequent number of cells, and that number.

    Return 0 and 1 if that number is 1, or if less than half of the lines have it.
    """
    width = _width(rows)
    n = sum(len(row) == width for row in rows)
    return (n / len(rows), width) if width > 1 and 2 * n >= len(rows) else (0.0, 1)


def _width(rows: list[list[str]]) -> int:
    """Return the most frequent number of cells; if there are several, the largest."""
    counts = Counter(map(len, rows))
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _header(rows: list[list[str]]) -> tuple[list[str], int, list[str]]:
    """Return the column names, the number of lines above the first row, and remarks."""
    width = _width(rows)
    first = next(i for i, row in enumerate(rows) if len(row) == width)
    names = rows[first]
    beside = _beside(rows[first - 1], rows, width, is_first=first == 1) if first else None
    if beside is not None:
        first, names = first - 1, beside
    elif n_titles := _n_titles(rows[first:], width):
        first, names = first + n_titles, rows[first + n_titles]
    remarks = []
    if names[1:] == rows[first]:
        remarks.append(
            "its rows have one more cell than its header: the first is taken as the row's name"
        )
    if first:
        lines = (
            "a line above its header is" if first == 1 else f"{first} lines above its header are"
        )
        remarks.append(f"{lines} skipped")
    if _is_row(names, rows[first + 1 :]):
        remarks.append(
            "its first line looks like the others and is taken as a row: it has no header"
        )
        return [f"column {i}" for i in range(1, width + 1)], first, remarks
    return names, first + 1, remarks


def _beside(
    line: list[str], rows: list[list[str]], width: int, *, is_first: bool
) -> list[str] | None:
    """Return the names in a line with more or fewer cells than the rows; None if it has no names.

    It has fewer cells if the rows begin with names, are broken or end in separators, and more cells
    if it ends in separators itself or the rows lack cells.
    """
    full = [row for row in rows if len(row) == width]
    n_ends = next(n for n in range(width) if any(row[width - 1 - n].strip() for row in full))
    n_filled = max(i for i, cell in enumerate(line, 1) if cell.strip())
    if n_filled > 1 and width - n_ends <= n_filled <= width:
        return [*line, *[""] * width][:width]
    if len(line) > width and _has_names([line, *full], len(line)):
        again = any(cell.strip() and cell in below for cell, *below in zip(*full, strict=True))
        return line if again or not _has_names(full, width) else None
    if not is_first or not 1 < len(line) == width - 1:
        return None
    return ["", *line] if _are_row_names([row[0].strip() for row in full]) else line


def _are_row_names(cells: list[str]) -> bool:
    """Return whether the rows' first cells are their names: distinct texts, or increasing numbers.

    Numbers may be missing, as in a part of a table. Only the first ones are checked: in
    concatenated files, they start again.
    """
    first = cells[:SAMPLE_LINES]
    if all(map(str.isdecimal, first)):
        return all(int(a) < int(b) for a, b in pairwise(first))
    return len(set(cells)) == len(cells) and not any(map(plain, cells))


def _n_titles(rows: list[list[str]], width: int) -> int:
    """Return how many of the first lines, above names, are comments or titles in a single cell."""
    n = 0
    for row in rows:
        if not row[0].lstrip().startswith("#") and (width == 1 or not is_blank(row[1:])):
            break
        n += 1
    return next((k for k in range(min(n, len(rows) - 1), 0, -1) if _has_names(rows[k:], width)), 0)


def _has_names(rows: list[list[str]], width: int) -> bool:
    """Return whether the first of these lines seems to have column names.

    It does if none of its cells is a number or marks a missing value, and if some name is above a
    column of numbers, or most of at least three cells have names.
    """
    names = [cell.strip() for cell in rows[0]]
    if len(names) != width or any(plain(name) or is_missing_mark(name) for name in names):
        return False
    below = [[row[i].strip() for row in rows[1:] if i < len(row)] for i in range(width)]
    columns = [(name, column) for name, column in zip(names, below, strict=True) if name]
    has_numbers = any(2 * sum(map(plain, column)) > len(column) for _, column in columns)
    return has_numbers or (width > 2 and 2 * len(columns) > width)


def _is_row(names: list[str], rows: list[list[str]]) -> bool:
    """Return whether a supposed header is a row: numbers, dates, and texts that occur again.

    If it has only texts, two of them must be equal, which names are not.
    """
    columns = [[row[i].strip() for row in rows if i < len(row)] for i in range(len(names))]
    cells = [name.strip() for name in names]
    if len(cells) > 2 and cells == [str(i) for i in range(len(cells))]:  # a frame without names
        return False
    are_values = [
        plain(cell) or (_is_date(cell) and any(map(_is_date, column)))
        for cell, column in zip(cells, columns, strict=True)
    ]
    occur = [cell in column for cell, column in zip(cells, columns, strict=True)]
    is_like_rows = all(map(or_, are_values, occur))
    return is_like_rows and (any(are_values) or len(set(cells)) < len(cells))


def _is_date(text: str) -> bool:
    return moment(text) is not None
