"""What files of older format versions hold, as the present one has it."""

from dataclasses import asdict
from typing import Any

from multilayer.data.notation import Notation
from multilayer.model.categorical import MOST_CATEGORIES

__all__ = ["inputs_of_version_3"]


def inputs_of_version_3(found: Any) -> Any:
    """Return the inputs of a file of version 3, whose columns had words and gaps."""
    if not isinstance(found, dict) or found.get("kind") != "columns":
        return found
    columns = found.get("columns")
    return found | {
        "columns": [_column(c) for c in columns] if isinstance(columns, list) else columns,
        "missing": [],
    }


def _column(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    new = {"words": "categories", "has_gaps": "has_missing"}
    column = {new.get(name, name): value for name, value in found.items()}
    if column.get("kind") == "numeric":
        return column | {"notation": asdict(Notation()) | {"missing": []}}
    words = column.get("categories")
    return column | {"has_rare": isinstance(words, list) and len(words) >= MOST_CATEGORIES}
