"""The VAE of Tiny SD: 128 x 128 pictures to latents of 4 x 16 x 16, whitened, and back."""

from collections.abc import Iterator

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F

from ...evaluation import Reader
from .data import Pictures
from .settings import half

NOISE, COVARIANCE, SEEN, EDGES, FOREGROUND = 0.08, 0.02, 0.03, 1.0, 3.0


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
    """What comes back from latents with a little noise, compared with the picture: values, edges, and what the reader's
    first three layers see of it; plus a pull of the latents' covariance towards the identity."""

    def __init__(self, pictures: Pictures, reader: Reader, batch: int):
        self.pictures, self.reader, self.batch = pictures, reader, batch

    def __call__(self, vae: AutoencoderKL, generator: torch.Generator | None) -> Tensor:
        where = self.pictures.images.device
        index = torch.randint(len(self.pictures), (self.batch,), generator=generator, device=where)
        pixels, masks = self.pictures.batch(index)                              # (B, 3, 128, 128), (B, 1, 128, 128)
        with half(where):
            mean = encode(vae, pixels).float()                                  # (B, 4, 16, 16)
        rows = mean.permute(1, 0, 2, 3).flatten(1)                              # (4, B h w)
        noise = torch.randn(mean.shape, generator=generator, device=where)
        latent = mean + NOISE * rows.detach().std(1)[:, None, None] * noise
        with half(where):
            came = vae.decoder(vae.post_quant_conv(latent)).float()
            with torch.no_grad():
                wanted = self.reader.maps(pixels)[:3]
            seen = sum(F.mse_loss(a.float(), b.float())
                       for a, b in zip(self.reader.maps(came)[:3], wanted, strict=True))  # fmt: skip
        centred = rows - rows.mean(1, keepdim=True)
        C = centred @ centred.T / rows.shape[1]                                 # (4, 4)
        pull = (C - torch.eye(4, device=where)).square().sum() + rows.mean(1).square().sum()
        return difference(came, pixels, masks) + SEEN * seen + COVARIANCE * pull


def difference(guess: Tensor, pixels: Tensor, masks: Tensor) -> Tensor:
    """|e| + 2 e^2 + |de/dx| + |de/dy| for e = guess - pixels (B, 3, H, W), four times on the foreground `masks`
    (B, 1, H, W)."""
    error, weight = guess - pixels, 1 + FOREGROUND * masks
    value = error.abs() + 2 * error.square()
    edges = F.pad(error.diff(dim=2).abs(), (0, 0, 0, 1)) + F.pad(error.diff(dim=3).abs(), (0, 1))
    return ((value + EDGES * edges) * weight).mean() / weight.mean()


def encode(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    """The mean of the latents (B, 4, h / 8, w / 8) of pixels (B, 3, h, w) in [-1, 1]."""
    return vae.quant_conv(vae.encoder(pixels))[:, :4]


@torch.no_grad()
def encode_all(vae: AutoencoderKL, pictures: Pictures, limit: int | None = None, batch: int = 50) -> Iterator[Tensor]:
    """The latents of the first `limit` pictures (None: of all), batch by batch, float32 (B, 4, h, w)."""
    limit = len(pictures) if limit is None else min(limit, len(pictures))
    for k in range(0, limit, batch):
        index = torch.arange(k, min(k + batch, limit), device=pictures.images.device)
        yield encode(vae, pictures.batch(index)[0])


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
