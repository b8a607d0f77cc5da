"""Tools that show what a network is and what it does."""

from multilayer.inspection.activations import ActivationMeasurement, measure_activations
from multilayer.inspection.attribution import Attributions, integrated_gradients
from multilayer.inspection.geometry import Hyperplane, decision_hyperplane
from multilayer.inspection.parity import Difference, ParityReport, parity
from multilayer.inspection.range_test import RangeTest, lr_finder
from multilayer.inspection.robustness import (
    AdversarialExamples,
    adversarial_accuracy,
    deepfool,
)
from multilayer.inspection.summary import LayerRow, Summary, summary

__all__ = [
    "ActivationMeasurement",
    "AdversarialExamples",
    "Attributions",
    "Difference",
    "Hyperplane",
    "LayerRow",
    "ParityReport",
    "RangeTest",
    "Summary",
    "adversarial_accuracy",
    "decision_hyperplane",
    "deepfool",
    "integrated_gradients",
    "lr_finder",
    "measure_activations",
    "parity",
    "summary",
]
