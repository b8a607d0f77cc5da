"""What a network is and does."""

from multilayer.inspection.geometry import Hyperplane, decision_hyperplane
from multilayer.inspection.summary import LayerRow, summary

__all__ = ["Hyperplane", "LayerRow", "decision_hyperplane", "summary"]
