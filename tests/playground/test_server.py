"""The server without a browser."""

import asyncio
import json
import random
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from multilayer.playground import server
from multilayer.playground.server import application

BASE = "http://127.0.0.1:8765"
OWN = {"host": "127.0.0.1:8765", "origin": BASE}
SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text())
SETTINGS["hidden"] = [3]
SETTINGS["data"]["n_samples"] = 40


@pytest.fixture
def client():
    with TestClient(application(), base_url=BASE) as client:
        yield client


def hear(socket, kind):
    while True:
        raw = socket.receive_bytes()
        found = json.loads(raw[4 : 4 + np.frombuffer(raw, "<u4", 1)[0]])
        if found["type"] == "frame":
            socket.send_text('{"type": "seen"}')
        if found["type"] == kind:
            return found


def begin(socket):
    hear(socket, "greeting")
    socket.send_text(json.dumps({"type": "settings", "settings": SETTINGS}))
    return hear(socket, "frame")


def test_the_page_and_what_it_needs(client):
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("main.js", "style.css", "icon.svg"):
        assert client.get(f"/{name}").status_code == 200
    assert client.get("/../server.py").status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1"])
def test_a_foreign_host_is_refused(client, host):
    assert client.get("/", headers={"host": host}).status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/session", headers={"host": host, "origin": f"http://{host}"}),
    ):
        pass


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:80"])
def test_the_names_of_this_machine_are_answered(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


def test_the_case_of_a_name_does_not_matter():
    with TestClient(application("MyHost"), base_url=BASE) as client:
        assert client.get("/", headers={"host": "myhost:80"}).status_code == 200


def test_a_name_is_refused_even_if_all_interfaces_are_bound():
    with TestClient(application("0.0.0.0"), base_url=BASE) as client:
        assert client.get("/", headers={"host": "192.168.1.2:80"}).status_code == 200
        assert client.get("/", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1"])
def test_a_foreign_origin_is_refused(client, origin):
    headers = OWN | {"origin": origin} if origin else {"host": OWN["host"]}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/session", headers=headers):
        pass


def test_two_sessions_are_apart(client):
    with (
        client.websocket_connect("/session", headers=OWN) as one,
        client.websocket_connect("/session", headers=OWN) as two,
    ):
        begin(one)
        begin(two)
        one.send_text('{"type": "epoch"}')
        while hear(one, "frame")["n_complete"] < 1:
            pass
        two.send_text('{"type": "step"}')
        while (frame := hear(two, "frame"))["step"] < 1:
            pass
        assert frame["n_complete"] == 0


def test_a_broken_message_ends_its_session_alone(client):
    with client.websocket_connect("/session", headers=OWN) as other:
        begin(other)
        with client.websocket_connect("/session", headers=OWN) as broken:
            begin(broken)
            broken.send_text('{"type": "explode"}')
            reason = hear(broken, "ended")["reason"]
            assert reason.startswith("type of a message must be one of play, pause")
            with pytest.raises(WebSocketDisconnect) as closed:
                hear(broken, "frame")
            assert closed.value.code == 1008
        other.send_text('{"type": "step"}')
        while hear(other, "frame")["step"] < 1:
            pass


def test_random_messages_end_only_their_session(client):
    rng = random.Random(0)
    words = ["play", "step", "epoch", "reset", "save", "samples", "pause", "x", ""]
    for _ in range(20):
        with client.websocket_connect("/session", headers=OWN) as socket:
            begin(socket)
            for _ in range(rng.randint(0, 5)):
                socket.send_text(json.dumps({"type": rng.choice(words[:7])}))
            socket.send_bytes(rng.randbytes(rng.randint(0, 40)))
            assert hear(socket, "ended")["reason"]
    with client.websocket_connect("/session", headers=OWN) as socket:
        assert begin(socket)["n_complete"] == 0


def test_there_are_only_so_many_sessions(client, monkeypatch):
    monkeypatch.setattr(server, "MAX_SESSIONS", 1)
    with client.websocket_connect("/session", headers=OWN) as one:
        begin(one)
        with client.websocket_connect("/session", headers=OWN) as two:
            assert hear(two, "ended")["reason"] == "there are 1 sessions already"


def test_a_page_that_goes_before_it_is_greeted_leaves_no_session():
    class Gone:
        async def accept(self):
            pass

        async def send_bytes(self, message):
            raise WebSocketDisconnect(1006)

        async def receive(self):
            return {"type": "websocket.disconnect"}

    sessions = server._Sessions()
    asyncio.run(sessions.serve(Gone()))
    assert not sessions.open
