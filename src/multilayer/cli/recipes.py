"""Recipes: settings of ``mlp train mnist`` that belong together, under a name."""

from typing import Any

from multilayer.registry import Names, Registry

__all__ = ["RECIPES", "with_recipe"]

RECIPES: Registry[dict[str, Any]] = Registry(
    Names("recipe", []),
    {
        # The lowest error of a network that does not know where its pixels are: Miyato et al. 2018
        # (their network and their ε; twice their weight, and a cosine, which needs fewer epochs).
        "record": {
            "hidden": "1200,600,300,150",
            "normalization": "batch",
            "dropout": 0.0,
            "adversary": "virtual:2.1:2",
            "learning_rate": 0.002,
            "epochs": 40,
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
        If there is no such recipe.
    """
    if name is None:
        return settings
    source = context.get_parameter_source
    return settings._replace(
        **{k: v for k, v in RECIPES[name].items() if source(k).name == "DEFAULT"}
    )
