"""What the player knows of a path: the numbers of each step, its frames, and what it was made from in words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
from torch import Tensor

from ..trajectory import Step, Trajectory
from . import frames
from .frames import Detail
from .views import VIEWS, View, arrival

STOPS = (0.0, 0.10, 0.35, 0.70, 1.0)  # shares of picture at which the still stops: evenly spaced ones are mostly static
NOISE = 1 / 4000  # the noise's finest value, of points


def own(x: Tensor, index: int, points: bool) -> Tensor:
    """What is drawn of a batch: all points, or one picture."""
    return x if points else x[index]


def facts(trajectory: Trajectory) -> list[tuple[float, float, bool, bool]]:
    """alpha_bar, t, whether it is a correction and whether the arrival, for every step, without computing any x_t."""
    steps = trajectory.steps
    if trajectory.fixed:
        return [(a, t, False, a == 1 and t == -1) for a, t in zip(steps.alpha_bars, steps.ts, strict=True)]
    return [(s.alpha_bar, s.t, s.note == "correction", arrival(s)) for s in steps]


def walked(trajectory: Trajectory) -> int:
    """How many steps a path has gone: a correction is part of one, and to have arrived is none."""
    return sum(not (correction or arrival) for _, _, correction, arrival in facts(trajectory))


def pack(trajectory: Trajectory, at: list[int], index: int, detail: Detail, keys: Iterable[str],
         pictures: Mapping[str, Mapping[int, Tensor]]) -> dict:  # fmt: skip
    """One path as JSON can hold it: per kept step alpha_bar, t, its number; and its frames as data: addresses.

    Arguments: `at`, the steps to keep; `index`, which picture of the batch; `detail`, how finely; `keys`, the views to
    keep beside x0 and eps; `pictures`, decoded ones by view and step. Numbers that another CPU computes a little
    differently (how much the guess changed, frames) are data: addresses, exact ones are numbers.
    """
    points, fixed = frames.is_points(trajectory), trajectory.fixed
    told = facts(trajectory)
    alphas, labels = np.array([f[0] for f in told]), [f[1] for f in told]
    numbers = np.cumsum([not (f[2] or f[3]) for f in told])
    # a path that was stopped lacks the rest of its recipe's steps
    total = int(numbers[-1]) if told[-1][3] or fixed else max(int(numbers[-1]), trajectory.recipe.n)
    kept = [trajectory[0]] if fixed else [trajectory[i] for i in at]
    rows = [VIEWS[key] for key in dict.fromkeys(("x0", "eps", *keys)) if not VIEWS[key].summed]
    beside = next((view for view in rows if view.beside), None)
    return {
        "direction": trajectory.direction, "points": points, "total": total,
        "alpha": [float(f"{alphas[i]:.6g}") for i in at],
        "t": [int(labels[i]) if labels[i] == int(labels[i]) else round(float(labels[i]), 3) for i in at],
        "number": [0 if told[i][3] else int(numbers[i]) for i in at],
        "corrections": [k for k, i in enumerate(at) if told[i][2]],
        "change": None if fixed else frames.numbers(_changes(kept, index, points), "<f4"),
        "moved": beside and frames.numbers(_moved(kept, index, points, beside), "<f4"),
        "latents": latents(trajectory) is not None, "pictures": _decoded(pictures, at, fixed, detail),
        **(_points if points else _pictures)(trajectory, kept, index, detail, rows),
    }  # fmt: skip


def _rms(x: Tensor) -> float:
    value = float(x.detach().float().square().mean().sqrt())
    return value if np.isfinite(value) else 0.0


def _changes(steps: Sequence[Step], index: int, points: bool) -> np.ndarray:
    guesses = [own(s.x0, index, points) for s in steps]
    return np.array([0.0] + [_rms(b - a) for a, b in zip(guesses, guesses[1:], strict=False)])


def _moved(steps: Sequence[Step], index: int, points: bool, view: View) -> np.ndarray:
    """How far a view lies from the one it stands beside, as a share of that: rms(x0 - x0_uncond) / rms(x0)."""
    shares = []
    for step in steps:
        x, y = VIEWS[view.beside].of(step), view.samples(step)
        x, y = (x if each is None else each for each in (x, y))
        shares.append(_rms(own(x - y, index, points)) / max(_rms(own(x, index, points)), 1e-12))
    return np.array(shares)


def _rows(steps: Sequence[Step], view: View, frame: Callable[[Tensor], np.ndarray]) -> tuple[np.ndarray, dict]:
    """The frames of the steps that have a view, and, where some lack it, which have it."""
    found = {k: frame(x) for k, x in enumerate(map(view.samples, steps)) if x is not None}
    return np.stack(list(found.values())), {} if len(found) == len(steps) else {"at": list(found)}


def _pictures(trajectory: Trajectory, steps: Sequence[Step], index: int, detail: Detail, rows: list[View]) -> dict:
    def frame(view: View, x: Tensor) -> np.ndarray:
        k = detail.every(x[index])
        return view.drawn(x[index], trajectory.to_rgb)[::k, ::k]                    # (H, W, 3)

    packed, unit = {}, 0.0
    for view in rows:
        values, some = _rows(steps, view, partial(frame, view))                     # (N, H, W, 3)
        if view.key == "x0":
            reach = np.quantile(np.abs(np.nan_to_num(values[:, ::2, ::2])), 0.999)
            unit = detail.x0 * float(np.clip(reach, 1, 2))
        packed[view.key] = frames.sprite(frames.levels(values, detail.eps if view.noisy else unit)) | some
    return {"frames": packed, "units": frames.numbers([unit, detail.eps, *frames.bias(trajectory.to_rgb)], "<f4")}


def _decoded(pictures: Mapping[str, Mapping[int, Tensor]], at: list[int], fixed: bool, detail: Detail) -> dict:
    packed = {}
    for key, found in pictures.items():
        kept = {k: found[i].cpu().numpy() for k, i in enumerate(at) if i in found}
        if kept:
            some = {} if fixed and key == "x0" else {"at": list(kept)}  # one x0 for the whole of a fixed path
            packed[key] = some | frames.picture_sprite(np.stack(list(kept.values())), detail.side, detail.quality)
    return packed


def _points(trajectory: Trajectory, steps: Sequence[Step], index: int, detail: Detail, rows: list[View]) -> dict:
    k, packed, unit = detail.every(steps[0].x_t), {}, 0.0
    for view in rows:
        values, some = _rows(steps, view, lambda x: x[::k].detach().float().cpu().numpy())  # (N, B, 2)
        if view.key == "x0":
            unit = float(np.clip(np.nanmax(np.abs(np.nan_to_num(values))), 4, 40)) / 32000
        packed[view.key] = {"src": _shorts(values, NOISE if view.noisy else unit)} | some
    final = np.abs(np.nan_to_num(trajectory.x0.float().cpu().numpy()))
    reach = max(3.0, 1.15 * float(np.quantile(final, 0.995)))
    return {"frames": packed, "count": len(steps[0].x_t[::k]), "follow": index // k,
            "units": frames.numbers([unit, NOISE, reach], "<f4")}  # fmt: skip


def _shorts(values: np.ndarray, unit: float) -> str:
    q = np.clip(np.round(np.nan_to_num(values) / unit), -32767, 32767)
    return frames.numbers(np.where(np.isfinite(values), q, -32768), "<i2")


def stops(trajectory: Trajectory) -> list[int]:
    """The steps nearest to 0, 10, 35, 70 and 100 % picture, in the order they happen, each once."""
    alphas = np.array(trajectory.alpha_bars)
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


def gap(a: Step, b: Step, index: int) -> float:
    """The largest difference between two guesses of the picture, in the samples' own units."""
    x, y = a.x0.float().cpu(), b.x0.float().cpu()
    difference = own(x, index, x.ndim == 2) - own(y, index, y.ndim == 2)
    return float(difference.abs().max())


def latents(trajectory: Trajectory) -> list[int] | None:
    """Width and height where the samples are latents, drawn as colours: neither grey pictures, colours, nor points."""
    shape = trajectory[0].x_t.shape
    return [shape[3], shape[2]] if len(shape) == 4 and shape[1] not in (1, 3) else None
