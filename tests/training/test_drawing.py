"""Plots as SVG: marks stand where the data are, and every label is escaped."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relimit.training.charts import draw_dependence, draw_summary
from relimit.training.drawing import GREY, Plot, around, page, round_ticks
from relimit.training.plots import PLOTS, draw_plots

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('1')</script> & \"a\""


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314


def paths(svg: str, colour: str) -> list[list[tuple[float, float]]]:
    """Return the points of every path of a colour that moves to absolute places."""
    found = [p.get("d") for p in parse(svg).iter(f"{SVG}path") if p.get("stroke") == colour]
    number = r"(-?[\d.]+) (-?[\d.]+)"
    return [[(float(x), float(y)) for x, y in re.findall(number, d)] for d in found]


@pytest.fixture
def plot():
    return Plot((0.0, 10.0), (-1.0, 1.0), width=300, height=200, left=50, right=50, top=50,
                bottom=50)  # fmt: skip


def test_a_line_runs_through_its_points_and_a_dot_stands_on_each(plot):
    plot.line([0, 5, 10], [-1, 1, 0], "#111111", dotted=True)
    line, dots = paths(plot.svg(), "#111111")
    assert line == dots == [(50, 150), (150, 50), (250, 100)]


def test_points_that_are_not_finite_or_the_same_to_a_tenth_of_a_pixel_are_not_drawn(plot):
    plot.dots([1, np.nan, 2, 2.0001, 3], [0, 0, 0, 0, np.inf], "#111111")
    assert paths(plot.svg(), "#111111") == [[(70, 100), (90, 100)]]


def test_a_limit_is_an_upright_line_and_a_bar_stands_on_the_axis(plot):
    plot.limits([5], [-0.5], [0.5], "#111111")
    plot.bars([0, 5, 10], [0, 1], "#222222")
    assert paths(plot.svg(), "#111111") == [[(150, 125), (150, 75)]]
    (bars,) = [p.get("d") for p in parse(plot.svg()).iter(f"{SVG}path") if p.get("fill-opacity")]
    assert bars == "M50 150L50 100L150 100L150 50L250 50L250 150Z"


def test_every_word_is_escaped_and_several_plots_share_a_page(plot):
    plot.title = plot.x_label = plot.y_label = HOSTILE
    plot.x_ticks = plot.y_ticks = [(0.5, HOSTILE)]
    plot.line([0], [0], GREY, label=HOSTILE)
    tree = parse(page([plot, plot, plot], columns=2))
    assert [t.text for t in tree.iter(f"{SVG}text")] == [HOSTILE] * 18
    assert not list(tree.iter(f"{SVG}script"))
    assert (tree.get("width"), tree.get("height")) == ("600", "400")
    places = [g.get("transform") for g in tree.iter(f"{SVG}g")]
    assert places == ["translate(0 0)", "translate(300 0)", "translate(0 200)"]


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12))
def test_ticks_are_a_few_round_numbers_inside_what_is_shown(low, width):
    shown = low, low + max(width, 1e-6 * abs(low))
    ticks = [value for value, _ in round_ticks(shown)]
    assert 2 <= len(ticks) <= 7
    margin = 1e-9 * (shown[1] - shown[0])
    assert all(shown[0] - margin <= value <= shown[1] + margin for value in ticks)
    steps = np.diff(ticks)
    assert steps == pytest.approx(steps[0], rel=1e-3)


@given(st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), max_size=5))
def test_a_range_holds_all_that_is_finite_and_is_never_empty(values):
    low, high = around(values)
    assert low < high
    assert all(low <= value <= high for value in values if np.isfinite(value))


def test_the_same_rows_give_the_same_plots_and_a_long_curve_stays_small():
    rng = np.random.default_rng(0)
    risk = rng.random(50_000)
    bad = rng.random(50_000) < risk
    plots = draw_plots(bad, risk)
    assert plots == draw_plots(bad, risk)
    assert set(plots) == set(PLOTS)
    assert all(len(svg) < 100_000 for svg in plots.values())


def test_a_summary_has_a_dot_a_row_blue_low_red_high_grey_missing():
    X = np.array([[1.0], [2.0], [np.nan]])
    svg = draw_summary(["x"], X, np.array([[-1.0], [1.0], [0.5]]))
    drawn = [(p.get("stroke"), p.get("d")) for p in parse(svg).iter(f"{SVG}path")]
    dots = {colour: d for colour, d in drawn if "h0" in d}
    assert len(dots) == 3
    (missing,) = (d for colour, d in dots.items() if colour == GREY)
    places = {colour: float(d[1:].split()[0]) for colour, d in dots.items()}
    low, high = min(places, key=places.get), max(places, key=places.get)
    assert int(low[5:7], 16) > int(low[1:3], 16)
    assert int(high[1:3], 16) > int(high[5:7], 16)
    assert places[low] < float(missing[1:].split()[0]) < places[high]


def test_a_feature_without_any_value_has_axes_and_no_dot():
    svg = draw_dependence(["x"], np.full((3, 1), np.nan), np.zeros((3, 1)))
    assert "h0" not in svg
    assert "x" in [t.text for t in parse(svg).iter(f"{SVG}text")]
