"""AdversarialPlan: the passes of a step with an adversary, each a `Plan` with arrays of its own."""

from typing import Any

import numpy.typing as npt

from multilayer.numpy.adversaries import Adversary, prediction
from multilayer.numpy.fast.criteria import Criterion, plain_criterion
from multilayer.numpy.fast.plan import Plan
from multilayer.numpy.losses import Loss
from multilayer.numpy.network import Network, Pair

__all__ = ["AdversarialPlan", "n_gradients", "n_passes"]

Array = npt.NDArray[Any]


def n_passes(adversary: Adversary | None) -> int:
    """Return the number of forward passes of a step."""
    return 1 if adversary is None else 2 + adversary.n_near


def n_gradients(adversary: Adversary | None) -> int:
    """Return the number of gradients of a step that are added up."""
    return 1 if adversary is None or adversary.own_weight == 0 else 2


class AdversarialPlan:
    """What `Adversary.value_and_gradient` defines, without the penalty, computed as by a `Plan`.

    Parameters
    ----------
    network : Network
    gradients : list of list of (dW, db)
        The arrays of each of `n_gradients`.
    drawn : list of array
        As for `Plan`, for each of `n_passes` one after the other.
    normals : array of shape (n_rows, in_features) or (K, n_rows, in_features), optional
        The numbers that a virtual adversary begins with, drawn before each step.
    criterion : callable
        That of the samples as they are.
    n_rows : int
    adversary : Adversary
    loss : Loss
        That of the samples as they are.
    """

    def __init__(
        self,
        network: Network,
        gradients: list[list[Pair]],
        drawn: list[Array],
        normals: Array | None,
        criterion: Criterion,
        n_rows: int,
        adversary: Adversary,
        loss: Loss,
    ) -> None:
        self.network, self.adversary, self.normals = network, adversary, normals
        self.judge, self.judging = adversary.judge(loss), criterion
        if adversary.is_virtual:
            self.judging = plain_criterion(self.judge, network.link)
        n = len(drawn) // n_passes(adversary)
        of_pass = iter([drawn[n * i : n * (i + 1)] for i in range(n_passes(adversary))])
        of_own = gradients[0] if adversary.own_weight else None
        self.own = Plan(
            network, of_own, next(of_pass), criterion, n_rows, need_dx=not adversary.is_virtual
        )
        self.near = [
            Plan(network, None, next(of_pass), self.judging, n_rows, need_dx=True)
            for _ in range(adversary.n_near)
        ]
        self.far = Plan(network, gradients[-1], next(of_pass), self.judging, n_rows)

    def run(self, x: Array, targets: Array, shares: Array) -> Array:
        """Return the loss and leave the gradients in their arrays: see `Plan.run`."""
        v, w = (shares.dtype.type(f) for f in (self.adversary.own_weight, self.adversary.weight))
        self.own.forward(x)
        judged, least = targets, None
        if self.adversary.is_virtual:
            z = self.own.logits
            judged = prediction(self.judge, self.network, z.copy())
            self.judging(z.copy(), judged, w * shares, self.far.values)
            least = self.far.values.copy()
        # With no weight of its own, the pass is only there for its gradient in x.
        dx = self.own.backward(targets, v * shares if v else shares)
        near = iter(self.near)

        def uphill(x: Array) -> Array:
            plan = next(near)
            plan.forward(x)
            return _found(plan.backward(judged, shares))

        first = _found(dx if self.normals is None else self.normals)
        values = self.far.run(self.adversary.move(x, first, uphill), judged, w * shares)
        if least is not None:
            values -= least
        if v:
            values += self.own.values
        return values

    def update_state(self) -> None:
        """Update the layers' state with the statistics of the samples as they are."""
        self.own.update_state()


def _found(dx: Array | None) -> Array:
    assert dx is not None  # the trainer refuses networks that embed categories
    return dx
