"""A thousand calls of the network, or six? Samplers race under a budget, and you find better timesteps yourself."""

import math
from functools import cache, partial

import torch
from torch import Tensor

from ...mixing import add_noise, predicted_x0
from ...noising import noise
from ...protocol import Predict
from ...sampling import ddim_step, denoise, dpmpp_2m, heun
from ...schedules import Schedule, cosine, karras, sigmas_of
from ..checks.exercises import Code, Slip
from .board import BUDGET
from .heun import HEUN, guess


def skip_steps(predict: Predict, schedule: Schedule, x: Tensor, n: int) -> Tensor:
    """From static x (B, ...) to the clean sample in n of the T steps, evenly spaced and beginning at T - 1 ("trailing":
    Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2023, table 2): t_k = T - k T / n - 1.
    """
    T = len(schedule)
    timesteps = [T - k * T // n - 1 for k in range(n)]
    for t, alpha_bar, alpha_bar_next in schedule.times(timesteps):
        eps = predict(x, t).eps
        x = ddim_step(x, eps, alpha_bar, alpha_bar_next)
    return x


def stepped(step, predict: Predict, schedule: Schedule, x: Tensor, timesteps: list[int]) -> Tensor:
    """A whole path of `step(predict, x_t, t, t_next, alpha_bar, alpha_bar_next)`, with a plain step at its end."""
    *many, (t, alpha_bar, last) = schedule.times(timesteps)
    for (t_here, a, b), t_next in zip(many, timesteps[1:], strict=True):
        x = step(predict, x, t_here, t_next, a, b)
    return ddim_step(x, predict(x, t).eps, alpha_bar, last)


@cache
def _level(T: int) -> Schedule:
    return Schedule("even", torch.linspace(0.99, 0.05, T, dtype=torch.float64))  # no level drowns the others


def _skip_cases() -> list[tuple]:
    """Where n divides T all right lists are the same; 7 does not divide the last T, and leaves over 3, so that a list
    of steps of T // n has one too many; and T is so large that no way of rounding is another answer."""
    x = noise((4, 8, 8), [81, 82])
    return [(partial(guess, T=T), _level(T), x, n) for T, n in ((1000, 4), (1000, 5), (1_000_002, 7))]


def _walk(times, after=lambda s, ts, i: s.alpha_bar(ts[i + 1]) if i + 1 < len(ts) else 1.0, told=lambda ts, i: ts[i]):
    """A path with its timesteps, its levels or what the network is told exchanged: how slips are made."""
    def walk(predict, schedule, x, n):
        ts = times(len(schedule), n)
        for i, t in enumerate(ts):
            x = ddim_step(x, predict(x, told(ts, i)).eps, schedule.alpha_bar(t), after(schedule, ts, i))
        return x

    return walk


def _even(T: int, n: int) -> list[int]:
    return [T - k * T // n - 1 for k in range(n)]


def _guessed_once(predict, schedule, x, n):
    times = _even(len(schedule), n)
    eps = predict(x, times[0]).eps
    for _, a, b in schedule.times(times):
        x = ddim_step(x, eps, a, b)
    return x


def _never_kept(predict, schedule, x, n):
    for t, a, b in schedule.times(_even(len(schedule), n)):
        y = ddim_step(x, predict(x, t).eps, a, b)
    return y


def _to_the_last_but_one(predict, schedule, x, n):
    for t, a, b in schedule.times(_even(len(schedule), n))[:-1]:
        x = ddim_step(x, predict(x, t).eps, a, b)
    return x


def _walked_often(predict, schedule, x, n):
    for k in range(n):
        for t, a, b in schedule.times(_even(len(schedule), n)[: k + 1]):
            x = ddim_step(x, predict(x, t).eps, a, b)
    return x


def _by_denoise(predict, schedule, x, n):
    T = len(schedule)
    *_, last = denoise(predict, schedule, x, [int(T - k * T / n - 1) for k in range(n)])
    return last.x0


def _counted_down(last=lambda k, n, to: k == n - 1):
    """A path whose timesteps are counted down by T // n; `last` says after which of them the clean picture comes."""
    def walk(predict, schedule, x, n):
        T, t = len(schedule), len(schedule) - 1
        for k in range(n):
            eps, to = predict(x, t).eps, t - T // n
            after = 1.0 if last(k, n, to) else schedule.alpha_bar(to)
            x, t = add_noise(predicted_x0(x, eps, schedule.alpha_bar(t)), after, eps), to
        return x

    return walk


SKIP = Code(
    call="skip_steps(predict, schedule, x, n)",
    reference=skip_steps,
    source=(skip_steps,),
    also_right=(_by_denoise, _counted_down()),
    cases=_skip_cases,
    right="The network was trained on all timesteps, and you ask it at a few of them only: nothing has to be trained "
          "anew.",
    hints=(
        "Two things: a list of n timesteps, and the loop of lesson 08 over them. The list falls, begins where all is "
        "static, and its numbers are equally far apart.",
        "How far apart? The T timesteps are shared out among n steps. The last of the numbers is not 0: from there one "
        "more step leads to the clean picture.",
        "For T = 1000 and n = 4 your list must be 999, 749, 499, 249. Hand it to `schedule.times`, which tells for "
        "each step where it ends.",
    ),
    slips=(
        Slip("steps end one timestep on", "Each step is as short as one of all T: the path never leaves the static. "
             "Look at where a step ends: at the next timestep of your list.",
             _walk(_even, after=lambda s, ts, i: s.alpha_bar(ts[i] - 1) if ts[i] else 1.0)),
        Slip("never begins at static", "Your first timestep is one at which something of the picture is left, but x is "
             "pure static: look at the first number of your list.",
             _walk(lambda T, n: [k * (T // n) for k in reversed(range(n))])),
        Slip("from end to end", "Your last timestep is 0, where next to no noise is left to take out: a whole call is "
             "spent on nothing. Look at how far apart your timesteps are.",
             _walk(lambda T, n: [round((T - 1) * (1 - k / (n - 1))) for k in range(n)])),
        Slip("the first timesteps alone", "Your timesteps are neighbours at the noisy end, and then comes one huge "
             "step: nothing is skipped between them.", _walk(lambda T, n: [T - 1 - k for k in range(n)])),
        Slip("the last timesteps alone", "Your timesteps are neighbours at the clean end, where the network takes the "
             "static for a nearly finished picture: look at how far apart they are.",
             _walk(lambda T, n: list(reversed(range(n))))),
        Slip("the first timestep is left out", "Your list begins at its second number, but x is pure static: "
             "`range(n)` counts from 0.", _walk(lambda T, n: _even(T, n)[1:])),
        Slip("always four timesteps", "Your list has four timesteps whatever n is; with n = 4 nothing of it is seen.",
             _walk(lambda T, n: [T - k * T // n - 1 for k in range(4)])),
        Slip("0 for the last timestep", "The last number of your list is 0, where next to no noise is left: keep "
             "what the rule gives; `schedule.times` adds the step to the clean picture by itself.",
             _walk(lambda T, n: [*_even(T, n)[:-1], 0])),
        Slip("each step goes to the clean picture", "Every step ends at an alpha_bar of 1, the clean picture, and "
             "only the last one does: the others end at the next timestep of your list.",
             _walk(_even, after=lambda s, ts, i: 1.0)),
        Slip("walked while the list is made", "The path is walked once for each number that the list gets: the loop of "
             "the walk stands inside the other one, so begin its line farther left.", _walked_often),
        Slip("timesteps ascending", "The steps are walked from little noise to much: look at the order of the list.",
             _walk(lambda T, n: _even(T, n)[::-1])),
        Slip("step number for t", "The network is told the number of the step, not the timestep: look at what predict "
             "is given.", _walk(_even, told=lambda ts, i: len(ts) - 1 - i)),
        Slip("guessed once", "The network is asked at the beginning only, and its guess is used at every step: look at "
             "where the call of predict stands.", _guessed_once),
        Slip("the last step is missing", "The path ends at your last timestep, where noise is left: one more step "
             "leads from there to the clean picture. A list has one pair of neighbours fewer than numbers.",
             _to_the_last_but_one),
        Slip("the last step ends at t = 0", "Your last step ends at timestep 0, where a little noise is left: a clean "
             "picture has an alpha_bar of 1, and `schedule.times` knows it.",
             _walk(_even, after=lambda s, ts, i: s.alpha_bar(ts[i + 1]) if i + 1 < len(ts) else s.alpha_bar(0))),
        Slip("the last step ends in static", "Your last step ends where all is static: below 0 Python counts from the "
             "end of the list, so -1 is the last timestep. The clean picture has an alpha_bar of 1.",
             _walk(_even, after=lambda s, ts, i: s.alpha_bar(ts[i + 1] if i + 1 < len(ts) else len(s) - 1))),
        Slip("the guess is handed back", "What comes back is the last guess of the noise. Do you hand back eps in "
             "place of x, or does your last step end at an alpha_bar of 0? The clean picture has an alpha_bar of 1.",
             _walk(_even, after=lambda s, ts, i: s.alpha_bar(ts[i + 1]) if i + 1 < len(ts) else 0.0)),
        Slip("more than n timesteps", "Where n does not divide T, your list has more than n timesteps: with T = 1000 "
             "and n = 7 it is 8; with n = 4 nothing of it is seen. Print its length for such an n.",
             _walk(lambda T, n: list(range(T - 1, 0, -(T // n))))),
        Slip("the last step ends above t = 0", "Where n does not divide T, n steps of T // n do not come down to the "
             "clean picture: the last step is to end at an alpha_bar of 1, whatever is left of T; with n = 4 nothing "
             "of it is seen.",
             _counted_down(lambda k, n, to: to < 0)),
        Slip("always 1000 timesteps", "Another schedule has another number of timesteps, and you count on 1000: "
             "`len(schedule)` tells how many there are. The one below has just 1000: nothing of it is seen.",
             _walk(lambda T, n: _even(1000, n))),
        Slip("no step goes on from the last one", "Each step begins at the static again, since what it gives goes to "
             "another name than what the next one begins with: look at the name before the `=`.", _never_kept),
    ),
)


EXERCISES = {"skip": SKIP, "heun": HEUN, "budget": BUDGET}


def _skip_values() -> list[dict]:
    return [{"t_k": float(t), "T": 1000.0, "k": float(k), "n": 4.0} for k, t in enumerate(cosine().timesteps(4))]


def _heun_values() -> dict:
    """Both guesses of the package's Heun, and the mean that its step was made with, found from where it arrived."""
    schedule, x = cosine(), noise((5,), [1, 2]).double()
    first, second, third, *_ = heun(lambda x, t: guess(x, t).eps, schedule, x, [700, 400, 100])
    (_, a, b), *_ = schedule.times([700, 400])
    mean = (third.x_t / b**0.5 - x / a**0.5) / (((1 - b) / b) ** 0.5 - ((1 - a) / a) ** 0.5)
    return {r"\hat\epsilon_1": first.eps, r"\hat\epsilon_2": second.eps, r"\hat\epsilon_m": mean}


def _lookahead_values() -> dict:
    """Two guesses of a path by the package's DPM++ 2M, and the guess that its second step was made with."""
    schedule, rule = cosine(), dpmpp_2m()
    x, eps, other = noise((5,), [1, 2]).double(), noise((5,), [3, 4]).double(), noise((5,), [5, 6]).double()
    a, b, c = (schedule.alpha_bar(t) for t in (800, 500, 300))
    here = rule(x, eps, a, b)
    after = rule(here, other, b, c)
    h_before, h = (0.5 * (math.log(p / (1 - p)) - math.log(q / (1 - q))) for p, q in ((b, a), (c, b)))
    ratio = ((1 - c) / (1 - b)) ** 0.5
    ahead = (after - ratio * here) / (c**0.5 - ratio * b**0.5)
    return {r"\hat x_1": predicted_x0(x, eps, a), r"\hat x_2": predicted_x0(here, other, b), "h_1": h_before, "h_2": h,
            r"\tilde x": ahead}


def _ratio_values() -> list[dict]:
    """How much noise there is for each picture, at the timesteps of Karras et al. that the package gives."""
    schedule = cosine()
    sigmas = sigmas_of(schedule)
    return [{r"\sigma": sigmas[t], r"\bar\alpha_t": schedule.alpha_bar(t)} for t in karras(schedule, 5)]


FORMULAS = {"skip": _skip_values, "two_guesses": _heun_values, "lookahead": _lookahead_values, "ratio": _ratio_values}

SYMBOLS = {
    "mean guess": (r"\\hat\\epsilon_m", r"mean"),
    "look ahead": (r"\\tilde x", r"looks ahead"),
    "h": (r"(?<![_\w\\])h_[12]", r"how long"),
}
