"""What a player says of its paths: what one sees, what a path was made from, what tells two of them apart."""

from collections.abc import Iterable, Sequence

import torch

from ..errors import LabError
from ..recipe import as_text, shortened
from ..trajectory import Trajectory
from . import frames
from .paths import latents, own

LONGEST = 2_000  # letters of a question or a caption


def told(ask, caption) -> tuple[str, str]:
    """A question and a caption as text; raises LabError for anything else, and for a text that is no line."""
    return as_text(ask, "ask, a question,", most=LONGEST), as_text(caption, "a caption", most=LONGEST)


def names(given, paths: int) -> list[str]:
    """What two paths are called, as text, or nothing; raises LabError for other than a name for each of two."""
    single = isinstance(given, str) or not isinstance(given, Iterable)
    if single or len(given := list(given)) not in (0, 2) or (given and paths == 1):
        raise LabError(f"a name for each of two paths was expected; {shortened(given)} came; give two of both, or none")
    return [as_text(one, "a name", most=LONGEST) for one in given]


def percent(share: float) -> str:
    """A share as a percentage: whole from 1 % on, with a decimal below and just under 100."""
    value = 100 * share
    return f"{value:.1f}" if 0.05 <= value < 1 or 99 < value < 99.95 else f"{value:.0f}"


def title(trajectories: list[Trajectory], index: int) -> str:
    """The prompt in quotation marks, or what happens (two paths with two prompts name them under the panels)."""
    prompts = {prompt_of(each, index) for each in trajectories}
    if len(prompts) == 1 and prompts != {""}:
        return f"“{prompts.pop()}”"
    noise, clean = ("noise", "data") if frames.is_points(trajectories[0]) else ("static", "picture")
    reverse = trajectories[0].direction == "reverse"
    return f"From {noise} to {clean}" if reverse else f"From {clean} to {noise}"


def opening(trajectories: list[Trajectory], names: Sequence[str] = ()) -> str:
    """What one sees, in one sentence for somebody who sees a player for the first time."""
    if names:
        return f"A: {names[0]}. B: {names[1]}."
    first, two = trajectories[0], len(trajectories) == 2
    points = frames.is_points(first)
    noise, clean = ("noise", "points") if points else ("static", "a picture")
    if first.direction == "forward":
        way = f"from {clean} to {noise}"
        return (f"Two ways {way}, A and B, side by side." if two else
                f"{'Points dissolve' if points else 'A picture dissolves'} into {noise}: at each step a little less of "
                f"{'them' if points else 'it'}, a little more noise.")  # fmt: skip
    if two:
        return f"Two ways from {noise} to {clean}, A and B, side by side where both are equally noisy."
    it = "them" if points else "it"
    return f"{noise.capitalize()} becomes {clean}: at each step the computer guesses {it}, and a little {noise} goes."


def prompt_of(trajectory: Trajectory, index: int) -> str:
    return _one(trajectory.recipe.prompt, index, "")


def _one(values: tuple, index: int, none):
    """The value of one picture of a batch (the last, where there are fewer), or `none` where there is none."""
    return values[min(index, len(values) - 1)] if values else none


def _told(trajectory: Trajectory, index: int) -> dict[str, str]:
    recipe = trajectory.recipe
    prompt, seed, scale = prompt_of(trajectory, index), _one(recipe.seed, index, None), recipe.guidance_scale
    return {
        "prompt": f"“{prompt}”" if prompt else "no prompt", "model": recipe.model,
        "seed": "" if seed is None else f"seed {seed}",
        "sampler": recipe.title or recipe.sampler,
        "n": f"{recipe.n} step{'s' * (recipe.n != 1)}" if recipe.n else "",
        "guidance": "" if scale is None else f"guidance {scale:g}{_within(recipe.guidance_interval)}",
        "negative": f"without “{recipe.negative_prompt}”" if recipe.negative_prompt else "",
    }  # fmt: skip


def _within(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" for t from {interval[0]:g} to {interval[1]:g} only"


def recipe_line(trajectory: Trajectory, index: int) -> str:
    """ "Tiny SD · seed 7 · DDIM, 25 steps · guidance 2.5": what the path was made from, in one line."""
    told = _told(trajectory, index)
    walk = ", ".join(filter(None, (told["sampler"], told["n"])))
    scale = "" if trajectory.recipe.guidance_scale == 1 else told["guidance"]
    return " · ".join(filter(None, (told["model"], told["seed"], walk, scale, told["negative"])))


def told_apart(a: Trajectory, b: Trajectory, index: int, names: Sequence[str] = ()) -> list[str]:
    """Two names, "A · DDIM, 10 steps" and "B · Heun, 25 steps": those given, or what differs between two recipes."""
    if names:
        return [f"{letter} · {name}" for letter, name in zip("AB", names, strict=True)]
    one, two = _told(a, index), _told(b, index)
    differ = [key for key in one if one[key] and two[key] and one[key] != two[key]]
    return [" · ".join([letter, *(told[key] for key in differ)]) for letter, told in (("A", one), ("B", two))]


def start_line(a: Trajectory, b: Trajectory, index: int) -> str:
    """Whether both paths begin with the very same values, in words."""
    x, y = a[0].x_t.float().cpu(), b[0].x_t.float().cpu()
    same = x.shape == y.shape and torch.equal(own(x, index, frames.is_points(a)), own(y, index, frames.is_points(b)))
    if a.direction == "forward":
        return "same picture" if same else "different pictures"
    seeds = {_one(each.recipe.seed, index, None) for each in (a, b)} - {None}
    seed = f", seed {seeds.pop()}" if len(seeds) == 1 and same else ""
    return f"same starting noise{seed}" if same else "different starting noise"


def mosaic(trajectory: Trajectory) -> str:
    """What a picture of latents is, in words; "" where samples are drawn as they are."""
    size = latents(trajectory)
    return f"the {size[0]}×{size[1]} latents that the model works on, as colours" if size else ""
