"""Serving the playground's page: the socket, its address, and the server."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from multilayer.errors import InvalidArgumentError, MissingPackageError

__all__ = ["address_of", "bound", "server_for"]


def server_for(what: str, host: str, follower: Any = None) -> Any:
    """Return a server of the playground; ``run(sockets=[…])`` serves until ``should_exit`` is set.

    Parameters
    ----------
    what : str
        The command or option that needs the server, for error messages.
    host : str
        The address that the socket is bound to.
    follower : Follower, optional
        Reads recorded training runs.

    Raises
    ------
    MissingPackageError
        If the packages of the extra ``playground`` are not installed.
    """
    try:
        import uvicorn
        import websockets  # noqa: F401 - uvicorn needs it for sessions

        from multilayer.playground.server import MAX_BYTES, application
    except ImportError as error:
        raise MissingPackageError(
            f'{what} needs more packages: pip install "multilayer[playground]"'
        ) from error
    settings: dict[str, Any] = {
        "ws": "websockets-sansio",
        "ws_max_size": MAX_BYTES,
        "ws_per_message_deflate": False,
        "log_level": "warning",
        "timeout_graceful_shutdown": 2,
    }
    return uvicorn.Server(uvicorn.Config(application(host, follower), **settings))


def address_of(host: str, listening: socket.socket) -> str:
    """Return the address of the page, for a browser."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/"


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens on a host and port.

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
            rule = f"cannot be used at {host}: {reason}; choose another one, or 0 for any free port"
            raise InvalidArgumentError(rule, "port", got=port) from error
        listening.listen(128)
        yield listening
