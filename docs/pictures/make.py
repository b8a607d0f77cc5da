"""Draws the pictures of the README: ``python docs/pictures/make.py``, with the extra ``[plot]``."""

import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from sklearn.exceptions import ConvergenceWarning

from multilayer import MLPClassifier, plots
from multilayer.data import toy
from multilayer.inspection import measure_activations

HERE = Path(__file__).parent


def save(name: str) -> None:
    """Write the current figure, with a white ground for pages that are dark."""
    figure = plt.gcf()
    figure.savefig(HERE / f"{name}.png", dpi=130, pil_kwargs={"optimize": True})
    plt.close(figure)


def decision_boundaries() -> None:
    """Draw what 1, 2 and 4 hidden layers of 3 units can tell apart."""
    X, y = toy.spirals(200, rng=np.random.default_rng(0))
    networks = {
        f"{depth} hidden layer{'s' * (depth > 1)} of 3": MLPClassifier(
            (3,) * depth, activation="tanh", solver="lbfgs", alpha=0.02, max_iter=1500,
            max_fun=30_000, random_state=start,
        ).fit(X, y)
        for depth, start in ((1, 0), (2, 11), (4, 8))  # of twelve starts those with the least loss
    }  # fmt: skip
    plots.decision_boundaries(networks, X, y, resolution=400)
    save("decision_boundaries")


def why_relu() -> None:
    """Draw what depth does to gradients, measured."""
    plots.why_relu(measure_activations(rng=np.random.default_rng(0)))
    save("why_relu")


if __name__ == "__main__":
    mpl.use("Agg")
    warnings.filterwarnings("ignore", category=ConvergenceWarning)  # a picture needs no last digits
    decision_boundaries()
    why_relu()
