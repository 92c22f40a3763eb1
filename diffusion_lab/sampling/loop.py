"""The loops: guess the noise, yield the Step, let the rule move, and again."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..protocol import Guess, Move, Predict, Rule, as_guess, as_move, check_predict, check_rule, check_samples
from ..schedules import Schedule, as_schedule
from ..trajectory import Step, arrived
from .rules import ddim_step


@torch.no_grad()
def denoise(predict: Predict, schedule: Schedule, x: Tensor, timesteps: Sequence[int],
            rule: Rule = ddim_step) -> Iterator[Step]:  # fmt: skip
    """From static to picture: guess the noise, yield the Step, let the rule move x, and again.

    Arguments: `predict(x_t, t)` returns the noise (B, ...) or a Guess; `x` (B, ...), standard normal where the path
    begins at static; falling `timesteps` (a slice of them resumes a path); `rule(x_t, eps, alpha_bar,
    alpha_bar_next)` returns the next x, or a Move whose extras the next Step carries. Yields one Step for each call of
    predict, then the Step of arrival. A Step is yielded before the path goes on, so who stops has not paid for the
    next one. Raises LabError for timesteps that do not fall, for what cannot be called so, and where a guess or a move
    has another shape than x.
    """
    times, here = _checked(predict, schedule, x, timesteps, rule), Move(x)
    for t, alpha_bar, alpha_bar_next in times:
        x, guess = here.x, _asked(predict, here.x, t)
        yield Step(x, guess.eps, alpha_bar, t, guess.eps_uncond, extras=here.extras)
        here = _moved(rule, x, guess.eps, alpha_bar, alpha_bar_next)
    yield arrived(*here)


@torch.no_grad()
def heun(predict: Predict, schedule: Schedule, x: Tensor, timesteps: Sequence[int],
         rule: Rule = ddim_step) -> Iterator[Step]:  # fmt: skip
    """Try the step, guess again where it lands, then take it with the mean of both guesses (two calls a step).

    Heun's method in the variance preserving scaling (Karras et al., "Elucidating the Design Space of
    Diffusion-Based Generative Models", 2022, algorithm 1). The last step is a plain one. The second call's Step says
    so: note = "correction". Arguments as for `denoise`; the rule makes the trial and the step.

    With few calls it overshoots where a path begins at next to no signal: at alpha_bar 4e-5 (158 times as much noise
    as picture) the first step is too long for the mean of two guesses. So `steps(..., sampler="heun")` begins at 80, as
    Karras et al. do; at the same times diffusers' Heun gives the same as this one.
    """
    times, here = _checked(predict, schedule, x, timesteps, rule), Move(x)
    for i, (t, alpha_bar, alpha_bar_next) in enumerate(times):
        x, guess = here.x, _asked(predict, here.x, t)
        yield Step(x, guess.eps, alpha_bar, t, guess.eps_uncond, extras=here.extras)
        eps = guess.eps
        if i + 1 < len(times):
            trial, t_next = _moved(rule, x, eps, alpha_bar, alpha_bar_next), times[i + 1][0]
            again = _asked(predict, trial.x, t_next)
            yield Step(trial.x, again.eps, alpha_bar_next, t_next, again.eps_uncond, "correction", trial.extras)
            eps = (eps + again.eps) / 2
        here = _moved(rule, x, eps, alpha_bar, alpha_bar_next)
    yield arrived(*here)


def _asked(predict: Predict, x: Tensor, t: int) -> Guess:
    """What predict says of a copy of x, copied: x may be written into, and an answer's memory be used again."""
    eps, eps_uncond = as_guess(predict(x.clone(), t), x)
    return Guess(eps.clone(), None if eps_uncond is None else eps_uncond.clone())


def _moved(rule: Rule, x: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_next: float) -> Move:
    """Where the rule leads from copies of x and eps: a `+=` in it changes no Step that was yielded."""
    return as_move(rule(x.clone(), eps.clone(), alpha_bar, alpha_bar_next), x)


def _checked(predict: Predict, schedule: Schedule, x: Tensor, timesteps: Sequence[int],
             rule: Rule) -> list[tuple[int, float, float]]:  # fmt: skip
    """The schedule's times; raises LabError for what a loop cannot walk with."""
    check_predict(predict)
    check_rule(rule)
    check_samples(x)
    return as_schedule(schedule).times(timesteps)
