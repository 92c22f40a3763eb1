"""The contact sheets of the model card: prompts, steps, guidance, samplers, and 96 pictures to be counted by eye."""

from pathlib import Path

import numpy as np
from diffusers import StableDiffusionPipeline
from PIL import Image

from ...stable_diffusion.samplers import SAMPLERS
from ...worlds import scenes
from . import export
from .asked import new_words

SEEDS = range(8)
STEPS, GUIDANCES = (4, 8, 20, 50), (1.0, 2.0, 3.0, 5.0, 7.0, 10.0)


def draw_all(pipe: StableDiffusionPipeline, target: Path, sampler: str) -> None:
    """Writes every sheet into the folder `target`; seeds 0 to 7 (0 to 47 for the 96), nothing selected. The sheet of
    steps is DPM++ 2M's, made for few of them."""
    export.sheet([Image.fromarray(image) for image in scenes.sample(60, 1, wide=True)[0]], 10, target / "scenes.jpg")
    rows = [p for prompt in export.PREVIEW for p in export.draw(pipe, [prompt] * 8, SEEDS, sampler=sampler)]
    export.sheet(rows, 8, target / "tiny_sd_prompts.jpg")
    first, second = export.PREVIEW[:2]
    rows = [p for n in STEPS for p in export.draw(pipe, [first] * 8, SEEDS, n, sampler="dpmpp_2m")]
    export.sheet(rows, 8, target / "tiny_sd_steps.jpg")
    rows = [p for scale in GUIDANCES for p in export.draw(pipe, [second] * 8, SEEDS, export.N, scale, sampler)]
    export.sheet(rows, 8, target / "tiny_sd_guidance.jpg")
    rows = [p for name in SAMPLERS for p in export.draw(pipe, [first] * 8, SEEDS, sampler=name)]
    export.sheet(rows, 8, target / "tiny_sd_samplers.jpg")
    export.sheet(unselected(pipe, sampler), 12, target / "tiny_sd_unselected.jpg")
    asked = [window for kind in ("nobody", "where", "looks", "two") for window in new_words(kind, 12)]
    rows = export.draw(pipe, [scenes.describe(window) for window in asked], range(48), sampler=sampler)
    export.sheet(rows, 12, target / "tiny_sd_wider.jpg")


def unselected(pipe: StableDiffusionPipeline, sampler: str, n: int = export.N,
               guidance_scale: float = export.GUIDANCE) -> list[Image.Image]:  # fmt: skip
    """96 pictures in eight rows of twelve: four rows of combinations seen in training, then four never seen; `n` and
    `guidance_scale`, steps and guidance."""
    pictures = []
    for split in ("train", "held-out"):
        rng = np.random.default_rng(96)
        prompts = [scenes.describe(scenes.choose(rng, split)) for _ in range(48)]
        pictures += export.draw(pipe, prompts, range(48), n, guidance_scale, sampler)
    return pictures
