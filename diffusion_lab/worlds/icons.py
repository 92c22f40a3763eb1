"""Icons: pictures of 16x16 pixels, a colour and a shape ("red circle", "blue star"), drawn by a few lines of code.

Six of the 36 pairs are never shown in training (split "train"): whether "green star" can be drawn by a network that
has seen green things and stars, and never both together, is the test of what it understood.
"""

from itertools import product

import numpy as np
from PIL import Image, ImageDraw

from ..errors import LabError
from . import check_sample

SIZE = 16
PAPER = (248, 246, 240)
COLOURS = {
    "red": (214, 40, 40), "orange": (244, 132, 20), "yellow": (242, 204, 20),
    "green": (32, 154, 72), "blue": (28, 96, 208), "purple": (128, 60, 176),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "star", "heart", "moon")
HELD_OUT = (("purple", "circle"), ("orange", "square"), ("yellow", "triangle"),
            ("green", "star"), ("blue", "heart"), ("red", "moon"))  # fmt: skip
PAIRS = {
    "all": tuple(product(COLOURS, SHAPES)),
    "train": tuple(pair for pair in product(COLOURS, SHAPES) if pair not in HELD_OUT),
    "held-out": HELD_OUT,
}
_FINE = 8  # drawn eight times as large and shrunk: smooth edges


def outline(shape: str) -> np.ndarray:
    """The corners (m, 2) of a shape, x to the right and y down, within the unit circle or a little beyond.

    Raises LabError for another shape than those of SHAPES.
    """
    if shape not in SHAPES:
        raise LabError(f"an icon's shape is one of {', '.join(SHAPES)}; {shape!r} came; choose one of these")
    if shape == "square":
        return 0.85 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    if shape == "triangle":
        return np.array([(0, -1.0), (1.05, 0.85), (-1.05, 0.85)])
    if shape == "star":
        radius, angle = np.tile([1.15, 0.5], 5), np.arange(10) * np.pi / 5
        return np.stack([radius * np.sin(angle), 0.08 - radius * np.cos(angle)], axis=1)
    a = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    if shape == "heart":
        x, y = 16 * np.sin(a) ** 3, 13 * np.cos(a) - 5 * np.cos(2 * a) - 2 * np.cos(3 * a) - np.cos(4 * a)
        return np.stack([x, -2 - y], axis=1) / 15.5
    if shape == "moon":
        outer = np.linspace(0.28 * np.pi, 1.72 * np.pi, 48)
        inner = np.linspace(1.62 * np.pi, 0.38 * np.pi, 48)
        rim = np.stack([np.cos(outer), np.sin(outer)], axis=1)
        bite = np.stack([0.425 + 0.84 * np.cos(inner), 0.84 * np.sin(inner)], axis=1)
        return 1.08 * np.concatenate([rim, bite]) + np.array([0.15, 0])
    return np.stack([np.cos(a), np.sin(a)], axis=1)


def draw(colour: str, shape: str, x: float, y: float, radius: float) -> Image.Image:
    """One icon as a 16x16 picture; the centre (x, y) and the radius in pixels.

    Raises LabError for a colour or a shape of which there is none.
    """
    if colour not in COLOURS:
        raise LabError(f"an icon's colour is one of {', '.join(COLOURS)}; {colour!r} came; choose one of these")
    fine = Image.new("RGB", (SIZE * _FINE, SIZE * _FINE), PAPER)
    corners = (outline(shape) * radius + (x, y)) * _FINE
    ImageDraw.Draw(fine).polygon([tuple(corner) for corner in corners], fill=COLOURS[colour])
    return fine.reduce(_FINE)


def sample(n: int, seed: int, split: str = "all") -> tuple[np.ndarray, list[str], dict[str, np.ndarray]]:
    """Draw n icons of random pairs, places and sizes.

    Returns images (n, 16, 16, 3) uint8, captions ("red circle") and labels {"colour": (n,), "shape": (n,)}.
    """
    check_sample(n, seed, split)
    pairs = PAIRS[split]
    u = np.random.default_rng(seed).random((n, 4))                              # (n, 4) uniform
    chosen = [pairs[int(k)] for k in u[:, 0] * len(pairs)]
    x, y = SIZE / 2 + 3.0 * (u[:, 1:3].T - 0.5)                                 # (n,) each, in pixels
    radius = 4.4 + 1.6 * u[:, 3]
    icons = [draw(*chosen[k], x[k], y[k], radius[k]) for k in range(n)]
    labels = {"colour": np.array([c for c, _ in chosen]), "shape": np.array([s for _, s in chosen])}
    return np.stack([np.asarray(icon) for icon in icons]), [f"{c} {s}" for c, s in chosen], labels
