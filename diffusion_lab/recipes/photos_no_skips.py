"""How the other photos toy was made: the same U-Net, trained the same way, without its skip connections."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace

from . import _toys, photos

RECIPE = replace(photos.RECIPE, config=photos.config(skips=False))


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train photos-no-skips`."""
    _toys.add_arguments(parser, RECIPE)


def run(args: Namespace) -> None:
    """Train the photos toy without skip connections."""
    _toys.run(RECIPE, args)
