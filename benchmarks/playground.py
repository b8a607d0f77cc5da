"""Measure the playground's server through websockets, as a page sees it.

    python benchmarks/playground.py                    # about 3 minutes, on an idle machine
    python benchmarks/playground.py --quick            # a smoke run
    python benchmarks/playground.py --case soak --minutes 20

Each case starts `mlp playground` as a separate process. The client runs on the same cores; it
acknowledges each frame at once, and draws nothing. Measured are the seconds from the command to the
first frame, and from the first *play* to a step, with kernels already compiled and not; frames and
steps per second; the seconds from a *step* command to the frame that shows the step; the same rates
and seconds with 20 sessions at once; and the server's memory while sessions come and go.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from websockets.asyncio.client import ClientConnection, connect

from machine import IDLE, PATIENCE, describe, wait_until_idle

SETTINGS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "tests" / "playground" / "settings.json").read_text()
)
SPIRALS = {"kind": "spirals", "n_samples": 200, "noise": 0.0}
SHAPES = {"2-8-8-1": [8, 8], "2-64-64-64-64-64-1": [64] * 5, "64-100-10": [100]}
"""The hidden layers of each network; the last one learns a table of scikit-learn's digits."""
SPEEDS = (10, 100, None)
N_SESSIONS = 20
KINDS = ("moons", "circles", "spirals", "blobs", "curve")


class Client:
    """A page: sends commands to its session, and receives frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.place = 0  # the number of steps in the last frame

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, address: str) -> AsyncIterator[Self]:
        """Yield a client of a server."""
        url = address.replace("http", "ws", 1) + "session"
        origin: Any = address.rstrip("/")
        async with connect(url, origin=origin, compression=None, max_size=None) as socket:
            yield cls(socket)

    async def say(self, kind: str, **values: Any) -> None:
        """Send a message."""
        await self.socket.send(json.dumps({"type": kind, **values}))

    async def hear(self, kind: str = "frame") -> dict[str, Any]:
        """Return the next message of a kind; acknowledge all frames before it."""
        while True:
            async with asyncio.timeout(PATIENCE):
                raw = await self.socket.recv()
            assert isinstance(raw, bytes)
            length = int.from_bytes(raw[:4], "little")
            found: dict[str, Any] = json.loads(raw[4 : 4 + length])
            if found["type"] == "frame":
                self.place = int(found["n_complete"] * found["n_steps"] + found["step"])
                await self.say("seen")
            if found["type"] in ("ended", "refused"):
                raise RuntimeError(found["reason"])
            if found["type"] == kind:
                return found

    async def build(self, shape: str, **settings: Any) -> None:
        """Build a network, and wait for its first frame."""
        hidden = SHAPES[shape]
        said = SETTINGS | {"hidden": hidden, "activation": ["tanh"] * len(hidden), **settings}
        said["data"] = SETTINGS["data"] | said.get("data", {})
        if "data" not in settings:
            said["data"] |= SPIRALS
        await self.say("settings", settings=said)
        await self.hear("built")
        if shape.startswith("64"):
            await self.socket.send(b'{"type": "table", "name": "digits"}\n' + _digits())
            await self.hear("built")
        await self.hear()

    async def play(self, seconds: float, speed: float | None = None) -> tuple[float, float]:
        """Play; return frames and steps per second."""
        await self.say("speed", steps=speed)
        await self.say("play")
        while not (await self.hear())["is_playing"]:
            pass
        start, first, n = time.monotonic(), self.place, 0
        while time.monotonic() < start + seconds:
            await self.hear()
            n += 1
        taken, last = time.monotonic() - start, self.place
        await self.say("pause")
        while (await self.hear())["is_playing"]:
            pass
        return n / taken, (last - first) / taken

    async def step(self) -> float:
        """Take one step; return the seconds until a frame shows it."""
        start, before = time.perf_counter(), self.place
        await self.say("step")
        while self.place == before:  # a frame may show another change
            await self.hear()
        return time.perf_counter() - start


def _digits() -> bytes:
    X, y = load_digits(return_X_y=True)
    names = [f"pixel {i}" for i in range(X.shape[1])]
    rows = (",".join(map(str, [*x, label])) for x, label in zip(X.tolist(), y, strict=True))
    return "\n".join([",".join([*names, "digit"]), *rows, ""]).encode()


class Server:
    """``mlp playground`` as a process."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = process, address

    @classmethod
    @contextlib.contextmanager
    def start(cls, **environment: str) -> Iterator[Self]:
        """Start a server, and yield it once it listens; its log must be empty at the end."""
        command = [sys.executable, "-m", "multilayer", "playground", "--no-open", "--port", "0"]
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        ) as process:
            assert process.stderr is not None
            try:
                found = re.search(r"http://\S+", process.stderr.readline())
                assert found is not None
                yield cls(process, found[0])
            finally:
                process.terminate()
                if said := process.stderr.read():
                    raise RuntimeError(f"the server printed: {said}")

    @property
    def memory(self) -> float:
        """The server's resident memory in MiB."""
        command = ["ps", "-o", "rss=", "-p", str(self.process.pid)]
        return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) / 2**10


