"""Compare the training of many networks as one with training them one by one.

Contestants take turns within one run, as in `compare.py`: our `Ensemble`, with one order of the
rows for all members and with one for each; the same networks with our `fit`, one by one;
scikit-learn's networks, one by one; and `torch.func.vmap` over stacked modules. A training run
covers everything from an architecture and initial weights to trained networks.

    python benchmarks/many.py                    # all cases, about 10 minutes on two cores
    python benchmarks/many.py --quick            # a smoke run with few samples
    python benchmarks/many.py --case folds

A full run writes ``results/many.json`` and ``results/many.svg``; a quick or partial run writes to
``results/partial/``, which git ignores.

The exit status is 1 if a contestant's losses differ from the others', otherwise 0, whether or not
the goals are met.
"""

import math
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from sklearn.model_selection import KFold

from by_hand import stacked
from cases import Array, Case, Problem, prediction_flops, training_flops
from machine import matrix_products, product_rate
from multilayer.numpy import Adam, Ensemble
from multilayer.training import Callback, History, Run, fit
from peers import Contestant, numpy_engine, scikit
from program import Part, run
from report import Goal, Section, entries_of
from turns import Turn, take_turns, timed

CASES = {
    64: Case(
        "seeds",
        (10, 64, 64, 1),
        64,
        2_000,
        Adam(1e-3),
        20,
        {"sklearn": 10, "one by one": 4, "vmap": 3},
        loss="squared_error",
    ),
    8: Case(
        "folds",
        (100, 256, 256, 256, 10),
        256,
        10_000,
        Adam(1e-3),
        4,
        {"one by one": 1.5, "limit": 0.7},
    ),
}
"""The cases by the number of networks; folds are those of a cross-validation."""
MEMORY_GOAL = 1.0
"""The least total memory of the single training runs, as a multiple of ours."""
HALF_GOAL = 0.6
"""The most time with half the members stopped, as a share of the time with all."""
SAME = 0.01
"""How far a member's loss in an epoch may be from that of the same network trained alone.

It is a share of the loss of guessing. The losses differ only by the order of float32 sums, which
hundreds of steps amplify.
"""
OTHER_ORDER = 0.02
"""The same for the members' mean loss if the rows come in another order."""
QUICK_FACTOR = 5
"""The factor of both tolerances in a quick run: with few steps, their order matters more."""
METHOD = (
    "Contestants take turns, round after round; a first round warms up. Seconds are those of a "
    "whole training run of all networks, medians over the rounds; ratios are medians over the "
    "rounds of peer / ours within a round. All have the same samples in memory, initial weights, "
    "batches, optimizer and number of threads; folds are validated after each epoch. Losses are "
    "compared with those of the same networks one by one. The share of the limit is that of "
    "compare.py, and also counts the products of validation. Memory is tracemalloc's peak during "
    "training, without the samples, in a separate run; for single runs it is that of one times "
    "their number. With half the members stopped after the first epoch, the seconds are those of "
    "each later epoch."
)

Losses = Array
"""The training loss of each member and epoch."""


@dataclass(frozen=True)
class Networks:
    """Networks of one shape, to be trained on the same samples, or each on a part of them."""

    case: Case
    X: Array
    y: Array
    problems: list[Problem]
    """For each network, its weights and its part of the samples."""
    splits: list[tuple[Array, Array]] | None
    """Each network's training and validation rows; None for all rows and no validation."""

    @classmethod
    def of(cls, case: Case, n_members: int) -> "Networks":
        """Return the networks of a case, with samples and drawn initial weights."""
        whole, rng = Problem.of(case), np.random.default_rng(0)
        X, y = whole.X, whole.y
        problems = [replace(whole, weights=case.weights(rng)) for _ in range(n_members)]
        if case.name != "folds":
            return cls(case, X, y, problems, None)
        splits = list(KFold(n_members, shuffle=True, random_state=0).split(X))
        problems = [
            replace(problem, X=X[rows], y=y[rows], held_out=(X[others], y[others]))
            for problem, (rows, others) in zip(problems, splits, strict=True)
        ]
        return cls(case, X, y, problems, splits)

    @property
    def title(self) -> str:
        """A short description."""
        return f"{len(self.problems)} {self.case.name} of {self.case.title}"

    @property
    def n_flops(self) -> int:
        """The operations in the matrix products of all networks' training, with validation."""
        n_rows, held_out = len(self.problems[0].y), self.problems[0].held_out
        each = training_flops(self.case.widths, n_rows)
        if held_out is not None:
            each += prediction_flops(self.case.widths, len(held_out[1]))
        return len(self.problems) * self.case.n_epochs * each

    def in_lockstep(
        self, *, own_orders: bool = False, callbacks: tuple[Callback, ...] = ()
    ) -> list[History]:
        """Train all networks as one."""
        case, n_members = self.case, len(self.problems)
        rngs = [np.random.default_rng(0) for _ in range(n_members)]
        ensemble = Ensemble(case.architecture, n_members=n_members, rng=np.random.default_rng(0))
        return fit(
            ensemble,
            (self.X, self.y),
            loss=case.loss,
            optimizer=case.optimizer,
            n_epochs=case.n_epochs,
            batch_size=case.batch_size,
            splits=self.splits,
            callbacks=callbacks,
            rng=rngs if own_orders else rngs[0],
        )

    def one_by_one(self, contestant: Callable[[Problem], Contestant]) -> Losses:
        """Train each network with a new contestant."""
        return np.array(
            [contestant(problem).train(self.case.n_epochs).losses for problem in self.problems]
        )


