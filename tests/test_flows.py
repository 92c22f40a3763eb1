"""The flows of lesson 12: a straight path read as Steps, what they count, and the icons student of two calls."""

import math
from argparse import Namespace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from diffusion_lab import Toy, noise, straight
from diffusion_lab.coursework.lessons import flows
from diffusion_lab.coursework.lessons.flows import flow_of_heaps, heights, static, straightened, walked
from diffusion_lab.coursework.lessons.halving import jump, roughness
from diffusion_lab.coursework.lessons.lesson_12 import flow_loss
from diffusion_lab.distillation import jumps
from diffusion_lab.errors import LabError
from diffusion_lab.evaluation.icons import coarse
from diffusion_lab.figures import Figure
from diffusion_lab.mixing import add_noise
from diffusion_lab.objectives import Objective
from diffusion_lab.places import WEIGHTS
from diffusion_lab.recipes import icons_two_calls as recipe
from diffusion_lab.worlds import icons


def test_the_perfect_flow_to_one_heap_is_the_one_of_a_bell():
    x, s = noise((2,), [1, 2, 3]), torch.tensor([[0.2], [0.5], [0.9]])
    centre, spread = torch.tensor([[0.3, -0.4]]), 0.25
    wide = (1 - s) ** 2 * spread**2 + s**2
    x0 = centre + (1 - s) * spread**2 / wide * (x - (1 - s) * centre)
    assert torch.allclose(flow_of_heaps(centre, (1.0,), spread)(x, s), (x - x0) / s, atol=1e-5)


def test_a_straight_path_is_read_as_steps_and_led_back_to_straight_lines():
    eps, picture = static(9), 0.7
    times, x = straightened(walked(flow_of_heaps(torch.tensor([[picture]]), (1.0,), 1e-3), eps, 7))
    assert times[0] == pytest.approx(1 / 1001, abs=1e-4) and times[-1] == 1 and len(times) == 8
    lines = times[:, None] * picture + (1 - times[:, None]) * x[0] / (1 - times[0])
    assert np.abs(x - lines).max() < 3e-3


def test_the_loss_of_a_flow_is_the_packages_objective_in_our_scaling():
    schedule, x0, eps, t = straight(), noise((2,), [1, 2, 3]), noise((2,), [4, 5, 6]), torch.tensor([10, 500, 900])
    s = ((t + 1) / 1001)[:, None]

    def network(x, s):
        return torch.tanh(x) + s

    def in_our_scaling(x_t, t, condition):
        return network(((1 - s) ** 2 + s**2) ** 0.5 * x_t, s)

    assert torch.allclose(flow_loss(network, x0, eps, s), Objective(schedule, "u")(in_our_scaling, x0, eps, t))


def test_pairs_teach_the_flow_along_their_line():
    x0, eps = torch.tensor([[0.5], [-3.0]]), torch.tensor([[1.5], [-3.5]])
    flow = flows.flow_of_pairs(x0, eps)
    assert torch.allclose(flow(torch.tensor([[1.0], [-3.1]]), torch.tensor([[0.5], [0.2]])), eps - x0)
    near = flows.flow_of_pairs(torch.tensor([[0.0], [0.2]]), torch.zeros(2, 1), wide=0.1)  # lines at 0 and at 0.1
    assert near(torch.zeros(1, 1), torch.tensor([[0.5]])).item() == pytest.approx(-0.2 / (1 + math.exp(0.5)))


def test_a_flow_is_asked_on_the_straight_line():
    schedule, x0, eps = straight(), noise((1,), [1, 2]), noise((1,), [3, 4])
    for t in (0, 300, 999):
        heard = []
        predict = flows.as_predict(lambda x, s, heard=heard: heard.extend((x, s)) or eps - x0)
        assert torch.allclose(predict(add_noise(x0, schedule.alpha_bar(t), eps), t), eps, atol=1e-6)
        x, s = heard
        assert s.tolist() == [[pytest.approx((t + 1) / 1001)]] * 2
        assert torch.allclose(x, (1 - s) * x0 + s * eps, atol=1e-6)


