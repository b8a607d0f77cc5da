"""Loss curves: the numbers of the history, where they belong."""

import json

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as Theirs

from multilayer import Architecture, MLPClassifier
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.model import Model
from multilayer.numpy import MLP
from multilayer.plots import history
from multilayer.training import History


def recorded(rates=(0.1, 0.05, 0.01)):
    found = History(
        {
            "train_loss": [0.9, 0.5, 0.4],
            "learning_rate": list(rates),
            "validation_loss": [0.8, 0.6, 0.7],
        }
    )
    found.best_epoch = 2
    found.settings["monitor"] = "validation_loss"
    return found


def lines(ax):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}


def test_an_ensembles_curves_are_medians_with_bands():
    histories = [History({"train_loss": [1.0 * k, 2.0 * k]}) for k in range(1, 12)]
    short = History({"train_loss": [100.0], "validation_loss": [7.0]})  # one that ended early
    short.best_epoch, short.settings["monitor"] = 1, "validation_loss"
    ax = history([*histories, short])
    found = lines(ax)
    everyone = [*range(1, 12), 100]
    medians = [np.median(everyone), np.median([2 * k for k in range(1, 12)])]
    assert found["training, median of 12"] == ([1, 2], medians)
    assert found["validation, median of 1"] == ([1], [7.0])
    assert found["a member's best epoch"] == ([1], [7.0])
    band = ax.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} >= {
        (1, np.quantile(everyone, 0.1)),
        (1, np.quantile(everyone, 0.9)),
        (2, np.quantile([2 * k for k in range(1, 12)], 0.1)),
    }
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_an_ensemble_of_an_estimator_has_bands_too():
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    fitted = MLPClassifier((4,), n_members=3, max_iter=3, early_stopping="loss", random_state=0)
    with pytest.warns(ConvergenceWarning):
        fitted.fit(X, y)
    assert "validation, median of 3" in lines(history(fitted))


def test_curves_best_epoch_and_learning_rate():
    ax = history(recorded())
    found = lines(ax)
    assert found["training"] == ([1, 2, 3], [0.9, 0.5, 0.4])
    assert found["validation"] == ([1, 2, 3], [0.8, 0.6, 0.7])
    assert found["best epoch 2, by validation loss"] == ([2], [0.6])
    left, right = ax.figure.axes
    assert left is ax
    assert lines(right) == {"learning rate": ([1, 2, 3], [0.1, 0.05, 0.01])}
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["training", "validation", "best epoch 2, by validation loss", "learning rate"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y1 < ax.xaxis.label.get_window_extent().y0


def test_a_learning_rate_that_stays_has_no_axis_and_ax_is_taken():
    from matplotlib import pyplot as plt

    _, ax = plt.subplots()
    assert history(recorded([0.1, 0.1, 0.1]), ax=ax) is ax
    assert ax.figure.axes == [ax]
    assert len(ax.get_legend().get_texts()) == 3


def test_a_model_tells_what_its_file_holds():
    net = MLP(Architecture(2, (), 1))
    model = Model(net, information={"history": json.loads(recorded().to_json())})
    assert lines(history(model))["validation"][1] == [0.8, 0.6, 0.7]
    with pytest.raises(InvalidArgumentError) as caught:
        history(Model(net))
    expected = "source of history must contain a history; this Model's information has no 'history'"
    assert str(caught.value) == expected


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_estimators_theirs_and_those_that_went_on():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.integers(0, 2, size=60)
    theirs = Theirs((3,), max_iter=3, random_state=0).fit(X, y)
    assert lines(history(theirs))["training"] == ([1, 2, 3], theirs.loss_curve_)
    ours = MLPClassifier((3,), max_iter=3, random_state=0, early_stopping=True, warm_start=True)
    ours.fit(X, y)
    assert f"best epoch {ours.history_.best_epoch}, by validation score" in lines(history(ours))
    ours.fit(X, y)
    found = lines(history(ours))
    assert found["training"] == ([1, 2, 3, 4, 5, 6], ours.loss_curve_)
    assert found["validation"][1] == ours.validation_loss_curve_


@pytest.mark.parametrize(
    ("validation", "monitor", "label", "epochs"),
    [
        ({}, "train_loss", None, None),  # that of the weights an epoch began with
        ({"validation_loss": [0.8, 0.6, 0.5]}, "validation_loss",
         "best epoch 2, by validation loss", [2]),
        ({"validation_loss": [0.8, 0.6, 0.5]}, "validation_accuracy",
         "best epoch 2, by validation accuracy", [2, 2]),
        ({"validation_loss": [0.8, 0.6, 0.5]}, None, "best epoch 2", [2, 2]),
    ],
)  # fmt: skip
def test_the_best_epoch_is_told_by_what_it_was_judged(validation, monitor, label, epochs):
    found = History({"train_loss": [0.9, 0.5, 0.4], **validation})
    found.best_epoch = 2
    if monitor:
        found.settings["monitor"] = monitor
    drawn = lines(history(found))
    assert {name: x for name, (x, _) in drawn.items() if "best" in name} == (
        {} if label is None else {label: epochs}
    )
    assert ("best epoch" in found._repr_html_()) == (label is not None)


@pytest.mark.parametrize("source", [None, Architecture(2, (), 1), {"train_loss": [1.0]}])
def test_what_has_no_history_is_refused(source):
    with pytest.raises(InvalidTypeError, match="must be a History, several of them, a fitted"):
        history(source)


def test_no_epoch_is_no_picture():
    with pytest.raises(InvalidArgumentError, match="at least one epoch"):
        history(History())
