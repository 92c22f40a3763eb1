"""Live controls: what stands in a page without a kernel, what a change draws, and what a slip is told."""

import asyncio
import sys
import warnings
from functools import partial

import IPython.display
import nbformat
import numpy as np
import pytest
from PIL import Image

from diffusion_lab import LabError, controls, cosine, live
from diffusion_lab.beads import Beads
from diffusion_lab.commands.lab import without_controls
from diffusion_lab.controls import VIEW, _control
from diffusion_lab.figures import strip


@pytest.fixture
def page(monkeypatch):
    """What `live` puts into a notebook: .controls (a bundle) and .picture (HTML, as it stands now)."""

    class Page:
        controls, picture = None, ""

        def display(self, what, raw=False, display_id=None):
            if raw:
                self.controls = what
            else:
                self.update(what)
            return self if display_id else None

        def update(self, what):
            self.picture = what.data

    made = Page()
    monkeypatch.setattr(IPython.display, "display", made.display)
    return made


class Own(BaseException):
    """An error that no `except Exception` catches."""


def grey(level=10, size=8):
    if level == 13:
        raise ZeroDivisionError("thirteen")
    if level == 12:
        sys.exit("twelve")
    if level == 98:
        raise Own("eleven")
    if level == 99:
        raise KeyboardInterrupt
    if level == 14:
        raise LabError("a lower level was expected")
    if level == 15:
        warnings.warn("fifteen is odd", stacklevel=2)
    return strip([np.full((size, size, 3), level, np.uint8)], f"grey {level}", f"level {level}, size {size}")


def test_a_change_draws_anew_and_an_error_is_a_sentence_under_the_picture(page):
    level, size = _control("level", (0, 100), grey), _control("size", [8, 16], grey)
    assert (level.min, level.max, level.value) == (0, 100, 10) and tuple(size.options) == (8, 16)
    live(grey, level=level, size=size)
    assert "level 10, size 8" in page.picture and 'alt="grey 10"' in page.picture
    level.value = 20
    assert "level 20, size 8" in page.picture
    for broken, sentence in [(12, "SystemExit: twelve"), (13, "ZeroDivisionError: thirteen"),
                             (98, "Own: eleven"), (14, ">a lower level was expected<")]:
        level.value = broken
        assert sentence in page.picture and "level 20, size 8" in page.picture and "opacity" in page.picture
    with pytest.raises(KeyboardInterrupt):
        level.value = 99
    level.value = 14
    size.value = 16
    assert "level 20" in page.picture  # still broken: 14
    level.value = 15
    assert ">fifteen is odd<" in page.picture and "level 15, size 16" in page.picture
    level.value = 30
    assert "opacity" not in page.picture
    assert "level 30, size 16" in page.picture and "expected" not in page.picture and "odd" not in page.picture


def test_while_a_kernel_runs_many_changes_are_drawn_once_for_the_last(page, monkeypatch):
    monkeypatch.setattr(controls, "EVERY", 0)
    level, drawn = _control("level", (0, 100), grey), []

    async def moved():
        live(lambda level: drawn.append(level) or grey(level), level=level)
        for values in ((20, 30, 40), (50, 60)):
            for level.value in values:
                assert values[0] not in drawn
            for _ in range(9):  # the loop's turns
                await asyncio.sleep(0)
            assert f"level {values[-1]}" in page.picture

    asyncio.run(moved())
    assert drawn == [10, 40, 60]


def test_a_slider_that_rounds_is_no_other_value(page):
    w = _control("w", (1.0, 6.0, 0.5), lambda w: None)
    live(lambda w: grey(round(10 * w)), w=w, still=strip([np.zeros((8, 8, 3), np.uint8)], "black", "all of them"))
    w.value += 4e-15
    assert "all of them" in page.picture and w.value != 3.5
    w.value = 4.0
    assert "level 40" in page.picture


def test_what_stands_without_a_kernel(page):
    level = _control("level", (0, 100), grey)
    live(grey, level=level, still=strip([np.zeros((8, 8, 3), np.uint8)], "black", "all levels"))
    assert "all levels" in page.picture and "level 10" not in page.picture
    assert "Run this cell" in page.controls["text/html"] and "(level)" in page.controls["text/plain"]
    level.value = 11
    assert "level 11" in page.picture


