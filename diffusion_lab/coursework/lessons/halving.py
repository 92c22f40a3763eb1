"""The student of lesson 12 who jumps: what it is asked for, as an exercise, and where it lands, as a drawing."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...distillation import x0_between
from ...figures import PALETTE, WORDS, Figure, axes
from ...figures.plots import as_numbers
from ...noising import noise
from ...protocol import check_samples
from ..checks.exercises import Code, Slip

LOW, HIGH = -1.0, -0.5  # from where to where the plot reaches


def jump(steps: Sequence[float], shares: Sequence[float], landed: float, told: str, caption: str) -> Figure:
    """Two small steps of a teacher and the one jump of a student from the same place, over the share of picture.

    `steps`, the heights of the teacher's three places; `shares` of picture there; `landed`, where the student's jump
    arrives. Raises LabError for other than three.
    """
    steps, shares = as_numbers(steps, 3), as_numbers(shares, 3)
    figure, plot = axes(9, 3.4)
    landed = min(max(landed, LOW), HIGH)
    plot.plot(shares, steps, "-o", color=PALETTE["reference"], linewidth=3, markersize=12)
    plot.plot([shares[0], shares[-1]], [steps[0], landed], "--s", color=PALETTE["guess"],
              linewidth=4, markersize=14, fillstyle="none", markeredgewidth=3)
    plot.annotate("the teacher: two steps", (shares[1], steps[1]), (0, 14), textcoords="offset points", fontsize=15,
                  color=WORDS["reference"], ha="center")
    plot.annotate("your student: one jump", (shares[-1], landed), (-14, -26), fontsize=15,
                  textcoords="offset points", color=WORDS["guess"], ha="right")
    plot.set(xlim=(0, 1.02), ylim=(LOW - 0.05, HIGH + 0.05))
    plot.set_yticks([LOW, HIGH], [f"−{-LOW:g}", f"−{-HIGH:g}"], fontsize=15)
    plot.set_xlabel("share of picture", fontsize=15), plot.set_ylabel("brightness", fontsize=15)
    plot.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"], fontsize=15)
    return Figure(figure, told, caption)


def roughness(x: Tensor) -> float:
    """How blotchy icons (B, 3, H, W) are within their shapes: the median over the 4 x 4 pixels in the middle of each of
    |4 x - the sum of x's four neighbours|, the mean of the three colours; 0 where a colour is even. Raises LabError for
    what is no batch of pictures."""
    check_samples(x, (3, None, None), "give icons as as_samples returns them")
    x = x.clamp(-1, 1)
    beside = x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:]
    apart = (4 * x[..., 1:-1, 1:-1] - beside).abs().mean(dim=1)                   # (B, H - 2, W - 2)
    h, w = (side // 2 - 2 for side in apart.shape[1:])
    return float(apart[:, h:h + 4, w:w + 4].median())


def target_of_jump(x_t: Tensor, x_e: Tensor, alpha_bar: float, alpha_bar_e: float) -> Tensor:
    """What a student is asked for at x_t (B, ...): the picture from which its one jump lands at x_e, where its
    teacher's steps landed."""
    return x0_between(x_t, x_e, alpha_bar, alpha_bar_e)


def _jumps() -> list[tuple]:
    return [(noise((3,), [1, 2]), noise((3,), [3, 4]), a, b) for a, b in ((0.0016, 0.36), (0.16, 0.64), (0.5, 1.0))]


def _by_two_equations(x_t, x_e, alpha_bar, alpha_bar_e):
    a, n, b, m = alpha_bar**0.5, (1 - alpha_bar) ** 0.5, alpha_bar_e**0.5, (1 - alpha_bar_e) ** 0.5
    return (n * x_e - m * x_t) / (n * b - m * a)


def _by_angles(x_t, x_e, alpha_bar, alpha_bar_e):
    before, after = (torch.tensor(a).sqrt().acos() for a in (alpha_bar, alpha_bar_e))
    return (before.sin() * x_e - after.sin() * x_t) / (before - after).sin()


def _aim(f: Callable) -> Callable:
    """A target from the four roots, of picture and noise before and after: how slips are made."""
    return lambda x, y, a, b: f(x, y, a**0.5, (1 - a) ** 0.5, b**0.5, (1 - b) ** 0.5)


