"""A network sees only noisy pictures. How does it learn what is clean?"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ...exact import Exact
from ...mixing import add_noise, eps_of, predicted_x0, target_of
from ...noising import noise
from ...objectives import Objective
from ...schedules import cosine
from ..checks.exercises import Code, Diagnoses, Slip
from .clocks import PATIENTS

SPREAD = 0.7  # of the bell-shaped data that the loss is checked on: their perfect denoiser is one line


def denoising_loss(network: Callable, x0: Tensor, eps: Tensor, t: Tensor, alpha_bars: Tensor) -> Tensor:
    """What a network is trained for, mean |network(x_t, t) - eps|^2 (DDPM, equation 14 and algorithm 1).

    Arguments: `network(x_t, t)` guesses the noise; `x0` and `eps` (B, D), clean pictures and the noise for each; `t`
    (B,), a timestep for each; `alpha_bars` (T,), the shares of picture. Returns a scalar, `Objective`'s.
    """
    x_t = add_noise(x0, alpha_bars[t][:, None], eps)                              # (B, D)
    return (network(x_t, t) - eps).square().mean()


def from_v(x_t: Tensor, v: Tensor, alpha_bar: float) -> tuple[Tensor, Tensor]:
    """The picture x0 and the noise eps, (B, ...) each, that go with a guess of the velocity v in x_t (Salimans and Ho,
    2022, appendix D): x0 = sqrt(alpha_bar) x_t - sqrt(1 - alpha_bar) v."""
    eps = eps_of(v, x_t, alpha_bar, "v")
    return predicted_x0(x_t, eps, alpha_bar), eps


# --- the loss ----------------------------------------------------------------------------------------------------


def _guesses(strength: float) -> Callable:
    """The perfect denoiser of numbers with a spread of 0.7, its guess times `strength`, a weight to train."""
    bars, strength = cosine().alpha_bars.float(), torch.tensor(strength, requires_grad=True)

    def network(x_t: Tensor, t: Tensor) -> Tensor:
        a = bars[torch.as_tensor(t).flatten().long().clamp(0, 999)][:, None]      # (B, 1)
        return strength * x_t * (1 - a) ** 0.5 / (a * SPREAD**2 + 1 - a)

    return network


def _batches() -> list[tuple]:
    x0, eps = SPREAD * noise((2,), list(range(64))), noise((2,), list(range(100, 164)))
    t, bars = torch.arange(64) * 15 + 11, cosine().alpha_bars.float()
    return [(_guesses(strength), x0[:n], eps[:n], t[:n], bars) for strength, n in ((1.0, 64), (0.6, 60), (1.5, 56))]


def _loss(share=lambda bars, t: bars[t][:, None], mix=None, ask=lambda net, x_t, x0, t: net(x_t, t),
          target=lambda x0, eps, x_t: eps, error=lambda d: d.square().mean()) -> Callable:  # fmt: skip
    """The loss with one of its parts exchanged: how slips are made."""
    def loss(network, x0, eps, t, alpha_bars):
        a = share(alpha_bars, t)
        x_t = (mix or (lambda x0, a, eps: a**0.5 * x0 + (1 - a) ** 0.5 * eps))(x0, a, eps)
        return error(ask(network, x_t, x0, t) - target(x0, eps, x_t))

    return loss


def _of_pictures(network, x0, eps, t, alpha_bars):
    """The mistake in the picture, where that in the noise was asked for."""
    a = alpha_bars[t][:, None]
    x_t = add_noise(x0, a, eps)
    return (predicted_x0(x_t, network(x_t, t), a) - x0).square().mean()


def _by_torch(network, x0, eps, t, alpha_bars):
    bar = alpha_bars.index_select(0, t).unsqueeze(1)
    x_t = torch.sqrt(bar).mul(x0).add(torch.sqrt(1 - bar).mul(eps))
    return torch.nn.functional.mse_loss(network(x_t, t), eps)


def _by_row(network, x0, eps, t, alpha_bars):
    rows = [math.sqrt(alpha_bars[k]) * x + math.sqrt(1 - alpha_bars[k]) * e for x, e, k in zip(x0, eps, t, strict=True)]
    off = eps - network(torch.stack(rows), t)
    return (off * off).sum() / off.numel()


LOSS = Code(
    call="denoising_loss(network, x0, eps, t, alpha_bars)",
    reference=denoising_loss,
    source=(denoising_loss, add_noise),
    also_right=(_by_torch, _by_row),
    cases=_batches,
    right="Checked on a perfect denoiser, a timid one and one that exaggerates: the perfect one has the smallest loss, "
          "and that is not zero.",
    hints=(
        "Three lines, the three beats of the game: mix, ask, compare. The mix is lesson 01's, for a whole batch at "
        "once. What does the network get to see, and what was its task?",
        "`alpha_bars[t]` looks up a share for each picture, (B,). `[:, None]` makes it a column, (B, 1), so that each "
        "row of x0 is mixed with its own share. Do you mix with the roots?",
        "`network(x_t, t)` is the guess of the noise. Subtract the noise that is really in there, square, and take the "
        "mean over all numbers with `.mean()`. Test: a network that always says 0 has a loss of about 1.",
    ),
    slips=(
        Slip("no square root", "Picture and noise are mixed by their shares of variance as they stand: look at lesson "
             "01's formula.", _loss(mix=lambda x0, a, eps: a * x0 + (1 - a) * eps)),
        Slip("picture and noise changed places", "Where much picture should be left, there is much noise: look at "
             "which root stands before x0.", _loss(mix=lambda x0, a, eps: (1 - a) ** 0.5 * x0 + a**0.5 * eps)),
        Slip("the picture where the noise was asked for", "The guess is compared with the clean picture, but the "
             "network is to say the noise: look at what you subtract.", _loss(target=lambda x0, eps, x_t: x0)),
        Slip("compared with what it sees", "The guess is compared with x_t: the network would learn to repeat what it "
             "is shown. Look at what you subtract.", _loss(target=lambda x0, eps, x_t: x_t)),
        Slip("noise drawn twice", "The guess is compared with other noise than was mixed in. Nobody can know that one, "
             "so the best guess would be nothing at all: look for a random call.",
             _loss(target=lambda x0, eps, x_t: torch.randn_like(eps))),
        Slip("one time for all", "All pictures are mixed at the share of the first one, while the network is told "
             "their own times: look at where t is used.", _loss(share=lambda bars, t: bars[t[0]])),
        Slip("one share for the batch", "All pictures are mixed at the mean share: look for a mean too many.",
             _loss(share=lambda bars, t: bars[t].mean())),
        Slip("the network sees the clean picture", "It is asked about x0, where there is no noise to be found: look at "
             "what you give it.", _loss(ask=lambda net, x_t, x0, t: net(x0, t))),
        Slip("the network is not told the time", "It gets the same t for every picture, or one so small that it "
             "looks the same: look at its second argument.",
             _loss(ask=lambda net, x_t, x0, t: net(x_t, 0 * t))),
        Slip("a sum, not a mean", "Another number, but the same valley: it grows with the batch, and Adam, which "
             "measures its steps by itself, hides that. Look at the last call.",
             _loss(error=lambda d: d.square().sum())),
        Slip("half of it", "The valley is in the same place and half as deep: look for a factor that the formula has "
             "not.", _loss(error=lambda d: d.square().mean() / 2)),
        Slip("only the worst mistake", "One number of the batch decides alone, so the loss is its luck: look at the "
             "last call.", _loss(error=lambda d: d.square().max())),
        Slip("only the first picture", "The others never count: does a loop end in its first round, or is there an "
             "index too many?", _loss(error=lambda d: d[0].square().mean())),
        Slip("added up over the pixels", "The mean is taken over the pictures, but the pixels of one are added up: "
             "look at what the mean is taken of.", _loss(error=lambda d: d.square().sum(dim=1).mean())),
        Slip("added up over the pictures", "The mean of each picture is added to a sum, and the sum is never divided "
             "by how many pictures there are: look at what comes after the loop.",
             _loss(error=lambda d: d.square().mean(dim=1).sum())),
        Slip("the pictures are compared", "You turn the guess into a picture and compare pictures: the network says "
             "the noise, and so the noise is compared. Look at what you subtract.", _of_pictures),
        Slip("distances that are not squared", "The mistakes are counted as they are, so the best guess is no mean, "
             "but a median: look for the square.", _loss(error=lambda d: d.abs().mean())),
        Slip("mistakes that cancel", "Too much here and too little there add up to nothing: square each mistake before "
             "the mean.", _loss(error=lambda d: d.mean() ** 2)),
        Slip("the root of the mean", "A root is taken at the end. Its minimum lies in the same place, but it is "
             "another number: look at the last call.", _loss(error=lambda d: d.square().mean() ** 0.5)),
    ),
)


# --- three targets -----------------------------------------------------------------------------------------------


def _velocities() -> list[tuple]:
    x_t, v = noise((3, 4, 4), [31, 32]), noise((3, 4, 4), [33, 34])
    return [(x_t, v, alpha_bar) for alpha_bar in (0.07, 0.36, 0.8)]


def _by_angle(x_t, v, alpha_bar):
    angle = math.acos(alpha_bar**0.5)
    return math.cos(angle) * x_t - math.sin(angle) * v, math.sin(angle) * x_t + math.cos(angle) * v


def _by_picture(x_t, v, alpha_bar):
    a = torch.tensor(alpha_bar)
    x0 = a.sqrt() * x_t - (1 - a).sqrt() * v
    return [x0, (x_t - a.sqrt() * x0) / (1 - a).sqrt()]


def _turned(f: Callable) -> Callable:
    """A conversion from the two roots, of the picture's share and of the noise's: how slips are made."""
    return lambda x_t, v, a: f(x_t, v, a**0.5, (1 - a) ** 0.5)


TARGETS = Code(
    call="from_v(x_t, v, alpha_bar)",
    reference=from_v,
    source=(from_v, eps_of, predicted_x0),
    also_right=(_by_angle, _by_picture),
    cases=_velocities,
    right="Who knows x_t and one of the three knows the other two. So a network may be asked for any of them.",
    hints=(
        "You have two equations, the one for x_t and the one for v, and two unknowns, x0 and eps. The squares of the "
        "two roots add up to 1: use that.",
        "Multiply the equation of x_t by the root of alpha_bar, the one of v by the root of 1 - alpha_bar, and "
        "subtract: eps is gone. What is left on the right?",
        "x0 is one root times x_t minus the other root times v. For eps the roots change places, and minus becomes "
        "plus. Test: at alpha_bar = 1 you must get x0 = x_t and eps = v.",
    ),
    slips=(
        Slip("no square roots", "The shares stand where their roots belong: their squares should add up to 1.",
             lambda x, v, a: (a * x - (1 - a) * v, (1 - a) * x + a * v)),
        Slip("the two roots changed places", "At alpha_bar = 1 the picture should be x_t itself: look at which root "
             "stands before x_t.", _turned(lambda x, v, s, n: (n * x - s * v, s * x + n * v))),
        Slip("a plus in the picture", "The velocity points from picture to noise, so it is taken off the picture: look "
             "at the sign in x0.", _turned(lambda x, v, s, n: (s * x + n * v, n * x + s * v))),
        Slip("a minus in the noise", "The velocity points towards the noise: look at the sign in eps.",
             _turned(lambda x, v, s, n: (s * x - n * v, n * x - s * v))),
        Slip("the signs changed places", "Both signs are turned: look at both equations at alpha_bar = 0.5.",
             _turned(lambda x, v, s, n: (s * x + n * v, n * x - s * v))),
        Slip("picture and noise in the wrong order", "Both are right, but the noise comes first: look at the order of "
             "what you hand back.", _turned(lambda x, v, s, n: (n * x + s * v, s * x - n * v))),
        Slip("a root forgotten in the noise", "The picture is right, the noise is divided by a share: look at what "
             "stands below the line.", _turned(lambda x, v, s, n: (s * x - n * v, (x - s * (s * x - n * v)) / n**2))),
        Slip("v is taken for the noise", "v is a mix of noise and picture: look at what you do with it before you use "
             "it as eps.", _turned(lambda x, v, s, n: ((x - n * v) / s, v))),
        Slip("v is taken for the picture", "v is a mix of noise and picture: look at what you do with it before you "
             "use it as x0.", _turned(lambda x, v, s, n: (v, (x - s * v) / n))),
        Slip("v is taken for a difference", "eps - x0 is the flow of lesson 12, not v: here both parts are scaled by a "
             "root.", _turned(lambda x, v, s, n: ((x - n * v) / (s + n), (x + s * v) / (s + n)))),
    ),
)


# --- the broken clocks -------------------------------------------------------------------------------------------

CLOCK = Diagnoses(
    truth=PATIENTS,
    signs={
        "150 ahead": "A cloud of dust in the size of the moons, but without them: the network believes in "
                     "a little more noise than there is, so each step takes too little of it out, and dust stays.",
        "stands still at zero": "Some points sit on the moons' edges, others are thrown far out: where the network "
                                "believes that there is no noise, it hardly pulls from far away.",
        "counts steps": "Two thin wires along the moons, most points at their outer ends: from 39 to 0 all is nearly "
                        "clean to it, so it picks the nearest place at once, and the moons lose their thickness.",
        "stands still in the middle": "A thin bar across both moons: at half noise the best guess is a mean of both, "
                                      "and it is never asked a finer question.",
        "runs backwards": "A small shape inside of the moons, in the wrong place: at the end, where details are made, "
                          "it believes in pure static and pulls to the middle.",
    },
    right="All five. The network is the same healthy one each time: a denoiser is only as good as its clock.",
    hints=(
        "What does the network do when it is told that there is much noise? It guesses the mean of nearly everything. "
        "And when it is told that there is none? It leaves each point nearly where it is. Told of a little too much at "
        "every step, it still finds the middle of things, but each step takes too little noise out.",
        "The last steps decide where each point ends. Which clocks still say \"much noise\" there? Their clouds miss "
        "the moons: dust, a bar, or a shape that is too small.",
        "Two of the five say \"nearly no noise\" from the first step on. One of them has at least 39 different times "
        "to tell, the other has one.",
    ),
)

EXERCISES = {"loss": LOSS, "targets": TARGETS, "clock": CLOCK}


def _loss_values():
    """The package's loss for a network that guesses the same for every picture, and all that it is made of."""
    x0, eps, t = noise((2,), [1, 2, 3]).double(), noise((2,), [4, 5, 6]).double(), torch.tensor([10, 500, 900])
    guess = noise((2,), [7, 8, 9]).double()
    loss = Objective(cosine())(lambda x_t, t, condition: guess, x0, eps, t)
    return {"L": loss, "N": 6, r"\hat\epsilon_*": list(guess.flatten()), r"\epsilon_*": list(eps.flatten())}


