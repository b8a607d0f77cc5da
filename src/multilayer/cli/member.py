"""Selection of one network in a model file, for commands that show a single network."""

from pathlib import Path
from typing import Annotated

import typer

from multilayer.cli.notes import note
from multilayer.errors import InvalidArgumentError
from multilayer.files import load_model
from multilayer.model import Model

__all__ = ["Member", "load_member"]

Member = Annotated[
    int | None, typer.Option(help="Which network of an ensemble, from 0; by default the first.")
]


def load_member(path: Path, member: int | None) -> Model:
    """Return the model in a file; if it is an ensemble, one member as a model.

    Raises
    ------
    ModelFileError, InvalidArgumentError
        If the file holds no model, or there is no such member.
    """
    model = load_model(path)
    n = len(model.members)
    if member is None and n > 1:
        note(f"this is network 0 of an ensemble of {n}; choose another one with --member")
    if not 0 <= (member or 0) < n:
        raise InvalidArgumentError(f"must be from 0 to {n - 1}", "member", got=member)
    return model.members[member or 0]
