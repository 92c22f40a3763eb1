"""How samples and decoded pictures are stored: in half precision where that holds them, and as lossless files."""

import io
from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .errors import LabError
from .pixels import LARGEST, opened

LARGEST_WEBP = 16383  # pixels, in either direction
MOST_PICTURES = 2**16  # in one batch, whose number is written in two bytes


def in_float16(x: Tensor) -> Tensor:
    """A tensor as it is stored, on the CPU: in float16, or in float32 where its largest value is too large for that, or
    too small; what holds no fractions stays as it is."""
    x = x.detach().cpu()
    if x.is_floating_point():
        size = x.float().abs()
        largest = float(size[size.isfinite()].max()) if size.isfinite().any() else 0.0
        fits = largest == 0 or torch.finfo(torch.float16).tiny <= largest <= torch.finfo(torch.float16).max
        x = x.half() if fits else x.float()
    return x.contiguous().clone()


def check_pictures(pictures: Mapping[int, Tensor], B: int) -> None:
    """Raises LabError unless each of them is uint8 (B, H, W, 3), one picture for each of the batch."""
    for i, batch in pictures.items():
        fits = isinstance(batch, Tensor) and batch.dtype == torch.uint8 and batch.ndim == 4 and batch.shape[3] == 3
        if not (fits and batch.numel() and len(batch) == B < MOST_PICTURES):
            told = f"{batch.dtype} {tuple(batch.shape)}" if isinstance(batch, Tensor) else type(batch).__name__
            raise LabError(f"decoded pictures uint8 ({B}, H, W, 3), one for each of the batch, were expected at step "
                           f"{i}; {told} came; make them with model.decode(x0)")


def packed(pictures: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """Pictures (B, H, W, 3) as the bytes of one lossless file each, the batch stacked downwards: WebP, or PNG where
    that is higher or wider than a WebP can be."""
    files = {}
    for i, batch in pictures.items():
        buffer = io.BytesIO()
        stacked = batch.cpu().numpy().reshape(-1, batch.shape[2], 3)             # (B * H, W, 3)
        kind = "WEBP" if max(stacked.shape) <= LARGEST_WEBP else "PNG"
        Image.fromarray(stacked).save(buffer, kind, lossless=True)
        head = np.array([batch.shape[0]], dtype=np.uint16).view(np.uint8)
        files[i] = torch.from_numpy(np.concatenate([head, np.frombuffer(buffer.getvalue(), np.uint8)]))
    return files


def unpacked(file: Tensor, B: int) -> Tensor:
    """The pictures (B, H, W, 3) in such a file; LabError where it holds another picture, or one far too large."""
    raw = file.numpy()
    batch = int(raw[:2].view(np.uint16)[0])
    with opened(io.BytesIO(raw[2:].tobytes()), "a decoded picture", most=B * (2 * LARGEST) ** 2) as image:
        picture = np.asarray(image.convert("RGB"))
    return torch.from_numpy(picture.reshape(batch, -1, picture.shape[1], 3).copy())  # (B, H, W, 3)