def test_heights_fill_each_heap_as_it_is_full():
    where = (heights(5000) - torch.tensor(flows.HEAPS)).abs().argmin(dim=1)
    assert (where.bincount() / 5000).tolist() == pytest.approx(flows.SHARES, abs=0.03)


def test_the_flow_of_a_line_is_drawn_from_the_picture_to_the_static(monkeypatch):
    drawn = []
    monkeypatch.setattr(flows, "Figure", lambda figure, *told: drawn.append(figure) or Figure(figure, *told))
    flows.over_time({"": flows.Paths((np.array([0, 1]), np.array([[-1.0], [0.5]])), flow=(0.5, -1.0))}, "One line.")
    (arrow,) = [text for text in drawn[0].axes[0].texts if text.arrow_patch is not None]
    assert (arrow.xy, arrow.get_position()) == ((0, -1.0), (1, 0.5))  # its head, and where it begins: static is at 0


def test_what_is_counted():
    two, turned = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [0.0]])
    assert (flows.crossings(two, turned), flows.crossings(two, two)) == (1, 0)
    drawn = heights(3000)
    assert flows.w1(drawn + 0.25, drawn) == pytest.approx(0.25, abs=1e-6)
    ring = flows.ring_heaps()
    assert ring.norm(dim=1).tolist() == pytest.approx([1.1] * 8)
    far, near = flows.far_and_near(ring + 0.05, ring + 0.05, ring, 0.27)
    assert (far, near) == (pytest.approx(0, abs=1e-6), 1)
    far, near = flows.far_and_near(torch.zeros(8, 2), ring, ring, 0.27)
    within = torch.cdist(ring, ring).mean()
    assert (far, near) == (pytest.approx(float(2 * 1.1 - within), abs=1e-5), 0)


def test_each_set_of_pairs_is_spoilt_as_it_is_called():
    pairs = {what: flows.pairs_of_student(student, 200) for student, what in flows.TAUGHT.items()}
    crossed = {what: flows.crossings(eps, x0) for what, (x0, eps) in pairs.items()}
    assert crossed["healthy"] == 0 and 0.4 < crossed["shuffled"] < 0.6
    assert float(pairs["one chord"][0].std()) < 0.01 < float(pairs["healthy"][0].std())
    assert torch.equal(pairs["ends exchanged"][0], pairs["healthy"][1])
    with pytest.raises(LabError, match="from 1 to 4"):
        flows.pairs_of_student(5)


def test_a_healthy_student_lands_on_the_heaps_in_one_call_as_in_forty():
    flow = flows.flow_of_pairs(*flows.pairs_of_student(2))
    for calls in (1, 40):
        off = (walked(flow, flows.fan(28), calls)[-1].x0 - torch.tensor(flows.HEAPS)).abs().amin(dim=1)
        assert int((off < 0.3).sum()) == 28


LINES = flows.Paths(straightened(walked(flows.perfect_flow, static(5), 3)))


@pytest.mark.parametrize("call", [
    *(lambda n=n, made=made: made(n) for n in (0, -1, float("nan"), "4", True, 2**64)
      for made in (heights, static, flows.fan)),
    *(lambda x=x: flows.w1(x, static(5)) for x in (None, static(5)[:0], static(5).flatten())),
    *(lambda x=x: flows.crossings(x, static(5)) for x in (None, static(3), static(5).flatten())),
    lambda: flows.crossings(static(1), static(1)), lambda: flows.over_time({}, "a"),
    *(lambda rows=rows: flows.over_time({"a": LINES}, "a", rows=rows) for rows in (0, 2)),
    lambda: flows.over_time({"a": LINES._replace(role="zz")}, "a"),
    *(lambda steps=steps: jump(steps, [0.1, 0.5, 1], 0.5, "a", "") for steps in ([], [1], [1, 2], "abc")),
    *(lambda x=x: roughness(x) for x in (None, torch.zeros(3, 16, 16), torch.zeros(2, 3, 16, 16).int())),
])
def test_what_is_no_line_and_no_picture_is_told(call):
    with pytest.raises(LabError, match=" came; "):
        call()


