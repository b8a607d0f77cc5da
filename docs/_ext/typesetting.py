"""Changes to pages after parsing: formulas keep their commas, and pictures get alt texts."""

import re

from docutils import nodes
from sphinx.application import Sphinx

_PUNCTUATION = re.compile(r"[.,;:!?)\]’]+")
_SENTENCE = re.compile(r"(?<=[.:!?]) ")


def keep_together(app: Sphinx, doctree: nodes.document) -> None:
    """Put a formula and the punctuation after it into one box, which house.css does not break."""
    for formula in list(doctree.findall(nodes.math)):
        following = formula.next_node(descend=False, siblings=True)
        mark = isinstance(following, nodes.Text) and _PUNCTUATION.match(following)
        if mark:
            place = formula.parent.index(formula)
            formula.parent[place : place + 2] = [
                nodes.inline("", "", formula.deepcopy(), nodes.Text(mark[0]), classes=["unbroken"]),
                nodes.Text(following[mark.end() :]),
            ]


def tell_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Use the sentence before a cell's picture, which describes it, as its alt text."""
    text = ""
    for node in doctree.findall():
        if isinstance(node, nodes.image):
            node.setdefault("alt", text)
        elif isinstance(node, nodes.title | nodes.paragraph):
            text = _SENTENCE.split(" ".join(node.astext().split()))[-1].rstrip(":")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register these functions."""
    app.connect("doctree-read", keep_together)
    app.connect("doctree-read", tell_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
