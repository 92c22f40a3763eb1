"""How a prompt steers: classifier-free guidance, a guess with the prompt pushed away from one without it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .errors import LabError
from .protocol import Guess, Model, Predict, one_each
from .recipe import as_asked, as_scale, as_text, shortened


def guide(eps_uncond: Tensor, eps_cond: Tensor, guidance_scale: float) -> Tensor:
    """Classifier-free guidance: eps = eps_uncond + w (eps_cond - eps_uncond).

    Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022, equation 6 with w = 1 + their w, as diffusers counts:
    w = 0 ignores the prompt, 1 is the plain conditional guess, above 1 goes past it. Shapes (B, ...) throughout.
    """
    return eps_uncond + guidance_scale * (eps_cond - eps_uncond)


def guided(model: Model, prompt: str | Sequence[str], negative_prompt: str = "",
           guidance_scale: float | None = None) -> Predict:
    """A function predict(x_t, t) -> Guess that asks the model twice in one batch and guides.

    Arguments: `model` with condition() and predict_noise(); `prompt`, one for all pictures or one for each;
    `negative_prompt`, what the guess is pushed away from ("" is the empty prompt); `guidance_scale` w (the model's
    own if left out). With w = 1 the model is asked once and there is no eps_uncond.
    """
    if not (hasattr(model, "condition") and hasattr(model, "predict_noise")):
        raise LabError(f"a model was expected; {shortened(model)} came; load one, as Toy.load('icons') does")
    scale = as_scale(model.guidance_scale if guidance_scale is None else guidance_scale)
    away = as_text(negative_prompt, "a negative prompt")
    with torch.no_grad():
        cond, uncond = model.condition(as_asked(prompt)), model.condition([away])

    def predict(x_t: Tensor, t: int) -> Guess:
        B = len(x_t)
        if scale == 1:
            return Guess(model.predict_noise(x_t, t, one_each(cond, B)))
        both = torch.cat([one_each(uncond, B), one_each(cond, B)])                        # (2 B, ...)
        eps_uncond, eps_cond = model.predict_noise(torch.cat([x_t, x_t]), t, both).chunk(2)
        return Guess(guide(eps_uncond, eps_cond, scale), eps_uncond)

    return predict
