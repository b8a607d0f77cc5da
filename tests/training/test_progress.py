"""Progress: a bar on a terminal, lines elsewhere, silence unless asked for."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from multilayer import Architecture
from multilayer.numpy import MLP, Adam
from multilayer.training import Callback, Checkpoint, EarlyStopping, Progress, fit

X = np.random.default_rng(0).normal(size=(64, 2))
Y = np.random.default_rng(1).integers(2, size=64)


def train(callbacks, n_epochs=40, **settings):
    net = MLP(Architecture(2, (4,), 2), rng=np.random.default_rng(0))
    rng = np.random.default_rng(0)
    fit(
        net,
        (X, Y),
        loss="cross_entropy",
        n_epochs=n_epochs,
        callbacks=callbacks,
        rng=rng,
        **settings,
    )
    return net


def test_silent_unless_asked(capfd):
    train([])
    assert capfd.readouterr() == ("", "")


def test_lines_where_there_is_no_terminal():
    console = Console(file=io.StringIO(), width=100)
    train([Progress(console)], validation=0.25)
    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("epoch  1/40: train loss 0.")
    assert "validation loss 0." in lines[0]
    assert "validation accuracy 0." in lines[0]
    assert lines[-1].startswith("epoch 40/40: ")
    assert 5 <= len(lines) <= 2 * Progress.lines


def test_bar_on_a_terminal():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    train([Progress(console)])
    text = console.file.getvalue()
    assert "epoch 40/40" in text
    assert "train loss 0." in text
    assert "\x1b[" in text


def test_large_losses_have_few_digits():
    console = Console(file=io.StringIO(), width=100)
    with np.errstate(all="ignore"):
        train([Progress(console)], n_epochs=3, optimizer=Adam(1e7))
    last = console.file.getvalue().splitlines()[-1]
    assert re.fullmatch(r"epoch 3/3: train loss \d\.\d{3}e\+\d\d", last)


def test_says_where_a_training_goes_on(tmp_path):
    class Kill(Callback):
        def on_step_end(self, run):
            if (run.epoch, run.step) == (3, 2):
                raise MemoryError

    kept = Checkpoint(tmp_path, seconds=0)
    settings = {"n_epochs": 12, "batch_size": 16, "checkpoint": kept}
    with pytest.raises(MemoryError):
        train([Kill()], **settings)
    said = []
    for _ in range(2):
        console = Console(file=io.StringIO(), width=100)
        train([Progress(console)], resume=True, **settings)
        said.append(console.file.getvalue().splitlines())
    assert said[0][0] == "going on after epoch  3/12, step 1 of 4"
    assert said[1] == ["finished already, after 12 epochs"]


def test_says_why_it_ended_early():
    console = Console(file=io.StringIO(), width=100)
    train([Progress(console), EarlyStopping(patience=2)], n_epochs=4000, validation=0.25)
    assert "stopped by early stopping; best epoch" in console.file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_long_epochs_show_their_steps(terminal, monkeypatch):
    clock = iter(np.arange(0, 1e6, 3.0))
    monkeypatch.setattr("multilayer.training.callbacks.time.monotonic", lambda: next(clock))
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    train([Progress(console)], n_epochs=1, batch_size=8)
    if not terminal:
        assert "epoch 1/1, step 4 of 8: loss 0." in console.file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_display_changes_no_bit(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal)
    shown, silent = train([Progress(console)]), train([])
    assert shown.parameters.tobytes() == silent.parameters.tobytes()
