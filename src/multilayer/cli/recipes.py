"""Recipes: named sets of settings for ``mlp train mnist``."""

from typing import Any

from multilayer.errors import InvalidArgumentError
from multilayer.registry import Names, Registry

__all__ = ["RECIPES", "with_recipe"]

RECIPES: Registry[dict[str, Any]] = Registry(
    Names("recipe", []),
    {
        # The lowest error of a network that ignores the positions of pixels: a ladder network
        # (Rasmus et al. 2015, "MNIST all labels"). Inputs have the noise 0.3 times their deviation.
        "record": {
            "hidden": "1000,500,250,250,250",
            "normalization": "batch",
            "dropout": 0.0,
            "noise": "0.97,0.3,0.3,0.3,0.3,0.3",
            "ladder": "1000,1,0.01",
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
        If there is no such recipe, or the user chose another optimizer, for which the recipe's
        learning rate would be wrong.
    """
    if name is None:
        return settings
    recipe, source = RECIPES[name], context.get_parameter_source
    if settings.optimizer != recipe["optimizer"]:
        rule = f"must be {recipe['optimizer']} with --recipe {name}"
        raise InvalidArgumentError(rule, "optimizer", got=settings.optimizer)
    return settings._replace(**{k: v for k, v in recipe.items() if source(k).name == "DEFAULT"})
