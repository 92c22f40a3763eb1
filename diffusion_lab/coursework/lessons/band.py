"""The noise band with a flag on it, where an edit boards; and what a border looks like in numbers."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...figures import PALETTE, WORDS, as_image, axes, write

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
    dice = np.random.default_rng(0)
    for x in range(LEFT, RIGHT, 4):  # less and less static from left to right
        share = (RIGHT - x) / (RIGHT - LEFT)
        for y in range(top, top + 28, 4):
            grey = round(235 - share * 180 * dice.random())
            sheet.paste((grey, grey, grey), (x, y, x + 4, y + 4))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle([here, top + 11, RIGHT, top + 16], fill=PALETTE["signal"])
    draw.line([here, top - 32, here, top + 34], fill="#222222", width=5)
    draw.polygon([(here, top - 34), (here + 40, top - 22), (here, top - 8)], fill=PALETTE["noise"])
    write(sheet, "static", LEFT + 30, top + 34, WORDS["noise"], 22)
    write(sheet, "picture", RIGHT - 40, top + 34, WORDS["signal"], 22)
    write(sheet, f"strength {strength:g}", min(max(here, 200), 760), top + 34, size=22)
    return sheet


def profile(pixels: Tensor, joints: Sequence[int], measures: dict, usual: float, strangers: Sequence = ()) -> tuple:
    """The step from each column of a wide picture, float (H, W, 3), to the next, as each of the `measures` (by name)
    gives it, with a mark at each joint; `usual` is what a picture shows that nobody has edited, and `strangers` are
    pictures that do not fit, pasted at the first joint: a control. A plot, its alt text
    and its caption, as Figure takes them."""
    figure, panel = axes(10, 2.6)
    columns = range(1, pixels.shape[1])
    for (name, measure), role, style in zip(measures.items(), ("signal", "noise"), ("-", "--"), strict=False):
        panel.plot(columns, np.clip([_of(measure, pixels, c) for c in columns], -5, 30), style, color=PALETTE[role],
                   linewidth=2, label=name)
    for joint in joints:
        panel.axvline(joint, color=PALETTE["pull"], linewidth=3, linestyle=":")
    panel.axhline(usual, color=PALETTE["reference"], linewidth=1)
    panel.set(xlim=(0, pixels.shape[1]), ylim=(-5, 30), xlabel="column", yticks=[0, 10, 20], ylabel="step")
    if len(measures) > 1:
        panel.legend(loc="upper right", ncols=2, frameon=False)
    ours, *others = measures.values()
    off = max((abs(_of(ours, pixels, c) - _of(other, pixels, c)) for other in others for c in joints), default=0)
    told = ", ".join(f"{_of(ours, pixels, c) / usual:.1f}" for c in joints)
    sheets = [torch.tensor(np.asarray(each)).float() for each in strangers]
    control = ", ".join(f"{_of([*measures.values()][-1], sheet, joints[0]) / usual:.1f}" for sheet in sheets)
    return (figure, f"The step from each column to the next along a wide picture, jagged, with a mark at each of "
            f"{len(joints)} joints, where it is not higher than elsewhere. At the joints, usual = 1: {told}.",
            f"At the joints, where a real scene's mean step is 1: {told}; strangers: {control}. "
            f"Yours at most {off:.2f} off there.")


def _of(measure, pixels: Tensor, column: int) -> float:
    """What a learner's own function says of a column; no number where it reaches beyond the picture."""
    try:
        return float(measure(pixels, column))
    except IndexError:
        return math.nan
