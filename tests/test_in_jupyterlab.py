"""A learner's notebooks in JupyterLab: players, exercises, hints and a quiz; run, saved, reopened, trusted and not."""

import json
import urllib.request
from pathlib import Path

import nbformat
import player_paths as made
import pytest
from browser import jupyter_lab, page, painted, press, run_cell, trust, until
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from test_decks import shown

from diffusion_lab.coursework import hints, quiz
from diffusion_lab.coursework.lessons import find
from diffusion_lab.player import Player

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parent.parent
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
WATCH = f"""import sys
sys.path[:0] = {[str(ROOT / "tests"), str(ROOT)]!r}
import player_paths
from diffusion_lab.player import Player, watch
from diffusion_lab.trajectory import Steps
made = player_paths.guided()
path = watch(Steps(iter(made.steps), made.recipe, made.to_rgb))"""
STUB = """from diffusion_lab.coursework import check, todo

def q_sample(x0, alpha_bar, eps):
    return {}

q_sample = check("01.q_sample", q_sample)"""
ANSWERS = ["todo()", "alpha_bar * x0 + (1 - alpha_bar) * eps", "alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * eps"]
LIVE = '.dl-player[data-live="yes"]'


def book(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook of these cells, and of words before and after the last one."""
    return new_notebook(metadata=KERNEL, cells=[
        *cells[:-1], new_markdown_cell("before"), cells[-1], new_markdown_cell("after"), new_markdown_cell("later")])


@pytest.fixture(scope="module")
def lab(engine, tmp_path_factory):
    """A Lab with a notebook to be run, and with a saved one that is trusted and one that is not."""
    folder = tmp_path_factory.mktemp("learner") / "lessons"
    folder.mkdir()
    nbformat.write(book(*[new_code_cell(STUB.format(answer)) for answer in ANSWERS], new_code_cell(WATCH)),
                   folder / "run.ipynb")
    for name in ("trusted", "untrusted"):
        saved = book(shown(hints("01.q_sample")._repr_html_()), shown(quiz("01")._repr_html_()),
                     shown(f"{Player(made.guided()).html}<!-- {name} -->"))
        nbformat.write(saved, folder / f"{name}.ipynb")
        if name == "trusted":
            trust(nbformat.read(folder / "trusted.ipynb", as_version=4), folder)
    with jupyter_lab(folder) as address:
        yield address, folder


def opened(engine, lab, name):
    """A page with a notebook, without that of the page before."""
    with page(engine, 1280, 900) as tab:
        tab.goto(f"{lab[0]}/lab/tree/{name}.ipynb?reset")
        tab.wait_for_selector(".jp-Notebook .jp-CodeCell")
        yield tab
        assert tab.refused == []


@pytest.fixture(scope="module")
def running(engine, lab):
    yield from opened(engine, lab, "run")


@pytest.fixture(scope="module")
def trusted(engine, lab):
    yield from opened(engine, lab, "trusted")


@pytest.fixture(scope="module")
def untrusted(engine, lab):
    yield from opened(engine, lab, "untrusted")


def step(tab) -> int:
    return int(tab.evaluate("document.querySelector('.dl-player input').value"))


def active_cell(tab) -> int:
    return tab.evaluate("[...document.querySelectorAll('.jp-Notebook .jp-Cell')]"
                        ".findIndex((cell) => cell.classList.contains('jp-mod-active'))")  # fmt: skip


def use_in_lab(tab) -> None:
    """Clicks and keys reach the player, the notebook keeps its selection, and Escape gives it back."""
    tab.wait_for_selector(LIVE)
    tab.locator(".dl-band").scroll_into_view_if_needed()
    cells, box = tab.locator(".jp-Notebook .jp-Cell").count(), tab.locator(".dl-band").bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    until(lambda: step(tab), 6)
    cell = active_cell(tab)
    presses = "ArrowRight 7 ArrowDown 6 ArrowUp 7 Home 0 End 12 ArrowRight 12".split()
    for key, place in zip(presses[::2], map(int, presses[1::2]), strict=True):
        press(tab, key)
        until(lambda: step(tab), place)
        assert active_cell(tab) == cell, key
        assert tab.evaluate("document.activeElement.type") == "range", key
    press(tab, "d", "d", "Enter")
    assert tab.locator(".jp-Notebook .jp-Cell").count() == cells and active_cell(tab) == cell
    box = tab.locator(".dl-band").bounding_box()
    tab.mouse.click(box["x"] + 3, box["y"] + 20)
    until(lambda: step(tab), 0)
    press(tab, "Escape", "ArrowDown")
    until(lambda: active_cell(tab), cell + 1)
    assert step(tab) == 0


def ask(lab, what, method="GET"):
    """What Lab's server answers."""
    request = urllib.request.Request(f"{lab[0]}/api/{what}", method=method)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def kept(path) -> str:
    """What the file holds once a save has ended; nothing while it is being written.

    Read from the disk: asked for a half-written notebook, Jupyter's server takes the copy from before the save for
    the rescue of a crash and puts it back, and the save is lost.
    """
    text = path.read_text("utf-8")
    return "" if path.with_name(f".~{path.name}").exists() else text


# ---- saved, without a kernel ----------------------------------------------------------------------------------------


def test_trusted_outputs_live_at_once_and_follow_the_theme(trusted):
    use_in_lab(trusted)
    trusted.evaluate("document.body.dataset.jpThemeLight = 'false'")
    trusted.wait_for_selector(".dl-player[data-dark]")
    trusted.evaluate("document.body.dataset.jpThemeLight = 'true'")
    trusted.wait_for_selector(".dl-player:not([data-dark])")


def test_the_collapser_does_not_swallow_clicks(trusted):
    """Without prompts (as in decks) Lab's invisible collapser lies over the left edge of every output."""
    trusted.wait_for_selector(LIVE)
    style = trusted.add_style_tag(content=".jp-OutputPrompt { display: none } .jp-OutputArea-output { margin-left: 0 }")
    painted(trusted)
    trusted.locator(".dl-band").scroll_into_view_if_needed()
    box = trusted.locator(".dl-band").bounding_box()
    overlay = trusted.locator(".jp-OutputArea:has(.dl-player) .jp-OutputArea-promptOverlay").bounding_box()
    assert overlay["x"] <= box["x"] + 5 < overlay["x"] + overlay["width"]
    trusted.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    until(lambda: step(trusted), 6)
    trusted.mouse.click(box["x"] + 5, box["y"] + 20)
    until(lambda: step(trusted), 0)
    style.evaluate("(style) => style.remove()")


def test_untrusted_outputs_keep_the_strip_and_its_words(untrusted):
    untrusted.wait_for_function("""() => { const shown = [...document.querySelectorAll(".jp-OutputArea-output img")];
        return shown.length && shown.every((image) => image.complete); }""")
    painted(untrusted)
    assert untrusted.locator(".dl-live").count() == untrusted.locator(".jp-OutputArea-output script").count() == 0
    images = untrusted.evaluate(
        "[...document.querySelectorAll('.jp-OutputArea-output img')].map((i) => [i.alt, i.naturalWidth])"
    )
    assert len(images) == 11 and all(alt and width for alt, width in images)
    text = untrusted.inner_text(".jp-OutputArea-output:has(img)")
    assert "“red disc”" in text and "seed 3" in text and "{" not in text


@pytest.mark.parametrize("name", ["trusted", "untrusted"])
def test_hints_and_quiz_by_keyboard(request, name):
    tab = request.getfixturevalue(name)
    tab.wait_for_selector(".dl-quiz, .jp-RenderedHTML ol")
    folds = tab.locator(".jp-OutputArea-output details")
    assert folds.first.locator("summary").first.inner_text() == "Hint 1 of 3"
    for depth in range(4):  # each hint lies in the one before
        folds.nth(depth).locator("> summary").focus()
        press(tab, "Enter")
    assert find("01.q_sample").hints[2][:30] in tab.locator(".jp-OutputArea-output").first.inner_text()
    assert "alpha_bar**0.5" in tab.locator(".jp-OutputArea-output pre").first.inner_text()
    folds.nth(4).locator("> summary").focus()
    press(tab, "Enter")
    assert folds.nth(4).evaluate("e => e.open") and "Not this one" in folds.nth(4).inner_text()
    press(tab, "Tab", "Enter")
    assert folds.nth(5).evaluate("e => e.open") and "Right" in folds.nth(5).inner_text()


# ---- with a kernel --------------------------------------------------------------------------------------------------


def test_a_stub_a_wrong_and_a_right_answer(running):
    boxes = running.locator(".jp-OutputArea-output .dl-box")
    for n in range(3):
        run_cell(running, n)
        boxes.nth(n).wait_for()
    said = boxes.all_inner_texts()
    assert "Not yet" in said[0] and "the course's own version" in said[0]
    assert "no square root" in said[1] and "your version" in said[1]
    assert said[2].strip().startswith("✓ Right")
    assert running.locator(".dl-box[role=status]").count() == 3


def test_live_then_saved_and_reopened_without_a_kernel(engine, lab, running):
    run_cell(running, 3)
    running.wait_for_selector(LIVE)
    assert running.locator("progress").count() == 0
    use_in_lab(running)
    press(running, "Control+s")
    running.wait_for_selector(".lm-TabBar-tab.jp-mod-current:not(.jp-mod-dirty)", state="attached")
    until(lambda: kept(lab[1] / "run.ipynb"), lambda text: "dl-player" in text)
    for tab in opened(engine, lab, "run"):
        tab.wait_for_selector(LIVE)
        for session in ask(lab, "sessions"):
            ask(lab, f"sessions/{session['id']}", "DELETE")
        use_in_lab(tab)
