"""scikit-learn's checks of any estimator, on both engines."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from multilayer import MLPClassifier, MLPRegressor


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        Estimator(max_iter=100, engine=engine)
        for engine in ("numpy", "torch")
        for Estimator in (MLPClassifier, MLPRegressor)
    ]
)
def test_checks(estimator, check):
    check(estimator)
