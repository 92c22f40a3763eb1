"""How the points toy was made: an MLP that learns four clouds of points in seconds."""

from argparse import ArgumentParser, Namespace

from ..worlds import points
from . import _toys

CONFIG = {
    "name": "points",
    "network": "MLP",
    "arguments": {"width": 128, "depth": 3, "waves": 3},
    "words": list(points.KINDS),
    "shape": [2],
    "schedule": "cosine",
    "target": "v",
    "guidance_scale": 1.0,
}
RECIPE = _toys.ToyRecipe(CONFIG, lambda: points.sample(20000, seed=1)[:2], batch=512, steps=1000)


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train points`."""
    _toys.add_arguments(parser, RECIPE)


def run(args: Namespace) -> None:
    """Train the points toy."""
    _toys.run(RECIPE, args)
