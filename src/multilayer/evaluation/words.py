"""The numbers and sentences of an evaluation's report."""

from collections.abc import Callable

from multilayer.evaluation.bootstrap import Estimate

__all__ = ["decimal", "number", "sentence", "share"]


def number(value: float | None) -> str:
    """Return a number as text with about four digits; – for None.

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
    """Return a number of about 1 as text with four decimals; – for None."""
    return "–" if value is None else f"{value:z.4f}"


def share(value: float | None) -> str:
    """Return a share as a percentage; – for None."""
    return "–" if value is None else f"{value:z.1%}"


def sentence(
    subject: str,
    bias: Estimate,
    words: tuple[str, str],
    shown: Callable[[float | None], str],
    why: str,
) -> str:
    """Return a sentence that says whether a bias is above or below 0 by more than chance.

    Parameters
    ----------
    subject : str
        The subject and the verb, such as ``"The quantile is"``.
    bias : Estimate
        The bias and its interval.
    words : tuple of str
        The adjectives for a bias above 0, and below.
    shown : callable
        Returns a number as text.
    why : str
        The reason, which follows the verdict.
    """
    value, low, high = bias
    assert value is not None
    assert low is not None
    assert high is not None
    sign = 1 if low > 0 else -1 if high < 0 else 0
    if not sign:
        limits = f"[{shown(low)}, {shown(high)}]"
        return f"{subject} neither {words[0]} nor {words[1]} by more than chance {limits}: {why}."
    low, high = (low, high) if sign > 0 else (-high, -low)
    limits = f"[{shown(low)}, {shown(high)}]"
    return f"{subject} {words[sign < 0]} by {shown(abs(value))} {limits}: {why}."
