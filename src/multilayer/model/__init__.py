"""Model: a network with what stands before and behind it, ready for raw samples."""

from multilayer.model.categorical import Categorical
from multilayer.model.column import Column, Found, NothingToLearn
from multilayer.model.columns import COLUMNS, Columns, inputs_from_dict
from multilayer.model.date import Date
from multilayer.model.encoded import EncodedTable
from multilayer.model.ignored import Ignored
from multilayer.model.inputs import Inputs, Numbers
from multilayer.model.model import Model
from multilayer.model.numeric import Numeric
from multilayer.model.targets import (
    Classes,
    ClassGroups,
    Labels,
    Targets,
    Values,
    targets_from_dict,
)

__all__ = [
    "COLUMNS",
    "Categorical",
    "ClassGroups",
    "Classes",
    "Column",
    "Columns",
    "Date",
    "EncodedTable",
    "Found",
    "Ignored",
    "Inputs",
    "Labels",
    "Model",
    "NothingToLearn",
    "Numbers",
    "Numeric",
    "Targets",
    "Values",
    "inputs_from_dict",
    "targets_from_dict",
]
