"""Tables too large for memory: all rows train, a sample judges, and nothing is left behind.

Limits are lowered so that small files count as large.
"""

import os
import pickle
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.utils import compute_class_weight

from multilayer import TabularClassifier, TabularRegressor
from multilayer.data import (
    Stream,
    TableWarning,
    large,
    read_blocks,
    read_file,
    read_table,
    stream,
    streamed,
    tally,
)
from multilayer.data.stream import StreamWriter
from multilayer.doctor import FindingWarning
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.estimators import recipe, streaming, tabular_base
from multilayer.files import load_model
from multilayer.model import Columns

N, N_SAMPLE, K = 1500, 600, 3
LAST, BEFORE = 1496, 1495
"""Rows of the last file that are not in the sample."""


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Files are large, a training is short, and temporary folders are where a test can look."""
    monkeypatch.setattr(large, "IN_MEMORY", 0)
    monkeypatch.setattr(large, "N_ENTRIES", 1)
    monkeypatch.setattr(large, "LEAST_ROWS", N_SAMPLE)
    monkeypatch.setattr(stream, "BLOCK_BYTES", 2**11)
    monkeypatch.setattr(streamed, "PART_BYTES", 2**14)
    monkeypatch.setattr(recipe, "N_EPOCHS", 2)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


@pytest.fixture
def temporary(tmp_path):
    """The folder of temporary folders."""
    return tmp_path / "temporary"


def frame(n=N, seed=0):
    rng = np.random.default_rng(seed)
    number, job = rng.normal(size=n), rng.choice(["cook", "smith", "baker"], n)
    value = np.sin(2 * number) + (job == "cook") + rng.normal(0, 0.2, n)
    return pd.DataFrame(
        {
            "number": number,
            "job": job,
            "group": rng.integers(0, 40, n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 800, n), "D"),
            "weight": rng.uniform(0.5, 2, n).round(3),
            "class": np.where(value > 0.3, "high", "low"),
            "value": value,
        }
    )


FRAME = frame()
CLASSES = FRAME.drop(columns="value")
VALUES = FRAME.drop(columns="class")


@pytest.fixture
def write(tmp_path):
    """Write a frame to three files; return a pattern that names them."""

    def write(of, form="parquet", folder="data", **how):
        (tmp_path / folder).mkdir(exist_ok=True)
        for i, rows in enumerate(np.array_split(np.arange(len(of)), 3)):
            part, path = of.iloc[rows], tmp_path / folder / f"{i}.{form}"
            (part.to_parquet if form == "parquet" else part.to_csv)(path, index=False, **how)
        return str(tmp_path / folder / f"*.{form}")

    return write


class Trainings:
    """What the networks of each fit were trained on, as rows of the frame without missing targets.

    A row of the sample is known by its inputs, of which no two are the same.
    """

    def __init__(self, monkeypatch):
        self.streams, self.trains_on, self.judging, self.training = [], [], [], []
        own = tabular_base.run

        def run(engine, architecture, loss, data, splits, callbacks, rng, beyond):
            stream, trains_on = beyond
            rows = stream.read([(0, stream.n_samples)])
            place = {each.tobytes(): i for i, each in enumerate(rows.X)}
            assert len(place) == len(rows.X)
            self.streams.append(rows)
            self.trains_on.append(trains_on)
            each = [
                [np.array([place[each.tobytes()] for each in data[0][own]]) for own in split]
                for split in splits
            ]
            self.training.append([training for training, _ in each])
            self.judging.append([judging for _, judging in each])
            return own(engine, architecture, loss, data, splits, callbacks, rng, beyond)

        monkeypatch.setattr(tabular_base, "run", run)

    def check(self, n_members=K):
        """Check that no row trains what it judges; return the rows, and who trains on which."""
        (rows,), (trains_on,), (judging,) = self.streams, self.trains_on, self.judging
        assert trains_on.shape[0] == len(judging) == n_members
        trains = trains_on[:, rows.slots]  # of shape (K, n)
        for own, judged in zip(trains, judging, strict=True):
            assert len(judged)
            assert own.any()
            assert not own[judged].any()
        together = np.concatenate(judging)
        assert len(np.unique(together)) == len(together)
        for own, training in zip(trains, self.training[0], strict=True):
            assert own[training].all()  # the sample's rows are among all
        return rows, trains


@pytest.fixture
def trainings(monkeypatch):
    return Trainings(monkeypatch)


def classifier(**how):
    return TabularClassifier(**{"n_members": K, "random_state": 0, **how})


def regressor(**how):
    return TabularRegressor(**{"n_members": K, "random_state": 0, **how})


# All rows, as in memory --------------------------------------------------------------------


@pytest.mark.parametrize("target", ["class", "value"])
def test_it_predicts_as_well_as_what_is_trained_in_memory(write, monkeypatch, target):
    """New rows are predicted alike, and better than by what has seen the sample alone."""
    monkeypatch.setattr(recipe, "N_EPOCHS", 12)
    monkeypatch.setattr(large, "LEAST_ROWS", 200)
    new, make = frame(4000, seed=1), classifier if target == "class" else regressor
    losses = {"large": [], "whole": [], "sample": []}
    for seed in range(3):
        own = frame(seed=10 + seed)[["number", "job", target]]
        files = write(own, folder=f"data{seed}")
        trained_on = {"large": files, "whole": own, "sample": large.open_table(files).sample}
        for name, X in trained_on.items():
            model = make(random_state=seed).fit(X, target=target)
            if target == "class":
                loss = log_loss(new["class"], model.predict_proba(new[["number", "job"]]))
            else:
                loss = mean_squared_error(new["value"], model.predict(new[["number", "job"]]))
            losses[name].append(loss)
    means = {name: np.mean(own) for name, own in losses.items()}
    assert means["large"] < 0.9 * means["sample"]
    assert means["large"] < 1.15 * means["whole"]  # seeds differ by some 5 %


def test_the_stream_holds_what_the_whole_table_would_be_encoded_to(write, trainings):
    model = classifier().fit(write(CLASSES), target="class")
    rows, _ = trainings.check()
    X = CLASSES.drop(columns="class")
    assert np.array_equal(rows.X, model.columns_.encode(X)[:])
    assert np.array_equal(
        rows.y[:, None] if rows.y.ndim == 1 else rows.y, (CLASSES[["class"]] == "low").to_numpy()
    )
    assert rows.weight is None


def test_columns_are_those_of_the_whole_table(write, monkeypatch):
    """Quantiles are the sample's; kinds, categories and missing values are those of all rows."""
    own = CLASSES.copy()
    own["job"] = own["job"].astype(object)
    own.loc[N - 40 :, "job"] = "baron"  # only in the last file
    own.loc[LAST, "number"] = np.nan  # and perhaps not in the sample
    own["constant"], own["id"] = 1, np.arange(N)
    own["empty"] = None
    files = write(own)
    assert LAST not in sample_rows(files)
    with pytest.warns(TableWarning, match="constant.*one value.*id.*identifiers.*empty|ignored"):
        found = classifier().fit(files, target="class").columns_
    with pytest.warns(TableWarning, match="ignored"):
        whole = Columns.of(own.drop(columns="class"), embedded=True)
    assert found.names == whole.names
    assert found.needed == whole.needed
    for one, other in zip(found.columns, whole.columns, strict=True):
        assert type(one) is type(other)
        assert one.input_names == other.input_names
        assert getattr(one, "categories", None) == getattr(other, "categories", None)
        if hasattr(one, "median") and one.name == "number":
            assert one.has_missing
            assert one.median == pytest.approx(other.median, abs=0.15)  # 3/√600, of deviation 1