def _place_values():
    points = torch.tensor([[0.9, -0.3], [-0.6, 0.7], [0.1, 0.2]])
    model, x_t = Exact(points.numpy()), torch.tensor([[0.2, 0.3]], dtype=torch.float64)
    return {"x_*": list(points.double()), "w_*": list(model.weights(x_t, 0.36)[0]), "N": 3,
            "g": torch.tensor([0.4, -0.2]), r"\hat x_0": model.guess(x_t, 0.36)[0]}


def _v_values():
    x0, eps = noise((5,), 1).double(), noise((5,), 2).double()
    x_t, v = add_noise(x0, 0.36, eps), target_of(x0, eps, 0.36, "v")
    back, found = from_v(x_t, v, 0.36)
    return {"v": v, "x_0": x0, r"\epsilon": eps, "x_t": x_t, r"\bar\alpha_t": 0.36, r"\hat x_0": back, r"\hat v": v,
            r"\hat\epsilon": found}


FORMULAS = {"loss": _loss_values, "loss_at_a_place": _place_values, "velocity": _v_values}

SYMBOLS = {
    "L": (r"(?<![_\w\\])L(?!\w)", r"loss"),
    "g": (r"(?<![_\w\\])g(?!\w)", r"any other guess|any guess"),
    "v": (r"(?<![_\w\\])v(?!\w)", r"velocity"),
}
