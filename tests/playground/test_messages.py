import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multilayer.errors import MultilayerError
from multilayer.playground.messages import (
    MAX_FILE,
    MAX_TEXT,
    Ask,
    Change,
    Command,
    Edit,
    File,
    Speed,
    Walk,
    parse,
)
from multilayer.playground.settings import Settings

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text())
DATA = SETTINGS["data"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_settings_come_back_as_they_were():
    found = parse(json.dumps({"type": "settings", "settings": SETTINGS}))
    assert isinstance(found, Change)
    again = json.loads(json.dumps(found.settings.to_dict()))
    assert again == SETTINGS
    assert Settings.of(again) == found.settings


def test_commands_speed_and_files():
    assert parse('{"type": "play"}') == Command("play")
    assert parse('{"type": "speed", "steps": null}') == Speed(None)
    edit = '{"type": "edit", "layer": 2, "unit": 1, "input": null, "value": -0.5}'
    assert parse(edit) == Edit(2, 1, None, -0.5)
    assert parse('{"type": "walk", "sample": 3}') == Walk(3)
    assert parse('{"type": "ask", "image": null}') == Ask(None)
    assert parse(json.dumps({"type": "ask", "image": [0.5] * 64})) == Ask((0.5,) * 64)
    assert parse(b'{"type": "model", "name": "m"}\n\x00\n') == File("model", "m", b"\x00\n")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("[]", "a message must be a JSON object; got list"),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"type": "play", "x": 1}', 'a message must have nothing else; got ["x"]'),
        (
            '{"type": "speed", "steps": 0}',
            "steps of a message must be a number in [0.1, 1e6]; got 0",
        ),
        (
            '{"type": "edit", "layer": 1, "unit": 0, "input": null, "value": 1e7}',
            "value of a message must be a number in [-1e6, 1e6]; got 1e+07",
        ),
        (
            '{"type": "edit", "layer": 1, "unit": 0, "value": 1}',
            'a message must have layer, unit, input, value; got ["layer", "unit", "value"]',
        ),
        (
            '{"type": "walk", "sample": -1}',
            "sample of a message must be a non-negative integer; got -1",
        ),
        (
            '{"type": "select", "layer": 0, "unit": 0}',
            "layer of a message must be a positive integer; got 0",
        ),
        (
            '{"type": "ask", "image": [0, 1]}',
            "image of a message must be a list of 64 entries; got 2 of them",
        ),
        (
            json.dumps({"type": "ask", "image": [0] * 63 + [1.5]}),
            "image[63] of a message must be a number in [0, 1]; got 1.5",
        ),
        (" " * (MAX_TEXT + 1), "a message must have at most 200,000 characters; got 200,001"),
        (b"no line", "a file must begin with a line of JSON"),
        (
            b'{"type": "table", "name": ""}\n' + bytes(MAX_FILE + 1),
            "a file must have at most 20 MB; got 20.0 MB",
        ),
    ],
)
def test_faults_are_reasons_in_words(said, message):
    with pytest.raises(MultilayerError) as caught:
        parse(said)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"hidden": [0]},
            "hidden[0] of Settings must be a positive integer; got 0",
        ),
        ({"hidden": [5000]}, "hidden[0] of Settings must be at most 1,000; got 5,000"),
        (
            {"hidden": [1] * 13},
            "hidden of Settings must be a list of 0 to 12 entries; got 13 of them",
        ),
        ({"dropout": 1}, "dropout of Settings must be a number in [0, 0.95]; got 1"),
        (
            {"data": DATA | {"points": [[0, 0]]}},
            "points[0] of DataSettings must be a list of 3 entries; got 2 of them",
        ),
        ({"data": 3}, "DataSettings must be an object; got int"),
    ],
)
def test_settings_out_of_range(change, message):
    with pytest.raises(MultilayerError) as caught:
        Settings.of(SETTINGS | change)
    assert str(caught.value) == message


def test_lbfgs_takes_no_steps_to_watch():
    with pytest.raises(MultilayerError, match=r"optimizer of Settings must be one of .*'lbfgs'"):
        Settings.of(SETTINGS | {"optimizer": "lbfgs"})


def _parse_or_refuse(said):
    with contextlib.suppress(MultilayerError):  # any other error fails
        parse(said)


@given(JSON.map(json.dumps) | st.text() | st.binary())
def test_no_message_does_more_than_be_refused(said):
    _parse_or_refuse(said)


@given(st.sampled_from([*SETTINGS, *DATA]), JSON)
def test_no_setting_does_more_than_be_refused(name, value):
    changed = SETTINGS | ({name: value} if name in SETTINGS else {"data": DATA | {name: value}})
    _parse_or_refuse(json.dumps({"type": "settings", "settings": changed}))
