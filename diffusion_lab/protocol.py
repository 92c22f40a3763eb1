"""What a model is, in code: whatever has these attributes and methods can be drawn with, watched, edited and judged.

There is no common base class: the exact denoiser, the toy and Stable Diffusion each satisfy `Model`, and one test
holds all of them to it, names, kinds and defaults of the arguments included.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from PIL import Image
from torch import Tensor

from .errors import LabError
from .mixing import check_alike
from .recipe import shortened
from .schedules import Schedule
from .trajectory import Step


class Guess(NamedTuple):
    """A guess of the noise (B, ...), and where guidance made it, the guess without the prompt."""

    eps: Tensor
    eps_uncond: Tensor | None = None


class Move(NamedTuple):
    """Where a rule goes, x (B, ...), and what it wants to be seen there: the next Step carries the `extras`."""

    x: Tensor
    extras: Mapping[str, Tensor] = {}


def as_guess(value: Tensor | Guess, x: Tensor) -> Guess:
    """What a predict function returned at x, as a Guess: a bare tensor is a guess without guidance.

    Raises LabError where it is none, or has another shape than x.
    """
    guess = value if isinstance(value, Guess) else Guess(value)
    for one in guess[: 1 if guess.eps_uncond is None else 2]:
        check_alike(x, one, "a guess of the noise", "x_t", "predict one noise value for each value of x_t")
    return guess


def as_move(value: Tensor | Move, x: Tensor) -> Move:
    """What a rule returned at x, as a Move: a bare tensor is one without extras.

    Raises LabError where it is none, or has another shape than x.
    """
    move = value if isinstance(value, Move) else Move(value)
    check_alike(x, move.x, "the rule's next x", "x_t", "return what x_t becomes, one value for each of it")
    return move


def check_samples(x, shape: Sequence[int | None] | None = None, advice: str = "start from noise(shape, seed)") -> None:
    """Raises LabError where x is no batch of samples (B, *shape), one at least; None is a size that is free."""
    dense = isinstance(x, Tensor) and x.is_floating_point() and x.layout == torch.strided
    if not (dense and x.ndim and x.numel() and (shape is None or _has_rows(x, shape))):
        wanted = "..." if shape is None else ", ".join("any" if s is None else str(s) for s in shape)
        told = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        kind = f" of {x.dtype}" if isinstance(x, Tensor) and not dense else ""
        raise LabError(f"samples of shape (B, {wanted}) were expected; {told}{kind} came; {advice}")


def _has_rows(x: Tensor, shape: Sequence[int | None]) -> bool:
    """Whether x is (B, *shape); None is a size that is free."""
    return x.ndim == len(shape) + 1 and all(s in (None, n) for s, n in zip(shape, x.shape[1:], strict=True))


def one_each(condition: Tensor, B: int, shape: Sequence[int | None] | None = None) -> Tensor:
    """What a network hears of one prompt, or of B of them, as one row for each of B pictures (B, ...).

    `shape` is that of one row, None a size that is free. Raises LabError for anything else.
    """
    rows = isinstance(condition, Tensor) and condition.ndim
    if not rows or len(condition) not in (1, B):
        told = f"{len(condition)} prompts" if rows else shortened(condition)
        raise LabError(f"one prompt for each picture was expected; {told} came; for {B} pictures give one prompt, or "
                       f"{B}, through model.condition(prompts)")
    if shape is not None and not _has_rows(condition, shape):
        raise LabError("a prompt as this model hears it was expected; "
                       f"a tensor {tuple(condition.shape)} came; make it with its own model.condition(prompts)")
    return condition.expand(B, *condition.shape[1:])


def check_model(model) -> None:
    """Raises LabError for what cannot guess noise for a prompt, a model's class among it."""
    if isinstance(model, type) or not (hasattr(model, "condition") and hasattr(model, "predict_noise")):
        raise LabError(f"a model was expected; {shortened(model)} came; load one, as Toy.load('icons') does")


def check_predict(predict: Callable) -> None:
    """Raises LabError for what cannot be called as predict(x_t, t)."""
    _check_call(predict, "predict", "x_t, t", "make one of a model with guided(model, prompt)")


def check_rule(rule: Callable) -> None:
    """Raises LabError for what cannot be called as rule(x_t, eps, alpha_bar, alpha_bar_next)."""
    advice = "take ddim_step, or what ancestral(generators) or dpmpp_2m() returns"
    _check_call(rule, "rule", "x_t, eps, alpha_bar, alpha_bar_next", advice)


def _check_call(function: Callable, name: str, arguments: str, advice: str) -> None:
    try:
        fits = callable(function) and bool(inspect.signature(function).bind(*arguments.split(", ")))
    except TypeError:
        fits = False
    except ValueError:  # a function of C tells no signature
        fits = True
    if not fits:
        came = getattr(function, "__name__", None) or shortened(function)
        raise LabError(f"a function {name}({arguments}) was expected; {came} came; {advice}")


class Predict(Protocol):
    """Guesses the noise (B, ...) in x_t (B, ...) at timestep t; `guidance.guided` makes one of a model."""

    def __call__(self, x_t: Tensor, t: int, /) -> Tensor | Guess: ...


class Rule(Protocol):
    """Moves from x_t (B, ...), where the share of signal is alpha_bar, to alpha_bar_next, along the guess eps."""

    def __call__(self, x_t: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_next: float, /) -> Tensor | Move: ...


@runtime_checkable
class Model(Protocol):
    """A diffusion model: how much signal is left at each t, a guess of the noise, words, and pictures in and out.

    `name` is what a learner reads; `shape` that of one sample, without the batch; `schedule`; `to_rgb` (C + 1, 3) the
    linear picture of a sample as in Trajectory, None for points; `n`, `guidance_scale` and `sampler` are what `steps`
    takes where nothing else is said.
    """

    name: str
    shape: tuple[int, ...]
    schedule: Schedule
    to_rgb: Tensor | None
    n: int
    guidance_scale: float
    sampler: str

    def condition(self, prompts: Sequence[str]) -> Tensor:
        """What the network hears of B prompts, (B, ...); [""] is the empty prompt. LabError for an unknown word."""

    def predict_noise(self, x_t: Tensor, t: int, condition: Tensor) -> Tensor:
        """The guess of the noise in x_t (B, *shape) at timestep t, same shape and device as x_t; no gradients."""

    def encode(self, image: Image.Image) -> Tensor:
        """A picture as a clean sample x0 (1, *shape), resized to the model's own size."""

    def picture(self, x: Tensor, quick: bool = False) -> list[Image.Image]:
        """Clean samples (B, *shape) as B pictures; `quick`: nearly the same ones in less time, where a model can."""

    def steps(self, prompt: str | Sequence[str], *, n: int | None = None, guidance_scale: float | None = None,
              negative_prompt: str = "", seed: int | Sequence[int] = 0, sampler: str | None = None,
              edit=None, guidance_interval: Sequence[float] | None = None) -> Iterator[Step]:  # fmt: skip
        """The path from static to picture, one Step for each call of the network, then the Step of arrival.

        Arguments: `prompt` and `seed`, one for all pictures or one for each; `n` steps; `guidance_scale` w (0 without
        the prompt, 1 with it, above 1 past it); `negative_prompt`, what the guess is pushed away from; `sampler`, its
        name (a model that walks by this laboratory's own samplers takes an entry of sampling.SAMPLERS too); `edit`, an
        editing.Edit where a picture is to be changed; `guidance_interval` (low, high) in t, beyond which w is 1.
        Raises LabError at once for what cannot be.
        """
