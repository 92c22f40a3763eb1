"""How the icons toy was made: a U-Net that learns colours and shapes from drawn icons in two minutes."""

from argparse import ArgumentParser, Namespace

from ..worlds import icons
from . import _toys

CONFIG = {
    "name": "icons",
    "network": "UNet",
    "arguments": {"channels": [16, 32, 56]},
    "words": [*icons.COLOURS, *icons.SHAPES],
    "shape": [3, icons.SIZE, icons.SIZE],
    "schedule": "cosine",
    "target": "x0",
    "guidance_scale": 2.0,
}
RECIPE = _toys.ToyRecipe(CONFIG, lambda: icons.sample(6000, 1, "train")[:2], batch=32, steps=1300, ready=600)


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train icons`."""
    _toys.add_arguments(parser, RECIPE)


def run(args: Namespace) -> None:
    """Train the icons toy."""
    _toys.run(RECIPE, args)


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The command line of `evaluate icons`."""
    parser.add_argument("--model", default="icons", help="icons, or the folder of a toy of icons (icons)")
    parser.add_argument("--pictures", type=int, default=500, help="how many are drawn and read (500)")


def evaluate(args: Namespace) -> None:
    """Print the shares of pictures that show the colour and the shape of their prompt."""
    from ..evaluation.icons import obeyed, read, reader
    from ..pixels import as_samples
    from ..recipe import as_whole
    from ..toy import Toy

    as_whole(args.pictures, "--pictures", "try 500")
    toy, network = Toy.load(args.model), reader()
    images, _, labels = icons.sample(1000, seed=99)
    print(f"{'':40}" + "".join(f"{key:>9}" for key in ("colour", "shape", "both")))
    _print_row("real icons (the reader's ceiling)", read(network, as_samples(images), labels))
    for scale in sorted({1.0, 3.0, toy.guidance_scale}):
        for split, title in (("train", "pairs seen in training"), ("held-out", "pairs never seen together")):
            _print_row(f"{title}, guidance {scale:g}", obeyed(toy, network, split, args.pictures, scale))


def _print_row(title: str, shares: dict[str, float]) -> None:
    print(f"{title:40}" + "".join(f"{100 * shares[key]:8.1f}%" for key in ("colour", "shape", "both")), flush=True)
