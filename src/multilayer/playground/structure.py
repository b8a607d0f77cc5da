"""What the page must know of a session before its first frame, and of the playground at all."""

from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.architecture import ACTIVATIONS, NORMALIZATIONS
from multilayer.numpy import INITIALIZERS, OPTIMIZERS, SCHEDULES
from multilayer.playground import settings as limits
from multilayer.playground.data_sets import SETS
from multilayer.playground.pictures import SHOWN
from multilayer.playground.recipes import recipes
from multilayer.playground.settings import DATA_KINDS, LOSSES, STEPPING
from multilayer.playground.training import Training

__all__ = ["greeting", "structure_of"]

Array = npt.NDArray[Any]

THUMBNAIL = 120


def greeting() -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the names that the controls offer, and a picture of each data set."""
    rates = {
        name: next(f.default for f in fields(OPTIMIZERS[name]) if f.name == "learning_rate")
        for name in STEPPING
    }
    values = {
        "activations": list(ACTIVATIONS),
        "optimizers": rates,
        "initializers": list(INITIALIZERS),
        "normalizations": list(NORMALIZATIONS),
        "schedules": [name for name in SCHEDULES.names if name != "constant"],
        "losses": list(LOSSES),
        "kinds": list(DATA_KINDS),
        "limits": {
            name: getattr(limits, name)
            for name in ("MAX_LAYERS", "MAX_WIDTH", "MAX_POINTS", "MAX_SAMPLES", "MAX_CLASSES")
        },
    }
    drawn = {}
    for name, draw in SETS.items():
        X, y = draw(THUMBNAIL, rng=np.random.default_rng(0))
        # A curve is pictured with its values above the line.
        places = np.column_stack([X, y]) if X.shape[1] == 1 else X
        drawn[f"thumbnail {name}"] = np.column_stack([places / np.abs(places).max(), y])
    return values, drawn


def structure_of(training: Training) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what a session's network and samples are: values, and the samples' places."""
    samples, net, view = training.samples, training.net, training.samples.view
    targets = samples.targets
    is_class = targets.task == "classification"
    shown = samples.shown
    places = view.positions(samples.X[shown])
    if places.shape[1] == 1:
        places = np.column_stack([places, np.zeros(len(places))])
    is_held_out = np.isin(shown, samples.held_out)
    codes = samples.codes
    names = samples.inputs.input_names or view.names
    values = {
        "settings": training.settings.to_dict(),
        "task": targets.task,
        "classes": _class_names(training) if is_class else [],
        "columns": list(samples.columns),
        "target": samples.target,
        "inputs": [str(name) for name in names[: 200 if samples.columns else None]],
        "axes": list(view.names),
        "low": view.low.tolist(),
        "high": view.high.tolist(),
        "is_to_scale": view.is_to_scale,
        "values": [float(codes.min()), float(codes.max())],
        "loss": training.loss.name,
        "score": next(iter(training.metrics)),
        "widths": [samples.X.shape[1], *net.architecture.hidden_features, targets.out_features],
        "shown": SHOWN,
        "n_parameters": net.n_parameters,
        "n_samples": [len(samples.rows), len(samples.held_out)],
        "recipes": recipes(training),
        "is_repeatable": training.is_repeatable,
    }
    return values, {"points": np.column_stack([places, codes[shown], is_held_out])}


def _class_names(training: Training) -> list[str]:
    """Return the classes' names; numbers alone say nothing."""
    samples = training.samples
    classes: Array = samples.targets.classes
    return [str(c) if classes.dtype.kind == "U" else f"{samples.target} {c}" for c in classes]
