"""A race by hand and by numbers: who is best under a budget, whose paths are drawn, and what the page says of it."""

import json
import re

import numpy as np
import pytest
import torch
from browser import address, page, press, until

from diffusion_lab.errors import LabError
from diffusion_lab.figures import Dot, Race

FINE, DATA = "to the fine solution", "to the data"


def dot(calls: int, fine: float, data: float) -> Dot:
    path = np.stack([np.full((3, 2), calls / 10 - k / 10) for k in range(calls + 1)])
    return Dot(calls, {FINE: [fine, fine + 0.02], DATA: [data, data + 0.04]}, path)


DOTS = {"even": [dot(2, 0.3, 0.3), dot(4, 0.2, 0.25)], "twice": [dot(3, 0.5, 0.1), dot(8, 0.05, 0.2)]}
EXACT, CLOUD = np.zeros((5, 3, 2)), np.zeros((9, 2))


def race(dots=DOTS, budget: int = 4, caption: str = "Two runs.") -> Race:
    return Race(dots, EXACT, CLOUD, "Two charts with two falling lines.", caption, budget=budget)


@pytest.mark.parametrize(("budget", "fine", "data"), [
    (2, ("even", 2), ("even", 2)), (4, ("even", 4), ("twice", 3)), (50, ("twice", 8), ("twice", 3)),
])
def test_the_best_is_the_smallest_mean_within_the_budget(budget, fine, data):
    found = [race().best(budget, distance) for distance in (FINE, DATA)]
    assert [(name, one.calls) for name, one in found] == [fine, data]


def test_of_equal_ones_the_cheaper_is_best_and_then_the_one_named_first():
    tied = race({"zeta": [dot(2, 0.3, 0.3), dot(4, 0.29999, 0.2)], "alpha": [dot(2, 0.3, 0.4)]})
    assert [(name, one.calls) for name, one in (tied.best(4, FINE), tied.best(4, DATA))] == [("zeta", 2), ("zeta", 4)]
    assert "With 4 calls the nearest are: to the fine solution zeta and alpha, 0.31; to the data zeta" in tied.sentence
    html = tied._repr_html_()
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])
    assert [(one["calls"], one["best"]) for one in data["budgets"]] == [(2, [[0, 0], [0, 0]]), (4, [[0, 0], [0, 1]])]
    assert data["budgets"][1]["said"] == tied.sentence != data["budgets"][0]["said"]


def test_bars_reach_from_the_smallest_run_to_the_largest(monkeypatch):
    drawn, runs = [], {FINE: [0.1, 0.1, 0.4], DATA: [1, 1]}
    monkeypatch.setattr("diffusion_lab.figures.race.Figure", lambda figure, *told, **how: drawn.append(figure))
    race({"even": [dot(4, 1, 1)._replace(values=runs)]}).still()
    _, _, (bars,) = drawn[0].axes[0].containers[0]
    assert np.sort(bars.get_segments()[0][:, 1]) == pytest.approx([0.1, 0.4])


def test_a_race_opens_with_a_dot_and_names_all_that_tie():
    shown = Race(DOTS | {"third": [dot(4, 0.2, 0.3)]}, EXACT, CLOUD, "Lines.", budget=("third", 4))
    assert shown.shown == (2, 0) and re.search(r'"shown": ?\[2, ?0\]', shown._repr_html_())
    assert "to the fine solution even and third, 0.21; to the data twice, 0.12" in shown.sentence
    with pytest.raises(LabError, match="racer"):
        Race(DOTS, EXACT, CLOUD, "Lines.", budget=("even", 3))


def test_a_race_says_its_numbers_and_ends_no_element():
    shown = race(caption="</script><b>")
    assert "With 4 calls the nearest are: to the fine solution even, 0.21; to the data twice, 0.12." in shown.sentence
    html = shown._repr_html_()
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])
    assert data["racers"][1]["dots"][0]["values"] == [[0.51, 0.5, 0.52], [0.12, 0.1, 0.14]]
    assert np.shape(data["racers"][0]["dots"][1]["path"]) == (3, 5, 2) and data["caption"] == "</script><b>"


@pytest.mark.parametrize("dots", [
    {}, {"a": []}, {"a": [dot(4, 1, 1), dot(2, 1, 1)]}, {"a": [Dot(1, {FINE: [1]}, EXACT)], "b": [dot(2, 1, 1)]},
    {"a": [dot(2, 1, 1)._replace(path=np.zeros((3, 4, 2)))]}, None, [], {"a": None}, {"a": [1]},
    *({"a": [dot(2, one, 1)]} for one in (np.nan, np.inf, 0, -1)),
    *({"a": [dot(2, 1, 1)._replace(values=values)]} for values in ({}, None, {FINE: []}, {FINE: ["x"]}, {FINE: None})),
    *({"a": [dot(2, 1, 1)._replace(path=path)]} for path in (None, EXACT * np.nan, EXACT[:0], [[["a", "b"]] * 3])),
    *({"a": [dot(2, 1, 1)._replace(calls=calls)]} for calls in (0, 1.5, True, "2", 2**64)),
    *({name: [dot(2, 1, 1)]} for name in ("", " ", "a" * 41, 5)),
])
def test_what_is_no_race_is_told(dots):
    with pytest.raises(LabError, match=" came; "):
        race(dots)


