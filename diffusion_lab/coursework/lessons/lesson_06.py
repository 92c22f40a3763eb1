"""You write "orange square", and want it more. How do words pull at a picture, and what if they pull hard?"""

import torch
from torch import Tensor

from ...guidance import guide
from ...noising import noise
from ..checks.exercises import Code, Diagnoses, Slip, Value


def _guesses() -> list[tuple]:
    eps_uncond, eps_cond = noise((3, 4, 4), [71, 72]), noise((3, 4, 4), [73, 74])
    return [(eps_uncond, eps_cond, w) for w in (0.0, 1.0, 2.5, 7.0)]


def _by_lerp(eps_uncond, eps_cond, w):
    return torch.lerp(eps_uncond, eps_cond, w)


def _by_the_paper(eps_uncond, eps_cond, w):
    """Ho and Salimans' own way, whose number is smaller by one."""
    v = w - 1
    return (1 + v) * eps_cond - v * eps_uncond


FORMULA = Code(
    call="guide(eps_uncond, eps_cond, guidance_scale)",
    reference=guide,
    source=(guide,),
    also_right=(_by_lerp, _by_the_paper),
    cases=_guesses,
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
             lambda u, c, w: c + w * (c - u)),
        Slip("the two guesses changed places", "At 0 you get the picture with the prompt, at 1 the one without: look "
             "at which guess you begin with and which you go to.", lambda u, c, w: c + w * (u - c)),
        Slip("pushed away from the prompt", "You begin in the right place and go the wrong way: look at the sign, or "
             "at which guess is taken from which.", lambda u, c, w: u - w * (c - u)),
        Slip("the brackets are missing", "The scale takes hold of the guess with the prompt alone, and the other one "
             "falls out: look at what is to be multiplied.", lambda u, c, w: u + w * c - u),
        Slip("the whole guess is added", "To the guess without the prompt you add all of the other one, where only "
             "what is different in it belongs: look for a difference.", lambda u, c, w: u + w * c),
        Slip("only the difference", "It is what the prompt adds, but not what it is added to: look for the guess "
             "that you begin with.", lambda u, c, w: w * (c - u)),
        Slip("an average", "Your result is the same for every scale, half-way between the two guesses: look at where "
             "the scale comes in.", lambda u, c, w: (u + c) / 2),
        Slip("the scale is not used", "The guess with the prompt comes back whatever the scale says: look at where it "
             "comes in.", lambda u, c, w: c + 0 * u),
        Slip("a mixture that never goes past", "Your two shares add up to 1, so that the result stays between the two "
             "guesses. Guidance goes past the second one: look at what you divide by.",
             lambda u, c, w: (u + w * c) / (1 + w)),
        Slip("the scale on the wrong guess", "The scale multiplies the guess without the prompt: look at which of them "
             "is to grow with it.", lambda u, c, w: w * u + (c - u)),
    ),
)

PATIENTS = {1: "swapped", 2: "paper", 3: "healthy", 4: "average"}
FORMULAS_OF = {  # what the patients compute; whoever reads on reads the answers
    "healthy": guide,
    "paper": lambda u, c, w: c + w * (c - u),
    "swapped": lambda u, c, w: c + w * (u - c),
    "average": lambda u, c, w: (u + c) / 2,
}


def sick_guide(patient: int):
    """The formula of patient 1 to 4: a function (eps_uncond, eps_cond, guidance_scale) -> eps."""
    return FORMULAS_OF[PATIENTS[patient]]


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
        "Of those who draw a blue star in the first column, one draws the same in all three.",
    ),
    solution=", ".join(f"{number}: {name}" for number, name in PATIENTS.items()) + ".",
)

NEGATIVE = Value(
    truth="red",
    right="You never wrote red: you pushed away from a colour that lies opposite to it, and red is where the line "
          "arrives. That is all that a negative prompt can do.",
    wrong={
        "orange": "The stars stay orange: this word pushes the colour nowhere. It says nothing of colours.",
        "yellow": "The stars have come out yellow. The push went away from your word, but not towards red.",
        "green": "The stars have come out green. Which colour is far from red, on the other side?",
        "blue": "The stars have come out blue: your word is too near to red, and pushed that away as well.",
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
    right="At w = 7 all is obeyed, nothing is burnt, and it is cheaper, too: outside of the interval the network is "
          "asked once, not twice.",
    wrong={
        "burnt": "The pictures are burnt, as with guidance everywhere. Where is the damage done: look at the rows "
                 "above, at the last steps of the path.",
        "alike": "Nothing is burnt, but the pictures are too much alike, and so far from the data. Which steps "
                 "decide what a picture looks like as a whole?",
        "weak": "Nothing is burnt, but too many do not obey. Is there any guidance left while shapes are decided?",
    },
    hints=(
        "Two ends are to be left out, and each has its own damage: look at the row with only the early steps, and at "
        "the row with only the late ones.",
        "The timestep t falls from 999 to 0. Late steps, small t, burn. Early steps, large t, make all pictures alike.",
        "Leave out about a quarter at either end, and write (low, high), the lower timestep first.",
    ),
    solution="(200, 700), or any other interval well inside: guidance from t = 200 to 700 only.",
)

EXERCISES = {"formula": FORMULA, "patients": FOUR, "negative": NEGATIVE, "interval": INTERVAL}


def verdict(obeyed: float, burnt: float, distance: float, plain: float) -> str:
    """What becomes of pictures under guidance in an interval: a word of the exercise "06.interval".

    Arguments: shares (0-1) that obey and that are burnt; `distance` to the data, and the `plain` one with guidance
    everywhere.
    """
    if burnt > 0.02:
        return "burnt"
    if obeyed < 0.97:
        return "weak"
    return "alike" if distance > 0.5 * plain else "cured"


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
