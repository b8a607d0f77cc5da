"""Draw the README's picture: ``python docs/pictures/make.py``, with the extra ``[plot]``."""

import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from multilayer import MLPClassifier, plots
from multilayer.data import toy

HERE = Path(__file__).parent


def spirals() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the samples in the picture, and the spiral that each one is on."""
    return toy.spirals(200, rng=np.random.default_rng(0))


def networks(n_starts: int = 10) -> dict[str, MLPClassifier]:
    """Return networks with 1, 2 and 4 hidden layers of 3 units, each the best of several starts.

    With so few units there are many poor minima, and rounding decides in which one a start ends.
    With this penalty, some of ten starts reach the best minimum or an equally good one, on any
    processor.
    """
    X, y = spirals()
    settings = {"activation": "tanh", "solver": "lbfgs", "alpha": 0.2, "max_fun": 30_000}
    found = {}
    for depth in (1, 2, 4):
        clf = MLPClassifier((3,) * depth, max_iter=2000, **settings)
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            starts = [clone(clf).set_params(random_state=i).fit(X, y) for i in range(n_starts)]
        name = f"{depth} hidden layer{'s' * (depth > 1)} of 3"
        found[name] = min(starts, key=lambda fitted: round(fitted.loss_, 3))  # in a tie, the first
    return found


def decision_boundaries() -> None:
    """Draw the boundaries of networks with 1, 2 and 4 hidden layers of 3 units."""
    plots.decision_boundaries(networks(), *spirals(), resolution=400)
    plt.savefig(HERE / "decision_boundaries.png", dpi=130, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    mpl.use("Agg")
    decision_boundaries()
