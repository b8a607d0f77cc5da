"""Lessons: their files are well formed, and what they claim is true of this engine."""

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest

from multilayer import playground
from multilayer.errors import DivergenceError
from multilayer.playground.data_sets import samples_of
from multilayer.playground.lessons import LESSONS
from multilayer.playground.settings import Settings
from multilayer.playground.training import Training

PAGE = Path(playground.__file__).with_name("page")
CHAPTERS = Path(__file__).parents[2] / "docs" / "tutorial"
FILES = {name: json.loads((PAGE / "lessons" / f"{name}.json").read_text()) for name in LESSONS}
STEPS = [(name, i) for name, lesson in FILES.items() for i in range(len(lesson["steps"]))]
FIELDS = {"settings", "task", "predict", "do", "observe", "question", "claims"}
SEEDS = {"every": 3, "most": 3, "some": 8}  # how many are tried

STATE = (PAGE / "state.js").read_text()
DEFAULTS = re.search(r"DEFAULTS = (\{.*?\n\});", STATE, re.DOTALL)[1]
DEFAULTS = json.loads(re.sub(r",(\s*\})", r"\1", re.sub(r"(\w+):", r'"\1":', DEFAULTS)))
PATHS = re.findall(r'^  (\w+): (?:\w+\()?\[+\s*\[?("\w+"(?:, "\w+")?)\]', STATE, re.MULTILINE)
PATHS = {word: json.loads(f"[{path}]") for word, path in PATHS}


def settings_of(*addresses, seed):
    """Return the settings in addresses, each of which goes over the one before."""
    said = {k: v for text in addresses for k, v in parse_qsl(text, keep_blank_values=True)}
    settings = json.loads(json.dumps(DEFAULTS)) | {"seed": seed}
    for word, text in said.items():
        if word == "speed":
            continue
        *outer, name = PATHS[word]
        place = settings[outer[0]] if outer else settings
        if name == "hidden":
            place[name] = [int(width) for width in text.split(",") if width]
        elif name == "activation":
            place[name] = text.split(",")
        elif name == "points":
            points = (point.split(",") for point in text.split(";"))
            place[name] = [[int(x) / 100, int(y) / 100, int(label)] for x, y, label in points]
        else:
            place[name] = json.loads(text) if text[0].isdigit() else text
    given, n_layers = settings["activation"], len(settings["hidden"])
    settings["activation"] = (given + given[-1:] * n_layers)[:n_layers]
    return Settings.of(settings)


@cache
def trained(epochs, *addresses, seed):
    """Return a training after so many epochs, or None if it diverges."""
    settings = settings_of(*addresses, seed=seed)
    training = Training(settings, samples_of(settings.data, None))
    try:
        for _ in range(epochs):
            while training.step() and training.loop.run.is_under_way:
                pass
    except DivergenceError:
        return None
    finally:
        training.finish()  # those that are kept would hold BLAS to one thread
    return training


def last(name):
    return lambda training: training.history[name][-1]


def rise(training):
    losses = training.history["validation_loss"]
    return losses[-1] / min(losses)


def bend(training):
    """Return the share of the output's variance that no plane explains."""
    X = training.samples.X.astype(float)
    p = training.net(X)[:, 0].astype(float)
    z = np.log(p / (1 - p))
    A = np.column_stack([X, np.ones(len(X))])
    return ((z - A @ np.linalg.lstsq(A, z)[0]) ** 2).mean() / z.var()


def kinks(training):
    """Return how often the slope of the fitted curve changes."""
    x = np.linspace(-2, 2, 4001)[:, np.newaxis]
    slope = np.diff(training.net.copy("float64")(x)[:, 0])
    changes = np.abs(np.diff(slope)) > 1e-9
    return int((changes[1:] & ~changes[:-1]).sum() + changes[0])


