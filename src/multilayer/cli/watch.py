"""Recording a training, and showing it live in the browser."""

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
"""Where trainings are recorded that are watched without a folder."""
LATELY = 5.0
"""A page that has asked within so many seconds is open."""
PATIENCE = 3.0
"""Seconds that such a page is given to ask how the training ended."""


@contextmanager
def recording(name: str, record: Path | None, *, watch: bool) -> Iterator[list[Recorder]]:
    """Yield what records a training, if anything; meanwhile, show it if it is to be watched.

    The page is served by a thread of this process, so nothing is left behind however it ends.

    Parameters
    ----------
    name : str
        What is trained on, which the name of the folder begins with if none is given.
    record : path, optional
        The folder.
    watch : bool
        Whether to show it in the browser.
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
        console.print(f"The training can be watched at {address}", soft_wrap=True)
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        try:
            yield [recorder]
        finally:
            _wait_for_page(follower)
            server.should_exit = True
            serving.join(PATIENCE)
            if folder.is_dir():
                note = f"To look at the training again: mlp playground --follow {folder}"
                console.print(note, soft_wrap=True)


def _wait_for_page(follower: Follower) -> None:
    """Wait until an open page has asked once more, or long enough."""
    now = time.monotonic()
    if now - follower.asked > LATELY:
        return
    while follower.asked < now and time.monotonic() < now + PATIENCE:
        time.sleep(0.05)
    time.sleep(0.05)  # for the answer to be on its way
