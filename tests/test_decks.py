"""Slides without Jupyter and live ones: everything inside, nothing cut off, the keys where they belong."""

import re
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from browser import PACKAGES, address, missing, page, painted, press, until
from ipywidgets import FloatSlider
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from diffusion_lab import Player, cosine, forward, noise
from diffusion_lab.commands import environment
from diffusion_lab.controls import _panel, in_place_of
from diffusion_lab.coursework import compare, hints, quiz, todo
from diffusion_lab.coursework.checks.checking import judge_code
from diffusion_lab.coursework.lessons import find
from diffusion_lab.coursework.slides.decks import deck, folded, notes_page, slides, write
from diffusion_lab.coursework.slides.live import live_copy, settings
from diffusion_lab.errors import LabError
from diffusion_lab.figures import Slider, schedule_curves, strip
from diffusion_lab.pixels import TO_RGB

LESSONS = sorted((environment.ROOT / "lessons").glob("[0-9][0-9]_*.ipynb"))
SIZES = [(1280, 720), (1920, 1080)]
SMALLEST = 18  # pixels of 720: no letter on a slide is smaller


def shown(html: str, source: str = "show()") -> nbformat.NotebookNode:
    return new_code_cell(source, outputs=[new_output("execute_result", {"text/html": html}, execution_count=1)])


def cell(kind: str, made: nbformat.NotebookNode) -> nbformat.NotebookNode:
    made.metadata["slideshow"] = {"slide_type": kind}
    return made


def small_lesson() -> nbformat.NotebookNode:
    """Every kind of cell a lesson has."""
    path = forward(noise((3, 16, 16), 1).clamp(-1, 1), cosine(), range(0, 1000, 50), to_rgb=TO_RGB)
    long = "\n".join(f"line_{i} = {i}" for i in range(12))
    book = new_notebook(cells=[
        cell("slide", new_markdown_cell("# A small lesson\n\nLet $x_t$ be given.")),
        cell("notes", new_markdown_cell("<!-- speaker notes\n\n3 minutes. Expect **silence** & patience.\n\n-->")),
        cell("-", shown(Player(path).html, "Player(path)")),
        cell("slide", new_markdown_cell("## A formula\n\n<!-- formula: ddim -->\n$$\nx_s = \\sqrt{a}\\, x_0\n$$")),
        cell("subslide", new_markdown_cell("## Tall\n\n" + "A line of words.\n\n" * 14)),
        cell("notes", new_markdown_cell("<!-- speaker notes\n\n1 minute. Only this.\n\n-->")),
        cell("slide", shown(hints("01.q_sample")._repr_html_(), long)),
        cell("slide", shown(quiz("01")._repr_html_(), "quiz('01')")),
        cell("skip", new_markdown_cell("not shown")),
        cell("skip", new_code_cell("aside = 'it was set aside'")),
        cell("slide", new_code_cell("1 < 2", outputs=[new_output("stream", text="<b>plain</b>")])),
    ])
    book.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return book


def test_cells_are_grouped_into_slides_with_their_notes():
    found = slides(small_lesson())
    assert [slide.title for slide in found] == ["A small lesson", "A formula", "Tall", "", "", ""]
    assert found[0].notes == ["3 minutes. Expect **silence** & patience."] and found[2].minutes == 1
    everything = "".join(piece for slide in found for piece in slide.pieces)
    assert "speaker notes" not in everything and "not shown" not in everything and "formula: ddim" not in everything
    assert "&lt;b&gt;plain&lt;/b&gt;" in everything


def test_long_code_is_folded_and_lone_calls_are_left_out():
    found = slides(small_lesson())
    assert "<details class='code'>" in found[3].pieces[0]
    for lone in (found[0].pieces[1], found[4].pieces[0]):
        assert "highlight" not in lone and "<div class='out'>" in lone


def test_a_deck_leaves_room_for_what_is_drawn():
    made = new_code_cell("sd = load()\nsd.show()\n", outputs=[
        new_output("stream", text="Loading the model. The first time takes a while ...\nno GPU here\n"),
        new_output("display_data", {"text/html": "<figure></figure>"})])
    (piece,) = slides(new_notebook(cells=[cell("slide", made)]))[0].pieces
    assert piece.startswith("<details class='code'>") and "Loading" not in piece and "no GPU here" in piece


