"""Architecture: what it accepts and refuses, in which words; how it counts and is stored."""

import dataclasses
import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer.architecture import ACTIVATIONS, OUTPUTS, Architecture, HiddenLayer
from multilayer.embeddings import Embeddings
from multilayer.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    MultilayerError,
    UnknownNameError,
)
from multilayer.numpy import MLP

ACTIVATION_NAMES = (
    "identity, relu, leaky_relu, elu, selu, gelu, gelu_tanh, silu, mish, softplus, softsign, "
    "sigmoid, tanh, hard_tanh, softmax, log_softmax"
)
OUTPUT_NAMES = "identity, sigmoid, softmax, log_softmax, exp"
FIELDS = (
    "in_features, hidden_features, out_features, activation, output, dropout, normalization, bias, "
    "residual, embeddings, noise"
)

# Names of the tests, the arguments beside in_features 3, hidden_features (4, 4) and out_features 2,
# the error's class, and its whole message.
REFUSED = {
    "no inputs": (
        {"in_features": 0},
        InvalidArgumentError,
        "in_features of Architecture must be a positive integer; got 0",
    ),
    "negative inputs": (
        {"in_features": -3},
        InvalidArgumentError,
        "in_features of Architecture must be a positive integer; got -3",
    ),
    "whole float": (
        {"in_features": 3.0},
        InvalidTypeError,
        "in_features of Architecture must be a positive integer; got 3.0",
    ),
    "True as a width": (
        {"in_features": True},
        InvalidTypeError,
        "in_features of Architecture must be a positive integer; got True",
    ),
    "inputs as text": (
        {"in_features": "3"},
        InvalidTypeError,
        "in_features of Architecture must be a positive integer; got '3'",
    ),
    "no outputs": (
        {"out_features": 0},
        InvalidArgumentError,
        "out_features of Architecture must be a positive integer; got 0",
    ),
    "outputs None": (
        {"out_features": None},
        InvalidTypeError,
        "out_features of Architecture must be a positive integer; got None",
    ),
    "an empty hidden layer": (
        {"hidden_features": (4, 0)},
        InvalidArgumentError,
        "hidden_features[1] of Architecture must be a positive integer; got 0",
    ),
    "half a hidden unit": (
        {"hidden_features": [0.5]},
        InvalidTypeError,
        "hidden_features[0] of Architecture must be a positive integer; got 0.5",
    ),
    "one width without a sequence": (
        {"hidden_features": 4},
        InvalidTypeError,
        "hidden_features of Architecture must be a sequence; got 4",
    ),
    "widths as text": (
        {"hidden_features": "44"},
        InvalidTypeError,
        "hidden_features of Architecture must be a sequence; got '44'",
    ),
    "a width as a scalar array": (
        {"hidden_features": np.array(4)},
        InvalidTypeError,
        "hidden_features of Architecture must be a sequence; got array(4)",
    ),
    "widths as a matrix": (
        {"hidden_features": [[4, 4]]},
        InvalidTypeError,
        "hidden_features[0] of Architecture must be a positive integer; got [4, 4]",
    ),
    "unknown activation": (
        {"activation": "rleu"},
        UnknownNameError,
        f"activation of Architecture must be one of {ACTIVATION_NAMES}; got 'rleu', "
        "did you mean 'relu'?",
    ),
    "unknown activation of one layer": (
        {"activation": ("relu", "xyz")},
        UnknownNameError,
        f"activation of Architecture must be one of {ACTIVATION_NAMES}; got 'xyz'",
    ),
    "no name in the sequence": (
        {"activation": ("relu", 1)},
        InvalidTypeError,
        f"activation of Architecture must be one of {ACTIVATION_NAMES}; got 1",
    ),
    "activation None": (
        {"activation": None},
        InvalidTypeError,
        f"activation of Architecture must be one of {ACTIVATION_NAMES}, or a sequence of them; "
        "got None",
    ),
    "too many activations": (
        {"activation": ("relu", "tanh", "relu")},
        InvalidArgumentError,
        "activation of Architecture must be one value, or one for each of the 2 hidden layers; "
        "got 3",
    ),
    "too many activations, all alike": (
        {"activation": ("relu", "relu", "relu")},
        InvalidArgumentError,
        "activation of Architecture must be one value, or one for each of the 2 hidden layers; "
        "got 3",
    ),
    "unknown output": (
        {"output": "logsoftmax"},
        UnknownNameError,
        f"output of Architecture must be one of {OUTPUT_NAMES}; got 'logsoftmax', "
        "did you mean 'log_softmax'?",
    ),
    "a hidden activation as output": (
        {"output": "mish"},
        UnknownNameError,
        f"output of Architecture must be one of {OUTPUT_NAMES}; got 'mish'",
    ),
    "output None": (
        {"output": None},
        InvalidTypeError,
        f"output of Architecture must be one of {OUTPUT_NAMES}; got None",
    ),
    "everything dropped": (
        {"dropout": 1.0},
        InvalidArgumentError,
        "dropout of Architecture must be a number in [0, 1); got 1",
    ),
    "negative dropout": (
        {"dropout": -0.1},
        InvalidArgumentError,
        "dropout of Architecture must be a number in [0, 1); got -0.1",
    ),
    "NaN dropout": (
        {"dropout": float("nan")},
        InvalidArgumentError,
        "dropout of Architecture must be a number in [0, 1); got nan",
    ),
    "dropout True": (
        {"dropout": True},
        InvalidTypeError,
        "dropout of Architecture must be a number in [0, 1); got True",
    ),
    "dropout as text": (
        {"dropout": "0.5"},
        InvalidTypeError,
        "dropout of Architecture must be a number in [0, 1); got '0.5'",
    ),
    "dropout None": (
        {"dropout": None},
        InvalidTypeError,
        "dropout of Architecture must be a number in [0, 1); got None",
    ),
    "dropout of one layer": (
        {"dropout": (0.1, 2)},
        InvalidArgumentError,
        "dropout[1] of Architecture must be a number in [0, 1); got 2",
    ),
    "too few dropouts": (
        {"dropout": (0.1,)},
        InvalidArgumentError,
        "dropout of Architecture must be one value, or one for each of the 2 hidden layers; got 1",
    ),
    "negative noise": (
        {"noise": -0.1},
        InvalidArgumentError,
        "noise of Architecture must be a number in [0, inf); got -0.1",
    ),
    "infinite noise": (
        {"noise": float("inf")},
        InvalidArgumentError,
        "noise of Architecture must be a number in [0, inf); got inf",
    ),
    "noise as text": (
        {"noise": "0.3"},
        InvalidTypeError,
        "noise of Architecture must be a number in [0, inf); got '0.3'",
    ),
    "noise of one layer": (
        {"noise": (0, 0.1, None)},
        InvalidTypeError,
        "noise[2] of Architecture must be a number in [0, inf); got None",
    ),
    "noise of hidden layers alone": (
        {"noise": (0.1, 0.2)},
        InvalidArgumentError,
        "noise of Architecture must be one value, or one for the inputs and each of the 2 hidden "
        "layers; got 2",
    ),
    "noise on embedded inputs": (
        {"noise": 0.1, "embeddings": Embeddings([(0, 2)])},
        InvalidArgumentError,
        "noise of Architecture must be a sequence that begins with 0: embedded inputs take no "
        "noise; got 0.1",
    ),
    "unknown normalization": (
        {"normalization": "Batch"},
        UnknownNameError,
        "normalization of Architecture must be one of batch, layer; got 'Batch', "
        "did you mean 'batch'?",
    ),
    "normalization False": (
        {"normalization": False},
        InvalidTypeError,
        "normalization of Architecture must be one of batch, layer; got False",
    ),
    "bias as a number": (
        {"bias": 1},
        InvalidTypeError,
        "bias of Architecture must be True or False; got 1",
    ),
    "residual None": (
        {"residual": None},
        InvalidTypeError,
        "residual of Architecture must be True or False; got None",
    ),
    "dropout without hidden layers": (
        {"hidden_features": (), "dropout": 0.5},
        InvalidArgumentError,
        "dropout of Architecture cannot be set without hidden layers; got 0.5",
    ),
    "normalization without hidden layers": (
        {"hidden_features": (), "normalization": "layer"},
        InvalidArgumentError,
        "normalization of Architecture cannot be set without hidden layers; got 'layer'",
    ),
    "residual without hidden layers": (
        {"hidden_features": (), "residual": True},
        InvalidArgumentError,
        "residual of Architecture needs a hidden layer that is as wide as its input; got widths "
        "(3,)",
    ),
    "residual of different widths": (
        {"hidden_features": (4, 5), "residual": True},
        InvalidArgumentError,
        "residual of Architecture needs a hidden layer that is as wide as its input; got widths "
        "(3, 4, 5)",
    ),
    "residual of the layer behind embeddings alone": (
        {"hidden_features": (3,), "residual": True, "embeddings": Embeddings([(0, 2)], width=1)},
        InvalidArgumentError,
        "residual of Architecture needs a hidden layer that is as wide as its input, other than "
        "the first, which follows embeddings; got widths (3, 3)",
    ),
    "embeddings as a dict": (
        {"embeddings": {"numbers": [(0, 2)]}},
        InvalidTypeError,
        "embeddings of Architecture must be Embeddings or None; got {'numbers': [(0, 2)]}",
    ),
    "embeddings without hidden layers": (
        {"hidden_features": (), "embeddings": Embeddings([(0, 2)])},
        InvalidArgumentError,
        "embeddings of Architecture cannot be set without hidden layers; got "
        "Embeddings(numbers=((0, 2),), categories=(), width=8, speed=1.0)",
    ),
    "embeddings of an input that is not there": (
        {"embeddings": Embeddings([(0, 2)], [(3, 2)])},
        InvalidArgumentError,
        "embeddings of Architecture must have indices below in_features=3; got 3",
    ),
}

