"""What the player knows of a path: the numbers of each step, and its frames."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..trajectory import Step, Trajectory
from . import frames
from .frames import Detail

STOPS = (0.0, 0.10, 0.35, 0.70, 1.0)  # shares of picture at which the strip stops: evenly spaced ones are mostly static
UNCOND = "picture_uncond"  # among a Step's extras: the decoded guess without the prompt, uint8 (B, H, W, 3)
SEEN = "picture_x_t"  # and x_t decoded, for those who shall guess what it will be
NAMES = {
    "ddim": "DDIM", "ddpm": "DDPM", "euler": "Euler", "euler_ancestral": "Euler ancestral", "heun": "Heun",
    "dpmpp_2m": "DPM++ 2M", "dpmpp_2m_karras": "DPM++ 2M Karras", "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_1s": "DPM++ 1S",
    "unipc": "UniPC", "deis": "DEIS", "lms": "LMS", "kdpm2": "KDPM2", "pndm": "PNDM", "lcm": "LCM",
}  # fmt: skip


def arrival(step: Step) -> bool:
    """Whether this is the clean picture itself (where a reverse path ends or a forward path begins), not a step."""
    return step.alpha_bar == 1 and step.t == -1


def own(x: Tensor, index: int, points: bool) -> Tensor:
    """What is drawn of a batch: all points, or one picture."""
    return x if points else x[index]


def pack(trajectory: Trajectory, at: list[int], index: int, detail: Detail) -> dict:
    """One path as JSON can hold it: per kept step alpha_bar, t, its number; and its frames as data: addresses.

    Arguments: `at`, the steps to keep; `index`, which picture of the batch; `detail`, how finely. Numbers that another
    CPU computes a little differently (how much the guess changed, frames) are data: addresses, exact ones are numbers.
    """
    points = frames.is_points(trajectory)
    told = facts(trajectory)
    alphas, labels = np.array([f[0] for f in told]), [f[1] for f in told]
    numbers = np.cumsum([not (f[2] or f[3]) for f in told])
    forward = trajectory.fixed
    kept = [trajectory[0]] if forward else [trajectory[i] for i in at]
    guided = not forward and all(s.eps_uncond is not None for s in kept if not arrival(s))
    return {
        "label": recipe_line(trajectory, index), "direction": trajectory.direction, "points": points,
        "total": max(int(numbers[-1]), trajectory.recipe.n),
        "alpha": [float(f"{alphas[i]:.6g}") for i in at],
        "t": [int(labels[i]) if labels[i] == int(labels[i]) else round(float(labels[i]), 3) for i in at],
        "number": [0 if told[i][3] else int(numbers[i]) for i in at],
        "corrections": [k for k, i in enumerate(at) if told[i][2]],
        "change": None if forward else frames.numbers(_changes(kept, index, points), "<f4"),
        "moved": frames.numbers(_moved(kept, index, points), "<f4") if guided else None,
        **(_points if points else _pictures)(trajectory, kept, at, index, detail, guided),
    }  # fmt: skip


def facts(trajectory: Trajectory) -> list[tuple[float, float, bool, bool]]:
    """alpha_bar, t, whether it is a correction and whether the arrival, for every step, without computing any x_t."""
    steps = trajectory.steps
    if trajectory.fixed:
        return [(a, t, False, a == 1 and t == -1) for a, t in zip(steps.alpha_bars, steps.ts, strict=True)]
    return [(s.alpha_bar, s.t, s.note == "correction", arrival(s)) for s in steps]


def _rms(x: Tensor) -> float:
    value = float(x.detach().float().square().mean().sqrt())
    return value if np.isfinite(value) else 0.0


def _changes(steps: Sequence[Step], index: int, points: bool) -> np.ndarray:
    guesses = [own(s.x0, index, points) for s in steps]
    return np.array([0.0] + [_rms(b - a) for a, b in zip(guesses, guesses[1:], strict=False)])


def _moved(steps: Sequence[Step], index: int, points: bool) -> np.ndarray:
    """How far the prompt moved each guess, as a share of the guess itself: rms(x0 - x0_uncond) / rms(x0)."""
    shares = []
    for step in steps:
        if arrival(step):
            shares.append(0.0)
            continue
        x0, without = own(step.x0, index, points), own(step.x0_uncond, index, points)
        shares.append(_rms(x0 - without) / max(_rms(x0), 1e-12))
    return np.array(shares)


def _pictures(trajectory, steps, at, index, detail, guided) -> dict:
    to_rgb, k = trajectory.to_rgb, detail.every(steps[0].x_t[index])
    x0 = np.stack([frames.linear(s.x0[index], to_rgb)[::k, ::k] for s in steps])  # (N, H, W, 3)
    eps = np.stack([frames.linear(s.eps[index], to_rgb)[::k, ::k] for s in steps])
    reach = np.quantile(np.abs(np.nan_to_num(x0[:, ::2, ::2])), 0.999)
    unit = detail.x0 * float(np.clip(reach, 1, 2))
    packed = {"x0": frames.sprite(frames.levels(x0, unit)), "eps": frames.sprite(frames.levels(eps, detail.eps))}
    if guided:
        without = [s.x0 if arrival(s) else s.x0_uncond for s in steps]
        without = np.stack([frames.linear(x[index], to_rgb)[::k, ::k] for x in without])
        packed["x0_uncond"] = frames.sprite(frames.levels(without, unit))
    packed["units"] = frames.numbers([unit, detail.eps, *frames.bias(to_rgb)], "<f4")
    decoded = {"x0": {k: trajectory.pictures[i][index] for k, i in enumerate(at) if i in trajectory.pictures}}
    if guided:
        beside = {k: step.extras[UNCOND][index] for k, step in enumerate(steps) if UNCOND in step.extras}
        decoded["x0_uncond"] = beside | {k: decoded["x0"][k] for k in decoded["x0"] if beside and arrival(steps[k])}
    decoded["x_t"] = {k: step.extras[SEEN][index] for k, step in enumerate(steps) if SEEN in step.extras}
    packed["pictures"] = {
        what: {"at": list(own), **frames.picture_sprite(_stack(own.values()), detail.side, detail.quality)}
        for what, own in decoded.items()
        if own
    }
    return packed


def _stack(pictures) -> np.ndarray:
    return np.stack([picture.cpu().numpy() for picture in pictures])


def _points(trajectory, steps, at, index, detail, guided) -> dict:
    k = detail.every(steps[0].x_t)
    every = slice(None, None, k)
    x0 = torch.stack([s.x0[every] for s in steps]).float().cpu().numpy()  # (N, B, 2)
    eps = torch.stack([s.eps[every] for s in steps]).float().cpu().numpy()
    unit = float(np.clip(np.nanmax(np.abs(np.nan_to_num(x0))), 4, 40)) / 32000
    packed = {"count": x0.shape[1], "follow": index // k, "x0": _shorts(x0, unit)}
    packed["eps"] = _shorts(eps, 1 / 4000)
    if guided:
        without = torch.stack([(s.x0 if arrival(s) else s.x0_uncond)[every] for s in steps]).float().cpu().numpy()
        packed["x0_uncond"] = _shorts(without, unit)
    final = np.abs(np.nan_to_num(trajectory.x0.float().cpu().numpy()))
    packed["units"] = frames.numbers([unit, 1 / 4000, max(3.0, 1.15 * float(np.quantile(final, 0.995)))], "<f4")
    return packed


def _shorts(values: np.ndarray, unit: float) -> str:
    q = np.clip(np.round(np.nan_to_num(values) / unit), -32767, 32767)
    return frames.numbers(np.where(np.isfinite(values), q, -32768), "<i2")


def stops(trajectory: Trajectory) -> list[int]:
    """The steps nearest to 0, 10, 35, 70 and 100 % picture, in the order they happen, each once."""
    alphas = np.array([f[0] for f in facts(trajectory)])
    return sorted({int(np.abs(alphas - share).argmin()) for share in STOPS})


def pairs(a: dict, b: dict) -> list[list[int]]:
    """For two packed paths, which step of one is seen beside which of the other.

    Reverse paths are aligned by noise level (the angle acos(sqrt(alpha_bar)), which is even in both), along the one
    with more steps; forward paths by how far they have come.
    """
    N, M = len(a["alpha"]), len(b["alpha"])
    if a["direction"] == "forward":
        most = max(N, M) - 1
        return [[round(k * (N - 1) / most), round(k * (M - 1) / most)] for k in range(most + 1)] if most else [[0, 0]]
    angles = [np.arccos(np.sqrt(np.array(path["alpha"]))) for path in (a, b)]
    if N >= M:
        return [[i, _nearest(angles[1], angle)] for i, angle in enumerate(angles[0])]
    return [[_nearest(angles[0], angle), j] for j, angle in enumerate(angles[1])]


def _nearest(angles: np.ndarray, angle: float) -> int:
    """The first of the nearest: rounded, so that a tie is a tie on every CPU."""
    return int(np.abs(angles - angle).round(4).argmin())


def recipe_line(trajectory: Trajectory, index: int) -> str:
    """ "Tiny SD · seed 7 · DDIM, 25 steps · guidance 2.5": what the path was made from, in one line."""
    recipe = trajectory.recipe
    sampler = recipe.title or NAMES.get(recipe.sampler, recipe.sampler)
    steps = f"{recipe.n} steps" if recipe.n else ""
    scale = recipe.guidance_scale
    parts = [
        recipe.model,
        f"seed {recipe.seed[min(index, len(recipe.seed) - 1)]}" if recipe.seed else "",
        ", ".join(part for part in (sampler, steps) if part),
        f"guidance {scale:g}" if scale is not None and scale != 1 else "",
        f"without “{recipe.negative_prompt}”" if recipe.negative_prompt else "",
    ]
    return " · ".join(part for part in parts if part)


def prompt_of(trajectory: Trajectory, index: int) -> str:
    prompts = trajectory.recipe.prompt
    return prompts[min(index, len(prompts) - 1)] if prompts else ""


def told_apart(a: Trajectory, b: Trajectory, index: int) -> list[str]:
    """Two names, "A · DDIM, 10 steps" and "B · Heun, 25 steps": what differs between two recipes."""
    both = [_recipe_facts(each, index) for each in (a, b)]
    names = []
    for letter, mine, others in (("A", both[0], both[1]), ("B", both[1], both[0])):
        own_facts = [mine[key] for key in mine if mine[key] and others[key] and mine[key] != others[key]]
        names.append(" · ".join([letter, *own_facts]))
    return names


def _recipe_facts(trajectory: Trajectory, index: int) -> dict[str, str]:
    recipe = trajectory.recipe
    prompt, scale = prompt_of(trajectory, index), recipe.guidance_scale
    return {
        "prompt": f"“{prompt}”" if prompt else "no prompt", "model": recipe.model,
        "seed": f"seed {recipe.seed[min(index, len(recipe.seed) - 1)]}" if recipe.seed else "",
        "sampler": NAMES.get(recipe.sampler, recipe.sampler), "n": f"{recipe.n} steps" if recipe.n else "",
        "guidance": f"guidance {scale:g}" if scale is not None else "",
        "negative": f"without “{recipe.negative_prompt}”" if recipe.negative_prompt else "",
    }  # fmt: skip


def start_line(a: Trajectory, b: Trajectory, index: int) -> str:
    """Whether both paths begin with the very same values, in words."""
    forward = a.direction == "forward"
    x, y = a[0].x_t.float().cpu(), b[0].x_t.float().cpu()
    same = x.shape == y.shape and torch.equal(own(x, index, frames.is_points(a)), own(y, index, frames.is_points(b)))
    seeds = {each.recipe.seed[min(index, len(each.recipe.seed) - 1)] for each in (a, b) if each.recipe.seed}
    seed = f", seed {seeds.pop()}" if len(seeds) == 1 and same else ""
    if forward:
        return "same picture" if same else "different pictures"
    return f"same starting noise{seed}" if same else "different starting noise"


def gap(a: Step, b: Step, index: int) -> float:
    """The largest difference between two guesses of the picture, in the samples' own units."""
    x, y = a.x0.float().cpu(), b.x0.float().cpu()
    difference = own(x, index, x.ndim == 2) - own(y, index, y.ndim == 2)
    return float(difference.abs().max())
