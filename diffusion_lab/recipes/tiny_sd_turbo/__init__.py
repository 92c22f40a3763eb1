"""Tiny SD turbo: a student of Tiny SD that draws in four calls of its U-Net or in two, guidance folded in."""

from argparse import ArgumentParser, Namespace

from ...files import alone, expanded, made
from ...places import WEIGHTS
from ...recipe import as_whole

SHIPPED = WEIGHTS / "tiny_sd_turbo"
STEPS = (500, 1400)


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train tiny-sd-turbo`."""
    parser.add_argument("--out", default="runs/tiny_sd_turbo", help="folder of the training's state and of the student")
    parser.add_argument("--steps", type=int, nargs=2, default=STEPS, metavar=("IMITATE", "MATCH"),
                        help=f"steps of the two stages {STEPS}")  # fmt: skip
    parser.add_argument("--batch", type=int, default=16, help="how many paths a step walks (16)")
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on with the training that lies in --out")


def run(args: Namespace) -> None:
    """Trains both stages and writes the student's folder."""
    from ...training import stopped_kindly
    from . import training

    for steps in args.steps:
        as_whole(steps, "each number of --steps", "try 500 1400")
    as_whole(args.batch, "--batch", "try 16")
    args.out = made(args.out)
    with alone(args.out / "training", "a training"), stopped_kindly(args.out):
        print(f"{training.train_both(args)}: the student, to be loaded with StableDiffusion.load")


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The command line of `evaluate tiny-sd-turbo`."""
    parser.add_argument("--folder", default=SHIPPED, help="the student's folder (default: the shipped one)")
    parser.add_argument("--n", type=int, default=1000, help="pictures of seen and again of never-seen combinations")
    parser.add_argument("--sheet", help="draw the card's contact sheet into this file instead")
    parser.add_argument("--calls", type=int, default=2, help="how many calls of the U-Net a picture of the sheet takes")
    parser.add_argument("--keep", help="a folder for the pictures, so that a second call goes on")


def evaluate(args: Namespace) -> None:
    """Prints the table of the model card, or draws its sheet."""
    from . import report

    for name in ("folder", "sheet", "keep"):
        if (place := getattr(args, name)) is not None:
            setattr(args, name, expanded(place))
    report.evaluate(args)
