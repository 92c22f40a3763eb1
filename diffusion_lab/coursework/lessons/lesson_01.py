"""When is a picture gone? One slider over a photo."""

import math

import torch
from torch import Tensor

from ...noising import add_noise, noise, small_steps
from ...schedules import linear
from ..checks.exercises import Code, Slip, Value


def sabotaged(x0: Tensor, alpha_bar: float, eps: Tensor) -> Tensor:
    """The patient of "find the missing square root": an `add_noise` with one bug."""
    return alpha_bar**0.5 * x0 + (1 - alpha_bar) * eps


def _cases() -> list[tuple]:
    x0 = noise((3, 4, 4), [11, 12]).tanh()                                        # (2, 3, 4, 4)
    eps = noise((3, 4, 4), [21, 22])
    return [(x0, alpha_bar, eps) for alpha_bar in (0.9, 0.36, 0.07)]


def _in_place(x0, alpha_bar, eps):
    x = x0.clone()
    x *= math.sqrt(alpha_bar)
    return x.add_(eps, alpha=math.sqrt(1 - alpha_bar))


def _by_angle(x0, alpha_bar, eps):
    angle = math.acos(alpha_bar**0.5)
    return math.cos(angle) * x0 + math.sin(angle) * eps


Q_SAMPLE = Code(
    call="q_sample(x0, alpha_bar, eps)",
    reference=add_noise,
    source=(add_noise,),
    also_right=(_in_place, _by_angle),
    cases=_cases,
    right="One line makes any noise level in one jump. No loop over a thousand small steps is needed.",
    hints=(
        "Two things are added: a faded picture and some static. Each has a factor of its own. Which of your letters "
        "says how much picture is left, and which factor would make the static vanish when all of it is left?",
        "alpha_bar is a share of variance, that is, of squared size. A factor in front of a picture acts on its "
        "size. What turns a share of squared size into a share of size?",
        "Test yourself on three values: at alpha_bar = 1 you must get x0 back, at alpha_bar = 0 only eps, and at "
        "alpha_bar = 0.5 both factors are equal, about 0.71. In Python `a**0.5` is the square root of a.",
    ),
    slips=(
        Slip("no square root", "Both factors are shares of variance as they stand: at alpha_bar = 0.5 they should be "
             "0.71 each, not 0.5. Look at what acts on size and what on squared size.",
             lambda x0, a, eps: a * x0 + (1 - a) * eps),
        Slip("no square root on the noise", "The picture fades as it should, the static is too weak in the middle: "
             "look at the factor of eps at alpha_bar = 0.5.",
             lambda x0, a, eps: a**0.5 * x0 + (1 - a) * eps),
        Slip("no square root on the picture", "The static is right, the picture fades too early: look at the factor "
             "of x0 at alpha_bar = 0.5.",
             lambda x0, a, eps: a * x0 + (1 - a) ** 0.5 * eps),
        Slip("picture and noise changed places", "At alpha_bar = 1 nothing but static comes out: look at which factor "
             "belongs to which.",
             lambda x0, a, eps: (1 - a) ** 0.5 * x0 + a**0.5 * eps),
        Slip("noise subtracted", "The static comes out with its sign turned. It looks the same to the eye, but a "
             "network that learns eps would learn the opposite: look at the sign between the two terms.",
             lambda x0, a, eps: a**0.5 * x0 - (1 - a) ** 0.5 * eps),
        Slip("the picture does not fade", "The picture keeps its full strength under the static, so the values grow "
             "beyond their range: look at the term with x0.",
             lambda x0, a, eps: x0 + (1 - a) ** 0.5 * eps),
        Slip("the noise does not grow", "The static is at full strength from the first step on: look at the term with "
             "eps.",
             lambda x0, a, eps: a**0.5 * x0 + eps),
        Slip("one minus the root", "The factor of the noise takes the root first and the difference after: look at "
             "the order of the two.",
             lambda x0, a, eps: a**0.5 * x0 + (1 - a**0.5) * eps),
        Slip("its own noise", "The function draws fresh static instead of using eps, so nobody could know which noise "
             "was added: look for a random call.",
             lambda x0, a, eps: a**0.5 * x0 + (1 - a) ** 0.5 * torch.randn_like(x0)),
        Slip("no noise at all", "Only a darker picture comes out: look for the term with eps.",
             lambda x0, a, eps: a**0.5 * x0),
        Slip("a plain average", "Picture and static count the same at every noise level: look for alpha_bar in the two "
             "factors.", lambda x0, a, eps: (x0 + eps) / 2),
        Slip("roots of the wrong things", "The letters x0 and eps stand under a root or a square of their own: only "
             "the factors need one.",
             lambda x0, a, eps: (a * x0**2 + (1 - a) * eps**2) ** 0.5),
    ),
)

