"""What a network is trained for: losses for a given picture, noise and time, and how those are drawn.

Diffusion, flow matching, reflow and distillation are one shape: they differ in what the network is asked for and in
where x0 and eps come from, drawn apart from each other, or as the two ends of a path that a teacher has walked.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import LabError
from .mixing import GUESS, TARGETS, add_noise, check_alike, target_of
from .protocol import check_samples
from .recipe import as_share, as_whole, shortened
from .schedules import Schedule, as_schedule


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss E |network(x_t, t, condition) - target|^2 of one way to ask (DDPM, equation 14 and algorithm 1).

    Arguments: `schedule`, how much signal is left at t; `target`, what the network is asked for: the noise "eps", the
    picture "x0" or the velocity "v" (diffusion), or the flow "u" (flow matching, on schedules.straight()).
    """

    schedule: Schedule
    target: str = "eps"

    def __post_init__(self):
        object.__setattr__(self, "schedule", as_schedule(self.schedule))
        if self.target not in TARGETS:
            raise LabError(f"a target was expected, one of {', '.join(TARGETS)}; {self.target!r} came; choose one")

    def __call__(self, network: Callable, x0: Tensor, eps: Tensor, t: Tensor,
                 condition: Tensor | None = None) -> Tensor:  # fmt: skip
        """The mean error over a batch, a scalar, for given pictures x0 and noise eps (B, ...) and times t (B,), whole
        numbers from 0 to T - 1; `condition` (B, ...) is what the network hears. Raises LabError for other shapes."""
        return self.errors(network, x0, eps, t, condition).mean()

    def errors(self, network: Callable, x0: Tensor, eps: Tensor, t: Tensor,
               condition: Tensor | None = None) -> Tensor:  # fmt: skip
        """The squared error of each number of the batch (B, ...), whose mean is the loss."""
        check_samples(x0, advice="make them with pixels.as_samples(pictures)")
        alpha_bar = self.schedule.alpha_bars[self._times(t, len(x0))].to(x0)                   # (B,)
        alpha_bar = alpha_bar.view(-1, *[1] * (x0.dim() - 1))                                  # (B, 1, ...)
        guess = network(add_noise(x0, alpha_bar, eps), t.to(x0.device), condition)             # (B, ...)
        check_alike(x0, guess, "a network's guess", "x_t", GUESS)
        return (guess - target_of(x0, eps, alpha_bar, self.target)).square()

    def _times(self, t: Tensor, B: int) -> Tensor:
        """The times (B,) on the CPU, where the schedule is; LabError for anything else."""
        T, whole = len(self.schedule), isinstance(t, Tensor) and t.dtype in (torch.int64, torch.int32)
        if not (whole and t.shape == (B,) and 0 <= (times := t.cpu()).min() and times.max() < T):
            raise LabError(f"a whole number from 0 to {T - 1} for each of {B} pictures was expected, t (B,); "
                           f"{shortened(t)} came; draw them with objectives.draw")
        return times


def draw(x0: Tensor, T: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """For each picture of x0 (B, ...) fresh noise eps (B, ...) and a time t (B,) of its own, from 0 to T - 1."""
    T = as_whole(T, "the number of times to draw from", "give len(schedule)")
    t = torch.randint(T, (len(x0),), generator=generator)                        # (B,)  a time for each
    return torch.randn(x0.shape, generator=generator).to(x0), t


def drop_condition(condition: Tensor, empty: Tensor, generator: torch.Generator, share: float = 0.1) -> Tensor:
    """Replace a `share` of the conditions (B, ...) by the `empty` one (1, ...), so that one network learns to guess
    with and without a prompt (Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022, algorithm 1)."""
    share = as_share(share, "the share of conditions to drop", "try 0.1")
    dropped = torch.rand(len(condition), generator=generator) < share           # (B,)
    dropped = dropped.to(condition.device).view(-1, *[1] * (condition.dim() - 1))
    return torch.where(dropped, empty.to(condition), condition)                 # (B, ...)
