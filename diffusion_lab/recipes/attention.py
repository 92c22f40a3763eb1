"""Where the words of a prompt act in Tiny SD: maps held against true masks, and pictures without a word's row."""

import contextlib
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ..evaluation import load_reader, look, masks
from ..files import whole
from ..guidance import guide
from ..mixing import add_noise
from ..noising import noise
from ..recipe import as_whole
from ..sampling import denoise
from ..stable_diffusion import StableDiffusion
from ..stable_diffusion.attention import difference, finest, looking, token_places, without
from ..worlds import scenes

TIMES = (200, 400, 600)  # how noisy the pictures are in which the maps are read
NAMED = ("subject", "ride", "place")  # the parts that have a word of their own in a prompt
SEED = 7007
BATCH = 16


def chosen(n: int) -> list[scenes.Window]:
    """n windows with one figure anywhere, large or small, that rides."""
    rng, found = np.random.default_rng(SEED), []
    while len(found) < n:
        window = scenes.choose_window(rng)
        if len(window.figures) == 1 and not window.plain() and window.figures[0].ride != "standing":
            found.append(window)
    return found


def words_of(window: scenes.Window) -> dict[str, str]:
    """The word of each part, as it stands in the prompt."""
    return {"subject": window.figures[0].subject, "ride": window.figures[0].ride, "place": window.place}


def read(sd: StableDiffusion, x_t: Tensor, t: int, prompts: list[str], words: list[str]) -> tuple[Tensor, Tensor]:
    """The difference map and the attention map of one word a picture, both (B, h, w), in noisy pictures x_t."""
    with looking(sd) as looks:
        found = difference(sd, x_t, t, prompts, [without(p, w) for p, w in zip(prompts, words, strict=True)])
    heat = finest({layer: calls[:1] for layer, calls in looks.items()})           # (B, h, w, tokens)
    places = (token_places(sd, p, w) for p, w in zip(prompts, words, strict=True))
    return found, torch.stack([one[..., place].mean(-1) for one, place in zip(heat, places, strict=True)])


def maps(sd: StableDiffusion, n: int) -> Iterator[tuple[str, Tensor, Tensor, Tensor]]:
    """For each part of n windows: its name, its true mask, its difference map and its attention map, (128, 128) each.

    A drawn picture's true masks nobody knows, so windows are drawn by code, encoded and made noisy: it is in these
    that the maps are read, the mean over TIMES.
    """
    windows = chosen(n)
    for k in tqdm(range(0, n, BATCH), desc="reading maps", mininterval=10):
        part = windows[k : k + BATCH]
        drawn = [scenes.draw_as(w, np.random.default_rng([SEED, k + j])) for j, w in enumerate(part)]
        x0, eps = torch.cat([sd.encode(d[0]) for d in drawn]), noise(sd.shape, list(range(k, k + len(part))))
        prompts = [scenes.describe(window) for window in part]
        for name in NAMED:
            words = [words_of(window)[name] for window in part]
            pairs = [read(sd, add_noise(x0, sd.schedule.alpha_bar(t), eps), t, prompts, words) for t in TIMES]
            both = torch.stack([torch.stack(pair).mean(0) for pair in zip(*pairs, strict=True)])      # (2, B, h, w)
            both = F.interpolate(both, (scenes.SIZE, scenes.SIZE), mode="bicubic")
            true = torch.from_numpy(np.stack([d[2] for d in drawn])) == scenes.PARTS.index(name)
            for one, *pair in zip(true, *both, strict=True):
                if one.any():
                    yield name, one, *pair


def scores(sd: StableDiffusion, n: int) -> dict[str, dict]:
    """For each part how well the maps of its word point at it ("pointed") and cover it ("overlap"), means over n
    windows, with "chance" beside, and the one map that is the same for all: the mean of all true masks."""
    rows = list(maps(sd, n))
    found = {}
    for name in NAMED:
        mine = [row[1:] for row in rows if row[0] == name]
        same = torch.stack([true.float() for true, *_ in mine]).mean(0)
        pairs = {"difference": [(d, true) for true, d, _ in mine], "attention": [(a, true) for true, _, a in mine],
                 "one for all": [(same, true) for true, *_ in mine]}
        table = {kind: [(masks.pointed(*pair), masks.overlap(*pair)) for pair in each] for kind, each in pairs.items()}
        table["chance"] = [masks.by_chance(true) for true, *_ in mine]
        found[name] = {"n": len(mine)} | {kind: [round(float(np.mean(column)), 3) for column in zip(*each, strict=True)]
                                          for kind, each in table.items()}
    return found


