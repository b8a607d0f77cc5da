import csv
import json
from collections import deque
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from multilayer import Architecture
from multilayer.data import read_table
from multilayer.errors import (
    DivergenceError,
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
)
from multilayer.files import load_model, save_model
from multilayer.model import Classes, Model, Numbers
from multilayer.numpy import MLP
from multilayer.playground.data_sets import SETS, read_csv, samples_of
from multilayer.playground.inside import look_into
from multilayer.playground.model_files import with_shape_of
from multilayer.playground.pictures import Pictures
from multilayer.playground.recipes import recipes
from multilayer.playground.settings import Settings
from multilayer.playground.structure import structure_of
from multilayer.playground.training import Training

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text())
SETTINGS |= {"hidden": [8, 8], "activation": ["tanh", "tanh"], "learning_rate": 0.02, "seed": 3}
DATA = SETTINGS["data"]
DATA |= {"kind": "spirals", "n_samples": 200, "noise": 0.0, "seed": 1}
POINTS = [[0.1 * i, (-1) ** i * 0.5, i % 3] for i in range(-9, 9)]


def settings_of(data=(), **others):
    return Settings.of(SETTINGS | others | {"data": DATA | dict(data)})


def training_of(table=None, model=None, **settings):
    found = settings_of(**settings)
    return Training(found, samples_of(found.data, table), model)


def epoch(training):
    """Take steps to the end of the epoch; return whether there were any."""
    while training.step():
        if not training.loop.run.is_under_way:
            return True
    return False


def test_a_spiral_is_learned():
    training = training_of()
    for _ in range(200):
        epoch(training)
    own, held_out = training.scores
    assert own > 0.95
    assert held_out > 0.9
    samples = training.samples
    predicted = training.to_model().predict(samples.X[samples.held_out])
    assert held_out == pytest.approx(accuracy_score(samples.y[samples.held_out], predicted))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"data": {"kind": "blobs"}, "l1": 1e-3, "l2": 1e-2, "optimizer": "sgd"},
        {"data": {"kind": "blobs"}, "loss": "squared_error"},
        {"data": {"kind": "xor"}, "loss": "squared_error", "dropout": 0.2, "batch_size": 7},
        {"data": {"kind": "curve", "validation": 0}, "normalization": "batch"},
        {"data": {"kind": "plane"}, "loss": "huber", "hidden": [], "activation": []},
        {"data": {"kind": "points", "points": POINTS}},
        {"data": {"kind": "formula", "formula": "x² + y² < 1 and x > 0"}},
        {"data": {"kind": "formula", "formula": "1000*abs(sin(3x))", "noise": 0.1}},
        {"data": {"kind": "iris"}},
        {"data": {"kind": "iris", "target": "petal width (cm)"}, "loss": "absolute_error"},
        {"data": {"kind": "digits"}, "batch_size": 100},
        {"schedule": "cosine", "epochs": 3},
        {"schedule": "exponential"},
        {"patience": 2, "epochs": 3},
        {"data": {"features": ["x1^2", "x1x2", "sin_x2"], "kind": "xor"}},
        {"data": {"kind": "points", "points": POINTS, "features": ["x2", "x2^2", "x1x2"]}},
    ],
)
def test_the_program_trains_the_same_bits(settings, tmp_path, monkeypatch):
    training = training_of(**settings)
    for _ in range(4 if "epochs" in settings else 3):  # to the very end, if there is one
        epoch(training)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples.csv").write_text(training.samples.to_csv())
    found = {}
    exec(recipes(training)["python"], found)
    assert np.array_equal(found["net"].parameters, training.net.parameters)
    assert found["history"]["train_loss"] == training.history["train_loss"]


def test_the_estimator_and_the_command_say_the_settings():
    said = recipes(training_of(l2=0.01))
    assert said["estimator"] == (
        'MLPClassifier(hidden_layer_sizes=(8, 8), activation="tanh", '
        "solver=Adam(learning_rate=0.02), batch_size=16, alpha=0.16, max_iter=1, random_state=3)"
    )
    assert said["command"].startswith("mlp train samples.csv --target class --model mlp")
    said = recipes(training_of(schedule="one_cycle", epochs=50))
    assert 'learning_rate="one_cycle", max_iter=50' in said["estimator"]
    assert "--schedule one_cycle --epochs 50" in said["command"]