SCHEDULE = Value(
    truth="cosine",
    right="At t = 500 the cosine schedule still keeps about 49 % picture, the linear one about 8 %: half of its "
          "thousand steps are spent on static that hardly changes.",
    wrong={"linear": "Look at the two rows between t = 400 and t = 600: in which of them do you still see what the "
                     "picture shows? Read off alpha_bar there, too."},
    hints=(
        "Look at the two rows of pictures, and at t = 500 in each of them.",
        "t = 500 lies between the third picture and the fourth: in which row could you still name the picture there?",
        "Compute `linear().alpha_bar(500)` and `cosine().alpha_bar(500)`: the share of picture that is left.",
    ),
    solution="cosine: alpha_bar(500) is about 0.49 there, and about 0.08 in the linear schedule.",
)

ROOT = Value(
    truth="noise",
    right="At alpha_bar = 0.5 the static has a size of 0.5 where it should have 0.71, and both ends are right: that is "
          "why this bug lives long. Only the middle of the path tells.",
    wrong={
        "picture": "Without the picture's root the picture would be too faint in the middle and the static as strong "
                   "as it should be. Compare the two at alpha_bar = 0.5: which of them differs?",
        "both": "Without both roots the picture, too, would be fainter in the middle, 0.5 instead of 0.71. Is it?",
        "neither": "The two pictures are not the same: on the right the astronaut is clearer. Draw both at 80 % and at "
                   "20 % picture, too.",
    },
    hints=(
        "At 100 % and at 0 % picture the two functions agree. So look between: in which of the two pictures is the "
        "static weaker?",
        "A root makes a number between 0 and 1 larger. The part that lost its root is therefore too weak.",
        "Feed it something you know: an x0 of zeros leaves the noise alone, an eps of zeros leaves the picture alone. "
        "Then measure with `.std()`.",
    ),
    solution="noise: `sabotaged(0 * x0, 0.5, eps).std()` is 0.5 of the noise's own, it should be 0.71 of it.",
)

EXERCISES = {"q_sample": Q_SAMPLE, "schedule": SCHEDULE, "root": ROOT}


def _mixed_values():
    x0, eps = noise((5,), 1)[0].double(), noise((5,), 2)[0].double()
    return {r"x_t": add_noise(x0, 0.36, eps), r"x_0": x0, r"\epsilon": eps, r"\bar\alpha_t": 0.36}


def _small_step_values():
    schedule, x0 = linear(), noise((5,), 1).double()
    walk = small_steps(x0, schedule, torch.Generator().manual_seed(3))
    states = [next(walk) for _ in range(8)]
    source = torch.Generator().manual_seed(3)
    z = [torch.randn((1, 5), generator=source, dtype=torch.float64) for _ in range(8)][-1]
    alpha_t = schedule.alpha_bar(7) / schedule.alpha_bar(6)
    return {r"x_t": states[7].x_t, r"x_{t-1}": states[6].x_t, r"\alpha_t": alpha_t, "z": z}


def _product_values():
    """The lesson counts timesteps from 1, the package from 0: the product of the first t alphas is alpha_bar[t - 1]."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    return {r"\bar\alpha_t": linear().alpha_bar(41), "t": 42, r"\alpha_*": list(1 - betas)}


FORMULAS = {"q_sample": _mixed_values, "small_step": _small_step_values, "alpha_bar_product": _product_values}

SYMBOLS = {
    "x_0": (r"x_0(?!\w)|\bx0\b", r"clean picture|x at time zero|x-zero|guess of the picture"),
    "x_t": (r"x_t|\bx_s\b|x_\{t-1\}", r"noisy picture|picture on the path|what it sees"),
    "t": (r"(?<![_\w\\])t(?!\w)", r"timestep|number of the step"),
    "epsilon": (r"\\epsilon|\beps\b", r"static|noise"),
    "alpha_bar": (r"\\bar\\alpha|\balpha_bar\w*",
                  r"how much (of it )?(picture )?is left|share of (the )?picture|alpha bar"),
    "alpha": (r"(?<!bar)\\alpha", r"keeps a share|small share"),
    "z": (r"(?<![_\w])z(?!\w)", r"fresh noise"),
}
