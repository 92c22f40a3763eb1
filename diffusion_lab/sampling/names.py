"""The samplers by name: one entry each, in one table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from ..editing import Edit, begin_with, check_edit, keep
from ..errors import LabError
from ..guidance import check_interval, guided
from ..noising import generators, randn
from ..protocol import Model, Rule
from ..recipe import Recipe, as_eta, as_whole
from ..schedules import Schedule
from ..trajectory import Step, Steps
from .loop import denoise, heun
from .rules import ancestral, ddim_step, dpmpp_2m

STEPS = "the number of steps", "try 20 or 50"


@dataclass(frozen=True)
class Sampler:
    """A way to walk from static to picture.

    Arguments: `title`, what a learner reads; `rule(sampler, schedule, sources)`, which makes the Rule of one path
    (`sources`, one random generator a picture); `walk`, the loop that follows it; `eta`, the share of fresh noise in
    [0, 1], None where the sampler never shakes; `calls(n)`, how often n steps ask the model; `times(schedule, n)`, the
    falling timesteps of a whole path.
    """

    title: str
    rule: Callable[["Sampler", Schedule, list[torch.Generator]], Rule] = lambda sampler, schedule, sources: ddim_step
    walk: Callable[..., Iterator[Step]] = denoise
    eta: float | None = None
    calls: Callable[[int], int] = lambda n: n
    times: Callable[[Schedule, int], list[int]] = Schedule.timesteps

    def __post_init__(self):
        object.__setattr__(self, "eta", None if self.eta is None else as_eta(self.eta))

    def with_eta(self, eta: float) -> "Sampler":
        """The same sampler with another share of fresh noise, 0 to 1; raises LabError where it has none."""
        if self.eta is None:
            raise LabError(f'a sampler that shakes was expected; {self.title} came; it has no eta; try "ddpm"')
        eta = as_eta(eta)
        return replace(self, title=f"{self.title}, eta {eta:g}", eta=eta)


def from_80(schedule: Schedule, n: int) -> list[int]:
    """n timesteps in the schedule's own spacing, the first one where there is at most 80 times as much noise as
    picture: there Karras et al. begin (sigma_max in table 1 of "Elucidating the Design Space of Diffusion-Based
    Generative Models", 2022). All of the schedule's where those are too few."""
    few = schedule.alpha_bars[schedule.alpha_bars >= 1 / (1 + 80**2)]
    return (replace(schedule, alpha_bars=few) if len(few) >= as_whole(n, *STEPS) else schedule).timesteps(n)


SAMPLERS: dict[str, Sampler] = {
    "ddim": Sampler("DDIM"),
    "ddpm": Sampler("DDPM", lambda sampler, schedule, sources: ancestral(sources, sampler.eta), eta=1.0),
    "dpmpp_2m": Sampler("DPM++ 2M", lambda sampler, schedule, sources: dpmpp_2m(schedule.final)),
    "heun": Sampler("Heun", walk=heun, calls=lambda n: 2 * n - 1, times=from_80),
}


def as_sampler(sampler: str | Sampler) -> tuple[str, Sampler]:
    """A sampler's name in SAMPLERS and its entry; one that is not of the table goes by its title.

    Raises LabError for a name that is not known.
    """
    if isinstance(sampler, Sampler):
        own = [name for name, entry in SAMPLERS.items() if (entry.rule, entry.walk) == (sampler.rule, sampler.walk)]
        return (own or [sampler.title])[0], sampler
    if not isinstance(sampler, str) or sampler not in SAMPLERS:
        raise LabError(f"the sampler is one of {', '.join(SAMPLERS)}; {sampler!r} came; choose one of these")
    return sampler, SAMPLERS[sampler]


def sample(model: Model, recipe: Recipe, sampler: str | Sampler | None = None, edit: Edit | None = None) -> Steps:
    """The whole path of a recipe through any model of the protocol, as an iterator of Steps.

    Static is drawn from the recipe's seeds; `sampler`, a name or an entry (the model's own if left out); `edit`, what
    is to be changed of a picture that is there. Raises LabError at once for what cannot be drawn: not only when the
    first Step is asked for.
    """
    name, chosen = as_sampler(model.sampler if sampler is None else sampler)
    recipe = replace(recipe, sampler=name, title=chosen.title, eta=chosen.eta)
    timesteps = chosen.times(model.schedule, recipe.n)
    interval = recipe.guidance_interval
    predict = guided(model, recipe.prompt, recipe.negative_prompt, recipe.guidance_scale, interval)
    sources = generators(recipe.seed)
    x = eps = randn(model.shape, sources)                                         # (B, *shape)
    rule = chosen.rule(chosen, model.schedule, sources)
    if edit is not None:
        check_edit(edit)
        edit = edit.within(model.shape) if len(model.shape) == 3 else edit
        recipe, known = replace(recipe, strength=edit.strength), model.encode(edit.image)
        x, timesteps = begin_with(known, model.schedule, timesteps, edit.strength, eps)
        rule = rule if edit.mask is None else keep(rule, known, edit.on(model.shape), eps, model.schedule.final)
    check_interval(interval, timesteps)
    return Steps(chosen.walk(predict, model.schedule, x, timesteps, rule), recipe, model.to_rgb)
