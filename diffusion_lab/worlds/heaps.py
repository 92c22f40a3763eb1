"""Heaps: small clouds on a square grid, three by three or five by five, where a lost one shows at once."""

import numpy as np

from ..errors import LabError
from . import check_sample
from .points import normal

SIDES = {3: 0.1, 5: 0.025}  # heaps a side, and how wide a heap is: its standard deviation
NEAR = 3  # so many standard deviations from its middle a heap ends


def centres(side: int = 5) -> np.ndarray:
    """The middles of side * side heaps, evenly spread from -1 to 1: (side * side, 2) float32."""
    if side not in SIDES:
        raise LabError(f"the heaps a side are 3 or 5; {side!r} came; choose one of them")
    line = np.linspace(-1, 1, side, dtype=np.float32)
    return np.stack(np.meshgrid(line, line), axis=2).reshape(-1, 2)


def sample(n: int, seed: int, split: str = "all", side: int = 5) -> tuple[np.ndarray, list[str], dict[str, np.ndarray]]:
    """Draw n points, each of one of side * side heaps at random.

    Returns points (n, 2) float32, captions ("heap 7") and labels {"heap": (n,)}, the number as a word, from 1. No heap
    is held out, so the split "train" is "all".
    """
    check_sample(n, seed, split, splits=("all", "train"))
    middles = centres(side)
    u = np.random.default_rng(seed).random((n, 3))                              # (n, 3) uniform
    which = (u[:, 0] * len(middles)).astype(int)                                # (n,)
    points = middles[which] + SIDES[side] * normal(u[:, 1:])
    names = (which + 1).astype(str)
    return points.astype(np.float32), [f"heap {name}" for name in names], {"heap": names}
