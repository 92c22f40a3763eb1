"""Samples as pictures that a browser can decode: quantised, and packed into one lossless WebP.

Only x0 and eps are packed; the browser puts x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps together again, so the
equation holds in what is drawn. A frame is kept as its difference from the frame before (modulo 256): neighbouring
guesses are alike, so most differences are zero. Level 128 is the value 0, level 0 is NaN.
"""

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from ..errors import LabError
from ..trajectory import Trajectory


@dataclass(frozen=True)
class Detail:
    """How finely a path is kept.

    Arguments: `x0` and `eps`, the value of one level; `frame`, the most pixels along a side of a frame (what is larger
    keeps every k-th pixel); `steps`, the most steps; `side` and `quality` of decoded pictures (pixels; WebP's 0-100).
    """

    x0: float
    eps: float
    frame: int
    steps: int
    side: int
    quality: int

    def every(self, x: Tensor) -> int:
        """Which pixels of one sample (C, H, W), or which of B points (B, 2), are kept: every k-th."""
        return math.ceil(max(x.shape[1:]) / self.frame) if x.ndim == 3 else math.ceil(len(x) / (8 * self.frame))


# From fine to coarse: a player takes the first that fits its budget.
DETAILS = (
    Detail(1 / 127, 1 / 32, 512, 200, 384, 82), Detail(2 / 127, 1 / 16, 512, 200, 384, 78),
    Detail(2 / 127, 1 / 8, 256, 200, 320, 72), Detail(3 / 127, 1 / 4, 256, 120, 256, 66),
    Detail(4 / 127, 1 / 3, 256, 60, 224, 60), Detail(4 / 127, 1 / 3, 128, 60, 192, 55),
    Detail(4 / 127, 1 / 2, 64, 40, 160, 50), Detail(6 / 127, 1 / 2, 64, 24, 128, 45),
    Detail(6 / 127, 1 / 2, 32, 24, 128, 40), Detail(6 / 127, 1 / 2, 16, 16, 96, 35),
)  # fmt: skip


def is_points(trajectory: Trajectory) -> bool:
    """Whether the samples are points (B, 2); raises LabError where they can be drawn neither as points nor pictures."""
    x = trajectory.steps.x0 if trajectory.fixed else trajectory[0].x_t
    if trajectory.to_rgb is None and x.ndim == 2 and x.shape[1] == 2:
        return True
    channels = x.shape[1] if x.ndim == 4 else None
    if channels in (1, 3) if trajectory.to_rgb is None else channels == len(trajectory.to_rgb) - 1:
        return False
    raise LabError("samples that can be drawn were expected: pictures (B, 1 or 3, H, W), points (B, 2), or latents and "
                   f"the to_rgb of their channels; {tuple(x.shape)} came; give the model's own, as in watch(steps, "
                   "model) or forward(x0, schedule, to_rgb=model.to_rgb)")  # fmt: skip


def linear(x: Tensor, to_rgb: Tensor | None) -> np.ndarray:
    """One sample (C, H, W) as colours (H, W, 3) without the bias: for pixels the sample itself."""
    x = x.detach().float().cpu().numpy()
    if to_rgb is None:
        return np.moveaxis(np.broadcast_to(x, (3, *x.shape[1:])), 0, -1)
    return np.moveaxis(x, 0, -1) @ to_rgb[:-1].float().cpu().numpy()


def bias(to_rgb: Tensor | None) -> np.ndarray:
    return np.zeros(3, np.float32) if to_rgb is None else to_rgb[-1].float().cpu().numpy()


def shown(values: np.ndarray) -> np.ndarray:
    """Values in [-1, 1] as bytes (…, 3); NaN becomes grey."""
    return np.round(np.clip(np.nan_to_num(values), -1, 1) * 127.5 + 127.5).astype(np.uint8)


