"""Finding: one thing that is wrong, with its evidence."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Finding", "Number", "in_words", "severity_of"]

Number = float | int


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
    evidence : dict of str to number
        What was measured.
    meaning : str
        A sentence that says what it means.
    advice : str
        A sentence that says what to change.
    """

    name: str
    severity: str
    evidence: dict[str, Number]
    meaning: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return asdict(self)


def severity_of(is_wrong: bool) -> str:
    """Return the word for it."""
    return "wrong" if is_wrong else "warning"


def in_words(evidence: dict[str, Number]) -> str:
    """Return the evidence in a line: ``share: 0.5, units: 64``."""
    return ", ".join(
        f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value:.4g}"
        for name, value in evidence.items()
    )
