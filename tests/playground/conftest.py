"""Fixtures of the playground's tests: a server, a browser, and pages in it."""

import gc
import re
import shutil
import subprocess
import sys

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000  # milliseconds, on a machine that does much else


@pytest.fixture(scope="module", autouse=True)
def released():
    """Let trainings that tests have left in their middle give BLAS its threads back."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def address():
    command = [sys.executable, "-m", "multilayer", "playground", "--no-open", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield re.search(r"http://\S+", server.stderr.readline())[0]
        finally:
            server.terminate()
            assert server.stderr.read() == ""  # nothing failed on the way


# Playwright's event loop runs as long as this does, and other files have loops of their own.
@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, address):
    """Return a function that opens the page; no page may have logged an error."""
    contexts, faults = [], []

    def open_at(hash_="", width=1400, height=1000, **options):
        size = {"width": width, "height": height}
        context = browser.new_context(viewport=size, accept_downloads=True, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(error.stack))
        page.on("console", lambda said: said.type == "error" and faults.append(said.text))
        page.goto(f"{address}#{hash_}")
        expect_text(page, "#read-step", " of ")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def shows():
    """Return the function that waits for a text."""
    return expect_text


def expect_text(page, place, text):
    """Wait until an element has a text, or one that fits a pattern."""
    from playwright.sync_api import expect

    expect(page.locator(place)).to_contain_text(text, timeout=PATIENCE)
