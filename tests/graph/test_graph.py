"""Computation graphs: against small nets drawn by hand, and another walk of autograd's."""

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import torch
from networkx.algorithms.isomorphism import categorical_multiedge_match, categorical_node_match

from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidArgumentError, InvalidTypeError, UnknownNameError
from multilayer.graph import Edge, Graph, Node, graph
from multilayer.numpy import MLP
from multilayer.torch import MLP as TorchMLP


def ends(found, kind):
    """Return the edges of a kind as sorted pairs of labels."""
    label = {node.id: node.label for node in found.nodes}
    return sorted((label[e.source], label[e.target]) for e in found.edges if e.kind == kind)


def kinds(found):
    return Counter(node.kind for node in found.nodes)


# The engine from scratch ---------------------------------------------------------------------


def test_a_small_net_drawn_by_hand():
    found = graph(MLP(Architecture(2, (3,), 1, activation="tanh", output="sigmoid")))
    assert [(node.kind, node.label, node.shape) for node in found.nodes] == [
        ("input", "x", (1, 2)),
        ("op", "affine", (1, 3)),
        ("parameter", "W1", (3, 2)),
        ("parameter", "b1", (3,)),
        ("op", "tanh", (1, 3)),
        ("op", "affine", (1, 1)),
        ("parameter", "W2", (1, 3)),
        ("parameter", "b2", (1,)),
        ("op", "sigmoid", (1, 1)),
    ]
    forward = [
        ("x", "affine"),
        ("W1", "affine"),
        ("b1", "affine"),
        ("affine", "tanh"),
        ("tanh", "affine"),
        ("W2", "affine"),
        ("b2", "affine"),
        ("affine", "sigmoid"),
    ]
    assert ends(found, "forward") == sorted(forward)
    assert ends(found, "backward") == sorted((b, a) for a, b in forward if a != "x")


def test_embeddings_drawn_by_hand():
    embeddings = Embeddings([(0, 3)], [(2, 2)], width=4)
    found = graph(MLP(Architecture(3, (3,), 1, bias=False, embeddings=embeddings)))
    assert [(node.kind, node.label, node.shape) for node in found.nodes[:5]] == [
        ("input", "x", (1, 3)),
        ("op", "embeddings", (1, 9)),
        ("parameter", "V1", (6, 4)),
        ("op", "affine", (1, 3)),
        ("parameter", "W1", (3, 9)),
    ]
    forward = [("x", "embeddings"), ("V1", "embeddings"), ("embeddings", "affine")]
    assert set(forward) <= set(ends(found, "forward"))
    assert {(b, a) for a, b in forward[1:]} <= set(ends(found, "backward"))
    assert ("embeddings", "x") not in ends(found, "backward")
    of_torch = graph(TorchMLP(Architecture(3, (3,), 1, embeddings=embeddings)))
    assert "hidden.0.0.weight" in {node.label for node in of_torch.nodes}


def test_a_residual_block_drawn_by_hand():
    architecture = Architecture(4, (3, 3), 2, normalization="layer", residual=True, dropout=0.5)
    found = graph(MLP(architecture))
    ids = {(edge.source, edge.target, edge.kind) for edge in found.edges}
    # Only the second hidden layer is as wide as its input.
    block = ["1.dropout 0.5", "2.affine", "2.layer norm", "2.relu", "2.dropout 0.5", "2.add"]
    for one, other in [*pairwise(block), (block[0], block[-1])]:
        assert (one, other, "forward") in ids
        assert (other, one, "backward") in ids
    for name in "γβ":
        assert (f"2.{name}", "2.layer norm", "forward") in ids
        assert ("2.layer norm", f"2.{name}", "backward") in ids
    assert kinds(found) == {"input": 1, "parameter": 4 + 4 + 2, "op": 4 + 5 + 2}
    assert sum(edge.kind == "forward" for edge in found.edges) == 10 + 10 + 2


def test_noise_drawn_by_hand():
    found = graph(MLP(Architecture(4, (3,), 2, noise=(0.3, 0.1))))
    assert [node.id for node in found.nodes if node.kind == "op"] == [
        "0.noise 0.3", "1.affine", "1.noise 0.1", "1.relu", "2.affine", "output"
    ]  # fmt: skip
    assert [node.shape for node in found.nodes][1] == (1, 4)
    forward, backward = ends(found, "forward"), ends(found, "backward")
    assert {("x", "noise 0.3"), ("noise 0.3", "affine"), ("affine", "noise 0.1")} <= set(forward)
    assert ("noise 0.1", "affine") in backward
    assert "noise 0.3" not in {end for edge in backward for end in edge}


def test_without_a_gradient_to_ask_for_none_goes_into_the_input():
    # The first block is residual: its input is the network's.
    found = graph(MLP(Architecture(3, (3,), 1, residual=True)))
    assert ("x", "+ input") in ends(found, "forward")
    assert not any(edge.target == "x" for edge in found.edges)