def sample_rows(files):
    """Return the numbers of the rows in the sample."""
    table = large.open_table(files)
    return table.places // 2**40 * (N // 3) + table.places % 2**40


@pytest.mark.parametrize(
    ("convert", "rare", "classes"),
    [
        (lambda c: c, "middle", ["high", "low", "middle"]),
        (lambda c: (c == "low").astype(int), 7, [0, 1, 7]),
        (lambda c: (c == "low").astype(float), 7.0, [0, 1, 7]),
    ],
    ids=["text", "whole", "float"],
)
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_class_in_the_last_file_alone(write, trainings, convert, rare, classes, form):
    own = CLASSES.assign(**{"class": convert(CLASSES["class"])})
    own.loc[LAST, "class"] = rare
    files = write(own, form)
    assert LAST not in sample_rows(files)
    model = classifier().fit(files, target="class")
    assert model.classes_.tolist() == classes
    assert model.predict_proba(own.drop(columns="class")).shape == (N, 3)
    rows, _ = trainings.check()
    assert rows.y[LAST] == 2
    assert (rows.y == np.searchsorted(classes, own["class"].to_numpy())).all()


@pytest.mark.filterwarnings("ignore::multilayer.doctor.FindingWarning")
@pytest.mark.parametrize("in_sample", [0, 1])
def test_nothing_false_is_found_of_a_class_that_is_rare_in_the_sample(write, trainings, in_sample):
    """The sample has it at most once, so that its judge sees no other; all rows have it thrice."""
    rare = [LAST, BEFORE, sample_rows(write(CLASSES))[5]][: 2 + in_sample]
    own = CLASSES.assign(**{"class": "high"})
    own.loc[rare, "class"] = "low"
    model = classifier().fit(write(own), target="class")
    assert not {each.name for each in model.findings_} & {"constant_target", "unseen_class"}
    rows, _ = trainings.check()
    assert np.flatnonzero(rows.y).tolist() == sorted(rare)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_booleans_are_classes(write, form):
    own = CLASSES.assign(**{"class": CLASSES["class"] == "low"})
    model = classifier().fit(write(own, form), target="class")
    assert model.classes_.tolist() == ["False", "True"]


