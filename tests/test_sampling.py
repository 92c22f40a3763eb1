"""Every sampler against diffusers' scheduler of the same name, and against what the mathematics demands."""

import json
import math
import re
from dataclasses import asdict, replace

import diffusers
import numpy as np
import pytest
import torch

from diffusion_lab.errors import LabError
from diffusion_lab.guidance import Guess, guide, guided
from diffusion_lab.noising import add_noise, forward, generators, noise, randn, small_steps
from diffusion_lab.protocol import Move, as_guess, as_move, check_samples, one_each
from diffusion_lab.sampling import (
    SAMPLERS,
    Sampler,
    ancestral,
    as_sampler,
    ddim_step,
    denoise,
    dpmpp_2m,
    heun,
    sample,
)
from diffusion_lab.schedules import SCHEDULES, Schedule, as_schedule, cosine, linear, named, scaled_linear, straight
from diffusion_lab.toy import Toy
from diffusion_lab.trajectory import Recipe, Step

SCHEDULE = scaled_linear()
CONFIG = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="trailing",
              steps_offset=0)
ORACLES = {
    "ddim": lambda: diffusers.DDIMScheduler(**CONFIG, clip_sample=False, set_alpha_to_one=True),
    "ddpm": lambda: diffusers.DDPMScheduler(**CONFIG, clip_sample=False),
    "dpmpp_2m": lambda: diffusers.DPMSolverMultistepScheduler(**CONFIG, final_sigmas_type="zero", euler_at_final=False),
    "heun": lambda: diffusers.HeunDiscreteScheduler(**CONFIG),
    "euler": lambda: diffusers.EulerDiscreteScheduler(**CONFIG),
}


def smooth_model(x_t, t):
    """A guess that depends on every value and on t, so that any slip shows."""
    return torch.tanh(0.9 * x_t + 0.1 * x_t.roll(1, -1)) * (0.6 + 0.4 * math.cos(float(t) / 300))


def ours(name, x, n):
    timesteps = SCHEDULE.timesteps(n)
    if name == "heun":
        return list(heun(smooth_model, SCHEDULE, x, timesteps))
    rule = {"ddim": lambda: ddim_step, "euler": lambda: ddim_step, "dpmpp_2m": dpmpp_2m,
            "ddpm": lambda: ancestral(generators(11))}[name]()
    return list(denoise(smooth_model, SCHEDULE, x, timesteps, rule))


def theirs(name, x, n):
    scheduler = ORACLES[name]()
    scheduler.set_timesteps(n)
    (source,) = generators(11)
    x = x * scheduler.init_noise_sigma
    if name in ("heun", "euler"):  # our path starts at standard normal x_t, theirs at sigma times it
        x = x / scheduler.init_noise_sigma / SCHEDULE.alpha_bar(SCHEDULE.timesteps(n)[0]) ** 0.5
    for t in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        extra = {"generator": source} if name == "ddpm" else {}
        x = scheduler.step(smooth_model(seen, t), t, x, **extra).prev_sample
    return x


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize(("n", "tolerance"), [(5, 1e-5), (20, 1e-5), (50, 1e-5), (1000, 1e-4)])
def test_sampler_equals_diffusers(name, n, tolerance):
    x = noise((3, 8, 8), 4)
    mine, reference = ours(name, x, n)[-1].x0, theirs(name, x, n)
    assert float((mine - reference).norm() / reference.norm()) < tolerance


@pytest.mark.parametrize("schedule", [linear(), cosine(), scaled_linear()], ids=lambda s: s.name)
def test_schedule_equals_diffusers(schedule):
    kind = {"linear": dict(beta_schedule="linear", beta_start=1e-4, beta_end=0.02),
            "cosine": dict(beta_schedule="squaredcos_cap_v2"),
            "scaled linear": CONFIG}[schedule.name]
    theirs = diffusers.DDPMScheduler(**kind).alphas_cumprod.double()
    assert torch.allclose(schedule.alpha_bars, theirs, rtol=3e-4, atol=1e-9)
    assert (schedule.alpha_bars.diff() < 0).all()


@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_timesteps_equal_diffusers(spacing):
    schedule = replace(SCHEDULE, spacing=spacing, offset=1 if spacing == "leading" else 0)
    for n in (1, 2, 5, 7, 20, 50, 999):
        scheduler = diffusers.DDIMScheduler(**{**CONFIG, "timestep_spacing": spacing, "steps_offset": 1})
        scheduler.set_timesteps(n)
        assert schedule.timesteps(n) == scheduler.timesteps.tolist(), n


def test_one_jump_is_a_thousand_small_steps():
    x0 = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for schedule in (linear(), cosine(), scaled_linear()):
        for step in small_steps(x0, schedule, torch.Generator().manual_seed(1)):
            assert (add_noise(x0, step.alpha_bar, step.eps) - step.x_t).abs().max() < 1e-6
        assert 0.9 < float(step.eps.std()) < 1.1  # the merged noise is standard normal again
        assert len(schedule) == step.t + 1


