"""The layers' table: counts against those of PyTorch's layers."""

import torch

from multilayer import Architecture
from multilayer.inspection import summary


def test_counts_are_those_of_pytorchs_layers():
    architecture = Architecture(7, (5, 5), 3, activation=("relu", "tanh"), normalization="batch",
                                dropout=0.25, residual=True, output="log_softmax")  # fmt: skip
    rows = summary(architecture)
    expected = [
        [torch.nn.Linear(7, 5), torch.nn.BatchNorm1d(5)],
        [torch.nn.Linear(5, 5), torch.nn.BatchNorm1d(5)],
        [torch.nn.Linear(5, 3)],
    ]
    counts = [sum(p.numel() for layer in row for p in layer.parameters()) for row in expected]
    assert [row.n_parameters for row in rows] == counts
    assert [row.operations for row in rows] == [
        "affine → batch norm → relu → dropout 0.25",
        "affine → batch norm → tanh → dropout 0.25 → + input",
        "affine → log_softmax",
    ]
    assert sum(counts) == architecture.n_parameters
