"""Ensembles as models: the mean over members, in a file, and in another program."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.special import log_softmax, logsumexp, softmax

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, ModelFileError
from multilayer.files import export_onnx, load_model, save_model
from multilayer.model import ClassGroups, Columns, Model
from multilayer.numpy import ACTIVATIONS, MLP, Ensemble

from .conftest import TARGETS, make_model, packed, parts_of
from .test_model_file import same

X = np.random.default_rng(1).normal(size=(7, 3)) * 100


def members_of(model):
    """Return the members as models with networks of their own."""
    return [replace(model, net=net.copy()) for net in model.net]


@pytest.mark.parametrize("kind", TARGETS)
def test_it_predicts_the_mean_of_probabilities_or_values(kind):
    model = make_model(TARGETS[kind], dtype="float64", n_members=4, normalization="batch")
    members = members_of(model)
    if model.targets is None or model.targets.task == "regression":
        mean = np.mean([member.predict(X) for member in members], axis=0)
        np.testing.assert_allclose(model.predict(X), mean, rtol=1e-12)
        return
    each, mean = [member.predict_proba(X) for member in members], model.predict_proba(X)
    if kind != "groups":
        each, mean = [[p] for p in each], [mean]
    for i, p in enumerate(mean):
        # A few sums and logarithms of float64.
        np.testing.assert_allclose(p, np.mean([own[i] for own in each], axis=0), atol=1e-14)
    if kind == "classes":
        assert (model.predict(X) == model.targets.classes[mean[0].argmax(axis=1)]).all()


def test_outputs_that_are_logarithms_are_those_of_the_mean_probability():
    model = make_model(output="log_softmax", dtype="float64", n_members=3)
    p = np.mean([softmax(member.net.logits(model.inputs.encode(X)), axis=1)
                 for member in members_of(model)], axis=0)  # fmt: skip
    np.testing.assert_allclose(model(X), np.log(p), atol=1e-12)


def test_no_probability_is_too_small_for_its_logarithm():
    """Of several targets; the mean is then a sum of numbers that float32 cannot hold."""
    net = Ensemble(Architecture(1, (), 4), 2, initializer="zeros")
    net.parameters[:, 0] = [500, 400]
    model = Model(net, ClassGroups([np.array([0, 1]), np.array([0, 1])]))
    z = log_softmax([[500.0, 0], [400.0, 0]], axis=1)
    np.testing.assert_allclose(model([[1.0]])[0, :2], logsumexp(z, axis=0) - np.log(2), rtol=1e-6)


def test_members_predict_for_themselves_and_share_memory():
    model = make_model(TARGETS["classes"], n_members=3)
    for member, own in zip(model.members, members_of(model), strict=True):
        assert member.predict_proba(X).tobytes() == own.predict_proba(X).tobytes()
        assert np.shares_memory(member.net.parameters, model.net.parameters)
    features = np.hstack([member.features(X) for member in model.members])
    assert model.features(X).tobytes() == features.tobytes()
    alone = make_model()
    assert alone.members == (alone,)


def test_one_member_predicts_as_it_does_alone():
    model = make_model(TARGETS["classes"], n_members=1)
    (alone,) = members_of(model)
    assert model(X).tobytes() == alone(X).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("kind", TARGETS)
def test_same_bits_come_back(tmp_path, kind, normalization, dtype):
    settings = {"normalization": normalization, "dtype": dtype, "residual": True, "noise": 0.1}
    dropout = [0.0, 0.25, (0.0, 0.5)]
    model = make_model(TARGETS[kind], n_members=3, dropout=dropout, **settings)
    save_model(tmp_path / "m", model)
    again = load_model(tmp_path / "m")
    assert again.net.architectures == model.net.architectures
    assert again.net.parameters.tobytes() == model.net.parameters.tobytes()
    assert again(X).tobytes() == model(X).tobytes()
    assert same(again.predict(X), model.predict(X))
    for member, own in zip(again.members, model.members, strict=True):
        assert member(X).tobytes() == own(X).tobytes()


def test_an_ensemble_by_itself_is_saved_and_exported(tmp_path):
    ensemble = Ensemble(Architecture(3, (4,), 2), 3, rng=np.random.default_rng(0))
    save_model(tmp_path / "m", ensemble)
    assert load_model(tmp_path / "m")(X).tobytes() == ensemble(X).mean(axis=0).tobytes()
    assert export_onnx(tmp_path / "m.onnx", ensemble) < 1e-5


def test_a_file_of_version_4_opens_and_predicts_the_same():
    """Made by the release before ensembles, of ages and jobs."""
    model = load_model(Path(__file__).parent / "version_4.model")
    assert isinstance(model.net, MLP)
    X = {"age": [25, None, 90], "job": ["cook", "baker", "cook"]}
    expected = [0.4074491262435913, 0.42673444747924805, 0.3081621825695038]
    # float32, and another BLAS perhaps
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=1e-6)


def test_a_file_of_version_5_opens_and_predicts_the_same():
    """Made by the release before embeddings: two members, of ages and jobs."""
    model = load_model(Path(__file__).parent / "version_5.model")
    assert [net.dropout for net in model.net.architectures] == [0.0, (0.25, 0.5)]
    X = {"age": [25, None, 90], "job": ["cook", "baker", "cook"]}
    expected = [0.6983991861343384, 0.6984350681304932, 0.6863359212875366]
    # float32, and another BLAS perhaps
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=1e-6)


# Files that lie ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("ensemble") / "m"
    save_model(path, make_model(TARGETS["classes"], n_members=3, normalization="batch"))
    return path.read_bytes()


def error_of(content, path):
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    return str(caught.value).removeprefix(f"{path} cannot be read: ")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"dropout": [], "mean_of": "outputs"}, "members must be a list of each member's dropout"),
        ({"n": 3}, "members must have dropout, mean_of; got n"),
        (3, "members must have dropout, mean_of; got int"),
        (
            {"dropout": [0.0] * 3, "mean_of": "x"},
            "mean_of of Model must be one of outputs, logits; got 'x'",
        ),
        ([0.0, 0.0], "parameters must have shape (2, 78) of float32; got (3, 78) of float32"),
        ([0.0] * 4, "parameters must have shape (4, 78) of float32; got (3, 78) of float32"),
        ([0.0, 0.0, 1.0], "dropout of Architecture must be a number in [0, 1); got 1"),
        ([0.0, 0.0, "a"], "dropout of Architecture must be a number in [0, 1); got 'a'"),
        ([0.0] * 10_000, "hidden_features must have at most 10,000 widths; got 20,000"),
    ],
)
def test_members_that_are_not_there(content, tmp_path, members, message):
    header, data = parts_of(content)
    if isinstance(members, list):
        members = {"dropout": members, "mean_of": "outputs"}
    header["__metadata__"]["members"] = json.dumps(members)
    assert error_of(packed(header, data), tmp_path / "m").endswith(message)


def test_a_file_without_its_members_is_refused(content, tmp_path):
    header, data = parts_of(content)
    del header["__metadata__"]["members"]
    found = error_of(packed(header, data), tmp_path / "m")
    assert found == "parameters must have shape (78,) of float32; got (3, 78) of float32"


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("parameters", (2, 5), np.nan, "parameters must be finite in float32; got nan at row 2"),
        ("state.0.1.running_variance", (1, 0), -1, "running_variance'] must not be negative"),
        ("state.0.1.running_mean", (1, 0), np.inf, "running_mean'] must be finite"),
    ],
)
def test_damaged_arrays_are_refused(content, tmp_path, name, index, value, message):
    header, _ = parts_of(content)
    arrays = {key: array.copy() for key, array in load(content).items()}
    arrays[name][index] = value
    changed = save(arrays, metadata=header["__metadata__"])
    assert message in error_of(changed, tmp_path / "m")


@pytest.mark.parametrize("place", np.linspace(0, 1, 30, endpoint=False))
def test_a_file_that_is_cut_short_is_refused(content, tmp_path, place):
    error_of(content[: int(place * len(content))], tmp_path / "m")


def test_too_many_layers_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("multilayer.files.model_file.MAX_LAYERS", 5)
    with pytest.raises(InvalidArgumentError, match="networks of at most 5 hidden layers"):
        save_model(tmp_path / "m", make_model(n_members=3))
    save_model(tmp_path / "m", make_model(n_members=2))


# Other programs ------------------------------------------------------------------------------


def predict(path, X):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": X})


def samples(model, n):
    x = np.random.default_rng(5).normal(size=(n, 3))
    return (x * model.inputs.scale + model.inputs.mean).astype(model.net.dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("kind", TARGETS)
def test_one_graph_predicts_the_same(tmp_path, kind, normalization, dtype):
    settings = {"normalization": normalization, "dtype": dtype, "residual": True, "noise": 0.1}
    model = make_model(TARGETS[kind], n_members=3, dropout=[0.0, 0.5, 0.1], **settings)
    path = tmp_path / "m.onnx"
    assert export_onnx(path, model) <= 1e-5
    for n in (1, 20):
        found = predict(path, samples(model, n))
        is_classified = model.targets is not None and model.targets.task != "regression"
        expected = (model.predict_proba if is_classified else model.predict)(samples(model, n))
        for ours, theirs in zip(expected if kind == "groups" else [expected], found, strict=True):
            np.testing.assert_allclose(theirs, ours.reshape(n, -1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_exported(tmp_path, activation):
    for settings in ({"activation": activation}, {"bias": False, "activation": activation}):
        assert export_onnx(tmp_path / "m.onnx", make_model(n_members=2, **settings)) <= 1e-5


@pytest.mark.parametrize("output", ["sigmoid", "softmax", "log_softmax", "exp"])
def test_every_output_is_exported(tmp_path, output):
    assert export_onnx(tmp_path / "m.onnx", make_model(output=output, n_members=3)) <= 1e-5


def test_products_are_batched(tmp_path):
    onnx = pytest.importorskip("onnx")
    export_onnx(tmp_path / "m.onnx", make_model(TARGETS["classes"], n_members=50))
    operations = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
    assert operations.count("MatMul") == 3  # one for each layer
    assert "Gemm" not in operations


def test_a_table_goes_through_an_ensemble(tmp_path):
    table = {"age": [20, 30, None], "job": ["cook", "baker", "cook"]}
    columns = Columns.of(table)
    architecture = Architecture(columns.in_features, (4,), 1, output="sigmoid")
    net = Ensemble(architecture, 3, rng=np.random.default_rng(0))
    model = Model(net, TARGETS["binary"], columns)
    save_model(tmp_path / "m", model)
    assert load_model(tmp_path / "m")(table).tobytes() == model(table).tobytes()
    expected = net(columns.encode(table)).mean(axis=0)
    assert model(table).tobytes() == expected.tobytes()
    assert export_onnx(tmp_path / "m.onnx", model) <= 1e-5