def test_steps_end_in_the_epoch_that_epochs_do():
    steps, epochs = training_of(), training_of()
    epoch(epochs)
    for _ in range(epochs.loop.run.n_steps):
        assert steps.step()
    assert not steps.loop.run.is_under_way
    assert np.array_equal(steps.net.parameters, epochs.net.parameters)


def test_a_rate_changed_in_the_middle_of_an_epoch_leaves_the_rest_as_it_is():
    changed, plain = training_of(dropout=0.1), training_of(dropout=0.1)
    for training in (changed, plain):
        epoch(training)
        training.step()
    changed.change(changed.settings)  # to the same: then nothing may differ
    for training in (changed, plain):
        epoch(training)
    assert np.array_equal(changed.net.parameters, plain.net.parameters)
    changed.change(settings_of(dropout=0.1, learning_rate=1e-6))
    before = changed.net.parameters.copy()
    changed.step()
    assert np.abs(changed.net.parameters - before).max() < 1e-5  # Adam moves by about the rate


def test_a_training_ends_and_goes_on_when_its_end_is_moved():
    training = training_of(epochs=2)
    assert epoch(training)
    assert epoch(training)
    assert not epoch(training)
    training.change(settings_of(epochs=3))
    assert epoch(training)
    assert not training.step()
    training.change(settings_of(epochs=1))  # which is over
    assert not training.step()


def test_a_refused_change_leaves_a_training_under_way_as_it_is():
    changed, plain = (training_of(schedule="cosine", epochs=5) for _ in range(2))
    for training in (changed, plain):
        training.step()
    with pytest.raises(InvalidArgumentError, match="epochs must be a number"):
        changed.change(settings_of(schedule="cosine", epochs=None))
    for training in (changed, plain):
        epoch(training)
    assert changed.settings == plain.settings
    assert np.array_equal(changed.net.parameters, plain.net.parameters)


def test_a_training_without_gain_ends_with_its_best_weights():
    # Noise alone: the validation loss rises soon.
    told = {"data": {"kind": "xor", "noise": 2.0, "n_samples": 60}, "hidden": [30, 30]}
    training = training_of(**told, patience=4)
    deque(iter(partial(epoch, training), False))
    history, losses = training.history, training.history["validation_loss"]
    assert training.stopped_by == "early_stopping"
    assert history.n_epochs == np.argmin(losses) + 1 + 4
    samples = training.samples
    loss, _ = training.net.loss_and_gradients(
        samples.X[samples.held_out], training.targets[samples.held_out], loss=training.loss,
        training=False,
    )  # fmt: skip
    assert loss == pytest.approx(min(losses), rel=1e-4)
    assert training.is_repeatable
    training.change(settings_of(**told, patience=4, epochs=1000))
    assert not training.is_repeatable  # without that end, it would not be at its best weights
    training.change(settings_of(**told, patience=5))
    assert epoch(training)
    assert "early_stopping" in recipes(training)["estimator"]


@pytest.mark.parametrize("validation", [0.2, 0.0])
def test_a_weight_that_is_edited_at_the_end_stays(validation):
    training = training_of(data={"validation": validation}, epochs=2, patience=5)
    deque(iter(partial(epoch, training), False))
    training.edit(1, 0, 0, 3.0)
    assert not training.step()
    assert training.net.weights[0][0][0, 0] == 3.0


def test_what_a_recipe_leaves_out_is_said():
    told = {"l1": 0.1, "loss": "squared_error", "patience": 7}
    said = recipes(training_of(**told))
    assert said["estimator"].endswith("\n# without the L1 penalty, the loss squared_error")
    assert said["command"].endswith(
        "\n# without the L1 penalty, the loss squared_error, early stopping after 7 epochs"
    )
    said = recipes(training_of(loss="cross_entropy"))
    assert "# without" not in said["estimator"] + said["command"]
    curve = recipes(training_of(data={"kind": "curve"}, loss="huber", l2=0.1))
    assert "# without" not in curve["estimator"]
    assert curve["command"].endswith("# without the loss huber")


