"""Between pictures and samples: what a model computes with are values in [-1, 1], what a learner sees are pixels."""

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from .errors import LabError

TO_RGB = torch.cat([torch.eye(3), torch.zeros(1, 3)])  # (C + 1, 3): samples of pixels are their own preview


def as_samples(data) -> Tensor:
    """A world's pictures, or one PIL picture, as samples (N, 3, H, W) in [-1, 1]; points (N, 2) stay as they are.

    Arguments: `data`, a PIL picture, uint8 (N, H, W, 3), or float (N, 2). Returns float32. Raises LabError for
    anything else and for an empty data set.
    """
    array = np.asarray(as_rgb(data))[None] if isinstance(data, Image.Image) else np.asarray(data)
    if array.size == 0:
        raise LabError("a data set with at least one picture or point was expected; an empty one came; "
                       "draw one with a world's sample(n, seed)")
    if array.dtype == np.uint8 and array.ndim == 4 and array.shape[3] == 3:
        return torch.tensor(array).permute(0, 3, 1, 2) / 127.5 - 1
    if np.issubdtype(array.dtype, np.floating) and array.ndim == 2 and array.shape[1] == 2:
        return torch.tensor(array, dtype=torch.float32)
    raise LabError(f"pictures uint8 (N, H, W, 3) or points float (N, 2) were expected; {array.dtype} {array.shape} "
                   "came; pass them as a world's sample() returns them")


def as_rgb(image) -> Image.Image:
    """The one way in: a picture upright, on white, in three colours of 8 bits.

    Arguments: `image`, PIL or uint8 (H, W, 3). It is turned as its camera says, what is transparent shows white, and
    deep grey (16 bits, or fractions) is brought to 8 by the range that it was taken in, 12 bits in 16 too. Raises
    LabError for anything else.
    """
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return Image.fromarray(image)
    if not isinstance(image, Image.Image):
        told = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise LabError(f"one picture was expected, PIL or uint8 (H, W, 3); {told} came; open it with PIL.Image.open")
    image = ImageOps.exif_transpose(image)
    if image.mode == "F" or image.mode.startswith("I"):
        image = _eight_bits(np.asarray(image, dtype=np.float64), image.mode)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _eight_bits(values: np.ndarray, mode: str) -> Image.Image:
    """Grey values of more than 8 bits, or fractions, as 0 to 255: by the range that they were stored in, where cameras
    and scanners have 10, 12, 14 or 16 bits. 16 bits that would fit into 8 are a dark picture."""
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0).clip(0)
    most = float(values.max(initial=0))
    deep = (1023, 4095, 16383, 65535) if most > 255 else (65535,)
    ranges = {"F": (1, 255, *deep), "I": (255, *deep)}.get(mode, deep)
    full = next((top for top in ranges if most <= top), most)
    return Image.fromarray((values / full * 255).round().astype(np.uint8))


def fitted(image, shape: tuple[int, ...]) -> Tensor:
    """A picture (PIL, or uint8 (H, W, 3)) as a clean sample (1, 3, h, w) in [-1, 1] of `shape` (3, h, w)."""
    return as_samples(as_rgb(image).resize(shape[:0:-1], Image.Resampling.BOX))


def as_pictures(x: Tensor) -> list[Image.Image]:
    """Samples (B, 3, H, W) as PIL pictures: clipped to [-1, 1], rounded to 256 levels; NaN becomes middle grey."""
    if x.ndim != 4 or x.shape[1] != 3:
        raise LabError(f"samples of pictures, (B, 3, H, W), were expected; {tuple(x.shape)} came; "
                       "draw points with a scatter plot")
    pixels = ((x.detach().cpu().nan_to_num(0).clamp(-1, 1) + 1) * 127.5).round().byte()
    return [Image.fromarray(one) for one in pixels.permute(0, 2, 3, 1).numpy()]
