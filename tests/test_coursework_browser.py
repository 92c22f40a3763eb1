"""A lesson as live slides in JupyterLab: every cell in its place, code that runs, players and controls that answer."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager

import nbformat
import pytest
from browser import PATIENCE, free_port, page, press, until
from nbformat.v4 import new_code_cell, new_markdown_cell
from test_decks import LESSONS, cell, shown, small_lesson

from diffusion_lab.commands import environment

pytestmark = pytest.mark.browser


@contextmanager
def presenting(course, book: nbformat.NotebookNode, name: str):
    """`python -m diffusion_lab present NN` in a course of one lesson; yields the address it prints."""
    (course / "lessons" / "text").mkdir(parents=True)
    (course / "lessons" / "text" / name).with_suffix(".md").touch()
    (course / "pyproject.toml").touch()
    nbformat.write(book, course / "lessons" / name)
    code = ("import sys; from pathlib import Path; from diffusion_lab.commands import copies, environment; "
            f"environment.ROOT = Path({str(course)!r}); copies.LESSONS = environment.ROOT / 'lessons'; "
            "environment.ensure = lambda: Path(sys.executable); "
            "from diffusion_lab.__main__ import main; "
            f"sys.exit(main(['present', '{name[:2]}', '--no-browser', '--port', '{free_port()}']))")
    log = course / "log"
    with open(log, "w") as out:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=out, stderr=out, cwd=course,
                                   env={**os.environ, "PYTHONPATH": str(environment.ROOT)})
    try:
        said = until(log.read_text, lambda told: re.search(r"http://\S+", told) or process.poll() is not None)
        yield (re.search(r"http://\S+", said) or pytest.fail(said))[0]
    finally:
        process.terminate()
        process.wait(PATIENCE)


READY = """import torch
from diffusion_lab import Player, cosine, forward, noise
from diffusion_lab.coursework import quiz
path = forward(noise((3, 16, 16), 1).clamp(-1, 1), cosine(), range(0, 1000, 50), to_rgb=torch.eye(4, 3))"""
WAITS = "import time, pathlib\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.05)\nprint('it ran', aside)"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return tmp_path_factory.mktemp("course")


@pytest.fixture(scope="module")
def presented(course):
    """The small lesson, with a control that asks the kernel."""
    book = small_lesson()
    book.cells.insert(1, cell("skip", new_code_cell(READY)))
    book.cells += [cell("slide", new_markdown_cell("## Move me")), cell("-", new_code_cell(
        "import numpy as np; from diffusion_lab import figures, live\n"
        "def grey(level=0):\n"
        "    assert level != 103, 'this one breaks'\n"
        "    return figures.strip([np.full((8, 8, 3), level, np.uint8)], f'grey {level}', f'asked {level}')\n"
        "live(grey, level=(0, 200))"))]
    book.cells += [cell("slide", new_markdown_cell("## Run me")),
                   cell("-", shown("<p style='height:200px'>before</p>", WAITS))]
    with presenting(course, book, "07_small.ipynb") as found:
        yield found


def started(tab, where, player=True):
    """Wait until the slides stand, a `player` on one of them works, and keys reach them."""
    tab.goto(where)
    tab.wait_for_selector("body[data-jp-deck-mode=presenting] .dl-stage")
    if player:
        tab.wait_for_selector('.dl-player[data-live="yes"]', state="attached")  # perhaps on a later slide
    tab.wait_for_function("document.activeElement?.closest('.jp-Deck .jp-Cell')")


FITTED = """(before) => {
  const box = document.querySelector(".jp-Deck .jp-WindowedPanel-viewport").getBoundingClientRect();
  const marked = document.querySelector(".jp-Deck .jp-Cell.jp-mod-active")?.dataset.windowedListIndex;
  const fits = marked !== before && box.right - innerWidth <= 1 && box.height - innerHeight <= 1;
  window.fitted = fits ? (window.fitted || 0) + 1 : 0;
  return window.fitted > 2 && marked;
}"""
TITLE = ".jp-Deck .jp-deck-mod-visible :is(h1, h2)"


def fitted(tab, before=None):
    """Wait until another cell than `before` is marked and its slide fits the screen for a while; return its number."""
    tab.evaluate("window.fitted = 0")
    return tab.wait_for_function(FITTED, arg=before, polling=40).json_value()


@pytest.mark.parametrize("size", [(1280, 720), pytest.param((1920, 1080), marks=pytest.mark.slow)])
def test_live_slides(engine, presented, size):
    with page(engine, *size) as tab:
        started(tab, presented)
        title = lambda: tab.locator(".jp-deck-mod-visible h1, .jp-deck-mod-visible h2").first.inner_text()  # noqa: E731
        assert "A small lesson" in title() and "silence" not in tab.locator(".jp-Deck").inner_text()

        slider = tab.locator(".dl-player input[type=range]").first
        slider.focus()
        before = slider.input_value()
        press(tab, "ArrowRight")
        assert slider.input_value() != before and "A small lesson" in title()
        press(tab, "Escape")  # out of the player, not out of the slides
        assert tab.evaluate("document.body.dataset.jpDeckMode") == "presenting"

        marked, tops = fitted(tab), {}
        for _ in range(5):
            for shown in tab.locator(TITLE).all()[:1]:
                tops[shown.inner_text()[:12]] = round(shown.bounding_box()["y"])
            tab.keyboard.press("PageDown")
            marked = fitted(tab, marked)
        assert len(tops) == 3 and max(tops.values()) - min(tops.values()) <= 3, tops  # the title stays in its place
        assert tab.refused == []


def test_a_live_control_answers_with_its_last_value_and_the_way_out_works(engine, presented):
    says = "(words) => document.querySelector('.jp-Deck').innerText.includes(words)"
    with page(engine) as tab:
        started(tab, presented)
        marked = tab.locator(".jp-Deck .jp-Cell.jp-mod-active")
        number = fitted(tab)
        while "Move me" not in marked.inner_text():
            tab.keyboard.press("PageDown")
            number = fitted(tab, number)
        tab.keyboard.press("ArrowDown")
        fitted(tab, number)
        tab.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")
        tab.keyboard.press("Shift+Enter")
        handle = tab.locator(".jupyter-widgets [role=slider], .noUi-handle").first
        handle.wait_for()
        until(lambda: handle.get_attribute("aria-label"), "level")  # as its slider is called
        handle.focus()
        meets = """(e) => { const {width, height} = getComputedStyle(e, "::before"), own = getComputedStyle(e);
          return [parseFloat(width), parseFloat(height), own.touchAction, own.outlineWidth]; }"""
        wide, high, *rest = handle.evaluate(meets)
        assert min(wide, high) >= 44 and rest == ["pan-y", "3px"]  # a finger meets it, a swipe scrolls, focus is seen
        for _ in range(102):  # faster than it can draw
            tab.keyboard.press("ArrowRight")
        tab.wait_for_function(says, arg="asked 102")
        tab.keyboard.press("ArrowRight")
        tab.wait_for_function(says, arg="AssertionError: this one breaks")
        assert tab.evaluate(says, "asked 102")  # the picture stays
        tab.keyboard.press("ArrowRight")
        tab.wait_for_function(says, arg="asked 104")
        assert not tab.evaluate(says, "AssertionError")
        tab.get_by_role("button", name="Leave the slides").click()
        tab.wait_for_function("document.body.dataset.jpDeckMode !== 'presenting'")
        until(tab.locator("#jp-menu-panel, #jp-top-panel").first.is_visible)


def headed(tab, words):
    """Wait until the slide with this title is shown."""
    until(lambda: [words in title for title in tab.locator(TITLE).all_inner_texts()], [True])


def test_keys_turn_slides_whatever_is_marked_and_whoever_has_the_focus(engine, presented):
    with page(engine) as tab:
        started(tab, presented)
        first = fitted(tab)
        tab.keyboard.press("ArrowDown")
        fitted(tab, first)  # a cell of the same slide is marked
        headed(tab, "A small lesson")
        tab.keyboard.press("ArrowRight")
        headed(tab, "A formula")
        for before, key in (("End", "ArrowRight"), ("Home", "PageDown")):
            tab.keyboard.press("PageUp")
            headed(tab, "A small lesson")
            slider = tab.locator(".dl-player input[type=range]").first
            slider.focus()
            press(tab, before)
            headed(tab, "A small lesson")
            press(tab, key)
            headed(tab, "A formula")


def test_running_a_slide_says_so_holds_its_height_and_there_is_a_way_back(engine, presented, course):
    with page(engine) as tab:
        started(tab, presented)
        while not tab.locator(TITLE, has_text="Run me").count():
            press(tab, "PageDown")
        tab.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")
        output = tab.locator(".jp-deck-mod-visible .jp-Cell-outputWrapper", has_text="before")
        tall = output.evaluate("(e) => e.offsetHeight")
        tab.keyboard.press("Shift+Enter")  # its words are marked
        tab.wait_for_selector(".jp-deck-mod-visible.dl-working")
        output = tab.locator(".jp-deck-mod-visible.dl-working .jp-Cell-outputWrapper")
        assert "working" in output.evaluate("(e) => getComputedStyle(e, '::after').content")
        assert output.evaluate("(e) => e.offsetHeight") >= tall
        (course / "build" / "present" / "go").touch()
        tab.wait_for_selector(".jp-deck-mod-visible:not(.dl-working) pre:has-text('it ran it was set aside')")
        headed(tab, "Run me")
        tab.keyboard.press("Escape")
        tab.wait_for_function("document.body.dataset.jpDeckMode !== 'presenting'")
        tab.get_by_role("button", name="Back to the slides").click()
        tab.wait_for_selector("body[data-jp-deck-mode=presenting] .dl-stage")
        tab.get_by_role("button", name="Leave the slides").click()
        tab.wait_for_function("document.body.dataset.jpDeckMode !== 'presenting'")
        started(tab, presented)  # the address opens the slides again


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_no_live_slide_of_a_lesson_is_larger_than_the_screen(engine, lesson, tmp_path):
    book = nbformat.read(lesson, as_version=4)
    with presenting(tmp_path, book, lesson.name) as where, page(engine, 1280, 720) as tab:
        started(tab, where, "dl-player" in nbformat.writes(book))
        cells = [c for c in book.cells if c.metadata.slideshow.slide_type in ("slide", "subslide")]
        for key, size in (("PageDown", (1280, 720)), ("PageUp", (1920, 1080))):
            tab.set_viewport_size({"width": size[0], "height": size[1]})
            marks = [fitted(tab)]
            while len(marks) < len(cells):  # each slide is shown once on the way
                tab.keyboard.press(key)
                marks.append(fitted(tab, marks[-1]))
            assert len(set(marks)) == len(cells)
        assert tab.refused == []
