"""The formulas of losses and their derivatives in a walk, with symbols and with numbers."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.numpy import Huber
from multilayer.playground.pictures import SHOWN
from multilayer.playground.walk.chain import Chain
from multilayer.playground.walk.typesetting import number, signed

__all__ = ["LossRule", "rule_of", "targets_of"]

Array = npt.NDArray[Any]


class LossRule(NamedTuple):
    r"""A loss in TeX, with p for the network's output and y for the target.

    Attributes
    ----------
    loss : str
        The formula of ℓ.
    slope : str
        The formula of ∂ℓ/∂z_j if the loss takes logits, otherwise of ∂ℓ/∂p_j.
    why : str
        A sentence that explains the slope.
    loss_in_numbers : callable
        Takes a chain; returns the loss with its numbers.
    slope_in_numbers : callable
        Takes p_j, y_j and the loss; returns the slope with these numbers.
    """

    loss: str
    slope: str
    why: str
    loss_in_numbers: Callable[[Chain], str]
    slope_in_numbers: Callable[[float, float, Any], str]


def rule_of(chain: Chain) -> LossRule:
    """Return the rule of a chain's loss."""
    return RULES[chain.loss.name]


def targets_of(chain: Chain) -> Array:
    """Return the target of each output, 0 or 1 for classes."""
    n = len(chain.layers[-1].a)
    is_label = np.ndim(chain.target) == 0
    return np.eye(n)[chain.target] if is_label else np.asarray(chain.target)


def _of_right_class(chain: Chain) -> str:
    # Computed from the loss, since 1 − p loses all its digits if p is near 1.
    return rf"-\log {signed(float(np.exp(-chain.value)))}"


def _sum(terms: Iterable[str]) -> str:
    listed = list(terms)
    dots = r" + \dots" if len(listed) > SHOWN else ""
    return " + ".join(listed[:SHOWN]) + dots


def _pairs(chain: Chain) -> list[tuple[float, float]]:
    return list(zip(chain.layers[-1].a.tolist(), targets_of(chain).tolist(), strict=True))


def _squares(chain: Chain) -> str:
    terms = _sum(f"({_difference(p, y)})^2" for p, y in _pairs(chain))
    return rf"\tfrac12 ({terms})" if len(_pairs(chain)) > 1 else rf"\tfrac12 {terms}"


def _sizes(chain: Chain) -> str:
    return _sum(rf"\lvert {_difference(p, y)} \rvert" for p, y in _pairs(chain))


def _huber(chain: Chain) -> str:
    loss = chain.loss
    assert isinstance(loss, Huber)
    delta = number(loss.delta)
    terms = []
    for p, y in _pairs(chain):
        r = p - y
        inside = rf"\tfrac12 \cdot {signed(r)}^2"
        beyond = rf"{delta} \cdot ({number(abs(r))} - \tfrac12 \cdot {delta})"
        terms.append(inside if abs(r) <= loss.delta else beyond)
    return _sum(terms)


def _difference(p: float, y: float, _loss: Any = None) -> str:
    return f"{number(p)} - {signed(y)}"


def _sign(p: float, y: float, _loss: Any) -> str:
    return rf"\operatorname{{sign}}({_difference(p, y)})"


def _clipped(p: float, y: float, loss: Any) -> str:
    delta = number(loss.delta)
    return rf"\max(-{delta}, \min({delta}, {_difference(p, y)}))"


CANCELS = (
    "The slope of the {link} and that of the logarithm cancel: what is left is the prediction "
    "minus the target."
)
RULES = {
    "binary_cross_entropy": LossRule(
        r"-y \log p - (1 - y) \log (1 - p)",
        "p - y",
        CANCELS.format(link="sigmoid"),
        _of_right_class,
        _difference,
    ),
    "cross_entropy": LossRule(
        r"-\sum_k y_k \log p_k",
        "p_j - y_j",
        CANCELS.format(link="softmax"),
        _of_right_class,
        _difference,
    ),
    "squared_error": LossRule(
        r"\tfrac12 \sum_k (p_k - y_k)^2",
        "p_j - y_j",
        "The half and the square’s 2 cancel: what is left is the prediction minus the target.",
        _squares,
        _difference,
    ),
    "absolute_error": LossRule(
        r"\sum_k \lvert p_k - y_k \rvert",
        r"\operatorname{sign}(p_j - y_j)",
        "However far off the prediction is, the slope is 1 or −1: only the side counts.",
        _sizes,
        _sign,
    ),
    "huber": LossRule(
        r"\sum_k \begin{cases} \tfrac12 r_k^2 & \lvert r_k \rvert \le \delta \\ "
        r"\delta (\lvert r_k \rvert - \tfrac12 \delta) & \text{otherwise} \end{cases}"
        r",\quad r_k = p_k - y_k",
        r"\max(-\delta, \min(\delta, p_j - y_j))",
        "The prediction minus the target, but never more than δ: distant points pull no harder.",
        _huber,
        _clipped,
    ),
}
