"""The state of networks and trainers that is saved and restored, as arrays by name."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from multilayer.groups import part_of
from multilayer.numpy.network import Network
from multilayer.randomness import generator_state, set_generator_state

__all__ = ["extras", "network_arrays", "set_extras", "set_members", "set_network_arrays"]

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


def extras(directions: Any, average: Any) -> dict[str, dict[str, Array]]:
    """Return the parts of a trainer's state for its adversary and its average, if it has them."""
    found = {} if directions is None else {"directions": {"generator": generator_state(directions)}}
    return found if average is None else found | {"average": average.arrays()}


def set_extras(state: dict[str, Array], directions: Any, average: Any) -> None:
    """Restore what `extras` returned; an average not in it restarts from a restored network."""
    if drawn := part_of(state, "directions"):
        set_generator_state(directions, drawn["generator"])
    if averages := part_of(state, "average"):
        average.set_arrays(averages)
    elif average is not None and part_of(state, "network"):
        average.begin_again()


def set_members(network: Network, members: Sequence[int], part: Network) -> None:
    """Copy the networks of `part` to these members of K networks."""
    rows = list(members)
    network.parameters[rows] = part.parameters
    for name, array in network.state.items():
        array[rows] = part.state[name]
