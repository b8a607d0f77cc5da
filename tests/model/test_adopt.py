"""A Model of whatever a network comes in."""

import json

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from multilayer import Architecture, MLPClassifier
from multilayer.errors import InvalidTypeError
from multilayer.files import export_onnx, load_model, save_model
from multilayer.graph import graph
from multilayer.inspection import summary
from multilayer.model import Classes, Model, Numbers, adopt, model_in, network_in
from multilayer.numpy import MLP, Ensemble
from multilayer.plots import first_layer_weights, history, network_diagram
from multilayer.torch import MLP as TorchMLP
from multilayer.training import History

X = np.random.default_rng(0).normal(size=(20, 3))
NET = MLP(Architecture(3, (4,), 1, output="sigmoid"), rng=np.random.default_rng(1))
MODEL = Model(NET, Classes(np.array(["no", "yes"])), Numbers(3, scale=np.ones(3)))


def test_networks_of_either_engine():
    found = adopt(NET, "test")
    assert found.net is NET
    assert found.targets is None
    twin = TorchMLP.from_numpy(NET)
    assert adopt(twin, "test").net.parameters.tobytes() == NET.parameters.tobytes()
    assert network_in(twin) is twin  # and not a copy on the other engine


def test_a_model_is_itself():
    assert adopt(MODEL, "test") is model_in(MODEL) is MODEL
    assert network_in(MODEL) is NET


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_estimators():
    clf = MLPClassifier((3,), solver="lbfgs", max_iter=3).fit(X, X[:, 0] > 0)
    found = adopt(clf, "test")
    assert found.net is network_in(clf) is clf.network_
    assert found.predict(X).tolist() == clf.predict(X).tolist()
    with pytest.raises(NotFittedError):
        adopt(MLPClassifier(), "test")


def test_files(tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(path, MODEL)
    for given in (path, str(path)):
        assert adopt(given, "test", load_model)(X).tobytes() == MODEL(X).tobytes()
        with pytest.raises(InvalidTypeError, match=r"with multilayer\.load first$"):
            adopt(given, "test")


@pytest.mark.parametrize(
    "given",
    [None, 3, X, NET.architecture, MLP, MLPClassifier, LogisticRegression(), torch.nn.Linear(3, 1)],
)
def test_all_else_has_no_network(given):
    assert model_in(given) is network_in(given) is None
    with pytest.raises(InvalidTypeError) as caught:
        adopt(given, "test")
    assert str(caught.value) == (
        f"model of test must be a network, a Model or an MLP estimator; got {type(given).__name__}"
    )


def test_files_are_written_of_all_of_them(tmp_path):
    for given in (NET, TorchMLP.from_numpy(NET), Model(NET)):
        save_model(tmp_path / "m", given)
        assert load_model(tmp_path / "m")(X).tobytes() == NET(X).tobytes()
        assert export_onnx(tmp_path / "m.onnx", given) < 1e-5


def test_an_ensemble_is_a_model_and_its_own_network():
    ensemble = Ensemble.of([NET, NET])
    found = adopt(ensemble, "test")
    assert found.net is network_in(ensemble) is network_in(found) is ensemble
    np.testing.assert_array_equal(found(X), NET(X))


@pytest.mark.parametrize(
    ("look", "argument"),
    [
        (summary, "net_or_architecture of summary"),
        (graph, "net_or_tensor of graph"),
        (first_layer_weights, "model of first_layer_weights"),
        (network_diagram, "model of network_diagram"),
    ],
)
def test_what_looks_into_one_network_names_the_members_of_an_ensemble(look, argument):
    ensemble = Ensemble.of([NET, NET])
    with pytest.raises(InvalidTypeError) as caught:
        look(ensemble)
    assert str(caught.value) == (
        f"{argument} must be one network; a member of an ensemble is ensemble[k]; got {ensemble!r}"
    )


def test_the_histories_of_members_are_one_picture():
    told = History({"train_loss": [2.0, 1.0]}).to_json()
    information = {"history": [json.loads(told)] * 2}
    ax = history(Model(Ensemble.of([NET, NET]), information=information))
    assert [line.get_label() for line in ax.lines] == ["training, median of 2"]
