"""A race: how near each sampler comes with how many network calls, by two distances, and the path behind each dot."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import LabError
from ..recipe import as_text, as_whole, shortened
from ..templates import as_json, marked
from .curves import as_name, axes
from .figure import PALETTE, WORDS, Figure
from .plots import as_numbers, as_panels, as_several

COLOURS = tuple(WORDS[role] for role in ("signal", "noise", "reference", "pull")) + ("#222222", WORDS["guess"])
SHAPES = "oX^Dsv"  # a mark for each racer, so that they are told apart without colour, too
REACH = 2.3  # half the width of the plane in which paths are drawn, those that shake too
LEAST, HUGE = 1e-4, 1e30  # the smallest distance that is told apart, and what is too large to be drawn
MOST = 10**6  # calls of the network
TICKS = (1, 2, 4, 8, 16, 32), (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)  # across and up


class Dot(NamedTuple):
    """What one racer reaches with so many network `calls`: for each distance its `values` (runs,), and the `path` that
    a few samples take, (steps + 1, samples, 2)."""

    calls: int
    values: Mapping[str, Sequence[float]]
    path: ArrayLike


class Race:
    """Dots of calls against a distance, a budget to drag, and the path of the dot that is touched over the exact one.

    Arguments: `dots`, for each racer (six at most) its Dots, calls rising, all with the same distances; `exact`, the
    path of the same samples in very many steps (steps, samples, 2); `cloud` (N, 2), the data; `budget`, the calls to
    begin with, or (name, calls) to begin with that dot in place of the best; `alt` and `caption` as for a Figure. The
    best of a budget is the dot with the smallest mean over the runs, to four digits after the point; of equal ones the
    cheaper, and of those the racer that is named first; whiskers reach from the smallest run to the
    largest. Needs no kernel; where scripts do not run, a picture of both distances and of one path stands there. Raises
    LabError where these do not fit together, for distances that are not above 0, and for nan and infinity anywhere.
    """

    def __init__(self, dots: Mapping[str, Sequence[Dot]], exact: ArrayLike, cloud: ArrayLike, alt: str,
                 caption: str = "", *, budget: int | tuple[str, int] = 4):
        self.exact = _finite(exact, None, None, 2)
        samples = self.exact.shape[1]
        self.dots = {_named(name): [_checked(dot, samples) for dot in as_several(each)]
                     for name, each in as_panels(dots).items()}
        kinds = {tuple(dot.values) for each in self.dots.values() for dot in each}
        rising = all(a.calls < b.calls for each in self.dots.values() for a, b in zip(each, each[1:], strict=False))
        if len(self.dots) > len(SHAPES) or len(kinds) != 1 or not rising or not all(self.dots.values()):
            raise LabError(f"one to {len(SHAPES)} racers were expected, each with Dots of rising calls and the same "
                           "distances; others came; make each a list of Dot(calls, values, path)")
        self.distances, self.cloud = list(*kinds), _finite(cloud, None, 2)
        self.alt, self.caption = as_text(alt, "alt text"), as_text(caption, "a caption")
        name, calls = budget if isinstance(budget, tuple) and len(budget) == 2 else (None, budget)
        self.budget = as_whole(calls, "a budget of calls", "try 4", self._least, MOST)
        costs = [dot.calls for racer, each in self.dots.items() if racer == name for dot in each]
        if name is not None and self.budget not in costs:
            raise LabError(f"a racer and the calls of one of its dots were expected; {shortened(budget)} came; there "
                           f"are: {', '.join(self.dots)}")
        self.shown = None if name is None else ([*self.dots].index(name), costs.index(self.budget))  # None: the best

    def best(self, budget: int, distance: str) -> tuple[str, Dot]:
        """The racer with the smallest mean distance among all dots that cost no more than the budget, and its dot.
        Raises LabError for a budget below all dots, and for a distance that is none of the race's."""
        budget = as_whole(budget, "a budget of calls", "try 4", self._least, MOST)
        if distance not in self.distances:
            raise LabError(f"a distance was expected; {shortened(distance)} came; there are: "
                           f"{', '.join(self.distances)}")
        return self._at(*self._place(budget, distance))

    def _place(self, budget: int, distance: str) -> tuple[int, int]:
        """Where the best dot stands: its racer's number, and its own among that racer's dots."""
        *_, racer, k = min((_told(dot, distance)[0], dot.calls, racer, k) for racer, each in
                           enumerate(self.dots.values()) for k, dot in enumerate(each) if dot.calls <= budget)
        return racer, k

    def _at(self, racer: int, k: int) -> tuple[str, Dot]:
        name = [*self.dots][racer]
        return name, self.dots[name][k]

    @property
    def _least(self) -> int:
        """The calls of the cheapest dot."""
        return min(each[0].calls for each in self.dots.values())

    @property
    def sentence(self) -> str:
        """Who is best for the first budget, by each distance, in numbers."""
        return self._says(self.budget)

    def _says(self, budget: int) -> str:
        calls = "1 call" if budget == 1 else f"{budget} calls"
        best = (f"{distance} {self._alike(dot, distance)}, {_told(dot, distance)[0]:.2f}"
                for distance in self.distances for _, dot in [self.best(budget, distance)])
        return f"With {calls} the nearest are: {'; '.join(best)}."

    def _alike(self, best: Dot, distance: str) -> str:
        """The names of all racers that are where the best dot is."""
        names = [name for name, each in self.dots.items() for dot in each if dot.calls == best.calls
                 and _told(dot, distance)[0] == _told(best, distance)[0]]
        return ", ".join(names[:-1]) + " and " * (len(names) > 1) + names[-1]

    def still(self) -> Figure:
        """Both distances, and the path of the best for the first budget, as a picture."""
        figure, panels = axes(14.4, 4.6, columns=len(self.distances) + 1)
        for panel, distance in zip(panels, self.distances, strict=False):
            for (name, each), colour, shape in zip(self.dots.items(), COLOURS, SHAPES, strict=False):
                runs = [dot.values[distance] for dot in each]
                mean, least, most = (np.array([f(one) for one in runs]) for f in (np.mean, np.min, np.max))
                panel.errorbar([dot.calls for dot in each], mean, [mean - least, most - mean], color=colour,
                               marker=shape, markersize=8, label=as_name(name), elinewidth=1.5, linewidth=1.5)
            panel.axvline(self.budget, color="#222222", linestyle=":")
            panel.set(xscale="log", yscale="log", title=as_name(distance))
            panel.set_xlabel("network calls")
            panel.set_xticks(TICKS[0], [f"{tick}" for tick in TICKS[0]], minor=False)
            low, high = panel.get_ylim()
            ticks = [tick for tick in TICKS[1] if low <= tick <= high]
            panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
            panel.minorticks_off()
        panels[0].set_ylabel("distance")
        panels[0].legend(frameon=False, fontsize=12)
        name, dot = self._at(*(self.shown or self._place(self.budget, self.distances[0])))
        plane = panels[-1]
        plane.plot(*self.cloud.T, ".", color="#bbbbbb", markersize=4)
        for path, colour, alpha in ((dot.path, PALETTE["guess"], 0.4), (self.exact, PALETTE["reference"], 1)):
            for line in np.moveaxis(path, 1, 0):
                plane.plot(*line.T, "-", color=colour, linewidth=2, alpha=alpha)
        plane.plot(*dot.path[-1].T, "o", color=PALETTE["guess"], markersize=8)
        plane.plot(*self.exact[-1].T, "o", color="#222222", markersize=12, markerfacecolor="none", markeredgewidth=2)
        plane.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[], yticks=[],
                  title=f"{as_name(name)}, calls: {dot.calls}")
        return Figure(figure, self.alt, f"{self.sentence} {self.caption}".strip(), width=1100)

    def __repr__(self) -> str:
        return f"<Race: {self.sentence}>"

    def _repr_html_(self) -> str:
        def rounded(path) -> list:
            return np.moveaxis(path, 1, 0).round(2).tolist()

        racers = [{"name": name, "colour": colour, "dots": [
            {"calls": dot.calls, "path": rounded(dot.path), "values": [_told(dot, d) for d in self.distances]}
            for dot in each]} for (name, each), colour in zip(self.dots.items(), COLOURS, strict=False)]
        budgets = [{"calls": calls, "best": [self._place(calls, d) for d in self.distances], "said": self._says(calls)}
                   for calls in sorted({dot.calls for each in self.dots.values() for dot in each})]
        data = as_json({"racers": racers, "budgets": budgets, "ticks": TICKS, "distances": self.distances,
                        "exact": rounded(self.exact), "reach": REACH, "cloud": self.cloud.round(2).tolist(),
                        "budget": self.budget, "shown": self.shown, "colours": PALETTE, "caption": self.caption})
        return (f'<div class="dl-race">{self.still()._repr_html_()}<script type="application/json">{data}</script>'
                f'</div>{"".join(parts())}')


