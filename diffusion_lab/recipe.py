"""What a path was made from, in plain values, and the doors through which a learner's values become plain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral

from .errors import LabError


def plain(value):
    """What numpy and torch hold as Python's own numbers, text and lists; anything else as it came."""
    return value.tolist() if hasattr(value, "tolist") else value


def as_whole(value, what: str, advice: str, least: int = 1, most: int | None = None) -> int:
    """A whole number as an int, numpy's and torch's too; `what` it is and the `advice` where it is none are told.

    Raises LabError for anything else, a bool among them, and for what is below `least` or above `most`.
    """
    number = plain(value)
    whole = isinstance(number, Integral) and not isinstance(number, bool)
    if not whole or number < least or (most is not None and number > most):
        reach = f", {least} or more" if most is None else f" from {least} to {most}"
        raise LabError(f"{what} is a whole number{reach}; {value!r} came; {advice}")
    return int(number)


def as_seeds(seed) -> tuple[int, ...]:
    """One seed or several (a sequence, an array) as ints; raises LabError for what is no number from 0 to 2**63 - 1."""
    seed = plain(seed)
    seeds = seed if isinstance(seed, Sequence) and not isinstance(seed, str | bytes) else (seed,)
    return tuple(as_whole(one, "a seed", "give one number a picture", 0, 2**63 - 1) for one in seeds)


def as_scale(value: object) -> float:
    """A guidance scale as a finite float; raises LabError for anything else."""
    try:
        scale = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        scale = float("nan")
    if not abs(scale) < float("inf"):
        raise LabError(f"guidance_scale is a number; {value!r} came; try 1 (no guidance), 3 or 7.5")
    return scale


def as_prompts(prompt) -> tuple[str, ...]:
    """One prompt or several (a sequence, an array) as text; raises LabError for what is no text."""
    prompt = plain(prompt)
    prompts = tuple(prompt) if isinstance(prompt, list | tuple) else (prompt,)
    for one in prompts:
        if not isinstance(one, str):
            raise LabError(f"a prompt is text; {one!r} came; write it in quotes, or several in a list")
    return tuple(str(one) for one in prompts)


@dataclass(frozen=True)
class Recipe:
    """What a path was made from: enough to tell it, and to make it again.

    `sampler` is its name and `title` what a learner reads of it ("" where the name says it all); `eta`, the share of
    fresh noise in (0, 1] where the sampler shakes; `strength`, the share of the path that was walked from a picture.
    """

    model: str = ""
    prompt: tuple[str, ...] = ()
    seed: tuple[int, ...] = ()
    sampler: str = ""
    n: int = 0
    guidance_scale: float | None = None
    negative_prompt: str = ""
    title: str = ""
    eta: float | None = None
    strength: float = 1.0

    @classmethod
    def of(cls, model, prompt: str | Sequence[str], seed: int | Sequence[int], **how) -> "Recipe":
        """The recipe of a batch: one prompt and one seed for each picture, and only what takes effect.

        Arguments: `model`, which gives its name, and its own guidance_scale and n where they are None; `prompt` and
        `seed`, one for all pictures or one for each; `how`, other fields of a recipe. A guidance scale of 1 leaves
        the negative prompt out. Raises LabError for what is no text or no number of its kind, and where prompts and
        seeds are not as many.
        """
        prompts, seeds = as_prompts(prompt), as_seeds(seed)
        B = max(len(prompts), len(seeds))
        if not (len(prompts) in (1, B) and len(seeds) in (1, B) and prompts and seeds):
            raise LabError(f"one prompt and one seed a picture were expected; {len(prompts)} prompts and "
                           f"{len(seeds)} seeds came; give one of a kind, or as many of both")
        if "n" in how:
            how["n"] = plain(model.n if how["n"] is None else how["n"])  # the schedule says which numbers it has
        scale = how.get("guidance_scale")
        how["guidance_scale"] = as_scale(model.guidance_scale if scale is None else scale)
        (away,) = as_prompts(how.get("negative_prompt") or "")
        how["negative_prompt"] = "" if how["guidance_scale"] == 1 else away
        prompts, seeds = (each * B if len(each) == 1 else each for each in (prompts, seeds))
        return cls(model.name, prompts, seeds, **how)

    @classmethod
    def from_dict(cls, values: Mapping) -> "Recipe":
        """The recipe in a saved path; what a later edition of the course added to it is left out."""
        known = {one.name for one in fields(cls)}
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known})
