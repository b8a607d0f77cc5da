"""Estimators with scikit-learn's API; cross-validation and search that train many as one."""

from multilayer.estimators.classifier import MLPClassifier
from multilayer.estimators.cross_validation import cross_validate
from multilayer.estimators.regressor import MLPRegressor
from multilayer.estimators.search import MLPSearchCV
from multilayer.estimators.tabular import TabularClassifier, TabularRegressor

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "MLPSearchCV",
    "TabularClassifier",
    "TabularRegressor",
    "cross_validate",
]
