"""You want a star, and want it more. How do words pull at a picture?"""

from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor

from ...evaluation.icons import NAMES
from ...figures import PALETTE, Figure, axes
from ...guidance import guide
from ...noising import noise
from ...worlds import icons
from ..checks.exercises import Code, Diagnoses, Slip, Value
from . import illness


def _guesses() -> list[tuple]:
    eps_uncond, eps_cond = noise((3, 4, 4), [71, 72]), noise((3, 4, 4), [73, 74])
    return [(eps_uncond, eps_cond, w) for w in (0.0, 1.0, 2.5, 7.0)]


def _by_lerp(eps_uncond, eps_cond, w):
    return torch.lerp(eps_uncond, eps_cond, w)


def _by_the_paper(eps_uncond, eps_cond, w):
    """Ho and Salimans' own way, whose number is smaller by one."""
    v = w - 1
    return (1 + v) * eps_cond - v * eps_uncond


HEARINGS: dict[str, Callable] = {  # what the patients compute; three of them are slips, too
    "healthy": guide,
    "paper": lambda u, c, w: c + w * (c - u),
    "swapped": lambda u, c, w: c + w * (u - c),
    "average": lambda u, c, w: (u + c) / 2,
}

FORMULA = Code(
    call="guide(eps_uncond, eps_cond, guidance_scale)",
    reference=guide,
    source=(guide,),
    also_right=(_by_lerp, _by_the_paper),
    cases=_guesses,
    table={"eps_uncond": 0.40, "eps_cond": 0.60},
    right="This one line is in every text-to-image model. At 0 nobody listens to the prompt, at 1 it is heard once.",
    hints=(
        "Think of the pixel by hand: you began at one of the two guesses, and went along the difference to the other "
        "one, w times. Which of the two is at w = 0?",
        "What the prompt adds is the difference of the two guesses: the one that has heard it, minus the one that has "
        "not. How often is that to be added, and to what?",
        "Three tests: at 0 the result is eps_uncond, at 1 it is eps_cond, and at 2 it lies as far beyond eps_cond as "
        "eps_uncond lies before it. Mind the brackets around the difference.",
    ),
    slips=(
        Slip("the paper's own scale", "At 0 your picture has heard the prompt already: you count from the guess with "
             "the prompt, as the paper does. Here, as in diffusers, 0 means without: look at where you begin.",
             HEARINGS["paper"]),
        Slip("the two guesses changed places", "At 0 you get the picture with the prompt, at 1 the one without: look "
             "at which guess you begin with and which you go to.", HEARINGS["swapped"]),
        Slip("pushed away from the prompt", "You begin in the right place and go the wrong way: look at the sign, or "
             "at which guess is taken from which.", lambda u, c, w: u - w * (c - u)),
        Slip("the first guess falls out", "Nothing is left of the guess without the prompt: your result is the scale "
             "times the other one. Look at what is to be multiplied, and what your brackets hold together.",
             lambda u, c, w: u + w * c - u),
        Slip("the brackets are missing", "The scale takes hold of the guess with the prompt alone, not of the "
             "difference, and there is no guess to begin with: look at what is to be multiplied.",
             lambda u, c, w: w * c - u),
        Slip("a sum in the brackets", "What the prompt adds is what is different in the two guesses: look at the sign "
             "in your brackets.", lambda u, c, w: u + w * (c + u)),
        Slip("one step too few", "At 0 you are on the far side of the guess without the prompt, at 1 only there: look "
             "at how often the difference is added.", lambda u, c, w: u + (w - 1) * (c - u)),
        Slip("the brackets around the wrong part", "The guess that you begin with is multiplied as well: look at "
             "which part is to be in brackets.", lambda u, c, w: (u + w) * (c - u)),
        Slip("a scale of your own", "Your result is the same for every scale, pushed 7.5 times: look at where "
             "`guidance_scale` comes in.", lambda u, c, w: u + 7.5 * (c - u)),
        Slip("the bare difference", "It is what the prompt adds, once, but not what it is added to, and the scale is "
             "missing: look for a beginning and for a number of times.", lambda u, c, w: c - u + 0 * w),
        Slip("the prompt is not heard", "The guess without the prompt comes back whatever the scale says: look at "
             "where the other one comes in.", lambda u, c, w: u + 0 * c),
        Slip("the whole guess is added", "To the guess without the prompt you add all of the other one, where only "
             "what is different in it belongs: look for a difference.", lambda u, c, w: u + w * c),
        Slip("only the difference", "It is what the prompt adds, but not what it is added to: look for the guess "
             "that you begin with.", lambda u, c, w: w * (c - u)),
        Slip("an average", "Your result is the same for every scale, half-way between the two guesses: look at where "
             "the scale comes in.", HEARINGS["average"]),
        Slip("the scale is not used", "The guess with the prompt comes back whatever the scale says: look at where it "
             "comes in.", lambda u, c, w: c + 0 * u),
        Slip("a mixture that never goes past", "Your two shares add up to 1, so that the result stays between the two "
             "guesses. Guidance goes past the second one: look at what you divide by.",
             lambda u, c, w: (u + w * c) / (1 + w)),
        Slip("the scale on the wrong guess", "The scale multiplies the guess without the prompt: look at which of them "
             "is to grow with it.", lambda u, c, w: w * u + (c - u)),
    ),
)

