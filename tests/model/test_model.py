"""Models: what does not fit together is refused when it is put together."""

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.errors import InvalidDataError, InvalidTypeError
from multilayer.model import (
    Classes,
    ClassGroups,
    Columns,
    Labels,
    Model,
    Numbers,
    Values,
    targets_from_dict,
)
from multilayer.numpy import MLP

NET = MLP(Architecture(2, (3,), 1, output="sigmoid"), rng=np.random.default_rng(0))
YES_NO = Classes(np.array(["no", "yes"]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"net": 1}, InvalidTypeError, "net of Model must be a MLP; got int"),
        ({"targets": ["a"]}, InvalidTypeError, "targets of Model must be a Targets; got list"),
        ({"inputs": "ab"}, InvalidTypeError, "inputs of Model must be a Inputs; got str"),
        (
            {"inputs": Numbers(3)},
            InvalidDataError,
            "inputs of Model must be as many as the network's, 2; got 3",
        ),
        ({"information": []}, InvalidTypeError, "information of Model must be a dict; got list"),
        (
            {"targets": Labels(3)},
            InvalidDataError,
            "targets of Model need 3 outputs with 'sigmoid'; the network has 1 with 'sigmoid'",
        ),
        (
            {"targets": Values(1)},
            InvalidDataError,
            "targets of Model need 1 outputs with 'identity'; the network has 1 with 'sigmoid'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, message):
    with pytest.raises(error) as caught:
        Model(**{"net": NET, "targets": YES_NO} | arguments)
    assert str(caught.value).startswith(message)


def test_scaling_stands_before_the_network():
    X = np.array([[1.0, 2.0], [3.0, -4.0]])
    mean, scale = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    for inputs, scaled in (
        (Numbers(2, mean, scale), (X - mean) / scale),
        (Numbers(2, mean), X - mean),
        (Numbers(2, scale=scale), X / scale),
        (None, X),
    ):
        np.testing.assert_array_equal(Model(NET, inputs=inputs)(X), NET(scaled))


@pytest.mark.parametrize("classes", [[], [2, 1], [1, 1], [[1, 2]]])
def test_classes_come_in_order_each_once(classes):
    with pytest.raises(InvalidDataError, match=r"^classes must be a sorted vector of distinct"):
        Classes(np.array(classes))


@pytest.mark.parametrize(
    ("mean", "scale"), [([1.0], None), (None, [1.0]), ([1.0], [0.0]), ([1.0], [-1.0])]
)
def test_targets_are_scaled_by_mean_and_a_positive_scale(mean, scale):
    with pytest.raises(InvalidDataError, match=r"^mean and scale of Values must be given together"):
        Values(1, mean=mean, scale=scale)
    with pytest.raises(InvalidDataError, match=r"^mean of Values must have shape \(2,\)"):
        Values(2, mean=[1.0], scale=[1.0, 2.0])


@pytest.mark.parametrize(
    "targets",
    [
        YES_NO,
        Labels(4),
        Values(2, n_each=3, mean=[1.0, 2.0], scale=[0.1, 3.0]),
        ClassGroups([np.array([1, 5]), np.array(["a", "b", "c"])]),
    ],
)
def test_targets_survive_as_a_dict(targets):
    architecture = Architecture(2, (), targets.out_features, output=targets.output)
    again = targets_from_dict({"kind": targets.kind, **targets.to_dict()}, architecture)
    assert type(again) is type(targets)
    assert again.to_dict() == targets.to_dict()
    assert (again.out_features, again.output) == (targets.out_features, targets.output)
    outputs = np.random.default_rng(0).random((5, targets.out_features))
    np.testing.assert_array_equal(again.decode(outputs), targets.decode(outputs))


@pytest.mark.parametrize(
    ("targets", "shown"),
    [
        (None, ""),
        (Classes(np.arange(1200)), ", 1,200 classes"),
        (ClassGroups([np.array([1, 5]), np.array(["a", "b", "c"])]), ", 2 targets of 2, 3 classes"),
        (Labels(4), ", 4 labels"),
        (Values(2), ", 2 values"),
        (Values(1, n_each=3), ", 1 value of 3 quantiles"),
    ],
)
def test_repr_is_one_line(targets, shown):
    n, output = (3, "exp") if targets is None else (targets.out_features, targets.output)
    net = MLP(Architecture(2, (), n, output=output), initializer="zeros")
    inputs = None if targets is None else Numbers(2, names=("height", "age"))
    end = "" if targets is None else ", 2 columns"
    assert repr(Model(net, targets, inputs)) == f"Model({net}{shown}{end})"


def test_notebooks_show_layers_and_columns():
    table = {"age <years>": [20, 30, None], "job": ["cook", "baker", "cook"]}
    columns = Columns.of(table)
    net = MLP(Architecture(columns.in_features, (4,), 1, output="sigmoid"))
    model = Model(net, YES_NO, columns)
    html = model._repr_html_()
    assert html.startswith(f"<div><code>{model!r}</code>{net.architecture._repr_html_()}<table>")
    assert columns._repr_html_() in html
    said = "numeric, median 25, scale 5; missing values"
    assert f"<td>age &lt;years&gt;</td><td>{said}</td><td>2</td>" in html
    assert "<td>job</td><td>2 categories: baker, cook</td><td>2</td>" in html
    assert Model(NET, YES_NO)._repr_html_().count("<table>") == 1