async def first(rounds: int) -> list[dict[str, Any]]:
    """Measure how long the first frame and the first step take, in new processes."""
    found = []
    for name in ("compiled before", "compiled now"):
        pictures, steps = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
                environment = {"NUMBA_CACHE_DIR": folder} if name == "compiled now" else {}
                start = time.perf_counter()
                server = stack.enter_context(Server.start(**environment))
                async with Client.at(server.address) as client:
                    await client.build("2-8-8-1")
                    pictures.append(time.perf_counter() - start)
                    await client.say("speed", steps=None)
                    start = time.perf_counter()
                    await client.say("play")
                    while client.place == 0:
                        await client.hear()
                    steps.append(time.perf_counter() - start)
        seconds = {"first picture, s": _middle(pictures), "first play, s": _middle(steps)}
        found.append({"kernels": name, **seconds})
    return found


async def frames(seconds: float) -> list[dict[str, Any]]:
    """Measure the frames and steps per second of one session."""
    found = []
    with Server.start() as server:
        for shape, speed in itertools.product(SHAPES, SPEEDS):
            async with Client.at(server.address) as client:
                await client.build(shape)
                await client.play(seconds / 4, speed)  # kernels are compiled
                n_frames, n_steps = await client.play(seconds, speed)
            found.append(
                {
                    "shape": shape,
                    "speed, steps per second": speed or "unlimited",
                    "frames per second": n_frames,
                    "steps per second": n_steps,
                }
            )
    return found


async def latency(n: int) -> list[dict[str, Any]]:
    """Measure the time from a *step* command to the frame that shows the step."""
    found = []
    with Server.start() as server:
        for shape in SHAPES:
            async with Client.at(server.address) as client:
                await client.build(shape)
                found.append({"shape": shape} | await _latency(client, n))
    return found


async def _latency(client: Client, n: int) -> dict[str, float]:
    """Return the median time of a step, and the time that 5 % of the steps exceed."""
    await client.step()
    times = []
    for _ in range(n):
        await asyncio.sleep(0.05)  # people do not click faster
        times.append(1000 * await client.step())
    return {"median, ms": _middle(times), "95 %, ms": sorted(times)[int(0.95 * len(times))]}


