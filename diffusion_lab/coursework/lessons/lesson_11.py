"""A thousand calls of the network, or six? Samplers race under a budget, and you find better timesteps yourself."""

import math

import torch
from torch import Tensor

from ...mixing import add_noise, predicted_x0
from ...noising import noise
from ...protocol import Guess, Predict
from ...recipe import as_whole
from ...sampling import ddim_step, denoise, dpmpp_2m, heun
from ...schedules import Schedule, cosine, karras, sigmas_of
from ..checks.exercises import Code, Slip
from .board import BUDGET


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


def heun_step(predict: Predict, x_t: Tensor, t: int, t_next: int, alpha_bar: float, alpha_bar_next: float) -> Tensor:
    """One step by Heun's method: try it, guess again where it lands, and take it with the mean of both guesses (Karras
    et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022, algorithm 1)."""
    eps = predict(x_t, t).eps
    trial = ddim_step(x_t, eps, alpha_bar, alpha_bar_next)
    again = predict(trial, t_next).eps
    return ddim_step(x_t, (eps + again) / 2, alpha_bar, alpha_bar_next)


def stepped(step, predict: Predict, schedule: Schedule, x: Tensor, timesteps: list[int]) -> Tensor:
    """A whole path of `step(predict, x_t, t, t_next, alpha_bar, alpha_bar_next)`, with a plain step at its end."""
    *many, (t, alpha_bar, last) = schedule.times(timesteps)
    for (t_here, a, b), t_next in zip(many, timesteps[1:], strict=True):
        x = step(predict, x, t_here, t_next, a, b)
    return ddim_step(x, predict(x, t).eps, alpha_bar, last)


def _guess(x: Tensor, t: int) -> Guess:
    """A stand-in for a guided network: its guess depends on all values and on t, and no network takes another t."""
    t = as_whole(t, "t", "take one from timesteps(n)", 0, 999)
    return Guess(torch.sin(x + 0.2 * x.roll(1, -1) + t / 150))


def _skip_cases() -> list[tuple]:
    even = Schedule("even", torch.linspace(0.99, 0.05, 1000, dtype=torch.float64))  # no level drowns the others
    return [(_guess, even, noise((4, 8, 8), [81, 82]), n) for n in (4, 5)]


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


