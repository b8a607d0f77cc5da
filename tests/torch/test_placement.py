"""Where samples lie: those of a table that are in memory go to a device as a whole."""

import numpy as np
import pytest
import torch

from multilayer.model import Columns
from multilayer.torch import placement
from multilayer.torch.placement import whole

TABLE = {"colour": ["red", "blue"] * 5, "size": range(10)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_table_becomes_a_matrix_for_a_device_alone(dtype, monkeypatch):
    lazy = Columns.of(TABLE).encode(TABLE)
    found = whole(lazy, torch.device("meta"), dtype)
    np.testing.assert_array_equal(found, lazy[:])
    assert found.dtype == dtype
    part = lazy.subset(np.array([3, 1]))
    np.testing.assert_array_equal(whole(part, torch.device("meta"), dtype), lazy[:][[3, 1]])
    assert whole(lazy, torch.device("cpu"), dtype) is lazy
    monkeypatch.setattr(placement, "RESIDENT_BYTES", 100)
    assert whole(lazy, torch.device("meta"), dtype) is lazy
