"""Stable Diffusion moves no pixels. What does it move, and what does each word do there?"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...noising import noise
from ...stable_diffusion.attention import attend
from ..checks.exercises import Code, Diagnoses, Slip, Value


def counted() -> dict:
    """What `python -m diffusion_lab evaluate attention` counted with the weights that the course ships, as its --out
    wrote it: lesson_07.json."""
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def decibels(picture: Tensor, again: Tensor) -> Tensor:
    """The peak signal-to-noise ratio of a picture that came back, in decibels: -10 log10 mean((y - x)^2), for values
    from 0 to 1. `evaluation.psnr` is the same for bytes."""
    error = ((again - picture) ** 2).mean()
    return -10 * torch.log10(error)


def _pairs() -> list[tuple]:
    generator = torch.Generator().manual_seed(70)
    pictures = [torch.rand(3, 6, w, generator=generator) for w in (8, 5, 7)]
    return [(x, (x + s * torch.randn(x.shape, generator=generator) + 0.06).clamp(0, 1))
            for x, s in zip(pictures, (0.05, 0.2, 0.4), strict=True)]


def _by_the_ratio(picture, again):
    return 10 * torch.log10(1 / torch.mean((picture - again) ** 2))


def _by_the_root(picture, again):
    rms = (picture - again).square().mean().sqrt()
    return 20 * (torch.log(1 / rms) / torch.log(torch.tensor(10.0)))


def _error(x, y):
    return ((y - x) ** 2).mean()


ERROR = Code(
    call="decibels(picture, again)",
    reference=decibels,
    source=(decibels,),
    also_right=(_by_the_ratio, _by_the_root),
    cases=_pairs,
    right="This number stands in every paper about pictures, under the name PSNR. Ten decibels more are a tenth of the "
          "squared error.",
    hints=(
        "Three beats: the differences of all values, their mean square, and the decibels of that.",
        "A difference is squared before the mean is taken, so that too bright and too dark do not cancel. And the "
        "logarithm is the one of ten.",
        "`error = ((again - picture) ** 2).mean()`, and then ten times `torch.log10` of it, with a minus, so that a "
        "small error is a large number.",
    ),
    slips=(
        Slip("no minus", "A small error gives a negative number: look at the sign before the logarithm.",
             lambda x, y: 10 * torch.log10(_error(x, y))),
        Slip("a root too many", "Your decibels are half of what they are: the mean square goes into the logarithm as "
             "it is, without a root.", lambda x, y: -10 * torch.log10(_error(x, y) ** 0.5)),
        Slip("twice the decibels", "Your decibels are twice what they are: 20 goes with a root, 10 with a square.",
             lambda x, y: -20 * torch.log10(_error(x, y))),
        Slip("differences without a square", "The differences themselves are averaged, without their signs: each of "
             "them is to be squared.", lambda x, y: -10 * torch.log10((y - x).abs().mean())),
        Slip("twice for squared", "The differences are doubled where they are to be squared: `* 2` is not `** 2`.",
             lambda x, y: -10 * torch.log10((2 * (y - x)).mean())),
        Slip("the logarithm before the mean", "Each square goes into the logarithm alone: take their mean first, then "
             "one logarithm of it.", lambda x, y: (-10 * torch.log10((y - x) ** 2)).mean()),
        Slip("the mean over one side", "The sum is divided by `len`, which counts one side of the table only: all "
             "values are to be counted.", lambda x, y: -10 * torch.log10(((y - x) ** 2).sum() / len(x))),
        Slip("the mean before the square", "Too bright and too dark cancel: square each difference first, then take "
             "the mean.", lambda x, y: -10 * torch.log10((y - x).mean() ** 2)),
        Slip("the mean difference taken off", "`var` and `std` take the mean difference off first: a picture too "
             "bright everywhere would count as perfect.", lambda x, y: -10 * torch.log10((y - x).var())),
        Slip("the square after the mean", "The mean size of the differences is squared: square each of them, then take "
             "the mean, so that a large one counts more.", lambda x, y: -10 * torch.log10((y - x).abs().mean() ** 2)),
        Slip("the colours are not counted", "The sum is divided by the number of pixels: each of them has three "
             "values, and all are to be counted.",
             lambda x, y: -10 * torch.log10(((y - x) ** 2).sum() / (x.shape[1] * x.shape[2]))),
        Slip("a sum for the mean", "A larger picture gets a larger error: the squares are added up where their mean is "
             "wanted.", lambda x, y: -10 * torch.log10(((y - x) ** 2).sum())),
        Slip("another logarithm", "Your logarithm is the natural one; decibels are counted with the one of ten.",
             lambda x, y: -10 * torch.log(_error(x, y))),
        Slip("the logarithm of two", "Your logarithm counts doublings; decibels are counted with the one of ten.",
             lambda x, y: -10 * torch.log2(_error(x, y))),
        Slip("ten is missing", "These are bels. A decibel is a tenth of one, so there are ten times as many.",
             lambda x, y: -torch.log10(_error(x, y))),
        Slip("white is 255", "White is 1 in these pictures, not 255: look at what you divide, or multiply.",
             lambda x, y: 10 * torch.log10(255**2 / _error(x, y))),
        Slip("white is two steps from black", "From black to white it is 1 in these pictures, from 0 to 1; your ruler "
             "is made for -1 to 1.", lambda x, y: 10 * torch.log10(4 / _error(x, y))),
        Slip("only the largest error", "One bad pixel decides all: the mean of all squares is wanted.",
             lambda x, y: -10 * torch.log10(((y - x) ** 2).max())),
        Slip("no logarithm", "This is the error itself: its decibels are wanted.", _error),
        Slip("one over the error", "One over the error grows as decibels do, but far too fast: a logarithm is missing.",
             lambda x, y: 1 / _error(x, y)),
    ),
)

SPREAD = 5.49  # of the latents that the VAE of Stable Diffusion v1.5 makes: 1 / 0.18215

SCALE = Value(
    truth=0.182,
    tolerance=0.0025,
    right="0.18215 is the number in the settings of Stable Diffusion v1.5, as `scaling_factor`. Where it is forgotten, "
          "nothing complains, and the pictures are ruined.",
    wrong={
        5.49: "That is the spread itself. Multiplied by it, latents become even larger: what do you multiply 5.49 by "
              "to get 1?",
        30.14: "That is the spread squared, the variance, and it makes latents larger. Multiplied by what is 5.49 "
               "one?",
        0.033: "That is one over the variance. The spread, 5.49, is multiplied by the factor as it is, without a "
               "square.",
        0.427: "That is one over the root of the spread. 5.49 is no variance: it needs no root.",
        2.343: "That is the root of the spread. What do you multiply 5.49 by to get 1?",
        4.49: "That is what is to be taken off, if it were a difference. A factor multiplies.",
        -0.182: "The size is right. A minus would turn the picture inside out: light to dark, red to green.",
        -5.49: "A minus turns the picture inside out, and its spread grows: what do you multiply 5.49 by to get 1?",
        1.0: "Multiplied by 1, latents stay what they are, 5.49 times too large.",
        1.82: "The digits are right, and the point is one place off: 5.49 times 1.82 is 10.",
        18.2: "The digits are right, and the point is two places off: 5.49 times 18.2 is 100.",
        182.0: "The digits are right, and the point is three places off: 5.49 times 182 is 1,000.",
        0.0182: "The digits are right, and the point is one place off: 5.49 times 0.0182 is 0.1.",
        0.549: "That is a tenth of the spread. What do you multiply 5.49 by to get 1?",
    },
    hints=(
        "The factor is what a latent is multiplied by. Afterwards the spread is to be 1.",
        "factor times 5.49 = 1.",
        "One over 5.49; write it to three places, or let Python divide.",
    ),
    solution="1 / 5.49 = 0.182. Stable Diffusion v1.5 states 0.18215.",
)


def _asked() -> list[tuple]:
    """Two tables of other sizes, places, tokens and d: none of them can be left in the code as a number."""
    return [tuple(1.5 * noise((n, d), seed)[0] for n, seed in ((places, 71 + k), (m, 81 + k), (m, 91 + k)))
            for k, places, m, d in ((0, 7, 3, 5), (1, 4, 6, 12))]


def _with_einsum(q, k, v):
    shares = torch.einsum("pd,td->pt", q, k).div(q.shape[1] ** 0.5).exp()
    return (shares / shares.sum(dim=1, keepdim=True)) @ v


def _by_torch(q, k, v):
    return torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None])[0]


def _mixing(scores=lambda q, k, v: q @ k.T / k.shape[1] ** 0.5, shares=lambda s: s.softmax(dim=1),
            values=lambda k, v: v):
    """Attention with one of its parts exchanged: how slips are made."""
    return lambda q, k, v: shares(scores(q, k, v)) @ values(k, v)


ATTENTION = Code(
    call="attend(q, k, v)",
    reference=attend,
    source=(attend,),
    also_right=(_with_einsum, _by_torch),
    cases=_asked,
    right="This is all that a transformer is made of, in language models too: who asks whom, and how loudly is the "
          "answer heard.",
    hints=(
        "Three beats, as by hand: the score of each place with each token, shares of them, and a mixture of the values "
        "by these shares.",
        "The scores are a table, places times tokens: `q @ k.T`, divided by the root of d, `q.shape[1]`. Along which "
        "side of that table must the shares add up to 1?",
        "`scores.softmax(dim=1)` makes each row, which is one place's, add up to 1. Then `shares @ v` mixes.",
    ),
    slips=(
        Slip("divided by d, not by its root", "The scores are too small, and all tokens are heard nearly alike: d "
             "wants a root.", _mixing(lambda q, k, v: q @ k.T / k.shape[1])),
        Slip("the scores are not divided", "The scores are too large, and the best token drowns all others: what do "
             "they have to be divided by?", _mixing(lambda q, k, v: q @ k.T)),
        Slip("multiplied by the root", "The scores grow with d where they should not: multiplied, or divided?",
             _mixing(lambda q, k, v: q @ k.T * k.shape[1] ** 0.5)),
        Slip("the root after the softmax", "The shares are divided, and no longer add up to 1: divide the scores, "
             "before the softmax.", lambda q, k, v: (q @ k.T).softmax(dim=1) / k.shape[1] ** 0.5 @ v),
        Slip("the root of the tokens", "You divide by the root of how many tokens there are: d is how many numbers a "
             "question has.", _mixing(lambda q, k, v: q @ k.T / len(k) ** 0.5)),
        Slip("the root of the places", "You divide by the root of how many places ask: d is how many numbers a "
             "question has.", _mixing(lambda q, k, v: q @ k.T / len(q) ** 0.5)),
        Slip("a d of its own", "Your d is always 64: read it from `q`, as its second size.",
             _mixing(lambda q, k, v: q @ k.T / 64**0.5)),
        Slip("shares along the wrong side", "Your shares add up to 1 over the places, not over the tokens: look at "
             "`dim`.", _mixing(shares=lambda s: s.softmax(dim=0))),
        Slip("shares over everything", "Your shares add up to 1 over the whole table; each place has shares of its "
             "own.", _mixing(shares=lambda s: s.flatten().softmax(0).view_as(s))),
        Slip("no softmax", "The bare scores mix the values: they can be negative, and do not add up to 1.",
             _mixing(shares=lambda s: s)),
        Slip("shares without exp", "The scores are divided by their sum, without `exp`: negative ones are left, and "
             "the sum may be near zero.", _mixing(shares=lambda s: s / s.sum(dim=1, keepdim=True))),
        Slip("exp without a sum", "After `exp` nothing is divided: a place's shares do not add up to 1.",
             _mixing(shares=lambda s: s.exp())),
        Slip("only the best token", "Each place takes the value of its best token alone: shares are to be soft.",
             _mixing(shares=lambda s: torch.nn.functional.one_hot(s.argmax(dim=1), s.shape[1]).to(s))),
        Slip("each token for itself", "`sigmoid` asks of each token alone whether it fits: shares compete with one "
             "another.", _mixing(shares=lambda s: s.sigmoid())),
        Slip("the worst token wins", "The token that fits least is heard most: look for a minus too many.",
             _mixing(shares=lambda s: (-s).softmax(dim=1))),
        Slip("the keys are mixed", "The shares are right, but they mix the keys: what do tokens hand over?",
             _mixing(values=lambda k, v: k)),
        Slip("the values are asked", "The questions meet the values where they should meet the keys.",
             _mixing(lambda q, k, v: q @ v.T / k.shape[1] ** 0.5)),
        Slip("softmax at the end", "The values are mixed by bare scores, and the softmax comes after: look at the "
             "order.", lambda q, k, v: (q @ k.T / k.shape[1] ** 0.5 @ v).softmax(dim=1)),
        Slip("everybody is heard alike", "Each place gets the plain mean of the values: the shares do not depend on "
             "the scores.", _mixing(shares=lambda s: torch.ones_like(s) / s.shape[1])),
    ),
)

TOKENS = {1: "city", 2: "start", 3: "cat", 4: "skateboard"}  # in another order than the text names them


def in_its_order(heat: Tensor, prompt: str) -> list[Tensor]:
    """The maps of the exercise, by their numbers, of the heat (h, w, tokens) of a prompt with one token for a word."""
    tokens = ["start", *prompt.split()]
    return [heat[..., tokens.index(TOKENS[k])] for k in sorted(TOKENS)]


MAPS = Diagnoses(
    truth=TOKENS,
    case="map",
    finding="token",
    signs={
        "cat": "The cat's word burns on its head and its arms, and never on what it stands on.",
        "skateboard": "A flat streak at the feet: the board, and nothing else.",
        "city": "Scattered over the houses, hottest at their windows, with a hole where the figure is.",
        "start": "Nearly everything but the figure: whoever has no question looks at the first token.",
    },
    right="Nobody told the network where anything is: it was never given a mask, only pictures and sentences. To find "
          "out which word to ask, it had to learn where things are.",
    hints=(
        "Begin with the easy ones: which map is a flat streak, and where is it?",
        "Two maps avoid the figure. One of them is even, the other one picks out houses.",
        "The start token means nothing: a place that needs no word looks there. So its map is bright where nothing is "
        "decided by a word.",
    ),
)

REMOVED = Value(
    truth="c",
    right="The rows after *mars*, the end token's and the filling's, have looked at it, and in this model they carry "
          "the place. No law: ride and subject hang on their own rows, as the next slide counts. Why, is not known.",
    wrong={
        "a": "An empty place would be a place as well, and the U-Net has rows left that tell of one. Think of the text "
             "encoder: what does a row know?",
        "b": "It would be so if the rows were words. Think of what the text encoder does before the U-Net sees "
             "them: what does a row know?",
        "d": "Each row has its own share, and those of *astronaut* and *horse* are still there.",
    },
    hints=(
        "There are 24 rows: one of the start token, seven of words, one of the end token, and the filling. One of "
        "them is gone.",
        "A row is no word: it is numbers for a word that has looked at all those to the left of it.",
        "Which rows come after *mars*? They have all looked at it. Would they tell of it?",
    ),
    solution="c: nothing is missing. In this model the rows after the word carry the place as well.",
)

EXERCISES = {"error": ERROR, "scale": SCALE, "attention": ATTENTION, "maps": MAPS, "removed": REMOVED}


def _decibel_values() -> dict[str, Tensor | float]:
    (x, y), *_ = _pairs()
    return {r"dB": float(decibels(x, y)), "N": x.numel(), "x_*": x.double().flatten(), "y_*": y.double().flatten()}


def _attention_values() -> dict[str, Tensor | float]:
    """One place's question, three tokens: their scores, their shares (the mixture of a table of ones and zeros) and the
    mixture of their values."""
    q, k, v = (noise((n, 4), s)[0].double() for n, s in ((1, 1), (3, 2), (3, 3)))
    shares = attend(q, k, torch.eye(3).double())[0]
    scores = (k @ q[0]) / np.sqrt(4)
    return {"N": 3, "s_i": scores[1], "s_*": scores, "a_i": shares[1], "a_*": shares, "v_*": v,
            "o": attend(q, k, v)[0]}


FORMULAS = {"decibels": _decibel_values, "attention_shares": _attention_values, "attention_mixture": _attention_values}

SYMBOLS = {
    "came_back": (r"y_i", r"came back"),
    "score_of": (r"s_[ij]", r"score"),
    "share_of": (r"(?<![_\w\\])a_i", r"share"),
    "value_of": (r"(?<![_\w\\])v_i", r"value"),
    "output": (r"(?<![_\w\\])o(?!\w)", r"mixture|gets"),
}
