"""A pad to draw on with a mouse, a finger or the keyboard; Python reads what was drawn.

The pad is a widget: it needs a kernel, and no notebook keeps it. A picture of what is there before anybody draws stays
in the page, as beside every live control.
"""

from pathlib import Path

import anywidget
import numpy as np
import traitlets

from .controls import in_place_of
from .errors import LabError
from .figures import PALETTE, Figure, axes
from .pixels import as_array
from .recipe import as_whole

REACH = 1.5  # half the width of the pad, in the plane's units
JITTER = 0.04  # how thick a line of points is
DOT = 0.15  # a dot counts as much as a line of this length


class _Pad(anywidget.AnyWidget):
    """The page's side: `strokes`, a list of lines, each a flat list of x, y, x, y, ..."""

    _esm = (Path(__file__).parent / "sketch.js").read_text(encoding="utf-8")
    strokes = traitlets.List().tag(sync=True)
    reach = traitlets.Float(REACH).tag(sync=True)
    colours = traitlets.Dict(PALETTE).tag(sync=True)


class Sketch:
    """A pad for a cloud of points: draw lines, and `points(n)` spreads n points along them.

    Arguments: `otherwise`, the points (N, 2) that it gives as long as nothing is drawn. Shown at the end of a cell.
    Raises LabError for other points.
    """

    def __init__(self, otherwise):
        cloud = as_array(otherwise, "points")
        if cloud.ndim != 2 or cloud.shape[1] != 2 or not len(cloud) or not np.isfinite(cloud).all():
            raise LabError(f"points (N, 2) to give where nothing is drawn were expected; {cloud.shape} came; try "
                           "worlds.points.sample(2000, 0)[0]")
        self.otherwise, self.pad = cloud.astype(np.float32), _Pad()

    @property
    def drawn(self) -> bool:
        """Whether anything is on the pad."""
        return bool(_lines(self.pad.strokes))

    def points(self, n: int = 2000, seed: int = 0) -> np.ndarray:
        """n points (n, 2) float32, evenly along all lines, each beside its line by about 0.04; of `otherwise` where
        nothing is drawn (its first n)."""
        n, lines = as_whole(n, "the number of points", "try 2000"), _lines(self.pad.strokes)
        if not lines:
            return self.otherwise[:n]
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

    def _ipython_display_(self) -> None:
        from IPython.display import display

        words = "Run this cell in a notebook, and draw a cloud of your own here."
        display(in_place_of(self.pad, words, self.still()._repr_html_()), raw=True)


def _lines(strokes: list) -> list[np.ndarray]:
    """The strokes as lines (K, 2) with at least two points, a dot twice the same."""
    lines = [np.clip(np.asarray(stroke, dtype=np.float64).reshape(-1, 2), -REACH, REACH) for stroke in strokes]
    return [line if len(line) > 1 else line.repeat(2, axis=0) for line in lines if len(line)]
