"""`train NAME` and `evaluate NAME`: how each shipped model was made and measured; the recipes say what they take."""

import importlib
from argparse import REMAINDER, ArgumentParser, Namespace
from pathlib import Path

from diffusion_lab.errors import LabError

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
FUNCTIONS = {"train": ("add_arguments", "run"), "evaluate": ("add_evaluate_arguments", "evaluate")}


def names(command: str = "train") -> list[str]:
    """The models that have a recipe for a command, as a learner writes them; none is imported to find out."""
    door = f"def {FUNCTIONS[command][0]}("
    found = {path.parent.name if path.stem == "__init__" else path.stem
             for path in [*RECIPES.glob("[!_]*.py"), *RECIPES.glob("[!_]*/__init__.py")]
             if door in path.read_text(encoding="utf-8")}  # fmt: skip
    return sorted(name.replace("_", "-") for name in found)


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `train` and `evaluate`: a model, then the options that its recipe has."""
    command = parser.prog.split()[-1]
    parser.add_argument("model", help=f"one of {', '.join(names(command))}; MODEL --help names its options")
    parser.add_argument("options", nargs=REMAINDER, help="the recipe's own options")
    parser.set_defaults(command=command)


def run(args: Namespace) -> None:
    """Hand over to the recipe."""
    known = names(args.command)
    if args.model not in known:
        raise LabError(f"a model that `{args.command}` knows was expected, one of {', '.join(known)}; {args.model!r} "
                       "came; choose one of these")
    module = importlib.import_module(f"diffusion_lab.recipes.{args.model.replace('-', '_')}")
    add, do = (getattr(module, part) for part in FUNCTIONS[args.command])
    parser = ArgumentParser(prog=f"python -m diffusion_lab {args.command} {args.model}", description=module.__doc__)
    add(parser)
    do(parser.parse_args(args.options))
