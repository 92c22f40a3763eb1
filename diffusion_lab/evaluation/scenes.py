"""How pictures of the scenes world are judged: by a reader that says what is in them.

The reader sees only pictures, never prompts. It is trained on real scenes alone, on all combinations.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import LabError
from ..files import read_tensors
from ..places import WEIGHTS
from ..worlds import scenes
from .distances import to_pixels

_OF_A_FIGURE = {
    "subject": scenes.SUBJECTS,
    "ride": scenes.RIDES,
    "colour": tuple(sorted({c for group in scenes.SUBJECT_COLOURS.values() for c in group})),
    "ride_colour": tuple(sorted({c for group in scenes.RIDE_COLOURS.values() for c in group} - {"none"})),
    "where": tuple(scenes.SIDES),
    "size": tuple(scenes.SIZES),
    "looks": tuple(scenes.LOOKS),
}
WORDS = {
    "count": ("0", "1", "2"),
    "place": scenes.PLACES,
    "light": tuple(scenes.LIGHTS),
    **{name: (*words, "none") for name, words in _OF_A_FIGURE.items()},
    **{f"{name}_2": (*words, "none") for name, words in _OF_A_FIGURE.items()},
}


class Reader(nn.Module):
    """A small convolutional network that reads all of WORDS from a picture: how many figures, and of the left one and
    the right one what, on what, in which colours, where, how large and looking where."""

    def __init__(self):
        super().__init__()
        layers, before = [], 3
        for width, stride in ((32, 2), (64, 2), (96, 2), (128, 2), (128, 1)):
            layers.append(nn.Sequential(nn.Conv2d(before, width, 3, stride, 1), nn.GroupNorm(8, width), nn.SiLU()))
            before = width
        self.layers = nn.ModuleList(layers)
        self.heads = _heads(4 * before)

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """The feature maps (B, C, h, w) from fine (32 x 32) to coarse (4 x 4); pixels (B, 3, 128, 128) in [-1, 1]."""
        h, maps = F.avg_pool2d(pixels, 2), []                                   # (B, 3, 64, 64)
        for layer in self.layers:
            h = layer(h)                                                        # (B, C, h, w)
            maps.append(h)
        return maps

    def features(self, pixels: Tensor) -> Tensor:
        """One vector (B, 128) for each picture: the space of the Frechet distance."""
        return self.maps(pixels)[-1].mean((2, 3))                               # (B, 128)

    def seen(self, pixels: Tensor) -> Tensor:
        """What the heads read from, (B, 512): the mean of each column of the coarsest map."""
        return self.maps(pixels)[-1].mean(2).flatten(1)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """For each of WORDS, the logits (B, number of words)."""
        h = self.seen(pixels)
        return {name: head(h) for name, head in self.heads.items()}


class SecondReader(Reader):
    """A reader of another kind: patches of 8 x 8 pixels, then blocks that mix neighbours and channels in turn."""

    def __init__(self, width: int = 64, depth: int = 4):
        nn.Module.__init__(self)
        self.layers = nn.ModuleList([nn.Conv2d(3, width, 8, 8)])
        self.mixers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 5, padding=2, groups=width), nn.GroupNorm(1, width),
                nn.Conv2d(width, 4 * width, 1), nn.GELU(), nn.Conv2d(4 * width, width, 1),
            )
            for _ in range(depth)
        )  # fmt: skip
        self.last = nn.Linear(8 * width, 192)
        self.heads = _heads(192)

    def seen(self, pixels: Tensor) -> Tensor:
        """What the heads read from, (B, 192): mean and largest value over four upright strips."""
        h = self.layers[0](pixels)                                              # (B, 64, 16, 16)
        for mixer in self.mixers:
            h = h + mixer(h)                                                    # (B, 64, 16, 16)
        strips = h.unflatten(3, (4, 4))                                         # (B, 64, 16, 4, 4)
        return F.gelu(self.last(torch.cat([strips.mean((2, 4)), strips.amax((2, 4))], 1).flatten(1)))

    def features(self, pixels: Tensor) -> Tensor:
        """One vector (B, 192) for each picture."""
        return self.seen(pixels)


def _heads(width: int) -> nn.ModuleDict:
    return nn.ModuleDict({name: nn.Linear(width, len(words)) for name, words in WORDS.items()})


def targets(labels: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Labels by word as the numbers (n,) that a reader's logits are compared with."""
    return {name: torch.tensor([words.index(word) for word in labels[name]]) for name, words in WORDS.items()}


def load_reader(which: str = "reader") -> Reader:
    """The shipped "reader", or the "second" one of another architecture and seed.

    Raises LabError for another name, and where its file is missing or damaged.
    """
    if which not in ("reader", "second"):
        raise LabError(f'a reader is "reader" or "second"; {which!r} came; choose one of the two')
    reader = Reader() if which == "reader" else SecondReader()
    path = WEIGHTS / "reader_scenes" / f"{which}.safetensors"
    tensors, _ = read_tensors(path, "a reader of scenes", "install the package again")
    reader.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return reader.eval().requires_grad_(False)


@torch.no_grad()
def look(reader: Reader, images: np.ndarray, batch: int = 100) -> tuple[dict[str, np.ndarray], Tensor]:
    """What the reader reads in n pictures, uint8 (n, 128, 128, 3): the words by name, each an array of n words, and
    the features (n, 128)."""
    parts = [to_pixels(images[k : k + batch]) for k in range(0, len(images), batch)]
    features, seen = (torch.cat([f(part) for part in parts]) for f in (reader.features, reader.seen))
    read = {name: np.array(words)[reader.heads[name](seen).argmax(1)] for name, words in WORDS.items()}
    return read, features


def fidelity(read: dict[str, np.ndarray], asked: dict[str, np.ndarray]) -> dict[str, float]:
    """The share in [0, 1] of pictures in which all of subject, ride and place ("all three") and both colours
    ("colours") are as they were asked for; `read` and `asked` hold arrays of n words by name."""
    same = {name: read[name] == asked[name] for name in ("subject", "ride", "place", "colour", "ride_colour")}
    three = same["subject"] & same["ride"] & same["place"]
    return {"all three": float(three.mean()), "colours": float((same["colour"] & same["ride_colour"]).mean())}