def test_a_regressors_limits_are_those_of_all_rows(write):
    own = VALUES.copy()
    own.loc[[LAST, BEFORE], "value"] = 40.0, -30.0
    files = write(own)
    assert not {LAST, BEFORE} & set(sample_rows(files).tolist())
    model = regressor().fit(files, target="value")
    np.testing.assert_array_equal(model.to_model().targets.limits, [[-30], [40]])


def test_values_that_are_written_as_text(write, trainings):
    own = VALUES.assign(value=[f"{v:.3f}".replace(".", ",") for v in VALUES["value"]])
    gone = [sample_rows(write(own, "csv", sep=";"))[0], LAST]
    own.loc[gone, "value"] = "NA"
    files = write(own, "csv", sep=";")
    with pytest.warns(TableWarning, match=r"has no 'value' in 1 of 600 rows of a sample, row 1 "):
        model = regressor().fit(files, target="value")
    rows, _ = trainings.check()
    expected = VALUES["value"].drop(gone).round(3).to_numpy()
    targets = model.to_model().targets
    np.testing.assert_allclose(targets.mean + targets.scale * rows.y[:, 0], expected, atol=1e-6)


# Who judges --------------------------------------------------------------------------------


def test_at_random(write, trainings):
    classifier(n_members=5).fit(write(CLASSES), target="class")
    rows, trains = trainings.check(5)
    assert (trains.sum(axis=0) == 4).all()
    assert np.concatenate(trainings.judging[0]).size == N_SAMPLE
    assert stats.chisquare(np.bincount(rows.slots)).pvalue > 1e-3
    assert stats.chisquare([len(own) for own in trainings.judging[0]]).pvalue > 1e-3


@pytest.mark.parametrize("kind", [int, float, str])
@pytest.mark.parametrize("are_many", [False, True])
def test_a_group_is_never_divided(write, trainings, monkeypatch, kind, are_many):
    """Nor is one that is too rare to have been counted."""
    if are_many:
        monkeypatch.setattr(tally, "MOST_TEXTS", 10)
    own = CLASSES.assign(group=CLASSES["group"].astype(kind))
    own.loc[N - 2 :, "group"] = kind(77)
    model = classifier().fit(write(own), target="class", groups="group")
    assert "group" not in model.feature_names_in_
    rows, _ = trainings.check()
    slots = pd.Series(rows.slots).groupby(own["group"].to_numpy()).nunique()
    assert len(slots) == 41
    assert (slots == 1).all()
    sizes = np.bincount(rows.slots)
    assert sizes.min() > (0.15 if are_many else 0.3) * N


