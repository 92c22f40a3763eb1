"""diffusers' schedulers, made by name, and what their steps mean in this laboratory's one scaling.

A scheduler keeps its samples in a space of its own (some divide by sqrt(1 + sigma^2) before the U-Net sees them), and
a U-Net guesses the noise, the picture or a mix of both. What the U-Net *sees* is always variance preserving, so a
Step is read there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import diffusers
import torch
from diffusers import SchedulerMixin
from torch import Tensor

from ..errors import LabError
from ..mixing import eps_of
from ..schedules import Schedule
from ..trajectory import Step
from .samplers import SAMPLERS

LEAST = 2.0**-24  # the share of signal that stands for none (diffusers' Euler takes the same)
KINDS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}  # what a network predicts, in diffusers' words and ours


def fresh(scheduler: SchedulerMixin, sampler: str = "own") -> SchedulerMixin:
    """A new scheduler of the sampler's kind with this one's numbers, so that no two paths share a state.

    `sampler` is a name in SAMPLERS, or "own" for the same kind. Without clip_sample=False some kinds would cut
    latents off at 1, and say nothing.
    """
    if sampler == "own":
        check_scheduler(scheduler)
        return type(scheduler).from_config(scheduler.config, clip_sample=False)
    if not isinstance(sampler, str) or sampler not in SAMPLERS:
        came = repr(sampler) if isinstance(sampler, str) else f"a {type(sampler).__name__}"
        raise LabError(f"the sampler is the name of one of diffusers' own, {', '.join(SAMPLERS)}, own; {came} came; "
                       "choose one of these")
    chosen = SAMPLERS[sampler]
    kind = getattr(diffusers, f"{chosen.kind}Scheduler")
    return kind.from_config(scheduler.config, clip_sample=False, **chosen.settings)


def check_scheduler(scheduler: SchedulerMixin) -> None:
    """Raises LabError for a scheduler whose U-Net sees another mix of signal and noise than this laboratory's."""
    if not hasattr(scheduler, "alphas_cumprod"):
        raise LabError("a scheduler with alphas_cumprod was expected; "
                       f"{type(scheduler).__name__} came, whose U-Net sees another mix of picture and noise; take a "
                       "DDIMScheduler, made with from_config")  # fmt: skip


def name_of(scheduler: SchedulerMixin) -> str:
    """The name in SAMPLERS that a scheduler has, where it is none of them its class's."""
    kind = type(scheduler).__name__.removesuffix("Scheduler")
    fits = [(len(known.settings), name) for name, known in SAMPLERS.items()
            if known.kind == kind and known.settings.items() <= dict(scheduler.config).items()]
    return max(fits)[1] if fits else kind


def told(scheduler: SchedulerMixin) -> dict[str, str | float | None]:
    """How a Recipe tells of a scheduler: its `sampler`, the `title` that a learner reads, and its `eta`."""
    name = name_of(scheduler)
    known = SAMPLERS.get(name)
    return {"sampler": name, "title": known.title if known else name, "eta": known.eta if known else None}


def schedule_of(scheduler: SchedulerMixin, name: str) -> Schedule:
    """The noise schedule of a model's scheduler, as its DDIM sampler would walk it."""
    ddim = fresh(scheduler, "ddim")
    spacing = "leading" if ddim.config.timestep_spacing == "leading" else "trailing"
    bars, final = ddim.alphas_cumprod.double().clamp(min=LEAST), float(ddim.final_alpha_cumprod)
    return Schedule(name, bars, final, spacing, ddim.config.steps_offset)


def eps_from(guess: Tensor, x: Tensor, alpha_bar: float, kind: str) -> Tensor:
    """The noise in what a network guessed about x; `kind` is diffusers' word for what it predicts, one of KINDS."""
    if kind not in KINDS:
        raise LabError(f"the network predicts {', '.join(KINDS)}; {kind!r} came; mend scheduler_config.json")
    return eps_of(guess, x, alpha_bar, KINDS[kind])


@dataclass(frozen=True)
class Scribe:
    """Writes down what one U-Net call saw and guessed as a Step; its tables are made before the first call.

    Arguments: for each call of the path `alpha_bars`, `ts` and `notes`; `kind`, what the network predicts.
    """

    alpha_bars: list[float]
    ts: list[float]
    notes: list[str]
    kind: str

    def step(self, i: int, seen: Tensor, guess: Tensor, uncond: Tensor | None, **extras: Tensor) -> Step:
        """The Step of call i: `seen` (B, ...) what the U-Net saw, `guess` what it answered after guidance."""
        a = self.alpha_bars[i]
        x = seen.float()
        eps_uncond = None if uncond is None else eps_from(uncond.float(), x, a, self.kind)
        return Step(x, eps_from(guess.float(), x, a, self.kind), a, self.ts[i], eps_uncond, self.notes[i], extras)


def scribe(scheduler: SchedulerMixin, ts: Sequence[float] | None = None, first: int = 0) -> Scribe:
    """The Scribe of a scheduler whose timesteps are set.

    `ts` are the times of the calls, `first` the place of the first among the scheduler's own (all of them, if left
    out). A scheduler that counts in sigma has alpha_bar = 1 / (1 + sigma^2) (its integer t is only the nearest one);
    the others look alpha_bar up at t; where a schedule ends without any signal, LEAST of it stands in.
    """
    ts = torch.as_tensor(scheduler.timesteps).tolist() if ts is None else list(ts)
    if hasattr(scheduler, "sigmas"):
        sigmas = scheduler.sigmas.tolist()
        if hasattr(scheduler, "sigmas_interpol"):  # every second call is made between two times
            between = scheduler.sigmas_interpol.tolist()
            back = isinstance(scheduler, diffusers.KDPM2AncestralDiscreteScheduler)  # it keeps them one place earlier
            sigmas[1::2] = between[1 - back :: 2][: len(sigmas[1::2])]
        bars = [1 / (1 + sigma**2) for sigma in sigmas[first : first + len(ts)]]
    else:
        alphas = scheduler.alphas_cumprod.tolist()
        bars = [max(alphas[int(t)], LEAST) for t in ts]
    notes = ["correction" if _is_second(scheduler, i, first) else "" for i in range(len(ts))]
    return Scribe(bars, [float(t) for t in ts], notes, scheduler.config.prediction_type)


def _is_second(scheduler: SchedulerMixin, i: int, first: int) -> bool:
    """Whether call i is the second one within a step: every odd one of a second-order scheduler, PNDM's call 1."""
    return (first + i) % 2 == 1 if scheduler.order == 2 else isinstance(scheduler, diffusers.PNDMScheduler) and i == 1
