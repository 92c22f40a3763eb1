"""Photos: the astronaut, the cat and the rocket that scikit-image ships, and any picture of your own.

The astronaut is Eileen Collins (NASA), the cat is Chelsea (Stefan van der Walt), the rocket is Falcon 9's first stage
before the DSCOVR launch (SpaceX); all three are free to use (public domain or CC0).
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..errors import LabError
from ..files import expanded
from ..pixels import as_rgb, no_file, opened
from ..recipe import as_whole
from . import check_sample

FILES = {"astronaut": "astronaut.png", "cat": "chelsea.png", "rocket": "rocket.jpg"}
LARGEST = 4096  # pixels along a side of what a photo is scaled to


def load(picture: str | os.PathLike, size: int | None = None) -> Image.Image:
    """A photo by its name (astronaut, cat, rocket), or the picture file of your own.

    Arguments: `picture`, a name or a path to any format that Pillow reads (of an animation the first frame, turned
    upright as its camera says, see-through parts on white); `size`, if given, cuts out the middle square and scales
    it to size x size pixels. Returns an RGB picture. Raises LabError where there is no readable picture.
    """
    if size is not None:
        size = _as_size(size)
    path = _path(picture)
    with opened(path, path.name) as image:
        image = as_rgb(image)
    return image if size is None else ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)


def sample(n: int, seed: int, split: str = "all", size: int = 64
           ) -> tuple[np.ndarray, list[str], dict[str, np.ndarray]]:  # fmt: skip
    """Cut n random squares out of the three photos, half of them mirrored.

    Returns images (n, size, size, 3) uint8, captions ("a photo of a cat") and labels {"subject": (n,)}. Nothing is
    held out, so the split "train" is "all".
    """
    check_sample(n, seed, split, splits=("all", "train"))
    size, photos = _as_size(size), {name: load(name) for name in FILES}
    u = np.random.default_rng(seed).random((n, 5))                              # (n, 5) uniform
    subjects = [list(FILES)[int(3 * k)] for k in u[:, 0]]
    images = [_cut(photos[subject], row, size) for subject, row in zip(subjects, u[:, 1:], strict=True)]
    captions = [f"a photo of {'an' if subject == 'astronaut' else 'a'} {subject}" for subject in subjects]
    return np.stack(images), captions, {"subject": np.array(subjects)}


def _as_size(size) -> int:
    return as_whole(size, "size", "try 64 or 256 pixels", most=LARGEST)


def _cut(photo: Image.Image, u: np.ndarray, size: int) -> np.ndarray:
    side = (0.6 + 0.4 * u[0]) * min(photo.size)
    left, top = u[1] * (photo.width - side), u[2] * (photo.height - side)
    square = photo.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    return np.asarray(ImageOps.mirror(square) if u[3] < 0.5 else square)


def _path(picture: str | os.PathLike) -> Path:
    if not isinstance(picture, (str, os.PathLike)):
        raise LabError(f"the name of a photo or a path was expected; {type(picture).__name__} came; "
                       f"give one of {', '.join(FILES)}, or the path of a picture file")  # fmt: skip
    if picture in FILES:
        shipped = importlib.util.find_spec("skimage")
        if shipped is None:
            raise LabError("the photos come with scikit-image; it is not installed; do: pip install scikit-image")
        return Path(shipped.origin).parent / "data" / FILES[picture]
    path = expanded(picture)
    if not os.path.isfile(path):  # pathlib's raises for a name that is too long
        came = no_file(path if os.path.isdir(path) else picture)
        raise LabError(f"a picture was expected; {came}; give the path of a picture file, or one of {', '.join(FILES)}")
    return path
