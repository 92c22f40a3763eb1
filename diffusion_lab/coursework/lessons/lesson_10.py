"""For years GANs drew the best pictures. Why do diffusion models draw them today?"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ...evaluation.coverage import coverage
from ...gan import gan_losses, relativistic_losses, steepness
from ..checks.exercises import Code, Diagnoses, Slip
from .claims import CLAIMS
from .game import GAME

# --- the three numbers -------------------------------------------------------------------------------------------

PARTS = (0.2, 0.24, 0.26, 0.28, 0.3, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.75, 0.8, 1)  # of a due, for slips: not a quarter


def _belong() -> list[tuple]:
    """Points by their heaps, in any order: how many belong to each, and how many of these are near. In the first case
    a heap has a quarter of its due exactly, in the second the last one is empty, in the third the first is not found
    and the last one is; K does not divide the number of points in these two. In the fourth the first and the last are
    found, and one lies between every two PARTS of a due, so that these are told apart."""
    between = (10, 51, 130, 52, 1, 75, 159, 45, 185, 55, 113, 59, 92, 65, 145)
    cases = []
    for all_of_them, near_ones in (((50, 32, 22, 16, 14, 10, 10, 6), (35, 12, 7, 6, 5, 4, 0, 3)),
                                   ((55, 40, 26, 22, 0), (36, 23, 8, 7, 0)),
                                   ((20, 45, 25, 20, 15, 12), (5, 25, 20, 7, 1, 11)),
                                   ((260, *[200] * 15, 240), (260, *between, 240))):  # fmt: skip
        heap = torch.cat([torch.full((n,), k) for k, n in enumerate(all_of_them)])
        near = torch.cat([torch.arange(n) < few for n, few in zip(all_of_them, near_ones, strict=True)])
        order = torch.randperm(len(heap), generator=torch.Generator().manual_seed(len(heap)))
        cases.append((heap[order], near[order], len(all_of_them)))
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
        *(Slip(f"about {100 * part:.0f} % of the due is asked for", "A quarter of its due is asked of a heap: look at "
               "the factor." + " In the clouds below nothing of it is seen." * (part < 0.33),
               _three(found=lambda h, n, K, part=part: torch.bincount(h[n], minlength=K) >= part * len(h) / K))
          for part in PARTS),
        Slip("a quarter of the number of heaps", "A heap is compared with a quarter of K: its due is the number of "
             "points, divided by K.", _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K) >= K / 4)),
        Slip("more than a quarter", "A heap with exactly a quarter of its due is found, too: look at the sign of the "
             "comparison. No heap below has exactly that many, so nothing of it is seen.",
             _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K) > len(h) / K / 4)),
        Slip("a quarter of the fullest heap", "A heap's due does not depend on the other heaps: it is a Kth part of "
             "all points. The clouds below are too plain: nothing of it is seen there.",
             _three(found=lambda h, n, K: (c := torch.bincount(h[n], minlength=K)) >= c.max() / 4)),
        Slip("a quarter of its own points", "A heap is compared with how many points it has, so one of three points "
             "counts as found: its due is a Kth part of all points.",
             _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K) >= torch.bincount(h, minlength=K) / 4)),
        Slip("far points counted as the first heap's", "`heap * near` makes 0 of the heap of each far point, and 0 is "
             "the first heap: `heap[near]` picks the near ones.",
             _three(found=lambda h, n, K: torch.bincount(h * n, minlength=K) >= len(h) / K / 4)),
        Slip("the far points are counted", "`~near` picks the far points: a heap is found by its near ones.",
             _three(found=lambda h, n, K: torch.bincount(h[~n], minlength=K) >= len(h) / K / 4)),
        Slip("heap is sorted, near is not", "Sorting `heap` alone tears each point's two numbers apart, and "
             "`torch.bincount` counts in any order.",
             _three(found=lambda h, n, K: torch.bincount(h.sort().values[n], minlength=K) >= len(h) / K / 4)),
        Slip("heaps lost", "The first number counts the heaps that are not found: turn the comparison around.",
             _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K) < len(h) / K / 4)),
        Slip("the poorest heaps are counted", "The first number counts the heaps with a quarter of their due or less: "
             "turn the comparison around.",
             _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K) <= len(h) / K / 4)),
        Slip("points of the heaps found", "The points of the heaps are added up where the heaps are to be counted: the "
             "comparison alone is what is summed.", _three(found=lambda h, n, K: (c := torch.bincount(
                 h[n], minlength=K))[c >= len(h) / K / 4])),
        Slip("the first heap is left out", "Heaps are counted from 0 here: the first is never looked at.",
             _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K)[1:] >= len(h) / K / 4)),
        Slip("the last heap is left out", "The last heap has the number K - 1, and it is never looked at: `range(K)` "
             "ends there by itself.",
             _three(found=lambda h, n, K: torch.bincount(h[n], minlength=K)[:-1] >= len(h) / K / 4)),
        Slip("a variance", "The third number is the spread of the shares: here it is the sum of p log(K p).",
             _three(total=lambda p, K: p.var())),
        Slip("the divergence of even shares", "Even shares are weighed where the heaps' own belong: p stands before "
             "the logarithm, too.", _three(total=lambda p, K: -torch.log(K * p).mean())),
        Slip("counted in tens", "The logarithm has the base 10: here it is the natural one, `log`.",
             _three(total=lambda p, K: torch.xlogy(p, K * p).sum() / math.log(10))),
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
        Slip("each share is multiplied by K", "K stands inside of the logarithm, and once more before it: there the "
             "share stands alone.", _three(total=lambda p, K: K * torch.xlogy(p, K * p).sum())),
        Slip("K stands before the logarithm", "K belongs inside of the logarithm: it is what p is compared with.",
             _three(total=lambda p, K: K * torch.xlogy(p, p).sum())),
        Slip("each term without its sign", "Terms of heaps below their due are negative, and stay so: look for `abs`.",
             _three(total=lambda p, K: torch.xlogy(p, K * p).abs().sum())),
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
        "one number alone": "A cloud in a few heaps has a high share near, and fog a low divergence: such a claim "
                            "is silent about the other numbers, which say the opposite.",
        "one seed": "Of three pairs that differ by luck alone one was picked; the other two say the opposite.",
        "only one side tuned": "One row is the best that its side can do, the other a rate that its own side would "
                               "never choose: compare width and rate under the pictures with the table of that side.",
        "sound": "Both rows are the best of their sides, even the worst seed of one finds more than the best of the "
                 "other, and the claim says in what time.",
        "steps taken for time": "The claim counts steps as if they all took as long: a step of a GAN moves two "
                                "networks, and a wider network is slower. Both had the same time.",
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
    R1 = 0.05 * steepness(scores, x).mean().detach()
    return {"R_1": R1, r"\gamma": 0.1, "N": 3, "g_*": list((3 * x**2).detach()[0])}


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
