"""Ten thousand hostile and broken messages: nothing dies but a session, which says why."""

import gzip
import json
import pickle
import queue
import random
import resource
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from multilayer.errors import MultilayerError
from multilayer.playground.messages import Change, Command, File, parse
from multilayer.playground.server import application
from multilayer.playground.session import Session
from multilayer.playground.settings import Settings

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text())
SETTINGS["data"] |= {"n_samples": 40}
N_MESSAGES, N_OBEYED, N_FILES, N_SENT = 10_000, 60, 30, 40
MEMORY = 500 * 2**20
"""Bytes that all this may take, more than two files of the largest size."""
BASE = "http://127.0.0.1:8765"
OWN = {"host": "127.0.0.1:8765", "origin": BASE}
PATIENCE = 60  # seconds, on a machine that does much else
COMMANDS = ["play", "pause", "step", "epoch", "reset", "seen", "save", "samples"]
ODD = [
    None, True, -1, 0, 2, 3, 10**400, -0.0, 1e308, 1e-320, "", "relu", "adam", "table", "\ud800",
    "x" * 3_000, [], [[]], [0] * 3_000, {}, {"kind": "moons"}, [8, 8], ["tanh", "tanh"], 2**32,
]  # fmt: skip


def nested(rng):
    depth = rng.choice([5, 99, 101, 3_000, 90_000])
    return '{"type": ' + "[" * depth + "]" * depth * rng.randint(0, 1) + "}"


def changed_settings(rng):
    found = json.loads(json.dumps(SETTINGS))
    parts = [found, found["data"]]
    for _ in range(rng.randint(1, 3)):
        part = rng.choice(parts)
        name = rng.choice([*part, "nonsense"])
        if rng.random() < 0.2:
            part.pop(name, None)
        else:
            part[name] = rng.choice(ODD)
    return json.dumps({"type": "settings", "settings": found})


def mutated(rng):
    text = list(json.dumps({"type": "settings", "settings": SETTINGS}))
    for _ in range(rng.randint(1, 5)):
        place = rng.randrange(len(text))
        text[place : place + rng.randint(0, 9)] = rng.choices('{}[]",:0159e-.Nan\\\ud800x', k=2)
    return "".join(text)


def other(rng):
    kind = rng.choice([*COMMANDS, "speed", "select", "settings", "table", "nonsense", 7])
    names = ["steps", "layer", "unit", "settings", "x"]
    found = {"type": kind} | {rng.choice(names): rng.choice(ODD) for _ in range(rng.randint(0, 3))}
    return json.dumps(found).replace("1e+308", rng.choice(["NaN", "Infinity", "1e999", "1e308"]))


def safetensors(rng):
    header = {
        "parameters": {
            "dtype": rng.choice(["F32", "F64", "Q9"]),
            "shape": rng.choice([[10**12], [-1], [3], "x"]),
            "data_offsets": rng.choice([[0, 12], [0, 10**15], [12, 0], [-1, 2]]),
        },
        "__metadata__": rng.choice([{}, {"format": "multilayer"}, {"format": 3}, None]),
    }
    text = json.dumps(header).encode()
    length = rng.choice([len(text), 2**63, 0, len(text) + 10**6])
    return struct.pack("<Q", length) + text + bytes(12)


class Exploit:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was run')",)


BOMB = gzip.compress(b"a,b\n" + bytes(2**24), 9) * 8
WIDE = ",".join(f"c{i}" for i in range(100_000)).encode()
MANY = b",".join(b"c%d" % i for i in range(1_500)) + b"\n" + b"1,2\n" * 500_000


def content(rng):
    return rng.choice(
        [
            lambda: BOMB,
            lambda: WIDE + b"\n1\n",
            lambda: MANY,
            lambda: pickle.dumps(Exploit()),
            lambda: b"PK\x03\x04" + rng.randbytes(99),
            lambda: b"PAR1" + rng.randbytes(99) + b"PAR1",
            lambda: b"\n".join(b'{"k%d": 1}' % i for i in range(2_000)),
            lambda: b'a,b\n1,"' + b"x\n" * 9_999,
            lambda: b"," * rng.randint(0, 99_999),
            lambda: b"a,b\n" + b"1,2\n" * rng.randint(0, 3),
            lambda: b"a\n1\n2\n",
            lambda: "a;b\n1;é\n2;x\n".encode(rng.choice(["utf-16", "latin-1", "utf-8"])),
            lambda: rng.randbytes(rng.randint(0, 300)),
            lambda: safetensors(rng),
            lambda: safetensors(rng)[: rng.randint(0, 40)],
        ]
    )()


