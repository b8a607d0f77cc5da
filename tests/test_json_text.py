"""Text from outside: JSON that says one thing, and words that steer no terminal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multilayer.errors import InvalidArgumentError
from multilayer.json_text import printable, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


@given(value=VALUES)
def test_what_python_writes_is_read(value):
    assert read_json(json.dumps(value)) == value


def test_a_hundred_levels_are_read():
    assert json.dumps(read_json("[" * 100 + "]" * 100)) == "[" * 100 + "]" * 100
    assert json.dumps(read_json('{"a": ' * 100 + "1" + "}" * 100)).count("{") == 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 1}', "the name 'a' appears twice in one JSON object"),
        ('[{"b": {"a": 1, "c": 2, "a": 3}}]', "the name 'a' appears twice in one JSON object"),
        ("NaN", "numbers in JSON must be finite; got NaN"),
        ("[-Infinity]", "numbers in JSON must be finite; got -Infinity"),
        ("1e999", "numbers in JSON must be finite; got 1e999"),
        ("[" * 100_000, "the JSON is nested too deeply: more than 100 levels"),
        ("[" * 101 + "]" * 101, "the JSON is nested too deeply: more than 100 levels"),
        ('{"a":' * 101 + "1" + "}" * 101, "the JSON is nested too deeply: more than 100 levels"),
        ("[1,]", "Expecting value: line 1 column 4 (char 3)"),
        (None, "the JSON object must be str, bytes or bytearray, not NoneType"),
    ],
)
def test_what_says_two_things_or_nothing_is_refused(text, message):
    with pytest.raises(InvalidArgumentError) as caught:
        read_json(text)
    assert str(caught.value) == message


@given(text=st.text(st.characters()))
def test_printable_text_is_printable_and_stays_as_it_is_where_it_was(text):
    assert printable(text).isprintable()
    printable(text).encode()  # no half of a surrogate pair
    if text.isprintable():
        assert printable(text) == text
