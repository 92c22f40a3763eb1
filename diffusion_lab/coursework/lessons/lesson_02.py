"""Static holds no picture. So where does the picture come from?"""

import math

import torch
from torch import Tensor

from ...exact import Exact
from ...mixing import predicted_x0
from ...noising import noise
from ...sampling import ddim_step
from ..checks.exercises import Code, Slip, Value


def posterior_mean(x_t: Tensor, a: Tensor, b: Tensor, alpha_bar: float) -> Tensor:
    """The best guess of x0 when there are only two pictures, a and b: their mean, weighed by how well each explains
    x_t. This is `Exact.guess` for a data set of two; all tensors (D,)."""
    far_a = ((x_t - alpha_bar**0.5 * a) ** 2).sum()
    far_b = ((x_t - alpha_bar**0.5 * b) ** 2).sum()
    fits_a = torch.exp(-far_a / (2 * (1 - alpha_bar)))
    fits_b = torch.exp(-far_b / (2 * (1 - alpha_bar)))
    return (fits_a * a + fits_b * b) / (fits_a + fits_b)


def reverse_step(x_t: Tensor, x0: Tensor, alpha_bar: float, alpha_bar_next: float) -> Tensor:
    """One step back, from a guess of the picture: find the noise that goes with it, keep a little less of it.

    This is `ddim_step` with eps = (x_t - sqrt(alpha_bar) x0) / sqrt(1 - alpha_bar). All tensors (B, ...).
    """
    eps = (x_t - alpha_bar**0.5 * x0) / (1 - alpha_bar) ** 0.5
    return alpha_bar_next**0.5 * x0 + (1 - alpha_bar_next) ** 0.5 * eps


def _mean_with(squared=lambda d: (d**2).sum(), fade=lambda alpha_bar: alpha_bar**0.5,
               scale=lambda alpha_bar: 2 * (1 - alpha_bar), sign=-1):
    """A posterior mean with one of its parts exchanged: how its slips are made."""
    def mean(x_t, a, b, alpha_bar):
        fits_a, fits_b = (torch.exp(sign * squared(x_t - fade(alpha_bar) * x) / scale(alpha_bar)) for x in (a, b))
        return (fits_a * a + fits_b * b) / (fits_a + fits_b)

    return mean


def _unnormalised(x_t, a, b, alpha_bar):
    fits_a, fits_b = (torch.exp(-((x_t - alpha_bar**0.5 * x) ** 2).sum() / (2 * (1 - alpha_bar))) for x in (a, b))
    return fits_a * a + fits_b * b


def _by_inverse(x_t, a, b, alpha_bar):
    fits_a, fits_b = (1 / ((x_t - alpha_bar**0.5 * x) ** 2).sum() for x in (a, b))
    return (fits_a * a + fits_b * b) / (fits_a + fits_b)


def _nearest(x_t, a, b, alpha_bar):
    far_a, far_b = (((x_t - alpha_bar**0.5 * x) ** 2).sum() for x in (a, b))
    return torch.where(far_a < far_b, a, b)


def _first_two(x_t, a, b, alpha_bar):
    far_a, far_b = (((x_t - alpha_bar**0.5 * x) ** 2)[:2].sum() for x in (a, b))
    share = torch.sigmoid((far_b - far_a) / (2 * (1 - alpha_bar)))
    return share * a + (1 - share) * b


def _two_points() -> list[tuple]:
    a, b = torch.tensor([0.9, -0.3, 0.5]), torch.tensor([-0.6, 0.7, 0.2])
    shifts = noise((3,), [31, 32, 33, 34])                                        # (4, 3), one each
    return [(alpha_bar**0.5 * (0.6 * a + 0.4 * b) + 0.7 * (1 - alpha_bar) ** 0.5 * shift, a, b, alpha_bar)
            for alpha_bar in (0.5, 0.2, 0.7) for shift in shifts]


def _steps() -> list[tuple]:
    x_t, x0 = noise((3, 4, 4), [41, 42]), noise((3, 4, 4), [43, 44]).tanh()
    return [(x_t, x0, *bars) for bars in ((0.07, 0.31), (0.45, 0.8), (0.9, 1.0))]