def test_forward_path_keeps_picture_and_noise():
    x0 = torch.rand(1, 3, 8, 8) * 2 - 1
    path = forward(x0, SCHEDULE, range(0, 1000, 10))
    assert path.direction == "forward" and len(path) == 101 and torch.equal(path.x0, x0)
    for step in path:
        assert torch.allclose(step.x0, x0, atol=2e-4 / step.alpha_bar**0.5) and step.eps is path[0].eps
    assert len(path.steps[3:7]) == 4 and path.steps[3:7][0].t == path[3].t


@pytest.mark.parametrize("name", ["ddim", "ddpm", "dpmpp_2m", "heun"])
@pytest.mark.parametrize("n", [2, 9, 50])
def test_a_point_mass_lands_on_its_mark(name, n):
    mark = torch.linspace(-1, 1, 12).view(1, 3, 2, 2)

    def knows(x_t, t):
        a = SCHEDULE.alpha_bar(t)
        return (x_t - a**0.5 * mark) / (1 - a) ** 0.5

    x, steps = noise((3, 2, 2), 0), SCHEDULE.timesteps(n)
    rule = {"ddpm": ancestral(generators(1)), "dpmpp_2m": dpmpp_2m()}.get(name, ddim_step)
    path = heun(knows, SCHEDULE, x, steps) if name == "heun" else denoise(knows, SCHEDULE, x, steps, rule)
    assert torch.allclose(list(path)[-1].x0, mark, atol=1e-4)


@pytest.mark.parametrize("std", [0.5, 1.0])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_gaussian_data_keep_their_spread(std, eta):
    """With the exact guess for N(0, std^2) the result has that spread; leaving the noise out of DDPM collapses it."""

    def exact(x_t, t):
        a = SCHEDULE.alpha_bar(t)
        return x_t * (1 - a) ** 0.5 / (a * std**2 + 1 - a)

    x, steps = torch.randn(1, 20_000, generator=torch.Generator().manual_seed(0)), SCHEDULE.timesteps(1000)
    spread = float(list(denoise(exact, SCHEDULE, x, steps, ancestral(generators(3), eta)))[-1].x0.std())
    assert abs(spread / std - 1) < 0.03

    shaken_no_more = float(list(denoise(exact, SCHEDULE, x, steps, ddpm_mean))[-1].x0.std())
    assert shaken_no_more < 0.1 * std


def ddpm_mean(x_t, eps, a, a_next):
    """DDPM's mean alone, its noise left out: a bug, not DDIM."""
    step = a / a_next
    return (x_t - (1 - step) / (1 - a) ** 0.5 * eps) / step**0.5


def test_eta_one_is_the_posterior_of_ddpm():
    """Equation 7 of DDPM: mean and variance of q(x_(t-1) | x_t, x0)."""
    a, a_next = 0.3, 0.45
    x_t, eps = torch.randn(1, 40_000), torch.zeros(1, 40_000)
    out = ancestral(generators(5))(x_t, eps, a, a_next)
    mean = ddpm_mean(x_t, eps, a, a_next)
    assert float((out - mean).std()) == pytest.approx(((1 - a_next) / (1 - a) * (1 - a / a_next)) ** 0.5, rel=0.02)
    assert abs(float((out - mean).mean())) < 0.02


def test_a_slice_resumes_a_path():
    x, steps = noise((3, 4, 4), 0), SCHEDULE.timesteps(20)
    whole = list(denoise(smooth_model, SCHEDULE, x, steps))
    rest = list(denoise(smooth_model, SCHEDULE, whole[7].x_t, steps[7:]))
    assert torch.equal(rest[-1].x0, whole[-1].x0) and len(rest) == len(whole) - 7


