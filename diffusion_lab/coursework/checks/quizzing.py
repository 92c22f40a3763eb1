"""Five questions in which every answer, right or wrong, explains itself.

Each answer is a fold (<details>) of its own: choosing it is opening it. That needs no script and no style sheet, so a
quiz works in a live notebook, a saved or an untrusted one, on slides and on a printed-out page with its folds opened;
Tab and Enter reach everything; nothing is stored and nothing is random. The answers of one question share a `name`,
so that a browser closes the last choice when another is made.
"""

import tomllib
from dataclasses import dataclass
from html import escape

from ...errors import LabError
from ...figures import PALETTE
from ...recipe import shortened
from ..lessons import HERE
from .box import BOX, with_code

CLICK = "cursor:pointer;padding:0.35em 0.5em;scroll-margin:4em 0 6em"  # the question and what it opens are on screen
ANSWER = "margin:0.3em 0;border:1px solid #888;border-radius:4px"


@dataclass(frozen=True)
class Answer:
    """One answer: what it `says`, `why` it is right or wrong."""

    says: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    asks: str
    answers: tuple[Answer, ...]


class Quiz:
    """What `quiz` shows."""

    def __init__(self, lesson: str, questions: tuple[Question, ...]):
        self.lesson, self.questions = lesson, questions

    def __repr__(self) -> str:
        return f"Quiz of lesson {self.lesson}: " + " | ".join(q.asks for q in self.questions)

    def _repr_html_(self) -> str:
        items = "".join(_question(q, f"dl-quiz-{self.lesson}-{i}") for i, q in enumerate(self.questions, 1))
        return (f'<div class="dl-quiz" style="{BOX}"><p>Open the answer you would give: it tells you why.</p>'
                f"<ol>{items}</ol></div>")


def quiz(lesson: str) -> Quiz:
    """The quiz of a lesson ("01"); raises LabError where the lesson has none."""
    known = sorted(p.stem.removeprefix("lesson_") for p in HERE.glob("lesson_*.toml"))
    if lesson not in known:
        raise LabError("the number of a lesson with a quiz was expected; "
                       f"{shortened(lesson)} came; there are: {', '.join(known)}")
    raw = tomllib.loads((HERE / f"lesson_{lesson}.toml").read_text(encoding="utf-8"))["question"]
    return Quiz(lesson, tuple(Question(q["asks"], tuple(Answer(**a) for a in q["answer"])) for q in raw))


def _question(question: Question, name: str) -> str:
    answers = "".join(_answer(answer, name) for answer in question.answers)
    return f'<li style="margin:0.8em 0"><p><b>{with_code(question.asks)}</b></p>{answers}</li>'


def _answer(answer: Answer, name: str) -> str:
    colour, head = (PALETTE["guess"], "✓ Right.") if answer.right else (PALETTE["noise"], "✗ Not this one.")
    why = (f'<p style="margin:0;padding:0.4em 0.8em;border-left:8px solid {colour}"><b>{head}</b> '
           f"{with_code(answer.why)}</p>")
    return (f'<details name="{escape(name)}" style="{ANSWER}"><summary style="{CLICK}">{with_code(answer.says)}'
            f"</summary>{why}</details>")