PATIENTS = {1: "paper", 2: "average", 3: "healthy", 4: "swapped"}  # in another order than the text names them


def sick_guide(patient: int):
    """The formula of patient 1 to 4: a function (eps_uncond, eps_cond, guidance_scale) -> eps. Raises LabError for
    another number."""
    return HEARINGS[illness(PATIENTS, patient)]


FOUR = Diagnoses(
    truth=PATIENTS,
    signs={
        "healthy": "At 0 anything may come, at 1 it is a blue star, and at 5 a blue star in stronger colours.",
        "paper": "Already at 0 a blue star comes, and everything that follows has been pushed once too often.",
        "swapped": "At 0 a blue star comes, at 1 anything, and at 5 something that is as far from a blue star as it "
                   "can be.",
        "average": "The pictures of a row are all alike: nothing changes from 0 to 5.",
    },
    right="All four are found, and two columns were enough: at 0 nobody may hear the prompt, at 1 everybody must.",
    hints=(
        "Look at the first column, w = 0. Who has heard of the blue star there? The right formula has not.",
        "Then the second column, w = 1. Who draws no blue star there?",
        "Of those who draw a blue star in the first column, one draws the same in all four columns.",
    ),
)

NEGATIVE = Value(
    truth="red",
    right="You never wrote red: you pushed away from a colour that lies opposite to it, and red is where the line "
          "arrives. That is all that a negative prompt can do.",
    wrong={
        "orange": "The stars stay orange: this word pushes the colour nowhere. It says nothing of colours.",
        "yellow": "The stars have come out yellow. The push went away from your word, but not towards red.",
        "green": "The stars have come out green. Which colour is far from red, on the other side?",
        "blue": "The stars have come out blue: your word is a warm colour, as red is, and the push goes away from "
                "all that is warm.",
        "red by a shape": "The stars do come out red, but your word names no colour: with these eight seeds a shape "
                          "happens to move the colours. Which colour lies opposite to red, and so pushes there?",
        "mixed": "The stars have come out in several colours. The push went away from your word, but not towards red.",
        "purple": "The stars have come out purple. A shape as negative prompt moves the colours only by accident.",
    },
    hints=(
        "Without a negative prompt most of the stars are orange. You can only push away, never call: from what?",
        "Picture the colours on a wheel. A push away from one of them arrives on the other side.",
        "Try the cold colours. Two of them work.",
    ),
    solution='"blue" or "green": both lie opposite to red.',
)

