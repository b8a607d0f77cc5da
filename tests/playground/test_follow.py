"""Folders of records, as they are found: whole, half-written, foreign, or not there yet."""

import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from multilayer import Architecture
from multilayer.numpy import MLP, Ensemble
from multilayer.playground import follow, records
from multilayer.playground.follow import Follower
from multilayer.playground.records import Record, Series
from multilayer.playground.server import application
from multilayer.training import Recorder, fit

X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def record_in(folder, net=None, n_epochs=3):
    net = net or MLP(Architecture(2, (6,), 2), rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    callbacks = [Recorder(folder)]
    return fit(
        net,
        (X, Y),
        loss="cross_entropy",
        n_epochs=n_epochs,
        validation=(X, Y),
        callbacks=callbacks,
        rng=rng,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The lines of a record of three epochs."""
    folder = tmp_path_factory.mktemp("whole")
    record_in(folder)
    return (folder / "record-1.jsonl").read_bytes().splitlines(keepends=True)


def names(found):
    return [run["name"] for run in found["runs"]]


def reasons(found):
    return {each["name"]: each["reason"] for each in found["passed_over"]}


def test_a_training_is_told_as_its_history_is(tmp_path):
    history = record_in(tmp_path / "a")
    found = Follower(tmp_path).look(["a"])
    (run,) = found["runs"]
    assert (run["epoch"], run["n_epochs"]) == (3, 3)
    assert run["value"] == history["validation_loss"][-1]
    assert (run["has_ended"], run["stopped_by"]) == (True, "n_epochs")
    own = found["shown"]["a"]
    assert own["epochs"] == [1, 2, 3]
    assert {name: curve["middle"] for name, curve in own["curves"].items()} == dict(history)
    assert own["about"]["widths"] == [2, 6, 2]
    assert own["end"]["best_epoch"] == history.best_epoch
    assert [len(each) for each in own["measures"]["gradient_norm"]] == [
        len(own["layer_epochs"])
    ] * 2
    json.dumps(found, allow_nan=False)


def test_of_an_ensemble_it_has_the_quantiles(tmp_path):
    record_in(tmp_path / "a", Ensemble(Architecture(2, (6,), 2), 3, rng=np.random.default_rng(0)))
    curve = Follower(tmp_path).look(["a"])["shown"]["a"]["curves"]["train_loss"]
    assert all(np.array(curve["low"]) < curve["middle"])
    assert all(np.array(curve["middle"]) < curve["high"])


def test_runs_that_appear_later_are_found_and_those_that_grow_are_followed(tmp_path, whole):
    follower = Follower(tmp_path / "runs")
    assert follower.look() == {
        "folder": str(tmp_path / "runs"), "runs": [], "shown": {}, "passed_over": []
    }  # fmt: skip
    folder = tmp_path / "runs" / "deep" / "er"
    folder.mkdir(parents=True)
    path = folder / "record-1.jsonl"
    text = b"".join(whole)
    seen = []
    for i in range(0, len(text) + 1, 61):  # whatever the place where a line is cut
        path.write_bytes(text[:i])
        found = follower.look(["deep/er"])
        seen.append(found["runs"][0]["epoch"] if found["runs"] else -1)
        assert found["passed_over"] == []
    path.write_bytes(text)
    assert follower.look()["runs"][0]["has_ended"]
    assert seen == sorted(seen)
    assert {-1, 0, 1, 2, 3} == set(seen)
    path.unlink()
    assert follower.look()["runs"] == []


def test_several_records_in_a_folder_have_names_of_their_own(tmp_path):
    for _ in range(2):
        record_in(tmp_path)
    assert names(Follower(tmp_path).look()) == [tmp_path.name, f"{tmp_path.name} (2)"]


def test_a_resumed_training_is_one_and_has_each_epoch_once(tmp_path, whole):
    begun = json.loads(whole[0]) | {"n_complete": 2}
    again = [line for line in whole if b'"metrics"' in line][:2]
    path = tmp_path / "record-1.jsonl"
    path.write_bytes(b"".join([*whole[:-1], json.dumps(begun).encode() + b"\n", *again]))
    (run,) = Follower(tmp_path).look()["runs"]
    assert (run["epoch"], run["has_ended"]) == (2, False)
    shown = Follower(tmp_path).look([run["name"]])["shown"][run["name"]]
    assert shown["epochs"] == [1, 2]
    assert all(epoch <= 2 for epoch in shown["layer_epochs"])


FOREIGN = {
    "empty object": b"{}\n",
    "no json": b"epoch,loss\n1,2\n",
    "binary": bytes(range(256)) * 40 + b"\n",
    "another format": b'{"format": "tensorboard", "version": 1}\n',
    "a later version": b'{"format": "multilayer record", "version": 2}\n',
    "half a beginning": b'{"format": "multilayer record", "version": 1}\n',
    "deep": b"[" * 5_000 + b"]" * 5_000 + b"\n",
    "no line at all": b"x" * 400_000,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_named_and_passed_over(tmp_path, kind):
    record_in(tmp_path / "good")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "record-1.jsonl").write_bytes(FOREIGN[kind])
    (tmp_path / "notes.jsonl").write_text("not looked at")
    found = Follower(tmp_path).look()
    assert names(found) == ["good"]
    assert reasons(found) == {"other": "is not the record of a training run"}


def test_what_is_no_plain_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "record-1.jsonl")  # which would be waited for
    (tmp_path / "record-2.jsonl").mkdir()
    (tmp_path / "record-3.jsonl").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = Follower(tmp_path).look()
    assert (found["runs"], found["passed_over"]) == ([], [])


def test_damaged_lines_are_counted_and_passed_over(tmp_path, whole):
    bad = [
        b"{\n",
        b"\xff\xfe\n",
        b'{"metrics": 3, "epoch": 1}\n',
        b'{"epoch": 1}\n',
        b'{"metrics": {"train_loss": "low"}, "epoch": 1}\n',
        b"y" * 600_000 + b"\n",
        b'{"metrics": {}, "epoch": -1}\n',
        b'{"layers": {"dead": [1]}, "epoch": 1}\n',
    ]
    once_more = [b'{"metrics": {}, "epoch": 2}\n']
    lines = [whole[0], *bad, *whole[1:], *once_more]
    (tmp_path / "record-1.jsonl").write_bytes(b"".join(lines))
    follower = Follower(tmp_path)
    own = follower.look([tmp_path.name])["shown"][tmp_path.name]
    assert own["n_damaged"] == len(bad) + 1
    assert own["epochs"] == [1, 2, 3]


def test_a_huge_record_is_read_a_part_at_a_time_and_thinned(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(follow, "MOST_AT_ONCE", 100_000)
    begun = json.loads(whole[0]) | {"n_epochs": 20_000}
    lines = [json.dumps(begun)]
    lines += [f'{{"metrics": {{"train_loss": {1 / n}}}, "epoch": {n}}}' for n in range(1, 20_001)]
    (tmp_path / "record-1.jsonl").write_text("\n".join(lines) + "\n")
    follower = Follower(tmp_path)
    first = follower.look()["runs"][0]["epoch"]
    assert 0 < first < 20_000
    for _ in range(20):
        found = follower.look([tmp_path.name])
    assert found["runs"][0]["epoch"] == 20_000
    own = found["shown"][tmp_path.name]
    assert len(own["epochs"]) <= 2 * records.POINTS + 1
    assert own["epochs"][-1] == 20_000
    np.testing.assert_allclose(own["curves"]["train_loss"]["middle"], 1 / np.array(own["epochs"]))


def test_many_records_are_followed_up_to_a_limit(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(follow, "MOST_RECORDS", 3)
    for n in range(1, 6):
        path = tmp_path / f"record-{n}.jsonl"
        path.write_bytes(b"".join(whole))
        os.utime(path, (n, n))
    assert len(Follower(tmp_path).look()["runs"]) == 3


def test_folders_of_the_same_name_are_told_apart(tmp_path, whole):
    folder = tmp_path / "runs"
    for path in (folder, folder / "runs"):
        path.mkdir()
        (path / "record-1.jsonl").write_bytes(b"".join(whole))
    follower = Follower(folder)
    for _ in range(2):
        found = follower.look(["runs", "runs/record-1.jsonl"])
        assert [run["name"] for run in found["runs"]] == ["runs", "runs/record-1.jsonl"]
        assert len(found["shown"]) == 2


def test_the_doctor_says_what_the_record_shows(tmp_path, whole):
    layers = {"epoch": 4, "layers": {"dead": [0.9, 0.0], "saturated": [0.0, 0.0]}}
    end = {"ended": "now", "stopped_by": "divergence", "n_complete": 3, "error": "it diverged"}
    text = b"".join([*whole[:-1], *(json.dumps(line).encode() + b"\n" for line in (layers, end))])
    (tmp_path / "record-1.jsonl").write_bytes(text)
    own = Follower(tmp_path).look([tmp_path.name])["shown"][tmp_path.name]
    assert [each["name"] for each in own["findings"]] == ["learning_rate_too_high", "dead_units"]
    assert own["findings"][1]["evidence"] == "hidden 1: 0.9"
    assert own["end"]["error"] == "it diverged"


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["metrics", "layers", "step", "ended", "epoch", "dead", "name"]), inner
        )
    ),
    max_leaves=12,
)


@given(lines=st.lists(VALUES | st.dictionaries(st.text(max_size=4), VALUES), max_size=6))
def test_no_line_whatever_breaks_a_record(tmp_path_factory, whole, lines):
    path = tmp_path_factory.mktemp("any") / "record-1.jsonl"
    text = b"".join([whole[0], *(json.dumps(line).encode() + b"\n" for line in lines), *whole[1:]])
    path.write_bytes(text)
    record = Record(path)
    record.read(2**20)
    assert record.fault == ""
    json.dumps([record.summary(), record.details(), record.losses()], allow_nan=False)
    assert record.summary()["has_ended"]


@given(n=st.integers(0, 500), keep=st.integers(1, 20))
def test_a_thinned_series_is_evenly_spaced_and_has_the_last_row(n, keep):
    series = Series(keep)
    for epoch in range(1, n + 1):
        series.add(epoch, {"loss": epoch})
    epochs = [epoch for epoch, _ in series.rows]
    assert len(epochs) <= 2 * keep + 1
    assert len(set(np.diff(epochs[:-1]).tolist())) <= 1
    assert epochs[:1] + epochs[-1:] == ([1, n] if n else [])


BASE = "http://127.0.0.1:8765"


def test_the_server_tells_the_page_and_no_other(tmp_path):
    record_in(tmp_path / "a & b")
    with TestClient(application(follower=Follower(tmp_path)), base_url=BASE) as client:
        assert client.get("/follow.html").status_code == 200
        found = client.get("/runs", params={"show": ["a & b", "../../etc/passwd"]}).json()
        assert names(found) == list(found["shown"]) == ["a & b"]
        for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
            assert client.get("/runs", headers=headers).status_code == 403
        assert client.post("/runs").status_code == 405


def test_a_server_that_follows_nothing_says_so():
    with TestClient(application(), base_url=BASE) as client:
        assert client.get("/runs").status_code == 404


def test_a_record_that_could_not_be_read_is_read_once_it_can_be(tmp_path, whole):
    path = tmp_path / "record-1.jsonl"
    path.write_bytes(b"".join(whole))
    record = Record(path)
    record.read(2**20)
    away = path.rename(tmp_path / "away")  # with the same inode
    record.read(2**20)
    assert record.fault == "cannot be read: no such file or directory"
    away.rename(path)
    record.read(2**20)
    assert not record.fault
    assert record.summary()["epoch"] == 3
