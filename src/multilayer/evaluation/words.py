"""What an evaluation says in words."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from multilayer.evaluation.bootstrap import Estimate
from multilayer.evaluation.classes import ClassTask
from multilayer.evaluation.task import Task
from multilayer.evaluation.values import ValueTask

__all__ = ["decimal", "meaning_of", "number", "share"]

Array = npt.NDArray[np.float64]


def number(value: float | None) -> str:
    """Return a number to read, with about four digits; – for None.

    Examples
    --------
    >>> [number(value) for value in (0.12345, 12.5, 123456.7, -1e-9)]
    ['0.1235', '12.50', '123,457', '-1.000e-09']
    """
    if value is None:
        return "–"
    size = abs(value)
    if size >= 1e7 or 0 < size < 1e-4:
        return f"{value:.3e}"
    n_decimals = 4 if size < 1 else max(4 - len(str(int(size))), 0)
    return f"{value:z,.{n_decimals}f}"


def decimal(value: float | None) -> str:
    """Return a number around 1 to read, with four decimals; – for None."""
    return "–" if value is None else f"{value:z.4f}"


def share(value: float | None) -> str:
    """Return a share as a percentage; – for None."""
    return "–" if value is None else f"{value:z.1%}"


def meaning_of(task: Task, predicted: Array, bias: Estimate) -> str:
    """Return in a sentence whether predictions are too sure, too narrow, or too high."""
    if bias.value is None or bias.low is None or bias.high is None:
        return ""
    sign = 1 if bias.low > 0 else -1 if bias.high < 0 else 0
    if isinstance(task, ClassTask):
        claimed = float(predicted.max(axis=1).mean())
        return _sentence(
            "The probabilities are", sign, ("too sure", "not sure enough"), bias, share,
            f"they expect {share(claimed)} of the predictions to be right, and "
            f"{share(claimed - bias.value)} are",
        )  # fmt: skip
    assert isinstance(task, ValueTask)
    if task.width:
        return _sentence(
            "The interval between the outer quantiles is", sign, ("too narrow", "too wide"), bias,
            share, f"it should hold {share(task.width)} of the values, and holds "
            f"{share(task.width - bias.value)}",
        )  # fmt: skip
    if task.levels:
        level = task.levels[0]
        return _sentence(
            "The quantile is", sign, ("too low", "too high"), bias, share,
            f"{share(level)} of the values should lie below it, and {share(level - bias.value)} do",
        )  # fmt: skip
    return _sentence(
        "The predictions are", sign, ("too high", "too low"), bias, number,
        "the mean of their differences from the values",
    )  # fmt: skip


def _sentence(
    subject: str,
    sign: int,
    words: tuple[str, str],
    bias: Estimate,
    shown: Callable[[float | None], str],
    why: str,
) -> str:
    """Return subject, verdict, interval and reason."""
    value, low, high = bias
    assert value is not None
    assert low is not None
    assert high is not None
    if not sign:
        limits = f"[{shown(low)}, {shown(high)}]"
        return f"{subject} neither {words[0]} nor {words[1]} by more than chance {limits}: {why}."
    low, high = (low, high) if sign > 0 else (-high, -low)
    limits = f"[{shown(low)}, {shown(high)}]"
    return f"{subject} {words[sign < 0]} by {shown(abs(value))} {limits}: {why}."
