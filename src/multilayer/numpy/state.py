"""A network's parameters and running statistics as arrays by name, to be saved and restored."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from multilayer.numpy.network import Network

__all__ = ["network_arrays", "set_members", "set_network_arrays"]

Array = npt.NDArray[Any]


def network_arrays(network: Network) -> dict[str, Array]:
    """Return copies of a network's parameters and running statistics."""
    state = {name: array.copy() for name, array in network.state.items()}
    return state | {"parameters": network.parameters.copy()}


def set_network_arrays(network: Network, arrays: dict[str, Array]) -> None:
    """Restore what `network_arrays` returned."""
    network.parameters[:] = arrays["parameters"]
    for name, array in network.state.items():
        array[:] = arrays[name]


def set_members(network: Network, members: Sequence[int], part: Network) -> None:
    """Copy networks into the places of these members of K."""
    rows = list(members)
    network.parameters[rows] = part.parameters
    for name, array in network.state.items():
        array[rows] = part.state[name]
