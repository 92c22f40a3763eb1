"""Tiny SD: a real Stable Diffusion in miniature, trained from nothing on the scenes world."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

SHIPPED = Path(__file__).parents[2] / "weights" / "tiny_sd"
GUIDANCE = 2.5
STAGES = ("reader", "second", "vae", "latents", "decoder", "unet", "export")


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train tiny-sd`."""
    parser.add_argument("--stage", choices=STAGES, help="one stage alone (default: all, one after the other)")
    parser.add_argument("--out", type=Path, default=Path("tiny_sd"), help="folder of the training's state")
    parser.add_argument("--minutes", type=float, help="time for the stage (or for all of them together)")
    parser.add_argument("--steps", type=int, help="steps of the stage instead of minutes")


def run(args: Namespace) -> None:
    """Trains the stage that was asked for."""
    from . import stages

    if args.stage in ("reader", "second"):
        stages.train_reader(args.out, args.stage == "second", args.steps)
    elif args.stage == "vae":
        stages.train_vae(args.out, args.steps, args.minutes)
    elif args.stage == "latents":
        stages.encode(args.out)
    elif args.stage == "decoder":
        stages.train_decoder(args.out, args.steps, args.minutes)
    elif args.stage == "unet":
        stages.train_unet(args.out, args.steps, args.minutes)
    elif args.stage == "export":
        stages.put_together(args.out, args.out / "tiny_sd")


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The command line of `evaluate tiny-sd`."""
    parser.add_argument("--folder", type=Path, default=SHIPPED, help="the model's folder (default: the shipped one)")
    parser.add_argument("--n", type=int, default=1000, help="pictures of seen and again of never-seen combinations")
    parser.add_argument("--guidance", type=float, default=GUIDANCE, help="guidance scale")
    parser.add_argument("--steps", type=int, default=20, help="steps of DPM++ 2M")
    parser.add_argument("--keep", type=Path, help="a folder for the pictures, so that a second call goes on")


def evaluate(args: Namespace) -> None:
    """Prints the table of the model card."""
    from . import report

    report.evaluate(args)
