"""RunningAverage: a second network, whose weights follow those of the network in training."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.compiled import kernel
from multilayer.errors import InvalidTypeError
from multilayer.numpy.network import Network
from multilayer.numpy.state import network_arrays, set_network_arrays

__all__ = ["RunningAverage", "RunningAverages", "move"]

Array = npt.NDArray[Any]


def _move(averages: Array, values: Array, decay: float) -> None:
    if decay == 0:  # the formula cannot bring back an average that overflowed
        averages[:] = values
        return
    averages -= values
    averages *= averages.dtype.type(decay)
    averages += values


@kernel(plain=_move)
def move(averages, values, decay):  # type: ignore[no-untyped-def]
    """Compute a ← w + d (a − w) in place; with d = 0, a becomes exactly w."""
    if decay == 0:
        averages[:] = values
        return
    keep = averages.dtype.type(decay)
    for i in range(averages.size):
        averages[i] = values[i] + keep * (averages[i] - values[i])


class _Averages:
    """The common part of the averages of one network and of K; `begun` has shape () or (K,)."""

    def __init__(self, network: Network, averages: Network, begun: Array) -> None:
        self.network, self.begun = averages, begun
        # References are enough: training changes the network's arrays in place.
        statistics = network.state
        pairs = [(array, statistics[name]) for name, array in averages.state.items()]
        self._pairs = [(averages.parameters, network.parameters), *pairs]

    def begin_again(self) -> None:
        """Copy the network's current weights, and restart with the next `update`."""
        for averages, values in self._pairs:
            averages[:] = values
        self.begun[...] = False

    def arrays(self) -> dict[str, Array]:
        """Return copies of the averages by name, and whether they have begun."""
        return network_arrays(self.network) | {"has_begun": self.begun.copy()}

    def set_arrays(self, arrays: dict[str, Array]) -> None:
        """Restore what `arrays` returned."""
        set_network_arrays(self.network, arrays)
        self.begun[...] = arrays["has_begun"]


class RunningAverage(_Averages):
    r"""The exponential moving average of a network's weights, step by step.

    .. math:: a ← d a + (1 − d) w

    after each step, where w are the weights θ and the running statistics of batch normalisation;
    the first time, a ← w. The weights of the last 1/(1 − d) steps count most, so the average has
    much less of the noise of single steps, as if the learning rate had been lowered (Polyak and
    Juditsky 1992, who take the plain mean; Morales-Brotons et al. 2024 compare it with
    learning-rate decay). `multilayer.training.fit` uses it with ``ema=``: it validates the average,
    and leaves the average in the network.

    Parameters
    ----------
    net : MLP or Ensemble
        The network in training.
    decay : float
        d, in (0, 1).

    Attributes
    ----------
    net : MLP
        The network of averages, which starts with the weights of the first `update`.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If `net` is not a network of this engine, or `decay` is not a number in (0, 1).

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(1, (), 1), initializer="zeros")
    >>> average = RunningAverage(net, 0.5)
    >>> for w in (4.0, 2.0, 2.0):
    ...     net.parameters[:] = w
    ...     average.update()
    >>> average.net.parameters
    array([2.5, 2.5], dtype=float32)
    """

    def __init__(self, net: Any, decay: float) -> None:
        if not isinstance(getattr(net, "network", None), Network):
            rule = "must be a multilayer.numpy.MLP or Ensemble"
            raise InvalidTypeError(rule, "net", "RunningAverage", got=repr(net))
        self.net: Any = net.copy()
        self.decay = checks.real(decay, "decay", "RunningAverage", "(0, 1)")
        super().__init__(net.network, self.net.network, np.array(False))
        self._flat = [(a.reshape(-1), values.reshape(-1)) for a, values in self._pairs]

    @property
    def has_begun(self) -> bool:
        """Whether there has been an update."""
        return bool(self.begun)

    def update(self) -> None:
        """Include the network's weights in the average; to be called after each step."""
        decay = self.decay if self.begun else 0.0
        for averages, values in self._flat:
            move.fastest(averages, values, decay)
        self.begun[...] = True


class RunningAverages(_Averages):
    """The running averages of K networks, each with its own decay.

    Parameters
    ----------
    network : Network
        The networks in training.
    averages : Network
        The networks of averages.
    begun : array of bool of shape (K,)
        Which of them have had an update.
    decays : array of shape (K,)
        In [0, 1); with 0, an average is equal to its network.
    """

    def __init__(self, network: Network, averages: Network, begun: Array, decays: Array) -> None:
        super().__init__(network, averages, begun)
        self.decays = decays

    def update(self, k: int) -> None:
        """Include the weights of network k in its average; to be called after each of its steps."""
        decay = self.decays[k].item() if self.begun[k] else 0.0
        for averages, values in self._pairs:
            move.fastest(averages[k], values[k], decay)
        self.begun[k] = True