def _by_softmax(x_t, a, b, alpha_bar):
    pictures = torch.stack([a, b])                                                # (2, D)
    scores = -((x_t - alpha_bar**0.5 * pictures) ** 2).sum(dim=1) / (2 * (1 - alpha_bar))
    return torch.softmax(scores, dim=0) @ pictures


def _by_sigmoid(x_t, a, b, alpha_bar):
    """Only the line through both pictures matters: the weight is a sigmoid along it."""
    s = alpha_bar**0.5
    logit = (x_t @ (a - b)) * s / (1 - alpha_bar) - alpha_bar * (a @ a - b @ b) / (2 * (1 - alpha_bar))
    return b + torch.sigmoid(logit) * (a - b)


POSTERIOR = Code(
    call="posterior_mean(x_t, a, b, alpha_bar)",
    reference=posterior_mean,
    source=(posterior_mean,),
    also_right=(_by_softmax, _by_sigmoid),
    cases=_two_points,
    table={"alpha_bar": 0.64},
    right="That is a perfect denoiser, and nothing was trained: two distances, two weights, one mean.",
    hints=(
        "Do what the table did by hand, with letters for its numbers: 0.8 was the root of alpha_bar, and 0.72 twice "
        "1 - alpha_bar. Begin with the first row: how far is x_t from the faded a, squared? And from the faded b?",
        "`((x_t - ...) ** 2).sum()` adds up the squares of all differences. `torch.exp(-far / ...)` says how well a "
        "picture explains x_t: the nearer, the larger. Do you have one such number for a and one for b?",
        "Last row: each of the two numbers is divided by their sum, so that the weights add up to 1. Then mix: the "
        "weight of a times a, plus the weight of b times b. Test: halfway between the faded two, both count 0.5.",
    ),
    slips=(
        Slip("only the nearest", "It picks the nearer picture whole. Where both are possible, the best guess lies "
             "between them: look at how the two are combined.", _nearest),
        Slip("a plain average", "Both pictures count the same whatever x_t says: look at where x_t enters the weights.",
             lambda x_t, a, b, alpha_bar: (a + b) / 2),
        Slip("the pictures are not faded", "x_t is compared with the pictures at full strength, but in x_t they are "
             "faded: look at what you subtract from x_t.", _mean_with(fade=lambda alpha_bar: 1)),
        Slip("faded without a root", "The pictures are faded too much before they are compared: look at the factor "
             "that lesson 01 puts in front of x0.", _mean_with(fade=lambda alpha_bar: alpha_bar)),
        Slip("the farther one counts more", "The picture that explains x_t worse gets the larger weight: look at the "
             "sign in the exponent.", _mean_with(sign=1)),
        Slip("distance without a square", "The exponent grows with the distance, it should grow with its square: look "
             "at how the differences are summed up.", _mean_with(squared=lambda d: (d**2).sum() ** 0.5)),
        Slip("differences without a square", "The differences are added up as they are, and each of them should be "
             "squared first: look at row 1 of the table.", _mean_with(squared=lambda d: d.abs().sum())),
        Slip("one over the distance", "Near counts more, but as 1 / far: look at row 2 of the table for what turns far "
             "into small.", _by_inverse),
        Slip("the factor two is missing", "The weights are too sure: look at the exponent of a Gaussian bell curve.",
             _mean_with(scale=lambda alpha_bar: 1 - alpha_bar)),
        Slip("the variance of the wrong part", "The exponent is divided by the picture's share, not by the share of "
             "the static: look at which of the two blurs the comparison.",
             _mean_with(scale=lambda alpha_bar: 2 * alpha_bar)),
        Slip("deviation instead of variance", "The exponent is divided by the size of the static, not by its squared "
             "size: look for a root too many.", _mean_with(scale=lambda alpha_bar: 2 * (1 - alpha_bar) ** 0.5)),
        Slip("no variance at all", "The weights do not depend on how noisy x_t is: look at what the squared distance "
             "is divided by.", _mean_with(scale=lambda alpha_bar: 2)),
        Slip("weights that do not add up to 1", "The guess shrinks towards zero because the two weights together are "
             "less than 1: look at what they should be divided by.", _unnormalised),
        Slip("a mean over the values", "The squared differences are averaged, and should be added up: each value is "
             "one more piece of evidence.", _mean_with(squared=lambda d: (d**2).mean())),
        Slip("only the first two numbers are looked at", "A row may have any length, and so far its first two numbers "
             "alone decide: `.sum()` adds up over all of them. With two pixels nothing of it is seen.", _first_two),
        Slip("the guess is faded", "The weights are right, the guess is too weak: it should be made of clean pictures.",
             lambda x_t, a, b, alpha_bar: alpha_bar**0.5 * posterior_mean(x_t, a, b, alpha_bar)),
    ),
)

