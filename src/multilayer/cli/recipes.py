"""Recipes: named sets of settings for ``mlp train mnist``."""

from typing import Any

from multilayer.errors import InvalidArgumentError
from multilayer.registry import Names, Registry

__all__ = ["RECIPES", "with_recipe"]

FIXED = ("optimizer", "engine")
"""What a recipe cannot do without."""

RECIPES: Registry[dict[str, Any]] = Registry(
    Names("recipe", []),
    {
        # The lowest error of a network that ignores the positions of pixels: a ladder network
        # (Rasmus et al. 2015, "MNIST all labels"). The noise of the inputs is 0.3 in pixels from 0
        # to 1, which are then divided by 0.3081.
        "record": {
            "hidden": "1000,500,250,250,250",
            "normalization": "batch",
            "dropout": 0.0,
            "noise": ("0.97", "0.3"),  # on the inputs, and in each hidden layer
            "ladder": "1000,1,0.01",
            "engine": "numpy",
            "optimizer": "adam",
            "learning_rate": 0.002,
            "epochs": 80,
            "batch_size": 100,
        },
    },
)


def with_recipe(settings: Any, name: str | None, context: Any) -> Any:
    """Return a command's settings, with those of a recipe where the user gave none.

    Parameters
    ----------
    settings : NamedTuple
    name : str, optional
        A name in `RECIPES`.
    context : typer.Context
        The context of the command, which knows which options were given.

    Raises
    ------
    InvalidArgumentError
        If there is no such recipe, or the user chose another engine, or another optimizer, for
        which the recipe's learning rate would be wrong.
    """
    if name is None:
        return settings
    recipe, source = RECIPES[name], context.get_parameter_source
    for option in FIXED:
        if (got := getattr(settings, option)) != recipe[option]:
            rule = f"must be {recipe[option]} with --recipe {name}"
            raise InvalidArgumentError(rule, option, got=got)
    chosen = {k: v for k, v in recipe.items() if source(k).name == "DEFAULT"}
    if "noise" in chosen:
        inputs, each = chosen["noise"]
        n_hidden = len(chosen.get("hidden", settings.hidden).split(","))
        chosen["noise"] = ",".join([inputs, *[each] * n_hidden])
    return settings._replace(**chosen)
