"""A Model of whatever a network comes in."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from multilayer import Architecture, MLPClassifier
from multilayer.errors import InvalidTypeError
from multilayer.files import export_onnx, load_model, save_model
from multilayer.model import Classes, Model, Numbers, adopt, model_in, network_in
from multilayer.numpy import MLP
from multilayer.torch import MLP as TorchMLP

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
