"""AdversarialPlan: the passes of a step with an adversary, each a `Plan` with its own arrays."""

import itertools
from typing import Any

import numpy.typing as npt

from multilayer.numpy.adversaries import Adversary, prediction
from multilayer.numpy.fast.criteria import Criterion, plain_criterion
from multilayer.numpy.fast.normalize import Measured
from multilayer.numpy.fast.plan import Plan
from multilayer.numpy.fast.stages import Turns
from multilayer.numpy.layers import Layer
from multilayer.numpy.losses import Loss
from multilayer.numpy.network import Network, Pair

__all__ = ["AdversarialPlan", "n_gradients", "n_passes"]

Array = npt.NDArray[Any]


def n_passes(adversary: Adversary | None) -> int:
    """Return the number of forward passes in a step."""
    return 1 if adversary is None else 2 + adversary.n_near


def n_gradients(adversary: Adversary | None) -> int:
    """Return the number of parameter gradients that a step adds up."""
    return 1 if adversary is None or adversary.own_weight == 0 else 2


class AdversarialPlan:
    """The counterpart of `Plan` for a step with an adversary.

    It computes `Adversary.value_and_gradient` without the penalty.

    Parameters
    ----------
    network : Network
    gradients : list of list of (dW, db)
        The arrays for each of the `n_gradients` gradients.
    drawn : list of array
        As for `Plan`: the arrays of the first pass, then those of the second, and so on.
    normals : array of shape (n_rows, in_features) or (K, n_rows, in_features), optional
        The random directions that a virtual adversary starts from, drawn before each step.
    criterion : callable
        The criterion for the original samples.
    n_rows : int
    adversary : Adversary
    loss : Loss
        The loss of the original samples.
    measured : list of dict of Measured
        As for `Plan`, one for each pass.
    part : int
        The number of this worker.
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
        *,
        measured: list[dict[Layer, Measured]],
        part: int,
    ) -> None:
        self.network, self.adversary, self.normals = network, adversary, normals
        self.judge, self.judging = adversary.judge(loss), criterion
        if adversary.is_virtual:
            self.judging = plain_criterion(self.judge, network.link)
        n = len(drawn) // n_passes(adversary)

        def plan(i: int, of_pass: list[Pair] | None, kind: Criterion, need_dx: bool) -> Plan:
            own = drawn[n * i : n * (i + 1)]
            return Plan(
                network, of_pass, own, kind, n_rows, need_dx=need_dx, measured=measured[i],
                part=part,
            )  # fmt: skip

        of_own = gradients[0] if adversary.own_weight else None
        self.own = plan(0, of_own, criterion, not adversary.is_virtual)
        self.near = [plan(1 + i, None, self.judging, True) for i in range(adversary.n_near)]
        self.far = plan(1 + adversary.n_near, gradients[-1], self.judging, False)

    @property
    def values(self) -> Array:
        """The loss of the rows, of shape (K,) or (1,): see `Plan.run`."""
        return self.far.values

    def run(self, x: Array, targets: Array, shares: Array) -> Array:
        """Return the loss and leave the gradients in their arrays: see `Plan.run`."""
        for _ in self.run_in_turns(x, targets, shares):
            pass  # no other workers to wait for
        return self.values

    def run_in_turns(self, x: Array, targets: Array, shares: Array) -> Turns:
        """Do the work of `run` in turns: see `Plan.run_in_turns`."""
        v, w = (shares.dtype.type(f) for f in (self.adversary.own_weight, self.adversary.weight))
        yield from self.own.forward_in_turns(x)
        judged, least = targets, None
        if self.adversary.is_virtual:
            z = self.own.logits
            judged = prediction(self.judge, self.network, z.copy())
            self.judging(z.copy(), judged, w * shares, self.far.values)
            least = self.far.values.copy()
        # If the original samples have weight 0, this pass only serves to compute dx.
        dx = yield from self.own.backward_in_turns(targets, v * shares if v else shares)
        first = dx if self.normals is None else self.normals
        moves = self.adversary.move(x, first)
        try:
            near = next(moves)
            for i in itertools.count():
                plan = self.near[i]
                yield from plan.forward_in_turns(near)
                near = moves.send((yield from plan.backward_in_turns(judged, shares)))
        except StopIteration as end:
            x = end.value
        yield from self.far.run_in_turns(x, judged, w * shares)
        if least is not None:
            self.far.values -= least
        if v:
            self.far.values += self.own.values

    def update_state(self) -> None:
        """Update the layers' state with the statistics of the original samples."""
        self.own.update_state()
