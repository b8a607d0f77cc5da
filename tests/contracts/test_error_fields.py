"""Errors name parameter and owner in fields of their own, so that a caller can rename them."""

import ast
import re
from pathlib import Path

import multilayer

CHECKS = ("array", "number_array", "finite_array", "vector")


def texts_with_an_owner(source):
    """Return what is given as a parameter or a rule, but reads ``"X of fit"``."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        if name.startswith("checks.") or name in CHECKS:
            texts, pattern = call.args[1:2], r"\S+ of "
        elif name.endswith("Error"):
            texts, pattern = call.args[:1], r"\S+( and \S+)? of \S+( must |: )"
        else:
            continue
        for text in map(ast.unparse, texts):
            if re.match("f?['\"]" + pattern, text):
                yield f"line {call.lineno}: {text}"


def test_what_it_finds():
    assert len(list(texts_with_an_owner('checks.array(y, f"y of {owner}")'))) == 1
    assert len(list(texts_with_an_owner('checks.vector(y, "y of fit", 3)'))) == 1
    assert len(list(texts_with_an_owner('InvalidDataError("y of fit must be there")'))) == 1
    assert not list(texts_with_an_owner('checks.array(y, "y", "fit")'))
    assert not list(texts_with_an_owner('InvalidDataError("must be one of fit\'s", "y", "fit")'))


def test_parameter_and_owner_are_fields():
    sources = sorted(Path(multilayer.__file__).parent.rglob("*.py"))
    found = {path: list(texts_with_an_owner(path.read_text("utf-8"))) for path in sources}
    assert not {str(path): texts for path, texts in found.items() if texts}
