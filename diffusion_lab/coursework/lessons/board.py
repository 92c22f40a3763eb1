"""Lesson 11's record, its orders under a budget, and its board of the best timesteps so far."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...beads import belt
from ...errors import LabError
from ...evaluation import sliced_wasserstein
from ...figures import PALETTE, WORDS, Dot, Figure, Line, lines, write
from ...figures.plots import as_panels
from ...guidance import guided
from ...noising import noise
from ...recipe import as_text, shortened
from ...recipes.samplers import FIELD, FINE, KIND, cloud, end, floor, sampled, seeds_of, within
from ...sampling import denoise, dpmpp_2m
from ...toy import Toy
from ..checks.exercises import Diagnoses

RUNS = json.loads(Path(__file__).with_name("lesson_11.json").read_text(encoding="utf-8"))  # by `evaluate samplers`
REACH, SIDE = 1.4, 360  # half the width of the plane, and its height in pixels
DISTANCES = ("to the fine solution", "to the data")
AWAY = ("from the fine solution", "from the data")
TUNED, KEPT = 0, 9  # the static that a schedule is tuned on, and another that nobody tunes on


class Board:
    """Keeps the best timesteps that were tried in this session; trying the same again changes nothing.

    Arguments: `toy`, a model of points; `known`, for each name the timesteps to beat, all equally many; `kind` of
    points. `best` is None, or the timesteps that came nearest to the data, and both distances of theirs. Raises
    LabError where nothing is known, or what is known differs in its number of timesteps.
    """

    def __init__(self, toy: Toy, known: Mapping[str, Sequence[int]], kind: str = KIND):
        self.toy, self.kind, self.data, self.best = toy, kind, cloud(kind), None
        self.static = {run: noise(toy.shape, seeds_of(run)) for run in (TUNED, KEPT)}
        known = {as_text(name, "a name"): toy.schedule.labels(times) for name, times in as_panels(known).items()}
        self.calls, *others = {len(times) for times in known.values()}
        if others:
            raise LabError(f"equally many timesteps for each name were expected; {shortened(known)} came; with another "
                           "number of calls it is another race")
        self.known = {name: (self.score(times), self.score(times, KEPT)) for name, times in known.items()}
        self.real = [floor(run, kind) for run in range(len(RUNS["floor"]))]

    def drawn(self, times: Sequence[int], run: int = TUNED) -> Tensor:
        """Points (N, 2) by DPM++ 2M at these timesteps, from a run's static."""
        schedule, predict = self.toy.schedule, guided(self.toy, self.kind)
        return end(denoise(predict, schedule, self.static[run], list(times), dpmpp_2m(schedule.final)))

    def score(self, times: Sequence[int], run: int = TUNED) -> float:
        """How far what is drawn at these timesteps is from the data."""
        return sliced_wasserstein(self.drawn(times, run), self.data)

    def tried(self, times: Sequence[int]) -> Figure:
        """What these timesteps draw, over the data, and their distance beside the known ones and the best so far, which
        they become where they are nearer."""
        times = self.toy.schedule.labels(times)
        if len(times) != self.calls:
            raise LabError(f"{self.calls} timesteps were expected, as many as the known ones have; {len(times)} came; "
                           "with another number of calls it is another race")
        points = self.drawn(times)
        mine = sliced_wasserstein(points, self.data)
        if self.best is None or mine < self.best[1]:
            self.best = times, mine, self.score(times, KEPT)
        return self._figure(times, points, {"yours": mine, "the board": self.best[1]},
                            f"On the board: {self.best[0]}. {self._fresh({'the board': self.best[2]})}")

    def _fresh(self, rows: dict, known: bool = True) -> str:
        """The distances of static that nobody tunes on, with those of the known ones, and the least and the most of
        real points."""
        rows = rows | {name: kept for name, (_, kept) in self.known.items() if known}
        told = ", ".join(f"{name} {kept:.3f}" for name, kept in rows.items())
        return f"With static that nobody tunes on: {told}. Real points: {min(self.real):.3f} to {max(self.real):.3f}."

    def beside(self, times: Sequence[int]) -> Figure:
        """What somebody else's timesteps draw, their distance beside those of this board, and where they lie on the
        band from static to picture; the board stays as it is. Another number of them is another race, and so told."""
        times = self.toy.schedule.labels(times)
        points = self.drawn(times)
        rows, fresh = {"theirs": sliced_wasserstein(points, self.data)}, {"theirs": self.score(times, KEPT)}
        same = len(times) == self.calls
        if same and self.best:
            rows["the board"], fresh["the board"] = self.best[1:]
        also = self._fresh(fresh, same) + ("" if same else f" The board has {self.calls} calls: another race.")
        return self._figure(times, points, rows, also, belt(times, len(self.toy.schedule) - 1))

    def _figure(self, times: Sequence[int], points: Tensor, rows: dict, also: str, foot: Image.Image | None = None):
        """Points over the data, and a bar for each row below those of the known timesteps, where these are as many."""
        known = {name: near for name, (near, _) in self.known.items()} if len(times) == self.calls else {}
        rows = known | rows
        told = ", ".join(f"{name} {value:.3f}" for name, value in rows.items())
        image = sheet(points, self.data[:700], rows)
        return Figure(over(image, foot) if foot else image, f"A cloud of points drawn in {len(times)} calls over the "
                      f"data, and bars of distances to the data: {told}.",
                      f"Timesteps {times}. Distance to the data: {told}. {also}".strip(), width=960)


