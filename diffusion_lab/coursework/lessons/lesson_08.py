"""Open the pipe, and drive it with the loop that you wrote."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...guidance import Guess
from ...noising import noise
from ...sampling import Predict, ddim_step, denoise, predicted_x0
from ...schedules import Schedule, scaled_linear
from ..checks.exercises import Code, Slip, Value


def draw(predict: Predict, schedule: Schedule, x: Tensor, timesteps: Sequence[int]) -> Tensor:
    """The whole way from static x (B, ...) to the clean sample, in DDIM steps: what `denoise` yields last."""
    *_, last = denoise(predict, schedule, x, timesteps, rule=ddim_step)
    return last.x0


def _guess(x: Tensor, t: int) -> Guess:
    """A stand-in for a guided network: its guess depends on every value and on t."""
    return Guess(torch.tanh(0.9 * x + 0.2 * x.roll(1, -1)) * (0.6 + 0.4 * math.cos(float(t) / 250)))


def _cases() -> list[tuple]:
    schedule = scaled_linear()
    return [(_guess, schedule, noise((4, 8, 8), [71, 72]), schedule.timesteps(n)) for n in (5, 8)]


def _loop(label=lambda t, k, ts: t, levels=lambda s, ts: s.times(ts), step=ddim_step):
    """A loop with one of its parts exchanged: how slips are made."""
    def loop(predict, schedule, x, timesteps):
        for k, (t, a, b) in enumerate(levels(schedule, timesteps)):
            x = step(x, predict(x, label(t, k, timesteps)).eps, a, b)
        return x

    return loop


def _rising(schedule, timesteps):
    rising = sorted(timesteps)
    return [(t, schedule.alpha_bar(t), schedule.alpha_bar(later)) for t, later in zip(rising, rising[1:], strict=False)]


def _one_back(schedule, timesteps):
    return [(t, schedule.alpha_bar(t), schedule.alpha_bar(t - 1) if t else 1.0) for t in timesteps]


def _guessed_once(predict, schedule, x, timesteps):
    eps = predict(x, timesteps[0]).eps
    for _, a, b in schedule.times(timesteps):
        x = ddim_step(x, eps, a, b)
    return x


def _never_moved(predict, schedule, x, timesteps):
    result = x
    for t, a, b in schedule.times(timesteps):
        result = ddim_step(x, predict(x, t).eps, a, b)
    return result


TOKENS = Value(
    truth=9,
    right="Seven words, and one token each for the start and the end. What is left of the row is filled up.",
    wrong={
        7: "Seven is the number of words. Look at the first and the last number of the row: do they belong to a word?",
        8: "One of the two is missing: a token stands before the words, and another one behind them.",
        24: "24 places is what a row has room for here; most of them are only filled up. Count up to the end token.",
        77: "77 places is what a row of the full-size model has room for; count what this prompt needs of them.",
    },
    hints=(
        "Call the tokenizer on the prompt and look at the row of numbers.",
        "Turn the numbers back into words, one by one, with `tokenizer.convert_ids_to_tokens`.",
        "Count the words, then count what the tokenizer puts around them.",
    ),
    solution="9: a start token, seven words, an end token.",
)

def _by_hand(predict, schedule, x, timesteps):
    bars = [schedule.alpha_bar(t) for t in timesteps] + [schedule.final]
    for i, t in enumerate(timesteps):
        eps = predict(x, t).eps
        x0 = (x - math.sqrt(1 - bars[i]) * eps) / math.sqrt(bars[i])
        x = math.sqrt(bars[i + 1]) * x0 + math.sqrt(1 - bars[i + 1]) * eps
    return x


def _recursively(predict, schedule, x, timesteps):
    if not timesteps:
        return x
    a = schedule.alpha_bar(timesteps[0])
    b = schedule.alpha_bar(timesteps[1]) if len(timesteps) > 1 else 1.0
    scale = math.sqrt(b / a)
    eps = predict(x, timesteps[0]).eps
    return _recursively(predict, schedule, x * scale + (math.sqrt(1 - b) - scale * math.sqrt(1 - a)) * eps,
                        timesteps[1:])


LOOP = Code(
    call="draw(predict, schedule, x, timesteps)",
    reference=draw,
    source=(draw, denoise),
    also_right=(_by_hand, _recursively),
    cases=_cases,
    right="Your loop is the pipeline: give it `guided(sd, prompt)` and it draws the same picture as Stable Diffusion's "
          "own.",
    hints=(
        "It is lesson 04's loop. For each timestep: ask for the noise, then take one step. What does the step need to "
        "know about here and next?",
        "`schedule.times(timesteps)` gives you t, alpha_bar and alpha_bar_next for each step, the last one included.",
        "One `for` with two lines in it: eps from `predict(x, t).eps`, and x from `ddim_step(x, eps, ...)`. Return x.",
    ),
    slips=(
        Slip("timesteps ascending", "The loop walks towards more noise: look at the order of the timesteps.",
             _loop(levels=_rising)),
        Slip("the model is told the step's number", "predict gets 0, 1, 2, ... where it expects a timestep such as "
             "999: look at what the loop counts.", _loop(label=lambda t, k, ts: k)),
        Slip("the model is told the next time", "predict is asked about the level where the step will end, but x is "
             "not there yet: look at which t it gets.",
             _loop(label=lambda t, k, ts: ts[min(k + 1, len(ts) - 1)])),
        Slip("stopped one step too early", "The last step, to a picture without noise, is missing: look at the end of "
             "the loop.", _loop(levels=lambda s, ts: s.times(ts)[:-1])),
        Slip("one step of a thousand at a time", "Each step ends at t - 1, but the next one begins much further down: "
             "look at where alpha_bar_next comes from.", _loop(levels=_one_back)),
        Slip("guessed only once", "The noise is guessed before the loop and never again: look at where predict is "
             "called.", _guessed_once),
        Slip("x is never moved", "Every step starts from the same static: look at what is assigned in the loop.",
             _never_moved),
        Slip("jumps to the end at every step", "x becomes the guess itself, without noise, and the model is then asked "
             "about noise that is gone: look at the step.",
             _loop(step=lambda x, e, a, b: predicted_x0(x, e, a))),
        Slip("the two levels changed places", "The step is told that it comes from the next level: look at the order "
             "of its last two arguments.",
             _loop(step=lambda x, e, a, b: ddim_step(x, e, min(b, 0.9999), a))),
        Slip("scaled for another sampler", "x is multiplied before the loop, as Euler samplers in sigma space want it: "
             "here static has size 1.",
             lambda predict, schedule, x, ts: draw(predict, schedule, x / schedule.alpha_bar(ts[0]) ** 0.5, ts)),
    ),
)

SWAP = Value(
    truth="b",
    right="The static is the same and the model is the same, so the picture is the same one; the better solver ends "
          "closer to it: in twenty steps half as far off.",
    wrong={
        "a": "The static comes from the seed, not from the scheduler. Draw with both and look at the composition.",
        "c": "The number of calls is the same, but the way between two calls is not: compare both with 50 steps.",
        "d": "The model only guesses noise. Which step follows from the guess is decided outside of it.",
    },
    hints=(
        "Ask for each part of the pipe whether it changes: the seed, the prompt, the network, the step.",
        "Draw with both at 10 steps, then with both at 50. Which of the four pictures are alike?",
        "Only the step between two guesses is exchanged. A better step wastes less of a small number of guesses.",
    ),
    solution="b: the same picture, closer to what many steps would give.",
)

CHOICES = {
    "a": "Another picture, because the scheduler draws its own static.",
    "b": "The same picture, closer to what many steps would give.",
    "c": "Nothing: ten calls are ten calls.",
    "d": "It cannot be done without training the model again.",
}

EXERCISES = {"tokens": TOKENS, "loop": LOOP, "swap": SWAP}
