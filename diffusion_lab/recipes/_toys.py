"""What the recipes of all toys share: a data set, a network, and the steps that bring them together."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from ..errors import LabError
from ..files import alone, expanded
from ..recipe import as_whole
from ..toy import FILES, Toy
from ..training import Checkpoint, Progress, Within, as_plan, horizon, muon_and_adamw, stopped_kindly, train

STATE = "training.safetensors"


@dataclass(frozen=True)
class ToyRecipe:
    """How a toy is made: its `config` (toy.py says what is in it), the `data` it learns (a function that returns
    samples and captions), how many of them a step looks at (`batch`), how many `steps`, the `seed` of it all, and after
    how many steps it is `ready` to be asked."""

    config: dict
    data: Callable
    batch: int
    steps: int
    seed: int = 0
    ready: int = 1

    def untrained(self) -> Toy:
        """The toy before its first step: it draws static."""
        return Toy(self.config, seed=self.seed)

    def loss(self, toy: Toy) -> Callable:
        """The loss for `train`, over the recipe's data."""
        return toy.loss(*self.data(), batch=self.batch)

    def train(self, toy: Toy, steps: int | Callable[[int], int], checkpoint: Checkpoint | None = None):
        """Train the toy's network, one Progress a step; `steps` as for training.train.

        The optimisers and the average are those of the shipped toys: Muon at rate 0.02 moves the weight matrices
        inside, AdamW at 0.003 all others; both fall to zero over the second half. The moving average looks back over
        5 % of the steps so far.
        """
        optimizer = muon_and_adamw(0.02, 3e-3, _at_the_edges, down=0.6, warm_up=40)
        yield from train(toy.network, self.loss(toy), steps, optimizer=optimizer, ema=horizon(0.05), seed=self.seed,
                         checkpoint=checkpoint)

    def go_on(self, toy: Toy, steps: int, folder: Path) -> Iterator[Progress]:
        """Train so many steps more than the folder's training has, and keep both there, the training and, once it is
        `ready`, the toy.

        Arguments: `toy`, untrained; `steps`, 1 or more; `folder`, as `places.own_model` names it. A disk that takes
        nothing keeps nothing, and the training goes its way. Yields each Progress.
        """
        more, state = as_whole(steps, "the number of steps", "try 60"), folder / STATE
        keep = Checkpoint(state, every_seconds=20) if _may_write(folder) else None
        first = []  # the step that it goes on from

        def plan(step: int) -> int:
            first.append(step)
            return first[0] + more

        for progress in self.train(toy, plan, keep):
            if keep is not None and progress.step == progress.steps >= self.ready:
                Toy(toy.config, progress.ema).save(folder)
            yield progress


def _may_write(folder: Path) -> bool:
    """Whether a folder is there to write into, made where it was not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _at_the_edges(name: str) -> bool:
    return name.startswith(("context", "enter", "leave"))


def add_arguments(parser: ArgumentParser, recipe: ToyRecipe) -> None:
    """The command line of `train` for a toy."""
    name = recipe.config["name"]
    out = Path("runs") / name
    parser.add_argument("--out", default=out, help=f"folder of the toy and its training ({out})")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, default=recipe.steps, help=f"steps in all ({recipe.steps})")
    length.add_argument("--seconds", type=float, help="as many steps as this machine makes in so many seconds")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier training in --out stopped")


def run(recipe: ToyRecipe, args: Namespace) -> Path:
    """Train a toy with a progress bar and write it to the folder `args.out`."""
    out = expanded(args.out)
    state = out / STATE
    plan = as_plan(args.steps if args.seconds is None else Within(args.seconds))
    with alone(state, "a training"):
        _check_folder(out, state, args.resume)
        toy = recipe.untrained()
        with stopped_kindly(state), tqdm(unit="step", desc=f"training {toy.name}") as bar:
            for progress in recipe.train(toy, plan, Checkpoint(state, every_seconds=20)):
                bar.total = progress.steps
                bar.update(progress.step - bar.n)
                bar.set_postfix(loss=f"{progress.loss:.3f}", refresh=False)
        toy.network = progress.ema
        toy.save(out)
        state.unlink(missing_ok=True)
    print(f"{out}: {toy.name} trained in {progress.step} steps; use it with Toy.load({str(out.absolute())!r})")
    return out


def _check_folder(out: Path, state: Path, resume: bool) -> None:
    """Raises LabError unless a training may begin in the folder, or go on; where its state lies, a model beside it is
    its own and not yet whole."""
    if resume and not state.exists():
        raise LabError(f"a training to go on with was expected; {out} holds none; leave --resume out to begin one")
    if not resume and state.exists():
        raise LabError(f"a new folder was expected; {out} holds a training that was stopped; add --resume to go on "
                       "with it, or give another --out")
    if not resume and any((out / part).exists() for part in FILES):
        raise LabError(f"a new folder was expected; {out} holds a model already; give another --out")
