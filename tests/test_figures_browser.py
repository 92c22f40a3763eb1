"""A slider by keyboard: it keeps its own keys, stays in sight, says its words, and Esc goes back to the page around."""

import numpy as np
import pytest
from browser import address, browser, page, press

from diffusion_lab.figures import Slider

GREY = [np.full((8, 8, 3), level, np.uint8) for level in (0, 80, 160, 240)]
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A slider</title></head><body>
<script>window.heard = []; addEventListener("keydown", (event) => heard.push(event.key))</script>
<main class="jp-Notebook" tabindex="-1" style="padding:900px 0">{slider}</main></body></html>"""


@pytest.fixture(scope="module")
def engine():
    with browser() as running:
        yield running


@pytest.mark.browser
def test_a_slider_by_keyboard(engine, tmp_path):
    words = ["black", "dark", "light", "white"]
    slider = Slider(GREY, words, "a grey square", "From black to white.", title="How bright", height=200)
    place = tmp_path / "slider.html"
    place.write_text(PAGE.format(slider=slider._repr_html_()), encoding="utf-8")
    with page(engine, 800, 500) as tab:
        tab.goto(address(place))
        press(tab, "Tab")
        handle, picture = tab.locator("input[type=range]"), tab.locator("img.dl-moves")
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
        assert [one.is_visible() for one in tab.locator("img.dl-moves").all()] == [True, True]
