"""`check` says what is wrong by its name, never prints the solution, and always hands back something that runs."""

import contextlib
import functools
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from IPython.display import display
from torch import Tensor

from ...errors import LabError
from ..lessons import find
from ..progress import note
from .advice import advice, where
from .answers import judge_diagnoses, judge_value
from .beginners import goes_back, repaired, strange
from .box import Box, spoken
from .exercises import Code, Diagnoses, Value
from .limits import limited
from .measuring import distance, flat, kind_of, misfit, slopes, worst
from .statements import unkept
from .verdicts import GO_ON, YOURS, Verdict, on_the_leash, stopped, unusable

RIGHT = 1e-4  # relative difference from the reference that still is right: another order of float32 operations
ALMOST = ("changes its arguments", "too many calls")  # the numbers are right, so that no repair can prove itself
CALLS = 1500  # of the network in all cases, and no function needs more
NEAR = 1e-3  # relative difference from a known mistake that still is that mistake


class _TooOften(LabError):
    """What a network raises that is asked more than CALLS times."""


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
        note(name, "" if verdict.box.mood == "right" else verdict.slip)
    return verdict.goes_on


# --- functions ---------------------------------------------------------------------------------------------------


def judge_code(exercise: Code, answer: Any) -> Verdict:
    """The verdict on a function: not yet, stopped, raised, unusable, right, a slip by name, or unrecognised."""
    if not callable(answer):
        return unusable(exercise, f"A function was expected, `{exercise.call}`; {kind_of(answer)} came. Hand over the "
                                   "function itself: its name, without brackets behind it.")
    if goes_back(answer) and not goes_back(exercise.reference):
        lines = ("`backward` follows the result back to the weights, once: whoever trains does that. Hand back what "
                 "you compute, and leave that line out.", GO_ON)
        return Verdict(Box("wrong", "Almost: it goes back by itself", lines), exercise.reference, "goes back")
    verdict = _judge_function(exercise, answer)
    if verdict.box.mood != "wrong" or verdict.slip in ALMOST:
        return verdict
    named = verdict.slip not in ("raised", "unusable", "unrecognised")
    right = functools.partial(_is_right, exercise, list(_runs(exercise, exercise.reference)))
    found = limited(lambda: repaired(answer, right, exercise.table, exercise.reference,
                                     unkept if named else None)).value         # what numbers cannot tell
    if found is None and verdict.slip in ("unrecognised", "unusable"):
        found = limited(lambda: strange(answer, exercise.reference)).value
    if found is None:
        return verdict
    came = [line for line in verdict.box.lines[:1] if verdict.slip == "raised" and "`LabError`" not in line]
    lines = (*came, found.says, verdict.box.lines[-1])
    return Verdict(Box("wrong", f"Not right: {found.head}", lines), verdict.goes_on, found.name)


def _is_right(exercise: Code, expected: list, answer: Callable) -> bool:
    """Does a mended function give the right numbers? One that raises does not; the first wrong one is enough."""
    try:
        return all(not misfit(result, wanted) and distance(flat(result), flat(wanted)) <= RIGHT
                   and not any(_cut(steep, true))
                   for (result, _, steep), (wanted, _, true) in zip(_runs(exercise, answer), expected, strict=True))
    except Exception:
        return False


def _judge_function(exercise: Code, answer: Callable) -> Verdict:
    outcome = limited(lambda: list(_runs(exercise, answer)))
    if isinstance(outcome.error, NotYet):
        lines = (f"Write `{exercise.call}` in the cell above, then run it again. {GO_ON}",)
        return Verdict(Box("not yet", "Not yet", lines), exercise.reference, "not yet")
    if outcome.stopped:
        return stopped(exercise, outcome)
    if isinstance(outcome.error, _TooOften):
        asked, enough = (_asked(exercise, function) for function in (answer, exercise.reference))
        times = f"{asked}" if asked <= CALLS else f"more than {CALLS}"
        lines = (f"It asks the network {times} times where {enough} are enough, and each call costs time: over what "
                 f"does your loop run? {GO_ON}",)
        return Verdict(Box("wrong", "Not right: too many calls", lines), exercise.reference, ALMOST[1])
    if outcome.error is not None:
        return _raised(exercise, answer, outcome.error)
    results, changed, steep = zip(*outcome.value, strict=True)
    expected, may_change, true = zip(*_runs(exercise, exercise.reference), strict=True)
    plain = _plain(exercise, results, expected)
    if isinstance(plain, Verdict):
        return plain
    return _judge_numbers(exercise, answer, plain, list(map(flat, expected)), any(changed) and not any(may_change),
                          _cut_off(exercise, steep, true))


@on_the_leash
def _plain(exercise: Code, results: Sequence, expected: Sequence) -> list[list[Tensor]] | Verdict:
    """The results as plain numbers, or the verdict that they are none."""
    complaints = map(misfit, results, expected)
    complaint = next(filter(None, complaints), "")
    return unusable(exercise, complaint) if complaint else list(map(flat, results))


