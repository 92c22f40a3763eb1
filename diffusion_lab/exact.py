"""The perfect denoiser of a data set, in closed form: no network, no training.

`Exact` weighs every whole picture of the data set and only ever recites. `LocalExact` weighs them at each pixel by a
window around it, and composes pictures that never were (Kamb and Ganguli, "An analytic theory of creativity in
convolutional diffusion models", ICML 2025; Niedoba et al., "Towards a Mechanistic Explanation of Diffusion Model
Generalization", 2024).
"""

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor

from .editing import Edit
from .errors import LabError
from .mixing import predicted_eps
from .pixels import TO_RGB, as_pictures, as_samples, fitted
from .protocol import check_samples, one_each
from .recipe import Recipe, as_asked, as_number, as_prompts, as_share, told, words_of
from .sampling import Sampler, sample
from .schedules import Schedule, as_schedule, cosine
from .trajectory import Steps

BETWEEN = "take it from a Schedule"


class Exact:
    """The optimal denoiser of a data set: the mean of the data, weighed by how well each explains x_t.

    x0(x_t) = sum_i w_i x_i  with  w = softmax_i(-|x_t - sqrt(alpha_bar) x_i|^2 / (2 (1 - alpha_bar))),
    eps = (x_t - sqrt(alpha_bar) x0) / sqrt(1 - alpha_bar): no function of x_t has a smaller squared error (Karras et
    al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022, appendix B.3).

    Arguments: `data`, pictures uint8 (N, H, W, 3) or points float (N, 2); `captions`, N strings, so that a prompt
    picks the data whose captions hold all its words; `schedule` (cosine if left out).
    """

    name = "exact denoiser"
    n, guidance_scale, sampler = 50, 1.0, "ddim"

    def __init__(self, data, captions: Sequence[str] | None = None, schedule: Schedule | None = None):
        self.data = as_samples(data)                                              # (N, 3, H, W) or (N, 2)
        self.captions = [""] * len(self.data) if captions is None else list(as_prompts(captions))
        if len(self.captions) != len(self.data):
            raise LabError(f"one caption for each of {len(self.data)} pictures was expected; {len(self.captions)} "
                           "came; pass both as a world's sample() returns them")
        self.schedule = cosine() if schedule is None else as_schedule(schedule)
        self.shape = tuple(self.data.shape[1:])
        self.to_rgb = None if len(self.shape) == 1 else TO_RGB
        self._words = [_words(caption) for caption in self.captions]
        self._flat = self.data.flatten(1).double()                                # (N, D)

    def condition(self, prompts: Sequence[str]) -> Tensor:
        """For each prompt a mask (B, N) over the data: True where the caption holds all the prompt's words."""
        prompts, known = as_asked(prompts), set().union(*self._words)
        for prompt in prompts:
            if unknown := sorted(_words(prompt) - known):
                raise LabError(f"a prompt of words from the captions was expected; {told(unknown)} came; "
                               f"known: {', '.join(sorted(known)) or 'no words at all'}")
        mask = torch.tensor([[_words(prompt) <= words for words in self._words] for prompt in prompts])
        if not mask.any(dim=1).all():
            raise LabError(f"a prompt that some caption holds was expected; {list(prompts)} came; no picture of the "
                           "data set has all these words")
        return mask

    def weights(self, x_t: Tensor, alpha_bar: float, condition: Tensor | None = None) -> Tensor:
        """How much each of the N pictures counts in the guess: (B, N), each row sums to 1 (posterior probability)."""
        self._check(x_t, alpha_bar)
        data = self._beside(x_t)
        seen = x_t.flatten(1).to(data) / alpha_bar**0.5  # one picture is scaled, where all of the data would have to be
        distance = alpha_bar * torch.cdist(seen, data) ** 2                       # (B, N)
        return _posterior(distance, alpha_bar, condition)

    def guess(self, x_t: Tensor, alpha_bar: float, condition: Tensor | None = None) -> Tensor:
        """The posterior mean of the picture, x0 (B, ...), for x_t (B, ...) at a share of signal alpha_bar."""
        mean = self.weights(x_t, alpha_bar, condition) @ self._beside(x_t)         # (B, D)
        return mean.view_as(x_t).to(x_t.dtype)

    def _check(self, x_t: Tensor, alpha_bar: float) -> None:
        """Raises LabError for other samples, and where there is no noise, or nothing else, to weigh the data by."""
        check_samples(x_t, self.shape)
        alpha_bar = as_share(alpha_bar, "alpha_bar", BETWEEN, some=True)
        if alpha_bar == 1:
            raise LabError(f"alpha_bar is a share of signal below 1; 1 came; there is no noise to guess; {BETWEEN}")

    def _beside(self, x_t: Tensor) -> Tensor:
        """The data (N, D) where x_t lies, and kept there; in float64 where the device has it (Apple's has not)."""
        if self._flat.device != x_t.device:
            precise = torch.float32 if x_t.device.type == "mps" else torch.float64
            self._flat = self.data.flatten(1).to(x_t.device, precise)
        return self._flat

    @torch.no_grad()
    def predict_noise(self, x_t: Tensor, t: int, condition: Tensor | None = None) -> Tensor:
        """The noise that goes with the guess: eps = (x_t - sqrt(alpha_bar) x0) / sqrt(1 - alpha_bar), (B, ...)."""
        check_samples(x_t, self.shape)
        if condition is not None:
            condition = one_each(condition, len(x_t), (len(self.data),)).bool()
        alpha_bar = self.schedule.alpha_bar(t)
        return predicted_eps(x_t, self.guess(x_t, alpha_bar, condition), alpha_bar)

    def encode(self, image: Image.Image) -> Tensor:
        """A picture as a clean sample (1, 3, H, W) in [-1, 1], resized to the data's size."""
        if len(self.shape) == 1:
            raise LabError("a data set of pictures was expected; one of points came; use a picture world")
        return fitted(image, self.shape)

    def picture(self, x: Tensor, quick: bool = False) -> list[Image.Image]:
        """Samples (B, 3, H, W) as pictures, values clipped to [-1, 1]; always `quick`."""
        return as_pictures(x)

    def steps(self, prompt: str | Sequence[str] = "", *, n: int | None = None, guidance_scale: float | None = None,
              negative_prompt: str = "", seed: int | Sequence[int] = 0, sampler: str | Sampler | None = None,
              edit: Edit | None = None, guidance_interval: Sequence[float] | None = None) -> Steps:
        """The path from static to picture, one Step for each guess; arguments as for every model."""
        recipe = Recipe.of(self, prompt, seed, n=n, guidance_scale=guidance_scale, negative_prompt=negative_prompt,
                           guidance_interval=guidance_interval)  # fmt: skip
        return sample(self, recipe, sampler, edit)