# The same for Embeddings.
EMBEDDINGS_REFUSED = {
    "nothing": (
        {},
        InvalidArgumentError,
        "numbers and categories of Embeddings must name at least one input, and none twice; got []",
    ),
    "a place twice": (
        {"numbers": [(1, 2), (0, 1)], "categories": [(1, 3)]},
        InvalidArgumentError,
        "numbers and categories of Embeddings must name at least one input, and none twice; "
        "got [1, 0, 1]",
    ),
    "a negative place": (
        {"numbers": [(-1, 2)]},
        InvalidArgumentError,
        "numbers[0][0] of Embeddings must be a non-negative integer; got -1",
    ),
    "True as a place": (
        {"numbers": [(True, 2)]},
        InvalidTypeError,
        "numbers[0][0] of Embeddings must be a non-negative integer; got True",
    ),
    "no piece": (
        {"numbers": [(0, 2), (1, 0)]},
        InvalidArgumentError,
        "numbers[1][1] of Embeddings must be a positive integer; got 0",
    ),
    "half a piece": (
        {"numbers": [(0, 1.5)]},
        InvalidTypeError,
        "numbers[0][1] of Embeddings must be a positive integer; got 1.5",
    ),
    "no category": (
        {"categories": [(0, 0)]},
        InvalidArgumentError,
        "categories[0][1] of Embeddings must be a positive integer; got 0",
    ),
    "a place without a size": (
        {"categories": [(0,)]},
        InvalidArgumentError,
        "categories[0] of Embeddings must be a pair of an input's index and a size; got (0,)",
    ),
    "places alone": (
        {"numbers": [0, 1]},
        InvalidTypeError,
        "numbers[0] of Embeddings must be a sequence; got 0",
    ),
    "a dict": (
        {"numbers": {0: 3}},
        InvalidTypeError,
        "numbers of Embeddings must be a sequence; got {0: 3}",
    ),
    "vectors of no length": (
        {"numbers": [(0, 2)], "width": 0},
        InvalidArgumentError,
        "width of Embeddings must be a positive integer; got 0",
    ),
    "no speed": (
        {"numbers": [(0, 2)], "speed": 0.0},
        InvalidArgumentError,
        "speed of Embeddings must be a number in (0, inf); got 0",
    ),
    "speed as text": (
        {"numbers": [(0, 2)], "speed": "4"},
        InvalidTypeError,
        "speed of Embeddings must be a number in (0, inf); got '4'",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_wrong_values_are_refused(case):
    changes, error_type, message = REFUSED[case]
    builtin = TypeError if error_type is InvalidTypeError else ValueError
    arguments = {"in_features": 3, "hidden_features": (4, 4), "out_features": 2} | changes
    with pytest.raises(MultilayerError) as caught:
        Architecture(**arguments)
    assert str(caught.value) == message
    assert type(caught.value) is error_type
    assert isinstance(caught.value, builtin)


@pytest.mark.parametrize("case", list(EMBEDDINGS_REFUSED))
def test_wrong_embeddings_are_refused(case):
    arguments, error_type, message = EMBEDDINGS_REFUSED[case]
    with pytest.raises(MultilayerError) as caught:
        Embeddings(**arguments)
    assert str(caught.value) == message
    assert type(caught.value) is error_type


def test_embeddings_become_plain_values():
    found = Embeddings(np.array([[2, 3], [0, 1]]), [[1, np.int8(4)]], width=np.int64(5), speed=2)
    assert found == Embeddings(((2, 3), (0, 1)), ((1, 4),), 5, 2.0)
    assert {type(n) for pair in (*found.numbers, *found.categories) for n in pair} == {int}
    assert type(found.speed) is float
    assert hash(found) == hash(Embeddings(((2, 3), (0, 1)), ((1, 4),), 5, 2.0))


def test_widths_become_plain_integers():
    architecture = Architecture(np.int64(3), [np.int32(4), 5], np.uint8(2))
    assert architecture == Architecture(3, (4, 5), 2)
    assert type(architecture.in_features) is int
    assert type(architecture.out_features) is int
    assert type(architecture.hidden_features) is tuple
    assert {type(width) for width in architecture.hidden_features} == {int}


def test_hidden_features_may_be_any_sequence():
    expected = Architecture(3, (4, 5), 2)
    for widths in ([4, 5], range(4, 6), np.array([4, 5]), (width for width in (4, 5))):
        assert Architecture(3, widths, 2) == expected


def test_other_settings_become_plain_values():
    architecture = Architecture(
        3,
        (3, 3),
        2,
        activation=["relu", "tanh"],
        dropout=np.array([0, 0.25]),
        bias=np.bool_(False),
        residual=np.bool_(True),
    )
    assert architecture.activation == ("relu", "tanh")
    assert architecture.dropout == (0.0, 0.25)
    assert {type(rate) for rate in architecture.dropout} == {float}
    assert architecture.bias is False
    assert architecture.residual is True
    assert type(Architecture(3, (4,), 2, dropout=Fraction(1, 4)).dropout) is float
    assert type(Architecture(3, (4,), 2, dropout=np.float32(0.25)).dropout) is float
    assert type(Architecture(3, (4,), 2, dropout=0).dropout) is float
    assert Architecture(3, (4,), 2, noise=np.array([1, 0])).noise == (1.0, 0.0)
    assert type(Architecture(3, (4,), 2, noise=1).noise) is float


def test_defaults():
    architecture = Architecture(3, (4,), 2)
    assert dataclasses.asdict(architecture) == {
        "in_features": 3,
        "hidden_features": (4,),
        "out_features": 2,
        "activation": "relu",
        "output": "identity",
        "dropout": 0.0,
        "normalization": None,
        "bias": True,
        "residual": False,
        "embeddings": None,
        "noise": 0.0,
    }


def test_neutral_settings_need_no_hidden_layers():
    assert Architecture(3, (), 2, dropout=()).hidden_layers == ()
    assert Architecture(3, (), 2, dropout=0.0, normalization=None, activation=()).n_parameters == 8


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Architecture)])
def test_is_frozen(field):
    architecture = Architecture(3, (4,), 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(architecture, field, getattr(architecture, field))


def test_is_hashable_by_its_values():
    one = Architecture(3, [4], 2, activation=["tanh"], dropout=[0.5])
    other = Architecture(3, (4,), 2, activation=("tanh",), dropout=(0.5,))
    assert hash(one) == hash(other)
    assert {one: "found"}[other] == "found"
    assert one != Architecture(3, (4,), 2, activation=("tanh",), dropout=(0.25,))


def test_one_value_for_all_is_the_same_as_one_for_each():
    each = Architecture(3, (4, 5), 2, activation=("tanh", "tanh"), dropout=(0.5, 0.5))
    assert each == Architecture(3, (4, 5), 2, activation="tanh", dropout=0.5)
    assert hash(each) == hash(Architecture(3, (4, 5), 2, activation="tanh", dropout=0.5))
    assert Architecture(3, (4, 5), 2, noise=[0.1] * 3) == Architecture(3, (4, 5), 2, noise=0.1)
    assert Architecture(3, (), 2, noise=[0.1]) == Architecture(3, (), 2, noise=0.1)


def test_noise_is_on_the_inputs_and_before_each_activation():
    for noise, inputs, hidden in ((0.3, 0.3, [0.3, 0.3]), ((0.3, 0, 0.1), 0.3, [0, 0.1])):
        architecture = Architecture(3, (4, 5), 2, normalization="batch", noise=noise)
        assert architecture.input_noise == inputs
        assert [layer.noise for layer in architecture.hidden_layers] == hidden
    assert architecture.operations == (
        ("noise 0.3", "affine", "batch norm", "relu"),
        ("affine", "batch norm", "noise 0.1", "relu"),
        ("affine", "identity"),
    )
    assert Architecture(3, (), 2, noise=0.3).operations == (("noise 0.3", "affine", "identity"),)
    assert "noise 0.3 → affine → batch norm" in architecture._repr_html_()


def test_hidden_layers_resolve_each_setting():
    architecture = Architecture(
        4, (4, 6), 2, activation=("relu", "tanh"), dropout=0.5, normalization="layer", residual=True
    )
    assert architecture.hidden_layers == (
        HiddenLayer(4, 4, True, "layer", "relu", 0.5, True),
        HiddenLayer(4, 6, True, "layer", "tanh", 0.5, False),  # too wide for its input: no shortcut
    )


def test_there_is_no_bias_before_batch_normalisation():
    hidden = {
        normalization: Architecture(3, (4,), 2, normalization=normalization).hidden_layers[0]
        for normalization in (None, "layer", "batch")
    }
    assert [layer.bias for layer in hidden.values()] == [True, True, False]
    assert [layer.n_parameters for layer in hidden.values()] == [16, 24, 20]


def test_counts_a_network_by_hand():
    # 784·32+32 + 32·64+64 + 64·128+128 + 128·64+64 + 64·10+10
    assert Architecture(784, (32, 64, 128, 64), 10).n_parameters == 44458


def test_counts_the_perceptron():
    assert Architecture(7, (), 1).n_parameters == 8
    assert Architecture(7, (), 1, bias=False).n_parameters == 7


def test_counts_embeddings_by_hand():
    embeddings = Embeddings([(0, 48), (3, 1)], [(1, 5)], width=8)
    architecture = Architecture(5, (6,), 2, embeddings=embeddings)
    first = architecture.hidden_layers[0]
    assert first.in_features == 2 + 3 * 8
    assert first.operations == ("embeddings", "affine", "relu")
    # (48 + 1) + (1 + 1) + 5 vectors of 8 numbers; then 26·6+6 + 6·2+2
    assert architecture.n_parameters == 56 * 8 + 162 + 14
    assert architecture.hidden_layers[1:] == ()


def test_a_layer_behind_embeddings_has_no_shortcut():
    embeddings = Embeddings([(0, 2)], width=3)
    architecture = Architecture(2, (4, 4), 1, residual=True, embeddings=embeddings)
    assert [layer.residual for layer in architecture.hidden_layers] == [False, True]
    assert [layer.embeddings for layer in architecture.hidden_layers] == [embeddings, None]


@st.composite
def embeddings(draw, in_features):
    """Draw embeddings of at least one input."""
    places = draw(st.lists(st.integers(0, in_features - 1), min_size=1, unique=True))
    pairs = [(place, draw(st.integers(1, 5))) for place in places]
    n_numbers = draw(st.integers(0, len(pairs)))
    width, speed = draw(st.integers(1, 4)), draw(st.floats(0.1, 10))
    return Embeddings(pairs[:n_numbers], pairs[n_numbers:], width, speed)


@st.composite
def architectures(draw):
    """Any architecture: settings that need a hidden layer, or a square one, only where it is."""
    width = st.integers(1, 6)
    in_features = draw(width)
    hidden = tuple(draw(st.lists(width, max_size=4)))
    name = st.sampled_from(list(ACTIVATIONS))
    rate = st.floats(0, 1, exclude_max=True)
    each = {"min_size": len(hidden), "max_size": len(hidden)}
    settings = {
        "activation": draw(name | st.lists(name, **each).map(tuple)),
        "output": draw(st.sampled_from(list(OUTPUTS))),
        "bias": draw(st.booleans()),
    }
    if hidden:
        settings["dropout"] = draw(rate | st.lists(rate, **each).map(tuple))
        settings["normalization"] = draw(st.sampled_from([None, "batch", "layer"]))
        settings["embeddings"] = draw(st.none() | embeddings(in_features))
    std = st.floats(0, 1e6)
    stds = draw(st.lists(std, min_size=len(hidden) + 1, max_size=len(hidden) + 1))
    if settings.get("embeddings"):
        settings["noise"] = (0.0, *stds[1:])
    else:
        settings["noise"] = draw(st.just(tuple(stds)) | std)
    widths = (None if settings.get("embeddings") else in_features, *hidden)
    if any(a == b for a, b in zip(widths, hidden, strict=False)):
        settings["residual"] = draw(st.booleans())
    return Architecture(in_features, hidden, draw(width), **settings)


@given(architectures())
def test_n_parameters_is_the_closed_form_and_what_is_built(architecture):
    widths = (
        architecture.in_features,
        *architecture.hidden_features,
        architecture.out_features,
    )
    expected = 0
    if (found := architecture.embeddings) is not None:
        sizes = [m + 1 for _, m in found.numbers] + [n for _, n in found.categories]
        expected += sum(sizes) * found.width
        widths = (widths[0] - len(sizes) + len(sizes) * found.width, *widths[1:])
    expected += sum(a * b for a, b in itertools.pairwise(widths))
    if architecture.bias:
        # Batch normalisation subtracts the mean, and any bias with it: there is none before it.
        batch = architecture.normalization == "batch"
        expected += architecture.out_features if batch else sum(widths[1:])
    if architecture.normalization:
        expected += 2 * sum(architecture.hidden_features)
    assert architecture.n_parameters == expected

    net = MLP(architecture, rng=np.random.default_rng(0))
    arrays = [array for pair in net.weights for array in pair if array is not None]
    assert sum(array.size for array in arrays) == expected
    assert net.parameters.shape == (expected,)


@given(architectures())
def test_json_round_trip(architecture):
    text = architecture.to_json()
    again = Architecture.from_json(text)
    assert again == architecture
    assert again.to_json() == text
    assert hash(again) == hash(architecture)


def test_json_has_one_key_a_field():
    text = Architecture(np.int64(3), [4], 2, dropout=np.float32(0.5)).to_json()
    assert json.loads(text) == {
        "in_features": 3,
        "hidden_features": [4],
        "out_features": 2,
        "activation": "relu",
        "output": "identity",
        "dropout": 0.5,
        "normalization": None,
        "bias": True,
        "residual": False,
        "embeddings": None,
        "noise": 0.0,
    }


def test_embeddings_are_an_object_in_json():
    architecture = Architecture(3, (4,), 2, embeddings=Embeddings([(0, 2)], [(2, 3)], 4, 2.0))
    assert json.loads(architecture.to_json())["embeddings"] == {
        "numbers": [[0, 2]],
        "categories": [[2, 3]],
        "width": 4,
        "speed": 2.0,
    }


def test_json_may_leave_out_what_has_a_default():
    text = '{"in_features": 3, "hidden_features": [4], "out_features": 2}'
    assert Architecture.from_json(text) == Architecture(3, (4,), 2)


# Names of the tests, the text, the error's class and its whole message.
DAMAGED = {
    "empty": (
        "",
        InvalidArgumentError,
        "an Architecture must be a JSON object; Expecting value: line 1 column 1 (char 0)",
    ),
    "cut off": (
        '{"in_features": 3',
        InvalidArgumentError,
        "an Architecture must be a JSON object; Expecting ',' delimiter: line 1 column 18 "
        "(char 17)",
    ),
    "a list": ("[3, 4]", InvalidArgumentError, "an Architecture must be a JSON object; got list"),
    "null": ("null", InvalidArgumentError, "an Architecture must be a JSON object; got NoneType"),
    "unknown field": (
        '{"in_features": 3, "hidden": [4], "out_features": 2}',
        UnknownNameError,
        f"field of Architecture must be one of {FIELDS}; got 'hidden'",
    ),
    "misspelt field": (
        '{"in_feature": 3}',
        UnknownNameError,
        f"field of Architecture must be one of {FIELDS}; got 'in_feature', "
        "did you mean 'in_features'?",
    ),
    "missing fields": (
        '{"in_features": 3}',
        InvalidArgumentError,
        "an Architecture needs in_features, hidden_features, out_features; missing: "
        "hidden_features, out_features",
    ),
    "a field of another type": (
        '{"in_features": "3", "hidden_features": [4], "out_features": 2}',
        InvalidTypeError,
        "in_features of Architecture must be a positive integer; got '3'",
    ),
    "NaN": (
        '{"in_features": 3, "hidden_features": [4], "out_features": 2, "dropout": NaN}',
        InvalidArgumentError,
        "an Architecture must be a JSON object; numbers in JSON must be finite; got NaN",
    ),
    "a field twice": (
        '{"in_features": 3, "hidden_features": [4], "out_features": 2, "out_features": 3}',
        InvalidArgumentError,
        "an Architecture must be a JSON object; the name 'out_features' appears twice in one JSON "
        "object",
    ),
    **{
        f"embeddings that are {embeddings}": (
            '{"in_features": 3, "hidden_features": [4], "out_features": 2, '
            f'"embeddings": {embeddings}}}',
            error_type,
            message,
        )
        for embeddings, error_type, message in [
            (
                "[[0, 2]]",
                InvalidArgumentError,
                "embeddings of an Architecture must be an object of categories, numbers, speed, "
                "width",
            ),
            (
                '{"numbers": [[0, 2]], "widht": 3}',
                InvalidArgumentError,
                "embeddings of an Architecture must be an object of categories, numbers, speed, "
                "width",
            ),
            (
                '{"numbers": [[0, 2, 3]]}',
                InvalidArgumentError,
                "numbers[0] of Embeddings must be a pair of an input's index and a size; "
                "got [0, 2, 3]",
            ),
            (
                '{"numbers": [[0, 2]], "width": 8.0}',
                InvalidTypeError,
                "width of Embeddings must be a positive integer; got 8.0",
            ),
            (
                '{"categories": [[7, 2]]}',
                InvalidArgumentError,
                "embeddings of Architecture must have indices below in_features=3; got 7",
            ),
        ]
    },
}


@pytest.mark.parametrize("case", list(DAMAGED))
def test_damaged_json_is_refused(case):
    text, error_type, message = DAMAGED[case]
    with pytest.raises(MultilayerError) as caught:
        Architecture.from_json(text)
    assert str(caught.value) == message
    assert type(caught.value) is error_type


def test_json_nested_too_deeply_is_refused():
    with pytest.raises(InvalidArgumentError) as caught:
        Architecture.from_json("[" * 200_000)
    assert str(caught.value).startswith("an Architecture must be a JSON object; ")


def test_json_with_a_number_of_too_many_digits_is_refused():
    # Python refuses to read integers of more than 4300 digits, with a plain ValueError.
    text = '{"in_features": ' + "1" * 5000 + ', "hidden_features": [4], "out_features": 2}'
    with pytest.raises(InvalidArgumentError) as caught:
        Architecture.from_json(text)
    assert str(caught.value).startswith("an Architecture must be a JSON object; ")


@settings(max_examples=200)
@given(data=st.data())
def test_json_cut_or_changed_anywhere_is_read_or_refused_by_the_packages_own_error(data):
    embeddings = Embeddings([(0, 2)], [(2, 3)], width=4)
    settings = {"dropout": (0.5, 0.0), "normalization": "batch", "embeddings": embeddings}
    settings["noise"] = (0.0, 0.1, 0.2)
    text = Architecture(3, (4, 3), 2, **settings).to_json()
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=3)) + text[stop:]
    try:
        read = Architecture.from_json(damaged)
    except MultilayerError:
        return
    assert Architecture.from_json(read.to_json()) == read