def test_groups_of_which_some_are_hardly_there(write, trainings):
    """The sample has no row of the third group: a network for it could not be judged."""
    files = write(CLASSES)
    seen = set(sample_rows(files).tolist())
    rare = [i for i in range(N) if i not in seen][:2]
    own = CLASSES.assign(group=np.where(np.arange(N) % 2, "a", "b"))
    own.loc[rare, "group"] = "c"
    classifier(n_members=8).fit(write(own), target="class", groups="group")
    _, trains = trainings.check(2)
    assert trains[:, rare].all()


@pytest.mark.parametrize("times", ["many", "few", "skewed", "two"])
def test_later_rows_judge(write, trainings, times):
    """Also if few times differ, so that there are fewer networks."""
    rng = np.random.default_rng(3)
    days = {
        "many": rng.permutation(N),
        "few": np.arange(N) % 7,
        "skewed": rng.choice(7, N, p=[0.02, 0.02, 0.74, 0.04, 0.06, 0.09, 0.03]),
        "two": np.arange(N) % 2,
    }
    own = CLASSES.assign(day=days[times].astype(float))
    own.loc[[3, LAST], "day"] = np.nan
    classifier(n_members=5, time="day").fit(write(own), target="class")
    n_members = len(trainings.judging[0])
    assert n_members == {"many": 5, "few": 4, "skewed": 3, "two": 1}[times]
    _, trains = trainings.check(n_members)
    for own_rows, judged in zip(trains, trainings.judging[0], strict=True):
        assert np.nanmax(own["day"][own_rows]) < own["day"][judged].min()
        assert own_rows[[3, LAST]].all()
    assert trains[-1].sum() >= trains[0].sum() > 0


def test_rows_without_a_weight_neither_train_nor_judge(write, trainings):
    own = CLASSES.assign(weight=CLASSES["weight"].where(np.arange(N) % 3 > 0, 0))
    own.loc[CLASSES["day"] > "2025-06-01", "weight"] = 0  # the latest, which would judge
    model = classifier(time="day").fit(write(own), target="class", sample_weight="weight")
    assert "weight" not in model.feature_names_in_
    rows, _ = trainings.check()
    kept = own["weight"] > 0
    np.testing.assert_allclose(
        rows.weight / rows.weight[0], own["weight"][kept] / own["weight"][1], rtol=1e-5
    )
    assert np.array_equal(
        rows.X, model.columns_.encode(own[kept][list(model.feature_names_in_)])[:]
    )


def test_weights_with_a_decimal_comma(write, trainings):
    """A block of which all weights could be whole numbers with points is read like the others."""
    texts = CLASSES["weight"].where(np.arange(N) < 1000, 1.25)
    own = CLASSES.assign(weight=[f"{w:.3f}".replace(".", ",") for w in texts])
    classifier().fit(write(own, "csv", sep=";"), target="class", sample_weight="weight")
    rows, _ = trainings.check()
    np.testing.assert_allclose(rows.weight / rows.weight[0], texts / texts[0], rtol=1e-5)


@pytest.mark.parametrize("how", ["balanced", "dict"])
def test_class_weights(write, trainings, how):
    own = CLASSES.copy()
    own.loc[LAST, "class"] = "middle"  # which the sample lacks
    files = write(own)
    seen = own["class"][sample_rows(files)]
    weight = {"high": 1.0, "low": 0.25, "middle": 4.0}
    if how == "balanced":
        names = np.unique(seen)
        weight = dict(
            zip(names, compute_class_weight("balanced", classes=names, y=seen), strict=True)
        )
        weight["middle"] = max(weight.values())
    given = "balanced" if how == "balanced" else weight
    classifier(class_weight=given).fit(files, target="class", sample_weight="weight")
    rows, _ = trainings.check()
    expected = own["weight"] * own["class"].map(weight)
    np.testing.assert_allclose(rows.weight / rows.weight[0], expected / expected[0], rtol=1e-5)


