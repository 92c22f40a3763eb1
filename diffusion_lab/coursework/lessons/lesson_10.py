"""For years GANs drew the best pictures. Why do diffusion models draw them today?"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.functional import softplus

from ...evaluation.coverage import coverage
from ...gan import gan_losses, penalty, relativistic_losses
from ...noising import noise
from ..checks.exercises import Code, Diagnoses, Slip
from .claims import CLAIMS

# --- the game ----------------------------------------------------------------------------------------------------


def _scores() -> list[tuple]:
    return [tuple(noise((1,), seeds).add(shift).requires_grad_() for seeds, shift in ((range(a, a + n), 0.7),
            (range(a + 9, a + 9 + n), -0.6))) for a, n in ((1, 5), (30, 7))]  # fmt: skip


def _game(judge, forger):
    """Both losses of other kinds: how slips are made."""
    return lambda real, fake: (judge(real, fake), forger(real, fake))


def _judges(real, fake):
    return gan_losses(real, fake)[0]


def _forges(real, fake):
    return gan_losses(real, fake)[1]


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
    also_right=(_by_probability, _by_cross_entropy),
    cases=_scores,
    right="The forger's loss is steep where it is caught: that is the game of 2014 as it is really played.",
    hints=(
        "Three terms, and each is a mean of `softplus` of some scores with one sign or the other: two for the critic, "
        "one for the forger.",
        "softplus(-score) is small where a score is high. For which scores does the critic want that? And the forger?",
        "The critic wants high scores for real points and low ones for fakes, so its signs differ: - for real, + for "
        "fake. The forger wants its fakes to score high.",
    ),
    slips=(
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

# --- the three numbers -------------------------------------------------------------------------------------------


def _belong() -> list[tuple]:
    """Points by their heaps: how many belong to each of eight, and how many of these are near. In the last case the
    first heap is not found, and eight does not divide the number of points."""
    cases = []
    for all_of_them, near_ones in (((60, 30, 22, 16, 12, 8, 6, 6), (45, 25, 8, 4, 3, 2, 1, 0)),
                                   ((61, 41, 20, 18, 12, 8, 4, 0), (44, 30, 11, 9, 4, 3, 2, 0)),
                                   ((10, 61, 41, 20, 18, 10, 6, 4), (2, 44, 30, 11, 9, 5, 3, 2))):  # fmt: skip
        heap = torch.cat([torch.full((n,), k) for k, n in enumerate(all_of_them)])
        near = torch.cat([torch.arange(n) < few for n, few in zip(all_of_them, near_ones, strict=True)])
        cases.append((heap, near, 8))
    return cases


def _three(found=lambda heap, near, K: torch.bincount(heap[near], minlength=K) >= 0.25 * len(heap) / K,
           share=lambda heap, near, K: near.float().mean(),
           p=lambda heap, near, K: torch.bincount(heap, minlength=K) / len(heap),
           total=lambda p, K: torch.xlogy(p, K * p).sum()):
    """The three numbers with one part exchanged: how slips are made."""
    return lambda heap, near, K: (int(found(heap, near, K).sum()), float(share(heap, near, K)),
                                  float(total(p(heap, near, K), K)))


def _heap_by_heap(heap, near, K):
    modes, d = 0, 0.0
    for k in range(K):
        mine = heap == k
        modes += int((mine & near).sum() * 4 * K >= len(heap))
        share = mine.float().mean()
        if share > 0:
            d = d + share * torch.log(K * share)
    return modes, near.sum() / len(near), d


def _by_one_hot(heap, near, K):
    rows = F.one_hot(heap, K).float()
    p = rows.mean(dim=0)
    some = p[p > 0]
    found = (rows * near[:, None]).mean(dim=0) >= 0.25 / K
    return found.sum(), near.double().mean(), (some * some.log()).sum() + torch.log(torch.tensor(float(K)))


THREE = Code(
    call="coverage(heap, near, K)",
    reference=coverage,
    source=(coverage,),
    also_right=(_heap_by_heap, _by_one_hot),
    cases=_belong,
    right="Three numbers, three questions: are all there, is it sharp, is it even? None answers for another.",
    hints=(
        "One line for each number. `torch.bincount(heap, minlength=K)` counts how many points belong to each heap; "
        "`heap[near]` are the heaps of the near points alone.",
        "For the first number count the near points of each heap and compare with a quarter of its due: the due is the "
        "number of points, divided by K. For the third you need each heap's share of all points.",
        "A heap without points has share 0, and 0 times log 0 is not a number for a computer: `torch.xlogy(a, b)` is "
        "a log b, and 0 where a is 0.",
    ),
    slips=(
        Slip("one point is enough", "A heap counts as found with a single point near it, so any fog finds all: look at "
             "what the count is compared with.", _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K) > 0)),
        Slip("far points count for a heap", "A heap is found by points that are not near it: look at which points you "
             "count.", _three(found=lambda h, n, K: torch.bincount(h, minlength=K) >= 0.25 * len(h) / K)),
        Slip("a quarter of the near ones", "The due of a heap is its part of all points, not of the near ones: look at "
             "what you divide by K.", _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K)
                                             >= 0.25 * n.sum() / K)),
        Slip("half of the due is asked for", "A quarter of its due is enough for a heap: look at the factor.",
             _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K) >= 0.5 * len(h) / K)),
        Slip("the whole due is asked for", "A quarter of its due is enough for a heap: look at the factor.",
             _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K) >= len(h) / K)),
        Slip("a quarter of all points", "No heap but the fullest has a quarter of all points: each one's due is a Kth "
             "part of them.", _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K) >= 0.25 * len(h))),
        Slip("a count for a share", "The second number grows with the number of points: it is a share, a mean.",
             _three(share=lambda h, n, K: n.sum())),
        Slip("per cent for a share", "The second number is a share, from 0 to 1: look for a factor of 100.",
             _three(share=lambda h, n, K: 100 * n.float().mean())),
        Slip("near points a heap", "The near points are divided by the number of heaps; a share is of all points.",
             _three(share=lambda h, n, K: n.sum() / K)),
        Slip("the share that is far", "The second number is the share of points that are not near: turn it around.",
             _three(share=lambda h, n, K: (~n).float().mean())),
        Slip("0 times log 0", "A heap without points makes the third number nan, for 0 times log 0 is none: "
             "`torch.xlogy` knows better.", _three(total=lambda p, K: (p * torch.log(K * p)).sum())),
        Slip("K is forgotten", "Shares are compared with 1, not with even shares: look inside of the logarithm.",
             _three(total=lambda p, K: torch.xlogy(p, p).sum())),
        Slip("K is divided by", "An even share is 1 / K, and p over 1 / K is p times K: look inside of the logarithm.",
             _three(total=lambda p, K: torch.xlogy(p, p / K).sum())),
        Slip("the divergence is turned around", "The third number comes out negative: look at its sign.",
             _three(total=lambda p, K: -torch.xlogy(p, K * p).sum())),
        Slip("a mean over the heaps", "The terms of the third number add up: look for a mean.",
             _three(total=lambda p, K: torch.xlogy(p, K * p).mean())),
        Slip("counted in bits", "The logarithm has the base 2: here it is the natural one, `log`.",
             _three(total=lambda p, K: torch.xlogy(p, K * p).sum() / torch.log(torch.tensor(2.0)))),
        Slip("an entropy", "The third number is minus the sum of p log p, the entropy: that is largest where all is "
             "even. Here even heaps give 0: look inside of the logarithm.",
             _three(total=lambda p, K: -torch.xlogy(p, p).sum())),
        Slip("counts for shares", "The third number is made of counts: each is still to be divided by how many points "
             "there are.", _three(p=lambda h, n, K: torch.bincount(h, minlength=K).float())),
        Slip("the shares of the near points", "The third number looks at near points alone: its shares are of all "
             "points.", _three(p=lambda h, n, K: torch.bincount(h[n], minlength=K) / n.sum().clamp(min=1))),
        Slip("divergence and share changed places", "All three are right, but in another order: heaps found, share "
             "near, divergence.", lambda h, n, K: tuple(coverage(h, n, K)[k] for k in (0, 2, 1))),
        Slip("the share comes first", "All three are right, but in another order: heaps found, share near, "
             "divergence.", lambda h, n, K: tuple(coverage(h, n, K)[k] for k in (1, 0, 2))),
        Slip("shares that do not add up to 1", "You count the near points and divide by all of them: the shares of the "
             "third number add up to 1.", _three(p=lambda h, n, K: torch.bincount(h[n], minlength=K) / len(h))),
    ),
)

ARGUE = Diagnoses(
    truth=CLAIMS,
    signs={
        "one number alone": "A cloud in one or two heaps has a high share near, and fog a low divergence: such a claim "
                            "is silent about the other numbers, which say the opposite.",
        "one seed": "Of three pairs that differ by luck alone one was picked; the other two say the opposite.",
        "only one side tuned": "One row is the best that its side can do, the other a rate that its own side would "
                               "never choose: compare width and rate under the pictures with the table of that side.",
        "sound": "Both rows are the best of their sides, even the worst seed of one finds more than the best of the "
                 "other, and the claim says in what time.",
        "steps taken for time": "The claim counts steps as if they all took as long: one with penalties, two networks "
                                "and slopes of slopes, takes several times as long as one of the other side.",
    },
    right="You can read a table of runs: all seeds, both sides tuned, all numbers, the same time.",
    hints=(
        "For each claim ask four things: how many seeds? Which width and rate, and are they the best of that side? "
        "Which numbers? What was equal?",
        "In two of the claims all six clouds are a fair choice. One of these two draws the right conclusion.",
        "Look at the pictures before you read the numbers: in one claim the better side by its number is a cloud that "
        "lies on very few heaps, and in another one seed of three is unlike its brothers.",
    ),
    case="claim",
    finding="fault",
)

EXERCISES = {"game": GAME, "coverage": THREE, "argue": ARGUE}


# --- formulas ----------------------------------------------------------------------------------------------------


def _one(*values: float) -> list[Tensor]:
    return [torch.tensor([value], dtype=torch.float64) for value in values]


def _slope_values():
    dice = torch.Generator().manual_seed(4)
    x = torch.randn(1, 3, 2, generator=dice, dtype=torch.float64).requires_grad_()
    scores = (x**3).sum(dim=2, keepdim=True)                                      # its slope is 3 x^2
    return {"R_1": 0.05 * penalty(scores, x).detach(), r"\gamma": 0.1, "N": 3, "g_*": list((3 * x**2).detach()[0])}


def _divergence_values():
    heap = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
    return {"d": coverage(heap, heap >= 0, 4).divergence, "K": 4,
            "p_*": [torch.tensor(p, dtype=torch.float32).double() for p in (0.4, 0.3, 0.2, 0.1)]}


FORMULAS = {
    "critic_loss": lambda: {"L_C": gan_losses(*_one(1.2, -0.7))[0], "D_r": 1.2, "D_f": -0.7},
    "forger_loss": lambda: {"L_F": gan_losses(*_one(0.5, 0.8))[1], "D_f": 0.8},
    "relativistic_loss": lambda: {"L_C": relativistic_losses(*_one(1.2, 0.4))[0], "D_r": 1.2, "D_f": 0.4},
    "slope_penalty": _slope_values,
    "divergence": _divergence_values,
}

SYMBOLS = {
    "score of a real point": (r"D_r", r"real"),
    "score of a fake": (r"D_f", r"fake"),
    "critic's loss": (r"L_C", r"critic"),
    "forger's loss": (r"L_F", r"forger"),
    "gamma": (r"\\gamma", r"gamma"),
    "slope": (r"(?<![_\w\\])g_i", r"slope|steep"),
    "share of a heap": (r"p_k", r"share"),
}
