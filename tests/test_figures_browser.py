"""A slider by keyboard: it keeps its own keys, stays in sight, says its words, and Esc goes back to the page around."""

import numpy as np
import pytest
from browser import address, page, painted, press

from diffusion_lab.figures import Slider, strip

GREY = [np.full((8, 8, 3), level, np.uint8) for level in (0, 80, 160, 240)]
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A slider</title></head><body>
<script>window.heard = []; addEventListener("keydown", (event) => heard.push(event.key))</script>
<main class="jp-Notebook" tabindex="-1" style="padding:900px 0">{slider}</main></body></html>"""


@pytest.mark.browser
def test_a_slider_by_keyboard(engine, tmp_path):
    words = ["black", "dark", "light", "white"]
    slider = Slider(GREY, words, "a grey square", "From black to white.", title="How bright", height=200)
    place = tmp_path / "slider.html"
    place.write_text(PAGE.format(slider=slider._repr_html_()), encoding="utf-8")
    with page(engine, 800, 500) as tab:
        tab.goto(address(place))
        press(tab, "Tab")
        handle, picture = tab.locator("input[type=range]"), tab.locator(".dl-moves img")
        assert handle.evaluate("(e) => e === document.activeElement")
        for part in (handle, picture, tab.locator("figcaption")):
            box = part.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= 500
        for key, said in [("ArrowRight", "dark"), ("End", "white"), ("ArrowLeft", "light"), ("Home", "black")]:
            press(tab, key)
            assert handle.get_attribute("aria-valuetext") == said
            assert f"How bright: {said}." in picture.get_attribute("alt")
        before = tab.evaluate("scrollY")
        press(tab, " ")
        assert tab.evaluate("[scrollY, heard.filter((key) => key !== 'Tab')]") == [before, []]
        press(tab, "Escape")
        assert tab.evaluate("document.activeElement.className") == "jp-Notebook"
        assert tab.evaluate("scrollY") == before


@pytest.mark.browser
def test_a_slider_gives_way_to_the_live_control_of_its_cell(engine, tmp_path):
    slider = Slider(GREY, list("abcd"), "a grey square", title="How bright")._repr_html_()
    place = tmp_path / "live.html"
    place.write_text(f"<div class='jp-OutputArea'><div class='jupyter-widgets'></div>{slider}</div>"
                     f"<div class='jp-OutputArea'>{slider}</div>", encoding="utf-8")  # fmt: skip
    with page(engine, 800, 900) as tab:
        tab.goto(address(place))
        assert [one.is_visible() for one in tab.locator("input[type=range]").all()] == [False, True]
        assert [one.is_visible() for one in tab.locator(".dl-moves img").all()] == [True, True]


@pytest.mark.browser
def test_a_slider_is_as_large_as_there_is_room_for(engine, tmp_path):
    """Its handle stands right below its picture and on the same screen; letters that cannot be read smaller scroll."""
    slider = Slider([np.zeros((40, 80, 3), np.uint8)] * 2, ["one", "two"], "black", title="Which", height=400)
    wide = strip([np.zeros((60, 60, 3), np.uint8)] * 9, "nine", labels=[f"number {k}" for k in range(9)]).image
    lettered = Slider([wide] * 2, ["one", "two"], "nine", title="Which", height=wide.height)
    place = tmp_path / "sizes.html"
    place.write_text(f"{slider._repr_html_()}{lettered._repr_html_()}", encoding="utf-8")
    with page(engine, 640, 400) as tab:
        tab.goto(address(place))
        for width, height in ((640, 400), (390, 844), (1280, 720)):
            tab.set_viewport_size({"width": width, "height": height})
            painted(tab)
            (picture, handle), (drawn, _) = ([tab.locator(part).nth(k).bounding_box() for part in
                                              (".dl-moves img", "input[type=range]")] for k in (0, 1))
            assert picture["width"] == pytest.approx(2 * picture["height"], abs=1)
            assert 0 <= handle["y"] - picture["y"] - picture["height"] < 60
            assert handle["y"] + handle["height"] - picture["y"] <= height
            scrolls = tab.locator("div.dl-moves").nth(1).evaluate("(e) => [e.scrollWidth > e.clientWidth, e.tabIndex]")
            assert scrolls == ([True, 0] if width == 390 else [False, -1])
            assert 24 * drawn["width"] / wide.width >= 11 and drawn["width"] <= wide.width
