"""A guess is a blur. How does a blur become a sharp picture?"""

import math

import torch
from torch import Tensor

from ...mixing import add_noise, predicted_x0
from ...noising import noise
from ...sampling import ancestral, ddim_step
from ..checks.exercises import Code, Diagnoses, Slip
from .clinic import PATIENTS


def ancestral_parts(x_t: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_next: float,
                    eta: float) -> tuple[Tensor, float]:
    """The two parts of a shaken step, x_next = mean + sigma z (DDIM, equations 12 and 16).

    sigma = eta sqrt((1 - alpha_bar_next) / (1 - alpha_bar)) sqrt(1 - alpha_bar / alpha_bar_next) and
    mean = sqrt(alpha_bar_next) x0 + sqrt(1 - alpha_bar_next - sigma^2) eps; returns (mean (B, ...), sigma).
    """
    sigma = eta * ((1 - alpha_bar_next) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_next)) ** 0.5
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * eps) / alpha_bar**0.5
    mean = alpha_bar_next**0.5 * x0 + (1 - alpha_bar_next - sigma**2) ** 0.5 * eps
    return mean, sigma


def _steps() -> list[tuple]:
    x_t, eps = noise((3, 4, 4), [51, 52]), noise((3, 4, 4), [53, 54])
    return [(x_t, eps, *bars) for bars in ((0.07, 0.31), (0.45, 0.8), (0.9, 1.0))]


def _shaken() -> list[tuple]:
    x_t, eps = noise((3, 4, 4), [61, 62]), noise((3, 4, 4), [63, 64])
    return [(x_t, eps, *rest) for rest in ((0.07, 0.31, 1.0), (0.45, 0.8, 0.5), (0.3, 0.6, 0.0), (0.9, 1.0, 1.0))]


def _mixed(x0, eps, b) -> Tensor:
    return b**0.5 * x0 + (1 - b) ** 0.5 * eps


def _by_velocity(x_t, eps, a, b):
    """Rotate by an angle: x_t and its velocity span the plane of x0 and eps."""
    here, there = math.acos(a**0.5), math.acos(b**0.5)
    x0 = (x_t - math.sin(here) * eps) / math.cos(here)
    v = math.cos(here) * eps - math.sin(here) * x0
    turn = there - here
    return math.cos(turn) * x_t + math.sin(turn) * v


def _by_ratio(x_t, eps, a, b):
    scale = math.sqrt(b / a)
    return torch.add(x_t * scale, eps, alpha=math.sqrt(1 - b) - scale * math.sqrt(1 - a))


