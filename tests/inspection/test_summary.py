"""The layers' table: counts against PyTorch's layers, its FLOP counter, and closed forms."""

import json
import re

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidDataError, InvalidTypeError
from multilayer.inspection import summary
from multilayer.model import Model
from multilayer.numpy import MLP
from multilayer.torch import MLP as TorchMLP
from multilayer.torch import Residual

EVERYTHING = Architecture(7, (5, 5), 3, activation=("relu", "tanh"), normalization="batch",
                          dropout=0.25, residual=True, output="log_softmax")  # fmt: skip
ARCHITECTURES = [
    EVERYTHING,
    Architecture(4, (), 1),
    Architecture(4, (), 3, noise=0.1),
    Architecture(4, (4, 6), 3, noise=0.1, normalization="batch", residual=True),
    Architecture(4, (6, 6), 2, normalization="layer", bias=False, activation="identity"),
    Architecture(784, (32, 64, 128, 64), 10, activation="tanh"),
]


def test_embeddings_are_counted_by_hand():
    embeddings = Embeddings([(0, 10)], [(2, 4)], width=3)
    rows = summary(Architecture(5, (6,), 2, embeddings=embeddings), input=(100, 5))
    first = rows[0]
    assert first.operations == "embeddings → affine → relu"
    assert (first.in_features, first.out_features) == (3 + 2 * 3, 6)
    assert first.n_parameters == (11 + 4) * 3 + 9 * 6 + 6
    assert first.n_multiply_adds == 100 * 9 * 6
    assert first.activation_bytes == 4 * 100 * (9 + 6 + 6)
    assert summary(TorchMLP(Architecture(5, (6,), 2, embeddings=embeddings)), (100, 5)) == rows


def test_counts_are_those_of_pytorchs_layers():
    rows = summary(EVERYTHING)
    expected = [
        [torch.nn.Linear(7, 5, bias=False), torch.nn.BatchNorm1d(5)],
        [torch.nn.Linear(5, 5, bias=False), torch.nn.BatchNorm1d(5)],
        [torch.nn.Linear(5, 3)],
    ]
    counts = [sum(p.numel() for layer in row for p in layer.parameters()) for row in expected]
    assert [row.n_parameters for row in rows] == counts
    assert [row.operations for row in rows] == [
        "affine → batch norm → relu → dropout 0.25",
        "affine → batch norm → tanh → dropout 0.25 → + input",
        "affine → log_softmax",
    ]
    assert rows.n_parameters == sum(counts) == EVERYTHING.n_parameters


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_totals_are_what_pytorch_counts(architecture):
    n_samples = 6
    net = TorchMLP(architecture)
    X = torch.randn(n_samples, architecture.in_features)
    # Kept, so that no two have the same place; the identity puts out what it was given.
    arrays = {}

    def keep(module, given, output):
        arrays[output.data_ptr()] = output

    makers = [m for m in net.modules() if not list(m.children()) or isinstance(m, Residual)]
    hooks = [module.register_forward_hook(keep) for module in makers]
    net(X)
    arrays.pop(X.data_ptr(), None)  # flattening gives a view
    for hook in hooks:
        hook.remove()
    with FlopCounterMode(display=False) as counter:
        net.eval()(X)

    table = summary(net, X)
    # It counts a multiplication and an addition as two.
    assert table.n_multiply_adds == counter.get_total_flops() / 2
    assert table.n_parameters == sum(p.numel() for p in net.parameters())
    assert table.parameter_bytes == sum(p.nbytes for p in net.parameters())
    assert table.activation_bytes == sum(array.nbytes for array in arrays.values())


def test_a_row_in_closed_form():
    (row, _) = summary(Architecture(4, (8,), 3), (100, 4))
    assert row.output_shape == (100, 8)
    assert row.n_parameters == 4 * 8 + 8
    assert row.n_multiply_adds == 100 * 4 * 8
    assert row.parameter_bytes == 4 * row.n_parameters
    assert row.activation_bytes == 4 * 2 * 100 * 8  # z and a


