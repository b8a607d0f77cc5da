"""The table of reported situations names every file of tests beside it, and no other."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "reports"
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "**" not in line
][1:]


def test_each_situation_has_a_source_and_what_happens():
    assert len(ROWS) > 90
    assert all(len(row) == 4 and all(row) for row in ROWS)
    assert len({row[0] for row in ROWS}) == len(ROWS)


def test_files_and_names_are_the_same():
    named = {re.fullmatch(r"`(test_\w+)`", row[3])[1] for row in ROWS}
    assert named == {path.stem for path in FOLDER.glob("test_*.py")}