def test_features_are_computed_from_the_points():
    training = training_of(data={"kind": "xor", "features": ["x1x2"], "noise": 0.0},
                           hidden=[], activation=[])  # fmt: skip
    samples = training.samples
    assert samples.X.shape == (200, 1)
    X, _ = SETS["xor"](200, noise=0.0, rng=np.random.default_rng(1))
    np.testing.assert_allclose(samples.X[:, 0], X[:, 0] * X[:, 1], rtol=1e-6)
    for _ in range(60):
        epoch(training)
    assert training.scores[1] > 0.95  # with this input, one unit can do xor
    low, high = samples.view.low, samples.view.high
    places = low + samples.places * (high - low)
    np.testing.assert_allclose(places, X, atol=1e-5)
    picture = Pictures(samples, 2).of(training.net)["output"][1].astype(float)
    np.testing.assert_allclose(picture, picture[::-1, ::-1], atol=1)  # x₁x₂ = (−x₁)(−x₂)
    values, arrays = structure_of(training)
    assert values["inputs"] == ["x₁x₂"]
    assert arrays["inputs"].shape == (1, 24, 24)
    with pytest.raises(InvalidArgumentError, match="are only for points of the plane"):
        training_of(data={"kind": "iris", "features": ["x1x2"]})
    with pytest.raises(InvalidArgumentError, match="are only for points of the plane"):
        training_of(data={"kind": "curve", "features": ["x1x2"]})


def test_a_schedule_acts_at_once():
    training = training_of(epochs=2, schedule="cosine")
    epoch(training)
    training.step()
    n_steps = training.loop.run.n_steps
    share = (1 + 0 / n_steps) / 2  # the first step of the second epoch
    halfway = 0.02 * 0.5 * (1 + np.cos(np.pi * share))
    assert training.loop.run.learning_rate == pytest.approx(halfway)
    training.change(settings_of())
    training.step()
    assert training.loop.run.learning_rate == 0.02
    with pytest.raises(InvalidArgumentError, match="the schedule 'cosine' depends on it"):
        training_of(schedule="cosine")


def test_a_penalty_acts_at_once():
    training = training_of()
    epoch(training)
    training.change(settings_of(l2=10.0))
    loss = training.loop.run.loss
    training.step()
    norm = sum(float((W**2).sum()) for W, _ in training.net.weights)
    assert training.loop.run.loss - loss > norm  # the penalty is 5 ‖W‖², of weights yet larger


def test_divergence_goes_back_to_good_weights_and_can_be_left():
    training = training_of(data={"kind": "plane"}, activation=["relu", "relu"], optimizer="sgd")
    for _ in range(3):
        epoch(training)
    best = training.history["validation_loss"][training.history.best_epoch - 1]
    training.change(settings_of(data={"kind": "plane"}, activation=["relu", "relu"],
                                optimizer="sgd", learning_rate=100.0))  # fmt: skip
    with pytest.raises(DivergenceError, match="Try a smaller learning rate"):
        deque(iter(partial(epoch, training), False))
    samples = training.samples
    residual = training.net(samples.X[samples.held_out])[:, 0] - samples.y[samples.held_out]
    # a mean in float32 of 40 terms
    assert 0.5 * (residual**2).mean() == pytest.approx(best, rel=1e-4)
    training.change(settings_of(data={"kind": "plane"}, activation=["relu", "relu"],
                                optimizer="sgd", learning_rate=0.01))  # fmt: skip
    epoch(training)
    assert np.isfinite(training.net.parameters).all()
    assert np.isfinite(training.history["train_loss"][-1])


def test_a_curve_has_a_bounded_number_of_points(monkeypatch):
    monkeypatch.setattr("multilayer.playground.training.POINTS", 4)
    training = training_of(data={"n_samples": 20}, hidden=[2], activation=["relu"])
    for _ in range(33):
        epoch(training)
    assert len(training.curve) < 8
    assert [point[0] for point in training.curve] == [8.0, 16.0, 24.0, 32.0]


@pytest.mark.parametrize("kind", SETS)
def test_pictures_of_all_data_sets(kind):
    training = training_of(data={"kind": kind, "noise": 0.1})
    arrays = Pictures(training.samples, training.net.n_parameters).of(training.net)
    side = (96, 96)
    expected = {"blobs": (3, *side), "plane": (1, *side), "curve": (1, 240)}.get(kind, (2, *side))
    assert arrays["output"].shape == expected
    assert arrays["W 2"].shape == (8, 8)
    if kind == "xor":  # the top left corner of the picture is at the top left of the plane
        view = training.samples.view
        corner = [[view.low[0] * (1 - 1 / 96), view.high[1] * (1 - 1 / 96)]]
        p = float(training.net(corner)[0, 0])
        assert arrays["output"][1, 0, 0] == pytest.approx(255 * p, abs=0.51)  # rounded to a byte


