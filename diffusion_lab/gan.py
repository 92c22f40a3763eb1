"""GANs: a forger draws, a critic compares it with the real thing, and both learn at once (Goodfellow et al., 2014).

The critic's score D(x) is any number, above 0 for "real"; 1 / (1 + exp(-D)) is its probability. Three games are here:
that of 2014, the same with R1 (Mescheder et al., 2018), and R3GAN (Huang et al., 2024), each a loss and two penalties.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from .mixing import check_alike
from .networks import Stacked
from .training import Progress, adamw_by_row, horizon, train
from .training.stacked import LOOKS_BACK, Runs, over_runs

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

    `real` and `fake` are the critic's scores, in pairs. Returns both losses, the critic's first. Raises LabError where
    they are no pairs.
    """
    check_alike(real, fake, "fake, the scores of drawn points,", "real", "give as many of both")
    return softplus(fake - real).mean(), softplus(real - fake).mean()


def steepness(scores: Tensor, x: Tensor) -> Tensor:
    """|grad D(x)|^2, how steep the critic is at each of x (R, B, 2): (R, B). Its mean over real points is the penalty
    R1, that over drawn ones R2 (Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually Converge?",
    2018, equation 9). `scores` (R, B, 1) = D(x); x requires a gradient."""
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)          # (R, B, 2)
    return slope.square().sum(dim=2)


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
    """Train a forger against a critic for each run, both by one move each step, by `train`.

    Arguments: `data(generator)`, a batch of points (B, 2); `steps`; `width` of the networks, and `waves` of each
    coordinate that the critic sees. Adam without memory of the direction, b1 = 0, as in all GANs since 2018. `ema` of
    what is yielded holds all "forgers" and "critics", to draw with by `forged`; `loss` is the sum of theirs.
    """
    penalties = (game.r1, game.r2) if game.r1 or game.r2 else ()

    def both(real: Tensor, fake: Tensor, asked: Tensor, *steep: Tensor) -> Tensor:
        judged, forges = game.losses(real, fake)[0], game.losses(real.detach(), asked)[1]
        return judged + forges + sum(gamma / 2 * one.mean() for gamma, one in zip(penalties, steep, strict=True))

    def loss(networks: nn.ModuleDict, generator: torch.Generator) -> Tensor:
        dice, critic = runs.dice(generator), networks["critics"]
        real = dice.draw(data)                                                  # (R, B, 2)
        fake = networks["forgers"](dice.normal(real.shape[1], NOISE))           # (R, B, 2)
        x = torch.cat([real, fake.detach()], dim=1).requires_grad_(bool(penalties))
        scores = critic(x)                                                      # (R, 2 B, 1)
        steep = steepness(scores, x).chunk(2, dim=1) if penalties else ()       # (R, B) each
        frozen = {name: weight.detach() for name, weight in critic.named_parameters()}
        asked = functional_call(critic, frozen, fake)                           # (R, B, 1), to teach the forger alone
        return over_runs(both, *scores.chunk(2, dim=1), asked, *steep)

    networks = nn.ModuleDict({
        "forgers": Stacked(runs.seeds, NOISE, 2, width=width),
        "critics": Stacked([seed + OTHERS for seed in runs.seeds], 2, 1, width=width, waves=waves)})
    return train(networks, loss, steps, optimizer=adamw_by_row(runs.rates, b1=0.0), ema=horizon(LOOKS_BACK))


@torch.no_grad()
def forged(networks: nn.ModuleDict, points: int, seed: int = 5) -> Tensor:
    """So many points of each run's forger (R, points, 2), from noise of one seed: one call."""
    noise = torch.randn(points, NOISE, generator=torch.Generator().manual_seed(seed))
    forger = networks["forgers"]
    return forger(noise.expand(len(forger.weights[0]), -1, -1))