class LocalExact(Exact):
    """The same denoiser when each pixel sees only a window around itself.

    At pixel p the weights are softmax_i(-sum over q in window(p) of |x_t(q) - sqrt(alpha_bar) x_i(q)|^2 / (2 (1 -
    alpha_bar))): neighbouring pixels may follow different pictures, so parts of many are put together.

    Arguments: as for Exact, and `window`: the width of the window in pixels, a number, or a function of alpha_bar
    (wide at high noise, small at low). A window of twice the picture's size or more sees everything: Exact.
    """

    name = "local denoiser"

    def __init__(self, data, window: float | Callable[[float], float], captions: Sequence[str] | None = None,
                 schedule: Schedule | None = None):
        super().__init__(data, captions, schedule)
        if len(self.shape) == 1:
            raise LabError("a data set of pictures was expected; points came; they have no windows, use Exact for them")
        if not callable(window):
            width = as_number(window, "a window's width", "give a number of pixels, or a function of alpha_bar", 0)
        self.window = window if callable(window) else lambda alpha_bar: width
        self._energy = (self.data**2).sum(dim=1)                                  # (N, H, W)

    def guess(self, x_t: Tensor, alpha_bar: float, condition: Tensor | None = None) -> Tensor:
        """The local posterior mean x0 (B, 3, H, W): each pixel has its own weights over the data."""
        self._check(x_t, alpha_bar)
        reach = max(0, int(self.window(alpha_bar) // 2))
        masks = [None] * len(x_t) if condition is None else condition
        data, energy = self.data.to(x_t.device), self._energy.to(x_t.device)
        heard = [(data, energy) if mask is None or mask.all() else (data[mask], energy[mask]) for mask in masks]
        guess = [_local(x, alpha_bar, reach, *known) for x, known in zip(x_t, heard, strict=True)]
        return torch.stack(guess).to(x_t.dtype)


def _local(x: Tensor, alpha_bar: float, reach: int, data: Tensor, energy: Tensor) -> Tensor:
    """The local posterior mean (3, H, W) of one picture x over data (N, 3, H, W), their squares summed in energy."""
    # |x - a d|^2 without |x|^2, which is the same for every picture of the data
    error = alpha_bar * energy - 2 * alpha_bar**0.5 * (x * data).sum(dim=1)   # (N, H, W)
    weights = _posterior(_box_sum(error, reach), alpha_bar, dim=0)            # (N, H, W)
    return (weights[:, None] * data).sum(dim=0)                               # (3, H, W)


def _words(text: str) -> set[str]:
    return set(words_of(text))


def _posterior(distance: Tensor, alpha_bar: float, condition: Tensor | None = None, dim: int = 1) -> Tensor:
    """Weights that sum to 1 along `dim` (the data), from squared distances of the same shape."""
    logits = -distance / (2 * (1 - alpha_bar))
    if condition is not None:
        logits = logits.masked_fill(~condition.to(logits.device), -torch.inf)
    return logits.softmax(dim)


def _box_sum(values: Tensor, reach: int) -> Tensor:
    """The sum of values (N, H, W) over a square of 2 reach + 1 pixels around each pixel, cut off at the edges."""
    for dim in (1, 2):
        size = values.shape[dim]
        total = torch.nn.functional.pad(values.cumsum(dim), (1, 0) if dim == 2 else (0, 0, 1, 0))
        places = torch.arange(size, device=values.device)
        upper, lower = (places + reach + 1).clamp(max=size), (places - reach).clamp(min=0)
        values = total.index_select(dim, upper) - total.index_select(dim, lower)
    return values