async def many(seconds: float, n: int) -> list[dict[str, Any]]:
    """Measure sessions that play at once, and the latency of a step in one more session."""
    found = []
    for shape in ("2-8-8-1", "2-64-64-64-64-64-1"):
        with Server.start() as server:
            async with contextlib.AsyncExitStack() as stack:
                clients = [
                    await stack.enter_async_context(Client.at(server.address))
                    for _ in range(N_SESSIONS + 1)
                ]
                for client in clients:
                    await client.build(shape)
                *players, stepper = clients
                await players[0].play(1)  # kernels are compiled
                playing = [asyncio.ensure_future(one.play(seconds)) for one in players]
                await asyncio.sleep(1)
                times = await _latency(stepper, n)
                rates = await asyncio.gather(*playing)
        for name, values in zip(("frames", "steps"), zip(*rates, strict=True), strict=True):
            found.append(
                {
                    "shape": shape,
                    "per session and second": name,
                    "least": min(values),
                    "median": _middle(values),
                    "most": max(values),
                    "a step in another session": f"{times['median, ms']:.0f} ms, "
                    f"95 % within {times['95 %, ms']:.0f} ms",
                }
            )
    return found


async def soak(minutes: float) -> list[dict[str, Any]]:
    """Open, change and close sessions; return the server's memory for each minute."""
    rng = random.Random(0)
    seeds = itertools.count()  # unchanged settings would not build a new network
    found: list[dict[str, Any]] = []
    n_sessions = 0

    async def visit(server: Server) -> None:
        """Act as a page that opens, tries various things, and closes."""
        nonlocal n_sessions
        async with Client.at(server.address) as client:
            n_sessions += 1
            for _ in range(rng.randint(1, 6)):
                await client.build(
                    rng.choice(list(SHAPES)),
                    data={"kind": rng.choice(KINDS), "noise": 0.1, "n_samples": 300},
                    normalization=rng.choice([None, "batch", "layer"]),
                    seed=next(seeds),
                )
                await client.say("select", layer=1, unit=0)
                await client.play(rng.uniform(0.5, 5), rng.choice(SPEEDS))
                for _ in range(rng.randint(0, 5)):
                    await client.step()
                await client.say(rng.choice(["save", "samples"]))
                await client.hear("file")

    async def come_and_go(server: Server, until: float) -> None:
        while time.monotonic() < until:
            await visit(server)

    with Server.start() as server:
        start = time.monotonic()
        guests = [
            asyncio.ensure_future(come_and_go(server, start + 60 * minutes)) for _ in range(5)
        ]
        minute = 0.0
        while minute <= minutes:
            with contextlib.suppress(TimeoutError):
                rest = max(0.0, start + 60 * minute - time.monotonic())
                await asyncio.wait_for(asyncio.shield(asyncio.gather(*guests)), rest or 0.001)
            found.append({"minute": minute, "sessions so far": n_sessions, "MiB": server.memory})
            minute += min(1.0, minutes)
        await asyncio.gather(*guests)
    return found


def _middle(values: Any) -> float:
    return float(statistics.median(values))


def main() -> None:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cases: dict[str, Callable[[bool, float], Any]] = {
        "first": lambda quick, _: first(1 if quick else 5),
        "frames": lambda quick, _: frames(1 if quick else 5),
        "latency": lambda quick, _: latency(10 if quick else 100),
        "many": lambda quick, _: many(3 if quick else 20, 10 if quick else 60),
        "soak": lambda _, minutes: soak(minutes),
    }
    parser.add_argument("--case", action="append", choices=list(cases), help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="short measurements")
    parser.add_argument("--minutes", type=float, default=0.5, help="the length of the soak")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    given = parser.parse_args()
    load = wait_until_idle(0 if given.quick else PATIENCE)
    console = Console(stderr=given.json)
    if load > IDLE:
        console.print(f"[yellow]The machine is not idle: others keep {load:.2f} cores busy.[/]")
    found = {}
    for name, measure in cases.items():
        if given.case is None or name in given.case:
            found[name] = asyncio.run(measure(given.quick, given.minutes))
            console.print(_table(name, found[name]))
    if given.json:
        print(json.dumps({"machine": describe(), "busy_cores_before": load, **found}, indent=1))


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    return table


if __name__ == "__main__":
    main()
