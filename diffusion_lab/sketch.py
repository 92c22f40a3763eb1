"""Pads to draw on with a mouse, a finger or the keyboard: a cloud of points, or a mask over a picture; Python reads it.

A pad is a widget: it needs a kernel, and no notebook keeps it. A picture of what was drawn last stays in the page, as
beside every live control.
"""

from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from ipywidgets import ValueWidget
from PIL import Image

from .controls import in_place_of
from .errors import LabError
from .figures import PALETTE, Figure, axes
from .figures.figure import as_alt, embedded
from .pixels import as_array, as_rgb
from .recipe import as_positive, as_whole

REACH = 1.5  # half the width of the pad for points, in the plane's units
JITTER = 0.04  # how thick a line of points is
DOT = 0.15  # a dot counts as much as a line of this length
BRUSH = 0.12  # how wide a brush is at first, as a share of the picture's height


class _Pad(anywidget.AnyWidget, ValueWidget):
    """The page's side: `value`, a list of strokes {"line": [x, y, x, y, ...], "width": ..., "erase": ...}; over a
    `picture` a stroke has a width, in its pixels, and may erase. `box` is the pad's left, top, right, bottom."""

    _esm = (Path(__file__).parent / "sketch.js").read_text(encoding="utf-8")
    value = traitlets.List().tag(sync=True)
    box = traitlets.List([-REACH, REACH, REACH, -REACH]).tag(sync=True)
    colours = traitlets.Dict(PALETTE).tag(sync=True)
    picture = traitlets.Unicode("").tag(sync=True)
    brush = traitlets.Float(0).tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)  # its name among the controls of `live`


class _OnPad:
    """What is shown at the end of a cell: the pad, and where there is none, the last picture of it."""

    pad: _Pad
    words: str

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        display(in_place_of(self.pad, self.words), raw=True)
        shown = display(HTML(self._page()), display_id=True)
        self.pad.observe(lambda _: shown and shown.update(HTML(self._page())), "value")

    def _page(self) -> str:
        return f'<div class="dl-pad-still">{self.still()._repr_html_()}</div>'


class Sketch(_OnPad):
    """A pad for a cloud of points: draw lines, and `points(n)` spreads n points along them.

    Arguments: `otherwise`, the points (N, 2) that it gives as long as nothing is drawn. Shown at the end of a cell.
    Raises LabError for other points.
    """

    words = "Run this cell in a notebook, and draw a cloud of your own here."

    def __init__(self, otherwise):
        cloud = as_array(otherwise, "points")
        fits = cloud.dtype.kind in "fiu" and cloud.ndim == 2 and cloud.shape[1] == 2 and len(cloud)
        if not (fits and (np.abs(cloud) <= np.finfo(np.float32).max).all()):
            raise LabError("finite points (N, 2) to give where nothing is drawn were expected; "
                           f"{cloud.dtype} {cloud.shape} came; try worlds.points.sample(2000, 0)[0]")
        self.otherwise, self.pad = cloud.astype(np.float32), _Pad()

    @property
    def drawn(self) -> bool:
        """Whether anything is on the pad."""
        return bool(_lines(self.pad.value))

    def points(self, n: int = 2000, seed: int = 0) -> np.ndarray:
        """n points (n, 2) float32, evenly along all lines, each beside its line by about 0.04; of `otherwise` where
        nothing is drawn (its first n)."""
        n, lines = as_whole(n, "the number of points", "try 2000"), _lines(self.pad.value)
        if not lines:
            return self.otherwise[:n].copy()
        lines = [np.clip(line if len(line) > 1 else line.repeat(2, axis=0), -REACH, REACH) for line in lines]
        ends = np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in lines])        # (K, 2, 2)
        length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)                                  # (K,)
        length = np.where(length > 0, length, DOT)
        dice = np.random.default_rng(as_whole(seed, "a seed", "try 0", 0))
        which = dice.choice(len(ends), n, p=length / length.sum())                                # (n,)
        along = dice.random((n, 1))
        cloud = (1 - along) * ends[which, 0] + along * ends[which, 1] + JITTER * dice.standard_normal((n, 2))
        return cloud.astype(np.float32)

    def still(self) -> Figure:
        """What `points` gives now, as a picture."""
        figure, panel = axes(2.3, 2.3)
        panel.plot(*self.points(600).T, "o", color=PALETTE["signal"], markersize=3)
        panel.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[], yticks=[])
        whose = "the one you drew" if self.drawn else "the course's"
        return Figure(figure, f"A cloud of points in the plane, {whose}.", f"The cloud that is learned: {whose}.")


