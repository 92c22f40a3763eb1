"""Tiny SD: a real Stable Diffusion in miniature, trained from nothing on the scenes world."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ...files import expanded, made

SHIPPED = Path(__file__).parents[2] / "weights" / "tiny_sd"
GUIDANCE, N, SAMPLER = 2.5, 20, "dpmpp_2m_sde"  # fresh noise heals what a first guess got wrong
STAGES = ("pictures", "reader", "second", "vae", "more", "latents", "unet", "export", "tiny-vae")


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train tiny-sd`."""
    parser.add_argument("--stage", choices=STAGES, help="one stage alone (default: all, one after the other)")
    parser.add_argument("--out", default="runs/tiny_sd", help="folder of the training's state")
    parser.add_argument("--minutes", type=float, help="time for the stage; without --stage: draw, encode with the "
                        "shipped VAE and train a U-Net of your own in that time")  # fmt: skip
    parser.add_argument("--steps", type=int, help="steps of the stage instead of minutes")
    parser.add_argument("--resume", action="store_true", help="go on with the training that lies in --out")
    parser.add_argument("--device", default="cpu", help='"cpu" or "cuda"')
    parser.add_argument("--every", type=float, default=120.0, help="seconds between two checkpoints")
    parser.add_argument("--drawn", type=int, default=96000, help="how many scenes are drawn for the training")
    parser.add_argument("--batch", type=int, default=384, help="how many of them a step of the U-Net sees")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many processes draw")


def run(args: Namespace) -> None:
    """Trains the stage that was asked for, or all of them."""
    from ...stable_diffusion.loading.devices import check_device
    from ...training import stopped_kindly, together
    from . import stages
    from .settings import Settings

    device = together.start(check_device(args.device))
    settings = Settings(expanded(args.out), args.drawn, args.steps, args.minutes, args.batch, args.every, args.resume,
                        device, args.workers)  # fmt: skip
    made(settings.out)
    with stopped_kindly(settings.out):
        if args.stage:
            stages.BY_NAME[args.stage](settings)
        elif args.minutes is not None:
            stages.over_a_coffee(settings)
        else:
            for stage in STAGES:
                stages.BY_NAME[stage](settings)
    together.leave()


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The command line of `evaluate tiny-sd`."""
    parser.add_argument("--folder", default=SHIPPED, help="the model's folder (default: the shipped one)")
    parser.add_argument("--n", type=int, default=1000, help="pictures of seen and again of never-seen combinations")
    parser.add_argument("--guidance", type=float, default=GUIDANCE, help="guidance scale")
    parser.add_argument("--steps", type=int, default=N, help="steps of the sampler")
    parser.add_argument("--sampler", default=SAMPLER, help="how it steps, such as dpmpp_2m")
    parser.add_argument("--sheets", help="draw the card's contact sheets into this folder instead")
    parser.add_argument("--keep", help="a folder for the pictures, so that a second call goes on")


def evaluate(args: Namespace) -> None:
    """Prints the table of the model card."""
    from . import report

    for name in ("folder", "sheets", "keep"):
        if (place := getattr(args, name)) is not None:
            setattr(args, name, expanded(place))
    report.evaluate(args)
