"""Model files: what is written comes back, and what is damaged is refused."""

import json
import pickle

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, ModelFileError
from multilayer.files import load_model, save_model
from multilayer.numpy import MLP


@pytest.fixture
def net():
    architecture = Architecture(3, (5, 5), 2, activation=("relu", "tanh"), normalization="batch",
                                dropout=(0.0, 0.5), residual=True, output="softmax")  # fmt: skip
    net = MLP(architecture, rng=np.random.default_rng(0))
    net.set_state({name: np.full(5, 2.0) for name in net.state})
    return net


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_come_back(net, path, dtype):
    net = net.copy(dtype)
    X = np.random.default_rng(1).normal(size=(7, 3))
    mean, scale = np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 4.0])
    save_model(path, net, mean=mean, scale=scale, information={"accuracy": 0.5})
    model = load_model(path)
    assert model.net.architecture == net.architecture
    assert model.net.dtype == net.dtype
    assert model.net.parameters.tobytes() == net.parameters.tobytes()
    assert model.net((X - mean) / scale).tobytes() == net((X - mean) / scale).tobytes()
    assert model(X).tobytes() == net((X - mean) / scale).tobytes()
    assert model.information == {"accuracy": 0.5}


def test_scaling_is_the_identity_by_default(net, path):
    X = np.random.default_rng(1).normal(size=(7, 3))
    save_model(path, net)
    assert load_model(path)(X).tobytes() == net(X).tobytes()


def test_a_failed_write_leaves_the_old_file(net, path, monkeypatch):
    save_model(path, net)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr("multilayer.atomic.os.fsync", fail)
    with pytest.raises(OSError, match="no space left on device"):
        save_model(path, net.copy("float64"))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_information_must_go_into_json(net, path):
    with pytest.raises(InvalidArgumentError, match=r"^information of save_model must go into JSON"):
        save_model(path, net, information={"net": net})
    assert not path.exists()


def test_no_file(path):
    with pytest.raises(FileNotFoundError, match=r"^no model file at .*model\.safetensors$"):
        load_model(path)


def test_every_truncation_is_refused(net, path):
    save_model(path, net)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            load_model(path)


def test_a_pickle_is_not_run(path, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "proof"), "w"))

    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFileError, match="is no safetensors file"):
        load_model(path)
    assert not (tmp_path / "proof").exists()


def rewrite(path, change_header=None, change_tensors=None):
    """Write a model file again with another header or other arrays."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        header = dict(file.metadata())
    tensors = load_file(path)
    if change_header:
        change_header(header)
    if change_tensors:
        change_tensors(tensors)
    save_file(tensors, path, metadata=header)


def architecture_of(**changes):
    def change(header):
        header["architecture"] = json.dumps(json.loads(header["architecture"]) | changes)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(format="other"), "is no model file of multilayer"),
        (lambda h: h.update(format_version="99"), "has format version 99; this release reads"),
        (lambda h: h.pop("architecture"), "is damaged"),
        (architecture_of(in_features=10**12), "is damaged: parameters must have shape"),
        (architecture_of(activation="rleu"), "did you mean 'relu'?"),
        (architecture_of(extra=1), "field of Architecture must be one of"),
        (lambda h: h.update(information="["), "is damaged"),
        (lambda h: h.update(architecture="[" * 100_000), "is damaged"),
    ],
)
def test_a_lying_header_is_refused(net, path, change, message):
    save_model(path, net)
    rewrite(path, change_header=change)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["parameters"].fill(np.nan), "parameters must be finite"),
        (lambda t: t.update(mean=np.zeros(4)), "mean must have shape (3,), one an input; got (4,)"),
        (lambda t: t.update(scale=np.zeros(3)), "scale must be above 0"),
        (lambda t: t.pop("parameters"), "is damaged"),
        (lambda t: t.update(parameters=t["parameters"].astype(np.float16)), "dtype of MLP"),
        (lambda t: t.update(parameters=t["parameters"].astype(np.int32)), "dtype of MLP"),
        (lambda t: t.pop("state.0.1.running_mean"), "state must have the entries"),
        (lambda t: t.update({"state.0.1.running_mean": np.zeros(9)}), "must have shape (5,)"),
    ],
)
def test_wrong_arrays_are_refused(net, path, change, message):
    save_model(path, net)
    rewrite(path, change_tensors=change)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert message in str(caught.value)