def test_missing_targets(write, trainings):
    files = write(CLASSES)
    in_sample = sample_rows(files)
    own = CLASSES.astype({"class": object})
    gone = [in_sample[2], in_sample[7], LAST]
    own.loc[gone, "class"] = None
    files = write(own)
    with pytest.warns(TableWarning) as said:
        classifier().fit(files, target="class")
    folder = Path(files).parent
    assert str(said[0].message) == (
        f"{folder / '0.parquet'} and 2 more has no 'class' in 2 of 600 rows of a sample, the first "
        f"of them row {in_sample[2]} in {folder / '0.parquet'}; they are left out"
    )
    rows, _ = trainings.check()
    assert len(rows.y) == N - 3
    own.loc[in_sample[:7], "class"] = None
    with pytest.raises(
        InvalidDataError,
        match=r"has no 'class' in 8 of 600 rows of a sample, the first "
        r"of them row \d+ in .*0\.parquet: leave such rows out",
    ):
        classifier().fit(write(own), target="class")


def test_missing_targets_that_the_sample_lacks_are_told_too(write, trainings):
    own = CLASSES.astype({"class": object})
    own.loc[LAST, "class"] = None
    with pytest.warns(TableWarning, match=r"has no 'class' in 1 of 1,500 rows; they are left out"):
        classifier().fit(write(own), target="class")
    rows, _ = trainings.check()
    assert len(rows.y) == N - 1


# The cache ---------------------------------------------------------------------------------


@pytest.fixture
def written(monkeypatch):
    """The folders to which streams are written."""
    folders = []

    class Counted(StreamWriter):
        def __init__(self, folder):
            folders.append(folder)
            super().__init__(folder)

    monkeypatch.setattr(streaming, "StreamWriter", Counted)
    return folders


def test_rows_are_encoded_once(write, written, tmp_path, temporary):
    files, cache = write(CLASSES), tmp_path / "a" / "cache"

    def fit(n_written, of=files, **how):
        data = {"target": "class"} | {n: how.pop(n) for n in ("sample_weight",) if n in how}
        model = classifier(cache=cache, **how).fit(of, **data)
        assert len(written) == n_written
        assert sorted(os.listdir(cache)) == ["rows.npy", "stream.safetensors"]
        return model

    first = fit(1)
    again = fit(1)
    assert again.loss_curve_ == pytest.approx(first.loss_curve_, rel=1e-4)
    assert fit(1, random_state=5).loss_ != first.loss_
    fit(2, n_members=4)
    fit(3, columns={"job": "ignored"})
    fit(4)
    fit(5, time="day")
    fit(6, sample_weight="weight")
    fit(7, sample_weight="weight", class_weight="balanced")
    fit(8)
    fit(9, of=write(CLASSES[::-1]))  # other content
    regressor(cache=cache).fit(write(VALUES), target="value")
    assert len(written) == 10
    assert not os.listdir(temporary)


@pytest.mark.parametrize("damage", ["described", "cut", "gone", "other"])
def test_a_damaged_cache_is_made_anew(write, written, tmp_path, damage):
    files, cache = write(CLASSES), tmp_path / "cache"
    first = classifier(cache=cache).fit(files, target="class")
    path = cache / ("stream.safetensors" if damage == "described" else "rows.npy")
    if damage == "gone":
        path.unlink()
    elif damage == "other":
        Stream.write(cache, [(np.eye(2), np.zeros(2))])
    else:
        found = path.read_bytes()
        path.write_bytes(found[:-20] if damage == "cut" else found[:-4] + b"1234")
    again = classifier(cache=cache).fit(files, target="class")
    assert len(written) == 2
    assert again.loss_ == pytest.approx(first.loss_, rel=1e-4)


def test_what_is_not_in_files_is_encoded_each_time(written, tmp_path):
    """Nobody can tell whether frames have changed: here, the order of rows that are not seen."""
    blocks = read_blocks([CLASSES[:800], CLASSES[800:]])
    for n in (1, 2):
        classifier(cache=tmp_path).fit(blocks, target="class")
        assert len(written) == n


