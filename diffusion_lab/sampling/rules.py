"""The rules: from x_t and a guess of its noise to the next x. A learner writes the first one, `ddim_step`."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import LabError
from ..mixing import add_noise, predicted_eps, predicted_x0
from ..noising import fresh_like
from ..protocol import Rule
from ..recipe import as_eta, shortened


def ddim_step(x_t: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_next: float) -> Tensor:
    """Guess the picture, then put the same noise back, a little less of it.

    x_next = sqrt(alpha_bar_next) x0 + sqrt(1 - alpha_bar_next) eps, with x0 the guess of the clean picture (Song,
    Meng and Ermon, "Denoising Diffusion Implicit Models", 2020, equation 12 with sigma = 0). All tensors (B, ...).
    """
    x0 = predicted_x0(x_t, eps, alpha_bar)
    return add_noise(x0, alpha_bar_next, eps)


def ancestral(source: torch.Generator | Sequence[torch.Generator], eta: float = 1.0) -> Rule:
    """The rule that shakes: part of the noise it puts back is fresh (DDIM, equations 12 and 16).

    sigma = eta sqrt((1 - alpha_bar_next) / (1 - alpha_bar)) sqrt(1 - alpha_bar / alpha_bar_next)
    x_next = sqrt(alpha_bar_next) x0 + sqrt(1 - alpha_bar_next - sigma^2) eps + sigma z

    Arguments: `source`, one generator for each picture; `eta` from 0 (DDIM) to 1 (DDPM with its smaller variance).
    Raises LabError for another eta; the rule does where generators and pictures are not as many.
    """
    sources = [source] if isinstance(source, torch.Generator) else source
    if not isinstance(sources, Sequence) or not all(isinstance(one, torch.Generator) for one in sources):
        raise LabError(f"a random generator for each picture was expected; {shortened(source)} came; make them with "
                       "noising.generators(seeds), one seed a picture")
    eta = as_eta(eta)

    def rule(x_t: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_next: float) -> Tensor:
        falls = alpha_bar < alpha_bar_next  # else there is no noise to be made anew
        share = (1 - alpha_bar_next) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_next) if falls else 0.0
        sigma = eta * share**0.5
        x0 = predicted_x0(x_t, eps, alpha_bar)
        kept = max(1 - alpha_bar_next - sigma**2, 0.0) ** 0.5
        mean = alpha_bar_next**0.5 * x0 + kept * eps
        return mean + sigma * fresh_like(x_t, sources) if sigma > 0 else mean

    return rule


def dpmpp_2m(final: float = 1.0) -> Rule:
    """A rule that remembers one step: DPM-Solver++ (2M) (Lu et al., "DPM-Solver++", 2022, algorithm 2).

    With lambda = log(sqrt(alpha_bar) / sqrt(1 - alpha_bar)), h = lambda_next - lambda and r = h_before / h:
    D = (1 + 1 / 2r) x0 - (1 / 2r) x0_before,  x_next = (sigma_next / sigma) x_t - sqrt(alpha_bar_next) (e^-h - 1) D,
    which is the step of DDIM with D in place of the guess: a guess that looks ahead. The first step of a path and the
    last one, to `final` (the schedule's own), use D = x0. A path that begins elsewhere than the last one stopped is a
    new one: nothing of another path is remembered.
    """
    before: list[tuple[Tensor, float, float]] = []

    def rule(x_t: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_next: float) -> Tensor:
        x0 = predicted_x0(x_t, eps, alpha_bar)
        x0_before, h_before, reached = before.pop() if before else (x0, 1.0, alpha_bar)
        if alpha_bar_next >= final or alpha_bar == 1:
            return ddim_step(x_t, eps, alpha_bar, alpha_bar_next)
        h = _log_snr(alpha_bar_next) - _log_snr(alpha_bar)
        before.append((x0, h, alpha_bar_next))
        D = x0 + (x0 - x0_before) * h / (2 * h_before) if reached == alpha_bar else x0
        return add_noise(D, alpha_bar_next, predicted_eps(x_t, D, alpha_bar))

    return rule


def _log_snr(alpha_bar: float) -> float:
    return 0.5 * math.log(alpha_bar / (1 - alpha_bar))
