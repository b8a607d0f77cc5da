"""Model: a network with what stands before and behind it, ready for raw samples."""

from multilayer.model.model import Model
from multilayer.model.targets import (
    Classes,
    ClassGroups,
    Labels,
    Targets,
    Values,
    targets_from_dict,
)

__all__ = ["ClassGroups", "Classes", "Labels", "Model", "Targets", "Values", "targets_from_dict"]
