"""Lessons and links for a class, in Debian's Chromium."""

import json
import re
from pathlib import Path

import pytest

from multilayer import playground

FILES = Path(playground.__file__).with_name("page") / "lessons"
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "playground.md"
OWN = json.loads(GUIDE.read_text().partition("```json\n")[2].partition("```")[0])


def tab_to(page, text):
    """Move the focus on to the button with a text."""
    for _ in range(40):
        if page.evaluate("document.activeElement.textContent") == text:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no button {text!r} is reached")


def is_there(page, place):
    return page.locator(place).first.is_visible()


def test_a_lesson_from_start_to_end_by_keyboard(open_page, shows):
    lesson = json.loads((FILES / "line.json").read_text())
    page = open_page("speed=max")
    page.locator("#lessons-open").focus()
    page.keyboard.press("Enter")
    shows(page, "#lessons", lesson["title"])
    tab_to(page, lesson["title"] + "6 min")
    page.keyboard.press("Enter")
    for i, step in enumerate(lesson["steps"], start=1):
        shows(page, "#lesson-body", f"Step {i} of 3")
        shows(page, "#lesson-body", step["task"])
        shows(page, "#read-epoch", re.compile("^0$"))
        assert not is_there(page, "#lesson .try, #lesson .ask")
        assert page.evaluate("document.activeElement.id") == "lesson-title"
        tab_to(page, step["predict"]["choices"][0])
        page.keyboard.press("Enter")
        shows(page, "#lesson-body", step["do"])
        assert page.evaluate("document.body.classList.contains('lesson-ready')")
        tab_to(page, "▶ Play")
        page.keyboard.press("Enter")
        question = step["question"]
        shows(page, "#lesson-body", question["text"])
        right = question["choices"][question["answer"] - 1]
        wrong = next(each for each in question["choices"] if each != right)
        page.locator(".ask .choice").first.focus()
        tab_to(page, wrong)
        page.keyboard.press("Enter")
        shows(page, ".lesson-reply", "Not that one")
        page.locator(".ask .choice").first.focus()
        tab_to(page, right)
        page.keyboard.press("Enter")
        shows(page, ".lesson-reply", question["why"])
        if i < 3:
            tab_to(page, "Next step")
            page.keyboard.press("Enter")
    shows(page, "#lesson-body", "chapter 1. Perceptrons and linear models")
    tab_to(page, "All lessons")
    page.keyboard.press("Enter")
    shows(page, "#lessons li:first-child", "✓ done")
    page.keyboard.press("Escape")
    page.click("#lesson-close")
    assert "lesson" not in page.url
    assert is_there(page, "section.take")


def test_the_address_opens_a_lesson_and_a_reload_stays_in_it(open_page, shows):
    page = open_page("lesson=xor")
    shows(page, "#lesson-title", "One line cannot do xor")
    shows(page, "#parameters", re.compile(r"^3 parameters"))
    shows(page, "#read-step", "0 of 1")
    assert not is_there(page, "section.take, section.data, [data-name=l1]")
    page.click("#lesson-all")  # free play is never blocked
    assert is_there(page, "section.take")
    page.locator("[data-name=l1]").press("ArrowRight")
    page.click("#more-layers")
    shows(page, "#parameters", re.compile(r"^1[37] parameters"))
    page.reload()
    shows(page, "#parameters", re.compile(r"^1[37] parameters"))
    shows(page, "#lesson-body", "Step 1 of 3")
    page.click("#lesson-set")
    shows(page, "#parameters", re.compile(r"^3 parameters"))
    assert "l1=" not in page.url
    page.evaluate("location.hash = 'lesson=nonsense'")
    shows(page, "#lessons-fault", "There is no lesson “nonsense”.")
    assert not is_there(page, "#lesson")


