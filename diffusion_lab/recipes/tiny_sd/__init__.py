"""Tiny SD: a real Stable Diffusion in miniature, trained from nothing on the scenes world."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

STAGES = ("reader", "second", "vae", "latents", "unet", "export")


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
