"""One point on the path between picture and noise (Step), and what walks from one to the next (Steps, ForwardSteps).

Everything is kept in one scaling, variance preserving: x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps
(Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models", 2020, equation 4).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .errors import LabError
from .mixing import add_noise, predicted_x0
from .recipe import Recipe, as_number, as_text


def as_place(alpha_bar, t) -> tuple[float, float]:
    """Where on the path a step is: alpha_bar in (0, 1], and its label t, an int where it is whole; raises LabError for
    what is neither."""
    t = as_number(t, "t", "take one from timesteps(n); -1 is the end of a path")
    alpha_bar = as_number(alpha_bar, "alpha_bar", "take it from a Schedule")
    if not 0 < alpha_bar <= 1:
        raise LabError(f"alpha_bar is a share of signal in (0, 1]; {alpha_bar} came; take it from a Schedule")
    return alpha_bar, int(t) if t.is_integer() else t


@dataclass(frozen=True, eq=False)
class Step:
    """One point on the path: where we are, and the guess of the noise that was made there.

    Arguments: `x_t` (B, ...) the noisy sample; `eps` (B, ...) the guess of its noise, after guidance; `alpha_bar`
    the share of signal in the variance, in (0, 1]; `t` the model's own label of the time (-1: the path has arrived),
    an int where it is whole, so that a model takes it back; `eps_uncond` (B, ...) the guess without the prompt;
    `note`, "correction" for a second call within one step; `extras`, tensors that only some paths have. NaN is
    allowed: a broken sampler is a lesson.
    """

    x_t: Tensor
    eps: Tensor
    alpha_bar: float
    t: float
    eps_uncond: Tensor | None = None
    note: str = ""
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self):
        for name, x in (("x_t", self.x_t), ("eps", self.eps), ("eps_uncond", self.eps_uncond)):
            if not (isinstance(x, Tensor) and x.is_floating_point() and x.layout == torch.strided
                    or name == "eps_uncond" and x is None):  # fmt: skip
                told = f"a tensor of {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
                raise LabError(f"{name} is a dense tensor of floats (B, ...); {told} came; make it one with "
                               "torch.as_tensor(x).float()")
        object.__setattr__(self, "note", as_text(self.note, "a step's note"))
        for name, value in zip(("alpha_bar", "t"), as_place(self.alpha_bar, self.t), strict=True):
            object.__setattr__(self, name, value)
        for name, guess in (("eps", self.eps), ("eps_uncond", self.eps_uncond)):
            if guess is not None and guess.shape != self.x_t.shape:
                raise LabError(f"{name} has the shape of x_t, {tuple(self.x_t.shape)}; {tuple(guess.shape)} came; "
                               "predict one noise value for each value of x_t")
        for name, value in self.extras.items():
            as_text(name, "the name of an extra")
            if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
                raise LabError(f"an extra of a step is a dense tensor; {name!r} is {type(value).__name__} "
                               f"{getattr(value, 'layout', '')}; make it one with torch.as_tensor or to_dense")

    @property
    def x0(self) -> Tensor:
        """The guess of the clean sample, (x_t - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar) (DDPM, equation 15)."""
        return predicted_x0(self.x_t, self.eps, self.alpha_bar)

    @property
    def x0_uncond(self) -> Tensor | None:
        """The same guess without the prompt, or None where no such guess was made."""
        return None if self.eps_uncond is None else predicted_x0(self.x_t, self.eps_uncond, self.alpha_bar)


def arrived(x: Tensor, extras: Mapping[str, Tensor] | None = None) -> Step:
    """The Step that ends a path: no noise is left, so its x0 is the result `x` (B, ...)."""
    return Step(x_t=x, eps=torch.zeros_like(x), alpha_bar=1.0, t=-1, extras=extras or {})


class Steps(Iterator[Step]):
    """An iterator of Steps that knows its recipe and how its samples are turned into pictures.

    Arguments: `steps` any iterable of Steps; `recipe`; `to_rgb` as in Trajectory; `decode`, a function from x0
    (B, ...) to pictures, uint8 (B, H, W, 3), where the samples are not pictures already; `preview`, one that does it
    nearly as well in a few milliseconds.
    """

    def __init__(self, steps, recipe: Recipe, to_rgb: Tensor | None = None,
                 decode: Callable[[Tensor], Tensor] | None = None, preview: Callable[[Tensor], Tensor] | None = None):
        self._steps = iter(steps)
        self.recipe, self.to_rgb, self.decode, self.preview = recipe, to_rgb, decode, preview

    def __next__(self) -> Step:
        return next(self._steps)


class ForwardSteps(Sequence[Step]):
    """The forward path, from picture to static: x0 and eps are kept once, each x_t is computed when it is asked for.

    Arguments: `x0` and `eps` (B, ...); `alpha_bars`, one share of signal a step; `ts`, their labels.
    """

    def __init__(self, x0: Tensor, eps: Tensor, alpha_bars: Sequence[float], ts: Sequence[float]):
        self.x0, self.eps = x0, eps
        self.alpha_bars, self.ts = [float(a) for a in alpha_bars], list(ts)

    def __len__(self) -> int:
        return len(self.alpha_bars)

    def __getitem__(self, i):
        if isinstance(i, slice):
            return ForwardSteps(self.x0, self.eps, self.alpha_bars[i], self.ts[i])
        a = self.alpha_bars[i]
        return Step(add_noise(self.x0, a, self.eps), self.eps, a, self.ts[i])
