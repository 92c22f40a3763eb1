"""A pen that draws shapes at four times the size, and the six places of the scenes world."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

SIZE = 128
FINE = 4
PARTS = ("place", "subject", "ride", "subject_2", "ride_2", "light")
LIGHT = PARTS.index("light")
_FOREGROUND = [255 * (0 < part < LIGHT) for part in range(256)]
_TURN = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)

RGB = tuple[int, int, int]


def mix(colour: RGB, other: RGB, share: float) -> RGB:
    """The colour with `share` (0 to 1) of the other one in it."""
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))


def darker(colour: RGB, share: float = 0.25) -> RGB:
    """The colour with `share` (0 to 1) of dark blue in it."""
    return mix(colour, (20, 16, 40), share)


def lighter(colour: RGB, share: float = 0.5) -> RGB:
    """The colour with `share` (0 to 1) of white in it."""
    return mix(colour, (255, 255, 255), share)


@dataclass
class Pen:
    """Draws shapes in picture units (0 to 128, y downwards), moved, turned and scaled by its own frame.

    `parts` holds, for each dot of the picture, the number in PARTS of what was drawn there last; `part` is the number
    of what this pen draws.
    """

    picture: Image.Image
    parts: Image.Image
    turn: np.ndarray = field(default_factory=lambda: np.eye(2))
    origin: np.ndarray = field(default_factory=lambda: np.zeros(2))
    part: int = 0

    def __post_init__(self):
        self._inks = (ImageDraw.Draw(self.picture), None), (ImageDraw.Draw(self.parts), self.part)

    @classmethod
    def on_paper(cls, width: int = SIZE) -> "Pen":
        """A pen on an empty picture, 128 high and `width` wide."""
        size = width * FINE, SIZE * FINE
        return cls(Image.new("RGB", size), Image.new("L", size))

    @property
    def width(self) -> int:
        """How wide the picture is, in picture units."""
        return self.picture.width // FINE

    def at(self, x: float, y: float, scale: float = 1.0, degrees: float = 0.0, part: int | None = None) -> "Pen":
        """A pen on the same picture whose frame lies at (x, y), scaled and turned clockwise."""
        angle = np.deg2rad(degrees)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        origin = self.origin + self.turn @ np.array([x, y], dtype=float)
        part = self.part if part is None else part
        return Pen(self.picture, self.parts, self.turn @ turn, origin, part)

    def mirrored(self) -> "Pen":
        """A pen with the same frame in which right and left have changed places."""
        return Pen(self.picture, self.parts, self.turn * (-1, 1), self.origin, self.part)

    def polygon(self, points, colour: RGB) -> None:
        """A filled polygon; points (n, 2)."""
        flat = ((np.asarray(points, dtype=float) @ self.turn.T + self.origin) * FINE).ravel().tolist()
        for ink, part in self._inks:
            ink.polygon(flat, fill=colour if part is None else part)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: RGB, degrees: float = 0.0) -> None:
        """A filled ellipse around (x, y), turned clockwise."""
        points = _CIRCLE * (rx, ry)
        if degrees:
            cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
            points = points @ np.array([[cos, sin], [-sin, cos]])
        self.polygon(points + (x, y), colour)

    def box(self, x: float, y: float, rx: float, ry: float, colour: RGB, corner: float = 3.0) -> None:
        """A filled box around (x, y) with rounded corners."""
        inner = np.sign(_CIRCLE) * (rx - corner, ry - corner)
        self.polygon(inner + _CIRCLE * corner + (x, y), colour)

    def stroke(self, points, width: float, colour: RGB) -> None:
        """A thick line with round ends and joints; points (n, 2)."""
        points = np.asarray(points, dtype=float)
        for a, b in zip(points[:-1], points[1:], strict=True):
            side = np.array([a[1] - b[1], b[0] - a[0]])
            side *= width / 2 / max(np.hypot(*side), 1e-9)
            self.polygon([a + side, b + side, b - side, a - side], colour)
        for x, y in points:
            self.ellipse(x, y, width / 2, width / 2, colour)

    def curve(self, points, width: float, colour: RGB) -> None:
        """A thick smooth line along the quadratic Bezier curve of three points."""
        a, b, c = np.asarray(points, dtype=float)
        s = np.linspace(0, 1, 9)[:, None]
        self.stroke((1 - s) ** 2 * a + 2 * s * (1 - s) * b + s**2 * c, width, colour)

    def sky(self, top: RGB, bottom: RGB, horizon: float) -> None:
        """Fills the whole picture with a vertical gradient that ends at the horizon."""
        share = np.clip(np.arange(SIZE * FINE) / (horizon * FINE), 0, 1)[:, None]
        column = np.asarray(top) * (1 - share) + np.asarray(bottom) * share
        column = Image.fromarray(column.round().astype(np.uint8)[:, None])
        self.picture.paste(column.resize(self.picture.size))

    def finished(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The picture uint8 (128, width, 3), the foreground's share of each pixel uint8 (128, width), and the number
        in PARTS of what lies at the middle of each pixel, uint8 (128, width)."""
        mask = self.parts.point(_FOREGROUND).reduce(FINE)
        middle = slice(FINE // 2, None, FINE)
        return np.asarray(self.picture.reduce(FINE)), np.asarray(mask), np.asarray(self.parts)[middle, middle]


def draw_tree(pen: Pen, x: float, y: float, size: float, colour: RGB, snow: bool = False) -> None:
    """A fir of three steps, its foot at (x, y)."""
    pen = pen.at(x, y, size)
    pen.box(0, -4, 3, 6, (110, 76, 52), 1)
    for low, half, high in ((-6, 15, -30), (-19, 12, -40), (-31, 9, -50)):
        pen.polygon([(-half, low), (half, low), (0, high)], colour)
        if snow:
            pen.polygon([(-half * 0.42, (low + 1.4 * high) / 2.4), (half * 0.42, (low + 1.4 * high) / 2.4), (0, high)],
                        (244, 248, 253))  # fmt: skip


def _mars(pen: Pen, rng, sun, horizon: float) -> RGB:
    pen.sky((222, 132, 92), (250, 196, 148), horizon)
    pen.at(*sun, part=LIGHT).ellipse(0, 0, 8, 8, (255, 240, 214))
    x = rng.uniform(20, 44)
    pen.polygon([(x - 42, horizon), (x - 22, horizon - 26), (x + 16, horizon - 26), (x + 40, horizon)], (192, 92, 66))
    ground = (206, 98, 62)
    pen.box(64, horizon + 45, 90, 45, ground, 1)
    for x in (rng.uniform(8, 24), rng.uniform(100, 120)):
        pen.ellipse(x, rng.uniform(horizon + 12, 122), 10, 3.2, darker(ground, 0.18))
    return ground


def _beach(pen: Pen, rng, sun, horizon: float) -> RGB:
    pen.sky((112, 190, 244), (208, 236, 252), horizon)
    pen.at(*sun, part=LIGHT).ellipse(0, 0, 10, 10, (255, 216, 74))
    pen.box(64, horizon + 5, 90, 9, (38, 132, 200), 1)
    ground = (248, 220, 154)
    pen.box(64, horizon + 55, 90, 45, ground, 1)
    palm = pen.at(rng.uniform(14, 24), horizon + 24, rng.uniform(0.95, 1.1))
    palm.curve([(0, 0), (-1, -34), (7, -56)], 6, (150, 104, 64))
    for x, y in ((-20, -46), (-14, -68), (8, -74), (27, -66), (30, -46)):
        palm.curve([(7, -58), ((x + 7) / 2, y - 9), (x, y)], 6.5, (46, 150, 84))
    return ground


def _forest(pen: Pen, rng, sun, horizon: float) -> RGB:
    pen.sky((168, 222, 240), (226, 246, 236), horizon)
    pen.at(*sun, part=LIGHT).ellipse(0, 0, 9, 9, (255, 232, 120))
    ground = (112, 190, 92)
    pen.box(64, horizon + 45, 90, 45, ground, 1)
    for k in range(5):
        colour = ((38, 122, 78), (52, 142, 84))[k % 2]
        x, size = 8 + 28 * k + rng.uniform(-4, 4), (1.05, 0.85)[k % 2] * rng.uniform(0.94, 1.06)
        draw_tree(pen, x, horizon + 4, size, colour)
    return ground


def _space(pen: Pen, rng, sun, horizon: float) -> RGB:
    pen.sky((40, 30, 92), (98, 66, 148), horizon)
    for x, y in ((12, 16), (30, 42), (48, 14), (8, 66), (68, 30), (118, 58), (92, 62), (76, 6)):
        x, y = x + rng.uniform(-3, 3), y + rng.uniform(-3, 3)
        pen.ellipse(x, y, 1.5, 1.5, (255, 250, 224))
    planet = pen.at(*sun, part=LIGHT)
    planet.ellipse(0, 0, 9.5, 9.5, (244, 164, 96))
    planet.curve([(-16, 5), (1, 8), (16, -6)], 3, (255, 222, 170))
    ground = (176, 174, 196)
    pen.ellipse(64, horizon + 128, 190, 128, ground)
    for x in (rng.uniform(10, 26), rng.uniform(100, 118)):
        pen.ellipse(x, rng.uniform(horizon + 16, 122), 9, 3, darker(ground, 0.2))
    return ground


def _city(pen: Pen, rng, sun, horizon: float) -> RGB:
    pen.sky((128, 142, 222), (252, 206, 190), horizon)
    pen.at(*sun, part=LIGHT).ellipse(0, 0, 9, 9, (255, 240, 186))
    tones = ((92, 98, 142), (112, 116, 160), (82, 88, 130))
    shift, swap = rng.uniform(-6, 6), rng.integers(2)
    for k, height in enumerate(((50, 64, 36, 50, 36), (64, 36, 50, 36, 50))[swap]):
        x, tone = 6 + 29 * k + shift, tones[k % 3]
        pen.box(x, horizon - height / 2 + 4, 14.5, height / 2 + 4, tone, 1)
        for row in range(int(height) // 16):
            for side in (-6, 6):
                pen.box(x + side, horizon - height + 10 + 16 * row, 3.6, 4.8, (252, 220, 128), 0.5)
    ground = (104, 106, 124)
    pen.box(64, horizon + 45, 90, 45, ground, 1)
    pen.box(64, horizon + 2, 90, 3, (186, 184, 196), 1)
    for k in range(4):
        pen.box(16 + 33 * k + shift / 2, 123, 8, 1.8, (250, 226, 130), 0.5)
    return ground


def _snow(pen: Pen, rng, sun, horizon: float) -> RGB:
    pen.sky((104, 158, 218), (190, 218, 242), horizon)
    pen.at(*sun, part=LIGHT).ellipse(0, 0, 9, 9, (255, 246, 206))
    for x, half, height in ((rng.uniform(24, 44), 48, 46), (rng.uniform(88, 106), 40, 34)):
        peak = horizon - height
        pen.polygon([(x - half, horizon + 1), (x + half, horizon + 1), (x, peak)], (112, 134, 178))
        pen.polygon([(x - half * 0.4, peak + height * 0.4), (x + half * 0.4, peak + height * 0.4), (x, peak)],
                    (240, 246, 252))  # fmt: skip
    ground = (226, 236, 248)
    pen.box(64, horizon + 45, 90, 45, ground, 1)
    draw_tree(pen, rng.uniform(8, 16), horizon + 10, 0.85, (46, 116, 106), snow=True)
    draw_tree(pen, rng.uniform(112, 120), horizon + 8, 0.7, (46, 116, 106), snow=True)
    return ground


PLACES = {"mars": _mars, "beach": _beach, "forest": _forest, "space": _space, "city": _city, "snow": _snow}


def draw_place(pen: Pen, place: str, rng: np.random.Generator) -> RGB:
    """Draws one of PLACES with its one sun (or planet) on the upper right; returns the ground's colour."""
    sun = (rng.uniform(100, 114), rng.uniform(14, 24))
    return PLACES[place](pen, rng, sun, rng.uniform(78, 86))
