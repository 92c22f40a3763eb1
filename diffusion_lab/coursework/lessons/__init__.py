"""The lessons' exercises and quizzes, found by looking: lesson NN is `lesson_NN.py` and `lesson_NN.toml` in here.

A lesson's module begins with one sentence about it, for the README. What else it holds is up to the lesson:

- `EXERCISES`, by the name that `check("NN.name", ...)` and `hints("NN.name")` call them;
- `FORMULAS`, for each <!-- formula: id --> of its text a function that gives the letters their numbers, made by the
  functions that the formula is about: a test reads the formula and compares;
- `SYMBOLS`, for each letter that the lesson introduces (as its text writes it, the words that say it): two patterns.

Nothing names a lesson but the lesson itself.
"""

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ...errors import LabError
from ..checks.box import spoken
from ..checks.exercises import Exercise

HERE = Path(__file__).parent
TITLE = re.compile(r'(?:^|")# (?:(\d\d) · )?([^"\\\n]+)', re.M)  # in a text's own line, or in a notebook's JSON


def numbers() -> list[str]:
    """The lessons that have a module: "00", "01", ..."""
    return sorted(path.stem[-2:] for path in HERE.glob("lesson_[0-9][0-9].py"))


def module(number: str) -> ModuleType:
    """The module of a lesson."""
    return importlib.import_module(f"{__name__}.lesson_{number}")


def title(text: str) -> tuple[str, str]:
    """The number and the title of a lesson, ("04", "Sampling, step by step"), from its text or its notebook's bytes as
    text; each "" where it has none."""
    found = TITLE.search(text)
    return (found[1] or "", found[2].strip()) if found else ("", "")


def exercises(number: str) -> dict[str, Exercise]:
    """The exercises of a lesson by their whole names, such as "04.ddim"."""
    return {f"{number}.{name}": one for name, one in getattr(module(number), "EXERCISES", {}).items()}


def illness(patients: Mapping[int, str], number: int) -> str:
    """What the patient of a number has, by its name; raises LabError for a number that lies in no bed."""
    if number not in list(patients):
        raise LabError(f"a patient's number was expected, from {min(patients)} to {max(patients)}; {spoken(number)} "
                       "came; choose one")
    return patients[number]


def find(name: str) -> Exercise:
    """The exercise of a name such as "04.ddim"; raises LabError where there is none."""
    number = name.split(".")[0] if isinstance(name, str) else ""
    known = exercises(number) if number in numbers() else {}
    if not isinstance(name, str) or name not in known:
        near = ", ".join(known) or f"those of the lessons {', '.join(n for n in numbers() if exercises(n))}"
        raise LabError(f"the name of an exercise was expected; {spoken(name)} came; there are: {near}")
    return known[name]
