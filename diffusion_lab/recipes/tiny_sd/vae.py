"""The VAE of Tiny SD: 128 x 128 pictures to latents of 4 x 16 x 16, whitened, and back."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

from ...evaluation import Reader
from ...training import as_plan
from .data import Pictures

NOISE, COVARIANCE, SEEN = 0.08, 0.02, 0.03


class Vae(nn.Module):
    """The autoencoder in training, which counts its own steps."""

    def __init__(self):
        super().__init__()
        self.vae = new_vae()
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))


def new_vae() -> AutoencoderKL:
    """An AutoencoderKL of four levels, factor 8, without attention."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 128), layers_per_block=1, norm_num_groups=8, latent_channels=4,
        sample_size=128, scaling_factor=1.0, mid_block_add_attention=False,
    )  # fmt: skip


def by_adamw(name: str) -> bool:
    """The first, last and quantising convolutions are left to AdamW."""
    return any(part in name for part in ("conv_in", "conv_out", "quant_conv"))


class VaeLoss:
    """Crops of 64 x 64 during the first half of all steps, then whole pictures: |e| + 2 e^2, four times on the
    foreground, plus a pull of the latents' covariance towards the identity."""

    def __init__(self, pictures: Pictures, steps: int | Callable[[int], int], batch: int = 4):
        self.pictures, self.plan, self.batch = pictures, as_plan(steps), batch

    def __call__(self, network: Vae, generator: torch.Generator) -> Tensor:
        step = int(network.step)
        crops = step < self.plan(step) // 2
        network.step += 1
        pixels, masks = self.draw(generator, 4 * self.batch if crops else self.batch, 64 if crops else 128)
        pixels, masks = pixels.to(network.step.device), masks.to(network.step.device)
        mean = encode(network.vae, pixels)                                      # (B, 4, h, w)
        rows = mean.permute(1, 0, 2, 3).flatten(1)                              # (4, B h w)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        latent = mean + NOISE * rows.detach().std(1)[:, None, None] * noise
        loss = difference(network.vae.decoder(network.vae.post_quant_conv(latent)), pixels, masks)
        C = torch.cov(rows) + 1e-6 * torch.eye(4, device=rows.device)                               # (4, 4)
        pull = (C.trace() - torch.logdet(C) - 4 + rows.mean(1).square().sum()) / 2
        return loss + COVARIANCE * pull

    def draw(self, generator: torch.Generator, count: int, size: int) -> tuple[Tensor, Tensor]:
        index = torch.randint(len(self.pictures), (count,), generator=generator).numpy()
        x, y = torch.randint(128 - size + 1, (2, count), generator=generator).numpy()
        part = [(k, slice(b, b + size), slice(a, a + size)) for k, a, b in zip(index, x, y, strict=True)]
        pixels = torch.from_numpy(np.stack([self.pictures.images[p] for p in part])).permute(0, 3, 1, 2)
        masks = torch.from_numpy(np.stack([self.pictures.masks[p] for p in part]))[:, None]
        return pixels.contiguous().float() / 127.5 - 1, masks.float() / 255


def difference(guess: Tensor, pixels: Tensor, masks: Tensor) -> Tensor:
    """|e| + 2 e^2 for e = guess - pixels (B, 3, H, W), four times on the foreground `masks` (B, 1, H, W)."""
    error, weight = guess - pixels, 1 + 3 * masks
    return ((error.abs() + 2 * error.square()) * weight).mean() / weight.mean()


class DecoderLoss:
    """The decoder trained on, for latents that stay as they are: the same error, and what the reader's first three
    layers see of it."""

    def __init__(self, latents: Tensor, pictures: Pictures, reader: Reader, batch: int = 4):
        self.latents, self.pictures, self.reader, self.batch = latents, pictures, reader, batch

    def __call__(self, network: Vae, generator: torch.Generator) -> Tensor:
        index = torch.randint(len(self.latents), (self.batch,), generator=generator)
        pixels, masks = (x.to(network.step.device) for x in self.pictures.batch(index.numpy()))
        latent = self.latents[index].to(pixels)                                  # (B, 4, 16, 16)
        latent = latent + NOISE * torch.randn(latent.shape, generator=generator).to(latent)
        guess = network.vae.decoder(network.vae.post_quant_conv(latent))        # (B, 3, 128, 128)
        with torch.no_grad():
            wanted = self.reader.maps(pixels)[:3]
        seen = self.reader.maps(guess)[:3]
        like = sum(F.mse_loss(a, b) for a, b in zip(seen, wanted, strict=True))
        return difference(guess, pixels, masks) + SEEN * like


def encode(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    """The mean of the latents (B, 4, h / 8, w / 8) of pixels (B, 3, h, w) in [-1, 1]."""
    return vae.quant_conv(vae.encoder(pixels))[:, :4]


@torch.no_grad()
def encode_all(vae: AutoencoderKL, pictures: Pictures, start: int = 0, limit: int | None = None,
               batch: int = 50) -> Iterator[Tensor]:  # fmt: skip
    """The latents of the pictures from `start` to `limit`, batch by batch, float16 (B, 4, 16, 16)."""
    limit = len(pictures) if limit is None else limit
    for k in range(start, limit, batch):
        pixels, _ = pictures.batch(np.arange(k, min(k + batch, limit)))
        yield encode(vae, pixels.contiguous()).half()


@torch.no_grad()
def whiten(vae: AutoencoderKL, latents: Tensor) -> None:
    """Fold into quant_conv and post_quant_conv the linear map that gives the latents (n, 4, h, w) mean 0 and
    covariance identity, nearest to leaving them as they are (ZCA); the log-variance becomes -12."""
    rows = latents.permute(1, 0, 2, 3).flatten(1).double()                      # (4, n h w)
    mean, (values, vectors) = rows.mean(1), torch.linalg.eigh(torch.cov(rows))
    W = vectors * values**-0.5 @ vectors.T                                      # (4, 4)
    quant, back = vae.quant_conv, vae.post_quant_conv
    weight, bias = quant.weight[:4, :, 0, 0].double(), quant.bias[:4].double()
    quant.weight.zero_()
    quant.weight[:4, :, 0, 0] = (W @ weight).float()
    quant.bias[:4], quant.bias[4:] = (W @ (bias - mean)).float(), -12.0
    weight = back.weight[:, :, 0, 0].double()
    back.bias += (weight @ mean).float()
    back.weight[:, :, 0, 0] = (weight @ torch.linalg.inv(W)).float()
