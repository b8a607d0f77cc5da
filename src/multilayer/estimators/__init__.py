"""Estimators with scikit-learn's protocol: a drop-in for its MLPClassifier and MLPRegressor."""

from multilayer.estimators.classifier import MLPClassifier
from multilayer.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
