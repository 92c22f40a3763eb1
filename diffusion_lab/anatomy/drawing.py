"""A U-Net as a picture built from its own blocks: as wide as their channels, as high as their pixels."""

import base64
from collections.abc import Sequence
from html import escape

from ..errors import LabError
from ..figures import BOX, CAPTION, PALETTE, WORDS
from ..recipe import as_text
from .blocks import Block

WIDE, TEXT = 1240, 28  # of the drawing; at its full width a letter is 28 pixels high
DEEP = 8  # between a name and the number below it: an underscore hangs deep
TALLEST, BETWEEN = 180, 104  # the height of the uppermost level, and the room between two levels
COLOURS = {"picture": PALETTE["reference"], "convolution": "#56B4E9", "block": PALETTE["signal"],
           "attention": PALETTE["pull"]}
STYLE = """<style>.dl-net{position:relative;max-width:100%}.dl-net img{width:100%;display:block;background:#fff}
.dl-net span{position:absolute;border-radius:3px}
@media (max-width:900px){figure:has(>.dl-net){overflow-x:auto}.dl-net{min-width:490px}}
.dl-net span:hover,.dl-net span:focus{outline:4px solid #D55E00;outline-offset:2px}
.dl-net span:hover::after,.dl-net span:focus::after{content:attr(aria-label);position:absolute;left:50%;top:100%;
width:max-content;max-width:18em;transform:translate(var(--dl-to,-50%),8px);background:#222;color:#fff;z-index:9;
font:27px/1.35 system-ui,sans-serif;padding:0.4em 0.6em;border-radius:6px}</style>"""


class Drawing:
    """A drawing that a notebook shows as a <figure>: an SVG with its words, and over each block a place that the mouse
    and the Tab key reach and that names the block's shape. Where styles are stripped, the picture stays.

    Arguments: `svg`; `places`, for each block (left, top, width, height) as shares of the drawing, and its words; `alt`
    and `caption` as for figures.Figure.
    """

    def __init__(self, svg: str, places: Sequence[tuple[tuple[float, float, float, float], str]], alt: str,
                 caption: str = ""):
        self.svg, self.places = svg, list(places)
        self.alt, self.caption = as_text(alt, "alt text"), as_text(caption, "a caption")

    def __repr__(self) -> str:
        return f"<Drawing: {self.alt}>"

    def _repr_html_(self) -> str:
        image = "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()
        caption = f'<figcaption style="{CAPTION}">{escape(self.caption)}</figcaption>' if self.caption else ""
        return (f'{STYLE}<figure style="{BOX}"><div class="dl-net" style="width:{WIDE}px;max-width:100%">'
                f'<img src="{image}" alt="{escape(self.alt)}" style="max-width:100%"/>'
                f'{"".join(map(_place, self.places))}</div>{caption}</figure>')


def draw(blocks: Sequence[Block], alt: str = "", caption: str = "") -> Drawing:
    """A U-Net drawn from its blocks, as `blocks` measures them or `stored_blocks` reads them.

    A picture passes from left to right; each level down is half as high. A block is as wide as it has channels and as
    high as its maps have pixels. Blue lines are the skip connections whose two ends are among the blocks. Raises
    LabError where there is no block.
    """
    if not (blocks := list(blocks)):
        raise LabError("one or more blocks were expected; none came; give what blocks(toy.network, x, t) returns")
    boxes = _boxes(blocks)
    words = [f"{b.name}: {b.channels} maps of {b.height} x {b.width}" for b in blocks]
    shapes = "".join(_skips(blocks, boxes)) + "".join(_arrows(boxes)) + "".join(
        _drawn(block, box) for block, box in zip(blocks, boxes, strict=True))
    high = max(top + height for _, top, _, height in boxes) + 2 * TEXT + DEEP + 16
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high:.0f}" width="{WIDE}" '
           f'height="{high:.0f}" font-family="system-ui,DejaVu Sans,sans-serif" font-size="{TEXT}">'
           f'<rect width="100%" height="100%" fill="#ffffff"/>{shapes}</svg>')
    shares = [(left / WIDE, top / high, w / WIDE, h / high) for left, top, w, h in boxes]
    return Drawing(svg, list(zip(shares, words, strict=True)), alt or "A U-Net, from left to right: "
                   + "; ".join(words) + ".", caption)


