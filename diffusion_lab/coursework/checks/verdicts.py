"""What a check found, and the leash on which everything that a learner wrote is run."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .box import Box, spoken
from .exercises import Code, Diagnoses, Value
from .limits import GIGABYTES, SECONDS, Outcome, limited

GO_ON = "The lesson goes on with the course's own version."
YOURS = "The lesson goes on with your version: watch what it does."


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
            return stopped(exercise, outcome)
        if outcome.error is not None:
            kind, said = type(outcome.error).__name__, spoken(outcome.error, str)
            return unusable(exercise, f"What came cannot be compared with the right answer: `{kind}`: {said}.")
        return outcome.value
    return held


def _own(exercise: Code | Value | Diagnoses) -> Any:
    """What the lesson goes on with where the learner's answer cannot be used."""
    if isinstance(exercise, Code):
        return exercise.reference
    return dict(exercise.truth) if isinstance(exercise, Diagnoses) else exercise.truth


def unusable(exercise: Code | Value | Diagnoses, complaint: str) -> Verdict:
    return Verdict(Box("wrong", "It cannot be used yet", (complaint, GO_ON)), _own(exercise), "unusable")


def stopped(exercise: Code | Value | Diagnoses, outcome: Outcome) -> Verdict:
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
