"""The losses, against the formula written out and against guesses whose error is known."""

import numpy as np
import pytest
import torch
from torch import nn

from diffusion_lab import Toy, denoise
from diffusion_lab.errors import LabError
from diffusion_lab.objectives import Objective, draw, drop_condition
from diffusion_lab.schedules import cosine, linear, straight
from diffusion_lab.training import adamw, train

SCHEDULE = cosine()


@pytest.mark.parametrize("target", ["eps", "x0", "v", "u"])
def test_a_loss_is_the_formula_written_out_for_each_picture(target):
    g = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(5, 2, 3, generator=g), torch.randn(5, 2, 3, generator=g)
    t, words = torch.tensor([0, 10, 400, 900, 999]), torch.arange(5.0).view(5, 1, 1)
    errors = []
    for k in range(5):
        a = linear().alpha_bar(int(t[k]))
        x_t = a**0.5 * x0[k] + (1 - a) ** 0.5 * eps[k]
        v, u = a**0.5 * eps[k] - (1 - a) ** 0.5 * x0[k], eps[k] - x0[k]
        wanted = {"eps": eps[k], "x0": x0[k], "v": v, "u": u}[target]
        errors.append(float(((x_t * int(t[k]) + k - wanted) ** 2).mean()))
    mine = Objective(linear(), target)(lambda x, t, c: x * t.view(-1, 1, 1) + c, x0, eps, t, words)
    assert float(mine) == pytest.approx(np.mean(errors), rel=1e-5)


def test_a_perfect_guess_has_no_loss_and_an_empty_one_has_the_target_s_variance():
    x0 = torch.zeros(4096, 2)
    eps, t = draw(x0, len(SCHEDULE), torch.Generator().manual_seed(0))

    def perfect(x_t, t, condition):
        return x_t / (1 - SCHEDULE.alpha_bars[t].float()[:, None]) ** 0.5       # with x0 = 0 all of x_t is noise

    assert Objective(SCHEDULE)(perfect, x0, eps, t).item() < 1e-8
    nothing = Objective(SCHEDULE)(lambda x, t, c: torch.zeros_like(x), x0, eps, t)
    assert nothing.item() == pytest.approx(1, abs=0.05)


def test_every_picture_has_a_time_and_a_noise_of_its_own():
    eps, t = draw(torch.zeros(20000, 2), 10, torch.Generator().manual_seed(0))
    assert t.bincount().tolist() == pytest.approx([2000] * 10, rel=0.1)
    assert float(eps.std()) == pytest.approx(1, abs=0.02) and len(eps[:, 0].unique()) > 19000
    again = draw(torch.zeros(20000, 2), 10, torch.Generator().manual_seed(0))
    assert torch.equal(again[0], eps) and torch.equal(again[1], t)


def test_an_unknown_target_is_told():
    assert Objective("linear").schedule.name == "linear"
    with pytest.raises(LabError, match="eps, x0, v, u; 'score' came"):
        Objective(SCHEDULE, "score")


THREE, TIMES = torch.zeros(3, 2), torch.tensor([0, 5, 999])


@pytest.mark.parametrize("call", [
    lambda ask: ask(lambda x, t, c: x[:, :1], THREE, THREE, TIMES),
    lambda ask: ask(lambda x, t, c: x[:, 0], THREE, THREE, TIMES),
    lambda ask: ask(lambda x, t, c: x.mean(), THREE, THREE, TIMES),
    lambda ask: ask(lambda x, t, c: 0.0, THREE, THREE, TIMES),
    *(lambda ask, t=t: ask(lambda x, t, c: x, THREE, THREE, t)
      for t in (TIMES - 1, TIMES + 1, TIMES[:1], TIMES[:, None], TIMES.float(), TIMES.byte(), TIMES > 0, 5, None)),
    lambda ask: ask(lambda x, t, c: x, THREE.byte(), THREE, TIMES),
    lambda ask: ask(lambda x, t, c: x, THREE, THREE[:1], TIMES),
    lambda ask: Objective("sine"), lambda ask: draw(THREE, 0, torch.Generator()),
    lambda ask: drop_condition(THREE, THREE[:1], torch.Generator(), share=2),
])  # fmt: skip
def test_what_no_loss_can_be_made_of_is_one_sentence(call):
    with pytest.raises(LabError, match="came; ") as told:
        call(Objective(SCHEDULE))
    assert "\n" not in str(told.value)


