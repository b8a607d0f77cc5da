"""Pictures for the formulas, computed by the parts that they show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from multilayer.numpy import Activation, Elementwise, Loss, Schedule
from multilayer.numpy.schedules import Plateau

BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#999999"  # Okabe & Ito
STYLE = {
    "font.size": 11,
    "svg.hashsalt": "multilayer",  # the same file from the same numbers
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}
N_EPOCHS, STEPS = 100, 20


def draw(kind: str, name: str, part: Any, folder: Path) -> str:
    """Draw a part if it has a picture; return the file's name, or an empty string."""
    curves = {"activations": activation, "losses": loss, "schedules": schedule}.get(kind)
    drawing = curves(part) if curves else None
    if drawing is None:
        return ""
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 2.6))
        axes = figure.subplots()
        axes.axhline(0, color=GREY, linewidth=0.6)
        drawing(axes)
        axes.margins(x=0)
        file = f"{kind}_{name}.svg"
        figure.savefig(folder / file, metadata={"Date": None})
    return file


def activation(part: Activation) -> Callable[[Any], None] | None:
    """Return a function that draws σ and σ'; None if σ is not elementwise."""
    if not isinstance(part, Elementwise):
        return None
    z = np.linspace(-4, 4, 801)
    a = part.forward(z)

    def draw(axes: Any) -> None:
        axes.axvline(0, color=GREY, linewidth=0.6)
        slope = part.derivative(z, a)
        for kink in part.kinks:  # leave a gap where σ' may jump
            slope[np.argmin(np.abs(z - kink))] = np.nan
        axes.plot(z, a, color=BLUE, linewidth=2, label="σ(z)")
        axes.plot(z, slope, color=VERMILLION, linewidth=2, linestyle="--", label="σ'(z)")
        axes.set(xlabel="z", ylim=(max(a.min(), -2) - 0.2, min(a.max(), 4) + 0.2))
        axes.legend(frameon=False, loc="upper left")

    return draw


def loss(part: type[Loss]) -> Callable[[Any], None] | None:
    """Return a function that draws ℓ and its derivative for one prediction and one target."""
    name = getattr(part, "name", "")
    if part is Loss or name in {"grouped_cross_entropy", "nll"}:  # functions of several numbers
        return None
    each: Loss = part()
    p = np.linspace(-4, 4, 801)
    if name == "cross_entropy":  # two classes; the logit of the other one is 0
        values, gradient = each.per_sample(np.stack([p, 0 * p], axis=1), np.zeros(len(p), np.intp))
        label, target = "logit of the target's class, the other's is 0", ""
    else:
        y = 1.0 if each.task == "multilabel" else 1.0 if name == "poisson" else 0.0
        values, gradient = each.per_sample(p[:, np.newaxis], np.full((len(p), 1), y))
        label = "logit z" if each.takes_logits else "prediction ŷ"
        target = f", target {y:g}"

    def draw(axes: Any) -> None:
        axes.plot(p, values, color=BLUE, linewidth=2, label="ℓ")
        axes.plot(
            p, gradient[:, 0], color=VERMILLION, linewidth=2, linestyle="--", label="derivative"
        )
        axes.set(xlabel=label + target, ylim=(-4.2, 6.2))
        axes.legend(frameon=False, loc="upper center")

    return draw


def schedule(part: type[Schedule]) -> Callable[[Any], None]:
    """Return a function that draws the factor over a run whose loss stalls after a quarter."""
    each, state = part(), Plateau()
    t, factors = np.linspace(0, N_EPOCHS, STEPS * N_EPOCHS, endpoint=False), []
    for i, time in enumerate(t):
        if i and i % STEPS == 0:
            state = each.observe(1 / min(time, N_EPOCHS / 4), state)
        factors.append(each.factor(time, N_EPOCHS, state))

    def draw(axes: Any) -> None:
        axes.plot(t, factors, color=BLUE, linewidth=2)
        axes.set(xlabel="epoch", ylabel="factor", ylim=(-0.05, 1.1))

    return draw
