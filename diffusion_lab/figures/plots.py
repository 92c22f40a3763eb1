"""Plots that a lesson calls by name: lines, clouds, heaps, bars and rows of numbers."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import LabError
from ..recipe import as_positive, as_whole, shortened
from .curves import as_name, axes
from .figure import PALETTE, Figure

WORDS_AT = 14  # points of what stands in a plot
GREY = "#bbbbbb"
MARK = re.compile(r"stairs|(?=.)(-|--|-\.|:)?[.ox+sdDv^*]?")


class Line(NamedTuple):
    """One line of a plot: its `name` ("" for none), numbers `x` and `y` (N,) each, a role of PALETTE as its colour, and
    matplotlib's mark for how it looks ("-", "--", "o", ...) or "stairs"."""

    name: str
    x: ArrayLike
    y: ArrayLike
    role: str
    mark: str = "-"


def lines(panels: Mapping[str, Sequence[Line]], alt: str, caption: str = "", *, across: str, up: str = "",
          reach: tuple = ((None, None), (None, None))) -> Figure:
    """Named lines over one number, in a plot for each title of `panels` ("" for none), side by side.

    Arguments: `across` and `up`, what the two axes count; `reach`, from where to where each of them goes, None for
    what the numbers need: it may fall, since time goes from left to right. A solid line of the role "reference" is
    broad and pale, so that what lies on it is seen. Raises LabError for what is no Line of numbers, or has no such
    mark or role.
    """
    drawn = {title: [_checked(line) for line in as_several(each)] for title, each in as_panels(panels).items()}
    reach = [as_several(ends, 2) for ends in as_several(reach, 2)]
    figure, plots = axes(*((10, 3.0) if len(drawn) > 1 else (9, 3.6)), columns=len(drawn), sharey=True)
    for plot, (title, each) in zip(np.ravel(plots), drawn.items(), strict=True):
        for name, x, y, role, mark in each:
            broad = {"linewidth": 9, "alpha": 0.4} if (role, mark) == ("reference", "-") else {"linewidth": 3}
            kind = "steps-mid" if mark == "stairs" else "default"
            plot.plot(x, y, "-s" if mark == "stairs" else mark, drawstyle=kind, color=PALETTE[role],
                      label=as_name(name) or None, markersize=8, **broad)
        plot.set(xlim=reach[0], ylim=reach[1])
        plot.tick_params(labelsize=WORDS_AT)
        plot.set_xlabel(as_name(across), fontsize=WORDS_AT)
        plot.set_title(as_name(title), fontsize=WORDS_AT + 2)
    first = np.ravel(plots)[0]
    first.set_ylabel(as_name(up), fontsize=WORDS_AT)
    if first.get_legend_handles_labels()[1]:
        first.legend(frameon=False, fontsize=WORDS_AT)
    return Figure(figure, alt, caption)


def clouds(panels: Mapping[str, ArrayLike], alt: str, caption: str = "", *, under: ArrayLike | None = None,
           roles: Sequence[str] = ("guess",), rows: int = 1, reach: tuple[float, float] = (1.7, 1.7)) -> Figure:
    """Clouds of points in the plane, side by side in `rows`, each under its title.

    Arguments: `panels`, (N, 2) for each title; `under`, one more cloud (N, 2), grey, under each; `roles`, a role of
    PALETTE for each, or one for all; `reach`, how far a plot reaches to each side, and up and down: points beyond it
    lie on its edge. Over what lies under them, the darker is the fuller. Raises LabError for other shapes and roles.
    """
    reach = tuple(as_positive(one, "how far a plot reaches", "try (1.7, 1.7)") for one in as_several(reach, 2))
    drawn = {title: as_numbers(points, None, 2) for title, points in as_panels(panels).items()}
    below, colours = None if under is None else as_numbers(under, None, 2), _colours(roles, len(drawn))
    columns = -(-len(drawn) // as_whole(rows, "the number of rows", "try 1"))
    width = min(10 / columns, 3 * reach[0] / reach[1])  # of one plot, in inches: none is higher than 3
    figure, plots = axes(columns * width, rows * (width * reach[1] / reach[0] + 0.4), columns=columns, rows=rows)
    edge = 0.98 * np.array(reach)
    for plot, (title, points), colour in zip(np.ravel(plots), drawn.items(), colours, strict=False):
        if below is not None:
            plot.plot(*below.T, "o", color=GREY, markersize=4)
        plot.plot(*points.clip(-edge, edge).T, "o", color=colour, markersize=4.5, markeredgewidth=0,
                  alpha=1 if below is None else 0.4)
        plot.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]), xticks=[], yticks=[], aspect="equal")
        plot.set_title(as_name(title), fontsize=WORDS_AT + 2)
    return Figure(figure, alt, caption)


def histograms(panels: Mapping[str, ArrayLike], alt: str, caption: str = "", *, roles: Sequence[str],
               reach: float) -> Figure:
    """How often each number comes, from -reach to reach: heaps side by side, (N,) numbers for each title, a role of
    PALETTE for each, or one for all. Raises LabError for other shapes and roles."""
    reach = as_positive(reach, "how far a plot reaches", "try 3")
    drawn = {title: as_numbers(numbers, None) for title, numbers in as_panels(panels).items()}
    colours = _colours(roles, len(drawn))
    figure, plots = axes(9, 3, columns=len(drawn), sharex=True)
    for plot, (title, numbers), colour in zip(np.ravel(plots), drawn.items(), colours, strict=True):
        plot.hist(numbers, bins=60, range=(-reach, reach), color=colour)
        plot.set_title(as_name(title), fontsize=WORDS_AT + 2)
        plot.set(yticks=[])
    return Figure(figure, alt, caption)


