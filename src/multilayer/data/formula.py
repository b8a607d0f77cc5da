"""Formula: a function of x and y, or a condition on them, read from a line of text.

Python's parser parses the text; only what is listed here is evaluated, by NumPy.
"""

import ast
import re
from bisect import bisect
from collections.abc import Callable
from difflib import get_close_matches
from functools import reduce
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidArgumentError, InvalidTypeError

__all__ = ["MAX_LENGTH", "UNKNOWN", "Formula"]

Array = npt.NDArray[Any]

MAX_LENGTH = 200
"""Maximum number of characters of a formula."""
MAX_DEPTH = 100
UNKNOWN = 0.5
"""The truth value of a comparison if one side has no finite value."""
VARIABLES = ("x", "y")
CONSTANTS = {"pi": np.pi, "e": np.e}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "min": np.minimum,
    "max": np.maximum,
}
OF_SEVERAL = ("min", "max")
WORDS = ("and", "or", "not")
NAMES = (*VARIABLES, *CONSTANTS, *FUNCTIONS, *WORDS)
OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.And: np.minimum,
    ast.Or: np.maximum,
}
TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\*\*|//|[<>=!]=|&&|\|\||\S"
)
SIGNS = {sign: sign for sign in ("+", "-", "*", "/", "%", "**", "(", ")", ",", "<", ">")}
SIGNS |= {"<=": "<=", ">=": ">=", "^": "**", "²": "**2", "³": "**3", "π": "pi"}
SIGNS |= {"−": "-", "·": "*", "×": "*", "÷": "/", "≤": "<=", "≥": ">="}
"""The signs that a formula may contain, and how Python writes them."""
NO_EQUALS = "write < or > for two classes, or the expression for y alone"
INSTEAD = {"=": NO_EQUALS, "==": NO_EQUALS, "!=": NO_EQUALS}
INSTEAD |= {"&": "write and", "&&": "write and", "|": "write or", "||": "write or"}
INSTEAD |= {"!": "write not", "[": "write (", "]": "write )", "{": "write (", "}": "write )"}


