"""The geometry of a linear classifier: a hyperplane, its normal, and distances from it."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError

__all__ = ["Hyperplane", "decision_hyperplane"]

Array = npt.NDArray[Any]


class _Network(Protocol):
    @property
    def architecture(self) -> Architecture: ...

    @property
    def weights(self) -> list[tuple[Any, Any]]: ...


@dataclass(frozen=True, eq=False)
class Hyperplane:
    r"""The points x with :math:`w^⊤ x + b = 0`.

    Three facts describe it completely. First, w is normal to it: w·x + b = 0 holds for any two of
    its points, so :math:`w^⊤(x_1 - x_2) = 0`. Second, its distance from the origin, measured along
    w, is :math:`-b/‖w‖`, since its points have :math:`w^⊤ x/‖w‖ = -b/‖w‖`. Third, the signed
    distance of any point from it is :math:`(w^⊤ x + b)/‖w‖`, positive on the side w points to.

    Attributes
    ----------
    w : array of shape (in_features,)
        The normal vector, of any length above 0.
    b : float
        The offset.

    Examples
    --------
    >>> line = Hyperplane(w=np.array([3.0, 4.0]), b=-10.0)
    >>> line.distance_from_origin
    2.0
    >>> line.normal
    array([0.6, 0.8])
    >>> line.signed_distances([[0.0, 0.0], [3.0, 4.0]])
    array([-2.,  3.])
    """

    w: Array
    b: float

    def __post_init__(self) -> None:
        w = checks.finite_array(self.w, "w", np.float64, "Hyperplane")
        if w.ndim != 1:
            raise InvalidDataError("must have shape (in_features,)", "w", "Hyperplane", got=w.shape)
        object.__setattr__(self, "w", w.copy())
        object.__setattr__(self, "b", checks.real(self.b, "b", "Hyperplane"))
        if not np.any(self.w):
            rule = "must not be zero: without a direction there is no hyperplane"
            raise InvalidArgumentError(rule, "w", "Hyperplane")

    @property
    def normal(self) -> Array:
        """The unit normal w/‖w‖."""
        return self.w / np.linalg.norm(self.w)

    @property
    def distance_from_origin(self) -> float:
        """The distance −b/‖w‖, positive if the normal points from the origin to the hyperplane."""
        return float(-self.b / np.linalg.norm(self.w))

    def signed_distances(self, X: object) -> Array:
        """Return (w·x + b)/‖w‖ for each sample; the sign shows which side the sample is on.

        Parameters
        ----------
        X : array of shape (n_samples, in_features)
        """
        x = checks.sample_matrix(X, self.w.size, np.float64)
        return np.asarray((x @ self.w + self.b) / np.linalg.norm(self.w))


def decision_hyperplane(net: _Network, classes: tuple[int, int] = (0, 1)) -> Hyperplane:
    """Return the hyperplane where a network without hidden layers is undecided.

    With one output, its logit is 0 there, and class 1 is on the positive side. With several, the
    logits of two classes are equal there: w = wⱼ − wᵢ and b = bⱼ − bᵢ, with class j on the positive
    side.

    Parameters
    ----------
    net : MLP
        A network of either engine, without hidden layers.
    classes : tuple of two int
        The classes i and j, for a network with several outputs.

    Raises
    ------
    InvalidArgumentError
        If the network has hidden layers, which bend the boundary, or does not have these classes.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> perceptron = MLP(Architecture(in_features=2, hidden_features=(), out_features=1))
    >>> perceptron.set_weights([([[3.0, 4.0]], [-10.0])])
    >>> decision_hyperplane(perceptron).distance_from_origin
    2.0
    """
    architecture = net.architecture
    if architecture.hidden_features:
        raise InvalidArgumentError(
            "needs a network without hidden layers",
            "decision_hyperplane",
            got=f"hidden_features {architecture.hidden_features}",
        )
    W, b = (None if array is None else np.asarray(array, np.float64) for array in net.weights[0])
    assert W is not None
    if b is None:
        b = np.zeros(len(W))
    if len(W) == 1:
        if classes != (0, 1):
            raise InvalidArgumentError(
                "apply to several outputs",
                "classes",
                "decision_hyperplane",
                got=f"{classes!r} for 1",
            )
        return Hyperplane(W[0], float(b[0]))
    pair = tuple(classes) if isinstance(classes, (tuple, list)) else ()
    if len(pair) != 2 or pair[0] == pair[1] or not all(c in range(len(W)) for c in pair):
        rule = f"must be two of 0 to {len(W) - 1}"
        raise InvalidArgumentError(rule, "classes", "decision_hyperplane", got=repr(classes))
    i, j = pair
    return Hyperplane(W[j] - W[i], float(b[j] - b[i]))
