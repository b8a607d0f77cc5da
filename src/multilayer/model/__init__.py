"""Model: a network with what stands before and behind it, ready for raw samples."""

from multilayer.model.column import Categorical, Column, Numeric
from multilayer.model.columns import Columns, inputs_from_dict
from multilayer.model.inputs import Inputs, Numbers
from multilayer.model.model import Model
from multilayer.model.targets import (
    Classes,
    ClassGroups,
    Labels,
    Targets,
    Values,
    targets_from_dict,
)

__all__ = [
    "Categorical",
    "ClassGroups",
    "Classes",
    "Column",
    "Columns",
    "Inputs",
    "Labels",
    "Model",
    "Numbers",
    "Numeric",
    "Targets",
    "Values",
    "inputs_from_dict",
    "targets_from_dict",
]