class Formula:
    """A function of x and y, such as ``sin(3*x) * y``, or a condition, such as ``y > x^2``.

    Powers are written ``^`` or ``**``. The ``*`` after a number may be left out, as in ``2x`` or
    ``3sin(x)``. Conditions can be combined with ``and``, ``or`` and ``not``, and comparisons can be
    chained, as in ``0 < y < x``.

    Parameters
    ----------
    text : str
        At most 200 characters.

    Attributes
    ----------
    variables : frozenset of str
        Which of x and y occur in the formula.
    is_condition : bool
        Whether the formula is a condition, rather than a number.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If the formula cannot be read; the message names the place and what was expected there.

    Examples
    --------
    >>> Formula("2x^2 - 1")(np.array([0.0, 3.0]), np.zeros(2))
    array([-1., 17.])
    >>> Formula("sen(x)")
    Traceback (most recent call last):
    ...
    multilayer.errors.InvalidArgumentError: formula at character 1: there is no "sen"; did you mean
    sin?
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise InvalidTypeError("must be a string", "formula", got=repr(text))
        if len(text) > MAX_LENGTH:
            rule = f"must have at most {MAX_LENGTH} characters"
            raise InvalidArgumentError(rule, "formula", got=f"{len(text):,}")
        if not text.strip():
            raise InvalidArgumentError("is empty: write one such as y > sin(3*x)", "formula")
        self.text = text
        self._columns, self._places = [0], [0]  # of each token, in Python's text and in this text
        self._tree = self._parse(self._in_python())
        nodes = [node for node in ast.walk(self._tree) if isinstance(node, ast.Name)]
        self.variables = frozenset(node.id for node in nodes if node.id in VARIABLES)
        self.is_condition = _is_condition(self._tree)
        self(np.zeros(1), np.zeros(1))  # raises if anything else is wrong

    def __call__(self, x: Array, y: Array) -> Array:
        """Return the formula's values at points; those of a condition are 1, 0, or ½ if unknown.

        A comparison is unknown if one of its sides has no finite value. ``and`` is still false if
        its other side is false, and ``or`` is still true if its other side is true (Kleene 1938).

        Parameters
        ----------
        x, y : array of shape (n_points,)

        Returns
        -------
        array of shape (n_points,)
            Infinite or NaN where a number is undefined.
        """
        of = self._condition if self.is_condition else self._number
        with np.errstate(all="ignore"):
            found = of(self._tree, {"x": x, "y": y, **CONSTANTS})
        return np.broadcast_to(found, x.shape)

    def _in_python(self) -> str:
        """Return the text as Python writes it, with a space between tokens."""
        written, end = "", -1
        is_number = False
        for token in TOKEN.finditer(self.text):
            said, place = token.group(), token.start()
            is_name = token["name"] is not None
            if is_name:
                self._check_name(said, place, token.end())
            elif not token["number"] and said not in SIGNS:
                instead = INSTEAD.get(said, "it has no meaning here")
                self._refuse(place, f'unexpected "{said}"; {instead}')
            if is_number and place == end and ((is_name and said not in WORDS) or said in "(π"):
                written += "* "
            self._columns.append(len(written))
            self._places.append(place)
            written += SIGNS.get(said, said) + " "
            end, is_number = token.end(), token["number"] is not None
        return written

    def _check_name(self, name: str, place: int, end: int) -> None:
        """Raise if a name is unknown, or is a function and no bracket follows."""
        if name not in NAMES:
            nearest = get_close_matches(name.lower(), NAMES, n=1)
            known = f"did you mean {nearest[0]}?" if nearest else f"choose from {', '.join(NAMES)}"
            self._refuse(place, f'there is no "{name}"; {known}')
        if name in FUNCTIONS and not self.text[end:].lstrip().startswith("("):
            self._refuse(place, f"{name} is a function; write {name}(…)")

    def _parse(self, written: str) -> ast.expr:
        too_deep = InvalidArgumentError("must have fewer nested brackets and operations", "formula")
        try:
            tree = ast.parse(written, mode="eval").body
        except SyntaxError as error:
            self._refuse_syntax(error, written)
        except (MemoryError, RecursionError) as error:  # of brackets in brackets
            raise too_deep from error
        level: list[ast.AST] = [tree]
        for _ in range(MAX_DEPTH):
            level = [inner for node in level for inner in ast.iter_child_nodes(node)]
        if level:
            raise too_deep
        return tree

    def _refuse_syntax(self, error: SyntaxError, written: str) -> NoReturn:
        column = (error.offset or 0) - 1
        place = self._places[bisect(self._columns, column) - 1]
        if "never closed" in error.msg:
            self._refuse(place, "this bracket is never closed")
        if "unmatched" in error.msg:
            self._refuse(place, "this bracket was never opened")
        if not 0 <= column < len(written.rstrip()):
            self._refuse(len(self.text.rstrip()), "it ends too early")
        token = TOKEN.match(self.text, place)
        assert token is not None
        self._refuse(place, f'cannot be read from "{token.group()}" on; is a * or a + missing?')

    def _refuse(self, place: int | ast.expr, why: str) -> NoReturn:
        if isinstance(place, ast.expr):
            place = self._places[bisect(self._columns, place.col_offset) - 1]
        raise InvalidArgumentError(f"at character {place + 1}: {why}", "formula")

    def _condition(self, node: ast.expr, named: dict[str, Any]) -> Any:
        """Return the truth value of a condition: 1, 0 or ½."""
        match node:
            case ast.UnaryOp(ast.Not(), inner):
                return 1 - self._condition(inner, named)
            case ast.BoolOp(op, parts):
                return reduce(OPERATORS[type(op)], [self._condition(p, named) for p in parts])
            case ast.Compare(first, ops, others):
                sides = [self._number(side, named) for side in (first, *others)]
                pairs = zip(ops, sides, sides[1:], strict=False)
                return reduce(np.minimum, [_compared(*pair) for pair in pairs])
        self._refuse(node, "a comparison is expected, such as y > 0; this is a number")

    def _number(self, node: ast.expr, named: dict[str, Any]) -> Any:
        """Return the value of an expression."""
        match node:
            case ast.Name(name):
                return named[name]
            case ast.Constant(int() | float() as value):
                return np.float64(value)
            case ast.BinOp(left, op, right):
                sides = self._number(left, named), self._number(right, named)
                return OPERATORS[type(op)](*sides)
            case ast.UnaryOp(op, inner) if type(op) in OPERATORS:
                return OPERATORS[type(op)](self._number(inner, named))
            case ast.Call(ast.Name(name)) if name not in FUNCTIONS:
                self._refuse(node, f"{name} is not a function; write {name}*(…)")
            case ast.Call(ast.Name(name), given, []):
                values = [self._number(each, named) for each in given]
                if name in OF_SEVERAL and len(values) > 1:
                    return reduce(FUNCTIONS[name], values)
                if name not in OF_SEVERAL and len(values) == 1:
                    return FUNCTIONS[name](*values)
                count = "two numbers or more" if name in OF_SEVERAL else "one number"
                self._refuse(node, f"{name} takes {count}, not {len(values)}")
            case ast.Call():
                self._refuse(node, "an operator is missing before a bracket; write (…)*(…)")
        if _is_condition(node):
            self._refuse(node, "a number is expected; this is a comparison")
        self._refuse(node, "a number is expected")


def _is_condition(node: ast.expr) -> bool:
    is_not = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return is_not or isinstance(node, (ast.Compare, ast.BoolOp))


def _compared(op: ast.cmpop, left: Any, right: Any) -> Any:
    is_known = np.isfinite(left) & np.isfinite(right)
    return np.where(is_known, OPERATORS[type(op)](left, right), UNKNOWN)
