"""Finding: one thing that is wrong, with its evidence."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Evidence", "Finding", "in_words", "severity_of"]

Evidence = Mapping[str, float | str]
"""What was measured, by name; a name where it is a class or a column that it tells of."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a network, its training or its data.

    Attributes
    ----------
    name : str
        What it is: ``"dead_units"``.
    severity : {"wrong", "warning"}
        ``"wrong"`` is what keeps the network from learning or makes its answers useless;
        ``"warning"`` is what costs time or accuracy.
    evidence : dict of str to number or str
        What was measured, and the names of what it was measured of.
    meaning : str
        A sentence that says what it means.
    advice : str
        A sentence that says what to change.
    """

    name: str
    severity: str
    evidence: Evidence
    meaning: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return asdict(self)


def severity_of(is_wrong: bool) -> str:
    """Return the word for it."""
    return "wrong" if is_wrong else "warning"


def in_words(evidence: Evidence) -> str:
    """Return the evidence in a line: ``share: 0.5, units: 64``."""
    return ", ".join(f"{name}: {_in_words(value)}" for name, value in evidence.items())


def _in_words(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
