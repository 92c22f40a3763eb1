"""A race on 25 heaps at equal time: three GANs against diffusion and flow matching, at three widths, three rates and
three seeds each.

Equal time is counted in steps, so that it can be run again: MILLISECONDS says what one step of nine stacked runs takes
on one processor core (`evaluate gans --measure` prints such a table), and every stack has SECONDS of it.
"""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from ..evaluation.coverage import LOST, Coverage, belonging, coverage
from ..files import whole
from ..gan import GAMES, Game, duel, forged
from ..objectives import Objective
from ..places import WEIGHTS
from ..schedules import cosine, straight
from ..training import Progress
from ..training.stacked import Runs, drawn, learn
from ..worlds import heaps

RATES, WIDTHS, SEEDS = (0.001, 0.003, 0.01), (32, 64, 128), (0, 1, 2)
BATCH, SECONDS, CALLS, POINTS, KEPT, REACH = 128, 15, 50, 2500, 400, 1.5
SIDES = {**GAMES, "diffusion": Objective(cosine(), "v"), "flow matching": Objective(straight(), "u")}
MILLISECONDS = {
    "GAN, 2014": (2.9, 5.9, 16.5), "with R1": (5.8, 12.5, 29.8), "R3GAN": (5.6, 11.5, 29.2),
    "diffusion": (1.6, 2.3, 5.7), "flow matching": (1.5, 2.3, 5.5),
}  # fmt: skip
STORED = WEIGHTS / "gans" / "runs.safetensors"


def steps_of(name: str, width: int) -> int:
    """How many steps a side makes at a width in its time, in tens."""
    return 10 * round(100 * SECONDS / MILLISECONDS[name][WIDTHS.index(width)])


def batches(side: int, batch: int = BATCH) -> Callable[[torch.Generator], Tensor]:
    """Endless fresh points of side * side heaps: a function from a generator to points (batch, 2)."""
    middles, spread = torch.from_numpy(heaps.centres(side)), heaps.SIDES[side]

    def data(dice: torch.Generator) -> Tensor:
        which = torch.randint(len(middles), (batch,), generator=dice)
        return middles[which] + spread * torch.randn(batch, 2, generator=dice)

    return data


def training(name: str, runs: Runs, steps: int, width: int, side: int = 5) -> Iterator[Progress]:
    """One side of the race learns the heaps; waves of the coordinates reach from heap to heap, for all sides alike."""
    what, go = SIDES[name], duel if isinstance(SIDES[name], Game) else learn
    return go(what, batches(side), runs, steps, width=width, waves={3: 1, 5: 2}[side])


def points_of(name: str, progress: Progress, points: int = POINTS, n: int = CALLS) -> Tensor:
    """So many points of each run (R, points, 2): a GAN draws them in one call, the others in n."""
    gan = isinstance(SIDES[name], Game)
    return forged(progress.ema, points) if gan else drawn(progress.ema, SIDES[name], points, n)


def judged(points: Tensor, side: int = 5) -> list[Coverage]:
    """The three numbers of each run's points (R, N, 2), LOST where they are no numbers."""
    middles = torch.from_numpy(heaps.centres(side))
    reach = heaps.NEAR * heaps.SIDES[side]
    return [coverage(*belonging(one, middles, reach), len(middles)) if one.isfinite().all() else LOST
            for one in points]


def raced(name: str, width: int) -> tuple[list[Coverage], Progress]:
    """A run of a side at a width for each rate and seed: their numbers, and where their training ended."""
    runs, steps = Runs(SEEDS * len(RATES), [rate for rate in RATES for _ in SEEDS]), steps_of(name, width)
    *_, last = tqdm(training(name, runs, steps, width), f"{name}, width {width}", mininterval=10, total=steps)
    return judged(points_of(name, last)), last


@dataclass(frozen=True)
class Run:
    """One run of the race: its side's `name`, its `width`, `rate` and `seed`, what it came to, and some of its points
    (KEPT, 2)."""

    name: str
    width: int
    rate: float
    seed: int
    found: Coverage
    points: np.ndarray


def stored(path: Path = STORED) -> list[Run]:
    """The recorded runs, side by side, width by width, rate by rate, seed by seed."""
    record = load_file(path)
    return [Run(name, width, rate, seed, Coverage(int(row[0]), float(row[1]), float(row[2])),
                np.where(cloud == -128, np.nan, cloud * np.float32(REACH / 127)))
            for name in SIDES for width in WIDTHS if f"{name}/{width}/numbers" in record
            for (rate, seed), row, cloud in zip(
                ((rate, seed) for rate in RATES for seed in SEEDS), record[f"{name}/{width}/numbers"],
                record[f"{name}/{width}/points"].astype(np.float32), strict=True)]


def packed(points: Tensor) -> np.ndarray:
    """Some of each run's points (R, N, 2), in whole 127ths of REACH, -128 for what is no number: (R, KEPT, 2)."""
    return (points[:, :KEPT] / REACH * 127).round().clamp(-127, 127).nan_to_num(-128).to(torch.int8).numpy()


def measure(steps: int = 60) -> dict[str, tuple[float, ...]]:
    """What a step of nine runs takes at each width, in milliseconds of one processor core, the best of three looks."""
    def took(name: str, width: int) -> float:
        run = training(name, Runs(SEEDS * 3, [0.001] * 9), 4 * steps, width)
        marks = []
        for progress in run:
            if progress.step % steps == 0:
                marks.append(time.process_time())
        return 1000 * float(np.diff(marks).min()) / steps

    torch.set_num_threads(1)
    return {name: tuple(round(took(name, width), 1) for width in WIDTHS) for name in SIDES}


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The command line of `evaluate gans`."""
    parser.add_argument("--out", type=Path, default=Path("runs.safetensors"),
                        help="the file for all runs; stacks that it holds already are not run again")
    parser.add_argument("--measure", action="store_true", help="only measure what a step of each side takes")


def evaluate(args: Namespace) -> None:
    """Run the whole race, stack by stack, and print what each came to."""
    if args.measure:
        print(measure())
        return
    torch.set_num_threads(1)
    record = load_file(args.out) if args.out.exists() else {}
    for width in WIDTHS:
        for name in SIDES:
            if f"{name}/{width}/numbers" not in record:
                found, last = raced(name, width)
                record[f"{name}/{width}/numbers"] = np.array(found, dtype=np.float32)
                record[f"{name}/{width}/points"] = packed(points_of(name, last))
                with whole(args.out) as file:
                    save_file(record, file)
    for run in stored(args.out):
        print(f"{run.name}, width {run.width}, rate {run.rate}, seed {run.seed}: {run.found}")
