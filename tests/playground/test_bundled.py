"""Iris, digits and formulas as the samples of a session; and drawn digits."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import center_of_mass
from scipy.stats import rankdata
from sklearn.datasets import load_digits, load_iris
from sklearn.neighbors import KNeighborsClassifier

from multilayer.errors import InvalidArgumentError
from multilayer.playground.bundled import digits, like_a_digit
from multilayer.playground.data_sets import samples_of
from multilayer.playground.pictures import Pictures
from multilayer.playground.settings import Settings
from multilayer.playground.structure import bundled_thumbnails, greeting, structure_of
from multilayer.playground.training import Training

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text())


def training_of(data, **others):
    found = Settings.of(SETTINGS | others | {"data": SETTINGS["data"] | data})
    return Training(found, samples_of(found.data, None))


def test_iris_is_scikit_learns():
    samples = training_of({"kind": "iris"}).samples
    own = load_iris()
    assert samples.columns == (*own.feature_names, "species")
    assert np.array_equal(samples.y, own.target_names[own.target])
    assert np.array_equal(samples.codes, own.target)
    for ours, theirs in zip(
        samples.X.T, own.data.T, strict=True
    ):  # scaled, as a table's columns are
        assert np.array_equal(rankdata(ours), rankdata(theirs))
    assert samples.view.names == ("first principal component", "second principal component")
    shown = ["petal length (cm)", "sepal width (cm)"]
    samples = training_of({"kind": "iris", "shown": shown, "target": "petal width (cm)"}).samples
    assert samples.view.names == tuple(shown)
    assert np.array_equal(samples.y, own.data[:, 3])


def test_digits_are_scikit_learns():
    training = training_of({"kind": "digits"})
    own = load_digits()
    assert np.array_equal(training.samples.X, own.data / 16)
    assert np.array_equal(training.samples.y, own.target)
    values, arrays = structure_of(training)
    assert values["widths"] == [64, 4, 10]
    assert values["inputs"][9] == "row 2, column 2"
    held_out = training.samples.held_out
    assert np.array_equal(arrays["examples"] * 16, own.images[held_out[:100]])


def test_the_first_layer_is_pictured_by_its_weights():
    training = training_of({"kind": "digits"}, hidden=[12, 4], activation=["relu", "tanh"])
    found = Pictures(training.samples, training.net.n_parameters).of(training.net)
    W = training.net.weights[0][0][:10]
    assert found["units 1"].shape == (10, 8, 8)
    assert found["units 2"].shape[1] > 8
    expected = W.reshape(10, 8, 8) / np.abs(W).max()
    assert found["units 1"] / 127.5 - 1 == pytest.approx(expected, abs=1 / 255 + 1e-6)
    training = training_of({"kind": "digits"}, hidden=[], activation=[])
    found = Pictures(training.samples, training.net.n_parameters).of(training.net)
    assert found["units 1"].shape == (10, 8, 8)


def test_a_drawn_digit_is_moved_to_the_middle_and_to_full_height():
    drawn = np.zeros((8, 8))
    drawn[1:5, 0:2] = 0.5
    made = like_a_digit(drawn)
    assert made.max() == 1
    assert (made[[0, -1]].max(axis=1) > 0.4).all()
    assert center_of_mass(made) == pytest.approx((3.5, 3.5), abs=1e-9)
    assert like_a_digit(made).round(1).tolist() == made.round(1).tolist()
    wide = np.zeros((8, 8))
    wide[3:5] = 1
    assert like_a_digit(wide)[:, [0, -1]].max() <= 0.5  # seven columns: a half of each outer one
    assert not like_a_digit(np.zeros((8, 8))).any()


def test_the_digits_themselves_stay_nearly_as_they_are():
    X, y = digits()
    made = np.array([like_a_digit(x.reshape(8, 8)).ravel() for x in X])
    # A classifier that knows the odd ones takes the even ones, so made, for what they are.
    neighbours = KNeighborsClassifier(3).fit(X[1::2], y[1::2])
    plain = neighbours.score(X[::2], y[::2])
    assert neighbours.score(made[::2], y[::2]) > plain - 0.02


def test_an_image_is_read_as_the_model_reads_it():
    training = training_of({"kind": "digits"}, hidden=[16], batch_size=50)
    for _ in range(20):
        while training.step() and training.loop.run.is_under_way:
            pass
    pictures = Pictures(training.samples, training.net.n_parameters)
    image = training.samples.X[3]
    shares, given = pictures.read(training.net, image)
    expected = like_a_digit(image.reshape(8, 8))
    assert given / 255 == pytest.approx(expected, abs=0.5 / 255 + 1e-6)
    model = training.to_model()
    assert shares == pytest.approx(model.predict_proba(expected.reshape(1, 64))[0], abs=1e-5)
    assert shares.argmax() == training.samples.y[3] == 3


def test_values_of_a_formula_are_learned_on_their_own_scale():
    training = training_of({"kind": "formula", "formula": "1000 + 500*x*y", "noise": 0.0})
    samples = training.samples
    assert samples.encoded.mean() == pytest.approx(0, abs=1e-9)
    assert samples.encoded.std() == pytest.approx(1)
    assert samples.targets.decode(samples.encoded) == pytest.approx(samples.y)
    assert samples.y == pytest.approx(1000 + 500 * samples.X.prod(axis=1), rel=1e-5)  # float32
    assert (samples.view.names, samples.target) == (("x", "y"), "z")


def test_a_formula_is_refused_by_its_own_name():
    with pytest.raises(InvalidArgumentError) as caught:
        training_of({"kind": "formula", "formula": "sen(x)"})
    assert caught.value.parameter == "formula"


def test_each_kind_has_a_thumbnail():
    values, arrays = greeting()
    arrays |= bundled_thumbnails()
    pictured = {name.removeprefix("thumbnail ") for name in arrays}
    assert {*values["kinds"]} - pictured == {"points", "table"}
    assert np.array_equal(arrays["thumbnail digits"] * 16, load_digits().images[13])
    for formula in values["formulas"]:
        training_of({"kind": "formula", "formula": formula})
