"""The small decoder beside Tiny SD's VAE: an AutoencoderTiny that learned to draw as the VAE does, for previews (after
Bohan's TAESD, 2023)."""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ...evaluation import to_pixels
from ...files import whole, whole_folder
from ...guidance import guided
from ...mixing import add_noise, predicted_x0
from ...stable_diffusion import StableDiffusion
from ...worlds import scenes
from . import vae
from .assembly import save_weights
from .data import Pictures
from .settings import half

SEED, TOGETHER, BATCH = 60, 8, 8


def new_tiny_vae() -> AutoencoderTiny:
    """32 channels on the way to pictures, most of the blocks where these are smallest; a few on the way back."""
    return AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4, num_encoder_blocks=(0, 0, 0, 1),
        decoder_block_out_channels=(32,) * 4, num_decoder_blocks=(6, 2, 1, 0),
    )  # fmt: skip


def by_adamw(name: str) -> bool:
    """The first and the last convolutions are left to AdamW."""
    return name.endswith(("coder.layers.0.weight", "encoder.layers.5.weight", "decoder.layers.17.weight"))


@torch.no_grad()
def save_pairs(sd: StableDiffusion, n: int, path: Path) -> None:
    """n latents `x0` float16 (n, 4, 16, 16), what the VAE makes of them, `images` uint8 (n, 128, 128, 3), and the
    `masks` of the foreground (n, 128, 128): half of them scenes, half what the U-Net guesses of noised scenes, as
    previews show it, at all t alike."""
    rng, generator, parts = np.random.default_rng(SEED), torch.Generator().manual_seed(SEED), []
    for k in tqdm(range(0, n, TOGETHER), desc="decoding", mininterval=5):
        came = scenes.windows(TOGETHER, SEED, "train", k)
        x0 = vae.encode(sd.pipeline.vae, to_pixels(came.images))                # (8, 4, 16, 16)
        if k // TOGETHER % 2:
            t = int(rng.integers(len(sd.schedule.alpha_bars)))
            alpha_bar = sd.schedule.alpha_bar(t)
            x_t = add_noise(x0, alpha_bar, torch.randn(x0.shape, generator=generator))
            x0 = predicted_x0(x_t, guided(sd, came.captions)(x_t, t).eps, alpha_bar)
        parts.append((x0.half(), sd.decode(x0.half().float()), torch.from_numpy(came.masks)))
    x0, images, masks = (torch.cat(column).contiguous() for column in zip(*parts, strict=True))
    with whole(path) as part:
        save_file({"x0": x0, "images": images, "masks": masks}, part)


class TinyVaeLoss:
    """How far the decoder's picture is from the VAE's, in values and edges, and the encoder's latent of the VAE's
    picture from that which the picture was made of."""

    def __init__(self, x0: Tensor, images: Tensor, masks: Tensor):
        self.x0, self.pictures = x0, Pictures(images, masks, None, None)

    def __call__(self, network: nn.Module, generator: torch.Generator | None) -> Tensor:
        where = self.x0.device
        index = torch.randint(len(self.x0), (BATCH,), generator=generator, device=where)
        x0, (pixels, masks) = self.x0[index].float(), self.pictures.batch(index)
        with half(where):
            came, latent = network.decoder(x0).float(), network.encoder(pixels).float()
        return vae.difference(came, pixels, masks) + F.mse_loss(latent, x0)


def export(network: AutoencoderTiny, folder: Path) -> None:
    """Writes the folder that AutoencoderTiny.from_pretrained loads, float16, whole or not at all."""
    with whole_folder(folder) as part:
        network.save_config(part)
        config = part / "config.json"
        about = json.loads(config.read_text(encoding="utf-8"))
        about.pop("block_out_channels")  # the library writes it, and complains when it reads it
        config.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        save_weights(network, part / "diffusion_pytorch_model.safetensors")
