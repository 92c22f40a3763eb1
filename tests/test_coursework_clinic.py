"""The broken-sampler clinic: ten patients that run, end wrongly, and can be told apart by what they draw."""

import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from diffusion_lab.coursework.checks.answers import judge_diagnoses
from diffusion_lab.coursework.lessons import clocks, find
from diffusion_lab.coursework.lessons.clinic import PATIENTS, WARDS, patient
from diffusion_lab.errors import LabError
from diffusion_lab.exact import Exact
from diffusion_lab.noising import noise
from diffusion_lab.schedules import linear
from diffusion_lab.toy import Toy
from diffusion_lab.worlds import points

TEXT = Path(__file__).parents[1] / "lessons/text/04_sampling_step_by_step.md"
CLINIC = find("04.clinic")
CLOCKS = {"right": lambda times: times, "counts steps": lambda times: list(range(len(times)))[::-1],
          "runs backwards": lambda times: [999 - t for t in times],
          "stands still at zero": lambda times: [0] * len(times),
          "stands still in the middle": lambda times: [500] * len(times),
          "150 ahead": lambda times: [min(t + 150, 999) for t in times]}  # fmt: skip
PROMPTS = ["red circle", "blue star", "green heart", "yellow moon"]


@pytest.fixture(scope="module")
def paths():
    """All patients and a healthy path through the icons toy, from the same static."""
    toy = Toy.load("icons")
    found = {number: patient(number, toy, PROMPTS, n=40, seed=[0, 1, 2, 3]).steps for number in PATIENTS}
    return {"healthy": list(toy.steps(PROMPTS, n=40, seed=[0, 1, 2, 3])), **found}


def test_there_are_ten_and_every_name_is_told_and_has_its_sign():
    assert len(PATIENTS) == 10 and len(set(PATIENTS.values())) == 10
    assert set(PATIENTS.values()) == set(WARDS) == set(CLINIC.signs)
    told = re.findall(r"^- \*\*(.+)\*\*: ", TEXT.read_text(encoding="utf-8"), re.M)
    assert told == sorted(PATIENTS.values())  # an order that tells nothing


@pytest.mark.parametrize("number", PATIENTS)
def test_a_patient_is_a_whole_path_from_the_same_static(paths, number):
    steps, healthy = paths[number], paths["healthy"]
    assert len(steps) == len(healthy) == 41
    assert torch.equal(steps[0].x_t, healthy[0].x_t)
    assert steps[-1].alpha_bar == 1 and steps[-1].t == -1
    assert all(step.eps_uncond is not None for step in steps[:-1])


def test_no_patient_draws_like_a_healthy_sampler_or_like_another_patient(paths):
    def seen(steps):
        """What a learner sees: guesses and noisy pictures at four stops, clipped as a screen does."""
        stops = [len(steps) // 3, 2 * len(steps) // 3, -2, -1]
        return torch.cat([x.clamp(-1, 1).flatten() for i in stops for x in (steps[i].x0, steps[i].x_t)])

    views = {name: seen(steps) for name, steps in paths.items()}
    for one, other in itertools.combinations(views, 2):
        assert float((views[one] - views[other]).pow(2).mean().sqrt()) > 0.15, (one, other)


@pytest.mark.parametrize("number", PATIENTS)
def test_patients_walk_with_points_too(number):
    data, captions, _ = points.sample(50, 0)
    steps = patient(number, Exact(data, captions), n=10, seed=[0, 1, 2]).steps
    assert len(steps) == 11 and steps[-1].x_t.shape == (3, 2)


def test_an_empty_bed():
    with pytest.raises(LabError, match="a patient's number was expected, from 1 to 10"):
        patient(11, Toy.load("icons"))


def test_all_diagnoses_right():
    verdict = judge_diagnoses(CLINIC, dict(PATIENTS))
    assert verdict.box.mood == "right" and all(sign in repr(verdict.box) for sign in CLINIC.signs.values())


def test_open_ones_are_counted_and_wrong_ones_are_answered_without_the_solution():
    said = dict.fromkeys(PATIENTS, ...) | {1: PATIENTS[1], 2: "wrong sign", 3: "something else"}
    verdict = judge_diagnoses(CLINIC, said)
    text = "\n".join([verdict.box.head, *verdict.box.lines[:-1]])  # the last line tells all names there are
    assert "1 right, 2 not right, 7 still open" in text and "none of the names" in text
    assert CLINIC.signs["wrong sign"] in text and PATIENTS[2] not in text and PATIENTS[3] not in text
    assert verdict.goes_on == said


def test_no_diagnosis_yet():
    verdict = judge_diagnoses(CLINIC, dict.fromkeys(PATIENTS, ...))
    assert verdict.box.mood == "not yet" and verdict.goes_on == PATIENTS


@pytest.mark.parametrize("answer", [..., {0: "wrong sign"}, "wrong sign"])
def test_answers_of_another_form(answer):
    assert judge_diagnoses(CLINIC, answer).slip == "unusable"


# --- the broken clocks of lesson 03 --------------------------------------------------------------------------------


def test_each_clock_tells_what_its_fault_says():
    assert set(clocks.PATIENTS.values()) == set(clocks.FAULTS) == set(find("03.clock").signs) == set(CLOCKS) - {
        "right"}
    told, heard = [], []
    model = SimpleNamespace(shape=(2,), schedule=linear(), condition=lambda prompts: heard.append(prompts),
                            predict_noise=lambda x, t, condition: told.append(t) or 0 * x)
    for number, name in ({0: "right"} | clocks.PATIENTS).items():
        told.clear(), heard.clear()
        x = clocks.by_clock(number, model, "ring", points=3)
        assert told == CLOCKS[name](list(linear().timesteps(40))) and heard == [["ring"] * 3], name
        assert torch.allclose(x, noise((2,), [0, 1, 2]) / linear().alpha_bar(999) ** 0.5, rtol=1e-4)  # DDIM, no noise
    assert list(clocks.FAULTS) == sorted(clocks.FAULTS)  # an order that tells nothing
    with pytest.raises(LabError, match="from 0 to 5; 6 came"):
        clocks.by_clock(6, Toy.load("points"))