def rows_left(sd: StableDiffusion, prompt: str, gone: tuple[str, ...]) -> list[int]:
    """The numbers of the rows that are left of a prompt when the rows of words are taken away, and with "after" those
    of the end token and of the filling behind it."""
    places = {place for word in gone if word != "after" for place in token_places(sd, prompt, word)}
    tokens, end = sd.condition([prompt]).shape[1], len(sd.pipeline.tokenizer(prompt).input_ids) - 1
    return [k for k in range(tokens) if k not in places and not ("after" in gone and k >= end)]


def plain_prompt(scene: scenes.Scene) -> str:
    """What a scene with a ride shows, its colours unsaid: "an astronaut riding a horse on mars"."""
    article, where = "an" if scene.subject[0] in "aeiou" else "a", scenes.describe(scene).partition(scene.ride)[2]
    return f"{article} {scene.subject} riding a {scene.ride}{where}"


@torch.no_grad()
def drawn_without(sd: StableDiffusion, prompt: str, gone: tuple[str, ...], seeds: list[int], n: int = 8) -> Tensor:
    """Pictures x0 (B, C, h, w) of a prompt in n steps, in which the U-Net does not see the rows of some words."""
    rows, empty = sd.condition([prompt])[:, rows_left(sd, prompt, gone)], sd.condition([""])

    def predict(x_t: Tensor, t: int) -> Tensor:
        return guide(*(sd.predict_noise(x_t, t, one.expand(len(x_t), -1, -1)) for one in (empty, rows)),
                     sd.guidance_scale)

    *_, last = denoise(predict, sd.schedule, noise(sd.shape, seeds), sd.schedule.timesteps(n))
    return last.x0


def removed(sd: StableDiffusion, n: int) -> dict[str, dict[str, float]]:
    """The shares of n pictures, two of each prompt, whose subject, ride and place a reader finds as the prompt says, by
    what was removed."""
    rng, found, reader = np.random.default_rng(SEED), {}, load_reader()
    asked = [scenes.choose(rng, "train") for _ in range(2 * n)]
    asked = [scene for scene in asked if scene.ride != "standing"][: max(1, n // 2)]
    gone = {"nothing": (), "subject": ("subject",), "ride": ("ride",), "place": ("place",), "after": ("after",),
            "place and after": ("place", "after"), "all words": None}  # fmt: skip
    for name, parts in tqdm(gone.items(), desc="drawing", mininterval=10):
        right = []
        for k, scene in enumerate(asked):
            prompt = plain_prompt(scene)
            words = prompt.split() if parts is None else [getattr(scene, p, p) for p in parts]
            came, _ = look(reader, sd.decode(drawn_without(sd, prompt, tuple(words), [2 * k, 2 * k + 1])).numpy())
            right += [[came[part][j] == getattr(scene, part) for part in NAMED] for j in (0, 1)]
        found[name] = dict(zip(NAMED, np.mean(right, 0).round(3).tolist(), strict=True))
    return found


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The command line of `evaluate attention`."""
    parser.add_argument("--n", type=int, default=240, help="how many windows the maps are read in (240)")
    parser.add_argument("--drawn", type=int, default=60, help="how many pictures for each removal (60)")
    parser.add_argument("--out", type=Path, help="a JSON file for the table")


def evaluate(args: Namespace) -> None:
    """Print how well each kind of map shows its word's part, and what of a picture is left without a word's row."""
    n, drawn = (as_whole(value, name, "try 200", 2) for value, name in ((args.n, "--n"), (args.drawn, "--drawn")))
    drawn -= drawn % 2  # two of each prompt
    with whole(args.out) if args.out else contextlib.nullcontext() as file:  # what cannot be written is told at once
        sd = StableDiffusion.load("tiny-sd")
        record = {"n": n, "t": list(TIMES), "maps": scores(sd, n), "drawn": drawn, "removed": removed(sd, drawn)}
        for name, row in record["maps"].items():
            print(f"{name:8} n = {row['n']}  " + "  ".join(f"{kind} {row[kind][0]:.2f} {row[kind][1]:.2f}"
                                                           for kind in row if kind != "n"))
        for name, row in record["removed"].items():
            print(f"without {name:16} " + "  ".join(f"{part} {share:.2f}" for part, share in row.items()))
        if file:
            file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
