"""The judges of what is no function: a number, a choice, or a diagnosis for each patient."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .box import Box, spoken
from .exercises import Diagnoses, Value
from .measuring import kind_of
from .names import near
from .verdicts import Verdict, on_the_leash, unusable


@on_the_leash
def judge_value(exercise: Value, answer: Any) -> Verdict:
    """The verdict on a number or a choice; a wrong one that is known is answered by its own sentence."""
    if answer is ...:
        lines = ("Put your answer in the place of `...` and run the cell again.",)
        return Verdict(Box("not yet", "Not yet", lines), exercise.truth, "not yet")
    if exercise.is_choice:
        return _judge_choice(exercise, answer)
    try:
        number = float(answer)
    except Exception:  # an answer may be anything, and its __float__ raise anything
        if meant := _without_commas(answer, exercise.truth):
            return unusable(exercise, f"A comma makes several numbers of one: {meant}.")
        return unusable(exercise, f"A number was expected; {kind_of(answer)} came.")
    if math.isnan(number):
        return unusable(exercise, "A number was expected; nan came, which is what 0 / 0 gives. Look at how you found "
                                   "it.")
    if abs(number - exercise.truth) <= exercise.tolerance:
        return Verdict(Box("right", "Right", (exercise.right,)), answer)
    for value, says in exercise.wrong.items():
        if abs(number - value) <= exercise.tolerance:
            return Verdict(Box("wrong", "Not right", (says,)), answer, str(value))
    side = "too large" if number > exercise.truth else "too small"
    return Verdict(Box("wrong", f"Not right: {side}", ("Open the first hint.",)), answer, "unrecognised")


def _without_commas(answer: Any, truth: float) -> str:
    """What to write for 10,760, two numbers to Python, for 0,182, or for the same as a text; "" for anything else."""
    first, *others = re.findall(r"\d+", said := spoken(answer, str)) or [""]
    several = others and re.fullmatch(r"\(?\d+(, ?\d+)+\)?", said)
    if several and len(others) == 1 and (first == "0" or abs(truth) < 1000):
        return f"the decimal point is a dot in Python, {first}.{others[0]}"
    if several and all(len(other) <= 3 for other in others):
        return "write " + first + "".join(other.zfill(3) for other in others)
    numbers = isinstance(answer, tuple) and answer and all(isinstance(one, int | float) for one in answer)
    return "the decimal point is a dot in Python, and no comma stands at the end" if numbers else ""


def _judge_choice(exercise: Value, answer: Any) -> Verdict:
    said = answer.lower().strip(" .,;:!?()'\"\n") if isinstance(answer, str) else None
    named = getattr(answer, "__name__", None)
    if isinstance(named, str) and named in (exercise.truth, *exercise.wrong):
        kind = kind_of(answer).removeprefix("a ")
        return unusable(exercise, f"`{named}` without quotes is the {kind} of that name; "
                                   f'the word is written "{named}".')
    if said == exercise.truth:
        return Verdict(Box("right", "Right", (exercise.right,)), answer)
    if said in exercise.wrong:
        return Verdict(Box("wrong", f"Not right: {said}", (exercise.wrong[said],)), answer, said)
    options = ", ".join(f'"{option}"' for option in sorted([exercise.truth, *exercise.wrong]))
    quotes = "" if isinstance(answer, str) else ", in quotes"
    letters = all(len(option) == 1 for option in (exercise.truth, *exercise.wrong))
    letter = " Write the letter before it." if letters else ""
    return unusable(exercise, f"One of {options} was expected{quotes}; {kind_of(answer)} came.{letter}")


def _spelt(name: str) -> str:
    """A name without what is spelt in several ways: case, z or s, the signs between words, the s of a plural."""
    return " ".join(word.rstrip("s") for word in re.findall(r"[^\W_]+|\+", name.lower().replace("z", "s")))


def _meant(said: str, names: Iterable[str]) -> str:
    """The one name of which a part was said, or that is spelt nearly so; "" where there is none."""
    part = [name for name in names if len(said) > 2 and _spelt(said) in _spelt(name)]
    inner = [name for name in names if f" {_spelt(name)} " in f" {_spelt(said)} "]  # the longest, as in "DPM++ 2M AYS"
    return part[0] if len(part) == 1 else near(said, names, 0.8) or max(inner, key=len, default="")


@on_the_leash
def judge_diagnoses(exercise: Diagnoses, answer: Any) -> Verdict:
    """The verdict on a dict of diagnoses, one line for each patient."""
    if isinstance(answer, Mapping):
        numbers = {str(patient): patient for patient in exercise.truth}
        answer = {numbers.get(one, one) if isinstance(one, str) else one: said for one, said in answer.items()}
    if not isinstance(answer, Mapping) or not set(answer) <= set(exercise.truth):
        patients = ", ".join(map(str, exercise.truth))
        what = f"one with {spoken([*answer])}" if isinstance(answer, Mapping) else kind_of(answer)
        form = ", ".join(f"{patient!r}: ..." for patient in exercise.truth)
        return unusable(exercise, f"A dict with the {exercise.case}s {patients} was expected; {what} came. Write "
                                   f"`{{{form}}}`, a name in quotes for each `...`.")
    answer = {patient: answer.get(patient, ...) for patient in exercise.truth}  # whom it leaves out is still open
    if all(said is ... for said in answer.values()):
        lines = (f"Name at least one {exercise.case}'s {exercise.finding} in the place of `...` and run the cell "
                 "again.",)
        return Verdict(Box("not yet", "Not yet", lines), dict(exercise.truth), "not yet")
    lines, right, open_, unknown = [], 0, 0, False
    names = {_spelt(name): name for name in exercise.signs}
    for patient, truth in exercise.truth.items():
        said = answer[patient]
        if isinstance(said, str):
            said = names.get(_spelt(said), said)
        if said is ...:
            open_ += 1
        elif isinstance(said, str) and said == truth:
            right += 1
            lines.append(f"✓ {patient}: {said}. {exercise.sign(patient, truth)}")
        elif isinstance(said, str) and said in exercise.signs:
            shows = "" if (patient, said) in exercise.each else "That would show like this: "
            lines.append(f"✗ {patient}: not {said!r}. {shows}{exercise.sign(patient, said)}")
        else:
            like = _meant(said, exercise.signs) if isinstance(said, str) else ""
            meant = f" Did you mean {like!r}?" if like else ""
            lines.append(f"✗ {patient}: {spoken(said)} is none of the names in the list.{meant}")
            unknown = True
    if right == len(exercise.truth):
        return Verdict(Box("right", "All of them right", (*lines, exercise.right)), answer)
    if unknown:
        lines.append("The names are " + ", ".join(f'"{name}"' for name in sorted(exercise.signs)) + ".")
    wrong = len(exercise.truth) - right - open_
    head = f"{right} right, {wrong} not right, {open_} still open"
    return Verdict(Box("wrong" if wrong else "not yet", head, tuple(lines)), answer, "unrecognised" if wrong else "")
