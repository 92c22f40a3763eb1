"""The broken clocks of lesson 03: one healthy network, told another time than it is.

They are meant to be met as pictures; whoever reads this file reads the answers.
"""

from collections.abc import Callable

from torch import Tensor

from ...noising import noise
from ...sampling import ddim_step
from ...toy import Toy
from . import illness

CLOCKS: dict[str, Callable[[int, int, int], int]] = {  # what the network is told at step k of n, in place of t
    "right": lambda t, k, n: t,
    "stands still in the middle": lambda t, k, n: 500,
    "stands still at zero": lambda t, k, n: 0,
    "150 ahead": lambda t, k, n: min(t + 150, 999),
    "runs backwards": lambda t, k, n: 999 - t,
    "counts steps": lambda t, k, n: n - 1 - k,
}
FAULTS = {  # each fault in words
    "150 ahead": "the network is told t + 150: it believes that there is more noise than there is",
    "counts steps": "the network is told 39, 38, ..., 0, the number of the step, where t falls from 999 to 0",
    "runs backwards": "the network is told 999 - t: little noise at the start, much at the end",
    "stands still at zero": "the network is told t = 0 all the way: nearly no noise",
    "stands still in the middle": "the network is told t = 500 all the way: half picture, half noise",
}
PATIENTS = {1: "150 ahead", 2: "stands still at zero", 3: "counts steps", 4: "stands still in the middle",
            5: "runs backwards"}


def by_clock(number: int, toy: Toy, prompt: str = "moons", points: int = 400, n: int = 40) -> Tensor:
    """Points (points, 2) that a healthy network draws in n steps of DDIM by the clock of patient `number` (0: a right
    one), always from the same static. Raises LabError for another number."""
    told = CLOCKS[illness({0: "right"} | PATIENTS, number)]
    x, condition = noise(toy.shape, list(range(points))), toy.condition([prompt] * points)
    for k, (t, alpha_bar, alpha_bar_next) in enumerate(toy.schedule.times(toy.schedule.timesteps(n))):
        x = ddim_step(x, toy.predict_noise(x, told(t, k, n), condition), alpha_bar, alpha_bar_next)
    return x
