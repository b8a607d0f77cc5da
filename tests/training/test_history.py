"""History: a mapping that goes to pandas and JSON."""

import builtins
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, MissingPackageError
from multilayer.numpy import MLP, SGD, Huber
from multilayer.torch import MLP as TorchMLP
from multilayer.training import History, fit


@pytest.fixture
def history():
    history = History()
    history.append({"train_loss": 0.5, "seconds": 0.1})
    history.append({"train_loss": 0.25, "seconds": 0.1})
    history.best_epoch = 2
    history.stopped_by = "n_epochs"
    return history


def test_is_a_mapping(history):
    assert history["train_loss"] == [0.5, 0.25]
    assert list(history) == ["train_loss", "seconds"]
    assert "validation_loss" not in history
    assert history.get("validation_loss") is None
    assert history.n_epochs == 2


def test_unknown_entry_says_which_there_are(history):
    with pytest.raises(KeyError) as caught:
        history["loss"]
    assert caught.value.args[0] == "'loss' was not measured; available: train_loss, seconds"


def test_goes_to_pandas(history):
    table = history.to_pandas()
    assert table.index.name == "epoch"
    assert table.index.tolist() == [1, 2]
    assert table["train_loss"].tolist() == [0.5, 0.25]


def test_without_pandas_says_what_to_install(history, monkeypatch):
    import_module = builtins.__import__

    def no_pandas(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return import_module(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_pandas)
    with pytest.raises(MissingPackageError) as caught:
        history.to_pandas()
    assert str(caught.value) == 'History.to_pandas needs pandas: pip install "pandas"'


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.dictionaries(st.text(), st.lists(finite, max_size=5), max_size=4),
    st.integers(0, 1000),
    st.text(),
)
@settings(max_examples=50)
def test_round_trip_through_json(metrics, best_epoch, stopped_by):
    history = History(metrics)
    history.best_epoch = best_epoch
    history.stopped_by = stopped_by
    history.settings = {"monitor": stopped_by}
    again = History.from_json(history.to_json())
    assert dict(again) == metrics
    assert (again.best_epoch, again.stopped_by) == (best_epoch, stopped_by)
    assert again.settings == history.settings


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "{}",
        '{"extra": 1}',
        '{"metrics": {}, "best_epoch": 0, "stopped_by": "", "settings": {"monitor": 3}}',
        '{"metrics": 3, "best_epoch": 0, "stopped_by": "", "settings": {}}',
        '{"metrics": {}, "best_epoch": 0, "stopped_by": "", "settings": 3}',
    ],
)
def test_damaged_json_is_refused(text):
    with pytest.raises(InvalidArgumentError, match=r"^not the JSON of a History: "):
        History.from_json(text)


def test_json_is_an_object_with_the_metrics(history):
    assert json.loads(history.to_json()) == {
        "metrics": {"train_loss": [0.5, 0.25], "seconds": [0.1, 0.1]},
        "best_epoch": 2,
        "stopped_by": "n_epochs",
        "settings": {},
    }


@pytest.mark.parametrize("engine", [MLP, TorchMLP])
def test_it_tells_how_it_was_trained(engine):
    X = np.random.default_rng(0).normal(size=(30, 2))
    net = engine(Architecture(2, (3,), 1))
    history = fit(
        net, (X, X[:, :1]), loss=Huber(delta=2.0), optimizer=SGD(0.1, momentum=0.5), n_epochs=1,
        batch_size=7, validation=0.2, metrics=["r2"], monitor="validation_r2",
    )  # fmt: skip
    assert history.settings == {
        "loss": {"name": "huber", "delta": 2.0},
        "optimizer": {
            "name": "sgd",
            "learning_rate": 0.1,
            "momentum": 0.5,
            "nesterov": False,
            "weight_decay": 0.0,
        },
        "batch_size": 7,
        "monitor": "validation_r2",
    }


def test_an_optimizer_of_pytorchs_own_is_not_told():
    import torch

    net = TorchMLP(Architecture(2, (3,), 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    history = fit(net, (np.eye(2), np.eye(2, 1)), loss="squared_error", optimizer=optimizer,
                  n_epochs=1)  # fmt: skip
    assert history.settings["optimizer"] is None


def test_settings_that_are_not_told_are_empty():
    text = '{"metrics": {"train_loss": [1.0]}, "best_epoch": 0, "stopped_by": ""}'
    assert History.from_json(text).settings == {}