TARGET = Code(
    call="target_of_jump(x_t, x_e, alpha_bar, alpha_bar_e)",
    reference=target_of_jump,
    source=(target_of_jump, x0_between),
    also_right=(_by_two_equations, _by_angles),
    cases=_jumps,
    right="From there the student's one jump lands where the teacher's two steps landed, to the last digit.",
    hints=(
        "A jump keeps the student's guess of the noise: x_t is a mix of x0 and eps, x_e of the very same two, with "
        "other shares. Two equations, two unknowns; eps is not asked for.",
        "r is by how much the noise shrinks: the root of 1 - alpha_bar_e over the root of 1 - alpha_bar. Multiply the "
        "equation of x_t by r, and subtract: eps is gone.",
        "What is left: x_e minus r times x_t is x0 times (one root minus r times another). Divide. Test: with "
        "alpha_bar_e = 1 the answer is x_e itself.",
    ),
    slips=(
        Slip("where the teacher landed", "The student would be told the place x_e as its picture; but x_e still has "
             "noise in it. Which picture leads there?", lambda x, y, a, b: y + 0 * x),
        Slip("the shares as they stand", "The shares of variance are used without their roots: look at every "
             "alpha_bar.", lambda x, y, a, b: (y - (1 - b) / (1 - a) * x) / (b - (1 - b) / (1 - a) * a)),
        Slip("the number worked out by hand", "0.655 is r for the shares 0.16 and 0.64: compute r from those that "
             "are given.", _aim(lambda x, y, a, n, b, m: (y - 0.655 * x) / (b - 0.655 * a))),
        Slip("one root for two", "Below the line the root is taken of the difference: each share has a root of its "
             "own.", lambda x, y, a, b: (lambda r: (y - r * x) / (b - r * a) ** 0.5)(((1 - b) / (1 - a)) ** 0.5)),
        Slip("r without its root", "The noise shrinks by a root: look at r.",
             _aim(lambda x, y, a, n, b, m: (y - (m / n) ** 2 * x) / (b - (m / n) ** 2 * a))),
        Slip("roots forgotten below the line", "r is right, but below the line alpha_bar stands without its root.",
             lambda x, y, a, b: (y - ((1 - b) / (1 - a)) ** 0.5 * x) / (b - ((1 - b) / (1 - a)) ** 0.5 * a)),
        Slip("the roots below the line changed places", "Look at which of the two roots below the line is taken "
             "times r.", _aim(lambda x, y, a, n, b, m: (y - m / n * x) / (a - m / n * b))),
        Slip("r of the pictures", "r is by how much the noise shrinks, and yours is by how much the picture grows: "
             "look at r.",
             lambda x, y, a, b: (y - (b / a) ** 0.5 * x) / (b**0.5 - (b / a) ** 0.5 * a**0.5)),
        Slip("r of the pictures, upside down", "r is by how much the noise shrinks, and yours is made of the shares "
             "of picture: look at r.",
             lambda x, y, a, b: (y - (a / b) ** 0.5 * x) / (b**0.5 - (a / b) ** 0.5 * a**0.5)),
        Slip("r of the pictures, without a root", "r is by how much the noise shrinks, by a root; yours is made of the "
             "shares of picture: look at r.",
             lambda x, y, a, b: (y - b / a * x) / (b**0.5 - b / a * a**0.5)),
        Slip("only one root in r", "The root is taken of what you divide by alone: r is the root of the whole.",
             _aim(lambda x, y, a, n, b, m: (y - m**2 / n * x) / (b - m**2 / n * a))),
        Slip("r is not divided", "The noise at the end is compared with nothing: r is one root over another.",
             _aim(lambda x, y, a, n, b, m: (y - m * x) / (b - m * a))),
        Slip("r under the root", "Below the line r stands under the root: it is taken times a root.",
             _aim(lambda x, y, a, n, b, m: (y - m / n * x) / (b - (m / n) ** 0.5 * a))),
        Slip("start and end changed places", "In the numerator x_t and x_e stand in each other's place.",
             _aim(lambda x, y, a, n, b, m: (x - m / n * y) / (b - m / n * a))),
        Slip("a plus above the line", "The noise is taken out: look at the sign above the line.",
             _aim(lambda x, y, a, n, b, m: (y + m / n * x) / (b - m / n * a))),
        Slip("a plus below the line", "The same is subtracted above and below: look at the sign below the line.",
             _aim(lambda x, y, a, n, b, m: (y - m / n * x) / (b + m / n * a))),
        Slip("both signs turned", "Both signs are a plus: the noise would be put in twice, not taken out.",
             _aim(lambda x, y, a, n, b, m: (y + m / n * x) / (b + m / n * a))),
        Slip("r forgotten above the line", "All of x_t is subtracted, but there is r times as much noise in x_e.",
             _aim(lambda x, y, a, n, b, m: (y - x) / (b - m / n * a))),
        Slip("r forgotten below the line", "Above you subtract r times x_t, below one root as it stands.",
             _aim(lambda x, y, a, n, b, m: (y - m / n * x) / (b - a + 0.02 * (b == a)))),
        Slip("nothing is divided", "That is x0 times a number: look at what it has to be divided by.",
             _aim(lambda x, y, a, n, b, m: y - m / n * x)),
        Slip("divided by one root only", "The picture is in x_t as well, so some of it was subtracted: look at what "
             "you divide by.", _aim(lambda x, y, a, n, b, m: (y - m / n * x) / b)),
        Slip("the noise where the picture was asked for", "You have solved for the other unknown: what is asked for is "
             "the picture.", _aim(lambda x, y, a, n, b, m: (b * x - a * y) / (b * n - a * m))),
        Slip("the way as a flow", "The difference of the two places is how x moves, not where it leads.",
             lambda x, y, a, b: y - x),
        Slip("the teacher does not walk", "Your target hangs on x_t alone, or on a part of it: where does x_e come in?",
             lambda x, y, a, b: x / max(a, 0.01) ** 0.5 + 0 * y),
    ),
)  # fmt: skip


def jump_values() -> dict:
    """A jump's two ends and what the package asks a student for."""
    x_t, x_e = noise((5,), 1).double(), noise((5,), 2).double()
    return {r"\hat x_0": x0_between(x_t, x_e, 0.16, 0.64), "x_t": x_t, "x_e": x_e, r"\bar\alpha_t": 0.16,
            r"\bar\alpha_e": 0.64, "r": (0.36 / 0.84) ** 0.5}
