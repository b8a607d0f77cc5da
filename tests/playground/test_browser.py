"""The page, in Debian's Chromium."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from multilayer import load
from multilayer.data import toy

FOCUSED = """() => (({ id, dataset }) => dataset.key || dataset.name || dataset.kind || id)(
    document.activeElement)"""
FAST = "speed=max&hidden=6&activation=tanh"


def test_a_network_learns(open_page, shows):
    page = open_page(f"{FAST}&data=moons")
    assert page.locator("#read-epoch").inner_text() == "0"
    page.click("#play")
    shows(page, "#read-score", re.compile(r"(9\d|100)\.\d % / (9\d|100)\.\d %"))
    page.click("#play")
    shows(page, "#findings", re.compile(r"Nothing is wrong|→|.{30}"))


def test_the_picture_is_that_of_the_classes(open_page, shows):
    page = open_page(f"{FAST}&data=blobs&noise=0.1")
    page.click("#play")
    shows(page, "#read-score", "100.0 %")
    colour = page.evaluate(
        """() => {
            const canvas = document.getElementById("plot");
            const at = (x, y) => [...canvas.getContext("2d")
                .getImageData(x * canvas.width, y * canvas.height, 1, 1).data];
            return [at(0.45, 0.05), at(0.05, 0.9), at(0.95, 0.9)];
        }"""
    )
    (orange, blue, green) = np.array(colour)[:, :3]
    assert orange[2] == orange.min()
    assert blue[2] == blue.max()
    assert green[1] == green.max()


def test_step_epoch_and_reset_with_the_keyboard_alone(open_page, shows):
    page = open_page(f"{FAST}&data=moons&n=100")
    page.keyboard.press("s")
    shows(page, "#read-step", "1 of ")
    page.keyboard.press("e")
    shows(page, "#read-epoch", "1")
    page.keyboard.press(" ")
    shows(page, "#read-epoch", re.compile(r"\d\d"))
    page.keyboard.press("r")
    shows(page, "#read-epoch", re.compile("^0$"))
    page.locator("#keys").press("Enter")  # single keys off
    page.locator("#keys").evaluate("button => button.blur()")
    page.keyboard.press("s")
    page.reload()
    shows(page, "#read-step", "0 of ")
    page.keyboard.press("s")
    assert page.locator("#keys").get_attribute("aria-pressed") == "false"
    page.click("#step")
    shows(page, "#read-step", "1 of ")
    seen = set()  # every control is reached by Tab
    for _ in range(90):
        page.keyboard.press("Tab")
        seen.add(page.evaluate(FOCUSED))
    wanted = (
        "play step speed moons noise optimizer learning_rate l2 plot regions copy-link save theme"
    )
    assert {*wanted.split(), "0a", "0+", "u1-0", "u2-0"} <= seen


def test_the_link_brings_everything_back(open_page, shows, address):
    page = open_page("data=xor&n=100&noise=0.2")
    page.click("#more-layers")
    page.get_by_label("Activation of hidden layer 3").select_option("relu")
    page.get_by_label("Remove a unit from hidden layer 1").click()
    page.locator("[data-name=optimizer]").select_option("sgd")
    page.locator("[data-name=learning_rate]").press("ArrowRight")
    page.locator("[data-name=l2]").press("ArrowRight")
    shows(page, "#recipes", "(7, 8, 8)")
    link = page.url
    assert "hidden=7,8,8" in link
    again = open_page(link.partition("#")[2])
    shows(again, "#recipes", "(7, 8, 8)")
    texts = [each.locator("#recipes").text_content() for each in (page, again)]
    assert texts[0] == texts[1]
    assert again.url == link


def test_a_broken_link_opens_with_defaults(open_page, shows):
    page = open_page("data=nonsense&hidden=a,9999999&rate=-3&optimizer=%3Cscript%3E&points=1;2,x")
    shows(page, "#parameters", "parameters")


def test_a_model_file_comes_back(open_page, shows, tmp_path):
    page = open_page(f"{FAST}&data=circles&n=200&noise=0.05")
    page.click("#play")
    shows(page, "#read-score", re.compile(r"100\.0 %"))
    page.click("#play")
    page.wait_for_timeout(300)
    with page.expect_download() as download:
        page.click("#save")
    file = tmp_path / "model.safetensors"
    download.value.save_as(file)
    model = load(file)
    X, y = toy.circles(200, 0.05, np.random.default_rng(0))
    assert (model.predict(X) == y).mean() > 0.97
    other = open_page("data=moons")
    other.locator("#open-model").set_input_files(file)
    shows(other, "#parameters", f"{model.net.n_parameters} parameters")
    assert "data=circles" in other.url
    with other.expect_download() as download:
        other.click("#save")
    download.value.save_as(file)
    assert np.array_equal(load(file)(X), model(X))


def test_points_are_drawn_with_mouse_and_keyboard(open_page, shows):
    page = open_page("data=moons")
    page.get_by_role("radio", name="Draw").click()
    box = page.locator("#plot").bounding_box()
    for i in range(4):
        page.mouse.click(box["x"] + 40 + 20 * i, box["y"] + 60)
    page.get_by_role("radio", name="class 1").click()
    page.locator("#plot").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
    shows(page, "#legend", re.compile(r"[567] for training"))
    again = open_page(page.url.partition("#")[2])
    shows(again, "#legend", re.compile(r"[567] for training"))


def test_a_pasted_table_is_learned(open_page, shows):
    page = open_page(FAST)
    page.get_by_role("radio", name="Table").click()
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.2f},{b:.2f},{c:.2f},{'yes' if a + b > 0 else 'no'}"
        for a, b, c in rng.normal(size=(150, 3))
    ]
    page.fill("#csv", "\n".join(["a,b,c,answer", *rows]))
    page.click("#read-csv")
    shows(page, "#axis-across", "first principal component")
    page.select_option("#across", "a")
    shows(page, "#axis-across", re.compile("^a$"))
    page.click("#play")
    shows(page, "#read-score", re.compile(r"9\d\.\d % /|100"))
    page.fill("#csv", "a,b\n")
    page.click("#read-csv")
    shows(page, "#banner", "has a header but no rows")


def test_a_file_is_dropped_anywhere(open_page, shows):
    page = open_page(FAST)
    data = page.evaluate_handle(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["a,kind\\n1,x\\n2,x\\n8,y\\n9,y\\n"], "animals.csv"));
            return data;
        }"""
    )
    page.dispatch_event("main", "dragover", {"dataTransfer": data})
    assert page.locator("#drop").is_visible()
    page.dispatch_event("main", "drop", {"dataTransfer": data})
    shows(page, "#axis-across", "a")
    assert page.locator("#drop").is_hidden()
    assert page.locator("#target").input_value() == "kind"


