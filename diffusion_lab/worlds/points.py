"""Points: clouds in the plane, where a score field can be drawn as arrows and every sample is seen at once.

Two of the four kinds are more than clouds: `pixels` are pictures of two pixels (left, right), brightness from -1
(black) to 1 (white), the bridge from points to pictures; `ring` has eight separate heaps, so that lost ones show.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..errors import LabError
from . import check_sample

DRAWS = 6  # random numbers a point; fixed, so that point k is the same in every batch


def moons(u: np.ndarray) -> np.ndarray:
    """Two half circles that reach into each other. `u` (n, 4) uniform in [0, 1) -> (n, 2)."""
    angle, lower = np.pi * u[:, 0], u[:, 1] < 0.5
    x = np.where(lower, 1 - np.cos(angle), np.cos(angle)) - 0.5
    y = np.where(lower, 0.5 - np.sin(angle), np.sin(angle)) - 0.25
    return 0.8 * np.stack([x, y], axis=1)                                       # (n, 2)


def spiral(u: np.ndarray) -> np.ndarray:
    """One arm that winds twice around the middle. `u` (n, 4) uniform in [0, 1) -> (n, 2)."""
    turn = np.sqrt(0.02 + 0.98 * u[:, 0])  # the root spreads the points evenly along the arm
    angle = 4 * np.pi * turn
    return 1.25 * turn[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def ring(u: np.ndarray) -> np.ndarray:
    """Eight heaps on a circle. `u` (n, 4) uniform in [0, 1) -> (n, 2)."""
    angle = np.floor(8 * u[:, 0]) * np.pi / 4
    return 1.1 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def pixels(u: np.ndarray) -> np.ndarray:
    """Pictures of two pixels: mostly both alike, as neighbours in photographs are; a third shows an edge, dark beside
    bright. `u` (n, 4) uniform in [0, 1) -> (n, 2), left and right brightness."""
    left = 1.8 * u[:, 0] - 0.9
    edge = np.where(u[:, 2] < 0.5, 1.0, -1.0)[:, None] * np.array([0.75, -0.75])
    alike = np.stack([left, left], axis=1)
    return np.where(u[:, 1:2] < 1 / 3, edge, alike)


SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "moons": moons, "spiral": spiral, "ring": ring, "pixels": pixels,
}  # fmt: skip
SPREAD = {"moons": 0.06, "spiral": 0.04, "ring": 0.09, "pixels": 0.07}
KINDS = tuple(SHAPES)


def sample(n: int, seed: int, split: str = "all", kinds: Sequence[str] | str = KINDS
           ) -> tuple[np.ndarray, list[str], dict[str, np.ndarray]]:  # fmt: skip
    """Draw n points, each of one of `kinds` at random (a name, or several of moons, spiral, ring, pixels).

    Returns points (n, 2) float32 within about [-1.5, 1.5], captions (the kind's name) and labels {"kind": (n,)}. No
    kind is held out, so the split "train" is "all".
    """
    check_sample(n, seed, split, splits=("all", "train"))
    kinds = [kinds] if isinstance(kinds, str) or not isinstance(kinds, Iterable) else list(kinds)
    for kind in kinds:
        if kind not in KINDS:
            raise LabError(f"the clouds of points are {', '.join(KINDS)}; {kind!r} came; choose one of them")
    if not kinds:
        raise LabError(f"one kind or more was expected; none came; choose from {', '.join(KINDS)}")
    u = np.random.default_rng(seed).random((n, DRAWS))                          # (n, 6) uniform
    which = np.array(kinds)[(u[:, 0] * len(kinds)).astype(int)]                 # (n,)
    points = np.empty((n, 2))
    for kind in set(kinds):
        own = which == kind
        points[own] = SHAPES[kind](u[own, 1:4]) + SPREAD[kind] * normal(u[own, 4:])
    return points.astype(np.float32), which.tolist(), {"kind": which}


def normal(u: np.ndarray) -> np.ndarray:
    """Two standard normal numbers from two uniform ones (n, 2) (Box and Muller, 1958)."""
    radius = np.sqrt(-2 * np.log1p(-u[:, 0]))
    return radius[:, None] * np.stack([np.cos(2 * np.pi * u[:, 1]), np.sin(2 * np.pi * u[:, 1])], axis=1)
