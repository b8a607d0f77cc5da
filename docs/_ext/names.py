"""Docstrings as Sphinx reads them: names without their whole path, and marks that are no markup."""

import re
from pkgutil import resolve_name
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import NumpyDocstring

# A name with an ending, as in `Model`s.
_ENDING = re.compile(r"(?<!`)(`\w+`)(?=\w)")
# What is left alone: literals, mathematics, roles.
_KEPT = re.compile(r"(``.+?``|:[\w:]+:`.+?`|`.+?`)")


def find_by_last_part(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> Any:
    """Resolve a name by its last part, where only one object of the documentation has it.

    `Loss`, and `multilayer.numpy.losses.base.Loss`, are found as `multilayer.numpy.Loss`. What two
    engines have under one name is the one of the engine from scratch.
    """
    if node.get("refdomain") != "py":
        return None
    objects = env.get_domain("py").objects
    target = str(node["reftarget"]).removesuffix("()")
    last = target.rpartition(".")[2]
    found = [name for name in objects if name.rpartition(".")[2] == last]
    if "." in target and not target.startswith("multilayer."):
        found = [name for name in found if name.endswith(f".{target}")]
    if len(found) > 1:
        found = [name for name in found if name.startswith("multilayer.numpy.")]
    if len(found) != 1:
        return contnode if _exists(target) else None
    entry = objects[found[0]]
    uri = app.builder.get_relative_uri(
        env.current_document.docname or node["refdoc"], entry.docname
    )
    return nodes.reference(
        "", "", contnode, refuri=f"{uri}#{entry.node_id}", reftitle=found[0], internal=True
    )


def _exists(target: str) -> bool:
    """Whether the name is one of the package, though it has no page: a module's, say."""
    try:
        resolve_name(target)
    except (ImportError, AttributeError, ValueError):
        return False
    return True


def plain(text: str) -> str:
    """Return a line of a docstring's prose as reStructuredText that reads the same."""
    parts = _KEPT.split(_ENDING.sub(r"\1\\ ", text))
    parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
    return "".join(parts)


def escape_prose(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Write a docstring's ``|x|`` so that it is an absolute value and no substitution.

    Literal blocks, examples and mathematics are left as they are: all but examples are indented
    below a line that ends in a colon or is a directive.
    """
    inside = -1  # the indentation of the directive or literal whose block this is
    for i, line in enumerate(lines):
        indentation = len(line) - len(line.lstrip())
        if line.strip() and indentation <= inside:
            inside = -1
        if inside < 0 and not line.lstrip().startswith(">>>"):
            lines[i] = plain(line)
        if inside < 0 and (line.lstrip().startswith(".. ") or line.rstrip().endswith("::")):
            inside = indentation


def keep_whole(docstring: NumpyDocstring) -> list[str]:
    """Take a property's ``The arrays that …: none`` for a text; napoleon sees a type in it."""
    return docstring._dedent(docstring._consume_to_end())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register them."""
    app.connect("missing-reference", find_by_last_part)
    NumpyDocstring._parse_attribute_docstring = keep_whole
    app.connect("autodoc-process-docstring", escape_prose)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
