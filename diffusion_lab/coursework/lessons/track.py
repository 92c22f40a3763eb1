"""The track of guidance scales: pictures drawn at one w over the line of all w, and three numbers that quarrel."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from ...figures import PALETTE, WORDS, as_image, write

MOST = 10.0  # the end of the track
LEFT, RIGHT = 44, 916  # where it begins and ends, in pixels of 960


def track(pictures: Sequence, w: float, size: int = 224, labels: Sequence[str] = ()) -> Image.Image:
    """Pictures in a row over the track of all w, with a marker at this one.

    Arguments: `pictures` as in figures.as_image; `w` from 0 (without the prompt) over 1 (with it) to 10, far past it;
    `size`, the height of a picture in pixels; `labels`, one a picture, written under it, or none. Returns a picture of
    960 x (size + 136) pixels, with labels 28 more.
    """
    text = 28 if labels else 0
    sheet = Image.new("RGB", (960, size + 136 + text), "white")
    _row(sheet, pictures, size, labels)
    draw, y = ImageDraw.Draw(sheet), size + 66 + text
    one, here = _across(1), _across(w)
    draw.line([LEFT, y, one, y], fill=PALETTE["pull"], width=8)
    for x in range(one, RIGHT, 24):  # past the second picture: dashed
        draw.line([x + 6, y, min(x + 20, RIGHT), y], fill=PALETTE["noise"], width=6)
    for k in range(0, 11):
        draw.line([_across(k), y - 10, _across(k), y + 10], fill=PALETTE["reference"], width=3)
        write(sheet, str(k), _across(k), y + 14, size=22)
    for k, words, role in ((0, "without", "pull"), (1, "with", "pull"), (5.5, "past it: extrapolated", "noise")):
        write(sheet, words, _across(k), y + 42, WORDS[role], 22)
    draw.ellipse([here - 15, y - 15, here + 15, y + 15], fill="white", outline="#222222", width=5)
    write(sheet, f"w = {w:g}", here, y - 44)
    return sheet


def quarrel(pictures: Sequence, curves: Mapping[str, Mapping[float, float]], w: float) -> Image.Image:
    """Pictures in a row, and under them one curve over w for each of three numbers, with a marker at this w.

    `curves` gives each number's values by w, in percent: {"obeyed": {0.0: 1, ...}, ...}, w among them. Returns a
    picture of 960 x 390 pixels.
    """
    sheet = Image.new("RGB", (960, 390), "white")
    _row(sheet, pictures, 144)
    draw = ImageDraw.Draw(sheet)
    for k, ((name, values), role) in enumerate(zip(curves.items(), ("guess", "noise", "signal"), strict=True)):
        left, top, wide, high, most = 14 + 328 * k, 204, 276, 128, max(max(values.values()), 1e-9)
        at = {v: (left + wide * v / MOST, top + high * (1 - y / most)) for v, y in values.items()}
        draw.line([left, top + high, left + wide, top + high], fill=PALETTE["reference"], width=2)
        draw.line(list(at.values()), fill=PALETTE[role], width=5, joint="curve")
        x, y = at[w]
        draw.line([x, top + high, x, y], fill="#bbbbbb", width=2)
        draw.ellipse([x - 11, y - 11, x + 11, y + 11], fill="white", outline=PALETTE[role], width=5)
        write(sheet, f"{name} {values[w]:.0f} %", left + wide / 2, 164, WORDS.get(role, "#222222"))
        for v in (0, 1, 5, 10):
            write(sheet, str(v), left + wide * v / MOST, top + high + 8, "#444444")
        write(sheet, "w", left + 0.75 * wide, top + high + 8, "#444444", 22)
    return sheet


def _across(w: float) -> int:
    return round(LEFT + (RIGHT - LEFT) * min(max(w, 0), MOST) / MOST)


def _row(sheet: Image.Image, pictures: Sequence, size: int, labels: Sequence[str] = ()) -> None:
    """Pictures side by side over the whole width, enlarged with hard edges, and what is written under them."""
    room = (sheet.width - size * len(pictures)) / max(len(pictures) - 1, 1)
    for k, picture in enumerate(pictures):
        shown = as_image(picture).resize((size, size), Image.Resampling.NEAREST)
        sheet.paste(shown, (round(k * (size + room)), 0))
    for k, label in enumerate(labels):
        write(sheet, label, k * (size + room) + size / 2, size + 2, size=22)
