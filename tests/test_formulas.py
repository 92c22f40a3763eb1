"""Every displayed formula of the lessons is read as it stands and must agree with the package, number by number."""

import re
from pathlib import Path

import pytest
from latex import sides

from diffusion_lab.coursework import lessons

TEXTS = Path(__file__).parents[1] / "lessons" / "text"
BLOCK = re.compile(r"(?:<!-- formula: ([\w-]+) -->\n)?^\$\$(.*?)\$\$", re.M | re.S)
OTHER = re.compile(r"\\begin\{(equation|align|gather|math)|```\{math\}|\\\[")
MISPRINTS = ((r"\\sqrt", ""), (r"\+", "-"), (r"(?<![=(^{]) - ", " + "), (r"\|\^2", "|"), (r"=1\}", "=2}"))


def displayed() -> list[tuple[str, str, str]]:
    """(text, id, LaTeX) of every displayed formula; the id is empty where none stands on the line before."""
    return [(path.name, found[1] or "", " ".join(found[2].split()))
            for path in sorted(TEXTS.glob("[0-9][0-9]_*.md")) for found in BLOCK.finditer(path.read_text("utf-8"))]


def values_of(text: str) -> dict:
    """For each formula of a lesson the function that gives its letters their numbers, from the lesson's own module."""
    return getattr(lessons.module(text[:2]), "FORMULAS", {})


def gap(latex: str, values) -> float:
    """The largest relative difference between the sides of an equation."""
    worst = 0.0
    for one in values if isinstance(values, list) else [values]:
        left, *others = sides(latex, one)
        worst = max(worst, *(float((left - right).abs().max() / (left.abs().max() + 1e-12)) for right in others))
    return worst


FORMULAS = displayed()


def test_there_are_formulas():
    assert len(FORMULAS) >= 7


@pytest.mark.parametrize("number", lessons.numbers())
def test_a_lesson_gives_values_for_its_own_formulas_and_no_others(number):
    assert set(values_of(number)) == {identity for text, identity, _ in FORMULAS if text[:2] == number}


@pytest.mark.parametrize(("text", "identity", "latex"), FORMULAS)
def test_formula_is_what_the_package_computes(text, identity, latex):
    assert identity, f"{text}: write <!-- formula: ID --> on the line before $$ {latex} $$"
    assert identity in values_of(text), f"{text}: give formula {identity!r} its numbers in lesson_{text[:2]}.FORMULAS"
    assert gap(latex, values_of(text)[identity]()) < 1e-6


@pytest.mark.parametrize(("text", "identity", "latex"), FORMULAS)
def test_a_misprint_would_be_noticed(text, identity, latex):
    """A root removed, a sign turned, a square dropped, a series begun one too late: none of them passes."""
    misprints = [latex[:m.start()] + new + latex[m.end():] for old, new in MISPRINTS for m in re.finditer(old, latex)]
    assert misprints, f"{text}: {latex} has nothing that this test can misprint; teach it another way"
    for misprint in misprints:
        assert gap(misprint, values_of(text)[identity]()) > 1e-4, f"{text}: {misprint} passes as {identity}"


def test_no_two_formulas_share_a_name():
    seen = {}
    for text, identity, latex in FORMULAS:
        assert seen.setdefault(identity, latex) == latex, f"{text}: {identity!r} is another formula elsewhere"


@pytest.mark.parametrize("path", sorted(TEXTS.glob("[0-9][0-9]_*.md")), ids=lambda p: p.name)
def test_formulas_are_written_in_the_one_way_that_is_tested(path):
    assert not OTHER.search(path.read_text("utf-8")), "write displayed formulas between $$ and $$"


@pytest.mark.parametrize("latex", [r"x_t = \foo", r"x_t = (1", r"= x_t", r"x_t = \frac{1}", r"x_t & = 1"])
def test_what_cannot_be_read_is_refused(latex):
    with pytest.raises((ValueError, IndexError, KeyError)):
        sides(latex, {"x_t": 1.0})
