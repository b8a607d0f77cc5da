"""What the server tells the page first: the choices it offers, and a session's structure."""

from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.architecture import ACTIVATIONS, NORMALIZATIONS
from multilayer.data import toy
from multilayer.model import Columns
from multilayer.numpy import INITIALIZERS, OPTIMIZERS, SCHEDULES
from multilayer.playground.bundled import SIDE, digits, iris
from multilayer.playground.data_sets import SETS
from multilayer.playground.features import FEATURES
from multilayer.playground.messages import MAX_FILE
from multilayer.playground.pictures import SHOWN, SMALL, as_bytes
from multilayer.playground.recipes import recipes
from multilayer.playground.settings import (
    DATA_KINDS,
    LOSSES,
    MAX_LAYERS,
    MAX_NAME,
    MAX_POINTS,
    MAX_WIDTH,
    STEPPING,
)
from multilayer.playground.training import Training

__all__ = ["bundled_thumbnails", "greeting", "structure_of"]

Array = npt.NDArray[Any]

THUMBNAIL = 120
"""Number of samples in a thumbnail."""
PICTURED = 13
"""Index of the image on the thumbnail of the digits, a three."""
EXAMPLES = 100
"""Number of images that can be shown instead of a drawn one."""
FORMULAS = (
    "y > sin(3*x)",
    "x^2 + y^2 < 1",
    "x*y > 0",
    "0 < y < x",
    "x^2 + y^2 < 1 and x > 0",
    "abs(x) + abs(y) < 1",
    "sin(4*x) * sin(4*y) > 0",
    "sin(3*x) * y",
    "exp(-x^2 - y^2)",
    "abs(sin(3*x))",
    "floor(2*x)",
)
"""Formulas that the page suggests."""


@cache
def greeting() -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the names that the controls offer, and a thumbnail of each toy data set."""
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
        "formulas": FORMULAS,
        "features": [(name, feature.label) for name, feature in FEATURES.items()],
        "limits": {
            "MAX_LAYERS": MAX_LAYERS,
            "MAX_WIDTH": MAX_WIDTH,
            "MAX_POINTS": MAX_POINTS,
            "MAX_FILE": MAX_FILE,
            "MAX_NAME": MAX_NAME,
        },
    }
    rng = np.random.default_rng(0)
    X, y = toy.formula(FORMULAS[0], THUMBNAIL, 0.0, rng)
    drawn = {"thumbnail formula": _thumbnail(X, y)}
    for name, draw in SETS.items():
        X, y = draw(THUMBNAIL, rng=np.random.default_rng(0))
        # A curve is drawn as points (x, y).
        places = np.column_stack([X, y]) if X.shape[1] == 1 else X
        drawn[f"thumbnail {name}"] = _thumbnail(places, y)
    return values, drawn


@cache
def bundled_thumbnails() -> dict[str, Array]:
    """Return thumbnails of iris and of the digits, which scikit-learn takes a while to load."""
    table = iris()
    petals = table.select(table.columns[2:4])
    codes, _ = table["species"].categories()
    images, _ = digits()
    return {
        "thumbnail iris": _thumbnail(np.asarray(Columns.of(petals).encode(petals)[:]), codes),
        "thumbnail digits": images[PICTURED].reshape(SIDE, SIDE),
    }


def _thumbnail(places: Array, y: Array) -> Array:
    """Return places between −1 and 1, with classes or values."""
    return np.column_stack([places / np.abs(places).max(), y])


def structure_of(training: Training) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return a description of a session's network and samples: values for JSON, and arrays."""
    samples, net, view = training.samples, training.net, training.samples.view
    targets = samples.targets
    is_class = targets.task == "classification"
    shown = samples.shown
    places = samples.places[shown]
    if places.shape[1] == 1:
        places = np.column_stack([places, np.zeros(len(places))])
    is_held_out = np.isin(shown, samples.held_out)
    codes = samples.codes
    names = _input_names(training)
    values = {
        "settings": training.settings.to_dict(),
        "task": targets.task,
        "classes": _class_names(training) if is_class else [],
        "columns": list(samples.columns),
        "target": samples.target,
        "inputs": names,
        "axes": list(view.names),
        "low": view.low.tolist(),
        "high": view.high.tolist(),
        "is_to_scale": view.is_to_scale,
        "values": [float(codes.min()), float(codes.max())],
        "loss": training.loss.name,
        "score": next(iter(training.metrics)),
        "widths": [samples.X.shape[1], *net.architecture.hidden_features, targets.out_features],
        "shown": SHOWN,
        "side": samples.side,
        "n_parameters": net.n_parameters,
        "n_samples": [len(samples.rows), len(samples.held_out)],
        "recipes": recipes(training),
        "is_repeatable": training.is_repeatable,
    }
    arrays = {"points": np.column_stack([places, codes[shown], is_held_out])}
    if view.is_to_scale and len(view.basis) == 2:
        inputs = view.grid(SMALL)
        shares = (inputs / np.abs(inputs).max(axis=0) + 1) / 2
        arrays["inputs"] = as_bytes(shares).T.reshape(-1, SMALL, SMALL)
    if samples.side:
        rows = samples.held_out if len(samples.held_out) else samples.rows
        arrays["examples"] = samples.X[rows[:EXAMPLES]].reshape(-1, samples.side, samples.side)
    return values, arrays


def _input_names(training: Training) -> list[str]:
    """Return the names of the inputs that the page shows."""
    samples = training.samples
    if side := samples.side:
        return [f"row {i // side + 1}, column {i % side + 1}" for i in range(side**2)]
    names = samples.labels or samples.inputs.input_names or samples.view.names
    return [str(name) for name in names[:200]]


def _class_names(training: Training) -> list[str]:
    """Return the names of the classes; a number is prefixed with the target's name."""
    samples = training.samples
    classes: Array = samples.targets.classes
    return [str(c) if classes.dtype.kind == "U" else f"{samples.target} {c}" for c in classes]
