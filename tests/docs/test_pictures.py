"""The README's picture of boundaries, which the landing page draws as well, shows what it says."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_layer_bends_the_plane_a_little_more():
    drawn = runpy.run_path(str(ROOT / "docs" / "pictures" / "make.py"))
    X, y = drawn["spirals"]()
    accuracy = [clf.score(X, y) for clf in drawn["networks"]().values()]
    assert len(accuracy) == 3
    assert accuracy[0] < accuracy[1] < accuracy[2]
    [picture] = re.findall(
        r"!\[(.*)\]\(docs/pictures/decision_boundaries.png\)", (ROOT / "README.md").read_text()
    )
    for share in accuracy:
        assert f"{100 * share:g} %" in picture
