"""What an exercise is: the answer that is right, the mistakes that are known by name, and three hints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Slip:
    """A known mistake: its name, one sentence that points at it without giving the solution, and what it computes."""

    name: str
    says: str
    code: Callable


@dataclass(frozen=True)
class Code:
    """A function to write.

    Arguments: `call`, its signature in words; `reference`, the package's own function; `cases()`, seeded arguments
    chosen so that no two of the `slips` agree on them, made afresh for whoever is called with them, so that one may be
    a torch.Generator, or a network that is trained; `right`, what a right answer has just shown; three `hints`;
    `source`, what the worked solution shows (the reference, and what it rests on); `also_right`, the same function
    written in two other ways, for the test that right answers pass; `table`, the numbers that stood for arguments
    where the lesson worked it out by hand; `letters`, what the formula calls an argument that has another name here;
    `cut_off`, what to say of right numbers that are cut off from an argument through which something is learned.
    """

    call: str
    reference: Callable
    cases: Callable[[], list[tuple]]
    slips: tuple[Slip, ...]
    right: str
    hints: tuple[str, str, str]
    source: tuple[Callable, ...]
    also_right: tuple[Callable, Callable]
    table: Mapping[str, float] = field(default_factory=dict)
    letters: Mapping[str, str] = field(default_factory=dict)
    cut_off: str = ""


@dataclass(frozen=True)
class Value:
    """A number or a choice to give.

    Arguments: `truth`, the right value; `wrong`, for other values the sentence that answers them (for a choice: all
    of its other options); `right`, why it is right; `hints`; `solution` in words; `tolerance`, how far off a number
    may be; `unit` of the number.
    """

    truth: Any
    wrong: Mapping[Any, str]
    right: str
    hints: tuple[str, str, str]
    solution: str
    tolerance: float = 0.0

    @property
    def is_choice(self) -> bool:
        return isinstance(self.truth, str)


@dataclass(frozen=True)
class Diagnoses:
    """Several patients, one illness each: a dict {patient: name of the bug} to give.

    Arguments: `truth`, the right name for each patient; `signs`, for every name what that bug does to the pictures;
    `right`; `hints`; `case` and `finding`, what the two are called where they are no patients and illnesses; `each`,
    what to say of a name for one patient, (patient, name), where it is another thing for each of them.
    """

    truth: Mapping[str, str]
    signs: Mapping[str, str]
    right: str
    hints: tuple[str, str, str]
    case: str = "patient"
    finding: str = "illness"
    each: Mapping[tuple[Any, str], str] = field(default_factory=dict)

    def sign(self, patient: Any, name: str) -> str:
        """What that name means for that patient."""
        return self.each.get((patient, name), self.signs[name])

    @property
    def solution(self) -> str:
        """The names, patient by patient."""
        return ", ".join(f"{patient}: {name}" for patient, name in self.truth.items()) + "."


Exercise = Code | Value | Diagnoses
