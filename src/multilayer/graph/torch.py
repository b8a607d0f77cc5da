"""The computation graph of a tensor, as PyTorch's autograd has recorded it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.autograd.graph import Node as Function

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.graph.parts import Edge, Node
from multilayer.torch import MLP

__all__ = ["walk_autograd"]

Parts = tuple[tuple[Node, ...], tuple[Edge, ...]]


def walk_autograd(net_or_tensor: object, module: object) -> Parts | None:
    """Return nodes and edges, output first; None for neither a tensor nor a network of ours.

    Examples
    --------
    >>> x = torch.ones(2, requires_grad=True)
    >>> nodes, edges = walk_autograd(x.exp(), None)
    >>> [(node.id, node.label, node.shape) for node in nodes]
    [('0', 'ExpBackward0', (2,)), ('1', 'AccumulateGrad', None), ('1.variable', 'leaf', (2,))]
    >>> [(edge.source, edge.target) for edge in edges]
    [('0', '1'), ('1', '1.variable')]
    """
    if module is not None and not isinstance(module, nn.Module):
        rule = "must be a torch.nn.Module"
        raise InvalidTypeError(rule, "module", "graph", got=type(module).__name__)
    if isinstance(net_or_tensor, MLP):
        module = module or net_or_tensor
        output = _output_of_zeros(net_or_tensor)
    elif isinstance(net_or_tensor, torch.Tensor):
        output = net_or_tensor
    else:
        return None
    if output.grad_fn is None:
        raise InvalidArgumentError(
            "a tensor given to graph must have a grad_fn: the result of an operation on tensors "
            "that require a gradient, outside torch.no_grad(); this one has none"
        )
    return _walk(output.grad_fn, {} if module is None else _names(module))


def _walk(root: Function, names: dict[int, str]) -> Parts:
    """Walk the graph with an explicit stack, since recursion fails on deep graphs."""
    # The keys keep PyTorch's wrappers alive. As long as a function's wrapper lives, PyTorch returns
    # the same one, so shared functions are recognised.
    ids: dict[Function, str] = {root: "0"}
    nodes: list[Node] = []
    edges: list[Edge] = []
    stack = [root]
    while stack:
        function = stack.pop()
        leaf = getattr(function, "variable", None)
        if leaf is None:
            nodes.append(Node(ids[function], "op", _label(function), _shape(function)))
        else:
            accumulate = Node(ids[function], "accumulate", _label(function))
            nodes += [accumulate, _leaf(f"{accumulate.id}.variable", leaf, names)]
            edges.append(Edge(accumulate.id, nodes[-1].id, "backward"))
        new = []
        for following, _ in function.next_functions:
            if following is None:  # an operand that requires no gradient
                continue
            if following not in ids:
                ids[following] = str(len(ids))
                new.append(following)
            edges.append(Edge(ids[function], ids[following], "backward"))
        stack += reversed(new)
    return tuple(nodes), tuple(edges)


def _label(function: Function) -> str:
    return function.name().rsplit("::")[-1]


def _shape(function: Function) -> tuple[int, ...] | None:
    """Return the shape of an operation's output, if PyTorch provides it.

    The attribute is private; without it, only the shapes are missing.
    """
    outputs = getattr(function, "_input_metadata", None) or ()
    shapes = [tuple(map(int, output.shape)) for output in outputs if output is not None]
    return shapes[0] if shapes else None


def _leaf(name: str, leaf: torch.Tensor, names: dict[int, str]) -> Node:
    shape = tuple(leaf.shape)
    if id(leaf) in names:
        return Node(name, "parameter", names[id(leaf)], shape)
    if isinstance(leaf, nn.Parameter):
        return Node(name, "parameter", "parameter", shape)
    return Node(name, "leaf", "leaf", shape)


def _names(module: nn.Module) -> dict[int, str]:
    """Return each parameter's name by its id; shared parameters get all their names."""
    names: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        known = names.get(id(parameter))
        names[id(parameter)] = name if known is None else f"{known} = {name}"
    return names


def _output_of_zeros(net: MLP) -> torch.Tensor:
    """Return the network's output for one sample of zeros, recorded whatever the caller's mode."""
    weight = net.last.weight
    with torch.inference_mode(False), torch.enable_grad(), _predicting(net):
        zeros = torch.zeros(
            1, net.architecture.in_features, dtype=weight.dtype, device=weight.device
        )
        output: torch.Tensor = net(zeros)
    return output


@contextmanager
def _predicting(net: nn.Module) -> Iterator[None]:
    """Switch to prediction mode, which changes no running statistics or random state, and back."""
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
