"""The broken-sampler clinic: ten samplers, each with one bug that real courses have taught.

Every one of them runs, gives pictures of the right shape, and walks from static to something. They are meant to be
met as players and pictures; whoever reads this file reads the answers.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ...guidance import guide
from ...noising import generators, randn
from ...sampling import ancestral, ddim_step, predicted_x0
from ...trajectory import Recipe, Step, Trajectory, arrived
from . import illness

PATIENTS = {
    1: "timesteps ascending", 2: "noise left out", 3: "clipped to 0 and 1", 4: "noise in the last step",
    5: "wrong sign", 6: "guidance on the wrong side", 7: "stepped twice", 8: "alpha for alpha_bar",
    9: "step number for t", 10: "wrong variance",
}

Loop = Callable[["_Bed", Tensor], Iterator[Step]]


class _Bed:
    """What every patient lies in: a model, a prompt, its times and its noise."""

    def __init__(self, model, recipe: Recipe):
        self.model, self.recipe, self.sources = model, recipe, generators(recipe.seed)
        self.times = model.schedule.times(model.schedule.timesteps(recipe.n))
        self.static = randn(model.shape, self.sources)                            # (B, *shape)
        self.shake = ancestral(self.sources, eta=1.0)
        cond, uncond = model.condition(recipe.prompt), model.condition([""])
        self.conditions = cond, uncond.expand(len(self.static), *uncond.shape[1:])

    def guess(self, x_t: Tensor, t: int, turned: bool = False) -> tuple[Tensor, Tensor]:
        """The guided guess of the noise and the one without the prompt; `turned`: the two sides changed places."""
        eps_cond, eps_uncond = (self.model.predict_noise(x_t, t, c) for c in self.conditions)
        pair = (eps_cond, eps_uncond) if turned else (eps_uncond, eps_cond)
        return guide(*pair, self.recipe.guidance_scale), eps_uncond

    def walk(self, x: Tensor, rule, label=lambda k, t: t, turned: bool = False) -> Iterator[Step]:
        """A loop like `denoise`; `rule` moves x, `label` says which time the model is told at step k."""
        for k, (t, a, b) in enumerate(self.times):
            eps, eps_uncond = self.guess(x, label(k, t), turned)
            yield Step(x, eps, a, t, eps_uncond)
            x = rule(x, eps, a, b)
        yield arrived(x)


def _noise_in_the_last_step(bed: _Bed) -> Iterator[Step]:
    def rule(x_t, eps, a, b):
        b = min(b, 0.97)  # the last step, too, leaves room for fresh noise
        return bed.shake(x_t, eps, a, b)

    return bed.walk(bed.static, rule)


def _alpha_for_alpha_bar(bed: _Bed) -> Iterator[Step]:
    def rule(x_t, eps, a, b):
        alpha = a / b  # the share that one step keeps, where the share that all of them keep belongs
        x0 = (x_t - (1 - alpha) ** 0.5 * eps) / alpha**0.5
        return b**0.5 * x0 + (1 - b) ** 0.5 * eps

    return bed.walk(bed.static, rule)


def _wrong_sign(bed: _Bed) -> Iterator[Step]:
    return bed.walk(bed.static, lambda x_t, eps, a, b: ddim_step(x_t, -eps, a, b))


def _ascending(bed: _Bed) -> Iterator[Step]:
    x = bed.static
    rising = sorted((t, a) for t, a, _ in bed.times)
    for (t, a), (_, b) in zip(rising, [*rising[1:], rising[-1]], strict=True):
        eps, eps_uncond = bed.guess(x, t)
        yield Step(x, eps, a, t, eps_uncond)
        x = ddim_step(x, eps, a, b)
    yield arrived(x)


def _clipped_wrongly(bed: _Bed) -> Iterator[Step]:
    def rule(x_t, eps, a, b):
        x0 = predicted_x0(x_t, eps, a).clamp(0, 1)  # pixels go from -1 to 1 here
        return b**0.5 * x0 + (1 - b) ** 0.5 * (x_t - a**0.5 * x0) / (1 - a) ** 0.5

    return bed.walk(bed.static, rule)


def _noise_left_out(bed: _Bed) -> Iterator[Step]:
    def rule(x_t, eps, a, b):
        variance = (1 - b) / (1 - a) * (1 - a / b)  # of the noise that DDPM would add now
        return b**0.5 * predicted_x0(x_t, eps, a) + max(1 - b - variance, 0.0) ** 0.5 * eps

    return bed.walk(bed.static, rule)


def _stepped_twice(bed: _Bed) -> Iterator[Step]:
    def rule(x_t, eps, a, b):
        c = next((following for _, here, following in bed.times if here == b), b)
        return ddim_step(ddim_step(x_t, eps, a, b), eps, b, c)

    return bed.walk(bed.static, rule)


def _wrong_variance(bed: _Bed) -> Iterator[Step]:
    def rule(x_t, eps, a, b):
        variance = (1 - b) / (1 - a) * (1 - a / b)
        mean = b**0.5 * predicted_x0(x_t, eps, a) + max(1 - b - variance, 0.0) ** 0.5 * eps
        return mean + variance**0.25 * randn(x_t.shape[1:], bed.sources).to(x_t) if b < 1 else mean

    return bed.walk(bed.static, rule)


def _number_for_t(bed: _Bed) -> Iterator[Step]:
    return bed.walk(bed.static, ddim_step, label=lambda k, t: len(bed.times) - 1 - k)


def _wrong_side(bed: _Bed) -> Iterator[Step]:
    return bed.walk(bed.static, ddim_step, turned=True)


WARDS: dict[str, Loop] = {
    "noise in the last step": _noise_in_the_last_step,
    "alpha for alpha_bar": _alpha_for_alpha_bar,
    "wrong sign": _wrong_sign,
    "timesteps ascending": _ascending,
    "clipped to 0 and 1": _clipped_wrongly,
    "noise left out": _noise_left_out,
    "stepped twice": _stepped_twice,
    "wrong variance": _wrong_variance,
    "step number for t": _number_for_t,
    "guidance on the wrong side": _wrong_side,
}


@torch.no_grad()
def patient(number: int, model, prompt: str | Sequence[str] = "", *, n: int = 40,
            guidance_scale: float | None = None, seed: int | Sequence[int] = 0) -> Trajectory:
    """The path of one sabotaged sampler, through any model: to be watched, and to be named.

    Arguments: `number` of the patient, 1 to 10; the rest as for a model's `steps`. Returns a Trajectory; the same
    seeds start from the same static as a healthy sampler's. Raises LabError for a number that lies in no bed.
    """
    loop = WARDS[illness(PATIENTS, number)]
    recipe = Recipe.of(model, prompt, seed, sampler=f"patient {number}", n=n, guidance_scale=guidance_scale)
    return Trajectory(list(loop(_Bed(model, recipe))), recipe, model.to_rgb)
