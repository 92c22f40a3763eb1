"""How much signal is left at time t: the three schedules of the field, kept as alpha_bar in float64."""

import math
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor

from .errors import LabError


@dataclass(frozen=True, eq=False)
class Schedule:
    """A schedule: alpha_bar_t, the share of signal in the variance of x_t, for t = 0 (little noise) to T - 1 (static).

    Arguments: `name`; `alpha_bars` (T,), float64, falling, in (0, 1); `final`, the alpha_bar that the last step of a
    reverse path steps to (1: all noise is taken away; Stable Diffusion itself stops at .99915); `spacing`, how a few
    timesteps are chosen among T ("trailing" counts down from T - 1, "leading" counts up from 0); `offset` added to
    leading timesteps (Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2023, table 2).
    """

    name: str
    alpha_bars: Tensor
    final: float = 1.0
    spacing: str = "trailing"
    offset: int = 0

    def __len__(self) -> int:
        return len(self.alpha_bars)

    def alpha_bar(self, t: int) -> float:
        """The share of signal left at timestep t, an integer from 0 to T - 1, as a float in (0, 1)."""
        if not isinstance(t, Integral) or isinstance(t, bool) or not 0 <= t < len(self):
            raise LabError(f"t is a whole number from 0 to {len(self) - 1}; {t!r} came; take one from timesteps(n)")
        return float(self.alpha_bars[t])

    def timesteps(self, n: int) -> list[int]:
        """n of the T timesteps, falling, in the schedule's own spacing; n is a whole number from 1 to T."""
        T = len(self)
        if not isinstance(n, Integral) or isinstance(n, bool) or not 1 <= n <= T:
            raise LabError(f"the number of steps is a whole number from 1 to {T}; {n!r} came; try 20 or 50")
        if self.spacing == "trailing":
            return [round(T - k * T / n) - 1 for k in range(n)]
        return [k * (T // n) + self.offset for k in reversed(range(n))]

    def times(self, timesteps: list[int]) -> list[tuple[int, float, float]]:
        """For each timestep: t, alpha_bar there, and alpha_bar where its step ends (`final` for the last)."""
        bars = [self.alpha_bar(t) for t in timesteps]
        return list(zip(timesteps, bars, [*bars[1:], self.final], strict=True))


def _from_betas(name: str, betas: Tensor) -> Schedule:
    return Schedule(name, torch.cumprod(1 - betas, dim=0))


def linear(T: int = 1000) -> Schedule:
    """beta rises linearly from 1e-4 to 0.02 (DDPM, section 4), rescaled by 1000 / T; alpha_bar_t = prod (1 - beta_s).

    T is the number of timesteps, from 21 upwards (fewer would need a beta above 1).
    """
    if not isinstance(T, Integral) or T < 21:
        raise LabError(f"the linear schedule needs a whole number of timesteps, 21 or more; {T!r} came; try 1000")
    return _from_betas("linear", torch.linspace(1e-4, 0.02, T, dtype=torch.float64) * (1000 / T))


def cosine(T: int = 1000) -> Schedule:
    """alpha_bar falls as cos^2((t/T + s) / (1 + s) pi/2), s = 0.008, no beta above 0.999 (Nichol and Dhariwal,
    "Improved Denoising Diffusion Probabilistic Models", 2021, equation 17); T is the number of timesteps."""
    if not isinstance(T, Integral) or T < 1:
        raise LabError(f"a schedule needs a whole number of timesteps, 1 or more; {T!r} came; try 1000")
    bar = [math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(T + 1)]
    betas = [min(1 - after / before, 0.999) for before, after in zip(bar, bar[1:], strict=False)]
    return _from_betas("cosine", torch.tensor(betas, dtype=torch.float64))


def scaled_linear(T: int = 1000) -> Schedule:
    """The root of beta rises linearly from sqrt(0.00085) to sqrt(0.012): the schedule of Stable Diffusion
    (Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", 2022)."""
    if not isinstance(T, Integral) or T < 1:
        raise LabError(f"a schedule needs a whole number of timesteps, 1 or more; {T!r} came; try 1000")
    return _from_betas("scaled linear", torch.linspace(0.00085**0.5, 0.012**0.5, T, dtype=torch.float64) ** 2)
