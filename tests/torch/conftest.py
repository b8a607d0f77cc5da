"""What the tests of the PyTorch engine share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def repeatable():
    """Small products are faster, and their sums repeatable, in one thread; so are drawn weights."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)
