"""The report at the end of a training on images."""

import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from multilayer.training import History
from multilayer.training.progress import shown

__all__ = ["print_results"]


def print_results(
    results: dict[str, Any], history: History, save: Path | None, *, is_ladder: bool
) -> None:
    """Print the final losses and accuracies, the speed, and where the model is.

    Parameters
    ----------
    results : dict
        With the loss and the accuracy of both parts, the seconds and the samples per second.
    history : History
    save : Path, optional
        The file of the model.
    is_ladder : bool
        Whether an epoch's loss includes a decoder's errors.
    """
    table = Table("")
    for name in ("final loss", "final accuracy"):
        table.add_column(name, justify="right")
    for part in ("train", "test"):
        table.add_row(
            part, shown(results[f"{part}_loss"]), f"{100 * results[f'{part}_accuracy']:.2f} %"
        )
    console = Console()
    console.print(table)
    console.print(
        "final: of the weights kept, without penalty; an epoch's train loss is the mean over its "
        "steps, with penalty" + ", and with the decoder's errors" * is_ladder,
        highlight=False,
        soft_wrap=True,
    )
    rate = results["samples_per_second"]
    console.print(
        f"{history.n_epochs} epochs in {results['seconds']:.2f} s, "
        f"{math.floor(rate):,} samples per second",
        highlight=False,
    )
    if history.stopped_by == "divergence":
        console.print(f"diverged; these are the weights of epoch {history.best_epoch}")
    if save is not None:
        console.print(f"model written to {save}", highlight=False, soft_wrap=True)
