"""Windows on panoramas of the six places: their backgrounds at any width, the one light, and who stands where."""

from dataclasses import dataclass

import numpy as np

from ._scenes_draw import LIGHT, RGB, Pen, darker, draw_tree
from ._scenes_figures import COLOURS, draw_figure
from ._scenes_things import Figure, Window

FACTORS = {"standing": 1.16, "skateboard": 1.06, "bicycle": 1.0, "horse": 1.0}
_HALVES = {"standing": 28, "skateboard": 37, "bicycle": 42, "horse": 48}  # half a figure's width at scale 1
_HEADS = {"standing": 57, "skateboard": 72, "bicycle": 82, "horse": 83}  # how high the middle of its head is
SHADOWS = {"standing": 22, "skateboard": 34, "bicycle": 42, "horse": 38}
_MOON, _MOON_SHADE = (244, 245, 252), (198, 204, 224)


@dataclass(frozen=True)
class Spot:
    """Where a figure stands: its feet at (x, y), and its scale."""

    figure: Figure
    x: float
    y: float
    scale: float

    @property
    def half(self) -> float:
        """Half the figure's width."""
        return _HALVES[self.figure.ride] * self.scale

    def hides(self, x: float, y: float) -> bool:
        """Whether a light at (x, y) would be behind the head or the ears."""
        head = self.y - _HEADS[self.figure.ride] * self.scale
        return abs(x - self.x) < 24 * self.scale + 10 and y > head - 36 * self.scale - 8


