"""Session: a training run in a thread, controlled by the page and shown on it."""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from multilayer.errors import DivergenceError, InvalidArgumentError, MultilayerError
from multilayer.model import Model
from multilayer.playground.checkup import Checkup
from multilayer.playground.data_sets import Samples, read_csv, samples_of
from multilayer.playground.inside import look_into
from multilayer.playground.messages import (
    Ask,
    Change,
    Command,
    Edit,
    File,
    Message,
    Select,
    Speed,
    Walk,
)
from multilayer.playground.model_files import model_file, model_in, with_shape_of
from multilayer.playground.pictures import Pictures
from multilayer.playground.recipes import recipes
from multilayer.playground.settings import PLAIN, Settings
from multilayer.playground.structure import structure_of
from multilayer.playground.training import WARM, Training
from multilayer.playground.turns import TURNS
from multilayer.playground.walk import walk_through
from multilayer.playground.wire import pack

if TYPE_CHECKING:
    from multilayer.data import Table
    from multilayer.numpy import MLP

__all__ = ["FORGOTTEN", "Ended", "Session"]

FRAME = 1 / 30
"""Minimum number of seconds between two frames."""
STRETCH = 0.02
"""Seconds of training between two checks for messages; less if other sessions wait."""
LEAST_STRETCH = 0.003
"""About the time that a frame takes."""
REST = 0.25
"""Seconds to wait for a message while there is nothing to do."""
UNSEEN, FORGOTTEN = 5.0, 900.0
"""Seconds without a sign from the page after which training pauses, and the session ends."""
INBOX = 8
"""Maximum number of waiting messages, each perhaps a file; others wait in the connection."""
Send = Callable[[bytes], None]


class Ended(Exception):  # noqa: N818 - it is not an error
    """The page is gone, or the session was ended."""


