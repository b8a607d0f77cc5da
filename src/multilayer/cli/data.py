"""``mlp data``: the contents of a data set, and its first samples."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from multilayer import checks
from multilayer.cli import options
from multilayer.data import IMAGE_SETS, load_images
from multilayer.errors import InvalidArgumentError

__all__ = ["data"]

SHADES = " ░▒▓█"
PICTURES = (".png", ".svg", ".pdf")


def data(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(IMAGE_SETS)}.")],
    data_dir: options.DataDir = None,
    n: Annotated[int, typer.Option(help="Number of images to show.")] = 8,
    save: Annotated[
        Path | None, typer.Option(help=f"Draw them to this file instead: {', '.join(PICTURES)}.")
    ] = None,
) -> None:
    """Show the contents of an image set, and its first images."""
    n = checks.integer(n, "n", "mlp")
    options.check_file(save, "save")
    if save is not None and save.suffix not in PICTURES:
        raise InvalidArgumentError(f"must end in one of {', '.join(PICTURES)}", "save", got=save)
    images = load_images(name, data_dir=data_dir)
    console = Console(highlight=False)
    for part, X, y in (
        ("train", images.X_train, images.y_train),
        ("test", images.X_test, images.y_test),
    ):
        height, width = X.pixels.shape[1:]
        counts = ", ".join(
            f"{label}: {count:,}"
            for label, count in zip(images.class_names, np.bincount(y), strict=True)
        )
        console.print(f"{part}: {len(X):,} images of {height} × {width} ({counts})", soft_wrap=True)
    if save is not None:
        from multilayer.plots import first_samples

        ax = first_samples(images.X_train, images.y_train, n=n)
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.savefig(save, dpi=150)
        console.print(f"first images written to {save}", soft_wrap=True)
        return
    shown = images.X_train.images(slice(n))
    in_a_row = max(console.width // (shown.shape[2] + 2), 1)
    for start in range(0, len(shown), in_a_row):
        row = slice(start, start + in_a_row)
        console.print(_in_characters(shown[row], images.y_train[row]), markup=False)


def _in_characters(images: Any, labels: Any) -> str:
    """Return images side by side; a character, twice as high as wide, covers two pixels."""
    n, height, width = images.shape
    pairs = images[:, : height // 2 * 2].reshape(n, -1, 2, width).mean(axis=2)
    shades = np.rint(pairs / 255 * (len(SHADES) - 1)).astype(int)
    lines = ["  ".join(str(label).ljust(width) for label in labels)]
    for row in range(shades.shape[1]):
        lines.append("  ".join("".join(SHADES[s] for s in image[row]) for image in shades))
    return "\n".join(line.rstrip() for line in lines)
