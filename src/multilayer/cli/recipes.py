"""Recipes: settings of ``mlp train mnist`` that belong together, under a name."""

from typing import Any

from multilayer.errors import InvalidArgumentError
from multilayer.registry import Names, Registry

__all__ = ["RECIPES", "with_recipe"]

RECIPES: Registry[dict[str, Any]] = Registry(
    Names("recipe", []),
    {
        # The lowest error of a network that does not know where its pixels are: a ladder network
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
    """Return a command's settings with those of a recipe, where its user gave none.

    Parameters
    ----------
    settings : NamedTuple
    name : str, optional
        A name in `RECIPES`.
    context : typer.Context
        Knows which options were given.

    Raises
    ------
    InvalidArgumentError
        If there is no such recipe, or it is for another optimizer, for whose rate it has a value.
    """
    if name is None:
        return settings
    recipe, source = RECIPES[name], context.get_parameter_source
    if settings.optimizer != recipe["optimizer"]:
        rule = f"must be {recipe['optimizer']} beside --recipe {name}"
        raise InvalidArgumentError(rule, "optimizer", got=settings.optimizer)
    return settings._replace(**{k: v for k, v in recipe.items() if source(k).name == "DEFAULT"})
