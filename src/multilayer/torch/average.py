"""RunningAverage: a second network, whose weights follow those of the one in training."""

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

    PyTorch's AveragedModel looks at its count of updates each time, which on a GPU costs a copy
    from the host at every step.

    Parameters
    ----------
    net : MLP
        The network in training.
    decay : float
        d, in (0, 1).

    Attributes
    ----------
    net : MLP
        The network of averages, which starts with the weights of the first `update`.
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
            if not moves:  # copy the first weights, and counts, which have no average
                average.copy_(value)
        if self.has_begun:
            self._move(
                [average for average, moves in zip(averages, moving, strict=True) if moves],
                [value for value, moves in zip(values, moving, strict=True) if moves],
                None,
            )
        self.has_begun = True

    def begin_again(self) -> None:
        """Take the weights as they are, and begin anew with the next `update`."""
        self.net.load_state_dict(self._trained.state_dict())
        self.has_begun = False

    def arrays(self) -> dict[str, Array]:
        """Return copies of the averages by name, and whether they have begun."""
        return module_arrays(self.net) | {"has_begun": np.array(self.has_begun)}

    def set_arrays(self, arrays: dict[str, Array]) -> None:
        """Restore what `arrays` returned."""
        set_module_arrays(self.net, {k: v for k, v in arrays.items() if k != "has_begun"})
        self.has_begun = bool(arrays["has_begun"])
