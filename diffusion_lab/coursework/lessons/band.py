"""How an edit is seen: a flag on the noise band, what a reader sees in it, where it differs, its border in numbers."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...beads import fading
from ...figures import PALETTE, WORDS, as_image, as_name, axes, write

LEFT, RIGHT = 40, 920  # where the band begins and ends, in pixels of 960


def boarding(picture, noised, drawn, strength: float, size: int = 256) -> Image.Image:
    """The band from static (left) to picture (right) with a flag where an edit of this strength boards, and over it
    the picture, what boards, and where it arrives. Returns a picture of 960 x (size + 134) pixels."""
    sheet = Image.new("RGB", (960, size + 134), "white")
    for k, (image, words) in enumerate(((picture, "the picture"), (noised, "boards like this"), (drawn, "arrives"))):
        x = round(k * (960 - size) / 2)
        sheet.paste(as_image(image).resize((size, size), Image.Resampling.NEAREST), (x, 0))
        write(sheet, words, x + size / 2, size + 2, size=22)
    top, here = size + 68, round(RIGHT - (RIGHT - LEFT) * strength)
    sheet.paste(fading(RIGHT - LEFT, 28, 4), (LEFT, top))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle([here, top + 11, RIGHT, top + 16], fill=PALETTE["signal"])
    draw.line([here, top - 32, here, top + 34], fill="#222222", width=5)
    draw.polygon([(here, top - 34), (here + 40, top - 22), (here, top - 8)], fill=PALETTE["noise"])
    write(sheet, "static", LEFT + 30, top + 34, WORDS["noise"], 22)
    write(sheet, "picture", RIGHT - 40, top + 34, WORDS["signal"], 22)
    write(sheet, f"strength {strength:g}", min(max(here, 200), 760), top + 34, size=22)
    return sheet


def predicted(guess, riders: int, places: int, of: int = 8) -> tuple:
    """How many riders and places are new, as two bars, and on them the `guess`: "a" the places, "b" the riders, "c"
    both at once, "d" neither; anything else is no guess. A plot, its alt text and its caption, as Figure takes them."""
    guess = guess.strip().lower() if isinstance(guess, str) else ""
    figure, plot = axes(9, 1.2)
    counts = {"new places": places, "new riders": riders}
    plot.barh(list(counts), list(counts.values()), height=0.55, color=PALETTE["reference"])
    for row, number in enumerate(counts.values()):
        mine = guess in ("ab"[row], "c")
        plot.text(number + 0.1, row, f"{number} of {of}", va="center", fontsize=14)
        plot.text(of + 1, row, "◀ your guess" * mine, va="center", fontsize=14, color=WORDS["guess"])
    plot.tick_params(axis="y", labelsize=14)
    plot.set(xlim=(0, of + 3), xticks=[])
    named = {"a": "the places", "b": "the riders", "c": "both", "d": "neither"}.get(guess)
    told = f"{riders} of {of} riders are new, {places} of {of} places"
    return (figure, f"Two bars: {told}. " + (f"Your guess: {named}." if named else "No guess is marked."),
            f"At strength 0.2, {told}. " + (f"You said: {named}." if named else "You have not guessed yet."))


def profile(pixels: Tensor, joints: Sequence[int], measures: dict, usual: float, strangers: Sequence = ()) -> tuple:
    """The step from each column of a wide picture, float (H, W, 3), to the next, as each of the `measures` (by name)
    gives it, with a mark at each joint; `usual` is what a picture shows that nobody has edited, and `strangers` are
    pictures that do not fit, pasted at the first joint: a control, the first of which is drawn there. A plot, its alt
    text and its caption, as Figure takes them."""
    figure, panel = axes(10, 2.6)
    columns = range(1, pixels.shape[1])
    for (name, measure), role, style in zip(measures.items(), ("signal", "noise"), ("-", "--"), strict=False):
        panel.plot(columns, np.clip([_of(measure, pixels, c) for c in columns], -5, 30), style, color=PALETTE[role],
                   linewidth=2, label=as_name(name))
    for joint in joints:
        panel.axvline(joint, color=PALETTE["pull"], linewidth=3, linestyle=":")
    panel.axhline(usual, color=PALETTE["reference"], linewidth=1)
    panel.set(xlim=(0, pixels.shape[1]), ylim=(-5, 30), xlabel="column", yticks=[0, 10, 20], ylabel="step")
    sheets = [torch.tensor(np.asarray(each)).float() for each in strangers]
    measure = [*measures.values()][-1]
    near = range(joints[0] - 8, joints[0] + 9)
    for sheet in sheets[:1]:
        panel.plot(near, [_of(measure, sheet, c) for c in near], color=PALETTE["guess"], linewidth=3,
                   label="a stranger")
    if len(measures) > 1:
        panel.legend(loc="upper right", ncols=3, frameon=False)
    ours, *others = measures.values()
    off = max((abs(_of(ours, pixels, c) - _of(other, pixels, c)) for other in others for c in joints), default=0)
    told = ", ".join(f"{_of(ours, pixels, c) / usual:.1f}" for c in joints)
    control = ", ".join(f"{_of(measure, sheet, joints[0]) / usual:.1f}" for sheet in sheets)
    return (figure, f"The step from each column to the next along a wide picture, jagged, with a mark at each of "
            f"{len(joints)} joints, where it is not higher than elsewhere, and at the first a high peak, a stranger's. "
            f"At the joints, usual = 1: {told}.",
            f"At the joints, where a real scene's mean step is 1: {told}; strangers: {control}. "
            f"Yours at most {off:.2f} off there.")


def far(picture, original, times: float = 6) -> np.ndarray:
    """Where two pictures differ: the difference in grey levels, six times as strong, as uint8 (H, W, 3)."""
    a, b = (np.asarray(each, dtype=np.float64) for each in (picture, original))
    return np.clip(times * np.abs(a - b), 0, 255).astype(np.uint8)


def seen_in(pictures: Sequence) -> list[str]:
    """What a reader sees in each picture: "robot, mars"."""
    return [", ".join(seen) for seen in zip(*_read(pictures), strict=True)]


def counted(pictures: Sequence, wanted: dict) -> tuple[int, int]:
    """In how many pictures a reader finds the subject, and in how many the place, that were asked for."""
    return tuple(sum(found == asked for found, asked in zip(seen, wanted[name], strict=True))
                 for name, seen in zip(("subject", "place"), _read(pictures), strict=True))


def _read(pictures: Sequence) -> tuple[list[str], list[str]]:
    """The subjects and the places that a reader sees."""
    from ...evaluation import load_reader, look

    read, _ = look(load_reader(), np.stack([np.asarray(picture) for picture in pictures]))
    return read["subject"], read["place"]


def _of(measure, pixels: Tensor, column: int) -> float:
    """What a learner's own function says of a column; no number where it reaches beyond the picture."""
    try:
        return float(measure(pixels, column))
    except IndexError:
        return math.nan
