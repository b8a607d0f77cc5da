"""Errors: the message is made of the fields, which a caller may set, and which survive pickling."""

import copy
import pickle
from pathlib import Path

import pytest

from multilayer import Architecture, checks
from multilayer.errors import (
    DivergenceError,
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    MissingPackageError,
    UnknownNameError,
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InvalidArgumentError("must be even", "n", "fit", got=3), "n of fit must be even; got 3"),
        (InvalidArgumentError("must be even", "n", "fit"), "n of fit must be even"),
        (InvalidTypeError("must be a word", "name", got=repr(3)), "name must be a word; got 3"),
        (InvalidDataError("there is no memory"), "there is no memory"),
        (InvalidDataError("nothing fits", got=0), "nothing fits; got 0"),
        (MissingPackageError("plots need matplotlib"), "plots need matplotlib"),
    ],
)
def test_the_message_is_made_of_the_fields(error, message):
    assert str(error) == message


def test_the_message_follows_the_fields():
    error = InvalidArgumentError("must be even", "n", "fit", got=3)
    error.parameter, error.owner = "--n", "mlp"
    assert str(error) == "--n of mlp must be even; got 3"


def test_others_are_named_in_the_rule_and_what_else_has_braces_stays():
    error = InvalidArgumentError("was {'a': 1}; {n} is {n!r}", others=["n"])
    error.others["n"] = "--n"
    assert str(error) == "was {'a': 1}; --n is {n!r}"


def test_an_unknown_name_knows_the_names_and_the_nearest():
    with pytest.raises(UnknownNameError) as caught:
        Architecture(2, (3,), 1, output="softmx")
    error = caught.value
    assert (error.parameter, error.owner, error.got) == ("output", "Architecture", "'softmx'")
    assert error.nearest == "softmax"
    assert "exp" in error.known
    assert str(error).endswith("; got 'softmx', did you mean 'softmax'?")


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgumentError("{m} must be even", "n", "fit", got=[3], others=["m"]),
        InvalidTypeError("must be a word", "name"),
        UnknownNameError("irn", "metal", "Alloy", known=["iron", "tin"], nearest="iron"),
        DivergenceError("the loss is NaN", epoch=2, step=7, learning_rate=0.5),
        MissingPackageError("plots need matplotlib"),
    ],
)
@pytest.mark.parametrize("again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_fields_survive_pickle_and_copy(error, again):
    error.parameter = "--n"
    found = again(error)
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert found.args == error.args
    assert vars(found) == vars(error)


def test_what_came_need_not_be_picklable():
    with pytest.raises(InvalidTypeError) as caught:
        checks.integer(lambda: 1, "n", "fit")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("n", "fit"), "--n of mlp must be even"),
        (("n[1]", "fit"), "--n[1] of mlp must be even"),
        (("n['a'][0]", ""), "--n['a'][0] of mlp must be even"),
        (("other", "fit"), "other of fit must be even"),
        (("column 'a'", "n"), "column 'a' of --n of mlp must be even"),
        (("", ""), "must be even"),
    ],
)
def test_in_terms_of_the_caller(fields, message):
    with pytest.raises(InvalidArgumentError) as caught, checks.in_terms_of("mlp", {"n": "--n"}):
        raise InvalidArgumentError("must be even", *fields)
    assert str(caught.value) == message


def test_a_file_that_is_called_like_a_parameter_keeps_its_name():
    with pytest.raises(InvalidDataError) as caught, checks.in_terms_of("mlp", {"n": "--n"}):
        raise InvalidDataError("must have rows", Path("n"))
    assert str(caught.value) == "n must have rows"


def test_in_terms_of_callers_of_callers():
    with (
        pytest.raises(InvalidArgumentError) as caught,
        checks.in_terms_of("mlp", {"size": "--size"}),
        checks.in_terms_of("Estimator", {"n": "size"}),
    ):
        raise InvalidArgumentError("cannot be 1 with {n} 2", "n", "fit", others=["n"])
    assert str(caught.value) == "--size of mlp cannot be 1 with --size 2"


def test_other_exceptions_pass_as_they_are():
    with pytest.raises(KeyError, match="n"), checks.in_terms_of("mlp", {"n": "--n"}):
        raise KeyError("n")
