"""Many small networks trained side by side in one batched product, each from its own seed and at its own rate.

`train` trains one network well; here it trains a whole table of them at once, so that luck can be told from skill.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import LabError
from ..mixing import eps_of
from ..networks import Stacked, time_waves
from ..objectives import Objective
from ..protocol import Guess
from ..recipe import as_positive, as_seeds, plain
from ..sampling import denoise
from .loop import Progress, horizon, train
from .optimisers import adamw_by_row

LOOKS_BACK = 0.05  # the share of the steps so far over which the average looks back
TOLD = 32  # numbers that tell the time


class Runs:
    """R trainings side by side: the seed and the learning rate of each. What is drawn depends on the seed alone, so
    that a run is the same in whatever company. Raises LabError for what is no seed, or no rate above 0."""

    def __init__(self, seeds: Sequence[int], rates: Sequence[float]):
        rates = plain(rates)
        self.seeds, rates = list(as_seeds(seeds)), list(rates) if isinstance(rates, Sequence) else [rates]
        if len(self.seeds) != len(rates) or not rates:
            raise LabError(f"a seed and a rate for each run was expected; {len(self.seeds)} seeds and {len(rates)} "
                           "rates came; give as many of both")
        rates = [as_positive(rate, "a learning rate", "try 0.003") for rate in rates]
        self.rates = torch.tensor(rates, dtype=torch.float32)[:, None, None]                    # (R, 1, 1)
        self._each = sorted(set(self.seeds))
        self._row = [self._each.index(seed) for seed in self.seeds]

    def dice(self, generator: torch.Generator) -> "Dice":
        """What the runs draw in one step: a generator for each seed, from it and from a number of `generator`."""
        base = int(torch.randint(2**40, (1,), generator=generator))
        return Dice([torch.Generator().manual_seed(base ^ seed) for seed in self._each], self._row)


class Dice(NamedTuple):
    """A generator for `each` seed, and for each run the `row` of its own."""

    each: list[torch.Generator]
    row: list[int]

    def draw(self, make: Callable[[torch.Generator], Tensor]) -> Tensor:
        """make(generator) once for each seed, for all runs (R, ...)."""
        return torch.stack([make(one) for one in self.each])[self.row]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers (R, *shape)."""
        return self.draw(lambda one: torch.randn(shape, generator=one))


def over_runs(loss: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """loss(*rows), a mean over the runs of all rows (R, ...). One that is lost does not stop the others.

    Where the loss is no finite number, it is the mean over those runs alone whose own is one; the gradients of the
    others are nan, so that their weights and all that they draw say it. Where no run has one, the loss stays as it is.
    """
    value = loss(*rows)
    if torch.as_tensor(value).isfinite().all():
        return value
    alive = torch.stack([torch.as_tensor(loss(*row)).isfinite().all() for row in zip(*rows, strict=True)])     # (R,)
    if not alive.any():
        return value
    for row in rows:
        if row.requires_grad:
            row.register_hook(lambda slope: slope + torch.where(alive, 0, torch.nan).view(-1, *[1] * (slope.dim() - 1)))
    return loss(*(row[alive] for row in rows)) * alive.float().mean()


def denoisers(runs: Runs, width: int, waves: int) -> Stacked:
    """A denoiser of points for each run, before its first step."""
    return Stacked(runs.seeds, 2, 2, width=width, waves=waves, told=TOLD)


def as_one(network: Stacked) -> Callable[..., Tensor]:
    """Stacked denoisers asked as one network: (x_t (R B, 2), t (R B,), condition) -> (R B, 2), row after row."""
    def asked(x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        R = len(network.weights[0])
        return network(x_t.view(R, -1, 2), time_waves(t, TOLD).view(R, -1, TOLD)).flatten(0, 1)

    return asked


def learn(objective: Objective, data: Callable[[torch.Generator], Tensor], runs: Runs, steps: int, *, width: int = 64,
          waves: int = 2) -> Iterator[Progress]:  # fmt: skip
    """Train a denoiser for each run on an objective, by `train`.

    Arguments: `data(generator)`, a batch of points (B, 2); `steps`; `width` of the networks, and `waves` of each
    coordinate that they see. `ema` of what is yielded is Stacked, to draw with by `drawn`.
    """
    def loss(network: Stacked, generator: torch.Generator) -> Tensor:
        dice = runs.dice(generator)
        x0 = dice.draw(data)                                                    # (R, B, 2)
        t = dice.draw(lambda one: torch.randint(len(objective.schedule), x0.shape[1:2], generator=one))     # (R, B)
        drawn = (x0, dice.normal(*x0.shape[1:]), t)
        errors = objective.errors(as_one(network), *(one.flatten(0, 1) for one in drawn))               # (R B, 2)
        return over_runs(torch.mean, errors.view_as(x0))

    networks = denoisers(runs, width, waves)
    return train(networks, loss, steps, optimizer=adamw_by_row(runs.rates), ema=horizon(LOOKS_BACK))


@torch.no_grad()
def drawn(network: Stacked, objective: Objective, points: int, n: int = 50, seed: int = 5) -> Tensor:
    """So many points of each run (R, points, 2), by n steps of DDIM from static of one seed."""
    R, asked = len(network.weights[0]), as_one(network)

    def predict(x_t: Tensor, t: int) -> Guess:
        found = asked(x_t, torch.full((len(x_t),), t))
        return Guess(eps_of(found, x_t, objective.schedule.alpha_bar(t), objective.target))

    static = torch.randn(points, 2, generator=torch.Generator().manual_seed(seed))
    *_, last = denoise(predict, objective.schedule, static.repeat(R, 1), objective.schedule.timesteps(n))
    return last.x0.view(R, points, 2)