DDIM = Code(
    call="ddim_step(x_t, eps, alpha_bar, alpha_bar_next)",
    reference=ddim_step,
    source=(ddim_step, predicted_x0, add_noise),
    also_right=(_by_velocity, _by_ratio),
    cases=_steps,
    table={"alpha_bar": 0.36, "alpha_bar_next": 0.64},
    right="This is the step of DDIM. In lesson 08 the very same function draws with Stable Diffusion.",
    hints=(
        "Two beats: guess the clean picture, then mix it again, at a level with a little less noise. The first beat "
        "uses only alpha_bar, the second only alpha_bar_next.",
        "First beat: take lesson 01's formula for x_t and solve it for x0. What do you subtract, and what do you "
        "divide by?",
        "Second beat: lesson 01's formula once more, with your x0, the same eps, and alpha_bar_next. Test: at "
        "alpha_bar_next = 1 you must get x0, at alpha_bar_next = alpha_bar you must get x_t back.",
    ),
    slips=(
        Slip("jumps to the end", "The result is the guess itself, at every step. Look at the second beat: how much "
             "noise should be left at alpha_bar_next?", lambda x, e, a, b: predicted_x0(x, e, a)),
        Slip("stays where it is", "The result is x_t again: look at which alpha_bar the second beat mixes with.",
             lambda x, e, a, b: x + 0 * e),
        Slip("the two levels changed places", "alpha_bar is where you are, alpha_bar_next is where you go: look at "
             "which of them finds x0.", lambda x, e, a, b: _mixed(predicted_x0(x, e, b), e, a)),
        Slip("no square roots in the guess", "The first beat uses the shares of variance as they stand: look at lesson "
             "01's formula.", lambda x, e, a, b: _mixed((x - (1 - a) * e) / a, e, b)),
        Slip("no square root in the guess", "Too little noise is taken out of x_t: look at what stands before eps in "
             "the first beat.", lambda x, e, a, b: _mixed((x - (1 - a) * e) / a**0.5, e, b)),
        Slip("divided by the whole share", "The guess comes out too strong: look at what you divide by in the first "
             "beat.", lambda x, e, a, b: _mixed((x - (1 - a) ** 0.5 * e) / a, e, b)),
        Slip("not scaled up", "The guess stays as faint as the picture is in x_t: look for the division that is "
             "missing in the first beat.", lambda x, e, a, b: _mixed(x - (1 - a) ** 0.5 * e, e, b)),
        Slip("noise added to the guess", "The noise is put in a second time instead of being taken out: look at the "
             "sign in the first beat.", lambda x, e, a, b: _mixed((x + (1 - a) ** 0.5 * e) / a**0.5, e, b)),
        Slip("no square roots in the mix", "The second beat uses the shares of variance as they stand: look at lesson "
             "01's formula.", lambda x, e, a, b: b * predicted_x0(x, e, a) + (1 - b) * e),
        Slip("no noise put back", "A faded guess comes back without noise, but the model expects noise at the next "
             "level: look at the second beat.", lambda x, e, a, b: b**0.5 * predicted_x0(x, e, a)),
        Slip("fresh noise put back", "New static is mixed in instead of the eps that was found, so the path jumps "
             "about: look for a random call.",
             lambda x, e, a, b: _mixed(predicted_x0(x, e, a), torch.randn_like(e), b)),
        Slip("all of the noise is kept", "The noise stays as strong as it was: look at which alpha_bar stands beside "
             "eps in the second beat.",
             lambda x, e, a, b: b**0.5 * predicted_x0(x, e, a) + (1 - a) ** 0.5 * e),
        Slip("noise put back with its sign turned", "The eps you put back is the opposite of the one you took out: "
             "look at the sign in the second beat.",
             lambda x, e, a, b: b**0.5 * predicted_x0(x, e, a) - (1 - b) ** 0.5 * e),
        Slip("alpha for alpha_bar", "The guess uses the share that one step keeps, where the share that all steps "
             "have kept belongs: look for a ratio of the two.",
             lambda x, e, a, b: _mixed((x - (1 - a / b) ** 0.5 * e) / (a / b) ** 0.5, e, b)),
        Slip("the guess is clipped", "Values beyond -1 and 1 are cut off. Some samplers do that on purpose; this step "
             "does not: look for clamp or clip.",
             lambda x, e, a, b: _mixed(predicted_x0(x, e, a).clamp(-1, 1), e, b)),
    ),
)


def _sigma(a: float, b: float, eta: float) -> float:
    return eta * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5


def _parts(sigma=_sigma, kept=lambda b, s: (1 - b - s**2), said=lambda s: s):
    """The two parts with one of their pieces exchanged: how slips are made."""
    def parts(x, e, a, b, eta):
        s = sigma(a, b, eta)
        return b**0.5 * predicted_x0(x, e, a) + max(kept(b, s), 0.0) ** 0.5 * e, said(s)

    return parts


def _by_ddpm(x_t, eps, a, b, eta):
    """DDPM's posterior, equation 7, where eta is 1; DDIM's own form elsewhere."""
    beta = 1 - a / b
    variance = eta**2 * (1 - b) / (1 - a) * beta
    x0 = (x_t - math.sqrt(1 - a) * eps) / math.sqrt(a)
    if eta == 1:
        mean = (math.sqrt(b) * beta * x0 + math.sqrt(a / b) * (1 - b) * x_t) / (1 - a)
    else:
        mean = math.sqrt(b) * x0 + math.sqrt(1 - b - variance) * eps
    return mean, math.sqrt(variance)


