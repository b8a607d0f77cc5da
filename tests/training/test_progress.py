"""Progress: drawn in place in notebooks and on terminals, lines elsewhere, silence unless asked."""

import io
import pickle
import re
import sys
from types import ModuleType

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text
from sklearn.base import clone

from multilayer import Architecture, MLPClassifier
from multilayer.numpy import MLP, Adam
from multilayer.torch import MLP as TorchMLP
from multilayer.training import Callback, Checkpoint, EarlyStopping, Progress, fit
from multilayer.training.progress import N_LINES

X = np.random.default_rng(0).normal(size=(64, 2))
Y = np.random.default_rng(1).integers(2, size=64)


def train(callbacks, n_epochs=40, engine=MLP, **settings):
    net = engine(Architecture(2, (4,), 2), initializer="he", rng=np.random.default_rng(0))
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


@pytest.fixture(autouse=True)
def _of_any_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


def terminal(width=100):
    return Console(file=io.StringIO(), force_terminal=True, width=width)


def last_frame(console):
    """Return the lines that a terminal is left with: no frame is taller than the last one."""
    *_, last = console.file.getvalue().replace("\x1b[1A\x1b[2K", "\r").split("\r")
    return Text.from_ansi(last.split("\x1b[?25h")[0]).plain.splitlines()


