"""One training loop for every network of the laboratory: a generator that yields after each step.

The loss draws its own pictures and its own noise from a generator seeded by (seed, step). So a training that
was stopped goes on exactly as if it never had been: there is no data loader whose place must be remembered.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from . import together
from .errors import LabError
from .files import whole
from .mixing import add_noise, target_of
from .optimisers import Optimisers, adamw
from .schedules import Schedule


class Progress(NamedTuple):
    """Where a training stands: `step` of `steps` are done, the last `loss`, and the moving average of the
    network."""

    step: int
    steps: int
    loss: float
    ema: nn.Module


@dataclass(frozen=True)
class Checkpoint:
    """A safetensors file that is rewritten every so many seconds, and from which an interrupted training goes
    on."""

    path: Path
    every_seconds: float = 120.0


def horizon(share: float = 0.05) -> Callable[[int], float]:
    """The decay of a moving average that looks back over a `share` (0-1) of the steps so far."""
    return lambda step: max(0.0, 1 - 1 / max(1.0, share * step))


class Within:
    """How many steps a training takes that must end in time, said anew after each step by what the clock shows.

    Called with the step that a training has come to, it returns how many there will be in all: those before it
    began, and those since divided by the share of the time that is over. So whatever follows step / steps (the
    learning rate, the weights in a loss) follows the clock, and a machine that grows slower makes fewer steps.

    Arguments: `seconds` above 0, from now on; `clock`, a function that returns seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic):
        if not seconds > 0:
            raise LabError(f"a time above 0 seconds was expected; {seconds} came; try 60")
        self.seconds, self.clock, self.begun = seconds, clock, clock()
        self.first, self.asked, self.steps = None, None, 0

    def __call__(self, step: int) -> int:
        if step != self.asked:
            self.first = step if self.first is None else self.first
            share = max(1e-6, (self.clock() - self.begun) / self.seconds)
            steps = self.first + int((step - self.first + 1) / share)
            self.asked, self.steps = step, together.agreed(max(1, step, steps))
        return self.steps


def as_plan(steps: int | Callable[[int], int]) -> Callable[[int], int]:
    """The function from a step to the number of steps in all; a number is the same at every step."""
    return steps if callable(steps) else lambda step: steps


def train(network: nn.Module, loss: Callable[[nn.Module, torch.Generator], Tensor],
          steps: int | Callable[[int], int], *,
          optimizer: Callable[[nn.Module], Optimisers] | None = None,
          ema: float | Callable[[int], float] = 0.999, seed: int = 0,
          checkpoint: Checkpoint | None = None) -> Iterator[Progress]:  # fmt: skip
    """Train a network; yield a Progress after each step, when the optimisers and the moving average have
    moved.

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
    run, plan = _Run(network, _average(network, ema), optimisers), as_plan(steps)
    if checkpoint and Path(checkpoint.path).exists():
        run.load(Path(checkpoint.path))
    together.share(run.network)
    total, saved = plan(run.step), time.monotonic()
    if run.step >= total:
        yield Progress(run.step, total, run.loss, run.average.module)
    while run.step < total:
        run.advance(loss, _generator(seed, run.step, rank), total)
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


class _Run:
    """All that a training changes: the network, its moving average, the optimisers' memory and the step."""

    def __init__(self, network: nn.Module, average: AveragedModel, optimisers: Optimisers):
        self.network, self.average, self.moved_by = network, average, optimisers
        self.step, self.loss = 0, float("nan")

    def advance(self, loss: Callable, generator: torch.Generator, steps: int) -> None:
        self.network.train()
        value = loss(self.network, generator)
        self.loss = float(value.detach())
        if not np.isfinite(self.loss):
            raise LabError(f"a finite loss was expected; {self.loss} came at step {self.step + 1}; "
                           "lower the learning rate, or look for a division by zero in the loss")  # fmt: skip
        value.backward()
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        together.average_gradients(parameters)
        if self.moved_by.clip is not None:
            nn.utils.clip_grad_norm_(parameters, self.moved_by.clip)
        for group in self.moved_by.groups():
            group["lr"] = group["initial_lr"] * self.moved_by.rate(self.step, steps)
        for optimiser in self.moved_by.optimisers:
            optimiser.step()
        self.network.zero_grad(set_to_none=True)
        self.average.update_parameters(self.network)
        self.step += 1

    def save(self, path: Path) -> None:
        """Write all of it: a kill at any moment, or a full disk, leaves one whole checkpoint."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        about = {"step": self.step, "loss": self.loss, "numbers": {}}
        for i, optimiser in enumerate(self.moved_by.optimisers):
            for p, memory in optimiser.state_dict()["state"].items():
                for name, value in memory.items():
                    place = tensors if isinstance(value, Tensor) else about["numbers"]
                    place[f"optimiser.{i}.{p}.{name}"] = value
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        with whole(path) as part:
            save_file(tensors, part, metadata={"about": json.dumps(about)})

    def load(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads(file.metadata()["about"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            self.network.load_state_dict(_under("network.", tensors))
            self.average.load_state_dict(_under("average.", tensors))
            for i, optimiser in enumerate(self.moved_by.optimisers):
                state: dict[int, dict] = {}
                for key, value in _under(f"optimiser.{i}.", tensors | about["numbers"]).items():
                    p, name = key.split(".", 1)
                    state.setdefault(int(p), {})[name] = value
                groups = optimiser.state_dict()["param_groups"]
                optimiser.load_state_dict({"state": state, "param_groups": groups})
            self.step, self.loss = int(about["step"]), float(about["loss"])
        except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            why = str(error).splitlines()[0]
            raise LabError(f"a checkpoint of this training was expected in {path}; another file came ({why}); "
                           "name another file or move this one away") from None  # fmt: skip


def _under(prefix: str, values: dict) -> dict:
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}


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


def noise_prediction_loss(network: nn.Module, x0: Tensor, condition: Tensor | None, schedule: Schedule,
                          generator: torch.Generator, target: str = "eps") -> Tensor:  # fmt: skip
    """The loss of diffusion: E |network(x_t, t, condition) - eps|^2, t uniform (DDPM, equation 14 and
    algorithm 1).

    Arguments: `x0` (B, ...) clean samples; `condition` (B, ...) or None; `target` what the network predicts:
    "eps", "x0" or "v". Returns the mean over the batch, a scalar.
    """
    B = len(x0)
    t = torch.randint(len(schedule), (B,), generator=generator)                 # (B,)  a time for each
    eps = torch.randn(x0.shape, generator=generator).to(x0)                     # (B, ...)
    alpha_bar = schedule.alpha_bars[t].to(x0).view(B, *[1] * (x0.dim() - 1))    # (B, 1, ...)
    x_t = add_noise(x0, alpha_bar, eps)                                         # (B, ...)
    guess = network(x_t, t.to(x0.device), condition)                            # (B, ...)
    return (guess - target_of(x0, eps, alpha_bar, target)).square().mean()


def drop_condition(condition: Tensor, empty: Tensor, generator: torch.Generator,
                   share: float = 0.1) -> Tensor:  # fmt: skip
    """Replace a `share` of the conditions (B, ...) by the `empty` one (1, ...), so that one network learns to
    guess with and without a prompt (Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022, algorithm
    1)."""
    dropped = torch.rand(len(condition), generator=generator) < share           # (B,)
    dropped = dropped.to(condition.device).view(-1, *[1] * (condition.dim() - 1))
    return torch.where(dropped, empty.to(condition), condition)                 # (B, ...)
