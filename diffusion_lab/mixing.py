"""x_t, x0, eps, v and u from one another: the only place of these formulas.

A noisy sample is a mix of two things, and whoever knows the mix and one of them knows the other:
x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps. Everywhere below `x0`, `eps` and `x_t` are (B, ...), and
`alpha_bar`, the share of signal, is one number in [0, 1] or a tensor that broadcasts against them, (B, 1, ...).
"""

from numbers import Real

from torch import Tensor

from .errors import LabError

TARGETS = ("eps", "x0", "v", "u")  # what a network may be asked for


def add_noise(x0: Tensor, alpha_bar: float, eps: Tensor) -> Tensor:
    """Jump to any noise level: x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps (DDPM, equation 4).

    Arguments: `x0` (B, ...) clean, in [-1, 1] for pixels; `alpha_bar` in [0, 1]; `eps` standard normal, shaped like
    `x0`. Returns x_t, the same shape. Raises LabError where the shapes differ or alpha_bar is no share.
    """
    shapes = [getattr(each, "shape", None) for each in (x0, eps)]
    if None in shapes or shapes[0] != shapes[1]:
        told = [type(each).__name__ if shape is None else tuple(shape)
                for each, shape in zip((x0, eps), shapes, strict=True)]  # fmt: skip
        raise LabError(f"the noise has the shape of the picture, {told[0]}; {told[1]} came; "
                       "draw it with torch.randn_like(x0)")
    _check_share(alpha_bar)
    return alpha_bar**0.5 * x0 + (1 - alpha_bar) ** 0.5 * eps


def _check_share(alpha_bar: float) -> None:
    """Raises LabError unless this is a number from 0 to 1; a tensor of one share for each picture is taken as it
    comes."""
    one = isinstance(alpha_bar, Real) or getattr(alpha_bar, "ndim", None) == 0
    if not (0 <= alpha_bar <= 1 if one else getattr(alpha_bar, "ndim", 0)):
        raise LabError(f"alpha_bar is a share of signal from 0 to 1; {alpha_bar!r} came; take it from a Schedule")


def predicted_x0(x_t: Tensor, eps: Tensor, alpha_bar: float) -> Tensor:
    """The guess of the clean picture: x0 = (x_t - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar) (DDPM, equation 15)."""
    _check_share(alpha_bar)
    return (x_t - (1 - alpha_bar) ** 0.5 * eps) / alpha_bar**0.5


def predicted_eps(x_t: Tensor, x0: Tensor, alpha_bar: float) -> Tensor:
    """The noise that is left when the picture is taken out: eps = (x_t - sqrt(alpha_bar) x0) / sqrt(1 - alpha_bar)
    (Song, Meng and Ermon, "Denoising Diffusion Implicit Models", 2020, equation 9, solved for eps)."""
    _check_share(alpha_bar)
    return (x_t - alpha_bar**0.5 * x0) / (1 - alpha_bar) ** 0.5


def target_of(x0: Tensor, eps: Tensor, alpha_bar: float, target: str) -> Tensor:
    """What a network is asked for: the noise "eps", the picture "x0", the velocity "v" or the flow "u".

    v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0, how x_t moves while the angle acos(sqrt(alpha_bar)) grows
    (Salimans and Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", 2022, section 4 and appendix D);
    u = eps - x0, how the straight path (1 - s) x0 + s eps moves (Liu, Gong and Liu, "Flow Straight and Fast", 2022,
    equation 1, time running from picture to noise). Raises LabError for any other `target`.
    """
    if target not in TARGETS:
        raise LabError(f"a network predicts one of {', '.join(TARGETS)}; {target!r} came; choose one of these")
    if target == "v":
        return alpha_bar**0.5 * eps - (1 - alpha_bar) ** 0.5 * x0
    return {"eps": eps, "x0": x0, "u": eps - x0}[target]


def eps_of(prediction: Tensor, x_t: Tensor, alpha_bar: float, target: str) -> Tensor:
    """The noise in x_t according to a network's `prediction` of `target`, the inverse of `target_of`.

    From v: eps = sqrt(alpha_bar) v + sqrt(1 - alpha_bar) x_t; from u: eps = (x_t + sqrt(alpha_bar) u) /
    (sqrt(alpha_bar) + sqrt(1 - alpha_bar)); from x0 as in `predicted_eps`. Raises LabError for any other `target`.
    """
    if target == "eps":
        return prediction
    if target == "x0":
        return predicted_eps(x_t, prediction, alpha_bar)
    if target == "v":
        return alpha_bar**0.5 * prediction + (1 - alpha_bar) ** 0.5 * x_t
    if target == "u":
        return (x_t + alpha_bar**0.5 * prediction) / (alpha_bar**0.5 + (1 - alpha_bar) ** 0.5)
    raise LabError(f"a network predicts one of {', '.join(TARGETS)}; {target!r} came; choose one of these")
