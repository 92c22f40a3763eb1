"""The still: what remains of a player where scripts are stripped, and in print. It must teach alone.

Only tables, pictures and inline styles: JupyterLab strips style sheets and classes' rules from untrusted outputs.
"""

import base64
import io
from collections.abc import Mapping
from html import escape

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from ..figures import PALETTE
from ..trajectory import Trajectory
from . import frames, paths, words
from .views import VIEWS

SIDE = 112  # pixels of one picture
CELL = "border:0;padding:2px 4px;text-align:center;vertical-align:bottom;background:transparent"
ROW = "background:transparent;border:0"
COLOURS = {
    "black": (20, 20, 20), "white": (245, 245, 245), "grey": (128, 128, 128), "red": (200, 40, 40),
    "orange": (225, 130, 50), "yellow": (235, 215, 70), "brown": (125, 80, 50), "green": (60, 150, 70),
    "blue": (50, 90, 190), "light blue": (140, 190, 235), "purple": (130, 70, 160), "pink": (230, 150, 180),
}  # fmt: skip


def still(trajectory: Trajectory, index: int, heads: list[str], notes: list[str],
          pictures: Mapping[int, Tensor]) -> str:  # fmt: skip
    """Five columns nearest 0, 10, 35, 70 and 100 % picture; rows x_t and x0; the small band.

    Arguments: `heads`, a title and what one sees; `notes`, lines below; `pictures`, decoded x0, uint8 (H, W, 3), by
    step.
    """
    stops = paths.stops(trajectory)
    return (_words(heads[:1], "font-size:18px;font-weight:bold") + _words(heads[1:])
            + _table(trajectory, index, stops, pictures) + _words(notes))  # fmt: skip


def riddle(ask: str, answer: str) -> str:
    """A still whose answer is told when it is opened, and not before."""
    return (_words([ask], "font-size:18px;font-weight:bold") + '<details style="font-size:16px"><summary '
            'style="text-align:center;padding:8px">Open, and see how static becomes a picture</summary>'
            f"{answer}</details>")  # fmt: skip


def _words(lines: list[str], look: str = "font-size:16px") -> str:
    text = "<br>".join(escape(line) for line in lines if line)
    return f'<p style="{look};text-align:center;margin:8px 0">{text}</p>' if text else ""


def _table(trajectory: Trajectory, index: int, stops: list[int], pictures: Mapping[int, Tensor]) -> str:
    share = [words.percent(trajectory[i].alpha_bar) for i in stops]
    thing = "data" if frames.is_points(trajectory) else "picture"
    head = "".join(f'<td style="{CELL}"><b>{s} %</b> {thing}</td>' for s in share)
    reverse = trajectory.direction == "reverse"
    drawn = f" ({told})" if (told := words.mosaic(trajectory)) else ""
    decoded = (", decoded" if len(pictures) else drawn) if drawn else ""
    rows = [
        ("what it sees, x_t" + drawn if reverse else f"{thing} and noise together, x_t" + drawn, "x_t"),
        (f"its guess of the {thing}, x0" + decoded, "x0") if reverse else ("the noise that is added", "eps"),
    ]
    body = f'<tr style="{ROW}">{head}</tr>'
    for label, what in rows:
        cells = "".join(f'<td style="{CELL}">{_cell(trajectory, i, index, what, pictures)}</td>' for i in stops)
        body += f'<tr style="{ROW}">{cells}</tr>' + _line(escape(label), len(stops))
    body += _line(_band(trajectory), len(stops))
    table = ("width:100%;max-width:720px;table-layout:fixed;border-collapse:collapse;border:0;margin:0 auto;"
             "font-size:16px;line-height:1.4")  # fmt: skip
    return f'<table style="{table}" role="presentation"><tbody>{body}</tbody></table>'


def _line(content: str, columns: int) -> str:
    return f'<tr style="{ROW}"><td colspan="{columns}" style="{CELL};padding-bottom:8px">{content}</td></tr>'


def _cell(trajectory: Trajectory, i: int, index: int, what: str, pictures: Mapping[int, Tensor]) -> str:
    points = frames.is_points(trajectory)
    if what == "x0" and i in pictures:
        pixels, broken = pictures[i].cpu().numpy(), False
    else:
        reach = max(3.0, 1.1 * float(trajectory.x0.nan_to_num().abs().max())) if points else 1.0
        pixels, broken = VIEWS[what].pixels(trajectory, i, index, reach)
    seen = "" if points else "not a number (NaN)" if broken else colours(pixels)
    alt = _alt(trajectory, i, index, what, seen)
    src = frames.picture(pixels, SIDE)
    hard = ";image-rendering:pixelated" if max(pixels.shape[:2]) < SIDE else ""
    return f'<img src="{src}" alt="{escape(alt)}" width="{SIDE}" style="width:100%;height:auto{hard}"/>'


