"""The scenes world: eight subjects with four rides-or-deeds in six places, drawn by code and described in words.

A scene is 128 x 128: one figure in the middle that travels to the right, and exactly one sun (or planet) in the sky.
The wide world looks through windows on panoramas of the same places: scenes, empty places, one figure anywhere, near
or far, looking either way, or two figures; at most one sun or moon.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import LabError
from ..recipe import as_whole
from ._scenes_draw import PARTS, SIZE, Pen, darker, draw_place
from ._scenes_figures import COLOURS, draw_figure
from ._scenes_things import (
    COMBINATIONS,
    FIELDS,
    FIGURE_FIELDS,
    HELD_OUT,
    KINDS,
    LIGHTS,
    LOOKS,
    PLACES,
    RIDE_COLOURS,
    RIDES,
    SIDES,
    SIZES,
    SUBJECT_COLOURS,
    SUBJECTS,
    Figure,
    Scene,
    Window,
    choose,
    choose_window,
    pick,
)
from ._scenes_wide import FACTORS, SHADOWS, draw_window
from ._scenes_window_words import caption, describe, known_words
from ._scenes_words import words_by_kind

__all__ = [
    "COMBINATIONS", "FIELDS", "FIGURE_FIELDS", "HELD_OUT", "KINDS", "LIGHTS", "LOOKS", "PARTS", "PLACES", "RIDES",
    "RIDE_COLOURS", "SIDES", "SIZE", "SIZES", "SUBJECTS", "SUBJECT_COLOURS", "Figure", "Scene", "Window", "Windows",
    "caption", "choose",
    "choose_window", "describe", "draw", "draw_as", "known_words", "labels", "pick", "sample", "sample_with_masks",
    "sample_with_parts", "windows", "words_by_kind",
]  # fmt: skip


@dataclass(frozen=True)
class Windows:
    """Drawn windows: `images` uint8 (n, 128, width, 3), `masks` (the figures' share of each pixel) and `parts` (which
    of PARTS is there, by number) uint8 (n, 128, width), n captions, and n Windows that say what is in them."""

    images: np.ndarray
    masks: np.ndarray
    parts: np.ndarray
    captions: list[str]
    scenes: list[Window]


MOST = 2**24  # columns of all pictures that are drawn at once, 640 bytes each


def draw(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws a scene with a random pose, scale, place and light: the picture uint8 (128, 128, 3), the foreground's
    share of each pixel, uint8 (128, 128), and the number in PARTS of what is there, uint8 (128, 128)."""
    pen = Pen.on_paper()
    ground = draw_place(pen, scene.place, rng)
    x, y, scale = rng.uniform(54, 72), rng.uniform(110, 117), rng.uniform(0.84, 0.95)
    scale *= FACTORS[scene.ride]
    pen.ellipse(x, y + 1, SHADOWS[scene.ride] * scale, 4 * scale, darker(ground, 0.25))
    tilt = rng.uniform(-4, 4) if scene.ride == "skateboard" else rng.uniform(-1.5, 1.5)
    colours = COLOURS[scene.colour], COLOURS.get(scene.ride_colour, (0, 0, 0))
    draw_figure(pen.at(x, y, scale, tilt, part=1), scene.subject, scene.ride, colours, rng.random())
    picture, mask, parts = pen.finished()
    light = rng.uniform(0.92, 1.0) * np.array([1.0, rng.uniform(0.97, 1.0), rng.uniform(0.95, 1.0)])
    return (picture * light).round().astype(np.uint8), mask, parts


