"""`train NAME` and `evaluate NAME`: how each shipped model was made and measured; the recipes say what they take."""

import importlib
from argparse import REMAINDER, ArgumentParser, Namespace
from pathlib import Path

from diffusion_lab.errors import LabError

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
PARTS = {"train": ("add_arguments", "run"), "evaluate": ("add_evaluate_arguments", "evaluate")}


def names() -> list[str]:
    """The models that have a recipe, as a learner writes them."""
    found = {path.stem for path in RECIPES.glob("*") if path.suffix == ".py" or (path / "__init__.py").exists()}
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train` and `evaluate`: a model, then the options that its recipe has."""
    parser.add_argument("model", help=f"one of {', '.join(names())}; MODEL --help names its options")
    parser.add_argument("options", nargs=REMAINDER, help="the recipe's own options")
    parser.set_defaults(command=parser.prog.split()[-1])


def run(args: Namespace) -> None:
    """Hand over to the recipe."""
    if args.model not in names():
        raise LabError(f"a model with a recipe was expected, one of {', '.join(names())}; {args.model!r} came")
    module = importlib.import_module(f"diffusion_lab.recipes.{args.model.replace('-', '_')}")
    add, do = (getattr(module, part, None) for part in PARTS[args.command])
    if do is None:
        raise LabError(f"{args.command} knows no way for {args.model!r} yet; try another of {', '.join(names())}")
    parser = ArgumentParser(prog=f"python -m diffusion_lab {args.command} {args.model}", description=module.__doc__)
    add(parser)
    do(parser.parse_args(args.options))
