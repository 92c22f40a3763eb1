"""The player: a trajectory as one self-contained block of HTML that needs no kernel and fetches nothing."""

from collections.abc import Sequence
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np

from ..errors import LabError
from ..files import expanded, whole
from ..packing import check_pictures
from ..protocol import check_samples
from ..recipe import as_whole
from ..templates import as_json, fill, marked
from ..trajectory import Trajectory
from . import frames, paths, words
from .decoding import decoded
from .still import riddle, still
from .views import VIEWS, check, had, known, table

BUDGET = 600_000  # bytes of one player
EDITION = 3  # of the form of a player's data: one more whenever today's scripts cannot read what is stored
SCRIPTS = ("pictures", "band", "words", "panels", "hands", "player")
RESTS = ("result", "change", "even", "start")
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


def parts() -> tuple[str, str]:
    """The player's style sheet and its script, as elements that `templates.renew` puts into a stored page."""
    views = f"const VIEWS = {as_json(table())};"
    script = "\n".join(["(() => {", '"use strict";', views, *(_file(f"{name}.js") for name in SCRIPTS), "})();"])
    return marked("style", "player.css", _file("player.css"), EDITION), marked("script", "player.js", script, EDITION)


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8").strip()


class Player:
    """A path, or two of them, to be scrubbed: x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps at every step.

    Arguments: `trajectory`, and `other`, a second one to compare it with; `ask`, a question that hides what comes
    until the learner sets a flag; `rest`, where it stands at first: "result", the clean picture (where a reverse path
    ends and a forward one begins), "change", where the guess changed most, "even", where picture and noise nearly are,
    or "start", the first step (where a question always stands); `views`, which panels are shown, of those in
    views.VIEWS: x_t, x0, eps, x0_uncond (where left out, all that the path has; with two paths x_t, and x0 on reverse
    ones); `caption`, a line to read under the player; `names`, what two paths are called (left out: what tells their
    recipes apart); `index`, which picture of the batch (of points, which one is followed). Latents are drawn as
    colours, x_t, x0 and eps alike; where the path can decode them, the decoded guess stands beside them. The paths stay
    as they are. Raises LabError where there is nothing to show.
    """

    def __init__(self, trajectory: Trajectory, other: Trajectory | None = None, *, ask: str = "", rest: str = "result",
                 views: Sequence[str] | None = None, caption: str = "", names: Sequence[str] = (),
                 index: int = 0):  # fmt: skip
        self.trajectories = [trajectory] if other is None else [trajectory, other]
        self.ask, self.caption = words.told(ask, caption)
        self.names = words.names(names, len(self.trajectories))
        asked, self.rest = known(views), check_rest(rest)
        for each in self.trajectories:
            self.index = index = drawable(each, index)
            check(asked or (), each)
        if other is not None and trajectory.direction != other.direction:
            raise LabError("two forward or two reverse paths were expected; one of each came; compare like with like")
        self.views, self.named = self._chosen() if asked is None else asked, asked is not None
        self.pictures = [decoded(each, index, self._decoded(each)) for each in self.trajectories]

    def __repr__(self) -> str:
        lengths = " and ".join(str(len(each)) for each in self.trajectories)
        return f"<Player: {self.ask or self.title}, {lengths} points>"

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> Path:
        """Write the player as a page of its own, whole or not at all, which any browser opens without a network.

        Raises LabError where the name is not one of a page, and where the disk refuses.
        """
        path = expanded(path)
        if path.suffix.lower() not in (".html", ".htm"):
            other = f"{path.stem or 'player'}.html"
            raise LabError(f"a player is a page of HTML; the name {path.name!r} came; call it {other}")
        with whole(path) as part:
            part.write_text(fill(PAGE, title=escape(self.ask or self.title), player=self.html), encoding="utf-8")
        return path

    @property
    def title(self) -> str:
        """The prompt in quotation marks, or what happens."""
        return words.title(self.trajectories, self.index)

    @cached_property
    def html(self) -> str:
        """The whole block, at most 600 KB: as fine in detail as fits."""
        stills = self._stills()
        for detail in frames.DETAILS:
            html = self._filled(stills, self._data(detail))
            if len(html.encode()) <= BUDGET:
                break
        return html

    def _chosen(self) -> list[str]:
        """The views of who names none."""
        first = self.trajectories[0]
        if len(self.trajectories) == 2:
            return ["x_t", "x0"] if first.direction == "reverse" else ["x_t"]
        return [key for key in had(first) if VIEWS[key].always]

    def _kept(self, trajectory: Trajectory) -> list[str]:
        """The views of which frames are packed: those shown, and unless they were named, what stands beside one."""
        one = len(self.trajectories) == 1 and not self.named
        return list(dict.fromkeys([*self.views, *(key for key in had(trajectory) if one and VIEWS[key].beside)]))

    def _decoded(self, trajectory: Trajectory) -> list[str]:
        """The views of which decoded pictures are shown: clean samples, and x_t while a riddle is asked."""
        return [key for key in self._kept(trajectory) if VIEWS[key].decoded or (key == "x_t" and self.ask)]

    def _filled(self, stills: str, data: dict) -> str:
        style, script = parts()
        html = fill(_file("player.html"), still=stills, style=style, data=as_json(data), script=script)
        return html.encode("utf-8", "replace").decode()

    def _data(self, detail: frames.Detail) -> dict:
        """All that the script reads: panels, which steps are seen together, where play stops, and the paths."""
        places = [frames.kept(each, detail.steps) for each in self.trajectories]
        packed = [paths.pack(each, at, self.index, detail, self._kept(each), pictures)
                  for each, at, pictures in zip(self.trajectories, places, self.pictures, strict=True)]  # fmt: skip
        data = {"title": self.title, "opening": words.opening(self.trajectories, self.names), "ask": self.ask,
                "rest": self.rest, "small": words.mosaic(self.trajectories[0]), "note": self.caption, "paths": packed,
                "recipe": [words.recipe_line(each, self.index) for each in self.trajectories]}  # fmt: skip
        if len(packed) == 2:
            return data | self._compared(packed, places)
        return data | {
            "panels": [{"path": 0, "what": view} for view in self.views],
            "pairs": [[k, 0] for k in range(len(places[0]))],
            "stops": [int(np.abs(np.array(places[0]) - i).argmin()) for i in paths.stops(self.trajectories[0])],
        }

    def _compared(self, packed: list[dict], places: list[list[int]]) -> dict:
        a, b = self.trajectories
        alike, pairs, gaps = _alike(packed), paths.pairs(*packed), None
        if a.direction == "reverse" and a.x0.shape == b.x0.shape:
            gaps = [paths.gap(a[places[0][i]], b[places[1][j]], self.index) for i, j in pairs]
        if packed[0]["units"] == packed[1]["units"]:  # what both share is kept once
            one, two = (path["frames"] for path in packed)
            two |= {what: "same" for what in one if one[what] == two.get(what)}
        return {
            "panels": self._panels(alike), "pairs": pairs, "names": words.told_apart(a, b, self.index, self.names),
            "stops": sorted({round(k * (len(pairs) - 1) / 4) for k in range(5)}),
            "start": words.start_line(a, b, self.index), "gaps": gaps and frames.numbers(gaps, "<f4"),
        }  # fmt: skip

    def _panels(self, alike: bool) -> list[dict]:
        """What two paths show: the views of A, the difference of the guesses where there can be one, those of B."""
        gap = alike and "x0" in self.views and self.trajectories[0].direction == "reverse"
        a, b = ([{"path": path, "what": view} for view in self.views] for path in (0, 1))
        return [*a, *[{"path": 0, "what": "x0", "gap": True}] * gap, *reversed(b)]

    def _stills(self) -> str:
        """The still of each path, the second one closed by what holds for both."""
        two, index = len(self.trajectories) == 2, self.index
        names = words.told_apart(*self.trajectories, index, self.names) if two else [self.title]
        stills = []
        for each, pictures, name in zip(self.trajectories, self.pictures, names, strict=True):
            heads = [name, words.opening(self.trajectories, self.names) if each is self.trajectories[0] else ""]
            notes = [words.recipe_line(each, index)]
            if each is self.trajectories[-1]:
                notes += [words.start_line(*self.trajectories, index) if two else "", self.caption]
            stills.append(still(each, index, heads, notes, pictures["x0"]))
        return riddle(self.ask, "".join(stills)) if self.ask else "".join(stills)


