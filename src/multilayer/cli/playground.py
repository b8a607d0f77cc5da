"""``mlp playground``: a page that shows a network while it learns."""

import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from multilayer.cli.serving import address_of, bound, server_for
from multilayer.errors import InvalidArgumentError
from multilayer.playground.follow import Follower
from multilayer.playground.lessons import LESSONS

__all__ = ["playground"]

PORT = 8765
LOOPBACK = ("127.0.0.1", "localhost", "::1")

Port = Annotated[int, typer.Option(help="The port to serve on; 0 for any free port.")]
Host = Annotated[
    str,
    typer.Option(
        help="The address to bind to. The default serves this machine only; with another address, "
        "others may be able to use the page."
    ),
]
Lesson = Annotated[
    str | None,
    typer.Option(help="Open the page at this lesson, such as xor; a wrong name lists all lessons."),
]
Open = Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")]
Follow = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Show the training runs recorded in this folder and its subfolders: see --record of "
        "mlp train.",
    ),
]


def playground(
    port: Port = PORT,
    host: Host = "127.0.0.1",
    lesson: Lesson = None,
    follow: Follow = None,
    open_page: Open = True,
) -> None:
    """Open a page on which you can watch a network learn, on your own data.

    The network trains on this machine, with this package. Ctrl-C stops the server.
    """
    if follow is not None and lesson is not None:
        raise InvalidArgumentError("cannot be combined with --follow", "lesson")
    if follow is not None and not follow.is_dir():
        raise InvalidArgumentError("must be a folder", "follow", got=str(follow))
    server = server_for("mlp playground", host, None if follow is None else Follower(follow))
    console = Console(stderr=True, highlight=False)
    place = "" if lesson is None else f"#lesson={LESSONS.check(lesson)}"
    with bound(host, port) as listening:
        address = address_of(host, listening) + (place if follow is None else "follow.html")
        shown = "playground is" if follow is None else f"training runs in {follow} are"
        console.print(f"The {shown} at {address} (Ctrl-C stops the server)", soft_wrap=True)
        if host not in LOOPBACK:
            note = "Anyone who can reach this address can use it; --host 127.0.0.1 prevents that."
            console.print(note, soft_wrap=True)
        if open_page:  # the socket listens already, so the browser waits for the server to start
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        server.run(sockets=[listening])
