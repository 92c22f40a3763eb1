"""The player: a trajectory as one self-contained block of HTML that needs no kernel and fetches nothing."""

from collections.abc import Sequence
from functools import cache, cached_property
from html import escape
from pathlib import Path

import numpy as np

from ..errors import LabError
from ..files import whole
from ..templates import as_json, fill, marked
from ..trajectory import Trajectory
from . import frames, paths
from .decoding import decode_guesses
from .strip import strip

BUDGET = 600_000  # bytes of one player
VIEWS = ("x_t", "x0", "eps", "x0_uncond")
EDITION = 1  # of the form of a player's data: one more whenever today's scripts cannot read what is stored
SCRIPTS = ("pictures", "band", "words", "panels", "hands", "player")
HERE = Path(__file__).parent
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title><style>
body { margin: 24px auto; max-width: 1120px; padding: 0 16px; background: #fff; color: #1a1a1a;
  font-family: system-ui, sans-serif }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #eee } }
</style></head><body><main>
{{player}}
</main></body></html>
"""


@cache
def parts() -> tuple[str, str]:
    """The player's style sheet and its script, as elements that `templates.renew` puts into a stored page."""
    script = "\n".join(["(() => {", '"use strict";', *map(_file, (f"{name}.js" for name in SCRIPTS)), "})();"])
    return marked("style", "player.css", _file("player.css"), EDITION), marked("script", "player.js", script, EDITION)


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8").strip()