@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"normalization": "batch"}])
def test_parameters_are_the_networks(settings):
    net = MLP(Architecture(5, (4, 3), 2, **settings))
    shapes = [node.shape for node in graph(net).nodes if node.kind == "parameter"]
    assert shapes == [array.shape for pair in net.weights for array in pair if array is not None]


# PyTorch -------------------------------------------------------------------------------------


class Branches(torch.nn.Module):
    """Two branches that share a layer, meet in a product and a concatenation."""

    def __init__(self):
        super().__init__()
        self.shared = torch.nn.Linear(4, 4)
        self.same = self.shared
        self.last = torch.nn.Linear(8, 2)
        self.scale = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        left = torch.tanh(self.shared(x))
        right = torch.relu(self.same(left))
        mixed = torch.matmul(left, right.T)
        return self.last(torch.cat([left, mixed @ right], dim=1)) * self.scale


def recursive_walk(tensor):
    """Return autograd's graph by plain recursion: an oracle that shares nothing with the code."""
    found = nx.MultiDiGraph()
    kept = []  # wrappers must live for their identities to be compared

    def visit(function):
        if function in found:
            return
        kept.append(function)
        found.add_node(function, label=function.name().split("::")[-1])
        if hasattr(function, "variable"):
            leaf = ("leaf", function)
            found.add_node(leaf, label=str(tuple(function.variable.shape)))
            found.add_edge(function, leaf, kind="backward")
        for following, _ in function.next_functions:
            if following is not None:
                visit(following)
                found.add_edge(function, following, kind="backward")

    visit(tensor.grad_fn)
    return found


def as_networkx(found):
    copy = nx.MultiDiGraph()
    for node in found.nodes:
        is_leaf = node.kind in ("leaf", "parameter")
        copy.add_node(node.id, label=str(node.shape) if is_leaf else node.label)
    for edge in found.edges:
        copy.add_edge(edge.source, edge.target, kind=edge.kind)
    return copy


def branches_with_input_gradient():
    module = Branches()
    return module(torch.randn(3, 4, requires_grad=True)).square().mean(), module


def cases():
    x = torch.randn(3, 3, requires_grad=True)
    y = x.exp()
    yield "shared", y * y + y
    yield "two branches", branches_with_input_gradient()[0]
    encoder = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    yield "transformer", encoder(torch.randn(2, 5, 8)).sum()
    lstm_like = torch.nn.RNN(3, 4, 2)
    yield "recurrent", lstm_like(torch.randn(6, 2, 3))[0].sum()
    values, vectors = torch.linalg.eigh(x @ x.T)
    yield "several outputs", values.sum() + vectors.abs().sum()


CASES = dict(cases())


@pytest.mark.parametrize("name", CASES)
def test_autograds_graph_is_that_of_a_recursive_walk(name):
    tensor = CASES[name]
    found, expected = as_networkx(graph(tensor)), recursive_walk(tensor)
    assert found.number_of_nodes() == expected.number_of_nodes()
    assert found.number_of_edges() == expected.number_of_edges()
    assert nx.is_isomorphic(
        found,
        expected,
        node_match=categorical_node_match("label", None),
        edge_match=categorical_multiedge_match("kind", None),
    )


def test_a_shared_expression_is_one_node():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    found = graph(y * y + y)
    assert kinds(found) == {"op": 3, "accumulate": 1, "leaf": 1}
    assert ends(found, "backward") == [
        ("AccumulateGrad", "leaf"),
        ("AddBackward0", "ExpBackward0"),
        ("AddBackward0", "MulBackward0"),
        ("ExpBackward0", "AccumulateGrad"),
        ("MulBackward0", "ExpBackward0"),
        ("MulBackward0", "ExpBackward0"),
    ]
    assert ends(found, "forward") == []


def test_parameters_are_named_and_told_apart_from_leaves():
    output, module = branches_with_input_gradient()
    found = graph(output, module=module)
    named = {node.label: node.shape for node in found.nodes if node.kind == "parameter"}
    assert named == {
        "shared.weight = same.weight": (4, 4),
        "shared.bias = same.bias": (4,),
        "last.weight": (2, 8),
        "last.bias": (2,),
        "scale": (2,),
    }
    (leaf,) = (node for node in found.nodes if node.kind == "leaf")
    assert (leaf.label, leaf.shape) == ("leaf", (3, 4))
    assert kinds(found)["accumulate"] == 6
    unnamed = graph(output)
    assert {node.label for node in unnamed.nodes if node.kind == "parameter"} == {"parameter"}


