"""How well a map of heat shows where a thing is, held against the thing's true mask, with chance beside it."""

from torch import Tensor


def pointed(heat: Tensor, true: Tensor) -> bool:
    """Whether the hottest pixel of a map (H, W) lies on the mask (H, W): the pointing game (Zhang et al., "Top-Down
    Neural Attention by Excitation Backprop", 2018, section 4.2)."""
    return bool(true.flatten()[heat.argmax()])


def overlap(heat: Tensor, true: Tensor) -> float:
    """Intersection over union of a mask (H, W) and the hottest pixels of a map (H, W), as many as the mask has."""
    hot = true.new_zeros(heat.numel(), dtype=bool)
    hot[heat.flatten().topk(int(true.sum())).indices] = True
    both = (hot & true.flatten()).sum()
    return float(both / (hot | true.flatten()).sum())


def by_chance(true: Tensor) -> tuple[float, float]:
    """What `pointed` and `overlap` give a random map on average, where the mask covers the share p of the picture: p,
    and p / (2 - p), for of as many pixels as the mask has the share p lies on it."""
    p = float(true.float().mean())
    return p, p / (2 - p)
