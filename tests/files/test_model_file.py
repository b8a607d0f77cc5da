"""Model files: what is written comes back; what cannot is refused before anything is written."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import multilayer
from multilayer import Architecture
from multilayer.data import TableWarning
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.files import load_model, save_model
from multilayer.model import Classes, ClassGroups, Columns, Model, Numbers
from multilayer.numpy import ACTIVATIONS, MLP

from .conftest import TARGETS, make_model

X = np.random.default_rng(1).normal(size=(7, 3)) * 100


def same(a, b):
    """Return whether predictions have the same bits; strings of objects have no bits to compare."""
    if isinstance(a, list):
        return all(same(*pair) for pair in zip(a, b, strict=True))
    return a.dtype == b.dtype and a.shape == b.shape and a.tolist() == b.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("kind", TARGETS)
def test_same_bits_come_back(path, kind, normalization, dtype):
    model = make_model(TARGETS[kind], normalization=normalization, dtype=dtype, residual=True)
    save_model(path, model)
    again = load_model(path)
    assert again.net.architecture == model.net.architecture
    assert again.net.dtype == model.net.dtype
    assert again.inputs.names == model.inputs.names
    assert again.net.parameters.tobytes() == model.net.parameters.tobytes()
    assert again(X).tobytes() == model(X).tobytes()
    assert again.features(X).tobytes() == model.features(X).tobytes()
    assert same(again.predict(X), model.predict(X))
    if model.targets is not None and model.targets.task != "regression":
        assert same(again.predict_proba(X), model.predict_proba(X))
    large = np.tile(X, (200, 1))  # a prediction of many rows goes another way
    assert again(large).tobytes() == model(large).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_members", [None, 3])
def test_embeddings_come_back(path, n_members, dtype):
    embeddings = Embeddings([(2, 300)], [(0, 5)], width=3, speed=1 / 3)
    model = make_model(n_members=n_members, dtype=dtype, embeddings=embeddings, residual=True)
    save_model(path, model)
    again = load_model(path)
    assert again.net.architecture == model.net.architecture
    assert again.net.architecture.embeddings == embeddings
    assert again.net.parameters.tobytes() == model.net.parameters.tobytes()
    assert again(X).tobytes() == model(X).tobytes()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_comes_back(path, activation):
    model = make_model(activation=(activation, "relu"), scaled=False)
    save_model(path, model)
    assert load_model(path)(X).tobytes() == model(X).tobytes()


def test_scaling_of_inputs_comes_back_with_every_bit(path):
    mean, scale = np.array([0.1, 1e-300, -3e8]), np.array([1 / 3, 5e-324, 1e308])
    net = MLP(Architecture(3, (), 1))
    save_model(path, Model(net, inputs=Numbers(3, mean, scale)))
    again = load_model(path).inputs
    assert again.mean.tobytes() == mean.tobytes()
    assert again.scale.tobytes() == scale.tobytes()
    save_model(path, Model(net, inputs=Numbers(3, mean)))
    assert load_model(path).inputs.scale is None


CLASSES = {
    "bool": np.array([False, True]),
    **{
        kind: np.array([np.iinfo(kind).min, 1, np.iinfo(kind).max], kind)
        for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
    "float16": np.array([0.1, 2.5], np.float16),
    "float32": np.array([-0.0, 0.1, 1e38], np.float32),
    "float64": np.array([-1 / 3, 5e-324, 0.1, 1e308]),
    "other byte order": np.array([1, 2, 3], dtype=">i4"),
    "str": np.array(["", "a", "naïve", "\u65e5\u672c", "\U0001f600"]),
    "object": np.array(["", "a\0", "b\nc", "\ud800"], dtype=object),
}  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_of_every_kind_come_back(path, kind):
    classes = CLASSES[kind]
    model = make_model(Classes(classes))
    save_model(path, model)
    again = load_model(path).targets.classes
    assert again.dtype == classes.dtype.newbyteorder("=")
    assert again.tobytes() == classes.astype(again.dtype).tobytes() or kind == "object"
    assert again.tolist() == classes.tolist()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (np.array([b"a", b"b"]), "got dtype bytes8"),
        (np.array([1j, 2j]), "got dtype complex128"),
        (np.array(["2020", "2021"], dtype="M8[Y]"), "got dtype datetime64[Y]"),
        (np.array([1, 2], dtype=object), "got dtype object, not all of which are strings"),
        (np.array([1.0, np.inf]), "classes must be finite; got [ 1. inf]"),
    ],
)
def test_classes_of_other_kinds_are_refused(path, classes, message):
    path.write_bytes(b"an older file")
    for targets in (Classes(classes), ClassGroups([classes, classes])):
        with pytest.raises(InvalidDataError) as caught:
            save_model(path, make_model(targets))
        assert message in str(caught.value)
    assert path.read_bytes() == b"an older file"


def test_information_and_versions(path, model):
    save_model(path, model)
    found = load_model(path).information
    assert found["metrics"] == {"accuracy": 0.5}
    assert found["versions"]["multilayer"] == multilayer.__version__
    assert found["versions"]["numpy"] == np.__version__
    assert "versions" not in model.information  # nothing is written into the model itself


def deep(n):
    nested = []
    for _ in range(n):
        nested = [nested]
    return nested


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), float("inf"), deep(100_000)])
def test_information_must_go_into_json(path, model, value):
    model.information["value"] = value
    with pytest.raises(
        InvalidArgumentError, match=r"^information of a model must be representable as JSON: "
    ):
        save_model(path, model)
    assert not path.exists()


def test_information_has_its_limits(path, model):
    model.information["log"] = "x" * 2**24
    with pytest.raises(InvalidArgumentError, match=r"a model file has room for 16,777,216$"):
        save_model(path, model)
    assert not path.exists()


def test_what_is_no_model_or_not_finite_is_refused(path, model):
    with pytest.raises(InvalidTypeError, match=r"^model of save_model must be a network"):
        save_model(path, 3)
    model.net.parameters[3] = np.nan
    with pytest.raises(InvalidDataError, match=r"^parameters must be finite in float32; got nan"):
        save_model(path, model)
    assert not path.exists()


def test_a_failed_write_leaves_the_old_file(model, path, monkeypatch):
    save_model(path, model)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr("multilayer.atomic.os.fsync", fail)
    with pytest.raises(OSError, match="no space left on device"):
        save_model(path, make_model())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_process_that_dies_while_it_writes_leaves_the_old_file(model, path):
    save_model(path, model)
    before = path.read_bytes()
    program = (
        "import os, sys\n"
        "from multilayer.files import load_model, save_model\n"
        "model = load_model(sys.argv[1])\n"
        "os.fsync = lambda descriptor: os._exit(9)\n"
        "save_model(sys.argv[1], model)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert result.returncode == 9
    assert path.read_bytes() == before


def test_no_file(path):
    with pytest.raises(FileNotFoundError, match=r"^no model file at .*model\.safetensors$"):
        load_model(path)


def test_a_folder_that_is_not_there_is_named(path, model):
    with pytest.raises(FileNotFoundError) as caught:
        save_model(path.parent / "gone" / path.name, model)
    assert str(caught.value) == (
        f"there is no folder {path.parent / 'gone'} to write {path.name} into"
    )


def test_both_engines_open_a_file(path, model):
    torch = pytest.importorskip("torch")
    from multilayer.torch import MLP as TorchMLP

    save_model(path, model)
    again = load_model(path)
    net = TorchMLP.from_numpy(again.net).eval()
    x = ((X - again.inputs.mean) / again.inputs.scale).astype(np.float32)
    with torch.no_grad():
        outputs = net(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(outputs, model(X), atol=1e-6)  # float32, values below 1


ALONE = """
import builtins, sys
FORBIDDEN = {"torch", "sklearn", "scipy", "pandas", "narwhals", "numba", "onnx"}
original = builtins.__import__
def guarded(name, *rest, **settings):
    if name.partition(".")[0] in FORBIDDEN:
        raise ImportError(f"{name} is forbidden")
    return original(name, *rest, **settings)
