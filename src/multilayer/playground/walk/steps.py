"""Steps: the parts of a walk, and the names of its quantities."""

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
        The unit: see `Select`.
    rule, numbers : str
        TeX: the rule, and the rule with this sample's numbers.
    words : str
        An explanation.
    value : float
        The result; for ``dW``, the factor that the gradients of all weights of the unit share.
    weights : tuple of float
        For ``dW``: the gradients of the unit's weights, as far as they are shown.
    edges : str
        The weights that take part: those into the unit (``in``), those out of it (``out``), or none
        (empty).
    input : int or None
        For ``update``: the input of the weight that is updated.
    is_back : bool
        Whether the step belongs to the backward pass.
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
        The normalization of the hidden layers.
    is_regression : bool
        Whether the output is a value, called ŷ, instead of a probability p.
    """

    def __init__(self, chain: Chain, normalization: str | None, *, is_regression: bool) -> None:
        self.chain, self.layers = chain, chain.layers
        self.normalization = normalization or ""
        self.is_regression = is_regression
        self.last = len(chain.layers)

    def unit(self, k: int, j: int) -> str:
        """Return the name of a unit for the beginning of a sentence."""
        if k < self.last:
            return f"Unit {j + 1} of hidden layer {k}"
        return "The output" if len(self.layers[-1].z) == 1 else f"Output {j + 1}"

    def at(self, symbol: str, k: int, j: int | None) -> str:
        """Return a quantity of unit `j` as TeX; if `j` is None, with the index i."""
        index = "i" if j is None else str(j + 1)
        if k < self.last:
            return f"{symbol}^{{({k})}}_{{{index}}}"
        return symbol if len(self.layers[-1].z) == 1 else f"{symbol}_{{{index}}}"

    def letter(self, k: int) -> str:
        """Return the symbol of a layer's outputs."""
        if k < self.last:
            return "a"
        return r"\hat y" if self.is_regression else "p"

    def result(self, k: int, j: int) -> str:
        """Return the symbol of a unit's output as TeX."""
        return self.at(self.letter(k), k, j)

    def weight(self, k: int, j: int | None, i: int | None = None) -> str:
        """Return the symbol of a weight of unit `j` and input `i`; None means an index i or k."""
        unit = "i" if j is None else str(j + 1)
        of_input = "k" if i is None else str(i + 1)
        layer = f"^{{({k})}}" if k < self.last else ""
        is_one = k == self.last and len(self.layers[-1].z) == 1
        return f"w{layer}_{{{of_input}}}" if is_one else f"w{layer}_{{{unit},{of_input}}}"

    def input(self, k: int, i: int | None = None) -> str:
        """Return the symbol of a layer's input `i`; None means the index k."""
        index = "k" if i is None else str(i + 1)
        return f"x_{{{index}}}" if k == 1 else f"a^{{({k - 1})}}_{{{index}}}"

    def indexed(self, rule: str, j: int = 0) -> str:
        """Return a rule of the loss, or of its slope for output j, in the symbols of the walk."""
        if len(self.layers[-1].z) == 1:
            rule = re.sub(r"\\sum_k |_[jk]", "", rule)
        rule = rule.replace("_j", f"_{{{j + 1}}}")
        return re.sub(r"(?<![a-z])p(?![a-z])", r"\\hat y", rule) if self.is_regression else rule

    def normalized(self, k: int) -> Normalized:
        """Return the numbers of a layer's normalisation."""
        found = self.layers[k - 1].normalized
        assert found is not None
        return found


def function_of(name: str, *, is_output: bool) -> Any:
    """Return the activation, or the link function of the output, with this name."""
    return (OUTPUTS if is_output else ACTIVATIONS)[name]


def mixes(function: str) -> bool:
    """Return whether an activation's output depends on the other units of its layer."""
    return function in MIXED


def slope_in(symbol: str) -> str:
    """Return ∂ℓ/∂(symbol) as TeX."""
    return rf"\frac{{\partial \ell}}{{\partial {symbol}}}"


def flat(symbol: str) -> str:
    """Return ∂ℓ/∂(symbol) as TeX, on one line."""
    return rf"\partial \ell / \partial {symbol}"


def products(pairs: Iterable[tuple[float, float]]) -> str:
    """Return a sum of products as TeX: the first products, and the sum of the others."""
    listed = [(float(w), float(x)) for w, x in pairs]
    text = " + ".join(rf"{signed(w)} \cdot {signed(x)}" for w, x in listed[:SHOWN])
    if (n_more := len(listed) - SHOWN) > 0:
        rest = signed(sum(w * x for w, x in listed[SHOWN:]))
        text += rf" + \underset{{\text{{{n_more:,} more}}}}{{{rest}}}"
    return text