@pytest.mark.parametrize(("source", "hidden"), [
    ("a = 1\nstrip([a], alt='one')", True), ("watch(steps,\n      ask='When?')", True), ("Player(path)", True),
    ("my_guess = ...\n" + "more\n" * 20 + "alt=1", False), ("def f():\n    return todo()" + "\n" * 9, False),
    ("a = 1\nprint(a)", False)])
def test_what_a_class_writes_into_stays_open(source, hidden):
    assert folded(shown("<p>", source)) is hidden


def test_a_short_call_of_a_plot_is_folded_on_slides_live_or_not():
    for picture, hidden in (("<figure></figure>", True), ("<p>words</p>", False)):
        call = cell("-", shown(picture, "a = 1\nplot(a)"))
        book = new_notebook(cells=[cell("slide", new_markdown_cell("# One")), call])
        assert ("<details class='code'>" in slides(book)[0].pieces[1]) is hidden
        assert bool(live_copy(book).cells[2].metadata.get("jupyter")) is hidden


def test_lines_that_the_words_above_point_at_stay_open():
    code = "\n".join(f"line_{i} = {i}" for i in range(12))
    parts = ["## Two\n\nRemember these lines: **they come again.**", "## One\n\nA few lines.\n\nNow watch:"]
    for words, hidden in zip(parts, (False, True), strict=True):
        book = new_notebook(cells=[cell("slide", new_markdown_cell(words)), cell("-", shown("<p>", code))])
        assert ("<details class='code'>" in slides(book)[0].pieces[1]) is hidden
        assert bool(live_copy(book).cells[2].metadata.get("jupyter")) is hidden


def test_every_subslide_has_a_title_and_the_notes_of_its_group():
    parts = ["## One", "Two", "**Three.** And more.", "Four"]
    kinds = ["slide", "subslide", "subslide", "slide"]
    book = new_notebook(cells=[cell(kind, new_markdown_cell(part)) for kind, part in zip(kinds, parts, strict=True)])
    book.cells.insert(2, cell("notes", new_markdown_cell("<!-- speaker notes\n\n2 minutes. Wait.\n\n-->")))
    found = slides(book)
    assert [slide.title for slide in found] == ["One", "One", "Three", ""]
    assert "Three" not in found[2].pieces[0].replace("<h2>Three", "").split("</h2>")[1]
    assert deck(book, "x").count("<p>2 minutes. Wait.</p>") == 3 and "about 2 minutes" in notes_page(book, "x")
    assert notes_page(book, "x").count("<p>2 minutes. Wait.</p>") == 3  # in print as in the speaker's view


def test_notes_page_says_what_and_how_long():
    html = notes_page(small_lesson(), "A <small> lesson")
    assert "6 slides, about 4 minutes" in html and "A &lt;small&gt; lesson" in html
    assert "<strong>silence</strong>" in html and "speaker notes" not in html


def test_a_deck_holds_everything_inside():
    html = deck(small_lesson(), "A small lesson")
    outside = re.sub(r"<script>.*?</script>", "", html, flags=re.S)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](?!data:)", outside)
    assert "{{" not in outside and html.count("<section>") == 6


def test_where_controls_would_stand_a_deck_says_where_they_live():
    asks = "<p class='x'>picture</p>" + str(_panel({"eta": FloatSlider(description="eta")})["text/html"])
    pad = in_place_of(SimpleNamespace(model_id="7"), "Run this cell, and draw here.", "<p>cloud</p>")["text/html"]
    page = deck(new_notebook(cells=[cell("slide", new_markdown_cell("## One")), cell("-", shown(asks + pad))]), "One")
    assert page.count("(live in the notebook)") == 2 and "Run this cell" not in page
    assert "picture</p>" in page and "cloud</p>" in page


def test_a_notebook_without_slides_is_a_sentence():
    with pytest.raises(LabError, match="a lesson with slides was expected"):
        slides(new_notebook(cells=[new_markdown_cell("# Words")]))


def test_the_copy_to_present_walks_one_way_and_leaves_the_lesson_alone():
    book = small_lesson()
    before = nbformat.writes(book)
    copy = live_copy(book)
    assert nbformat.writes(book) == before
    kinds = [c.metadata.get("slideshow", {}).get("slide_type") for c in copy.cells]
    assert set(kinds) == {"slide", "skip", None} and kinds.count("slide") == 6
    assert [c.source for c, kind in zip(copy.cells, kinds, strict=True) if kind == "skip"] == [
        "aside = 'it was set aside'"]
    assert copy.cells[1].metadata["jupyterlab-slideshow"] == {"layer": "deck"}
    assert not any("speaker notes" in c.source for c in copy.cells)
    folded = [c for c in copy.cells if c.metadata.get("jupyter", {}).get("source_hidden")]
    assert [c.source[:6] for c in folded] == ["# This", "Player", "line_0", "quiz('", "1 < 2"]
    nbformat.validate(copy)


