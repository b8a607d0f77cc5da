"""Formulas, iris and digits, in the page."""

import re

import numpy as np
import pytest

FAST = "speed=max&hidden=8,8&activation=tanh"


def arc(x, y, across, up, start, end):
    angle = np.radians(np.linspace(start, end, 12))
    return np.column_stack([x + across * np.cos(angle), y - up * np.sin(angle)]).tolist()


# Strokes in a square of side 1, down from the top.
DIGITS = [
    [arc(0.5, 0.5, 0.38, 0.5, 90, 450)],
    [[[0.25, 0.22], [0.55, 0], [0.55, 1]]],
    [[*arc(0.5, 0.28, 0.42, 0.28, 160, -30), [0.05, 1], [0.95, 1]]],
    [[*arc(0.45, 0.22, 0.4, 0.22, 140, -60), *arc(0.45, 0.72, 0.42, 0.28, 60, -130)]],
    [[[0.6, 0], [0.05, 0.62], [0.95, 0.62]], [[0.65, 0.35], [0.65, 1]]],
    [[[0.85, 0], [0.25, 0], [0.2, 0.42], *arc(0.42, 0.68, 0.42, 0.32, 110, -130)]],
    [[[0.55, 0], [0.2, 0.35], [0.08, 0.65], *arc(0.45, 0.74, 0.38, 0.26, 170, 500)]],
    [[[0.05, 0], [0.95, 0], [0.4, 1]], [[0.25, 0.5], [0.8, 0.5]]],
    [arc(0.5, 0.22, 0.34, 0.22, 90, 450), arc(0.5, 0.72, 0.4, 0.28, 90, 450)],
    [[*arc(0.5, 0.25, 0.4, 0.25, 10, 370), [0.88, 0.5], [0.8, 0.85], [0.5, 1], [0.1, 0.95]]],
]


def test_a_formula_is_typed(open_page, shows):
    from playwright.sync_api import expect

    page = open_page(FAST)
    page.get_by_role("radio", name="formula").click()
    shows(page, "#recipes", 'toy.formula("y > sin(3*x)"')
    field = page.get_by_label("Formula", exact=True)
    field.fill("x^2 + y^2 < 1")
    field.press("Enter")
    shows(page, "#recipes", 'toy.formula("x^2 + y^2 < 1", 400, noise=0, rng=rng)')
    page.click("#play")
    shows(page, "#read-score", re.compile(r"(9[5-9]|100)\.\d % /"))
    again = open_page(page.url.partition("#")[2])
    expect(again.locator("#formula")).to_have_value("x^2 + y^2 < 1")
    field.fill("abs(sin(3x))")  # a suggestion is tried at once, anything else with Enter
    field.press("Enter")
    shows(page, "#axis-up", "y")
    shows(page, "#score-name", "R²")


def test_a_wrong_formula_is_told_where_it_is_typed(open_page, shows):
    from playwright.sync_api import expect

    page = open_page("data=formula&formula=y+>+sen(x)")
    fault = 'Formula at character 5: there is no "sen"; did you mean sin?'
    shows(page, "#formula-fault", fault)
    field = page.locator("#formula")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("y > sen(x)")
    expect(page.locator("#banner")).to_be_hidden()
    field.fill("y > 2")
    field.press("Enter")
    shows(page, "#formula-fault", "Formula is false at all 400 points")
    field.fill("y > sin(x)")
    field.press("Enter")
    expect(page.locator("#formula-fault")).to_have_text("")
    expect(field).to_have_attribute("aria-invalid", "false")
    shows(page, "#recipes", 'toy.formula("y > sin(x)"')