builtins.__import__ = guarded
import importlib
from_outside = importlib.import_module
def import_module(name, package=None):
    if name == "numba":
        raise ImportError("numba is forbidden")
    return from_outside(name, package)
importlib.import_module = import_module
import numpy as np
import multilayer
model = multilayer.load(sys.argv[1])
X = TABLE if model.inputs.kind == "columns" else np.load(sys.argv[2])
np.savez(sys.argv[3], outputs=model(X), classes=model.predict(X), p=model.predict_proba(X))
assert not FORBIDDEN & set(sys.modules)
"""
TABLE = {
    "age": [1.5, None, 70],
    "job": ["cook", "baker", None],
    "when": ["2024-01-05", "?", "2024-12-31"],
    "price": ["$1,200", "7", None],
}


TRAINING = {
    "age": [1, 2, None],
    "job": ["cook", "", "baker"],
    "when": ["2020-01-05", "", "2024-01-31"],
    "price": ["$1,500", "$8", ""],
}


@pytest.mark.parametrize("kind", ["numbers", "columns"])
def test_prediction_needs_numpy_alone(path, model, tmp_path, kind):
    samples = X
    if kind == "columns":
        samples, inputs = TABLE, Columns.of(TRAINING)
        net = MLP(
            Architecture(inputs.in_features, (4,), 1, output="sigmoid"),
            rng=np.random.default_rng(0),
        )
        model = Model(net, Classes(np.array(["no", "yes"])), inputs)
    save_model(path, model)
    np.save(tmp_path / "X.npy", X)
    files = [str(path), str(tmp_path / "X.npy"), str(tmp_path / "found.npz")]
    result = subprocess.run(
        [sys.executable, "-c", ALONE.replace("TABLE", repr(TABLE)), *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found = np.load(tmp_path / "found.npz")
    assert found["outputs"].tobytes() == model(samples).tobytes()
    assert found["p"].tobytes() == model.predict_proba(samples).tobytes()
    assert found["classes"].tolist() == model.predict(samples).tolist()


def test_a_file_of_version_3_knows_its_categories_without_the_blanks_around_them():
    """Made by the release before columns were typed, which kept blanks in categories."""
    model = load_model(Path(__file__).parent / "version_3_blanks.model")
    assert model.inputs.input_names[:4] == (
        "city = Bern", "city = Chur", "city = Genève", "city is missing"
    )  # fmt: skip
    X = {
        "city": [" Bern", "Chur ", "Genève", None],
        "twice": ["b", "a", "b", "a"],  # beside " a", another category then, which keeps its input
        "size": [0.5, -1, 0, 0.25],
    }
    expected = [0.471663, 0.371634, 0.385295, 0.370202]
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=1e-5)


def test_a_file_of_version_3_opens_and_predicts_the_same():
    """Made by the release before columns were typed, of ages, jobs and booleans."""
    model = load_model(Path(__file__).parent / "version_3.model")
    assert [str(column) for column in model.inputs.columns] == [
        "numeric, median 30, scale 10; missing values",
        "2 categories: baker, cook; missing values",
        "numeric, median 1, scale 0.25",
    ]
    X = {"age": [25, None, 90], "job": ["cook", None, "smith"], "vip": [True, False, None]}
    with pytest.warns(TableWarning) as told:
        found = model.predict_proba(X)[:, 1]
    assert len(told) == 2  # smith, and the missing value
    expected = [0.5454556941986084, 0.5988098978996277, 0.5436938405036926]
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # float32, and another BLAS perhaps