def test_settings_of_a_presentation_stand_in_its_own_folder(tmp_path):
    settings(tmp_path)
    assert '"active": true' in (tmp_path / "jupyterlab-slideshow" / "plugin.jupyterlab-settings").read_text()


# --- in a browser ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deck")
    nbformat.write(small_lesson(), folder / "07_small.ipynb")
    return write(folder / "07_small.ipynb", folder / "slides")[0]


def open_deck(tab, path):
    tab.goto(address(path))
    tab.wait_for_selector("body[data-ready]")


def place(tab) -> int:
    """The number of the slide that is shown."""
    return tab.evaluate("Reveal.getIndices().h")


NOTES = "(document.querySelector('.speaker-controls-notes .value')?.innerText || '')"
MEASURE = """() => {
  const letters = function* (box) {
    const walk = document.createTreeWalker(box, NodeFilter.SHOW_TEXT), all = document.createRange();
    while (walk.nextNode()) {
      const element = walk.currentNode.parentElement;
      all.selectNodeContents(walk.currentNode);
      if (!walk.currentNode.data.trim() || element.closest("mjx-container, script, style")) continue;
      if (all.getBoundingClientRect().width) yield parseFloat(getComputedStyle(element).fontSize) * box.style.zoom;
    }
  };
  const slide = Reveal.getCurrentSlide(), box = slide.querySelector(".fit");
  fit(slide);
  const room = slide.getBoundingClientRect(), size = box.getBoundingClientRect();
  const right = Math.max(...[...box.querySelectorAll("*")].filter((e) => !e.closest("mjx-assistive-mml, canvas, pre"))
    .map((e) => e.getBoundingClientRect().right));
  const head = slide.querySelector("h1, h2");
  const place = head && [Math.round(head.getBoundingClientRect().top - room.top),
                         Math.round(parseFloat(getComputedStyle(head).fontSize) * box.style.zoom)];
  return { zoom: Number(box.style.zoom), place, tall: size.bottom - room.bottom, wide: right - room.right,
           letters: Math.min(...letters(box)), words: Number(box.style.getPropertyValue("--words")),
           drawn: [...slide.querySelectorAll("figure img")].filter((e) => e.getClientRects().length).map((e) => {
             const letters = parseFloat(getComputedStyle(e).getPropertyValue("--letters")) || null;
             const slider = e.closest(".dl-slider"); // its picture has a height
             const grown = slider ? JSON.parse(slider.querySelector("script").textContent).height / e.naturalHeight : 1;
             const whole = parseFloat(e.style.width) || e.naturalWidth * grown;
             const { width, height } = e.getBoundingClientRect();
             return [letters && letters * width / whole, height]; }),
           hero: slide.querySelector(".dl-hero canvas")?.getBoundingClientRect().width,
           title: head?.innerText || "", room: [room.width, room.height] };
}"""


THERE = """([k, width]) => Reveal.getIndices().h === k && innerWidth === width
  && [...Reveal.getCurrentSlide().querySelectorAll("img")].every((image) => image.complete)
  && [...Reveal.getCurrentSlide().querySelectorAll(".dl-player")].every((player) => player.dataset.live === "yes")"""


def walk(tab, width):
    """The measures of every slide of the deck, from the first, each once it stands with all its pictures."""
    found = []
    for k in range(tab.evaluate("Reveal.getTotalSlides()")):
        tab.wait_for_function(THERE, arg=[k, width])
        painted(tab)
        found.append(tab.evaluate(MEASURE))
        tab.keyboard.press("ArrowRight")
    return found


@pytest.mark.parametrize("text", sorted((environment.ROOT / "lessons/text").glob("[0-9][0-9]_*.md")),
                         ids=lambda p: p.stem)
def test_a_lesson_has_8_to_18_slides(text):
    assert 8 <= len(re.findall(r'"slide_type": "(?:sub)?slide"', text.read_text(encoding="utf-8"))) <= 18