def test_a_control_that_can_be_drawn_stands_as_a_picture_without_a_kernel(page):
    live(lambda beads: grey(beads[0]), beads=Beads([40, 20], cosine()))
    assert "<figure" in page.controls["text/html"] and "beads at t = 40, 20." in page.controls["text/html"]


def test_a_bare_picture_is_told_in_words(page):
    live(lambda prompt: Image.new("RGB", (4, 4)), prompt="a <cat>")
    assert 'alt="A picture drawn for prompt: a &lt;cat&gt;."' in page.picture and "<cat>" not in page.picture
    assert "width:320px" in page.picture


def test_an_empty_text_is_told_as_none(page):
    prompt = _control("prompt", "a cat", lambda prompt: None)
    live(lambda prompt, seed: Image.new("RGB", (4, 4)), prompt=prompt, seed=3)
    prompt.value = ""
    assert "no prompt, seed: 3" in page.picture


@pytest.mark.parametrize(("slow", "told"), [(-1, [True, False]), (1e9, [False])])
def test_a_drawing_that_takes_its_time_is_announced_over_the_dimmed_picture(page, monkeypatch, slow, told):
    """Whether it does is known from the drawing before."""
    monkeypatch.setattr(controls, "SLOW", slow)
    level, pages = _control("level", (0, 100), grey), []
    live(grey, level=level)
    page.update = lambda what: pages.append(what.data)
    level.value = 20
    assert [("drawing …" in one, "opacity" in one) for one in pages] == [(waits, waits) for waits in told]
    assert "level 10" in pages[0] or len(pages) == 1
    assert "level 20" in pages[-1]


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: live(partial(grey, 3), depth=(0, 1)), r"argument of partial\(size\) was expected; 'depth' came"),
    (lambda: live(grey), "at least one control was expected; none came"),
    (lambda: live(grey(), level=3), "a function that draws was expected; Figure came"),
    (lambda: live(grey, eta=(0, 1)), r"an argument of grey\(level, size\) was expected; 'eta' came"),
    (lambda: live(grey, level=(5, 1)), r"level: .*expected; \(5, 1\) came"),
    (lambda: live(grey, level=[]), r"level: .*expected; \[\] came"),
    (lambda: live(grey, level={}), r"level: .*expected; \{\} came"),
    (lambda: live(grey, level=(0.0, float("inf"))), r"level: .*expected; \(0.0, inf\) came"),
    (lambda: live(grey, level=float("nan")), "level: .*expected; nan came"),
    (lambda: live(dict, level=3), "a function whose arguments have names was expected; <class 'dict'> came"),
    (lambda: live(grey, level=None), "level: .*expected; None came"),
    (lambda: live(grey, level=3, still="a picture"), "a picture to show was expected; str came"),
])  # fmt: skip
def test_slips(page, call, sentence):
    with pytest.raises(LabError, match=sentence):
        call()
    assert page.controls is None


def test_a_function_that_returns_nothing_says_so(page):
    live(lambda level: None, level=3)
    assert "a picture to show was expected; NoneType came" in page.picture


def test_an_error_without_words_or_with_too_many_is_a_sentence(page):
    class Mute(Exception):
        def __str__(self):
            return 1 / 0

    def draw(words):
        raise ValueError("x" * 10**6) if words else Mute

    live(draw, words=True)
    assert "ValueError: ..." in page.picture and len(page.picture) < 1000
    live(draw, words=False)
    assert "Mute:" in page.picture


def test_what_shows_nothing_is_told(page):
    class Silent:
        def _repr_html_(self):
            return None

    for nothing in (Silent(), Silent):  # the class itself too: brackets were forgotten
        live(lambda level, nothing=nothing: nothing, level=(0, 1))
        assert "a picture to show was expected" in page.picture


def test_a_saved_notebook_keeps_the_words_and_no_widget():
    made = nbformat.v4.new_output("display_data", {VIEW: {"model_id": "7"}, "text/html": "words"})
    other = nbformat.v4.new_output("display_data", {VIEW: {"model_id": "8"}, "text/plain": "somebody's own"})
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[made, other])])
    book.metadata["widgets"] = {"state": {}}
    without_controls({"type": "notebook", "content": book}, path="x", contents_manager=None)
    assert [list(output.data) for output in book.cells[0].outputs] == [["text/html"], [VIEW, "text/plain"]]
    assert "widgets" not in book.metadata
    without_controls({"type": "file", "content": "text"})


def test_a_control_takes_a_number_of_numpy_s(page):
    live(grey, level=np.float64(0.5))
    assert page.controls is not None
