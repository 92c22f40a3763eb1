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
from ...files import made, whole
from ...recipe import as_scale, as_whole
from ...stable_diffusion import StableDiffusion
from ...stable_diffusion.samplers import SAMPLERS
from ...worlds import scenes
from . import data, export, probes, sheets, vae
from .asked import NEW, PROMPTS, described, new_words, obeyed

REAL = (6001, 6002)


def evaluate(args: Namespace) -> None:
    """Prints the table of the model card, or draws its sheets."""
    if not (args.folder / "model_index.json").exists():
        raise LabError(f"a model's folder was expected; nothing is in {args.folder}; name one with --folder")
    as_whole(args.n, "--n", "try 100", 4)
    as_whole(args.steps, "--steps", "try 20", 1, 1000)
    as_scale(args.guidance)
    if args.sampler not in SAMPLERS:
        raise LabError(f"--sampler is one of {', '.join(SAMPLERS)}; {args.sampler!r} came; choose one of these")
    for folder in filter(None, (args.sheets, args.keep)):
        made(folder)
    pipe = StableDiffusionPipeline.from_pretrained(args.folder)
    pipe.set_progress_bar_config(disable=True)
    if args.sheets:
        sheets.draw_all(pipe, args.sheets, args.sampler)
        return
    for name, value in report(pipe, args):
        print(f"| {name} | {value} |")


def drawn(pipe: StableDiffusionPipeline, prompts: list[str], args: Namespace, name: str) -> np.ndarray:
    """The model's pictures uint8 (n, 128, 128, 3), seeds 0 to n - 1; kept in `args.keep` as they come."""
    kept = args.keep / f"{name}.npy" if args.keep else None
    images = list(np.load(kept)) if kept and kept.exists() else []
    for k in tqdm(range(len(images), len(prompts), 20), desc=f"drawing ({name})", mininterval=10):
        part = prompts[k : k + 20]
        seeds = range(k, k + len(part))
        images += [np.asarray(p) for p in export.draw(pipe, part, seeds, args.steps, args.guidance, args.sampler)]
        if kept and (k // 20 % 5 == 4 or k + 20 >= len(prompts)):
            with whole(kept) as part:
                np.save(part, np.stack(images))
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
    yield from wider(pipe, readers, args)
    yield from against_real(pipe, readers, np.concatenate(list(sets.values())), args)
    yield "sharpness: squared steps between neighbouring pixels, real scenes = 1", f"{sharpness(sets['seen']):.2f}"
    yield from uses(readers, args)
    yield from copies(sets["seen"], args.n)
    yield from speed(pipe, args.sampler)


def wider(pipe: StableDiffusionPipeline, readers: dict, args: Namespace):
    """What the readers read where a prompt names nobody, a place in the picture, a direction, or two figures; and, as a
    ceiling, in real windows of the same words."""
    for kind, share in {"nobody": 0.2, "where": 0.3, "looks": 0.3, "two": 0.3}.items():
        n = max(4, int(share * args.n))
        asked = new_words(kind, n)
        images = drawn(pipe, [scenes.describe(window) for window in asked], args, kind)
        real = np.stack([scenes.draw_as(w, np.random.default_rng([PROMPTS, k]))[0] for k, w in enumerate(asked)])
        for which, reader in readers.items():
            right, ceiling = (obeyed(kind, evaluation.look(reader, each)[0], asked) for each in (images, real))
            yield f"{NEW[kind]} (n = {n}, {which})", f"{right:.1%} (real windows {ceiling:.1%})"


def sharpness(images: np.ndarray) -> float:
    """Mean squared difference of neighbouring pixels in the first 200 pictures of `described`, as a share of that in
    real scenes of the same words."""
    rng = np.random.default_rng(PROMPTS)
    asked = [scenes.choose(rng, "train") for _ in range(min(200, len(images)))]
    real = np.stack([scenes.draw(scene, np.random.default_rng([PROMPTS, k]))[0] for k, scene in enumerate(asked)])
    ours, true = (sum(np.square(np.diff(each.astype(float), axis=axis)).mean() for axis in (1, 2))
                  for each in (images[: len(real)], real))  # fmt: skip
    return float(ours / true)


def uses(readers: dict, args: Namespace):
    """Figures inpainted away, pictures made wider, how near the small decoder is, and where words look."""
    sd, n = StableDiffusion.load(args.folder, say=lambda line: None), max(4, args.n // 10)
    left = np.concatenate([after for _, after in probes.emptied(sd, n)])
    wide = np.concatenate(list(probes.widened(sd, n)))
    for which, reader in readers.items():
        alone = evaluation.look(reader, left)[0]["count"] == "0"
        yield f"a figure inpainted with an empty place, nobody left (n = {n}, {which})", f"{alone.mean():.1%}"
        dark = evaluation.look(reader, wide[:, :, 128:])[0]["light"] == "none"
        yield f"128 outpainted to 256 at once, no second sun (n = {n}, {which})", f"{dark.mean():.1%}"
    if sd.tiny_vae is not None:
        with torch.no_grad():
            x0 = vae.encode(sd.pipeline.vae, evaluation.to_pixels(scenes.windows(n, REAL[1]).images))
        near = evaluation.psnr(sd.decode(x0).numpy(), sd.decode(x0, quick=True).numpy())
        yield f"small decoder, PSNR against the VAE's pictures of windows (n = {n})", f"{near:.1f} dB"
    yield "the seam, as a ratio to the columns around it", f"{probes.seam(wide):.2f}"
    found = probes.looked(sd, max(4, int(0.12 * args.n)))
    told = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    yield f"where words look, intersection over union with the true part (n = {max(4, int(0.12 * args.n))})", told


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
        with whole(kept) as part:
            np.save(part, np.concatenate(came))
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
    seen, kind = min(16000, 16 * n), data.KINDS["first"]  # of all that the U-Net was trained on
    train = scenes.windows(seen, kind.seed, kind.split).images
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
