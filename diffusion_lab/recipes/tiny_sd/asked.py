"""What Tiny SD is asked for when it is measured, and whether a reader finds it."""

import dataclasses

import numpy as np

from ...worlds import scenes

PROMPTS = 5000
NEW = {"nobody": "nobody asked for, nobody there", "where": "left, middle or right as asked",
       "looks": "looking left or right as asked", "two": "two figures, both subjects and both rides right"}  # fmt: skip


def described(n: int, split: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """n prompts that name everything ("a red robot riding a blue bicycle on mars"), and what they ask for."""
    rng, rows = np.random.default_rng(PROMPTS), []
    for _ in range(n):
        rows.append(scenes.choose(rng, split))
    labels = {name: np.array([getattr(s, name) for s in rows]) for name in scenes.FIELDS}
    return [scenes.describe(s) for s in rows], labels


def new_words(kind: str, n: int) -> list[scenes.Window]:
    """n windows that a prompt of the wider world asks for: "nobody", one figure somewhere ("where") or looking
    somewhere ("looks"), or "two" figures."""
    rng, asked = np.random.default_rng(PROMPTS + len(kind)), []
    while len(asked) < n:
        window = scenes.choose_window(rng, "train")
        one = window.figures[0] if len(window.figures) == 1 else None
        if kind == "nobody" and not window.figures or kind == "two" and len(window.figures) == 2:
            asked.append(dataclasses.replace(window, light="sun"))
        elif kind in ("where", "looks") and one:
            word = scenes.pick(rng, scenes.SIDES if kind == "where" else scenes.LOOKS)
            plain = scenes.Figure(one.subject, one.ride, one.colour, one.ride_colour)
            asked.append(scenes.Window(window.place, (dataclasses.replace(plain, **{kind: word}),)))
    return asked


def obeyed(kind: str, read: dict[str, np.ndarray], asked: list[scenes.Window]) -> float:
    """The share in [0, 1] of pictures in which the reader finds what the windows of a kind ask for; two figures may
    have changed places."""
    truth = scenes.labels(asked)
    if kind == "nobody":
        return float((read["count"] == "0").mean())
    if kind != "two":
        return float(((read[kind] == truth[kind]) & (read["count"] == "1")).mean())
    names = ("subject", "ride", "subject_2", "ride_2")
    came, wanted = (zip(*(each[name] for name in names), strict=True) for each in (read, truth))
    return float(np.mean([a == b or (*a[2:], *a[:2]) == b for a, b in zip(came, wanted, strict=True)]))
