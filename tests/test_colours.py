"""The course's colours are told apart by everyone: enough contrast in light and dark, and without red and green."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from diffusion_lab.figures import PALETTE, WORDS, Figure
from diffusion_lab.player.player import HERE
from diffusion_lab.player.views import VIEWS

MARK, TEXT = 3.0, 4.5  # WCAG 2.2: contrast of graphics (1.4.11), contrast of text (1.4.3)
APART = 12.0  # CIELAB distance (CIE 1976) that two colours must keep: about five times what is just seen
PAPER, NIGHT = "#ffffff", "#111111"  # a figure is white in every theme; JupyterLab's dark notebook is nearly black
# Machado, Oliveira and Fernandes (2009), table 1, severity 1.0: what is seen of linear RGB.
SIGHT = {
    "usual": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
}  # fmt: skip
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip


def linear(colour: str) -> np.ndarray:
    """Linear RGB of "#rrggbb" or "#rgb"."""
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    c = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    dark, light = sorted(float(XYZ[1] @ linear(colour)) for colour in (a, b))
    return (light + 0.05) / (dark + 0.05)


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    f = XYZ @ np.clip(sight @ linear(colour), 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(f > (6 / 29) ** 3, np.cbrt(f), f / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def confused(palette: dict[str, str]) -> list[tuple]:
    """The pairs of a palette that somebody cannot tell apart."""
    return [(who, a, b) for who, sight in SIGHT.items() for a, b in combinations(palette, 2)
            if np.linalg.norm(lab(palette[a], sight) - lab(palette[b], sight)) < APART]  # fmt: skip


def theme(selector: str) -> dict[str, str]:
    """The colours that a rule of the player's style sheet names."""
    rule = (HERE / "player.css").read_text("utf-8").split(selector + " {")[1].split("}")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-fA-F]+)", rule))


LIGHT = theme(".dl-player")
DARK = LIGHT | theme(".dl-player[data-dark]")
THEMES = {"light": (LIGHT, PAPER), "dark": (DARK, DARK["mat"])}


def test_contrast_is_computed_as_it_should():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


def test_marks_of_figures_and_boxes_stand_out():
    for role, colour in PALETTE.items():
        assert contrast(colour, PAPER) >= MARK and contrast(colour, NIGHT) >= MARK, role
        assert contrast(WORDS[role], PAPER) >= TEXT, role
    from PIL import Image

    assert "background:#fff" in Figure(Image.new("RGB", (2, 2)), "a black square")._repr_html_()


def test_the_player_speaks_the_same_colours():
    for role in ("signal", "noise", "guess", "pull"):
        assert LIGHT[role].lower() == PALETTE[role].lower()
    assert {role: LIGHT[f"{role}-text"] for role in ("noise", "guess", "pull")} == {
        role: WORDS[role] for role in ("noise", "guess", "pull")}  # fmt: skip


@pytest.mark.parametrize("name", THEMES)
def test_the_player_is_readable(name):
    colours, page = THEMES[name]
    for text in ("ink", "quiet", "signal-text", "noise-text", "guess-text", "pull-text"):
        assert contrast(colours[text], page) >= TEXT, text
    for mark in ("signal", "noise", "guess", "pull", "edge"):
        assert contrast(colours[mark], page) >= MARK, mark
    assert contrast(colours["noise-text"], colours["tint"]) >= TEXT  # the word "noise" in its area
    assert contrast("#fff", colours["signal"]) >= TEXT  # the word "picture" in its area, and "I know it"
    assert contrast(colours["signal"], colours["tint"]) >= MARK  # the border between the two
    assert contrast(colours["noise"], colours["tint"]) >= MARK  # its dots
    assert contrast(colours["ink"], colours["button"]) >= TEXT and contrast(colours["edge"], colours["button"]) >= MARK


def test_points_stand_out_on_their_white_paper():
    found = re.search(r"const DOTS = (\{.*?\});", (HERE / "panels.js").read_text("utf-8"))[1]
    colours = dict(re.findall(r'(\w+): "(#\w+)"', found))
    assert set(colours) == {*PALETTE, "shown"}
    assert {role for view in VIEWS.values() for role in (view.role, view.forward_role or view.role)} <= set(colours)
    for role, colour in colours.items():
        assert contrast(colour, PAPER) >= MARK, role
        assert role not in ("signal", "guess", "noise") or colour == PALETTE[role]


def test_the_palette_is_told_apart_without_red_or_green():
    assert confused(PALETTE) == []


def test_a_bad_palette_would_be_found():
    red_and_green = {"right": "#2ca02c", "wrong": "#d62728"}
    assert confused(red_and_green) == [("deuteranopia", "right", "wrong")]
    assert ("protanopia", "a", "b") in confused({"a": "#7a4fd0", "b": "#4a5fd0"})


def test_no_other_colour_speaks_in_the_scripts():
    """Whatever else is coloured in the player's scripts is grey, or one of the palette."""
    known = {colour.lower() for colour in (*PALETTE.values(), *WORDS.values(), "#9b4677")}
    for path in sorted(Path(HERE).glob("*.js")):
        for colour in re.findall(r'"(#[0-9a-fA-F]{3,6})"', path.read_text("utf-8")):
            red, green, blue = linear(colour)
            assert colour.lower() in known or red == green == blue, (path.name, colour)


def test_code_on_slides_is_readable():
    """Every colour of a token on the grey of a slide's code."""
    from diffusion_lab.coursework.slides.decks import ASSETS, _pygments

    paper = re.search(r"\.highlight \{ background: (#\w+)", (ASSETS / "deck.css").read_text("utf-8"))[1]
    rules = re.findall(r"^\.highlight (\.\w+) \{[^}]*?(?<!-)\bcolor: (#\w+)", _pygments(), re.M)
    assert len(rules) > 20
    assert [(token, colour) for token, colour in rules if contrast(colour, paper) < TEXT] == []
