"""Recording a training run, and showing it live in the browser."""

import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console

from multilayer import checks
from multilayer.cli.serving import address_of, bound, server_for
from multilayer.playground.follow import Follower
from multilayer.training import Recorder

__all__ = ["recording"]

HOST = "127.0.0.1"
RUNS = Path("runs")
"""Where ``--watch`` records training runs if no folder is given."""
LATELY = 5.0
"""If a page has sent a request within this many seconds, it is open."""
PATIENCE = 3.0
"""Seconds to wait for an open page to ask how the training run ended."""


@contextmanager
def recording(name: str, record: Path | None, *, watch: bool) -> Iterator[list[Recorder]]:
    """Yield the callbacks that record a training run; while inside, show it if `watch` is set.

    The page is served by a thread of this process, so the server always ends with the process.

    Parameters
    ----------
    name : str
        The name of the data, with which the name of a new folder begins.
    record : path, optional
        The folder; by default a new one in `RUNS` if `watch` is set, otherwise nothing is recorded.
    watch : bool
        Whether to show the training run in the browser.
    """
    if record is None and not watch:
        yield []
        return
    folder = record or RUNS / f"{name}-{datetime.now():%Y-%m-%d-%H%M%S}"
    with checks.in_terms_of("mlp train", {"folder": "record"}):
        recorder = Recorder(folder)
    if not watch:
        yield [recorder]
        return
    follower = Follower(folder)
    server = server_for("--watch", HOST, follower)
    console = Console(stderr=True, highlight=False)
    with bound(HOST, 0) as listening:
        address = address_of(HOST, listening) + "follow.html"
        serving = threading.Thread(target=server.run, args=([listening],), daemon=True)
        serving.start()
        console.print(f"Watch the training run at {address}", soft_wrap=True)
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        try:
            yield [recorder]
        finally:
            _wait_for_page(follower)
            server.should_exit = True
            serving.join(PATIENCE)
            if folder.is_dir():
                note = f"To see the training run again: mlp playground --follow {folder}"
                console.print(note, soft_wrap=True)


def _wait_for_page(follower: Follower) -> None:
    """If a page is open, wait until it has asked once more, at most `PATIENCE` seconds."""
    now = time.monotonic()
    if now - follower.asked > LATELY:
        return
    while follower.asked < now and time.monotonic() < now + PATIENCE:
        time.sleep(0.05)
    time.sleep(0.05)  # so that the answer is sent