def _alike(packed: list[dict]) -> bool:
    a, b = packed
    if a["points"] or b["points"]:
        return a["points"] and b["points"] and a["count"] == b["count"]
    sizes = [path["pictures"].get("x0", path["frames"]["x0"])["size"] for path in packed]
    return sizes[0] == sizes[1] and bool(a["pictures"]) == bool(b["pictures"])


def check_rest(rest: str) -> str:
    """`rest` itself; raises LabError where a player cannot stand there."""
    if rest not in RESTS:
        raise LabError(f"rest is {', '.join(RESTS)}; {rest!r} came; choose among these")
    return rest


def drawable(trajectory: Trajectory, index: int) -> int:
    """The index as an int; raises LabError where a path, or that one of its batch, cannot be shown."""
    if not isinstance(trajectory, Trajectory) or not len(trajectory):
        raise LabError(f"a Trajectory with at least one step was expected; {type(trajectory).__name__} came; "
                       "make one with watch(model.steps(...)) or forward(...)")  # fmt: skip
    for step in trajectory.steps[:1] if trajectory.fixed else trajectory.steps:
        check_samples(step.x_t, trajectory[0].x_t.shape[1:], "a path keeps the shape that it begins with")
        if len(step.x_t) != len(trajectory[0].x_t):
            raise LabError(f"{len(trajectory[0].x_t)} pictures at every step were expected; {len(step.x_t)} came; give "
                           "one path at a time")
    frames.is_points(trajectory)
    B = len(trajectory[0].x_t)
    check_pictures(trajectory.pictures, B)
    return as_whole(index, f"index, which of {B} pictures,", "count from 0", 0, B - 1)
