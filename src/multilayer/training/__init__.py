"""The training loop for all engines, with its callbacks, metrics, histories and checkpoints."""

from multilayer.training.callbacks import Callback, EarlyStopping
from multilayer.training.checkpoint import Checkpoint
from multilayer.training.fitting import fit, train
from multilayer.training.history import History
from multilayer.training.loop import Loop
from multilayer.training.metrics import METRICS, Metric
from multilayer.training.progress import Progress
from multilayer.training.recorder import Recorder
from multilayer.training.run import Run
from multilayer.training.statistics import LayerStatistics

__all__ = [
    "METRICS",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "LayerStatistics",
    "Loop",
    "Metric",
    "Progress",
    "Recorder",
    "Run",
    "fit",
    "train",
]
