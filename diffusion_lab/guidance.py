"""How a prompt steers: classifier-free guidance, a guess with the prompt pushed away from one without it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .errors import LabError
from .protocol import Guess, Model, Predict, check_model, one_each
from .recipe import as_asked, as_interval, as_scale, as_text, told


def guide(eps_uncond: Tensor, eps_cond: Tensor, guidance_scale: float) -> Tensor:
    """Classifier-free guidance: eps = eps_uncond + w (eps_cond - eps_uncond).

    Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022, equation 6 with w = 1 + their w, as diffusers counts:
    w = 0 ignores the prompt, 1 is the plain conditional guess, above 1 goes past it. Shapes (B, ...) throughout.
    """
    return eps_uncond + guidance_scale * (eps_cond - eps_uncond)


def guides(t: float, guidance_scale: float, guidance_interval: Sequence[float] | None = None) -> bool:
    """Whether guidance changes the guess at timestep t: w is not 1, and t lies in the interval (None: everywhere).

    w(t) = w for low <= t <= high, and 1 outside: Kynkäänniemi et al., "Applying Guidance in a Limited Interval Improves
    Sample and Distribution Quality in Diffusion Models", 2024, section 3, who count in sigma where we count in t.
    """
    low, high = (t, t) if guidance_interval is None else guidance_interval
    return guidance_scale != 1 and low <= t <= high


def check_interval(guidance_interval: Sequence[float] | None, timesteps: Sequence[float]) -> None:
    """Raises LabError for an interval with none of a path's timesteps in it: guidance would never act."""
    if guidance_interval is not None and not any(guides(t, 0, guidance_interval) for t in timesteps):
        low, high = guidance_interval
        raise LabError(f"an interval that holds one or more of the path's timesteps was expected; {low:g} to {high:g} "
                       f"came, and the path asks at t = {told(round(t) for t in timesteps)}; make the interval wider")


def guided(model: Model, prompt: str | Sequence[str], negative_prompt: str = "", guidance_scale: float | None = None,
           guidance_interval: Sequence[float] | None = None) -> Predict:
    """A function predict(x_t, t) -> Guess that asks the model twice in one batch and guides.

    Arguments: `model` with condition() and predict_noise(); `prompt`, one for all pictures or one for each;
    `negative_prompt`, what the guess is pushed away from ("" is the empty prompt); `guidance_scale` w (the model's
    own if left out); `guidance_interval` (low, high) in t, beyond which w is 1 (everywhere the same if left out). With
    w = 1 the model is asked once and there is no eps_uncond.
    """
    check_model(model)
    scale = as_scale(model.guidance_scale if guidance_scale is None else guidance_scale)
    interval = None if guidance_interval is None else as_interval(guidance_interval)
    away = as_text(negative_prompt, "a negative prompt")
    with torch.no_grad():
        cond, uncond = model.condition(as_asked(prompt)), model.condition([away])

    def predict(x_t: Tensor, t: int) -> Guess:
        B = len(x_t)
        if not guides(t, scale, interval):
            return Guess(model.predict_noise(x_t, t, one_each(cond, B)))
        both = torch.cat([one_each(uncond, B), one_each(cond, B)])                        # (2 B, ...)
        eps_uncond, eps_cond = model.predict_noise(torch.cat([x_t, x_t]), t, both).chunk(2)
        return Guess(guide(eps_uncond, eps_cond, scale), eps_uncond)

    return predict
