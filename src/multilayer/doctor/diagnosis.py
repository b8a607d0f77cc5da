"""Diagnosis: the findings, for people and programs."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, overload

from multilayer.doctor.finding import Finding, in_words

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["Diagnosis"]

WIDTH = 88
"""Characters in a line of plain text."""
COLOURS = {"wrong": "#D55E00", "warning": "#0072B2"}
"""Colours that colour-blind readers can tell apart (Okabe & Ito 2008); the text says it too."""
STYLES = {"wrong": "bold red", "warning": "yellow"}


@dataclass(frozen=True, repr=False)
class Diagnosis(Sequence[Finding]):
    """The findings of `diagnose`; those of severity ``"wrong"`` come before warnings.

    ``str`` gives a plain table, rich prints it in colour, and a notebook shows HTML.

    Attributes
    ----------
    subject : str
        The network.
    findings : tuple of Finding
    unchecked : dict of str to str
        What could not be checked, and what each check would need.
    """

    subject: str
    findings: tuple[Finding, ...]
    unchecked: dict[str, str] = field(default_factory=dict)

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Finding, ...]: ...
    def __getitem__(self, index: int | slice) -> Finding | tuple[Finding, ...]:
        return self.findings[index]

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings."""
        return tuple(finding.name for finding in self.findings)

    @property
    def is_wrong(self) -> bool:
        """Whether there is a finding of severity ``"wrong"``."""
        return any(finding.severity == "wrong" for finding in self.findings)

    def to_json(self) -> str:
        """Return a JSON object; infinity and NaN, which JSON does not have, become ``null``."""
        findings = [finding.to_dict() for finding in self.findings]
        for each in findings:
            each["evidence"] = {
                name: value if isinstance(value, str) or math.isfinite(value) else None
                for name, value in each["evidence"].items()
            }
        return json.dumps(
            {"subject": self.subject, "findings": findings, "unchecked": self.unchecked},
            allow_nan=False,
            ensure_ascii=False,
        )

    @property
    def title(self) -> str:
        """The number of findings and the network, in one line."""
        count = {0: "nothing wrong", 1: "1 finding"}.get(len(self), f"{len(self)} findings")
        return f"{count} in {self.subject}"

    def _rest(self) -> list[str]:
        return [f"Not checked: {what} (needs {needs})" for what, needs in self.unchecked.items()]

    def __str__(self) -> str:
        lines = [self.title]
        for finding in self.findings:
            lines += ["─" * WIDTH, f"{finding.severity:8} {finding.name}"]
            for text in (in_words(finding.evidence), finding.meaning, f"→ {finding.advice}"):
                lines += wrap(text, WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 9)
        if self.findings:
            lines.append("─" * WIDTH)
        return "\n".join([*lines, *self._rest()])

    __repr__ = __str__

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.table import Table
        from rich.text import Text

        yield Text(self.title)
        if self.findings:
            table = Table("finding", "evidence, what it means, what to change", show_lines=True)
            for finding in self.findings:
                name = Text(f"{finding.name}\n{finding.severity}", style=STYLES[finding.severity])
                text = Text(in_words(finding.evidence), style="bold", overflow="fold")
                text.append(f"\n{finding.meaning}\n→ {finding.advice}", style="not bold")
                table.add_row(name, text)
            yield table
        for line in self._rest():
            yield Text(line)

    def _repr_html_(self) -> str:
        rows = "".join(_html_row(finding) for finding in self.findings)
        head = "<tr><th>finding</th><th>evidence</th><th>what it means</th><th>change</th></tr>"
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if rows else ""
        rest = "".join(f"<div><small>{escape(line)}</small></div>" for line in self._rest())
        return f"<div><div><b>{escape(self.title)}</b></div>{table}{rest}</div>"


def _html_row(finding: Finding) -> str:
    style = 'style="text-align:left;vertical-align:top"'
    head = (
        f'<b style="color:{COLOURS[finding.severity]}">{escape(finding.severity)}</b><br>'
        f"<code>{escape(finding.name)}</code>"
    )
    evidence = "<br>".join(
        f'<span style="white-space:nowrap">{escape(in_words({name: value}))}</span>'
        for name, value in finding.evidence.items()
    )
    cells = (head, evidence, escape(finding.meaning), escape(finding.advice))
    return "<tr>" + "".join(f"<td {style}>{cell}</td>" for cell in cells) + "</tr>"
