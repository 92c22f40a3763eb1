"""The forward process: from picture to static, in one jump or in a thousand small steps."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from .errors import LabError
from .mixing import add_noise
from .protocol import check_samples
from .recipe import Recipe, as_seeds, as_shape, shortened
from .schedules import Schedule, as_schedule
from .trajectory import ForwardSteps, Step, Trajectory

MOST = 2**29  # values, 2 GiB
CLEAN = "take it from model.encode(image) or as_samples(pictures)"


def generators(seed: int | Sequence[int]) -> list[torch.Generator]:
    """One random generator on the CPU for each seed, so that picture k never depends on the rest of its batch."""
    if not (seeds := as_seeds(seed)):
        raise LabError("at least one seed was expected; none came; give one number a picture")
    return [torch.Generator().manual_seed(one) for one in seeds]


def randn(shape: Sequence[int], sources: Sequence[torch.Generator]) -> Tensor:
    """Standard normal noise (B, *shape), picture k drawn from the k-th generator."""
    return torch.stack([torch.randn(*shape, generator=source) for source in sources])


def fresh_like(x: Tensor, sources: Sequence[torch.Generator]) -> Tensor:
    """Standard normal noise shaped as x (B, ...), where x lies; picture k drawn from the k-th of B generators."""
    if len(sources) != len(x):
        raise LabError(f"a random generator for each of {len(x)} pictures was expected; {len(sources)} came; make them "
                       "with noising.generators(seeds), one seed a picture")
    return randn(x.shape[1:], sources).to(x)


def noise(shape: Sequence[int], seed: int | Sequence[int] = 0) -> Tensor:
    """Static: standard normal values (B, *shape), float32, one picture for each seed.

    Raises LabError for a shape that is no list of whole numbers above 0, and for more values than a machine holds.
    """
    shape, sources = as_shape(shape), generators(seed)
    if len(sources) * math.prod(shape) > MOST:
        raise LabError(f"noise of at most {MOST:,} values was expected; {len(sources)} of {shortened(shape)} "
                       "came; give model.shape, or fewer seeds")
    return randn(shape, sources)


def small_steps(x0: Tensor, schedule: Schedule, generator: torch.Generator) -> Iterator[Step]:
    """Walk to static one timestep at a time: x_t = sqrt(alpha_t) x_(t-1) + sqrt(1 - alpha_t) z (DDPM, equation 2).

    alpha_t = alpha_bar_t / alpha_bar_(t-1), and z is fresh noise at every step. Each Step also carries `eps`, all
    noise so far merged into one standard normal picture: the noise for which one jump gives the same x_t.
    """
    check_samples(x0, advice=CLEAN)
    schedule = as_schedule(schedule)
    if not isinstance(generator, torch.Generator):
        raise LabError(f"a random generator was expected; {shortened(generator)} came; make one with "
                       "torch.Generator().manual_seed(0)")
    x, eps, before = x0, torch.zeros_like(x0), 1.0
    for t in range(len(schedule)):
        alpha_bar = schedule.alpha_bar(t)
        alpha = alpha_bar / before
        z = torch.randn(x0.shape, generator=generator, dtype=x0.dtype).to(x0.device)
        x = add_noise(x, alpha, z)
        eps = ((alpha * (1 - before)) ** 0.5 * eps + (1 - alpha) ** 0.5 * z) / (1 - alpha_bar) ** 0.5
        before = alpha_bar
        yield Step(x, eps, alpha_bar, t)


def forward(x0: Tensor, schedule: Schedule, timesteps: Sequence[int] | None = None, eps: Tensor | None = None,
            to_rgb: Tensor | None = None) -> Trajectory:
    """The forward path with one fixed noise, so that the same static grows over the picture.

    Arguments: `x0` (B, ...); `schedule`; rising `timesteps` (all of them if left out); `eps` (drawn from seed 0 if
    left out); `to_rgb` as in Trajectory. Returns a Trajectory that begins with the clean picture; its x_t are
    computed when they are asked for, so that a thousand steps cost no memory.
    """
    check_samples(x0, advice=CLEAN)
    schedule = as_schedule(schedule)
    timesteps = schedule.labels(range(len(schedule)) if timesteps is None else timesteps)
    if not timesteps or any(after <= before for before, after in pairwise(timesteps)):
        raise LabError(f"rising timesteps were expected, from picture to static; {shortened(timesteps)} came; sort "
                       "them, or leave them out")
    if eps is not None:
        check_samples(eps, x0.shape[1:], "draw the noise with noise(x0.shape[1:], seed)")
    eps = noise(x0.shape[1:], list(range(len(x0)))).to(x0.device) if eps is None else eps
    bars = [1.0, *(schedule.alpha_bar(t) for t in timesteps)]
    add_noise(x0, bars[-1], eps)  # complains about batches that do not fit
    recipe = Recipe(sampler=f"{schedule.name} schedule", n=len(bars) - 1)
    return Trajectory(ForwardSteps(x0, eps, bars, [-1, *timesteps]), recipe, to_rgb)
