"""Hints, guesses and quizzes as pages: they teach without a kernel, without script and without styles."""

import re
import tomllib
from html.parser import HTMLParser

import pytest

from diffusion_lab.coursework import compare, hints, quiz
from diffusion_lab.coursework.lessons import HERE, exercises, numbers
from diffusion_lab.errors import LabError

NAMES = [name for lesson in numbers() for name in exercises(lesson)]
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


def test_the_solution_is_the_source_of_the_function_that_runs():
    import inspect

    from diffusion_lab.noising import add_noise

    text = "".join(data for _, data in Outline(hints("01.q_sample")._repr_html_()).texts)
    signature, *_, last = inspect.getsource(add_noise).strip().splitlines()
    assert f"{signature}\n{last}" in text  # the docstring and the checks of the input between them are left out


@pytest.mark.parametrize("lesson", QUIZZES)
def test_a_quiz_has_five_questions_with_one_right_answer_that_all_explain_themselves(lesson):
    questions = quiz(lesson).questions
    assert len(questions) == 5
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


@pytest.mark.parametrize("lesson", ["a\0b", "\ud800", "x" * 300, "../01", 1, None, []])
def test_what_numbers_no_quiz_is_one_sentence(lesson):
    with pytest.raises(LabError, match="a lesson with a quiz was expected; .* came; there are: 00, 01") as told:
        quiz(lesson)
    assert "\n" not in str(told.value) and len(str(told.value)) < 300