def test_a_cache_that_another_fit_writes_is_not_trained_on(write, monkeypatch, tmp_path):
    cache, own = tmp_path / "cache", tabular_base.run
    one, other = write(CLASSES), write(CLASSES[::-1], folder="other")

    def run(*arguments):
        monkeypatch.setattr(tabular_base, "run", own)
        classifier(cache=cache).fit(other, target="class")
        return own(*arguments)

    monkeypatch.setattr(tabular_base, "run", run)
    with pytest.raises(InvalidDataError, match="has changed since it was opened"):
        classifier(cache=cache).fit(one, target="class")


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("where", ["encoding", "training"])
@pytest.mark.parametrize("has_cache", [False, True])
def test_nothing_is_left_after_an_error(
    write, monkeypatch, tmp_path, temporary, error, where, has_cache
):
    files, cache = write(CLASSES), tmp_path / "cache"
    n = 0

    def fails(*_):
        nonlocal n
        n += 1
        if n == 2:
            raise error
        return own(*_)

    if where == "encoding":
        own = Columns.encode
        monkeypatch.setattr(Columns, "encode", fails)
    else:
        own = Stream.read
        monkeypatch.setattr(Stream, "read", fails)
    model = classifier(cache=cache if has_cache else None)
    with pytest.raises(error):
        model.fit(files, target="class")
    assert n >= 2
    assert not os.listdir(temporary)
    kept = ["rows.npy", "stream.safetensors"] if where == "training" else []
    assert not has_cache or sorted(os.listdir(cache)) == kept
    assert not hasattr(model, "classes_")
    assert not model.__sklearn_is_fitted__()
    model.fit(files, target="class")
    assert not os.listdir(temporary)


def test_a_disk_without_room(write, monkeypatch, temporary, tmp_path):
    usage = shutil.disk_usage(temporary)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(streaming, "GIB", 1000)  # to show something but zeros
    files = write(CLASSES)
    with pytest.raises(
        InvalidArgumentError,
        match=r"^cache must be a folder "
        r"with room for the encoded rows, \d+\.\d GiB; got .*, with 1\.0 GiB$",
    ):
        classifier().fit(files, target="class")
    assert not os.listdir(temporary)


# The estimator -----------------------------------------------------------------------------


def test_files_and_copies_of_a_model(write, tmp_path):
    pytest.importorskip("onnx")
    for make, own in ((classifier, CLASSES), (regressor, VALUES)):
        target = own.columns[-1]
        model = make().fit(write(own), target=target)
        X = own.drop(columns=target)
        predicted = model.predict(X)
        model.save(tmp_path / "model.mlp")
        loaded = load_model(tmp_path / "model.mlp")
        assert loaded.information["data"]["n_samples"] == N
        assert loaded.information["metrics"]["epochs"] == model.n_iter_
        copy = pickle.loads(pickle.dumps(model))
        assert (loaded.predict(X) == predicted).all()
        assert (copy.predict(X) == predicted).all()
        assert model.feature_importances_.shape == (X.shape[1],)
        assert model.feature_importances_.argmax() == 0
        unfitted = clone(model)
        assert unfitted.get_params() == model.get_params()
        assert "networks" in model._repr_html_() or "job" in model._repr_html_()
        assert isinstance(model.findings_, list)
        assert make().set_params(cache="x").get_params()["cache"] == "x"


