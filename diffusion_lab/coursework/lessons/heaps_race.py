"""The pictures of lesson 10: clouds over heaps as small tiles, by the dozen, and what can be concluded from them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...errors import LabError
from ...evaluation.coverage import Coverage
from ...figures import PALETTE, Figure, Slider, strip
from ...figures.plots import as_numbers
from ...gan import GAMES
from ...recipe import as_whole, shortened
from ...recipes.gans import REACH, SECONDS, SIDES, WIDTHS, Run, judged, steps_of
from ...worlds import heaps

RING = (225, 225, 225)
ALL, NEAR = 25, 0.5  # a run is right with all heaps and half of its points near
EVEN = float(np.log(2))  # above it a run is uneven: as if half of the heaps had all points
LINED_UP = ("R3GAN", "flow matching", "GAN, 2014", "diffusion", "with R1")  # the question that opens the lesson


def rgb(role: str) -> tuple[int, ...]:
    """A role's colour as three bytes."""
    return tuple(bytes.fromhex(PALETTE[role][1:]))


def tile(points, size: int = 96, side: int = 5, role: str = "guess") -> Image.Image:
    """Points (N, 2) as dots on a square of `size` pixels, over grey discs where the heaps lie; points beyond the square
    lie on its edge, and what is no number is left out."""
    size = as_whole(size, "a tile's size", "give pixels, such as 96", 4)
    line = (np.arange(size) + 0.5) / size * 2 * REACH - REACH
    far = np.square(np.stack(np.meshgrid(line, -line), 2)[:, :, None] - heaps.centres(side)).sum(3).min(2)
    sheet = np.full((size, size, 3), 255, dtype=np.uint8)
    sheet[far < (heaps.NEAR * heaps.SIDES[side]) ** 2] = RING
    points = as_numbers(points, None, 2)
    points = points[np.isfinite(points).all(axis=1)]
    across = ((points.clip(-REACH, REACH) * [1, -1] + REACH) / (2 * REACH) * size).astype(int)   # (N, 2) pixels
    for dx, dy in np.ndindex((2, 2) if size >= 150 else (1, 1)):
        x, y = (across + [dx, dy]).clip(1, size - 2).T                                           # inside the frame
        sheet[y, x] = rgb(role)
    sheet[[0, -1]] = sheet[:, [0, -1]] = (150, 150, 150)
    return Image.fromarray(sheet)


def label(found: Coverage) -> str:
    """Heaps found, and the share near one, as it stands under a small picture; of a run that is lost, that it is."""
    return "lost" if found.lost else f"{found.modes} · {100 * found.near:.0f} %"


def of_one_size(figures: Sequence[Figure]) -> list[Image.Image]:
    """The pictures of figures, each on white of the size of the largest, for a slider."""
    width, height = (max(one.image.size[k] for one in figures) for k in (0, 1))
    sheets = []
    for one in figures:
        sheets.append(Image.new("RGB", (width, height), "white"))
        sheets[-1].paste(one.image)
        sheets[-1].info.update(one.image.info)
    return sheets


