"""A learner in JupyterLab: answers wrongly, then rightly, opens hints, takes the quiz by keyboard; live slides."""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager

import nbformat
import pytest
from browser import browser, free_port, jupyter_lab, page, press, run_cell, trust, until
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from test_decks import LESSONS, shown, small_lesson

from diffusion_lab.commands import environment
from diffusion_lab.coursework import hints, quiz
from diffusion_lab.coursework.lessons import find

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # milliseconds; a busy machine starts a Lab slowly
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
STUB = """from diffusion_lab.coursework import check, todo

def q_sample(x0, alpha_bar, eps):
    return {}

q_sample = check("01.q_sample", q_sample)"""


@pytest.fixture(scope="module")
def engine():
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A Lab with an exercise, and a quiz and hints in a trusted and in an untrusted notebook."""
    folder = tmp_path_factory.mktemp("learner") / "lessons"
    folder.mkdir()
    answers = ["todo()", "alpha_bar * x0 + (1 - alpha_bar) * eps", "alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * eps"]
    exercise = new_notebook(cells=[new_code_cell(STUB.format(answer)) for answer in answers], metadata=KERNEL)
    nbformat.write(exercise, folder / "exercise.ipynb")
    for name in ("trusted", "untrusted"):
        book = new_notebook(metadata=KERNEL, cells=[
            new_markdown_cell("# Saved, no kernel"), shown(hints("01.q_sample")._repr_html_()),
            shown(quiz("01")._repr_html_())])
        nbformat.write(book, folder / f"{name}.ipynb")
        if name == "trusted":
            trust(nbformat.read(folder / f"{name}.ipynb", as_version=4), folder)
    with jupyter_lab(folder) as base:
        yield base


def outputs(tab, count):
    boxes = tab.locator(".jp-OutputArea-output .dl-box")
    boxes.nth(count - 1).wait_for()
    return boxes.all_inner_texts()


def test_a_stub_a_wrong_and_a_right_answer(engine, lab):
    with page(engine) as tab:
        tab.set_default_timeout(PATIENCE)
        tab.goto(f"{lab}/lab/tree/exercise.ipynb?reset")
        for count in (1, 2, 3):
            run_cell(tab, count - 1)
            said = outputs(tab, count)
        assert "Not yet" in said[0] and "the course's own version" in said[0]
        assert "no square root" in said[1] and "your version" in said[1]
        assert said[2].strip().startswith("✓ Right")
        assert tab.locator(".dl-box[role=status]").count() == 3
        assert tab.refused == []


@pytest.mark.parametrize("name", ["trusted", "untrusted"])
def test_hints_and_quiz_by_keyboard_in_a_saved_notebook(engine, lab, name):
    with page(engine, height=1000) as tab:
        tab.set_default_timeout(PATIENCE)
        tab.goto(f"{lab}/lab/tree/{name}.ipynb?reset")  # without the notebook of the test before
        tab.wait_for_selector(".dl-quiz, .jp-RenderedHTML ol")
        folds = tab.locator(".jp-OutputArea-output details")
        assert folds.first.locator("summary").first.inner_text() == "Hint 1 of 3"
        for depth in range(4):  # each hint lies in the one before
            summary = folds.nth(depth).locator("> summary")
            summary.focus()
            press(tab, "Enter")
        assert find("01.q_sample").hints[2][:30] in tab.locator(".jp-OutputArea-output").first.inner_text()
        assert "alpha_bar**0.5" in tab.locator(".jp-OutputArea-output pre").first.inner_text()
        answer = folds.nth(4).locator("> summary")
        answer.focus()
        press(tab, "Enter")
        assert folds.nth(4).evaluate("e => e.open") and "Not this one" in folds.nth(4).inner_text()
        press(tab, "Tab", "Enter")
        assert folds.nth(5).evaluate("e => e.open") and "Right" in folds.nth(5).inner_text()


# --- live slides -------------------------------------------------------------------------------------------------


@contextmanager
def presenting(course, book: nbformat.NotebookNode, name: str):
    """`python -m diffusion_lab present NN` in a course of one lesson; yields the address it prints."""
    (course / "lessons" / "text").mkdir(parents=True)
    (course / "lessons" / "text" / name).with_suffix(".md").touch()
    (course / "pyproject.toml").touch()
    nbformat.write(book, course / "lessons" / name)
    code = ("import sys; from pathlib import Path; from diffusion_lab.commands import environment, lab; "
            f"environment.ROOT = Path({str(course)!r}); lab.LESSONS = environment.ROOT / 'lessons'; "
            "environment.ensure = lambda: Path(sys.executable); "
            "from diffusion_lab.__main__ import main; "
            f"sys.exit(main(['present', '{name[:2]}', '--no-browser', '--port', '{free_port()}']))")
    log = course / "log"
    with open(log, "w") as out:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=out, stderr=out, cwd=course,
                                   env={**os.environ, "PYTHONPATH": str(environment.ROOT)})
    try:
        end = time.monotonic() + PATIENCE / 1000
        while not (found := re.search(r"http://\S+", log.read_text())) and time.monotonic() < end:
            time.sleep(0.3)
        yield found[0] if found else pytest.fail(log.read_text())
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def presented(tmp_path_factory):
    """The small lesson, with a control that asks the kernel."""
    book = small_lesson()
    book.cells.insert(3, new_code_cell(
        "import numpy as np; from diffusion_lab import figures, live\n"
        "def grey(level=0):\n"
        "    assert level != 103, 'this one breaks'\n"
        "    return figures.strip([np.full((8, 8, 3), level, np.uint8)], f'grey {level}', f'asked {level}')\n"
        "live(grey, level=(0, 200))"))
    with presenting(tmp_path_factory.mktemp("course"), book, "07_small.ipynb") as found:
        yield found


def started(tab, where):
    """Wait until the slides stand and keys reach them."""
    tab.set_default_timeout(PATIENCE)
    tab.goto(where)
    tab.wait_for_selector("body[data-jp-deck-mode=presenting] .dl-stage")
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
    return tab.wait_for_function(FITTED, arg=before, polling=40, timeout=30_000).json_value()


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
        while "live(grey" not in marked.inner_text():
            tab.keyboard.press("ArrowRight")
            number = fitted(tab, number)
        tab.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")
        tab.keyboard.press("Shift+Enter")
        handle = tab.locator(".jupyter-widgets [role=slider], .noUi-handle").first
        handle.wait_for()
        handle.focus()
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


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_no_live_slide_of_a_lesson_is_larger_than_the_screen(engine, lesson, tmp_path):
    book = nbformat.read(lesson, as_version=4)
    with presenting(tmp_path, book, lesson.name) as where, page(engine, 1280, 720) as tab:
        started(tab, where)
        cells = [c for c in book.cells if c.metadata.slideshow.slide_type != "notes"]
        for key, size in (("PageDown", (1280, 720)), ("PageUp", (1920, 1080))):
            tab.set_viewport_size({"width": size[0], "height": size[1]})
            marks = [fitted(tab)]
            while len(marks) < len(cells):  # each cell is marked once on the way
                tab.keyboard.press(key)
                marks.append(fitted(tab, marks[-1]))
            assert len(set(marks)) == len(cells)
        assert tab.refused == []