def test_a_network_of_ours_drawn_by_hand():
    found = graph(TorchMLP(Architecture(2, (3,), 1)))
    assert ends(found, "backward") == sorted(
        [
            ("AddmmBackward0", "AccumulateGrad"),  # last.bias
            ("AddmmBackward0", "ReluBackward0"),
            ("AddmmBackward0", "TBackward0"),
            ("TBackward0", "AccumulateGrad"),
            ("ReluBackward0", "AddmmBackward0"),
            ("AddmmBackward0", "AccumulateGrad"),  # hidden.0.0.bias
            ("AddmmBackward0", "TBackward0"),
            ("TBackward0", "AccumulateGrad"),
            ("AccumulateGrad", "last.weight"),
            ("AccumulateGrad", "last.bias"),
            ("AccumulateGrad", "hidden.0.0.weight"),
            ("AccumulateGrad", "hidden.0.0.bias"),
        ]
    )
    assert {n.shape for n in found.nodes if n.kind == "parameter"} == {
        p.shape for p in TorchMLP(Architecture(2, (3,), 1)).parameters()
    }


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("training", [True, False])
def test_asking_changes_nothing(mode, training):
    net = TorchMLP(Architecture(3, (3, 3), 2, normalization="batch", dropout=0.5, residual=True))
    net.train(training)
    net.hidden[0].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    generator = torch.get_rng_state()
    with mode():
        found = graph(net)
    assert len(found.nodes) > 10
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert torch.equal(generator, torch.get_rng_state())
    assert all(p.grad is None for p in net.parameters())


def test_a_deep_graph_needs_no_deep_stack():
    x = torch.zeros(1, requires_grad=True)
    y = x
    depth = 20 * sys.getrecursionlimit()
    for _ in range(depth):
        y = y + 1
    found = graph(y)
    assert len(found.nodes) == depth + 2
    assert len(found.edges) == depth + 1
    assert found.to_dot().count("->") == depth + 1


def test_a_deep_graph_can_be_drawn():
    y = torch.zeros(1, requires_grad=True)
    weight = torch.ones(1, requires_grad=True)
    for _ in range(400):
        y = y * weight  # a line from the weight passes every rank
    assert graph(y).to_svg().count('class="node') == 400 + 4


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


def test_operations_of_the_users_own():
    found = graph(Double.apply(torch.ones(3, requires_grad=True)))
    assert found.nodes[0].label == "DoubleBackward"
    assert found.nodes[0].shape == (3,)


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("tensor", [torch.ones(2), torch.ones(2, requires_grad=True)])
def test_a_tensor_without_a_history(tensor):
    with pytest.raises(InvalidArgumentError) as caught:
        graph(tensor)
    assert str(caught.value) == (
        "a tensor given to graph must have a grad_fn: the result of an operation on tensors that "
        "require a gradient, outside torch.no_grad(); this one has none"
    )


@pytest.mark.parametrize("given", [torch.nn.Linear(2, 2), np.zeros(2), None])
def test_neither_network_nor_tensor(given):
    with pytest.raises(InvalidTypeError) as caught:
        graph(given)
    assert str(caught.value) == (
        "net_or_tensor of graph must be an MLP of either engine or a tensor (for any other module, "
        f"pass its output: graph(module(X), module=module)); got {type(given).__name__}"
    )


def test_module_where_it_does_not_belong():
    with pytest.raises(InvalidTypeError) as wrong_type:
        graph(torch.ones(2, requires_grad=True).exp(), module="model")
    assert str(wrong_type.value) == "module of graph must be a torch.nn.Module; got str"
    with pytest.raises(InvalidArgumentError) as of_network:
        graph(MLP(Architecture(2, (), 1)), module=torch.nn.Linear(2, 2))
    assert str(of_network.value) == (
        "module of graph names a tensor's parameters; a network names its own"
    )


def test_graphs_that_are_none():
    node = Node("x", "input", "x")
    with pytest.raises(InvalidArgumentError, match="nodes of Graph must have different ids"):
        Graph((node, node), ())
    with pytest.raises(InvalidArgumentError, match="between its nodes; got one at 'y'"):
        Graph((node,), (Edge("x", "y", "forward"),))
    with pytest.raises(UnknownNameError, match="did you mean 'forward'"):
        Edge("x", "y", "foward")
    with pytest.raises(UnknownNameError, match="kind of Node must be one of input, leaf"):
        Node("x", "tensor", "x")


# What it is turned into ----------------------------------------------------------------------


def test_a_dictionary_for_json():
    found = graph(MLP(Architecture(2, (3,), 1)))
    read = json.loads(json.dumps(found.to_dict()))
    assert read == found.to_dict()
    nodes = [Node(**node | {"shape": tuple(node["shape"])}) for node in read["nodes"]]
    assert Graph(tuple(nodes), tuple(Edge(**edge) for edge in read["edges"])) == found
    assert repr(found) == "Graph(9 nodes, 15 edges)"


def test_the_engine_from_scratch_loads_no_torch():
    program = (
        "import sys\n"
        "from multilayer import Architecture\n"
        "from multilayer.graph import graph\n"
        "from multilayer.inspection import summary\n"
        "from multilayer.numpy import MLP\n"
        "net = MLP(Architecture(2, (), 1))\n"
        "print(graph(net), summary(net).n_parameters)\n"
        "try: graph('net')\n"
        "except TypeError as error: print(error)\n"
        "print(sorted({'torch', 'networkx', 'matplotlib'} & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    first, refusal, loaded = result.stdout.splitlines()
    assert first == "Graph(5 nodes, 7 edges) 3"
    assert "got str" in refusal
    assert loaded == "[]"
