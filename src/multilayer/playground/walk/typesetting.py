"""Typesetting: plain-text formulas, and numbers, as TeX.

The plain-text formulas are `formula` and `derivative_formula` of the registries, so that each
formula is written only once.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["name_of", "number", "signed", "takes_numbers", "typeset"]

DIGITS = 3
WORDS = {
    "α": r"\alpha",
    "δ": r"\delta",
    "λ": r"\lambda",
    "π": r"\pi",
    "τ": r"\tau",
    "φ": r"\varphi",
    "Φ": r"\Phi",
    "Σ": r"\sum",
    "ŷ": r"\hat y",
    **{name: rf"\{name}" for name in ("exp", "log", "max", "min", "tanh")},
}
SIGNS = {"−": "-", "½": r"\tfrac12", "≤": r"\le", "≈": r"\approx", "·": r"\cdot"}
BARS = {"|": (r"\lvert", r"\rvert"), "‖": (r"\lVert", r"\rVert")}
RAISED = dict(zip("⁻⁺⁰¹²³ᶻᵃᵘ", "-+0123zau", strict=True))
TOKENS = re.compile(
    rf"(?P<raised>[{''.join(RAISED)}]+)|(?P<number>\d+(\.\d+)?)|(?P<word>[^\W\d_½{''.join(RAISED)}]+)"
    r"(_(?P<sub>\w))?|(?P<sign>[^\s\w]|½)"
)


class _Atom(NamedTuple):
    """A piece of TeX; if it is a group in parentheses, `bare` is the TeX without them."""

    tex: str
    bare: str


def typeset(formula: str, values: Mapping[str, str] | None = None) -> str:
    r"""Return a plain-text formula as TeX.

    Parameters
    ----------
    formula : str
    values : mapping of str to str, optional
        TeX to insert in place of variables.

    Examples
    --------
    >>> print(typeset("1/(1 + e⁻ᶻ)"))
    \frac{1}{1 + e^{-z}}
    >>> print(typeset("1 if z > 0 else a + 1"))
    \begin{cases} 1 & z > 0 \\ a + 1 & \text{otherwise} \end{cases}
    >>> print(typeset("max(0, z)", {"z": "(-0.5)"}))
    \max ( 0 , -0.5 )
    """
    parts = []
    for part in _parts(formula):
        head, _, rest = part.partition(" if ")
        condition, _, other = rest.partition(" else ")
        if not rest:
            parts.append(_expression(part, values or {}))
            continue
        outside = "Σ " if head.startswith("Σ ") else ""  # the sum is over both cases
        inner = [head.removeprefix(outside), condition, other]
        first, when, second = (_expression(each, values or {}) for each in inner)
        cases = rf"{first} & {when} \\ {second} & \text{{otherwise}}"
        sign = r"\sum " if outside else ""
        parts.append(rf"{sign}\begin{{cases}} {cases} \end{{cases}}")
    return r",\quad ".join(parts)


def takes_numbers(formula: str, variables: Iterable[str]) -> bool:
    """Return whether a formula is a single expression without variables other than these.

    Examples
    --------
    >>> takes_numbers("max(0, z)", "z"), takes_numbers("s + a (1 − s)", "az")
    (True, False)
    """
    words = {token["word"] for token in TOKENS.finditer(formula)} - {None}
    known = {*variables, *WORDS, "e"}
    return len(_parts(formula)) == 1 and words <= known


def name_of(function: str) -> str:
    r"""Return the name of an activation as TeX.

    >>> print(name_of("leaky_relu"))
    \operatorname{leaky\ relu}
    """
    words = function.replace("_", r"\ ")
    return rf"\operatorname{{{words}}}"


def number(value: float, more_digits: int = 0) -> str:
    r"""Return a number as TeX, with three significant digits, or `more_digits` more.

    >>> print(number(-0.12345), number(0.0000123))
    -0.123 1.23 \times 10^{-5}
    """
    text = f"{value + 0.0:.{DIGITS + more_digits}g}"  # −0 becomes 0
    if text.lstrip("-") in ("inf", "nan"):
        return text.replace("inf", r"\infty").replace("nan", r"\text{NaN}")
    mantissa, _, exponent = text.partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def signed(value: float) -> str:
    """Return a number as TeX, in parentheses if it is negative or has an exponent."""
    text = number(value)
    return f"({text})" if text.startswith("-") or "times" in text else text


def _parts(formula: str) -> list[str]:
    """Split a formula at the commas outside parentheses."""
    parts, depth, start = [], 0, 0
    for i, sign in enumerate(formula):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            parts.append(formula[start:i])
            start = i + 2
    return [*parts, formula[start:]]


def _expression(text: str, values: Mapping[str, str]) -> str:
    tokens = list(TOKENS.finditer(text))
    tex = " ".join(atom.tex for atom in _atoms(tokens, values, ""))
    # A negative number alone in parentheses, or between commas, needs no second pair.
    tex = re.sub(r"(\( |, |\\lvert )\((-[^()]*)\)(?= [,)]| \\rvert)", r"\1\2", tex)
    return tex.replace(" '", "'").replace(" ^", "^")


def _atoms(tokens: list[re.Match[str]], values: Mapping[str, str], end: str) -> list[_Atom]:
    """Remove tokens from a list, up to the sign that ends a group, and return them as TeX."""
    atoms: list[_Atom] = []
    is_below = False  # whether the next atom is a denominator
    while tokens:
        token = tokens.pop(0)
        sign = token["sign"]
        if end and sign == end:
            break
        if sign == "/":
            is_below = True
            continue
        atom = _atom(token, tokens, values)
        if tokens and (raised := tokens[0]["raised"]):
            tokens.pop(0)
            tex = f"{atom.tex}^{{{_raised(raised, values)}}}"
            atom = _Atom(tex, tex)
        if is_below:
            if atom.tex == WORDS["Σ"]:  # the denominator is a sum: add what follows
                (following,) = _atoms([tokens.pop(0), *_pop_raised(tokens)], values, "")
                atom = _Atom(*2 * (f"{atom.tex} {following.tex}",))
            above, is_below = atoms.pop(), False
            fraction = rf"\frac{{{above.bare}}}{{{atom.bare}}}"
            atom = _Atom(fraction, fraction)
        atoms.append(atom)
    return atoms


def _pop_raised(tokens: list[re.Match[str]]) -> list[re.Match[str]]:
    return [tokens.pop(0)] if tokens and tokens[0]["raised"] else []


def _atom(token: re.Match[str], tokens: list[re.Match[str]], values: Mapping[str, str]) -> _Atom:
    sign, word = token["sign"], token["word"]
    if sign == "(":
        inner = " ".join(atom.tex for atom in _atoms(tokens, values, ")"))
        return _Atom(f"( {inner} )", inner)
    if sign in BARS:
        left, right = BARS[sign]
        inner = " ".join(atom.tex for atom in _atoms(tokens, values, sign))
        return _Atom(*2 * (f"{left} {inner} {right}",))
    if sign == "√":
        (token, *_) = [tokens.pop(0)]
        return _Atom(*2 * (rf"\sqrt{{{_atom(token, tokens, values).bare}}}",))
    if word:
        tex = values.get(word) or WORDS.get(word) or word
        if tex is word and len(word) > 1:
            tex = name_of(word)
        if token["sub"]:
            tex += f"_{token['sub']}"
    else:
        tex = token["number"] or SIGNS.get(sign, sign)
    return _Atom(tex, tex)


def _raised(text: str, values: Mapping[str, str]) -> str:
    """Return a superscript as TeX; a negative number needs parentheses only after a sign."""
    plain = [RAISED[sign] for sign in text]
    tex = "".join(values.get(each, each) for each in plain)
    return tex.removeprefix("(").removesuffix(")") if len(plain) == 1 else tex