def over(top: Image.Image, foot: Image.Image) -> Image.Image:
    """One picture over another one of the same width."""
    both = Image.new("RGB", (top.width, top.height + foot.height), "white")
    both.paste(top), both.paste(foot, (0, top.height))
    both.info["letters"] = min(one.info["letters"] for one in (top, foot))
    return both


def sheet(points: Tensor, data: Tensor, rows: Mapping[str, float]) -> Image.Image:
    """Points (N, 2) over the data (M, 2) on the left, a bar for each of the rows on the right: 960 x 360 pixels.
    Points beyond the plane lie on its edge, and what is no number is left out."""
    image = Image.new("RGB", (960, SIDE), "white")
    pixels = np.asarray(image).copy()
    for cloud_, colour, size in ((data, "#bbbbbb", 3), (points, PALETTE["guess"], 2)):
        places = cloud_[cloud_.isfinite().all(dim=1)].numpy().clip(-REACH, REACH)
        at = ((places * (1, -1) / REACH + 1) * SIDE / 2).round().astype(int).clip(0, SIDE - size)
        for dx, dy in np.ndindex(size, size):
            pixels[at[:, 1] + dy, at[:, 0] + dx] = tuple(bytes.fromhex(colour[1:]))
    image = Image.fromarray(pixels)
    draw, most = ImageDraw.Draw(image), max(rows.values())
    for k, (name, value) in enumerate(rows.items()):
        y, role = 24 + 66 * k, {"yours": "guess", "theirs": "guess", "the board": "signal"}.get(name, "reference")
        long = 330 * value / most
        draw.rectangle([530, y, 530 + long, y + 40], fill=PALETTE[role])
        write(image, name, 455, y + 6, WORDS[role], 22)
        write(image, f"{value:.3f}", 530 + long + 40, y + 6, size=22)
    return image


def spread(runs: Sequence[Mapping], name: str, calls: int, distance: int) -> Tensor:
    """A sampler's distances (runs,) with so many calls: distance 0 is to the fine solution, 1 to the data."""
    return torch.tensor([dot[1 + distance] for run in runs for dot in run[name] if dot[0] == calls])


def first(runs: Sequence[Mapping], calls: int, distance: int) -> tuple[str, int]:
    """Who is nearest with so many calls, by the mean of the runs, and in how many of the runs it is."""
    racing = [name for name in runs[0] if any(dot[0] == calls for dot in runs[0][name])]
    table = torch.stack([spread(runs, name, calls, distance) for name in racing])             # (names, runs)
    winner = int(table.mean(1).argmin())
    return racing[winner], int((table.argmin(0) == winner).sum())


def apart(run: Mapping, other: Mapping) -> float:
    """The largest difference between the dots of one run and those that another one has of the same calls."""
    stored = {(name, dot[0]): dot for name, dots in other.items() for dot in dots}
    return max(abs(a - b) for name, dots in run.items() for dot in dots
               for a, b in zip(dot, stored[name, dot[0]], strict=True))


ORDERS = {1: "2M", 2: "2M Karras", 3: "DDPM", 4: "2M AYS"}
LIMITS = {1: (12, 0), 2: (24, 0), 4: (5, 1)}  # for each order that the race decides its calls, and the distance