def _by_ratio(x_t, x0, a, b):
    ratio = math.sqrt((1 - b) / (1 - a))
    return ratio * x_t + (math.sqrt(b) - ratio * math.sqrt(a)) * x0


def _by_parts(x_t, x0, a, b):
    static = x_t - torch.tensor(a).sqrt() * x0
    unit = static.div(math.sqrt(1 - a))
    return torch.lerp(unit * 0, x0, b**0.5) + unit.mul((1 - b) ** 0.5)


REVERSE = Code(
    call="reverse_step(x_t, x0, alpha_bar, alpha_bar_next)",
    reference=reverse_step,
    source=(reverse_step,),
    also_right=(_by_ratio, _by_parts),
    cases=_steps,
    table={"alpha_bar": 0.36, "alpha_bar_next": 0.64},
    right="Guess the picture, find its noise, put a little less of it back. Repeated, this turns static into pictures.",
    hints=(
        "A step back is lesson 01 twice. First backwards: if the guess x0 is right, which noise must be in x_t? Then "
        "forwards: mix the same x0 and the same noise again, at the next level.",
        "Take x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps and solve it for eps. Which of the four do you not "
        "have yet?",
        "Two lines: `eps = ...` uses only alpha_bar, the result uses only alpha_bar_next. Test: at alpha_bar_next = 1 "
        "the result is x0 itself, at alpha_bar_next = alpha_bar nothing changes.",
    ),
    slips=(
        Slip("jumps to the end", "The result is the guess itself. From static the guess is a blur: the step should go "
             "only a part of the way.", lambda x_t, x0, a, b: x0),
        Slip("stays where it is", "The noise level does not change: look at which alpha_bar mixes the result.",
             lambda x_t, x0, a, b: reverse_step(x_t, x0, a, a)),
        Slip("the two levels changed places", "alpha_bar is where you are, alpha_bar_next where you go: look at which "
             "of them finds the noise and which mixes.", lambda x_t, x0, a, b: reverse_step(x_t, x0, b, a)
             if b < 1 else (x_t - x0) * (1 - a) ** 0.5 + a**0.5 * x0),
        Slip("fresh noise", "It mixes in new static instead of the noise that is in x_t: what belonged together is "
             "torn apart. Look for a random call.",
             lambda x_t, x0, a, b: b**0.5 * x0 + (1 - b) ** 0.5 * torch.randn_like(x_t)),
        Slip("x_t is taken for the noise", "x_t is picture and noise together: take the picture out of it first, then "
             "what is left, scaled up, is the noise.", lambda x_t, x0, a, b: b**0.5 * x0 + (1 - b) ** 0.5 * x_t),
        Slip("the noise is found without a root", "Solving for eps, you divide by the share of noise: look at what "
             "stood in front of eps in lesson 01.",
             lambda x_t, x0, a, b: b**0.5 * x0 + (1 - b) ** 0.5 * (x_t - a**0.5 * x0) / (1 - a)),
        Slip("the noise is not scaled up", "What is left after taking the picture out is eps times a factor: look at "
             "the division that is missing.",
             lambda x_t, x0, a, b: b**0.5 * x0 + (1 - b) ** 0.5 * (x_t - a**0.5 * x0)),
        Slip("the picture is not faded before it is taken out", "You subtract the clean guess, but in x_t it is faded: "
             "look at the line that finds the noise.",
             lambda x_t, x0, a, b: b**0.5 * x0 + (1 - b) ** 0.5 * (x_t - x0) / (1 - a) ** 0.5),
        Slip("mixed without roots", "The last line uses shares of variance as they stand: look at lesson 01's formula.",
             lambda x_t, x0, a, b: b * x0 + (1 - b) * (x_t - a**0.5 * x0) / (1 - a) ** 0.5),
        Slip("the noise is subtracted", "The noise comes back with the wrong sign: look at the last line.",
             lambda x_t, x0, a, b: b**0.5 * x0 - (1 - b) ** 0.5 * (x_t - a**0.5 * x0) / (1 - a) ** 0.5),
        Slip("all of the noise is kept", "The picture gets stronger, but the noise does not get weaker: look at the "
             "factor of eps in the last line.",
             lambda x_t, x0, a, b: b**0.5 * x0 + (x_t - a**0.5 * x0)),
        Slip("a straight mix of x_t and the guess", "It moves a part of the way to the guess on a straight line; the "
             "shares of picture and noise are then wrong. Find the noise first.",
             lambda x_t, x0, a, b: x_t + (b - a) / (1 - a) * (x0 - x_t)),
    ),
)

