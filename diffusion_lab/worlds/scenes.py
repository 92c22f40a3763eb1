"""The scenes world: eight subjects with four rides-or-deeds in six places, drawn by code and described in words.

Every picture is 128 x 128, everyone travels to the right, and there is exactly one sun (or planet) in the sky.
"""

import re
from dataclasses import dataclass

import numpy as np

from ..errors import LabError
from ._scenes_draw import PLACES as _PLACES
from ._scenes_draw import SIZE, Pen, darker, draw_place
from ._scenes_figures import COLOURS, draw_figure

SUBJECTS = ("astronaut", "cat", "dog", "robot", "penguin", "frog", "rabbit", "panda")
RIDES = ("horse", "skateboard", "bicycle", "standing")
PLACES = tuple(_PLACES)
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
_NAMES = {
    "cat": ("cat", "cat", "cat", "kitten"), "dog": ("dog", "dog", "dog", "puppy"),
    "rabbit": ("rabbit", "rabbit", "rabbit", "bunny"), "panda": ("panda", "panda", "panda", "bear"),
    "horse": ("horse", "horse", "horse", "pony"), "bicycle": ("bicycle", "bicycle", "bike"),
}  # fmt: skip
_PLURALS = {"puppy": "puppies", "bunny": "bunnies", "pony": "ponies"}
_WHERE = {
    "mars": ("on mars", "on mars", "on mars", "on the red planet"),
    "beach": ("at the beach", "on the beach", "on a beach", "by the sea"),
    "forest": ("in the forest", "in a forest", "in the woods"),
    "space": ("in space", "in outer space", "in space", "on the moon"),
    "city": ("in the city", "in a city", "in town"),
    "snow": ("in the snow", "in snow", "in winter"),
}
_ACTS = {
    "horse": ("riding {}", "riding {}", "on {}", "sitting on {}", "that rides {}"),
    "skateboard": ("riding {}", "riding {}", "on {}", "standing on {}", "that rides {}"),
    "bicycle": ("riding {}", "riding {}", "on {}", "sitting on {}", "that rides {}"),
    "standing": ("standing", "standing", "standing up", "on foot", "walking", ""),
}
_OPENINGS = ("a photo of ", "a photo of ", "a photograph of ", "a picture of ", "a drawing of ", "a painting of ",
             "an illustration of ", "", "", "", "")  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What is in one picture, by word; `colour` is the subject's, `ride_colour` the ride's ("none" when standing)."""

    subject: str
    ride: str
    place: str
    colour: str
    ride_colour: str


def _thing(rng: np.random.Generator, noun: str, colour: str, plural: bool) -> str:
    named = 0.4 if colour == (SUBJECT_COLOURS | RIDE_COLOURS)[noun][0] else 0.9
    noun = str(rng.choice(_NAMES.get(noun, (noun,))))
    if noun == "bear":
        noun = "panda bear"
    if noun == "panda" and colour == "white" and rng.random() < 0.2:
        colour = "black and white"
    words = f"{colour} {noun}" if colour != "none" and rng.random() < named else noun
    if plural:
        return words.removesuffix(noun) + _plural(noun)
    return _with_article(words)


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """A description of the scene from one of many templates: the place is named in 93 %, a colour in 90 % (in 40 %
    where it is the usual one: an astronaut is white, a horse is brown)."""
    plural = rng.random() < 0.03
    subject = _thing(rng, scene.subject, scene.colour, plural)
    act = str(rng.choice(_ACTS[scene.ride])).format(_thing(rng, scene.ride, scene.ride_colour, plural))
    act = act.replace("that rides", "that ride") if plural else act
    where = str(rng.choice(_WHERE[scene.place])) if rng.random() < 0.93 else ""
    opening = str(rng.choice(_OPENINGS))
    if where and rng.random() < 0.06:
        text = f"{where}, {opening}{subject} {act}"
    else:
        text = f"{opening}{subject} {act} {where}"
    text = " ".join(text.split())
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + ("." if rng.random() < 0.4 else "")


def describe(scene: Scene) -> str:
    """The scene in one plain sentence that names everything: "a red robot riding a blue bicycle on mars"."""
    subject, ride = f"{scene.colour} {scene.subject}", f"{scene.ride_colour} {scene.ride}"
    act = "standing" if scene.ride == "standing" else f"riding {_with_article(ride)}"
    return f"{_with_article(subject)} {act} {_WHERE[scene.place][0]}"


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _plural(noun: str) -> str:
    return _PLURALS.get(noun, noun + "s")


def known_words() -> tuple[str, ...]:
    """Every word that a caption of this world can hold, in alphabetical order."""
    nouns = {*SUBJECTS, *RIDES[:3], *(noun for names in _NAMES.values() for noun in names)}
    colours = {c for group in (*SUBJECT_COLOURS.values(), *RIDE_COLOURS.values()) for c in group} - {"none"}
    templates = " ".join([*_OPENINGS, *(t for texts in (*_WHERE.values(), *_ACTS.values()) for t in texts)])
    words = {*nouns, *map(_plural, nouns), *colours, *_words(templates), "a", "an", "and", "ride"}
    return tuple(sorted(words))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def choose(rng: np.random.Generator, split: str = "all") -> Scene:
    """A scene at random: every combination of the split, and then every colour, equally likely."""
    combinations = COMBINATIONS[split]
    subject, ride, place = combinations[rng.integers(len(combinations))]
    colour = str(rng.choice(SUBJECT_COLOURS[subject]))
    return Scene(subject, ride, place, colour, str(rng.choice(RIDE_COLOURS[ride])))


def draw(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws a scene with a random pose, scale, place and light: the picture uint8 (128, 128, 3) and the foreground's
    share of each pixel, uint8 (128, 128)."""
    pen = Pen()
    ground = draw_place(pen, scene.place, rng)
    x, y, scale = rng.uniform(54, 72), rng.uniform(110, 117), rng.uniform(0.84, 0.95)
    scale *= {"standing": 1.16, "skateboard": 1.06}.get(scene.ride, 1.0)
    width = {"standing": 22, "skateboard": 34, "bicycle": 42, "horse": 38}[scene.ride]
    pen.ellipse(x, y + 1, width * scale, 4 * scale, darker(ground, 0.25))
    tilt = rng.uniform(-4, 4) if scene.ride == "skateboard" else rng.uniform(-1.5, 1.5)
    colours = COLOURS[scene.colour], COLOURS.get(scene.ride_colour, (0, 0, 0))
    draw_figure(pen.at(x, y, scale, tilt, covers=True), scene.subject, scene.ride, colours, rng.random())
    picture, mask = pen.finished()
    light = rng.uniform(0.92, 1.0) * np.array([1.0, rng.uniform(0.97, 1.0), rng.uniform(0.95, 1.0)])
    return (picture * light).round().astype(np.uint8), mask