INTERVAL = Value(
    truth="cured",
    right="At w = 7 the words are obeyed far better than at w = 1, hardly anything is burnt, and it is cheaper, too: "
          "outside of the interval the network is asked once, not twice.",
    wrong={
        "burnt": "Too much is burnt, as with guidance everywhere. Where is the damage done: look at the rows "
                 "above, at the last steps of the path.",
        "alike": "Hardly anything is burnt, but the pictures are too much alike, and so far from the data. Which steps "
                 "decide what a picture looks like as a whole?",
        "weak": "Hardly anything is burnt, but too many do not obey. Does guidance act on enough steps while colour "
                "and shape are decided, in the first half of the path?",
    },
    hints=(
        "Two ends are to be left out, and each has its own damage: look at the row with only the early steps, and at "
        "the row with only the late ones.",
        "The timestep t falls from 999 to 0. Late steps, small t, burn. Early steps, large t, make all pictures alike.",
        "Leave out the first two steps (t = 999 and 916) and the last few, and write (low, high), the lower timestep "
        "first.",
    ),
    solution="(250, 900), or another interval without the first and the last steps, such as (400, 850).",
)

EXERCISES = {"formula": FORMULA, "patients": FOUR, "negative": NEGATIVE, "interval": INTERVAL}


ENOUGH = 0.97  # the share that must obey: 70 of 72 do, 69 do not


def verdict(numbers: tuple, plain: tuple, once: tuple) -> str:
    """What becomes of pictures under guidance in an interval: a word of the exercise "06.interval".

    Arguments: three times the shares (0-1) that obey and that are burnt and the distance to the data, in the interval,
    with `plain` guidance everywhere, and with the prompt heard `once` (w = 1).
    """
    obeyed, burnt, distance = numbers
    if burnt > plain[1] / 2:
        return "burnt"
    if obeyed < ENOUGH or obeyed <= once[0]:
        return "weak"
    return "alike" if distance > plain[2] / 2 else "cured"


def colour_of(pictures: Tensor, judge: Callable) -> str:
    """The colour that the reading network `judge` finds in two thirds or more of the pictures (B, 3, H, W); "mixed"
    where there is none."""
    names = NAMES["colour"]
    read = [names[k] for k in judge(pictures.clamp(-1, 1))[:, : len(names)].argmax(dim=1).tolist()]
    colour = max(names, key=read.count)
    return colour if 3 * read.count(colour) >= 2 * len(read) else "mixed"


def away_from(word: str, colour: str) -> str:
    """What becomes of stars pushed away from a word: the `colour` that they are read as, or that it is a shape's."""
    named = any(part in icons.COLOURS for part in word.lower().split())
    return colour if named or colour != "red" else "red by a shape"


def two_crowds(w: float, guided: Tensor, book: Tensor, data: Tensor, heap: Tensor, radius: float) -> Image.Image:
    """Points (N, 2) that guidance draws with w beside points of the books' law, over the data (M, 2), with a cross in
    the middle of each crowd and a circle of that radius around the heap (2,) that was asked for."""
    from matplotlib.patches import Circle

    figure, panels = axes(9.6, 3.2, columns=2, sharex=True, sharey=True)
    for panel, points, words in zip(panels, (guided, book), ("guidance draws", "the books' law"), strict=True):
        panel.plot(*data[:300].T, ".", color="#bbbbbb", markersize=4)
        panel.plot(*points[:250].T, ".", color=PALETTE["noise"], markersize=5)
        panel.add_patch(Circle(heap.tolist(), radius, fill=False, color=PALETTE["guess"], linewidth=3))
        panel.plot(*points.mean(dim=0), "P", color="black", markersize=13)
        panel.set(xlim=(-2.4, 2.4), ylim=(-1.1, 1.9), xticks=[], yticks=[], aspect="equal", title=f"{words}, w = {w:g}")
    return Figure(figure, f"Two clouds of points, w = {w:g}.").image


def _guided_values() -> dict[str, Tensor | float]:
    """Two guesses and what the package makes of them at w = 2.5, which the paper calls 1.5."""
    eps_uncond, eps_cond = noise((5,), [1, 2]).double(), noise((5,), [3, 4]).double()
    return {r"\hat\epsilon_\varnothing": eps_uncond, r"\hat\epsilon_c": eps_cond, "w": 2.5, "v": 1.5,
            r"\hat\epsilon_w": guide(eps_uncond, eps_cond, 2.5)}


FORMULAS = {"guidance": _guided_values, "guidance_of_the_paper": _guided_values}

SYMBOLS = {
    "varnothing": (r"\\varnothing", r"without"),
    "v": (r"(?<![\\_\w])v(?!\w)", r"paper"),
}
