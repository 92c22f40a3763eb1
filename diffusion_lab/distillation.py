"""Distillation: what a student is asked for, so that one of its steps does what several of its teacher's did.

A student is trained as every network here is, by `training.train`; new is only where its x0 comes from: not from a
data set but from a teacher, who is any `predict(x_t, t)`: that of an exact denoiser, a toy, a Stable Diffusion, or an
earlier student. Guidance folds in by itself: give `guided(model, prompt, guidance_scale=w)` as the teacher, and the
student, asked once, answers what the teacher, asked twice, would have said (Meng et al., "On Distillation of Guided
Diffusion Models", 2023, section 3, for a single w).
"""

from collections.abc import Callable, Sequence
from numbers import Real

import torch
from torch import Tensor

from .errors import LabError
from .mixing import check_alike, predicted_eps
from .objectives import Objective
from .protocol import Predict, as_guess, check_predict, check_samples
from .recipe import as_whole, shortened
from .sampling import ddim_step, denoise
from .schedules import Schedule, as_schedule

Times = tuple[int, float, float]  # of one step: t, alpha_bar there, alpha_bar where it ends, as Schedule.times has them
NEAREST = 1e-3  # no two pictures are taken to be nearer to each other in `matching`


def jumps(schedule: Schedule, n: int, teacher: int = 2) -> list[list[Times]]:
    """The n jumps of a student from static to picture, each as the `teacher` steps that it replaces (2: progressive
    distillation halves the number of calls).

    Where T divides by n the jumps begin at schedule.timesteps(n). Raises LabError for numbers that do not fit.
    """
    n, teacher = as_whole(n, "a student's number of calls", "try 4"), as_whole(teacher, "the teacher's steps", "try 2")
    schedule = as_schedule(schedule)
    times = schedule.times(schedule.timesteps(n * teacher))
    return [times[k : k + teacher] for k in range(0, n * teacher, teacher)]


def x0_between(x_t: Tensor, x_s: Tensor, alpha_bar: float, alpha_bar_s: float) -> Tensor:
    """The picture that a student must guess at x_t for its one DDIM jump to land at x_s.

    x0 = (x_s - r x_t) / (sqrt(alpha_bar_s) - r sqrt(alpha_bar)) with r = sqrt(1 - alpha_bar_s) / sqrt(1 - alpha_bar)
    (Salimans and Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", 2022, algorithm 2 and appendix
    G). Arguments: x_t and x_s (B, ...), what the jump begins with and where it lands; the shares of signal there, in
    [0, 1). Returns x0 (B, ...). Raises LabError where the shapes differ, and where the jump leads to no more signal, or
    to so little more that no digit of x0 could be told.
    """
    check_samples(x_t)
    check_alike(x_t, x_s, "where the jump lands", "x_t", "walk there from x_t with the teacher")
    if not all(isinstance(a, Real) for a in (alpha_bar, alpha_bar_s)) or not 0 <= alpha_bar < alpha_bar_s <= 1:
        raise LabError(f"a jump to more signal was expected, 0 <= alpha_bar < alpha_bar_s <= 1; from {alpha_bar!r} to "
                       f"{alpha_bar_s!r} came; give the earlier, noisier time first")
    r = ((1 - alpha_bar_s) / (1 - alpha_bar)) ** 0.5
    share = alpha_bar_s**0.5 - r * alpha_bar**0.5
    if share < torch.finfo(x_t.dtype).eps:
        raise LabError(f"a jump that leads nearer to the picture was expected; one from alpha_bar {alpha_bar!r} to "
                       f"{alpha_bar_s!r} came; let it end at a less noisy time")
    return (x_s - r * x_t) / share


@torch.no_grad()
def target(teacher: Predict, x_t: Tensor, steps: Sequence[Times]) -> Tensor:
    """What a student is asked for at x_t (B, ...): the x0 (B, ...) whose one DDIM jump lands where the teacher's
    `steps`, one of `jumps`, land. Raises LabError for other steps, and where a guess has another shape than x_t or is
    not made of finite floats."""
    check_predict(teacher)
    check_samples(x_t)
    _check_steps(steps)
    x = x_t
    for t, alpha_bar, alpha_bar_next in steps:
        guess = as_guess(teacher(x.clone(), t), x).eps
        check_samples(guess, x_t.shape[1:], "a teacher's guess of the noise is made of floats")
        x = ddim_step(x, guess, alpha_bar, alpha_bar_next)                                # (B, ...)
    if not x.isfinite().all():
        raise LabError("finite guesses of the noise were expected; NaN or infinity came; look at x_t, and at what the "
                       "teacher says of it")
    return x0_between(x_t, x, steps[0][1], steps[-1][2])


def _check_steps(steps) -> None:
    """Raises LabError for anything but the steps of one jump."""
    if not (isinstance(steps, Sequence) and steps and all(isinstance(step, Sequence) and len(step) == 3 and all(
            isinstance(value, Real) for value in step) for step in steps)):  # fmt: skip
        raise LabError(f"the steps of one jump were expected, (t, alpha_bar, alpha_bar_next) each; {shortened(steps)} "
                       "came; take one of jumps(schedule, n), such as jumps(schedule, n)[0]")


def loss(objective: Objective, student: Callable, teacher: Predict, x_t: Tensor, steps: Sequence[Times],
         condition: Tensor | None = None) -> Tensor:  # fmt: skip
    """The student's error at x_t (B, ...), a scalar: the objective's own, with the teacher's `target` for x0.

    Arguments: `student(x_t, t, condition)`, the network in training; `steps`, one of `jumps`. The target "v" weighs
    the errors of x0 by SNR + 1 (Salimans and Ho, section 4).
    """
    x0, (t, alpha_bar, _) = target(teacher, x_t, steps), steps[0]
    times = torch.full((len(x_t),), t)                                                    # (B,)
    return objective(student, x0, predicted_eps(x_t, x0, alpha_bar), times, condition)


def matching(x0: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """A loss whose gradient moves a student's pictures to where pictures are likelier: from `fake`, what a network that
    learns only from the student's own pictures makes of x0 when it is noised, to `real`, what the teacher makes of it.

    d loss / d x0 = (fake - real) / mean |x0 - real|, divided by the number of values (Yin et al., "One-step Diffusion
    with Distribution Matching Distillation", 2024, equations 7 and 8); the mean, one for each picture, counts as
    NEAREST where it is smaller. Where a target asks for one picture, and a student that is not sure answers with a blur
    of several, this asks for any that the teacher would draw. All are (B, ...); a scalar comes back. Raises LabError
    where the shapes differ.
    """
    check_samples(x0)
    for guess in (real, fake):
        check_alike(x0, guess, "a guess of the picture", "the student's picture", "guess one value for each of its own")
    with torch.no_grad():
        size = (x0 - real).abs().flatten(1).mean(1).clamp(min=NEAREST)
        size = size.view(-1, *[1] * (x0.dim() - 1))                                       # (B, 1, ...)
        wanted = x0 - (fake - real) / size                                                # (B, ...)
    return 0.5 * (x0 - wanted).square().mean()


def reflow(teacher: Predict, schedule: Schedule, eps: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Pairs to learn a straighter flow from: the point where the teacher's path of n steps ends, and the noise that it
    began with, x0 and eps (B, ...) for an `Objective` (Liu, Gong and Liu, "Flow Straight and Fast", 2022, algorithm
    1)."""
    *_, last = denoise(teacher, schedule, eps, as_schedule(schedule).timesteps(n))
    return last.x0, eps