def _by_tensors(x_t, eps, a, b, eta):
    a, b, eta = (torch.tensor(v, dtype=torch.float64) for v in (a, b, eta))
    sigma = eta * ((1 - b) / (1 - a)).sqrt() * (1 - a / b).sqrt()
    kept = (1 - b - sigma.square()).clamp(min=0).sqrt()
    return [_by_ratio(x_t, eps, a, b) + (kept - (1 - b).sqrt()).float() * eps, sigma]


ANCESTRAL = Code(
    call="ancestral_parts(x_t, eps, alpha_bar, alpha_bar_next, eta)",
    reference=ancestral_parts,
    source=(ancestral_parts,),
    also_right=(_by_ddpm, _by_tensors),
    cases=_shaken,
    right="With eta = 0 this is your DDIM step, with eta = 1 it is DDPM: one knob between the two.",
    hints=(
        "Start from your DDIM step. A shaken step puts back exactly as much noise as a DDIM step does, but a part of "
        "it is fresh. What is fresh cannot be old as well.",
        "Sizes of independent noises add up in squares: (old noise) squared + sigma squared = 1 - alpha_bar_next. So "
        "first compute sigma from the formula of the lesson, then what is left for eps.",
        "`sigma` first, then the same x0 as in ddim_step, then a mean that is ddim_step's result with a smaller factor "
        "at eps; give back both. At eta = 0 the mean must equal ddim_step, at alpha_bar_next = 1 sigma must be 0.",
    ),
    slips=(
        Slip("variance for sigma", "The second part is sigma squared; the noise is multiplied by sigma itself: look "
             "for a root that is missing.", _parts(said=lambda s: s**2)),
        Slip("no square roots in sigma", "The two fractions are shares of variance, and sigma is a size: look for the "
             "roots in the lesson's formula.",
             _parts(sigma=lambda a, b, eta: eta * (1 - b) / (1 - a) * (1 - a / b))),
        Slip("the noisy picture for the guess", "The mean begins with x_t, where the guess of the picture belongs: "
             "look for the first beat.",
             lambda x, e, a, b, eta: (b**0.5 * x + (1 - b - _sigma(a, b, eta) ** 2) ** 0.5 * e, _sigma(a, b, eta))),
        Slip("sizes subtracted, not squares", "sigma is taken from the size of the old noise, and sizes add up in "
             "squares: what is left out belongs under the root, as a square.",
             lambda x, e, a, b, eta: (b**0.5 * predicted_x0(x, e, a) + ((1 - b) ** 0.5 - _sigma(a, b, eta)) * e,
                                      _sigma(a, b, eta))),
        Slip("eta is ignored", "The shaking is the same for every eta: look at where eta enters.",
             _parts(sigma=lambda a, b, eta: _sigma(a, b, 1.0))),
        Slip("eta under the root", "eta = 0.5 shakes more than half as much: look at whether eta stands inside or "
             "outside of the root.", _parts(sigma=lambda a, b, eta: eta**0.5 * _sigma(a, b, 1.0))),
        Slip("the larger variance", "A factor is missing in sigma: what you have ends with noise in the picture. At "
             "alpha_bar_next = 1 sigma must be 0.", _parts(sigma=lambda a, b, eta: eta * (1 - a / b) ** 0.5)),
        Slip("shaken on top", "All of the old noise is kept and fresh noise comes on top, so every step adds noise: "
             "look at the factor of eps.", _parts(kept=lambda b, s: 1 - b)),
        Slip("sigma is not squared in the mean", "The old noise is reduced by sigma where its square belongs: look "
             "under the root in the mean.", _parts(kept=lambda b, s: 1 - b - s)),
        Slip("noise left out", "The old noise is reduced to make room, but then sigma is 0 and nothing fills it. The "
             "path loses noise that the model counts on: look at the second part.", _parts(said=lambda s: 0.0)),
        Slip("no old noise at all", "All of the noise is to be fresh, but eta asks only for a part: look for the term "
             "with eps in the mean.", _parts(kept=lambda b, s: 0.0)),
        Slip("a ratio upside down", "One of the fractions in sigma is turned over: at the last step sigma must be 0, "
             "not large.", _parts(sigma=lambda a, b, eta: eta * ((1 - a) / (1 - b + 1e-3) * (1 - a / b)) ** 0.5)),
        Slip("the step's own share is missing", "sigma has the ratio of the noises, but not how much this very step "
             "changes: look at the second factor.",
             _parts(sigma=lambda a, b, eta: eta * ((1 - b) / (1 - a)) ** 0.5)),
        Slip("half the mean of DDPM", "The mean scales x_t up and subtracts all of the guessed noise, but puts no eps "
             "back: look at what is left under the root.",
             lambda x, e, a, b, eta: ((b / a) ** 0.5 * (x - (1 - a) ** 0.5 * e) + (1 - b) * e, _sigma(a, b, eta))),
    ),
)