@pytest.mark.parametrize("exact", [EXACT + np.inf, EXACT[:0], "x"])
@pytest.mark.parametrize("cloud", [CLOUD * np.nan, np.zeros(3), np.zeros((4, 3))])
def test_a_plane_that_cannot_be_drawn_is_told(exact, cloud):
    for plane in ((exact, CLOUD), (EXACT, cloud)):
        with pytest.raises(LabError, match=" came; "):
            Race(DOTS, *plane, "Lines.")


@pytest.mark.parametrize("asked", [(0, FINE), (1, FINE), (np.nan, FINE), (4, "zz")])
def test_the_best_of_what_a_race_has_not_is_told(asked):
    with pytest.raises(LabError, match=" came; "):
        race().best(*asked)


def test_a_race_takes_tensors_runs_of_any_number_and_distances_next_to_zero():
    one = Dot(1, {FINE: torch.tensor([1e-9, 1e-9], requires_grad=True), DATA: [0.5]}, torch.zeros(2, 3, 2))
    html = Race({"_$x^$": [one, dot(2, 1, 1)]}, EXACT, CLOUD, "Lines.", budget=1)._repr_html_()
    assert '"values":[[0.0001,0.0001,0.0001],[0.5,0.5,0.5]]' in html  # a page takes the logarithm


@pytest.mark.browser
def test_a_race_by_mouse(engine, tmp_path):
    place = tmp_path / "race.html"
    place.write_text(f"<!doctype html><body>{race()._repr_html_()}{race()._repr_html_()}</body>", encoding="utf-8")
    with page(engine, 1280, 900) as tab:
        tab.goto(address(place))
        one = tab.locator(".dl-race").first
        said, names = one.locator("[role=status]"), one.locator("button")
        assert not one.locator("figure").is_visible()
        assert "Shown: even, calls: 4" in said.inner_text()
        assert one.locator("text", has_text=f"distance {FINE}").count() == 1
        names.filter(has_text=DATA).click()
        until(lambda: "Shown: twice, calls: 3" in said.inner_text(), True)
        assert one.locator("text", has_text=f"distance {DATA}").count() == 1
        one.locator("[data-dot='0 1']").hover()
        until(lambda: "Shown: even, calls: 4, to the fine solution 0.21 (0.20 to 0.22)" in said.inner_text(), True)
        assert one.locator("svg").nth(1).locator("g polyline").count() == 3  # a path for each sample
        path = one.locator("svg").nth(1).locator("g polyline").first.get_attribute("points")
        x, y = map(float, path.split()[0].split(","))
        assert x > 192 > y  # (0.4, 0.4) lies to the right of the middle, and above it
        for mark in one.locator("[data-dot]").all():
            low, place, high = mark.evaluate(
                "(e) => [e.previousSibling.getAttribute('y1'), e.style.transform.match(/, (.*)px/)[1], "
                "e.previousSibling.getAttribute('y2')].map(Number)")
            assert low - 0.5 > place > high + 0.5  # from the smallest run below the mean to the largest above it
        names.filter(has_text=FINE).click()
        box = one.locator("svg").first.bounding_box()
        tab.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + 0.5 * box["height"])
        tab.mouse.down()
        tab.mouse.up()
        until(lambda: "With 8 calls the nearest are: to the fine solution twice, 0.06" in said.inner_text(), True)
        bold = "(e) => [e.style.textShadow != 'none', getComputedStyle(e).fontWeight]"  # bold, and no wider
        assert [name.evaluate(bold) for name in names.all()[2:]] == [[False, "400"], [True, "400"]]
        assert "With 4 calls" in tab.locator(".dl-race").nth(1).locator("[role=status]").inner_text()
        assert tab.errors == [] and tab.refused == []


@pytest.mark.browser
def test_a_race_that_cannot_start_keeps_its_picture_and_the_next_one_starts(engine, tmp_path):
    place, html = tmp_path / "broken.html", race()._repr_html_()
    place.write_text(f"<!doctype html><body>{html.replace('0.51', 'NaN')}{html}</body>", encoding="utf-8")
    with page(engine, 1280, 900) as tab:
        tab.goto(address(place))
        broken, whole = tab.locator(".dl-race").all()
        until(lambda: whole.locator("[role=status]").count(), 1)
        assert broken.locator("figure").is_visible() and not broken.locator(".dl-moves").count()
        assert not whole.locator("figure").is_visible()


@pytest.mark.browser
def test_a_race_by_keyboard_and_on_paper(engine, tmp_path):
    place = tmp_path / "keys.html"
    place.write_text("<!doctype html><body><script>window.heard = []; addEventListener('keydown', (e) => "
                     f"heard.push(e.key))</script><main class='jp-Notebook' tabindex='-1'>{race()._repr_html_()}"
                     "</main></body>", encoding="utf-8")  # fmt: skip
    with page(engine, 1280, 900) as tab:
        tab.goto(address(place))
        handle, said = tab.locator("input[type=range]"), tab.locator("[role=status]")
        handle.focus()
        press(tab, "Home")
        assert handle.get_attribute("aria-valuetext") == "2 calls" and "With 2 calls" in said.inner_text()
        tab.locator("button", has_text="even").focus()
        press(tab, "Enter")
        assert "Shown: even, calls: 2" in said.inner_text()
        press(tab, "Escape")
        assert tab.evaluate("[document.activeElement.className, heard.length]") == ["jp-Notebook", 0]
        tab.emulate_media(media="print")
        assert tab.locator("figure").is_visible() and not handle.is_visible()
        tab.emulate_media(media="screen")