@pytest.mark.browser
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_no_slide_of_a_lesson_is_larger_than_the_slide(engine, lesson, tmp_path):
    path, _ = write(lesson, tmp_path)
    with page(engine, *SIZES[0]) as tab:
        open_deck(tab, path)
        found = walk(tab, SIZES[0][0])
        for slide in found:
            assert slide["tall"] <= 1 and slide["wide"] <= 1, str(slide)
            if slide["hero"]:  # a player's largest picture; words yield to it before it is shrunk with them
                assert abs(slide["hero"] - 320) < 2, slide
                assert slide["zoom"] == 1 or slide["words"] == 0.68, slide
            for letters, height in slide["drawn"]:  # None where a picture has no letters
                assert (letters or SMALLEST) >= SMALLEST - 0.1 and height >= 60, f"split this slide: {slide}"
            assert slide["letters"] >= SMALLEST - 0.1, f"split this slide with a subslide: {slide}"
            assert slide["place"] == found[0]["place"], f"the title moved: {slide}"
        tab.set_viewport_size(dict(zip(("width", "height"), SIZES[1], strict=True)))
        press(tab, "Home")
        for slide in walk(tab, SIZES[1][0]):
            assert abs(slide["room"][0] - SIZES[1][0]) < 2 and abs(slide["room"][1] - SIZES[1][1]) < 2
            assert slide["tall"] <= 1 and slide["wide"] <= 1, slide
        assert tab.refused == [] and tab.errors == []


@pytest.mark.browser
def test_a_deck_from_a_stick_draws_maths_scrubs_players_and_folds(engine, small):
    with page(engine) as tab:
        open_deck(tab, small)
        assert tab.locator("mjx-container svg").count() >= 2
        assert tab.evaluate("document.querySelector('.slides').innerText.includes('$')") is False
        tab.wait_for_selector('.dl-player[data-live="yes"]')
        slider = tab.locator(".dl-player input[type=range]").first
        slider.focus()
        before = slider.input_value()
        press(tab, "ArrowRight")
        assert slider.input_value() != before and place(tab) == 0
        for k in range(1, 4):
            tab.evaluate("document.activeElement.blur()")
            press(tab, "PageDown")
            until(lambda: place(tab), k)
        until(lambda: tab.evaluate("location.hash"), "#/4")  # the number that stands below the slide
        fold = tab.locator("section.present .dl-hints summary").first
        fold.focus()
        press(tab, "Space")
        assert tab.locator("section.present .dl-hints details").first.evaluate("e => e.open")
        assert place(tab) == 3 and tab.evaluate(MEASURE)["tall"] <= 1
        press(tab, "ArrowRight")  # the focus does not stay behind on a slide that nobody sees
        until(lambda: tab.evaluate("document.activeElement === document.body"))
        press(tab, "Tab")
        until(lambda: tab.evaluate("Reveal.getCurrentSlide().contains(document.activeElement)"))
        assert place(tab) == 4
        assert tab.refused == [] and tab.errors == []


@pytest.mark.browser
def test_letters_in_pictures_yield_to_nothing(engine, tmp_path):
    """On a slide with too many words everything else is shrunk: letters drawn into a picture have their 18 pixels."""
    grey = [np.full((8, 8, 3), level, np.uint8) for level in (0, 80)]
    labelled = strip(grey, "two squares", "Dark, light.", labels=["dark", "light"])
    slider = Slider([labelled.image] * 2, ["one", "two"], "two squares", title="Which", height=labelled.image.height)
    asked = compare(..., 259, what="the timestep", low=0, high=1000)
    words = "## Full\n\n" + "A line of words, and another one.\n\n" * 9
    book = new_notebook()
    for shown_too in (labelled, slider, schedule_curves(cosine()), asked):
        book.cells += [cell("slide", new_markdown_cell(words)), cell("-", shown(shown_too._repr_html_()))]
    nbformat.write(book, tmp_path / "07_full.ipynb")
    with page(engine) as tab:
        open_deck(tab, write(tmp_path / "07_full.ipynb", tmp_path)[0])
        found = walk(tab, 1280)
    assert [len(slide["drawn"]) for slide in found] == [1, 1, 1, 2]
    for slide in found:
        assert slide["zoom"] < 0.9 and all(letters >= SMALLEST - 0.1 for letters, _ in slide["drawn"]), slide