def compare_trainings(case: Case, n_members: int, rounds: int, *, quick: bool) -> Section:
    """Let all contestants train the networks, in turns with the machine's matrix products."""
    networks = Networks.of(case, n_members)
    vmap = stacked(networks.problems, (networks.X, networks.y), networks.splits)

    def lockstep(own_orders: bool) -> Losses:
        histories = networks.in_lockstep(own_orders=own_orders)
        return np.array([history["train_loss"] for history in histories])

    contestants: dict[str, Callable[[], Losses]] = {
        "lockstep": partial(lockstep, False),
        "lockstep, own orders": partial(lockstep, True),
        "one by one": partial(networks.one_by_one, numpy_engine),
        "vmap": lambda: np.array([trained.losses for trained in vmap(case.n_epochs)]),
    }
    if "sklearn" in case.goals:
        contestants["sklearn"] = partial(networks.one_by_one, scikit)
    losses: dict[str, Losses] = {}

    def turn(name: str) -> Turn:
        return timed(lambda: losses.update({name: contestants[name]()}))

    products = matrix_products(tries=1 if quick else 3)
    seconds = take_turns({name: turn(name) for name in contestants} | products, rounds)
    rate = product_rate(seconds)
    return Section(
        case.name,
        networks.title,
        "training",
        entries_of(
            {name: seconds[name] for name in contestants},
            "lockstep",
            case.goals,
            n_flops=networks.n_flops,
            rate=rate,
            off=_who_is_off(networks, losses, QUICK_FACTOR if quick else 1),
        ),
        seconds,
        {
            "networks": n_members,
            "samples": case.n_samples,
            "optimizer": repr(case.optimizer),
            "epochs": case.n_epochs,
            "flops": networks.n_flops,
            "limit_flops_per_second": rate,
            "losses": {name: matrix.mean(axis=0).tolist() for name, matrix in losses.items()},
        },
    )


def compare_memory(case: Case, n_members: int) -> Section:
    """Compare the peak memory of all networks as one with that of as many single runs."""
    networks = Networks.of(case, n_members)

    def single() -> None:
        numpy_engine(networks.problems[0]).train(case.n_epochs)

    peaks = {
        "lockstep": [[_peak_of(networks.in_lockstep)]],
        "one by one": [[n_members * _peak_of(single)]],
    }
    return Section(
        f"{case.name}-memory",
        f"{networks.title}, memory",
        "training",
        entries_of(peaks, "lockstep", {"one by one": MEMORY_GOAL}),
        peaks,
        {"samples": case.n_samples},
        kind="bytes",
    )


def compare_stopped(case: Case, n_members: int, rounds: int) -> Section:
    """Compare the epochs after the first with all members and with half of them stopped."""
    networks = Networks.of(case, n_members)

    def turn(*callbacks: Callback) -> list[float]:
        return networks.in_lockstep(callbacks=callbacks)[0]["seconds"][1:]

    seconds = take_turns({"all": turn, "half stopped": partial(turn, _StopHalf())}, rounds)
    goal = Goal("ratio", HALF_GOAL, at_most=True)
    ours, half = entries_of(seconds, "all", {})
    return Section(
        f"{case.name}-half",
        f"{networks.title}, half of them stopped",
        "epoch",
        [ours, replace(half, goal=goal)],
        seconds,
        {"samples": case.n_samples},
    )


class _StopHalf(Callback):
    """Stops the second half of the members after the first epoch."""

    def on_epoch_end(self, run: Run) -> None:
        for member in run.members[len(run.members) // 2 :]:
            member.stop("half")


def _peak_of(training: Callable[[], object]) -> float:
    """Return the most bytes that training allocates at once, beyond what was allocated before."""
    training()  # compiles and imports
    tracemalloc.start()
    try:
        training()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _who_is_off(networks: Networks, losses: dict[str, Losses], factor: float) -> dict[str, str]:
    """Return the contestants whose losses differ from those of training one by one."""
    case, off = networks.case, {}
    guess = math.log(case.widths[-1]) if case.loss == "cross_entropy" else networks.y.var() / 2
    reference = losses["one by one"]
    for name, found in losses.items():
        if name.startswith("lockstep"):  # each takes the same rows as the network alone
            distance, most = np.abs(found - reference).max() / guess, factor * SAME
        else:
            apart = np.abs(found.mean(axis=0) - reference.mean(axis=0))
            distance, most = apart.max() / guess, factor * OTHER_ORDER
        if not distance <= most:
            off[name] = f"a loss is off by {distance:.1%} of that of guessing; at most {most:.0%}"
    return off


def parts(rounds: int, quick: bool) -> dict[str, list[Part]]:
    """Return all measurements, by their names for ``--case``."""
    found: dict[str, list[Part]] = {}
    for n_members, full in CASES.items():
        case = full.shortened() if quick else full
        found[case.name] = [
            partial(compare_trainings, case, n_members, rounds, quick=quick),
            partial(compare_memory, case, n_members),
            partial(compare_stopped, case, n_members, rounds),
        ]
    return found


if __name__ == "__main__":
    sys.exit(run("many", __doc__, METHOD, parts))
