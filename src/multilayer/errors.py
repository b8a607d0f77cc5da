"""The package's errors.

Arguments of the estimators that scikit-learn checks raise its own ValueErrors and TypeErrors.

::

    MultilayerError
    ├── InvalidArgumentError (ValueError)     a value that is not allowed
    │   ├── UnknownNameError                  a name that no registry knows
    │   └── InvalidDataError                  samples, targets or weights that cannot be used
    ├── InvalidTypeError (TypeError)          a value of the wrong type
    ├── DivergenceError (ArithmeticError)     the loss became infinite or NaN while training
    ├── LostRankError (RuntimeError)          another process of the training run was lost
    ├── ModelFileError (ValueError)           a model file that cannot be read
    ├── ExportError (RuntimeError)            an exported file that computes something else
    └── MissingPackageError (ImportError)     an optional package that is not installed

Each is also the built-in exception in brackets, so code that knows nothing of this package can
catch it with ``except ValueError``.
"""

import copyreg
import os
from collections.abc import Iterable
from typing import Any

__all__ = [
    "DivergenceError",
    "ExportError",
    "InvalidArgumentError",
    "InvalidDataError",
    "InvalidTypeError",
    "LostRankError",
    "MissingPackageError",
    "ModelFileError",
    "MultilayerError",
    "UnknownNameError",
]


class MultilayerError(Exception):
    """The root of the tree: catch it to catch everything that this package raises on purpose.

    The message is composed when it is read: ``{parameter} of {owner} {rule}; got {got}``. Code that
    passes on a caller's arguments can set `parameter` and `owner` to the caller's names: see
    `multilayer.checks.in_terms_of`.

    Parameters
    ----------
    rule : str
        What is allowed, such as ``"must be a positive integer"``; the whole message if it is not
        about one parameter.
    parameter, owner, got
        See the attributes.
    others : iterable of str
        Further parameters, which the rule mentions as ``{name}``.

    Attributes
    ----------
    parameter : str
        The parameter that was wrong, such as ``"n_epochs"`` or ``"hidden_features[1]"``, or another
        subject, such as a column or a file. Empty if the rule is the whole message.
    is_file : bool
        Whether `parameter` is a path, which has the same name for every caller.
    owner : str
        The class, function or command that takes the parameter; empty if it needs no mention.
    got : str
        The value as text; empty if the rule states it.
    others : dict of str to str
        The current names of the other parameters in the rule.

    Examples
    --------
    >>> error = InvalidArgumentError("must be a positive integer", "n_epochs", "fit", got=0)
    >>> str(error)
    'n_epochs of fit must be a positive integer; got 0'
    >>> error.parameter, error.owner, error.rule, error.got
    ('n_epochs', 'fit', 'must be a positive integer', '0')
    """

    def __init__(
        self,
        rule: str,
        parameter: object = "",
        owner: str = "",
        *,
        got: object = "",
        others: Iterable[str] = (),
    ) -> None:
        super().__init__(rule)
        self.parameter = str(parameter)
        self.is_file = isinstance(parameter, os.PathLike)
        self.owner = owner
        self.got = str(got)
        self.others = {name: name for name in others}

    @property
    def rule(self) -> str:
        """What is allowed, with the other parameters' current names."""
        rule: str = self.args[0]
        for name, shown in self.others.items():
            rule = rule.replace(f"{{{name}}}", shown)
        return rule

    def __str__(self) -> str:
        subject = f"{self.parameter} of {self.owner}" if self.owner else self.parameter
        got = f"; got {self.got}" if self.got else ""
        return f"{subject} {self.rule}{got}" if subject else f"{self.rule}{got}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Restore the fields only: subclasses take other arguments.
        new = copyreg.__newobj__  # type: ignore[attr-defined]
        return new, (type(self), *self.args), self.__dict__


class InvalidArgumentError(MultilayerError, ValueError):
    """A value is not allowed; the message names the parameter, what is allowed and the value."""


class UnknownNameError(InvalidArgumentError):
    """A name is not registered; the message lists the known names and the nearest one.

    Attributes
    ----------
    known : tuple of str
        The known names.
    nearest : str or None
        The known name with the most similar spelling, if any is close.
    """

    def __init__(
        self, name: str, parameter: str, owner: str, *, known: Iterable[str], nearest: str | None
    ) -> None:
        self.known = tuple(known)
        self.nearest = nearest
        super().__init__(
            f"must be one of {', '.join(self.known)}", parameter, owner, got=repr(name)
        )

    def __str__(self) -> str:
        return super().__str__() + (f", did you mean {self.nearest!r}?" if self.nearest else "")


class InvalidDataError(InvalidArgumentError):
    """Samples, targets or weights cannot be used; the message says which and where."""


class InvalidTypeError(MultilayerError, TypeError):
    """A value is of the wrong type."""


class DivergenceError(MultilayerError, ArithmeticError):
    """The loss became infinite or NaN in training, or in ``mlp`` too large to be useful.

    Attributes
    ----------
    epoch, step : int
        Where it happened, counted from 1; `step` counts within the epoch.
    learning_rate : float
        The learning rate of that step.
    """

    def __init__(self, message: str, *, epoch: int, step: int, learning_rate: float) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step
        self.learning_rate = learning_rate


class LostRankError(MultilayerError, RuntimeError):
    """Another process of the training run ended or does not answer; the message may name it."""


class ModelFileError(MultilayerError, ValueError):
    """A model file is damaged, foreign, or of a version that this release cannot read."""


class ExportError(MultilayerError, RuntimeError):
    """An exported file does not compute what the model does; it has been deleted."""


class MissingPackageError(MultilayerError, ImportError):
    """An optional package is not installed; the message names what to install."""
