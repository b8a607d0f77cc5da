"""The state of a module and of an optimizer as NumPy arrays by name, to be saved and restored.

Values are restored into the existing tensors, since recorded steps use their memory.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from multilayer.errors import InvalidTypeError

__all__ = [
    "as_arrays",
    "module_arrays",
    "optimizer_arrays",
    "set_module_arrays",
    "set_optimizer_arrays",
]

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

NUMBER = ".number"
"""Suffix of the names of Python numbers, which are not tensors."""


def as_arrays(tensors: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """Return copies of tensors as arrays."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}


def module_arrays(module: nn.Module) -> dict[str, Array]:
    """Return copies of a module's parameters and buffers."""
    return as_arrays(module.state_dict())


def set_module_arrays(module: nn.Module, arrays: Arrays) -> None:
    """Restore what `module_arrays` returned."""
    module.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


def optimizer_arrays(optimizer: torch.optim.Optimizer) -> dict[str, Array]:
    """Return an optimizer's state of each parameter; names start with the parameter's number.

    Raises
    ------
    InvalidTypeError
        If a part of the state is neither a tensor nor a number.

    Examples
    --------
    >>> p = nn.Parameter(torch.zeros(2))
    >>> optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9)
    >>> optimizer_arrays(optimizer)
    {}
    >>> p.grad = torch.ones(2)
    >>> optimizer.step()
    >>> optimizer_arrays(optimizer)
    {'0.momentum_buffer': array([1., 1.], dtype=float32)}
    """
    found: dict[str, Array] = {}
    for i, (p, _) in enumerate(_parameters(optimizer)):
        for key, value in optimizer.state.get(p, {}).items():
            if isinstance(value, torch.Tensor):
                found |= as_arrays({f"{i}.{key}": value})
            elif isinstance(value, (bool, int, float)):
                found[f"{i}.{key}{NUMBER}"] = np.array(value)
            elif value is not None:
                raise InvalidTypeError(
                    f"the state of {type(optimizer).__name__} cannot be saved: {key!r} is neither "
                    f"a tensor nor a number; got {value!r}"
                )
    return found


def set_optimizer_arrays(optimizer: torch.optim.Optimizer, arrays: Arrays) -> None:
    """Restore what `optimizer_arrays` returned."""
    by_number: dict[str, dict[str, Array]] = {}
    for name, array in arrays.items():
        number, key = name.split(".", 1)
        by_number.setdefault(number, {})[key] = array
    for i, (p, group) in enumerate(_parameters(optimizer)):
        kept = by_number.get(str(i), {})
        state = optimizer.state[p]
        for key in [key for key in state if key not in kept]:
            del state[key]
        for key, array in kept.items():
            if key.endswith(NUMBER):
                state[key.removesuffix(NUMBER)] = array.item()
            elif key in state:
                state[key].copy_(torch.tensor(array))
            else:
                # PyTorch counts steps on the host, unless its kernels read the count.
                on_host = key == "step" and not (group.get("capturable") or group.get("fused"))
                state[key] = torch.tensor(array, device="cpu" if on_host else p.device)


def _parameters(optimizer: torch.optim.Optimizer) -> Iterator[tuple[nn.Parameter, dict[str, Any]]]:
    """Yield each parameter with its parameter group."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            yield p, group
