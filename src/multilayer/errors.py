"""The errors of the package's own.

What scikit-learn checks for the estimators is told by its own ValueErrors and TypeErrors.

::

    MultilayerError
    ├── InvalidArgumentError (ValueError)     a value that is not allowed
    │   ├── UnknownNameError                  a name that no registry knows
    │   └── InvalidDataError                  samples, targets or weights that cannot be used
    ├── InvalidTypeError (TypeError)          a value of the wrong type
    ├── DivergenceError (ArithmeticError)     the loss became infinite or NaN while training
    ├── ModelFileError (ValueError)           a model file that cannot be read
    ├── ExportError (RuntimeError)            an exported file that computes something else
    └── MissingPackageError (ImportError)     an optional package that is not installed

Each is also the built-in exception in brackets, so that code which knows nothing of this package
catches it with ``except ValueError``.
"""

__all__ = [
    "DivergenceError",
    "ExportError",
    "InvalidArgumentError",
    "InvalidDataError",
    "InvalidTypeError",
    "MissingPackageError",
    "ModelFileError",
    "MultilayerError",
    "UnknownNameError",
]


class MultilayerError(Exception):
    """The root of the tree: catch it to catch whatever this package itself raises on purpose."""


class InvalidArgumentError(MultilayerError, ValueError):
    """A value is not allowed; the message names the parameter, what is allowed and what came."""


class UnknownNameError(InvalidArgumentError):
    """A name is in no registry; the message lists the known names and the nearest one."""


class InvalidDataError(InvalidArgumentError):
    """Samples, targets or weights cannot be used; the message says which and where."""


class InvalidTypeError(MultilayerError, TypeError):
    """A value is of the wrong type."""


class DivergenceError(MultilayerError, ArithmeticError):
    """The loss became infinite or NaN while training; for ``mlp``, too large to be of any use.

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


class ModelFileError(MultilayerError, ValueError):
    """A model file is damaged, foreign, or of a version that this release cannot read."""


class ExportError(MultilayerError, RuntimeError):
    """An exported file does not compute what the model does; it has been deleted."""


class MissingPackageError(MultilayerError, ImportError):
    """An optional package is not installed; the message names what to install."""
