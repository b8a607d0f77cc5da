"""Models of every kind, and files that lie."""

import json
import struct

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.model import Classes, ClassGroups, Labels, Model, Numbers, Values
from multilayer.numpy import MLP, Ensemble

TARGETS = {
    "none": None,
    "binary": Classes(np.array(["no", "yes"])),
    "one class": Classes(np.array([7])),
    "classes": Classes(np.array([-1, 3, 8], dtype=np.int16)),
    "labels": Labels(3),
    "groups": ClassGroups([np.array([0.5, 2.5]), np.array([1.0, 2.0, 4.0])]),
    "value": Values(1),
    "scaled values": Values(2, mean=np.array([1e3, -2.0]), scale=np.array([50.0, 0.1])),
    "quantiles": Values(2, n_each=3, mean=np.array([5.0, 6.0]), scale=np.array([2.0, 3.0])),
    "counts": Values(2, output="exp"),
}


def make_model(
    targets=None, *, dtype="float32", seed=0, scaled=True, n_members=None, dropout=0.0, **settings
):
    """Return a network, or an ensemble, with drawn weights and running statistics, as a model."""
    rng = np.random.default_rng(seed)
    outputs = (2, "identity") if targets is None else (targets.out_features, targets.output)
    settings = {"activation": "tanh", "output": outputs[1]} | settings
    if n_members is None:
        architecture = Architecture(3, (5, 5), outputs[0], dropout=dropout, **settings)
        net = MLP(architecture, dtype=dtype, rng=rng)
    else:
        dropouts = dropout if isinstance(dropout, list) else [dropout] * n_members
        each = [Architecture(3, (5, 5), outputs[0], dropout=own, **settings) for own in dropouts]
        net = Ensemble(each, dtype=dtype, rng=rng)
    net.parameters[:] += rng.normal(size=net.parameters.shape) / 4
    for member in [net] if n_members is None else net:
        member.set_state({name: rng.uniform(0.5, 2, 5) for name in member.state})
    scaling = {"mean": rng.normal(size=3) * 100, "scale": rng.uniform(1, 9, 3)} if scaled else {}
    return Model(net, targets, Numbers(3, **scaling, names=("a", "b", "ñ")))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def model():
    information = {"metrics": {"accuracy": 0.5}, "data": {"fingerprint": "00ff"}}
    made = make_model(TARGETS["classes"], normalization="batch", residual=True, dropout=(0, 0.5),
                      noise=(0.3, 0, 0.1))  # fmt: skip
    made.information.update(information)
    return made


def parts_of(content):
    """Split a safetensors file into its header and its data."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def packed(header, data):
    """Put a header, as a dict or as text, before the data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data
