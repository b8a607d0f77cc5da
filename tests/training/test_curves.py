"""Small curves: places of points, and what notebooks are shown."""

import re

import numpy as np
import pytest

from multilayer.training import History
from multilayer.training.curves import curves_html, sparkline, sparklines


def polylines(html):
    return [
        [tuple(map(float, point.split(","))) for point in points.split()]
        for points in re.findall(r'<polyline points="([^"]*)"', html)
    ]


def test_curves_share_one_scale_and_the_best_epoch_is_marked():
    html = curves_html({"a <loss>": [3.0, 1.0, 2.0], "b": [2.0, 2.0]}, mark=(2, "<best>"))
    first, second = polylines(html)
    assert first == [(10, 10), (180, 130), (350, 70)]
    assert second == [(10, 70), (180, 70)]
    assert 'x1="180.0"' in html
    assert "<title>&lt;best&gt;</title>" in html
    assert "a &lt;loss&gt;" in html
    assert "<loss>" not in html


def test_what_is_not_finite_is_left_out():
    (points,) = polylines(curves_html({"loss": [1.0, np.inf, 2.0, np.nan]}))
    assert [x for x, _ in points] == pytest.approx([10, 10 + 340 * 2 / 3], abs=0.1)


@pytest.mark.parametrize("curves", [{}, {"loss": []}, {"loss": [1.0]}, {"loss": [np.nan, 1.0]}])
def test_nothing_to_draw(curves):
    assert curves_html(curves) == ""


def test_blocks():
    assert sparkline(list(range(8)), low=0, high=7) == "▁▂▃▄▅▆▇█"
    assert sparkline([np.nan, 5.0], low=5.0, high=5.0) == " ▁"
    assert sparkline([], low=0, high=1) == ""
    assert len(sparkline(np.linspace(0, 1, 1000).tolist(), low=0, high=1, width=60)) == 60


def test_many_epochs_are_drawn_with_few_points():
    falling = np.linspace(1, 0, 100_000).tolist()
    (points,) = polylines(curves_html({"loss": falling}))
    assert len(points) == 360
    # The means of parts of a straight line lie on it.
    np.testing.assert_allclose([y for _, y in points], np.interp(
        [x for x, _ in points], [10, 350], [10, 130]), atol=0.3)  # fmt: skip


def test_rows_of_blocks_share_one_scale():
    rows, scale = sparklines({"a": [0.01, 1.0, np.inf], "b": [0.1, 0.01]})
    assert rows == {"a": "▁█ ", "b": "▅▁"}  # 0.1 is half way, in 1 to 8: round(1 + 3.5) = 5
    assert scale == "▁ 0.01 to █ 1, logarithmic"
    assert sparklines({"a": [-1.0, 0.0]}) == ({"a": "▁█"}, "▁ -1 to █ 0, linear")
    assert sparklines({"a": [np.nan], "b": []}) == ({}, "")


def test_the_largest_numbers_are_drawn_as_well():
    curve = [1e308, -1e308, 0.0]
    assert sparklines({"a": curve})[0] == {"a": "█▁▅"}  # half way: round(3.5) is 4
    assert sparkline([1e308] * 6, low=0.0, high=1e308, width=2) == "██"
    (points,) = polylines(curves_html({"a": curve}))
    assert points == [(10, 10), (180, 130), (350, 70)]


def test_every_curve_is_drawn_and_looks_begin_again():
    html = curves_html({str(i): [i, i + 1] for i in range(4)})
    colours = re.findall(r'stroke="([^"]*)" stroke-width', html)
    assert len(set(colours)) == 3
    assert colours[3] == colours[0]


def test_a_history_shows_its_losses():
    history = History({"train_loss": [2.0, 1.0], "validation_loss": [3.0, 2.0], "seconds": [1, 1]})
    history.best_epoch, history.settings["monitor"] = 2, "validation_loss"
    html = history._repr_html_()
    assert len(polylines(html)) == 2
    assert "best epoch 2, by validation loss" in html
    assert polylines(History()._repr_html_()) == []