def _judge_numbers(exercise: Code, answer: Callable, got: list, true: list, changed: bool, cut: str) -> Verdict:
    if worst(got, true) <= RIGHT:
        if changed:
            lines = ("The numbers are right, but the function writes into one of its arguments: whoever calls it still "
                     "needs the old values. Look for `+=`, `*=` or a method that ends in `_`.", YOURS)
            return Verdict(Box("wrong", "Almost: it changes its arguments", lines), answer, ALMOST[0])
        if cut:
            lines = (f"The numbers are right, but a result does not know all of `{cut}` any more, and nothing can be "
                     f"learned through it: look for `detach`, `data`, `item` or `no_grad`. {exercise.cut_off}", YOURS)
            return Verdict(Box("wrong", "Not right: cut off from what it is given", lines), answer, "cut off")
        asked, enough = (_asked(exercise, function) for function in (answer, exercise.reference))
        if asked > enough:
            lines = (f"The numbers are right, but it asks the network {asked} times where {enough} are enough, and "
                     "each call costs time: keep a guess that is needed twice in a name.", YOURS)
            return Verdict(Box("wrong", "Almost: too many calls", lines), answer, ALMOST[1])
        return Verdict(Box("right", "Right", (exercise.right,)), answer)
    slips = {slip: worst(got, list(map(flat, _results(exercise, slip.code)[0]))) for slip in exercise.slips}
    slip = min(slips, key=slips.get)
    if slips[slip] <= NEAR:
        return Verdict(Box("wrong", f"Not right: {slip.name}", (slip.says, YOURS)), answer, slip.name)
    share = max(distance(g, t) for g, t in zip(got, true, strict=True))
    off = "it gives values that are not numbers (NaN or infinite), as 0 / 0 does, a root of a negative number, and a " \
          "division by two terms that cancel" if share == float("inf") else (
        "its values are without bounds: what it divides by is all but 0, so do two terms cancel there?") if (
        share > 1e6) else (
        f"it is off by {_share(share)} the right answer's size where it is furthest off")
    lines = (f"The shape is right and the numbers are not: {off}. This is none of the mistakes known here, so read "
             "your formula term by term, or open the first hint.", YOURS)
    return Verdict(Box("wrong", "Not right: a mistake not seen before", lines), answer, "unrecognised")


def _asked(exercise: Code, function: Callable) -> int:
    """How often a function calls the `predict` that it is given, in the first case; 0 where it is given none. What it
    prints was shown when it was judged."""
    times: list[int] = []
    cases = list(_seeded(exercise.cases)[0])
    given = _counted(exercise, cases, times)
    if given is not cases:
        with contextlib.redirect_stdout(io.StringIO()):
            limited(lambda: _seeded(lambda: function(*given)))
    return len(times)


def _counted(exercise: Code, given: list, times: list) -> list:
    """The arguments with a `predict` that writes its calls into `times`, and raises at more than CALLS."""
    names = re.findall(r"\w+", exercise.call.partition("(")[2])
    if "predict" not in names:
        return given
    place = names.index("predict")
    predict = given[place]

    @functools.wraps(predict)
    def counted(*came, **named):
        times.append(1)
        if len(times) > CALLS:
            raise _TooOften(f"at most {CALLS} calls of predict were expected; more came; ask at fewer timesteps")
        return predict(*came, **named)

    return [*given[:place], counted, *given[place + 1 :]]


def _share(off: float) -> str:
    """How large a share is, in words that can be believed."""
    return "less than 1% of" if off < 0.005 else f"{off:.0%} of" if off < 10 else "more than ten times"


def _results(exercise: Code, function: Callable) -> tuple[list, bool]:
    """What a function returns for each case, and whether it changed a tensor that it was given."""
    results, changed, _ = zip(*_runs(exercise, function), strict=True)
    return list(results), any(changed)


def _cut(steep: list[Tensor], true: list[Tensor]) -> list[bool]:
    """For each slope whether it is another one than the right one."""
    return [distance([a], [b]) > NEAR for a, b in zip(steep, true, strict=True)]


def _cut_off(exercise: Code, steep: Sequence[list[Tensor]], true: Sequence[list[Tensor]]) -> str:
    """The first argument through which an answer learns something else than the reference; "" for none."""
    names = re.findall(r"\w+", exercise.call.partition("(")[2])
    for case, *both in zip(_seeded(exercise.cases), steep, true, strict=True):
        asked = [name for name, a in zip(names, case, strict=False) if isinstance(a, Tensor) and a.requires_grad]
        if True in (cut := _cut(*both)):
            return asked[cut.index(True) % len(asked)]
    return ""


def _runs(exercise: Code, function: Callable) -> Iterator[tuple[Any, bool, list[Tensor]]]:
    """For each case what a function returns, whether it changed a tensor that it was given, and its slopes.

    Every function meets cases of its own: a generator that nobody has drawn from, a network that nobody has trained.
    """
    times: list[int] = []
    for case in _seeded(exercise.cases):
        given = [a.clone() if isinstance(a, Tensor) else a for a in case]  # cases may share a tensor
        asked = _counted(exercise, given, times)
        result = _seeded(lambda asked=asked: function(*asked))
        if result is todo:
            todo()
        tensors = [(a, b) for a, b in zip(given, case, strict=True) if isinstance(b, Tensor)]
        yield result, any(not torch.equal(a, b) for a, b in tensors), slopes(result, given)


def _seeded(call: Callable) -> Any:
    """call() with the same fresh noise each time, where it draws some, and the global noise left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return call()


@on_the_leash
def _raised(exercise: Code, answer: Callable, error: BaseException) -> Verdict:
    message = spoken(error, lambda error: next(iter(str(error).strip().splitlines()), ""))
    message = re.sub(r",? but expected one of:$", "", message)  # what follows stands on lines below, and long ones
    what = f"`{type(error).__name__}`" + (f": {message}" if message else "")
    lines = tuple(filter(None, (what + ".", where(answer, error), advice(exercise, answer, error), GO_ON)))
    return Verdict(Box("wrong", "It stops with an error", lines), exercise.reference, "raised")
