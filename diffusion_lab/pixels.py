"""Between pictures and samples: what a model computes with are values in [-1, 1], what a learner sees are pixels."""

import contextlib
import os
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from .errors import LabError
from .recipe import shortened

TO_RGB = torch.cat([torch.eye(3), torch.zeros(1, 3)])  # (C + 1, 3): samples of pixels are their own preview
LARGEST = 1024  # pixels along a side; a player shows no more of them
MOST = 80_000_000  # pixels of a picture that is opened
KINDS = {"PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "TGA", "ICO", "JPEG2000", "PPM", "AVIF", "HEIF"}
TOO_LARGE = "a picture of at most {most:.0f} million pixels was expected; {name} has {size}; make it smaller first"


def as_samples(data) -> Tensor:
    """A world's pictures, or one PIL picture, as samples (N, 3, H, W) in [-1, 1]; points (N, 2) stay as they are.

    Arguments: `data`, a PIL picture (one of more than 1024 pixels along a side is made smaller: of a photo's twelve
    million pixels each would be computed with at every step), uint8 (N, H, W, 3), or float (N, 2). Returns float32.
    Raises LabError for anything else, for an empty data set, and for points that are no numbers.
    """
    array = np.asarray(_handy(as_rgb(data)))[None] if isinstance(data, Image.Image) else as_array(data, "a data set")
    if array.size == 0:
        raise LabError("a data set with at least one picture or point was expected; an empty one came; "
                       "draw one with a world's sample(n, seed)")
    if array.dtype == np.uint8 and array.ndim == 4 and array.shape[3] == 3:
        return torch.tensor(array).permute(0, 3, 1, 2) / 127.5 - 1
    if np.issubdtype(array.dtype, np.floating) and array.ndim == 2 and array.shape[1] == 2:
        if not np.isfinite(array).all():
            raise LabError("points of finite numbers were expected; nan or inf came; leave those points out")
        return torch.tensor(array, dtype=torch.float32)
    raise LabError(f"pictures uint8 (N, H, W, 3) or points float (N, 2) were expected; {array.dtype} {array.shape} "
                   "came; pass them as a world's sample() returns them")


def _handy(image: Image.Image) -> Image.Image:
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return image


def as_array(values, what: str) -> np.ndarray:
    """numpy's array of a list, an array or a tensor of any device; raises LabError where its rows differ in length, or
    where a tensor holds no numbers (the meta device)."""
    try:
        return np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    except Exception as error:  # numpy and torch raise many kinds
        raise LabError(f"{what} as one array was expected; {type(values).__name__} came; give all of it the "
                       f"same size ({_first_line(error)})") from None  # fmt: skip


def as_rgb(image) -> Image.Image:
    """The one way in: a picture upright, on white, in three colours of 8 bits.

    Arguments: `image`, PIL or uint8 (H, W, 3). It is turned as its camera says, what is transparent shows white, and
    deep grey (16 bits, or fractions) is brought to 8 by the range that it was taken in, 12 bits in 16 too. Raises
    LabError for anything else, for a picture without a pixel, and for a file that is closed, cut or damaged.
    """
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return upright(Image.fromarray(image) if image.size else Image.new("RGB", image.shape[1::-1]))
    with readable(getattr(image, "filename", "") or "what came"):
        image = upright(image)
        if image.mode == "F" or image.mode.startswith("I"):
            image = _eight_bits(np.asarray(image, dtype=np.float64), image.mode)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert("RGB")


@contextlib.contextmanager
def opened(file, name: str, most: int = MOST) -> Iterator[Image.Image]:
    """The one door for foreign pictures: the picture in a file (a path, or an open one), by what its bytes are.

    Raises LabError where no file is there (a pipe would be waited for), and, with its `name`, where it is of no kind in
    KINDS (PostScript, which is run to be seen, is none) or has more than `most` pixels, which is asked before one of
    them is read: a few kilobytes can claim gigabytes.
    """
    if isinstance(file, str | os.PathLike) and not os.path.isfile(file):
        raise LabError(f"a picture was expected; {no_file(file)}; give the path of a picture file")
    with warnings.catch_warnings(), readable(name):
        warnings.simplefilter("ignore")  # a picture that can be read needs no warning, one that cannot has its error
        Image.init()
        try:
            image = Image.open(file, formats=sorted(KINDS & Image.OPEN.keys()))
        except Image.DecompressionBombError:
            raise LabError(TOO_LARGE.format(most=most / 1e6, name=name, size="far more")) from None
        with image:
            if image.width * image.height > most:
                size = f"{image.width} x {image.height}"
                raise LabError(TOO_LARGE.format(most=most / 1e6, name=name, size=size))
            yield image


def no_file(path: str | os.PathLike) -> str:
    """What is there instead of a file, as an error message tells it."""
    name = shortened(str(path))
    if "://" in name:
        return f"{name} is an address"
    return f"{name} is a folder" if os.path.isdir(path) else f"there is no file {name}"


def as_mask(mask) -> Tensor:
    """Shares in [0, 1], float32 (H, W), of a picture, bytes, truth values or shares: white, True or 1 is 1.

    A picture stands upright as `as_rgb` turns it, and its white is the range that it was drawn in: 1, 255, or that of a
    camera. Raises LabError for other numbers, for what is no number, and for a picture that is see-through in places.
    """
    if isinstance(mask, Image.Image):
        with readable(getattr(mask, "filename", "") or "what came"):
            values, drawn = _grey(upright(mask)), True
    else:
        values = as_array(mask, "a mask")
        drawn = values.dtype == np.uint8
    if values.size and values.dtype.kind in "bfui":
        values = values.astype(np.float64)
        share = torch.tensor(values / _range(values, "F") if drawn else values).float()
        if 0 <= share.min() and share.max() <= 1:
            return share
    raise LabError("a mask of shares from 0 (kept) to 1 (drawn anew) was expected; other numbers came; use a black "
                   "and white picture, or True and False")  # fmt: skip


def _grey(image: Image.Image) -> np.ndarray:
    if image.mode == "F" or image.mode.startswith("I"):
        return np.asarray(image)
    if image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255:
        raise LabError("a mask of black (kept) and white (drawn anew) was expected; one that is see-through in places "
                       "came; paint it on black or on white")  # fmt: skip
    return np.asarray(image.convert("L"))


def upright(image) -> Image.Image:
    """A PIL picture with at least one pixel, turned as its camera says; raises LabError for anything else."""
    if not isinstance(image, Image.Image):
        told = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise LabError(f"one picture was expected, PIL or uint8 (H, W, 3); {told} came; open it with PIL.Image.open")
    if not (image.width and image.height):
        raise LabError("a picture with at least one pixel was expected; one of "
                       f"{image.width} x {image.height} came; open another")  # fmt: skip
    return ImageOps.exif_transpose(image)


@contextlib.contextmanager
def readable(name: str) -> Iterator[None]:
    """The edge to foreign pictures: whatever a decoder makes of their bytes ends in one sentence with their `name`."""
    try:
        yield
    except (LabError, Image.DecompressionBombError):
        raise
    except Exception as error:  # decoders raise many kinds over damaged bytes
        raise LabError(f"a picture was expected; {os.path.basename(name)} is none that can be read, or it is damaged "
                       f"({_first_line(error)}); save it again as PNG or JPEG and give that file") from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _eight_bits(values: np.ndarray, mode: str) -> Image.Image:
    """Grey values of more than 8 bits, or fractions, as 0 to 255: by the range that they were stored in."""
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0).clip(0)
    return Image.fromarray((values / _range(values, mode) * 255).round().astype(np.uint8))


