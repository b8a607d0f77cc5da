"""A network that is well gets no finding: real data, seeds, activations and both engines."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from multilayer import MLPClassifier, MLPRegressor
from multilayer.data import load_images
from multilayer.doctor import diagnose
from multilayer.numpy import Adam
from multilayer.torch import MLP as TorchMLP

FOLDER = os.environ.get("MULTILAYER_DATA")
BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")
TABLES = ("adult", "letter", "california")
N_TABLE = 3000


def load(name):
    """Return samples and targets of a data set, of the large ones a part."""
    if name in BUNDLED:
        return getattr(datasets, f"load_{name}")(return_X_y=True)
    if name == "mnist":
        images = load_images("mnist", data_dir=FOLDER)
        return np.asarray(images.X_train[:2000], dtype=float), images.y_train[:2000]
    import pandas as pd

    table = pd.read_csv(Path(FOLDER) / "tables" / f"{name}.csv", nrows=N_TABLE)
    y = table.pop("target")
    X = table.select_dtypes("number").fillna(0).to_numpy(dtype=float)
    return X, y.to_numpy() if name == "california" else y.astype("category").cat.codes.to_numpy()


def split(name, seed):
    """Return training and validation samples, scaled, with the loss that is theirs."""
    X, y = load(name)
    is_classes = name not in ("diabetes", "california")
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, random_state=seed, stratify=y if is_classes else None
    )
    scaler = StandardScaler().fit(X_train)
    parts = [scaler.transform(X_train), scaler.transform(X_test)]
    if is_classes:
        y_train, y_test = y_train.astype(int), y_test.astype(int)
    else:
        y_train, y_test = ((part - y_train.mean()) / y_train.std() for part in (y_train, y_test))
    loss = "cross_entropy" if is_classes else "squared_error"
    return (parts[0], y_train), (parts[1], y_test), loss


def is_well(net, data, **settings):
    """Return whether there is no finding, and show it if there is one."""
    diagnosis = diagnose(net, *data, **settings)
    print(diagnosis)
    return not diagnosis


# Of 24 units in a layer; the larger the data, the fewer epochs make as many steps.
EPOCHS = {"iris": 60, "wine": 40, "breast_cancer": 20, "digits": 20, "diabetes": 15,
          "mnist": 8, "adult": 5, "letter": 25, "california": 10}  # fmt: skip


def fitted(name, seed, network, train, **settings):
    """Return a network of that data set that has learned it, its data and its history."""
    data, held_out, loss = split(name, seed)
    out_features = 1 if loss == "squared_error" else int(data[1].max()) + 1
    net = network(data[0].shape[1], 24, 24, out_features, seed=seed, **settings)
    return net, data, held_out, loss, train(
        net, data, learning_rate=0.01, n_epochs=EPOCHS[name], loss=loss, l2=1e-3,
        schedule="cosine", validation=held_out,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seed", "activation"), [(0, "relu"), (1, "relu"), (2, "tanh"), (3, "selu")]
)
@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_data(network, train, name, activation, seed):
    net, data, held_out, loss, history = fitted(name, seed, network, train, activation=activation)
    assert is_well(net, data, loss=loss, history=history)
    assert is_well(net, data, loss=loss, history=history, validation=held_out)


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": "sigmoid", "initializer": "glorot"},
        {"normalization": "batch"},
        {"normalization": "layer", "activation": "gelu"},
        {"residual": True, "activation": "leaky_relu"},
        {"dropout": 0.1},
        {"output": "softmax"},
        {"initializer": "orthogonal", "activation": "softsign"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_other_layers_and_initializers(network, train, settings):
    net, data, held_out, loss, history = fitted("breast_cancer", 2, network, train, **settings)
    optimizer = Adam(learning_rate=0.01)
    assert is_well(net, data, loss=loss, history=history, validation=held_out, optimizer=optimizer)


@pytest.mark.parametrize("name", ["wine", "diabetes"])
def test_the_other_engine(network, train, name):
    def make(*widths, **settings):
        return TorchMLP.from_numpy(network(*widths, **settings))

    net, data, held_out, loss, history = fitted(name, 0, make, train)
    assert is_well(net, data, loss=loss, history=history, validation=held_out)


@pytest.mark.skipif(not FOLDER, reason="MULTILAYER_DATA names no folder")
@pytest.mark.parametrize("name", ["mnist", *TABLES])
def test_data_at_hand(network, train, name):
    net, data, held_out, loss, history = fitted(name, 0, network, train)
    assert is_well(net, data, loss=loss, history=history)
    assert is_well(net, data, loss=loss, history=history, validation=held_out)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", BUNDLED)
def test_estimators(name, solver):
    data, held_out, loss = split(name, 0)
    settings = {"hidden_layer_sizes": (24,), "solver": solver, "random_state": 0}
    if solver == "lbfgs":
        settings |= {"max_iter": 60, "alpha": 1.0}
    else:
        settings |= {"max_iter": EPOCHS[name], "batch_size": 16, "learning_rate_init": 0.005}
    if name == "diabetes":
        settings |= {"hidden_layer_sizes": (4,), "activation": "tanh"}
    kind = MLPClassifier if loss == "cross_entropy" else MLPRegressor
    estimator = kind(**settings).fit(*data)
    assert is_well(estimator, data, validation=held_out)
