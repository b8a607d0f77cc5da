"""Weights that are edited, and a walk through one sample, in Debian's Chromium."""

import re

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.data import toy
from multilayer.numpy import ACTIVATIONS, LOSSES, MLP, OUTPUTS
from multilayer.playground.walk.chain import chain_of
from multilayer.playground.walk.course import steps_of
from multilayer.playground.walk.typesetting import typeset

LINKS = {  # the targets of each loss, and the outputs that it has in the playground
    "binary_cross_entropy": ([[1]], ["sigmoid"]),
    "cross_entropy": ([1], ["softmax"]),
    "squared_error": ([[0.0, 1.0]], ["sigmoid", "softmax", "identity"]),
    "absolute_error": ([[0.5]], ["identity"]),
    "huber": ([[0.5]], ["identity"]),
}

RENDER = """(all) => {
    const faults = [];
    for (const tex of all) {
        const node = document.body.appendChild(document.createElement("div"));
        try {
            katex.render(`\\\\displaystyle ${tex}`, node, {throwOnError: true, strict: "error"});
        } catch (error) {
            faults.push(`${tex}: ${error}`);
        }
        node.remove();
    }
    return faults;
}"""


def middle(page, one, other):
    """Return the middle between the right of an element and the left of another."""
    a, b = (page.locator(each).first.bounding_box() for each in (one, other))
    centres = [box["y"] + box["height"] / 2 for box in (a, b)]
    return (a["x"] + a["width"] + b["x"]) / 2, sum(centres) / 2


def test_a_weight_is_clicked_and_edited(open_page, shows):
    from playwright.sync_api import expect

    page = open_page("data=moons&n=100&hidden=1&activation=tanh")
    place = middle(page, ".unit.input", "[data-key=u1-0]")
    page.mouse.move(*place)
    shows(page, ".weight-name", re.compile(r"w = −?\d\.\d{3} from x₁ to hidden layer 1, unit 1"))
    page.mouse.click(*place)
    shows(page, "#unit", "Hidden layer 1, unit 1")
    editor = page.get_by_label("weight from x₁")
    expect(editor).to_be_focused()
    before = page.locator("#unit b").inner_text()
    expect(page.locator("#different")).to_be_hidden()
    page.keyboard.type("2.5")
    page.keyboard.press("Enter")
    shows(page, "#different", "weights were set by hand")
    shows(page, "#unit .formula:nth-of-type(3)", re.compile(r"= ?2\.5⋅"))
    assert page.locator("#unit b").inner_text() != before
    page.keyboard.press("ArrowUp")
    shows(page, "#unit .formula:nth-of-type(3)", re.compile(r"= ?2\.6⋅"))
    page.keyboard.type("7")
    page.keyboard.press("Escape")
    expect(editor).to_have_value("2.6")
    page.get_by_label("bias", exact=True).fill("-1")
    page.keyboard.press("Tab")
    shows(page, "#unit .formula:nth-of-type(3)", "(−1)")
    page.click("#reset")
    expect(page.locator("#different")).to_be_hidden()
    expect(page.get_by_label("bias", exact=True)).to_have_value("0")


def test_a_sample_is_walked_through(open_page, shows):
    from playwright.sync_api import expect

    page = open_page("data=moons&n=40&noise=0.1&hidden=3,12&activation=tanh,relu&batch=8")
    rng = np.random.default_rng(0)
    X, _ = toy.moons(40, 0.1, rng)
    reach = np.abs(X).max() * 1.12
    x, y = (X[np.argmax(X[:, 0])] + reach) / (2 * reach)  # the rightmost, which lies free
    box = page.locator("#plot").bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"])
    shows(page, "#walk-sample", f"x₁ = {X[:, 0].max():.3f}")
    shows(page, "#walk-count", re.compile("^1 of "))
    shows(page, "#walk-words", "Unit 1 of hidden layer 1 multiplies each of its 2 inputs")
    expect(page.locator(".unit.lit")).to_have_attribute("data-key", "u1-0")
    assert page.locator(".unit.pale").count() == 13
    page.locator("#walk-next").focus()
    page.keyboard.press("ArrowRight")
    shows(page, "#walk-words", "passes z through tanh")
    page.keyboard.press("ArrowLeft")
    shows(page, "#walk-count", re.compile("^1 of "))
    page.locator("#walk-place").focus()
    page.keyboard.press("End")
    shows(page, "#walk-words", "Plain gradient descent")
    n = int(page.locator("#walk-count").inner_text().split()[-1])
    page.keyboard.press("Home")
    for _ in range(n - 1):  # each step is there, and none logs an error
        page.keyboard.press("ArrowRight")
    shows(page, "#walk-count", f"{n} of {n}")
    page.locator("#walk-next").press("Enter")  # at the end it does nothing
    shows(page, "#walk-count", f"{n} of {n}")
    page.click("#step")
    shows(page, "#walk-age", "training is now at epoch 1, step 1")
    page.click("#walk-anew")
    shows(page, "#walk-age", "The weights are those of epoch 1, step 1.")
    page.click("[data-key=u1-0]")
    page.get_by_label("bias", exact=True).fill("1")
    page.keyboard.press("Enter")
    shows(page, "#walk-age", "epoch 1, step 1; a weight has been edited since.")
    page.click("#walk-end")
    expect(page.locator("#walk-hint")).to_be_visible()
    assert page.locator(".unit.pale").count() == 0
    page.click("#sample-before")  # the last one
    shows(page, "#walk-sample", "sample 1:")


def walks():
    """Yield the steps of a walk for each activation, normalisation, loss and output."""
    rng = np.random.default_rng(0)
    for activation in ACTIVATIONS:
        for normalization in (None, "batch", "layer"):
            for loss, (y, links) in LINKS.items():
                n_out = 3 if loss == "cross_entropy" else np.size(y)
                for link in links:
                    architecture = Architecture(
                        12, (2,), n_out, activation=activation, output=link,
                        normalization=normalization,
                    )  # fmt: skip
                    net = MLP(architecture, rng=rng)
                    x = rng.normal(size=(1, 12))
                    chain = chain_of(net, x, np.array(y), LOSSES[loss]())
                    is_regression = link == "identity"
                    yield steps_of(chain, normalization, 0.1, is_regression=is_regression)


def test_all_formulas_can_be_typeset(open_page):
    tex = {text for steps in walks() for step in steps for text in (step.rule, step.numbers)}
    for function in {**ACTIVATIONS, **OUTPUTS}.values():
        tex |= {typeset(function.formula), typeset(function.derivative_formula)}
    page = open_page("data=moons&n=40&hidden=1")  # whose policy allows no style in attributes
    assert page.evaluate(RENDER, sorted(tex)) == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing_in_a_walk(open_page, shows, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page("data=moons&l2=0.1", width=width, color_scheme=scheme, bypass_csp=True)
    page.get_by_role("button", name="hidden layer 1, unit 1").click()
    page.click("#sample-after")
    shows(page, "#walk-notes", "The penalties are left out")
    page.locator("#walk-place").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    shows(page, "#walk-count", "5 of ")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
