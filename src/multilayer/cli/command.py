"""The base class of the subcommands: errors name the options of the command line."""

from typing import Any

from typer.core import TyperCommand

from multilayer import checks

__all__ = ["Command"]

SYNONYMS = {
    "hidden_features": "hidden",
    "n_epochs": "epochs",
    "n_steps": "steps",
    "validation": "early_stopping",
    "rng": "seed",
    "format": "form",
}
"""Parameters of the package, and the options that set them under another name."""


class Command(TyperCommand):
    """A subcommand whose errors name the option instead of the parameter that it sets."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        options = {p.name: p.opts[0] for p in self.params if p.param_type_name == "option"}
        names = options | {k: options[v] for k, v in SYNONYMS.items() if v in options}
        with checks.in_terms_of(f"mlp{_path(ctx)}", names):
            return super().invoke(ctx)


def _path(ctx: Any) -> str:
    """Return the words after ``mlp`` that invoke a command."""
    return "" if ctx.parent is None else f"{_path(ctx.parent)} {ctx.info_name}"
