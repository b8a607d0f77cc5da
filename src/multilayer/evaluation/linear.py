"""The linear model with which others are compared."""

from typing import Any

__all__ = ["linear_model"]

N_ITERATIONS = 100


def linear_model(task: str) -> Any:
    """Return scikit-learn's logistic regression for classification, else its ridge regression.

    A hundred iterations give a rough fit, which is enough for a comparison.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(max_iter=N_ITERATIONS) if task == "classification" else Ridge()