@pytest.fixture(scope="module")
def handled(tmp_path_factory):
    """A slider, more than a slide holds once it is opened, and a quiz."""
    grey = [strip([np.full((8, 8, 3), level, np.uint8)], "grey", labels=["a grey square"], size=340).image
            for level in range(0, 255, 20)]
    slider = Slider(grey, [f"level {20 * k}" for k in range(13)], "a grey square", title="How bright", height=372)
    folds = hints("01.q_sample")._repr_html_() + "<p>And more.</p>" * 5
    book = new_notebook(cells=[
        cell("slide", new_markdown_cell("# Handled")), cell("-", shown(slider._repr_html_())),
        cell("slide", new_markdown_cell("## Opened")), cell("-", shown(folds)),
        cell("slide", new_markdown_cell("## Asked")), cell("-", shown(quiz("01")._repr_html_()))])
    folder = tmp_path_factory.mktemp("handled")
    nbformat.write(book, folder / "07_handled.ipynb")
    return write(folder / "07_handled.ipynb", folder / "slides")[0]


@pytest.mark.browser
def test_a_slider_never_keeps_the_slides(engine, handled):
    with page(engine) as tab:
        open_deck(tab, handled)
        slider = tab.locator(".dl-slider input")
        for before, key in (("End", "ArrowRight"), ("Home", "PageDown")):
            slider.focus()
            press(tab, before)
            assert place(tab) == 0
            press(tab, key)
            until(lambda: place(tab), 1)
            press(tab, "PageUp")
            until(lambda: place(tab), 0)
        slider.focus()
        press(tab, "Home", "ArrowRight")
        assert slider.input_value() == "1" and place(tab) == 0


@pytest.mark.browser
def test_what_is_opened_scrolls_inside_its_slide_and_shrinks_nothing(engine, handled):
    with page(engine) as tab:
        open_deck(tab, handled)
        press(tab, "PageDown")
        until(lambda: place(tab), 1)
        zoom = "document.querySelector('section.present .fit').style.zoom"
        before = tab.evaluate(zoom)
        for fold in tab.locator("section.present summary").all():
            fold.click()
        tab.wait_for_selector("section.present .fit[data-over]")
        painted(tab)
        assert tab.evaluate(zoom) == before and tab.evaluate(MEASURE)["letters"] >= SMALLEST - 0.1
        slide = tab.locator("section.present")
        slide.evaluate("(e) => { e.scrollTop = 0; }")
        press(tab, "ArrowDown")
        until(lambda: slide.evaluate("(e) => e.scrollTop"), lambda top: top > 0)
        assert place(tab) == 1


PAPER = """() => {
  dispatchEvent(new Event("beforeprint"));
  const seen = (what) => [...document.querySelectorAll(what)].filter((e) => e.getClientRects().length).length;
  return { slides: [...document.querySelectorAll(".slides > section")].map((slide) => {
             const [room, box] = [slide, slide.querySelector(".fit")].map((e) => e.getBoundingClientRect());
             const within = ({ bottom, right }) => bottom <= room.bottom && right <= room.right;
             return [room.width, room.height, box.height <= room.height + 1
               && [...slide.querySelectorAll(".dl-stops img")].every((e) => within(e.getBoundingClientRect()))]; }),
           words: Math.min(...[...document.querySelectorAll(".dl-stops > div")].map((e) =>
             parseFloat(getComputedStyle(e).fontSize) * e.closest(".fit").style.zoom)),
           questions: seen(".dl-quiz ol > li"), stops: seen(".dl-stops img"), handles: seen(".dl-slider input") };
}"""


@pytest.mark.browser
def test_on_paper_a_slide_is_a_page_with_every_question_and_every_stop(engine, handled):
    with page(engine) as tab:
        open_deck(tab, handled)
        assert len(re.findall(rb"/Type\s*/Page\b", tab.pdf(prefer_css_page_size=True))) == 3
        tab.emulate_media(media="print")
        found = tab.evaluate(PAPER)
        assert found == {"slides": [[1280, 720, True]] * 3, "words": 18, "questions": 5, "stops": 13, "handles": 0}
        tab.evaluate("dispatchEvent(new Event('afterprint'))")
        assert tab.evaluate("getComputedStyle(document.querySelector('.slides > section:last-child')).opacity") == "0"


