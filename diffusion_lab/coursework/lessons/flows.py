"""The one-dimensional world of lesson 12: heights that flow from static to three heaps, drawn as paths over time.

A flow is a function flow(x, s) -> u: how fast a height x (B, 1) moves at time s (B, 1), from 0 (picture) to 1 (static),
along the straight path x = (1 - s) x0 + s eps. `as_predict` makes of it what every model here is asked for, the noise
in our one scaling; `straightened` leads back from a path of Steps.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...errors import LabError
from ...figures import PALETTE, Figure, as_name, axes
from ...figures.plots import as_colour, as_panels
from ...mixing import eps_of
from ...protocol import Predict, check_samples
from ...recipe import as_whole
from ...sampling import denoise
from ...schedules import straight
from ...trajectory import Step
from ...worlds import points

Flow = Callable[[Tensor, Tensor], Tensor]
SCHEDULE = straight()
HEAPS, SHARES, SPREAD = (-1.2, 0.4, 1.2), (0.4, 0.2, 0.4), 0.08  # where the heaps lie, how full, how wide each is
EDGE = 2.6  # how high a plot reaches
TAUGHT = {1: "one chord", 2: "healthy", 3: "ends exchanged", 4: "shuffled"}  # what was done to each student's pairs


def heights(n: int, seed: int = 0) -> Tensor:
    """n pictures of one pixel, of three heaps: (n, 1)."""
    n, dice = _many(n), torch.Generator().manual_seed(seed)
    which = torch.multinomial(torch.tensor(SHARES), n, replacement=True, generator=dice)              # (n,)
    return (torch.tensor(HEAPS)[which] + SPREAD * torch.randn(n, generator=dice))[:, None]            # (n, 1)


def static(n: int, seed: int = 1) -> Tensor:
    """n heights of static: (n, 1)."""
    return torch.randn(_many(n), 1, generator=torch.Generator().manual_seed(seed))


def fan(n: int) -> Tensor:
    """n heights that lie as those of static do, evenly: (n, 1), from below to above."""
    return torch.distributions.Normal(0, 1).icdf((torch.arange(_many(n)) + 0.5) / n)[:, None]


def _many(n: int) -> int:
    return as_whole(n, "how many heights", "try 28", most=10**7)


def flow_of_heaps(centres: Tensor, shares: Sequence[float], spread: float) -> Flow:
    """The perfect flow to heaps around `centres` (K, D), so full and all so wide: at each place and time the mean of
    eps - x0 over all lines through it, which no loss can beat. Computed, not learned."""
    def flow(x: Tensor, s: Tensor) -> Tensor:
        wide = ((1 - s) * spread) ** 2 + s**2                                                         # (B, 1)
        away = x[:, None] - (1 - s)[..., None] * centres.to(x)                                        # (B, K, D)
        weights = (torch.tensor(shares).to(x).log() - away.square().sum(dim=2) / (2 * wide)).softmax(dim=1)
        kept = ((1 - s) * spread**2 / wide)[..., None]                                                # (B, 1, 1)
        x0 = (weights[..., None] * (centres.to(x) + kept * away)).sum(dim=1)                          # (B, D)
        return (x - x0) / s

    return flow


perfect_flow = flow_of_heaps(torch.tensor(HEAPS)[:, None], SHARES, SPREAD)


def flow_of_pairs(x0: Tensor, eps: Tensor, wide: float = 0.03) -> Flow:
    """The flow that such pairs (N, 1) teach: at each place the mean of eps - x0 over the lines that pass within `wide`
    of it, the nearer the more (a kernel regression; no network)."""
    def flow(x: Tensor, s: Tensor) -> Tensor:
        lines = (1 - s) * x0.T + s * eps.T                                                            # (B, N)
        weights = (-((x - lines) ** 2) / (2 * wide**2)).softmax(dim=1)
        return weights @ (eps - x0)

    return flow


def on_the_line(x_t: Tensor, alpha_bar: float) -> tuple[Tensor, float]:
    """Where the straight path is without our scaling, x = x_t / r (B, ...), and when, s = sqrt(1 - alpha_bar) / r, with
    r = sqrt(alpha_bar) + sqrt(1 - alpha_bar)."""
    signal, noise = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
    return x_t / (signal + noise), noise / (signal + noise)


def as_predict(flow: Flow) -> Predict:
    """A flow asked as every model is, predict(x_t, t) -> eps, in our scaling."""
    def predict(x_t: Tensor, t: int) -> Tensor:
        alpha_bar = SCHEDULE.alpha_bar(t)
        x, s = on_the_line(x_t, alpha_bar)
        with torch.no_grad():
            u = flow(x, torch.full((len(x), 1), s))
        return eps_of(u, x_t, alpha_bar, "u")

    return predict


def walked(flow: Flow, eps: Tensor, n: int) -> list[Step]:
    """The path of a flow from static eps (B, ...) in n calls: Steps, as of every model."""
    return list(denoise(as_predict(flow), SCHEDULE, eps, SCHEDULE.timesteps(n)))


def straightened(path: Iterable[Step]) -> tuple[np.ndarray, np.ndarray]:
    """A path on the straight schedule as it is without our scaling: the times 1 - s (n,), from static to picture, and
    the heights x (n, B)."""
    x, s = zip(*(on_the_line(step.x_t.flatten(), step.alpha_bar) for step in path), strict=True)
    return 1 - np.array(s), torch.stack(x).numpy()


def crossings(before: Tensor, after: Tensor) -> float:
    """The share (0-1) of all pairs of lines that cross on the way from heights `before` (B, 1) to `after` (B, 1), B
    two or more; raises LabError for others."""
    for x in (before, after):
        check_samples(x, (1,), "give heights (B, 1)")
    if len(before) != len(after) or len(before) < 2:
        raise LabError(f"two lines or more were expected, each with both ends; {len(before)} and {len(after)} came; "
                       "give equally many heights of both")
    turned = (before - before.T).sign() * (after - after.T).sign() < 0                                # (B, B)
    return float(turned.sum()) / (len(before) * (len(before) - 1))


def w1(drawn: Tensor, real: Tensor) -> float:
    """How far heights (N, 1) must be moved, on the average, to lie as others (M, 1) do: Wasserstein's distance in one
    dimension, the mean difference of their quantiles. Raises LabError for what is no heights."""
    for x in (drawn, real):
        check_samples(x, (1,), "give heights (N, 1)")
    where = (torch.arange(500, dtype=torch.float64) + 0.5) / 500
    quantiles = [torch.quantile(x.flatten().double(), where) for x in (drawn, real)]
    return float((quantiles[0] - quantiles[1]).abs().mean())


def pairs_of_student(student: int, n: int = 1500) -> tuple[Tensor, Tensor]:
    """The pairs x0, eps (n, 1) that student 1 to 4 was taught with: those of one round of reflow, or spoilt ones.
    Raises LabError for another number."""
    student = as_whole(student, "a student's number", "choose one", most=len(TAUGHT))
    what, eps = TAUGHT[student], static(n, 7)
    x0 = walked(perfect_flow, eps, 1 if what == "one chord" else 40)[-1].x0
    return {"shuffled": (x0, eps.roll(1, 0)), "ends exchanged": (eps, x0)}.get(what, (x0, eps))


class Paths(NamedTuple):
    """What one plot shows: `lines`, times (n,) and heights (n, B); `under`, others that are pale; `role`, a colour of
    PALETTE; `landed` (N, 1), whose heap is drawn at the right edge, or None; `flow`, picture x0 and static eps of one
    line whose u = eps - x0 is drawn as an arrow, or None."""

    lines: tuple[np.ndarray, np.ndarray]
    under: tuple[np.ndarray, np.ndarray] | None = None
    role: str = "guess"
    landed: Tensor | None = None
    flow: tuple[float, float] | None = None


def over_time(panels: Mapping[str, Paths], alt: str, caption: str = "", marks: bool = False,
              rows: int = 1) -> Figure:
    """Heights over time, static on the left and pictures on the right, a plot for each title, in `rows`; at the right
    edge of each the heaps of the data, and where its lines land. `marks` puts a dot where each call is made. Raises
    LabError for plots that do not fill their rows."""
    rows = as_whole(rows, "the number of rows", "try 1")
    if len(as_panels(panels)) % rows:
        raise LabError(f"equally many plots in each of {rows} rows were expected; {len(panels)} came; try rows=1")
    figure, plots = axes(10 if len(panels) > 1 else 9, 3.4 if rows == 1 else 2.7 * rows, len(panels) // rows, rows,
                         sharex=True, sharey=True)
    real = heights(4000, 3)
    for plot, (title, paths) in zip(np.ravel(plots), panels.items(), strict=True):
        if paths.under is not None:
            plot.plot(*paths.under, color="#cccccc", linewidth=1)
        times, x = paths.lines
        plot.plot(times, x, color=as_colour(paths.role), linewidth=1.3)
        if marks:
            plot.plot(np.repeat(times[:-1], x.shape[1]), x[:-1].ravel(), "o", color=PALETTE[paths.role], markersize=4)
        _heap(plot, real, "signal", filled=False)
        _heap(plot, paths.landed if paths.landed is not None else torch.tensor(x[-1])[:, None], paths.role)
        if paths.flow is not None:
            plot.annotate("", (0, paths.flow[1]), (1, paths.flow[0]), arrowprops=dict(arrowstyle="->", linewidth=4))
            plot.annotate("u", (0.5, sum(paths.flow) / 2), (0, 10), textcoords="offset points", fontsize=18,
                          bbox=dict(facecolor="white", edgecolor="none", pad=1))
        plot.set(xlim=(0, 1.3), ylim=(-EDGE, EDGE))
        plot.set_yticks([-1, 0, 1], ["−1", "0", "1"], fontsize=15)
        plot.set_xticks([0, 1], ["static\ns = 1", "picture\ns = 0"], fontsize=15)
        plot.set_title(as_name(title), fontsize=16)
    for plot in np.reshape(plots, (rows, -1))[:, 0]:
        plot.set_ylabel("brightness", fontsize=15)
    drawn = Figure(figure, alt, caption)
    drawn.image = drawn.image.quantize(24, dither=Image.Dither.NONE)  # many thin lines are heavy
    return drawn


def _heap(plot, points: Tensor, role: str, filled: bool = True) -> None:
    """A heap of heights that lies at the right edge."""
    counts, edges = np.histogram(points.flatten().numpy().clip(-EDGE, EDGE), bins=80, range=(-EDGE, EDGE))
    wide = 1.02 + 0.26 * np.minimum(counts / len(points) / 0.16, 1)
    y = (edges[1:] + edges[:-1]) / 2
    if filled:
        plot.fill_betweenx(y, 1.02, wide, color=PALETTE[role], alpha=0.55, step="mid", linewidth=0)
    else:
        plot.plot(wide, y, color=PALETTE[role], linewidth=2, drawstyle="steps-mid")


def ring_heaps() -> Tensor:
    """The middles of the eight heaps on a circle that worlds.points draws around: (8, 2)."""
    return torch.from_numpy(points.ring((np.arange(8)[:, None] + 0.5) / 8)).float()


def far_and_near(drawn: Tensor, real: Tensor, heaps: Tensor, reach: float) -> tuple[float, float]:
    """Two numbers that are read together: the energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'| of drawn (N, D) and
    real points (M, D) (Szekely and Rizzo, 2013), and the share (0-1) of drawn points within `reach` of one of the heaps
    (K, D)."""
    between, within, among = (torch.cdist(a, b).mean() for a, b in ((drawn, real), (drawn, drawn), (real, real)))
    return float(2 * between - within - among), float((torch.cdist(drawn, heaps).amin(dim=1) < reach).float().mean())
