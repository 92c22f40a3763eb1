"""Tiny SD put together: the standard folder that plain diffusers loads, and sheets of what it draws."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import save_file

from ...files import read_json, read_tensors, whole, whole_folder
from ...stable_diffusion.pictures import fit_to_rgb
from ...stable_diffusion.schedulers import fresh
from ...worlds import scenes
from . import GUIDANCE, SAMPLER, N
from .tokenizer import save_tokenizer
from .unet import TinySD

PREVIEW = (
    "A photo of an astronaut riding a horse on mars.", "a cat riding a skateboard", "a penguin riding a horse on mars",
    "a green frog on a yellow bicycle in the city", "a white rabbit standing in the snow",
    "a red robot riding a bicycle in space", "a panda on a skateboard at the beach", "a brown dog in the forest",
)  # fmt: skip
SCENES = 64  # for the linear preview of latents
SAVED = ("what the pipeline has saved", "export it again")


def pipeline(network: TinySD, vae: AutoencoderKL) -> StableDiffusionPipeline:
    """A pipeline of trained parts. The scheduler is DDIM, trailing."""
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1,
        set_alpha_to_one=False, prediction_type="v_prediction", timestep_spacing="trailing",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = save_tokenizer(Path(folder))
    pipe = StableDiffusionPipeline(
        vae=vae, text_encoder=network.text_encoder, unet=network.unet, scheduler=scheduler, tokenizer=tokenizer,
        safety_checker=None, feature_extractor=None, image_encoder=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


def habits(pipe: StableDiffusionPipeline) -> dict:
    """What diffusion_lab.json says: the name, how the model draws where nothing else is asked for, and the linear
    preview of its latents, fitted to what its VAE makes of scenes."""
    preview = fit_to_rgb(pipe, scenes.sample(SCENES, 0)[0])                     # (5, 3)
    return {"name": "Tiny SD", "n": N, "guidance_scale": GUIDANCE, "sampler": SAMPLER,
            "to_rgb": [[round(value, 4) for value in row] for row in preview.tolist()]}  # fmt: skip


def export(network: TinySD, vae: AutoencoderKL, folder: Path) -> None:
    """Writes the folder, whole or not at all: float16 tensors under plain names, which load as float32, and the model's
    habits."""
    with whole_folder(folder) as part:
        _write(pipeline(network, vae), part)


def _write(pipe: StableDiffusionPipeline, folder: Path) -> None:
    pipe.save_pretrained(folder)
    save_tokenizer(folder / "tokenizer")  # again, for the library adds where it had found it
    (folder / "diffusion_lab.json").write_text(json.dumps(habits(pipe), indent=2) + "\n", encoding="utf-8")
    for path in folder.glob("*/*.safetensors"):
        tensors = {name: tensor.half().contiguous() for name, tensor in read_tensors(path, *SAVED)[0].items()}
        save_file(tensors, path, metadata={"format": "pt"})
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps(read_json(config, *SAVED) | {"dtype": "float32"}, indent=2), encoding="utf-8")
    for path in (folder / "unet" / "config.json", folder / "vae" / "config.json"):
        about = read_json(path, *SAVED)
        about.pop("_name_or_path", None)
        path.write_text(json.dumps(about, indent=2), encoding="utf-8")


@torch.no_grad()
def draw(pipe: StableDiffusionPipeline, prompts: list[str], seeds: Iterable[int], n: int = N,
         guidance_scale: float = GUIDANCE, sampler: str = SAMPLER, batch: int = 16) -> list[Image.Image]:  # fmt: skip
    """One picture for each prompt and seed, in n steps; its randomness is its own, whatever is drawn beside it."""
    before, pairs, pictures = pipe.scheduler, list(zip(prompts, seeds, strict=True)), []
    pipe.scheduler = fresh(before, sampler)
    for k in range(0, len(pairs), batch):
        part = pairs[k : k + batch]
        pictures += pipe(
            [prompt for prompt, _ in part], num_inference_steps=n, guidance_scale=guidance_scale,
            generator=[torch.Generator().manual_seed(seed) for _, seed in part],
        ).images  # fmt: skip
    pipe.scheduler = before
    return pictures


def sheet(pictures: list[Image.Image], columns: int, path: Path) -> None:
    """Pictures in rows, with a thin gap, saved as the path's ending says."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (width + 4) - 4, rows * (height + 4) - 4), (255, 255, 255))
    for k, picture in enumerate(pictures):
        page.paste(picture, (k % columns * (width + 4), k // columns * (height + 4)))
    with whole(path) as part:
        page.save(part, quality=72)
