"""Kinds of targets and inputs of one's own: registered, they are as good as those that are here."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from multilayer import Architecture
from multilayer.cli.main import app
from multilayer.doctor import diagnose
from multilayer.errors import InvalidArgumentError, ModelFileError
from multilayer.files import export_onnx, load_model, save_model
from multilayer.model import INPUTS, TARGETS, Inputs, Model, Targets
from multilayer.numpy import MLP, BinaryCrossEntropy
from multilayer.plots import hyperplane
from multilayer.plots.models import class_probabilities, predicted_values
from multilayer.registry import Names
from multilayer.training import fit

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, size=(200, 2))
GRADES = np.array(["1 poor", "2 fair", "3 good", "4 best"])
Y = GRADES[np.digitize(X @ [1.0, 0.5], [-0.6, 0.0, 0.6])]


class Grades(Targets):
    """Classes in an order: output k is the probability of a class beyond the k-th."""

    kind = "grades"
    task = "classification"
    output = "sigmoid"
    has_one_class = True

    def __init__(self, classes):
        self.classes = np.asarray(classes)
        self.out_features = len(classes) - 1

    def encode(self, y):
        places = np.searchsorted(self.classes, y)
        return (places[:, None] > np.arange(self.out_features)).astype(float)

    def probabilities(self, outputs):
        ones, zeros = np.ones((len(outputs), 1)), np.zeros((len(outputs), 1))
        beyond = np.minimum.accumulate(outputs, axis=1)
        return -np.diff(np.hstack([ones, beyond, zeros]), axis=1)

    def decode(self, outputs):
        return self.classes[self.probabilities(outputs).argmax(axis=1)]

    def loss(self, label_smoothing=0.0):
        return BinaryCrossEntropy(label_smoothing)

    def __str__(self):
        return f"a grade from {self.classes[0]} to {self.classes[-1]}"

    def to_dict(self):
        return {"classes": self.classes.tolist()}

    @classmethod
    def from_dict(cls, found, architecture):
        return cls(found["classes"])


class Squares(Inputs):
    """Numbers, and their squares."""

    kind = "squares"
    names = input_names = None

    def __init__(self, n):
        self.n, self.in_features = n, 2 * n

    def encode(self, X):
        return np.hstack([X, np.square(X)])

    def describe(self):
        return [("numbers", f"{self.n}, and their squares")]

    def arrays(self):
        return {}

    def to_dict(self):
        return {}

    @classmethod
    def from_dict(cls, found, in_features, arrays):
        return cls(in_features // 2)


def register(monkeypatch, registry, kind):
    monkeypatch.setattr(registry, "_entries", dict(registry))
    monkeypatch.setattr(registry, "names", Names(registry.names.kind, registry.names))
    registry.register(kind.kind, kind)


@pytest.fixture
def kinds(monkeypatch):
    register(monkeypatch, TARGETS, Grades)
    register(monkeypatch, INPUTS, Squares)


@pytest.fixture(scope="module")
def model():
    inputs, targets = Squares(2), Grades(GRADES)
    net = MLP(Architecture(4, (8,), 3, output="sigmoid"), rng=np.random.default_rng(1))
    data = inputs.encode(X), targets.encode(Y)
    history = fit(net, data, loss=targets.loss(), optimizer="lbfgs", n_epochs=100,
                  rng=np.random.default_rng(2))  # fmt: skip
    return Model(net, targets, inputs, {"history": json.loads(history.to_json())})


def test_it_learns(model):
    assert (model.predict(X) == Y).mean() > 0.95
    p = model.predict_proba(X)
    assert p.shape == (200, 4)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)


@pytest.mark.usefixtures("kinds")
def test_files_keep_it(model, tmp_path):
    save_model(tmp_path / "m", model)
    again = load_model(tmp_path / "m")
    assert type(again.targets) is Grades
    assert type(again.inputs) is Squares
    assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert again.predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize(("part", "name"), [("targets", "classes"), ("inputs", "numbers")])
def test_where_it_is_not_registered_its_file_is_refused(model, tmp_path, monkeypatch, part, name):
    save_model(tmp_path / "m", model)
    if part == "inputs":
        register(monkeypatch, TARGETS, Grades)
    with pytest.raises(
        ModelFileError, match=rf"register a part of .* kind of {part} must be one of"
    ):
        load_model(tmp_path / "m")


def test_pictures_and_the_doctor_take_it(model):
    found = class_probabilities(model, X, "test")
    assert found.classes.tolist() == GRADES.tolist()
    assert found.probabilities.tobytes() == model.predict_proba(X).tobytes()
    with pytest.raises(InvalidArgumentError, match="must predict values; got a Model of Grades"):
        predicted_values(model, X, "test")
    assert not diagnose(model, X, Y).is_wrong
    shuffled = np.random.default_rng(3).permutation(Y)
    assert "chance_level" in diagnose(model, X, shuffled).names


def test_inputs_are_not_affine_unless_they_say_so():
    net = MLP(Architecture(2, (), 1), rng=np.random.default_rng(0))
    with pytest.raises(InvalidArgumentError, match="must take plain or scaled numbers"):
        hyperplane(Model(net, inputs=Squares(1)), X)


@pytest.mark.usefixtures("kinds")
def test_the_command_line_takes_it(model, tmp_path):
    path, table = tmp_path / "m", tmp_path / "t.csv"
    save_model(path, model)
    rows = [f"{a!r},{b!r},{y}" for (a, b), y in zip(X.tolist(), Y, strict=True)]
    table.write_text("\n".join(["a,b,grade", *rows]) + "\n")
    shown = CliRunner().invoke(app, ["show", str(path)]).stdout
    assert "a grade from 1 poor to 4 best" in shown
    assert "2, and their squares" in shown
    columns = tmp_path / "x.csv"
    columns.write_text("\n".join(["a,b", *(row.rpartition(",")[0] for row in rows)]) + "\n")
    told = CliRunner().invoke(app, ["predict", str(path), str(columns), "--json"]).stdout
    told = json.loads(told)
    assert told["prediction"] == model.predict(X).tolist()
    assert told["probability 3 good"] == model.predict_proba(X)[:, 2].tolist()


def test_onnx_needs_a_form_of_it(model, tmp_path):
    known = "these kinds have one: classes, class_groups, labels, values"
    with pytest.raises(InvalidArgumentError, match=rf"kind 'grades' have no ONNX form; {known}"):
        export_onnx(tmp_path / "m.onnx", model)
    with pytest.raises(InvalidArgumentError, match="kind 'squares' have no ONNX form"):
        export_onnx(tmp_path / "m.onnx", Model(model.net, inputs=model.inputs))
