"""SampleDataset: samples and targets as a torch Dataset, read on demand."""

from typing import Any

import torch
from torch.utils.data import Dataset

from multilayer.errors import InvalidDataError

__all__ = ["SampleDataset"]


class SampleDataset(Dataset[tuple[torch.Tensor, Any]]):
    """Samples with their targets, for a DataLoader.

    Parameters
    ----------
    X : array or lazy samples of shape (n_samples, in_features)
        Lazy samples, such as `multilayer.data.load_images` returns, are read on demand.
    y : array of n_samples rows
        The targets.

    Raises
    ------
    InvalidDataError
        If there is not one target for each sample.

    Examples
    --------
    >>> import numpy as np
    >>> dataset = SampleDataset(np.eye(3, dtype=np.float32), np.array([2, 0, 1]))
    >>> len(dataset), dataset[1]
    (3, (tensor([0., 1., 0.]), 0))
    """

    def __init__(self, X: Any, y: Any) -> None:
        if len(X) != len(y):
            rule = f"must have one target for each of the {len(X)} samples"
            raise InvalidDataError(rule, "y", got=len(y))
        self.X = X
        self.y = y

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, Any]:
        target = self.y[i]
        return torch.as_tensor(self.X[i]), target.item() if target.ndim == 0 else target