def test_a_link_for_a_class_hides_what_is_not_ticked(open_page, shows):
    page = open_page("data=moons&hide=speed,nonsense")
    assert not is_there(page, ".speed")
    page.click("#class-open")
    dialog = page.locator("#class-dialog")
    assert not dialog.get_by_label("Speed", exact=True).is_checked()
    dialog.get_by_label("Learning rate", exact=True).uncheck()
    dialog.get_by_label("Layers and units").uncheck()
    dialog.get_by_label("Take it with you").uncheck()
    dialog.get_by_label("Data", exact=True).uncheck()
    assert dialog.get_by_label("Noise", exact=True).is_disabled()
    link = page.input_value("#class-link")
    assert link.endswith("#data=moons&hide=speed,data,rate,hidden,take")
    again = open_page(link.partition("#")[2])
    for gone in ("section.take", "section.data", "[data-name=learning_rate]", "#more-layers"):
        assert not is_there(again, gone)
    assert is_there(again, "[data-name=optimizer]")
    names = set()
    for _ in range(60):
        again.keyboard.press("Tab")
        names.add(again.evaluate("document.activeElement.id || document.activeElement.dataset.key"))
    assert names.isdisjoint(
        {"more-layers", "0+", "speed", "copy-link", "settings-controls-learning_rate"}
    )
    assert "settings-controls-optimizer" in names
    again.locator("[data-name=optimizer]").select_option("sgd")
    shows(again, "#parameters", "parameters")
    assert "hide=speed,data,rate,hidden,take" in again.url


def test_a_file_of_ones_own_is_opened_or_what_is_wrong_is_said(open_page, shows, tmp_path):
    page = open_page()
    file = tmp_path / "own.json"

    def choose(content):
        file.write_text(content)
        page.locator("#open-lesson").set_input_files(file)

    step = OWN["steps"][0]
    faults = {
        "{": "own.json is not JSON",
        json.dumps(OWN | {"steps": []}): "steps of the lesson must be a list of 1 to 20 entries",
        json.dumps({k: v for k, v in OWN.items() if k != "title"}): (
            "own.json is not a valid lesson: the lesson must have a field “title”."
        ),
        json.dumps(OWN | {"steps": [step | {"question": step["question"] | {"answer": 3}}]}): (
            "answer of question of step 1 must be a whole number from 1 to 2"
        ),
        json.dumps(OWN | {"settings": "lr=1"}): "settings of the lesson sets “lr”",
        json.dumps(OWN | {"colour": "red"}): "the lesson has a field “colour”",
    }
    for content, fault in faults.items():
        choose(content)
        shows(page, "#lessons-fault", fault)
    choose(json.dumps(OWN))
    shows(page, "#lesson-title", OWN["title"])
    shows(page, "#parameters", re.compile(r"^13 parameters"))
    assert "lesson=" not in page.url
    page.evaluate(
        """(text) => {
            const files = new DataTransfer();
            files.items.add(new File([text], "dropped.json"));
            dispatchEvent(new DragEvent("drop", { dataTransfer: files }));
        }""",
        json.dumps(OWN | {"title": "Dropped"}),
    )
    shows(page, "#lesson-title", "Dropped")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_lesson(open_page, shows, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page("lesson=xor", color_scheme=scheme, bypass_csp=True)
    page.click("#lesson .choice >> nth=0")
    page.click("#lesson .try .strong")
    page.click("#lesson .ask .choice >> nth=0")
    page.click("#lesson .ask .choice >> nth=2")
    shows(page, ".lesson-reply", "cross-entropy")
    for opener in ("", "#lessons-open", "#class-open"):
        if opener:
            page.keyboard.press("Escape")
            page.evaluate(f"document.querySelector('{opener}').click()")
            page.locator("dialog[open] .check, dialog[open] .lesson-row").first.wait_for()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_a_lesson_on_a_small_screen_leaves_the_picture_in_sight(open_page, shows):
    page = open_page("lesson=units", width=390, height=844)
    page.click("#lesson .choice >> nth=0")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    sheet = page.locator("#lesson").bounding_box()
    plot = page.locator("#plot").bounding_box()
    assert plot["y"] + 0.6 * plot["height"] < sheet["y"]
    assert sheet["y"] + sheet["height"] <= 844
    small = page.evaluate(
        """() => [...document.querySelectorAll("button")]
            .filter((each) => each.offsetParent && each.offsetHeight < 24).length"""
    )
    assert small == 0
    page.click("#lesson-fold")
    assert page.locator("#lesson").bounding_box()["height"] < 80
    shows(page, "#lesson-fold", "Unfold")
