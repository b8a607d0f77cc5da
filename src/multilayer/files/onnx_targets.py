"""The kinds of targets in an ONNX file: its outputs, and the operations that make them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from multilayer.files.onnx_graph import Graph
from multilayer.model import Classes, ClassGroups, Labels, Values

__all__ = ["TARGET_FORMS"]

Ports = dict[str, tuple[np.dtype[Any], int]]


def _classes(g: Graph, targets: Classes, x: str) -> Ports:
    if not targets.is_binary:
        g("Identity", x, name="probabilities")
    elif len(targets.classes) == 1:
        g("Add", g("Mul", x, 0.0), 1.0, name="probabilities")
    else:
        g("Concat", g("Sub", 1.0, x), x, axis=1, name="probabilities")
    return {"probabilities": (g.dtype, len(targets.classes))}


def _class_groups(g: Graph, targets: ClassGroups, x: str) -> Ports:
    start, ports = 0, {}
    for i, (size, group) in enumerate(zip(targets.softmax_sizes, targets.groups, strict=True)):
        name, n_classes = f"probabilities_{i}", len(group.classes)
        if n_classes == 1:
            g("Add", g("Mul", g.columns(x, start, start + 1), 0.0), 1.0, name=name)
        else:
            g("Softmax", g.columns(x, start, start + size), axis=1, name=name)
        ports[name] = (g.dtype, n_classes)
        start += size
    return ports


def _labels(g: Graph, targets: Labels, x: str) -> Ports:
    g("Identity", x, name="probabilities")
    return {"probabilities": (g.dtype, targets.out_features)}


def _values(g: Graph, targets: Values, x: str) -> Ports:
    dtype = g.dtype
    if targets.mean is not None and targets.scale is not None:
        mean, scale = (np.repeat(a, targets.n_each) for a in (targets.mean, targets.scale))
        x, dtype = g("Add", g("Mul", g.cast(x, np.float64), scale), mean), np.dtype(np.float64)
    if targets.limits is not None:
        low, high = np.repeat(targets.limits, targets.n_each, axis=1).astype(dtype)
        x = g("Min", g("Max", x, low), high)
    g("Identity", x, name="values")
    return {"values": (dtype, targets.out_features)}


TARGET_FORMS: dict[str, Callable[[Graph, Any, str], Ports]] = {
    Classes.kind: _classes,
    ClassGroups.kind: _class_groups,
    Labels.kind: _labels,
    Values.kind: _values,
}
"""Each adds the operations from the network's outputs to the file's, and returns the latter."""