def sample_with_masks(n: int, seed: int, split: str = "all", start: int = 0):
    """Like `sample`, from picture number `start` on, and with the foreground masks uint8 (n, 128, 128) after the
    images."""
    if split not in COMBINATIONS:
        raise LabError(f"the scenes' split is one of {', '.join(COMBINATIONS)}; {split!r} came; choose one of these")
    images, masks = np.empty((n, SIZE, SIZE, 3), np.uint8), np.empty((n, SIZE, SIZE), np.uint8)
    captions, scenes = [], []
    for k in range(n):
        rng = np.random.default_rng([seed, start + k])
        scene = choose(rng, split)
        captions.append(caption(scene, rng))
        images[k], masks[k] = draw(scene, rng)
        scenes.append(scene)
    return images, masks, captions, {name: np.array([getattr(s, name) for s in scenes]) for name in FIELDS}


def sample(n: int, seed: int, split: str = "all"):
    """Draws n scenes; picture k depends on (seed, k) alone.

    Arguments: `n`, how many, 0 or more; `seed`, 0 or more; `split`: "all", "train" (without the 32 combinations that
    Tiny SD has never seen) or "held-out" (only those).
    Returns the images uint8 (n, 128, 128, 3), n captions, and the labels by name ("subject", "ride", "place",
    "colour", "ride_colour"), each an array of n words. Raises LabError for an unknown split.
    """
    images, _, captions, labels = sample_with_masks(n, seed, split)
    return images, captions, labels
