"""`check` says what is wrong by its name, never prints the solution, and always hands back something that runs."""

import contextlib
import functools
import inspect
import linecache
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from IPython.display import display
from torch import Tensor

from ...errors import LabError
from ..lessons import find
from ..progress import note
from .beginners import repaired
from .box import Box, spoken
from .exercises import Code, Diagnoses, Value
from .limits import GIGABYTES, SECONDS, Outcome, limited
from .measuring import distance, flat, kind_of, misfit, worst

RIGHT = 1e-4  # relative difference from the reference that still is right: another order of float32 operations
NEAR = 1e-3  # relative difference from a known mistake that still is that mistake
GO_ON = "The lesson goes on with the course's own version."
YOURS = "The lesson goes on with your version: watch what it does to the pictures."


class NotYet(LabError):
    """What `todo()` raises: the function is still a stub."""


def todo() -> None:
    """Stands where your code will be; a check that meets it says "not yet" and the lesson goes on."""
    raise NotYet("your code was expected here; todo() came; replace `return todo()` and run the cell again")


def check(name: str, answer: Any) -> Any:
    """Check an answer, display the verdict, and return what the lesson goes on with.

    Arguments: `name` of the exercise, such as "04.ddim"; `answer`, your function, number, choice or dict. Returns
    your own function wherever it gives numbers of the right shape, be they wrong; the course's own where yours is a
    stub, raises, or is stopped. Of a value it returns yours, or the right one while yours is `...`.
    Raises LabError for a name that is no exercise.
    """
    exercise = find(name)
    judge = {Code: judge_code, Value: judge_value, Diagnoses: judge_diagnoses}[type(exercise)]
    verdict = judge(exercise, answer)
    display(verdict.box)
    if verdict.box.mood != "not yet":
        note(name, "" if verdict.box.mood == "right" else verdict.slip or verdict.box.head)
    return verdict.goes_on


@dataclass(frozen=True)
class Verdict:
    """What a check found: the box to show, what goes on, and the name of the slip (empty where there is none)."""

    box: Box
    goes_on: Any
    slip: str = ""


def on_the_leash(judge: Callable) -> Callable:
    """The judge, run as a learner's function is: it meets their objects, whose `==`, `__float__` or `__str__` may raise
    or never end. Then the verdict is that the answer cannot be used yet, and the course's own goes on."""
    @functools.wraps(judge)
    def held(exercise: Code | Value | Diagnoses, *came: Any) -> Verdict:
        outcome = limited(lambda: judge(exercise, *came))
        if outcome.stopped:
            return _stopped(exercise, outcome)
        if outcome.error is not None:
            kind, said = type(outcome.error).__name__, spoken(outcome.error, str)
            return _unusable(exercise, f"What came cannot be compared with the right answer: `{kind}`: {said}.")
        return outcome.value
    return held


# --- functions ---------------------------------------------------------------------------------------------------


def judge_code(exercise: Code, answer: Any) -> Verdict:
    """The verdict on a function: not yet, stopped, raised, unusable, right, a slip by name, or unrecognised."""
    if not callable(answer):
        return _unusable(exercise, f"A function was expected, `{exercise.call}`; {kind_of(answer)} came.")
    verdict = _judge_function(exercise, answer)
    if verdict.slip not in ("raised", "unusable", "unrecognised"):
        return verdict
    found = limited(lambda: repaired(answer, functools.partial(_is_right, exercise))).value
    if found is None:
        return verdict
    came = verdict.box.lines[: 1 if verdict.slip == "raised" else 0]
    lines = (*came, found.says, verdict.box.lines[-1])
    return Verdict(Box("wrong", f"Not right: {found.name}", lines), verdict.goes_on, found.name)


def _is_right(exercise: Code, answer: Callable) -> bool:
    """Does a mended function give the right numbers? One that raises does not."""
    try:
        results, _ = _results(exercise, answer)
        expected, _ = _results(exercise, exercise.reference)
        return not any(map(misfit, results, expected)) and worst(list(map(flat, results)),
                                                                 list(map(flat, expected))) <= RIGHT
    except Exception:
        return False


def _judge_function(exercise: Code, answer: Callable) -> Verdict:
    outcome = limited(lambda: _results(exercise, answer))
    if isinstance(outcome.error, NotYet):
        lines = (f"Write `{exercise.call}` in the cell above, then run it again. {GO_ON}",)
        return Verdict(Box("not yet", "Not yet", lines), exercise.reference, "not yet")
    if outcome.stopped:
        return _stopped(exercise, outcome)
    if outcome.error is not None:
        return _raised(exercise, answer, outcome.error)
    results, changed = outcome.value
    expected, may_change = _results(exercise, exercise.reference)
    plain = _plain(exercise, results, expected)
    if isinstance(plain, Verdict):
        return plain
    return _judge_numbers(exercise, answer, plain, list(map(flat, expected)), changed and not may_change)


