r"""Adversaries: training on samples close to the true ones, where the loss is largest.

Each adds a second loss to the objective: that of samples x + r, made from the batch's samples x
with gradients with respect to the inputs. r is held constant when the loss is differentiated with
respect to θ: the network learns to be right at x + r, not to make r small.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.numpy.activations import OUTPUTS
from multilayer.numpy.activations.base import Array
from multilayer.numpy.losses import BinaryCrossEntropy, CrossEntropy, Loss, SquaredError
from multilayer.numpy.network import Network, Pass
from multilayer.numpy.objective import Batch, Objective
from multilayer.numpy.sensitivity import to_inputs

__all__ = ["Adversarial", "Adversary", "VirtualAdversarial", "divergence_of", "prediction"]

Moves = Generator[Array, Array, Array]

SMALL = 0.01
"""The distance from x at which the virtual adversary measures the curvature, as a fraction of ε. At
smaller distances, the rounding errors of float32 are too large."""

LINKS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}
"""For each loss of a divergence, the link that turns logits into the distribution it compares."""


@dataclass(frozen=True)
class Adversary:
    r"""Moves the samples of a batch from x to x + r, and adds the loss of the moved samples.

    .. math:: \tilde J = v\, J + w\, J_{\text{moved}}

    with v = 1 unless a subclass overrides `own_weight`.

    Parameters
    ----------
    epsilon : float
        ε > 0: how far to move, in the units of the inputs.
    weight : float
        w.
    n_steps : int
        The number of gradients with respect to the inputs that are computed to find r.
    """

    epsilon: float
    weight: float = 1.0
    n_steps: int = 1

    weights: ClassVar[str] = "(0, inf)"
    """The interval of `weight`."""
    is_virtual: ClassVar[bool]
    """Whether the moved samples are compared with the prediction for x, not with the targets."""

    def __post_init__(self) -> None:
        owner = type(self).__name__
        for name, interval in (("epsilon", "(0, inf)"), ("weight", self.weights)):
            value = checks.real(getattr(self, name), name, owner, interval)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "n_steps", checks.integer(self.n_steps, "n_steps", owner))

    @property
    def own_weight(self) -> float:
        """v, the weight of the unmoved samples."""
        return 1.0

    @property
    def n_near(self) -> int:
        """The number of times that `move` yields."""
        raise NotImplementedError

    def move(self, x: Array, first: Array) -> Moves:
        """Yield samples near x, to be sent the gradient at each; return x + r.

        Parameters
        ----------
        x : array of shape (n_samples, in_features)
        first : array of x's shape
            The direction to start in: normal random numbers for a virtual adversary, else ∂J/∂x.
        """
        raise NotImplementedError

    def judge(self, loss: Loss) -> Loss:
        """Return the loss for moved samples, given the loss for the unmoved ones."""
        return divergence_of(loss) if self.is_virtual else loss

    def value_and_gradient(
        self,
        objective: Objective,
        network: Network,
        batch: Batch,
        directions: Any,
        **mode: Any,
    ) -> tuple[Any, Array, Pass]:
        """Return the same as `Objective.value_and_gradient`, with the adversary's loss included.

        The forward pass is that of the unmoved samples: only they update running statistics.

        Parameters
        ----------
        objective, network, batch
        directions : numpy.random.Generator
            Draws the directions in which a virtual adversary starts.
        **mode
            `training` and `rng`: see `Layer.forward`.
        """
        judge, judged, least = Objective(self.judge(objective.loss)), batch, 0.0
        own = network.forward(batch.x, **mode)
        value, dz = objective.loss_and_dz(network, own.logits, batch)
        if self.is_virtual:
            judged = batch._replace(targets=prediction(judge.loss, network, own.logits))
            least, _ = judge.loss_and_dz(network, own.logits, judged)  # not 0 for a cross-entropy
            first = directions.standard_normal(batch.x.shape, dtype=batch.x.dtype)
        else:
            first = to_inputs(network, dz, own)

        def uphill(x: Array) -> Array:
            near = network.forward(x, **mode)
            return to_inputs(network, judge.loss_and_dz(network, near.logits, judged)[1], near)

        far = network.forward(_moved(self.move(batch.x, first), uphill), **mode)
        moved, dz_far = judge.loss_and_dz(network, far.logits, judged)
        v, w = self.own_weight, self.weight
        total = v * value + w * (moved - least)
        gradient = v * network.backward(dz, own) + w * network.backward(dz_far, far)
        if np.any(objective.l1) or np.any(objective.l2):
            total = total + objective.penalty(network)
            objective.add_penalty_gradient(network, gradient)
        return total, gradient, own


@dataclass(frozen=True)
class Adversarial(Adversary):
    r"""Takes part of the loss from samples moved uphill (Goodfellow et al. 2015, section 6).

    .. math:: \tilde J = (1 - w)\, J(x) + w\, J(x + r), \qquad
              r = ε \operatorname{sign} \frac{∂ℓ}{∂x}.

    With n steps of ε/n, each from where the last one ended (Kurakin et al. 2017, eq. 2), r follows
    a curved loss; no entry of r exceeds ε.

    Parameters
    ----------
    epsilon : float
        ε > 0, the largest change of an input, in the units of the inputs.
    weight : float
        w in (0, 1].
    n_steps : int
        1 is the fast gradient sign method.

    Examples
    --------
    >>> Adversarial(0.1)
    Adversarial(epsilon=0.1, weight=0.5, n_steps=1)
    """

    weight: float = 0.5

    weights = "(0, 1]"
    is_virtual = False

    @property
    def own_weight(self) -> float:
        return 1 - self.weight

    @property
    def n_near(self) -> int:
        return self.n_steps - 1  # the first gradient is taken at the unmoved samples

    def move(self, x: Array, first: Array) -> Moves:
        length = x.dtype.type(self.epsilon / self.n_steps)
        x = x + length * np.sign(first)
        for _ in range(self.n_near):
            x = x + length * np.sign((yield x))
        return x


@dataclass(frozen=True)
class VirtualAdversarial(Adversary):
    r"""Adds how much the prediction can change within a distance ε of x (Miyato et al. 2018).

    .. math:: J̃ = J + w\, \frac1n \sum_i D\big[f(x_i), f(x_i + r_i)\big], \qquad
              r_i = \arg\max_{‖r‖_2 ≤ ε} D\big[f(x_i), f(x_i + r)\big]

    (their eqs. 5 to 8). D is the Kullback-Leibler divergence of the predicted distributions, or
    ½ ‖f(x) − f(x + r)‖² for real values; its argument f(x) is held constant. No targets are needed,
    hence "virtual". Near r = 0, D ≈ ½ rᵀHr, so the best r has the direction of H's dominant
    eigenvector, which the power method finds: from a random unit vector d, with a small ξ,

    .. math:: d ← \frac{g}{‖g‖_2}, \qquad g = \frac{∂}{∂r} D\big[f(x), f(x + r)\big]_{r = ξd} ≈ ξHd

    (eqs. 9 to 12), and r = εd. For the gradient of D with respect to the logits of f(x + r), see
    `divergence_of`.

    Parameters
    ----------
    epsilon : float
        ε > 0, a distance in the units of the inputs.
    weight : float
        w > 0, their λ.
    n_steps : int
        The number of steps of the power method; one is enough (section 3.3).

    Examples
    --------
    >>> VirtualAdversarial(2.1)
    VirtualAdversarial(epsilon=2.1, weight=1.0, n_steps=1)
    """

    is_virtual = True

    @property
    def n_near(self) -> int:
        return self.n_steps

    def move(self, x: Array, first: Array) -> Moves:
        dtype = x.dtype.type
        d = _unit(first)
        for _ in range(self.n_near):
            d = _unit((yield x + dtype(SMALL * self.epsilon) * d))
        return x + dtype(self.epsilon) * d


def divergence_of(loss: Loss) -> Loss:
    """Return the loss that, with predictions as targets, is D up to a constant.

    For classes, Σ p log(p/q) is the cross-entropy of q with the targets p, less the entropy of p,
    which is constant: its gradient with respect to the logits is q − p. The same holds for each
    label. For real values, D is the squared error.

    Raises
    ------
    InvalidArgumentError
        If the loss is that of several targets with classes, or of quantiles.
    """
    if loss.name in ("grouped_cross_entropy", "quantile"):
        rule = (
            f"cannot be combined with the loss {loss.name!r}, whose outputs are not one prediction"
        )
        raise InvalidArgumentError(rule, "adversary", "fit")
    if loss.task == "classification":
        return CrossEntropy()
    return BinaryCrossEntropy() if loss.task == "multilabel" else SquaredError()


def prediction(judge: Loss, network: Network, z: Array) -> Array:
    """Return the distribution, or the real values, that the logits z predict."""
    link = LINKS.get(judge.name)
    return (network.link if link is None else OUTPUTS[link]).forward(z)


def _moved(moves: Moves, uphill: Callable[[Array], Array]) -> Array:
    """Run `Adversary.move`, sending it the gradients that it needs; return x + r."""
    try:
        near = next(moves)
        while True:
            near = moves.send(uphill(near))
    except StopIteration as end:
        return np.asarray(end.value)


def _unit(d: Array) -> Array:
    """Scale each row to norm 1; rows of zeros are unchanged."""
    largest = np.abs(d).max(axis=-1, keepdims=True)  # squares of small rows vanish in float32
    d = d / np.where(largest > 0, largest, 1)
    norm = np.sqrt(np.vecdot(d, d))[..., np.newaxis]
    return np.asarray(d / np.where(norm > 0, norm, 1))