def test_both_engines_and_the_architecture_say_the_same():
    expected = summary(EVERYTHING, (5, 7))
    assert summary(MLP(EVERYTHING), np.zeros((5, 7))) == expected
    assert summary(TorchMLP(EVERYTHING), torch.zeros(5, 7)) == expected


@pytest.mark.parametrize(
    ("net", "n_bytes"),
    [
        (MLP(Architecture(4, (), 1), dtype="float64"), 8),
        (TorchMLP(Architecture(4, (), 1), dtype="float64"), 8),
        (TorchMLP(Architecture(4, (), 1)).to(torch.bfloat16), 2),
    ],
)
def test_bytes_are_of_the_networks_type(net, n_bytes):
    assert summary(net).parameter_bytes == n_bytes * 5


@pytest.mark.parametrize(
    "images", [(9, 4, 3), torch.Size([9, 4, 3]), np.ones((9, 4, 3)), np.ones((9, 12)).tolist()]
)
def test_inputs_in_every_form(images):
    table = summary(Architecture(12, (), 2), images)
    assert table.n_samples == 9
    assert table[0].output_shape == (9, 2)


def test_it_is_a_sequence():
    table = summary(EVERYTHING)
    assert len(table) == 3
    assert table[-1].name == "output"
    assert [row.name for row in table[:2]] == ["hidden 1", "hidden 2"]
    assert table.n_samples == 1


def test_a_table_for_people():
    table = summary(EVERYTHING, (1000, 7))
    lines = str(table).splitlines()
    assert repr(table) == str(table)
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == 3 + 3 + 2
    for row, line in zip(table, lines[3:6], strict=True):
        assert line.startswith(row.name)
        for text in (row.operations, str(row.output_shape), f"{row.activation_bytes:,}"):
            assert text in line
    assert f"{table.n_multiply_adds:,}" in lines[-1]


def test_a_dictionary_for_json():
    table = summary(EVERYTHING, (10, 7))
    read = json.loads(json.dumps(table.to_dict()))
    assert read == table.to_dict()
    assert read["n_samples"] == 10
    assert read["layers"][0]["output_shape"] == [10, 5]
    assert read["total"]["n_parameters"] == EVERYTHING.n_parameters


@pytest.mark.parametrize("given", [(4,), (3, 5), (0, 4), 7, np.zeros(4), (2, 2, 3)])
def test_refused_inputs(given):
    shape = given if isinstance(given, tuple) else np.shape(given)
    with pytest.raises(InvalidDataError) as caught:
        summary(Architecture(4, (), 1), given)
    assert str(caught.value) == (
        "input of summary must have shape (n_samples, 4), or further axes that are flattened to "
        f"it; got shape {shape}"
    )


def test_refused_networks():
    with pytest.raises(InvalidTypeError) as caught:
        summary(torch.nn.Linear(2, 2))
    assert str(caught.value) == (
        "net_or_architecture of summary must be an Architecture, an MLP of either engine, a Model "
        "or an estimator; got "
        "Linear"
    )


def test_what_holds_a_network_is_as_good():
    net = MLP(EVERYTHING, dtype="float64")
    assert summary(Model(net)).rows == summary(net).rows
    assert summary(Model(net)).parameter_bytes == 8 * EVERYTHING.n_parameters


@pytest.mark.parametrize("engine", ["architecture", "numpy", "torch"])
def test_the_table_of_layers_is_the_summarys(engine):
    architecture = Architecture(4, (8, 8), 3, dropout=0.2, normalization="batch", residual=True)
    made = {"architecture": lambda a: a, "numpy": MLP, "torch": TorchMLP}[engine]
    html = made(architecture)._repr_html_()
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(<td>.*?)</tr>", html)]
    rows = summary(architecture)
    expected = [
        [row.name, row.operations, f"{row.out_features} × {row.in_features}", str(row.n_parameters)]
        for row in rows
    ]
    assert cells == [*expected, ["total", "", "", str(rows.n_parameters)]]
