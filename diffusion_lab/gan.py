"""GANs: a forger draws, a critic compares it with the real thing, and both learn at once (Goodfellow et al., 2014).

The critic's score D(x) is any number, above 0 for "real"; 1 / (1 + exp(-D)) is its probability. Three games are here:
that of 2014, the same with R1 (Mescheder et al., 2018), and R3GAN (Huang et al., 2024), each a loss and two penalties.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from .networks import Stacked
from .training import Progress
from .training.stacked import RATE, Mover, Runs

NOISE = 8  # numbers that the forger makes a point of
OTHERS = 10_000  # between the seed of a forger and that of its critic


def gan_losses(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The game of 2014, non-saturating (Goodfellow et al., "Generative Adversarial Nets", 2014, equation 1 and
    section 3): the critic lowers E log(1 + e^-D(real)) + E log(1 + e^D(fake)), the forger E log(1 + e^-D(fake)).

    `real` and `fake` are the critic's scores. Returns both losses, the critic's first.
    """
    return softplus(-real).mean() + softplus(fake).mean(), softplus(-fake).mean()


def relativistic_losses(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The relativistic game: only differences of scores count, E log(1 + e^(D(fake) - D(real))) for the critic, turned
    around for the forger (Jolicoeur-Martineau, "The relativistic discriminator", 2018; R3GAN, equation 2).

    `real` and `fake` are the critic's scores, in pairs. Returns both losses, the critic's first.
    """
    return softplus(fake - real).mean(), softplus(real - fake).mean()


def penalty(scores: Tensor, x: Tensor) -> Tensor:
    """E |grad D(x)|^2, how steep the critic is at x (R, B, 2): on real points R1, on drawn ones R2 (Mescheder, Geiger
    and Nowozin, "Which Training Methods for GANs do actually Converge?", 2018, equation 9). `scores` (R, B, 1) = D(x);
    x requires a gradient."""
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)          # (R, B, 2)
    return slope.square().sum(dim=2).mean()


class Game(NamedTuple):
    """How a GAN plays: `losses(real scores, fake scores)`, and the weights gamma of the penalties on real points (`r1`)
    and on drawn ones (`r2`); each penalty counts gamma / 2 times."""

    losses: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    r1: float = 0.0
    r2: float = 0.0


GAMES = {
    "GAN, 2014": Game(gan_losses),
    "with R1": Game(gan_losses, r1=0.1),
    "R3GAN": Game(relativistic_losses, r1=0.1, r2=0.1),
}


def duel(game: Game, data: Callable[[torch.Generator], Tensor], runs: Runs, steps: int, *, width: int = 64,
         waves: int = 2) -> Iterator[Progress]:  # fmt: skip
    """Train a forger against a critic for each run, one move each a step; yield a Progress after each step.

    Arguments: `data(generator)`, a batch of points (B, 2); `steps`; `width` of the networks, and `waves` of each
    coordinate that the critic sees. Adam without memory of the direction, b1 = 0, as in all GANs since 2018. `ema` of
    what is yielded is Stacked, the forgers' average, to draw with by `forged`; `loss` is the forgers'.
    """
    forger = Stacked(runs.seeds, NOISE, 2, width=width)
    critic = Stacked([seed + OTHERS for seed in runs.seeds], 2, 1, width=width, waves=waves)
    moves, judges = Mover(forger, runs, b1=0.0), Mover(critic, runs, b1=0.0)
    for step in range(steps):
        real = runs.draw(data).requires_grad_(game.r1 > 0)                      # (R, B, 2)
        B, share = real.shape[1], RATE(step, steps)
        fake = forger(runs.normal(B, NOISE)).detach().requires_grad_(game.r2 > 0)
        scores = critic(torch.cat([real, fake], dim=1))                         # (R, 2 B, 1)
        loss, _ = game.losses(*scores.chunk(2, dim=1))
        if game.r1:
            loss = loss + game.r1 / 2 * penalty(scores, real)
        if game.r2:
            loss = loss + game.r2 / 2 * penalty(scores, fake)
        judges.step(loss, share)
        scores = critic(torch.cat([real.detach(), forger(runs.normal(B, NOISE))], dim=1))
        _, loss = game.losses(*scores.chunk(2, dim=1))
        moves.step(loss, share)
        yield Progress(step + 1, steps, float(loss.detach()), moves.average)


@torch.no_grad()
def forged(forger: Stacked, points: int, seed: int = 5) -> Tensor:
    """So many points of each run's forger (R, points, 2), from noise of one seed: one call."""
    noise = torch.randn(points, NOISE, generator=torch.Generator().manual_seed(seed))
    return forger(noise.expand(len(forger.weights[0]), -1, -1))