SIGNS = {
    "timesteps ascending":
        "The first guess already is a mess of blue and white, for static is taken for a nearly finished picture. What "
        "the network sees burns to full colours and never clears up.",
    "noise left out":
        "What the network sees is smooth and grey after a few steps, without any static in it, where the healthy one "
        "still sees dots. The star comes out clean all the same.",
    "clipped to 0 and 1":
        "Every guess but the last is a good star, and what the network sees gets paler and paler: the result is washed "
        "out, since all that is darker than middle grey is lost.",
    "noise in the last step":
        "The guess is a perfect star up to the last step but one, and then static lies over the result.",
    "wrong sign":
        "The first guess is the healthy one; with the first step what the network sees burns to full colours and stays "
        "so to the end.",
    "guidance on the wrong side":
        "A clean picture of anything but the prompt: the push goes away from it, from the first guess on.",
    "stepped twice":
        "What the network sees is nearly clean about half-way, where the healthy one still has static, and the last "
        "steps have nothing left to do. The star comes out clean all the same.",
    "alpha for alpha_bar":
        "The first guess is healthy, then what the network sees burns, and a dark ghost comes out where the picture "
        "should be: next to no noise is taken out in any step.",
    "wrong variance":
        "What the network sees is grainier than the healthy one at every step, most of all near the end. The star "
        "comes out clean all the same.",
    "step number for t":
        "The first half of all guesses is burnt colours, in the second half a star clears up, and in the last steps "
        "parts of it turn to other colours.",
}

CLINIC = Diagnoses(
    truth=PATIENTS,
    signs=SIGNS,
    right="All of them are found. Each of these bugs has been taught somewhere, and each leaves its own mark.",
    hints=(
        "Sort them first: which end in static or mud, which in a picture with a flaw, which in a clean picture of the "
        "wrong thing, and which in a clean blue star?",
        "Those who end well are told apart on the way: watch the noisy picture, what the network sees. Is it as "
        "grainy as the healthy one at the same step, less so, or more?",
        "Those who end in static: look at the first guess and at the last one. Is it wrong from the start, from the "
        "first step on, or in the very last step only?",
    ),
)

EXERCISES = {"ddim": DDIM, "ancestral": ANCESTRAL, "clinic": CLINIC}


def _ddim_values():
    from . import lesson_02  # only here, so that a change of that lesson is none of this one

    return lesson_02.FORMULAS["ddim"]()


def _shaken_values():
    """Mean and sigma of the package's rule, measured from two draws whose noise is known."""
    x_t, eps = noise((1, 5), [1, 2]).double()
    eta = 0.6
    x_s, other = (ancestral(torch.Generator().manual_seed(k), eta)(x_t, eps, 0.36, 0.81)[0] for k in (5, 6))
    z, z_other = (torch.randn(5, generator=torch.Generator().manual_seed(k)).double() for k in (5, 6))
    sigma = float(((x_s - other) / (z - z_other)).mean())
    return {**_ddim_values(), r"\sigma": sigma, r"\eta": eta, r"\mu": x_s - sigma * z}


FORMULAS = {"x0_from_eps": _ddim_values, "ddim": _ddim_values,
            "ancestral_sigma": _shaken_values, "ancestral_mean": _shaken_values}

SYMBOLS = {
    "sigma": (r"\\sigma|\bsigma\b", r"sigma"),
    "eta": (r"\\eta|\beta\b", r"\beta\b"),
    "mu": (r"\\mu", r"mean|mu\b|what is left|without the shake"),
}
