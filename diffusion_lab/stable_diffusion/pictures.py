"""Between pictures and latents: the VAE's two directions, and the linear preview that costs nothing."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..errors import LabError
from ..pixels import as_rgb
from .loading.devices import memory_edge

# Red, green and blue of each of Stable Diffusion 1.x's four latent channels, and no bias: numbers measured by the user
# keturn and published on discuss.huggingface.co in 2022.
_SD1_TO_RGB = [[0.298, 0.207, 0.208], [0.187, 0.286, 0.173], [-0.158, 0.189, 0.264], [-0.184, -0.271, -0.473],
               [0.0, 0.0, 0.0]]  # fmt: skip
_SD1_CHANNELS = [128, 256, 512, 512]


@torch.no_grad()
def encode(pipeline, image: Image.Image | np.ndarray) -> Tensor:
    """The latent x0 (1, C, h, w) of a picture (PIL, or uint8 (H, W, 3)), cut to the model's size; float32, CPU."""
    vae = pipeline.vae
    fitted = ImageOps.fit(as_rgb(image), picture_size(pipeline), Image.Resampling.LANCZOS)
    pixels = pipeline.image_processor.preprocess(fitted)                          # (1, 3, H, W) in [-1, 1]
    with memory_edge():
        latent = vae.encode(pixels.to(pipeline._execution_device, vae.dtype)).latent_dist.mode()
    # In memory as static lies, for a U-Net that is given another layout adds up in another order.
    return (latent * vae.config.scaling_factor).float().cpu().contiguous()        # (1, C, h, w)


@torch.no_grad()
def decode(pipeline, x0: Tensor, vae=None) -> Tensor:
    """The pictures, uint8 (B, H, W, 3) on the CPU, of latents x0 (B, C, h, w), as the pipeline itself shows them; or as
    another `vae` for the same latents does.

    Within one grey level of a pipeline that diffusers loaded, whose VAE has another memory format (loading/load.py).
    """
    pixels = _pixels(pipeline, x0, vae)
    hidden = _hidden(pipeline, pixels)
    shown = as_uint8(pipeline, pixels)
    shown[torch.tensor(hidden)] = 0
    return shown


@torch.no_grad()
def why_black(pipeline, x0: Tensor) -> str:
    """One sentence about black pictures of latents x0: NaN, or the safety checker; "" where it is neither."""
    pixels = _pixels(pipeline, x0)                                                # (B, 3, H, W)
    if not torch.isfinite(pixels).all():
        return "the picture is black because its numbers overflowed (NaN); load the model with dtype=torch.float32"
    if any(_hidden(pipeline, pixels)):
        return "the picture is black because the safety checker took it for unsafe; try another seed or prompt"
    return ""


def _pixels(pipeline, x0: Tensor, vae=None) -> Tensor:
    where = vae.device if vae else pipeline._execution_device  # which asks every module of the pipeline
    vae = vae or pipeline.vae
    latent = x0.to(where, vae.dtype)
    with memory_edge():
        return vae.decode(latent / vae.config.scaling_factor, return_dict=False)[0]  # (B, 3, H, W) in [-1, 1]


def _hidden(pipeline, pixels: Tensor) -> list[bool]:
    """For each picture whether the pipeline's safety checker, where it has one, hides it."""
    _, flags = pipeline.run_safety_checker(pixels.clone(), pixels.device, pixels.dtype)
    return [False] * len(pixels) if flags is None else [bool(flag) for flag in flags]


def as_uint8(pipeline, pixels: Tensor) -> Tensor:
    """What the VAE decoded, (B, 3, H, W) in [-1, 1], as uint8 (B, H, W, 3) on the CPU; NaN becomes black."""
    shown = pipeline.image_processor.postprocess(pixels, output_type="np")        # (B, H, W, 3) in [0, 1]
    return torch.from_numpy((np.nan_to_num(shown) * 255).round().astype(np.uint8))


def picture_size(pipeline) -> tuple[int, int]:
    """Width and height in pixels of the pictures that a pipeline draws."""
    size = pipeline.unet.config.sample_size
    h, w = (size, size) if isinstance(size, int) else size
    return w * pipeline.vae_scale_factor, h * pipeline.vae_scale_factor


def to_rgb(pipeline, stated: Sequence | None = None) -> Tensor:
    """The linear preview of a latent (C + 1, 3): rgb = x0 @ to_rgb[:-1] + to_rgb[-1], in [-1, 1].

    The one `stated` beside the weights, or published (Stable Diffusion 1.x), or fitted on random blots of colour.
    """
    channels = pipeline.vae.config.latent_channels
    if stated is not None and len(stated) != channels + 1:
        raise LabError(f"a to_rgb of {channels + 1} rows was expected, one for each channel and the bias; "
                       f"{len(stated)} came; remove it from diffusion_lab.json, and it is fitted")  # fmt: skip
    if stated is not None:
        return torch.tensor(stated, dtype=torch.float32)
    if list(pipeline.vae.config.block_out_channels) == _SD1_CHANNELS:
        return torch.tensor(_SD1_TO_RGB, dtype=torch.float32)
    small = torch.rand(16, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    blots = torch.nn.functional.interpolate(small, picture_size(pipeline)[::-1], mode="bicubic").clamp(0, 1)
    return fit_to_rgb(pipeline, (blots * 255).round().byte().permute(0, 2, 3, 1).numpy())


def fit_to_rgb(pipeline, pictures: Sequence[np.ndarray]) -> Tensor:
    """The linear preview (C + 1, 3) that fits, in least squares, what the VAE makes of uint8 pictures (H, W, 3)."""
    latents = torch.cat([encode(pipeline, picture) for picture in pictures])      # (B, C, h, w)
    decoded = torch.cat([decode(pipeline, x[None]) for x in latents])             # (B, H, W, 3)
    pixels = (decoded.float() / 127.5 - 1).permute(0, 3, 1, 2)                    # (B, 3, H, W)
    small = torch.nn.functional.adaptive_avg_pool2d(pixels, latents.shape[2:])    # (B, 3, h, w)
    x = latents.permute(0, 2, 3, 1).flatten(0, 2)                                 # (B h w, C)
    x = torch.cat([x, torch.ones(len(x), 1)], dim=1)                              # (B h w, C + 1)
    y = small.permute(0, 2, 3, 1).flatten(0, 2)                                   # (B h w, 3)
    return torch.linalg.lstsq(x.double(), y.double()).solution.float()