def test_conditions_are_dropped_by_their_share():
    condition, empty = torch.ones(20000, 3), torch.zeros(1, 3)
    kept = drop_condition(condition, empty, torch.Generator().manual_seed(0), share=0.1)
    assert set(kept.unique().tolist()) == {0.0, 1.0} and (kept.sum(dim=1) % 3 == 0).all()
    assert (kept[:, 0] == 0).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert torch.equal(kept, drop_condition(condition, empty, torch.Generator().manual_seed(0)))


def test_what_is_drawn_has_the_kind_of_what_it_is_drawn_for():
    """A half stays a half, and on another device nothing is mixed: `empty` and the noise follow their pictures."""
    g = torch.Generator().manual_seed(0)
    assert [draw(torch.zeros(2, 3, dtype=kind), 10, g)[0].dtype for kind in (torch.float16, torch.float64)] == [
        torch.float16, torch.float64]  # fmt: skip
    kept = drop_condition(torch.ones(50, 3, dtype=torch.float16), torch.zeros(1, 3), g, share=0.5)
    assert kept.dtype == torch.float16 and set(kept.unique().tolist()) == {0.0, 1.0}
    far = torch.device("meta")
    assert draw(torch.zeros(2, 3, device=far), 10, g)[0].device == far
    assert drop_condition(torch.ones(5, 3, device=far), torch.zeros(1, 3), g).device == far


class Own(nn.Module):
    """A network that no module of the package knows."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))

    def forward(self, x, t, condition=None):
        return self.net(torch.cat([x, t[:, None] / 1000, condition], dim=1))


CONFIG = {"name": "my flow", "words": ["ring"], "shape": [2], "schedule": "straight", "target": "u",
          "guidance_scale": 1.0}  # fmt: skip


def ring(n: int) -> np.ndarray:
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


@pytest.fixture(scope="module")
def flow():
    """A toy with a network of one's own, trained as flow matching."""
    toy = Toy(CONFIG, Own())
    loss = toy.loss(ring(4000), ["ring"] * 4000, batch=256, dropout=0.0)
    *_, progress = train(toy.network, loss, 600, optimizer=adamw(3e-3), ema=0.99)
    return Toy(CONFIG, progress.ema)


def test_a_network_of_one_s_own_learns_a_flow_and_draws(flow, tmp_path):
    drawn = list(flow.steps("ring", n=20, seed=list(range(200))))[-1].x0
    assert float((drawn.norm(dim=1) - 1).abs().median()) < 0.15
    again = Toy.load(flow.save(tmp_path / "flow"), Own())
    assert torch.allclose(list(again.steps("ring", n=5, seed=3))[-1].x0, list(flow.steps("ring", n=5, seed=3))[-1].x0,
                          atol=0.02)  # fmt: skip


def test_reflow_is_the_same_loss_over_the_ends_of_walked_paths(flow):
    """Liu, Gong and Liu, 2022: from the teacher's pairs one step learns to do what fifty did."""
    eps = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
    words = flow.condition(["ring"]).expand(512, -1)

    def ends(network, n):
        predict = lambda x, t: Toy(CONFIG, network).predict_noise(x, t, words)  # noqa: E731
        return list(denoise(predict, flow.schedule, eps, flow.schedule.timesteps(n)))[-1].x0

    x0, student = ends(flow.network, 50), Own()

    def loss(network, generator):
        rows = torch.randint(512, (256,), generator=generator)
        _, t = draw(x0[rows], len(flow.schedule), generator)
        return flow.objective(network, x0[rows], eps[rows], t, words[rows])

    *_, progress = train(student, loss, 600, optimizer=adamw(3e-3), ema=0.99)
    off = [float((ends(network, 1) - x0).square().mean().sqrt()) for network in (flow.network, progress.ema)]
    assert off[1] < 0.6 * off[0]


def test_progressive_distillation_gives_the_same_x_t_from_other_ends():
    """What a student is asked for, given as x0 and eps that mix to the same x_t: any target of a distillation fits."""
    from diffusion_lab.mixing import add_noise, predicted_eps

    a, schedule = straight().alpha_bar(500), straight()
    x0, eps, wanted = torch.randn(3, 4), torch.randn(3, 4), torch.randn(3, 4)
    x_t = add_noise(x0, a, eps)
    seen = []
    loss = Objective(schedule, "x0")(lambda x, t, c: seen.append(x) or wanted, wanted,
                                     predicted_eps(x_t, wanted, a), torch.full((3,), 500))  # fmt: skip
    assert float(loss) == 0 and torch.allclose(seen[0], x_t, atol=1e-5)