def _boxes(blocks: Sequence[Block]) -> list[tuple[float, float, float, float]]:
    """(left, top, width, height) of each block; all of one height stand on one line, and share the room from side to
    side."""
    heights = sorted({block.height for block in blocks}, reverse=True)
    tall = TALLEST / heights[0]                                                    # how high a pixel is drawn
    wide = 0.36 * WIDE / sum(block.channels for block in blocks)                  # how wide a channel is
    edge = max(56.0, 0.3 * TEXT * max(len(blocks[0].name), len(blocks[-1].name)))  # half of the words at both ends
    gap = (WIDE - 2 * edge - wide * sum(block.channels for block in blocks)) / max(len(blocks) - 1, 1)
    left, found, middle = edge, [], {}
    y = 60.0
    for height in heights:
        middle[height] = y + tall * height / 2
        y += tall * height + BETWEEN
    for block in blocks:
        w, h = wide * block.channels, tall * block.height
        found.append((left, middle[block.height] - h / 2, w, h))
        left += w + gap
    return found


def _drawn(block: Block, box: tuple[float, float, float, float]) -> str:
    left, top, width, height = box
    x, name = left + width / 2, block.name.replace("_blocks", "")
    under = "".join(f'<text x="{x:.1f}" y="{top + height + line:.1f}" text-anchor="middle" fill="#222222">{said}'
                    "</text>" for said, line in ((name, TEXT), (block.channels, 2 * TEXT + DEEP)))
    return (f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" '
            f'fill="{COLOURS[block.kind]}"/>{under}')


def _arrows(boxes) -> list[str]:
    """A thin grey line from each block to the next."""
    pairs = zip(boxes, boxes[1:], strict=False)
    return [f'<path d="M{a[0] + a[2]:.1f} {a[1] + a[3] / 2:.1f} L{b[0]:.1f} {b[1] + b[3] / 2:.1f}" '
            f'stroke="{PALETTE["reference"]}" stroke-width="3" fill="none"/>' for a, b in pairs]


def _skips(blocks: Sequence[Block], boxes) -> list[str]:
    """A line of signal colour for each skip connection, from the block that it leaves to the one it comes in."""
    found = []
    for number in sorted({block.skip for block in blocks} - {None}):
        ends = [(block, box) for block, box in zip(blocks, boxes, strict=True) if block.skip == number]
        if len(ends) < 2:
            continue
        (out, a), (_, b) = ends
        y = a[1] - 14
        found.append(
            f'<path d="M{a[0] + a[2] / 2:.1f} {a[1]:.1f} V{y:.1f} H{b[0] + b[2] / 2:.1f} V{b[1]:.1f}" fill="none" '
            f'stroke="{PALETTE["signal"]}" stroke-width="6"/><text x="{(a[0] + b[0] + b[2]) / 2:.1f}" y="{y - 10:.1f}" '
            f'text-anchor="middle" fill="{WORDS["signal"]}">skip {number}: {out.channels} maps of {out.height} x '
            f"{out.width} pixels</text>")
    return found


def _place(place) -> str:
    (left, top, width, height), words = place
    side = "" if 0.2 < left < 0.8 else f"--dl-to:{'-10%' if left <= 0.2 else '-90%'};"
    where = f"left:{left:.2%};top:{top:.2%};width:{width:.2%};height:{height:.2%};{side}"
    return f'<span tabindex="0" role="img" style="{where}" aria-label="{escape(words)}"></span>'