class Session:
    """A training run in a separate thread.

    A session sends a frame only when the page has seen the previous one, so a slow page gets fewer
    frames, and none are queued. If a frame is not seen for 5 seconds, for example because the page
    is hidden, training pauses until it is.

    Parameters
    ----------
    send : callable
        Takes a message as bytes, waits until it is sent, and raises `Ended` if that is impossible.
    on_end : callable
        Called with the reason when the session is over.
    """

    def __init__(self, send: Send, on_end: Callable[[str], None]) -> None:
        self._send_bytes, self._on_end = send, on_end
        self._inbox: queue.Queue[Message] = queue.Queue(INBOX)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="playground session", daemon=True)
        self._table: Table | None = None
        self._table_notes: tuple[str, ...] = ()
        self._samples: Samples | None = None
        self._training: Training | None = None
        self._checkup = Checkup()
        self._is_playing = self._is_last_epoch = False
        self._speed: float | None = None
        self._due = 0.0  # when the next step may be taken
        self._selected: Select | None = None
        self._sample = 0  # whose numbers a unit's formulas show
        self._asked = Ask(None)
        self._is_seen, self._is_changed = True, False
        self._sent = self._heard = time.monotonic()
        self._next_frame = 0.0
        self._outbox: list[bytes] = []

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def tell(self, message: Message) -> bool:
        """Pass on a message from the page; return False if too many are waiting."""
        try:
            self._inbox.put_nowait(message)
        except queue.Full:
            return False
        return True

    def end(self) -> None:
        """Ask the session to end, which it does after its current computation."""
        self._is_over.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended."""
        self._thread.join(timeout)

    def _run(self) -> None:
        reason = ""
        try:
            while not self._is_over.is_set():
                self._obey_all()
                self._find()
                # Without training there is little to compute, and a person waits for it.
                with TURNS.take() if self._trains else nullcontext():
                    self._train()
                    self._show()
                self._post()
                if time.monotonic() - self._heard > FORGOTTEN:
                    reason = f"nobody has watched for {FORGOTTEN / 60:.0f} minutes"
                    break
        except Ended:
            pass
        except Exception as error:  # other sessions continue
            reason = f"this session failed: {type(error).__name__}: {error}"
            raise
        finally:
            self._is_over.set()
            if self._training is not None:
                self._training.finish()
            self._on_end(reason)

    @property
    def _is_watched(self) -> bool:
        return self._is_seen or time.monotonic() - self._sent < UNSEEN

    @property
    def _trains(self) -> bool:
        return self._training is not None and self._is_playing and self._is_watched

    # Messages from the page --------------------------------------------------------------------

    def _obey_all(self) -> None:
        """Handle all messages; wait for one if there is nothing else to do."""
        now = time.monotonic()
        wait = 0.0
        if not self._trains:
            wait = REST
        elif self._speed is not None and not self._is_last_epoch:
            wait = min(max(self._due - now, 0.0), REST)
        if self._is_changed and self._is_seen:
            wait = min(wait, max(self._next_frame - now, 0.0))
        if self._checkup.is_under_way:
            wait = min(wait, FRAME)
        try:
            message = self._inbox.get(timeout=wait) if wait else self._inbox.get_nowait()
            while not self._is_over.is_set():
                self._heard = time.monotonic()
                try:
                    self._obey(message)
                except MultilayerError as error:
                    self._say("refused", reason=str(error), parameter=error.parameter)
                self._post()
                message = self._inbox.get_nowait()
        except queue.Empty:
            pass

    def _obey(self, message: Message) -> None:
        match message:
            case Command("seen"):
                self._is_seen = True
            case Change(settings):
                self._change(settings)
            case Speed(steps):
                self._speed, self._due = steps, 0.0
            case Select():
                self._selected, self._is_changed = message, True
            case Edit() | Walk() if self._training is not None:
                self._look(message, self._training)
            case Ask():
                self._asked, self._is_changed = message, True
            case File("table", _, content):
                self._open_table(content)
            case File(_, _, content):
                self._open_model(content)
            case Command(name) if self._training is not None:
                self._command(name, self._training)

    def _command(self, name: str, training: Training) -> None:
        if name in ("play", "step", "epoch") and not WARM.is_set():
            self._say("preparing")
        if name == "reset":
            self._is_playing = False
            self._begin(training.settings)
        elif name == "step":
            self._is_playing = False
            self._advance(training)
        elif name == "epoch":
            self._is_playing = self._is_last_epoch = True
        elif name == "save":
            self._send({"type": "file", "name": "model.safetensors"}, model_file(training))
        elif name == "samples":
            text = training.samples.to_csv().encode()
            self._send({"type": "file", "name": "samples.csv"}, text)
        else:
            self._is_playing, self._is_changed = name == "play", True
            self._is_last_epoch, self._due = False, 0.0
            self._say_recipes(training)

    def _look(self, message: Edit | Walk, training: Training) -> None:
        """Set a weight, or send a walk through one sample."""
        self._is_changed = True
        if isinstance(message, Walk):
            self._say("walk", **walk_through(training, message.sample))
            self._sample = message.sample
        else:
            training.edit(message.layer, message.unit, message.source, message.value)
            self._say_recipes(training)

    def _change(self, settings: Settings) -> None:
        training = self._training
        if training is not None and settings.fixed == training.settings.fixed:
            training.change(settings)
            self._is_changed = True
            self._say_recipes(training)
        else:
            self._begin(settings)

    def _open_table(self, content: bytes) -> None:
        training = self._training
        if training is None:
            raise InvalidArgumentError("choose settings before you open a table")
        before = self._table, self._table_notes
        self._table, self._table_notes = read_csv(content)
        data = replace(
            training.settings.data, kind="table", target="", features=PLAIN, shown=(), points=()
        )
        try:
            self._begin(replace(training.settings, data=data, loss=None), is_new_table=True)
        except MultilayerError:
            self._table, self._table_notes = before
            raise

    def _open_model(self, content: bytes) -> None:
        """Continue from a model file: with its settings if it has any, otherwise with its shape."""
        training = self._training
        if training is None:
            raise InvalidArgumentError("choose settings before you open a model")
        model = model_in(content)
        recorded = model.information.get("playground")
        if recorded is not None:
            settings = Settings.of(recorded)
        else:
            settings = with_shape_of(model, training.settings)
        self._begin(settings, model)

    def _begin(
        self, settings: Settings, model: Model | None = None, *, is_new_table: bool = False
    ) -> None:
        """Start a new training run; if its settings are not valid, change nothing."""
        before = self._training
        is_same = before is not None and before.settings.data == settings.data
        if is_same and not is_new_table and self._samples is not None:
            samples = self._samples
        else:
            samples = samples_of(settings.data, self._table)
        training = Training(settings, samples, model)
        if before is not None:
            before.finish()
        self._training, self._samples = training, samples
        self._pictures = Pictures(samples, training.net.n_parameters)
        self._sample = 0
        self._checkup = Checkup()
        is_asked = model is None and not is_new_table
        notes = (*self._table_notes, *samples.notes) if settings.data.kind == "table" else ()
        values, arrays = structure_of(training)
        self._send({"type": "built", "adopt": not is_asked, "notes": notes, **values}, arrays)
        self._is_changed = True

    # Training ----------------------------------------------------------------------------------

    def _train(self) -> None:
        """Take steps for a short while."""
        training = self._training
        if training is None or not self._trains:
            return
        until = time.monotonic() + max(LEAST_STRETCH, STRETCH / (1 + TURNS.n_waiting))
        if self._is_changed and self._is_seen:
            until = min(until, self._next_frame)
        while self._is_playing and (now := time.monotonic()) < until:
            if self._is_last_epoch:
                self._advance(training)
                self._is_playing &= training.loop.run.is_under_way
                continue
            if self._speed is not None:
                if now < self._due:
                    return
                self._due = max(self._due, now - FRAME) + 1 / self._speed
            self._advance(training)

    def _advance(self, training: Training) -> None:
        """Take a step; pause if there are no more steps, or training diverges."""
        self._is_changed = True
        try:
            if not training.step():
                self._is_playing = False
                self._say("finished", reason=_end_of(training))
        except DivergenceError as error:
            self._is_playing = False
            self._say("paused", reason=f"{error}. The weights are again {_best_of(training)}")

    # Messages to the page ----------------------------------------------------------------------

    def _find(self) -> None:
        """Send the doctor's findings, if there are new ones."""
        if self._training is None:
            return
        findings = self._checkup.look(self._training, is_playing=self._is_playing)
        if findings is not None:
            self._say("findings", findings=findings)

    def _show(self) -> None:
        """Send a frame if something has changed and the last frame was seen."""
        training, now = self._training, time.monotonic()
        is_due = self._is_changed and self._is_seen and now >= self._next_frame
        if training is None or not is_due:
            return
        self._is_changed = self._is_seen = False
        run, history = training.loop.run, training.history
        net: MLP = training.net
        arrays = self._pictures.of(net)
        selected, drawn, answer = self._selected, self._asked.image, None
        if drawn is not None and training.samples.side:
            shares, arrays["drawn"] = self._pictures.read(net, np.array(drawn))
            answer = shares.tolist()
        values = {
            "type": "frame",
            "is_playing": self._is_playing,
            "epoch": run.epoch,
            "n_complete": run.n_complete,
            "step": run.step if run.is_under_way else 0,
            "n_steps": run.n_steps,
            "n_edits": training.n_edits,
            "loss": float(run.loss),
            "learning_rate": float(run.learning_rate),
            "train_loss": history.get("train_loss", [None])[-1],
            "validation_loss": history.get("validation_loss", [None])[-1],
            "scores": list(training.scores),
            "unit": selected and look_into(training, selected.layer, selected.unit, self._sample),
            "answer": answer,
        }
        self._send(values, arrays | {"curve": training.points})
        self._sent = time.monotonic()
        self._next_frame = now + max(FRAME, 2 * (self._sent - now))

    def _say_recipes(self, training: Training) -> None:
        self._say("recipes", recipes=recipes(training), is_repeatable=training.is_repeatable)

    def _say(self, kind: str, **values: Any) -> None:
        self._send({"type": kind, **values}, {})

    def _send(self, values: dict[str, Any], arrays: Any) -> None:
        """Send values with arrays, or with the content of a file."""
        content = b"" if isinstance(arrays, dict) else arrays
        self._outbox.append(pack(values, arrays if isinstance(arrays, dict) else {}) + content)

    def _post(self) -> None:
        """Send the messages in the outbox; this waits if the page does not read them."""
        for message in self._outbox:
            self._send_bytes(message)
        self._outbox.clear()


def _end_of(training: Training) -> str:
    """Return a sentence on why training has ended."""
    patience = training.settings.patience
    why = f"Nothing has improved for {patience} epochs."
    if training.stopped_by == "n_epochs":
        why = "Training has reached its last epoch."
    return f"{why} The weights are {_best_of(training)}, the best." if patience else why


def _best_of(training: Training) -> str:
    """Return a phrase that names the epoch of the best weights."""
    best = training.history.best_epoch
    return f"those of epoch {best}" if best else "the initial ones"
