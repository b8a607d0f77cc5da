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


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [MLPClassifier(max_iter=100, columns="auto"), MLPRegressor(max_iter=100, columns="auto")],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "medians and quartiles see no weights"
    },
)
def test_checks_of_tables(estimator, check):
    check(estimator)
