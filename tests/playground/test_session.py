"""A session without a server: what it sends for what it is told."""

import json
import queue
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from multilayer.files import load_model
from multilayer.playground import session as module
from multilayer.playground.messages import (
    Ask,
    Change,
    Command,
    Edit,
    File,
    Select,
    Speed,
    Walk,
)
from multilayer.playground.session import Session
from multilayer.playground.settings import Settings
from multilayer.playground.turns import Turns
from multilayer.playground.wire import pack

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text())
DATA = SETTINGS["data"]
DATA["n_samples"] = 60
PATIENCE = 60  # seconds, on a machine that does much else


def settings_of(data=(), **others):
    return Change(Settings.of(SETTINGS | others | {"data": DATA | dict(data)}))


class Page:
    """The other end of a session; it sees frames only when it is asked for the next one."""

    def __init__(self):
        self.messages, self.reasons = queue.Queue(), queue.Queue()
        self.session = Session(self.messages.put, self.reasons.put)
        self.session.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.session.end()
        self.session.join(PATIENCE)

    def say(self, message):
        until = time.monotonic() + PATIENCE
        while not self.session.tell(message):
            assert time.monotonic() < until
            time.sleep(0.01)

    def hear(self, *kinds):
        """Return the next message of these kinds; acknowledge frames on the way."""
        while True:
            raw = self.messages.get(timeout=PATIENCE)
            (length,) = np.frombuffer(raw, "<u4", 1)
            found = json.loads(raw[4 : 4 + length]) | {"rest": raw[4 + length :]}
            if found["type"] == "frame":
                self.say(Command("seen"))
            if found["type"] in kinds:
                return found

    def until(self, is_so):
        """Return the first frame of which this is true."""
        while not is_so(frame := self.hear("frame")):
            pass
        return frame


def test_a_first_training_that_compiles_says_so(monkeypatch):
    monkeypatch.setattr(module, "WARM", threading.Event())
    with Page() as page:
        page.say(settings_of())
        page.hear("built")
        page.say(Command("step"))
        page.hear("preparing")
        page.until(lambda frame: frame["step"] == 1)


@pytest.fixture
def page():
    with Page() as page:
        yield page


def test_the_first_picture_comes_before_anything_is_trained(page):
    page.say(settings_of())
    built = page.hear("built")
    assert built["widths"] == [2, 4, 1]
    assert built["classes"] == ["class 0", "class 1"]
    frame = page.hear("frame")
    assert (frame["n_complete"], frame["is_playing"], frame["train_loss"]) == (0, False, None)


def test_step_epoch_play_pause_reset(page):
    page.say(settings_of())
    page.say(Command("step"))
    frame = page.until(lambda frame: frame["step"] == 1)
    assert (frame["epoch"], frame["n_steps"]) == (1, 3)
    page.say(Command("epoch"))
    page.until(lambda frame: frame["n_complete"] == 1)
    page.say(Command("play"))
    page.until(lambda frame: frame["is_playing"] and frame["n_complete"] > 5)
    page.say(Command("pause"))
    page.until(lambda frame: not frame["is_playing"])
    page.say(Command("reset"))
    page.until(lambda frame: frame["n_complete"] == 0)


def test_a_long_epoch_can_be_paused(page):
    page.say(
        settings_of(
            data={"n_samples": 5000}, hidden=[128] * 4, activation=["tanh"] * 4, batch_size=1
        )
    )
    page.say(Command("epoch"))
    page.until(lambda frame: frame["is_playing"] and frame["step"] > 0)
    page.say(Command("pause"))
    frame = page.until(lambda frame: not frame["is_playing"])
    assert frame["n_complete"] == 0
    assert 0 < frame["step"] < frame["n_steps"] == 4000
    page.say(Command("epoch"))
    page.until(lambda frame: not frame["is_playing"] and frame["n_complete"] == 1)


def test_speed_is_kept(page):
    page.say(settings_of())
    page.say(Speed(0.1))
    page.say(Command("play"))
    page.until(lambda frame: frame["step"] == 1)
    page.say(Speed(None))
    page.until(lambda frame: frame["n_complete"] > 20)


def test_a_rate_acts_at_once_and_a_shape_builds_anew(page):
    page.say(settings_of())
    page.say(Command("epoch"))
    page.until(lambda frame: frame["n_complete"] == 1)
    page.say(settings_of(learning_rate=0.5))
    recipes = page.hear("recipes", "built")
    assert "learning_rate=0.5" in recipes["recipes"]["python"]
    page.say(settings_of(hidden=[5]))
    assert page.hear("built")["widths"] == [2, 5, 1]
    page.until(lambda frame: frame["n_complete"] == 0)


