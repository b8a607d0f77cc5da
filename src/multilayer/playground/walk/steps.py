"""Steps: what a walk consists of, and how its quantities are called."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from multilayer.numpy import ACTIVATIONS, OUTPUTS
from multilayer.playground.pictures import SHOWN
from multilayer.playground.walk.chain import Chain, Normalized
from multilayer.playground.walk.typesetting import signed

__all__ = ["MIXED", "Step", "Stepper", "flat", "function_of", "mixes", "products", "slope_in"]

MIXED = {"softmax": "Σ da a", "log_softmax": "Σ da"}
"""The sum in the derivative of an activation that mixes features."""


@dataclass(frozen=True)
class Step:
    r"""One step of a walk.

    Attributes
    ----------
    kind : str
        What is computed: ``u``, ``z``, ``a``, ``loss``, ``da``, ``dz``, ``du``, ``dW``, or
        ``update``.
    layer, unit : int
        Of which unit: see `Select`.
    rule, numbers : str
        TeX: the rule, and the same with this sample's numbers.
    words : str
        A sentence.
    value : float
        What is computed; of ``dW``, the gradient that all of the unit's weights share.
    weights : tuple of float
        The gradients in the unit's weights that are shown, of ``dW``.
    edges : str
        Which weights take part: those into the unit (``in``), out of it (``out``), or none.
    input : int or None
        Of ``update``, which of the weights into the unit it is about.
    is_back : bool
        Whether it is on the way back.
    """

    kind: str
    layer: int
    unit: int
    rule: str
    numbers: str
    words: str
    value: float
    weights: tuple[float, ...] = ()
    edges: str = ""
    input: int | None = None
    is_back: bool = False


class Stepper:
    """Writes the steps of one chain; layers count from 1, units from 0.

    Parameters
    ----------
    chain : Chain
        The numbers.
    normalization : str or None
        That of the hidden layers.
    is_regression : bool
        Whether the output is a value, called ŷ, and no probability p.
    """

    def __init__(self, chain: Chain, normalization: str | None, *, is_regression: bool) -> None:
        self.chain, self.layers = chain, chain.layers
        self.normalization = normalization or ""
        self.is_regression = is_regression
        self.last = len(chain.layers)

    def unit(self, k: int, j: int) -> str:
        """Return the name of a unit, as a sentence begins with it."""
        if k < self.last:
            return f"Unit {j + 1} of hidden layer {k}"
        return "The output" if len(self.layers[-1].z) == 1 else f"Output {j + 1}"

    def at(self, symbol: str, k: int, j: int | None) -> str:
        """Return a unit's quantity as TeX; without `j`, that of unit i."""
        index = "i" if j is None else str(j + 1)
        if k < self.last:
            return f"{symbol}^{{({k})}}_{{{index}}}"
        return symbol if len(self.layers[-1].z) == 1 else f"{symbol}_{{{index}}}"

    def letter(self, k: int) -> str:
        """Return what a layer's results are called."""
        if k < self.last:
            return "a"
        return r"\hat y" if self.is_regression else "p"

    def result(self, k: int, j: int) -> str:
        """Return a unit's result as TeX."""
        return self.at(self.letter(k), k, j)

    def weight(self, k: int, j: int | None, i: int | None = None) -> str:
        """Return a weight as TeX: of unit j, or i, and of input i, or k."""
        unit = "i" if j is None else str(j + 1)
        of_input = "k" if i is None else str(i + 1)
        layer = f"^{{({k})}}" if k < self.last else ""
        is_one = k == self.last and len(self.layers[-1].z) == 1
        return f"w{layer}_{{{of_input}}}" if is_one else f"w{layer}_{{{unit},{of_input}}}"

    def input(self, k: int, i: int | None = None) -> str:
        """Return a layer's input i, or k, as TeX."""
        index = "k" if i is None else str(i + 1)
        return f"x_{{{index}}}" if k == 1 else f"a^{{({k - 1})}}_{{{index}}}"

    def indexed(self, rule: str, j: int = 0) -> str:
        """Return a loss's rule, or its slope for output j, with the names of this walk."""
        if len(self.layers[-1].z) == 1:
            rule = re.sub(r"\\sum_k |_[jk]", "", rule)
        rule = rule.replace("_j", f"_{{{j + 1}}}")
        return re.sub(r"(?<![a-z])p(?![a-z])", r"\\hat y", rule) if self.is_regression else rule

    def normalized(self, k: int) -> Normalized:
        """Return what a layer's normalisation does."""
        found = self.layers[k - 1].normalized
        assert found is not None
        return found


def function_of(name: str, *, is_output: bool) -> Any:
    """Return an activation, or a link function."""
    return (OUTPUTS if is_output else ACTIVATIONS)[name]


def mixes(function: str) -> bool:
    """Return whether an activation's result depends on the other units of its layer."""
    return function in MIXED


def slope_in(symbol: str) -> str:
    """Return ∂ℓ/∂ a symbol, as TeX."""
    return rf"\frac{{\partial \ell}}{{\partial {symbol}}}"


def flat(symbol: str) -> str:
    """Return ∂ℓ/∂ a symbol, as TeX on one line."""
    return rf"\partial \ell / \partial {symbol}"


def products(pairs: Iterable[tuple[float, float]]) -> str:
    """Return a sum of products as TeX: the first ones, and the others as one number."""
    listed = [(float(w), float(x)) for w, x in pairs]
    text = " + ".join(rf"{signed(w)} \cdot {signed(x)}" for w, x in listed[:SHOWN])
    if (n_more := len(listed) - SHOWN) > 0:
        rest = signed(sum(w * x for w, x in listed[SHOWN:]))
        text += rf" + \underset{{\text{{{n_more:,} more}}}}{{{rest}}}"
    return text
