"""Plots in the course's look."""

import numpy as np

from ..errors import LabError
from ..recipe import as_text
from ..schedules import as_schedule
from .figure import MARKS, PALETTE, WORDS, Figure


def axes(width: float = 8, height: float = 3.6, columns: int = 1, rows: int = 1, **layout):
    """A matplotlib figure and its axes in the course's look: few ticks, no box, 16-pixel text, time to the right.

    Arguments: `width` and `height` in inches of 96 CSS pixels each; `columns` of plots side by side, in `rows`;
    `layout`, what pyplot.subplots takes beside them. Returns (figure, axes), axes an array where there are several.
    """
    from matplotlib import pyplot

    style = {"font.size": 12, "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 2.5,
             "axes.edgecolor": PALETTE["reference"], "axes.labelcolor": "#333333", "text.color": "#222222",
             "xtick.color": "#444444", "ytick.color": "#444444", "figure.constrained_layout.use": True}
    with pyplot.rc_context(style):
        figure, panels = pyplot.subplots(rows, columns, figsize=(width, height), **layout)
    for panel in np.ravel(panels):
        panel.locator_params(nbins=5)
    return figure, panels


def as_name(name, most: int = 60) -> str:
    """A name as a plot draws it letter by letter: in matplotlib $ begins a formula, and a _ in front hides a label. One
    of more than `most` letters is cut short; raises LabError for half a character."""
    name = as_text(name if isinstance(name, str) else str(name), "a name").replace("$", r"\$")
    name = name if len(name) <= most else f"{name[:most - 1].rstrip(chr(92))}…"
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name


def schedule_curves(*schedules) -> Figure:
    """The share of picture, alpha_bar, over the timesteps of one to four schedules, each with its 50 : 50 crossing
    marked; raises LabError for another number of them, and for what is no schedule and no name of one."""
    if not 1 <= len(schedules) <= len(roles := ("signal", "guess", "pull", "noise")):
        raise LabError(f"one to four schedules were expected; {len(schedules)} came; draw others in a second figure")
    schedules = [as_schedule(one) for one in schedules]
    figure, panel = axes()
    crossings = []
    for schedule, role in zip(schedules, roles, strict=False):
        half = int((schedule.alpha_bars - 0.5).abs().argmin())
        panel.plot(schedule.alpha_bars, color=PALETTE[role], linestyle=MARKS[role][0])
        panel.plot(half, 0.5, MARKS[role][1], color=PALETTE[role], markersize=9)
        left = len(crossings) == 0
        panel.annotate(f"{as_name(schedule.name)}:\n50 : 50 at t = {half}", (half, 0.5),
                       (-12, -12) if left else (12, 8), textcoords="offset points",
                       color=WORDS[role], ha="right" if left else "left", va="top" if left else "bottom")
        crossings.append(f"the {schedule.name} schedule at timestep {half}")
    panel.axhline(0.5, color=PALETTE["reference"], linewidth=1, linestyle=":")
    panel.set(xlabel="timestep t", ylabel="share of picture", xlim=(0, None), ylim=(0, 1.02), yticks=[0, 0.5, 1])
    panel.set_yticklabels(["0 %", "50 %", "100 %"])
    crossed = ", ".join(crossings)
    return Figure(figure, f"Falling curves of the share of picture over the timesteps; they cross one half: {crossed}.",
                  f"Half picture, half noise: {crossed}.")