def hatch(pixels: np.ndarray, broken: np.ndarray) -> np.ndarray:
    """Diagonal stripes where a value is not a number."""
    y, x = np.indices(broken.shape)
    stripes = np.where(((x + y) // 2 % 2)[..., None], 235, 102).astype(np.uint8)
    return np.where(broken[..., None], stripes, pixels).astype(np.uint8)


def scatter(points: np.ndarray, reach: float, colour: str, side: int = 224) -> np.ndarray:
    """Points (B, 2) as dots on a square of `side` pixels that reaches from -reach to reach."""
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    draw.line([(side / 2, 0), (side / 2, side)], "#dddddd")
    draw.line([(0, side / 2), (side, side / 2)], "#dddddd")
    for x, y in points[np.isfinite(points).all(1)][:600]:
        u, v = side / 2 * (1 + x / reach), side / 2 * (1 - y / reach)
        draw.ellipse([u - 2, v - 2, u + 2, v + 2], colour)
    return np.asarray(image)


def kept(trajectory: Trajectory, most: int) -> list[int]:
    """Which steps are packed: all of a fixed path, of another at most `most`, evenly, with both ends."""
    N = len(trajectory)
    if trajectory.fixed or N <= most:
        return list(range(N))
    return sorted({round(i * (N - 1) / (most - 1)) for i in range(most)})


def levels(values: np.ndarray, unit: float) -> np.ndarray:
    """Values as bytes: 128 + value / unit, held within 1 to 255; NaN is 0."""
    q = np.round(np.nan_to_num(np.clip(values, -127 * unit, 127 * unit)) / unit) + 128
    return np.where(np.isfinite(values), q, 0).astype(np.uint8)


def sprite(frames: np.ndarray) -> dict:
    """Frames of levels (N, H, W, 3) as differences in one grid, one lossless WebP."""
    N, H, W, _ = frames.shape
    differences = frames.copy()
    differences[1:] = frames[1:] - frames[:-1] + 128  # modulo 256
    return {"count": N, "size": [W, H], "columns": _columns(N), "src": _webp(_grid(differences), lossless=True)}


def picture_sprite(pictures: np.ndarray, side: int, quality: int) -> dict:
    """Decoded pictures (N, H, W, 3) in one grid, one WebP, no larger than `side` each."""
    N, H, W, _ = pictures.shape
    if max(H, W) > side:
        size = (round(W * side / max(H, W)), round(H * side / max(H, W)))
        pictures = np.stack([np.asarray(Image.fromarray(p).resize(size, Image.Resampling.LANCZOS)) for p in pictures])
        W, H = size
    src = _webp(_grid(pictures), quality=quality, use_sharp_yuv=True)
    return {"count": N, "size": [W, H], "columns": _columns(N), "src": src}


def picture(pixels: np.ndarray, side: int) -> str:
    """One picture (H, W, 3) of about `side` pixels: small ones enlarged by a whole factor, large ones reduced."""
    factor = side // max(pixels.shape[:2])
    if factor > 1:
        return _webp(pixels.repeat(factor, 0).repeat(factor, 1), lossless=True)
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return _webp(np.asarray(image), quality=80, use_sharp_yuv=True)


def numbers(values: np.ndarray, dtype: str) -> str:
    """Numbers as the bytes of a data: address, which comparisons of notebooks mask as they mask pictures."""
    return "data:application/octet-stream;base64," + base64.b64encode(np.asarray(values, dtype).tobytes()).decode()


def _columns(N: int) -> int:
    return math.ceil(N**0.5)


def _grid(frames: np.ndarray) -> np.ndarray:
    N, H, W, C = frames.shape
    columns = _columns(N)
    rows = math.ceil(N / columns)
    cells = np.full((rows * columns, H, W, C), 128, np.uint8)
    cells[:N] = frames
    cells = cells.reshape(rows, columns, H, W, C).transpose(0, 2, 1, 3, 4)  # (rows, H, columns, W, C)
    return cells.reshape(rows * H, columns * W, C)


def _webp(pixels: np.ndarray, **how) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", **({"quality": 75, "method": 4} | how))
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
