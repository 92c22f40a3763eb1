"""What a network is trained for: losses for a given picture, noise and time, and how those are drawn.

Diffusion, flow matching, reflow and distillation are one shape: they differ in what the network is asked for and in
where x0 and eps come from, drawn apart from each other, or as the two ends of a path that a teacher has walked.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import LabError
from .mixing import TARGETS, add_noise, target_of
from .schedules import Schedule


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss E |network(x_t, t, condition) - target|^2 of one way to ask (DDPM, equation 14 and algorithm 1).

    Arguments: `schedule`, how much signal is left at t; `target`, what the network is asked for: the noise "eps", the
    picture "x0" or the velocity "v" (diffusion), or the flow "u" (flow matching, on schedules.straight()).
    """

    schedule: Schedule
    target: str = "eps"

    def __post_init__(self):
        if self.target not in TARGETS:
            raise LabError(f"a target was expected, one of {', '.join(TARGETS)}; {self.target!r} came; choose one")

    def __call__(self, network: Callable, x0: Tensor, eps: Tensor, t: Tensor,
                 condition: Tensor | None = None) -> Tensor:  # fmt: skip
        """The mean error over a batch, a scalar, for given pictures x0 and noise eps (B, ...) and times t (B,), whole
        numbers from 0 to T - 1; `condition` (B, ...) is what the network hears."""
        alpha_bar = self.schedule.alpha_bars[t.cpu()].to(x0).view(-1, *[1] * (x0.dim() - 1))   # (B, 1, ...)
        guess = network(add_noise(x0, alpha_bar, eps), t.to(x0.device), condition)             # (B, ...)
        return (guess - target_of(x0, eps, alpha_bar, self.target)).square().mean()


def draw(x0: Tensor, T: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """For each picture of x0 (B, ...) fresh noise eps (B, ...) and a time t (B,) of its own, from 0 to T - 1."""
    t = torch.randint(T, (len(x0),), generator=generator)                        # (B,)  a time for each
    return torch.randn(x0.shape, generator=generator).to(x0), t


def drop_condition(condition: Tensor, empty: Tensor, generator: torch.Generator, share: float = 0.1) -> Tensor:
    """Replace a `share` of the conditions (B, ...) by the `empty` one (1, ...), so that one network learns to guess
    with and without a prompt (Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022, algorithm 1)."""
    dropped = torch.rand(len(condition), generator=generator) < share           # (B,)
    dropped = dropped.to(condition.device).view(-1, *[1] * (condition.dim() - 1))
    return torch.where(dropped, empty.to(condition), condition)                 # (B, ...)
