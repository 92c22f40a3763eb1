"""Latents become pictures while the model is still at hand."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..trajectory import Trajectory
from . import paths
from .views import VIEWS

ALL = 256  # pixels: up to this side every step's guess is decoded, beyond it a few chosen ones
AT_ONCE = 4  # small pictures are decoded together: on two cores nearly twice as fast as one by one

Pictures = dict[str, dict[int, Tensor]]  # by view and by step, uint8 (H, W, 3)


def decoded(trajectory: Trajectory, index: int, keys: Iterable[str]) -> Pictures:
    """The decoded pictures of one sample of the batch, x0 and the other views `keys`; the path stays as it is.

    Those that the path brings along and, where it knows how to decode, those of every step if pictures are small, or
    else of the still's steps and every eighth.
    """
    found = {key: _brought(trajectory, index, key) for key in ("x0", *keys)}
    if trajectory.decode is not None:
        _decode_more(trajectory, index, found)
    last = len(trajectory) - 1
    for key, own in found.items():  # where a path has arrived, what stands beside x0 is x0
        if own and VIEWS[key].beside and last in found["x0"] and VIEWS[key].of(trajectory[last]) is None:
            own.setdefault(last, found["x0"][last])
    return found


def _decode_more(trajectory: Trajectory, index: int, found: Pictures) -> None:
    last = 0 if trajectory.fixed else len(trajectory) - 1
    if last not in found["x0"]:
        found["x0"][last] = trajectory.decode(trajectory[last].x0[index : index + 1])[0]
    small = max(found["x0"][last].shape[:2]) <= ALL
    wanted = [(i, key, x) for i, key, x in _wanted(trajectory, found, small) if i not in found[key]]
    together = AT_ONCE if small else 1
    for k in range(0, len(wanted), together):
        part = wanted[k : k + together]
        made = trajectory.decode(torch.cat([x[index : index + 1] for _, _, x in part]))
        for (i, key, _), picture in zip(part, made, strict=True):
            found[key][i] = picture


def _wanted(trajectory: Trajectory, keys: Iterable[str], small: bool) -> Iterator[tuple[int, str, Tensor]]:
    """Which samples (B, ...) are to be decoded: (step, view, samples); the x0 of a fixed path once."""
    N, fixed = len(trajectory), trajectory.fixed
    few = {*paths.stops(trajectory), *range(0, N, max(1, N // 8))}
    for i in sorted(few) if fixed or not small else range(N):
        step = trajectory[i]
        for key in keys:
            x = VIEWS[key].of(step)
            if x is not None and not (fixed and key == "x0"):
                yield i, key, x


def _brought(trajectory: Trajectory, index: int, key: str) -> dict[int, Tensor]:
    if key == "x0":
        return {i: pictures[index] for i, pictures in trajectory.pictures.items()}
    if trajectory.fixed:
        return {}
    extras = ((i, step.extras.get(f"picture_{key}")) for i, step in enumerate(trajectory.steps))
    return {i: pictures[index] for i, pictures in extras if pictures is not None}


def keep(trajectory: Trajectory, pictures: Pictures) -> None:
    """Put the pictures of a path of one sample into the path itself, so that it can be saved with them."""
    trajectory.pictures = {i: picture[None] for i, picture in sorted(pictures["x0"].items())}
    for key, own in pictures.items():
        for i, picture in own.items() if key != "x0" else ():
            step = trajectory.steps[i]
            trajectory.steps[i] = replace(step, extras={**step.extras, f"picture_{key}": picture[None]})
