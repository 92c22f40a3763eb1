"""What is said about scenes: nouns, places and deeds in words, and the captions of plain scenes."""

import re

import numpy as np

from ._scenes_things import PLACES, RIDE_COLOURS, RIDES, SUBJECT_COLOURS, SUBJECTS, Scene

NAMES = {
    "cat": ("cat", "cat", "cat", "kitten"), "dog": ("dog", "dog", "dog", "puppy"),
    "rabbit": ("rabbit", "rabbit", "rabbit", "bunny"), "panda": ("panda", "panda", "panda", "bear"),
    "horse": ("horse", "horse", "horse", "pony"), "bicycle": ("bicycle", "bicycle", "bike"),
}  # fmt: skip
_PLURALS = {"puppy": "puppies", "bunny": "bunnies", "pony": "ponies"}
WHERE = {
    "mars": ("on mars", "on mars", "on mars", "on the red planet"),
    "beach": ("at the beach", "on the beach", "on a beach", "by the sea"),
    "forest": ("in the forest", "in a forest", "in the woods"),
    "space": ("in space", "in outer space", "in space", "on the moon"),
    "city": ("in the city", "in a city", "in town"),
    "snow": ("in the snow", "in snow", "in winter"),
}
ACTS = {
    "horse": ("riding {}", "riding {}", "on {}", "sitting on {}", "that rides {}"),
    "skateboard": ("riding {}", "riding {}", "on {}", "standing on {}", "that rides {}"),
    "bicycle": ("riding {}", "riding {}", "on {}", "sitting on {}", "that rides {}"),
    "standing": ("standing", "standing", "standing up", "on foot", "walking", ""),
}
OPENINGS = ("a photo of ", "a photo of ", "a photograph of ", "a picture of ", "a drawing of ", "a painting of ",
             "an illustration of ", "", "", "", "")  # fmt: skip


def _thing(rng: np.random.Generator, noun: str, colour: str, plural: bool) -> str:
    named = 0.4 if colour == (SUBJECT_COLOURS | RIDE_COLOURS)[noun][0] else 0.9
    noun = str(rng.choice(NAMES.get(noun, (noun,))))
    if noun == "bear":
        noun = "panda bear"
    if noun == "panda" and colour == "white" and rng.random() < 0.2:
        colour = "black and white"
    words = f"{colour} {noun}" if colour != "none" and rng.random() < named else noun
    if plural:
        return words.removesuffix(noun) + plural_of(noun)
    return with_article(words)


def scene_caption(scene: Scene, rng: np.random.Generator) -> str:
    """A description of the scene from one of many templates: the place is named in 93 %, a colour in 90 % (in 40 %
    where it is the usual one: an astronaut is white, a horse is brown)."""
    plural = rng.random() < 0.03
    subject = _thing(rng, scene.subject, scene.colour, plural)
    act = str(rng.choice(ACTS[scene.ride])).format(_thing(rng, scene.ride, scene.ride_colour, plural))
    act = act.replace("that rides", "that ride") if plural else act
    where = str(rng.choice(WHERE[scene.place])) if rng.random() < 0.93 else ""
    opening = str(rng.choice(OPENINGS))
    if where and rng.random() < 0.06:
        text = f"{where}, {opening}{subject} {act}"
    else:
        text = f"{opening}{subject} {act} {where}"
    text = " ".join(text.split())
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + ("." if rng.random() < 0.4 else "")


def describe_scene(scene: Scene) -> str:
    """The scene in one plain sentence that names everything: "a red robot riding a blue bicycle on mars"."""
    subject, ride = f"{scene.colour} {scene.subject}", f"{scene.ride_colour} {scene.ride}"
    act = "standing" if scene.ride == "standing" else f"riding {with_article(ride)}"
    return f"{with_article(subject)} {act} {WHERE[scene.place][0]}"


def with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def plural_of(noun: str) -> str:
    return _PLURALS.get(noun, noun + "s")


def words_by_kind() -> dict[str, dict[str, list[str]]]:
    """The words that name what is drawn, by kind: figure, ride, place, colour. Each word leads to how a prompt says it
    ("mars": "on mars") and then to its other names ("planet")."""
    acts = {ride: ACTS[ride][0].format(with_article(ride)) for ride in RIDES}
    names = {noun: [form for name in NAMES.get(noun, (noun,)) for form in (name, plural_of(name))]
             for noun in (*SUBJECTS, *RIDES[:3])}  # fmt: skip
    names["standing"] = [act for act in ACTS["standing"] if act.isalpha()]
    ends = {place: [where.split()[-1] for where in WHERE[place]] for place in PLACES}
    colours = dict.fromkeys(c for group in (*SUBJECT_COLOURS.values(), *RIDE_COLOURS.values()) for c in group)
    say = {
        "figure": {noun: [with_article(noun), *names[noun]] for noun in SUBJECTS},
        "ride": {ride: [acts[ride], *names[ride]] for ride in RIDES},
        "place": {place: [WHERE[place][0], *ends[place]] for place in PLACES},
        "colour": {colour: [colour] for colour in colours if colour != "none"},
    }
    return {kind: {word: [first, *dict.fromkeys(n for n in others if n != word)]
                   for word, (first, *others) in words.items()} for kind, words in say.items()}  # fmt: skip


def scene_words() -> set[str]:
    """Every word that a caption of a plain scene can hold."""
    nouns = {*SUBJECTS, *RIDES[:3], *(noun for names in NAMES.values() for noun in names)}
    colours = {c for group in (*SUBJECT_COLOURS.values(), *RIDE_COLOURS.values()) for c in group} - {"none"}
    templates = " ".join([*OPENINGS, *(t for texts in (*WHERE.values(), *ACTS.values()) for t in texts)])
    return {*nouns, *map(plural_of, nouns), *colours, *words_of(templates), "a", "an", "and", "ride"}


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())
