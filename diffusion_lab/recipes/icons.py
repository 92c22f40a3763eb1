"""How the icons toy was made: a U-Net that learns colours and shapes from drawn icons in a minute."""

from argparse import ArgumentParser, Namespace

from ..worlds import icons
from . import _toys

CONFIG = {
    "name": "icons",
    "network": "UNet",
    "arguments": {"channels": [16, 32, 64]},
    "words": [*icons.COLOURS, *icons.SHAPES],
    "shape": [3, icons.SIZE, icons.SIZE],
    "schedule": "cosine",
    "target": "v",
    "guidance_scale": 3.0,
}
RECIPE = _toys.ToyRecipe(CONFIG, lambda: icons.sample(6000, 1, "train")[:2], batch=32, steps=1200)


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train icons`."""
    _toys.add_arguments(parser, RECIPE)


def run(args: Namespace) -> None:
    """Train the icons toy."""
    _toys.run(RECIPE, args)
