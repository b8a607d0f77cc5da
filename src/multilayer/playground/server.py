"""Server: the page, and one session per websocket."""

import asyncio
import ipaddress
import threading
from concurrent.futures import CancelledError, TimeoutError  # noqa: A004
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from multilayer.errors import MultilayerError
from multilayer.playground.follow import Follower
from multilayer.playground.messages import MAX_FILE, MAX_HEAD, Command, parse
from multilayer.playground.session import FORGOTTEN, Ended, Session
from multilayer.playground.structure import bundled_thumbnails, greeting
from multilayer.playground.training import warm_up
from multilayer.playground.wire import pack

__all__ = ["MAX_BYTES", "application"]

PAGE = Path(__file__).parent / "page"
MAX_BYTES = MAX_FILE + MAX_HEAD + 1
"""Maximum size of a message, in bytes."""
MAX_SESSIONS = 32
REFUSED, GOING_AWAY, BUSY = 1008, 1001, 1013
"""Status codes of RFC 6455, section 7.4."""
MAX_SHOWN = 1_000
"""Maximum number of characters in a reason, which may quote a message."""
MAX_REASON = 120
"""Maximum number of bytes of a reason in a close frame."""
FULL = 0.02
"""Seconds to wait if a session has not yet read its messages."""
HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' blob:; object-src 'none'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-cache",
}


def application(host: str = "127.0.0.1", follower: Follower | None = None) -> ASGIApp:
    """Return the ASGI application.

    Parameters
    ----------
    host : str
        The address that the server is bound to. Requests are answered if their ``Host`` is this
        address or a name of the loopback interface; if `host` means all interfaces, it may also be
        any IP address.
    follower : Follower, optional
        Reads the training runs that ``follow.html`` shows.
    """
    routes: list[BaseRoute] = [WebSocketRoute("/session", _Sessions().serve)]
    if follower is not None:

        def runs(request: Request) -> JSONResponse:  # not async, so that it runs in a thread
            return JSONResponse(follower.look(request.query_params.getlist("show")))

        routes.append(Route("/runs", runs))
    routes.append(Mount("/", StaticFiles(directory=PAGE, html=True)))
    return _OwnPagesOnly(Starlette(routes=routes), host)


class _OwnPagesOnly:
    """Refuses requests from pages of other sites, and those for other host names.

    A page of another site can send requests to this machine, but cannot change their ``Origin``.
    After DNS rebinding, the ``Host`` of such requests is the name of that site.
    """

    def __init__(self, inner: ASGIApp, host: str) -> None:
        self.inner = inner
        self.names = {"localhost", "127.0.0.1", "::1", host.lower()}  # as `hostname` returns it
        self.is_open = host in ("0.0.0.0", "::")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.inner(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host, origin = (headers.get(name, b"").decode("latin-1") for name in (b"host", b"origin"))
        is_socket = scope["type"] == "websocket"
        # Browsers send an Origin with every websocket, and none with a plain request.
        if not self._is_own(host) or (
            (is_socket or origin) and origin not in (f"http://{host}", f"https://{host}")
        ):
            if is_socket:
                await send({"type": "websocket.close", "code": REFUSED})
            else:
                answer = PlainTextResponse("This is not a page of the playground.", 403)
                await answer(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS.items()]
            await send(message)

        await self.inner(scope, receive, send_with_headers)

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names:
            return True
        try:
            return self.is_open and bool(ipaddress.ip_address(name))
        except ValueError:
            return False


class _Sessions:
    """The sessions of one server."""

    def __init__(self) -> None:
        self.open: set[Session] = set()
        self.is_warm = False

    async def serve(self, socket: WebSocket) -> None:
        """Pass messages between a page and its session until one of them ends."""
        await socket.accept()
        if len(self.open) >= MAX_SESSIONS:
            await _refuse(socket, f"there are {MAX_SESSIONS} sessions already", BUSY)
            return
        loop = asyncio.get_running_loop()
        over: asyncio.Future[str] = loop.create_future()

        def send(message: bytes) -> None:
            """Send a message; the session's thread waits until it is sent."""
            sends = socket.send_bytes(message)
            try:
                sending = asyncio.run_coroutine_threadsafe(sends, loop)
            except RuntimeError as error:  # the server has ended
                sends.close()
                raise Ended from error
            try:
                sending.result(FORGOTTEN)
            except (RuntimeError, WebSocketDisconnect, CancelledError, TimeoutError) as error:
                sending.cancel()
                raise Ended from error

        def on_end(reason: str) -> None:
            def tell() -> None:
                if not over.done():
                    over.set_result(reason)

            if not loop.is_closed():
                loop.call_soon_threadsafe(tell)

        session = Session(send, on_end)
        self.open.add(session)
        listening = asyncio.ensure_future(self._listen(socket, session))
        try:
            values, arrays = greeting()
            await socket.send_bytes(pack({"type": "greeting", **values}, arrays))
            session.start()
            await asyncio.wait({listening, over}, return_when=asyncio.FIRST_COMPLETED)
            if listening.done() and (fault := listening.result()):
                await _refuse(socket, fault, REFUSED)
            elif over.done() and over.result():
                await _refuse(socket, over.result(), GOING_AWAY)
        except WebSocketDisconnect:
            pass  # the page was gone before it was greeted
        finally:
            listening.cancel()
            session.end()
            self.open.discard(session)

    async def _listen(self, socket: WebSocket, session: Session) -> str:
        """Pass the page's messages on until it is gone; return the error of an invalid message."""
        showing: asyncio.Future[None] | None = None
        while True:
            try:
                event: dict[str, Any] = dict(await socket.receive())
            except (RuntimeError, WebSocketDisconnect):
                return ""
            if event["type"] == "websocket.disconnect":
                return ""
            said = event.get("text")
            try:
                message = parse(event["bytes"] if said is None else said)
            except MultilayerError as error:
                return str(error)
            while not session.tell(message):
                await asyncio.sleep(FULL)
            if message == Command("seen") and showing is None:  # the page shows its first frame
                showing = asyncio.ensure_future(_show_bundled(socket))
                if not self.is_warm:
                    self.is_warm = True
                    threading.Thread(target=warm_up, daemon=True).start()


async def _show_bundled(socket: WebSocket) -> None:
    """Send the thumbnails that take a while, because scikit-learn must be imported."""
    arrays = await asyncio.to_thread(bundled_thumbnails)
    with suppress(RuntimeError, WebSocketDisconnect):  # the page is gone
        await socket.send_bytes(pack({"type": "thumbnails"}, arrays))


async def _refuse(socket: WebSocket, reason: str, code: int) -> None:
    """Close a connection with a reason."""
    reason = reason[:MAX_SHOWN]
    try:
        await socket.send_bytes(pack({"type": "ended", "reason": reason}, {}))
        short = reason.encode()[:MAX_REASON].decode(errors="ignore")
        await socket.close(code, short)
    except (RuntimeError, WebSocketDisconnect):
        pass  # the page is gone