def by_side(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs of each side, in the order of SIDES."""
    _some(runs)
    return {name: mine for name in SIDES if (mine := [run for run in runs if run.name == name])}


def _some(runs: Sequence[Run]) -> None:
    """Raises LabError where there is no run."""
    if not isinstance(runs, Sequence) or not runs or not all(isinstance(run, Run) for run in runs):
        raise LabError(f"at least one recorded run was expected; {shortened(runs)} came; take all of gans.stored()")


def ranked(runs: Sequence[Run]) -> list[Run]:
    """Runs from the worst to the best: by heaps found, then by the share near one."""
    return sorted(runs, key=lambda run: run.found[:2])


class Cell(NamedTuple):
    """The runs of one side at one width and rate, one a seed."""

    name: str
    width: int
    rate: float
    runs: list[Run]

    @property
    def modes(self) -> list[int]:
        """How many heaps each seed finds."""
        return [run.found.modes for run in self.runs]

    @property
    def near(self) -> float:
        """The mean share of points near a heap."""
        return float(np.mean([run.found.near for run in self.runs]))

    @property
    def rank(self) -> tuple[float, float]:
        """By what cells are sorted: heaps found, then the share near, in the mean over the seeds."""
        return float(np.mean(self.modes)), self.near


def cells(runs: Sequence[Run]) -> list[Cell]:
    """All cells of a record, each side's from its worst to its best."""
    _some(runs)
    found = {}
    for run in runs:
        found.setdefault((run.name, run.width, run.rate), []).append(run)
    return sorted((Cell(*key, mine) for key, mine in found.items()), key=lambda cell: cell.rank)


def tuned(runs: Sequence[Run]) -> dict[str, Run]:
    """For each side the middle seed of its best width and rate."""
    best = {cell.name: cell.runs for cell in cells(runs)}  # the last one of a name is its best
    return {name: ranked(best[name])[len(best[name]) // 2] for name in by_side(runs)}


def lined_up(runs: Sequence[Run], size: int = 240, named: bool = False) -> Figure:
    """The tuned run of each side, by letters or `named`."""
    best = tuned(runs)
    told = [f"{name} {label(best[name].found)}" for name in LINED_UP]
    alt = ("In two of them nearly every heap is drawn, in two there is fog, in one most heaps are missing."
           if not named else f"{'; '.join(told)}.")
    return strip([tile(best[name].points, size) for name in LINED_UP], f"Five clouds over {ALL} grey heaps. {alt}",
                 "Below each: heaps found, of 25, and the share of points near a heap, on its grey disc. Each side at "
                 "its best, and there the middle one of three seeds." if named else f"The same {SECONDS / 9:.1f} "
                 "seconds of one processor core for each.", labels=told if named else list("ABCDE"), size=size)


def all_runs(runs: Sequence[Run], each: int = 9, size: int = 72) -> Figure:
    """So many runs of `each` side as small pictures, a row for each side, in even steps from its worst to its best."""
    rows = {name: ranked(mine) for name, mine in by_side(runs).items()}
    told = [f"{name}: {', '.join(str(row[k].found.modes) for k in (0, len(row) // 2, -1))} heaps"
            for name, row in rows.items()]
    shown = [row[round(k)] for row in rows.values() for k in np.linspace(0, len(row) - 1, each)]
    count = len(next(iter(rows.values())))
    return strip([tile(run.points, size) for run in shown], rows=len(rows), size=size,
                 labels=told, alt=f"Rows of {each} small clouds over 25 heaps, from the worst run to the best. The "
                 f"worst, the middle, the best: {'. '.join(told)}.",
                 caption=f"{each} of each side's {count} runs, in even steps from the worst to the best, and how many "
                 "of 25 heaps the worst, the middle and the best one find.")


def row(runs: Sequence[Run], name: str, width: int, rate: float) -> list[Run]:
    """The recorded runs of a side at a width and a rate, one a seed; raises LabError for what is not recorded."""
    found = [run for run in runs if (run.name, run.width, run.rate) == (name, width, rate)]
    if not found:
        names, widths, rates = (", ".join(dict.fromkeys(repr(getattr(run, one)) for run in runs))
                                for one in ("name", "width", "rate"))
        raise LabError(f"a row of the table was expected; {name!r}, width {width!r}, rate {rate!r} came; sides are "
                       f"{names}, widths {widths}, rates {rates}")
    return found


def table(runs: Sequence[Run], name: str) -> Figure:
    """All runs of one side: a row for each seed, a column for each width and rate, with label below each."""
    sides = by_side(runs)
    if name not in sides:
        raise LabError(f"a side was expected; {shortened(name)} came; there are: {', '.join(sides)}")
    mine = sides[name]
    seeds = sorted({run.seed for run in mine})
    rows = [run for seed in seeds for run in mine if run.seed == seed]
    columns = ", ".join(f"{run.width} at {run.rate:g}" for run in rows[: len(rows) // len(seeds)])
    whole = sum(run.found.modes == 25 for run in mine)
    return strip([tile(run.points, 112) for run in rows], rows=len(seeds), size=112,
                 labels=[label(run.found) for run in rows],
                 alt=f"{len(mine)} clouds of {name} over 25 heaps, three rows of seeds, {whole} of them with all.",
                 caption=f"{name}: {whole} of {len(mine)} runs find all 25. Columns, width at rate: {columns}. "
                         "Rows: three seeds.")


def steps() -> str:
    """How many steps each side makes in its time at each width, as a table in Markdown."""
    rows = [[f"steps in {SECONDS} seconds", *(f"width {width}" for width in WIDTHS)], [":--", *["--:"] * len(WIDTHS)],
            *([name, *(f"{steps_of(name, width):,}" for width in WIDTHS)] for name in SIDES)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def is_right(found: Coverage) -> bool:
    """Whether a run has learned the 25 heaps: all are found, and at least half of its points lie near one."""
    return found.modes == ALL and found.near >= NEAR


def easily(runs: Sequence[Run]) -> str:
    """How hard a side is to get right, told by its runs: nearly always, wherever it is tuned, by luck, or never."""
    right = [is_right(run.found) for run in runs]
    tuned = any(all(is_right(run.found) for run in cell.runs) for cell in cells(runs))
    words = {"is hard to get wrong": sum(right) > 0.6 * len(right), "comes right once it is tuned": tuned,
             "comes right with luck": any(right), "never came right in this time": True}
    return next(said for said, holds in words.items() if holds)


def verdict(runs: Sequence[Run]) -> list[str]:
    """What the recorded runs say, in sentences: how hard each side is to get right, what penalties do, and whether the
    learning rates reached far enough."""
    sides = by_side(runs)
    right = {name: sum(is_right(run.found) for run in mine) for name, mine in sides.items()}
    uneven = {name: sum(run.found.divergence > EVEN for run in mine) for name, mine in sides.items()}
    told = [f"{name[0].upper()}{name[1:]} {easily(mine)}: {right[name]} of {len(mine)} runs are right, "
            f"{uneven[name]} are uneven; the best finds {max(run.found.modes for run in mine)}."
            for name, mine in sorted(sides.items(), key=lambda side: -right[side[0]] / len(side[1]))]
    return [*told, _cured(sides, right, uneven), _at_the_edge(runs)]


def _cured(sides: Mapping[str, list[Run]], right: Mapping[str, int], uneven: Mapping[str, int]) -> str:
    """What penalties do, told by the right runs and the uneven ones of each side."""
    first, *others = (name for name in GAMES if name in sides)
    share = {name: uneven[name] / len(sides[name]) for name in (first, *others)}
    healed = [name for name in others if share[name] <= share[first] / 2]
    if not share[first]:
        return f"{first} is never uneven here: there is nothing that a penalty could cure."
    if not healed:
        return "Penalties do not make uneven clouds rarer here."
    told = "; ".join(f"{name} in {uneven[name]} of {len(sides[name])} runs{_where(sides[name])}" for name in healed)
    near = max(float(np.median([run.found.near for run in sides[name]])) for name in healed)
    fog = "" if any(right[name] for name in healed) else (
        f" But none of these runs came right in this time: half of them have at most {100 * near:.0f} % of their "
        "points near a heap.")
    return f"Penalties make uneven clouds rarer, {told}.{fog}"


def _where(runs: Sequence[Run]) -> str:
    """At which widths and rates a side's runs are uneven; "" where none is."""
    where = {(run.width, run.rate) for run in runs if run.found.divergence > EVEN}
    places = " and ".join(f"width {width}, rate {rate:g}" for width, rate in sorted(where))
    return f", at {places}" if where else ""


def scrubbed(seen: Mapping[tuple[str, float], Sequence], names: Sequence[str], first: str = "seed 0") -> Slider:
    """The clouds over nine heaps of each of three games, one run of each, under one clock.

    Arguments: `seen`, for a game's name and a share of the time its clouds (runs, N, 2); `names` of the games; `first`,
    what the run that is shown is called. Raises LabError where a game was not played.
    """
    missing = [name for name in names if (name, 1.0) not in seen]
    if missing:
        raise LabError(f"clouds of {len(names)} games were expected; none of {' and '.join(missing)} came; run both "
                       "cells above that play, that with the penalties, too")
    looks = sorted({share for _, share in seen})
    found = {(name, share): judged(seen[name, share][:1], side=3)[0] for name in names for share in looks}
    pages = [strip([tile(seen[name, share][0], 300, 3) for name in names], "Three clouds over nine heaps.", size=300,
                   labels=[f"{name}: {label(found[name, share])}" for name in names]).image for share in looks]
    told = "; ".join(f"{name} {_kept([found[name, share].modes for share in looks])}" for name in names)
    return Slider(pages, [f"{100 * share:.0f} % of the time" for share in looks], title="Scrub the training",
                  start=len(looks) - 1, height=340,
                  alt=f"Three clouds over nine heaps at {len(looks)} moments of the training, {first} of each. {told}.",
                  caption=f"{first[0].upper()}{first[1:]} of each, heaps found and the share of points on a grey disc: "
                          f"{told}.")


def _kept(modes: Sequence[int], most: int = 7) -> str:
    """What became of nine heaps once `most` of them were found, in words that a small difference does not change."""
    begun = next((k for k, found in enumerate(modes) if found >= most), len(modes))
    if begun == len(modes):
        return "never finds most heaps"
    if min(modes[begun:]) > 4:
        return "keeps most heaps"
    return "loses most heaps and finds them again" if modes[-1] > 4 else "loses most heaps for good"


def _at_the_edge(runs: Sequence[Run]) -> str:
    """For how many sides the largest of the learning rates was the best one."""
    best, most = {cell.name: cell.rate for cell in cells(runs)}, max(run.rate for run in runs)
    edge = sum(rate == most for rate in best.values())
    return (f"The largest rate, {most:g}, was the best for {edge} of {len(best)} sides: larger ones were not tried, "
            "and might do better.")
