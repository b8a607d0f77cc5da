"""Judge a model on new samples: metrics, intervals, simple models, calibration, worst groups."""

from multilayer.evaluation.bootstrap import Estimate
from multilayer.evaluation.evaluate import evaluate
from multilayer.evaluation.evaluation import Evaluation
from multilayer.evaluation.reliability import Reliability
from multilayer.evaluation.results import Calibration, ClassScore, Peer
from multilayer.evaluation.slices import Slice

__all__ = [
    "Calibration",
    "ClassScore",
    "Estimate",
    "Evaluation",
    "Peer",
    "Reliability",
    "Slice",
    "evaluate",
]
