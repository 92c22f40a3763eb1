"""Beads on the noise band: timesteps to move with a mouse, a finger or the keyboard; Python reads where they lie.

A widget, to be a control of `live`: it needs a kernel, and no notebook keeps it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from ipywidgets import ValueWidget
from PIL import Image, ImageDraw

from .errors import LabError
from .figures import PALETTE, Figure, write
from .figures.plots import as_panels
from .recipe import as_text, plain, shortened
from .schedules import Schedule, as_schedule


class Beads(anywidget.AnyWidget, ValueWidget):
    """A few timesteps on the band from static to picture, each a bead that never passes its neighbour.

    Arguments: `timesteps`, falling, where the beads lie first; `schedule`, whose T timesteps the band holds; `others`,
    for each name other timesteps, drawn as small marks under the band. Its `value` is the list of timesteps now. Raises
    LabError for timesteps that do not fall or lie beyond the schedule.
    """

    _esm = (Path(__file__).parent / "beads.js").read_text(encoding="utf-8")
    value = traitlets.TraitType(()).tag(sync=True)  # what comes is judged by _within
    last = traitlets.Int(999, min=0).tag(sync=True)
    others = traitlets.Dict().tag(sync=True)
    colours = traitlets.Dict(PALETTE).tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)  # its name among the controls of `live`

    def __init__(self, timesteps: Sequence[int], schedule: Schedule, others: Mapping[str, Sequence[int]] | None = None):
        schedule = as_schedule(schedule)
        known = as_panels(others).items() if others else ()
        marks = {as_text(name, "a name", most=40): _falling(schedule, times) for name, times in known}
        super().__init__(value=_falling(schedule, timesteps), last=len(schedule) - 1, others=marks,
                         layout={"width": "calc(100% - 4px)"})  # the whole band is to be seen

    def still(self) -> Figure:
        """The band with the beads as they lie now, for a page without a kernel."""
        where = ", ".join(map(str, self.value))
        return Figure(belt(self.value, self.last), f"A band from static to picture, beads at t = {where}.", width=960)

    @traitlets.validate("value")
    def _within(self, proposal) -> list[int]:
        """What the page says is believed only where it falls and lies on the band."""
        came = plain(proposal["value"])
        times = [plain(t) for t in came] if isinstance(came, list | tuple) else []
        falls = all(type(t) is int for t in times) and all(b < a for a, b in pairwise([self.last + 1, *times, -1]))
        if not times or not falls:
            raise LabError(f"falling timesteps from {self.last} to 0 were expected; {shortened(came)} came; move one "
                           "bead at a time")
        return times


def _falling(schedule: Schedule, times: Sequence[int]) -> list[int]:
    return [t for t, _, _ in schedule.times(times)]


def fading(wide: int, high: int, dot: int) -> Image.Image:
    """The noise band itself: squares of `dot` pixels, less and less static from left to right."""
    columns = wide // dot
    static = np.random.default_rng(0).random((columns, high // dot)).T              # (rows, columns)
    greys = (235 - 180 * static * (1 - np.arange(columns) / columns)).round()
    return Image.fromarray(greys.astype(np.uint8)).resize((wide, high), Image.Resampling.NEAREST)


def belt(times: Sequence[int], last: int) -> Image.Image:
    """The band from static (left) to picture, with a bead for each of the timesteps: 960 x 96 pixels."""
    image = Image.new("RGB", (960, 96), "white")
    image.paste(fading(880, 32, 8), (40, 44))
    draw = ImageDraw.Draw(image)
    for t in times:
        x = 40 + 880 * (last - t) / max(last, 1)
        draw.ellipse([x - 15, 45, x + 15, 75], fill=PALETTE["guess"], outline="white", width=3)
        write(image, str(t), x, 10, size=22)
    return image
