"""How the icons student was made: a network of less than half the size learned in two minutes to draw in two calls what
the icons toy draws in sixteen guided steps, by progressive distillation: to 8 calls, to 4, to 2."""

import copy
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

import torch
from tqdm.auto import tqdm

from ..distillation import jumps, loss
from ..errors import LabError
from ..files import expanded
from ..guidance import guided
from ..mixing import add_noise
from ..pixels import as_samples
from ..toy import FILES, Toy
from ..training import Progress, horizon, muon_and_adamw, train
from ..worlds import icons
from . import _toys
from .icons import CONFIG as TEACHER

CONFIG = TEACHER | {"name": "icons in two calls", "arguments": {"channels": [16, 24, 32]}, "guidance_scale": 1.0,
                    "n": 2}  # fmt: skip
HALVINGS = ((8, 900, 1.0), (4, 350, 0.5), (2, 350, 0.5))  # calls, steps of training, the share of the learning rates
BATCH = 32


def halving(student: Toy, teacher: Toy, n: int):
    """The loss for `train` of a student in n calls, where its teacher takes 2 n steps at its own guidance scale.

    The first jump begins at pure static, as it does when the student draws; the others at noised icons of the data.
    """
    images, captions, _ = icons.sample(6000, 1, "train")
    data, stages = as_samples(images), jumps(student.schedule, n)

    def value(network, dice: torch.Generator):
        rows = torch.randint(len(data), (BATCH,), generator=dice)
        prompts = [captions[k] for k in rows.tolist()]
        steps = stages[int(torch.randint(n, (1,), generator=dice))]
        x_t = eps = torch.randn(BATCH, *student.shape, generator=dice)
        if steps is not stages[0]:
            x_t = add_noise(data[rows], steps[0][1], eps)
        return loss(student.objective, network, guided(teacher, prompts), x_t, steps, student.condition(prompts))

    return value


def chain() -> Iterator[Progress]:
    """All halvings, one after another: a Progress a step, whose `ema` is the student by then."""
    student, teacher = Toy(CONFIG, seed=0), Toy.load("icons")
    for n, steps, share in HALVINGS:
        optimizer = muon_and_adamw(0.02 * share, 3e-3 * share, _toys._at_the_edges, down=0.7, warm_up=20)
        for progress in train(student.network, halving(student, teacher, n), steps, optimizer=optimizer,
                              ema=horizon(0.05), seed=n):  # fmt: skip
            yield progress
        student, teacher = (Toy(CONFIG, copy.deepcopy(progress.ema)) for _ in range(2))
        student.network.requires_grad_(True)


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train icons-two-calls`."""
    parser.add_argument("--out", default="runs/icons-two-calls", help="folder of the student (runs/icons-two-calls)")


def run(args: Namespace) -> None:
    """Distil the student, and write it to the folder `args.out`."""
    out = expanded(args.out)
    if any((out / part).exists() for part in FILES):
        raise LabError(f"a new folder was expected; {out} holds a model already; give another --out")
    *_, progress = tqdm(chain(), unit="step", total=sum(steps for _, steps, _ in HALVINGS), desc="distilling")
    Toy(CONFIG, progress.ema).save(out)
    print(f"{out}: use it with Toy.load({str(out.absolute())!r})")


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The command line of `evaluate icons-two-calls`."""
    parser.add_argument("--model", default="icons-two-calls", help="the student, or the folder of another one")
    parser.add_argument("--each", type=int, default=14, help="how many of each of the 36 pairs are drawn (14)")


def evaluate(args: Namespace) -> None:
    """Print how far crowds of icons lie from 1,000 real ones, drawn by the teacher and by the student."""
    from ..evaluation import frechet_distance
    from ..evaluation.icons import coarse
    from ..recipe import as_whole

    prompts = [" ".join(pair) for pair in icons.PAIRS["all"]] * as_whole(args.each, "--each", "try 14")
    crowd, others = (coarse(as_samples(icons.sample(n, seed)[0])) for n, seed in ((1000, 99), (len(prompts), 98)))
    print(f"{'as many other real icons (the floor)':40}{frechet_distance(others, crowd):8.3f}")
    teacher, student = Toy.load("icons"), Toy.load(args.model)
    for toy, n in ((teacher, 20), (teacher, 2), (teacher, 1), (student, 2), (student, 1)):
        *_, last = toy.steps(prompts, n=n, seed=list(range(len(prompts))))
        words = f"{toy.name}, {n} steps, {n if toy.guidance_scale == 1 else 2 * n} calls"
        print(f"{words:40}{frechet_distance(coarse(last.x0), crowd):8.3f}", flush=True)
