"""Stable Diffusion behind the protocol that all models here share, with diffusers' own pipeline inside."""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..editing import Edit, check_edit
from ..errors import LabError
from ..guidance import check_interval, guide, guides
from ..noising import generators, randn
from ..places import Habits
from ..protocol import check_samples, one_each
from ..recipe import Recipe, as_asked, as_scale
from ..trajectory import Step, Steps, arrived
from . import pictures
from .loading.devices import memory_edge
from .loading.load import load
from .presets import PRESETS, compile_network
from .prompts import token_ids
from .schedulers import Scribe, eps_from, fresh, schedule_of, told
from .walk import Walk, set_timesteps


class StableDiffusion:
    """A Stable Diffusion: latents are its samples, a U-Net guesses their noise, a VAE turns them into pictures; and
    where its folder has one, a small decoder, `tiny_vae`, nearly the same pictures in less time (else None).

    `pipeline` is diffusers' own; `shape` (C, h, w) of one latent; `schedule`; and its `habits`: `name`; `n`,
    `guidance_scale` and `sampler`, what `steps` takes where nothing else is said; the preview `to_rgb`.
    """

    def __init__(self, pipeline, habits: Habits, tiny_vae=None):
        self.pipeline, self.tiny_vae, self.name, self._stated_to_rgb = pipeline, tiny_vae, habits.name, habits.to_rgb
        self.n, self.guidance_scale, self.sampler = habits.n, as_scale(habits.guidance_scale), habits.sampler
        self.schedule = schedule_of(pipeline.scheduler, self.name)
        width, height = pictures.picture_size(pipeline)
        factor = pipeline.vae_scale_factor
        self.shape = (pipeline.vae.config.latent_channels, height // factor, width // factor)

    @classmethod
    def load(cls, model: str | Path = "stable-diffusion-v1-5", *, device: str | None = None,
             dtype: torch.dtype | None = None, safety_checker: bool = False, revision: str = "main",
             say: Callable[[str], None] = print) -> "StableDiffusion":  # fmt: skip
        """The model in a folder of diffusers' standard layout, of a name in places.ROLES, or of an address on the hub.

        They are tried in this order (places.find_model). What lies on the hub is taken from the cache, or else
        downloaded; where that cannot be, or where a large model would run without a GPU, Tiny SD stands in. `say`
        hears of it in one line. `device` ("cuda", "mps", "cpu": insists) and `dtype` are chosen for this machine if
        left out. `safety_checker` hides pictures it takes for unsafe. A file diffusion_lab.json in a folder may name
        its own name, n, guidance_scale, sampler and to_rgb. Raises LabError for what is not a model.
        """
        return cls(*load(model, device, dtype, safety_checker, revision, say))

    def condition(self, prompts: Sequence[str]) -> Tensor:
        """What the U-Net reads of B prompts, (B, tokens, width); [""] is the empty prompt.

        Raises LabError for a word that the model does not know, and for a prompt longer than it reads.
        """
        text = self.pipeline.text_encoder
        longest = min(self.pipeline.tokenizer.model_max_length, text.config.max_position_embeddings)
        ids = token_ids(self.pipeline.tokenizer, as_asked(prompts), longest, self.name)     # (B, tokens)
        with torch.no_grad():
            return text(ids.to(self.device))[0]                                   # (B, tokens, width)

    @property
    def device(self) -> torch.device:
        """Where the pipeline computes (also where its parts wait elsewhere for their turn)."""
        return self.pipeline._execution_device

    @torch.no_grad()
    def predict_noise(self, x_t: Tensor, t: int, condition: Tensor) -> Tensor:
        """The guess of the noise in x_t (B, C, h, w) at timestep t, the same shape, also where the U-Net predicts v.

        `condition` (B, tokens, width) comes from `condition(prompts)`. Raises LabError for a t or a shape that does
        not fit.
        """
        alpha_bar = self.schedule.alpha_bar(t)
        self._check_latents(x_t)
        unet = self.pipeline.unet
        condition = one_each(condition, len(x_t), (None, unet.config.cross_attention_dim))
        x = x_t.to(self.device, unet.dtype)
        with memory_edge():
            guess = unet(x, t, encoder_hidden_states=condition.to(x), return_dict=False)[0]
        guess = guess.to(x_t, copy=True)  # a compiled U-Net writes its next answer into the same memory
        return eps_from(guess, x_t, alpha_bar, self.pipeline.scheduler.config.prediction_type)

    def steps(self, prompt: str | Sequence[str], *, n: int | None = None, guidance_scale: float | None = None,
              negative_prompt: str = "", seed: int | Sequence[int] = 0, sampler: str | None = None,
              edit: Edit | None = None, guidance_interval: Sequence[float] | None = None) -> Steps:  # fmt: skip
        """The reverse path from static to picture, one Step for each call of the U-Net, then the Step of arrival.

        Arguments: `prompt`, one or a list; `n` steps; `guidance_scale` w (with w = 1 the U-Net is asked once); what
        the guess is pushed away from, `negative_prompt`; `seed`, one or a list: the longer of prompts and seeds is
        the batch; `sampler`, a name in samplers.SAMPLERS or "own" for the folder's; `edit`, where a picture is to be
        changed instead, in latents; `guidance_interval` (low, high) in t, beyond which w is 1. On a CPU its latents
        are those of `pipeline(...)` bit for bit, its pictures those within one grey level. Raises LabError at once for
        what it cannot draw.
        """
        if edit is not None:
            check_edit(edit)
        scheduler = fresh(self.pipeline.scheduler, self.sampler if sampler is None else sampler)
        recipe = Recipe.of(self, prompt, seed, n=n, guidance_scale=guidance_scale, negative_prompt=negative_prompt,
                           guidance_interval=guidance_interval,
                           strength=1.0 if edit is None else edit.strength, **told(scheduler))  # fmt: skip
        set_timesteps(scheduler, recipe.n, self.device)
        condition = self.condition(recipe.prompt)                                 # (B, tokens, width)
        away = self.condition([recipe.negative_prompt] * len(condition)) if recipe.guidance_scale != 1 else None
        sources = generators(recipe.seed)
        walk = Walk(scheduler, randn(self.shape, sources).to(condition), sources)
        if edit is not None:
            edit = edit.within(self.shape)
            walk.edit(self.encode(edit.image), None if edit.mask is None else edit.on(self.shape), edit.strength)
        scribe = walk.scribe()
        check_interval(recipe.guidance_interval, scribe.ts)
        pushes = [guides(t, recipe.guidance_scale, recipe.guidance_interval) for t in scribe.ts]
        scales = [recipe.guidance_scale if pushed else 1 for pushed in pushes]
        preview = self.tiny_vae and functools.partial(self.decode, quick=True)
        return Steps(self._walked(walk, scribe, (away, condition), scales), recipe, self.to_rgb, self.decode, preview)

    @torch.no_grad()
    def _walked(self, walk: Walk, scribe: Scribe, conditions: tuple, scales: Sequence[float]) -> Iterator[Step]:
        """The pipeline's loop, opened: look, guess, guide (where the scale is not 1), step."""
        x, extras = walk.x, {}
        alone = conditions[1]                                                     # (B, tokens, width)
        both = alone if conditions[0] is None else torch.cat(conditions)          # (2 B, tokens, width)
        for i, (t, scale) in enumerate(zip(walk.timesteps, scales, strict=True)):
            heard = alone if scale == 1 else both
            seen = walk.scheduler.scale_model_input(torch.cat([x] * (len(heard) // len(x))), t)
            with memory_edge():
                guess = self.pipeline.unet(seen, t, encoder_hidden_states=heard, return_dict=False)[0]
            guess, uncond = guess.clone(), None  # as in predict_noise
            if scale != 1:
                uncond, cond = guess.chunk(2)                                     # (B, C, h, w) each
                guess = guide(uncond, cond, scale)
            yield scribe.step(i, seen[: len(x)], guess, uncond, **extras)
            x, extras = walk.move(i, x, guess)
        yield arrived(x.float(), extras)

    def encode(self, image: Image.Image | np.ndarray) -> Tensor:
        """The latent x0 (1, C, h, w) of a picture (PIL, or uint8 (H, W, 3)), cut to the model's size; float32, CPU."""
        return pictures.encode(self.pipeline, image)

    def decode(self, x0: Tensor, quick: bool = False) -> Tensor:
        """The pictures uint8 (B, H, W, 3), on the CPU, of latents x0 (B, C, h, w), as the pipeline would show them.

        `quick`: as the small decoder does, where there is one: for previews; the VAE remains the judge.
        """
        self._check_latents(x0)
        return pictures.decode(self.pipeline, x0, self.tiny_vae if quick else None)

    def picture(self, x: Tensor, quick: bool = False) -> list[Image.Image]:
        """The pictures of latents x (B, C, h, w); `quick` as in `decode`."""
        return [Image.fromarray(one) for one in self.decode(x, quick).numpy()]

    def use(self, preset: str) -> str:
        """Draw as a preset says from now on: what `steps` does where nothing else is said.

        `preset` is a name in presets.PRESETS. Returns the sentence on what that changes. Raises LabError for another
        name, and for turbo with a model that was not taught it.
        """
        if not isinstance(preset, str) or preset not in PRESETS:
            raise LabError(f"a preset is one of {', '.join(PRESETS)}; {preset!r} came; choose one of these")
        chosen = PRESETS[preset]
        if chosen.guidance_scale is not None and self.guidance_scale != chosen.guidance_scale:
            raise LabError(f"{preset} needs a model that was taught to draw in few steps; {self.name} came; "
                           "load StableDiffusion.load('sd-turbo') or 'tiny-sd-turbo'")  # fmt: skip
        if chosen.compiled:
            compile_network(self.pipeline)
        self.n, self.sampler = chosen.n, chosen.sampler
        return chosen.changes

    def why_black(self, x: Tensor) -> str:
        """One sentence about a black picture of latents x (B, C, h, w): numbers that overflowed, or the safety
        checker's doing; "" where it is neither."""
        return pictures.why_black(self.pipeline, x)

    def _check_latents(self, x: Tensor) -> None:
        check_samples(x, (self.shape[0], None, None), "make latents with encode(image) or noise(model.shape, seed)")

    @functools.cached_property
    def to_rgb(self) -> Tensor:
        """The linear preview of a latent (C + 1, 3): rgb = x0 @ to_rgb[:-1] + to_rgb[-1], in [-1, 1]."""
        return pictures.to_rgb(self.pipeline, self._stated_to_rgb)
