"""Registries of named things; for an unknown name, the error suggests the nearest known one."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from multilayer.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    MultilayerError,
    UnknownNameError,
)

__all__ = ["Names", "Registry", "describe", "rebuild", "resolve"]

T = TypeVar("T")


class Names:
    """The names of one kind that the package knows, in order.

    Parameters
    ----------
    kind : str
        What the names denote, such as ``"activation"``.
    names : iterable of str
        The names.

    Examples
    --------
    >>> metals = Names("metal", ["iron", "copper"])
    >>> metals.check("coper")
    Traceback (most recent call last):
    ...
    multilayer.errors.UnknownNameError: metal must be one of iron, copper; got 'coper',
    did you mean 'copper'?
    """

    def __init__(self, kind: str, names: Iterable[str]) -> None:
        self.kind = kind
        self._names = list(names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __repr__(self) -> str:
        return f"Names({self.kind!r}, {self._names})"

    def add(self, name: str) -> None:
        """Add a name, unless it is known already."""
        if name not in self._names:
            self._names.append(name)

    def check(self, name: object, owner: str = "") -> str:
        """Return `name` if it is known.

        Raises
        ------
        InvalidTypeError
            If it is not a string.
        UnknownNameError
            If it is unknown; the message suggests the nearest known name.
        """
        if not isinstance(name, str):
            rule = f"must be one of {', '.join(self._names)}"
            raise InvalidTypeError(rule, self.kind, owner, got=repr(name))
        if name not in self._names:
            nearest = next(iter(get_close_matches(name.lower(), self._names, n=1)), None)
            raise UnknownNameError(name, self.kind, owner, known=self._names, nearest=nearest)
        return name


class Registry(Mapping[str, T], Generic[T]):
    """One engine's entries for the names of one kind.

    Parameters
    ----------
    names : Names
        The names that the package knows; a name registered here is added to them.
    entries : mapping of str to T
        The entry for each name.

    Examples
    --------
    >>> weights = Registry(Names("metal", []), {"iron": 7.87, "copper": 8.96})
    >>> weights["iron"]
    7.87
    """

    def __init__(self, names: Names, entries: Mapping[str, T]) -> None:
        self.names = names
        self._entries: dict[str, T] = {}
        for name, entry in entries.items():
            self.register(name, entry)

    def register(self, name: str, entry: T) -> None:
        """Add an entry under a new name; raise if the name already has one."""
        if not isinstance(name, str):
            rule = "must be a string"
            raise InvalidTypeError(rule, f"{self.names.kind} name", got=repr(name))
        if name in self._entries:
            raise InvalidArgumentError("is already registered", f"{self.names.kind} {name!r}")
        self.names.add(name)
        self._entries[name] = entry

    def __getitem__(self, name: str) -> T:
        return self._entries[Names(self.names.kind, self._entries).check(name)]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._entries

    def get(self, name: object, default: Any = None) -> Any:
        """Return the entry of that name, or `default` if there is none."""
        return self._entries.get(name, default) if isinstance(name, str) else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Registry({self.names.kind!r}, {list(self._entries)})"


def resolve(value: object, registry: Registry[type[T]], base: type[T]) -> T:
    """Return `value` if it is a `base`; for a name, an instance of its class with the defaults.

    Raises
    ------
    InvalidTypeError
        If it is neither a string nor a `base`; the message says so if it is a class itself.
    UnknownNameError
        If no entry has that name.
    """
    if isinstance(value, base):
        return value
    if isinstance(value, str):
        return registry[value]()
    kind = registry.names.kind
    if isinstance(value, type) and issubclass(value, base):
        rule, got = f"must be an object, such as {value.__name__}()", "the class itself"
    else:
        rule, got = f"must be a name or an instance of {base.__name__}", repr(value)
    raise InvalidTypeError(rule, kind, got=got)


def describe(part: Any, classes: Mapping[str, type]) -> dict[str, Any] | None:
    """Return a dataclass's registered name and its parameters, ready for JSON.

    Return None if its class is not registered, or JSON cannot hold its parameters.

    Examples
    --------
    >>> from multilayer.numpy import LOSSES, Huber
    >>> describe(Huber(delta=2.0), LOSSES)
    {'name': 'huber', 'delta': 2.0}
    """
    names = [name for name, cls in classes.items() if type(part) is cls]
    try:
        described: dict[str, Any] = json.loads(
            json.dumps({"name": names[0]} | asdict(part), allow_nan=False)
        )
    except (IndexError, TypeError, ValueError):
        return None
    return described


def rebuild(recorded: Any, classes: Mapping[str, type[T]]) -> T | None:
    """Return the object that `describe` described; None if `recorded` is not a description."""
    try:
        parameters = dict(recorded)
        return classes[parameters.pop("name")](**parameters)
    except (KeyError, TypeError, ValueError, MultilayerError):  # a file may hold anything
        return None
