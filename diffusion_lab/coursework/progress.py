"""What a learner has done: checks passed, mistakes met by name, and where they stopped. It stays on their computer.

One small file an exercise, written whole or not at all, in a folder outside the course; so two notebooks never write
into the same file, and an update of the course touches none. The variable DIFFUSION_LAB_PROGRESS names another folder.
"""

import contextlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from ..errors import LabError
from ..files import read_as, read_json, whole
from ..places import learners
from .lessons import exercises, module, numbers, title

NOTE = re.compile(r"\d\d\.\w+")  # the name of an exercise; a cloud's "01.root (conflicted copy)" is none
CELL = ("text-align:left;padding:4px 16px 4px 0;font-size:max(16px, var(--least, 16px));vertical-align:top;"
        "word-break:normal;overflow-wrap:normal")  # words stay whole


@dataclass(frozen=True)
class Done:
    """What is known of one exercise: is it `passed`, how many `tries` it took, how often each slip was met, `when`
    it was last tried (seconds since 1970)."""

    passed: bool = False
    tries: int = 0
    slips: Mapping[str, int] = field(default_factory=dict)
    when: float = 0.0


def folder() -> Path:
    """Where it is kept."""
    return learners("progress")


def note(name: str, slip: str) -> None:
    """Write down one try of an exercise: passed where there is no `slip`. Where the disk refuses, nothing is said: a
    lesson goes on without it."""
    before = kept().get(name, Done())
    slips = {**before.slips, slip: before.slips.get(slip, 0) + 1} if slip else dict(before.slips)
    now = {"passed": before.passed or not slip, "tries": before.tries + 1, "slips": slips, "when": time.time()}
    with contextlib.suppress(LabError), whole(folder() / f"{name}.json") as part:
        part.write_text(json.dumps(now, indent=1), encoding="utf-8")


def kept() -> dict[str, Done]:
    """All that is known, by exercise; a file that cannot be read is passed over."""
    found = {}
    with contextlib.suppress(OSError, LabError):
        for path in sorted(folder().glob("[0-9][0-9].*.json")):
            if not NOTE.fullmatch(path.stem):
                continue
            with contextlib.suppress(LabError), read_as(path, "a note of an exercise", "delete it"):
                said = read_json(path, "a note of an exercise", "delete it")
                slips = {str(slip): int(times) for slip, times in dict(said["slips"]).items()}
                found[path.stem] = Done(said["passed"] is True, int(said["tries"]), slips, float(said["when"]))
    return found


class Progress:
    """The lessons with their questions, what is done of each, what comes next: as a table in a notebook, as lines in a
    terminal. Links lead to the notebooks in `beside` (default: the folder that the notebook works in)."""

    def __init__(self, beside: Path | None = None):
        self.done, beside = kept(), beside or Path.cwd()
        self.books = {number: _book(number, beside) for number in numbers()}
        self.rows = {number: self._state(number) for number in numbers()}
        self.last = max(self.done, key=lambda name: self.done[name].when, default="")
        open_ones = [number for number, (passed, of) in self.rows.items() if passed < of]
        self.next = self.last[:2] if self.last[:2] in open_ones else next(iter(open_ones), "")

    def _state(self, number: str) -> tuple[int, int]:
        names = exercises(number)
        return sum(self.done.get(name, Done()).passed for name in names), len(names)

    def title(self, number: str) -> str:
        """As the notebook has it: "04 · Sampling, step by step"; where it has none, its number."""
        return _title(self.books[number]) or number

    def said(self, number: str) -> str:
        passed, of = self.rows[number]
        return f"{passed} of {of}" + (" ✓" if passed == of else "") if of else "–"

    @property
    def place(self) -> str:
        """In a sentence, where the learner stands."""
        if not self.last:
            return "Nothing is checked yet. Begin where you like; the lessons build on each other from top to bottom."
        where = f"You stopped at {self.last}" + (" (passed)." if self.done[self.last].passed else " (not right yet).")
        return where + (f" Next: {self.title(self.next)}." if self.next else " All exercises are done.")

    def __str__(self) -> str:
        wide = max(len(self.title(number)) for number in self.rows)
        lines = [f"{self.title(number):{wide}}  {self.said(number)}" for number in self.rows]
        return "\n".join([*lines, "", self.place])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="{CELL}">{self._link(number)}</td><td style="{CELL}">{escape(_about(number))}</td>'
            f'<td style="{CELL};white-space:nowrap">{self.said(number)}</td></tr>' for number in self.rows
        )  # fmt: skip
        head = "".join(f'<th scope="col" style="{CELL}">{word}</th>' for word in ("lesson", "question", "exercises"))
        return (f'<table style="table-layout:auto"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
                f'<p style="font-size:max(16px, var(--least, 16px))">{escape(self.place)}</p>')

    def _link(self, number: str) -> str:
        book = self.books[number]
        return f'<a href="{book.name}">{escape(self.title(number))}</a>' if book else self.title(number)


def _title(book: Path | None) -> str:
    with contextlib.suppress(OSError):
        return " · ".join(filter(None, title(book.read_bytes()[:5000].decode("utf-8", "replace")))) if book else ""
    return ""


def _book(number: str, beside: Path) -> Path | None:
    """The notebook of a lesson: of those with its number the one with its title, and the shortest name, for a copy's is
    longer ("-Copy1", " (mine, until ...)")."""
    books = sorted(beside.glob(f"{number}_*.ipynb"))
    return min(books, key=lambda book: (not _title(book).startswith(number), len(book.name)), default=None)


def _about(number: str) -> str:
    return (module(number).__doc__ or "").partition("\n")[0]


def as_data(name: str = "") -> dict:
    """All that is known as plain data: by exercise, whether it was passed, in how many tries, and the slips by name.
    No name of a person is in it unless one is given."""
    by = {exercise: {"passed": one.passed, "tries": one.tries, "slips": dict(one.slips)}
          for exercise, one in kept().items()}
    return {**({"name": name} if name else {}), "exercises": by}