class Painter(_OnPad):
    """A pad to paint a mask over a picture, with a brush and an eraser: what is painted turns to static.

    Arguments: `picture`, PIL or uint8 (H, W, 3); `alt`, what is to be seen in it; `strokes`, what is painted at first:
    {"line": [x, y, x, y, ...], "width": ...} in pixels of the picture, with "erase" True where it takes away. Shown at
    the end of a cell; its `pad` may be a control of `live`. Raises LabError for another picture, or without alt text.
    """

    words = "Run this cell in a notebook, and paint on the picture."

    def __init__(self, picture, alt: str, strokes: Sequence[dict] = ()):
        self.picture, self.alt = as_rgb(picture), as_alt(alt)
        width, height = self.picture.size
        painted = [{"line": line.ravel().tolist(), "width": wide, "erase": erase}
                   for line, wide, erase in _painted(strokes)]  # fmt: skip
        self.pad = _Pad(value=painted, box=[0, 0, width, height], picture=embedded(self.picture),
                        brush=max(1, round(BRUSH * height)), alt=self.alt)

    @property
    def mask(self) -> np.ndarray:
        """What is painted now: bool (H, W), True to be drawn anew."""
        mask = np.zeros(self.picture.size[::-1], bool)
        for line, wide, erase in _painted(self.pad.value):
            for a, b in zip(line, line[1:] if len(line) > 1 else line, strict=False):
                _paint(mask, a, b, wide / 2, not erase)
        return mask

    def painted(self) -> Image.Image:
        """The picture with static where it is painted."""
        pixels, mask = np.array(self.picture), self.mask
        pixels[mask] = np.random.default_rng(0).integers(60, 256, mask.shape)[mask][:, None]
        return Image.fromarray(pixels)

    def still(self) -> Figure:
        """The picture with its mask, and how much of it is painted, as a figure."""
        share = f"{100 * self.mask.mean():.0f} %"
        return Figure(self.painted(), f"{self.alt} Static covers {share} of it.",
                      f"Painted: {share} of the picture.", width=380)  # fmt: skip


def _paint(mask: np.ndarray, a: np.ndarray, b: np.ndarray, reach: float, new: bool) -> None:
    """Sets what lies nearer than `reach` to the line from a to b, places (x, y), in a mask (H, W), to `new`."""
    size = mask.shape[::-1]
    left, top = np.clip(np.floor(np.minimum(a, b) - reach), 0, size).astype(int)
    right, bottom = np.clip(np.ceil(np.maximum(a, b) + reach), 0, size).astype(int)
    part = mask[top:bottom, left:right]
    y, x = np.indices(part.shape) + np.array([top, left])[:, None, None] + 0.5        # the middles of its pixels
    dx, dy = b - a
    along = np.clip(((x - a[0]) * dx + (y - a[1]) * dy) / max(dx**2 + dy**2, 1e-9), 0, 1)
    part[np.hypot(x - a[0] - along * dx, y - a[1] - along * dy) <= reach] = new


def _painted(strokes: Sequence[dict]) -> list[tuple[np.ndarray, float, bool]]:
    """The strokes on a picture: their lines (K, 2), how wide they are, and whether they take away."""
    return [(line, as_positive(stroke.get("width"), "a stroke's width", "try 20 pixels"), bool(stroke.get("erase")))
            for line, stroke in zip(_lines(strokes, drop=False), strokes, strict=True)]  # fmt: skip


def _lines(strokes: Sequence[dict], drop: bool = True) -> list[np.ndarray]:
    """The strokes as lines (K, 2), without those that have no point."""
    try:
        lines = [np.asarray(stroke["line"], dtype=np.float64).reshape(-1, 2) for stroke in strokes]
        if not all(np.isfinite(line).all() for line in lines):
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError):
        raise LabError('strokes {"line": [x, y, x, y, ...], "width": ...} were expected; others came; '
                       "give two numbers a point") from None
    return [line for line in lines if len(line) or not drop]