@on_the_leash
def _plain(exercise: Code, results: list, expected: list) -> list[list[Tensor]] | Verdict:
    """The results as plain numbers, or the verdict that they are none."""
    complaints = map(misfit, results, expected)
    complaint = next(filter(None, complaints), "")
    return _unusable(exercise, complaint) if complaint else list(map(flat, results))


def _judge_numbers(exercise: Code, answer: Callable, got: list, true: list, changed: bool) -> Verdict:
    if worst(got, true) <= RIGHT:
        if changed:
            lines = ("The numbers are right, but the function writes into one of its arguments: whoever calls it still "
                     "needs the old values. Look for `+=`, `*=` or a method that ends in `_`.", YOURS)
            return Verdict(Box("wrong", "Almost: it changes its arguments", lines), answer, "changes its arguments")
        return Verdict(Box("right", "Right", (exercise.right,)), answer)
    slips = {slip: worst(got, list(map(flat, _results(exercise, slip.code)[0]))) for slip in exercise.slips}
    slip = min(slips, key=slips.get)
    if slips[slip] <= NEAR:
        return Verdict(Box("wrong", f"Not right: {slip.name}", (slip.says, YOURS)), answer, slip.name)
    share = max(distance(g, t) for g, t in zip(got, true, strict=True))
    off = "it gives values that are not numbers (NaN or infinite)" if share == float("inf") else (
        f"it is off by {share:.0%} of the right answer's size where it is furthest off")
    lines = (f"The shape is right and the numbers are not: {off}. This is none of the mistakes known here, so read "
             "your formula term by term, or open the first hint.", YOURS)
    return Verdict(Box("wrong", "Not right: a mistake not seen before", lines), answer, "unrecognised")


def _results(exercise: Code, function: Callable) -> tuple[list, bool]:
    """What a function returns for each case, and whether it changed a tensor that it was given.

    Every function meets cases of its own: a generator that nobody has drawn from, a network that nobody has trained.
    """
    results, changed = [], False
    for case in _seeded(exercise.cases):
        given = [a.clone() if isinstance(a, Tensor) else a for a in case]  # cases may share a tensor
        results.append(_seeded(lambda given=given: function(*given)))
        tensors = [(a, b) for a, b in zip(given, case, strict=True) if isinstance(b, Tensor)]
        changed = changed or any(not torch.equal(a, b) for a, b in tensors)
    return results, changed


def _seeded(call: Callable) -> Any:
    """call() with the same fresh noise each time, where it draws some, and the global noise left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return call()


def _own(exercise: Code | Value | Diagnoses) -> Any:
    """What the lesson goes on with where the learner's answer cannot be used."""
    if isinstance(exercise, Code):
        return exercise.reference
    return dict(exercise.truth) if isinstance(exercise, Diagnoses) else exercise.truth


def _unusable(exercise: Code | Value | Diagnoses, complaint: str) -> Verdict:
    return Verdict(Box("wrong", "It cannot be used yet", (complaint, GO_ON)), _own(exercise), "unusable")


def _stopped(exercise: Code | Value | Diagnoses, outcome: Outcome) -> Verdict:
    if outcome.stopped == "time":
        head = "Stopped: it did not come to an end"
        line = (f"After {SECONDS:.0f} seconds it was still running; it should take a blink. Look for a loop whose end "
                "never comes.")
    else:
        head = "Stopped: it asked for too much memory"
        line = (f"It wanted more than {GIGABYTES} GB for a few numbers. Look for a list or a tensor that grows, or for "
                "a shape with a factor too many.")
    last = "A part of it still runs in the background: restart the kernel to be rid of it. " if outcome.running else ""
    return Verdict(Box("stopped", head, (line, last + GO_ON)), _own(exercise), "stopped")


@on_the_leash
def _raised(exercise: Code, answer: Callable, error: BaseException) -> Verdict:
    message = spoken(error, lambda error: next(iter(str(error).strip().splitlines()), ""))
    what = f"`{type(error).__name__}`" + (f": {message}" if message else "")
    lines = tuple(filter(None, (what + ".", _where(answer, error), _advice(exercise, error), GO_ON)))
    return Verdict(Box("wrong", "It stops with an error", lines), exercise.reference, "raised")


