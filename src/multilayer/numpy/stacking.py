"""The losses or optimizers of K networks combined into one, whose numbers become arrays."""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from multilayer.checks import in_terms_of
from multilayer.errors import InvalidArgumentError

__all__ = [
    "check_activation",
    "check_loss",
    "check_state",
    "for_each",
    "numbers_for_each",
    "part_of_stack",
    "stacked",
]

T = TypeVar("T")
Array = npt.NDArray[Any]


def for_each(
    value: Any, n_members: int, parameter: str, owner: str, check: Callable[[Any], Any]
) -> list[Any]:
    """Return the checked value of an argument for each member; it is given once, or K times.

    Raises
    ------
    InvalidArgumentError
        If `value` is a sequence of another length. Errors of `check` name the member.
    """
    is_sequence = isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) > 0
    if not is_sequence:
        return [check(value)] * n_members
    if len(value) != n_members:
        rule = f"must be one value for all members, or a sequence of {n_members}"
        raise InvalidArgumentError(rule, parameter, owner, got=f"{len(value)} values")
    found = []
    for k, own in enumerate(value):
        with in_terms_of(owner, {parameter: f"{parameter}[{k}]"}):
            found.append(check(own))
    return found


def numbers_for_each(values: Sequence[float | None]) -> Any:
    """Return K numbers as one if they are equal, else as an array of shape (K, 1)."""
    if len(set(values)) == 1:
        return values[0]
    return np.array([np.inf if value is None else value for value in values])[:, np.newaxis]


def stacked(parts: Sequence[T], n_axes: int, parameter: str, owner: str) -> T:
    """Combine K losses or optimizers into one, with arrays where their numbers differ.

    Parameters
    ----------
    parts : sequence of K dataclasses
        Of one class.
    n_axes : int
        The number of axes of length 1 after the members' axis, for the arrays to broadcast.
    parameter, owner : str
        The names for errors.

    Raises
    ------
    InvalidArgumentError
        If they differ in class, or in something other than numbers.

    Examples
    --------
    >>> from multilayer.numpy import SGD
    >>> stacked([SGD(0.1, momentum=0.5), SGD(0.2, momentum=0.5)], 1, "optimizer", "fit")
    SGD(learning_rate=array([[0.1],
           [0.2]]), momentum=0.5, nesterov=False, weight_decay=0.0)
    """
    first: Any = parts[0]
    if all(part is first or part == first for part in parts):
        return parts[0]
    for k, part in enumerate(parts):
        if type(part) is not type(first) or not is_dataclass(first):
            rule = f"must be of the same class for all members; for member 0 it is {first!r}"
            raise InvalidArgumentError(rule, f"{parameter}[{k}]", owner, got=repr(part))
    whole = copy(first)
    for field in fields(first):
        values = [getattr(part, field.name) for part in parts]
        if len(set(values)) == 1:
            continue
        if not _are_numbers(values):
            k = next(k for k, value in enumerate(values) if value != values[0])
            rule = f"must be {values[0]!r}, as for member 0: members cannot differ in this"
            name = f"{field.name} of {parameter}[{k}]"
            raise InvalidArgumentError(rule, name, owner, got=repr(values[k]))
        array: npt.NDArray[Any] = np.array(values).reshape(-1, *[1] * n_axes)
        object.__setattr__(whole, field.name, array)
    return whole


def _check_last_axes(
    part: object, function: Callable[[Array], Any], one: Array, parameter: str, owner: str
) -> None:
    """Raise if a custom activation or loss cannot take several networks' arrays at once.

    Parameters
    ----------
    part : object
        The activation or loss.
    function : callable
        Its computation, which takes an array of shape (..., n_samples, features).
    one : array of shape (n_samples, features)
        Numbers to try it with.
    parameter, owner : str
        The names for errors.
    """
    several = np.stack([one, 0.5 * one[::-1]])
    expected = np.stack([function(own) for own in several])
    try:
        found = np.asarray(function(several))
        agrees = found.shape == expected.shape and np.allclose(found, expected, equal_nan=True)
    except (ValueError, IndexError, TypeError):
        agrees = False
    if not agrees:
        rule = (
            "must work on the last axes to be used in an ensemble: for an array of shape (K, "
            "n_samples, features), it must return what it returns for each of the K networks"
        )
        raise InvalidArgumentError(rule, parameter, owner, got=repr(part))


def check_activation(activation: Any) -> None:
    """Raise if a custom activation cannot take several networks' values at once."""
    tried = np.linspace(-2, 2, 12).reshape(4, 3)

    def back(z: Array) -> Any:
        return activation.backward(np.cos(z), z, activation.forward(z))

    for function in (activation.forward, back):
        _check_last_axes(activation, function, tried, "activation", "Ensemble")


def check_loss(loss: Any, targets: Array, width: int, dtype: Any) -> None:
    """Raise if a custom loss cannot take several networks' outputs, of this width, at once."""
    p = np.linspace(0.1, 0.9, len(targets) * width).reshape(len(targets), width).astype(dtype)

    def values(own: Array) -> Any:
        return loss.per_sample(own, targets)[0]

    def gradients(own: Array) -> Any:
        return loss.per_sample(own, targets)[1]

    for function in (values, gradients):
        _check_last_axes(loss, function, p, "loss", "fit")


def check_state(whole: Any, optimizers: Sequence[Any], n_members: int) -> None:
    """Raise unless a custom optimizer's state consists of arrays of K rows, changed in place."""
    state = whole.initial_state(np.zeros((n_members, 2)))
    before = dict(state)
    for name, value in before.items():
        if not isinstance(value, np.ndarray) or len(value) != n_members:
            rule = f"must keep {name!r} as an array with a row for each of the {n_members} members"
            raise InvalidArgumentError(rule, "optimizer", "fit", got=repr(optimizers[0]))
    rates = np.full((n_members, 1), 0.1)
    whole.update(np.zeros((n_members, 2)), np.ones((n_members, 2)), state, rates)
    for name, value in before.items():
        if state[name] is not value:
            rule = f"must change {name!r} of its state in place, to be used in an ensemble"
            raise InvalidArgumentError(rule, "optimizer", "fit", got=repr(optimizers[0]))


def part_of_stack(whole: T, members: int | list[int]) -> T:
    """Return some members' part of a loss or optimizer from `stacked`; its arrays stay arrays."""
    arrays = {n: v for n, v in vars(whole).items() if isinstance(v, np.ndarray)}
    if not arrays:
        return whole
    part = copy(whole)
    for name, array in arrays.items():
        object.__setattr__(part, name, array[members])
    return part


def _are_numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
