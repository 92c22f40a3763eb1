"""What a path was made from, in plain values, and the doors through which a learner's values become plain."""

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from numbers import Integral, Real

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
        if isinstance(number, float) and number.is_integer():
            advice = "it is whole, but a float: `//` in place of `/` gives a whole number, and so does `int(...)`"
        raise LabError(f"{what} is a whole number{reach}; {shortened(value)} came; {advice}")
    return int(number)


def as_seeds(seed) -> tuple[int, ...]:
    """One seed or several (a sequence, an array) as ints; raises LabError for what is no number from 0 to 2**63 - 1."""
    seed = plain(seed)
    seeds = seed if isinstance(seed, Sequence) and not isinstance(seed, str | bytes) else (seed,)
    return tuple(as_whole(one, "a seed", "give one number a picture", 0, 2**63 - 1) for one in seeds)


def as_number(value, what: str, advice: str, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number as a float, numpy's and torch's too; `what` it is and the `advice` where it is none are told.

    Raises LabError for anything else, a bool and text among them, and for what is below `least` or above `most`.
    """
    one = plain(value)
    try:
        number = float(one) if isinstance(one, Real) and not isinstance(one, bool) else math.nan
    except OverflowError:
        number = math.nan
    if not (math.isfinite(number) and least <= number <= most):
        low = " above 0" if least > 0 else f" of {least:g} or more" if math.isfinite(least) else ""
        reach = f" from {least:g} to {most:g}" if math.isfinite(most) else low
        raise LabError(f"{what} is a number{reach}; {shortened(value)} came; {advice}")
    return number


def as_positive(value, what: str, advice: str) -> float:
    """A finite number above 0 as a float; raises LabError for anything else."""
    return as_number(value, what, advice, math.ulp(0))


def shortened(value) -> str:
    """What came, as an error message tells it: on one line, and not all of it where it is long."""
    told = " ".join(repr(value).split())
    return told if len(told) <= 80 else f"{told[:77]}..."


def as_share(value, what: str, advice: str, some: bool = False) -> float:
    """A share from 0 to 1 as a float, above 0 where it has to be `some`; raises LabError for anything else."""
    share = as_number(value, what, advice, 0, 1)
    if some and share == 0:
        raise LabError(f"{what} is a number above 0 and up to 1; {value!r} came; {advice}")
    return share


STRENGTH = 0.6  # of an edit of a whole picture, where no other is asked for


def as_strength(value) -> float:
    """The share of a path that an edit walks, above 0 and up to 1."""
    return as_share(value, "a strength", "0.3 is a little, 0.8 much", some=True)


def as_shape(value) -> tuple[int, ...]:
    """The shape of one sample, such as (3, 24, 24), as ints; raises LabError for what is no list of whole numbers above
    0."""
    shape = plain(value)
    if not isinstance(shape, Sequence) or isinstance(shape, str | bytes) or not len(shape):
        raise LabError(f"the shape of one sample was expected, such as (3, 24, 24); {shortened(shape)} came; "
                       "give model.shape")
    return tuple(as_whole(size, "a size in a shape", "give model.shape") for size in shape)


def as_eta(value) -> float:
    """The share of fresh noise in a sampler's steps, from 0 to 1."""
    return as_share(value, "eta", "0 is DDIM, 1 is DDPM")


def as_scale(value) -> float:
    """A guidance scale as a float; beyond 10,000 either way half precision would overflow (its largest is 65,504)."""
    number = as_number(value, "guidance_scale", "try 1 (no guidance), 3 or 7.5")
    return as_number(number, "guidance_scale", "try 1 (no guidance), 3 or 7.5", -10_000, 10_000)


def as_interval(value) -> tuple[float, float]:
    """Two timesteps, low and high, between which guidance acts, as floats; raises LabError for anything else."""
    ends, advice = plain(value), "try (0, 999): guidance acts where low <= t <= high"
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise LabError(f"guidance_interval is two timesteps, (low, high); {shortened(value)} came; {advice}")
    low, high = (as_number(end, "an end of guidance_interval", advice, 0) for end in ends)
    if low > high:
        raise LabError(f"guidance_interval begins with the lower timestep; ({low:g}, {high:g}) came; turn it around")
    return low, high


def as_text(value, what: str, advice: str = "write it in quotes", most: int | None = None) -> str:
    """Text that can be written down, of at most so many letters; raises LabError for anything else, half a character (a
    lone surrogate) too. What a terminal hands over byte by byte, as under the locale C, is put together again."""
    text = plain(value)
    if not isinstance(text, str):
        raise LabError(f"{what} is text; {shortened(value)} came; {advice}")
    if most is not None and len(text) > most:
        raise LabError(f"{what} has at most {most:,} letters; {len(text):,} came; shorten it")
    try:
        with suppress(UnicodeError):
            text = text.encode("utf-8", "surrogateescape").decode("utf-8")
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise LabError(f"{what} is text of whole characters; {ascii(text)} came; it holds half of one, "
                       "write it again") from None  # fmt: skip
    return str(text)


def as_prompts(prompt) -> tuple[str, ...]:
    """One prompt or several (a sequence, an array) as text; raises LabError for what is no text."""
    prompt = plain(prompt)
    prompts = prompt if isinstance(prompt, list | tuple) else (prompt,)
    return tuple(as_text(one, "a prompt", "write it in quotes, or several in a list") for one in prompts)


SIGNS = "\\@#%&*/_"  # Unicode counts them as punctuation, but they part no sentence


def words_of(text: str) -> list[str]:
    """The words of a prompt in small letters: what stands between spaces and punctuation, other signs among them."""
    apart = (unicodedata.category(c)[0] in "PZ" and c not in SIGNS for c in text.lower())
    return "".join(" " if gap else c for gap, c in zip(apart, text.lower(), strict=True)).split()


def told(words: Iterable[str]) -> str:
    """Words as an error message tells them: each on one line, a long one not whole, and not all of many."""
    each = [shortened(word) for word in words]
    return ", ".join(each[:8]) + (f" and {len(each) - 8} more" if len(each) > 8 else "")


def as_asked(prompts) -> tuple[str, ...]:
    """What a model is asked: one prompt or several; raises LabError for none, and for what is no text."""
    if not (asked := as_prompts(prompts)):
        raise LabError('at least one prompt was expected; none came; "" is the empty prompt')
    return asked


@dataclass(frozen=True)
class Recipe:
    """What a path was made from: enough to tell it, and to make it again.

    `sampler` is its name and `title` what a learner reads of it ("" where the name says it all); `eta`, the share of
    fresh noise in (0, 1] where the sampler shakes; `strength`, the share of the path that was walked from a picture. A
    guidance scale of 1 leaves the negative prompt and the interval out, which take no effect there.
    Raises LabError for a field of another kind; numbers of numpy and torch become Python's own.
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
    guidance_interval: tuple[float, float] | None = None

    def __post_init__(self):
        values = {name: as_text(getattr(self, name), f"a recipe's {name}")
                  for name in ("model", "sampler", "negative_prompt", "title")}  # fmt: skip
        values |= {"prompt": as_prompts(self.prompt), "seed": as_seeds(self.seed),
                   "n": as_whole(self.n, "the number of steps", "try 20 or 50", 0),
                   "strength": as_strength(self.strength)}  # fmt: skip
        for name, kind in (("guidance_scale", as_scale), ("eta", as_eta), ("guidance_interval", as_interval)):
            values[name] = None if getattr(self, name) is None else kind(getattr(self, name))
        if values["guidance_scale"] == 1:
            values |= {"negative_prompt": "", "guidance_interval": None}  # they take no effect
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, model, prompt: str | Sequence[str], seed: int | Sequence[int], **how) -> "Recipe":
        """The recipe of a batch: one prompt and one seed for each picture, and only what takes effect.

        Arguments: `model`, which gives its name, and its own guidance_scale and n where they are None; `prompt` and
        `seed`, one for all pictures or one for each; `how`, other fields of a recipe. Raises LabError for what is no
        text or no number of its kind, and where prompts and seeds are not as many.
        """
        prompts, seeds = as_prompts(prompt), as_seeds(seed)
        B = max(len(prompts), len(seeds))
        if not (len(prompts) in (1, B) and len(seeds) in (1, B) and prompts and seeds):
            raise LabError(f"one prompt and one seed a picture were expected; {len(prompts)} prompts and "
                           f"{len(seeds)} seeds came; give one of a kind, or as many of both")
        if "n" in how:
            how["n"] = model.n if how["n"] is None else how["n"]  # the schedule says which numbers it has
        scale = how.get("guidance_scale")
        how["guidance_scale"] = as_scale(model.guidance_scale if scale is None else scale)
        away = how.get("negative_prompt")
        how["negative_prompt"] = "" if away is None else as_text(away, "a negative prompt")
        if how["negative_prompt"] and scale is None and how["guidance_scale"] == 1:
            raise LabError(f"no negative prompt was expected, for {model.name} draws without guidance, where it plays "
                           f"no part; {shortened(away)} came; leave it out")  # fmt: skip
        prompts, seeds = (each * B if len(each) == 1 else each for each in (prompts, seeds))
        return cls(model.name, prompts, seeds, **how)

    @classmethod
    def from_dict(cls, values: Mapping) -> "Recipe":
        """The recipe in a saved path; what a later edition of the course added to it is left out."""
        known = {one.name for one in fields(cls)}
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known})
