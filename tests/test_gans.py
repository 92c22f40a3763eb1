"""GANs and the race: games against two-line references, runs that do not hear of each other, words that follow runs."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.nn.functional import softplus

from diffusion_lab import gan, training
from diffusion_lab.coursework.lessons import claims
from diffusion_lab.coursework.lessons import heaps_race as race
from diffusion_lab.errors import LabError
from diffusion_lab.evaluation.coverage import LOST, Coverage, belonging, coverage
from diffusion_lab.gan import GAMES, NOISE, OTHERS, Game, duel, forged, gan_losses, relativistic_losses, steepness
from diffusion_lab.networks import Stacked
from diffusion_lab.objectives import Objective
from diffusion_lab.recipes import gans
from diffusion_lab.schedules import cosine
from diffusion_lab.training import adamw_by_row, stacked
from diffusion_lab.training.stacked import Runs, as_one, drawn, learn, over_runs
from diffusion_lab.worlds import heaps

TEXT = (Path(__file__).parents[1] / "lessons/text/10_gans_and_diffusion.md").read_text("utf-8")


@pytest.fixture(scope="module")
def runs():
    return gans.stored()


def test_the_games_are_logarithms_of_probabilities():
    real, fake = torch.tensor([0.3, -1.2]), torch.tensor([0.8, -2.0])
    critic, forger = gan_losses(real, fake)
    r, f = torch.sigmoid(real), torch.sigmoid(fake)
    torch.testing.assert_close(critic, -r.log().mean() - (1 - f).log().mean())
    torch.testing.assert_close(forger, -f.log().mean())
    critic, forger = relativistic_losses(real, fake)
    torch.testing.assert_close(critic, -torch.sigmoid(real - fake).log().mean())
    torch.testing.assert_close(forger, -torch.sigmoid(fake - real).log().mean())
    with pytest.raises(LabError, match=r"shape of real, \(5, 1\); \(1, 1\) came"):
        relativistic_losses(torch.zeros(5, 1), torch.zeros(1, 1))
    assert GAMES == {"GAN, 2014": (gan_losses, 0, 0), "with R1": (gan_losses, 0.1, 0),
                     "R3GAN": (relativistic_losses, 0.1, 0.1)}


def test_steepness_is_the_squared_slope():
    x = torch.tensor([[[1.0, 2.0], [0.0, -1.0]]], requires_grad=True)
    assert steepness(x.square().sum(2, keepdim=True), x).tolist() == [[4 * 5, 4 * 1]]


class Again(Runs):
    """Runs that draw the same in every step."""

    def dice(self, generator):
        return super().dice(torch.Generator().manual_seed(0))


def points(dice):
    """A batch of points for a small training."""
    return torch.tensor([1.0, -0.5]) + 0.1 * torch.randn(16, 2, generator=dice)


@pytest.mark.parametrize("r1, r2", [(0, 0), (300, 0), (0, 700), (300, 700)])
def test_a_duel_lowers_both_losses_and_its_penalties(r1, r2):
    runs = Again((3, 4), (0.01, 0.01))
    forger = Stacked((3, 4), NOISE, 2, width=8)
    critic = Stacked((OTHERS + 3, OTHERS + 4), 2, 1, width=8, waves=1)
    dice = runs.dice(None)
    real = dice.draw(points).requires_grad_()
    fake = forger(dice.normal(16, NOISE)).detach().requires_grad_()
    r, f = critic(real), critic(fake)
    slopes = [torch.autograd.grad(one.sum(), x)[0].square().sum(2).mean() for one, x in ((r, real), (f, fake))]
    wanted = (softplus(-r) + softplus(f) + softplus(-f)).mean() + r1 / 2 * slopes[0] + r2 / 2 * slopes[1]
    (first,) = duel(Game(gan_losses, r1, r2), points, runs, 1, width=8, waves=1)
    assert first.loss == pytest.approx(float(wanted.detach()), rel=1e-4)


@pytest.mark.parametrize("mine, losses", [
    ("critics", lambda real, fake: (gan_losses(real, fake)[0], 0 * fake.sum())),
    ("forgers", lambda real, fake: (0 * fake.sum(), relativistic_losses(real, fake)[1])),
])  # fmt: skip
def test_each_player_moves_by_its_own_loss(mine, losses):
    *_, last = duel(Game(losses), points, Runs((0, 1), (0.01, 0.01)), 2, width=8, waves=1)
    first = {"forgers": Stacked((0, 1), NOISE, 2, width=8),
             "critics": Stacked((OTHERS, OTHERS + 1), 2, 1, width=8, waves=1)}
    moved = {name for name in first if not torch.equal(first[name].weights[0], last.ema[name].weights[0])}
    assert moved == {mine}


def test_a_stacked_network_is_each_of_its_networks():
    x = torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(0))
    all_three, one = Stacked((4, 5, 6), 2, 2, width=8, waves=1), Stacked((5,), 2, 2, width=8, waves=1)
    torch.testing.assert_close(all_three(x)[1:2], one(x[1:2]))


def test_each_row_moves_as_by_torchs_adam_at_its_own_rate():
    x, both = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0)), Stacked((1, 2), 2, 1, width=4)
    alone = [Stacked((seed,), 2, 1, width=4) for seed in (1, 2)]
    (rows,) = adamw_by_row(Runs((1, 2), (0.1, 0.01)).rates)(both).optimisers
    adams = [torch.optim.Adam(one.parameters(), rate, (0.9, 0.99))
             for one, rate in zip(alone, (0.1, 0.01), strict=True)]
    for _ in range(3):
        for networks, asked, optimiser in ((both, x, rows), *zip(alone, x.split(1), adams, strict=True)):
            optimiser.zero_grad()
            networks(asked).square().sum().backward()
            optimiser.step()
    apart = torch.cat([one(x[k : k + 1]) for k, one in enumerate(alone)])
    torch.testing.assert_close(both(x), apart, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name, room", [("R3GAN", gan), ("diffusion", stacked)])
def test_what_is_yielded_is_the_moving_average(name, room, monkeypatch):
    weights = []

    def spied(network, *args, **options):
        for progress in training.train(network, *args, **options):
            weights.append(next(network.parameters()).detach().clone())
            yield progress

    monkeypatch.setattr(room, "train", spied)
    *_, last = gans.training(name, Runs((0,), (0.01,)), 60, 4)
    average = weights[0]
    for step, one in enumerate(weights):
        average = torch.lerp(average, one, 1 / max(1.0, 0.05 * step))
    torch.testing.assert_close(next(last.ema.parameters()), average)
    assert not torch.equal(average, weights[-1])


def test_seeds_draw_apart_and_each_the_same_in_every_run():
    runs, generator = Runs((0, 1, 0), (0.1, 0.2, 0.3)), torch.Generator().manual_seed(0)
    first, then = (runs.dice(generator).normal(4) for _ in range(2))
    assert torch.equal(first[0], first[2]) and not torch.equal(first[0], first[1])
    assert not torch.isclose(first, then).any()


@pytest.mark.parametrize("name", gans.SIDES)
def test_a_run_is_the_same_in_whatever_company(name):
    few, more = (list(gans.training(name, Runs(seeds, [0.003] * len(seeds)), 3, 8))[-1] for seeds in ((2,), (0, 2)))
    a, b = (gans.points_of(name, one, 20, 3) for one in (few, more))
    assert a.shape == (1, 20, 2)
    torch.testing.assert_close(a[0], b[1], atol=1e-4, rtol=1e-3)


def test_a_forger_learns_where_a_heap_is():
    def data(dice):
        return torch.tensor([1.0, -0.5]) + 0.1 * torch.randn(64, 2, generator=dice)

    *_, last = duel(GAMES["R3GAN"], data, Runs((0,), (0.01,)), 150, width=16, waves=0)
    assert float((forged(last.ema, 200)[0].mean(0) - torch.tensor([1.0, -0.5])).norm()) < 0.4


def test_a_denoiser_learns_and_hears_the_time():
    every = list(learn(gans.SIDES["diffusion"], points, Runs((0,), (0.01,)), 150, width=16))
    first, last = (np.mean([one.loss for one in some]) for some in (every[:20], every[-20:]))
    assert 0 < last < first / 4
    x = torch.zeros(2, 2)
    early, late = (as_one(every[-1].ema)(x, torch.full((2,), t)) for t in (0, 900))
    assert not torch.isclose(early, late).any()


def test_a_run_that_is_lost_is_told_and_stops_nobody():
    for name in gans.SIDES:
        *_, last = gans.training(name, Runs((0, 1), (0.003, 1e30)), 4, 8)
        *_, alone = gans.training(name, Runs((0,), (0.003,)), 4, 8)
        assert np.isfinite(last.loss)
        cloud = gans.points_of(name, last, 20, 3)
        torch.testing.assert_close(cloud[0], gans.points_of(name, alone, 20, 3)[0], atol=1e-4, rtol=1e-3)
        sound, lost = gans.judged(cloud)
        assert not sound.lost and lost is LOST and str(lost).startswith("lost") and race.label(lost) == "lost"
        assert not race.is_right(lost)
    for name in gans.SIDES:
        with pytest.raises(LabError, match="a finite loss was expected"):
            list(gans.training(name, Runs((0, 1), (1e30, 1e30)), 4, 8))


def test_a_loss_over_runs_leaves_out_who_is_lost():
    rows = torch.tensor([[1.0, 3.0], [5.0, torch.inf], [2.0, 4.0]], requires_grad=True)
    loss = over_runs(torch.mean, rows * 2)
    loss.backward()
    assert float(loss.detach()) == pytest.approx((4 + 6) / 3)  # as a mean of three, whose second is nothing
    assert rows.grad.isnan().tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert rows.grad[[0, 2]].tolist() == [[pytest.approx(1 / 3)] * 2] * 2  # as if nobody were lost


@pytest.mark.parametrize("seeds, rates, told", [
    ((0, 1), (0.1,), "2 seeds and 1 rates came"), ((0, 1), 0.1, "2 seeds and 1 rates came"),
    ((), (), "0 seeds and 0 rates came"), ((1.5,), (0.1,), "a seed is a whole number"),
    ((0,), (-1,), "a learning rate is a number above 0; -1 came"), ((0,), (np.nan,), "nan came"),
])  # fmt: skip
def test_a_seed_and_a_rate_for_each_run(seeds, rates, told):
    with pytest.raises(LabError, match=told):
        Runs(seeds, rates)


@pytest.mark.parametrize("name", ("diffusion", "R3GAN"))
def test_stacks_are_trained_as_all_networks_are(name):
    for steps in (0, 2.5):
        with pytest.raises(LabError, match="the number of training steps is a whole number, 1 or more"):
            list(gans.training(name, Runs((0,), (0.01,)), steps, 8))


def test_each_number_alone_can_be_fooled():
    middles, far = torch.from_numpy(heaps.centres(3)), 3 * heaps.SIDES[3]
    real = torch.from_numpy(heaps.sample(2000, 1, side=3)[0])
    one, fog = middles[[4] * 500], 2.6 * torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)) - 1.3
    found = [coverage(*belonging(cloud, middles, far), 9) for cloud in (real, one, fog)]
    assert [each.modes for each in found] == [9, 1, 9]
    assert found[1].near == 1 and found[0].near > 0.98 and found[2].near < 0.5
    assert found[1].divergence == pytest.approx(np.log(9)) and max(found[0].divergence, found[2].divergence) < 0.05
    assert coverage(*belonging(torch.full((5, 2), torch.nan), middles, far), 9)[:2] == (0, 0)


def test_only_heaps_that_are_there_are_counted():
    heap, near = torch.tensor([0, 3, 3]), torch.tensor([True, False, True])
    shares = np.array([1 / 3, 2 / 3])
    assert coverage(heap, near, 4) == (2, pytest.approx(2 / 3), pytest.approx((shares * np.log(4 * shares)).sum()))
    with pytest.raises(LabError, match="from 0 to 2, was expected for each point"):
        coverage(heap, near, 3)
    for wrong in (near.int(), near[:2], None):
        with pytest.raises(LabError, match="True or False for each of 3 points"):
            coverage(heap, wrong, 4)


@pytest.mark.parametrize("side", heaps.SIDES)
def test_a_batch_is_of_the_heaps_that_it_is_judged_by(side):
    batch = gans.batches(side, 4000)(torch.Generator().manual_seed(0))
    (found,) = gans.judged(batch[None], side)
    assert found.modes == side**2
    assert found.near == pytest.approx(1 - np.exp(-4.5), abs=0.006)  # of a normal cloud, within three deviations
    for name in ("R3GAN", "diffusion"):
        *_, last = gans.training(name, Runs((0,), (0.01,)), 1, 4, side)
        asked = last.ema["critics"] if name in GAMES else last.ema
        assert len(asked.speeds) == {3: 1, 5: 2}[side]


def test_a_stack_makes_the_steps_that_fit_into_its_time(monkeypatch):
    monkeypatch.setattr(gans, "MILLISECONDS", {"R3GAN": (1.0, 3.0, 7.0)})
    assert [gans.steps_of("R3GAN", width) for width in gans.WIDTHS] == [15_000, 5_000, 2_140]


def test_runs_are_recorded_as_they_are_read(monkeypatch, tmp_path):
    raced, clouds = [], torch.arange(9.0)[:, None, None].div(10).repeat(1, 500, 2)
    clouds[0, :3] = torch.tensor([[9.0, -9.0], [1.5, 0.0], [torch.nan, torch.nan]])
    monkeypatch.setattr(gans, "training", lambda name, runs, *_: raced.append(runs) or iter([None]))
    monkeypatch.setattr(gans, "points_of", lambda *_: clouds)
    found, _ = gans.raced("R3GAN", 32)
    record = {"R3GAN/32/numbers": np.array(found, np.float32), "R3GAN/32/points": gans.packed(clouds)}
    save_file(record, tmp_path / "runs.safetensors")
    read = gans.stored(tmp_path / "runs.safetensors")
    assert [run.seed for run in read] == raced[0].seeds
    assert [run.rate for run in read] == pytest.approx(raced[0].rates.flatten().tolist())
    assert [run.found.lost for run in read] == [True] + [False] * 8
    np.testing.assert_allclose(read[0].points[:3], [[1.5, -1.5], [1.5, 0], [np.nan] * 2])
    np.testing.assert_allclose(read[7].points, 0.7, atol=0.006)


def test_no_cell_of_the_record_is_missing(runs):
    wanted = [(name, width, rate, seed) for name in gans.SIDES for width in gans.WIDTHS for rate in gans.RATES
              for seed in gans.SEEDS]  # fmt: skip
    assert [(run.name, run.width, run.rate, run.seed) for run in runs] == wanted
    assert gans.STORED.stat().st_size <= 200_000
    for run in runs:  # what is stored of the points says what the numbers say, as far as 400 of 2,500 can
        (again,) = gans.judged(torch.from_numpy(run.points)[None])
        assert again.near == pytest.approx(run.found.near, abs=0.1), run


def test_what_the_text_says_of_the_record_is_so(runs):
    mine = [run for run in runs if run.name == "diffusion"]
    assert set(map(int, re.findall(r"\b(\d+) (?:runs\b|clouds each)", TEXT))) == {len(mine), len(runs)}
    assert f"{gans.SECONDS} seconds of one core" in TEXT
    assert f"high={len(mine)}" in TEXT and f"from 0 to {len(mine)}" in TEXT
    assert len(gans.WIDTHS) == len(gans.RATES) == len(gans.SEEDS) == 3  # "three", in words
    lowest = [run.found.modes for run in mine if run.rate == min(gans.RATES)]
    assert max(lowest) < 13  # "far too low"
    assert f"log 2 = {race.EVEN:.2f}: as if all points lay in half" in TEXT
    clear = [abs(run.found.divergence - race.EVEN) for run in runs]
    assert min(clear) > 0.03, "a run lies so near the threshold that its verdict hangs on a hair"
    best = next(cell for cell in reversed(race.cells(runs)) if cell.name == "R3GAN")
    assert f'race.row(runs, "R3GAN", {best.width}, {best.rate:g})' in TEXT           # "at its best width and rate"
    assert not any(race.is_right(run.found) for run in runs if run.name == "R3GAN")  # "in this time"
    leaning = [run.found.divergence for run in runs if run.name == "with R1"]
    assert max(leaning) > race.EVEN > np.median(leaning)                             # "Not all of it"


def told(modes: dict, near: float = 0.9, uneven: tuple = ()) -> str:
    """The verdict on invented runs: for each side how many heaps its runs find; those of `uneven` diverge."""
    return "\n".join(race.verdict([
        gans.Run(name, 32, 0.01, seed, Coverage(found, near, 2.0 if name in uneven else 0.01), np.zeros((1, 2)))
        for name, each in modes.items() for seed, found in enumerate(each)]))  # fmt: skip


def test_the_verdict_follows_the_runs():
    said = told({"GAN, 2014": [3, 4, 2], "with R1": [9, 8, 8], "diffusion": [25, 25, 25]}, uneven=("GAN, 2014",))
    assert said.startswith("Diffusion is hard to get wrong: 3 of 3") and "GAN, 2014 never came right" in said
    assert "clouds rarer, with R1 in 0 of 3 runs. But none of these runs came right" in said and "3 are uneven" in said
    assert "half of them have at most 90 % of their points near" in said
    assert "0.01, was the best for 3 of 3 sides" in said
    said = told({"GAN, 2014": [25, 25, 25], "with R1": [25, 7, 8], "diffusion": [4, 5, 6]})
    assert said.startswith("GAN, 2014 is hard to get wrong") and "Diffusion never came right" in said
    assert "With R1 comes right with luck: 1 of 3" in said and "nothing that a penalty could cure" in said
    said = told({"GAN, 2014": [3, 4, 2], "with R1": [3, 2, 2], "R3GAN": [25, 25, 25]}, uneven=("GAN, 2014", "with R1"))
    assert "rarer, R3GAN in 0 of 3 runs." in said and "none of these" not in said
    some = [gans.Run("with R1", 32, rate, 0, Coverage(3, 0.9, d), np.zeros((1, 2)))
            for rate, d in ((0.01, 0.1), (0.003, 2.0), (0.001, 0.2))]
    game = [gans.Run("GAN, 2014", 32, 0.01, seed, Coverage(3, 0.9, 2.0), np.zeros((1, 2))) for seed in range(3)]
    assert "R1 in 1 of 3 runs, at width 32, rate 0.003. But" in race.verdict(game + some)[2]
    assert "do not make uneven" in told({"GAN, 2014": [3], "with R1": [3]}, uneven=("GAN, 2014", "with R1"))
    assert "never came right" in told({"diffusion": [25, 25, 25]} | {"GAN, 2014": [1]}, near=0.4)


def invented(name: str, modes: list, rate: float = 0.01, near: float = 0.9) -> list:
    """Runs of a side at one width and rate, one a seed, that find so many heaps."""
    return [gans.Run(name, 32, rate, seed, Coverage(found, near, 0.01), np.zeros((1, 2)))
            for seed, found in enumerate(modes)]


def test_runs_are_ranked_by_heaps_and_then_by_the_share_near():
    first, second = invented("diffusion", [5, 4]), invented("diffusion", [4, 6], near=0.5)
    order = [(run.found.modes, run.found.near) for run in race.ranked([*first, *second])]
    assert order == [(4, 0.5), (4, 0.9), (5, 0.9), (6, 0.5)]


def test_a_side_is_shown_by_the_middle_seed_of_its_best_cell():
    runs = [*invented("R3GAN", [9, 20, 12]), *invented("R3GAN", [3, 2, 1], 0.001), *invented("diffusion", [7, 5, 6])]
    assert {name: run.found.modes for name, run in race.tuned(runs).items()} == {"R3GAN": 12, "diffusion": 6}


def test_the_claim_of_one_seed_takes_the_largest_gap():
    runs = [*invented("R3GAN", [9, 1, 1]), *invented("diffusion", [7, 8, 8]), *invented("with R1", [3, 2, 2])]
    every = race.cells(runs)
    lucky, other, seed = claims._lucky(every)
    assert (lucky.name, other.name, seed) == ("R3GAN", "with R1", 0)


def test_a_tile_has_up_above_and_right_to_the_right():
    for point, (row, column) in (((0, 1.22), (2, 15)), ((1.22, 0), (15, 27))):
        sheet = np.array(race.tile([point], 30))
        assert np.argwhere((sheet == race.rgb("guess")).all(2)).tolist() == [[row, column]]


def test_each_claim_has_its_own_fault(runs):
    said = {claims.CLAIMS[number]: rest for number, rest in claims.claimed(runs).items()}
    assert sorted(said) == sorted(claims.FAULTS)
    _, best, worst = said["only one side tuned"]
    mine = {cell.rank: cell for cell in race.cells(runs) if cell.name == worst.name}
    assert worst.rank == min(mine) and max(mine) > best.rank
    _, lost, good = said["one number alone"]
    assert lost.near > good.near and max(lost.modes) < min(good.modes)
    _, good, other = said["sound"]
    assert min(good.modes) > max(other.modes) and good.near > other.near
    words, lucky, other = said["one seed"]
    seed = int(re.search(r"seed (\d)", words)[1])
    ahead = [a > b for a, b in zip(lucky.modes, other.modes, strict=True)]
    assert ahead == [k == seed for k in range(3)]
    words, *pair = said["steps taken for time"]
    assert all(f"{gans.steps_of(cell.name, cell.width):,}" in words for cell in pair)


def test_a_row_that_is_not_recorded_is_told_with_the_choices(runs):
    assert [run.seed for run in race.row(runs, "diffusion", 64, 0.01)] == [0, 1, 2]
    with pytest.raises(LabError, match="width '64', rate 0.01 came"):
        race.row(runs, "diffusion", "64", 0.01)
    for wrong in (("Diffusion", 64, 0.01), ("diffusion", 50, 0.01), ("diffusion", 64, 0.02)):
        with pytest.raises(LabError, match=r"widths 32, 64, 128, rates 0\.001, 0\.003, 0\.01"):
            race.row(runs, *wrong)


@pytest.mark.parametrize(("modes", "said"), [
    ((3, 8, 8, 1, 3), "loses most heaps for good"), ((3, 8, 1, 8), "loses most heaps and finds them again"),
    ((2, 7, 5, 6), "keeps most heaps"), ((2, 3, 6), "never finds most heaps")])
def test_what_became_of_the_heaps_is_said_of_the_game_that_was_played(modes, said):
    clouds = {("one", k / len(modes)): torch.from_numpy(heaps.centres(3))[:found].repeat(200, 1)[None]
              for k, found in enumerate(modes, 1)}
    slider = race.scrubbed(clouds, ["one"])
    assert f"one {said}." in slider.still.caption and f"one {said}." in slider.still.alt
    assert len(modes) == len(slider.labels)
    with pytest.raises(LabError, match="none of two came; run both cells"):
        race.scrubbed(clouds, ["one", "two"])


@pytest.mark.parametrize("runs_", [[], None, [1], "abc"])
def test_no_runs_are_told(runs_):
    for call in (race.lined_up, race.all_runs, race.verdict, claims.claimed, lambda runs: race.table(runs, "R3GAN")):
        with pytest.raises(LabError, match="at least one recorded run"):
            call(runs_)


@pytest.mark.parametrize("size", [96, 150])
def test_points_beyond_a_tile_are_seen_inside_its_frame(size):
    far = [[9, 0], [-9, 0], [0, 9], [0, -9], [1e300, 0], [np.inf, 0], [np.nan, 0]]
    seen = np.argwhere((np.asarray(race.tile(far, size)) == race.rgb("guess")).all(2))
    assert seen.min() == 1 and seen.max() == size - 2 and len(seen) >= 4
    for wrong in (None, "a", [1, 2], [[1, 2, 3]]):
        with pytest.raises(LabError, match=" came; "):
            race.tile(wrong, size)


def test_heaps_have_two_sizes():
    assert heaps.centres(3).shape == (9, 2) and heaps.centres(5).min() == -1
    with pytest.raises(LabError, match="3 or 5; 4 came"):
        heaps.centres(4)


def test_points_are_drawn_by_ddim_from_the_target():
    """A network that says where its one point lies draws it."""
    class Knows(Stacked):
        def forward(self, x, *told):
            return torch.tensor([0.5, -0.25]).expand_as(x)

    cloud = drawn(Knows((0, 1), 2, 2, width=4, waves=0, told=32), Objective(cosine(), "x0"), 6, 4)
    torch.testing.assert_close(cloud, torch.tensor([0.5, -0.25]).expand(2, 6, 2), atol=1e-4, rtol=0)