def _where(answer: Callable, error: BaseException) -> str:
    """The learner's own line in which the error arose, where it can be found."""
    file = None
    with contextlib.suppress(ValueError):  # functions that wrap each other in a circle
        file = getattr(getattr(inspect.unwrap(answer), "__code__", None), "co_filename", None)
    own, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            own = trace.tb_lineno
        trace = trace.tb_next
    line = re.sub(r"\s\s#.*", "", linecache.getline(file, own)).strip() if own else ""  # without its comment
    return f"It happened in your line `{line}`." if line else ""


def _advice(exercise: Code, error: BaseException) -> str:
    if isinstance(error, NameError):
        return "A name is used that does not exist here: is it spelled as in the first line of the function?"
    said = spoken(error, str)
    if isinstance(error, TypeError) and "argument" in said:
        return f"It is called as `{exercise.call}`: compare the number and the order of the arguments."
    if isinstance(error, TypeError) and "predict" in exercise.call:
        return "What predict gives is a Guess; the noise in it is `predict(x, t).eps`, as in lesson 04."
    if "size of tensor" in said or "shape" in said:
        return "Two tensors do not fit together: print their shapes just before that line."
    return ""


# --- numbers, choices, diagnoses ---------------------------------------------------------------------------------


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
        return _unusable(exercise, f"A number was expected; {kind_of(answer)} came.")
    if math.isnan(number):
        return _unusable(exercise, "A number was expected; nan came, which is what 0 / 0 gives. Look at how you found "
                                   "it.")
    if abs(number - exercise.truth) <= exercise.tolerance:
        return Verdict(Box("right", "Right", (exercise.right,)), answer)
    for value, says in exercise.wrong.items():
        if abs(number - value) <= exercise.tolerance:
            return Verdict(Box("wrong", "Not right", (says,)), answer, str(value))
    side = "too large" if number > exercise.truth else "too small"
    return Verdict(Box("wrong", f"Not right: {side}", ("Open the first hint.",)), answer, "unrecognised")


def _judge_choice(exercise: Value, answer: Any) -> Verdict:
    said = answer.strip().lower() if isinstance(answer, str) else None
    named = getattr(answer, "__name__", None)
    if isinstance(named, str) and named in (exercise.truth, *exercise.wrong):
        kind = kind_of(answer).removeprefix("a ")
        return _unusable(exercise, f"`{named}` without quotes is the {kind} of that name; "
                                   f'the word is written "{named}".')
    if said == exercise.truth:
        return Verdict(Box("right", "Right", (exercise.right,)), answer)
    if said in exercise.wrong:
        return Verdict(Box("wrong", f"Not {said}", (exercise.wrong[said],)), answer, said)
    options = ", ".join(f'"{option}"' for option in sorted([exercise.truth, *exercise.wrong]))
    return _unusable(exercise, f"One of {options} was expected; {kind_of(answer)} came.")


@on_the_leash
def judge_diagnoses(exercise: Diagnoses, answer: Any) -> Verdict:
    """The verdict on a dict of diagnoses, one line for each patient."""
    if not isinstance(answer, Mapping) or set(answer) != set(exercise.truth):
        patients = ", ".join(map(str, exercise.truth))
        return _unusable(exercise, f"A dict with the patients {patients} was expected; {kind_of(answer)} came.")
    if all(said is ... for said in answer.values()):
        lines = ("Name at least one patient's illness in the place of `...` and run the cell again.",)
        return Verdict(Box("not yet", "Not yet", lines), dict(exercise.truth), "not yet")
    lines, right, open_ = [], 0, 0
    names = {name.lower(): name for name in exercise.signs}
    for patient, truth in exercise.truth.items():
        said = answer[patient]
        if isinstance(said, str):
            said = names.get(said.strip().lower(), said)
        if said is ...:
            open_ += 1
        elif isinstance(said, str) and said == truth:
            right += 1
            lines.append(f"✓ {patient}: {said}. {exercise.signs[truth]}")
        elif isinstance(said, str) and said in exercise.signs:
            lines.append(f"✗ {patient}: not {said!r}. That would show like this: {exercise.signs[said]}")
        else:
            lines.append(f"✗ {patient}: {spoken(said)} is none of the names in the list.")
    if right == len(exercise.truth):
        return Verdict(Box("right", "All of them right", (*lines, exercise.right)), answer)
    wrong = len(exercise.truth) - right - open_
    head = f"{right} right, {wrong} not right, {open_} still open"
    return Verdict(Box("wrong" if wrong else "not yet", head, tuple(lines)), answer, "unrecognised" if wrong else "")
