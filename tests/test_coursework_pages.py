"""Hints, guesses and quizzes as pages: they teach without a kernel, without script and without styles."""

import ast
import re
import tomllib
from html import unescape
from html.parser import HTMLParser

import pytest
from test_lessons import TEXTS, build

from diffusion_lab.coursework import compare, hints, quiz
from diffusion_lab.coursework.checks import comparing
from diffusion_lab.coursework.checks.box import Box, spoken
from diffusion_lab.coursework.checks.checking import judge_code
from diffusion_lab.coursework.checks.exercises import Code
from diffusion_lab.coursework.checks.hinting import solution
from diffusion_lab.coursework.checks.quizzing import Answer, Question, Quiz
from diffusion_lab.coursework.lessons import HERE, exercises, find, numbers
from diffusion_lab.errors import LabError
from diffusion_lab.figures import PALETTE, WORDS, Figure

NAMES = [name for lesson in numbers() for name in exercises(lesson)]
CODES = [name for name in NAMES if isinstance(find(name), Code)]
TEXT = {text.name[:2]: text for text in TEXTS}
QUIZZES = sorted(path.stem[-2:] for path in HERE.glob("*.toml"))


class Outline(HTMLParser):
    """How deep in <details> each piece of text stands."""

    def __init__(self, html):
        super().__init__()
        self.depth, self.texts, self.tags = 0, [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.depth += tag == "details"

    def handle_endtag(self, tag):
        self.depth -= tag == "details"

    def handle_data(self, data):
        self.texts.append((self.depth, data))

    def where(self, text):
        return next(depth for depth, data in self.texts if text in data)


@pytest.mark.parametrize("name", NAMES)
def test_each_hint_is_a_click_deeper_and_the_solution_is_deepest(name):
    outline = Outline(hints(name)._repr_html_())
    assert [outline.where(f"Hint {k} of 3") for k in (1, 2, 3)] == [1, 2, 3]
    assert outline.where("Show the solution") == 4 and max(depth for depth, _ in outline.texts) == 4
    assert not any(tag in ("script", "style") or "open" in attrs for tag, attrs in outline.tags)
    assert all("cursor:pointer" in attrs["style"] for tag, attrs in outline.tags if tag == "summary")


def test_the_solution_is_the_source_of_the_function_that_runs():
    import inspect

    from diffusion_lab.noising import add_noise

    text = "".join(data for _, data in Outline(hints("01.q_sample")._repr_html_()).texts)
    last = inspect.getsource(add_noise).strip().splitlines()[-1]
    assert f"def q_sample(x0, alpha_bar, eps):\n{last}" in text and "mixing.add_noise" in text


def test_a_solution_is_what_a_learner_writes_with_one_line_functions_in_their_place():
    assert solution(find("04.ddim")).splitlines() == [
        "def ddim_step(x_t, eps, alpha_bar, alpha_bar_next):",
        "    x0 = (x_t - (1 - alpha_bar) ** 0.5 * eps) / alpha_bar**0.5",
        "    return alpha_bar_next**0.5 * x0 + (1 - alpha_bar_next) ** 0.5 * eps"]


@pytest.mark.parametrize("name", CODES)
def test_a_shown_solution_runs_where_it_is_pasted_and_is_right(name):
    """In place of the lesson's own function: what the lesson has imported by then is known, and nothing else."""
    cells = [cell.source for cell in build.cells_from(TEXT[name[:2]]).cells if cell.cell_type == "code"]
    (place,) = [k for k, source in enumerate(cells) if f'check("{name}"' in source]
    (called,) = re.findall(rf'check\("{re.escape(name)}", (\w+)\)', cells[place])
    (shown,) = re.findall(r"<pre[^>]*><code[^>]*>(.*?)</code></pre>", hints(name)._repr_html_(), re.S)
    imports = [node for source in cells[:place] for node in ast.parse(source).body
               if isinstance(node, ast.Import | ast.ImportFrom)]
    known = {}
    exec(compile(ast.Module(imports, []), "<lesson>", "exec"), known)
    exec(unescape(shown), known)
    assert judge_code(find(name), known[called]).box.mood == "right"
    assert not re.search(r"->|: (Tensor|float)|^@|fmt|LabError|\"\"\"", unescape(shown), re.M)


@pytest.mark.parametrize("lesson", QUIZZES)
def test_a_quiz_has_five_questions_with_one_right_answer_that_all_explain_themselves(lesson):
    questions = quiz(lesson).questions
    assert len(questions) == 5 and repr(quiz(lesson)).startswith(f"Quiz of lesson {lesson}: ")
    places = set()
    for question in questions:
        assert sum(answer.right for answer in question.answers) == 1 and len(question.answers) >= 3
        assert all(len(answer.why.split()) >= 8 for answer in question.answers), f"a longer why: {question.asks}"
        places.add([answer.right for answer in question.answers].index(True))
    assert len(places) >= 2, "the right answer always stands in the same place"


@pytest.mark.parametrize("lesson", QUIZZES)
def test_a_quiz_works_without_script_and_hides_its_explanations(lesson):
    html = quiz(lesson)._repr_html_()
    outline = Outline(html)
    raw = tomllib.loads((HERE / f"lesson_{lesson}.toml").read_text("utf-8"))["question"]
    summaries = re.findall(r"<summary[^>]*>(.*?)</summary>", html)
    assert len(summaries) == sum(len(q["answer"]) for q in raw)
    assert outline.where("Not this one") == 1 and outline.where("Right.") == 1
    assert not any(tag in ("script", "style") for tag, _ in outline.tags)
    assert len({attrs["name"] for tag, attrs in outline.tags if tag == "details"}) == 5
    assert html == quiz(lesson)._repr_html_() and len(html) < 20_000


def test_a_quiz_that_is_not_there():
    with pytest.raises(LabError, match="there are: 00"):
        quiz("77")


def test_no_guess_yet_keeps_the_truth_folded():
    box = compare(..., 259, what="the timestep", low=0, high=1000)
    outline = Outline(box._repr_html_())
    assert box.mood == "not yet" and outline.where("The truth: 259") == 1
    assert "259" not in repr(box)
    shown = [attrs["alt"] for tag, attrs in outline.tags if tag == "img"]
    assert "no guess yet" in shown[0] and "Truth at 259" in shown[1]


@pytest.mark.parametrize(("guess", "says"), [
    (500, "You said 500; it is 259: 241 too high, a surprise"), (250, "9 too low, close"), (259, "exactly"),
    (5000, "too high"), ("160", "99 too low, not far")])
def test_guess_and_truth_are_told_together(guess, says):
    box = compare(guess, 259, what="the timestep", low=0, high=1000)
    assert says in repr(box)
    assert "Your guess at" in box._repr_html_() and "Truth at 259" in box._repr_html_()


def test_units_and_digits():
    assert "You said 50 %; it is 12 %: 38 % too high" in repr(compare(50, 12, what="share", low=0, high=100, unit=" %"))
    assert "You said 1 call; it is 16 calls" in repr(compare(1, 16, what="calls", low=1, high=50, unit="calls"))
    said = repr(compare(24.5, 24, what="calls", low=1, high=50, unit="calls"))
    assert "You said 24.5 calls; it is 24.0 calls: 0.5 calls too high, close" in said
    assert "You said 0.333; it is 0.120" in repr(compare(1 / 3, 0.12, what="share", low=0, high=1, digits=1))
    assert "You said 0.50; it is 0.12" in repr(compare(0.5, 0.123, what="share", low=0, high=1, digits=2))


class Rude:
    def __float__(self):
        raise RuntimeError("no")

    __repr__ = __float__


@pytest.mark.parametrize(("guess", "said"), [("many", "'many'"), (None, "None"), (float("nan"), "nan"),
                                             ([1, 2], "[1, 2]"), (10**400, "1000"), (10**5000, "a int"),
                                             (Rude(), "a Rude")], ids=lambda g: str(type(g).__name__))  # fmt: skip
def test_a_guess_that_is_no_number(guess, said):
    with pytest.raises(LabError, match=f"a guess is a number from 0 to 1; {re.escape(said)}"):
        compare(guess, 1, what="share", low=0, high=1)


@pytest.mark.parametrize(("low", "high", "said"), [(1, 1, "1 to 1 came"), (2, 1, "2 to 1 came"),
                                                   (0, float("inf"), "an axis needs numbers; inf came")])
def test_an_axis_has_a_length(low, high, said):
    with pytest.raises(LabError, match=said):
        compare(1, 1, what="share", low=low, high=high)


def test_a_guess_far_off_is_short():
    said = repr(compare(1e300, 12, what="share", low=0, high=100, unit=" %"))
    assert "You said 1.00e+300 %; it is 12 %: 1.00e+300 % too high, a surprise" in said
    said = [compare(guess, 0, what="share", low=0, high=1).head for guess in (10**12 - 1, 10**12)]
    assert said[0].startswith("You said 999,999,999,999;") and said[1].startswith("You said 1.00e+12;")


@pytest.mark.parametrize("lesson", ["a\0b", "\ud800", "x" * 300, "../01", 1, None, []])
def test_what_numbers_no_quiz_is_one_sentence(lesson):
    with pytest.raises(LabError, match="a lesson with a quiz was expected; .* came; there are: 00, 01") as told:
        quiz(lesson)
    assert "\n" not in str(told.value) and len(str(told.value)) < 300


def test_a_box_says_it_in_colour_and_in_words():
    box = Box("wrong", "Not <right>", ("Look at `a < b` & `c`.", "Again."), "<hr>")
    assert repr(box) == "✗ Not <right>\n  Look at `a < b` & `c`.\n  Again."
    html = box._repr_html_()
    assert "<b>✗ Not &lt;right&gt;</b>" in html and html.endswith("<hr></div>")
    assert "Look at <code>a &lt; b</code> &amp; <code>c</code>." in html and html.count("<p ") == 3
    assert f"border-left:8px solid {PALETTE['noise']}" in html
    assert spoken("x" * 300) == "'" + "x" * 239 and spoken(3.5, lambda value: f"{value}\n {value}") == "3.5 3.5"


@pytest.mark.parametrize(("off", "near"), [(50, "close"), (51, "not far"), (150, "not far"), (151, "a surprise")])
def test_how_near_a_guess_is(off, near):
    for guess, side in ((500 + off, "too high"), (500 - off, "too low")):
        said = compare(guess, 500, what="t", low=0, high=1000).head
        assert said == f"You said {guess}; it is 500: {off} {side}, {near}"


def test_a_number_line_shows_both_in_their_places(monkeypatch):
    """The drawing itself: a green square, a grey dot, words that stay on the page, a dotted line between."""
    drawn = []
    monkeypatch.setattr(comparing, "Figure", lambda figure, alt: drawn.append((figure, alt)) or Figure(figure, alt))
    compare(150, 900, what="share", low=100, high=900, unit=" %", digits=1)
    compare(..., 500, what="share", low=100, high=900)
    compare(5000, 500, what="share", low=100, high=900)
    (figure, alt), (told, told_alt), (asked, asked_alt), (far, far_alt) = drawn
    (panel,) = figure.axes
    between, mine, theirs = panel.lines
    assert alt == "A number line from 100 to 900, share. Your guess at 150.0 %. Truth at 900.0 %."
    assert (list(between.get_xdata()), list(between.get_ydata()), between.get_linestyle()) == ([150, 900], [0, 0], ":")
    assert between.get_color() == PALETTE["noise"]
    marks = [(*line.get_xdata(), *line.get_ydata(), line.get_marker(), line.get_color()) for line in (mine, theirs)]
    assert marks == [(150, 0, "s", PALETTE["guess"]), (900, 0, "o", PALETTE["reference"])]
    assert [(text.get_text(), text.get_position(), text.get_ha(), text.get_color()) for text in panel.texts] == [
        ("your guess 150.0 %", (150, 0.45), "left", WORDS["guess"]),
        ("truth 900.0 %", (900, -0.85), "right", WORDS["reference"])]  # fmt: skip
    assert (panel.get_xlim(), panel.get_ylim(), panel.get_xlabel()) == ((100, 900), (-1, 1.3), "share (%)")
    assert list(panel.get_yticks()) == [] and not panel.spines["left"].get_visible()
    assert asked_alt == "A number line from 100 to 900, share. A question mark: no guess yet."
    assert [(t.get_text(), t.get_position()) for t in asked.axes[0].texts] == [("?", (500, 0.1))]
    assert told_alt.endswith("share. Truth at 500.") and [t.get_ha() for t in told.axes[0].texts] == ["center"]
    assert asked.axes[0].get_xlabel() == "share" and len(told.axes[0].lines) == 1
    assert far.axes[0].lines[1].get_xdata()[0] == 900 and "Your guess at 5,000, off the line." in far_alt


@pytest.mark.parametrize(("guess", "mark", "at"), [(90, "<", 100), (100, "s", 100), (900, "s", 900), (901, ">", 900)])
def test_a_guess_off_the_line_is_an_arrow_at_its_end(monkeypatch, guess, mark, at):
    drawn = []
    monkeypatch.setattr(comparing, "Figure", lambda figure, alt: drawn.append(figure) or Figure(figure, alt))
    compare(guess, 500, what="share", low=100, high=900)
    (panel,) = drawn[0].axes
    assert (panel.lines[1].get_marker(), *panel.lines[1].get_xdata()) == (mark, at)
    assert panel.texts[0].get_text() == f"your guess {guess}" + ", off the line" * (mark != "s")


@pytest.mark.parametrize("truth", [100 + 0.12 * 800, 100 + 0.88 * 800])
def test_words_near_the_end_of_a_line_stay_on_the_page(monkeypatch, truth):
    drawn = []
    monkeypatch.setattr(comparing, "Figure", lambda figure, alt: drawn.append(figure) or Figure(figure, alt))
    compare(truth, truth, what="share", low=100, high=900)
    assert {text.get_ha() for text in drawn[0].axes[0].texts} == {"center"}


def test_an_answer_opens_to_why_it_is_right_or_not():
    made = Quiz("07", (Question("Is `a` < b?", (Answer("yes & `no`", "because"), Answer("no", "so", right=True))),))
    html = made._repr_html_()
    assert repr(made) == "Quiz of lesson 07: Is `a` < b?" and "<b>Is <code>a</code> &lt; b?</b>" in html
    first, second = re.findall(r"<details name=\"(.*?)\".*?>(.*?)</details>", html)
    assert first[0] == second[0] == "dl-quiz-07-1" and "yes &amp; <code>no</code></summary>" in first[1]
    assert f"solid {PALETTE['noise']}\"><b>✗ Not this one.</b> because</p>" in first[1]
    assert f"solid {PALETTE['guess']}\"><b>✓ Right.</b> so</p>" in second[1]
    assert repr(hints("01.q_sample")) == "Three hints and a solution for 01.q_sample, folded shut"
