"""Beads on the noise band: by mouse, finger and keys they fall, stay on the band, and Python hears where they lie."""

import json

import pytest
from browser import address, page, press, until

from diffusion_lab.beads import Beads
from diffusion_lab.controls import _control
from diffusion_lab.errors import LabError
from diffusion_lab.schedules import cosine

PAGE = """<!doctype html><html><body><div id="beads"></div><script type="module">
const state = %s;
window.state = state;
const model = {get: (name) => structuredClone(state[name]), set: (name, value) => (state[name] = value),
               save_changes: () => {}, on: (name, does) => (window.heard = {[name]: does})};
%s
window.end = render({model, el: document.getElementById("beads")});
document.body.dataset.live = "yes";
</script></body></html>"""
TIMES = [999, 749, 499, 249]


@pytest.fixture
def shown(engine, tmp_path):
    """A page with four beads, between two known schedules' marks."""
    beads = Beads(TIMES, cosine(), others={"even <b>": TIMES, "late": [400, 300, 200, 100]})
    state = {name: getattr(beads, name) for name in ("value", "last", "others", "colours")}
    path = tmp_path / "beads.html"
    script = beads._esm.replace("export default {render};", "")
    path.write_text(PAGE % (json.dumps(state), script), encoding="utf-8")
    with page(engine) as tab:
        tab.goto(address(path))
        tab.wait_for_selector('body[data-live="yes"]')
        yield tab


def times(tab) -> list[int]:
    return tab.evaluate("window.state.value")


@pytest.mark.parametrize("wrong", [[], [3, 3], [1, 2], [1000], [2, -1]])
def test_timesteps_that_do_not_fall_are_told(wrong):
    with pytest.raises(LabError):
        Beads(wrong, cosine())
    beads = Beads([5, 4], cosine())
    for value in (wrong, [5.5], ["x"], None, [True, False], 5):
        with pytest.raises(LabError, match="falling timesteps"):
            beads.value = value
        assert beads.value == [5, 4]
    with pytest.raises(LabError, match="a dictionary"):
        Beads([5, 4], cosine(), [1])


def test_the_band_is_as_wide_as_the_cell():
    """Among controls that are short by themselves, sliders say, it keeps its own width: both ends are seen."""
    beads = _control("beads", Beads(TIMES, cosine()), lambda beads: None)
    assert beads.layout.width == "calc(100% - 4px)"
    assert _control("t", (0, 9), lambda t: None).layout.width != beads.layout.width


@pytest.mark.browser
def test_beads_by_mouse_never_pass_each_other(shown):
    bead = shown.locator("[role=slider] circle").nth(1)
    box, band = bead.bounding_box(), shown.locator("svg").bounding_box()
    shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shown.mouse.down()
    shown.mouse.move(band["x"] + band["width"] * (130 + 920) / 2 / 960, box["y"])
    until(lambda: abs(times(shown)[1] - 500) <= 2, True)
    shown.mouse.move(band["x"] + band["width"], box["y"])
    until(lambda: times(shown), [999, 500, 499, 249])
    shown.mouse.up()
    shown.mouse.move(band["x"], box["y"])
    assert times(shown) == [999, 500, 499, 249]
    assert shown.locator("text", has_text="even <b>").count() == 1 and shown.locator("svg b").count() == 0
    assert shown.errors == [] and shown.refused == []


@pytest.mark.browser
def test_beads_go_where_python_puts_them_and_marks_lie_at_their_timesteps(shown):
    shown.evaluate("window.state.value = [900, 500, 300, 100], window.heard['change:value']()")
    assert [bead.get_attribute("aria-valuenow") for bead in shown.locator("[role=slider]").all()] == [
        "900", "500", "300", "100"]
    marks = [float(mark.get_attribute("cx")) for mark in shown.locator("svg > circle").all()]
    assert marks == pytest.approx([130 + 790 * (999 - t) / 999 for t in (*TIMES, 400, 300, 200, 100)], abs=1e-6)


@pytest.mark.browser
def test_beads_by_keys(shown):
    shown.evaluate("window.others = 0, document.addEventListener('keydown', () => window.others++)")
    press(shown, "Tab", "ArrowRight", "Tab", "ArrowLeft", "PageDown")
    assert times(shown) == [989, 659, 499, 249]
    assert shown.locator("[role=slider]").nth(1).get_attribute("aria-valuetext") == "t = 659"
    press(shown, "Home")
    assert times(shown)[1] == 988 and shown.evaluate("window.others") == 2  # Tab alone reached the page around
    shown.evaluate("window.end()")
    press(shown, "End")
    assert times(shown)[1] == 988  # a band that is gone hears nothing
