"""Finding: one problem, with its evidence."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from multilayer.data import TableWarning

__all__ = ["Evidence", "Finding", "FindingWarning", "in_words", "severity_of"]

Evidence = Mapping[str, float | str]
"""Measurements by name; a value may also be the name of a class or column."""
SEVERITIES = ("wrong", "warning")


@dataclass(frozen=True)
class Finding:
    """A problem with a network, its training or its data.

    Attributes
    ----------
    name : str
        The kind of problem, such as ``"dead_units"``.
    severity : {"wrong", "warning"}
        ``"wrong"`` keeps the network from learning or makes its answers useless; ``"warning"``
        costs time or accuracy.
    evidence : dict of str to number or str
        What was measured, and the class or column it belongs to.
    meaning : str
        What the evidence means, in a sentence.
    advice : str
        What to change, in a sentence.
    """

    name: str
    severity: str
    evidence: Evidence
    meaning: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Any) -> Self | None:
        """Return the finding that `to_dict` described; None if `found` does not describe one."""
        if not isinstance(found, dict):
            return None
        texts: dict[str, Any] = {
            name: found.get(name) for name in ("name", "severity", "meaning", "advice")
        }
        evidence: Any = found.get("evidence")
        is_one = (
            all(isinstance(text, str) for text in texts.values())
            and texts["severity"] in SEVERITIES
            and isinstance(evidence, dict)
            and all(isinstance(value, (int, float, str)) for value in evidence.values())
        )
        return cls(evidence=evidence, **texts) if is_one else None


class FindingWarning(TableWarning):
    """A warning about a finding that was made while an estimator was fitted to a table.

    Attributes
    ----------
    finding : Finding
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.meaning} {finding.advice}", ())
        self.finding = finding

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.finding,)


def severity_of(is_wrong: bool) -> str:
    """Return the severity as a string."""
    return "wrong" if is_wrong else "warning"


def in_words(evidence: Evidence) -> str:
    """Return the evidence in one line: ``share: 0.5, units: 64``."""
    return ", ".join(f"{name}: {_in_words(value)}" for name, value in evidence.items())


def _in_words(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
