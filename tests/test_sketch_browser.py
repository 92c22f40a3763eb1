"""A mask painted in a real Chromium: by mouse, finger and keys, and what Python gets of it."""

import json

import numpy as np
from browser import address, page, painted, press, until
from PIL import Image

from diffusion_lab.sketch import Painter

GREY = Image.new("RGB", (64, 32), (90, 90, 90))
PAGE = """<!doctype html><html><body><div id="pad"></div><script type="module">
const state = %s, heard = [];
window.state = state, window.heard = heard;
const model = {get: (name) => structuredClone(state[name]), set: (name, value) => (state[name] = value),
               save_changes: () => heard.push(structuredClone(state.value))};
%s
window.end = render({model, el: document.getElementById("pad")});
document.body.dataset.live = "yes";
</script></body></html>"""


def shown(tab, pad, folder) -> None:
    """The page's side of a pad, with a model that keeps what it is told."""
    names = ("value", "box", "colours", "picture", "brush", "alt")
    state = json.dumps({name: getattr(pad, name) for name in names}).replace("</", "<\\/")
    script = pad._esm.replace("export default {render};", "")
    path = folder / "pad.html"
    path.write_text(PAGE % (state, script), encoding="utf-8")
    tab.goto(address(path))
    tab.wait_for_selector('body[data-live="yes"]')


def strokes(tab) -> list:
    return tab.evaluate("window.state.value")


def drag(tab, *places: tuple[float, float]) -> None:
    """Press at the first place, shares of the pad, and draw to the others."""
    box = tab.locator("canvas").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    tab.mouse.move(*at[0])
    tab.mouse.down()
    for point in at[1:]:
        tab.mouse.move(*point)
    tab.mouse.up()


def test_a_mask_by_brush_and_eraser_is_the_one_that_python_gets(engine, tmp_path):
    pad = Painter(GREY, "A grey field, empty.")
    with page(engine) as tab:
        shown(tab, pad.pad, tmp_path)
        assert "A grey field, empty." in tab.locator("canvas").get_attribute("aria-label")
        drag(tab, (0.25, 0.5), (0.75, 0.5))
        until(lambda: len(strokes(tab)), 1)
        tab.get_by_role("button", name="Eraser").click()
        tab.get_by_role("button", name="Thicker").click()
        drag(tab, (0.75, 0.5), (0.75, 0.5))
        until(lambda: len(strokes(tab)), 2)
        first, second = strokes(tab)
        assert (first["erase"], second["erase"]) == (False, True) and second["width"] > first["width"] == pad.pad.brush
        pad.pad.value = strokes(tab)
        assert pad.mask[16, 16:44].all() and not pad.mask[:, 48].any() and not pad.mask[:4].any()
        painted(tab)
        seen = np.array(tab.evaluate("""() => { const c = document.querySelector("canvas"), s = c.width / 64;
          const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
          return Array.from({length: 32}, (_, y) => Array.from({length: 64}, (_, x) =>
            d[4 * (Math.floor((y + 0.5) * s) * c.width + Math.floor((x + 0.5) * s))])); }"""))
        assert (seen[~pad.mask] == 90).mean() > 0.97 and (seen[pad.mask] != 90).mean() > 0.95  # static, there alone
        tab.get_by_role("button", name="Undo").click()
        until(lambda: len(strokes(tab)), 1)
        tab.get_by_role("button", name="Clear").click()
        until(lambda: strokes(tab), [])
        assert tab.errors == [] and tab.refused == []


def test_a_mask_by_keys_alone(engine, tmp_path):
    pad = Painter(GREY, "A grey field, empty.")
    with page(engine) as tab:
        shown(tab, pad.pad, tmp_path)
        tab.evaluate("window.others = 0, document.addEventListener('keydown', () => window.others++)")
        press(tab, "Tab", " ", *["ArrowRight"] * 4, " ", "ArrowUp")
        until(lambda: len(strokes(tab)), 1)
        assert tab.evaluate("window.others") == 1  # Tab alone reached the page around
        pad.pad.value = strokes(tab)
        assert pad.mask[16, 32:36].all() and pad.mask.mean() < 0.1
        press(tab, "Tab", "Tab", "Enter")
        assert tab.locator("button[aria-pressed=true]").inner_text() == "Eraser"
        tab.evaluate("window.end()")
        tab.focus("canvas")
        press(tab, " ")
        assert len(strokes(tab)) == 1  # a pad that is gone hears nothing


def test_a_mask_by_finger(engine, tmp_path):
    pad = Painter(GREY, "A grey field, empty.")
    with page(engine, has_touch=True) as tab:
        shown(tab, pad.pad, tmp_path)
        box = tab.locator("canvas").bounding_box()
        tab.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        until(lambda: len(strokes(tab)), 1)
        pad.pad.value = strokes(tab)
        assert pad.mask[16, 32] and 0 < pad.mask.mean() < 0.05
        assert tab.locator("canvas").evaluate("(c) => getComputedStyle(c).touchAction") == "none"