def _told(dot: Dot, distance: str) -> list[float]:
    """The mean of a dot's runs, the smallest and the largest, as they are told apart."""
    return [max(LEAST, round(float(f(dot.values[distance])), 4)) for f in (np.mean, np.min, np.max)]


def _named(name) -> str:
    if not (name := as_text(name, "a racer's name or a distance's", most=40)).strip():
        raise LabError("a name for each racer and each distance was expected; an empty one came; write one in quotes")
    return name


def _checked(dot: Dot, samples: int) -> Dot:
    """A Dot with distances above 0 and a path (steps, samples, 2) of finite numbers; raises LabError for others."""
    if not isinstance(dot, Dot):
        raise LabError(f"a Dot was expected; {shortened(dot)} came; write Dot(calls, values, path)")
    calls = as_whole(dot.calls, "a Dot's number of calls", "count how often the network is asked", 1, MOST)
    values = {_named(name): _finite(runs, None) for name, runs in as_panels(dot.values).items()}
    if min(runs.min() for runs in values.values()) <= 0:
        raise LabError("distances above 0 were expected; others came; count how far a run is, never exactly 0")
    return Dot(calls, values, _finite(dot.path, None, samples, 2))


def _finite(values: ArrayLike, *shape: int | None) -> np.ndarray:
    """Numbers of that shape, at least one, none of them nan, infinite or too large to be drawn; else a LabError."""
    if not (found := as_numbers(values, *shape)).size:
        raise LabError("at least one number was expected; none came; give the places or distances of one run")
    if not (np.abs(found) < HUGE).all():
        raise LabError("finite numbers were expected; nan, infinity or one beyond 1e30 came; a sampler that leaves the "
                       "plane for good cannot be drawn: leave it out, or give it more steps")
    return found


@cache
def parts() -> tuple[str]:
    """The script of `Race`, as an element that `templates.renew` puts into a stored page."""
    return (marked("script", "race.js", (Path(__file__).parent / "race.js").read_text(encoding="utf-8"), 2),)
