"""The game of lesson 10 as an exercise: both losses, and the slips that are made in them."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.functional import softplus

from ...gan import gan_losses
from ...noising import noise
from ..checks.exercises import Code, Slip


def _scores() -> list[tuple]:
    """Scores, some beyond 3; in the second case of several runs, (R, B, 1), and fewer of fakes than of real points; in
    the last of a critic that is sure, and twice wrong."""
    def scores(first: int, shape: tuple[int, ...], shift: float) -> Tensor:
        drawn = noise((1,), range(first, first + math.prod(shape)))                # (R B, 1)
        return (3 * drawn + shift).reshape(shape).requires_grad_()

    return [(scores(1, (5, 1), 0.7), scores(10, (5, 1), -0.6)),
            (scores(30, (3, 4, 1), 0.7), scores(50, (3, 1, 1), -0.6)),
            tuple(torch.tensor(sure)[:, None].requires_grad_() for sure in ((38.0, -40.0, 2.0), (-37.0, 41.0, -1.0)))]


def _game(judge, forger):
    """Both losses of other kinds: how slips are made."""
    return lambda real, fake: (judge(real, fake), forger(real, fake))


def _judges(real, fake):
    return gan_losses(real, fake)[0]


def _forges(real, fake):
    return gan_losses(real, fake)[1]


def _by_logaddexp(real, fake):
    zero = torch.zeros(())
    return torch.logaddexp(zero, -real).mean() + torch.logaddexp(zero, fake).mean(), -F.logsigmoid(fake).mean()


def _by_probability(real, fake):
    r, f = torch.sigmoid(real), torch.sigmoid(fake)
    return -(torch.log(r).mean() + torch.log(1 - f).mean()), -torch.log(f).mean()


def _by_cross_entropy(real, fake):
    loss, yes, no = F.binary_cross_entropy_with_logits, torch.ones_like(fake), torch.zeros_like(fake)
    return loss(real, torch.ones_like(real)) + loss(fake, no), loss(fake, yes)


GAME = Code(
    call="gan_losses(real, fake)",
    reference=gan_losses,
    source=(gan_losses,),
    also_right=(_by_logaddexp, _by_cross_entropy),
    cases=_scores,
    right="The forger's loss is steep where it is caught: that is the game of 2014 as it is really played.",
    hints=(
        "Three terms, and each is a mean of `softplus` of some scores with one sign or the other: two for the critic, "
        "one for the forger.",
        "softplus(-score) is small where a score is high. For which scores does the critic want that? And the forger?",
        "The critic wants high scores for real points and low ones for fakes, so its signs differ: - for real, + for "
        "fake. The forger wants its fakes to score high.",
    ),
    cut_off="In many programs `detach` stands there, to hold fake points still; here `fake` are scores, and the critic "
            "learns through them.",
    slips=(
        Slip("minus in front of the critic's softplus", "A minus stands in front of the critic's softplus, so its "
             "loss has no bottom: it belongs inside, before the scores that should be high.",
             _game(lambda r, f: -softplus(r).mean() + softplus(f).mean(), _forges)),
        Slip("minus in front of softplus, for both", "A minus stands in front of softplus, once for each player: it "
             "belongs inside, before the scores that should be high.",
             _game(lambda r, f: -softplus(r).mean() + softplus(f).mean(), lambda r, f: -softplus(f).mean())),
        Slip("no logarithm", "1 + exp is there, and its logarithm is forgotten: softplus does both.",
             _game(lambda r, f: (1 + (-r).exp()).mean() + (1 + f.exp()).mean(), lambda r, f: (1 + (-f).exp()).mean())),
        Slip("the logarithm of a mean", "First the logarithm for each score, then the mean: look at the order.",
             _game(lambda r, f: (1 + (-r).exp()).mean().log() + (1 + f.exp()).mean().log(),
                   lambda r, f: (1 + (-f).exp()).mean().log())),
        Slip("a logarithm with the base 10", "The logarithm has the base 10: here it is the natural one, `log`.",
             lambda r, f: tuple(one / math.log(10) for one in gan_losses(r, f))),
        Slip("the forger has no softplus", "The critic is right; the forger averages bare scores: they go through "
             "softplus, too.", _game(_judges, lambda r, f: -f.mean())),
        Slip("one is added to the scores", "1 minus a score, or 1 plus one, is the hinge game's; softplus is soft by "
             "itself and takes the bare scores.",
             _game(lambda r, f: softplus(1 - r).mean() + softplus(1 + f).mean(), lambda r, f: softplus(1 - f).mean())),
        Slip("differences of scores", "Real and fake scores are compared in pairs: that is the relativistic game, "
             "which comes later. Here each term has scores of one kind.",
             lambda r, f: (softplus(f - r).mean(), softplus(r - f).mean())),
        Slip("the forger turns the critic's loss around", "The forger lowers minus the critic's term: that pulls the "
             "right way, but next to not at all where it is caught. Look at its sign: it belongs inside of softplus.",
             _game(_judges, lambda r, f: -softplus(f).mean())),
        Slip("the forger turns the whole loss around", "Minus the critic's whole loss: the forger hardly learns where "
             "it is caught. It needs a term of its own, with the minus inside of softplus.",
             _game(_judges, lambda r, f: -_judges(r, f))),
        Slip("the forger wants to be caught", "It is rewarded for low scores: look at the sign inside of the forger's "
             "softplus.", _game(_judges, lambda r, f: softplus(f).mean())),
        Slip("the critic's signs changed places", "The critic is rewarded for taking fakes for real: look at both "
             "signs in its loss.", _game(lambda r, f: softplus(r).mean() + softplus(-f).mean(), _forges)),
        Slip("the critic gives everything a high score", "Both of the critic's terms have the same sign, so it calls "
             "everything real: look at the one for fakes.",
             _game(lambda r, f: softplus(-r).mean() + softplus(-f).mean(), _forges)),
        Slip("the critic gives everything a low score", "Both of the critic's terms have the same sign, so it calls "
             "everything a fake: look at the one for real points.",
             _game(lambda r, f: softplus(r).mean() + softplus(f).mean(), _forges)),
        Slip("the critic never sees a real point", "The critic's loss has one term only: what of the real points?",
             _game(lambda r, f: softplus(f).mean(), _forges)),
        Slip("the critic never sees a fake", "The critic's loss has one term only: what of the fakes?",
             _game(lambda r, f: softplus(-r).mean(), _forges)),
        Slip("the critic's terms are subtracted", "The critic's two terms add up: look at the sign between them.",
             _game(lambda r, f: softplus(-r).mean() - softplus(f).mean(), _forges)),
        Slip("every sign is turned", "Real points are called fake and fakes real, by both players: softplus is large "
             "where its score is, so look at each sign in it.",
             _game(lambda r, f: softplus(r).mean() + softplus(-f).mean(), lambda r, f: softplus(f).mean())),
        Slip("logsigmoid without a minus", "The logarithm of a probability is negative, and a loss is minus that: here "
             "the better a player is, the more it loses.", lambda r, f: tuple(-one for one in gan_losses(r, f))),
        Slip("the losses changed places", "Both are right, but the critic's comes first: look at the order of what you "
             "hand back.", lambda r, f: gan_losses(r, f)[::-1]),
        Slip("the forger works on real points", "The forger's loss is made of the real points' scores, which it cannot "
             "change: look at what stands in it.", _game(_judges, lambda r, f: softplus(-r).mean())),
        Slip("the forger has the critic's loss", "Both have the same loss, so both want the same: they are opponents.",
             _game(_judges, _judges)),
        Slip("a sum in place of a mean", "The losses grow with the number of points: look for a sum.",
             lambda r, f: (softplus(-r).sum() + softplus(f).sum(), softplus(-f).sum())),
        Slip("half of the critic's loss", "The critic's two means are averaged where they should add up.",
             _game(lambda r, f: _judges(r, f) / 2, _forges)),
        Slip("no softplus", "The bare scores are averaged: that is the game of the Wasserstein GAN (2017), another. "
             "Here each score goes through softplus.", lambda r, f: (f.mean() - r.mean(), -f.mean())),
        Slip("logarithms of probabilities", "The right game, but no number once the critic is sure: a probability is "
             "rounded to 1, and log(1 - 1) is infinite. softplus is the same, and safe. Below, up to scores of 6, "
             "nothing of it is seen.", _by_probability),
        Slip("probabilities without a logarithm", "The scores became probabilities, and their logarithm was forgotten: "
             "softplus does both at once.",
             lambda r, f: (torch.sigmoid(-r).mean() + torch.sigmoid(f).mean(), torch.sigmoid(-f).mean())),
        Slip("a hinge", "relu has a corner: that is the hinge game of 2017, another one. Here the curve is softplus.",
             lambda r, f: (F.relu(1 - r).mean() + F.relu(1 + f).mean(), -f.mean())),
        Slip("relu for softplus", "relu is softplus with a corner: beyond it nothing is learned. Look for softplus.",
             lambda r, f: (F.relu(-r).mean() + F.relu(f).mean(), F.relu(-f).mean())),
        Slip("softplus of a mean", "First softplus of each score, then the mean: look at the order of the two.",
             lambda r, f: (softplus(-r.mean()) + softplus(f.mean()), softplus(-f.mean()))),
        Slip("minus in front of every softplus", "Both losses reward what they should punish, for a minus stands in "
             "front of softplus: it belongs inside, before the scores that should be high.",
             lambda r, f: (-softplus(r).mean() - softplus(-f).mean(), -softplus(f).mean())),
        Slip("probabilities, then softplus", "The scores became probabilities first, and softplus squeezes them again: "
             "it takes the bare scores.",
             lambda r, f: gan_losses(torch.sigmoid(r), torch.sigmoid(f))),
        Slip("squares", "Squared distances from 1 and 0: that is the least squares GAN (2017), another game.",
             lambda r, f: ((r - 1).square().mean() + f.square().mean(), (f - 1).square().mean())),
    ),
)
