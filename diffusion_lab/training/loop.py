"""One training loop for every network of the laboratory: a generator that yields after each step.

The loss draws its own pictures and its own noise from a generator seeded by (seed, step). So a training that
was stopped goes on exactly as if it never had been: there is no data loader whose place must be remembered.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..errors import LabError
from . import together
from .checkpoint import Checkpoint, State
from .clock import as_plan
from .optimisers import Optimisers, adamw


class Progress(NamedTuple):
    """Where a training stands: `step` of `steps` are done, the last `loss`, and the moving average of the network."""

    step: int
    steps: int
    loss: float
    ema: nn.Module


def train(network: nn.Module, loss: Callable[[nn.Module, torch.Generator], Tensor],
          steps: int | Callable[[int], int], *,
          optimizer: Callable[[nn.Module], Optimisers] | None = None,
          ema: float | Callable[[int], float] = 0.999, seed: int = 0,
          checkpoint: Checkpoint | None = None) -> Iterator[Progress]:  # fmt: skip
    """Train a network; yield a Progress after each step, when the optimisers and the moving average have moved.

    Arguments: `network`, changed in place; `loss(network, generator)` a scalar tensor, with all its
    randomness from the CPU generator it is given; `steps` in all, those of an earlier run in `checkpoint`
    included: a number, or a function of the step such as `Within`; `optimizer`, a function from the network to
    its Optimisers (default `adamw()`); `ema`, the decay of the moving average, a number in [0, 1) (smaller
    during the first steps) or a function of the step; `seed`, 0 or more. Where torch.distributed runs, each
    process draws pictures of its own and the gradients are averaged.

    Yields Progress; a training that had finished already yields its last one again. Raises LabError where the
    loss is not a finite number, the checkpoint is of another network, or the disk refuses it.
    """
    if not callable(steps) and (steps < 1 or int(steps) != steps):
        raise LabError(f"the number of training steps is a whole number, 1 or more; {steps!r} came; try 1000")
    rank = together.rank()
    optimisers = (optimizer or adamw())(network)
    for group in optimisers.groups():
        group.setdefault("initial_lr", group["lr"])
    run, plan = State(network, _average(network, ema), optimisers), as_plan(steps)
    if checkpoint and Path(checkpoint.path).exists():
        run.load(Path(checkpoint.path))
    together.share(run.network)
    total, saved = plan(run.step), time.monotonic()
    if run.step >= total:
        yield Progress(run.step, total, run.loss, run.average.module)
    while run.step < total:
        _advance(run, loss, _generator(seed, run.step, rank), total)
        total = plan(run.step)
        last = run.step >= total
        due = checkpoint and rank == 0 and (last or time.monotonic() - saved >= checkpoint.every_seconds)
        if due:
            run.save(Path(checkpoint.path))
            saved = time.monotonic()
        try:
            yield Progress(run.step, total, run.loss, run.average.module)
        except GeneratorExit:  # the caller stops here: nothing is lost
            if checkpoint and rank == 0 and not due:
                run.save(Path(checkpoint.path))
            raise


def horizon(share: float = 0.05) -> Callable[[int], float]:
    """The decay of a moving average that looks back over a `share` (0-1) of the steps so far."""
    return lambda step: max(0.0, 1 - 1 / max(1.0, share * step))


def looks(training: Iterable[Progress], n: int = 10) -> Iterator[Progress]:
    """Run a training to its end and stop to look at it n times, evenly spaced, the last time when it is done.

    Arguments: `training`, what train(...) returns; `n`, 1 or more. Yields the n Progress to look at: `ema` draws as the
    finished network will, so a toy is drawn with on the way by `Toy(config, progress.ema)`.
    """
    seen = 0
    for progress in training:
        if (reached := progress.step * n // progress.steps) > seen:
            seen = reached
            yield progress


def _advance(run: State, loss: Callable, generator: torch.Generator, steps: int) -> None:
    run.network.train()
    if hasattr(loss, "at"):
        loss.at(run.step, steps)
    value = loss(run.network, generator)
    run.loss = float(value.detach())
    if not np.isfinite(run.loss):
        raise LabError(f"a finite loss was expected; {run.loss} came at step {run.step + 1}; "
                       "lower the learning rate, or look for a division by zero in the loss")  # fmt: skip
    value.backward()
    parameters = [p for p in run.network.parameters() if p.grad is not None]
    together.average_gradients(parameters)
    if run.moved_by.clip is not None:
        nn.utils.clip_grad_norm_(parameters, run.moved_by.clip)
    for group in run.moved_by.groups():
        group["lr"] = group["initial_lr"] * run.moved_by.rate(run.step, steps)
    for optimiser in run.moved_by.optimisers:
        optimiser.step()
    run.network.zero_grad(set_to_none=True)
    run.average.update_parameters(run.network)
    run.step += 1


def _generator(seed: int, step: int, rank: int) -> torch.Generator:
    state = np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)


def _average(network: nn.Module, ema: float | Callable[[int], float]) -> AveragedModel:
    """The moving average of the weights: average <- decay * average + (1 - decay) * network."""
    decay = ema if callable(ema) else lambda step: min(ema, (1 + step) / (10 + step))

    def move(averages, weights, step):
        torch._foreach_lerp_(averages, weights, 1 - decay(int(step)))

    average = AveragedModel(network, multi_avg_fn=torch.no_grad()(move))
    average.requires_grad_(False)
    average.eval()
    return average
