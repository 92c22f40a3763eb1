"""Pictures side by side, and letters in them."""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..errors import LabError
from ..pixels import as_image
from ..recipe import as_share, as_text, as_whole, shortened
from .figure import LETTERS, PALETTE, WORDS, Figure


def strip(pictures: Sequence, alt: str, caption: str = "", *, labels: Sequence[str] = (), rows: int = 1,
          size: int = 128) -> Figure:
    """Pictures in a row (or `rows` rows), left to right in the order of time, with a label under each.

    Arguments: `pictures` as in `as_image`, all of one size; `labels`, none, one a column (under the last row), one a
    picture, or one a row (over its left end, where rows and columns are not as many): wider ones than their column
    get smaller letters, then more lines; `size`, the height of one picture in pixels: small ones are enlarged by
    whole factors, so that each pixel stays a square.
    """
    images, rows = alike(pictures), as_whole(rows, "the number of rows", "try 1")
    labels = as_labels(labels)
    columns = -(-len(images) // rows)
    if len(labels) not in (0, len(images), columns, rows):
        raise LabError(f"a label for each of {len(images)} pictures, for each column, for each row, or none was "
                       f"expected; {len(labels)} came; say in words what each shows")
    over = len(labels) == rows and rows not in (len(images), columns)  # one a row, and above it
    factor = max(1, round(size / images[0].height))
    w, h, gap = images[0].width * factor, images[0].height * factor, 8
    room = columns * (w + gap) - gap if over else w - 4  # words never touch those of the next column
    fits = (px for px in LETTERS if all(_font(px).getlength(label) <= room for label in labels))
    letters = next(fits, LETTERS[-1])
    told = [_lines(label, letters, room) for label in labels]
    wide = max((_font(letters).getlength(line) for lines in told for line in lines), default=0)
    cell = w if over or wide <= max(room, 0) else max(w, math.ceil(wide) + 4)  # for a word wider than its picture
    text = max(map(len, told), default=0) * (letters + 4) + 8 * bool(labels)
    each = text if over or len(labels) == len(images) else 0  # at every row, or under the last one only
    size = (columns * (cell + gap) - gap, rows * (h + gap + each) - gap + text - each)
    sheet = Image.new("RGB", size, "white")
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        x, y = column * (cell + gap) + (cell - w) // 2, row * (h + gap + each) + text * over
        sheet.paste(image.resize((w, h), Image.Resampling.NEAREST), (x, y))
        if over and column == 0:
            _write_lines(sheet, told[row], None, y - text + 4, letters)
        elif not over and (each or (labels and row == rows - 1)):
            _write_lines(sheet, told[i if each else column], x + w / 2, y + h + 4, letters)
    return Figure(sheet, alt, caption, width=sheet.width)


def _lines(label: str, letters: int, room: float) -> list[str]:
    """A label in lines of at most `room` pixels, broken at its spaces; a word that is wider stands alone."""
    lines = [""]
    for word in label.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and _font(letters).getlength(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _write_lines(sheet: Image.Image, lines: Sequence[str], middle: float | None, y: float, letters: int) -> None:
    """Lines of letters below y, centred at `middle`, or (None) from the left edge on."""
    for k, line in enumerate(lines):
        x = _font(letters).getlength(line) / 2 if middle is None else middle
        write(sheet, line, x, y + k * (letters + 4), size=letters)


def alike(pictures: Sequence) -> list[Image.Image]:
    """Pictures as PIL ones; LabError where there is none, or where their sizes differ."""
    single = isinstance(pictures, Image.Image | str) or not isinstance(pictures, Iterable)
    if single or not len(pictures := list(pictures)):
        raise LabError(f"at least one picture was expected; {shortened(pictures)} came; give a list of pictures")
    images = [as_image(picture) for picture in pictures]
    if other := [image.size for image in images if image.size != images[0].size]:
        (w, h), (u, v) = images[0].size, other[0]
        raise LabError(f"pictures of one size were expected, {w} x {h}; one of {u} x {v} came; resize it first")
    return images


def as_labels(labels: Sequence[str]) -> list[str]:
    """Labels as a list of texts; LabError for what is none."""
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise LabError(f"a list of labels was expected; {labels!r} came; say in words what each picture shows")
    return [as_text(label, "a label") for label in labels]


def shares(x_t, guess, pictures: Sequence, weights: Sequence[float]) -> Image.Image:
    """Who counts in a guess: x_t and the guess on the left, then each picture of the data with a bar, its weight.

    Arguments: `x_t`, `guess` and `pictures` as in `as_image`, small ones; `weights`, one a picture, adding up to 1.
    Returns a picture of 960 x 290 pixels.
    """
    sheet = Image.new("RGB", (960, 290), "white")
    for x, picture, words, role in ((0, x_t, "it sees", "reference"), (232, guess, "it guesses", "guess")):
        sheet.paste(as_image(picture).resize((208, 208), Image.Resampling.NEAREST), (x, 16))
        write(sheet, words, x + 104, 232, WORDS[role])
    images, weights = alike(pictures), [as_share(one, "a weight", "give model.weights(x_t, ...)") for one in weights]
    if len(weights) != len(images):
        raise LabError(f"a weight for each of {len(images)} pictures was expected; {len(weights)} came; give as many")
    draw, columns = ImageDraw.Draw(sheet), -(-len(images) // 2)
    cell = min(80, 500 // columns)
    for i, (image, weight) in enumerate(zip(images, weights, strict=True)):
        row, column = divmod(i, columns)
        x, y = 464 + column * (cell + 2), row * 148
        sheet.paste(image.resize((cell - 8, cell - 8), Image.Resampling.NEAREST), (x, y))
        draw.rectangle([x, y + cell - 4, x + cell - 9, y + 112], fill="#f0f0f0")
        top = y + 112 - round((116 - cell) * weight)
        draw.rectangle([x, top, x + cell - 9, y + 112], fill=PALETTE["guess"])
        write(sheet, f"{100 * weight:.0f} %", x + cell / 2 - 4, y + 112, size=LETTERS[0 if cell >= 76 else -1])
    return sheet


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path

    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def write(sheet: Image.Image, text: str, x: float, y: float, colour: str = "#222222", size: int = LETTERS[0]) -> None:
    """Write letters of `size` pixels into a picture, centred below the point (x, y)."""
    ImageDraw.Draw(sheet).text((x, y), text, fill=colour, font=_font(size), anchor="ma")
    sheet.info["letters"] = min(size, sheet.info.get("letters", size))
