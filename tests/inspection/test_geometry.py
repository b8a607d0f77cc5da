"""The hyperplane of a linear classifier, held against plane geometry and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError
from multilayer.inspection import Hyperplane, decision_hyperplane
from multilayer.numpy import MLP

numbers = st.floats(-10, 10).filter(lambda x: abs(x) > 0.1)


@given(w=arrays(float, 3, elements=numbers), b=st.floats(-10, 10))
def test_three_facts(w, b):
    plane = Hyperplane(w, b)
    foot = plane.distance_from_origin * plane.normal
    # The foot of the perpendicular from the origin lies in the plane, and any step along a
    # direction normal to w stays in it; a unit step along the normal leaves it by 1.
    across = np.cross(w, [1.0, 2.0, 4.0])
    points = np.array([foot, foot + across, foot + plane.normal, foot - 2 * plane.normal])
    distances = plane.signed_distances(points)
    np.testing.assert_allclose(distances, [0, 0, 1, -2], atol=1e-9)  # products near 1e3
    assert np.linalg.norm(plane.normal) == pytest.approx(1)


def test_signed_distance_is_scikit_learns_decision_function_over_the_norm():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    model = LogisticRegression().fit(X, X[:, 0] - 2 * X[:, 1] > 0.5)
    net = MLP(Architecture(2, (), 1), dtype="float64")
    net.set_weights([(model.coef_, model.intercept_)])
    expected = model.decision_function(X) / np.linalg.norm(model.coef_)
    np.testing.assert_allclose(decision_hyperplane(net).signed_distances(X), expected, rtol=1e-12)


def test_between_two_classes_the_logits_tie():
    net = MLP(Architecture(4, (), 3), dtype="float64", rng=np.random.default_rng(0))
    X = np.random.default_rng(1).normal(size=(50, 4))
    plane = decision_hyperplane(net, classes=(0, 2))
    logits = net(X)
    on_plane = X - plane.signed_distances(X)[:, np.newaxis] * plane.normal
    np.testing.assert_allclose(*net(on_plane)[:, [0, 2]].T, atol=1e-12)
    assert ((plane.signed_distances(X) > 0) == (logits[:, 2] > logits[:, 0])).all()


def test_without_bias_it_passes_through_the_origin():
    net = MLP(Architecture(2, (), 1, bias=False), rng=np.random.default_rng(0))
    assert decision_hyperplane(net).distance_from_origin == 0


def test_refusals():
    with pytest.raises(InvalidArgumentError) as caught:
        decision_hyperplane(MLP(Architecture(2, (3,), 1)))
    assert str(caught.value) == (
        "decision_hyperplane needs a network without hidden layers; got hidden_features (3,)"
    )
    with pytest.raises(InvalidArgumentError) as caught:
        decision_hyperplane(MLP(Architecture(2, (), 3)), classes=(0, 3))
    assert str(caught.value) == ("classes of decision_hyperplane must be two of 0 to 2; got (0, 3)")
    with pytest.raises(InvalidArgumentError) as caught:
        Hyperplane(np.zeros(2), 1.0)
    assert str(caught.value) == (
        "w of Hyperplane must not be zero: without a direction there is no hyperplane"
    )
