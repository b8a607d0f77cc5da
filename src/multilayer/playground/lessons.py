"""Lessons: which ones the page has; `page/cards/lesson.js` leads a learner through one."""

from pathlib import Path

from multilayer.json_text import read_json
from multilayer.registry import Names

__all__ = ["LESSONS"]

FOLDER = Path(__file__).parent / "page" / "lessons"
LESSONS = Names("lesson", read_json((FOLDER / "index.json").read_text(encoding="utf-8")))
"""The names of the lessons, in an order that teaches; each is a file in `page/lessons/`."""
