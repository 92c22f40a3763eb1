"""Changing a picture that is there: begin on the way, or keep a part of it, with every model and every sampler."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from .errors import LabError
from .mixing import add_noise
from .noising import noise
from .pixels import as_mask, as_rgb
from .protocol import Move, Rule, as_move, check_rule, check_samples
from .recipe import as_strength
from .schedules import Schedule, as_schedule


@dataclass(frozen=True, eq=False)
class Edit:
    """What is to be changed: for `steps(prompt, ..., edit=Edit(image, mask, strength))`.

    Arguments: `image`, a PIL picture or uint8 (H, W, 3); `mask`, its part to be drawn anew (white, True or 1; what is
    black, False or 0 is kept; between them both are blended), a PIL picture or an array (H, W), all of it if left out;
    `strength`, the share of the path to walk, above 0 (hardly a change) to 1 (from static). Raises LabError where the
    mask has another size than the picture, and for a strength that is no such share.
    """

    image: Image.Image
    mask: Tensor | None = None
    strength: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "strength", as_strength(self.strength))
        object.__setattr__(self, "image", as_rgb(self.image))
        if self.mask is None:
            return
        object.__setattr__(self, "mask", as_mask(self.mask))
        width, height = self.image.size
        if tuple(self.mask.shape) != (height, width):
            raise LabError(f"a mask of the picture's size, {height} x {width} (height x width), was expected; "
                           f"{' x '.join(map(str, self.mask.shape))} came; draw it on the picture itself")

    def on(self, shape: Sequence[int]) -> Tensor:
        """The mask (1, 1, h, w) on the grid of samples of `shape` (C, h, w): each place has the mean of what lies
        under it."""
        return torch.nn.functional.interpolate(self.mask[None, None], tuple(shape[-2:]), mode="area")


def check_edit(edit: Edit) -> None:
    """Raises LabError for what is no Edit."""
    if not isinstance(edit, Edit):
        raise LabError(f"edit=Edit(image, mask, strength) was expected; {type(edit).__name__} came; wrap the "
                       "picture in an Edit, from diffusion_lab")


def steps_of(n: int, strength: float) -> int:
    """How many of n steps an edit of a `strength` in (0, 1] walks: that share, and one at least."""
    return max(1, round(as_strength(strength) * n))


def begin(x0: Tensor, schedule: Schedule, n: int, strength: float = 1.0,
          seed: int | Sequence[int] = 0) -> tuple[Tensor, list[int]]:  # fmt: skip
    """Where an edit of a whole picture begins, and the times it walks: (x, timesteps) for `denoise`.

    The picture is raised to the noise of the first of those times, so that its large shapes stay and the rest is made
    anew (Meng et al., "SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations", 2022,
    algorithm 1). Arguments: `x0` (1 or B, ...) clean; `n` steps of a whole path; `strength` in (0, 1], the share of it
    to walk; with all of it x is static; `seed`, one for each picture. Returns x (B, ...) and falling timesteps.
    """
    check_samples(x0, advice="take it from model.encode(image)")
    schedule = as_schedule(schedule)
    return begin_with(x0, schedule, schedule.timesteps(n), strength, noise(x0.shape[1:], seed).to(x0))


def begin_with(x0: Tensor, schedule: Schedule, times: Sequence[int], strength: float,
               eps: Tensor) -> tuple[Tensor, list[int]]:  # fmt: skip
    """`begin` with the times of a whole path and the noise eps (B, ...) that are already there."""
    timesteps = times[len(times) - steps_of(len(times), strength) :]
    x0, whole = _one_each(x0, eps), len(timesteps) == len(times)
    return eps if whole else add_noise(x0, schedule.alpha_bar(timesteps[0]), eps), timesteps


def keep(rule: Rule, known: Tensor, mask: Tensor, eps: Tensor, final: float = 1.0) -> Rule:
    """A rule that draws anew only what lies under the mask: after each move the rest of the picture is put back, raised
    to the noise that is left there by the same eps, and clean in the last step (Lugmayr et al., "RePaint: Inpainting
    using Denoising Diffusion Probabilistic Models", 2022, equation 8 with one noise for all steps).

    x_next = mask proposal + (1 - mask) (sqrt(alpha_bar_next) known + sqrt(1 - alpha_bar_next) eps)
    Arguments: `rule`, which makes the proposal; `known` (1 or B, ...) the clean picture; `mask` in [0, 1], its height
    and width those of known; `eps` (B, ...) the noise that the path began with; `final`, the schedule's own, at which
    the last step ends. The Move's extras hold the "proposal" (B, ...). Raises LabError for a mask of another size.
    """
    check_rule(rule)
    known, mask = _one_each(known, eps), _fitting(as_mask(mask), known).to(known)

    def keeping(x_t: Tensor, guess: Tensor, alpha_bar: float, alpha_bar_next: float) -> Move:
        proposal, extras = as_move(rule(x_t, guess, alpha_bar, alpha_bar_next), x_t)
        kept = known if alpha_bar_next >= final else add_noise(known, alpha_bar_next, eps)
        return Move(blend(proposal, kept, mask), {**extras, "proposal": proposal})

    return keeping


def blend(proposal: Tensor, kept: Tensor, mask: Tensor) -> Tensor:
    """mask proposal + (1 - mask) kept, all (B, ...), mask in [0, 1]; where it is 0 the proposal may be no number."""
    return torch.where(mask > 0, mask * proposal + (1 - mask) * kept, kept)


def _one_each(x0: Tensor, eps: Tensor) -> Tensor:
    """One picture for all, or one for each noise, as one for each."""
    if x0.shape[1:] != eps.shape[1:] or len(x0) not in (1, len(eps)):
        raise LabError(f"one picture, or one for each of {len(eps)} seeds, of shape {tuple(eps.shape[1:])} was "
                       f"expected; {tuple(x0.shape)} came; take it from model.encode(image)")
    return x0.expand_as(eps)


def _fitting(mask: Tensor, known: Tensor) -> Tensor:
    place = tuple(known.shape[2:] or known.shape[1:])
    sizes = zip(reversed(mask.shape), reversed(known.shape), strict=False)
    if tuple(mask.shape[-len(place):]) != place or not all(m in (1, k) for m, k in sizes) or mask.ndim > known.ndim:
        raise LabError(f"a mask of the sample's size, (..., {', '.join(map(str, place))}), was expected; "
                       f"{tuple(mask.shape)} came; bring it to the sample's grid first, as Edit.on(model.shape) does")
    return mask