def file(rng):
    kind = rng.choice(["table", "model"])
    name = rng.choice(["x", "../../etc/passwd", "\x00", "y" * 500])
    return json.dumps({"type": kind, "name": name}).encode() + b"\n" + content(rng)


def noise(rng):
    return rng.randbytes(rng.randint(0, 300))


MAKERS = [changed_settings, mutated, other, nested, noise, file]


def message_of(rng):
    return rng.choices(MAKERS, [4, 4, 4, 0.3, 1, 0.3])[0](rng)


def parsed(said):
    """Return what a message says, or None if it is refused; any other error fails the test."""
    try:
        return parse(said)
    except MultilayerError:
        return None


@pytest.fixture(autouse=True)
def bounded():
    """What all messages of a test take of memory is bounded."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert 1024 * taken < MEMORY


def test_ten_thousand_messages_are_read_or_refused():
    rng = random.Random(0)
    n_read = sum(parsed(message_of(rng)) is not None for _ in range(N_MESSAGES))
    assert N_MESSAGES / 20 < n_read < N_MESSAGES / 2  # both happen


def heard(raw):
    return json.loads(raw[4 : 4 + np.frombuffer(raw, "<u4", 1)[0]])


def hear(socket, kind):
    while (found := heard(socket.receive_bytes()))["type"] != kind:
        pass
    return found


@pytest.fixture
def session():
    """A session, what it says but for frames, which are seen at once, and why it has ended."""
    said, reasons = queue.Queue(), queue.Queue()

    def send(raw):
        if (found := heard(raw))["type"] == "frame":
            session.tell(Command("seen"))
        said.put(found)

    session = Session(send, reasons.put)
    session.start()
    obey(session, Change(Settings.of(SETTINGS)))
    yield session, said
    assert reasons.empty()
    session.end()
    session.join(PATIENCE)
    assert reasons.get(timeout=PATIENCE) == ""


def obey(session, message):
    until = time.monotonic() + PATIENCE
    while not session.tell(message):
        assert time.monotonic() < until
        time.sleep(0.001)


def next_of(said, *kinds):
    while (found := said.get(timeout=PATIENCE))["type"] not in kinds:
        pass
    return found


def is_large(said):
    return isinstance(said, Change) and (
        said.settings.data.n_samples > 1_000 or max(said.settings.hidden, default=0) > 100
    )


def test_a_session_outlives_what_it_is_told(session):
    session, said = session
    rng = random.Random(1)
    for _ in range(N_OBEYED):
        message = None
        while message is None or is_large(message):
            message = parsed(message_of(rng))
        obey(session, message)
    while not said.empty():
        said.get()
    obey(session, Change(Settings.of(SETTINGS | {"seed": 77})))
    while next_of(said, "built")["settings"]["seed"] != 77:
        pass


@pytest.mark.parametrize("kind", ["table", "model"])
def test_files_are_refused_in_words(session, kind):
    session, said = session
    rng = random.Random(2)
    next_of(said, "built")
    for _ in range(N_FILES):
        obey(session, File(kind, "x", content(rng)))
        found = next_of(said, "refused", "built")
        if found["type"] == "refused":
            assert 5 < len(found["reason"]) < 1_000
            assert "/tmp" not in found["reason"]
        else:
            assert kind == "table"


def test_other_sessions_go_on():
    rng = random.Random(3)
    with (
        TestClient(application(), base_url=BASE) as client,
        client.websocket_connect("/session", headers=OWN) as other_one,
    ):
        other_one.send_text(json.dumps({"type": "settings", "settings": SETTINGS}))
        hear(other_one, "frame")
        for _ in range(N_SENT):
            with client.websocket_connect("/session", headers=OWN) as socket:
                while parsed(said := message_of(rng)) is not None:
                    pass
                if isinstance(said, bytes):
                    socket.send_bytes(said)
                else:
                    socket.send_text(said)
                assert 5 < len(hear(socket, "ended")["reason"]) <= 1_000
        other_one.send_text('{"type": "seen"}')
        other_one.send_text('{"type": "step"}')
        assert hear(other_one, "frame")["step"] == 1
