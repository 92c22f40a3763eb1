"""What is said about windows on a panorama: captions that name whatever is not plain, and full descriptions."""

import re

import numpy as np

from ._scenes_things import RIDE_COLOURS, SUBJECT_COLOURS, Figure, Scene, Window, pick
from ._scenes_words import (
    ACTS,
    NAMES,
    OPENINGS,
    WHERE,
    describe_scene,
    plural_of,
    scene_caption,
    scene_words,
    with_article,
    words_of,
)

LONGEST = 22  # words, commas and the full stop: with start and end they fill a text encoder of 24 places
_SIDES = ("on the {}", "on the {}", "on the {} side", "to the {}")
_EDGES = ("at the {} edge", "at the {} edge", "on the {}", "at the edge on the {}")
_LOOKS = ("looking {}", "looking {}", "looking {}", "facing {}", "facing {}", "that looks {}")
_GOES = (*_LOOKS, "going {}", "going {}")
_MIDDLE = ("in the middle", "in the middle", "at the centre")
_SMALL, _FAR = ("small", "small", "tiny", "little"), ("far away", "in the distance", "in the distance")
_LARGE, _NEAR = ("large", "large", "big"), ("close up", "up close", "very near")
_LIGHTS = {
    "moon": ("under the moon", "under a moon", "with a moon in the sky", "and a moon in the sky"),
    "sun": ("under the sun", "in the sun", "with a sun in the sky"),
    "none": ("with no sun", "without a sun", "without the sun", "with no sun in the sky"),
}
_IN_SPACE = {
    "moon": ("under a moon", "with a moon in the sky", "and a moon in the sky"),
    "sun": ("under a planet", "with a planet in the sky"),
    "none": ("with no planet", "without a planet", "with no planet in the sky"),
}
_SAID = {"moon": 0.72, "sun": 0.12, "none": 0.2}
_ONE = (
    "{who} {act} {far} {side} {looks} {place}", "{who} {act} {far} {side} {looks} {place}",
    "{who} {act} {looks} {far} {side} {place}", "{who} {act} {place} {far} {side} {looks}",
    "{who} {act} {far} {place} , {looks} {side}", "{who} {looks} {act} {far} {side} {place}",
    "{place} , {who} {act} {far} {side} {looks}", "{side} , {who} {act} {looks} {far} {place}",
)  # fmt: skip
_BARE = {
    "mars": ("mars", "mars", "the red planet", "a landscape on mars"),
    "beach": ("a beach", "the beach", "the sea", "a beach by the sea"),
    "forest": ("a forest", "the forest", "the woods", "trees in a forest"),
    "space": ("space", "outer space", "the moon in space", "stars in space"),
    "city": ("a city", "the city", "a city street", "a town", "houses in a city"),
    "snow": ("snow", "the snow", "mountains in the snow", "a landscape in winter"),
}
_EMPTY = {
    "mars": ("an empty landscape on mars", "an empty red planet", "empty mars"),
    "beach": ("an empty beach", "an empty beach", "an empty beach by the sea"),
    "forest": ("an empty forest", "an empty forest", "empty woods"),
    "space": ("empty space", "empty outer space", "an empty landscape in space"),
    "city": ("an empty city", "an empty city street", "an empty town", "an empty street"),
    "snow": ("an empty landscape in the snow", "an empty winter landscape", "empty snow"),
}
_NOBODY = ("{empty}", "{empty}", "{empty}", "{bare}", "{bare}", "{bare} with nobody", "{bare} with no one",
           "{bare} with nobody there", "{bare} , nobody there", "nobody {place}", "no one {place}",
           "nobody is {place}", "{place} , nobody", "an empty place {place}", "there is nobody {place}")  # fmt: skip
_BOTH = {
    ("left", "left"): ("both looking left", "both facing left", "both going left"),
    ("right", "right"): ("both looking right", "both facing right", "both going right"),
    ("right", "left"): ("looking at each other", "facing each other", "face to face"),
    ("left", "right"): ("back to back", "back to back", "looking away from each other"),
}


def caption(window: Window | Scene, rng: np.random.Generator) -> str:
    """A description of a window or scene from one of many templates, at most LONGEST words and points long.

    A plain scene is described as ever. In a window, what is not plain is always named: the side, the size, a look to
    the left; two figures stand in their order from left to right, or at named sides.
    """
    scene = window if isinstance(window, Scene) else window.plain()
    if scene:
        return scene_caption(scene, rng)
    say = (_nobody, _one, _two)[len(window.figures)]
    lit, sides, looks = rng.random(3) < (_SAID[window.light], 0.4, 0.5)
    for attempt in range(60):  # what is said stays the same at first, in ever shorter forms
        short = min(attempt / 20, 1.0)
        text = say(window, rng, short, sides and attempt < 30, looks and attempt < 16)
        text = _finished(text, window, rng, short, lit and attempt < 22)
        if length(text) <= LONGEST:
            return text
    return describe(window)


