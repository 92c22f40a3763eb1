"""Changing a picture that is there: begin on the way, or keep a part of it, with every model and every sampler."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .errors import LabError
from .mixing import add_noise, check_alike
from .noising import noise
from .pixels import as_mask, as_rgb
from .protocol import Model, Move, Rule, as_move, check_model, check_rule, check_samples
from .recipe import STRENGTH, as_shape, as_share, as_strength, as_text, as_whole
from .schedules import Schedule, as_schedule

FEATHER = 4  # pixels of what was drawn, over which it comes in: fewer leave a border, more let the old shapes shine
MOST = 4096  # columns that a picture is made wider by


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
                           f"{' x '.join(map(str, self.mask.shape)) or 'one number'} came; draw it on the picture")

    @classmethod
    def wider(cls, image: Image.Image, by: int) -> "Edit":
        """An edit that goes on with a picture beyond its right edge, by so many columns of pixels; beyond its left one
        where `by` is negative. Until they are drawn, the new columns repeat the outermost old one."""
        by = as_whole(by, "by, a number of columns,", "try 96", -MOST, MOST)
        pixels, sides = np.asarray(as_rgb(image)), (max(0, -by), max(0, by))
        mask = np.pad(np.zeros(pixels.shape[:2]), ((0, 0), sides), constant_values=1)
        return cls(np.pad(pixels, ((0, 0), sides, (0, 0)), mode="edge"), mask)

    def window(self, shape: Sequence[int]) -> tuple[int, int, int, int]:
        """The part of the picture that a model of samples `shape` (C, h, w) sees: left, top, right, bottom in pixels.

        It is the largest of these proportions, in the middle, or as near to it as takes in all that is to be drawn.
        Raises LabError where that reaches further than one window, and for a shape without a height and a width.
        """
        (width, height), (h, w) = self.image.size, _grid(shape)
        scale = min(width / w, height / h)
        marked = torch.zeros(height, width) if self.mask is None else self.mask
        left, right = _span(marked.amax(0), max(1, round(scale * w)))
        top, bottom = _span(marked.amax(1), max(1, round(scale * h)))
        return left, top, right, bottom

    def within(self, shape: Sequence[int]) -> "Edit":
        """The edit of that part alone."""
        left, top, right, bottom = box = self.window(shape)
        mask = None if self.mask is None else self.mask[top:bottom, left:right]
        return Edit(self.image.crop(box), mask, self.strength)

    def on(self, shape: Sequence[int]) -> Tensor:
        """The mask (1, 1, h, w) on the grid of samples of `shape` (C, h, w): each place has the mean of what lies
        under it. Raises LabError without a mask."""
        return torch.nn.functional.interpolate(_marked(self)[None, None], _grid(shape), mode="area")

    def paste(self, drawn: Image.Image, feather: int | None = None) -> Image.Image:
        """The picture with what was drawn in its place; all that is kept stays as it was, to the grey level.

        picture = share drawn + (1 - share) image, with the share of `feathered`: 0 where the mask is 0, and from there
        inwards it grows. Arguments: `drawn`, what a model made of this edit, brought to the size of its window;
        `feather`, over how many of its pixels it comes in (4, and fewer of a tiny one). Without a mask it is `drawn`.
        """
        drawn = as_rgb(drawn)
        if self.mask is None:
            return drawn
        left, top, right, bottom = box = self.window((3, drawn.height, drawn.width))
        feather = min(FEATHER, drawn.width // 16) if feather is None else feather
        wide = round(as_whole(feather, "a feather in pixels", "try 4", 0) * (right - left) / drawn.width)
        share = feathered(self.mask, wide)[top:bottom, left:right, None].numpy()
        new = np.asarray(drawn.resize((right - left, bottom - top), Image.Resampling.LANCZOS), dtype=np.float64)
        old = np.asarray(self.image.crop(box), dtype=np.float64)
        picture = self.image.copy()
        picture.paste(Image.fromarray((share * new + (1 - share) * old).round().astype(np.uint8)), box)
        return picture


def _grid(shape: Sequence[int]) -> tuple[int, ...]:
    """Height and width of a sample of a shape (C, h, w)."""
    if len(shape := as_shape(shape)) < 2:
        raise LabError(f"the shape of a picture's sample, (C, h, w), was expected; {shape} came; give model.shape")
    return shape[-2:]


def _span(marked: Tensor, size: int) -> tuple[int, int]:
    """Where a window of a `size` lies along a side: over all that is marked (n,), and as near to the middle."""
    first, places = (len(marked) - size) // 2, marked.nonzero().flatten().tolist()
    if places and places[-1] + 1 - places[0] > size:
        raise LabError(f"a mask that one window of the model takes in, at most {size} pixels along a side, was "
                       f"expected; one of {places[-1] + 1 - places[0]} came; paint less, or cut the picture first")
    if places:
        first = min(max(first, places[-1] + 1 - size), places[0])
    return first, first + size


def feathered(mask: Tensor, feather: int) -> Tensor:
    """A mask (H, W) that comes in over `feather` pixels: the mean of it and of its 1, 2, ... `feather` erosions, each
    of which takes away one more ring of pixels. Nowhere is it more than the mask, and where that is 0 it is 0. Raises
    LabError for another mask than `Edit` takes, and for a feather that is no number of pixels."""
    feather, mask = as_whole(feather, "a feather in pixels", "try 4", 0), as_mask(mask)
    if mask.ndim != 2:
        raise LabError(f"a mask (H, W) was expected; {tuple(mask.shape)} came; take that of an Edit")
    ring, total = mask[None], mask.double()
    for k in range(feather):
        before, ring = ring, -torch.nn.functional.max_pool2d(-ring, 3, stride=1, padding=1)
        if torch.equal(ring, before):  # there is no more to take away
            return (total + (feather - k) * ring[0].double()) / (feather + 1)
        total += ring[0]
    return total / (feather + 1)


def seam(picture: Image.Image, mask) -> float:
    """How much a border shows: the mean step, in grey levels of 255, between two neighbouring pixels of which one was
    drawn anew (mask above 0) and the other kept; compare it with that of a picture that nobody has edited.

    Raises LabError for no mask, for one of another size, and where it has no border.
    """
    pixels = torch.tensor(np.asarray(as_rgb(picture)), dtype=torch.float64)       # (H, W, 3)
    new = _marked(Edit(picture, mask)) > 0                                            # (H, W)
    steps = [pixels.diff(dim=d).abs().mean(2)[new[1:] != new[:-1] if d == 0 else new[:, 1:] != new[:, :-1]]
             for d in (0, 1)]  # fmt: skip
    if not (steps := torch.cat(steps)).numel():
        raise LabError("a mask with a border was expected; one that is all alike came; paint a part of the picture")
    return float(steps.mean())


def image_to_image(model: Model, prompt: str, image: Image.Image, strength: float = STRENGTH, *, seed: int = 0,
                   sampler=None) -> Image.Image:  # fmt: skip
    """A picture redrawn as a prompt says, from a `strength` above 0 (hardly a change) to 1 (from static): `begin`.

    Arguments: `model`, any of the protocol; `image`, of which its window is taken; `seed`; `sampler`, one of the
    model's own. For all else say `model.steps(prompt, edit=Edit(...))`. Returns a picture of the model's own size.
    """
    return _drawn(model, prompt, Edit(image, strength=strength), seed, sampler)


def inpaint(model: Model, prompt: str, image: Image.Image, mask, *, seed: int = 0, sampler=None) -> Image.Image:
    """A picture of which only what the mask marks is drawn anew, as a prompt says: `keep`, then `Edit.paste`.

    Arguments: `mask` as for Edit; the others as for `image_to_image`. Returns a picture of the size of `image`."""
    _marked(edit := Edit(image, mask))
    return edit.paste(_drawn(model, prompt, edit, seed, sampler))


def outpaint(model: Model, prompt: str, image: Image.Image, by: int, *, seed: int = 0, sampler=None) -> Image.Image:
    """A picture that goes on beyond its right edge by so many columns (its left one where `by` is negative).

    The model sees the last part of the picture and the new columns in one window, and draws these: `Edit.wider`.
    Raises LabError where the new columns are more than one window."""
    edit = Edit.wider(image, by)
    return edit.paste(_drawn(model, prompt, edit, seed, sampler))


def _drawn(model: Model, prompt: str, edit: Edit, seed: int, sampler) -> Image.Image:
    check_model(model)
    one = {"prompt": as_text(prompt, "a prompt"), "seed": as_whole(seed, "a seed", "try 0", 0)}
    *_, last = model.steps(**one, sampler=sampler, edit=edit)
    return model.picture(last.x0)[0]


def _marked(edit: Edit) -> Tensor:
    if edit.mask is None:
        raise LabError("a mask of what is to be drawn anew was expected; none came; paint one on the picture")
    return edit.mask


def check_edit(edit: Edit) -> None:
    """Raises LabError for what is no Edit."""
    if not isinstance(edit, Edit):
        raise LabError(f"edit=Edit(image, mask, strength) was expected; {type(edit).__name__} came; wrap the "
                       "picture in an Edit, from diffusion_lab")


def steps_of(n: int, strength: float) -> int:
    """How many of n steps, 1 or more, an edit of a `strength` in (0, 1] walks: that share, and one at least."""
    return max(1, round(as_strength(strength) * as_whole(n, "the number of steps", "try 20")))


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

    Each move ends as `masked_step` says. Arguments: `rule`, which makes the proposal; `known` (1 or B, ...) clean;
    `mask` in [0, 1], its height and width those of known; `eps` (B, ...) the noise that the path began with; `final`,
    the schedule's own, at which the last step ends. The Move's extras hold the "proposal" (B, ...). Raises LabError
    for a mask of another size, and for a `final` that is no share.
    """
    check_rule(rule)
    final = as_share(final, "final, the signal's share at the path's end,", "give schedule.final", some=True)
    known, mask = _one_each(known, eps), as_mask(mask)
    _check_fits(mask, known)
    mask = mask.to(known)

    def keeping(x_t: Tensor, guess: Tensor, alpha_bar: float, alpha_bar_next: float) -> Move:
        proposal, extras = as_move(rule(x_t, guess, alpha_bar, alpha_bar_next), x_t)
        left = 1.0 if alpha_bar_next >= final else alpha_bar_next
        return Move(masked_step(proposal, known, mask, eps, left), {**extras, "proposal": proposal})

    return keeping


