"""Ignored: a column that is not used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.entries import Entries
from multilayer.data.notes import Note
from multilayer.model.column import NOTHING, Column, Found, parts_of

__all__ = ["Ignored"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Ignored(Column):
    """A column that makes no inputs, and may be absent when the model predicts.

    Parameters
    ----------
    name : str
    reason : str
        Why it is ignored: ``"identifiers"``, ``"one value"``, ``"no entries"``; empty if the user
        chose this.
    """

    kind: ClassVar[str] = "ignored"

    name: str
    reason: str = ""

    @classmethod
    def of(
        cls, entries: Entries, said: Mapping[str, str] = NOTHING, *, is_asked: bool = False
    ) -> Found:
        return Found(cls(entries.column) if is_asked else None)

    @property
    def becomes(self) -> str:
        return f"left out: {self.reason}" if self.reason else "left out"

    @property
    def input_names(self) -> tuple[str, ...]:
        return ()

    def encode(self, entries: Entries, notes: list[Note]) -> Array:
        return np.empty((len(entries), 0), np.float32)

    def __str__(self) -> str:
        return f"ignored: {self.reason}" if self.reason else "ignored"

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        return cls(**parts_of(found, "an ignored column", {"name": str, "reason": str}))