def draw_window(window: Window, rng: np.random.Generator, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws a window `width` wide: the picture, the foreground's share and the parts, as Pen.finished gives them."""
    pen = Pen.on_paper(width)
    horizon = rng.uniform(78, 86)
    place = (_spot_one if len(window.figures) == 1 else _spots_two)
    spots = place(window, rng, width, horizon) if window.figures else []
    light = _light_spot(window, rng, width, spots)
    ground = _PANORAMAS[window.place](Panorama(pen, rng, horizon, window.light, light, spots))
    for k, spot in sorted(enumerate(spots), key=lambda pair: pair[1].y):
        _draw_spot(pen, spot, rng, ground, 1 + 2 * k)
    picture, mask, parts = pen.finished()
    tint = rng.uniform(0.92, 1.0) * np.array([1.0, rng.uniform(0.97, 1.0), rng.uniform(0.95, 1.0)])
    return (picture * tint).round().astype(np.uint8), mask, parts


def _draw_spot(pen: Pen, spot: Spot, rng: np.random.Generator, ground: RGB, part: int) -> None:
    figure = spot.figure
    pen.ellipse(spot.x, spot.y + 1, SHADOWS[figure.ride] * spot.scale, 4 * spot.scale, darker(ground, 0.25))
    tilt = rng.uniform(-4, 4) if figure.ride == "skateboard" else rng.uniform(-1.5, 1.5)
    frame = pen.at(spot.x, spot.y, spot.scale, tilt, part=part)
    frame = frame.mirrored() if figure.looks == "left" else frame
    colours = COLOURS[figure.colour], COLOURS.get(figure.ride_colour, (0, 0, 0))
    draw_figure(frame, figure.subject, figure.ride, colours, rng.random())


def _spot_one(window: Window, rng: np.random.Generator, width: int, horizon: float) -> list[Spot]:
    """One figure: nearer is larger and lower; at a side, whole or cut by 15 to 45 % of its width."""
    figure = window.figures[0]
    scale, y = rng.uniform(0.84, 0.95) * FACTORS[figure.ride], rng.uniform(110, 117)
    if figure.size == "small":
        scale, y = scale * rng.uniform(0.5, 0.6), horizon + rng.uniform(14, 20) + 3 * (window.place == "beach")
    elif figure.size == "large":
        scale, y = scale * rng.uniform(1.16, 1.25), rng.uniform(117, 127)
    half = _HALVES[figure.ride] * scale
    x = rng.uniform(min(half + 2, 0.29 * width), 0.325 * width)
    if figure.cut:
        x = half * (1 - 2 * rng.uniform(0.15, 0.45))
    if figure.where == "middle":
        x = rng.uniform(0.42, 0.56) * width
    return [Spot(figure, width - x if figure.where == "right" else x, y, scale)]


def _spots_two(window: Window, rng: np.random.Generator, width: int, horizon: float) -> list[Spot]:
    """Two figures side by side, as large as half the window allows, both whole."""
    scale, spots = min(rng.uniform(0.62, 0.70) * width / 128, rng.uniform(0.75, 0.92)), []
    for k, figure in enumerate(window.figures):
        own = scale * FACTORS[figure.ride] * rng.uniform(0.96, 1.04)
        half = _HALVES[figure.ride] * own
        low, high = max(half + 1, 0.2 * width), min(width / 2 - 0.9 * half, 0.36 * width)
        x = rng.uniform(low, high) if high > low else (low + high) / 2
        spots.append(Spot(figure, width - x if k else x, horizon + 18 + 14 * own + rng.uniform(-2, 3), own))
    return spots


def _light_spot(window: Window, rng: np.random.Generator, width: int, spots: list[Spot]) -> tuple[float, float]:
    """Where the light is: not behind a head where there is another way, seldom cut by the window's edge."""
    for _ in range(12):
        x, y = rng.uniform(12, width - 12), rng.uniform(14, 25)
        if rng.random() < 0.06:
            x = rng.uniform(-3, 8)
            x = width - x if rng.random() < 0.5 else x
        if not any(spot.hides(x, y) for spot in spots):
            break
    return x, y


@dataclass(frozen=True)
class Panorama:
    """What a background is drawn with; `light` is where `kind` of light ("sun", "moon", "none") is."""

    pen: Pen
    rng: np.random.Generator
    horizon: float
    kind: str
    light: tuple[float, float]
    spots: list[Spot]

    def along(self, gap: float, vary: float, margin: float = 40) -> np.ndarray:
        """Places from left to right, beginning anywhere, `gap` apart give or take the share `vary`; (n,)."""
        n = int((self.pen.width + 2 * margin) / gap / (1 - vary)) + 2
        steps = gap * self.rng.uniform(1 - vary, 1 + vary, n)
        places = np.cumsum(steps) - margin - gap * self.rng.uniform(0, 1.5)
        return places[(places > -margin) & (places < self.pen.width + margin)]

    def shine(self, radius: float, sun: RGB) -> None:
        """Draws the light: the place's own sun, or a moon, full with craters or a crescent."""
        pen = self.pen.at(*self.light, part=LIGHT)
        if self.kind == "sun":
            pen.ellipse(0, 0, radius, radius, sun)
        elif self.kind == "moon" and self.rng.random() < 0.5:
            pen.ellipse(0, 0, 9.5, 9.5, _MOON)
            for x, y, r in ((-3.2, -3, 2.6), (3.6, 1.4, 2.1), (-2, 4.6, 1.6)):
                pen.ellipse(x, y, r, r, _MOON_SHADE)
        elif self.kind == "moon":
            outer = np.linspace(-np.pi / 2, np.pi / 2, 24)
            inner = outer[::-1]
            arc = np.concatenate([np.stack([np.cos(outer), np.sin(outer)], 1) * 10.5,
                                  np.stack([np.cos(inner) * 2.6, np.sin(inner) * 10.5], 1)])  # fmt: skip
            pen.at(-5, 0, 1.05, self.rng.uniform(-40, 10)).polygon(arc, _MOON)

    def floor(self, colour: RGB, top: float = 0.0, depth: float = 60.0) -> None:
        """A flat band over the whole width that begins `top` under the horizon."""
        width = self.pen.width
        y = self.horizon + top
        self.pen.polygon([(-8, y), (width + 8, y), (width + 8, y + depth), (-8, y + depth)], colour)

    def clear(self, x: float, reach: float) -> bool:
        """Whether neither the light nor a small figure is within reach of x."""
        small = any(abs(s.x - x) < reach and s.figure.size == "small" for s in self.spots)
        return not small and (self.kind == "none" or abs(self.light[0] - x) > reach)


def _mars(p: Panorama) -> RGB:
    p.pen.sky((222, 132, 92), (250, 196, 148), p.horizon)
    p.shine(8, (255, 240, 214))
    for x in p.along(118, 0.35, 60):
        left, right, high = p.rng.uniform(36, 46), p.rng.uniform(36, 46), p.rng.uniform(20, 28)
        p.pen.polygon([(x - left, p.horizon), (x - 0.5 * left, p.horizon - high), (x + 0.45 * right, p.horizon - high),
                       (x + right, p.horizon)], (192, 92, 66))  # fmt: skip
    ground = (206, 98, 62)
    p.floor(ground)
    for x in p.along(72, 0.4):
        p.pen.ellipse(x, p.rng.uniform(p.horizon + 12, 122), 10, 3.2, darker(ground, 0.18))
    return ground


def _beach(p: Panorama) -> RGB:
    p.pen.sky((112, 190, 244), (208, 236, 252), p.horizon)
    p.shine(10, (255, 216, 74))
    p.floor((38, 132, 200), -4)
    ground = (248, 220, 154)
    p.floor(ground, 10)
    for x in p.along(112, 0.4):
        if not p.clear(x, 34):
            continue
        palm = p.pen.at(x, p.horizon + 24, p.rng.uniform(0.92, 1.1))
        palm = palm.mirrored() if p.rng.random() < 0.5 else palm
        palm.curve([(0, 0), (-1, -34), (7, -56)], 6, (150, 104, 64))
        for dx, dy in ((-20, -46), (-14, -68), (8, -74), (27, -66), (30, -46)):
            palm.curve([(7, -58), ((dx + 7) / 2, dy - 9), (dx, dy)], 6.5, (46, 150, 84))
    return ground


def _forest(p: Panorama) -> RGB:
    p.pen.sky((168, 222, 240), (226, 246, 236), p.horizon)
    p.shine(9, (255, 232, 120))
    ground = (112, 190, 92)
    p.floor(ground)
    for k, x in enumerate(p.along(28, 0.15), int(p.rng.integers(2))):
        colour = ((38, 122, 78), (52, 142, 84))[k % 2]
        draw_tree(p.pen, x, p.horizon + 4, (1.05, 0.85)[k % 2] * p.rng.uniform(0.94, 1.06), colour)
    return ground


def _space(p: Panorama) -> RGB:
    p.pen.sky((40, 30, 92), (98, 66, 148), p.horizon)
    xs = p.along(15, 0.3, 4)
    for x, y in zip(xs, p.rng.permutation(np.linspace(7, 66, len(xs))), strict=True):
        p.pen.ellipse(x, y + p.rng.uniform(-3, 3), 1.5, 1.5, (255, 250, 224))
    p.shine(9.5, (244, 164, 96))
    if p.kind == "sun":
        p.pen.at(*p.light, part=LIGHT).curve([(-16, 5), (1, 8), (16, -6)], 3, (255, 222, 170))
    ground, x = (176, 174, 196), np.linspace(-8, p.pen.width + 8, 48)
    wave = 4 - 4 * np.cos(2 * np.pi * (x / p.rng.uniform(240, 320) + p.rng.random()))
    hills = np.stack([x, p.horizon + wave], 1)
    p.pen.polygon([*hills, (p.pen.width + 8, 140), (-8, 140)], ground)
    for x in p.along(64, 0.4):
        p.pen.ellipse(x, p.rng.uniform(p.horizon + 16, 122), 9, 3, darker(ground, 0.2))
    return ground


def _city(p: Panorama) -> RGB:
    p.pen.sky((128, 142, 222), (252, 206, 190), p.horizon)
    p.shine(9, (255, 240, 186))
    tones = ((92, 98, 142), (112, 116, 160), (82, 88, 130))
    height = 0
    for k, x in enumerate(p.along(29, 0.0, 30)):
        low = p.kind != "none" and abs(x - p.light[0]) < 26
        heights = [h for h in ((36, 50) if low else (36, 50, 50, 64)) if h != height]
        height = heights[p.rng.integers(len(heights))]
        p.pen.box(x, p.horizon - height / 2 + 4, 14.5, height / 2 + 4, tones[k % 3], 1)
        for row in range(height // 16):
            for side in (-6, 6):
                p.pen.box(x + side, p.horizon - height + 10 + 16 * row, 3.6, 4.8, (252, 220, 128), 0.5)
    ground = (104, 106, 124)
    p.floor(ground)
    p.floor((186, 184, 196), -1, 6)
    for x in p.along(33, 0.0, 10):
        p.pen.box(x, 123, 8, 1.8, (250, 226, 130), 0.5)
    return ground


def _snow(p: Panorama) -> RGB:
    p.pen.sky((104, 158, 218), (190, 218, 242), p.horizon)
    p.shine(9, (255, 246, 206))
    for k, x in enumerate(p.along(62, 0.3, 52), int(p.rng.integers(2))):
        half, height = ((48, 46), (40, 34))[k % 2] * p.rng.uniform(0.92, 1.06, 1)
        peak = p.horizon - height
        p.pen.polygon([(x - half, p.horizon + 1), (x + half, p.horizon + 1), (x, peak)], (112, 134, 178))
        p.pen.polygon([(x - half * 0.4, peak + height * 0.4), (x + half * 0.4, peak + height * 0.4), (x, peak)],
                      (240, 246, 252))  # fmt: skip
    ground = (226, 236, 248)
    p.floor(ground)
    for x in p.along(84, 0.45):
        draw_tree(p.pen, x, p.horizon + p.rng.uniform(7, 10), p.rng.uniform(0.68, 0.88), (46, 116, 106), snow=True)
    return ground


_PANORAMAS = {"mars": _mars, "beach": _beach, "forest": _forest, "space": _space, "city": _city, "snow": _snow}