def test_it_exports_to_onnx(write, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    own = CLASSES[["number", "class"]]
    model = classifier().fit(write(own), target="class")
    model.export(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    inputs = {each.name: own[["number"]].to_numpy() for each in session.get_inputs()}
    found = session.run(None, inputs)
    assert any(
        isinstance(each, np.ndarray)
        and each.shape == (N, 2)
        and np.allclose(each, model.predict_proba(own[["number"]]), atol=1e-4)
        for each in found
    )


def test_frames_in_memory_may_have_the_target_among_their_columns(write):
    X = CLASSES.drop(columns=["class", "weight", "group"])
    how = {"sample_weight": CLASSES["weight"], "groups": CLASSES["group"]}
    expected = classifier().fit(X, CLASSES["class"], **how)
    names = {"target": "class", "sample_weight": "weight", "groups": "group"}
    for given in (CLASSES, {name: CLASSES[name].to_numpy() for name in CLASSES}):
        model = classifier().fit(given, **names)
        assert model.loss_curve_ == pytest.approx(expected.loss_curve_, rel=1e-4)
        assert list(model.feature_names_in_) == list(X)
    rows = CLASSES[["number", "class"]]
    for given in (read_table(rows), rows.to_dict("records"), read_file(write(rows))):
        model = classifier().fit(given, target="class")
        assert model.classes_.tolist() == ["high", "low"]
    model = regressor().fit(VALUES[["number", "value"]].to_numpy(), target="x1")
    assert model.n_features_in_ == 1


def test_a_table_in_memory_and_in_a_small_file_are_the_same(write, monkeypatch):
    monkeypatch.setattr(large, "IN_MEMORY", 2**20)
    names = {"target": "class", "groups": "group", "sample_weight": "weight"}
    own = CLASSES.assign(group=CLASSES["group"].astype(str))
    one = classifier().fit(write(own), **names)
    other = classifier().fit(own, **names)
    assert one.loss_curve_ == pytest.approx(other.loss_curve_, rel=1e-4)


# What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "data", "message"),
    [
        ({}, {}, "target of fit must name a column of the files; got None"),
        ({}, {"y": [1]}, "target of fit must name a column of the files; got None"),
        (
            {},
            {"y": [1], "target": "class"},
            "y of fit cannot be given together with target, the column that holds it",
        ),
        (
            {},
            {"target": "clas"},
            "target of fit must be one of number, job, group, day, weight, "
            "class; got 'clas', did you mean 'class'?",
        ),
        (
            {},
            {"target": "class", "groups": "jobs"},
            "groups of fit must be one of number, job, "
            "group, day, weight, class; got 'jobs', did you mean 'job'?",
        ),
        (
            {},
            {"target": "class", "groups": "class"},
            "target of fit must be a separate column; got target 'class', groups 'class'",
        ),
        (
            {},
            {"target": "class", "sample_weight": np.ones(3)},
            "sample_weight of fit must be the name of a column, as target is; got ndarray",
        ),
        (
            {"time": "day"},
            {"target": "class", "groups": "group"},
            "groups of fit cannot be combined with time",
        ),
        (
            {"class_weight": {"high": 1, "low": 0}},
            {"target": "class"},
            "y of fit must have at least two "
            "classes among the rows with a weight: see sample_weight and class_weight; got 'high' "
            "alone",
        ),
    ],
)
def test_arguments_that_are_refused(write, parameters, data, message):
    with pytest.raises(
        InvalidArgumentError if "y of fit must" not in message else InvalidDataError
    ) as error:
        classifier(**parameters).fit(write(CLASSES), **data)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("weight", -1.0, "column 'weight' of {last} must hold numbers of at least 0, the rows' "
         "weights; got -1.0 at row 496"),
        (
            "weight",
            5e18,
            "column 'weight' of {last} must hold weights of at most 1e+18 times the largest in a "
            "sample; got 5e+18 at row 496",
        ),
        ("weight", np.nan, "column 'weight' of {last} must hold numbers of at least 0, the rows' "
         "weights; got a missing value at row 496"),
        ("group", np.nan, "column 'group' of {last} must not have missing values: give each such "
         "sample a group of its own; got one at row 496"),
        ("target", 1.5, "column 'target' of {last} must hold names or whole numbers to be "
         "predicted as classes; got 1.5 at row 496"),
    ],
)  # fmt: skip
def test_entries_that_are_refused_in_the_last_file(write, column, value, message):
    own = CLASSES.astype({"group": float}).drop(columns="class")
    own["target"] = (CLASSES["class"] == "low").astype(float)
    own.loc[LAST, column] = value
    files = write(own)
    assert LAST not in sample_rows(files)
    with pytest.raises(InvalidDataError) as error:
        classifier().fit(files, target="target", sample_weight="weight", groups="group")
    assert str(error.value) == message.format(last=Path(files).parent / "2.parquet")


@pytest.mark.parametrize(
    ("loss", "value", "rule"),
    [
        (
            "squared_error",
            1e300,
            "must hold targets whose squares are finite in float32; got 1e+300",
        ),
        ("poisson", -3.0, "must hold counts, at least 0, for this loss; got -3.0"),
    ],
)
def test_values_that_are_refused_in_the_last_file(write, loss, value, rule):
    own = VALUES.assign(value=VALUES["group"].astype(float))
    own.loc[LAST, "value"] = value
    files = write(own)
    with pytest.raises(InvalidDataError) as error:
        regressor(loss=loss).fit(files, target="value")
    last = Path(files).parent / "2.parquet"
    assert str(error.value) == f"column 'value' of {last} {rule} at row 496"