def length(text: str) -> int:
    """How many tokens the text takes: its words, commas and full stops."""
    return len(text.split()) + text.count(",") + text.count(".")


def _finished(text: str, window: Window, rng: np.random.Generator, short: float, lit: bool) -> str:
    """The text with an opening, its light, a capital letter and a full stop, where chance wants them."""
    opening = "" if rng.random() < 3 * short else pick(rng, OPENINGS)
    if text.startswith(("in ", "on ", "at ", "to ", "by ", "nobody", "no one", "there", "two")):
        place, comma, rest = text.partition(" , ")
        text = place + comma + opening + rest if rest and rest.startswith(("a ", "an ")) else text
    else:
        text = opening + text
    if lit:
        text += " " + pick(rng, (_IN_SPACE if window.place == "space" else _LIGHTS)[window.light])
    text = " ".join(text.split()).replace(" ,", ",")
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + ("." if rng.random() < 0.4 else "")


def _place(window: Window, rng: np.random.Generator) -> str:
    if rng.random() > 0.93:
        return ""
    place = pick(rng, WHERE[window.place])
    return WHERE["space"][0] if window.light == "moon" and "moon" in place else place


def _thing(rng: np.random.Generator, noun: str, colour: str, plural: bool = False, short: float = 0) -> str:
    """The noun or another word for it, with its colour as often as in a scene's caption, but for the share `short`;
    no article."""
    named = (0.4 if colour == (SUBJECT_COLOURS.get(noun) or RIDE_COLOURS[noun])[0] else 0.9) * (1 - short)
    word = pick(rng, NAMES.get(noun, (noun,)))
    word = plural_of(word) if plural else word
    if word in ("bear", "bears"):
        word = f"panda {word}"
    return f"{colour} {word}" if colour != "none" and rng.random() < named else word


def _act(figure: Figure, rng: np.random.Generator, short: float) -> str:
    brief = rng.random() < short
    if figure.ride == "standing":
        return "" if brief else pick(rng, ACTS["standing"])
    act = "on {}" if brief else pick(rng, ACTS[figure.ride])
    return act.format(with_article(_thing(rng, figure.ride, figure.ride_colour, short=short)))


def _look(figure: Figure, rng: np.random.Generator) -> str:
    return pick(rng, _LOOKS if figure.ride == "standing" else _GOES).format(figure.looks)


def _nobody(window: Window, rng: np.random.Generator, short: float, sides: bool, looks: bool) -> str:
    bare = pick(rng, _BARE[window.place])
    bare = "space" if window.light == "moon" and "moon" in bare else bare
    return pick(rng, _NOBODY).format(empty=pick(rng, _EMPTY[window.place]), bare=bare,
                                     place=_place(window, rng) or WHERE[window.place][0])  # fmt: skip


def _one(window: Window, rng: np.random.Generator, short: float, sides: bool, looks: bool) -> str:
    figure = window.figures[0]
    who, far = _thing(rng, figure.subject, figure.colour, short=short), ""
    if figure.size != "normal":
        adjectives, phrases = (_SMALL, _FAR) if figure.size == "small" else (_LARGE, _NEAR)
        if rng.random() < 0.65:
            who = f"{pick(rng, adjectives)} {who}"
        else:
            far = pick(rng, phrases)
    side = pick(rng, _EDGES if figure.cut else _SIDES).format(figure.where)
    if figure.where == "middle":
        side = pick(rng, _MIDDLE) if rng.random() < 0.15 else ""
    look = ""
    if figure.looks == "left" or (looks and rng.random() < 0.5):
        look = _look(figure, rng)
    form = pick(rng, _ONE)
    act, place = _act(figure, rng, short), _place(window, rng)
    first = {"{place} ,": place, "{side} , ": side}.get(form[:9], "said")
    if not first or (", {looks}" in form and not look + side):
        form = _ONE[0]
    return form.format(who=with_article(who), act=act, far=far, side=side, looks=look, place=place)


