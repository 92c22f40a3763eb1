"""Forty calls for one picture. How can one call draw it?"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...distillation import reflow
from ...mixing import add_noise, target_of
from ...noising import noise
from ...objectives import Objective
from ...protocol import Predict
from ...sampling import ddim_step, denoise
from ...schedules import Schedule, straight
from ..checks.exercises import Code, Diagnoses, Slip
from .flows import TAUGHT, as_predict, flow_of_heaps, on_the_line
from .halving import TARGET, jump_values


def flow_loss(network: Callable, x0: Tensor, eps: Tensor, s: Tensor) -> Tensor:
    """What a flow is trained for, mean |network(x, s) - (eps - x0)|^2 at x = (1 - s) x0 + s eps (Liu, Gong and Liu,
    "Flow Straight and Fast", 2022, equation 1; Lipman et al., "Flow Matching for Generative Modeling", 2023).

    Arguments: `network(x, s)` guesses how x moves; `x0` and `eps` (B, D), pictures and the noise for each; `s` (B, 1),
    a time for each, from 0 (picture) to 1 (static). Returns a scalar, that of an `Objective` for "u" on the straight
    schedule, whose network sees x in our scaling.
    """
    x = (1 - s) * x0 + s * eps                                                    # (B, D)
    return (network(x, s) - (eps - x0)).square().mean()


def pairs_of(predict: Predict, schedule: Schedule, eps: Tensor, timesteps: Sequence[int]) -> tuple[Tensor, Tensor]:
    """One round of reflow: the picture where the path from eps (B, ...) ends, and the eps that it began with, as
    `distillation.reflow` pairs them."""
    *_, last = denoise(predict, schedule, eps, timesteps)
    return last.x0, eps


# --- the flow ----------------------------------------------------------------------------------------------------


def _guesses(strength: float) -> Callable:
    """A network whose guess hangs on the place and on the time, with a weight to train."""
    weight = torch.tensor(strength, requires_grad=True)

    def network(x: Tensor, s: Tensor) -> Tensor:
        return weight * (x - 0.7 * x * s + 0.4 * s - 0.1)

    network.__qualname__ = "network"  # as an error names it
    return network


def _batches() -> list[tuple]:
    def batch(n: int) -> tuple:
        x0, eps = 0.7 * noise((2,), list(range(n))) + 0.3, noise((2,), list(range(100, 100 + n)))
        return x0, eps, ((torch.arange(n) + 0.5) / n).roll(n // 3)[:, None]

    return [(_guesses(strength), *batch(n)) for strength, n in ((1.0, 48), (0.4, 40), (-1.2, 56))]


def _flow(mix=lambda x0, s, eps: (1 - s) * x0 + s * eps, ask=lambda net, x, s, x0, eps: net(x, s),
          target=lambda x0, eps, x, s: eps - x0, error=lambda d: d.square().mean()) -> Callable:  # fmt: skip
    """The loss with one of its parts exchanged: how slips are made."""
    def loss(network, x0, eps, s):
        x = mix(x0, s, eps)
        return error(ask(network, x, s, x0, eps) - target(x0, eps, x, s))

    return loss


def _by_torch(network, x0, eps, s):
    return torch.nn.functional.mse_loss(network(torch.lerp(x0, eps, s), s), eps.sub(x0))


def _by_row(network, x0, eps, s):
    u = eps - x0
    off = u - network(x0 + s * u, s)
    return (off * off).sum() / off.numel()


FLOW = Code(
    call="flow_loss(network, x0, eps, s)",
    reference=flow_loss,
    source=(flow_loss,),
    also_right=(_by_torch, _by_row),
    cases=_batches,
    right="No roots, no schedule: a straight line, and how fast one moves along it.",
    hints=(
        "Two lines, as for the loss of lesson 03: mix, ask, compare. Only the mix is another one, and what is asked.",
        "The mix is the straight line: at s = 0 it must be the picture, at s = 1 the noise. `s` is a column already.",
        "While s grows from 0 to 1, x moves from x0 to eps: how far is that? That is what the guess is compared with; "
        "square the difference, and take the mean.",
    ),
    slips=(
        Slip("the time runs the other way", "At s = 0 you have the noise and at s = 1 the picture: many papers count "
             "so, this course does not. Look at both lines.",
             _flow(mix=lambda x0, s, eps: s * x0 + (1 - s) * eps, target=lambda x0, eps, x, s: x0 - eps)),
        Slip("picture and noise changed places", "Where s is 0, x is all noise: look at which share stands before x0.",
             _flow(mix=lambda x0, s, eps: s * x0 + (1 - s) * eps)),
        Slip("the flow turned round", "s grows towards the noise, so x moves from picture to noise: look at what is "
             "subtracted from what.", _flow(target=lambda x0, eps, x, s: x0 - eps)),
        Slip("roots where there are none", "That is the mix of lesson 01, a bent line. The straight line has the "
             "shares as they stand.", _flow(mix=lambda x0, s, eps: (1 - s) ** 0.5 * x0 + s**0.5 * eps)),
        Slip("squares and a root", "Those are the shares of lesson 01, whose squares add up to 1. Those of a straight "
             "line add up to 1 as they stand.", _flow(mix=lambda x0, s, eps: (1 - s**2) ** 0.5 * x0 + s * eps)),
        Slip("brackets around the flow are missing", "The guess minus eps minus x0 subtracts both: eps - x0 is one "
             "thing, in brackets.", _flow(target=lambda x0, eps, x, s: eps + x0)),
        Slip("the network is told the time backwards", "x is mixed at s, and the network hears 1 - s: look at its "
             "second argument.", _flow(ask=lambda net, x, s, x0, eps: net(x, 1 - s))),
        Slip("the loss falls without end", "The worse the guess, the lower your loss: look at the sign before the "
             "mean.", _flow(error=lambda d: -d.square().mean())),
        Slip("the noise where the flow was asked for", "The guess is compared with the noise: look at what you "
             "subtract. How does x move?", _flow(target=lambda x0, eps, x, s: eps)),
        Slip("the picture where the flow was asked for", "The guess is compared with the picture: look at what you "
             "subtract. How does x move?", _flow(target=lambda x0, eps, x, s: x0)),
        Slip("the velocity of lesson 03", "That v has two shares in it. Along a straight line one moves equally fast "
             "all the way: look at the target.", _flow(target=lambda x0, eps, x, s: (1 - s) * eps - s * x0)),
        Slip("compared with what it sees", "The guess is compared with x: the network would learn to repeat what it is "
             "shown. Look at what you subtract.", _flow(target=lambda x0, eps, x, s: x)),
        Slip("only the way that is left", "From x to the noise it is not the whole way: look at what you subtract.",
             _flow(target=lambda x0, eps, x, s: eps - x)),
        Slip("only the way that is made", "From the picture to x it is not the whole way: look at what you subtract.",
             _flow(target=lambda x0, eps, x, s: x - x0)),
        Slip("the noise is laid on top", "The picture keeps its whole strength: at s = 1 there should be none of it. "
             "Look at the first share.", _flow(mix=lambda x0, s, eps: x0 + s * eps)),
        Slip("one time for all", "All pictures are mixed at the first one's time: look at where s is used.",
             _flow(mix=lambda x0, s, eps: (1 - s[0]) * x0 + s[0] * eps)),
        Slip("the network sees the clean picture", "It is asked about x0, through which every line may begin: look at "
             "what you give it.", _flow(ask=lambda net, x, s, x0, eps: net(x0, s))),
        Slip("the network sees the noise", "It is asked about eps: look at what you give it.",
             _flow(ask=lambda net, x, s, x0, eps: net(eps, s))),
        Slip("the network is not told the time", "It gets the same time for every picture: look at its second "
             "argument.", _flow(ask=lambda net, x, s, x0, eps: net(x, 0 * s))),
        Slip("the noise drawn twice", "The guess is compared with other noise than was mixed in, which nobody can "
             "know: look for a random call.", _flow(target=lambda x0, eps, x, s: torch.randn_like(eps) - x0)),
        Slip("the network is told one time for all", "Each picture has its own: look at the network's second argument.",
             _flow(ask=lambda net, x, s, x0, eps: net(x, s[0]))),
        Slip("one share for both", "Both shares are 1 - s: look at the one before eps.",
             _flow(mix=lambda x0, s, eps: (1 - s) * x0 + (1 - s) * eps)),
        Slip("a difference of squares", "Guess and flow are squared first: it is their difference that is squared.",
             lambda net, x0, eps, s: (net((1 - s) * x0 + s * eps, s) ** 2 - (eps - x0) ** 2).mean()),
        Slip("squared after the mean", "Square each mistake before the mean: a large one is to count for more.",
             _flow(error=lambda d: d.abs().mean() ** 2)),
        Slip("a sum, not a mean", "Another number, but the same valley: it grows with the batch. Look at the last "
             "call.", _flow(error=lambda d: d.square().sum())),
        Slip("half of it", "The valley is in the same place and half as deep: look for a factor that is not in the "
             "formula.", _flow(error=lambda d: d.square().mean() / 2)),
        Slip("added up over the numbers", "The numbers of one picture are added up: look at what the mean is taken of. "
             "With a single pixel nothing of it is seen.", _flow(error=lambda d: d.square().sum(dim=1).mean())),
        Slip("distances that are not squared", "The mistakes are counted as they are, so the best guess is no mean, "
             "but a median: look for the square.", _flow(error=lambda d: d.abs().mean())),
        Slip("mistakes that cancel", "Too much here and too little there add up to nothing: square each mistake before "
             "the mean.", _flow(error=lambda d: d.mean() ** 2)),
        Slip("the root of the mean", "A root is taken at the end: look at the last call.",
             _flow(error=lambda d: d.square().mean() ** 0.5)),
        Slip("twice the mistake, not its square", "`* 2` doubles a mistake, and those of both signs cancel: a square "
             "is `**2`.", _flow(error=lambda d: (2 * d).mean())),
        Slip("the spread of the mistakes", "A variance takes their mean off first: who is wrong by the same "
             "everywhere counts as right.", _flow(error=lambda d: d.var())),
        Slip("the length of the whole", "A norm is the root of a sum: look at the last call.",
             _flow(error=lambda d: d.norm())),
        Slip("the middle mistake", "A median sees one of them and none of the others: look at the last call.",
             _flow(error=lambda d: d.square().median())),
        Slip("the noise made weaker twice", "s * eps stands inside the brackets of (1 - s): each of the two has a "
             "share of its own.", _flow(mix=lambda x0, s, eps: (1 - s) * (x0 + s * eps))),
        Slip("always half-way", "The mix is made at 0.5, whatever s is: look at its shares.",
             _flow(mix=lambda x0, s, eps: 0.5 * x0 + 0.5 * eps + 0 * s)),
        Slip("the parts where the whole was asked for", "x0 and eps have become parts of the mix, and the flow is made "
             "of the whole ones: give the parts other names.",
             _flow(target=lambda x0, eps, x, s: s * eps - (1 - s) * x0)),
    ),
)  # fmt: skip


# --- one round of reflow -----------------------------------------------------------------------------------------


def _starts() -> list[tuple]:
    schedule, heaps = straight(), torch.tensor([[-3.2, 0.5], [1.0, -0.8], [0.2, 3.4]])
    predict = as_predict(flow_of_heaps(heaps, (0.3, 0.3, 0.4), 0.1))
    return [(predict, schedule, noise((2,), [s + k for k in range(6)]), schedule.timesteps(n))
            for s, n in ((61, 5), (81, 8))]


def _path(predict, schedule, eps, timesteps) -> list:
    return list(denoise(predict, schedule, eps, timesteps))


def _by_steps(predict, schedule, eps, timesteps):
    x = eps.clone()
    for t, alpha_bar, alpha_bar_next in schedule.times(timesteps):
        x = ddim_step(x, predict(x, t), alpha_bar, alpha_bar_next)
    return x, eps


def _by_list(predict, schedule, eps, timesteps):
    path = _path(predict, schedule, eps, timesteps)
    return [path[-1].x_t, path[0].x_t]


REFLOW = Code(
    call="pairs_of(predict, schedule, eps, timesteps)",
    reference=pairs_of,
    source=(pairs_of, reflow),
    also_right=(_by_steps, _by_list),
    cases=_starts,
    right="That is all of reflow: the same loss, the same network, other pairs. Each static now has its own picture.",
    hints=(
        "You need the path from `eps` to its end, and then two things of it: where it ends and where it began.",
        "`denoise(predict, schedule, eps, timesteps)` yields the path's steps, one after another; `list(...)` makes a "
        "list of them. Which one do you need?",
        "The last step has arrived: its `x0` is the picture. Return that first, then the very `eps` that came in.",
    ),
    slips=(
        Slip("ends exchanged", "Both are there, but the picture comes first: look at the order of what you hand back.",
             lambda p, s, e, ts: (e, _path(p, s, e, ts)[-1].x0)),
        Slip("the first guess, not the end", "That is what the model says before it has walked, where one single "
             "call would land: the mean of all that may come. Walk all of `timesteps`, and take the end of the path.",
             lambda p, s, e, ts: (_path(p, s, e, ts)[0].x0, e)),
        Slip("one step too early", "You take the place before the last step, where noise is left: look at which step "
             "you take, and which of its parts.", lambda p, s, e, ts: (_path(p, s, e, ts)[-2].x_t, e)),
        Slip("the second guess, not the end", "That is what the model says after one step: take the end of the path.",
             lambda p, s, e, ts: (_path(p, s, e, ts)[1].x0, e)),
        Slip("two pictures", "Both that you hand back are pictures: first the end is wanted, then the noise that came.",
             lambda p, s, e, ts: (lambda path: (path[0].x0, path[-1].x0))(_path(p, s, e, ts))),
        Slip("the second step's place", "The path has gone one step only: look at which step you take.",
             lambda p, s, e, ts: (_path(p, s, e, ts)[1].x_t, e)),
        Slip("every second step left out", "Only half of the timesteps are walked: give all of `timesteps`.",
             lambda p, s, e, ts: (_path(p, s, e, ts[::2])[-1].x0, e)),
        Slip("the first step left out", "The walk begins at the second timestep: give all of `timesteps`.",
             lambda p, s, e, ts: (_path(p, s, e, ts[1:])[-1].x0, e)),
        Slip("the last step left out", "The walk ends one timestep early: give all of `timesteps`.",
             lambda p, s, e, ts: (_path(p, s, e, ts[:-1])[-1].x0, e)),
        Slip("the order turned round", "Each picture stands beside another one's noise: hand back `eps` in the order "
             "in which it came.", lambda p, s, e, ts: (_path(p, s, e, ts)[-1].x0, e.flip(0))),
        Slip("pairs drawn apart", "The noise that you hand back is not the one that the path began with. Then the "
             "lines cross again: hand back `eps` as it came.",
             lambda p, s, e, ts: (_path(p, s, e, ts)[-1].x0, torch.randn_like(e))),
        Slip("neighbours exchanged", "Each picture stands beside another one's noise: hand back `eps` in the order "
             "in which it came.", lambda p, s, e, ts: (_path(p, s, e, ts)[-1].x0, e.roll(1, 0))),
        Slip("the noise that is left", "At the end none is left: what is asked for is that which the path began with.",
             lambda p, s, e, ts: (lambda last: (last.x0, last.eps))(_path(p, s, e, ts)[-1])),
        Slip("nothing is walked", "Both that you hand back are noise: walk the path first, with `denoise`.",
             lambda p, s, e, ts: (e, e)),
        Slip("the picture twice", "Both that you hand back are the end of the path: the second is where it began.",
             lambda p, s, e, ts: (_path(p, s, e, ts)[-1].x0,) * 2),
    ),
)  # fmt: skip


# --- four students -------------------------------------------------------------------------------------------------

STUDENTS = Diagnoses(
    case="student",
    finding="pairs",
    truth=TAUGHT,
    signs={
        "healthy": "Lines that fan out to the heaps, none of them crossing, and one call lands as forty do.",
        "shuffled": "Lines that bend, and with one call a smear around the middle, hardly one where forty calls bring "
                    "it: pictures and static are paired by chance again, as before the reflow.",
        "one chord": "All lines, of forty calls and of one, run straight to the same place: the teacher walked a "
                     "single step, and its pairs end in the middle.",
        "ends exchanged": "The lines miss the heaps, and some leave the plot: the network was told that static is the "
                          "picture.",
    },
    right="All four. What a student can do is decided by its pairs, before it is trained.",
    hints=(
        "Look at one call first. Who lands on three heaps? Who lands in one place, or in a smear?",
        "Two of them land around the middle with one call. Whose lines of forty calls find the heaps all the same?",
        "One of them misses the heaps with forty calls, and with one: to it, static was the picture.",
    ),
)

EXERCISES = {"flow": FLOW, "reflow": REFLOW, "target": TARGET, "students": STUDENTS}


def _flow_values():
    """The package's objective for a flow, and all that it is made of: its network is told x_t in our scaling."""
    x0, eps, t = noise((2,), [1, 2, 3]).double(), noise((2,), [4, 5, 6]).double(), torch.tensor([10, 500, 900])
    guess = noise((2,), [7, 8, 9]).double()
    loss = Objective(straight(), "u")(lambda x_t, t, condition: guess, x0, eps, t)
    return {"L": loss, "N": 6, r"\hat u_*": list(guess.flatten()),
            "u_*": list(target_of(x0, eps, 0.36, "u").flatten())}


def _line_values():
    """What the package mixes on the straight schedule, scaled back to the line."""
    x0, eps, alpha_bar = noise((5,), 1).double(), noise((5,), 2).double(), straight().alpha_bar(300)
    x, s = on_the_line(add_noise(x0, alpha_bar, eps), alpha_bar)
    return {"x": x, "s": s, "x_0": x0, r"\epsilon": eps, "u": target_of(x0, eps, alpha_bar, "u")}


FORMULAS = {"straight_line": _line_values, "flow": _line_values, "flow_loss": _flow_values,
            "jump_shrinks": jump_values, "jump_target": jump_values}
SYMBOLS = {
    "s": (r"(?<![_\w\\.])s(?![\w(.])", r"share of static|time"),
    "u": (r"(?<![_\w\\])u(?!\w)", r"flow"),
    "r": (r"(?<![_\w\\])r(?!\w)", r"shrinks"),
    "x_e": (r"x_e", r"where (it|they) lands?|lands?"),
}
