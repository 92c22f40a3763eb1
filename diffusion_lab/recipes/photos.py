"""How the photos toy was made: a U-Net that learns patches of three photographs; and what its skip connections do."""

import contextlib
import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np
import torch

from ..evaluation import psnr
from ..files import whole
from ..mixing import add_noise, predicted_x0
from ..noising import noise
from ..pixels import as_pictures, as_samples
from ..recipe import as_whole
from ..toy import Toy
from ..worlds import photos
from . import _toys

SIZE = 32
TIMES = (50, 100, 200, 400, 700)
SHORT = 80  # the steps of a training that a lesson has time for
CONFIG = {
    "name": "photos",
    "network": "UNet",
    "arguments": {"channels": [16, 24, 32]},
    "words": [],
    "shape": [3, SIZE, SIZE],
    "schedule": "cosine",
    "target": "x0",
    "guidance_scale": 1.0,
}


def patches() -> tuple[np.ndarray, list[str]]:
    """What it learns: 600 squares of the three photographs, uint8 (600, 32, 32, 3), and no words."""
    images, captions, _ = photos.sample(600, seed=1, size=SIZE)
    return images, [""] * len(captions)


def config(skips: bool = True) -> dict:
    """The toy's settings, with its skip connections or without them."""
    if skips:
        return CONFIG
    return CONFIG | {"name": "photos without skips", "arguments": {**CONFIG["arguments"], "skips": False}}


RECIPE = _toys.ToyRecipe(CONFIG, patches, batch=16, steps=400)


def unseen(n: int = 64) -> torch.Tensor:
    """Clean squares (n, 3, 32, 32) of the same photographs, cut in other places than those it learns."""
    return as_samples(photos.sample(n, seed=99, size=SIZE)[0])


@torch.no_grad()
def guesses(toy: Toy, clean: torch.Tensor, t: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What a toy sees at timestep t of clean pictures (B, C, H, W), and its one guess of them, both (B, C, H, W). The
    noise of picture k is that of seed k."""
    alpha_bar = toy.schedule.alpha_bar(t)
    x_t = add_noise(clean, alpha_bar, noise(toy.shape, list(range(len(clean)))))
    return x_t, predicted_x0(x_t, toy.predict_noise(x_t, t), alpha_bar)


def quality(toy: Toy, clean: torch.Tensor, t: int) -> float:
    """How near one guess from timestep t comes to the clean squares (B, 3, 32, 32): PSNR in dB, 6 dB more for half the
    error."""
    both = clean, guesses(toy, clean, t)[1]
    return psnr(*(np.stack([np.asarray(picture) for picture in as_pictures(x)]) for x in both))


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train photos`."""
    _toys.add_arguments(parser, RECIPE)


def run(args: Namespace) -> None:
    """Train the photos toy."""
    _toys.run(RECIPE, args)


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The command line of `evaluate photos`."""
    parser.add_argument("--seeds", type=int, default=3, help="how many trainings of each kind (3)")
    parser.add_argument("--out", type=Path, help="a JSON file for the table")


def evaluate(args: Namespace) -> None:
    """Train with and without skip connections, from several seeds, and print the quality of their guesses in dB."""
    seeds = as_whole(args.seeds, "--seeds", "try 3")
    with whole(args.out) if args.out else contextlib.nullcontext() as file:  # what cannot be written is told at once
        data, clean, rows = patches(), unseen(), []
        print("steps  seed  skips   " + "".join(f"t = {t:<7}" for t in TIMES))
        for steps in (SHORT, RECIPE.steps):
            for seed in range(seeds):
                for skips in (True, False):
                    recipe = _toys.ToyRecipe(config(skips), lambda: data, RECIPE.batch, steps, seed)
                    toy = recipe.untrained()
                    *_, last = recipe.train(toy, steps)
                    toy.network = last.ema
                    row = {"steps": steps, "seed": seed, "skips": skips, "dB": [quality(toy, clean, t) for t in TIMES]}
                    rows.append(row | {"dB": [round(value, 2) for value in row["dB"]]})
                    print(f"{steps:5}  {seed:4}  {'with' if skips else 'without':8}"
                          + "".join(f"{value:<11.1f}" for value in row["dB"]), flush=True)
        if file:
            file.write_text(json.dumps({"t": TIMES, "rows": rows}, indent=1) + "\n", encoding="utf-8")
