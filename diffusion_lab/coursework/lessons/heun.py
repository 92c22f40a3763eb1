"""Heun's step, the exercise of lesson 11 in which a learner writes it, and the stand-in for a network there."""

import torch
from torch import Tensor

from ...mixing import add_noise, predicted_x0
from ...noising import noise
from ...protocol import Guess, Predict
from ...recipe import as_whole
from ...sampling import ddim_step
from ...schedules import cosine
from ..checks.exercises import Code, Slip
from .board import RUNS, spread


def heun_step(predict: Predict, x_t: Tensor, t: int, t_next: int, alpha_bar: float, alpha_bar_next: float) -> Tensor:
    """One step by Heun's method: try it, guess again where it lands, and take it with the mean of both guesses (Karras
    et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022, algorithm 1)."""
    eps = predict(x_t, t).eps
    trial = ddim_step(x_t, eps, alpha_bar, alpha_bar_next)
    again = predict(trial, t_next).eps
    return ddim_step(x_t, (eps + again) / 2, alpha_bar, alpha_bar_next)


def guess(x: Tensor, t: int, T: int = 1000) -> Guess:
    """A stand-in for a guided network: its guess depends on all values and on t, and no network takes another t."""
    t = as_whole(t, "t", "take one from timesteps(n)", 0, T - 1)
    return Guess(torch.sin(x + 0.2 * x.roll(1, -1) + 20 / 3 * t / T))


def _heun_cases() -> list[tuple]:
    schedule, x = cosine(), noise((4, 8, 8), [91, 92])
    return [(guess, x, t, t_next, schedule.alpha_bar(t), schedule.alpha_bar(t_next))
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


def _tried(trial):
    """Heun's step with another trial."""
    def step(predict, x_t, t, t_next, a, b):
        eps = predict(x_t, t).eps
        again = predict(trial(x_t, eps, a, b), t_next).eps
        return ddim_step(x_t, (eps + again) / 2, a, b)

    return step


def _means_alone(predict, x_t, t, t_next, a, b):
    eps = predict(x_t, t).eps
    return (eps + predict(ddim_step(x_t, eps, a, b), t_next).eps) / 2


def _far(name: str, calls: int) -> str:
    """How far a sampler is from the fine solution in the recorded race, as it is printed."""
    return f"{spread(RUNS['points'], name, calls, 0).mean():.3f}"


HEUN = Code(
    call="heun_step(predict, x_t, t, t_next, alpha_bar, alpha_bar_next)",
    reference=heun_step,
    source=(heun_step, ddim_step),
    also_right=(_mean_of_places, _corrected),
    cases=_heun_cases,
    right="A step that looks before it leaps. Where calls are many it passes plain DDIM: "
          f"from 15 calls to 31 its distance to the fine solution falls from {_far('Heun', 15)} to {_far('Heun', 31)} "
          f"in the race; that of plain DDIM, from 16 to 32, falls from {_far('DDIM', 16)} to {_far('DDIM', 32)} only. "
          f"DPM++ 2M it never passes: {_far('2M', 32)} with 32.",
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
        Slip("one of two halved", "`/` goes before `+`, so that only one of the two guesses is halved: brackets around "
             "the sum.", _twice(mean=lambda eps, again: eps / 2 + again)),
        Slip("two steps in a row", "You take a second step from where the trial ended. Go back: the one step that "
             "counts begins at x_t, with the mean of both guesses.",
             _twice(mean=lambda eps, again: again, begin=lambda x, trial: trial)),
        Slip("the trial is made noisier", "`add_noise` takes a clean picture, and x_t is none: the trial is an "
             "ordinary step, by `ddim_step`.", _tried(lambda x, eps, a, b: add_noise(x, b, eps))),
        Slip("the trial goes to the clean picture", "The network is shown a clean picture and told t_next: "
             "the trial is an ordinary step, which ends at alpha_bar_next.",
             _tried(lambda x, eps, a, b: predicted_x0(x, eps, a))),
        Slip("the trial takes the noise off", "x_t minus a guess of the noise is no step: the trial is an ordinary "
             "one, by `ddim_step`.", _tried(lambda x, eps, a, b: x - eps)),
        Slip("the step goes to the clean picture", "The last line ends where alpha_bar is 1; the step ends at "
             "alpha_bar_next.", lambda predict, x, t, t_next, a, b: predicted_x0(
                 x, _means_alone(predict, x, t, t_next, a, b), a)),
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
