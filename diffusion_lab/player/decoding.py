"""Latents become pictures while the model is still at hand."""

from dataclasses import replace

from ..trajectory import Step, Trajectory
from . import paths

ALL = 256  # pixels: up to this side every step's guess is decoded, beyond it a few chosen ones


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
    for i in range(N) if small else sorted({*paths.stops(trajectory), *range(0, N, max(1, N // 8))}):
        if i not in pictures:
            pictures[i] = decode(steps[i].x0)
        beside = {name: decode(x) for name, x in _wanted(steps[i], seen).items() if name not in steps[i].extras}
        if beside:
            steps[i] = replace(steps[i], extras={**steps[i].extras, **beside})
    trajectory.steps, trajectory.pictures = steps, dict(sorted(pictures.items()))


def _wanted(step: Step, seen: bool) -> dict:
    wanted = {} if step.eps_uncond is None else {paths.UNCOND: step.x0_uncond}
    return wanted | ({paths.SEEN: step.x_t} if seen else {})