def test_what_cannot_be_is_refused_and_leaves_the_training_as_it_is(page):
    page.say(settings_of())
    page.say(settings_of(loss="huber"))
    reason = "loss must be one of cross_entropy, squared_error for classes; got 'huber'"
    assert page.hear("refused")["reason"] == reason
    page.say(Command("step"))
    page.until(lambda frame: frame["step"] == 1)


def test_divergence_pauses_and_says_why(page):
    page.say(
        settings_of(
            data={"kind": "plane"}, optimizer="sgd", learning_rate=100.0, activation=["identity"]
        )
    )
    page.say(Command("play"))
    reason = page.hear("paused")["reason"]
    assert "Try a smaller learning rate" in reason
    assert reason.endswith("The weights are again the initial ones")
    frame = page.until(lambda frame: not frame["is_playing"])
    assert frame["n_complete"] == 0


def test_a_unit_is_looked_into(page):
    page.say(settings_of())
    page.say(Select(1, 2))
    frame = page.until(lambda frame: frame["unit"])
    assert r"\operatorname{tanh}" in frame["unit"]["rules"][-1]
    assert len(frame["unit"]["weights"]) == 2


def test_a_weight_is_edited_while_it_plays(page):
    page.say(settings_of(optimizer="sgd", learning_rate=1e-6))
    page.say(Select(1, 2))
    page.say(Command("play"))
    page.until(lambda frame: frame["n_complete"] > 2)
    page.say(Edit(1, 2, 0, -7.5))
    assert page.hear("recipes")["is_repeatable"] is False
    frame = page.until(lambda frame: frame["unit"]["weights"][0] < -7)
    assert frame["unit"]["weights"][0] == pytest.approx(-7.5, abs=0.01)  # steps of 1e-6 and slopes
    page.say(Edit(1, 2, 9, 0.0))
    assert page.hear("refused")["reason"] == "input must be less than 2; got 9"
    page.say(Command("reset"))
    assert page.hear("built")["is_repeatable"]
    page.until(lambda frame: frame["n_complete"] == 0 and frame["unit"]["weights"][0] > -7)


def test_a_walk_is_that_of_its_moment(page):
    page.say(settings_of())
    page.say(Walk(4))
    walk = page.hear("walk")
    assert (walk["sample"], walk["epoch"], walk["step"]) == (4, 0, 0)
    assert [step["kind"] for step in walk["steps"][:2]] == ["z", "a"]
    page.say(Walk(60))
    reason = "sample must be one of the 60 samples that are shown; got 60"
    assert page.hear("refused")["reason"] == reason
    page.say(Select(1, 0))
    frame = page.until(lambda frame: frame["unit"])
    assert frame["unit"]["sample"] == 4
    page.say(settings_of(data={"n_samples": 4}))  # in which there is no sample 4
    page.until(lambda frame: frame["unit"]["sample"] == 0)


def test_a_model_is_saved_and_opened(page, tmp_path):
    page.say(settings_of(hidden=[3]))
    page.say(Command("epoch"))
    page.until(lambda frame: frame["n_complete"] == 1)
    page.say(Command("save"))
    file = page.hear("file")
    page.say(settings_of())
    page.hear("built")
    page.say(File("model", "m", file["rest"]))
    built = page.hear("built")
    assert built["adopt"]
    assert built["settings"]["hidden"] == [3]
    page.say(Command("save"))
    again = page.hear("file")
    for name, content in (("first", file["rest"]), ("second", again["rest"])):
        (tmp_path / name).write_bytes(content)
    first, second = (load_model(tmp_path / name).net for name in ("first", "second"))
    assert np.array_equal(first.parameters, second.parameters)
    page.say(File("model", "m", b"no model"))
    refused = page.hear("refused")
    assert refused["reason"].startswith(
        "the model file cannot be read: it is not a safetensors file"
    )
    assert refused["parameter"] == "the model file"


