"""The names of the page's lessons; `page/cards/lesson.js` shows a lesson."""

from pathlib import Path

from multilayer.json_text import read_json
from multilayer.registry import Names

__all__ = ["LESSONS"]

FOLDER = Path(__file__).parent / "page" / "lessons"
LESSONS = Names("lesson", read_json((FOLDER / "index.json").read_text(encoding="utf-8")))
"""The names of the lessons, in teaching order; each is a file in `page/lessons/`."""
