"""Text from outside: read JSON strictly, and make any text safe to print."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from multilayer.errors import InvalidArgumentError

__all__ = ["finite", "listed", "printable", "read_json"]

MAX_DEPTH = 100
N_LISTED = 10
"""How many values of a long list `listed` shows, besides the last one."""
TOO_DEEP = f"the JSON is nested too deeply: more than {MAX_DEPTH} levels"


def read_json(text: str) -> Any:
    """Return the value of a JSON text, read strictly.

    Python's own parser accepts NaN, reads 1e999 as infinity, and keeps the last of two equal names.
    All of these are refused here, as is nesting of more than 100 levels, which recursive code could
    not follow.

    Raises
    ------
    InvalidArgumentError
        If `text` is not JSON, or contains any of these.

    Examples
    --------
    >>> read_json('{"widths": [3, 4]}')
    {'widths': [3, 4]}
    >>> read_json('{"width": 3, "width": 4}')
    Traceback (most recent call last):
    ...
    multilayer.errors.InvalidArgumentError: the name 'width' appears twice in one JSON object
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refused, parse_float=_number
        )
    except InvalidArgumentError:
        raise
    except RecursionError as error:
        raise InvalidArgumentError(TOO_DEEP) from error
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(str(error)) from error
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        outer = [each for each in level if isinstance(each, (dict, list))]
        if not outer:
            return value
        level = [inner for each in outer for inner in _inside(each)]
    raise InvalidArgumentError(TOO_DEEP)


def _inside(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidArgumentError(f"the name {twice!r} appears twice in one JSON object")
    return found


def _refused(text: str) -> Any:
    raise InvalidArgumentError(f"numbers in JSON must be finite; got {text}")


def _number(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


def finite(value: Any) -> Any:
    """Return `value` with None in place of infinity and NaN, which JSON does not have.

    Examples
    --------
    >>> finite({"losses": [0.5, math.inf]})
    {'losses': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def printable(text: str) -> str:
    r"""Return `text` with non-printable characters escaped, so it cannot control a terminal.

    Examples
    --------
    >>> printable("naïve\x1b[2J")
    'naïve\\x1b[2J'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listed(values: Iterable[Any]) -> str:
    """Join values with commas; shorten a long list to its first values, the last and the count.

    Examples
    --------
    >>> listed(range(100))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …, 99 (100)'
    """
    texts = [str(value) for value in values]
    if len(texts) > N_LISTED + 1:
        texts = [*texts[:N_LISTED], "…", f"{texts[-1]} ({len(texts):,})"]
    return ", ".join(texts)
