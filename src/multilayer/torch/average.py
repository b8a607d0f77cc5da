"""RunningAverage: a second network whose weights follow those of the network in training."""

from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from multilayer.torch.module import Net
from multilayer.torch.state import module_arrays, set_module_arrays

__all__ = ["RunningAverage"]

Array = npt.NDArray[Any]


class RunningAverage:
    """The exponential moving average a ← d a + (1 − d) w of weights and statistics.

    PyTorch's AveragedModel checks its count of updates at every step, which on a GPU costs a copy
    from the host.

    Parameters
    ----------
    net : MLP
        The network in training.
    decay : float
        d, in (0, 1).

    Attributes
    ----------
    net : MLP
        The network that holds the averages; the first `update` copies the weights.
    has_begun : bool
        Whether there has been an update.
    """

    def __init__(self, net: Net, decay: float) -> None:
        self.net, self._trained = deepcopy(net), net
        self._move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self.has_begun = False

    @torch.no_grad()
    def update(self) -> None:
        """Include the weights after a step in the average."""
        averages, values = (
            [tensor.detach() for tensor in chain(each.parameters(), each.buffers())]
            for each in (self.net, self._trained)
        )
        moving = [average.is_floating_point() and self.has_begun for average in averages]
        for average, value, moves in zip(averages, values, moving, strict=True):
            if not moves:  # the first weights, or counts, which have no average
                average.copy_(value)
        if self.has_begun:
            self._move(
                [average for average, moves in zip(averages, moving, strict=True) if moves],
                [value for value, moves in zip(values, moving, strict=True) if moves],
                None,
            )
        self.has_begun = True

    def begin_again(self) -> None:
        """Copy the current weights, and start a new average with the next `update`."""
        self.net.load_state_dict(self._trained.state_dict())
        self.has_begun = False

    def arrays(self) -> dict[str, Array]:
        """Return copies of the averages by name, and `has_begun`."""
        return module_arrays(self.net) | {"has_begun": np.array(self.has_begun)}

    def set_arrays(self, arrays: dict[str, Array]) -> None:
        """Restore what `arrays` returned."""
        set_module_arrays(self.net, {k: v for k, v in arrays.items() if k != "has_begun"})
        self.has_begun = bool(arrays["has_begun"])
