"""Export: another program predicts what the model does, or there is no file."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.errors import (
    ExportError,
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
)
from multilayer.files import export_onnx
from multilayer.files.onnx_graph import FORMS
from multilayer.files.onnx_model import content_of
from multilayer.model import Classes, ClassGroups, Model, Numbers
from multilayer.numpy import ACTIVATIONS, MLP, OUTPUTS, Ensemble

from .conftest import TARGETS, make_model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def predict(path, X):
    """Return what onnxruntime predicts, by the outputs' names."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for output, found in zip(session.get_outputs(), session.run(None, {"X": X}), strict=True):
        assert output.shape == ["n_samples", found.shape[1]]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def samples(model, n=20):
    X = np.random.default_rng(5).normal(size=(n, 3))
    inputs = model.inputs
    return (X if inputs.mean is None else X * inputs.scale + inputs.mean).astype(model.net.dtype)


def test_every_activation_and_output_of_the_package_has_a_form():
    known = {**ACTIVATIONS, **OUTPUTS}  # other tests may have registered some of their own
    ours = {n for n, a in known.items() if type(a).__module__.startswith("multilayer.")}
    assert ours == set(FORMS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", FORMS)
def test_activations(path, activation, dtype):
    if activation == "exp":
        model = make_model(TARGETS["counts"], dtype=dtype)
    else:
        model = make_model(activation=activation, dtype=dtype)
    assert export_onnx(path, model) <= 1e-5
    X = samples(model)
    np.testing.assert_allclose(predict(path, X)["values" if activation == "exp" else "outputs"],
                               model(X), rtol=1e-5, atol=1e-5)  # fmt: skip


@pytest.mark.parametrize("activation", [name for name in FORMS if name != "exp"])  # an output only
def test_extreme_numbers_stay_finite(path, activation):
    net = MLP(Architecture(3, (3,), 3, activation=activation), initializer="zeros")
    net.set_weights([(np.eye(3), np.zeros(3)), (np.eye(3), np.zeros(3))])
    X = np.array([[-1e4, 0, 1e4], [-100, -20, -1], [88, 89, 90]], dtype=np.float32)
    export_onnx(path, Model(net), sample=X)
    found = predict(path, X)["outputs"]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, net(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("output", ["identity", "sigmoid", "softmax", "log_softmax", "exp"])
def test_outputs_of_a_network_without_targets(path, output):
    model = make_model(output=output)
    assert export_onnx(path, model) <= 1e-5
    X = samples(model)
    np.testing.assert_allclose(predict(path, X)["outputs"], model(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TARGETS)
def test_targets(path, kind, dtype):
    model = make_model(TARGETS[kind], dtype=dtype)
    assert export_onnx(path, model) <= 1e-5
    for n in (1, 20):  # any number of samples at once
        X = samples(model, n)
        found = predict(path, X)
        if kind == "none":
            expected = {"outputs": model(X)}
        elif kind == "groups":
            expected = {f"probabilities_{i}": p for i, p in enumerate(model.predict_proba(X))}
        elif model.targets is not None and model.targets.task != "regression":
            expected = {"probabilities": model.predict_proba(X)}
        else:
            expected = {"values": model.predict(X).reshape(n, -1)}
        assert list(found) == list(expected)
        for name, array in found.items():
            assert array.dtype == (expected[name].dtype if name == "values" else dtype)
            np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)


def test_a_target_of_one_class_among_several(path):
    model = make_model(ClassGroups([np.array(["only"]), np.array(["a", "b"])]))
    export_onnx(path, model)
    X = samples(model)
    found = predict(path, X)
    for i, expected in enumerate(model.predict_proba(X)):
        np.testing.assert_allclose(found[f"probabilities_{i}"], expected, atol=1e-6)


EMBEDDINGS = {
    "both": Embeddings([(4, 3), (0, 7)], [(2, 5), (5, 1)], width=3, speed=4.0),
    "numbers": Embeddings(numbers=[(3, 40)], width=1),
    "categories": Embeddings(categories=[(0, 5), (1, 2)], width=2),
    "all inputs": Embeddings([(0, 2), (1, 2), (2, 2)], [(3, 4), (4, 2), (5, 6)], width=2),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_members", [None, 3])
@pytest.mark.parametrize("case", EMBEDDINGS)
def test_embeddings(path, case, n_members, dtype):
    embeddings, rng = EMBEDDINGS[case], np.random.default_rng(0)
    architecture = Architecture(6, (5, 4), 2, embeddings=embeddings, normalization="layer")
    if n_members is None:
        net = MLP(architecture, dtype=dtype, rng=rng)
    else:
        net = Ensemble(architecture, n_members, dtype=dtype, rng=rng)
    assert export_onnx(path, net) <= 1e-5
    X = rng.normal(size=(60, 6))
    for place, size in (*embeddings.numbers, *embeddings.categories):
        X[:, place] = rng.uniform(-1, size + 1, size=60)  # some of them out of range
        X[:30, place] = np.round(X[:30, place])  # knots and categories
        X[-1, place] = 1e30
    X = X.astype(dtype)
    found = predict(path, X)["outputs"]
    np.testing.assert_allclose(found, Model(net)(X), rtol=1e-5, atol=1e-6)
    for n in (0, 1):
        assert predict(path, X[:n])["outputs"].shape == (n, 2)


def test_embeddings_are_few_operations(path):
    """However many inputs there are: one product for all numbers, one look-up for categories."""
    n = 50
    embeddings = Embeddings([(j, j + 1) for j in range(n)], [(n + j, j + 1) for j in range(n)])
    export_onnx(path, MLP(Architecture(2 * n, (4,), 1, embeddings=embeddings)))
    operations = [node.op_type for node in onnx.load(path).graph.node]
    assert operations.count("MatMul") == 1
    assert len(operations) < 30


def test_a_wrong_row_of_an_embedding_is_noticed_on_writing(path, monkeypatch):
    """The samples drawn for the check come to the last piece too."""
    embeddings = Embeddings([(0, 30)], width=2)
    net = MLP(Architecture(2, (4,), 1, embeddings=embeddings), rng=np.random.default_rng(0))
    model = Model(net.copy())
    net.weights[0][0][-1] += 1
    monkeypatch.setattr(
        "multilayer.files.onnx.content_of", lambda _, form: content_of(Model(net), form)
    )
    with pytest.raises(ExportError, match="the exported model's outputs differ from the model's"):
        export_onnx(path, model)
    assert not path.exists()


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {"normalization": "batch"},
        {"normalization": "layer", "residual": True, "dropout": 0.5},
        {"normalization": "batch", "residual": True, "dropout": (0.5, 0.0)},
        {"bias": False, "activation": ("relu", "gelu")},
        {"noise": 0.5, "residual": True},
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers(path, settings, scaled, dtype):
    model = make_model(TARGETS["classes"], scaled=scaled, dtype=dtype, **settings)
    export_onnx(path, model)
    X = samples(model)
    found = predict(path, X)["probabilities"]
    np.testing.assert_allclose(found, model.predict_proba(X), atol=1e-6)
    operations = {node.op_type for node in onnx.load(path).graph.node}
    assert not operations & {"Dropout", "RandomNormal", "RandomNormalLike"}


@pytest.mark.parametrize("scaling", ["mean", "scale"])
def test_half_a_scaling(path, scaling):
    model = make_model(scaled=False)
    X = samples(model)
    model = replace(model, inputs=Numbers(3, **{scaling: np.array([2.0, 3.0, 4.0])}))
    export_onnx(path, model)
    np.testing.assert_allclose(predict(path, X)["outputs"], model(X), atol=1e-5)


def test_a_linear_model(path):
    model = Model(MLP(Architecture(3, (), 2), rng=np.random.default_rng(0)))
    export_onnx(path, model)
    X = samples(model)
    np.testing.assert_allclose(predict(path, X)["outputs"], model(X), atol=1e-6)


def test_metadata_says_which_columns_and_classes(path):
    export_onnx(path, make_model(TARGETS["binary"]))
    told = {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props}
    assert told["columns"] == ["a", "b", "ñ"]
    assert told["targets"] == {"kind": "classes", "dtype": "str", "values": ["no", "yes"]}


def broken(g, z):
    return g("Mul", g("Max", z, 0.0), 1.001)


def test_what_computes_something_else_is_refused(path, monkeypatch):
    monkeypatch.setitem(FORMS, "relu", broken)
    path.write_bytes(b"an older file")
    with pytest.raises(ExportError) as caught:
        export_onnx(path, make_model(activation="relu"))
    assert "differ from the model's by" in str(caught.value)
    assert path.read_bytes() == b"an older file"
    path.unlink()
    with pytest.raises(ExportError):
        export_onnx(path, make_model(activation="relu"))
    assert list(path.parent.iterdir()) == []


def test_what_cannot_run_is_refused(path, monkeypatch):
    monkeypatch.setitem(FORMS, "relu", lambda g, z: g("Reshape", z, np.array([7, 7])))
    with pytest.raises(ExportError, match=r"^onnxruntime cannot run the exported model"):
        export_onnx(path, make_model(activation="relu"))
    assert list(path.parent.iterdir()) == []


def test_the_given_sample_is_what_is_compared(path, monkeypatch):
    monkeypatch.setitem(FORMS, "relu", lambda g, z: g("Min", g("Max", z, 0.0), 50.0))
    model = make_model(activation="relu", scaled=False)
    export_onnx(path, model)  # normal numbers stay below 50
    path.unlink()
    with pytest.raises(ExportError):
        export_onnx(path, model, sample=np.full((2, 3), 1e3))
    assert not path.exists()
    with pytest.raises(InvalidDataError, match="X must have 3 features"):
        export_onnx(path, model, sample=np.ones((2, 4)))


def test_not_a_number_is_a_difference(path, monkeypatch):
    monkeypatch.setitem(FORMS, "relu", lambda g, z: g("Log", g("Min", z, -1.0)))
    with pytest.raises(ExportError, match="by inf"):
        export_onnx(path, make_model(activation="relu"))


def test_an_activation_without_a_form_is_refused_by_name(path, monkeypatch):
    monkeypatch.delitem(FORMS, "mish")
    with pytest.raises(InvalidArgumentError, match=r"^activation 'mish' has no ONNX form; "):
        export_onnx(path, make_model(activation="mish"))
    assert not path.exists()


def test_wrong_arguments(path, monkeypatch):
    with pytest.raises(InvalidTypeError, match=r"^model of export_onnx must be a network, a Model"):
        export_onnx(path, 3)
    monkeypatch.setattr("multilayer.files.onnx.MAX_BYTES", 100)
    with pytest.raises(InvalidArgumentError, match="an ONNX file holds less than 2 GB"):
        export_onnx(path, make_model())
    monkeypatch.undo()
    with pytest.raises(InvalidDataError, match="got dtype bytes8"):
        export_onnx(path, make_model(Classes(np.array([b"a", b"b"]))))
    assert not path.exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named(path, package):
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import numpy as np\n"
        "from multilayer import Architecture\n"
        "from multilayer.errors import MissingPackageError\n"
        "from multilayer.files import export_onnx\n"
        "from multilayer.model import Model\n"
        "from multilayer.numpy import MLP\n"
        "try: export_onnx(sys.argv[1], Model(MLP(Architecture(2, (), 1))))\n"
        "except MissingPackageError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    message = 'exporting needs onnx and onnxruntime: pip install "multilayer[onnx]"\n'
    assert result.stdout == message
    assert not path.exists()
