"""Models: networks that take raw samples and return predictions in the targets' own terms."""

from multilayer.model.adopt import adopt, model_in, network_in
from multilayer.model.categorical import Categorical
from multilayer.model.classification import Classes, ClassGroups, Labels
from multilayer.model.column import Column, Found, NothingToLearn
from multilayer.model.columns import COLUMNS, Columns
from multilayer.model.date import Date
from multilayer.model.encoded import EncodedTable
from multilayer.model.ignored import Ignored
from multilayer.model.inputs import Inputs, Numbers
from multilayer.model.kinds import INPUTS, TARGETS, inputs_from_dict, targets_from_dict
from multilayer.model.losses import (
    loss_of_data,
    loss_of_model,
    loss_of_output,
    recorded_loss,
    section_of,
)
from multilayer.model.members import (
    features_of,
    mean_outputs,
    one_network,
    outputs_of,
    softmax_sizes,
)
from multilayer.model.model import Model
from multilayer.model.numeric import Numeric
from multilayer.model.probabilities import (
    Prediction,
    class_places,
    class_prediction,
    of_outputs,
)
from multilayer.model.regression import Values
from multilayer.model.targets import Targets

__all__ = [
    "COLUMNS",
    "INPUTS",
    "TARGETS",
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
    "Prediction",
    "Targets",
    "Values",
    "adopt",
    "class_places",
    "class_prediction",
    "features_of",
    "inputs_from_dict",
    "loss_of_data",
    "loss_of_model",
    "loss_of_output",
    "mean_outputs",
    "model_in",
    "network_in",
    "of_outputs",
    "one_network",
    "outputs_of",
    "recorded_loss",
    "section_of",
    "softmax_sizes",
    "targets_from_dict",
]