def test_large_networks_have_coarser_pictures():
    training = training_of(hidden=[300, 300], activation=["relu", "relu"])
    pictures = Pictures(training.samples, training.net.n_parameters)
    assert pictures.of(training.net)["output"].shape == (2, 24, 24)


def test_dead_units_are_seen():
    training = training_of(activation=["relu", "relu"])
    training.net.weights[0][1][:3] = -1e6
    arrays = Pictures(training.samples, training.net.n_parameters).of(training.net)
    assert arrays["state 1"].tolist()[:3] == [1, 1, 1]


def test_a_unit_has_the_gradients_of_central_differences():
    training = training_of(hidden=[3, 4], activation=["tanh", "sigmoid"], normalization="layer")
    found = look_into(training, 2, 1, 0)
    rows = training.samples.rows
    X, y = training.samples.X[rows], training.targets[rows]
    twin = training.net.copy("float64")
    losses = []
    for sign in (1, -1):
        twin.weights[2][0][1, 0] += sign * 1e-5
        losses.append(twin.loss_and_gradients(X, y, loss=training.loss, training=False)[0])
        twin.weights[2][0][1, 0] -= sign * 1e-5
    # the difference is exact to 1e-9; the gradient was computed in float32
    assert found["weight_gradients"][0] == pytest.approx((losses[0] - losses[1]) / 2e-5, abs=1e-6)
    assert found["weights"][0] == training.net.weights[2][0][1, 0]
    assert look_into(training, 9, 0, 0) is None
    assert look_into(training, 1, 3, 0) is None


def test_a_weight_is_edited_and_everything_else_goes_on():
    edited, plain = training_of(normalization="batch"), training_of(normalization="batch")
    for training in (edited, plain):
        epoch(training)
        training.step()
    edited.edit(2, 3, 1, float(edited.net.weights[2][0][3, 1]))  # to what it is
    for training in (edited, plain):
        epoch(training)
    assert np.array_equal(edited.net.parameters, plain.net.parameters)
    assert (edited.is_repeatable, plain.is_repeatable) == (False, True)
    assert recipes(edited)["python"].startswith("# Starts again")
    edited.edit(3, 0, None, 0.25)
    assert edited.net.weights[-1][1].tolist() == [0.25]
    before = edited.net.parameters.copy()
    edited.step()  # with Adam's memory of before: no weight moves by more than a few rates
    assert 0 < np.abs(edited.net.parameters - before).max() < 0.1


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((4, 0, 0), "layer must be at most 3; got 4"),
        ((1, 8, 0), "unit must be less than 8; got 8"),
        ((1, 0, 2), "input must be less than 2; got 2"),
    ],
)
def test_a_weight_that_is_not_there_cannot_be_edited(place, message):
    training = training_of()
    before = training.net.parameters.copy()
    with pytest.raises(InvalidArgumentError) as caught:
        training.edit(*place, 1.0)
    assert str(caught.value) == message
    assert np.array_equal(training.net.parameters, before)
    assert training.is_repeatable


def test_best_weights_are_those_to_which_the_loss_belongs():
    # Without validation samples an epoch is judged by the loss at its beginning.
    training = training_of(data={"validation": 0}, optimizer="sgd", learning_rate=1e-6)
    epoch(training)
    training.step()
    training.edit(3, 0, None, 5.0)  # worse: the loss grows by about 2
    assert training.loop.run.step == 0
    good = training.net.parameters.copy()
    good[-1] = 0
    for _ in range(2):
        epoch(training)
    losses = training.history["train_loss"]
    assert losses[1] > losses[0] + 1
    run = training.loop.run
    run.restore_best(run.members)
    assert training.net.parameters == pytest.approx(good, abs=1e-4)  # steps of 1e-6 times slopes


def test_back_to_the_start_is_what_the_settings_say():
    training = training_of()
    assert training.is_repeatable
    training.change(settings_of(l2=0.1))  # before the first step
    assert training.is_repeatable
    training.step()
    training.change(settings_of(l2=0.1, epochs=7))
    assert training.is_repeatable
    training.change(settings_of(l2=0.2, epochs=7))
    assert not training.is_repeatable
    assert Training(training.settings, training.samples).is_repeatable


def test_a_model_file_goes_on_where_it_was(tmp_path):
    training = training_of()
    epoch(training)
    save_model(tmp_path / "m", training.to_model())
    model = load_model(tmp_path / "m")
    settings = Settings.of(model.information["playground"])
    again = Training(settings, samples_of(settings.data, None), model)
    assert settings == training.settings
    assert np.array_equal(again.net.parameters, training.net.parameters)
    with pytest.raises(InvalidDataError, match="does not fit these samples and settings"):
        training_of(hidden=[4], activation=["relu"], model=model)