def draw(page, strokes):
    box = page.locator("#draw-digit").bounding_box()
    unit = box["width"] / 8
    for stroke in strokes:
        places = [(box["x"] + (2 + 4 * x) * unit, box["y"] + (1 + 6 * y) * unit) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def test_drawn_digits_are_read(open_page, shows):
    page = open_page(
        "hidden=32&activation=relu&rate=0.01&dropout=0.2&epochs=40&speed=max", height=1400
    )
    page.get_by_role("radio", name="digits").click()
    shows(page, "#digit-said", "Draw a digit")
    page.locator("#sample-digit").click()
    shows(page, "#digit-said", "It looks like a ")
    sides = page.evaluate(
        """() => [...document.querySelectorAll(".unit canvas.pixels")].map((each) => each.width)"""
    )
    assert sides == [8] * 11  # the input, and ten units of the first layer
    page.click("#play")
    shows(page, "#banner", "last epoch")
    read = []
    for strokes in DIGITS:
        page.click("#clear-digit")
        shows(page, "#digit-said", "Draw a digit")
        draw(page, strokes)
        page.wait_for_timeout(300)  # for the answer to the last stroke
        shows(page, "#digit-said", "It looks like a ")
        read.append(int(re.search(r"\d", page.inner_text("#digit-said"))[0]))
    assert sum(found == digit for digit, found in enumerate(read)) >= 7, read
    page.click("#clear-digit")
    page.focus("#draw-digit")
    page.keyboard.press("ArrowUp")
    for _ in range(6):
        page.keyboard.press(" ")
        page.keyboard.press("ArrowDown")
    shows(page, "#digit-said", "It looks like a ")
    page.get_by_role("radio", name="moons").click()
    shows(page, "#legend", "class 1")
    assert page.locator("#digit").is_hidden()


def test_iris_is_looked_at_by_its_columns(open_page, shows):
    page = open_page(f"{FAST}&data=iris")
    shows(page, "#legend", "versicolor")
    shows(page, "#axis-across", "first principal component")
    page.select_option("#across", "petal length (cm)")
    shows(page, "#axis-across", "petal length (cm)")
    page.click("#play")
    shows(page, "#read-score", re.compile(r"(9[5-9]|100)\.\d % /"))
    page.select_option("#target", "petal width (cm)")
    shows(page, "#score-name", "R²")
    shows(page, "#recipes", "y = iris.data[:, 3]")
    page.get_by_role("radio", name="Table").click()  # of which there is none yet
    assert page.locator("#columns").is_hidden()
    assert page.locator("#banner").is_hidden()


@pytest.mark.parametrize(
    ("hash_", "scheme", "width"),
    [("data=digits", "light", 1400), ("data=digits", "dark", 390), ("data=formula", "dark", 1400)],
)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(open_page, shows, hash_, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(hash_, color_scheme=scheme, width=width, bypass_csp=True)
    if "digits" in hash_:
        page.click("#sample-digit")
        shows(page, "#digit-said", "It looks like a ")
    else:
        page.fill("#formula", "sin x")
        page.press("#formula", "Enter")
        shows(page, "#formula-fault", "write sin(…)")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_product_of_inputs_makes_xor_a_matter_of_one_unit(open_page, shows):
    page = open_page("speed=max&data=xor&noise=0&hidden=&activation=")
    inputs = page.locator("#features")
    inputs.get_by_role("button", name="x₁x₂").click()
    for name in ("x₁", "x₂"):
        inputs.get_by_role("button", name=name, exact=True).click()
    shows(page, "#parameters", "2 parameters")
    assert "inputs=x1x2" in page.url
    inputs.get_by_role("button", name="x₁x₂").click()  # one input must stay
    assert "inputs=x1x2" in page.url
    page.click("#play")
    shows(page, "#read-score", re.compile(r"(9[5-9]|100)\.\d % / (9[5-9]|100)"))
    assert "np.column_stack([X[:, 0] * X[:, 1]])" in page.locator("#recipes").text_content()
    page.get_by_role("radio", name="curve").click()
    shows(page, "#axis-up", "y")
    assert inputs.is_hidden()
    assert "inputs" not in page.url