def _two(window: Window, rng: np.random.Generator, short: float, sides: bool, looks: bool) -> str:
    one, other = window.figures
    place = _place(window, rng)
    both = pick(rng, _BOTH[one.looks, other.looks]) if looks and rng.random() < 0.6 else ""
    if not sides and one.subject == other.subject and rng.random() < 0.8:
        return _two_alike(one, other, rng, place, both, short)
    if not sides and one.ride == other.ride and rng.random() < 0.6:
        who = " and ".join(with_article(_thing(rng, f.subject, f.colour, short=short)) for f in (one, other))
        return f"{who} {_shared_act(one, other, rng)} {both} {place}"
    said = []
    for f in (one, other):
        look = _look(f, rng) if looks and not both and rng.random() < 0.7 else ""
        side = pick(rng, _SIDES).format(f.where) if sides else ""
        act = _act(f, rng, short)
        said.append(f"{with_article(_thing(rng, f.subject, f.colour, short=short))} {act} {side} {look}")
    if sides and rng.random() < 0.15:
        said.reverse()
    if place and rng.random() < 0.06:
        return f"{place} , {said[0]} and {said[1]} {both}"
    return f"{said[0]} and {said[1]} {both} {place}"


def _two_alike(one: Figure, other: Figure, rng, place: str, looks: str, short: float) -> str:
    """Two of a kind: "two red robots on bicycles in the snow", "two cats on mars, one standing and one on a horse"."""
    colour = one.colour if one.colour == other.colour else "none"
    who = "two " + _thing(rng, one.subject, colour, plural=True, short=short)
    if one.ride == other.ride:
        return f"{who} {_shared_act(one, other, rng)} {looks} {place}"
    acts = [_act(f, rng, short) or "standing" for f in (one, other)]
    return f"{who} {place} {looks} , one {acts[0]} and one {acts[1]}"


def _shared_act(one: Figure, other: Figure, rng: np.random.Generator) -> str:
    act = pick(rng, ACTS[one.ride]).replace("that rides", "riding")
    colour = one.ride_colour if one.ride_colour == other.ride_colour else "none"
    return act.format(_thing(rng, one.ride, colour, plural=True)) if one.ride != "standing" else act


def describe(window: Window | Scene) -> str:
    """The picture in one plain sentence that names everything and fits into LONGEST words.

    "a grey cat standing on the left looking left in the snow"; what two figures need most words for, their sides, is
    left out where the sentence would be too long: the left one always comes first.
    """
    scene = window if isinstance(window, Scene) else window.plain()
    if scene:
        return describe_scene(scene)
    light = (_IN_SPACE if window.place == "space" else _LIGHTS)["moon"][0] if window.light == "moon" else ""
    if not window.figures:
        return f"{_EMPTY[window.place][0]} {light}".strip()
    place = WHERE[window.place][0]
    if len(window.figures) == 1:
        return " ".join(f"{_described(window.figures[0])} {place} {light}".split())
    one, other = window.figures
    both = "" if (one.looks, other.looks) == ("right", "right") else _BOTH[one.looks, other.looks][0]
    each = " and ".join(_described(f) for f in window.figures)
    who = " and ".join(_described(f, looks=False) for f in window.figures)
    short = " and ".join(_described(f, looks=False, side=False) for f in window.figures)
    for words in (f"{each} {place} {light}", f"{each} {place}", f"{who} {both} {place}", f"{short} {both} {place}"):
        text = " ".join(words.split())
        if length(text) <= LONGEST:
            return text
    return text


def _described(figure: Figure, looks: bool = True, side: bool = True) -> str:
    who = f"{figure.colour} {figure.subject}"
    if figure.size != "normal":
        who = f"{figure.size} {who}"
    ride = f"{figure.ride_colour} {figure.ride}"
    act = "standing" if figure.ride == "standing" else f"riding {with_article(ride)}"
    where = f"on the {figure.where}" if side and figure.where != "middle" else ""
    return f"{with_article(who)} {act} {where} {'looking left' if looks and figure.looks == 'left' else ''}"


def known_words() -> tuple[str, ...]:
    """Every word that a caption of this world can hold, in alphabetical order."""
    lists = (_SIDES, _EDGES, _LOOKS, _GOES, _MIDDLE, _SMALL, _FAR, _LARGE, _NEAR, _NOBODY)
    tables = (_LIGHTS, _IN_SPACE, _BARE, _EMPTY, _BOTH)
    texts = [*lists, *(texts for table in tables for texts in table.values())]
    templates = re.sub(r"\{\w*\}", "", " ".join(text for group in texts for text in group))
    return tuple(sorted(scene_words() | {*words_of(templates), "left", "right", "one", "two", "and"}))