def gradient_ratio(training):
    """Return the size of the first layer's gradient, in terms of the output layer's."""
    rows = training.samples.rows
    X, y = training.samples.X[rows], training.targets[rows]
    gradients = training.net.copy().loss_and_gradients(X, y, loss=training.loss, training=True)[1]
    first, output = (
        np.sqrt((np.asarray(dW) ** 2).mean()) for dW, _ in gradients[:: len(gradients) - 1]
    )
    return first / output


MEASURES = {
    "accuracy": lambda training: training.scores[0],
    "r2": lambda training: training.scores[0],
    "validation_accuracy": lambda training: training.scores[1],
    "loss": last("train_loss"),
    "validation_loss": last("validation_loss"),
    "excess": lambda training: last("train_loss")(training) - last("validation_loss")(training),
    "rise": rise,
    "bend": bend,
    "kinks": kinks,
    "gradient_ratio": gradient_ratio,
    "small_weights": lambda training: (np.abs(training.net.weights[0][0]) < 0.02).mean(),
    "idle_units": lambda training: (np.abs(training.net.weights[0][0]).max(axis=1) < 0.02).mean(),
    "largest_weight": lambda training: np.abs(training.net.weights[0][0]).max(),
}


def value_of(claim, lesson, step, seed):
    addresses = lesson["settings"], step["settings"], claim.get("settings", "")
    training = trained(claim["epochs"], *addresses, seed=seed)
    if claim["measure"] == "diverges":
        return training is None
    measure = MEASURES[claim["measure"]]
    value = measure(training)
    if "than" in claim:
        value /= measure(trained(claim["epochs"], *addresses, claim["than"], seed=seed))
    return value


def test_the_files_are_those_of_the_index_and_well_formed():
    assert {path.stem for path in (PAGE / "lessons").iterdir()} == {*LESSONS, "index"}
    for name, lesson in FILES.items():
        assert set(lesson) == {"title", "minutes", "chapter", "settings", "hide", "steps"}, name
        assert 5 <= lesson["minutes"] <= 10
        for step in lesson["steps"]:
            assert set(step) == FIELDS, name
            question = step["question"]
            assert set(question) == {"text", "choices", "answer", "why"}
            assert 1 <= question["answer"] <= len(question["choices"]) == 3
            assert len(step["predict"]["choices"]) == 3
        answers = {step["question"]["answer"] for step in lesson["steps"]}
        assert len(answers) > 1, f"{name}: the answer is always in the same place"


def test_a_lesson_and_its_chapter_know_each_other():
    for name, lesson in FILES.items():
        number = lesson["chapter"].partition(".")[0]
        (chapter,) = CHAPTERS.glob(f"{number:0>2}_*.md")
        text = chapter.read_text()
        assert f"# {lesson['chapter']}\n" in text
        assert f"mlp playground --lesson {name}`" in text


@pytest.mark.parametrize(("name", "i"), STEPS)
def test_what_a_lesson_claims_is_true(name, i):
    lesson = FILES[name]
    step = lesson["steps"][i]
    assert step["claims"]
    for claim in step["claims"]:
        of_seeds = claim.get("in", "every")
        values = [value_of(claim, lesson, step, seed) for seed in range(SEEDS[of_seeds])]
        low, high = claim.get("at_least", -np.inf), claim.get("at_most", np.inf)
        if of_seeds == "most":
            values = [np.median(values)]
        holds = [low <= value <= high for value in values]
        assert any(holds) if of_seeds == "some" else all(holds), (claim, values)


def test_the_page_reads_each_lesson_and_sets_it_up(open_page):
    """As the claims were tested here."""
    found = open_page().evaluate(
        """async (names) => {
            const { lessonOf, settingsAt } = await import("./lesson_file.js");
            const lessons = await Promise.all(names.map(lessonOf)); // checks them
            return lessons.map((each) => each.steps.map((_, i) => settingsAt(each, i).settings));
        }""",
        list(LESSONS),
    )
    for name, steps in zip(LESSONS, found, strict=True):
        lesson = FILES[name]
        for said, step in zip(steps, lesson["steps"], strict=True):
            own = settings_of(lesson["settings"], step["settings"], seed=0)
            assert Settings.of(said) == own, name