def test_a_model_that_the_page_could_not_describe_is_refused():
    net = MLP(Architecture(2, (3,) * 13, 1, output="sigmoid"), rng=np.random.default_rng(0))
    model = Model(net, Classes(np.arange(2)), Numbers(2))
    with pytest.raises(InvalidTypeError, match="hidden of Settings must be a list of 0 to 12"):
        with_shape_of(model, settings_of())


def test_a_model_with_noise_is_refused():
    architecture = Architecture(2, (3,), 1, output="sigmoid", noise=(0, 0.1))
    model = Model(MLP(architecture), Classes(np.arange(2)), Numbers(2))
    with pytest.raises(
        InvalidArgumentError, match="the model was trained with noise, which the playground"
    ):
        with_shape_of(model, settings_of())


CSV = "height;weight;colour;kind\n" + "".join(
    f"{i % 7},5;{i * 0.1:.1f};{'red' if i % 2 else 'blue'};{'cat' if i % 3 else 'dog'}\n"
    for i in range(60)
).replace(".", ",")


def test_a_table_is_trained_on_all_its_columns():
    table, _ = read_csv(CSV.encode())
    training = training_of(table, data={"kind": "table"})
    samples = training.samples
    assert samples.inputs.input_names == ("height", "weight", "colour = blue", "colour = red")
    assert samples.target == "kind"
    assert samples.targets.classes.tolist() == ["cat", "dog"]
    assert samples.view.names == ("first principal component", "second principal component")
    epoch(training)
    # The model takes the raw table.
    rows = table.select(["height", "weight", "colour"])
    assert set(training.to_model().predict(rows)) <= {"cat", "dog"}
    shown = training_of(
        table, data={"kind": "table", "target": "weight", "shown": ["height", "kind = cat"]}
    )
    assert shown.samples.targets.task == "regression"
    assert shown.samples.view.names == ("height", "kind = cat")
    arrays = Pictures(shown.samples, shown.net.n_parameters).of(shown.net)
    assert arrays["output"].shape == (1, 96, 96)


def test_principal_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5)) * [3, 2, 1, 0.5, 0.1]
    table = read_table({**{f"c{i}": X[:, i] for i in range(5)}, "y": X[:, 0] + 0.001 * X[:, 1]})
    samples = samples_of(settings_of(data={"kind": "table"}).data, table)
    axes = PCA(2).fit(samples.X).components_
    # up to sign, in float32
    assert np.abs(np.sum(axes * samples.view.basis, axis=1)) == pytest.approx([1, 1], abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"hidden": [1000, 1000], "activation": ["relu", "relu"]},
            "the network must have at most 1,000,000 parameters; it would have 1,005,001",
        ),
        (
            {"loss": "huber"},
            "loss must be one of cross_entropy, squared_error for classes; got 'huber'",
        ),
        (
            {"data": {"kind": "points", "points": POINTS[::3]}},
            "draw points of at least two classes: there is nothing to tell apart",
        ),
        ({"data": {"kind": "table"}}, "there is no table yet: paste one, or drop a file"),
        (
            {"normalization": "batch", "batch_size": 1},
            "batch_size must be at least 2, and so must be the samples, for batch normalisation; "
            "got 1",
        ),
    ],
)
def test_what_cannot_be_trained_is_said(settings, message):
    with pytest.raises(InvalidArgumentError) as caught:
        training_of(**settings)
    assert str(caught.value) == message


def test_a_table_is_saved_as_its_network_takes_it():
    table, _ = read_csv(b'size,colour,kind\n1,red,"a, b"\n2,blue,c\n3,red,"a, b"\n4,blue,c\n')
    samples = training_of(table, data={"kind": "table"}).samples
    head, *rows = csv.reader(samples.to_csv().splitlines())
    assert head == ["size", "colour = blue", "colour = red", "kind"]
    assert np.array(rows)[:, :3].astype(float) == pytest.approx(samples.X)
    assert [row[3] for row in rows] == ["a, b", "c", "a, b", "c"]


def test_a_broken_table_is_named_as_the_page_knows_it():
    with pytest.raises(InvalidDataError, match="the table has a header but no rows"):
        read_csv(b"a,b\n")
