"""Pictures of graphs: SVG read by an XML parser and measured, DOT read by Graphviz."""

import itertools
import json
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, MissingPackageError
from multilayer.graph import Edge, Graph, Node, graph
from multilayer.numpy import MLP
from multilayer.torch import MLP as TorchMLP

SVG = "{http://www.w3.org/2000/svg}"
FONT_SIZE = 13
LETTER = 0.602 * FONT_SIZE  # of DejaVu Sans Mono, the widest of the fonts named

PLAIN = Architecture(64, (64, 32), 10)
RICH = Architecture(16, (16, 16, 8), 3, normalization="batch", residual=True, dropout=0.1)
NASTY = 'a<b & "c" \\ {d} ]]> 重み\x00'


def shared_and_skipped():
    """Return a tensor with values that are used again much later, and twice by one operation."""
    x = torch.randn(3, 4, requires_grad=True)
    shared = torch.nn.Linear(4, 4)
    u = shared(x).tanh()
    v = shared(u).relu()
    return (torch.cat([u, (u @ v.T) @ v], dim=1) * torch.cat([v * v, u], dim=1)).mean()


GRAPHS = {
    "numpy": graph(MLP(PLAIN)),
    "torch": graph(TorchMLP(PLAIN)),
    "numpy residual": graph(MLP(RICH)),
    "torch residual": graph(TorchMLP(RICH)),
    "shared": graph(shared_and_skipped()),
    "one node": Graph((Node("x", "input", "x"),), ()),
    "nasty": Graph(
        (Node(NASTY, "parameter", NASTY, (2,)), Node("", "op", ""), Node("c", "leaf", "多" * 30)),
        (Edge(NASTY, "", "forward"), Edge("", NASTY, "backward"), Edge(NASTY, "c", "forward")),
    ),
}
every_graph = pytest.mark.parametrize("found", GRAPHS.values(), ids=GRAPHS)


def legible(text):
    """Return a text as XML can have it."""
    return text.replace("\x00", "\ufffd")


def boxes(found):
    """Return each node's rectangle (left, top, right, bottom) and texts, as they are drawn."""
    root = ElementTree.fromstring(found.to_svg())
    drawn = [g for g in root.iter(f"{SVG}g") if g.get("class", "").startswith("node")]
    assert len(drawn) == len(found.nodes)
    for node, g in zip(found.nodes, drawn, strict=True):
        assert g.get("class") == f"node {node.kind}"
        box = g.find(f"{SVG}rect")
        left, top, width, height = (float(box.get(k)) for k in ("x", "y", "width", "height"))
        yield (left, top, left + width, top + height), list(g.iter(f"{SVG}text"))


def curves(found):
    """Return points along each edge's line, in the order of the edges."""
    root = ElementTree.fromstring(found.to_svg())
    for g in root.iter(f"{SVG}g"):
        if not g.get("class", "").startswith("edge"):
            continue
        commands = re.findall(r"([MCL])([^MCL]*)", g.find(f"{SVG}path").get("d"))
        points = []
        for command, numbers in commands:
            values = [float(number) for number in numbers.split()]
            if command == "M":
                points.append(tuple(values))
            elif command == "L":
                points += [tuple(point) for point in np.linspace(points[-1], values, 20)[1:]]
            else:
                control = np.array([points[-1], values[:2], values[2:4], values[4:]])
                for t in np.linspace(0, 1, 30)[1:]:
                    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
                    points.append(tuple(weights @ control))
        yield g.get("class").split()[1], points


@every_graph
def test_every_label_and_shape_is_there(found):
    for node, (_, texts) in zip(found.nodes, boxes(found), strict=True):
        lines = [legible(node.label)] + ([str(node.shape)] if node.shape is not None else [])
        assert [text.text or "" for text in texts] == lines


@every_graph
def test_boxes_do_not_overlap(found):
    check_boxes(found)


def check_boxes(found):
    rectangles = [rectangle for rectangle, _ in boxes(found)]
    for one, other in itertools.combinations(rectangles, 2):
        apart = one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
        assert apart, (one, other)


@every_graph
def test_text_fits_its_box(found):
    for (left, top, right, bottom), texts in boxes(found):
        for text in texts:
            wide = sum(2 if letter > "\u2e7f" and letter != "\ufffd" else 1
                       for letter in text.text or "")  # fmt: skip
            middle, baseline = float(text.get("x")), float(text.get("y"))
            assert text.get("text-anchor") == "middle"
            assert left < middle - wide * LETTER / 2
            assert middle + wide * LETTER / 2 < right
            assert top < baseline - FONT_SIZE
            assert baseline + 0.25 * FONT_SIZE < bottom  # descenders


@every_graph
def test_everything_lies_on_the_paper(found):
    root = ElementTree.fromstring(found.to_svg())
    _, _, width, height = map(float, root.get("viewBox").split())
    assert (float(root.get("width")), float(root.get("height"))) == (width, height)
    corners = [corner for rectangle, _ in boxes(found) for corner in (rectangle[:2], rectangle[2:])]
    points = [point for _, line in curves(found) for point in line] + corners
    (left, top), (right, bottom) = np.min(points, axis=0), np.max(points, axis=0)
    assert left >= 10
    assert top >= 10
    assert right <= width - 10
    assert bottom <= height - 10
    signs = [g for g in root.iter(f"{SVG}g") if g.get("class") == "legend"]
    meaning = signs[-1][-1]
    end = float(meaning.get("x")) + len(meaning.text) * LETTER
    assert end <= width - 10


@every_graph
def test_lines_join_their_boxes_and_run_through_no_other(found):
    check_lines(found)


