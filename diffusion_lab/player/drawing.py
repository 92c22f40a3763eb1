"""Single pictures of a step, as pixels: for the still and for the preview while a path is made."""

import numpy as np
from PIL import Image, ImageDraw

from ..figures import PALETTE
from ..trajectory import Trajectory
from . import frames
from .views import VIEWS

SIDE = 112  # pixels of one picture of the still
COLOURS = {
    "black": (20, 20, 20), "white": (245, 245, 245), "grey": (128, 128, 128), "red": (200, 40, 40),
    "orange": (225, 130, 50), "yellow": (235, 215, 70), "brown": (125, 80, 50), "green": (60, 150, 70),
    "blue": (50, 90, 190), "light blue": (140, 190, 235), "purple": (130, 70, 160), "pink": (230, 150, 180),
}  # fmt: skip


def drawn(trajectory: Trajectory, i: int, index: int, key: str, reach: float) -> tuple[np.ndarray, bool]:
    """A view of step i: pixels (H, W, 3), a sample's own or twice SIDE for points, and whether all of it is broken.

    Points fill a square that reaches from -reach to reach. Where a value is not a number, a picture is hatched.
    """
    view = VIEWS[key]
    x = view.of(trajectory[i]).detach().float().cpu()
    if frames.is_points(trajectory):
        return scatter(x.numpy(), reach, PALETTE.get(view.role, "#333333")), False
    values = view.drawn(x[index], trajectory.to_rgb) + frames.bias(trajectory.to_rgb)
    broken = ~np.isfinite(values).all(-1)
    return hatch(frames.shown(values), broken), bool(broken.all())


def hatch(pixels: np.ndarray, broken: np.ndarray) -> np.ndarray:
    """Diagonal stripes where a value is not a number."""
    y, x = np.indices(broken.shape)
    stripes = np.where(((x + y) // 2 % 2)[..., None], 235, 102).astype(np.uint8)
    return np.where(broken[..., None], stripes, pixels).astype(np.uint8)


def scatter(points: np.ndarray, reach: float, colour: str) -> np.ndarray:
    side = 2 * SIDE
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    draw.line([(side / 2, 0), (side / 2, side)], "#dddddd")
    draw.line([(0, side / 2), (side, side / 2)], "#dddddd")
    for x, y in points[np.isfinite(points).all(1)][:600]:
        u, v = side / 2 * (1 + x / reach), side / 2 * (1 - y / reach)
        draw.ellipse([u - 2, v - 2, u + 2, v + 2], colour)
    return np.asarray(image)


def colours(pixels: np.ndarray) -> str:
    """The one or two colour words that cover most of a picture (H, W, 3)."""
    small = np.asarray(Image.fromarray(pixels).resize((12, 12), Image.Resampling.BOX)).reshape(-1, 3).astype(float)
    names, table = list(COLOURS), np.array(list(COLOURS.values()), float)
    nearest = ((small[:, None] - table) ** 2).sum(-1).argmin(1)
    counts = np.bincount(nearest, minlength=len(names))
    first, second = np.argsort(-counts, kind="stable")[:2]
    return f"{names[first]} and {names[second]}" if counts[second] >= 0.2 * len(small) else names[first]