def test_small_steps_are_those_of_their_generator_in_the_picture_s_precision():
    x0 = torch.ones(1, 2, dtype=torch.float64)
    one, two = (list(small_steps(x0, straight(5), torch.Generator().manual_seed(4))) for _ in range(2))
    assert torch.equal(one[-1].x_t, two[-1].x_t) and one[-1].x_t.dtype == torch.float64
    z = torch.randn(1, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    assert torch.equal(one[0].eps, z) and [step.t for step in one] == [0, 1, 2, 3, 4]


def test_a_forward_path_says_what_it_is_made_of():
    x0, to_rgb = torch.ones(2, 3), torch.zeros(4, 3)
    path = forward(x0, SCHEDULE, [100, 500], to_rgb=to_rgb)
    assert path.recipe == Recipe(sampler="scaled linear schedule", n=2) and path.to_rgb is to_rgb
    assert path.alpha_bars == [1.0, *map(SCHEDULE.alpha_bar, (100, 500))] and path.steps.ts == [-1, 100, 500]
    assert torch.equal(path.steps.eps, noise((3,), [0, 1])) and torch.equal(path[0].x_t, x0)
    assert forward(x0, SCHEDULE).steps.ts == [-1, *range(1000)] and forward(x0, SCHEDULE).to_rgb is None
    mine = torch.zeros(2, 3)
    assert forward(x0, SCHEDULE, [3], mine).steps.eps is mine
    assert torch.equal(noise((2, 3)), noise((2, 3), 0)) and [g.initial_seed() for g in generators([7, 8])] == [7, 8]


@pytest.mark.parametrize("shape", [(10**6, 10**6), (2**62,), (2**28, 2)])
def test_noise_that_no_machine_holds_is_told(shape):
    with pytest.raises(LabError, match="noise of at most 536,870,912 values was expected; .* came; give model.shape"):
        noise(shape, [0, 1])


@pytest.mark.parametrize("rule", [ddim_step, ancestral(generators(0)), dpmpp_2m()], ids=["ddim", "ddpm", "dpmpp_2m"])
def test_where_no_noise_is_left_none_is_taken_away(rule):
    x = torch.randn(1, 3, generator=torch.Generator().manual_seed(0))
    for alpha_bar_next in (1.0, 0.5):
        assert torch.equal(rule(x, x, 1.0, alpha_bar_next), ddim_step(x, x, 1.0, alpha_bar_next))


def test_samplers_are_called_and_shake_as_their_papers_say():
    told = {name: (sampler.title, sampler.eta) for name, sampler in SAMPLERS.items()}
    assert told == {"ddim": ("DDIM", None), "ddpm": ("DDPM", 1.0), "dpmpp_2m": ("DPM++ 2M", None),
                    "heun": ("Heun", None)}  # fmt: skip
    mine = Sampler("Mine")
    assert (mine.walk, mine.eta, mine.calls(7), mine.rule(mine, SCHEDULE, [])) == (denoise, None, 7, ddim_step)
    assert ancestral(generators(0))(torch.ones(1, 2), torch.ones(1, 2), 0.2, 0.4).tolist() == (
        ancestral(generators(0), 1.0)(torch.ones(1, 2), torch.ones(1, 2), 0.2, 0.4).tolist())  # fmt: skip


def test_who_stops_early_pays_no_more():
    calls = []

    def counting(x_t, t):
        calls.append(t)
        return x_t

    path = denoise(counting, SCHEDULE, noise((1,), 0), SCHEDULE.timesteps(20))
    for _ in range(7):
        next(path)
    assert len(calls) == 7


def test_gradients_stay_on_for_the_caller():
    path = denoise(smooth_model, SCHEDULE, noise((1,), 0), SCHEDULE.timesteps(5))
    next(path)
    assert torch.is_grad_enabled()


def test_a_picture_does_not_depend_on_its_batch():
    assert torch.equal(noise((3, 4), [7, 8, 9])[1], noise((3, 4), 8)[0])
    rule, alone = ancestral(generators([7, 8])), ancestral(generators(8))
    x = noise((3, 4), [7, 8])
    assert torch.equal(rule(x, x, 0.2, 0.4)[1], alone(x[1:], x[1:], 0.2, 0.4)[0])
    assert randn((2,), generators([1, 2])).shape == (2, 2)


def test_guidance_is_a_line_through_two_guesses():
    without, with_prompt = torch.zeros(1, 3), torch.ones(1, 3)
    assert [float(guide(without, with_prompt, w)[0, 0]) for w in (0, 1, 2.5)] == [0, 1, 2.5]
    path = list(denoise(lambda x, t: Guess(x, x / 2), SCHEDULE, noise((3,), 0), [500, 100]))
    assert torch.equal(path[0].eps_uncond, path[0].eps / 2) and path[-1].eps_uncond is None
    twice = list(heun(lambda x, t: Guess(x, x / 2), SCHEDULE, noise((3,), 0), [500, 100]))
    assert [torch.equal(step.eps_uncond, step.eps / 2) for step in twice[:-1]] == [True] * 3


class Two:
    """A model that says 1 with a prompt and 3 without, and counts how often it is asked."""

    guidance_scale, asked = 5.0, 0

    def condition(self, prompts):
        return torch.tensor([[1.0 if prompt else 3.0] for prompt in prompts])

    def predict_noise(self, x_t, t, condition):
        self.asked += t == 5
        return condition.expand_as(x_t)


@pytest.mark.parametrize(("scale", "eps", "uncond"), [(0, 3, 3), (1, 1, None), (2, -1, 3), (None, -7, 3)])
def test_guidance_pushes_as_far_as_it_is_told(scale, eps, uncond):
    model = Two()
    guess = guided(model, "a cat", guidance_scale=scale)(torch.zeros(3, 4), 5)
    assert torch.equal(guess.eps, torch.full((3, 4), float(eps))) and model.asked == 1
    assert guess.eps_uncond is None if uncond is None else torch.equal(guess.eps_uncond, torch.full((3, 4), 3.0))


@pytest.mark.parametrize("sampler", ["ddim", "heun"])
def test_guidance_in_an_interval_is_w_there_and_one_elsewhere(sampler):
    """Against two lines: predict with w where low <= t <= high, and with 1 elsewhere, where nothing is asked twice."""
    model, often, once = Toy.load("icons"), *(guided(Toy.load("icons"), "blue star", "red", w) for w in (7, 1))
    path = list(model.steps("blue star", n=6, seed=[3, 4], sampler=sampler, guidance_scale=7, negative_prompt="red",
                            guidance_interval=(300, 700)))  # fmt: skip
    times = SAMPLERS[sampler].times(model.schedule, 6)
    wanted = list(SAMPLERS[sampler].walk(lambda x, t: (often if 300 <= t <= 700 else once)(x, t), model.schedule,
                                         noise(model.shape, [3, 4]), times))  # fmt: skip
    assert {300 <= step.t <= 700 for step in path} == {True, False}
    for ours, theirs in zip(path, wanted, strict=True):
        assert torch.equal(ours.x_t, theirs.x_t) and torch.equal(ours.eps, theirs.eps)
        assert (ours.eps_uncond is not None) == (300 <= ours.t <= 700)


def test_both_ends_of_an_interval_belong_to_it():
    predict = guided(Two(), "a cat", guidance_scale=2, guidance_interval=(100, 200))
    said = {t: float(predict(torch.zeros(1, 3), t).eps[0, 0]) for t in (99, 100, 200, 201)}
    assert said == {99: 1, 100: -1, 200: -1, 201: 1}


def test_a_recipe_keeps_its_interval_where_it_acts():
    model, given = Whole(), {"n": 3, "guidance_interval": np.array([0, 500])}
    recipe = Recipe.of(model, "a cat", 0, guidance_scale=2, **given)
    assert recipe.guidance_interval == (0.0, 500.0) == Recipe.from_dict(json.loads(json.dumps(asdict(recipe)))
                                                                        ).guidance_interval  # fmt: skip
    assert Recipe.of(model, "a cat", 0, guidance_scale=1, **given).guidance_interval is None
    assert [float(step.eps[0, 0]) for step in sample(model, recipe, "ddim")] == [1, 1, -1, 0]


@pytest.mark.parametrize(("interval", "said"), [
    ((990, 995), "holds one or more of the path's timesteps was expected; 990 to 995 came, and the path asks at t = 9"),
    ((700, 200), "begins with the lower timestep; (700, 200) came; turn it around"),
    (500, "is two timesteps, (low, high); 500 came"), ("ab", "two timesteps, (low, high); 'ab' came"),
    ((1, 2, 3), "(low, high); (1, 2, 3) came"),
    ((-1, 5), "an end of guidance_interval is a number of 0 or more; -1 came"),
    ((0, True), "an end of guidance_interval is a number"), (("0", 5), "an end of guidance_interval is a number"),
])
def test_an_interval_that_means_nothing_is_told(interval, said):
    with pytest.raises(LabError) as told:
        Toy.load("icons").steps("star", n=3, guidance_scale=3, guidance_interval=interval)
    assert said in str(told.value)


SOURCE = torch.Generator()


@pytest.mark.parametrize(("call", "said"), [
    (lambda: check_samples("x"), "samples of shape (B, ...) were expected; str came; "),
    (lambda: check_samples(torch.zeros(2, 4), (3,)), "samples of shape (B, 3) were expected; (2, 4) came; "),
    (lambda: check_samples(torch.zeros(2, 3, 1), (3,)), "samples of shape (B, 3) were expected; (2, 3, 1) came; "),
    (lambda: check_samples(torch.zeros(2, 4, 4), (None, 5)), "of shape (B, any, 5) were expected; (2, 4, 4) came; "),
    (lambda: check_samples(torch.zeros(2, 3).long(), (3,)), "were expected; (2, 3) of torch.int64 came; "),
    (lambda: one_each(torch.zeros(2, 1), 3), "; 2 prompts came; for 3 pictures give one prompt, or 3"),
    (lambda: one_each(torch.tensor(1.0), 3), "; tensor(1.) came; "), (lambda: one_each(5, 3), "; 5 came; "),
    (lambda: as_guess(Guess(torch.zeros(2, 3), torch.zeros(1, 3)), torch.zeros(2, 3)), "(1, 3) came; "),
    (lambda: as_guess("x", torch.zeros(2, 3)), "(2, 3); str came; "),
    (lambda: as_move(torch.zeros(1, 3), torch.zeros(2, 3)), "(2, 3); (1, 3) came; "),
])
def test_what_a_model_and_a_rule_are_given_is_told_by_its_shape(call, said):
    with pytest.raises(LabError) as told:
        call()
    assert said in str(told.value)
    check_samples(torch.zeros(2, 4, 5), (None, 5))
    assert one_each(torch.ones(1, 4), 3).shape == (3, 4) and one_each(torch.ones(3, 4), 3).shape == (3, 4)


class Whole(Two):
    """All that `sample` asks a model for."""

    name, n, sampler, schedule, shape, to_rgb = "two", 9, "heun", SCHEDULE, (4,), torch.ones(5, 3)


def test_a_recipe_is_walked_as_it_says():
    model = Whole()
    drawn = sample(model, Recipe.of(model, "a cat", [1, 2], n=3, guidance_scale=2), "ddpm")
    recipe = Recipe("two", ("a cat",) * 2, (1, 2), "ddpm", 3, 2.0, title="DDPM", eta=1.0)
    assert drawn.recipe == recipe and drawn.to_rgb is model.to_rgb and drawn.decode is None
    path = list(drawn)
    assert torch.equal(path[0].x_t, noise((4,), [1, 2])) and torch.equal(path[0].eps, torch.full((2, 4), -1.0))
    assert [step.t for step in path] == [*SCHEDULE.timesteps(3), -1]
    away = sample(model, Recipe.of(model, "a cat", 0, n=3, guidance_scale=2, negative_prompt="a dog"))
    assert float(next(away).eps[0, 0]) == 1 and away.recipe.sampler == "heun" and len(list(away)) == 5


@pytest.mark.parametrize("call", [
    lambda: SCHEDULE.alpha_bar(1000), lambda: SCHEDULE.alpha_bar(3.0), lambda: SCHEDULE.alpha_bar(-1),
    lambda: SCHEDULE.timesteps(0), lambda: SCHEDULE.timesteps(-3), lambda: SCHEDULE.timesteps(2.5),
    lambda: SCHEDULE.timesteps(1001), lambda: linear(5), lambda: cosine(0), lambda: scaled_linear(1.5),
    lambda: straight(1).alpha_bar(1), lambda: ancestral(generators(0), None), lambda: straight(0),
    lambda: SCHEDULE.times([]), lambda: SCHEDULE.times([3, 3]), lambda: linear(True),
    lambda: list(denoise(smooth_model, SCHEDULE, noise((1,), 0), SCHEDULE.timesteps(5)[5:])),
    lambda: list(heun(smooth_model, SCHEDULE, noise((1,), 0), list(reversed(SCHEDULE.timesteps(5))))),
    lambda: ancestral(generators(3))(torch.zeros(2, 1), torch.zeros(2, 1), 0.2, 0.4),
    lambda: ancestral(generators([3, 4]))(torch.zeros(1, 1), torch.zeros(1, 1), 0.2, 0.4),
    lambda: ancestral(generators(0), True), lambda: SAMPLERS["ddim"].with_eta(0.5),
    lambda: SAMPLERS["ddpm"].with_eta(-0.1), lambda: as_sampler("magic"), lambda: as_sampler(["ddim"]),
    lambda: noise((1,), -1), lambda: noise((1,), 1.5), lambda: ancestral(generators(0), 2),
    lambda: noise((1,), []), lambda: noise(5), lambda: noise(()), lambda: noise((3, -1, 4)), lambda: noise((2.0, 3)),
    lambda: ancestral(5), lambda: ancestral([5]), lambda: replace(SAMPLERS["ddpm"], eta="half"),
    lambda: guided(Two(), 5), lambda: guided(Two(), []), lambda: guided(Two(), "a", ["a", "b"]),
    lambda: guided(Two(), ["a", "b"])(torch.zeros(3, 4), 5), lambda: cosine(3 * 10**7), lambda: linear(10**13),
    lambda: forward(torch.tensor(1.0), SCHEDULE), lambda: forward(torch.zeros(0, 3), SCHEDULE),
    lambda: forward(torch.zeros(1, 3), SCHEDULE, None, torch.zeros(1, 2)), lambda: forward(np.zeros((1, 3)), SCHEDULE),
    lambda: Schedule("mine", SCHEDULE.alpha_bars.flip(0)), lambda: Schedule("mine", torch.ones(5)),
    lambda: Schedule("mine", [1.5, 0.5]), lambda: Schedule("mine", [0.5, -0.5]), lambda: Schedule("mine", None),
    lambda: Schedule("mine", [0.5, float("nan")]), lambda: Schedule("mine", []), lambda: Schedule(5, [0.5]),
    lambda: replace(SCHEDULE, spacing="trailling"), lambda: replace(SCHEDULE, offset=-5),
    lambda: replace(SCHEDULE, final=0), lambda: replace(SCHEDULE, final=2), lambda: replace(SCHEDULE, spacing=["x"]),
    lambda: Step(torch.zeros(1), torch.zeros(1), 0.5, "a"), lambda: Step(torch.zeros(1), torch.zeros(1), 10**400, 1),
    lambda: Step(np.zeros(1), torch.zeros(1), 0.5, 1), lambda: Step(torch.zeros(1), torch.zeros(1), np.nan, 1),
    lambda: add_noise(torch.zeros(2), 0.5, torch.zeros(3)), lambda: add_noise(torch.zeros(2), 1.5, torch.zeros(2)),
    lambda: guided(None, "a"), lambda: guided("icons", "a"), lambda: forward(torch.zeros(1, 3), None),
    lambda: forward(torch.zeros(1, 3), cosine), lambda: forward(torch.zeros(1, 3), SCHEDULE, []),
    lambda: forward(torch.zeros(1, 3), SCHEDULE, [5, 3]), lambda: forward(torch.zeros(1, 3), SCHEDULE, [5, 5]),
    lambda: forward(torch.zeros(1, 3), SCHEDULE, None, 5), lambda: forward(torch.zeros(1, 3), SCHEDULE, None, [[1.0]]),
    lambda: forward(torch.zeros(1, 3), SCHEDULE, to_rgb=5), lambda: list(small_steps(None, SCHEDULE, SOURCE)),
    lambda: list(small_steps(torch.zeros(1, 3).long(), SCHEDULE, SOURCE)),
    lambda: list(small_steps(noise((3,)), 5, SOURCE)), lambda: list(small_steps(noise((3,)), SCHEDULE, 5)),
    lambda: add_noise(None, 0.5, None),
])
def test_bad_input_is_one_sentence(call):
    with pytest.raises(LabError, match=";.*came;") as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("walk", [denoise, heun])
@pytest.mark.parametrize("wrong", [
    {"timesteps": None}, {"timesteps": [999, "5"]}, {"timesteps": [9, 1j]}, {"timesteps": 5}, {"timesteps": "95"},
    {"x": np.zeros((2, 3))}, {"x": torch.tensor(1.0)}, {"x": torch.zeros(0, 3)}, {"x": torch.zeros(2, 3).long()},
    *({kind: lambda *a, value=value: value} for kind in ("predict", "rule") for value in (
        None, 0.5, (torch.zeros(2, 3), None), torch.zeros(()), torch.zeros(2, 4), torch.zeros(1, 3), np.zeros((2, 3)))),
    {"predict": lambda x, t: Guess(x, x[:1])}, {"rule": lambda x, *a: Move(x[:1])}, {"rule": ancestral},
    {"rule": dpmpp_2m}, {"predict": lambda x: x}, {"schedule": None}, {"schedule": cosine}, {"schedule": "cosin"},
    {"schedule": [0.5]}, *({kind: wrong} for kind in ("predict", "rule") for wrong in (None, 5, "x", SCHEDULE)),
    {"x": torch.eye(3).to_sparse()},
])  # fmt: skip
def test_a_loop_takes_only_what_fits_its_x(walk, wrong):
    how = {"predict": smooth_model, "schedule": SCHEDULE, "x": torch.zeros(2, 3), "timesteps": [9, 5],
           "rule": ddim_step, **wrong}  # fmt: skip
    with pytest.raises(LabError, match=";.*came;") as caught:
        list(walk(**how))
    assert "\n" not in str(caught.value)


def test_a_schedule_of_one_s_own_may_be_a_list_and_a_sampler_s_eta_any_number():
    mine = Schedule("mine", [0.9, 0.5, 0.0])
    assert mine.alpha_bars.dtype == torch.float64 and mine.alpha_bar(1) == 0.5 and mine.timesteps(3) == [2, 1, 0]
    eta = replace(SAMPLERS["ddpm"], eta=np.float32(0.5)).eta
    assert (type(eta), eta) == (float, 0.5)


def test_leading_timesteps_stay_among_those_there_are():
    leading = replace(SCHEDULE, spacing="leading", offset=1)
    assert leading.timesteps(1000) == list(reversed(range(1000)))
    assert leading.timesteps(4) == [751, 501, 251, 1] and leading.times(leading.timesteps(1000))[0][0] == 999


@pytest.mark.parametrize("n", [1, 4, 50])
def test_euler_on_the_straight_path_is_ddim(n):
    """Flow matching, written out: x moves along u = eps - x0 from s = 1 towards s = 0."""
    schedule, T = straight(), 1000
    timesteps = schedule.timesteps(n)
    ours = list(denoise(smooth_model, schedule, noise((3, 8, 8), 4), timesteps))[-1].x0
    times = [(t + 1) / (T + 1) for t in timesteps]
    size = [((1 - s) ** 2 + s**2) ** 0.5 for s in times]
    x = noise((3, 8, 8), 4) * size[0]
    for t, s, r, s_next in zip(timesteps, times, size, [*times[1:], 0.0], strict=True):
        eps = smooth_model(x / r, t)
        u = eps - (x - s * eps) / (1 - s)
        x = x + (s_next - s) * u
    assert float((ours - x).norm() / x.norm()) < 3e-6


def test_a_schedule_is_its_formula_in_float64():
    """The betas of the papers, multiplied up by numpy: float32 anywhere would miss by 1e-8."""
    root, T = np.linspace(0.00085**0.5, 0.012**0.5, 1000), 1000
    bar = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = {"linear": np.linspace(1e-4, 0.02, 1000), "scaled linear": root**2,
             "cosine": np.minimum(1 - bar[1:] / bar[:-1], 0.999)}  # fmt: skip
    for name, beta in betas.items():
        made = named(name)
        assert made.name == name and np.abs(made.alpha_bars.numpy() - np.cumprod(1 - beta)).max() < 1e-13
    assert np.abs(linear(500).alpha_bars.numpy() - np.cumprod(1 - np.linspace(2e-4, 0.04, 500))).max() < 1e-13
    assert named("straight").name == "straight" and list(SCHEDULES) == ["linear", "cosine", "scaled linear", "straight"]
    assert [(s.final, s.spacing, s.offset, len(s)) for s in map(named, SCHEDULES)] == [(1.0, "trailing", 0, 1000)] * 4


def test_the_straight_schedule_has_the_shares_of_its_mix():
    schedule = straight(3)  # s = 1/4, 2/4, 3/4
    assert schedule.alpha_bars.tolist() == pytest.approx([9 / 10, 1 / 2, 1 / 10]) and len(schedule) == 3


@pytest.mark.parametrize("call, came", [
    (lambda: SCHEDULE.times([]), "; none came"), (lambda: SCHEDULE.times([3, 3]), "; [3, 3] came"),
    (lambda: SCHEDULE.times(range(6)), "; [0, 1, 2, 3, 4, 5] came"),
    (lambda: SCHEDULE.times(range(7)), "; [0, 1, 2, 3, 4, 5] and so on came"),
    (lambda: as_schedule(cosine), "; cosine came"), (lambda: as_schedule([0.5]), "; [0.5] came"),
    (lambda: linear(20), "from 21 to 100000; 20 came"),
])  # fmt: skip
def test_what_is_no_schedule_and_no_path_of_one_is_told_as_it_came(call, came):
    with pytest.raises(LabError, match=re.escape(came)):
        call()
    assert len(linear(21)) == 21


@pytest.mark.parametrize("make", [cosine, linear, scaled_linear, straight])
def test_a_schedule_has_no_more_timesteps_than_a_machine_counts_at_once(make):
    assert len(make(100_000)) == 100_000
    for T in (100_001, 3 * 10**7, 10**13):
        with pytest.raises(LabError, match=f"to 100000; {T} came"):
            make(T)


def test_timesteps_may_come_as_numbers_of_any_kind():
    assert SCHEDULE.labels(np.array([999, 0])) == [999, 0] == SCHEDULE.labels(iter([999, 0]))
    for wrong in ([1000], [-1]):
        with pytest.raises(LabError, match="t is a whole number from 0 to 999"):
            SCHEDULE.labels(wrong)
    times = SCHEDULE.times([800, 300])
    assert SCHEDULE.times(torch.tensor([800, 300])) == SCHEDULE.times([torch.tensor(800), torch.tensor(300)]) == times
    assert straight(1).times([0]) == [(0, pytest.approx(0.5), 1.0)]


def test_2m_forgets_the_path_before():
    rule, x, steps = dpmpp_2m(), noise((3, 8, 8), 4), SCHEDULE.timesteps(6)
    first, second = (list(denoise(smooth_model, SCHEDULE, x, steps, rule))[-1].x0 for _ in range(2))
    assert torch.equal(first, second)
    broken_off = denoise(smooth_model, SCHEDULE, x, steps, rule)
    for _ in range(4):
        next(broken_off)
    assert torch.equal(list(denoise(smooth_model, SCHEDULE, x, steps, rule))[-1].x0, first)


def test_2m_ends_with_a_plain_step_where_a_little_noise_stays():
    """As diffusers' with lower_order_final (under 15 steps), which also stops at the schedule's own final alpha_bar."""
    schedule = replace(SCHEDULE, final=0.99915)
    x, steps = noise((3, 8, 8), 4), schedule.timesteps(2)
    before, last, end = denoise(smooth_model, schedule, x, steps, dpmpp_2m(schedule.final))
    expected = ddim_step(last.x_t, last.eps, last.alpha_bar, 0.99915)
    assert torch.equal(end.x0, expected)
    other = list(denoise(smooth_model, schedule, x, steps, dpmpp_2m()))[-1].x0
    assert not torch.allclose(other, expected, atol=0.01)


@pytest.mark.parametrize("walk", [denoise, heun])
def test_what_a_move_carries_is_in_the_next_step(walk):
    def rule(x_t, eps, a, b):
        return Move(ddim_step(x_t, eps, a, b), {"from": x_t})

    path = list(walk(smooth_model, SCHEDULE, noise((1,), 0), [800, 500, 100], rule))
    plain = list(walk(smooth_model, SCHEDULE, noise((1,), 0), [800, 500, 100]))
    assert [len(step.extras) for step in path] == [0] + [1] * (len(path) - 1)
    assert torch.equal(path[1].extras["from"], path[0].x_t) and torch.equal(path[-1].x0, plain[-1].x0)


def test_the_calls_of_a_sampler_are_those_it_makes():
    told = {name: sampler.calls(7) for name, sampler in SAMPLERS.items()}
    made = {}
    for name, sampler in SAMPLERS.items():
        rule = sampler.rule(sampler, SCHEDULE, generators(0))
        path = sampler.walk(smooth_model, SCHEDULE, noise((1,), 0), SCHEDULE.timesteps(7), rule)
        made[name] = len(list(path)) - 1  # the last Step, of arrival, asks nobody
    assert made == told == {**told, "ddim": 7, "ddpm": 7, "dpmpp_2m": 7, "heun": 13}


def test_another_eta_is_the_same_sampler_shaking_less():
    name, half = as_sampler(SAMPLERS["ddpm"].with_eta(0.5))
    assert (name, half.title, half.eta) == ("ddpm", "DDPM, eta 0.5", 0.5)
    x, steps = noise((3, 4), 0), SCHEDULE.timesteps(5)
    mine, theirs = (list(half.walk(smooth_model, SCHEDULE, x, steps, rule))[-1].x0 for rule in (
        half.rule(half, SCHEDULE, generators(1)), ancestral(generators(1), 0.5)))  # fmt: skip
    assert torch.equal(mine, theirs)
    assert as_sampler(Sampler("Mine", walk=lambda *path: denoise(*path)))[0] == "Mine"


def test_a_sampler_is_added_by_one_entry(monkeypatch):
    from diffusion_lab import Exact, Player, watch

    def overshooting(sampler, schedule, sources):
        return lambda x, e, a, b: ddim_step(x, 1.1 * e, a, b)

    monkeypatch.setitem(SAMPLERS, "overshoot", Sampler("Overshoot", overshooting))
    model = Exact(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).numpy())
    path = watch(model.steps(n=7, seed=[1, 2], sampler="overshoot"))
    assert (path.recipe.sampler, path.recipe.title) == ("overshoot", "Overshoot")
    assert "Overshoot, 7 steps" in Player(path)._repr_html_()
    assert not torch.equal(path.x0, watch(model.steps(n=7, seed=[1, 2])).x0)
    shaken = watch(model.steps(n=7, seed=[1, 2], sampler=SAMPLERS["ddpm"].with_eta(0.5)))
    assert "DDPM, eta 0.5, 7 steps" in Player(shaken)._repr_html_()
    assert (shaken.recipe.sampler, shaken.recipe.eta) == ("ddpm", 0.5)


