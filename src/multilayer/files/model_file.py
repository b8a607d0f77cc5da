"""A network and its input scaling in one safetensors file."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.atomic import replacing
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    ModelFileError,
    UnknownNameError,
)
from multilayer.numpy.network import MLP

__all__ = ["StoredModel", "load_model", "save_model"]

Array = npt.NDArray[Any]

FORMAT = "multilayer"
FORMAT_VERSION = 1


class StoredModel(NamedTuple):
    """What a model file holds."""

    net: MLP
    mean: Array
    """Shape (in_features,): what is subtracted from the inputs first."""
    scale: Array
    """Shape (in_features,): what they are divided by then."""
    information: dict[str, Any]
    """What was written beside them: metrics, training configuration."""

    def __call__(self, X: object) -> Array:
        """Return the network's outputs of raw, unscaled samples."""
        x = checks.sample_matrix(X, len(self.mean), np.float64)
        return self.net((x - self.mean) / self.scale)


def save_model(
    path: str | os.PathLike[str],
    net: MLP,
    *,
    mean: Array | None = None,
    scale: Array | None = None,
    information: dict[str, Any] | None = None,
) -> None:
    """Write a network to a safetensors file.

    The file is written under a temporary name beside `path`, synced and then renamed: a crash
    leaves the old file or the new one, never half of one.

    Parameters
    ----------
    path : path
        Where to write; a file that is there is replaced.
    net : MLP
        The network.
    mean, scale : array of shape (in_features,), optional
        The scaling of its inputs, (x − mean)/scale; 0 and 1 by default.
    information : dict, optional
        Anything that goes into JSON.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If `information` does not go into JSON, a number is not finite, a shape or a scale is wrong,
        or `path` is something else than a file. Nothing is written then.
    OSError
        If the file cannot be written.
    """
    from safetensors.numpy import save

    if not isinstance(net, MLP):
        msg = f"net of save_model must be a multilayer.numpy.MLP; got {net!r}"
        raise InvalidTypeError(msg)
    width = net.architecture.in_features
    checks.finite_array(net.parameters, "parameters", net.dtype)
    tensors = {"parameters": net.parameters, **{f"state.{k}": v for k, v in net.state.items()}}
    tensors["mean"] = np.zeros(width) if mean is None else _scaling(mean, "mean", width)
    tensors["scale"] = np.ones(width) if scale is None else _scaling(scale, "scale", width)
    try:
        text = json.dumps(information or {}, allow_nan=False)
    except (TypeError, ValueError) as error:
        msg = f"information of save_model must go into JSON: {error}"
        raise InvalidArgumentError(msg) from error
    header = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "architecture": net.architecture.to_json(),
        "information": text,
    }
    with replacing(Path(path)) as file:
        file.write(save(tensors, metadata=header))


def load_model(path: str | os.PathLike[str]) -> StoredModel:
    """Return what `save_model` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is no model file of this package, or a damaged one.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        msg = f"no model file at {path}"
        raise FileNotFoundError(msg)
    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        msg = f"{path} is no safetensors file: {error}"
        raise ModelFileError(msg) from error
    if header.get("format") != FORMAT:
        msg = f"{path} is no model file of multilayer: its header has no format {FORMAT!r}"
        raise ModelFileError(msg)
    if header.get("format_version") != str(FORMAT_VERSION):
        msg = (
            f"{path} has format version {header.get('format_version')}; this release reads "
            f"version {FORMAT_VERSION}"
        )
        raise ModelFileError(msg)
    try:
        return _assemble(header, tensors)
    except UnknownNameError as error:
        msg = (
            f"{path} names something that this process does not know (one of your own is to be "
            f"registered before loading): {error}"
        )
        raise ModelFileError(msg) from error
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        msg = f"{path} is damaged: {error}"
        raise ModelFileError(msg) from error


def _assemble(header: dict[str, str], tensors: dict[str, Array]) -> StoredModel:
    """Build the network and check that every array fits it."""
    architecture = Architecture.from_json(header["architecture"])
    parameters = tensors["parameters"]
    if parameters.shape != (architecture.n_parameters,):
        msg = f"parameters must have shape ({architecture.n_parameters},); got {parameters.shape}"
        raise InvalidDataError(msg)
    checks.finite_array(parameters, "parameters", np.float64)
    mean, scale = (
        _scaling(tensors[name], name, architecture.in_features) for name in ("mean", "scale")
    )
    net = MLP(architecture, dtype=tensors["parameters"].dtype, initializer="zeros")
    net.parameters[:] = tensors["parameters"]
    prefix = "state."
    net.set_state({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    information = json.loads(header["information"])
    if not isinstance(information, dict):
        msg = f"information must be an object; got {type(information).__name__}"
        raise InvalidDataError(msg)
    return StoredModel(net, mean, scale, information)


def _scaling(values: object, name: str, width: int) -> Array:
    """Return mean or scale of the inputs, checked."""
    array = checks.finite_array(values, name, np.float64)
    if array.shape != (width,):
        msg = f"{name} must have shape ({width},), one an input; got {array.shape}"
        raise InvalidDataError(msg)
    if name == "scale" and (array <= 0).any():
        index = int(np.argmax(array <= 0))
        msg = f"scale must be above 0 everywhere; got {array[index]:g} at index {index}"
        raise InvalidDataError(msg)
    return array
