"""Lesson 11's record is whole and says what the lesson says; its times are the authors' own, its board is fair."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers.schedulers import AysSchedules

from diffusion_lab import Toy
from diffusion_lab.coursework.checks.answers import judge_diagnoses
from diffusion_lab.coursework.lessons import board
from diffusion_lab.coursework.lessons.board import BUDGET, ORDERS, RUNS
from diffusion_lab.errors import LabError
from diffusion_lab.evaluation import sliced_wasserstein
from diffusion_lab.figures import PALETTE, lines
from diffusion_lab.recipes import samplers
from diffusion_lab.schedules import ALIGNED, aligned, cosine, karras, scaled_linear, sigmas_of

TEXT = (Path(__file__).parents[1] / "lessons/text/11_faster_sampling.md").read_text(encoding="utf-8")
FINE, DATA = 0, 1


def test_no_cell_of_the_record_is_missing():
    calls = {name: [samplers.FIELD[name].calls(n) for n in steps] for name, steps in samplers.within().items()}
    assert len(RUNS["points"]) == len(RUNS["floor"]) == 8
    for run in RUNS["points"]:
        assert {name: [dot[0] for dot in dots] for name, dots in run.items()} == calls
    table = RUNS["tiny_sd"]
    groups = table["prompts"] // samplers.SD_GROUP
    assert set(table["rows"]) == {*samplers.FIELD, "UniPC"} and len(table["fine"]) == groups == 4
    assert {len(values) for dots in table["rows"].values() for _, *both in dots for values in both} == {groups}
    assert [calls for calls, *_ in table["rows"]["UniPC"]] == list(samplers.SD_STEPS)


def test_the_ranking_flips_as_the_lesson_says():
    def first(calls, distance):
        return board.first(RUNS["points"], calls, distance)

    assert [first(calls, FINE) for calls in (3, 6, 16, 32)] == [
        ("2M", 8), ("2M AYS", 8), ("2M", 8), ("2M Karras", 8)]
    assert [first(calls, DATA) for calls in (3, 6, 16)] == [("2M", 8), ("2M AYS", 8), ("2M", 8)]
    assert first(32, DATA)[1] < 8  # where nothing is claimed
    for order, limit in board.LIMITS.items():
        assert first(*limit) == (ORDERS[order], 8)
        assert limit[0] not in (3, 6, 16, 32)  # the table prints these
    assert all(f"**{name}**" in TEXT for name in ORDERS.values())


def test_a_choice_is_told_how_far_it_is_for_its_own_order():
    box = repr(judge_diagnoses(BUDGET, {1: "2M AYS", 2: "2M", 3: "2M", 4: "dpm++ 2m"}).box)
    for order, name in ((1, "2M AYS"), (2, "2M")):
        calls, distance = board.LIMITS[order]
        far = board.spread(RUNS["points"], name, calls, distance).mean()
        assert f"With {calls} calls it is {far:.3f} from the fine solution; another one is nearer." in box
    assert "always the same" in box and "Karras" not in box.partition("names are")[0]


def test_heun_passes_ddim_where_calls_are_many_and_never_2m():
    far = {name: {calls: board.spread(RUNS["points"], name, calls, FINE).mean() for calls in range(1, 33)}
           for name in ("Heun", "DDIM", "2M")}  # fmt: skip
    assert far["Heun"][31] < far["DDIM"][32] and far["Heun"][15] > far["DDIM"][16]
    assert all(far["Heun"][calls] > far["2M"][calls + 1] for calls in (3, 5, 7, 11, 15, 23, 31))


def test_ddpm_nears_the_data_and_not_the_fine_solution():
    runs = RUNS["points"]
    assert (board.spread(runs, "DDPM", 32, FINE) > board.spread(runs, "DDPM", 1, FINE)).all()
    assert (board.spread(runs, "DDPM", 32, DATA) < 0.1 * board.spread(runs, "DDPM", 1, DATA)).all()


def test_align_your_steps_is_behind_in_tiny_sd_in_every_group():
    rows = {name: {calls: far for calls, far, _ in dots} for name, dots in RUNS["tiny_sd"]["rows"].items()}
    for calls in (2, 3, 4, 6):
        assert all(a < b for a, b in zip(rows["2M"][calls], rows["2M AYS"][calls], strict=True))
    three = sorted((np.mean(far[3]), name) for name, far in rows.items() if 3 in far)[:3]
    assert [(name, f"{far:.3f}") for far, name in three] == [("2M", "0.404"), ("UniPC", "0.407"), ("DDIM", "0.422")]
    assert "(0.404; UniPC 0.407, DDIM 0.422)" in TEXT


def test_a_part_of_the_record_is_measured_again():
    live = samplers.raced(Toy.load("points"), 0, calls=2)
    assert set(live) == set(RUNS["points"][0]) and [dot[0] for dot in live["DDIM"]] == [1, 2]
    assert board.apart(live, RUNS["points"][0]) < 0.003
    other = {name: [[calls, fine, data + 0.5] for calls, fine, data in dots] for name, dots in live.items()}
    assert board.apart(other, RUNS["points"][0]) == pytest.approx(0.5, abs=0.003)


def test_runs_share_no_seed_and_each_has_a_floor_of_its_own():
    assert [samplers.seeds_of(run, 3) for run in (0, 1, 2)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert [samplers.floor(run) for run in range(3)] == pytest.approx(RUNS["floor"][:3], abs=2e-4)


def test_each_group_in_tiny_sd_has_seeds_of_its_own(monkeypatch):
    drawn, latents = [], torch.zeros(8, 4, 2, 2)
    sd = SimpleNamespace(decode=lambda x: x)
    monkeypatch.setattr(samplers.StableDiffusion, "load", lambda name: sd)
    monkeypatch.setattr(samplers, "load_reader", lambda: None)
    monkeypatch.setattr(samplers, "look", lambda reader, images: (None, None))
    monkeypatch.setattr(samplers, "fidelity", lambda seen, asked: {"all three": len(asked["subject"]) / 10})
    monkeypatch.setattr(samplers, "sampled", lambda sd, captions, name, n, seeds: (
        drawn.append((name, n, seeds)) or [SimpleNamespace(x0=latents)]))
    monkeypatch.setattr(samplers, "drawn", lambda sd, captions, seeds: [
        ("DDIM", calls, latents + calls + seeds[0]) for calls in (1, 2)])  # fmt: skip
    table = samplers.in_tiny_sd(16)
    assert drawn == [("2M", samplers.SD_FINE, list(range(k, k + 8))) for k in (0, 8)]
    rows = {"DDIM": [[1, [1.0, 9.0], [0.8, 0.8]], [2, [2.0, 10.0], [0.8, 0.8]]]}
    assert table == {"prompts": 16, "fine": [0.8, 0.8], "rows": rows}


def test_times_are_the_authors_own():
    theirs = AysSchedules["StableDiffusionTimesteps"]
    assert max(abs(a - b) for a, b in zip(aligned(scaled_linear(), 10), theirs, strict=True)) <= 1
    schedule, rho = cosine(100_000), 7
    sigmas = sigmas_of(schedule)
    low, top = sigmas[0] ** (1 / rho), 80 ** (1 / rho)
    wanted = [float((top + i / 5 * (low - top)) ** rho) for i in range(6)]
    assert sigmas[karras(schedule, 6)].tolist() == pytest.approx(wanted, rel=2e-3)
    assert float(sigmas[-1]) > float(sigmas_of(cosine())[-1]) > 1000 and wanted[0] == pytest.approx(80)


@pytest.mark.parametrize("times", [karras, aligned])
@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_times_fall_and_are_as_many_as_asked(times, n):
    found = times(cosine(), n)
    assert len(cosine().times(found)) == n
    with pytest.raises(LabError):
        times(cosine(), 0)


def test_between_two_of_their_sigmas_there_are_more():
    schedule = cosine(100_000)
    wanted = np.exp(np.interp(np.linspace(0, 9, 7), range(10), np.log(ALIGNED)))
    assert sigmas_of(schedule)[aligned(schedule, 7)][1:].tolist() == pytest.approx(wanted[1:].tolist(), rel=2e-3)


def test_two_clouds_lie_as_far_apart_as_one_was_moved():
    cloud = torch.randn(3000, 2, generator=torch.Generator().manual_seed(0))
    assert sliced_wasserstein(cloud, cloud) == 0
    assert sliced_wasserstein(cloud, cloud + torch.tensor([3.0, 4.0])) == pytest.approx(5 / math.sqrt(2), rel=1e-4)
    assert sliced_wasserstein(cloud, 2 * cloud) == pytest.approx(1, rel=0.05)


def test_the_board_keeps_the_best_and_counts_it_with_fresh_static(monkeypatch):
    monkeypatch.setattr(board, "seeds_of", lambda run: samplers.seeds_of(run, 300))
    mine = board.Board(Toy.load("points"), {"even": [999, 749, 499, 249]})
    good, bad = [999, 756, 423, 28], [999, 998, 997, 996]
    mine.tried(bad)
    first = mine.tried(good)
    again = mine.tried(bad)
    assert mine.best[0] == good and mine.best[1] < mine.known["even"][0] < mine.score(bad)
    with pytest.raises(LabError, match="4 timesteps were expected"):
        mine.tried([999, 749, 499, 249, 9])
    assert mine.best[2] == mine.score(good, board.KEPT) != mine.best[1]
    kept, other = mine.best, mine.beside([998, 749, 423, 28])
    assert mine.best == kept and f"the board {kept[1]:.3f}" in other.alt and "theirs" in other.alt
    assert other.image.height > first.image.height and other.image.info["letters"] == first.image.info["letters"]
    fresh = mine.score([998, 749, 423, 28], board.KEPT)
    assert (f"With static that nobody tunes on: theirs {fresh:.3f}, the board {kept[2]:.3f}, even "
            f"{mine.known['even'][1]:.3f}. Real points: 0.016 to {max(mine.real):.3f}.") in other.caption
    longer = mine.beside([999, 749, 499, 249, 9])
    assert "even" not in longer.alt + longer.caption and "theirs" in longer.caption
    assert longer.caption.endswith("The board has 4 calls: another race.")
    assert mine.tried(np.array(bad)).caption == mine.tried(time for time in bad).caption == again.caption
    for wrong in (None, 5, "abcd"):
        with pytest.raises(LabError, match="timesteps are a list"):
            mine.tried(wrong)
    for figure in (first, again):
        assert f"On the board: {good}" in figure.caption and f"the board {mine.best[1]:.3f}" in figure.alt
    assert f"yours {mine.score(bad):.3f}" in again.alt
    assert f"the board {mine.best[2]:.3f}, even {mine.known['even'][1]:.3f}" in again.caption
    assert torch.equal(mine.data, samplers.cloud("spiral"))
    other = board.Board(Toy.load("points"), {"even": [999, 499]}, kind="moons")
    assert torch.equal(other.data, samplers.cloud("moons")) and not torch.equal(other.data, mine.data)
    assert mine.real == pytest.approx(RUNS["floor"], abs=2e-4) and max(other.real) > max(mine.real) > min(other.real)


def test_the_board_s_picture_is_upright_and_its_belt_runs_from_static_to_picture():
    guess = np.array([int(PALETTE["guess"][k:k + 2], 16) for k in (1, 3, 5)])
    above = np.asarray(board.sheet(torch.tensor([[0.0, 1.2]]), torch.zeros(1, 2), {"even": 0.1}))
    assert (above[:180, :360] == guess).all(2).sum() == 4 and not (above[180:, :360] == guess).all(2).any()
    belt = np.asarray(board.belt([999, 250], 999)).astype(int)
    (columns,) = np.nonzero((belt[60] == guess).all(1))
    assert columns.min() == pytest.approx(40 - 13, abs=2) and columns.max() == pytest.approx(40 + 660 + 13, abs=2)
    left, right = belt[46:74, 60:100], belt[46:74, 880:918]                      # static, and next to none of it
    assert left.std() > 30 > 3 > right.std()


def test_a_race_s_dots_have_the_record_s_numbers_and_a_path_without_corrections(monkeypatch):
    monkeypatch.setattr(board, "within", lambda: {"DDIM": [2], "Heun": [1, 3]})
    monkeypatch.setattr(board, "FINE", 10)
    dots, exact = board.dots_of(Toy.load("points"), RUNS["points"][:2], [0, 1])
    assert {name: [(dot.calls, tuple(dot.path.shape)) for dot in each] for name, each in dots.items()} == {
        "DDIM": [(2, (3, 2, 2))], "Heun": [(1, (2, 2, 2)), (5, (4, 2, 2))]}
    assert exact.shape == (3, 2, 2)  # every fifth of eleven
    for name, each in dots.items():
        stored = [{dot[0]: dot[1:] for dot in run[name]} for run in RUNS["points"][:2]]
        for dot in each:
            assert [*dot.values] == [*board.DISTANCES]
            assert np.transpose([*dot.values.values()]) == pytest.approx(np.array([run[dot.calls] for run in stored]))


def test_what_is_counted_of_tiny_sd_is_what_the_record_says(monkeypatch):
    def rows(far: float, read: float) -> list:
        return [[calls, [far / calls, far / calls + 0.02], [read, read + 0.1]] for calls in (1, 2, 3, 4, 6)]

    table = {"fine": [0.9, 0.7], "rows": {"DDIM": rows(4, 0.1), "2M": rows(2, 0.5), "2M AYS": rows(3, 0.2),
                                          "UniPC": rows(1, 0.4)}}  # fmt: skip
    plots = []
    monkeypatch.setattr(board, "lines", lambda panels, *told, **how: plots.append(panels[""]) or lines(
        panels, *told, **how))
    made = board.counted(table)
    means = {line.name: line.y for line in plots[0] if line.name}
    assert means["2M"] == pytest.approx([2 / calls + 0.01 for calls in (1, 2, 3, 4, 6)])
    assert "2 calls: DDIM 2.01, 2M 1.01, 2M AYS 1.51; 4 calls: DDIM 1.01, 2M 0.51, 2M AYS 0.76" in made.alt
    assert "in 2 of 2 groups: 0.34 and 0.51." in made.caption
    assert "in 55 % of 2M's pictures of two, and in 80 % of fifty" in made.caption


@pytest.mark.parametrize("known", [{}, None, {"a": [9, 5], "b": [9]}, {"a": [5, 9]}, {5: [9]}])
def test_what_a_board_cannot_know_is_told(monkeypatch, known):
    monkeypatch.setattr(board, "seeds_of", lambda run: samplers.seeds_of(run, 9))
    with pytest.raises(LabError, match=" came; "):
        board.Board(Toy.load("points"), known)


def test_points_beyond_the_sheet_lie_on_its_edge():
    def green(points):
        return np.argwhere((np.asarray(board.sheet(points, points[:0], {"a": 1.0}))[:, :360] == (0, 158, 115)).all(2))

    far = torch.tensor([[1e30, -3e38], [torch.nan, 0]])
    assert green(far).tolist() == green(torch.tensor([[board.REACH, -board.REACH]])).tolist() != []


def test_evaluate_writes_what_the_lesson_reads(tmp_path, monkeypatch, capsys):
    from argparse import ArgumentParser

    monkeypatch.setattr(samplers, "STEPS", (1, 2))
    monkeypatch.setattr(samplers, "FINE", 4)
    monkeypatch.setattr(samplers, "POINTS", 20)
    parser = ArgumentParser()
    samplers.add_evaluate_arguments(parser)
    samplers.evaluate(parser.parse_args(["--runs", "2", "--prompts", "0", "--out", str(tmp_path / "out.json")]))
    table = json.loads((tmp_path / "out.json").read_text())
    assert set(table) == {"floor", "points"} and np.shape(table["points"][1]["DDIM"]) == (2, 3)
    assert "2M AYS" in capsys.readouterr().out
