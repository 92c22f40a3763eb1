"""Tiny SD measured: what readers find in its pictures, how far they lie from real scenes, and whether it copies."""

import os
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from tqdm import tqdm

from ... import evaluation
from ...errors import LabError
from ...worlds import scenes
from . import data, export, sheets, vae

PROMPTS, REAL = 5000, (6001, 6002)


def evaluate(args: Namespace) -> None:
    """Prints the table of the model card, or draws its sheets."""
    if not (args.folder / "model_index.json").exists():
        raise LabError(f"a model's folder was expected; nothing is in {args.folder}; name one with --folder")
    pipe = StableDiffusionPipeline.from_pretrained(args.folder)
    pipe.set_progress_bar_config(disable=True)
    if args.sheets:
        sheets.draw_all(pipe, args.sheets, args.sampler)
        return
    for name, value in report(pipe, args):
        print(f"| {name} | {value} |")


def described(n: int, split: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """n prompts that name everything ("a red robot riding a blue bicycle on mars"), and what they ask for."""
    rng, rows = np.random.default_rng(PROMPTS), []
    for _ in range(n):
        rows.append(scenes.choose(rng, split))
    labels = {name: np.array([getattr(s, name) for s in rows]) for name in scenes.FIELDS}
    return [scenes.describe(s) for s in rows], labels


def drawn(pipe: StableDiffusionPipeline, prompts: list[str], args: Namespace, name: str) -> np.ndarray:
    """The model's pictures uint8 (n, 128, 128, 3), seeds 0 to n - 1; kept in `args.keep` as they come."""
    kept = args.keep / f"{name}.npy" if args.keep else None
    images = list(np.load(kept)) if kept and kept.exists() else []
    for k in tqdm(range(len(images), len(prompts), 20), desc=f"drawing ({name})", mininterval=10):
        part = prompts[k : k + 20]
        seeds = range(k, k + len(part))
        images += [np.asarray(p) for p in export.draw(pipe, part, seeds, args.steps, args.guidance, args.sampler)]
        if kept and (k // 20 % 5 == 4 or k + 20 >= len(prompts)):
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, np.stack(images))
    return np.stack(images[: len(prompts)])


def report(pipe: StableDiffusionPipeline, args: Namespace):
    """Yields the lines of the table, as (what, value)."""
    readers = {"reader": evaluation.load_reader(), "second reader": evaluation.load_reader("second")}
    sets = {}
    for split, name in (("train", "seen"), ("held-out", "never seen")):
        prompts, asked = described(args.n, split)
        images = sets[name] = drawn(pipe, prompts, args, name.replace(" ", "-"))
        for which, reader in readers.items():
            shares = evaluation.fidelity(evaluation.look(reader, images)[0], asked)
            yield f"subject, ride and place, {name} (n = {args.n}, {which})", f"{shares['all three']:.1%}"
            yield f"both colours, {name} (n = {args.n}, {which})", f"{shares['colours']:.1%}"
    yield from against_real(pipe, readers, np.concatenate(list(sets.values())), args)
    yield from copies(sets["seen"], args.n)
    yield from speed(pipe, args.sampler)


def through_vae(pipe: StableDiffusionPipeline, images: np.ndarray, keep: Path | None = None) -> np.ndarray:
    """Pictures encoded and decoded again, uint8; kept in the folder `keep`."""
    kept = keep / f"vae-{len(images)}.npy" if keep else None
    if kept and kept.exists():
        return np.load(kept)
    came = []
    with torch.no_grad():
        for k in tqdm(range(0, len(images), 8), desc="through the VAE", mininterval=10):
            decoded = pipe.vae.decode(vae.encode(pipe.vae, evaluation.to_pixels(images[k : k + 8]))).sample
            came.append(((decoded.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    if kept:
        np.save(kept, np.concatenate(came))
    return np.concatenate(came)


def real_scenes(n: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """2 n fresh scenes, half of them of held-out combinations, and their labels."""
    parts = [scenes.sample(n, seed, split) for split in ("train", "held-out")]
    labels = {name: np.concatenate([part[2][name] for part in parts]) for name in scenes.FIELDS}
    return np.concatenate([part[0] for part in parts]), labels


def against_real(pipe: StableDiffusionPipeline, readers: dict, images: np.ndarray, args: Namespace):
    """What the readers read in real scenes and in their VAE reconstructions, and the Frechet distances of these and
    of Tiny SD's pictures to other real scenes of the same mixture."""
    n = len(images)
    (first, _), (second, labels) = (real_scenes(n // 2, seed) for seed in REAL)
    again = through_vae(pipe, second, args.keep)
    for kind, each in (("real scenes", second), ("their VAE reconstructions", again)):
        for which, reader in readers.items():
            shares = evaluation.fidelity(evaluation.look(reader, each)[0], labels)
            text = f"{shares['all three']:.1%}, colours {shares['colours']:.1%}"
            yield f"ceiling: {kind} (n = {n}, {which})", text
    yield f"VAE, PSNR on unseen scenes (n = {n})", f"{evaluation.psnr(second, again):.1f} dB"
    near = {"two real sets (the floor)": second, "VAE reconstructions": again, "Tiny SD": images}
    centre = evaluation.look(readers["reader"], first)[1]
    for name, each in near.items():
        distance = evaluation.frechet_distance(centre, evaluation.look(readers["reader"], each)[1])
        yield f"Frechet distance to {n} real scenes, {name}", f"{distance:.2f}"


def copies(images: np.ndarray, n: int):
    """Root mean square difference to the nearest training picture, for the model and for fresh real scenes."""
    seen = min(16000, 16 * n)  # of the 40,000 that the U-Net was trained on
    train = scenes.sample(seen, data.TRAIN[1], "train")[0]
    ours, fresh = images[:300], scenes.sample(min(n, 300), REAL[0] + 20, "train")[0]
    for name, each in (("Tiny SD", ours), ("fresh real scenes", fresh)):
        gap = evaluation.nearest(each, train)[1]
        text = f"median {np.median(gap):.1f}, least {gap.min():.1f} grey levels"
        yield f"root mean square difference to the nearest of {seen} training pictures, {name}", text


def speed(pipe: StableDiffusionPipeline, sampler: str):
    """Seconds for one picture, the best of three, and the number of threads."""
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} threads"
    for n in (20, 50):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            export.draw(pipe, [export.PREVIEW[0]], [0], n, sampler=sampler)
            times.append(time.perf_counter() - start)
        yield f"one picture, {n} steps, {threads}", f"{min(times):.2f} s"
