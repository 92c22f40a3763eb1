"""How near each sampler comes with few network calls, in the plane and in Tiny SD: `evaluate samplers` measures it.

Two distances are taken of every run: to the fine solution, where the same static arrives in very many small steps, and
to the data.
"""

import contextlib
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..evaluation import fidelity, load_reader, look, sliced_wasserstein
from ..files import whole
from ..protocol import Model
from ..recipe import Recipe, as_whole
from ..sampling import SAMPLERS, sample
from ..schedules import aligned, karras
from ..stable_diffusion import StableDiffusion
from ..toy import Toy
from ..trajectory import Step, Steps
from ..worlds import points, scenes

TWO_M = SAMPLERS["dpmpp_2m"]
FIELD = {
    "DDIM": SAMPLERS["ddim"],
    "DDPM": SAMPLERS["ddpm"],
    "Heun": SAMPLERS["heun"],
    "2M": TWO_M,
    "2M Karras": replace(TWO_M, title="DPM++ 2M, times of Karras et al.", times=karras),
    "2M AYS": replace(TWO_M, title="DPM++ 2M, times of Align Your Steps", times=aligned),
}
KIND = "spiral"
POINTS = 2000
STEPS = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32)
FINE = 250  # steps of DPM++ 2M, nearer to the end of the path than any run here
SD_STEPS, SD_FINE, SD_GROUP = (1, 2, 3, 4, 6), 50, 8


def sampled(model: Model, prompt: str | Sequence[str], name: str, n: int, seeds: Sequence[int]) -> Steps:
    """The path of a sampler of FIELD in n steps through any model, from the static of the seeds, one a sample."""
    return sample(model, Recipe.of(model, prompt, seeds, n=n), FIELD[name])


def end(steps: Iterable[Step]) -> Tensor:
    """Where a path arrives."""
    *_, last = steps
    return last.x0


def rms(a: Tensor, b: Tensor) -> float:
    """How far two results of the same static are apart: the root of the mean squared difference of their numbers."""
    return float((a - b).square().mean() ** 0.5)


def within(calls: int = STEPS[-1]) -> dict[str, list[int]]:
    """For each sampler of FIELD the numbers of steps of the table that cost no more than so many calls."""
    return {name: [n for n in STEPS if sampler.calls(n) <= calls] for name, sampler in FIELD.items()}


def seeds_of(run: int, count: int = POINTS) -> list[int]:
    """The seeds of a run's samples: no two runs share one."""
    return list(range(run * count, (run + 1) * count))


def raced(toy: Model, run: int, calls: int = STEPS[-1]) -> dict[str, list[list[float]]]:
    """One run in the plane: for each sampler its dots [calls, to the fine solution, to the data]."""
    data, seeds = cloud(), seeds_of(run)
    fine = end(sampled(toy, KIND, "2M", FINE, seeds))
    found = {}
    for name, steps in within(calls).items():
        ends = [(FIELD[name].calls(n), end(sampled(toy, KIND, name, n, seeds))) for n in steps]
        found[name] = [[c, round(rms(x, fine), 4), round(sliced_wasserstein(x, data), 4)] for c, x in ends]
    return found


def cloud(kind: str = KIND) -> Tensor:
    """8,000 points of the data, to hold drawn ones against."""
    return torch.from_numpy(points.sample(8000, seed=99, kinds=kind)[0])


def floor(run: int, kind: str = KIND) -> float:
    """How far a draw of real points is from the data: nobody can be much nearer."""
    return sliced_wasserstein(torch.from_numpy(points.sample(POINTS, seed=1000 + run, kinds=kind)[0]), cloud(kind))


def drawn(sd: StableDiffusion, captions: Sequence[str], seeds: Sequence[int]) -> Iterator[tuple[str, int, Tensor]]:
    """Latents of all samplers of FIELD with 1 to 6 calls, and of diffusers' UniPC: (name, calls, x0)."""
    for name, steps in within(SD_STEPS[-1]).items():
        for n in (n for n in steps if n in SD_STEPS):
            yield name, FIELD[name].calls(n), end(sampled(sd, captions, name, n, seeds))
    for n in SD_STEPS:
        yield "UniPC", n, end(sd.steps(captions, n=n, seed=list(seeds), sampler="unipc"))


def in_tiny_sd(n: int) -> dict:
    """Tiny SD: for each sampler its dots [calls, latents to the fine solution, how many read as asked], one row for
    each group of 8 prompts."""
    sd, reader, found, fine_read = StableDiffusion.load("tiny-sd"), load_reader(), {}, []
    _, captions, labels = scenes.sample(n, seed=1111)

    def read(x: Tensor, part: slice) -> float:
        asked = {name: words[part] for name, words in labels.items()}
        return round(fidelity(look(reader, sd.decode(x).numpy())[0], asked)["all three"], 3)

    for k in tqdm(range(0, n, SD_GROUP), desc="Tiny SD", mininterval=10):
        part, seeds = slice(k, k + SD_GROUP), list(range(k, k + SD_GROUP))
        fine = end(sampled(sd, captions[part], "2M", SD_FINE, seeds))
        fine_read.append(read(fine, part))
        for name, calls, x in drawn(sd, captions[part], seeds):
            found.setdefault(name, {}).setdefault(calls, []).append([round(rms(x, fine), 4), read(x, part)])
    rows = {name: [[calls, *np.transpose(each).tolist()] for calls, each in dots.items()]
            for name, dots in found.items()}  # fmt: skip
    return {"prompts": n, "fine": fine_read, "rows": rows}


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The command line of `evaluate samplers`."""
    parser.add_argument("--runs", type=int, default=8, help="how many runs in the plane, each with its own static (8)")
    parser.add_argument("--prompts", type=int, default=32, help="how many prompts for Tiny SD, 0 for none (32)")
    parser.add_argument("--out", type=Path, help="a JSON file for the table, as lesson 11 reads it")


def evaluate(args: Namespace) -> None:
    """Measure both tables, print their means, and write all runs down."""
    runs = as_whole(args.runs, "--runs", "try 8")
    prompts = as_whole(args.prompts, "--prompts", "try 32", least=0)
    with whole(args.out) if args.out else contextlib.nullcontext() as file:  # what cannot be written is told at once
        table = measured(runs, prompts)
        if file:
            said = json.dumps(table, separators=(",", ":")).replace("},{", "},\n{")
            file.write_text(f"{said}\n", encoding="utf-8")


def measured(runs: int, prompts: int) -> dict:
    """Both tables, their means printed: that of the plane, and with any prompts that of Tiny SD."""
    toy = Toy.load("points")
    table = {"floor": [round(floor(run), 4) for run in range(runs)],
             "points": [raced(toy, run) for run in tqdm(range(runs), desc="points", mininterval=10)]}
    for name in table["points"][0]:
        means = np.mean([run[name] for run in table["points"]], axis=0)
        print(f"{name:10}", "  ".join(f"{calls:.0f}: {fine:.3f} {data:.3f}" for calls, fine, data in means))
    if prompts:
        table["tiny_sd"] = in_tiny_sd(prompts)
        for name, dots in table["tiny_sd"]["rows"].items():
            print(f"{name:10}", "  ".join(f"{c}: {np.mean(fine):.3f} {np.mean(read):.2f}" for c, fine, read in dots))
    return table
