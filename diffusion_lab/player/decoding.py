"""Latents become pictures while the model is still at hand."""

from dataclasses import replace

import torch

from ..trajectory import Step, Trajectory
from . import paths

ALL = 256  # pixels: up to this side every step's guess is decoded, beyond it a few chosen ones
AT_ONCE = 4  # small pictures are decoded together: on two cores nearly twice as fast as one by one


def decode_guesses(trajectory: Trajectory, seen: bool = False) -> None:
    """Put decoded pictures beside a path that knows how to decode: of every step where pictures are small, else of
    the strip's steps and every eighth; the guesses without the prompt too, and with `seen` each x_t. What is there
    already stays."""
    decode, N = trajectory.decode, len(trajectory)
    if decode is None:
        return
    steps, pictures = list(trajectory.steps), dict(trajectory.pictures)
    if N - 1 not in pictures:
        pictures[N - 1] = decode(steps[N - 1].x0)
    small = max(pictures[N - 1].shape[1:3]) <= ALL
    chosen = range(N) if small else sorted({*paths.stops(trajectory), *range(0, N, max(1, N // 8))})
    wanted = [(i, name, x) for i in chosen for name, x in _wanted(steps[i], seen).items()
              if (i not in pictures if name == "x0" else name not in steps[i].extras)]
    together = AT_ONCE if small else 1
    for k in range(0, len(wanted), together):
        part = wanted[k : k + together]
        decoded = decode(torch.cat([x for _, _, x in part])).split([len(x) for _, _, x in part])
        for (i, name, _), picture in zip(part, decoded, strict=True):
            if name == "x0":
                pictures[i] = picture
            else:
                steps[i] = replace(steps[i], extras={**steps[i].extras, name: picture})
    trajectory.steps, trajectory.pictures = steps, dict(sorted(pictures.items()))


def _wanted(step: Step, seen: bool) -> dict:
    wanted = {"x0": step.x0} | ({} if step.eps_uncond is None else {paths.UNCOND: step.x0_uncond})
    return wanted | ({paths.SEEN: step.x_t} if seen else {})
