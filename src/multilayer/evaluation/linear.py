"""The linear model that others are compared with."""

from typing import Any

__all__ = ["linear_model"]

N_ITERATIONS = 100


def linear_model(task: str) -> Any:
    """Return scikit-learn's logistic regression for classification, ridge regression for values.

    A hundred iterations are a rough fit, which will do for a comparison.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(max_iter=N_ITERATIONS) if task == "classification" else Ridge()