def check_lines(found):
    rectangles = {
        node.id: rectangle for node, (rectangle, _) in zip(found.nodes, boxes(found), strict=True)
    }
    lines = list(curves(found))
    assert len(lines) == len(found.edges)
    for edge, (kind, points) in zip(found.edges, lines, strict=True):
        assert kind == edge.kind
        above, below = edge.in_data_order
        (x, y), (to_x, to_y) = points[0], points[-1]
        left, _, right, bottom = rectangles[above]
        assert left < x < right
        assert y == pytest.approx(bottom, abs=0.11)  # coordinates have one decimal
        left, top, right, _ = rectangles[below]
        assert left < to_x < right
        assert to_y == pytest.approx(top, abs=0.11)
        for left, top, right, bottom in rectangles.values():
            inside = [(px, py) for px, py in points
                      if left < px < right and top + 0.2 < py < bottom - 0.2]  # fmt: skip
            assert not inside


@every_graph
def test_the_legend_tells_the_kinds_there_are(found):
    root = ElementTree.fromstring(found.to_svg())
    told = [g.find(f"{SVG}text").text for g in root.iter(f"{SVG}g") if g.get("class") == "legend"]
    kinds = {node.kind for node in found.nodes} | {edge.kind for edge in found.edges}
    assert len(told) == len(set(told)) == len(kinds)


def test_kinds_differ_without_colour():
    def lightness(colour):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    nodes = tuple(Node(kind, kind, kind) for kind in ("input", "parameter", "op", "accumulate"))
    edges = (Edge("input", "op", "forward"), Edge("op", "parameter", "backward"))
    root = ElementTree.fromstring(Graph(nodes, edges).to_svg())
    fills = [g.find(f"{SVG}rect") for g in root.iter(f"{SVG}g") if "node" in g.get("class", "")]
    looks = [(r.get("rx"), r.get("stroke-dasharray"), lightness(r.get("fill"))) for r in fills]
    assert len({look[:2] for look in looks}) == 4
    dark, middle, light, _ = (look[2] for look in looks)
    assert dark + 60 < middle < light - 30
    dashes = {g.get("class"): g.find(f"{SVG}path").get("stroke-dasharray")
              for g in root.iter(f"{SVG}g") if "edge" in g.get("class", "")}  # fmt: skip
    assert dashes["edge forward"] is None
    assert dashes["edge backward"] is not None


def test_a_chain_is_drawn_straight():
    x = torch.ones(1, requires_grad=True)
    middles = {(left + right) / 2 for (left, _, right, _), _ in boxes(graph(x.exp().tanh().sum()))}
    assert max(middles) - min(middles) < 0.2


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.booleans()), max_size=30),
    st.lists(st.integers(0, 25), min_size=12, max_size=12),
)
@settings(max_examples=60)
def test_any_graph_can_be_drawn(pairs, lengths):
    nodes = tuple(Node(str(i), "op", "m" * n) for i, n in enumerate(lengths))
    edges = tuple(
        Edge(str(min(a, b)), str(max(a, b)), "forward")
        if forward
        else Edge(str(max(a, b)), str(min(a, b)), "backward")
        for a, b, forward in pairs
        if a != b
    )
    found = Graph(nodes, edges)
    check_boxes(found)
    check_lines(found)


def test_the_picture_needs_a_dag():
    nodes = (Node("a", "op", "a"), Node("b", "op", "b"))
    round_trip = Graph(nodes, (Edge("a", "b", "forward"), Edge("b", "a", "forward")))
    with pytest.raises(InvalidArgumentError) as caught:
        round_trip.to_svg()
    assert str(caught.value) == "a computation graph must have no cycles; this one has"
    with pytest.raises(InvalidArgumentError) as caught:
        Graph((), ()).to_svg()
    assert str(caught.value) == "the picture of a graph needs at least one node"


def test_without_networkx(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    found = graph(MLP(PLAIN))
    assert found.to_dot()
    with pytest.raises(MissingPackageError) as caught:
        found.to_svg()
    assert str(caught.value) == (
        'the picture of a graph needs networkx: pip install "multilayer[plot]"'
    )


def test_the_same_graph_gives_the_same_picture():
    assert graph(MLP(RICH)).to_svg() == graph(MLP(RICH)).to_svg()


# Graphviz ------------------------------------------------------------------------------------


@every_graph
def test_dot_is_balanced(found):
    text = found.to_dot()
    without_strings = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert '"' not in without_strings
    assert without_strings.count("{") == without_strings.count("}") == 1
    assert without_strings.count("[") == without_strings.count("]")
    assert without_strings.count("->") == len(found.edges)
    assert "\0" not in text


@pytest.mark.skipif(shutil.which("dot") is None, reason="the program dot of Graphviz is not here")
@every_graph
def test_graphviz_reads_what_was_meant(found):
    result = subprocess.run(
        ["dot", "-Tjson"], input=found.to_dot(), capture_output=True, text=True, check=True
    )
    read = json.loads(result.stdout)
    names = [read_node["name"] for read_node in read["objects"]]
    # In names Graphviz leaves a doubled backslash doubled, in labels it does not.
    own = [legible(node.id).replace("\\", "\\\\") for node in found.nodes]
    assert names == own
    pairs = [(edge["tail"], edge["head"]) for edge in read.get("edges", [])]
    place = {node.id: i for i, node in enumerate(found.nodes)}
    expected = [tuple(place[end] for end in edge.in_data_order) for edge in found.edges]
    assert sorted(pairs) == sorted(expected)
    picture = subprocess.run(
        ["dot", "-Tsvg"], input=found.to_dot(), capture_output=True, text=True, check=True
    ).stdout
    shown = {text.text for text in ElementTree.fromstring(picture).iter(f"{SVG}text")}
    assert {legible(node.label) for node in found.nodes if node.label} <= {
        (text or "").replace("\xa0", " ") for text in shown
    }
