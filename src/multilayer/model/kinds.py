"""The kinds of inputs and targets, by their names in a file."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.errors import InvalidDataError
from multilayer.model.classification import Classes, ClassGroups, Labels
from multilayer.model.columns import Columns
from multilayer.model.inputs import Inputs, Numbers
from multilayer.model.regression import Values
from multilayer.model.targets import Targets
from multilayer.registry import Names, Registry

__all__ = ["INPUTS", "TARGETS", "inputs_from_dict", "targets_from_dict"]

INPUTS: Registry[type[Inputs]] = Registry(
    Names("kind of inputs", []), {kind.kind: kind for kind in (Numbers, Columns)}
)
TARGETS: Registry[type[Targets]] = Registry(
    Names("kind of targets", []),
    {kind.kind: kind for kind in (Classes, ClassGroups, Labels, Values)},
)


def inputs_from_dict(
    found: Any, in_features: int, arrays: Mapping[str, npt.NDArray[Any]]
) -> Inputs:
    """Return inputs of the kind ``found["kind"]``, for a network with `in_features` inputs.

    The other entries come from `Inputs.to_dict`, and `arrays` from `Inputs.arrays`.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If there is no such kind, or the rest does not fit it.
    """
    kind, rest = _kind_and_rest(found, "inputs")
    return INPUTS[kind].from_dict(rest, in_features, arrays)


def targets_from_dict(found: Any, architecture: Architecture) -> Targets:
    """Return targets of the kind ``found["kind"]``, for a network of this architecture.

    The other entries come from `Targets.to_dict`.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If there is no such kind, or the rest does not fit it.
    """
    kind, rest = _kind_and_rest(found, "targets")
    return TARGETS[kind].from_dict(rest, architecture)


def _kind_and_rest(found: Any, name: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
        rule = "must be an object with a kind"
        raise InvalidDataError(rule, name, got=type(found).__name__)
    return found["kind"], {name: value for name, value in found.items() if name != "kind"}
