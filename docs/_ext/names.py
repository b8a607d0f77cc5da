"""Docstrings for Sphinx: names without their full path, and characters that are not markup."""

import re
from pkgutil import resolve_name
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import NumpyDocstring

# A name with a suffix, as in `Model`s.
_ENDING = re.compile(r"(?<!`)(`\w+`)(?=\w)")
# The modules in a path, as in multilayer.numpy.losses.base.Loss.
_MODULES = re.compile(r"^multilayer\.(?:[a-z]\w*\.)*")
# The derivative of a function with a short name; Sphinx would make a quotation mark of the prime.
_PRIME = re.compile(r"(?<![\w'])([^\W\d_]|tanh)'(?![\w'])")
_SIGN = re.compile(r" ([−+]) ")
# A parameter's type, as napoleon writes it; its quotation marks belong to Python.
_TYPE = re.compile(r"\(\*.+?\*\)")
# Text that stays unchanged: literals, mathematics, roles.
_KEPT = re.compile(r"(``.+?``|:[\w:]+:`.+?`|`.+?`)")


def find_by_last_part(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> Any:
    """Resolve a name by its last part if only one documented object has this name.

    `Loss` and `multilayer.numpy.losses.base.Loss` are both found as `multilayer.numpy.Loss`. If
    both engines have the name, it means that of the engine from scratch. A member is found only
    together with its class, as in `Loss.targets`, since a bare `shape` may be a word; Sphinx itself
    resolves a bare member in the docstring of its class.
    """
    if node.get("refdomain") != "py":
        return None
    objects = env.get_domain("py").objects
    target = str(node["reftarget"]).removesuffix("()")
    ending = _MODULES.sub("", target)
    found = [name for name in objects if f".{name}".endswith(f".{ending}")]
    if "." not in ending:
        found = [name for name in found if _stands_alone(name, objects)]
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


def _stands_alone(name: str, objects: Any) -> bool:
    """Return whether the name is that of a function, class or registry, not a member or module."""
    parent = objects.get(name.rpartition(".")[0])
    is_member = parent is not None and parent.objtype in {"class", "exception"}
    return not is_member and objects[name].objtype != "module"


def _exists(target: str) -> bool:
    """Return whether the package has the name, even without a page, such as a module."""
    try:
        resolve_name(target)
    except (ImportError, AttributeError, ValueError):
        return False
    return True


def plain(text: str) -> str:
    """Return a line of a docstring's prose as reStructuredText that renders the same."""
    parts = _KEPT.split(_ENDING.sub(r"\1\\ ", text))
    parts[::2] = [typeset(part).replace("|", r"\|") for part in parts[::2]]
    return "".join(parts)


def typeset(text: str) -> str:
    """Return plain-text formulas typeset: σ′ with a prime, and 1 − τ without a line break."""
    return _SIGN.sub("\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", _PRIME.sub("\\1′", text))


def escape_prose(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Escape a docstring's ``|x|``, which is an absolute value, not a substitution.

    Literal blocks, examples and mathematics stay unchanged: an example ends at an empty line, the
    others are indented below a line that ends in a colon or is a directive.
    """
    inside = -1  # the indentation of the directive or literal that contains the line
    in_example = False
    for i, line in enumerate(lines):
        words = line.strip()
        indentation = len(line) - len(line.lstrip())
        if words and indentation <= inside:
            inside = -1
        in_example = bool(words) and (in_example or words.startswith(">>>"))
        if inside < 0 and not in_example:
            lines[i] = _TYPE.sub(_keep_quotes, plain(line))
        if inside < 0 and (words.startswith(".. ") or words.endswith("::")):
            inside = indentation


def _keep_quotes(found: re.Match[str]) -> str:
    return re.sub(r"(['\"])", r"\\\1", found[0])


def keep_whole(docstring: NumpyDocstring) -> list[str]:
    """Keep a property's ``The arrays that …: none`` as text; napoleon would see a type in it."""
    return docstring._dedent(docstring._consume_to_end())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register these functions."""
    app.connect("missing-reference", find_by_last_part)
    NumpyDocstring._parse_attribute_docstring = keep_whole
    app.connect("autodoc-process-docstring", escape_prose)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
