"""``mlp evaluate``: judge a model on new rows with known targets."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console

from multilayer import checks, evaluation
from multilayer.cli import options, samples
from multilayer.cli import table_options as tables
from multilayer.cli.notes import note, notes
from multilayer.cli.reading import read
from multilayer.cli.rows import truth
from multilayer.files import load_model
from multilayer.registry import Names

__all__ = ["evaluate"]

Group = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of groups, such as patients, whose rows belong together: intervals and "
        "folds take whole groups.",
    ),
]
By = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Compare groups of rows by this column only."),
]


def evaluate(
    model: samples.ModelFile,
    data: options.TableFile,
    target: samples.Target = None,
    group: Group = None,
    by: By = None,
    separator: options.Separator = None,
    encoding: options.Encoding = None,
    seed: Annotated[int, typer.Option(help="Seed for resamples and folds.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge a model on rows that it was not trained on, with their targets.

    Metrics come with 95 % intervals, next to those of a linear model and of a baseline, both fitted
    to these rows in 5-fold cross-validation. The calibration follows, and the groups of rows that
    are predicted worse than the others.
    """
    tables.check_seed(seed)
    found = load_model(model)
    table = read(data, separator, encoding)
    target, guess = samples.target_of(table, target, found)
    for option, name in (("group", group), ("by", by)):
        if name is not None:
            Names(option, [each for each in table.columns if each != target]).check(name)
    if guess:
        note(guess)
    names = {"y": f"column {target!r}", "groups": "--group"}
    with notes(), checks.in_terms_of("mlp evaluate", names):
        table = table.without(found.inputs.missing)
        y = truth(table[target], found.targets)
        X: Any = table.select(name for name in table.columns if name != target)
        result = evaluation.evaluate(found, X, y, groups=group, by=by, seed=seed)
    if as_json:
        typer.echo(json.dumps({"target": target} | result.to_dict(), allow_nan=False))
    else:
        Console(highlight=False).print(result)
