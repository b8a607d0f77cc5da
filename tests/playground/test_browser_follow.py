"""The page of trainings, in Debian's Chromium."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.numpy import MLP
from multilayer.training import Recorder, fit

COMMAND = [sys.executable, "-m", "multilayer"]
LONG = ["train", "digits", "--hidden", "6,4", "--epochs", "100000", "--json"]
X = np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
ENDS = "The server has stopped"
PATIENCE = 60_000  # milliseconds


@contextmanager
def ending(command):
    """Start a server that ends with the test, however that ends."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield server
        finally:
            server.terminate()


@pytest.fixture
def open_at(browser):
    """Return a function that opens a page of trainings, which may log no error of its own."""
    contexts, faults = [], []

    def open_page(address):
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(error.stack))
        page.on("console", lambda said: said.type == "error" and faults.append(said.text))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # A server that has ended is asked again.
    assert [fault for fault in faults if "ERR_CONNECTION_REFUSED" not in fault] == []


def box(page, name):
    return page.get_by_role("checkbox", name=re.compile(f"^{name} epoch"))


def charted(page):
    return page.locator("#loss-chart .chart").get_attribute("aria-label")


def test_trainings_are_followed_as_they_go(tmp_path, open_at, shows):
    from playwright.sync_api import expect

    command = [*COMMAND, "playground", "--no-open", "--port", "0", "--follow", str(tmp_path)]
    with ending(command) as server:
        page = open_at(re.search(r"http://\S+", server.stderr.readline())[0])
        shows(page, "#no-runs", "No training run is recorded here yet")
        training = subprocess.Popen([*COMMAND, *LONG, "--record", str(tmp_path / "long")],
                                    stdout=subprocess.DEVNULL)  # fmt: skip
        try:
            shows(page, "#runs", re.compile(r"long\s*epoch \d+ of 100,000, .*running"))
            shows(page, "#facts", "64 inputs → 6 relu → 4 relu → 10 softmax")
            before = page.locator("#runs").inner_text()
            expect(page.locator("#runs")).not_to_have_text(before, timeout=PATIENCE)
            shows(page, "#layers", re.compile(r"hidden 1.*hidden 2.*output", re.S))

            # Another one begins, and is shown by itself until somebody chooses.
            net = MLP(Architecture(2, (8,), 2), rng=np.random.default_rng(0))
            how = {"validation": 0.2, "rng": np.random.default_rng(0), "n_epochs": 5}
            recorders = [Recorder(tmp_path / "short")]
            history = fit(net, (X, Y), loss="cross_entropy", callbacks=recorders, **how)
            shows(page, "#facts", "ended after all epochs")
            assert not box(page, "long").is_checked()
            box(page, "long").check()
            expect(page.locator("#focus option")).to_have_count(2, timeout=PATIENCE)
            assert "short: validation loss" in charted(page)
            assert "long: train loss" in charted(page)
            shows(page, "#numbers", f"{history['validation_loss'][-1]:.3f}")
            page.get_by_label("logarithmic").check()
            assert "run=long" in page.url
            training.send_signal(signal.SIGINT)
            shows(page, "#facts", "interrupted")
        finally:
            training.kill()
            training.wait(60)
        for width in (390, 1000, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            # Charts take their new size a moment later.
            page.wait_for_function(f"document.documentElement.scrollWidth === {width}")
            assert page.evaluate("document.documentElement.scrollWidth") == width
        server.terminate()
        shows(page, "#banner", ENDS)
        assert "long: train loss" in charted(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(tmp_path, browser, shows, scheme):
    from axe_playwright_python.sync_playwright import Axe

    for seed in range(2):
        net = MLP(Architecture(2, (8, 4), 2, activation="tanh"), rng=np.random.default_rng(seed))
        fit(
            net,
            (X, Y),
            loss="cross_entropy",
            n_epochs=9,
            callbacks=[Recorder(tmp_path / str(seed))],
        )
    (tmp_path / "record-1.jsonl").write_text("{}\n")
    command = [*COMMAND, "playground", "--no-open", "--port", "0", "--follow", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://\S+", server.stderr.readline())[0]
            context = browser.new_context(color_scheme=scheme, bypass_csp=True)
            page = context.new_page()
            page.goto(f"{address}#run=0&run=1")
            shows(page, "#numbers", "ended after all epochs")
            shows(page, "#passed-over", "1 file was skipped")
            found = Axe().run(page)
            context.close()
        finally:
            server.terminate()
    assert found.violations_count == 0, found.generate_report()


def test_watch_opens_the_page_which_learns_how_it_ended(tmp_path, open_at, shows):
    opener = tmp_path / "browser"  # in place of one, it notes the address
    opener.write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/address.part"\n'
                      f'mv "{tmp_path}/address.part" "{tmp_path}/address"\n')  # fmt: skip
    opener.chmod(stat.S_IRWXU)
    environment = os.environ | {"BROWSER": str(opener)}
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [*COMMAND, *LONG, "--watch"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **streams) as training:
        try:
            while not (tmp_path / "address").exists():
                assert training.poll() is None
                time.sleep(0.05)
            page = open_at((tmp_path / "address").read_text().strip())
            shows(page, "#facts", re.compile(r"State\s*running"))
            training.send_signal(signal.SIGINT)
            shows(page, "#banner", ENDS)
            shows(page, "#facts", "interrupted")
            assert training.wait(60) == 130
        finally:
            training.kill()
