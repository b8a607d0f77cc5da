"""``mlp playground``: a page on which a network learns before one's eyes."""

import contextlib
import socket
import threading
import webbrowser
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from multilayer.errors import InvalidArgumentError, MissingPackageError

__all__ = ["playground"]

PORT = 8765
LOOPBACK = ("127.0.0.1", "localhost", "::1")

Port = Annotated[int, typer.Option(help="The port to serve on; 0 for any that is free.")]
Host = Annotated[
    str, typer.Option(help="The address to bind to. With another one, others can use it too.")
]
Lesson = Annotated[
    str | None,
    typer.Option(help="Open the page at this lesson, such as xor; a wrong name shows all."),
]
Open = Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")]


def playground(
    port: Port = PORT,
    host: Host = "127.0.0.1",
    lesson: Lesson = None,
    open_page: Open = True,
) -> None:
    """Open a page on which a network learns before your eyes, on your own data.

    It trains with this package, on this machine, until Ctrl-C ends it.
    """
    try:
        import uvicorn
        import websockets  # noqa: F401 - uvicorn needs it for sessions

        from multilayer.playground.lessons import LESSONS
        from multilayer.playground.server import MAX_BYTES, application
    except ImportError as error:
        raise MissingPackageError(
            'mlp playground needs more packages: pip install "multilayer[playground]"'
        ) from error
    place = "" if lesson is None else f"#lesson={LESSONS.check(lesson)}"
    console = Console(stderr=True, highlight=False)
    with _bound(host, port) as listening:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}/{place}"
        console.print(f"The playground is at {address} (Ctrl-C ends it)", soft_wrap=True)
        if host not in LOOPBACK:
            note = "Whoever can reach this address can use it: bind to 127.0.0.1 to prevent that."
            console.print(note, soft_wrap=True)
        settings: dict[str, Any] = {
            "ws": "websockets-sansio",
            "ws_max_size": MAX_BYTES,
            "ws_per_message_deflate": False,
            "log_level": "warning",
            "timeout_graceful_shutdown": 2,
        }
        server = uvicorn.Server(uvicorn.Config(application(host), **settings))
        if open_page:  # it waits for the server, which listens already
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        server.run(sockets=[listening])


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens there.

    Raises
    ------
    InvalidArgumentError
        If there can be none.
    """
    if not 0 <= port <= 65_535:
        raise InvalidArgumentError("must be between 0 and 65,535", "port", got=port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            rule = f"cannot be served on at {host}: {reason}; name another one, or 0 for any"
            raise InvalidArgumentError(rule, "port", got=port) from error
        listening.listen(128)
        yield listening
