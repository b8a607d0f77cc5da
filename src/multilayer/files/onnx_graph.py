"""Graph: a list of ONNX operations; and the activations, built from such operations."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["FORMS", "Graph", "Node"]

Array = npt.NDArray[Any]


class Node(NamedTuple):
    """One operation: its inputs and the name of its result."""

    operation: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any]


class Graph:
    """A list of operations, each of which takes its inputs by name.

    Call it with an operation and its inputs to add the operation and get the name of the result. An
    input is a name, a number, which becomes a constant of the graph's type, or an array, which
    becomes a constant of its own type.

    Parameters
    ----------
    dtype : numpy.dtype
        The type that the network computes in.

    Examples
    --------
    >>> graph = Graph(np.dtype("float32"))
    >>> graph("Mul", graph("Sigmoid", "z"), 2.0)
    'mul_1'
    >>> graph.nodes[1]
    Node(operation='Mul', inputs=['sigmoid_0', 'constant_0'], output='mul_1', attributes={})
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}

    def __call__(
        self, operation: str, *inputs: str | float | Array, name: str = "", **attributes: Any
    ) -> str:
        name = name or f"{operation.lower()}_{len(self.nodes)}"
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        self.nodes.append(Node(operation, names, name, attributes))
        return name

    def cast(self, x: str, dtype: npt.DTypeLike) -> str:
        """Add a conversion to another type."""
        return self("Cast", x, dtype=np.dtype(dtype))

    def columns(self, x: str, start: int, stop: int) -> str:
        """Add the selection of a range of entries along the last axis."""
        return self("Slice", x, *(np.array([bound]) for bound in (start, stop, -1)))

    def _constant(self, value: float | Array) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = (
            value if isinstance(value, np.ndarray) else np.array(value, dtype=self.dtype)
        )
        return name


def _elu(g: Graph, z: str, scale: float = 1.0, alpha: float = 1.0) -> str:
    below = g("Mul", g("Sub", g("Exp", g("Min", z, 0.0)), 1.0), scale * alpha)
    return g("Where", g("Greater", z, 0.0), g("Mul", z, scale), below)


def _gelu(g: Graph, z: str) -> str:
    # onnxruntime has the error function only in float32, which costs an error of 1e-7.
    u = g.cast(g("Mul", z, math.sqrt(0.5)), np.float32)
    erf = g.cast(g("Erf", u), g.dtype)
    return g("Mul", g("Mul", z, 0.5), g("Add", erf, 1.0))


def _gelu_tanh(g: Graph, z: str) -> str:
    factor = g("Add", g("Mul", g("Mul", z, z), 0.044715), 1.0)
    two_u = g("Mul", g("Mul", z, 2 * math.sqrt(2 / math.pi)), factor)
    return g("Mul", z, g("Sigmoid", two_u))


def _silu(g: Graph, z: str) -> str:
    # onnxruntime before 1.32 turns z · sigmoid(z) into a QuickGelu, which it has only in float32.
    return g("Div", z, g("Add", g("Exp", g("Neg", z)), 1.0))


def _softplus(g: Graph, z: str) -> str:
    small = g("Exp", g("Neg", g("Abs", z)))
    return g("Add", g("Max", z, 0.0), g("Log", g("Add", small, 1.0)))


def _exp(g: Graph, z: str) -> str:
    # One step below log(max), so that no result rounds to infinity.
    largest = np.nextafter(np.log(np.finfo(g.dtype).max), g.dtype.type(0))
    return g("Exp", g("Min", z, float(largest)))


FORMS: dict[str, Callable[[Graph, str], str]] = {
    "identity": lambda _, z: z,
    "relu": lambda g, z: g("Max", z, 0.0),
    "leaky_relu": lambda g, z: g("Max", z, g("Mul", z, 0.01)),
    "elu": _elu,
    "selu": lambda g, z: _elu(g, z, 1.0507009873554805, 1.6732632423543772),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "mish": lambda g, z: g("Mul", z, g("Tanh", _softplus(g, z))),
    "softplus": _softplus,
    "softsign": lambda g, z: g("Div", z, g("Add", g("Abs", z), 1.0)),
    "sigmoid": lambda g, z: g("Sigmoid", z),
    "tanh": lambda g, z: g("Tanh", z),
    "hard_tanh": lambda g, z: g("Max", g("Min", z, 1.0), -1.0),
    "softmax": lambda g, z: g("Softmax", z, axis=-1),
    "log_softmax": lambda g, z: g("LogSoftmax", z, axis=-1),
    "exp": _exp,
}
"""The activations, built from operations that onnxruntime has in float32 and in float64."""
