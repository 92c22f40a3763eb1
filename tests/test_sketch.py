"""What is drawn on a pad comes out as points along the lines; nothing drawn, and the cloud given before comes."""

from pathlib import Path

import numpy as np
import pytest
from browser import address, browser, page, press

from diffusion_lab import LabError, sketch
from diffusion_lab.controls import VIEW
from diffusion_lab.sketch import DOT, JITTER, REACH, Painter, Sketch

CLOUD = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])


def test_nothing_drawn_is_the_cloud_that_was_given():
    pad = Sketch(CLOUD)
    assert not pad.drawn and np.allclose(pad.points(2), CLOUD[:2]) and pad.points().dtype == np.float32
    assert "the course's" in pad.still().caption
    pad.points()[:] = 9  # a learner's own copy
    assert np.allclose(pad.points(2), CLOUD[:2])


def test_lines_become_points_as_many_as_they_are_long():
    pad = Sketch(CLOUD)
    pad.pad.value = [{"line": [-1, 1, 1, 1]}, {"line": [0, -1, 0, -0.5]}]  # two long and one fourth of that, and a dot
    cloud = pad.points(4000)
    assert pad.drawn and cloud.shape == (4000, 2) and np.array_equal(cloud, pad.points(4000))
    upper = cloud[:, 1] > 0.5
    assert abs(upper.mean() - 2 / 2.5) < 0.03
    assert abs(cloud[upper, 1].mean() - 1) < 0.01 and abs(cloud[upper, 1].std() - JITTER) < 0.005
    assert abs(cloud[upper, 0].mean()) < 0.05 and abs(cloud[upper, 0].std() - 1 / 3**0.5) < 0.03
    assert "you drew" in pad.still().caption
    assert not np.array_equal(cloud, pad.points(4000, seed=1))
    with pytest.raises(LabError, match="a seed is a whole number"):
        pad.points(9, seed="one")
    pad.pad.value = [{"line": [0, 1, 0, 1 - DOT]}, {"line": [1, -1]}]
    assert abs((pad.points(4000)[:, 1] < 0).mean() - 0.5) < 0.03  # a dot counts as a line of this length
    pad.pad.value = [{"line": [0.5, 9.0]}]
    dot = pad.points(500)
    assert abs(dot.mean(axis=0) - (0.5, REACH)).max() < 0.01 and dot.std() < 1
    pad.pad.value = [{"line": []}]
    assert not pad.drawn


@pytest.mark.parametrize("given", [np.zeros((3, 3)), np.zeros((0, 2)), [[np.nan, 0.0]], [["a", "b"]], [[None, 1]],
                                   [[1e300, 1]], CLOUD * 1j])
def test_what_is_no_cloud_is_told(given):
    with pytest.raises(LabError, match="points"):
        Sketch(given)


def test_a_page_without_a_kernel_says_what_to_do(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    Sketch(CLOUD)._ipython_display_()
    assert shown[0][VIEW]["model_id"] and "Run this cell" in shown[0]["text/html"]
    assert "The cloud that is learned: the course" in shown[1].data
    assert shown[0]["text/html"].startswith('<p class="dl-moved"')  # by which a deck knows that a pad would stand here


PAGE = """<!doctype html><meta charset="utf-8"><div id="pad"></div><script>{script}
const state = {{value: [], box: [-{reach}, {reach}, {reach}, -{reach}], picture: "", brush: 0,
                colours: {{signal: "#0072B2", noise: "#D55E00"}}}}, outside = [];
let saved = 0;
document.body.addEventListener("keydown", (event) => outside.push(event.key));
const model = {{get: (name) => state[name], set: (name, value) => (state[name] = value), save_changes: () => saved++}};
const gone = render({{model, el: document.querySelector("#pad")}});</script>"""


@pytest.mark.browser
def test_the_pad_takes_lines_by_mouse_and_by_keys(tmp_path):
    place = tmp_path / "pad.html"
    script = Path(sketch.__file__).with_name("sketch.js").read_text("utf-8").replace("export default {render};", "")
    place.write_text(PAGE.format(script=script, reach=REACH), encoding="utf-8")
    with browser() as engine, page(engine, 600, 600) as tab:
        tab.goto(address(place))
        pad, said = tab.locator("canvas"), tab.locator("span[role=status]")
        strokes = lambda: tab.evaluate("state.value.map((stroke) => stroke.line)")  # noqa: E731
        box, ink = pad.bounding_box(), lambda x, y: pad.evaluate(
            "(e, [x, y]) => [...e.getContext('2d').getImageData(x, y, 1, 1).data]", [760 * x, 760 * y])

        def go(x: float, y: float) -> None:
            tab.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])

        assert said.inner_text() == "Nothing drawn yet: the course's cloud is taken." and tab.evaluate("saved") == 0
        go(0.25, 0.25), tab.mouse.down(), go(0.75, 0.25), tab.mouse.up()
        go(0.5, 0.9)  # the button is up: nothing is drawn
        assert np.allclose(strokes(), [[-0.75, 0.75, 0.75, 0.75]], atol=0.02)
        assert said.inner_text() == "1 line. Now run the next cell."
        assert ink(0.5, 0.25)[3] > 150 and ink(0.5, 0.75)[3] == 0  # y points up
        go(0.5, 0.5), tab.mouse.down(), tab.mouse.up()
        assert len(strokes()) == 2 and np.allclose(strokes()[1], 0, atol=0.02)  # a dot
        pad.focus()
        press(tab, "ArrowDown", " ", "ArrowRight", "ArrowUp", " ", "ArrowLeft")
        assert np.allclose(strokes()[2], [0, -0.05, 0.05, -0.05, 0.05, 0], atol=0.02) and len(strokes()) == 3
        assert said.inner_text() == "3 lines. Now run the next cell." and tab.evaluate("outside") == []
        press(tab, *["ArrowRight"] * 2, "Enter")
        assert tab.evaluate("outside") == ["Enter"] and len(strokes()) == 3
        drawn = Sketch(CLOUD)
        drawn.pad.value = tab.evaluate("state.value")
        assert drawn.drawn and drawn.points(200).shape == (200, 2)
        three = strokes()
        tab.get_by_text("Undo").click()
        assert strokes() == three[:2]
        tab.get_by_text("Begin anew").click()
        assert strokes() == [] and said.inner_text().startswith("Nothing drawn") and ink(0.5, 0.25)[3] == 0
        tab.evaluate("gone()")
        pad.focus()
        press(tab, " ")
        assert strokes() == [] and tab.evaluate("outside") == ["Enter", " "]  # a pad that is gone hears no keys
        assert not tab.errors and not tab.refused