def _range(values: np.ndarray, mode: str) -> float:
    """The value of white: the first of the ranges of a mode that holds all values, where cameras and scanners have 10,
    12, 14 or 16 bits. 16 bits that would fit into 8 are a dark picture."""
    most = float(values.max(initial=0))
    deep = (1023, 4095, 16383, 65535) if most > 255 else (65535,)
    ranges = {"F": (1, 255, *deep), "I": (255, *deep)}.get(mode, deep)
    return next((top for top in ranges if most <= top), most)


def fitted(image, shape: tuple[int, ...]) -> Tensor:
    """A picture (PIL, or uint8 (H, W, 3)) as a clean sample (1, 3, h, w) in [-1, 1] of `shape` (3, h, w)."""
    return as_samples(as_rgb(image).resize(shape[:0:-1], Image.Resampling.BOX))


def as_pictures(x: Tensor) -> list[Image.Image]:
    """Samples (B, 3, H, W) as PIL pictures: clipped to [-1, 1], rounded to 256 levels; NaN becomes middle grey."""
    fits = isinstance(x, Tensor) and x.ndim == 4 and x.shape[1] == 3 and x.numel() and not x.is_complex()
    if not fits or x.is_meta or x.layout != torch.strided:
        told = f"{tuple(x.shape)}, {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise LabError(f"samples of pictures, (B, 3, H, W), were expected; {told} came; "
                       "draw points with a scatter plot")
    pixels = ((x.detach().cpu().nan_to_num(0).clamp(-1, 1) + 1) * 127.5).round().byte()
    return [Image.fromarray(one) for one in pixels.permute(0, 2, 3, 1).numpy()]


def as_image(picture) -> Image.Image:
    """A picture of any kind the package knows as a PIL one: PIL, uint8 (H, W, 3), or a sample (3, H, W) in [-1, 1]."""
    if isinstance(picture, Image.Image):
        return as_rgb(picture)
    array = as_array(picture, "a picture")
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[-1] == 3:
        return as_rgb(array)
    if array.dtype != object and array.ndim == 3 and array.shape[0] in (1, 3):
        return as_pictures(torch.as_tensor(array).expand(3, -1, -1)[None])[0]
    raise LabError(f"a picture was expected (PIL, uint8 (H, W, 3) or a sample (3, H, W)); {array.dtype} {array.shape} "
                   "came; take one picture out of its batch")