def _alt(trajectory: Trajectory, i: int, index: int, what: str, seen: str) -> str:
    step = trajectory[i]
    points = frames.is_points(trajectory)
    where = f"{words.percent(step.alpha_bar)} % {'data' if points else 'picture'}"
    if what == "x_t":
        return f"{where}: {_grain(step.alpha_bar, points)}"
    if what == "eps":
        return f"{where}: the noise, the same static at every step, with a weight of {(1 - step.alpha_bar) ** 0.5:.2f}"
    prompt = words.prompt_of(trajectory, index)
    result = f" of “{prompt}”" if prompt else ""
    like = _likeness(step.x0, trajectory.x0, index, points)
    return f"{where}: the guess, {like}{result}" + (f"; mainly {seen}" if seen else "")


def _grain(alpha_bar: float, points: bool) -> str:
    static, thing, grain = ("noise", "the data", "noise") if points else ("static", "the picture", "grain")
    limits = ((0.03, f"{static} only"), (0.2, f"{static}, {thing} hardly shows"),
              (0.6, f"{thing} under strong {grain}"), (0.97, f"{thing} under light {grain}"))  # fmt: skip
    return next((text for limit, text in limits if alpha_bar < limit), f"{thing} without {grain}")


def _likeness(guess, final, index: int, points: bool) -> str:
    a, b = (paths.own(x, index, points).detach().float().cpu().numpy() for x in (guess, final))
    if not np.isfinite(a).all() or not np.isfinite(b).all():
        return "which is broken"
    middle = 0 if points else None                                # of all points, or of all that is in one picture
    a, b = (x - x.mean(axis=middle) for x in (a, b))
    if points and (small := _size_beside(a, b)):
        return small
    a, b = a.ravel(), b.ravel()
    alike = float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))
    limits = ((0.3, "not yet like the result"), (0.75, "a blurred idea of the result"), (0.97, "close to the result"))
    return next((text for limit, text in limits if alike < limit), "the result")


def _size_beside(a: np.ndarray, b: np.ndarray) -> str:
    """How much smaller a cloud (N, D) around 0 is than another, in words; "" where it is about as large."""
    limits = ((0.2, "all in one place, unlike the result"), (0.7, "more crowded than the result"))
    size = float(np.linalg.norm(a) / max(np.linalg.norm(b), 1e-12))
    return next((text for limit, text in limits if size < limit), "")


def colours(pixels: np.ndarray) -> str:
    """The one or two colour words that cover most of a picture (H, W, 3)."""
    small = np.asarray(Image.fromarray(pixels).resize((12, 12), Image.Resampling.BOX)).reshape(-1, 3).astype(float)
    names, table = list(COLOURS), np.array(list(COLOURS.values()), float)
    nearest = ((small[:, None] - table) ** 2).sum(-1).argmin(1)
    counts = np.bincount(nearest, minlength=len(names))
    first, second = np.argsort(-counts, kind="stable")[:2]
    return f"{names[first]} and {names[second]}" if counts[second] >= 0.2 * len(small) else names[first]


def _band(trajectory: Trajectory) -> str:
    """The schedule as a small picture: blue, the share of picture; dotted vermilion, the share of noise."""
    alphas = np.array(trajectory.alpha_bars)
    width, height = 1200, 96
    image = Image.new("RGB", (width, height), "#FBEAE0")
    draw = ImageDraw.Draw(image)
    for y in range(8, height, 16):
        for x in range(8 + (y // 16 % 2) * 8, width, 16):
            draw.ellipse([x - 2, y - 2, x + 2, y + 2], PALETTE["noise"])
    x = np.linspace(0, width - 1, len(alphas))
    draw.polygon([(0, height), *zip(x, (1 - alphas) * height, strict=True), (width - 1, height)], PALETTE["signal"])
    for i in paths.stops(trajectory):
        draw.line([(x[i], 0), (x[i], height)], "#222222", 4)
    buffer = io.BytesIO()
    image.quantize(8, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    first, last = words.percent(alphas[0]), words.percent(alphas[-1])
    alt = (f"The share of picture over {len(alphas)} points of the path: {first} % at first, {last} % at last; black "
           "lines mark the pictures above")  # fmt: skip
    src = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    thing = "data" if frames.is_points(trajectory) else "picture"
    return f'<img src="{src}" alt="{alt}" style="width:100%;height:40px"/><br>blue: {thing} · dotted: noise · time →'
