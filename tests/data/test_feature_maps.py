"""Fixed features against scikit-learn's and SciPy's, and what they make linear."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel

from multilayer.data import FourierFeatures, RadialBasisFeatures, toy
from multilayer.errors import InvalidArgumentError, InvalidDataError

X = np.random.default_rng(0).normal(size=(20, 2))


def test_radial_basis_is_the_gaussian_kernel_at_a_grid():
    features = RadialBasisFeatures(n_centers=4, half_width=2.0, scale=0.7)(X)
    along = np.linspace(-2, 2, 4)
    centers = np.array([(a, b) for a in along for b in along])
    assert np.allclose(features, rbf_kernel(X, centers, gamma=1 / (2 * 0.7**2)))


def test_fourier_features_repeat_and_are_orthogonal():
    features = FourierFeatures(order=2, period=3.0)
    assert np.allclose(features(X), features(X + np.array([3.0, -6.0])))
    along = np.arange(12) / 12 * 3
    grid = np.array([(a, b) for a in along for b in along])
    waves = features(grid)
    # 24 waves, none of them twice: over a whole period their products are 0, their squares 1/2.
    assert waves.shape == (144, 24)
    assert np.allclose(waves.T @ waves / 144, np.eye(24) / 2)


def test_distances_of_bumps_to_their_own_centers():
    # Half way down at s √(2 ln 2) from the center.
    features = RadialBasisFeatures(n_centers=2, half_width=1.0, scale=0.5)
    centers = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    assert np.allclose(np.diag(features(centers)), 1)
    point = np.array([[1 + 0.5 * np.sqrt(2 * np.log(2)), 1.0]])
    assert np.isclose(cdist(point, centers[-1:])[0, 0], 0.5 * np.sqrt(2 * np.log(2)))
    assert np.isclose(features(point)[0, -1], 0.5)


@pytest.mark.parametrize("features", [RadialBasisFeatures(), FourierFeatures()])
def test_circles_become_separable(features):
    samples, y = toy.circles(200, noise=0.05, rng=np.random.default_rng(0))
    assert LogisticRegression(C=1e4).fit(samples, y).score(samples, y) < 0.7
    phi = features(samples)
    assert LogisticRegression(C=1e4, max_iter=1000).fit(phi, y).score(phi, y) == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FourierFeatures(order=0),
         "order of FourierFeatures must be a positive integer; got 0"),
        (lambda: RadialBasisFeatures(n_centers=1),
         "n_centers of RadialBasisFeatures must be an integer of at least 2; got 1"),
        (lambda: RadialBasisFeatures(scale=0.0),
         "scale of RadialBasisFeatures must be a number in (0, inf); got 0"),
        (lambda: FourierFeatures(period=-1.0),
         "period of FourierFeatures must be a number in (0, inf); got -1"),
    ],
)  # fmt: skip
def test_wrong_parameters(make, message):
    with pytest.raises(InvalidArgumentError) as caught:
        make()
    assert str(caught.value) == message


def test_a_single_sample_is_no_matrix():
    with pytest.raises(InvalidDataError, match="X must have shape"):
        FourierFeatures()([1.0, 2.0])
