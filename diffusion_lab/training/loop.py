"""One training loop for every network of the laboratory: a generator that yields after each step.

The loss draws its own pictures and its own noise from a generator seeded by (seed, step). So a training that
was stopped goes on exactly as if it never had been: there is no data loader whose place must be remembered.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..errors import LabError
from ..recipe import as_positive, as_share, as_whole, shortened
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
    randomness from the CPU generator it is given (where it has a method `at(step, steps)`, that is called before each
    step: a loss that changes with the time); `steps` in all, those of an earlier run in `checkpoint`
    included: a number, or a function of the step such as `Within`; `optimizer`, a function from the network to
    its Optimisers (default `adamw()`); `ema`, the decay of the moving average, a number in [0, 1) (smaller
    during the first steps) or a function of the step; `seed`, 0 or more. Where torch.distributed runs, each
    process draws pictures of its own and the gradients are averaged.

    Yields Progress; a training that had finished already yields its last one again. Whatever ends it early, Ctrl-C
    too, the last whole step is kept in `checkpoint`. Raises LabError where the loss is not a finite number, the
    checkpoint is of another training, or the disk refuses it.
    """
    plan, seed = as_plan(steps), as_whole(seed, "a seed", "try 0", 0, 2**63 - 1)
    if not isinstance(checkpoint, Checkpoint | None):
        raise LabError(f"a Checkpoint was expected; {checkpoint!r} came; write checkpoint=Checkpoint(path)")
    keep = checkpoint if together.first() else None
    optimisers = _optimisers(network, optimizer or adamw())
    for group in optimisers.groups():
        group.setdefault("initial_lr", group["lr"])
    run = State(network, _average(network, ema), optimisers, seed)
    if checkpoint and os.path.exists(checkpoint.path):
        run.load(checkpoint.path)
    together.share(run.network)
    total, kept, saved = plan(run.step), run.step, time.monotonic()
    if run.step >= total:
        yield Progress(run.step, total, run.loss, run.average.module)
    torn = False  # whether a step is half made
    try:
        while run.step < total:
            value = _learn(run, loss, _generator(seed, run.step, together.rank()), total)
            torn = True
            with _unbroken():
                _move(run, total)
                run.loss, torn = value, False
            total = plan(run.step)
            if keep and (run.step >= total or time.monotonic() - saved >= keep.every_seconds):
                run.save(keep.path)
                kept, saved = run.step, time.monotonic()
            yield Progress(run.step, total, run.loss, run.average.module)
    except LabError:  # a loss that is no number, or a disk that refused already
        raise
    except BaseException:  # the caller stops here, or Ctrl-C: nothing is lost
        if keep and not torn and run.step != kept:
            run.save(keep.path)
        raise


def horizon(share: float = 0.05) -> Callable[[int], float]:
    """The decay of a moving average that looks back over a `share` (0-1] of the steps so far."""
    share = as_share(share, "the share of the steps that an average looks back over", "try 0.05", some=True)
    return lambda step: max(0.0, 1 - 1 / max(1.0, share * step))


def looks(training: Iterable[Progress], n: int = 10) -> Iterator[Progress]:
    """Run a training to its end and stop to look at it n times, evenly spaced, the last time when it is done.

    Arguments: `training`, what train(...) returns; `n`, 1 or more. Yields the n Progress to look at: `ema` draws as the
    finished network will, so a toy is drawn with on the way by `Toy(config, progress.ema)`.
    """
    n, seen = as_whole(n, "how often a training is looked at", "try 10"), 0
    if not isinstance(training, Iterable) or isinstance(training, str | bytes):
        raise LabError(f"a training was expected; {training!r} came; give what train(...) returns")
    for progress in training:
        if (reached := progress.step * n // progress.steps) > seen:
            seen = reached
            yield progress


def _learn(run: State, loss: Callable, generator: torch.Generator, steps: int) -> float:
    """The loss of a step and its gradients; no weight is changed yet."""
    run.network.train()
    run.network.zero_grad(set_to_none=True)
    if hasattr(loss, "at"):
        loss.at(run.step, steps)
    value = loss(run.network, generator)
    told = f"{type(value).__name__}" if not isinstance(value, Tensor) else f"{value.dtype} {tuple(value.shape)}"
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.is_floating_point() or not value.requires_grad:
        raise LabError(f"a loss that is one number and hangs on the network's weights was expected; {told} came; "
                       "return a mean over the network's guesses")
    number = float(value.detach())
    if not np.isfinite(number):
        raise LabError(f"a finite loss was expected; {number} came at step {run.step + 1}; "
                       "lower the learning rate, or look for a division by zero in the loss")  # fmt: skip
    value.backward()
    if all(p.grad is None for p in run.network.parameters()):
        raise LabError("a loss that hangs on the weights of the network in training was expected; one of other weights "
                       "came; let it call the network that it is given")
    return number


def _optimisers(network: nn.Module, optimizer: Callable[[nn.Module], Optimisers]) -> Optimisers:
    """What moves the network's weights; raises LabError where there are none, or where nothing can move them."""
    if not isinstance(network, nn.Module) or not any(p.requires_grad for p in network.parameters()):
        raise LabError(f"a network with weights to train was expected; {shortened(network)} came; give a "
                       "torch.nn.Module, such as toy.network")
    optimisers = optimizer(network) if callable(optimizer) else optimizer
    if not callable(optimizer) or not isinstance(optimisers, Optimisers):
        raise LabError(f"a function from the network to its Optimisers was expected; {shortened(optimizer)} came; try "
                       "optimizer=adamw(2e-3)")
    if optimisers.clip is not None:
        as_positive(optimisers.clip, "clip, the largest norm of all gradients,", "try 1, or None not to clip")
    return optimisers


def _move(run: State, steps: int) -> None:
    """The weights, their average and the step go on along the gradients."""
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


@contextmanager
def _unbroken() -> Iterator[None]:
    """Within it Ctrl-C and a request to end wait, so that a step is made whole."""
    came, before = [], {}
    if threading.current_thread() is threading.main_thread():  # no other one hears of them
        before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
        before = {one: habit for one, habit in before.items() if callable(habit)}
    for one in before:
        signal.signal(one, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for one, habit in before.items():
            signal.signal(one, habit)
    for number in came:
        signal.raise_signal(number)


def _generator(seed: int, step: int, rank: int) -> torch.Generator:
    state = np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)


def _average(network: nn.Module, ema: float | Callable[[int], float]) -> AveragedModel:
    """The moving average of the weights: average <- decay * average + (1 - decay) * network."""
    what = "the decay of the average, ema,"
    most = 1 if callable(ema) else as_share(ema, what, "try 0.999")
    if most == 1 and not callable(ema):
        raise LabError(f"{what} is below 1; {ema!r} came; try 0.999")
    decay = ema if callable(ema) else lambda step: min(most, (1 + step) / (10 + step))

    def move(averages, weights, step):
        torch._foreach_lerp_(averages, weights, 1 - as_share(decay(int(step)), what, "try horizon(0.05)"))

    average = AveragedModel(network, multi_avg_fn=torch.no_grad()(move))
    average.requires_grad_(False)
    average.eval()
    return average