class Player:
    """A path, or two of them, to be scrubbed: x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps at every step.

    Arguments: `trajectory`, and `other`, a second one to compare it with; `ask`, a question that hides what comes
    until the learner sets a flag; `views`, which panels are shown, of x_t, x0, eps, x0_uncond (where left out, all
    that the path has; with two paths x0, and x_t on forward ones); `caption`, a line to read under the player;
    `index`, which picture of the batch (of points, which one is followed). Raises LabError where there is nothing to
    show.
    """

    def __init__(self, trajectory: Trajectory, other: Trajectory | None = None, *, ask: str = "",
                 views: Sequence[str] | None = None, caption: str = "", index: int = 0):  # fmt: skip
        self.trajectories = [trajectory] if other is None else [trajectory, other]
        views = (views,) if isinstance(views, str) else views
        for view in views or ():
            if view not in VIEWS:
                raise LabError(f"views are {', '.join(VIEWS)}; {view!r} came; choose among these")
        for each in self.trajectories:
            _drawable(each, index)
        if other is not None and trajectory.direction != other.direction:
            raise LabError("two forward or two reverse paths were expected; one of each came; compare like with like")
        for each in self.trajectories:
            decode_guesses(each, seen=bool(ask))
        self.ask, self.views, self.caption, self.index = ask, views, caption, index

    def __repr__(self) -> str:
        return f"<Player: {self.title}, {' and '.join(str(len(each)) for each in self.trajectories)} points>"

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> Path:
        """Write the player as a page of its own, whole or not at all, which any browser opens without a network.

        Raises LabError where the name is not one of a page, and where the disk refuses.
        """
        path = Path(path).expanduser()
        if path.suffix.lower() not in (".html", ".htm"):
            raise LabError(f"a player is a page of HTML; the name {path.name} came; call it {path.stem}.html")
        with whole(path) as part:
            part.write_text(fill(PAGE, title=escape(self.title), player=self.html), encoding="utf-8")
        return path

    @property
    def title(self) -> str:
        """The prompt in quotation marks, or what happens (two paths with two prompts name them under the panels)."""
        prompts = {paths.prompt_of(each, self.index) for each in self.trajectories}
        if len(prompts) == 1 and prompts != {""}:
            return f"“{prompts.pop()}”"
        noise, clean = ("noise", "data") if frames.is_points(self.trajectories[0]) else ("static", "picture")
        reverse = self.trajectories[0].direction == "reverse"
        return f"From {noise} to {clean}" if reverse else f"From {clean} to {noise}"

    @cached_property
    def html(self) -> str:
        """The whole block, at most 600 KB: as fine in detail as fits."""
        strips = self._strips()
        for detail in frames.DETAILS:
            html = self._filled(strips, self._data(detail))
            if len(html.encode()) <= BUDGET:
                break
        return html

    def _filled(self, strips: str, data: dict) -> str:
        style, script = parts()
        html = fill(_file("player.html"), strip=strips, style=style, data=as_json(data), script=script)
        return html.encode("utf-8", "replace").decode()

    def _data(self, detail: frames.Detail) -> dict:
        """All that the script reads: panels, which steps are seen together, where play stops, and the paths."""
        places = [frames.kept(each, detail.steps) for each in self.trajectories]
        packed = [paths.pack(*each, self.index, detail) for each in zip(self.trajectories, places, strict=True)]
        data = {"title": self.title, "ask": self.ask, "note": self.caption, "paths": packed}
        if len(packed) == 2:
            return data | self._compared(packed, places)
        views = [view for view in self.views or VIEWS if view != "x0_uncond" or packed[0]["moved"]]
        return data | {
            "panels": [{"path": 0, "what": view} for view in views],
            "pairs": [[k, 0] for k in range(len(places[0]))],
            "stops": [int(np.abs(np.array(places[0]) - i).argmin()) for i in paths.stops(self.trajectories[0])],
        }

    def _compared(self, packed: list[dict], places: list[list[int]]) -> dict:
        a, b = self.trajectories
        panels = self._panels(packed)
        pairs, gaps = paths.pairs(*packed), None
        if a.direction == "reverse" and a.x0.shape == b.x0.shape:
            gaps = [paths.gap(a[places[0][i]], b[places[1][j]], self.index) for i, j in pairs]
        if packed[0]["units"] == packed[1]["units"]:  # what both share is kept once
            packed[1] |= {what: "same" for what in ("x0", "eps") if packed[0][what] == packed[1][what]}
        return {
            "panels": panels, "pairs": pairs, "stops": sorted({round(k * (len(pairs) - 1) / 4) for k in range(5)}),
            "names": paths.told_apart(a, b, self.index), "start": paths.start_line(a, b, self.index),
            "gaps": gaps and frames.numbers(gaps, "<f4"),
        }  # fmt: skip

    def _panels(self, packed: list[dict]) -> list[dict]:
        """What two paths show: each view of both, and the difference of their guesses where there can be one."""
        reverse = self.trajectories[0].direction == "reverse"
        views = self.views or (("x0",) if reverse else ("x_t",))
        panels = [{"path": path, "what": view} for view in views for path in (0, 1)]
        return panels + [{"path": 0, "what": "difference"}] * ("x0" in views and reverse and _alike(packed))

    def _strips(self) -> str:
        """The static strip of each path, the second one closed by what holds for both."""
        last, two = self.trajectories[-1], len(self.trajectories) == 2
        names = paths.told_apart(*self.trajectories, self.index) if two else [self.title]
        start = paths.start_line(*self.trajectories, self.index) if two else ""
        strips = []
        for each, name in zip(self.trajectories, names, strict=True):
            notes = [paths.recipe_line(each, self.index), *([start, self.caption] if each is last else [])]
            strips.append(strip(each, self.index, name, notes))
        return "".join(strips)


def _alike(packed: list[dict]) -> bool:
    a, b = packed
    if a["points"] or b["points"]:
        return a["points"] and b["points"] and a["count"] == b["count"]
    sizes = [path["pictures"].get("x0", path["x0"])["size"] for path in packed]
    return sizes[0] == sizes[1] and bool(a["pictures"]) == bool(b["pictures"])


def _drawable(trajectory: Trajectory, index: int) -> None:
    if not isinstance(trajectory, Trajectory) or not len(trajectory):
        raise LabError(f"a Trajectory with at least one step was expected; {type(trajectory).__name__} came; "
                       "make one with watch(model.steps(...)) or forward(...)")  # fmt: skip
    frames.is_points(trajectory)
    B = len(trajectory[0].x_t)
    if not 0 <= index < B:
        raise LabError(f"index picks one of {B} pictures, from 0 to {B - 1}; {index} came")
