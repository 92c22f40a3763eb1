"""Many small networks trained side by side in one batched product, each from its own seed and at its own rate.

`train` trains one network well; this trains a whole table of them, so that luck can be told from skill.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor

from ..errors import LabError
from ..mixing import eps_of
from ..networks import Stacked, time_waves
from ..objectives import Objective
from ..protocol import Guess
from ..sampling import denoise
from .loop import Progress
from .optimisers import warm_up_and_down

LOOKS_BACK = 0.05  # the share of the steps so far over which the average looks back
TOLD = 32  # numbers that tell the time
RATE = warm_up_and_down()  # both sides of a race: up over 50 steps, down to zero over the second half


class Runs:
    """R trainings side by side: the seed and the learning rate of each. What is drawn depends on the seed alone, so
    that a run is the same in whatever company."""

    def __init__(self, seeds: Sequence[int], rates: Sequence[float]):
        if len(seeds) != len(rates) or not len(seeds):
            raise LabError(f"a seed and a rate for each run was expected; {len(seeds)} seeds and {len(rates)} rates "
                           "came; give as many of both")
        self.seeds, self.rates = list(seeds), torch.tensor(rates)[:, None, None]                # (R, 1, 1)
        each = sorted(set(self.seeds))
        self._dice = [torch.Generator().manual_seed(seed + 1) for seed in each]
        self._row = [each.index(seed) for seed in self.seeds]

    def draw(self, make: Callable[[torch.Generator], Tensor]) -> Tensor:
        """make(generator) once for each seed, for all runs (R, ...)."""
        return torch.stack([make(dice) for dice in self._dice])[self._row]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers (R, *shape)."""
        return self.draw(lambda dice: torch.randn(shape, generator=dice))


class Mover:
    """Adam (Kingma and Ba, 2015, algorithm 1) for stacked networks, each at its own rate, and their moving average.

    m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, w <- w - rate m / (1 - b1^n) / sqrt(v / (1 - b2^n)). A rate per
    row is what torch's own Adam has no place for.
    """

    def __init__(self, network: Stacked, runs: Runs, b1: float = 0.9, b2: float = 0.99):
        self.weights, self.runs, self.b1, self.b2, self.n = list(network.parameters()), runs, b1, b2, 0
        self.m, self.v = ([torch.zeros_like(w) for w in self.weights] for _ in "mv")
        self.average = deepcopy(network).requires_grad_(False)

    def step(self, loss: Tensor, share: float) -> None:
        """Go down along the gradients of a loss, with a `share` of the rates."""
        grads = torch.autograd.grad(loss, self.weights)
        self.n += 1
        with torch.no_grad():
            torch._foreach_lerp_(self.m, grads, 1 - self.b1)
            torch._foreach_mul_(self.v, self.b2)
            torch._foreach_addcmul_(self.v, grads, grads, 1 - self.b2)
            roots = torch._foreach_sqrt(self.v)
            torch._foreach_add_(roots, 1e-8)
            torch._foreach_mul_(moves := torch._foreach_div(self.m, roots),
                                share * (1 - self.b2**self.n) ** 0.5 / (1 - self.b1**self.n))
            torch._foreach_sub_(self.weights, [self.runs.rates * move for move in moves])
            back = 1 / max(1.0, LOOKS_BACK * self.n)
            torch._foreach_lerp_(list(self.average.parameters()), self.weights, back)


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
    """Train a denoiser for each run on an objective; yield a Progress after each step.

    Arguments: `data(generator)`, a batch of points (B, 2); `steps`; `width` of the networks, and `waves` of each
    coordinate that they see. `ema` of what is yielded is Stacked, to draw with by `drawn`.
    """
    network, T = denoisers(runs, width, waves), len(objective.schedule)
    mover = Mover(network, runs)
    for step in range(steps):
        x0 = runs.draw(data).flatten(0, 1)                                      # (R B, 2)
        B = len(x0) // len(runs.seeds)
        eps = runs.normal(B, 2).flatten(0, 1)                                   # (R B, 2)
        t = runs.draw(lambda dice, B=B: torch.randint(T, (B,), generator=dice)).flatten()
        loss = objective(as_one(network), x0, eps, t)
        mover.step(loss, RATE(step, steps))
        yield Progress(step + 1, steps, float(loss.detach()), mover.average)


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
