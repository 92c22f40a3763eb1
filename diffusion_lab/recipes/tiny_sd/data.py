"""The training pictures of Tiny SD: drawn once, kept on disk, read by memory map."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from ...errors import LabError
from ...files import whole
from ...worlds import scenes
from ...worlds.scenes import Scene

TRAIN, HELD_OUT = ("train", 1), ("held-out", 2)
_CHUNK = 200


@dataclass(frozen=True)
class Pictures:
    """n drawn scenes: `images` uint8 (n, 128, 128, 3), `masks` uint8 (n, 128, 128), and what is in each."""

    images: np.ndarray
    masks: np.ndarray
    scenes: list[Scene]

    def __len__(self) -> int:
        return len(self.scenes)

    def batch(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        """Pictures in [-1, 1] (B, 3, 128, 128), and their foreground share in [0, 1] (B, 1, 128, 128)."""
        order = np.argsort(index)
        back = torch.from_numpy(np.argsort(order))
        pixels = torch.from_numpy(self.images[index[order]])[back]
        masks = torch.from_numpy(self.masks[index[order]])[back]
        return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1, masks[:, None].float() / 255


def draw(folder: Path, n: int, split: str, seed: int) -> Iterator[tuple[int, int]]:
    """Draw n scenes into the folder, going on where an earlier call stopped; yields (drawn, n) now and then."""
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / "scenes.json"
    known = json.loads(about.read_text()) if about.exists() else {}
    done = known.get("scenes", []) if known.get("n") == n else []
    mode = "r+" if done else "w+"
    if not done:
        _check_room(folder, n)
    images = open_memmap(folder / "images.npy", mode, np.uint8, (n, scenes.SIZE, scenes.SIZE, 3))
    masks = open_memmap(folder / "masks.npy", mode, np.uint8, (n, scenes.SIZE, scenes.SIZE))
    while len(done) < n:
        start, count = len(done), min(_CHUNK, n - len(done))
        part = scenes.sample_with_masks(count, seed, split, start)
        images[start : start + count], masks[start : start + count] = part[0], part[1]
        done += [asdict(Scene(*(str(part[3][name][k]) for name in scenes.FIELDS))) for k in range(count)]
        if len(done) == n or len(done) % (10 * _CHUNK) == 0:
            images.flush(), masks.flush()
            with whole(about) as part:
                part.write_text(json.dumps({"n": n, "split": split, "seed": seed, "scenes": done}))
        yield len(done), n


def _check_room(folder: Path, n: int) -> None:
    """A memory map that outgrows the disk ends the process without a word: so the disk is asked before."""
    need, free = n * scenes.SIZE**2 * 4 / 1e9, shutil.disk_usage(folder).free / 1e9
    if free < need:
        raise LabError(f"{need:.1f} GB of free disk were expected for {n:,} scenes; {folder} has {free:.1f} GB; "
                       "make room, name another folder with --out, or have fewer drawn with --drawn")  # fmt: skip


def load(folder: Path) -> Pictures:
    """The pictures that `draw` put into a folder."""
    about = json.loads((folder / "scenes.json").read_text())
    images, masks = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "masks"))
    return Pictures(images, masks, [Scene(**s) for s in about["scenes"]])