def _standing(order: int, name: str) -> str:
    """What choosing this sampler means for this order, in a number from the race where it has one."""
    if order not in LIMITS:
        return ("It shakes at every step: with other noise on the way, one static leads to another picture."
                if name == ORDERS[order] else "From one static it draws one picture, always the same.")
    calls, distance = LIMITS[order]
    far = spread(RUNS["points"], name, calls, distance).mean()
    return f"With {calls} calls it is {far:.3f} {AWAY[distance]}" + (
        ", and nobody is nearer." if name == ORDERS[order] else "; another one is nearer.")


BUDGET = Diagnoses(
    truth=ORDERS,
    signs={
        "2M": "It remembers its last guess and spends its calls evenly.",
        "2M AYS": "Its timesteps were made for few calls.",
        "2M Karras": "It spends most of its calls on the last touches of noise.",
        "DDPM": "It shakes at every step: it never comes near the fine solution, and near the data it does come.",
    },
    each={(order, name): _standing(order, name) for order in ORDERS for name in ORDERS.values()},
    right="All four are chosen. There is no best sampler: there is one for a budget, and for what counts. Karras, by "
          "the way, is poor with two or three calls, good with four, and poor again with five to eight.",
    hints=(
        "Use the race: set the budget of the order, choose the distance that counts there, and see who lights up.",
        "One of the orders asks for something that no distance shows: only a sampler that shakes can give it.",
        "The orders with a budget have three different winners, and none of the three shakes.",
    ),
    case="order",
    finding="sampler",
)


def path_of(toy: Toy, name: str, n: int, seeds: Sequence[int]) -> Tensor:
    """Where a few points are at each step of a sampler's path, and where they arrive: (n + 1, points, 2)."""
    return torch.stack([step.x_t for step in sampled(toy, KIND, name, n, seeds) if step.note != "correction"])


def dots_of(toy: Toy, runs: Sequence[Mapping], seeds: Sequence[int]) -> tuple[dict[str, list[Dot]], Tensor]:
    """The dots of a Race from recorded runs, each with the path of a few seeds, and the exact path of these."""
    dots = {name: [Dot(FIELD[name].calls(n), {distance: spread(runs, name, FIELD[name].calls(n), k).tolist()
                                              for k, distance in enumerate(DISTANCES)}, path_of(toy, name, n, seeds))
                   for n in steps] for name, steps in within().items()}  # fmt: skip
    return dots, path_of(toy, "2M", FINE, seeds)[::5]


def counted(table: Mapping) -> Figure:
    """Tiny SD's recorded runs: how far the latents are from the fine solution, over the calls, and what is read."""
    roles = {"DDIM": ("signal", ":"), "2M": ("pull", "-"), "2M AYS": ("guess", "--")}  # a Race's colours
    curves = []
    for name, (role, mark) in roles.items():
        calls, far, _ = zip(*table["rows"][name], strict=True)
        curves.append(Line(name, calls, [float(np.mean(groups)) for groups in far], role, mark))
        curves += [Line("", calls, group, role, ".") for group in zip(*far, strict=True)]
    means = {name: {calls: float(np.mean(far)) for calls, far, _ in table["rows"][name]} for name in roles}
    read = {name: {calls: 100 * float(np.mean(seen)) for calls, _, seen in table["rows"][name]} for name in roles}
    told = "; ".join(f"{n} calls: " + ", ".join(f"{name} {means[name][n]:.2f}" for name in roles) for n in (2, 4, 6))
    far, others = ({calls: far for calls, far, _ in table["rows"][name]}[6] for name in ("2M", "2M AYS"))
    ahead = sum(a < b for a, b in zip(far, others, strict=True))
    fifty = 100 * float(np.mean(table["fine"]))
    return lines({"": curves}, f"Falling curves of the distance to the fine solution over one to six calls. {told}.",
                 f"With 6 calls 2M is nearer than 2M AYS in {ahead} of {len(far)} groups: {means['2M'][6]:.2f} "
                 f"and {means['2M AYS'][6]:.2f}. A network that reads pictures tells us little here: it finds what was "
                 f"asked for in {read['2M'][1]:.0f} % of the blurs of one call, in {read['2M'][2]:.0f} % of 2M's "
                 f"pictures of two, and in {fifty:.0f} % of fifty.", across="network calls",
                 up="distance to the fine one", reach=((0.9, 6.1), (0, None)))