GREY = np.full((40, 60, 3), 90, np.uint8)


def test_the_brush_of_a_tiny_picture_paints():
    assert Painter(GREY[:1, :1], "A grey dot.").pad.brush == 1
    assert Painter(GREY, "A grey field.").pad.brush == 5  # 0.12 of the 40 pixels of its height


def test_a_brush_as_wide_as_can_be_paints_all_and_one_far_away_nothing():
    assert Painter(GREY, "A grey field.", [{"line": [1, 1], "width": 1e300}]).mask.all()
    assert not Painter(GREY, "A grey field.", [{"line": [-90, -90, -50, -50], "width": 9}]).mask.any()
    for alt in ("", " "):
        with pytest.raises(LabError, match="alt text was expected"):
            Painter(GREY, alt)


def test_what_is_painted_is_a_mask_and_the_eraser_takes_away():
    pad = Painter(GREY, "A grey field, empty.", [{"line": [10, 20, 50, 20], "width": 8}])
    assert pad.mask.shape == (40, 60) and pad.mask[17:24, 12:48].all() and not pad.mask[:14].any()
    assert abs(pad.mask.sum() - (40 * 8 + np.pi * 16)) < 60
    pad.pad.value = [*pad.pad.value, {"line": [30, 20], "width": 20, "erase": True}]
    assert not pad.mask[:, 26:34].any() and pad.mask[20, 12] and pad.mask[20, 48]
    pixels = np.asarray(pad.painted())
    assert (pixels[~pad.mask] == 90).all() and pixels[pad.mask].std() > 30
    assert "A grey field, empty." in pad.still().alt and "%" in pad.still().caption
    pad.pad.value = []
    assert not pad.mask.any()


def test_the_last_picture_of_a_pad_stays_in_the_page(monkeypatch):
    shown, handle = [], type("Handle", (), {"update": lambda self, html: shown.append(html)})()
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data) or handle)
    pad = Painter(GREY, "A grey field, empty.")
    pad._ipython_display_()
    assert shown[0][VIEW]["model_id"] and "covers 0 % of it" in shown[1].data
    pad.pad.value = [{"line": [30, 20], "width": 30}]
    assert "covers 30 % of it" in shown[-1].data and "dl-pad-still" in shown[-1].data


@pytest.mark.parametrize("strokes", [
    [{"width": 3}], [{"line": [1, 2, 3]}], [{"line": "here"}], None, 5, "text", [5], {"line": [1, 2]},
    [{"line": [np.nan, 2]}], [{"line": [10**400, 1]}], *([{"line": [1, 2], "width": width}]
     for width in (None, [3], np.nan, np.inf, -5, 0, 10**400, "8", True)),
])
def test_strokes_that_are_none_are_told(strokes):
    with pytest.raises(LabError, match="two numbers a point|a stroke's width is a number above 0"):
        Painter(GREY, "A grey field, empty.", strokes)