@pytest.mark.browser
def test_a_quiz_asks_one_question_at_a_time(engine, small):
    with page(engine) as tab:
        open_deck(tab, small)
        tab.evaluate("Reveal.slide(4)")
        painted(tab)
        questions = tab.locator(".dl-quiz ol > li")
        assert [q.is_visible() for q in questions.all()] == [True, False, False, False, False]
        tab.get_by_role("button", name="Question 2").focus()
        press(tab, "Enter")
        assert questions.nth(1).is_visible() and not questions.nth(0).is_visible()
        questions.nth(1).locator("summary").first.click()
        painted(tab)
        assert tab.evaluate(MEASURE)["tall"] <= 1 and place(tab) == 4
        assert tab.locator(".help").is_visible()
        tab.set_viewport_size({"width": 390, "height": 844})  # a phone has no keys
        painted(tab)
        assert not tab.locator(".help").is_visible()


@pytest.mark.browser
def test_a_question_and_a_hint_are_as_large_as_the_room_allows_and_never_as_small_as_on_a_page(engine, small):
    """What the page's own style says of their letters yields to the slide's."""
    size = "(e) => parseFloat(getComputedStyle(e).fontSize)"
    with page(engine) as tab:
        open_deck(tab, small)
        for slide, what, wanted in ((3, ".dl-hints", 24), (4, ".dl-quiz", 32), (4, ".dl-quiz summary", 32)):
            tab.evaluate(f"Reveal.slide({slide})")
            painted(tab)
            found = tab.locator(what).first
            zoom = found.evaluate("(e) => Number(e.closest('.fit').style.zoom)")
            assert zoom == 1 and found.evaluate(size) == wanted, what


@pytest.mark.browser
def test_the_speaker_view_shows_the_notes(engine, small):
    with page(engine) as tab:
        open_deck(tab, small)
        with tab.context.expect_page() as opened:
            tab.keyboard.press("s")
        view = opened.value
        view.wait_for_function(f"{NOTES}.includes('silence')")
        press(tab, "PageDown", "PageDown")
        view.wait_for_function(f"{NOTES}.includes('Only this')")
        assert tab.refused == []


# --- for everyone ------------------------------------------------------------------------------------------------

AXE = environment.ROOT / "node_modules" / "axe-core" / "axe.min.js"
DARK = ("<style>:root{--jp-content-font-color0:#fff;--jp-layout-color1:#111;--jp-layout-color2:#333}"
        "body{background:#111}")


def serious(tab):
    """What axe-core finds serious on a page."""
    tab.evaluate(AXE.read_text())
    found = tab.evaluate("axe.run().then((r) => r.violations)")
    return [(v["id"], n["html"][:120]) for v in found if v["impact"] in ("serious", "critical") for n in v["nodes"]]


@pytest.fixture(scope="module")
def boxes():
    """Every mood of a check, a guess and its lack, hints and a quiz, all folds open."""
    exercise = find("01.q_sample")
    answers = [exercise.reference, exercise.slips[0].code, lambda *a: todo(), lambda *a: None]
    html = "".join(judge_code(exercise, answer).box._repr_html_() for answer in answers)
    html += "".join(compare(g, 259, what="the timestep", low=0, high=1000)._repr_html_() for g in (..., 500))
    html += hints("01.q_sample")._repr_html_() + quiz("01")._repr_html_()
    return html.replace("<details", "<details open").replace(' name="dl-quiz', ' data-name="dl-quiz')


@pytest.mark.browser
@pytest.mark.parametrize("style", ["", DARK + "</style>"], ids=["light", "dark"])
def test_axe_finds_nothing_serious_in_checks_hints_guesses_and_quizzes(engine, boxes, style, tmp_path):
    if not AXE.is_file():
        missing(f"axe-core ({AXE.relative_to(environment.ROOT)}: {PACKAGES})")
    head = f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Boxes</title>{style}</head>"
    (tmp_path / "boxes.html").write_text(f"{head}<body><main>{boxes}</main></body></html>", encoding="utf-8")
    with page(engine) as tab:
        tab.goto(address(tmp_path / "boxes.html"))
        assert serious(tab) == []


@pytest.mark.browser
def test_axe_finds_nothing_serious_in_a_deck(engine, small):
    if not AXE.is_file():
        missing(f"axe-core ({AXE.relative_to(environment.ROOT)}: {PACKAGES})")
    with page(engine) as tab:
        open_deck(tab, small)
        for _ in range(tab.evaluate("Reveal.getTotalSlides()")):
            assert serious(tab) == []
            press(tab, "PageDown")