def bars(numbers: Mapping[str, float], alt: str, caption: str = "", *, across: str, best: str = "") -> Figure:
    """A bar for each name, with its number to two digits behind it; `across`, what is counted; `best`, the name of the
    bar that is drawn in the colour of a guess. Raises LabError for what is no number."""
    numbers = {name: float(as_numbers(number)) for name, number in as_panels(numbers).items()}
    figure, plot = axes(9, 0.5 + 0.65 * len(numbers))
    plot.barh(range(len(numbers)), list(numbers.values()), height=0.6,
              color=[PALETTE["guess" if name == best else "reference"] for name in numbers])
    for row, number in enumerate(numbers.values()):
        plot.text(number, row, f" {number:.2f}", va="center", fontsize=WORDS_AT)
    plot.set_yticks(range(len(numbers)), [as_name(name) for name in numbers], fontsize=WORDS_AT)
    plot.set_xlabel(as_name(across), fontsize=WORDS_AT)
    plot.set_xticks([])
    return Figure(figure, alt, caption)


def fields(rows: Mapping[str, ArrayLike] | Sequence[tuple[str, ArrayLike]], alt: str, caption: str = "") -> Figure:
    """Rows of numbers as coloured fields, (N,) for each name, all of one length: violet above zero, orange below. Pairs
    of a name and its row do where a name comes twice. Raises LabError for other rows."""
    pairs = rows.items() if isinstance(rows, Mapping) else [as_several(pair, 2) for pair in as_several(rows)]
    named = [(name, as_numbers(row, None)) for name, row in pairs]
    if not (named and len(named[0][1])):
        raise LabError(f"a row of numbers for each name was expected; {shortened(rows)} came; "
                       "write {\"my name\": [1, 2]}")
    values = np.stack([as_numbers(row, len(named[0][1])) for _, row in named])
    figure, plot = axes(9.6, 0.6 + 0.6 * len(named))
    most, last = float(np.abs(values).max()) or 1.0, values.shape[1] - 1
    plot.imshow(values, cmap="PuOr", vmin=-most, vmax=most, aspect="auto")
    plot.set(xticks=[0, last // 2, last], xticklabels=["number 1", str(last // 2 + 1), str(last + 1)])
    plot.set_yticks(range(len(named)), [as_name(name) for name, _ in named], fontsize=WORDS_AT)
    return Figure(figure, alt, caption)


def as_several(values, n: int | None = None) -> Sequence:
    """A list of things, of n where it is told; raises LabError for anything else."""
    if not isinstance(values, list | tuple) or isinstance(values, Line) or len(values) != (n or len(values)):
        raise LabError(f"a list of {n or 'what is to be drawn'} was expected; {shortened(values)} came; put it in [ ]")
    return values


def _checked(line: Line) -> Line:
    if not isinstance(line, Line):
        raise LabError(f"a Line was expected; {shortened(line)} came; write Line(name, x, y, role)")
    if not (isinstance(line.mark, str) and MARK.fullmatch(line.mark)):
        raise LabError(f'a mark was expected; {shortened(line.mark)} came; try "-", "--", "o", "--s" or "stairs"')
    as_colour(line.role)
    x = as_numbers(np.ravel(line.x), None)
    return line._replace(x=x, y=as_numbers(np.ravel(line.y), len(x)))


def as_numbers(values: ArrayLike, *shape: int | None) -> np.ndarray:
    """Numbers of that shape, None for any size; raises LabError where they are none, or of another shape."""
    try:
        values = values.detach() if hasattr(values, "detach") else values
        found = np.asarray("None" if values is None else values, dtype=float)  # numpy takes None for nan
    except (TypeError, ValueError):
        raise LabError(f"numbers were expected; {shortened(values)} came; give an array or a list") from None
    if len(found.shape) != len(shape) or any(b not in (None, a) for a, b in zip(found.shape, shape, strict=True)):
        raise LabError(f"numbers of shape ({', '.join(str(n or 'N') for n in shape)}) were expected; {found.shape} "
                       "came; print the shape of what you draw")
    return found


def as_colour(role: str) -> str:
    if not isinstance(role, str) or role not in PALETTE:
        raise LabError(f"a role was expected; {shortened(role)} came; there are: {', '.join(PALETTE)}")
    return PALETTE[role]


def _colours(roles: Sequence[str], n: int) -> list[str]:
    """The colours of n plots: that of one role for all, or of one for each."""
    if len(roles := as_several(roles)) not in (1, n):
        raise LabError(f"a role for each of {n} plots, or one for all, was expected; {len(roles)} came; give as many")
    return [as_colour(role) for role in roles] * (n // len(roles))


def as_panels(panels: Mapping) -> Mapping:
    if not isinstance(panels, Mapping) or not panels:
        raise LabError("a dictionary with a title or a name for each thing to draw was expected; "
                       f"{shortened(panels)} came; write {{\"my title\": ...}}")
    return panels
