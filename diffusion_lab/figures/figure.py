"""The figure: one look, one palette, and words for whoever cannot see it.

Alt text survives only inside an HTML <figure> (JupyterLab and nbconvert drop it everywhere else), so every figure of
the course is drawn by `Figure`. Alt text and caption carry the figure's rounded numbers: they are what is compared
when a stored notebook is run again; the pixels are not.
"""

import base64
import io
from html import escape

from PIL import Image

from ..errors import LabError
from ..packing import LARGEST_WEBP
from ..pixels import as_rgb
from ..recipe import as_text, as_whole

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
HEAVY = 60_000  # bytes from which on a picture is stored with a little loss
READ, PHONE = 11, 270  # pixels: no letter of a picture gets smaller, and on a phone a page is this wide
CAPTION = "font:16px/1.45 system-ui,sans-serif;max-width:44em;margin-top:0.35em"


def as_alt(alt) -> str:
    """What is to be seen, in words; raises LabError where nothing is said."""
    if not (alt := as_text(alt, "alt text")).strip():
        raise LabError("alt text was expected; an empty one came; say what is to be seen in the figure")
    return alt


class Figure:
    """A picture with alt text and a caption that a notebook shows as an HTML <figure>.

    Arguments: `image`, a PIL picture or a matplotlib figure (which is closed); `alt`, what is to be seen, for who
    cannot see it; `caption`, what it means, with its number; `width` on the page in CSS pixels (at most the page's).
    Small pictures are enlarged with hard pixel edges. How large its smallest letters are goes with it as --letters, so
    that a slide never makes them too small; on a narrow page the figure scrolls sideways, by keys as well, before they
    can no longer be read. Raises LabError where the alt text is missing.
    """

    def __init__(self, image, alt: str, caption: str = "", width: int | None = None):
        self.alt, self.caption = as_alt(alt), as_text(caption, "a caption")
        self.width = None if width is None else as_whole(width, "a figure's width", "give pixels, such as 640")
        self.image = _drawn(image) if hasattr(image, "savefig") else image if _is_web(image) else as_rgb(image)

    def __repr__(self) -> str:
        return f"<Figure: {self.alt}>"

    def _repr_html_(self) -> str:
        width, box, sticks = self.width or self.image.width, f'style="{BOX}"', ""
        size = f"width:{self.width}px;" if self.width else ""
        if letters := letters_at(self.image, width / self.image.width):
            size += f"--letters:{letters:g};"
            if (least := round(width * min(1, READ / letters))) > PHONE:
                size += f"min-width:{least}px;"
                box, sticks = f'style="{BOX};overflow-x:auto" tabindex="0"', ";position:sticky;left:0"
        caption = f'<figcaption style="{CAPTION}{sticks}">{escape(self.caption)}</figcaption>' if self.caption else ""
        return (f'<figure {box}><img src="{embedded(self.image)}" alt="{escape(self.alt)}" '
                f'style="{size}max-width:100%;height:auto;image-rendering:pixelated;background:#fff"/>{caption}'
                "</figure>")


def _is_web(image) -> bool:
    """Whether a browser shows a picture as it is: that of other modes is another in each of them."""
    return isinstance(image, Image.Image) and image.mode in ("RGB", "P", "L", "1") and all(image.size)


def embedded(image: Image.Image) -> str:
    """A picture as a data: address, of WebP: without loss, or with a little where that would be large, as static is. A
    picture larger than a WebP can be is a PNG."""
    ways = [("webp", {"lossless": True, "quality": 60}), ("webp", {"quality": 88, "method": 5})]
    for kind, how in ways if max(image.size) <= LARGEST_WEBP else [("png", {"optimize": True})]:
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, kind, **how)
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
    figure.draw_without_rendering()  # a layout needs a second look, or titles over plots in proportion are cut
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144)
    pyplot.close(figure)
    image = Image.open(buffer).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.info["letters"] = min((2 * text.get_fontsize() for text in texts if text.get_text().strip()), default=0)
    return image


def letters_at(image: Image.Image, scale: float) -> float:
    """The height in CSS pixels of the smallest letters of a picture drawn here, at a scale; 0 where it has none."""
    return round(scale * image.info.get("letters", 0), 1)
