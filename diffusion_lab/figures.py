"""Pictures of the mathematics: one look, one palette, and words for whoever cannot see them.

Alt text survives only inside an HTML <figure> (JupyterLab and nbconvert drop it everywhere else), so every figure of
the course is drawn by `Figure`. Alt text and caption carry the figure's rounded numbers: they are what is compared
when a stored notebook is run again; the pixels are not.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .errors import LabError
from .pixels import as_image, as_rgb
from .recipe import as_share, as_text, as_whole, shortened
from .schedules import as_schedule
from .templates import as_json, marked

PALETTE = {
    "signal": "#0072B2",  # what is left of the picture
    "noise": "#D55E00",  # what was added to it
    "guess": "#009E73",  # what a model says
    "pull": "#CC79A7",  # where the prompt pulls
    "reference": "#666666",  # truth to compare with, axes
}
WORDS = {**PALETTE, "noise": "#a84300", "guess": "#00704f", "pull": "#8f3c6d"}  # dark enough to be read on white
MARKS = {"signal": ("-", "o"), "noise": (":", "x"), "guess": ("--", "s"), "pull": ("-.", "D"), "reference": ("-", ".")}
BOX = "margin:0.6em 0;max-width:100%"
LETTERS = (24, 22, 20, 18)  # pixels of an image: letters are as large as there is room for
HEAVY = 60_000  # bytes of a PNG from which on a picture is stored as WebP
CAPTION = "font:16px/1.45 system-ui,sans-serif;max-width:44em;margin-top:0.35em"


class Figure:
    """A picture with alt text and a caption that a notebook shows as an HTML <figure>.

    Arguments: `image`, a PIL picture or a matplotlib figure (which is closed); `alt`, what is to be seen, for who
    cannot see it; `caption`, what it means, with its number; `width` on the page in CSS pixels (at most the page's).
    Small pictures are enlarged with hard pixel edges. How large its smallest letters are goes with it as --letters, so
    that a slide never makes them too small. Raises LabError where the alt text is missing.
    """

    def __init__(self, image, alt: str, caption: str = "", width: int | None = None):
        alt, caption = as_text(alt, "alt text"), as_text(caption, "a caption")
        if not alt.strip():
            raise LabError("alt text was expected; an empty one came; say what is to be seen in the figure")
        self.alt, self.caption = alt, caption
        self.width = None if width is None else as_whole(width, "a figure's width", "give pixels, such as 640")
        self.image = _drawn(image) if hasattr(image, "savefig") else image if _is_web(image) else as_rgb(image)

    def __repr__(self) -> str:
        return f"<Figure: {self.alt}>"

    def _repr_html_(self) -> str:
        size = f"width:{self.width}px;" if self.width else ""
        if letters := letters_at(self.image, (self.width or self.image.width) / self.image.width):
            size += f"--letters:{letters:g};"
        caption = f'<figcaption style="{CAPTION}">{escape(self.caption)}</figcaption>' if self.caption else ""
        return (f'<figure style="{BOX}"><img src="{_embedded(self.image)}" alt="{escape(self.alt)}" '
                f'style="{size}max-width:100%;height:auto;image-rendering:pixelated;background:#fff"/>{caption}'
                "</figure>")


def _is_web(image) -> bool:
    """Whether a browser shows a picture as it is: that of other modes is another in each of them."""
    return isinstance(image, Image.Image) and image.mode in ("RGB", "P", "L", "1")


def _embedded(image: Image.Image) -> str:
    """A picture as a data: address: PNG, or WebP where a PNG would be large, as pictures of static are."""
    for kind, how in (("png", {"optimize": True}), ("webp", {"quality": 88, "method": 5})):
        buffer = io.BytesIO()
        image.save(buffer, kind, **how)
        if buffer.tell() < HEAVY:
            break
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


def _drawn(figure) -> Image.Image:
    """A matplotlib figure as a picture of few colours, at 1.5 pixels for each CSS pixel."""
    from matplotlib import pyplot
    from matplotlib.text import Text

    texts = figure.findobj(Text)
    for text in texts:
        text.set_fontsize(max(text.get_fontsize(), LETTERS[0] / 2))  # points, of two pixels each
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144)
    pyplot.close(figure)
    image = Image.open(buffer).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.info["letters"] = min((2 * text.get_fontsize() for text in texts if text.get_text().strip()), default=0)
    return image


def letters_at(image: Image.Image, scale: float) -> float:
    """The height in CSS pixels of the smallest letters of a picture drawn here, at a scale; 0 where it has none."""
    return round(scale * image.info.get("letters", 0), 1)


def strip(pictures: Sequence, alt: str, caption: str = "", *, labels: Sequence[str] = (), rows: int = 1,
          size: int = 128) -> Figure:
    """Pictures in a row (or `rows` rows), left to right in the order of time, with a label under each.

    Arguments: `pictures` as in `as_image`, all of one size; `labels`, none, one a column (under the last row), one a
    picture, or one a row (over its left end, where rows and columns are not as many); `size`, the height of one
    picture in pixels: small ones are enlarged by whole factors, so that each pixel stays a square.
    """
    images, rows = _alike(pictures), as_whole(rows, "the number of rows", "try 1")
    labels = _words(labels)
    columns = -(-len(images) // rows)
    if len(labels) not in (0, len(images), columns, rows):
        raise LabError(f"a label for each of {len(images)} pictures, for each column, for each row, or none was "
                       f"expected; {len(labels)} came; say in words what each shows")
    over = len(labels) == rows and rows not in (len(images), columns)  # one a row, and above it
    factor = max(1, round(size / images[0].height))
    w, h, gap = images[0].width * factor, images[0].height * factor, 8
    room = columns * (w + gap) if over else w + gap
    fits = (px for px in LETTERS if all(_font(px).getlength(label) <= room for label in labels))
    letters = next(fits, LETTERS[-1])
    text = letters + 12 if labels else 0
    each = text if over or len(labels) == len(images) else 0  # at every row, or under the last one only
    sheet = Image.new("RGB", (columns * (w + gap) - gap, rows * (h + gap + each) - gap + text - each), "white")
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        x, y = column * (w + gap), row * (h + gap + each) + text * over
        sheet.paste(image.resize((w, h), Image.Resampling.NEAREST), (x, y))
        if over and column == 0:
            write(sheet, labels[row], _font(letters).getlength(labels[row]) / 2, y - text + 4, size=letters)
        elif not over and (each or (labels and row == rows - 1)):
            write(sheet, labels[i if each else column], x + w / 2, y + h + 4, size=letters)
    return Figure(sheet, alt, caption, width=sheet.width)


def _alike(pictures: Sequence) -> list[Image.Image]:
    """Pictures as PIL ones; LabError where there is none, or where their sizes differ."""
    single = isinstance(pictures, Image.Image | str) or not isinstance(pictures, Iterable)
    if single or not len(pictures := list(pictures)):
        raise LabError(f"at least one picture was expected; {shortened(pictures)} came; give a list of pictures")
    images = [as_image(picture) for picture in pictures]
    if other := [image.size for image in images if image.size != images[0].size]:
        (w, h), (u, v) = images[0].size, other[0]
        raise LabError(f"pictures of one size were expected, {w} x {h}; one of {u} x {v} came; resize it first")
    return images


def _words(labels: Sequence[str]) -> list[str]:
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
    images, weights = _alike(pictures), [as_share(one, "a weight", "give model.weights(x_t, ...)") for one in weights]
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


def axes(width: float = 8, height: float = 3.6, columns: int = 1, rows: int = 1, **layout):
    """A matplotlib figure and its axes in the course's look: few ticks, no box, 16-pixel text, time to the right.

    Arguments: `width` and `height` in inches of 96 CSS pixels each; `columns` of plots side by side, in `rows`;
    `layout`, what pyplot.subplots takes beside them. Returns (figure, axes), axes an array where there are several.
    """
    from matplotlib import pyplot

    style = {"font.size": 12, "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 2.5,
             "axes.edgecolor": PALETTE["reference"], "axes.labelcolor": "#333333", "text.color": "#222222",
             "xtick.color": "#444444", "ytick.color": "#444444", "figure.constrained_layout.use": True}
    with pyplot.rc_context(style):
        figure, panels = pyplot.subplots(rows, columns, figsize=(width, height), **layout)
    for panel in np.ravel(panels):
        panel.locator_params(nbins=5)
    return figure, panels


def schedule_curves(*schedules) -> Figure:
    """The share of picture, alpha_bar, over the timesteps of one to four schedules, each with its 50 : 50 crossing
    marked; raises LabError for another number of them, and for what is no schedule and no name of one."""
    if not 1 <= len(schedules) <= len(roles := ("signal", "guess", "pull", "noise")):
        raise LabError(f"one to four schedules were expected; {len(schedules)} came; draw others in a second figure")
    schedules = [as_schedule(one) for one in schedules]
    figure, panel = axes()
    crossings = []
    for schedule, role in zip(schedules, roles, strict=False):
        half = int((schedule.alpha_bars - 0.5).abs().argmin())
        panel.plot(schedule.alpha_bars, color=PALETTE[role], linestyle=MARKS[role][0])
        panel.plot(half, 0.5, MARKS[role][1], color=PALETTE[role], markersize=9)
        left = len(crossings) == 0
        panel.annotate(f"{schedule.name}:\n50 : 50 at t = {half}", (half, 0.5), (-12, -12) if left else (12, 8),
                       textcoords="offset points", color=WORDS[role], ha="right" if left else "left",
                       va="top" if left else "bottom")
        crossings.append(f"the {schedule.name} schedule at timestep {half}")
    panel.axhline(0.5, color=PALETTE["reference"], linewidth=1, linestyle=":")
    panel.set(xlabel="timestep t", ylabel="share of picture", xlim=(0, None), ylim=(0, 1.02), yticks=[0, 0.5, 1])
    panel.set_yticklabels(["0 %", "50 %", "100 %"])
    crossed = ", ".join(crossings)
    return Figure(figure, f"Falling curves of the share of picture over the timesteps; they cross one half: {crossed}.",
                  f"Half picture, half noise: {crossed}.")


class Slider:
    """One slider through a few pictures of one thing; where scripts are stripped, five of them as a strip.

    Arguments: `pictures` as in `as_image`, all of one size; `labels`, what the slider says at each; `alt` and
    `caption` as for Figure; `title`, what the slider changes; `start`, the picture it rests on; `height` of the one
    shown, in CSS pixels. It needs no kernel and fetches nothing; keys reach it only while it has the focus.
    """

    def __init__(self, pictures: Sequence, labels: Sequence[str], alt: str, caption: str = "", *, title: str,
                 start: int = 0, height: int = 256):
        self.images, self.title = _alike(pictures), as_text(title, "a title")
        self.labels, n = _words(labels), len(self.images)
        if len(self.labels) != n:
            raise LabError(f"one label for each of {n} pictures was expected; {len(self.labels)} came; "
                           "say in words what each picture stands for")
        self.height = as_whole(height, "a slider's height in pixels", "try 256")
        self.start = as_whole(start, "start, the picture to rest on,", "count from 0", 0, n - 1)
        chosen = np.linspace(0, n - 1, min(n, 5)).round().astype(int)
        self.still = strip([self.images[i] for i in chosen], alt, caption, labels=[self.labels[i] for i in chosen],
                           rows=len(chosen), size=self.images[0].height)

    def __repr__(self) -> str:
        return f"<Slider: {self.title}, {len(self.images)} pictures>"

    def _repr_html_(self) -> str:
        letters = min(letters_at(image, self.height / image.height) for image in self.images)
        data = as_json({"frames": [_embedded(image) for image in self.images], "labels": self.labels,
                        "title": self.title, "start": self.start, "height": self.height,
                        "letters": letters})  # fmt: skip
        still = self.still._repr_html_()
        return f'<div class="dl-slider">{still}<script type="application/json">{data}</script></div>{"".join(parts())}'


@cache
def parts() -> tuple[str]:
    """The slider's script, as an element that `templates.renew` puts into a stored page."""
    return (marked("script", "slider.js", (Path(__file__).parent / "slider.js").read_text(encoding="utf-8"), 1),)