def test_a_table_becomes_the_data(page):
    page.say(settings_of(data={"kind": "xor", "features": ["x1x2"]}))
    page.hear("built")
    rows = "".join(f"{i % 9},{i % 4},{'no' if i % 2 else 'yes'}\n" for i in range(40))
    page.say(File("table", "t", ("a,b,c\n" + rows).encode()))
    built = page.hear("built")
    assert (built["columns"], built["target"]) == (["a", "b", "c"], "c")
    assert built["settings"]["data"]["kind"] == "table"
    page.say(File("table", "t", b""))
    assert page.hear("refused")["reason"]
    page.say(Command("samples"))
    assert page.hear("file")["name"] == "samples.csv"


def test_a_drawn_digit_is_answered_in_each_frame(page):
    page.say(settings_of(data={"kind": "digits"}))
    assert page.hear("built")["side"] == 8
    assert page.hear("frame")["answer"] is None
    page.say(Ask((0.0, 1.0) * 32))
    answer = page.until(lambda frame: frame["answer"])["answer"]
    assert len(answer) == 10
    assert sum(answer) == pytest.approx(1, abs=1e-5)  # float32
    page.say(Command("epoch"))
    later = page.until(lambda frame: frame["n_complete"] == 1)["answer"]
    assert later != answer
    page.say(Ask(None))
    page.until(lambda frame: frame["answer"] is None)
    page.say(Ask((0.0, 1.0) * 32))
    page.say(settings_of())  # of other data there is nothing to say
    page.hear("built")
    assert page.hear("frame")["answer"] is None


def test_a_formula_is_refused_as_such(page):
    page.say(settings_of(data={"kind": "formula", "formula": "y > sen(x)"}))
    refused = page.hear("refused")
    assert refused["parameter"] == "formula"
    assert refused["reason"].endswith('at character 5: there is no "sen"; did you mean sin?')


def test_findings_come_in_words(page):
    page.say(settings_of(hidden=[], activation=[], data={"kind": "circles", "noise": 0.0}))
    page.say(Speed(None))
    page.say(Command("play"))
    found = page.hear("findings")["findings"]
    names = [each["name"] for each in found]
    assert {"underfitting", "chance_level"} & set(names)
    assert all(each["advice"] for each in found)


def test_a_page_that_sees_nothing_gets_one_frame_and_the_training_waits(page, monkeypatch):
    monkeypatch.setattr(module, "UNSEEN", 0.2)
    page.say(settings_of())
    page.say(Command("play"))
    kinds = []
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        try:
            raw = page.messages.get(timeout=0.1)
        except queue.Empty:
            continue
        kinds.append(json.loads(raw[4 : 4 + np.frombuffer(raw, "<u4", 1)[0]])["type"])
    assert kinds.count("frame") == 1
    training = page.session._training
    place = training.loop.run.epoch, training.loop.run.step
    time.sleep(0.3)
    assert (training.loop.run.epoch, training.loop.run.step) == place
    page.say(Command("seen"))
    page.until(lambda frame: frame["epoch"] > place[0])


def test_a_page_that_does_not_read_keeps_no_turn_from_others(monkeypatch):
    monkeypatch.setattr(module, "TURNS", Turns(1))
    is_stuck, go_on = threading.Event(), threading.Event()

    def send(message):
        if b'"is_playing": true' in message:
            is_stuck.set()
            assert go_on.wait(PATIENCE)

    stuck = Session(send, lambda reason: None)
    stuck.start()
    for said in (settings_of(), Speed(None), Command("play")):
        assert stuck.tell(said)
    assert is_stuck.wait(PATIENCE)
    with Page() as page:
        page.say(settings_of())
        page.say(Speed(None))
        page.say(Command("play"))
        page.until(lambda frame: frame["n_complete"] > 5)
    stuck.end()
    go_on.set()
    stuck.join(PATIENCE)


def test_a_session_that_nobody_watches_ends(monkeypatch):
    monkeypatch.setattr(module, "FORGOTTEN", 0.1)
    with Page() as page:
        assert page.reasons.get(timeout=PATIENCE).startswith("nobody has watched for")


def test_sessions_leave_no_thread():
    with Page() as page:
        page.say(settings_of())
        page.hear("built")
    assert not [each for each in threading.enumerate() if each.name == "playground session"]


def test_arrays_are_aligned_and_numbers_that_json_lacks_are_null():
    packed = pack({"a": float("nan"), "b": [float("inf"), 1]}, {"x": np.zeros(3, np.uint8)})
    assert len(packed) % 4 == 0
    length = int(np.frombuffer(packed, "<u4", 1)[0])
    found = json.loads(packed[4 : 4 + length])
    assert found == {"a": None, "b": [None, 1], "arrays": [["x", "u1", [3], 0]]}
