"""The loss that belongs to targets: scikit-learn's, of the probabilities that the model gives."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error

from multilayer import Architecture
from multilayer.model import (
    Classes,
    ClassGroups,
    Labels,
    Model,
    Values,
    loss_of_data,
    loss_of_output,
)
from multilayer.numpy import LOSSES, MLP, OUTPUTS, BinaryCrossEntropy, CrossEntropy, SquaredError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
WORDS = np.array(["a", "b", "c"])[np.arange(30) % 3]
YES = np.array(["no", "yes"])[np.arange(30) % 2]
LABELS = (RNG.random((30, 4)) > 0.5).astype(int)


def labels_loss(y, p):
    return sum(log_loss(y[:, k], p[:, k]) for k in range(y.shape[1]))


def groups_loss(y, p):
    return sum(log_loss(column, each) for column, each in zip(y.T, p, strict=True))


@pytest.mark.parametrize(
    ("targets", "y", "expected"),
    [
        (Classes(np.unique(YES)), YES, log_loss),
        (Classes(np.unique(WORDS)), WORDS, log_loss),
        (Labels(4), LABELS, labels_loss),
        (
            ClassGroups([np.unique(WORDS), np.unique(YES)]),
            np.column_stack([WORDS, YES]),
            groups_loss,
        ),
    ],
)
def test_classification(targets, y, expected):
    architecture = Architecture(3, (5,), targets.out_features, output=targets.output)
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(1))
    value, _ = net.loss_and_gradients(X, targets.encode(y), loss=targets.loss())
    assert value == pytest.approx(expected(y, Model(net, targets).predict_proba(X)), rel=1e-12)
    assert targets.loss(0.25).label_smoothing == 0.25


def test_regression():
    y = RNG.normal(size=(30, 2))
    net = MLP(Architecture(3, (5,), 2), dtype="float64", rng=np.random.default_rng(1))
    value, _ = net.loss_and_gradients(X, Values(2).encode(y), loss=Values(2).loss())
    predicted = Model(net, Values(2)).predict(X)
    assert value == pytest.approx(mean_squared_error(y, predicted), rel=1e-12)  # of 2 halves
    assert Values(1, output="exp").loss().name == "poisson"
    assert Values(1, n_each=3).loss() is None


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_link_function_has_a_loss_that_takes_it(output):
    loss = loss_of_output(output)
    assert (loss is None) == (output == "identity")
    if loss is not None:
        loss.check_architecture(Architecture(3, (), 2, output=output))
        assert type(loss) in LOSSES.values()


@pytest.mark.parametrize(
    ("y", "out_features", "expected"),
    [
        (np.array([0, 2, 1]), 3, CrossEntropy()),
        (np.array([0, 2, 1]), 1, SquaredError()),
        (np.array([0.0, 2.0, 1.0]), 3, SquaredError()),
        (np.array([[0, 2, 1]]), 3, SquaredError()),
    ],
)
def test_without_a_link_function_the_targets_tell(y, out_features, expected):
    assert loss_of_data(y, out_features) == expected


def test_smoothing_is_handed_on():
    assert loss_of_output("sigmoid", 0.1) == BinaryCrossEntropy(0.1)
