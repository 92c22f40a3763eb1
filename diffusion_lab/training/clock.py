"""How long a training takes: a number of steps, or as many as fit into a time."""

import time
from collections.abc import Callable

from ..recipe import as_positive, as_whole
from . import together


class Within:
    """How many steps a training takes that must end in time, said anew after each step by what the clock shows.

    Called with the step that a training has come to, it returns how many there will be in all: those before it
    began, and those since divided by the share of the time that is over. So whatever follows step / steps (the
    learning rate, the weights in a loss) follows the clock, and a machine that grows slower makes fewer steps.

    Arguments: `seconds` above 0, from now on; `clock`, a function that returns seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic):
        self.seconds = as_positive(seconds, "a time in seconds", "try 60")
        self.clock, self.begun = clock, clock()
        self.first, self.asked, self.steps = None, None, 0

    def __call__(self, step: int) -> int:
        if step != self.asked:
            self.first = step if self.first is None else self.first
            share = max(1e-6, (self.clock() - self.begun) / self.seconds)
            steps = self.first + int((step - self.first + 1) / share)
            self.asked, self.steps = step, together.agreed(max(1, step, steps))
        return self.steps


def as_plan(steps: int | Callable[[int], int]) -> Callable[[int], int]:
    """The function from a step to the number of steps in all; a number is the same at every step. Raises LabError,
    at once or when it is asked, for what is no whole number above 0."""
    def whole(number) -> int:
        return as_whole(number, "the number of training steps", "try 1000")

    if callable(steps):
        return lambda step: whole(steps(step))
    number = whole(steps)
    return lambda step: number