class Slowly(Callback):
    """Turns a clock forward, so that each epoch and step is worth a drawing."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("multilayer.training.progress.time.monotonic", lambda: self.now)

    def on_step_end(self, run):
        self.now += 1.0


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
    assert 5 <= len(lines) <= 2 * N_LINES


@pytest.mark.parametrize("engine", [MLP, TorchMLP])
def test_a_terminal_has_a_bar_and_the_losses_as_blocks(engine):
    console = terminal()
    train([Progress(console)], engine=engine, validation=0.25)
    bar, *rows = last_frame(console)
    assert re.fullmatch(r"epoch 40/40 +━{40} +took 0:00:\d\d *", bar)
    assert [re.sub(r"\d", "0", row).split() for row in rows] == [
        ["train", "loss", rows[0].split()[2], "0.0000"],
        ["validation", "loss", rows[1].split()[2], "0.0000"],
        ["validation", "accuracy", "0.0000"],
    ]
    blocks = rows[0].split()[2]
    assert len(blocks) == 40
    assert blocks[0] == "█"  # this training's loss falls
    assert set(rows[1].split()[2]) <= set("▁▂▃▄▅▆▇█")


def test_what_is_drawn_on_a_terminal_as_it_goes(monkeypatch):
    console = terminal()
    train([Slowly(monkeypatch), Progress(console)], n_epochs=3, batch_size=16)
    text = Text.from_ansi(console.file.getvalue().replace("\r", "\n")).plain
    assert "epoch 1/3" in text
    assert re.search(r"^loss +\d\.\d{4} *$", text, flags=re.MULTILINE)  # before an epoch is over
    # Twelve steps of a second each: after the third one nine are left.
    assert "0:00:09 left" in text
    assert "0:00:01 left" in text
    assert "took 0:00:12" in text
    assert "0:00:12 left" not in text  # the first step says nothing of the pace


def test_narrow_terminals_break_no_line():
    console = terminal(width=42)
    train([Progress(console)], validation=0.25)
    rows = last_frame(console)
    assert len(rows) == 4
    assert max(map(len, rows)) <= 42


def test_an_interrupted_terminal_gets_its_cursor_back():
    class Interrupt(Callback):
        def on_step_end(self, run):
            raise KeyboardInterrupt

    console = terminal()
    train([Progress(console), Interrupt()])
    assert console.file.getvalue().count("\x1b[?25l") == 1
    assert console.file.getvalue().count("\x1b[?25h") == 1
    assert "stopped by interrupt" in console.file.getvalue()


def test_a_dumb_terminal_has_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = terminal()
    train([Progress(console)])
    assert console.file.getvalue().splitlines()[0].startswith("epoch  1/40: train loss 0.")


def test_drawing_takes_two_percent_of_the_time_at_most(monkeypatch):
    drawn = []
    clock = Slowly(monkeypatch)

    def draw(self, run):
        drawn.append(clock.now)
        clock.now += 6.0

    monkeypatch.setattr("multilayer.training.progress._Terminal.draw", draw)
    train([clock, Progress(terminal())], n_epochs=600, batch_size=32)
    # 1,200 seconds of steps, and a rest of 300 after each drawing; one more at the end.
    assert len(drawn) == 1 + 1200 // 300 + 1
    assert 300 + 6 <= np.diff(drawn)[:-1].min() <= 300 + 6 + 1


class FakeDisplay(ModuleType):
    """Stands for ``IPython.display``, and keeps what each display shows, version by version."""

    def __init__(self):
        super().__init__("IPython.display")
        self.shown = []

    def display(self, *objects, display_id=False):
        if not display_id:
            return None  # rich prints its lines so
        self.shown.append(objects[0])
        handle = ModuleType("handle")
        handle.update = self.shown.append
        return handle


@pytest.fixture
def notebook(monkeypatch):
    fake = FakeDisplay()
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    return fake


@pytest.mark.parametrize("engine", [MLP, TorchMLP])
def test_a_notebook_has_a_picture_drawn_in_place(engine, notebook, monkeypatch):
    console = Console(file=io.StringIO(), force_jupyter=True)
    callbacks = [Slowly(monkeypatch), Progress(console)]
    train(callbacks, n_epochs=3, engine=engine, batch_size=16, validation=0.25)
    first, *_, last = (drawing._repr_html_() for drawing in notebook.shown)
    assert len(notebook.shown) > 9
    assert "<svg" not in first
    assert "epoch 1/3" in first
    assert last.count("<polyline") == 2
    assert '<progress max="3" value="3.000"' in last
    assert "validation accuracy 0." in last
    assert "took 0:00:09" in last
    assert any("s left" in re.sub(r"0:00:0\d", "s", str(d)) for d in notebook.shown)
    assert re.match(
        r"epoch 3/3 · train loss 0\.\d{4} · validation loss 0\.", str(notebook.shown[-1])
    )


def test_ipython_is_not_asked_for_where_there_is_no_notebook(monkeypatch):
    for name in ("IPython", "IPython.display"):
        monkeypatch.setitem(sys.modules, name, None)  # an import fails
    for console in (terminal(), Console(file=io.StringIO())):
        train([Progress(console)], n_epochs=2)
        assert "epoch 2/2" in console.file.getvalue()


def test_estimators_take_it_and_can_be_cloned_and_pickled(capsys):
    clf = MLPClassifier(4, early_stopping=True, n_iter_no_change=2, tol=1, random_state=0)
    clf.set_params(callbacks=Progress())
    for each in (clf, clone(clf)):
        each.fit(X, Y)
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("epoch   1/200: train loss 0.")
        assert "validation score 0." in err
        assert "stopped by early stopping" in err
    assert (pickle.loads(pickle.dumps(clf)).predict(X) == clf.predict(X)).all()


def test_an_estimators_verbose_lines_stay_scikit_learns(capsys):
    clf = MLPClassifier(4, verbose=True, max_iter=2, random_state=0, callbacks=Progress())
    with pytest.warns(match="Maximum iterations"):
        clf.fit(X, Y)
    out, err = capsys.readouterr()
    assert re.fullmatch(r"(Iteration \d, loss = \d\.\d{8}\n){2}", out)
    assert err.startswith("epoch 1/2: train loss")


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
    assert said[0][0] == "resuming after epoch  3/12, step 1 of 4"
    assert said[1] == ["already finished, after 12 epochs"]


def test_says_why_it_ended_early():
    console = Console(file=io.StringIO(), width=100)
    train([Progress(console), EarlyStopping(patience=2)], n_epochs=4000, validation=0.25)
    assert "stopped by early stopping; best epoch" in console.file.getvalue()


def test_long_epochs_show_their_steps(monkeypatch):
    console = Console(file=io.StringIO(), width=100)
    train([Slowly(monkeypatch), Progress(console)], n_epochs=1, batch_size=8)
    assert "epoch 1/1, step 4 of 8: loss 0." in console.file.getvalue()


@pytest.mark.parametrize("is_terminal", [False, True])
def test_display_changes_no_bit(is_terminal):
    console = Console(file=io.StringIO(), force_terminal=is_terminal)
    shown, silent = train([Progress(console)]), train([])
    assert shown.parameters.tobytes() == silent.parameters.tobytes()


def test_a_child_that_is_forked_meanwhile_prints_past_the_display(fork):
    class Fork(Callback):
        def on_epoch_end(self, run):
            if run.epoch == 2:
                self.theirs = fork(lambda: sys.stderr is before).result()
                self.ours = sys.stderr is before

    before, forks = sys.stderr, Fork()
    train([Progress(terminal()), forks], n_epochs=3)
    assert (forks.theirs, forks.ours) == (True, False)
    assert sys.stderr is before