def test_a_schedule_may_be_called_by_its_name():
    x = noise((3, 4, 4), 0)
    named, made = (list(denoise(smooth_model, schedule, x, [900, 5]))[-1].x0 for schedule in ("cosine", cosine()))
    assert torch.equal(named, made) and forward(x, "linear").alpha_bars == forward(x, linear()).alpha_bars


@pytest.mark.parametrize("schedule", [cosine(), linear(), straight()], ids=lambda s: s.name)
@pytest.mark.parametrize("n", [1, 5, 50])
def test_heun_begins_where_karras_does(schedule, n):
    """At the last timestep with at most 80 times as much noise as picture; the direct loop takes any times."""
    times = SAMPLERS["heun"].times(schedule, n)
    first, after = (schedule.alpha_bars[t] for t in (times[0], times[0] + 1))
    assert len(times) == n and (1 / first - 1) ** 0.5 <= 80 < (1 / after - 1) ** 0.5
    assert SAMPLERS["heun"].times(schedule, 1000) == schedule.timesteps(1000)
    assert SAMPLERS["ddim"].times(schedule, n) == schedule.timesteps(n)


@pytest.mark.parametrize("walk", [denoise, heun])
def test_what_writes_in_place_changes_no_step_that_was_yielded(walk):
    memory = torch.empty(1, 2)

    def reused(x, t):
        x.zero_()
        return memory.fill_(t)

    def adds(x, eps, alpha_bar, alpha_bar_next):
        eps.zero_()
        return x.add_(1)

    first, *_, last = walk(reused, cosine(), torch.zeros(1, 2), [9, 5], adds)
    assert (first.x_t.tolist(), first.eps.tolist(), last.x_t.tolist()) == ([[0, 0]], [[9, 9]], [[2, 2]])
