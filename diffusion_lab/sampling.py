"""The reverse process: one loop that yields, and rules that step.

In the variance preserving scaling Euler's method for the probability-flow ODE *is* DDIM, so there is no Euler here.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from .errors import LabError
from .guidance import Guess, as_guess, guided
from .mixing import add_noise, predicted_eps, predicted_x0
from .noising import generators, randn
from .schedules import Schedule
from .trajectory import Recipe, Step, Steps, arrived

Predict = Callable[[Tensor, int], Tensor | Guess]
Rule = Callable[[Tensor, Tensor, float, float], Tensor]


def ddim_step(x_t: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_next: float) -> Tensor:
    """Guess the picture, then put the same noise back, a little less of it.

    x_next = sqrt(alpha_bar_next) x0 + sqrt(1 - alpha_bar_next) eps, with x0 the guess of the clean picture (Song,
    Meng and Ermon, "Denoising Diffusion Implicit Models", 2020, equation 12 with sigma = 0). All tensors (B, ...).
    """
    x0 = predicted_x0(x_t, eps, alpha_bar)
    return add_noise(x0, alpha_bar_next, eps)


def ancestral(source: torch.Generator | Sequence[torch.Generator], eta: float = 1.0) -> Rule:
    """The rule that shakes: part of the noise it puts back is fresh (DDIM, equations 12 and 16).

    sigma = eta sqrt((1 - alpha_bar_next) / (1 - alpha_bar)) sqrt(1 - alpha_bar / alpha_bar_next)
    x_next = sqrt(alpha_bar_next) x0 + sqrt(1 - alpha_bar_next - sigma^2) eps + sigma z
    Arguments: `source`, one generator for each picture; `eta` from 0 (DDIM) to 1 (DDPM with its smaller variance).
    """
    sources = [source] if isinstance(source, torch.Generator) else list(source)
    if not 0 <= eta <= 1:
        raise LabError(f"eta is a share of fresh noise from 0 to 1; {eta} came; 0 is DDIM, 1 is DDPM")

    def rule(x_t: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_next: float) -> Tensor:
        share = (1 - alpha_bar_next) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_next)
        sigma = eta * max(share, 0.0) ** 0.5
        x0 = predicted_x0(x_t, eps, alpha_bar)
        kept = max(1 - alpha_bar_next - sigma**2, 0.0) ** 0.5
        mean = alpha_bar_next**0.5 * x0 + kept * eps
        return mean + sigma * randn(x_t.shape[1:], sources).to(x_t) if sigma > 0 else mean

    return rule


def dpmpp_2m() -> Rule:
    """A rule that remembers one step: DPM-Solver++ (2M) (Lu et al., "DPM-Solver++", 2022, algorithm 2).

    With lambda = log(sqrt(alpha_bar) / sqrt(1 - alpha_bar)), h = lambda_next - lambda and r = h_before / h:
    D = (1 + 1 / 2r) x0 - (1 / 2r) x0_before,  x_next = (sigma_next / sigma) x_t - sqrt(alpha_bar_next) (e^-h - 1) D,
    which is the step of DDIM with D in place of the guess: a guess that looks ahead. The first step, and one that ends
    without noise, use D = x0. Make a new rule for every path.
    """
    before: list[tuple[Tensor, float]] = []

    def rule(x_t: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_next: float) -> Tensor:
        x0 = predicted_x0(x_t, eps, alpha_bar)
        if alpha_bar_next == 1:
            return x0
        h = _log_snr(alpha_bar_next) - _log_snr(alpha_bar)
        D = x0
        if before:
            x0_before, h_before = before.pop()
            D = x0 + (x0 - x0_before) * h / (2 * h_before)
        before.append((x0, h))
        return add_noise(D, alpha_bar_next, predicted_eps(x_t, D, alpha_bar))

    return rule


def _log_snr(alpha_bar: float) -> float:
    return 0.5 * math.log(alpha_bar / (1 - alpha_bar))


@torch.no_grad()
def denoise(predict: Predict, schedule: Schedule, x: Tensor, timesteps: Sequence[int],
            rule: Rule = ddim_step) -> Iterator[Step]:
    """From static to picture: guess the noise, yield the Step, let the rule move x, and again.

    Arguments: `predict(x_t, t)` returns the noise (B, ...) or a Guess; `x` (B, ...), standard normal where the path
    begins at static; falling `timesteps` (a slice of them resumes a path); `rule(x_t, eps, alpha_bar,
    alpha_bar_next)` returns the next x. Yields one Step for each call of predict, then the Step of arrival. A Step
    is yielded before the path goes on, so who stops has not paid for the next one.
    """
    for t, alpha_bar, alpha_bar_next in schedule.times(timesteps):
        guess = as_guess(predict(x, t))
        yield Step(x, guess.eps, alpha_bar, t, guess.eps_uncond)
        x = rule(x, guess.eps, alpha_bar, alpha_bar_next)
    yield arrived(x)


@torch.no_grad()
def heun(predict: Predict, schedule: Schedule, x: Tensor, timesteps: Sequence[int]) -> Iterator[Step]:
    """Try the step, guess again where it lands, then take it with the mean of both guesses (two calls a step).

    Heun's method in the variance preserving scaling (Karras et al., "Elucidating the Design Space of
    Diffusion-Based Generative Models", 2022, algorithm 1). The last step is a plain one. The second call's Step says
    so: note = "correction". Arguments as for `denoise`.
    """
    times = schedule.times(timesteps)
    for i, (t, alpha_bar, alpha_bar_next) in enumerate(times):
        guess = as_guess(predict(x, t))
        yield Step(x, guess.eps, alpha_bar, t, guess.eps_uncond)
        eps = guess.eps
        if i + 1 < len(times):
            trial, t_next = ddim_step(x, eps, alpha_bar, alpha_bar_next), times[i + 1][0]
            again = as_guess(predict(trial, t_next))
            yield Step(trial, again.eps, alpha_bar_next, t_next, again.eps_uncond, note="correction")
            eps = (eps + again.eps) / 2
        x = ddim_step(x, eps, alpha_bar, alpha_bar_next)
    yield arrived(x)


SAMPLERS: dict[str, Callable[..., Iterator[Step]]] = {
    "ddim": lambda *path, sources: denoise(*path),
    "ddpm": lambda *path, sources: denoise(*path, rule=ancestral(sources)),
    "dpmpp_2m": lambda *path, sources: denoise(*path, rule=dpmpp_2m()),
    "heun": lambda *path, sources: heun(*path),
}


def sample(model, recipe: Recipe) -> Steps:
    """The whole path of a recipe through any model of the protocol, as an iterator of Steps.

    Static is drawn from the recipe's seeds, the sampler is one of SAMPLERS. Raises LabError for a sampler that is
    not known, and at once: not only when the first Step is asked for.
    """
    if recipe.sampler not in SAMPLERS:
        raise LabError(f"the sampler is one of {', '.join(SAMPLERS)}; {recipe.sampler!r} came; choose one of these")
    timesteps = model.schedule.timesteps(recipe.n)
    predict = guided(model, recipe.prompt, recipe.negative_prompt, recipe.guidance_scale)
    sources = generators(recipe.seed)
    x = randn(model.shape, sources)                                               # (B, *shape)
    steps = SAMPLERS[recipe.sampler](predict, model.schedule, x, timesteps, sources=sources)
    return Steps(steps, recipe, model.to_rgb)