def masked_step(proposal: Tensor, known: Tensor, mask: Tensor, eps: Tensor, alpha_bar_next: float) -> Tensor:
    """A step's proposal (B, ...) with what is known put back beside the mask, at the noise that is left after the step:
    mask proposal + (1 - mask) (sqrt(alpha_bar_next) known + sqrt(1 - alpha_bar_next) eps); clean where that is 1."""
    return blend(proposal, add_noise(known, alpha_bar_next, eps), mask)


def blend(proposal: Tensor, kept: Tensor, mask: Tensor) -> Tensor:
    """mask proposal + (1 - mask) kept, all (B, ...), mask in [0, 1]; where it is 0 the proposal may be no number.

    Raises LabError where they do not fit: a mask may have sizes of 1, or no channels."""
    check_alike(kept, proposal, "the proposal", "what is kept", "take both from one model")
    _check_fits(mask, kept)
    return torch.where(mask > 0, mask * proposal + (1 - mask) * kept, kept)


def _one_each(x0: Tensor, eps: Tensor) -> Tensor:
    """One picture for all, or one for each noise, as one for each."""
    for one in (x0, eps):
        check_samples(one, advice="take a picture from model.encode(image), and noise(shape, seed)")
    if x0.shape[1:] != eps.shape[1:] or len(x0) not in (1, len(eps)):
        raise LabError(f"one picture, or one for each of {len(eps)} seeds, of shape {tuple(eps.shape[1:])} was "
                       f"expected; {tuple(x0.shape)} came; take it from model.encode(image)")
    return x0.expand_as(eps)


def _check_fits(mask: Tensor, known: Tensor) -> None:
    """Raises LabError for a mask that cannot be laid on samples (B, ...)."""
    if not isinstance(mask, Tensor):
        raise LabError(f"a mask as a tensor was expected; {type(mask).__name__} came; Edit.on(model.shape) gives one")
    place = tuple(known.shape[2:] or known.shape[1:])
    sizes = zip(reversed(mask.shape), reversed(known.shape), strict=False)
    if tuple(mask.shape[-len(place):]) != place or not all(m in (1, k) for m, k in sizes) or mask.ndim > known.ndim:
        raise LabError(f"a mask of the sample's size, (..., {', '.join(map(str, place))}), was expected; "
                       f"{tuple(mask.shape)} came; bring it to the sample's grid first, as Edit.on(model.shape) does")
