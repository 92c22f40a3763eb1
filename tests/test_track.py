"""The track of lesson 06 says where w is, its numbers are what is counted, its formulas what they are called."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion_lab.coursework.lessons import find
from diffusion_lab.coursework.lessons.lesson_06 import PATIENTS, away_from, sick_guide, verdict
from diffusion_lab.coursework.lessons.track import quarrel, track
from diffusion_lab.errors import LabError
from diffusion_lab.figures import PALETTE
from diffusion_lab.guidance import guide
from diffusion_lab.noising import noise

RED = np.full((16, 16, 3), (200, 20, 20), np.uint8)


def dark(image, rows: slice) -> float:
    """The column (0-1, between the ends of the track) in which the black ring of the marker lies."""
    pixels = np.asarray(image)[rows].astype(int)
    return float((np.argwhere((pixels < 60).all(-1))[:, 1].mean() - 44) / (916 - 44))


@pytest.mark.parametrize("w", [0, 1, 2.5, 10])
def test_the_marker_stands_at_w(w):
    image = track([RED] * 4, w)
    assert image.size == (960, 360) and dark(image, slice(276, 305)) == pytest.approx(w / 10, abs=0.01)
    assert image.getpixel((5, 5)) == (200, 20, 20) == image.getpixel((955, 220))
    assert track([RED] * 3, w, 208, ("a", "b", "c")).size == (960, 372)


def test_the_track_is_solid_up_to_the_second_picture_and_says_its_words(monkeypatch):
    said = []
    monkeypatch.setattr("diffusion_lab.coursework.lessons.track.write", lambda sheet, text, *_, **__: said.append(text))
    line = np.asarray(track([RED] * 2, 10, labels=("a", "b")))[224 + 66 + 28]
    pull, noise_ = (tuple(bytes.fromhex(PALETTE[role][1:])) for role in ("pull", "noise"))
    at = [44 + 872 * w / 10 for w in (0, 1, 9)]
    solid, dashed = ({tuple(map(int, pixel)) for pixel in line[round(a) + 6 : round(b) - 6]} for a, b in zip(
        at, at[1:], strict=False))
    assert solid == {pull} and noise_ in dashed and (255, 255, 255) in dashed and pull not in dashed
    assert said == ["a", "b", *map(str, range(11)), "without", "with", "past it: extrapolated", "w = 10"]
    said.clear()
    quarrel([RED], {"obeyed": {0.0: 0.2, 5.0: 70.6}, "burnt": {0.0: 0.0, 5.0: 3.0}, "distance": {0.0: 9.0, 5.0: 100.0}},
            5.0)
    assert [words for words in said if "%" in words] == ["obeyed 71 %", "burnt 3 %", "distance 100 %"]


@pytest.mark.parametrize("w", [0, 10])
def test_the_words_at_an_end_are_not_cut(w):
    edge = np.asarray(track([], w))[224 + 18 : 224 + 50][:, [0, 1, 2, -3, -2, -1]]
    assert (edge == 255).all()


def test_a_formula_that_is_not_there_is_told():
    with pytest.raises(LabError, match="from 1 to 4; 5 came"):
        sick_guide(5)


def test_beyond_its_ends_the_marker_stays_on_the_track():
    assert dark(track([RED], 12), slice(276, 305)) == pytest.approx(1, abs=0.01)


def test_three_curves_carry_their_number_and_a_marker_at_w():
    curves = {name: {0.0: 0.0, 1.0: 50.0, 10.0: 100.0} for name in ("obeyed", "burnt", "distance")}
    one, ten = (np.asarray(quarrel([RED] * 6, curves, w)).astype(int) for w in (1.0, 10.0))
    differ = np.argwhere((one != ten).any(-1))
    assert differ[:, 0].min() > 144, "the pictures are the same"
    for k in range(3):
        left = 14 + 328 * k
        for drawn, w, height in ((one, 1.0, 0.5), (ten, 10.0, 1.0)):
            x, y = round(left + 27.6 * w), round(204 + 128 * (1 - height))
            assert (drawn[y, min(x, 959)] == 255).all(), "a hollow marker stands on the curve"


@pytest.mark.parametrize(("numbers", "word"), [
    ((0.99, 0.01, 0.45), "cured"), ((1.0, 0.016, 0.2), "burnt"), ((0.96, 0.0, 0.2), "weak"),
    ((1.0, 0.0, 0.55), "alike"),
])
def test_an_interval_is_judged_by_its_three_numbers(numbers, word):
    assert verdict(numbers, plain=(1.0, 0.03, 1.0), once=(0.6, 0.0, 0.4)) == word
    assert verdict(numbers, plain=(1.0, 0.03, 1.0), once=(1.0, 0.0, 0.4)) != "cured", "w = 1 obeys as well"
    exercise = find("06.interval")
    assert word in {exercise.truth, *exercise.wrong}


def test_a_red_star_is_praised_only_after_a_colour():
    assert [away_from(word, "red") for word in ("blue", "Green", "moon", "")] == [
        "red", "red", "red by a shape", "red by a shape"]
    exercise = find("06.negative")
    assert away_from("moon", "blue") == "blue" and {"blue", "red by a shape"} <= set(exercise.wrong)


def test_the_sick_formulas_stand_in_another_order_than_the_text_names_them():
    text = (Path(__file__).parents[1] / "lessons/text/06_text_guidance.md").read_text(encoding="utf-8")
    named = re.search(r'# "healthy", (.*)', text)[1]
    told = [name for name in re.findall(r"\w+", named) if name in PATIENTS.values()]
    placed = [name for name in PATIENTS.values() if name != "healthy"]
    assert sorted(told) == sorted(placed) and told != placed != told[::-1]


def test_each_sick_formula_is_the_mistake_that_it_is_called():
    u, c = noise((3, 4), 1), noise((3, 4), 2)
    slips = {slip.name: slip.code for slip in find("06.formula").slips}
    wanted = {"healthy": guide, "paper": slips["the paper's own scale"],
              "swapped": slips["the two guesses changed places"], "average": slips["an average"]}
    for patient, name in PATIENTS.items():
        for w in (0.0, 1.0, 5.0):
            assert torch.equal(sick_guide(patient)(u, c, w), wanted[name](u, c, w)), name
