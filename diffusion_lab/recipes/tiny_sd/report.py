"""Tiny SD measured: what readers find in its pictures, how far they lie from real scenes, and whether it copies."""

import os
import time
from argparse import Namespace

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
        sheets.draw_all(pipe, args.sheets)
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
        images += [np.asarray(p) for p in export.draw(pipe, part, range(k, k + len(part)), args.steps, args.guidance)]
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
    yield from ceilings(pipe, readers, args.n)
    yield from distances(pipe, readers["reader"], np.concatenate(list(sets.values())))
    yield from copies(sets["seen"], args.n)
    yield from speed(pipe)


def through_vae(pipe: StableDiffusionPipeline, images: np.ndarray) -> np.ndarray:
    """Pictures encoded and decoded again, uint8."""
    came = []
    with torch.no_grad():
        for k in range(0, len(images), 8):
            decoded = pipe.vae.decode(vae.encode(pipe.vae, evaluation.to_pixels(images[k : k + 8]))).sample
            came.append(((decoded.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(came)


def ceilings(pipe: StableDiffusionPipeline, readers: dict, n: int):
    """What the readers read in real scenes, and in the VAE's reconstructions of them."""
    real, _, labels = scenes.sample(min(n, 1000), REAL[0] + 10)
    again = through_vae(pipe, real)
    for kind, images in (("real scenes", real), ("their VAE reconstructions", again)):
        for which, reader in readers.items():
            shares = evaluation.fidelity(evaluation.look(reader, images)[0], labels)
            text = f"{shares['all three']:.1%}, colours {shares['colours']:.1%}"
            yield f"ceiling: {kind} (n = {len(real)}, {which})", text
    yield f"VAE, PSNR on unseen scenes (n = {len(real)})", f"{evaluation.psnr(real, again):.1f} dB"


def distances(pipe: StableDiffusionPipeline, reader: evaluation.Reader, images: np.ndarray):
    """Frechet distances to fresh real scenes of the same mixture of combinations and number."""
    n = len(images)
    real = [np.concatenate([scenes.sample(n // 2, seed, split)[0] for split in ("train", "held-out")]) for seed in REAL]
    a, b = (evaluation.look(reader, each)[1] for each in real)
    again = evaluation.look(reader, through_vae(pipe, real[1]))[1]
    yield f"Frechet distance of two real sets (n = {n}): the floor", f"{evaluation.frechet_distance(a, b):.3f}"
    yield f"Frechet distance, VAE reconstructions (n = {n})", f"{evaluation.frechet_distance(a, again):.3f}"
    drawn_features = evaluation.look(reader, images)[1]
    yield f"Frechet distance, Tiny SD (n = {n})", f"{evaluation.frechet_distance(a, drawn_features):.3f}"


def copies(images: np.ndarray, n: int):
    """Root mean square difference to the nearest training picture, for the model and for fresh real scenes."""
    seen = min(16000, 16 * n)  # the U-Net was trained on the first 16,000
    train = scenes.sample(seen, data.TRAIN[1], "train")[0]
    ours, fresh = images[:300], scenes.sample(min(n, 300), REAL[0] + 20, "train")[0]
    for name, each in (("Tiny SD", ours), ("fresh real scenes", fresh)):
        gap = evaluation.nearest(each, train)[1]
        text = f"median {np.median(gap):.1f}, least {gap.min():.1f} grey levels"
        yield f"root mean square difference to the nearest of {seen} training pictures, {name}", text


def speed(pipe: StableDiffusionPipeline):
    """Seconds for one picture, the best of three, and the number of threads."""
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} threads"
    for n in (20, 50):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            export.draw(pipe, [export.PREVIEW[0]], [0], n)
            times.append(time.perf_counter() - start)
        yield f"one picture, {n} steps, {threads}", f"{min(times):.2f} s"
