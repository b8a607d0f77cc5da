"""Findings from what was recorded during a training run, without the network."""

from collections.abc import Mapping, Sequence

import numpy as np

from multilayer.doctor.finding import Finding
from multilayer.doctor.learning_rate import too_high_by
from multilayer.doctor.units import dead_by, saturated_by

__all__ = ["findings_of"]


def findings_of(
    losses: Sequence[float | None],
    *,
    dead: Mapping[str, float],
    saturated: Mapping[str, float],
    has_diverged: bool = False,
) -> list[Finding]:
    """Return the findings, those of severity ``"wrong"`` first.

    `diagnose`, which examines the network itself, can find more.

    Parameters
    ----------
    losses : sequence of float or None
        The training loss of each epoch, or of some, evenly spaced; None if it was not finite.
    dead, saturated : mapping of str to float
        The share of dead or saturated units in each layer.
    has_diverged : bool
        Whether the training run ended because the loss was not finite.

    Examples
    --------
    >>> found = findings_of([1.0, 0.9], dead={"hidden 1": 0.9, "hidden 2": 0.1}, saturated={})
    >>> [(each.name, each.severity, each.evidence) for each in found]
    [('dead_units', 'wrong', {'hidden 1': 0.9})]
    """
    known = [np.nan if loss is None else loss for loss in losses] + [np.nan] * has_diverged
    found = [*too_high_by(np.array(known)), *dead_by(dead), *saturated_by(saturated)]
    return sorted(found, key=lambda each: each.severity == "warning")