def draw_as(window: Window, rng: np.random.Generator, width: int = SIZE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws what a window says: as a scene where it is 128 wide and says the same, else as a view of a panorama."""
    scene = window.plain() if width == SIZE else None
    return draw(scene, rng) if scene else draw_window(window, rng, width)


def _checked(n: int, seed: int, split: str, start: int) -> tuple[int, int, int]:
    """n, seed and start as ints; raises LabError for others, and for another split."""
    if not isinstance(split, str) or split not in COMBINATIONS:
        raise LabError(f"the scenes' split is one of {', '.join(COMBINATIONS)}; {split!r} came; choose one of these")
    return (as_whole(n, "n, the number of scenes,", "try 8", 0), as_whole(seed, "a seed", "try 0", 0),
            as_whole(start, "start, the number of the first one,", "try 0", 0))  # fmt: skip


def sample_with_masks(n: int, seed: int, split: str = "all", start: int = 0):
    """Like `sample`, from picture number `start` on, and with the foreground masks uint8 (n, 128, 128) after the
    images."""
    drawn = _drawn_scenes(n, seed, split, start)
    return drawn.images, drawn.masks, drawn.captions, _labels(drawn.scenes)


def sample_with_parts(n: int, seed: int, split: str = "all", start: int = 0):
    """Like `sample_with_masks`, but for each pixel the number in PARTS of what is drawn there, uint8 (n, 128, 128):
    `parts == PARTS.index("ride")` is the true mask of what is ridden."""
    drawn = _drawn_scenes(n, seed, split, start)
    return drawn.images, drawn.parts, drawn.captions, _labels(drawn.scenes)


def _drawn_scenes(n: int, seed: int, split: str, start: int) -> Windows:
    """Plain scenes, with what `Windows` holds of each."""
    n, seed, start = _checked(n, seed, split, start)
    return _drawn(range(start, start + n), seed, SIZE, lambda rng: choose(rng, split), draw)


def _drawn(numbers: range, seed: int, width: int, choose: Callable, draw: Callable) -> Windows:
    """What choose(rng) says and draw(scene, rng) draws, for each number a generator of its own."""
    if len(numbers) * width > MOST:
        raise LabError(f"at most {MOST // width:,} scenes of {width} columns were expected; {len(numbers):,} came; "
                       "draw them in parts, with start=")
    images = np.empty((len(numbers), SIZE, width, 3), np.uint8)
    masks, parts = np.empty((2, len(numbers), SIZE, width), np.uint8)
    captions, scenes = [], []
    for k, number in enumerate(numbers):
        rng = np.random.default_rng([seed, number])
        scenes.append(choose(rng))
        captions.append(caption(scenes[-1], rng))
        images[k], masks[k], parts[k] = draw(scenes[-1], rng)
    return Windows(images, masks, parts, captions, scenes)


def _labels(scenes: list[Scene]) -> dict[str, np.ndarray]:
    return {name: np.array([getattr(s, name) for s in scenes]) for name in FIELDS}


def windows(n: int, seed: int, split: str = "all", start: int = 0, width: int = SIZE) -> Windows:
    """Draws n windows of the wide world, from number `start` on; window k depends on (seed, k) and the width alone.

    Arguments: `n`, how many, 0 or more; `seed`, 0 or more; `split`, as for `sample`: each figure of a window is from
    it; `width`, 128 or more: only windows of 128 hold plain scenes. Raises LabError for another split or width, and for
    more than ten gigabytes of them.
    """
    n, seed, start = _checked(n, seed, split, start)
    width = as_whole(width, "a window's width", "128, 192 and 256 are usual", SIZE)
    return _drawn(range(start, start + n), seed, width, lambda rng: choose_window(rng, split, width),
                  lambda window, rng: draw_as(window, rng, width))


def labels(seen: list[Window]) -> dict[str, np.ndarray]:
    """What is in each window, by word, each an array of n: "count" ("0", "1", "2"), "place", "light", FIGURE_FIELDS of
    the left-most figure, and of the second one with "_2" behind the name; "none" where there is nobody."""
    words = {"count": [str(len(w.figures)) for w in seen]}
    words |= {name: [getattr(w, name) for w in seen] for name in ("place", "light")}
    for k, behind in enumerate(("", "_2")):
        for name in FIGURE_FIELDS:
            words[name + behind] = [getattr(w.figures[k], name) if len(w.figures) > k else "none" for w in seen]
    return {name: np.array(values, dtype=str) for name, values in words.items()}


def sample(n: int, seed: int, split: str = "all", wide: bool = False):
    """Draws n scenes, or n windows 128 wide of the wide world; picture k depends on (seed, k) alone.

    Arguments: `n`, how many, 0 or more; `seed`, 0 or more; `split`: "all", "train" (without the 32 combinations that
    Tiny SD has never seen) or "held-out" (only those); `wide`, whether to look through windows (see `windows`).
    Returns the images uint8 (n, 128, 128, 3), n captions, and the labels by name ("subject", "ride", "place",
    "colour", "ride_colour"; for windows those of `labels`), each an array of n words. Raises LabError for an unknown
    split.
    """
    if wide:
        seen = windows(n, seed, split)
        return seen.images, seen.captions, labels(seen.scenes)
    images, _, captions, words = sample_with_masks(n, seed, split)
    return images, captions, words
