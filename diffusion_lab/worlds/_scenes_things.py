"""What there can be in the scenes world: subjects, rides, places, colours, which combinations are kept apart, and the
records of a scene and of a window on a panorama."""

from dataclasses import dataclass

import numpy as np

from . import _scenes_draw
from ._scenes_draw import SIZE

SUBJECTS = ("astronaut", "cat", "dog", "robot", "penguin", "frog", "rabbit", "panda")
RIDES = ("horse", "skateboard", "bicycle", "standing")
PLACES = tuple(_scenes_draw.PLACES)
SUBJECT_COLOURS = {
    "astronaut": ("white", "orange", "blue"), "cat": ("orange", "grey", "white"), "dog": ("brown", "yellow", "grey"),
    "robot": ("grey", "red", "blue"), "penguin": ("black", "blue"), "frog": ("green", "yellow"),
    "rabbit": ("white", "brown", "pink"), "panda": ("white", "red"),
}  # fmt: skip
RIDE_COLOURS = {
    "horse": ("brown", "white", "black", "purple"), "skateboard": ("red", "blue", "yellow", "purple"),
    "bicycle": ("red", "blue", "yellow", "green"), "standing": ("none",),
}  # fmt: skip
FIELDS = ("subject", "ride", "place", "colour", "ride_colour")
HELD_OUT = tuple(
    (subject, ride, PLACES[(s + 2 * r + 2) % len(PLACES)])
    for s, subject in enumerate(SUBJECTS)
    for r, ride in enumerate(RIDES)
)
_ALL = tuple((s, r, p) for s in SUBJECTS for r in RIDES for p in PLACES)
COMBINATIONS = {
    "all": _ALL,
    "train": tuple(c for c in _ALL if c not in HELD_OUT),
    "held-out": HELD_OUT,
}
KINDS = {"plain": 0.45, "nobody": 0.12, "one": 0.23, "two": 0.20}
_WIDE_KINDS = {"nobody": 0.22, "one": 0.42, "two": 0.36}  # a plain scene is 128 wide
LIGHTS = {"sun": 0.55, "moon": 0.12, "none": 0.33}
SIDES = {"left": 0.34, "right": 0.34, "middle": 0.32}
SIZES = {"normal": 0.48, "small": 0.32, "large": 0.20}
LOOKS = {"left": 0.5, "right": 0.5}
FIGURE_FIELDS = ("subject", "ride", "colour", "ride_colour", "where", "size", "looks")


@dataclass(frozen=True)
class Scene:
    """What is in one picture, by word; `colour` is the subject's, `ride_colour` the ride's ("none" when standing)."""

    subject: str
    ride: str
    place: str
    colour: str
    ride_colour: str


@dataclass(frozen=True)
class Figure:
    """Someone in a window: the words of a scene, `where` ("left", "middle", "right"), `size` ("small", "normal",
    "large"), the side that it `looks` to ("left", "right"), and whether the window's edge has `cut` it."""

    subject: str
    ride: str
    colour: str
    ride_colour: str
    where: str = "middle"
    size: str = "normal"
    looks: str = "right"
    cut: bool = False


@dataclass(frozen=True)
class Window:
    """A view of a place: nobody, one figure or two (the left one first), and its light ("sun", which in space is a
    planet, "moon" or "none")."""

    place: str
    figures: tuple[Figure, ...] = ()
    light: str = "sun"

    @classmethod
    def of(cls, scene: Scene) -> "Window":
        """The window that shows what a scene shows."""
        return cls(scene.place, (Figure(scene.subject, scene.ride, scene.colour, scene.ride_colour),))

    def plain(self) -> Scene | None:
        """The scene that says the same: one figure in the middle, of normal size, looking right, and a sun; or None."""
        if len(self.figures) != 1 or self.light != "sun":
            return None
        f = self.figures[0]
        if f.cut or (f.where, f.size, f.looks) != ("middle", "normal", "right"):
            return None
        return Scene(f.subject, f.ride, self.place, f.colour, f.ride_colour)


def choose(rng: np.random.Generator, split: str = "all") -> Scene:
    """A scene at random: every combination of the split, and then every colour, equally likely."""
    combinations = COMBINATIONS[split]
    subject, ride, place = combinations[rng.integers(len(combinations))]
    colour = str(rng.choice(SUBJECT_COLOURS[subject]))
    return Scene(subject, ride, place, colour, str(rng.choice(RIDE_COLOURS[ride])))


def pick(rng: np.random.Generator, options):
    """One of the options (a sequence, or a dictionary of shares that add up to one)."""
    if not isinstance(options, dict):
        return options[int(rng.random() * len(options))]
    at = rng.random()
    for option, share in options.items():
        if at < share:
            return option
        at -= share
    return next(iter(options))


def choose_window(rng: np.random.Generator, split: str = "all", width: int = SIZE) -> Window:
    """A window at random: its kind by KINDS (wider than 128 without the plain scenes), its light by LIGHTS."""
    kind = pick(rng, KINDS if width == SIZE else _WIDE_KINDS)
    if kind == "plain":
        return Window.of(choose(rng, split))
    light = pick(rng, LIGHTS)
    if kind == "nobody":
        return Window(pick(rng, PLACES), (), light)
    if kind == "two":
        return _choose_two(rng, split, light)
    scene, where, size, looks = choose(rng, split), "middle", "normal", "right"
    while True:
        where, size, looks = pick(rng, SIDES), pick(rng, SIZES), pick(rng, LOOKS)
        if width > SIZE or (where, size, looks) != ("middle", "normal", "right"):
            break
    cut = where != "middle" and size != "small" and rng.random() < 0.28
    figure = Figure(scene.subject, scene.ride, scene.colour, scene.ride_colour, where, size, looks, cut)
    return Window(scene.place, (figure,), light)


def _choose_two(rng: np.random.Generator, split: str, light: str) -> Window:
    """Two figures in one place, each from the split; a fifth of them share the ride, an eighth the subject."""
    one = choose(rng, split)
    others = [c for c in COMBINATIONS[split] if c[2] == one.place]
    same = rng.random()
    alike = [c for c in others if (c[1] == one.ride if same < 0.2 else c[0] == one.subject if same < 0.3 else True)]
    subject, ride, _ = pick(rng, alike)
    colours = pick(rng, SUBJECT_COLOURS[subject]), pick(rng, RIDE_COLOURS[ride])
    return Window(
        one.place,
        (Figure(one.subject, one.ride, one.colour, one.ride_colour, "left", looks=pick(rng, LOOKS)),
         Figure(subject, ride, *colours, "right", looks=pick(rng, LOOKS))),
        light,
    )  # fmt: skip
