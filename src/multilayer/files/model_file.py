"""A model in one safetensors file."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.container import Container, Format, reading, write
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
)
from multilayer.files.versions import inputs_of_version_3, targets_of_version_3
from multilayer.json_text import read_json
from multilayer.model import Model, adopt, inputs_from_dict, targets_from_dict
from multilayer.model.column import parts_of
from multilayer.numpy import MLP, Ensemble
from multilayer.version import __version__

__all__ = ["load_model", "save_model"]

FORMAT = Format("multilayer", "model file", ("3", "4", "5", "6"))
STATE = "state."
MAX_LAYERS = 10_000
"""The most hidden layers, summed over the members of an ensemble. A layer's objects take some
kilobytes even if it has hardly any weights."""


def save_model(path: str | os.PathLike[str], model: Any) -> None:
    """Write a model to a safetensors file, which holds numbers and JSON and cannot run code.

    The file is written under a temporary name next to `path`, synced and then renamed: a crash
    leaves the old file or the new one, never half of one. The model's information records the
    versions of this package, NumPy and Python.

    Parameters
    ----------
    path : path
        The file; an existing one is replaced.
    model : Model, MLP, Ensemble or estimator
        Anything that `multilayer.model.adopt` takes; a model's information is written too.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If JSON cannot hold the information, a number is not finite, a file cannot hold the classes,
        or `path` exists and is not a file. Nothing is written then.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from multilayer.model import Numbers
    >>> net = MLP(Architecture(3, (4,), 2), rng=np.random.default_rng(0))
    >>> model = Model(net, inputs=Numbers(3, mean=np.ones(3)), information={"metrics": {"r2": 0.9}})
    >>> path = f"{tempfile.mkdtemp()}/model.safetensors"
    >>> save_model(path, model)
    >>> again = load_model(path)
    >>> again.information["metrics"]
    {'r2': 0.9}
    >>> X = np.random.default_rng(1).normal(size=(5, 3))
    >>> bool((again(X) == model(X)).all())
    True
    """
    model = adopt(model, "save_model")
    net = model.net
    architecture = json.loads(net.architecture.to_json())
    members = {}
    if isinstance(net, Ensemble):  # the members differ only in dropout
        del architecture["dropout"]
        dropouts = [member.dropout for member in net.architectures]
        members = {"members": {"dropout": dropouts, "mean_of": model.mean_of}}
    n_members = len(net) if isinstance(net, Ensemble) else 0
    if _n_layers(architecture, n_members) > MAX_LAYERS:
        raise InvalidArgumentError(
            f"a model file holds networks of at most {MAX_LAYERS:,} hidden layers"
        )
    arrays = {"parameters": net.parameters, **{STATE + k: v for k, v in net.state.items()}}
    arrays = {name: checks.finite_array(a, name, net.dtype) for name, a in arrays.items()}
    arrays |= model.inputs.arrays()
    targets = model.targets
    parts = {
        "architecture": architecture,
        **members,
        "inputs": {"kind": model.inputs.kind, **model.inputs.to_dict()},
        "targets": None if targets is None else {"kind": targets.kind, **targets.to_dict()},
        "information": model.information | {"versions": _versions()},
    }
    texts = {name: _to_json(name, part) for name, part in parts.items()}
    write(Path(path), FORMAT, texts, arrays)


def load_model(path: str | os.PathLike[str]) -> Model:
    """Return the model that `save_model` wrote; its predictions are the same, bit for bit.

    Parameters
    ----------
    path : path
        The file. It may come from anyone: nothing in it is trusted or run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is not a model file of this package, has a version that cannot be read, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no model file at {path}")
    with reading(path, FORMAT) as container:
        return _assemble(container)


def _assemble(container: Container) -> Model:
    """Build the model; each array is read only after its shape has been checked."""
    texts = container.texts
    dropouts, mean_of = None, "outputs"
    if "members" in texts:
        dropouts = members = _part(texts, "members")
        if texts["format_version"] not in ("3", "4", "5"):
            parts = parts_of(members, "members", {"dropout": list, "mean_of": str})
            dropouts, mean_of = parts["dropout"], parts["mean_of"]
    architectures = _architectures(_part(texts, "architecture"), dropouts)
    architecture = architectures[0]
    leading = () if dropouts is None else (len(architectures),)
    dtype = container.dtype("parameters")
    parameters = container.read("parameters", (*leading, architecture.n_parameters), dtype)
    made: Any = {"dtype": dtype, "initializer": "zeros"}
    net = Ensemble(architectures, **made) if leading else MLP(architecture, **made)
    net.parameters[:] = checks.finite_array(parameters, "parameters", dtype)
    state = {name: container.read(STATE + name, a.shape, dtype) for name, a in net.state.items()}
    if isinstance(net, MLP):
        net.set_state({**state})
    else:
        for k, member in enumerate(net):
            member.set_state({name: array[k] for name, array in state.items()})
    scaling: dict[str, Any] = {
        name: container.read(name, (architecture.in_features,), np.dtype(np.float64))
        for name in ("mean", "scale")
        if name in container.names
    }
    others = container.names - {"parameters", *scaling, *(STATE + name for name in state)}
    if others:
        raise InvalidDataError(
            f"it holds arrays that no part of the model uses: {', '.join(sorted(others))}"
        )
    targets, inputs = _part(texts, "targets"), _part(texts, "inputs")
    if texts["format_version"] == "3":
        inputs, targets = inputs_of_version_3(inputs), targets_of_version_3(targets)
    return Model(
        net,
        None if targets is None else targets_from_dict(targets, architecture),
        inputs_from_dict(inputs, architecture.in_features, scaling),
        _part(texts, "information"),
        mean_of,
    )


def _architectures(values: Any, dropouts: Any) -> list[Architecture]:
    """Return the architecture of each member; raise if they have too many layers for memory.

    `dropouts` is a list of the members' dropout, which an ensemble's `values` do not contain; None
    for a single network.
    """
    if dropouts is None:
        members = [values]
    elif isinstance(values, dict) and isinstance(dropouts, list) and dropouts:
        members = [values | {"dropout": own} for own in dropouts]
    else:
        raise InvalidDataError("must be a list of each member's dropout", "members")
    if (n_layers := _n_layers(values, len(members))) > MAX_LAYERS:
        rule = f"must have at most {MAX_LAYERS:,} widths"
        raise InvalidDataError(rule, "hidden_features", got=f"{n_layers:,}")
    return [Architecture.from_dict(own) for own in members]


def _n_layers(values: Any, n_members: int) -> int:
    """Return the number of hidden layers of all members; a member without any counts as one."""
    widths = values.get("hidden_features") if isinstance(values, dict) else None
    return max(len(widths) if isinstance(widths, list) else 0, 1) * max(n_members, 1)


def _part(texts: dict[str, str], name: str) -> Any:
    """Return the value of one part's JSON."""
    if name not in texts:
        raise InvalidDataError(f"its header has no {name}")
    try:
        return read_json(texts[name])
    except InvalidArgumentError as error:
        raise InvalidDataError(f"{name}: {error}") from error


def _to_json(name: str, part: Any) -> str:
    """Return a part as JSON that can be read again, or raise."""
    try:
        text = json.dumps(part, allow_nan=False)
        read_json(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            f"must be representable as JSON: {error}", name, "a model"
        ) from error
    return text


def _versions() -> dict[str, str]:
    return {
        "multilayer": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
