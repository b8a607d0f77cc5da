"""Names and registries: the answer to a name that is unknown, and to something that is no name."""

import json
import math
from dataclasses import make_dataclass

import numpy as np
import pytest

from multilayer.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    MultilayerError,
    UnknownNameError,
)
from multilayer.numpy import LOSSES, OPTIMIZERS, SGD, GroupedCrossEntropy, Quantile
from multilayer.registry import Names, Registry, describe, rebuild, resolve


class Metal:
    """A stand-in for what a registry holds."""

    def __init__(self, density=1.0):
        self.density = density

    def __repr__(self):
        return f"Metal({self.density})"


class Iron(Metal):
    def __init__(self):
        super().__init__(7.87)


@pytest.fixture
def names():
    return Names("metal", ["iron", "copper", "white_gold"])


@pytest.fixture
def registry():
    return Registry(Names("metal", []), {"iron": Iron, "any": Metal})


def message(function, *arguments, error_type):
    """Return what is said when the function refuses its arguments by exactly that error."""
    with pytest.raises(MultilayerError) as caught:
        function(*arguments)
    assert type(caught.value) is error_type
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("coper", ", did you mean 'copper'?"),
        ("Iron", ", did you mean 'iron'?"),
        ("COPPER", ", did you mean 'copper'?"),
        ("whitegold", ", did you mean 'white_gold'?"),
        ("white-gold", ", did you mean 'white_gold'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(names, given, hint):
    said = message(names.check, given, error_type=UnknownNameError)
    assert said == f"metal must be one of iron, copper, white_gold; got {given!r}{hint}"


def test_the_message_names_the_owner(names):
    said = message(names.check, "tin", "Alloy", error_type=UnknownNameError)
    assert said == "metal of Alloy must be one of iron, copper, white_gold; got 'tin'"


@pytest.mark.parametrize("given", [None, 3, b"iron", ["iron"], {"iron"}])
def test_what_is_no_string_is_refused_as_such(names, given):
    said = message(names.check, given, error_type=InvalidTypeError)
    assert said == f"metal must be one of iron, copper, white_gold; got {given!r}"


def test_an_unknown_name_is_a_value_error_and_a_wrong_type_a_type_error(names):
    with pytest.raises(ValueError, match="got 'tin'"):
        names.check("tin")
    with pytest.raises(TypeError, match="got 3"):
        names.check(3)


def test_a_known_name_comes_back(names):
    assert names.check("white_gold") == "white_gold"
    assert list(names) == ["iron", "copper", "white_gold"]
    assert len(names) == 3
    assert "iron" in names
    assert "Iron" not in names
    assert ["iron"] not in names
    assert repr(names) == "Names('metal', ['iron', 'copper', 'white_gold'])"


def test_names_do_not_follow_the_list_they_came_from():
    words = ["iron"]
    names = Names("metal", words)
    words.append("copper")
    assert list(names) == ["iron"]
    names.add("tin")
    names.add("tin")
    assert list(names) == ["iron", "tin"]
    assert words == ["iron", "copper"]


def test_a_registry_is_a_mapping_in_its_order(registry):
    assert dict(registry) == {"iron": Iron, "any": Metal}
    assert list(registry) == ["iron", "any"]
    assert len(registry) == 2
    assert "iron" in registry
    assert "tin" not in registry
    assert repr(registry) == "Registry('metal', ['iron', 'any'])"


@pytest.mark.parametrize("given", ["tin", None, ["iron"]])
def test_what_is_no_name_has_no_entry(registry, given):
    assert given not in registry
    assert registry.get(given, "nothing") == "nothing"


def test_a_registry_answers_an_unknown_name_with_the_nearest(registry):
    said = message(registry.__getitem__, "irn", error_type=UnknownNameError)
    assert said == "metal must be one of iron, any; got 'irn', did you mean 'iron'?"


def test_a_registry_names_only_what_it_has():
    # The package knows the word; this engine has nothing under it, and must not offer it.
    registry = Registry(Names("metal", ["iron", "copper"]), {"iron": Iron})
    said = message(registry.__getitem__, "copper", error_type=UnknownNameError)
    assert said == "metal must be one of iron; got 'copper'"


def test_registering_adds_the_word():
    names = Names("metal", ["iron"])
    registry = Registry(names, {"iron": Iron})
    registry.register("tin", Metal)
    assert registry["tin"] is Metal
    assert list(names) == ["iron", "tin"]


def test_a_name_is_registered_once(registry):
    said = message(registry.register, "iron", Metal, error_type=InvalidArgumentError)
    assert said == "metal 'iron' is already registered"
    assert registry["iron"] is Iron


def test_resolve_takes_objects_and_names(registry):
    metal = Metal(3.0)
    assert resolve(metal, registry, Metal) is metal
    assert type(resolve("iron", registry, Metal)) is Iron


def test_resolve_says_that_a_class_is_no_object(registry):
    said = message(resolve, Iron, registry, Metal, error_type=InvalidTypeError)
    assert said == "metal must be an object, such as Iron(); got the class itself"


@pytest.mark.parametrize("given", [None, 3, int, ["iron"]])
def test_resolve_refuses_anything_else(registry, given):
    said = message(resolve, given, registry, Metal, error_type=InvalidTypeError)
    assert said == f"metal must be a name or an instance of Metal; got {given!r}"


def test_resolve_answers_an_unknown_name(registry):
    said = message(resolve, "irn", registry, Metal, error_type=UnknownNameError)
    assert said == "metal must be one of iron, any; got 'irn', did you mean 'iron'?"


@pytest.mark.parametrize("classes", [LOSSES, OPTIMIZERS], ids=lambda c: c.names.kind)
def test_what_is_described_is_rebuilt(classes):
    for name, cls in classes.items():
        told = describe(cls(), classes)
        assert told["name"] == name
        assert rebuild(json.loads(json.dumps(told)), classes) == cls()


def test_sequences_come_back_from_json():
    for part in (Quantile((0.1, 0.9)), GroupedCrossEntropy((2, 3))):
        assert rebuild(describe(part, LOSSES), LOSSES) == part


def test_what_json_cannot_hold_or_nobody_knows_is_not_described():
    assert describe(SGD, OPTIMIZERS) is None  # a class, and no object
    assert describe(Metal(), {"metal": Metal}) is None  # no dataclass
    holds_array = make_dataclass("HoldsArray", ["array"])
    assert describe(holds_array(np.eye(2)), {"held": holds_array}) is None
    assert describe(holds_array(math.inf), {"held": holds_array}) is None


@pytest.mark.parametrize(
    "told",
    [None, 3, "adam", [], {}, {"name": []}, {"name": "no"}, {"name": "adam", "learning_rate": -1},
     {"name": "adam", "learning_rate": "1"}, {"name": "adam", "beta": 1}, [["name", "adam"], [3]],
     {"name": "adam", 3: 4}],
)  # fmt: skip
def test_damaged_descriptions_are_rebuilt_as_nothing(told):
    assert rebuild(told, OPTIMIZERS) is None
