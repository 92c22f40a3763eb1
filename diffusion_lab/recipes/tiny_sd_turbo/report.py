"""Tiny SD turbo measured beside its teacher: what readers find, and how far both lie from real scenes."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ... import evaluation
from ...files import made, new_file
from ...places import WEIGHTS
from ...recipe import as_whole
from ...stable_diffusion import StableDiffusion
from ..tiny_sd import export, report, sheets
from ..tiny_sd.asked import described

TEACHER = WEIGHTS / "tiny_sd"
CALLS = (4, 2, 1)


def rows(student: Path) -> list[tuple[str, Path, int, float, str]]:
    """What is compared: a title, the model's folder, steps, guidance and sampler. With guidance a step is two calls."""
    teacher, turbo = (StableDiffusion.load(folder, device="cpu") for folder in (TEACHER, student))
    guided = [(f"{teacher.name}, {n} guided step{'s' * (n > 1)} of DDIM, {2 * n} calls", TEACHER, n,
               teacher.guidance_scale, "ddim") for n in CALLS]  # fmt: skip
    own = (f"{teacher.name}, {teacher.n} guided steps, its own, {2 * teacher.n} calls", TEACHER, teacher.n,
           teacher.guidance_scale, teacher.sampler)  # fmt: skip
    few = [(f"{turbo.name}, {n} call{'s' * (n > 1)}", student, n, turbo.guidance_scale, turbo.sampler)
           for n in CALLS]  # fmt: skip
    return [own, *guided, *few]


def evaluate(args: Namespace) -> None:
    """Prints the table of the model card, or draws its sheet."""
    as_whole(args.n, "--n", "try 100", 4)
    as_whole(args.calls, "--calls", "try 2", 1, 1000)
    if args.sheet:
        with new_file(args.sheet, (".jpg", ".png", ".webp"), force=True) as part:
            pipe = StableDiffusion.load(args.folder, device="cpu").pipeline
            export.sheet(sheets.unselected(pipe, "ddim", args.calls, 1.0), 12, part)
        return
    readers = {"reader": evaluation.load_reader(), "second reader": evaluation.load_reader("second")}
    for lines in (table(args, readers), wider(args, readers)):
        for line in lines:
            print("| " + " | ".join(line) + " |", flush=True)
        print()


def table(args: Namespace, readers: dict) -> Iterator[tuple[str, ...]]:
    """The lines of the table: what was drawn, what each reader finds right of it (subject, ride and place; both
    colours), seen and never seen, and the Frechet distance to as many real scenes."""
    (first, _), (second, labels) = (report.real_scenes(args.n, seed) for seed in report.REAL)
    centre = evaluation.look(readers["reader"], first)[1]

    def distance(images: np.ndarray) -> str:
        return f"{evaluation.frechet_distance(centre, evaluation.look(readers['reader'], images)[1]):.2f}"

    yield ("", "seen", "never seen", "both colours", "Frechet distance")
    yield ("---",) * 5
    for title, folder, n, scale, sampler in rows(args.folder):
        pipe, shares, sets = StableDiffusion.load(folder, device="cpu").pipeline, [], []
        for split in ("train", "held-out"):
            prompts, asked = described(args.n, split)
            how = Namespace(keep=args.keep, steps=n, guidance=scale, sampler=sampler)
            sets.append(report.drawn(pipe, prompts, how, f"{folder.name}-{n}-{sampler}-{split}"))
            shares += [evaluation.fidelity(evaluation.look(reader, sets[-1])[0], asked) for reader in readers.values()]
        three = [" / ".join(f"{one['all three']:.1%}" for one in pair) for pair in (shares[:2], shares[2:])]
        yield (title, *three, f"{min(one['colours'] for one in shares):.1%}", distance(np.concatenate(sets)))
    shares = [evaluation.fidelity(evaluation.look(reader, second)[0], labels) for reader in readers.values()]
    three = " / ".join(f"{one['all three']:.1%}" for one in shares)
    yield ("another set of real scenes (the floor)", three, "", f"{min(one['colours'] for one in shares):.1%}",
           distance(second))  # fmt: skip


def wider(args: Namespace, readers: dict) -> Iterator[tuple[str, ...]]:
    """The lines of a second table: what the readers find where a prompt names nobody, a place in the picture, a
    direction or two figures, and in real windows of the same words."""
    pipe, columns = StableDiffusion.load(args.folder, device="cpu").pipeline, []
    for n in CALLS:
        keep = args.keep and made(args.keep / f"wider-{n}")
        how = Namespace(n=args.n, keep=keep, steps=n, guidance=1.0, sampler="ddim")
        columns.append(dict(report.wider(pipe, readers, how)))
    yield ("", *(f"{n} call{'s' * (n > 1)}" for n in CALLS), "real windows")
    yield ("---",) * 5
    for name, value in columns[0].items():
        ceiling = value.partition("(real windows ")[2].rstrip(")")
        yield (name, *(column[name].partition(" (")[0] for column in columns), ceiling)