def test_roughness_sees_what_mean_colours_do_not():
    even = torch.full((2, 3, 16, 16), 0.25)
    board = torch.tensor([-0.125, 0.125]).repeat(8).expand(16, 16).clone()
    board[1::2] *= -1
    assert roughness(even) == 0 and roughness(even + board) == 1
    assert torch.equal(coarse(even), coarse(even + board))
    assert roughness(even + 1.5 + board) == 0                     # brighter than white is white
    framed = even + board
    framed[..., 4:12, 4:12] = 0.25
    assert roughness(framed) == 0                             # rough where nobody looks, beside the middle


def test_the_icons_student_is_small_asks_once_and_twice_in_all():
    student = Toy.load("icons-two-calls")
    assert (student.n, student.guidance_scale) == (2, 1.0) and Toy.load("icons").n == 50
    assert (WEIGHTS / "icons_two_calls/model.safetensors").stat().st_size <= 200_000
    assert len(list(student.steps("red circle"))) == 3                         # two calls, and the arrival


def test_the_students_recipe_halves_and_saves(tmp_path, monkeypatch, capsys):
    few = icons.sample(40, 1, "train")
    monkeypatch.setattr(recipe.icons, "sample", lambda n, seed, split: few)
    monkeypatch.setattr(recipe, "HALVINGS", ((2, 2, 1.0), (1, 1, 0.5)))
    before = Toy(recipe.CONFIG).network.state_dict()
    recipe.run(Namespace(out=tmp_path / "student"))
    made = Toy.load(tmp_path / "student")
    after = made.network.state_dict()
    assert made.n == 2 and any(not torch.equal(after[k], before[k].half().float()) for k in after)
    with pytest.raises(LabError, match="a new folder was expected"):
        recipe.run(Namespace(out=tmp_path / "student"))


def test_the_first_jump_begins_at_static_and_each_other_at_icons_of_its_own_level(monkeypatch):
    few, heard = icons.sample(40, 1, "train"), []
    monkeypatch.setattr(recipe.icons, "sample", lambda n, seed, split: few)
    monkeypatch.setattr(recipe, "add_noise", lambda x0, alpha_bar, eps: torch.full_like(x0, alpha_bar))
    monkeypatch.setattr(recipe, "loss", lambda objective, network, teacher, x_t, steps, c: heard.append((x_t, steps)))
    student = Toy(recipe.CONFIG)
    value = recipe.halving(student, student, 4)
    for seed in range(12):
        value(student.network, torch.Generator().manual_seed(seed))
    begins = [steps[0] for steps in jumps(student.schedule, 4)]
    assert {steps[0] for _, steps in heard} == set(begins)
    for x_t, ((t, alpha_bar, _), *_) in heard:
        assert float(x_t.std()) == pytest.approx(1, abs=0.05) if t == 999 else bool((x_t == alpha_bar).all())


def test_each_student_teaches_the_next_one_which_learns_more_slowly(monkeypatch):
    taught, rates, made = [], [], []

    def train(network, loss, steps, **how):
        made.append({name: torch.full_like(p, len(made) + 1) for name, p in network.state_dict().items()})
        ema = Toy(recipe.CONFIG).network
        ema.load_state_dict(made[-1])
        yield SimpleNamespace(ema=ema)

    monkeypatch.setattr(recipe, "train", train)
    monkeypatch.setattr(recipe, "halving", lambda student, teacher, n: taught.append((student, teacher, n)))
    monkeypatch.setattr(recipe, "muon_and_adamw", lambda *given, **how: rates.append(given[:2]))
    assert len(list(recipe.chain())) == 3
    assert [n for *_, n in taught] == [8, 4, 2] and taught[0][1].name == "icons"
    for before, (student, teacher, _) in zip(made, taught[1:], strict=False):
        for toy in (student, teacher):
            assert all(torch.equal(p, before[name]) for name, p in toy.network.state_dict().items())
        assert student.network is not teacher.network and all(p.requires_grad for p in student.network.parameters())
    assert rates == [(0.02 * share, 3e-3 * share) for share in (1.0, 0.5, 0.5)]
