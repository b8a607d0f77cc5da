"""Compare training: the time of an epoch, and whether the contestants' losses agree."""

import math

from by_hand import compiled, eager, textbook
from cases import Case, Problem
from machine import busy_core, matrix_products, product_rate
from peers import Contestant, Run, numpy_engine, one_thread, scikit, torch_engine
from report import Section, entries_of
from turns import Turn, take_turns

__all__ = ["compare_training", "compare_under_load"]

TOLERANCE = 0.02
"""How far an epoch's mean loss may be from eager PyTorch's, as a share of ln(n_classes).

Each contestant draws its own order, which changed the loss by at most 1.2 % in trials; leaving out
an eighth of the steps changed it by at least 3 %.
"""
ONE_OUTPUT_TOLERANCE = 0.15
"""The same for scikit-learn with two classes: its one output learns at half the rate (11 % off).
"""
QUICK_FACTOR = 5
"""The factor of both tolerances in a quick run: with few steps, their order matters more."""
LOAD_GOALS = {"numpy, one thread": 1 / 1.1, "eager": 1.0}


def compare_training(case: Case, rounds: int, *, quick: bool = False) -> Section:
    """Let all contestants train a case, in turns with the machine's matrix products."""
    problem = Problem.of(case)
    contestants, left_out = _line_up(problem)
    runs: dict[str, Run] = {}
    turns = {c.name: _turn(case, c, runs) for c in contestants}
    products = matrix_products(tries=1 if quick else 3)
    seconds = take_turns(turns | products, rounds)
    rate = product_rate(seconds)
    return Section(
        case.name,
        case.title,
        "epoch",
        entries_of(
            {c.name: seconds[c.name] for c in contestants},
            "numpy",
            case.goals,
            n_flops=case.n_flops,
            rate=rate,
            off=_who_is_off(problem, contestants, runs, QUICK_FACTOR if quick else 1),
            notes={c.name: c.note for c in contestants},
        ),
        seconds,
        {
            "samples": case.n_samples,
            "data": problem.data,
            "optimizer": repr(case.optimizer),
            "epochs_per_turn": case.n_epochs,
            "flops_per_epoch": case.n_flops,
            "limit_flops_per_second": rate,
            "losses": {name: run.losses for name, run in runs.items()},
            "left_out": left_out,
        },
    )


def compare_under_load(case: Case, rounds: int) -> Section:
    """Compare training beside a busy process: ours on all threads and on one, and eager PyTorch."""
    problem = Problem.of(case)
    ours = numpy_engine(problem)
    contestants = [ours, one_thread(ours), eager(problem)]
    with busy_core():
        seconds = take_turns({c.name: _turn(case, c, {}) for c in contestants}, rounds)
    return Section(
        f"{case.name}-busy",
        f"{'-'.join(map(str, case.widths))}, {type(case.optimizer).__name__}, one core busy",
        "epoch",
        entries_of(seconds, "numpy", LOAD_GOALS),
        seconds,
        {"samples": case.n_samples, "epochs_per_turn": case.n_epochs},
    )


def _line_up(problem: Problem) -> tuple[list[Contestant], dict[str, str]]:
    """Return the contestants, and why others are left out."""
    contestants = [numpy_engine(problem), eager(problem)]
    left_out = {}
    try:
        contestants.append(compiled(problem))
    except Exception as error:  # whatever a compiler, or its absence, may cause
        left_out["compiled"] = f"torch.compile raised {type(error).__name__}"
    contestants += [torch_engine(problem), scikit(problem)]
    if problem.case.mnist:
        contestants.append(textbook(problem))
    return contestants, left_out


def _turn(case: Case, contestant: Contestant, runs: dict[str, Run]) -> Turn:
    """Return a turn: a warm-up epoch, then the measured ones."""

    def turn() -> list[float]:
        run = runs[contestant.name] = contestant.train(1 + case.n_epochs)
        scale = case.n_samples / contestant.n_samples
        return [scale * seconds for seconds in run.seconds[1:]]

    return turn


def _who_is_off(
    problem: Problem, contestants: list[Contestant], runs: dict[str, Run], factor: float
) -> dict[str, str]:
    """Return the contestants whose losses differ from eager PyTorch's, and by how much."""
    case, off = problem.case, {}
    scale = math.log(case.widths[-1])
    for c in contestants:
        reference = runs["eager"].losses
        if c.n_samples < case.n_samples:
            reference = eager(problem.first(c.n_samples)).train(1 + case.n_epochs).losses
        one_output = c.name == "sklearn" and case.widths[-1] == 2
        tolerance = factor * (ONE_OUTPUT_TOLERANCE if one_output else TOLERANCE)
        losses = runs[c.name].losses
        distance = max(abs(a - b) / scale for a, b in zip(losses, reference, strict=True))
        if not distance <= tolerance:
            off[c.name] = (
                f"a loss is off by {distance:.1%} of ln({case.widths[-1]}); at most {tolerance:.0%}"
            )
    return off
