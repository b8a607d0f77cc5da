"""The content of an ONNX file: a model as a graph."""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from multilayer import forks
from multilayer.files.onnx_graph import FORMS, Graph
from multilayer.files.onnx_inputs import InputForm
from multilayer.files.onnx_targets import TARGET_FORMS
from multilayer.model import Model, softmax_sizes
from multilayer.numpy import Ensemble
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.layers import Affine, Layer
from multilayer.numpy.normalization import BatchNorm, LayerNorm

__all__ = ["content_of"]

OPSET = 19
"""The first version of the operations that can compare strings, of 2023."""
IR_VERSION = 9


def content_of(model: Model, inputs: InputForm) -> bytes:
    """Return the bytes of an ONNX file that predicts as the model does.

    Raises
    ------
    InvalidDataError
        If JSON cannot hold the classes.
    """
    with forks.imports:
        import onnx
        from onnx import helper, numpy_helper

    g = Graph(model.net.dtype)
    outputs = _outputs(g, model, _network(g, model, inputs.encode(g)))
    inputs.check_names(g, list(outputs))

    def port(name: str, dtype: np.dtype[Any], width: int) -> Any:
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        return helper.make_tensor_value_info(name, kind, ["n_samples", width])

    def nodes() -> Iterator[Any]:
        for node in g.nodes:
            attributes = dict(node.attributes)
            if node.operation == "Cast":
                attributes = {"to": helper.np_dtype_to_tensor_dtype(attributes["dtype"])}
            yield helper.make_node(node.operation, node.inputs, [node.output], **attributes)

    made = helper.make_model(
        helper.make_graph(
            list(nodes()),
            "multilayer",
            [port(name, *kind) for name, kind in inputs.ports().items()],
            [port(name, *kind) for name, kind in outputs.items()],
            [numpy_helper.from_array(array, name) for name, array in g.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="multilayer",
    )
    properties = {} if model.inputs.names is None else {"columns": json.dumps(model.inputs.names)}
    if model.targets is not None:
        properties["targets"] = json.dumps({"kind": model.targets.kind, **model.targets.to_dict()})
    helper.set_model_props(made, properties)
    onnx.checker.check_model(made)
    content: bytes = made.SerializeToString()
    return content


def _network(g: Graph, model: Model, x: str) -> str:
    """Add the operations from the network's inputs to its outputs; return the outputs' name.

    For an ensemble, they compute arrays of shape (n_members, n_samples, width), and at the end the
    mean over the members.
    """
    architecture = model.net.architecture
    is_ensemble = isinstance(model.net, Ensemble)
    add = _layers if is_ensemble else _layer
    layers = iter(layer for layer in model.net.network.layers if layer.parameters)
    if architecture.embeddings is not None:
        x = _embedding(g, next(layers), x)
    for spec in architecture.hidden_layers:
        before, x = x, add(g, next(layers), x)
        if spec.normalization is not None:
            x = add(g, next(layers), x)
        x = FORMS[spec.activation](g, x)
        if spec.residual:
            x = g("Add", before, x)
    x = add(g, next(layers), x)
    if is_ensemble and model.mean_of == "logits":
        return FORMS[architecture.output](g, g("ReduceMean", x, np.array([0]), keepdims=0))
    x = FORMS[architecture.output](g, x)
    return _mean(g, model, x) if is_ensemble else x


def _mean(g: Graph, model: Model, x: str) -> str:
    """Add the mean over members, as `multilayer.model.outputs_of` computes it."""
    members = np.array([0])
    sizes = softmax_sizes(model.net, model.targets)
    if not sizes:
        return g("ReduceMean", x, members, keepdims=0)
    parts, start = [], 0
    for size in sizes:
        part = g("LogSoftmax", g.columns(x, start, start := start + size), axis=-1)
        parts.append(g("ReduceLogSumExp", part, members, keepdims=0))
    return g("Sub", g("Concat", *parts, axis=1), math.log(len(model.members)))


def _embedding(g: Graph, layer: Layer, x: str) -> str:
    """Add embeddings, of one network or of K, from inputs of shape (n_samples, in_features)."""
    assert isinstance(layer, Embedding)
    numbers, categories = layer.embeddings.numbers, layer.embeddings.categories
    *K, _, width = layer.V.shape
    parts = []

    def add(of_each: str, n_inputs: int) -> None:
        parts.append(g("Reshape", of_each, np.array([*K, -1, n_inputs * width])))

    if layer.plain:
        plain = g("Gather", x, np.array(layer.plain), axis=1)
        parts.append(g("Expand", plain, np.array([*K, 1, 1])) if K else plain)
    if numbers:
        # All numbers in one batched product: vectors of zeros fill up those with fewer pieces.
        places, pieces = np.array(numbers).T[:, :, np.newaxis]
        V = np.zeros((*K, len(numbers), pieces.max() + 1, width), g.dtype)
        for j, rows in enumerate(layer.rows[: len(numbers)]):
            V[..., j, : rows.stop - rows.start, :] = layer.embeddings.speed * layer.V[..., rows, :]
        t = g("Min", g("Max", g("Gather", x, places, axis=1), 0.0), pieces.astype(g.dtype))
        codes = g("Clip", g("Sub", t, np.arange(-1, pieces.max(), dtype=g.dtype)), 0.0, 1.0)
        e = g("Max", g("MatMul", g("Transpose", codes, perm=[1, 0, 2]), V), 0.0)
        order = [*range(len(K)), *(len(K) + i for i in (1, 0, 2))]
        add(g("Transpose", e, perm=order), len(numbers))
    if categories:
        places, sizes = np.array(categories).T
        first = [rows.start for rows in layer.rows[len(numbers) :]]
        c = g("Max", g("Gather", x, places, axis=1), 0.0)
        c = g.cast(g("Min", c, (sizes - 1).astype(g.dtype)), np.int64)
        V = np.ascontiguousarray(layer.V[..., first[0] :, :])
        c = g("Add", c, np.array(first) - first[0])
        add(g("Gather", V, c, axis=len(K)), len(categories))
    return g("Concat", *parts, axis=-1)


def _layer(g: Graph, layer: Layer, x: str) -> str:
    """Add a layer with parameters."""
    if isinstance(layer, BatchNorm):
        statistics = (layer.running_mean, layer.running_variance)
        return g("BatchNormalization", x, *layer.parameters, *statistics, epsilon=layer.epsilon)
    if isinstance(layer, LayerNorm):
        return g("LayerNormalization", x, *layer.parameters, epsilon=layer.epsilon)
    assert isinstance(layer, Affine)
    return g("Gemm", x, *layer.parameters, transB=1)


def _layers(g: Graph, layer: Layer, x: str) -> str:
    """Add K layers, one for each index along the first axis of x.

    ONNX's normalisations take one scale for all K, so each layer's own γ is multiplied afterwards.
    """
    if isinstance(layer, Affine):
        x = g("MatMul", x, np.ascontiguousarray(layer.W.mT))
        return x if layer.b is None else g("Add", x, layer.b[:, np.newaxis])
    gamma, beta = (array[:, np.newaxis] for array in layer.parameters)
    if isinstance(layer, BatchNorm):
        gamma = gamma / np.sqrt(layer.running_variance + layer.epsilon)[:, np.newaxis]
        x = g("Sub", x, layer.running_mean[:, np.newaxis])
    else:
        assert isinstance(layer, LayerNorm)
        ones = np.ones(gamma.shape[-1], dtype=gamma.dtype)
        x = g("LayerNormalization", x, ones, epsilon=layer.epsilon)
    return g("Add", g("Mul", x, gamma), beta)


def _outputs(g: Graph, model: Model, x: str) -> dict[str, tuple[np.dtype[Any], int]]:
    """Add the operations from the network's outputs to the file's; return the latter's ports."""
    if model.targets is not None:
        return TARGET_FORMS[model.targets.kind](g, model.targets, x)
    g("Identity", x, name="outputs")
    return {"outputs": (g.dtype, model.net.architecture.out_features)}
