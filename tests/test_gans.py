"""GANs and the race: games against two-line references, runs that do not hear of each other, words that follow runs."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion_lab.coursework.lessons import claims
from diffusion_lab.coursework.lessons import heaps_race as race
from diffusion_lab.errors import LabError
from diffusion_lab.evaluation.coverage import Coverage, belonging, coverage
from diffusion_lab.gan import GAMES, duel, forged, gan_losses, penalty, relativistic_losses
from diffusion_lab.networks import Stacked
from diffusion_lab.recipes import gans
from diffusion_lab.training.stacked import Mover, Runs, drawn
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


def test_the_penalty_is_the_mean_squared_slope():
    x = torch.tensor([[[1.0, 2.0], [0.0, -1.0]]], requires_grad=True)
    assert float(penalty(x.square().sum(2, keepdim=True), x).detach()) == pytest.approx((4 * 5 + 4 * 1) / 2)


def test_a_stacked_network_is_each_of_its_networks():
    x = torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(0))
    all_three, one = Stacked((4, 5, 6), 2, 2, width=8, waves=1), Stacked((5,), 2, 2, width=8, waves=1)
    torch.testing.assert_close(all_three(x)[1:2], one(x[1:2]))


def test_the_mover_is_torchs_adam_with_a_rate_for_each_row():
    x, both = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0)), Stacked((1, 2), 2, 1, width=4)
    alone = [Stacked((seed,), 2, 1, width=4) for seed in (1, 2)]
    mover = Mover(both, Runs((1, 2), (0.1, 0.01)))
    adams = [torch.optim.Adam(one.parameters(), rate, (0.9, 0.99))
             for one, rate in zip(alone, (0.1, 0.01), strict=True)]
    for _ in range(3):
        mover.step(both(x).square().sum(), 1.0)
        for k, (one, adam) in enumerate(zip(alone, adams, strict=True)):
            adam.zero_grad()
            one(x[k : k + 1]).square().sum().backward()
            adam.step()
    apart = torch.cat([one(x[k : k + 1]) for k, one in enumerate(alone)])
    torch.testing.assert_close(both(x), apart, atol=1e-4, rtol=1e-4)


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


def test_a_seed_and_a_rate_for_each_run():
    with pytest.raises(LabError, match="2 seeds and 1 rates came"):
        Runs((0, 1), (0.1,))


def test_each_number_alone_can_be_fooled():
    middles, far = torch.from_numpy(heaps.centres(3)), 3 * heaps.SIDES[3]
    real = torch.from_numpy(heaps.sample(2000, 1, side=3)[0])
    one, fog = middles[[4] * 500], 2.6 * torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)) - 1.3
    found = [coverage(*belonging(cloud, middles, far), 9) for cloud in (real, one, fog)]
    assert [each.modes for each in found] == [9, 1, 9]
    assert found[1].near == 1 and found[0].near > 0.98 and found[2].near < 0.5
    assert found[1].divergence == pytest.approx(np.log(9)) and max(found[0].divergence, found[2].divergence) < 0.05
    assert coverage(*belonging(torch.full((5, 2), torch.nan), middles, far), 9)[:2] == (0, 0)


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


def told(modes: dict, near: float = 0.9, uneven: tuple = ()) -> str:
    """The verdict on invented runs: for each side how many heaps its runs find; those of `uneven` diverge."""
    return "\n".join(race.verdict([
        gans.Run(name, 32, 0.01, seed, Coverage(found, near, 2.0 if name in uneven else 0.01), np.zeros((1, 2)))
        for name, each in modes.items() for seed, found in enumerate(each)]))  # fmt: skip


def test_the_verdict_follows_the_runs():
    said = told({"GAN, 2014": [3, 4, 2], "with R1": [9, 8, 8], "diffusion": [25, 25, 25]}, uneven=("GAN, 2014",))
    assert said.startswith("Diffusion is hard to get wrong: 3 of 3") and "GAN, 2014 never came right" in said
    assert "cloud even, with R1 in 3 of 3 runs. But as fog: none" in said and "3 are uneven" in said
    assert "0.01, was the best for 3 of 3 sides" in said
    said = told({"GAN, 2014": [25, 25, 25], "with R1": [25, 7, 8], "diffusion": [4, 5, 6]})
    assert said.startswith("GAN, 2014 is hard to get wrong") and "Diffusion never came right" in said
    assert "With R1 comes right with luck: 1 of 3" in said and "nothing that a penalty could cure" in said
    said = told({"GAN, 2014": [3, 4, 2], "with R1": [3, 2, 2], "R3GAN": [25, 25, 25]}, uneven=("GAN, 2014", "with R1"))
    assert "even, R3GAN in 3 of 3 runs." in said and "fog" not in said
    some = [gans.Run("with R1", 32, rate, 0, Coverage(3, 0.9, d), np.zeros((1, 2)))
            for rate, d in ((0.01, 0.1), (0.003, 2.0), (0.001, 0.2))]
    game = [gans.Run("GAN, 2014", 32, 0.01, seed, Coverage(3, 0.9, 2.0), np.zeros((1, 2))) for seed in range(3)]
    assert "with R1 in 2 of 3 runs, the others collapsed at width 32 and rate 0.003." in race.verdict(game + some)[2]
    assert "do not keep the cloud even" in told({"GAN, 2014": [3], "with R1": [3]}, uneven=("GAN, 2014", "with R1"))
    assert "never came right" in told({"diffusion": [25, 25, 25]} | {"GAN, 2014": [1]}, near=0.4)


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
    objective = gans.SIDES["diffusion"]

    class Knows(Stacked):
        def forward(self, x, *told):
            return torch.zeros_like(x)

    points = drawn(Knows((0, 1), 2, 2, width=4, waves=0, told=32), objective, 6, 4)
    assert points.shape == (2, 6, 2) and torch.equal(points[0], points[1])
