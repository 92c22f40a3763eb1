"""How much signal is left at time t: the schedules of the field, kept as alpha_bar in float64."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from .errors import LabError
from .recipe import as_share, as_text, as_whole, plain, shortened

SPACINGS = ("trailing", "leading")
ALIGNED = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152)  # sigmas of Align Your Steps
MOST = 100_000  # timesteps; with more of them a schedule takes long to make, and no path is better


@dataclass(frozen=True, eq=False)
class Schedule:
    """A schedule: alpha_bar_t, the share of signal in the variance of x_t, for t = 0 (little noise) to T - 1 (static).

    Arguments: `name`; `alpha_bars` (T,), float64, falling, in (0, 1); `final`, the alpha_bar that the last step of a
    reverse path steps to (1: all noise is taken away; Stable Diffusion itself stops at .99915); `spacing`, how a few
    timesteps are chosen among T ("trailing" counts down from T - 1, "leading" counts up from 0); `offset` added to
    leading timesteps (Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2023, table 2).
    Raises LabError where one of them is of another kind, and where alpha_bar does not fall.
    """

    name: str
    alpha_bars: Tensor
    final: float = 1.0
    spacing: str = "trailing"
    offset: int = 0

    def __post_init__(self):
        advice = "take 1, or the first of alpha_bars"
        values = {"name": as_text(self.name, "a schedule's name"), "alpha_bars": _falling(self.alpha_bars),
                  "final": as_share(self.final, "a schedule's final alpha_bar", advice, some=True),
                  "offset": as_whole(self.offset, "a schedule's offset", "try 0 or 1", 0)}  # fmt: skip
        if self.spacing not in SPACINGS:
            raise LabError(f"a schedule's spacing is {' or '.join(SPACINGS)}; {self.spacing!r} came; choose one")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.alpha_bars)

    def alpha_bar(self, t: int) -> float:
        """The share of signal left at timestep t, an integer from 0 to T - 1, as a float in (0, 1)."""
        return float(self.alpha_bars[as_whole(t, "t", "take one from timesteps(n)", 0, len(self) - 1)])

    def timesteps(self, n: int) -> list[int]:
        """n of the T timesteps, falling, in the schedule's own spacing; n is a whole number from 1 to T."""
        T = len(self)
        n = as_whole(n, "the number of steps", "try 20 or 50", most=T)
        if self.spacing == "trailing":
            return [round(T - k * T / n) - 1 for k in range(n)]
        offset = min(self.offset, T - 1 - (n - 1) * (T // n))  # no timestep is beyond the last
        return [k * (T // n) + offset for k in reversed(range(n))]

    def labels(self, timesteps: Iterable[int]) -> list[int]:
        """Timesteps of any kind, numpy's and torch's too, as ints from 0 to T - 1; LabError for anything else."""
        timesteps = plain(timesteps)
        if not isinstance(timesteps, Iterable) or isinstance(timesteps, str | bytes):
            raise LabError(f"timesteps are a list of whole numbers; {shortened(timesteps)} came; take them from "
                           "timesteps(n), or a slice of those")  # fmt: skip
        return [as_whole(t, "t", "take one from timesteps(n)", 0, len(self) - 1) for t in timesteps]

    def times(self, timesteps: list[int]) -> list[tuple[int, float, float]]:
        """For each timestep: t, alpha_bar there, and alpha_bar where its step ends (`final` for the last).

        Raises LabError where there is none, or where one is not below the one before.
        """
        timesteps = self.labels(timesteps)
        if not timesteps or any(after >= before for before, after in pairwise(timesteps)):
            told = f"{timesteps[:6]}{' and so on' if len(timesteps) > 6 else ''}" if timesteps else "none"
            raise LabError(f"falling timesteps were expected, from static to picture; {told} came; take them from "
                           "timesteps(n), or a slice of those")
        bars = [self.alpha_bar(t) for t in timesteps]
        return list(zip(timesteps, bars, [*bars[1:], self.final], strict=True))


def _falling(alpha_bars) -> Tensor:
    """The shares of a schedule (T,) as float64; LabError where they are none, or do not fall."""
    try:
        bars = torch.as_tensor(alpha_bars, dtype=torch.float64).detach()
    except (TypeError, ValueError, RuntimeError):
        bars = torch.zeros(0)
    fits = bars.ndim == 1 and len(bars) and not bars.is_meta and bool((bars.diff() < 0).all())
    if not (fits and 0 <= bars[-1] and bars[0] <= 1):
        raise LabError(f"alpha_bars (T,) that fall within 0 to 1 were expected; {shortened(alpha_bars)} came; "
                       "give the shares of signal from little noise to static, as cosine().alpha_bars has them")
    return bars


def straight(T: int = 1000) -> Schedule:
    """The straight path of flow matching, (1 - s) x0 + s eps, in this laboratory's scaling: divided by its own size it
    has alpha_bar = (1 - s)^2 / ((1 - s)^2 + s^2), at the T times s = 1 / (T + 1) to T / (T + 1) (Liu, Gong and Liu,
    "Flow Straight and Fast", 2022, equation 1; Lipman et al., "Flow Matching for Generative Modeling", 2023).

    How x_t moves along it is u = eps - x0, and Euler's method on u is `ddim_step`. T is the number of timesteps.
    """
    T = as_whole(T, "a schedule's number of timesteps", "try 1000", most=MOST)
    s = torch.arange(1, T + 1, dtype=torch.float64) / (T + 1)
    return Schedule("straight", (1 - s) ** 2 / ((1 - s) ** 2 + s**2))


def _from_betas(name: str, betas: Tensor) -> Schedule:
    return Schedule(name, torch.cumprod(1 - betas, dim=0))


def linear(T: int = 1000) -> Schedule:
    """beta rises linearly from 1e-4 to 0.02 (DDPM, section 4), rescaled by 1000 / T; alpha_bar_t = prod (1 - beta_s).

    T is the number of timesteps, from 21 upwards (fewer would need a beta above 1).
    """
    T = as_whole(T, "the linear schedule's number of timesteps", "try 1000", least=21, most=MOST)
    return _from_betas("linear", torch.linspace(1e-4, 0.02, T, dtype=torch.float64) * (1000 / T))


def cosine(T: int = 1000) -> Schedule:
    """alpha_bar falls as cos^2((t/T + s) / (1 + s) pi/2), s = 0.008, no beta above 0.999 (Nichol and Dhariwal,
    "Improved Denoising Diffusion Probabilistic Models", 2021, equation 17); T is the number of timesteps."""
    T = as_whole(T, "a schedule's number of timesteps", "try 1000", most=MOST)
    bar = [math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(T + 1)]
    betas = [min(1 - after / before, 0.999) for before, after in zip(bar, bar[1:], strict=False)]
    return _from_betas("cosine", torch.tensor(betas, dtype=torch.float64))


def scaled_linear(T: int = 1000) -> Schedule:
    """The root of beta rises linearly from sqrt(0.00085) to sqrt(0.012): the schedule of Stable Diffusion
    (Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", 2022)."""
    T = as_whole(T, "a schedule's number of timesteps", "try 1000", most=MOST)
    return _from_betas("scaled linear", torch.linspace(0.00085**0.5, 0.012**0.5, T, dtype=torch.float64) ** 2)


def karras(schedule: Schedule, n: int, rho: float = 7.0, most: float = 80.0) -> list[int]:
    """n falling timesteps whose noise, sigma = sqrt((1 - alpha_bar) / alpha_bar), falls evenly in its root of order
    rho: sigma_i = (sigma_max^(1/rho) + i / (n - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho (Karras et al.,
    "Elucidating the Design Space of Diffusion-Based Generative Models", 2022, equation 5).

    sigma_min is the schedule's own at t = 0; sigma_max its own at T - 1, at most `most`. Many steps are small ones at
    little noise. Raises LabError for an n that is no whole number from 1 to T.
    """
    n = as_whole(n, "the number of steps", "try 6", most=len(schedule))
    sigmas = sigmas_of(schedule)
    top, low = min(float(sigmas[-1]), most) ** (1 / rho), max(float(sigmas[0]), 1e-9) ** (1 / rho)
    return _nearest(sigmas, [(top + i / max(n - 1, 1) * (low - top)) ** rho for i in range(n)])


def aligned(schedule: Schedule, n: int) -> list[int]:
    """n falling timesteps by "Align Your Steps": ten sigmas that were optimised for Stable Diffusion v1.5 (Sabour,
    Fidler and Kreis, "Align Your Steps: Optimizing Sampling Schedules in Diffusion Models", 2024; the table that its
    authors give away), for another n between them on a logarithmic scale.

    They suit any schedule, since they are sigmas and no timesteps; the path begins at T - 1 all the same, where static
    is. Raises LabError for an n that is no whole number from 1 to T.
    """
    n = as_whole(n, "the number of steps", "try 6", most=len(schedule))
    places = [9 * i / max(n - 1, 1) for i in range(n)]
    logs = [math.log(sigma) for sigma in ALIGNED]
    between = [logs[int(p)] + (p - int(p)) * (logs[min(int(p) + 1, 9)] - logs[int(p)]) for p in places]
    return _nearest(sigmas_of(schedule), [math.inf, *(math.exp(value) for value in between[1:])])


def sigmas_of(schedule: Schedule) -> Tensor:
    """How much noise there is for each picture: sigma = sqrt((1 - alpha_bar) / alpha_bar), (T,), rising (Karras et al.,
    2022, count time in it)."""
    return ((1 - schedule.alpha_bars) / schedule.alpha_bars).sqrt()


def _nearest(sigmas: Tensor, wanted: list[float]) -> list[int]:
    """The timesteps whose sigmas (T,) are nearest to the wanted ones, on a logarithmic scale, each below the one
    before."""
    logs, found = sigmas.clamp(min=1e-12).log(), []
    for left, sigma in zip(range(len(wanted) - 1, -1, -1), wanted, strict=True):
        t = len(sigmas) - 1 if sigma == math.inf else int((logs - math.log(sigma)).abs().argmin())
        found.append(max(left, min(t, found[-1] - 1 if found else t)))  # as many as are to come have room below
    return found


SCHEDULES = {"linear": linear, "cosine": cosine, "scaled linear": scaled_linear, "straight": straight}


def named(name: str) -> Schedule:
    """The schedule of a name in SCHEDULES, of 1000 timesteps; raises LabError for another name."""
    if not isinstance(name, str) or name not in SCHEDULES:
        raise LabError(f"a schedule is one of {', '.join(SCHEDULES)}; {name!r} came; choose one of these")
    return SCHEDULES[name]()


def as_schedule(schedule: Schedule | str) -> Schedule:
    """A schedule, or the one of a name in SCHEDULES; raises LabError for anything else."""
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, str):
        return named(schedule)
    came = getattr(schedule, "__name__", None) or shortened(schedule)
    raise LabError(f"a schedule was expected; {came} came; make one, as cosine() does, or take model.schedule")
