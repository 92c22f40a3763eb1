"""What does a network do with a picture?"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.functional import silu

from ...anatomy import field, windows
from ...networks import Attention, ResidualBlock, UNet
from ...noising import noise
from ..checks.exercises import Code, Diagnoses, Slip, Value
from .ward import PATIENTS


def residual_block(x: Tensor, scale: Tensor, shift: Tensor, block: ResidualBlock) -> Tensor:
    """A block of the U-Net: what came in, and what two convolutions add to it. This is `ResidualBlock.forward`.

    `x` (B, before, H, W); `scale` and `shift` (B, after, 1, 1), what the time says. Returns (B, after, H, W).
    """
    h = block.conv1(silu(block.norm1(x)))
    h = block.norm2(h) * (1 + scale) + shift
    return block.bypass(x) + block.conv2(silu(h))


ONE, TWO, REST = (9 * 16 + 1) * 24, (9 * 24 + 1) * 24, 2072  # the weights of down.0: 3,480 and 5,208

WEIGHTS = Value(
    truth=ONE + TWO + REST,
    right="3,480 and 5,208 in the two convolutions, 2,072 in the rest: four in five weights are convolutions.",
    wrong={
        ONE + TWO: "These are the two convolutions alone: the rest of the block learns, too.",
        ONE + TWO + REST - 2 * 24: "Each map that goes out has one more number, its bias: look at the 1 in the "
                                    "formula.",
        2 * ONE + REST: "The second convolution is larger than the first: as many maps come in there as go out.",
        (3 * 16 + 1 + 3 * 24 + 1) * 24 + REST: "A window of 3 x 3 has nine weights for each map, not three: look "
                                               "at the square in the formula.",
        2 * ONE: "Both convolutions count, and this is the first one twice; and then the rest comes on top.",
        ONE: "This is the first convolution alone: there is a second one, and the rest.",
        TWO: "This is the second convolution alone: there is a first one, and the rest.",
        ONE + REST: "The second convolution is missing: the block has two.",
        TWO + REST: "The first convolution is missing: the block has two.",
        2 * TWO + REST: "This is the second convolution twice: fewer maps come into the first one.",
        (9 * 24 + 1) * 16 + TWO + REST: "In the first convolution the maps that come in and those that go out have "
                                        "changed places: look at which of them has the bias.",
        ONE + TWO - 2 * 24: "These are the two convolutions, and both without their biases: look at the 1 in the "
                            "formula, and at the block's other parts.",
    },
    hints=(
        "Three numbers add up: the first convolution, the second one, and the rest, which is given.",
        "The first convolution makes 24 maps of 16. How many maps does the second one get, and how many does it make?",
        "The first: (9 x 16 + 1) x 24. The second has another number in the place of the 16. Then add the rest.",
    ),
    solution="(9 x 16 + 1) x 24 = 3,480, (9 x 24 + 1) x 24 = 5,208, and 2,072: together 10,760.",
)


def _awake(block: nn.Module, seed: int) -> nn.Module:
    """A block with seeded weights, none of them at its quiet start of zero."""
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in block.parameters():
            p.copy_(torch.randn(p.shape, generator=dice) * (0.5 if p.dim() == 1 else 1.5 / p[0].numel() ** 0.5))
    return block.eval().requires_grad_(False)


def _blocks() -> list[tuple]:
    cases = []
    for before, after, seed in ((8, 8, 2), (16, 8, 1)):
        scale, shift = noise((after, 1, 1), [seed + 10, seed + 20]), noise((after, 1, 1), [seed + 30, seed + 40])
        cases.append((noise((before, 5, 5), [seed, seed + 1]), scale, shift,
                      _awake(ResidualBlock(before, after, 6), seed)))
    return cases


def _block(first=lambda x, b: b.conv1(silu(b.norm1(x))), told=lambda h, a, s, b: b.norm2(h) * (1 + a) + s,
           second=lambda h, b: b.conv2(silu(h)), joined=lambda x, h, b: b.bypass(x) + h):
    """A block with one of its parts exchanged: how slips are made."""
    return lambda x, scale, shift, block: joined(x, second(told(first(x, block), scale, shift, block), block), block)


def _adds_the_first(x, scale, shift, block):
    h = block.conv1(silu(block.norm1(x)))
    return h + block.conv2(silu(block.norm2(h) * (1 + scale) + shift))


def _adds_the_middle(x, scale, shift, block):
    h = block.norm2(block.conv1(silu(block.norm1(x)))) * (1 + scale) + shift
    return h + block.conv2(silu(h))


def _by_functions(x, scale, shift, block):
    h = F.conv2d(F.silu(F.group_norm(x, 8, block.norm1.weight, block.norm1.bias)), block.conv1.weight,
                 block.conv1.bias, padding=1)
    h = torch.addcmul(shift, F.group_norm(h, 8, block.norm2.weight, block.norm2.bias), 1 + scale)
    return block.conv2(F.silu(h)).add_(block.bypass(x))


def _by_sigmoid(x, scale, shift, block):
    def curve(h):
        return h * torch.sigmoid(h)

    normal = block.norm2(block.conv1(curve(block.norm1(x))))
    return block.conv2(curve(normal + scale * normal + shift)) + block.bypass(x)


BLOCK = Code(
    call="residual_block(x, scale, shift, block)",
    reference=residual_block,
    source=(residual_block,),
    also_right=(_by_functions, _by_sigmoid),
    cases=_blocks,
    right="Three lines; six such blocks, wired as in the drawing, guess pictures out of static.",
    hints=(
        "Two rounds of the same kind: bring to one mean and spread, bend, convolve. The time speaks once, between the "
        "rounds, and at the very end something is added.",
        "The first round is `block.conv1(silu(block.norm1(x)))`, read from the inside. The second begins with "
        "`block.norm2`; its result is scaled and shifted before it is bent.",
        "scale is 0 where the time has nothing to say, so it is not the factor itself. At the end there are two terms: "
        "the second round, and x as it came in, sent through `block.bypass` so that the numbers of maps agree.",
    ),
    slips=(
        Slip("what came in is not added", "The block gives back its convolutions alone: look at the last line, and at "
             "the word residual.", _block(joined=lambda x, h, b: h)),
        Slip("the time is not heard", "scale and shift change nothing: the block would do the same at every t. Look at "
             "what stands between the two rounds.", _block(told=lambda h, a, s, b: b.norm2(h))),
        Slip("the scale is the factor", "Where the time says 0, all maps are wiped out: look at what the maps are "
             "multiplied by.", _block(told=lambda h, a, s, b: b.norm2(h) * a + s)),
        Slip("scale and shift changed places", "What should multiply is added, and what should be added multiplies: "
             "look at the line where the time speaks.", _block(told=lambda h, a, s, b: b.norm2(h) * (1 + s) + a)),
        Slip("shifted before it is scaled", "The shift is multiplied by the scale, too: look at the brackets in the "
             "line where the time speaks.", _block(told=lambda h, a, s, b: (b.norm2(h) + s) * (1 + a))),
        Slip("the time speaks before the normalisation", "The normalisation wipes out what scale and shift have just "
             "said: look at the order of the two.", _block(told=lambda h, a, s, b: b.norm2(h * (1 + a) + s))),
        Slip("no shift", "The maps are turned up and down, but not moved: look for the second half of what the time "
             "says.", _block(told=lambda h, a, s, b: b.norm2(h) * (1 + a))),
        Slip("the second normalisation is missing", "The maps come out of the first convolution as large as they "
             "happen to be: look at what comes before scale and shift.",
             _block(told=lambda h, a, s, b: h * (1 + a) + s)),
        Slip("the first normalisation is missing", "The first convolution sees the maps as large as they happen to be: "
             "look at the innermost brackets of the first round.", _block(first=lambda x, b: b.conv1(silu(x)))),
        Slip("normalised after the convolution", "The first round brings to one mean and spread what comes out, not "
             "what goes in: read it from the inside.",
             _block(first=lambda x, b: b.conv1(silu(x)), told=lambda h, a, s, b: b.norm2(b.norm2(h)) * (1 + a) + s)),
        Slip("not bent in the first round", "The first convolution gets straight numbers: look for a silu that is "
             "missing.", _block(first=lambda x, b: b.conv1(b.norm1(x)))),
        Slip("not bent in the second round", "Between scale, shift and the second convolution something is missing: "
             "how did the first round do it?", _block(second=lambda h, b: b.conv2(h))),
        Slip("relu for silu", "Your curve has a corner at 0 and presses all negative numbers to 0: the network has "
             "learned with `silu`, which is round there.",
             _block(first=lambda x, b: b.conv1(F.relu(b.norm1(x))), second=lambda h, b: b.conv2(F.relu(h)))),
        Slip("bent twice", "A silu too many in the second round: look for two of them, one inside the other.",
             _block(second=lambda h, b: b.conv2(silu(silu(h))))),
        Slip("bent at the end", "The sum is bent once more, and what came in does not pass as it was: look at the last "
             "line.", _block(joined=lambda x, h, b: silu(b.bypass(x) + h))),
        Slip("subtracted", "What the convolutions found is taken away from what came in: look at the sign in the last "
             "line.", _block(joined=lambda x, h, b: b.bypass(x) - h)),
        Slip("the first round is added", "What is added at the end is the first round, not what came into the block: "
             "look at the last line.", _adds_the_first),
        Slip("the second round's start is added", "What is added at the end has been normalised and told the time: the "
             "way round the convolutions begins where x comes in. Is a name used twice?", _adds_the_middle),
        Slip("scale and shift without brackets", "`h * 1 + scale` is h and a number: look at what the maps are "
             "multiplied by, and at its brackets.", _block(told=lambda h, a, s, b: b.norm2(h) + a + s)),
        Slip("bent after the first convolution", "The first round bends what its convolution gives, not what it gets: "
             "read it from the inside.", _block(first=lambda x, b: silu(b.conv1(b.norm1(x))))),
        Slip("bent after both convolutions", "Both convolutions get straight numbers, and what they give is bent: read "
             "each round from the inside.",
             _block(first=lambda x, b: silu(b.conv1(b.norm1(x))), second=lambda h, b: silu(b.conv2(h)))),
        Slip("bent before the first normalisation", "The first round bends before it normalises: which of the two is "
             "innermost?", _block(first=lambda x, b: b.conv1(b.norm1(silu(x))))),
        Slip("bent before both normalisations", "Both rounds bend before they normalise: which of the two is "
             "innermost?", _block(first=lambda x, b: b.conv1(b.norm1(silu(x))), second=lambda h, b: b.conv2(h),
                                  told=lambda h, a, s, b: b.norm2(silu(h)) * (1 + a) + s)),
        Slip("nothing is bent", "Two convolutions without a curve between them do no more than one: look for both "
             "silus.", _block(first=lambda x, b: b.conv1(b.norm1(x)), second=lambda h, b: b.conv2(h))),
        Slip("the time speaks after the curve", "scale and shift come after silu in the second round: they belong "
             "right behind the normalisation.", _block(told=lambda h, a, s, b: silu(b.norm2(h)) * (1 + a) + s,
                                                       second=lambda h, b: b.conv2(h))),
        Slip("the shift is taken away", "The maps are moved the wrong way: look at the sign before the shift.",
             _block(told=lambda h, a, s, b: b.norm2(h) * (1 + a) - s)),
        Slip("the first round only", "There is no second round: look for norm2 and conv2.",
             lambda x, scale, shift, b: b.bypass(x) + b.conv1(silu(b.norm1(x)))),
        Slip("the time speaks in both rounds", "scale and shift stand in the first round, too: the time speaks once, "
             "behind the second normalisation.",
             _block(told=lambda h, a, s, b: b.norm2(h * (1 + a) + s) * (1 + a) + s)),
        Slip("multiplied", "At the end there is a product: what came in is added, so that a block which learns nothing "
             "does no harm.", _block(joined=lambda x, h, b: b.bypass(x) * h)),
        Slip("one round only", "The second convolution is never asked: look for `block.conv2`.",
             lambda x, scale, shift, b: b.bypass(x) + silu(b.norm2(b.conv1(silu(b.norm1(x)))) * (1 + scale) + shift)),
    ),
)

SIGNS = {
    "no time": "In the middle it guesses as well as the healthy one. At much noise it takes the picture for clearer "
               "than it is, believes the static, and keeps its grains.",
    "no normalisation": "Every guess is burnt to the fullest colours, at all times: the numbers grow from block to "
                        "block.",
    "no skips": "Blurred where the healthy one is sharp, most of all at little noise. No grains, no burnt colours.",
    "nothing added": "Grey and grained at all times, even where hardly any noise is in the picture: next to nothing of "
                     "it passes the blocks.",
}

WARD = Diagnoses(
    truth=PATIENTS,
    signs=SIGNS,
    right="All are found. Each part has its own work: remember it by what breaks without it.",
    hints=(
        "Go through the rows from above to below. One patient is as good as the healthy one in the middle row.",
        "One part keeps all numbers at one size. What do pictures look like whose numbers are far too large?",
        "Fine detail can come to the upper blocks by one way only. Which patient has no edges in any row, and neither "
        "grains nor burnt colours?",
    ),
)

EXERCISES = {"weights": WEIGHTS, "block": BLOCK, "ward": WARD}


def _weights_values():
    conv = nn.Conv2d(16, 24, 3)
    return {"P": sum(p.numel() for p in conv.parameters()), "m": 3, "C": 16, "D": 24}


def _field_values():
    layers = [(m, j) for _, m, j in windows(UNet((16, 24, 32)))]
    return {"r": field(layers), "K": len(layers), "m_*": [m for m, _ in layers], "j_*": [j for _, j in layers]}


def _norm_values():
    """One group of GroupNorm, then scale and shift as a block has them."""
    maps, (a, b) = noise((8, 3, 3), 1).double(), (0.3, -0.7)
    out = nn.GroupNorm(1, 8).double()(maps).detach() * (1 + a) + b
    sigma = math.sqrt(float(maps.var(correction=0)) + 1e-5)
    return {"h": out, "f": maps, r"\mu": float(maps.mean()), r"\sigma": sigma, "a": a, "b": b}


def _score_values():
    """How well the second of four places fits what the first one asks, read from the course's attention."""
    look, x = _awake(Attention(8), 3).double(), noise((8, 2, 2), 4).double()
    query, key, value = look.query_key_value(look.norm(x)).flatten(2)[0].chunk(3)  # (8, 4) each
    look.leave = nn.Identity()
    mixed = (look(x) - x).flatten(2)[0]                                  # (8, 4) = value @ weights.T
    weights = torch.linalg.pinv(value) @ mixed                                    # (4, 4), column i: whom place i hears
    s = (weights[1, 0] / weights[0, 0]).log() + query[:, 0] @ key[:, 0] / 8**0.5
    return {"s": s, "d": 8, "q_*": list(query[:, 0]), "k_*": list(key[:, 1])}


FORMULAS = {"conv_weights": _weights_values, "receptive_field": _field_values, "normalised": _norm_values,
            "attention_score": _score_values}

SYMBOLS = {
    "window": (r"(?<![_\w\\])m(?:_l)?(?![\w}])", r"window"),
    "maps": (r"(?<![_\w\\])[CD](?!\w)", r"maps"),
    "jump": (r"(?<![_\w\\])j_l", r"jump"),
    "question": (r"(?<![_\w\\])q(?:_c)?(?![\w}])", r"question|query"),
    "key": (r"(?<![_\w\\])k_c", r"key"),
}
