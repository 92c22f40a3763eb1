"""How well a map of heat shows where a thing is, held against the thing's true mask, with chance beside it."""

import torch
from torch import Tensor

from ..errors import LabError


def pointed(heat: Tensor, true: Tensor) -> bool:
    """Whether the hottest pixel of a map (H, W) lies on the mask (H, W): the pointing game (Zhang et al., "Top-Down
    Neural Attention by Excitation Backprop", 2018, section 4.2).

    Raises LabError for a map and a mask that do not fit."""
    _check(true, heat)
    return bool(true.flatten()[heat.argmax()])


def overlap(heat: Tensor, true: Tensor) -> float:
    """Intersection over union of a mask (H, W) and the hottest pixels of a map (H, W), as many as the mask has.

    Raises LabError for a map and a mask that do not fit."""
    _check(true, heat)
    hot = true.new_zeros(heat.numel(), dtype=bool)
    hot[heat.flatten().topk(int(true.sum())).indices] = True
    both = (hot & true.flatten()).sum()
    return float(both / (hot | true.flatten()).sum())


def by_chance(true: Tensor) -> tuple[float, float]:
    """What `pointed` and `overlap` give a random map on average, where the mask covers the share p of the picture: p,
    and p / (2 - p), for of as many pixels as the mask has the share p lies on it."""
    _check(true)
    p = float(true.float().mean())
    return p, p / (2 - p)


def _check(true: Tensor, heat: Tensor | None = None) -> None:
    """Raises LabError for what is no mask of something, and for a map that is none of its size."""
    if not (isinstance(true, Tensor) and true.dtype == torch.bool and true.any()):
        raise LabError(f"a mask of truth values with something in it was expected; {_told(true)} came; compare a "
                       "picture's parts with the number of one, or its mask with 127")  # fmt: skip
    number = isinstance(heat, Tensor) and heat.dtype != torch.bool and not heat.is_complex()
    if heat is not None and not (number and heat.shape == true.shape and not heat.isnan().any()):
        raise LabError(f"a map of numbers, {tuple(true.shape)} as its mask, was expected; {_told(heat)} came; bring it "
                       "to the mask's size first")  # fmt: skip


def _told(value) -> str:
    return f"{tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
