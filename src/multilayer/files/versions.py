"""Convert the content of files of older format versions to the current one."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from multilayer.data.entries import cleaned
from multilayer.data.notation import Notation
from multilayer.model.categorical import MOST_CATEGORIES

__all__ = ["inputs_of_version_3", "targets_of_version_3"]


def inputs_of_version_3(found: Any) -> Any:
    """Return the inputs of a version 3 file, which had ``words`` and ``has_gaps``."""
    if not isinstance(found, dict) or found.get("kind") != "columns":
        return found
    columns = found.get("columns")
    return found | {
        "columns": [_column(c) for c in columns] if isinstance(columns, list) else columns,
        "missing": [],
    }


def targets_of_version_3(found: Any) -> Any:
    """Return the targets of a version 3 file, whose numbers were never read from text."""
    if not isinstance(found, dict) or found.get("kind") != "values":
        return found
    return found | {"notation": None}


def _column(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    new = {"words": "categories", "has_gaps": "has_missing"}
    column = {new.get(name, name): value for name, value in found.items()}
    if column.get("kind") == "numeric":
        return column | {"notation": asdict(Notation()) | {"missing": []}}
    words = column.get("categories")
    if isinstance(words, list):
        column |= {"categories": _as_read(words), "has_rare": len(words) >= MOST_CATEGORIES}
    return column


def _as_read(words: list[Any]) -> list[Any]:
    """Return categories stripped of blanks, as tables are read now, unless two would agree."""
    new = [cleaned(word) if isinstance(word, str) else word for word in words]
    counts = Counter(map(str, new))
    return [own if counts[own] == 1 else word for own, word in zip(new, words, strict=True)]