WHY = Value(
    truth="b",
    right="The formula has nothing but stored pictures to mix, and the less noise is left, the more one weight takes "
          "it all. Whoever wants new pictures needs a denoiser that does not know everything at once.",
    wrong={
        "a": "Nothing was trained here: there is no network and no training. Look at the formula of the guess.",
        "c": "Try it: with 10, 50 or 1,000 steps the last guess is a stored picture. Look at the weights instead.",
        "d": "The static was drawn without looking at any picture. It only decides which one wins. Look at the bars.",
    },
    hints=(
        "Look at the bars under the training pictures: how many are left at the end?",
        "Write down what the guess is made of: which pictures can occur in it at all?",
        "As alpha_bar comes near 1, the variance in the exponent comes near 0. What does that do to small differences "
        "of distance?",
    ),
    solution="b: the guess is a weighted mean of the stored pictures; as the noise goes, the weight of the nearest one "
             "goes to 1.",
)

EXERCISES = {"posterior": POSTERIOR, "reverse": REVERSE, "memorise": WHY}


def _three_points():
    points = torch.tensor([[0.9, -0.3], [-0.6, 0.7], [0.1, 0.2]])
    model, x_t = Exact(points.numpy()), torch.tensor([[0.2, 0.3]], dtype=torch.float64)
    weights, guess = model.weights(x_t, 0.36)[0], model.guess(x_t, 0.36)[0]
    return {"x_*": list(points.double()), "w_*": list(weights), "N": 3, r"\hat x_0": guess,
            r"\bar\alpha_t": 0.36, "x_t": x_t[0]}


def _weights_values():
    """w_i stands on the left with a free index i: one equation for each picture."""
    return [{**_three_points(), ("index", "i"): k} for k in (1, 2, 3)]


def _eps_values():
    values = _three_points()
    model, x_t = Exact(torch.stack(values["x_*"]).float().numpy()), values["x_t"][None]
    t = next(t for t in range(1000) if model.schedule.alpha_bar(t) < 0.36)
    a = model.schedule.alpha_bar(t)
    return {"x_t": x_t, r"\bar\alpha_t": a, r"\hat x_0": model.guess(x_t, a),
            r"\hat\epsilon": model.predict_noise(x_t, t)}


def _ddim_values():
    x_t, eps = noise((5,), [1, 2]).double()
    return {"x_t": x_t, r"\hat\epsilon": eps, r"\bar\alpha_t": 0.36, r"\bar\alpha_s": 0.81,
            r"\hat x_0": predicted_x0(x_t, eps, 0.36), "x_s": ddim_step(x_t, eps, 0.36, 0.81)}


FORMULAS = {"posterior_mean": _three_points, "posterior_weights": _weights_values, "eps_from_x0": _eps_values,
            "ddim": _ddim_values}

SYMBOLS = {
    "hat": (r"\\hat", r"guess"),
    "w": (r"(?<![_\w])w_?i?(?!\w)", r"weight"),
    "N": (r"(?<![_\w])N(?!\w)", r"how many|pictures"),
}
