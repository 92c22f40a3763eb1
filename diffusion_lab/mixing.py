"""x_t, x0, eps, v and u from one another: the only place of these formulas.

A noisy sample is a mix of two things, and whoever knows the mix and one of them knows the other:
x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps. Everywhere below `x0`, `eps` and `x_t` are (B, ...), and
`alpha_bar`, the share of signal, is one number in [0, 1] or a tensor that broadcasts against them, (B, 1, ...).
"""

from numbers import Real

from torch import Tensor

from .errors import LabError

TARGETS = ("eps", "x0", "v", "u")  # what a network may be asked for
ALIKE = "draw it with torch.randn_like(x0)"
GUESS = "it needs one value for each value of x_t"


def add_noise(x0: Tensor, alpha_bar: float, eps: Tensor) -> Tensor:
    """Jump to any noise level: x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps (DDPM, equation 4).

    Arguments: `x0` (B, ...) clean, in [-1, 1] for pixels; `alpha_bar` in [0, 1]; `eps` standard normal, shaped like
    `x0`. Returns x_t, the same shape. Raises LabError where the shapes differ or alpha_bar is no share.
    """
    check_alike(x0, eps, "the noise", "the picture", ALIKE)
    _check_share(alpha_bar, x0)
    return alpha_bar**0.5 * x0 + (1 - alpha_bar) ** 0.5 * eps


def check_alike(x: Tensor, other: Tensor, what: str, like: str, advice: str) -> None:
    """Raises LabError unless `other` is a tensor of the shape of x: torch would stretch one of them without a word.
    `what` it is, what x is (`like`) and the `advice` are told."""
    shapes = [tuple(each.shape) if isinstance(each, Tensor) else type(each).__name__ for each in (x, other)]
    if shapes[0] != shapes[1] or isinstance(shapes[0], str):
        raise LabError(f"{what} has the shape of {like}, {shapes[0]}; {shapes[1]} came; {advice}")


def _check_share(alpha_bar: float, x: Tensor, never: float | None = None) -> None:
    """Raises LabError unless this is a number from 0 to 1 other than `never`, by which nothing can be divided, or a
    tensor that has one for each picture of x, (B, 1, ...), and is taken as it comes."""
    shape = tuple(getattr(alpha_bar, "shape", ()))
    if shape and not (len(shape) == x.ndim and all(a in (1, b) for a, b in zip(shape, x.shape, strict=True))):
        raise LabError(f"alpha_bar is one number, or one for each of the samples {tuple(x.shape)}, (B, 1, ...); "
                       f"{shape} came; give it as many dimensions, with view(-1, 1, ...)")
    number = isinstance(alpha_bar, Real) or hasattr(alpha_bar, "shape")
    if not (shape or number and 0 <= alpha_bar <= 1 and alpha_bar != never):
        but = "" if never is None else f", and not {never}"
        raise LabError(f"alpha_bar is a share of signal from 0 to 1{but}; {alpha_bar!r} came; take it from a Schedule")


def predicted_x0(x_t: Tensor, eps: Tensor, alpha_bar: float) -> Tensor:
    """The guess of the clean picture: x0 = (x_t - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar) (DDPM, equation 15).

    Raises LabError where the shapes differ, and where alpha_bar is no share above 0.
    """
    check_alike(x_t, eps, "the noise", "x_t", GUESS)
    _check_share(alpha_bar, x_t, never=0)
    return (x_t - (1 - alpha_bar) ** 0.5 * eps) / alpha_bar**0.5


def predicted_eps(x_t: Tensor, x0: Tensor, alpha_bar: float) -> Tensor:
    """The noise that is left when the picture is taken out: eps = (x_t - sqrt(alpha_bar) x0) / sqrt(1 - alpha_bar)
    (Song, Meng and Ermon, "Denoising Diffusion Implicit Models", 2020, equation 9, solved for eps).

    Raises LabError where the shapes differ, and where alpha_bar is no share below 1.
    """
    check_alike(x_t, x0, "the picture", "x_t", GUESS)
    _check_share(alpha_bar, x_t, never=1)
    return (x_t - alpha_bar**0.5 * x0) / (1 - alpha_bar) ** 0.5


def target_of(x0: Tensor, eps: Tensor, alpha_bar: float, target: str) -> Tensor:
    """What a network is asked for: the noise "eps", the picture "x0", the velocity "v" or the flow "u".

    v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0, how x_t moves while the angle acos(sqrt(alpha_bar)) grows
    (Salimans and Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", 2022, section 4 and appendix D);
    u = eps - x0, how the straight path (1 - s) x0 + s eps moves (Liu, Gong and Liu, "Flow Straight and Fast", 2022,
    equation 1, time running from picture to noise). Raises LabError for any other `target`, and as `add_noise` does.
    """
    _check_target(target)
    check_alike(x0, eps, "the noise", "the picture", ALIKE)
    _check_share(alpha_bar, x0)
    if target == "v":
        return alpha_bar**0.5 * eps - (1 - alpha_bar) ** 0.5 * x0
    return {"eps": eps, "x0": x0, "u": eps - x0}[target]


def eps_of(prediction: Tensor, x_t: Tensor, alpha_bar: float, target: str) -> Tensor:
    """The noise in x_t according to a network's `prediction` of `target`, the inverse of `target_of`.

    From v: eps = sqrt(alpha_bar) v + sqrt(1 - alpha_bar) x_t; from u: eps = (x_t + sqrt(alpha_bar) u) /
    (sqrt(alpha_bar) + sqrt(1 - alpha_bar)); from x0 as in `predicted_eps`. Raises LabError for any other `target`, and
    where the shapes differ.
    """
    _check_target(target)
    check_alike(x_t, prediction, f"a guess of {target}", "x_t", GUESS)
    _check_share(alpha_bar, x_t)
    if target == "x0":
        return predicted_eps(x_t, prediction, alpha_bar)
    if target == "v":
        return alpha_bar**0.5 * prediction + (1 - alpha_bar) ** 0.5 * x_t
    if target == "u":
        return (x_t + alpha_bar**0.5 * prediction) / (alpha_bar**0.5 + (1 - alpha_bar) ** 0.5)
    return prediction


def _check_target(target: str) -> None:
    if target not in TARGETS:
        raise LabError(f"a network predicts one of {', '.join(TARGETS)}; {target!r} came; choose one of these")