def _by_denoise(predict, schedule, x, n):
    *_, last = denoise(predict, schedule, x, range(len(schedule) - 1, -1, -(len(schedule) // n))[:n])
    return last.x0


def _by_hand(predict, schedule, x, n):
    T, t = len(schedule), len(schedule) - 1
    for _ in range(n):
        eps, to = predict(x, t).eps, t - T // n
        x = add_noise(predicted_x0(x, eps, schedule.alpha_bar(t)), schedule.alpha_bar(to) if to >= 0 else 1.0, eps)
        t = to
    return x


SKIP = Code(
    call="skip_steps(predict, schedule, x, n)",
    reference=skip_steps,
    source=(skip_steps,),
    also_right=(_by_denoise, _by_hand),
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
        Slip("no step goes on from the last one", "Each step begins at the static again, since what it gives goes to "
             "another name than what the next one begins with: look at the name before the `=`.", _never_kept),
    ),
)


def _heun_cases() -> list[tuple]:
    schedule, x = cosine(), noise((4, 8, 8), [91, 92])
    return [(_guess, x, t, t_next, schedule.alpha_bar(t), schedule.alpha_bar(t_next))
            for t, t_next in ((900, 600), (600, 350), (350, 100))]


def _twice(mean=lambda eps, again: (eps + again) / 2, asked=lambda x, trial, t, t_next: (trial, t_next),
           begin=lambda x, trial: x):
    """Heun's step with one of its parts exchanged: how slips are made."""
    def step(predict, x_t, t, t_next, a, b):
        eps = predict(x_t, t).eps
        trial = ddim_step(x_t, eps, a, b)
        again = predict(*asked(x_t, trial, t, t_next)).eps
        return ddim_step(begin(x_t, trial), mean(eps, again), a, b)

    return step


def _mean_of_places(predict, x_t, t, t_next, alpha_bar, alpha_bar_next):
    """The mean of where both guesses lead: the same, since the step is linear in the guess."""
    first = ddim_step(x_t, predict(x_t, t).eps, alpha_bar, alpha_bar_next)
    return (first + ddim_step(x_t, predict(first, t_next).eps, alpha_bar, alpha_bar_next)) / 2


def _corrected(predict, x_t, t, t_next, a, b):
    eps = predict(x_t, t).eps
    trial = ddim_step(x_t, eps, a, b)
    return trial + 0.5 * ((1 - b) ** 0.5 - (b * (1 - a) / a) ** 0.5) * (predict(trial, t_next).eps - eps)


def _means_alone(predict, x_t, t, t_next, a, b):
    eps = predict(x_t, t).eps
    return (eps + predict(ddim_step(x_t, eps, a, b), t_next).eps) / 2


HEUN = Code(
    call="heun_step(predict, x_t, t, t_next, alpha_bar, alpha_bar_next)",
    reference=heun_step,
    source=(heun_step, ddim_step),
    also_right=(_mean_of_places, _corrected),
    cases=_heun_cases,
    right="A step that looks before it leaps: two calls, and the error of a path shrinks with the square of its steps.",
    hints=(
        "Three lines before the end: a guess here, a step for trial, a guess there. `ddim_step` and `predict` are all "
        "that you need, twice each.",
        "The second guess is asked about the place where the trial lands, and the network must be told the timestep "
        "of that place.",
        "Then go back to where you began, and take the step once more, this time with what lies half-way between the "
        "two guesses.",
    ),
    slips=(
        Slip("the second guess is not used", "Your result is a plain DDIM step: where does the guess at the end of the "
             "step come in?", _twice(mean=lambda eps, again: eps)),
        Slip("the second guess alone", "The guess from the beginning is thrown away: look at what you step with.",
             _twice(mean=lambda eps, again: again)),
        Slip("added up, not averaged", "Two whole guesses take out twice the noise: look at what you step with.",
             _twice(mean=lambda eps, again: eps + again)),
        Slip("leans the wrong way", "The correction goes to the other side: look at the sign before the second guess.",
             _twice(mean=lambda eps, again: (3 * eps - again) / 2)),
        Slip("stepped twice", "The second step begins where the trial ended, so that you go too far: look at where it "
             "begins.", _twice(begin=lambda x, trial: trial)),
        Slip("asked at the old time", "The network is shown the end of the step and told the timestep of its "
             "beginning: look at the second call of predict.", _twice(asked=lambda x, trial, t, t_next: (trial, t))),
        Slip("asked at the old place", "The network is told the timestep of the end and shown where the step began: "
             "look at the second call of predict.", _twice(asked=lambda x, trial, t, t_next: (x, t_next))),
        Slip("asked half-way", "The second guess is asked half-way along the step; Heun asks at its end.",
             _twice(asked=lambda x, trial, t, t_next: ((x + trial) / 2, t_next))),
        Slip("the midpoint method", "You ask half-way, in place and in time, and step with that guess: a good method, "
             "and another one. Heun asks at the end of the step, and takes the mean.",
             _twice(asked=lambda x, trial, t, t_next: ((x + trial) / 2, (t + t_next) // 2),
                    mean=lambda eps, again: again)),
        Slip("the guess is handed back", "What comes back is the mean guess of the noise; the step with it is still "
             "to be taken.", _means_alone),
        Slip("rounded down", "`//` divides and rounds down to whole numbers; half of something is `/ 2`.",
             _twice(mean=lambda eps, again: (eps + again) // 2)),
        Slip("a quarter of both", "Of two guesses the mean is half their sum: you divide by more than 2.",
             _twice(mean=lambda eps, again: (eps + again) / 4)),
        Slip("the mean by a root", "Guesses are averaged as they are: the root of 2 belongs to noises that know "
             "nothing of each other.", _twice(mean=lambda eps, again: (eps + again) / 2**0.5)),
    ),
)

EXERCISES = {"skip": SKIP, "heun": HEUN, "budget": BUDGET}


def _skip_values() -> list[dict]:
    return [{"t_k": float(t), "T": 1000.0, "k": float(k), "n": 4.0} for k, t in enumerate(cosine().timesteps(4))]


def _heun_values() -> dict:
    """Both guesses of the package's Heun, and the mean that its step was made with, found from where it arrived."""
    schedule, x = cosine(), noise((5,), [1, 2]).double()
    first, second, third, *_ = heun(lambda x, t: _guess(x, t).eps, schedule, x, [700, 400, 100])
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
