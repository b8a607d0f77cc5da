"""What the tests of the PyTorch engine share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Small products are faster, and their sums repeatable, in one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