def test_infinite_values_are_missing(write, trainings):
    own = VALUES.copy()
    own.loc[[LAST, sample_rows(write(own))[0]], "value"] = np.inf
    with pytest.warns(TableWarning) as said:
        regressor().fit(write(own), target="value")
    assert "has 'inf' at row" in str(said[0].message)
    assert "has no 'value' in 1 of 600 rows of a sample" in str(said[1].message)
    rows, _ = trainings.check()
    assert len(rows.y) == N - 2


def test_tables_from_which_nothing_is_to_be_learned(write):
    with pytest.raises(InvalidDataError, match=r"must have inputs besides class$"):
        classifier().fit(write(CLASSES[["class"]]), target="class")
    with pytest.raises(InvalidDataError, match="has no column that can be learned from: 'a' "):
        classifier().fit(write(CLASSES[["class"]].assign(a=1)), target="class")
    with pytest.warns(FindingWarning, match="The target is 'all' in all rows"):
        one = classifier().fit(write(CLASSES.assign(**{"class": "all"})), target="class")
    assert one.classes_.tolist() == ["all"]
    with pytest.raises(InvalidDataError, match="must hold numbers; got"):
        regressor().fit(write(VALUES), target="job")
    with pytest.raises(InvalidArgumentError, match="groups of fit must be at least two"):
        classifier().fit(write(CLASSES.assign(group=1)), target="class", groups="group")


@pytest.mark.parametrize("is_large", [False, True])
def test_dates_are_no_classes(write, monkeypatch, is_large):
    files = write(CLASSES)
    monkeypatch.setattr(large, "IN_MEMORY", 0 if is_large else 2**20)
    with pytest.raises(InvalidDataError, match=r"column 'day' of .*, the target, must hold "
                       "numbers or classes; it holds dates"):  # fmt: skip
        classifier().fit(files, target="day")


def test_a_cache_that_cannot_be_a_folder(write, tmp_path):
    path = tmp_path / "file"
    path.touch()
    for cache in (path, path / "inside"):
        with pytest.raises(InvalidArgumentError) as error:
            classifier(cache=cache).fit(write(CLASSES), target="class")
        assert str(error.value).startswith(
            "cache must be a folder, or a path where one can be made"
        )


@pytest.mark.parametrize("change", ["rewrite", "remove"])
def test_a_file_that_changes_between_the_passes(write, monkeypatch, change, temporary):
    files = write(CLASSES)
    path, own = Path(files).parent / "1.parquet", tabular_base.check_data

    def check_data(*arguments, **how):  # after the survey, before all rows are encoded
        if change == "remove":
            path.unlink()
        else:
            CLASSES[:20].to_parquet(path, index=False)
        return own(*arguments, **how)

    monkeypatch.setattr(tabular_base, "check_data", check_data)
    message = "has changed since it was first opened" if change == "rewrite" else "there is no file"
    with pytest.raises(InvalidDataError, match=message):
        classifier().fit(files, target="class")
    assert not os.listdir(temporary)


def test_a_column_without_entries_in_one_file_and_new_words_in_another(write):
    own = CLASSES.astype({"job": object})
    files = write(own)
    folder = Path(files).parent
    own[1000:].assign(job=None).to_parquet(folder / "2.parquet", index=False)
    own[:500].assign(number=None).to_parquet(folder / "0.parquet", index=False)
    model = classifier().fit(files, target="class")
    column = {each.name: each for each in model.columns_.columns}
    assert column["job"].has_missing
    assert column["number"].has_missing
    assert not column["day"].has_missing


def test_what_is_said_of_a_column_is_said_once(write):
    """Blocks of all rows say it, of which there are many."""
    own = CLASSES.astype({"number": object})
    own["number"] = [f"{v:.3f}" for v in CLASSES["number"]]
    own.loc[[0, 501, 502, LAST], "number"] = "??x"
    files = write(own, "csv")
    with pytest.warns(TableWarning) as said:
        classifier().fit(files, target="class")
    counts = Counter(each for w in said for each in [n.column for n in w.message.notes])
    assert set(counts) == {"number"}
    assert counts["number"] <= 2  # by the sample, and by all rows