def test_a_training_ends_with_its_schedule(open_page, shows, tmp_path):
    page = open_page(FAST + "&data=plane")
    page.locator("[data-name=epochs]").fill("0")
    shows(page, "#settings-controls", "5 epochs")
    page.locator("[data-name=schedule]").select_option("cosine")
    page.click("#play")
    shows(page, "#banner", "its last epoch")
    shows(page, "#read-epoch", re.compile("^5$"))
    assert float(page.locator("#read-rate").inner_text().replace("−", "-")) < 1e-3
    assert 'schedule="cosine"' in page.locator("#recipes").text_content()
    assert "schedule=cosine&epochs=5" in page.url
    page.click("#as-numbers summary")
    cells = page.locator("#as-numbers td").all_inner_texts()[1:]
    assert len(cells) == 25
    samples = [float(cell.replace("−", "-")) for cell in cells]
    assert samples[4] > samples[20]  # z grows to the upper right
    with page.expect_download() as download:
        page.click("#save-picture")
    download.value.save_as(tmp_path / "picture.png")
    pixels = plt.imread(tmp_path / "picture.png")
    assert pixels.shape[1] > 1500
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 100


def test_divergence_is_told(open_page, shows):
    from playwright.sync_api import expect

    page = open_page("data=plane&optimizer=sgd&rate=100&activation=identity,identity&speed=max")
    page.click("#play")
    shows(page, "#banner", "Try a smaller learning rate")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")


def test_a_unit_shows_its_numbers(open_page, shows):
    page = open_page("data=moons")
    page.get_by_role("button", name="hidden layer 2, unit 1").click()
    shows(page, "#unit", "Hidden layer 2, unit 1")
    assert page.locator("#unit tbody tr").count() == 9  # eight weights and the bias
    output = page.locator("#plot").screenshot()
    page.hover("[data-key=u1-0]")
    shows(page, "#output-title", "hidden layer 1, unit 1")
    assert page.locator("#plot").screenshot() != output
    page.hover("#plot")
    shows(page, "#output-title", "output")


def test_two_tabs_and_a_reload(open_page, shows):
    one, two = open_page("data=moons"), open_page("data=circles")
    one.click("#epoch")
    shows(one, "#read-epoch", "1")
    assert two.locator("#read-epoch").inner_text() == "0"
    one.click("#play")
    one.reload()
    shows(one, "#read-step", " of ")
    assert "data=moons" in one.url


@pytest.mark.parametrize("width", [390, 700, 1080, 1440, 2560])
def test_no_width_scrolls_sideways(open_page, width):
    page = open_page("hidden=8,8,8,8,8,8&activation=relu", width=width, height=900)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    small = page.evaluate(
        """() => [...document.querySelectorAll("button")]
            .filter((each) => each.offsetParent && each.offsetHeight < 24).length"""
    )
    assert small == 0


@pytest.mark.parametrize("hash_", ["", "data=points", "data=table"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, shows, hash_, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(hash_, color_scheme=scheme, bypass_csp=True)
    page.get_by_role("button", name="hidden layer 1, unit 1").click()
    shows(page, "#unit", "Hidden layer 1, unit 1")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
