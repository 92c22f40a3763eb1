"""The training pictures of Tiny SD: drawn once by as many processes as there are cores, kept on disk, read by memory
map."""

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from ...errors import LabError
from ...evaluation import WORDS, targets
from ...files import read_json, whole
from ...worlds import scenes
from .tokenizer import LENGTH, WordTokens

CHUNK, CAPTIONS = 100, 8
ARRAYS = ("images", "masks", "tokens", "labels")
ABOUT = ("the number of drawn pictures", "move the folder away and have them drawn again")


@dataclass(frozen=True)
class Kind:
    """One set of pictures: the world's `split` and `seed`, and how `wide` each is in pixels."""

    split: str
    seed: int
    width: int = 128

    def shapes(self, n: int) -> dict[str, tuple]:
        """What a folder of n pictures holds, by name: dtype and shape."""
        size = (n, scenes.SIZE, self.width)
        return {"images": (np.uint8, (*size, 3)), "masks": (np.uint8, size),
                "tokens": (np.int16, (n, CAPTIONS, LENGTH)), "labels": (np.int8, (n, len(WORDS)))}  # fmt: skip


KINDS = {"first": Kind("train", 1), "held-out": Kind("held-out", 2), "more": Kind("train", 4),
         "wide": Kind("train", 3, 256)}  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """n drawn scenes: `images` uint8 (n, 128, W, 3), the foreground's `masks` uint8 (n, 128, W), eight captions of each
    as `tokens` int16 (n, 8, 24), and what is in each as `labels` int8 (n, number of evaluation.WORDS)."""

    images: Tensor
    masks: Tensor
    tokens: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: str) -> "Pictures":
        """The same pictures in the memory of a device; on the CPU they stay on the disk."""
        return self if device == "cpu" else Pictures(*(getattr(self, part).to(device) for part in ARRAYS))

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures in [-1, 1] (B, 3, 128, W), and their foreground's share in [0, 1] (B, 1, 128, W)."""
        pixels = self.images[index].permute(0, 3, 1, 2).float() / 127.5 - 1
        return pixels.contiguous(), self.masks[index][:, None].float() / 255


def draw(folder: Path, n: int, kind: Kind, workers: int = 1) -> Iterator[tuple[int, int]]:
    """Draw n scenes into the folder, going on where an earlier call stopped; yields (drawn, n) now and then."""
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / "about.json"
    known = read_json(about, *ABOUT) if about.exists() else {}
    done = known.get("done", 0) if known.get("n") == n else 0
    if not done:
        _check_room(folder, n, kind)
        for part, (dtype, shape) in kind.shapes(n).items():
            open_memmap(folder / f"{part}.npy", "w+", dtype, shape).flush()
    tasks = [(folder, kind, start, min(CHUNK, n - start)) for start in range(done, n, CHUNK)]
    for done in _all(tasks, workers):
        if done == n or done // CHUNK % 20 == 0:
            with whole(about) as part:
                known = {"n": n, "done": done, "split": kind.split, "seed": kind.seed}
                part.write_text(json.dumps(known), encoding="utf-8")
        yield done, n


def _all(tasks: list[tuple], workers: int) -> Iterator[int]:
    """What `_chunk` returns for each task, in order."""
    if workers < 2:
        yield from map(_chunk, tasks)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_chunk, tasks)


def _chunk(task: tuple) -> int:
    """Draws one part of the pictures, on the disk when it returns; how many there are then."""
    folder, kind, start, count = task
    torch.set_num_threads(1)
    came = scenes.windows(count, kind.seed, kind.split, start, kind.width)
    words, tokens = WordTokens(), []
    for k, scene in enumerate(came.scenes):
        rng = np.random.default_rng([kind.seed, start + k, CAPTIONS])
        tokens.append(words([scenes.caption(scene, rng) for _ in range(CAPTIONS)]))
    labels = torch.stack(list(targets(scenes.labels(came.scenes)).values()), 1)
    for part, values in zip(ARRAYS, (came.images, came.masks, torch.stack(tokens), labels), strict=True):
        place = np.load(folder / f"{part}.npy", mmap_mode="r+")
        place[start : start + count] = np.asarray(values)
        place.flush()
    return start + count


def _check_room(folder: Path, n: int, kind: Kind) -> None:
    """A memory map that outgrows the disk ends the process without a word: so the disk is asked before."""
    need = sum(np.dtype(dtype).itemsize * np.prod(shape, dtype=float) for dtype, shape in kind.shapes(n).values()) / 1e9
    free = shutil.disk_usage(folder).free / 1e9
    if free < need:
        raise LabError(f"{need:.1f} GB of free disk were expected for {n:,} scenes; {folder} has {free:.1f} GB; "
                       "make room, name another folder with --out, or have fewer drawn with --drawn")  # fmt: skip


def complete(folder: Path, n: int) -> bool:
    """Whether n pictures or more lie in the folder."""
    about = folder / "about.json"
    known = read_json(about, *ABOUT) if about.exists() else {"done": 0, "n": 1}
    return known["done"] == known["n"] >= n


def load(folder: Path) -> Pictures:
    """The pictures that `draw` put into a folder."""
    return Pictures(*(torch.from_numpy(np.load(folder / f"{part}.npy", mmap_mode="r+")) for part in ARRAYS))
