"""Exercises: the reference and other right answers pass, every known mistake fails under its own name."""

import itertools
import math
import re
import time
from pathlib import Path

import pytest
import torch

from diffusion_lab import StableDiffusion, Trajectory, ddim_step, guided, noise
from diffusion_lab.coursework.checking import NEAR, RIGHT, check, flat, judge_code, judge_value, todo, worst
from diffusion_lab.coursework.exercises import LESSONS, Code, Diagnoses, Value, exercises, find
from diffusion_lab.coursework.limits import limited
from diffusion_lab.errors import LabError

ROOT = Path(__file__).parents[1]
ALL = {name: exercise for lesson in LESSONS for name, exercise in exercises(lesson).items()}
CODES = [name for name, exercise in ALL.items() if isinstance(exercise, Code)]
SLIPS = [(name, slip.name) for name in CODES for slip in ALL[name].slips]


def q_sample_in_place(x0, alpha_bar, eps):
    x = x0.clone()
    x *= math.sqrt(alpha_bar)
    return x.add_(eps, alpha=math.sqrt(1 - alpha_bar))


def q_sample_by_angle(x0, alpha_bar, eps):
    angle = math.acos(alpha_bar**0.5)
    return math.cos(angle) * x0 + math.sin(angle) * eps


def posterior_by_exp(x_t, a, b, alpha_bar):
    rows = []
    for x in x_t:
        d_a, d_b = (sum((x - alpha_bar**0.5 * p) ** 2) for p in (a, b))
        w = 1 / (1 + torch.exp((d_a - d_b) / (2 * (1 - alpha_bar))))
        rows.append(w * a + (1 - w) * b)
    return torch.stack(rows)


def posterior_by_sigmoid(x_t, a, b, alpha_bar):
    """Only the line through both pictures matters: the weight is a sigmoid along it."""
    s = alpha_bar**0.5
    logit = (x_t @ (a - b)) * s / (1 - alpha_bar) - alpha_bar * (a @ a - b @ b) / (2 * (1 - alpha_bar))
    return b + torch.sigmoid(logit)[:, None] * (a - b)


def reverse_by_ratio(x_t, x0, a, b):
    ratio = math.sqrt((1 - b) / (1 - a))
    return ratio * x_t + (math.sqrt(b) - ratio * math.sqrt(a)) * x0


def reverse_by_parts(x_t, x0, a, b):
    static = x_t - torch.tensor(a).sqrt() * x0
    unit = static.div(math.sqrt(1 - a))
    return torch.lerp(unit * 0, x0, b**0.5) + unit.mul((1 - b) ** 0.5)


def ddim_by_velocity(x_t, eps, a, b):
    """Rotate by an angle: x_t and its velocity span the plane of x0 and eps."""
    here, there = math.acos(a**0.5), math.acos(b**0.5)
    x0 = (x_t - math.sin(here) * eps) / math.cos(here)
    v = math.cos(here) * eps - math.sin(here) * x0
    turn = there - here
    return math.cos(turn) * x_t + math.sin(turn) * v


def ddim_by_ratio(x_t, eps, a, b):
    scale = math.sqrt(b / a)
    return torch.add(x_t * scale, eps, alpha=math.sqrt(1 - b) - scale * math.sqrt(1 - a))


def ancestral_by_ddpm(x_t, eps, a, b, eta):
    """DDPM's posterior, equation 7, where eta is 1; DDIM's own form elsewhere."""
    beta = 1 - a / b
    variance = eta**2 * (1 - b) / (1 - a) * beta
    x0 = (x_t - math.sqrt(1 - a) * eps) / math.sqrt(a)
    if eta == 1:
        mean = (math.sqrt(b) * beta * x0 + math.sqrt(a / b) * (1 - b) * x_t) / (1 - a)
    else:
        mean = math.sqrt(b) * x0 + math.sqrt(1 - b - variance) * eps
    return mean, math.sqrt(variance)


def ancestral_by_tensors(x_t, eps, a, b, eta):
    a, b, eta = (torch.tensor(v, dtype=torch.float64) for v in (a, b, eta))
    sigma = eta * ((1 - b) / (1 - a)).sqrt() * (1 - a / b).sqrt()
    kept = (1 - b - sigma.square()).clamp(min=0).sqrt()
    return [ddim_by_ratio(x_t, eps, a, b) + (kept - (1 - b).sqrt()).float() * eps, sigma]


def draw_by_hand(predict, schedule, x, timesteps):
    bars = [schedule.alpha_bar(t) for t in timesteps] + [schedule.final]
    for i, t in enumerate(timesteps):
        eps = predict(x, t).eps
        x0 = (x - math.sqrt(1 - bars[i]) * eps) / math.sqrt(bars[i])
        x = math.sqrt(bars[i + 1]) * x0 + math.sqrt(1 - bars[i + 1]) * eps
    return x


def draw_recursively(predict, schedule, x, timesteps):
    if not timesteps:
        return x
    a = schedule.alpha_bar(timesteps[0])
    b = schedule.alpha_bar(timesteps[1]) if len(timesteps) > 1 else 1.0
    return draw_recursively(predict, schedule, ddim_by_ratio(x, predict(x, timesteps[0]).eps, a, b), timesteps[1:])


def test_the_loop_of_lesson_04_draws_with_stable_diffusion_unchanged():
    """The very lines that lesson 04 shows pass lesson 08's check, and then draw what diffusers' DDIM draws."""
    text = (ROOT / "lessons/text/04_sampling_step_by_step.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"(def my_sampler.*?return x\n)", text, flags=re.DOTALL)
    names = {"torch": torch, "ddim_step": ddim_step}
    exec(lines, names)
    assert judge_code(find("08.loop"), names["my_sampler"]).box.mood == "right"
    sd, prompt = StableDiffusion.load("tiny-sd"), "an astronaut riding a horse on mars"
    with torch.no_grad():
        mine = names["my_sampler"](guided(sd, prompt), sd.schedule, noise(sd.shape, 0), sd.schedule.timesteps(4))
    theirs = Trajectory.of(sd.steps(prompt, n=4, seed=0, sampler="ddim")).x0
    assert float((mine - theirs).abs().max()) < 1e-4


RIGHT_ANSWERS = {
    "08.loop": (draw_by_hand, draw_recursively),
    "04.ddim": (ddim_by_velocity, ddim_by_ratio),
    "04.ancestral": (ancestral_by_ddpm, ancestral_by_tensors),
    "01.q_sample": (q_sample_in_place, q_sample_by_angle),
    "02.posterior": (posterior_by_exp, posterior_by_sigmoid),
    "02.reverse": (reverse_by_ratio, reverse_by_parts),
}


@pytest.mark.parametrize("name", CODES)
def test_right_answers_pass(name):
    exercise = ALL[name]
    assert len(RIGHT_ANSWERS[name]) >= 2
    for answer in (exercise.reference, *RIGHT_ANSWERS[name]):
        verdict = judge_code(exercise, answer)
        assert (verdict.slip, verdict.box.mood) == ("", "right"), verdict.box
        assert verdict.goes_on is answer


@pytest.mark.parametrize(("name", "slip"), SLIPS)
def test_each_mistake_fails_under_its_own_name_and_is_handed_back(name, slip):
    code = next(s.code for s in ALL[name].slips if s.name == slip)
    verdict = judge_code(ALL[name], code)
    assert verdict.slip == slip
    assert slip in repr(verdict.box) and verdict.box.mood == "wrong"
    assert verdict.goes_on is code


@pytest.mark.parametrize("name", CODES)
def test_known_mistakes_have_the_right_form_and_lie_well_apart(name):
    exercise = ALL[name]
    assert len(exercise.slips) >= 5
    cases = exercise.cases()
    true = [exercise.reference(*case) for case in cases]
    results = {"the right answer": [flat(t) for t in true]}
    for slip in exercise.slips:
        torch.manual_seed(0)
        wrong = [slip.code(*case) for case in cases]
        for w, t in zip(wrong, true, strict=True):
            for one, other in zip(w if isinstance(t, tuple) else [w], t if isinstance(t, tuple) else [t], strict=True):
                if isinstance(other, torch.Tensor):
                    assert one.shape == other.shape and one.dtype == other.dtype, slip.name
        results[slip.name] = [flat(w) for w in wrong]
    for one, other in itertools.combinations(results, 2):
        assert min(worst(results[one], results[other]), worst(results[other], results[one])) > 10 * NEAR, (one, other)


@pytest.mark.parametrize("name", CODES)
def test_another_mistake_is_unrecognised_and_handed_back(name):
    reference = ALL[name].reference

    def strange(*arguments):
        result = reference(*arguments)
        return tuple(r * 1.17 + 0.03 for r in result) if isinstance(result, tuple) else result * 1.17 + 0.03

    verdict = judge_code(ALL[name], strange)
    assert verdict.slip == "unrecognised" and verdict.goes_on is strange


@pytest.mark.parametrize("name", CODES)
def test_stub_says_not_yet_and_the_reference_goes_on(name, capsys):
    def stub(*arguments):
        return todo()

    assert check(name, stub) is ALL[name].reference
    assert "Not yet" in capsys.readouterr().out


@pytest.mark.parametrize("name", ALL)
def test_hints_and_words_never_contain_the_solution(name):
    exercise = ALL[name]
    assert len(exercise.hints) == 3 and all(len(hint.split()) <= 80 for hint in exercise.hints)
    if isinstance(exercise, Code):
        said = " ".join(slip.says for slip in exercise.slips)
        assert "return" not in said
        assert len({slip.name for slip in exercise.slips}) == len(exercise.slips)


def endless(*arguments):
    while True:
        pass


def endless_and_stubborn(*arguments):
    while True:
        try:
            sum(range(1000))
        except Exception:
            continue


def endless_and_deaf(*arguments):
    while True:
        try:
            sum(range(1000))
        except:  # noqa: E722
            if len(caught) > 1:
                raise
            caught.append(1)


caught = []


def asleep(*arguments):
    time.sleep(8)


def huge(*arguments):
    return torch.zeros(10**11)


def growing(*arguments):
    kept = []
    while True:
        kept.append(torch.ones(10**5))


@pytest.mark.parametrize(("answer", "stopped", "running"), [
    (endless, "time", False), (endless_and_stubborn, "time", False), (endless_and_deaf, "time", False),
    (asleep, "time", True), (huge, "memory", False), (growing, "memory", False)])
def test_runaways_are_stopped(answer, stopped, running):
    began = time.monotonic()
    outcome = limited(answer, seconds=1.0, gigabytes=0.06)
    assert (outcome.stopped, outcome.running) == (stopped, running)
    assert time.monotonic() - began < 4


def test_the_ceiling_is_gone_afterwards():
    limited(huge, gigabytes=0.06)
    assert limited(lambda: torch.empty(2 * 10**8).numel()).value == 2 * 10**8


def test_an_endless_loop_is_told_in_words_and_the_reference_goes_on():
    verdict = judge_code(ALL["01.q_sample"], endless)
    assert verdict.slip == "stopped" and "did not come to an end" in repr(verdict.box)
    assert verdict.goes_on is ALL["01.q_sample"].reference


def test_a_huge_allocation_is_told_in_words():
    verdict = judge_code(ALL["01.q_sample"], huge)
    assert verdict.slip == "stopped" and "too much memory" in repr(verdict.box)


def test_an_error_is_explained_with_its_line():
    def raises(x0, alpha_bar, eps):
        return alpha_bar**0.5 * x0 + missing * eps  # noqa: F821

    verdict = judge_code(ALL["01.q_sample"], raises)
    text = repr(verdict.box)
    assert verdict.slip == "raised" and verdict.goes_on is ALL["01.q_sample"].reference
    assert "NameError" in text and "missing * eps" in text and "spelled" in text


@pytest.mark.parametrize(("answer", "says"), [
    (lambda x0, alpha_bar: x0, "q_sample(x0, alpha_bar, eps)"),
    (lambda x0, alpha_bar, eps: x0 + torch.zeros(7), "do not fit together"),
    (lambda x0, alpha_bar, eps: (x0 / 0 if alpha_bar else 1 / 0), "not numbers"),
    (lambda x0, alpha_bar, eps: exit(), "SystemExit"),
    (lambda x0, alpha_bar, eps: None, "return"),
    (lambda x0, alpha_bar, eps: 3.0, "a tensor of shape"),
    (lambda x0, alpha_bar, eps: x0.mean(), "drops or adds a dimension"),
    (lambda x0, alpha_bar, eps: (alpha_bar**0.5 * x0 + (1 - alpha_bar) ** 0.5 * eps).double(), "float64"),
    (lambda x0, alpha_bar, eps: x0.mul_(alpha_bar**0.5).add_(eps, alpha=(1 - alpha_bar) ** 0.5), "its arguments"),
    ("q_sample", "A function was expected"),
])
def test_unusable_answers_are_told_why(answer, says):
    verdict = judge_code(ALL["01.q_sample"], answer)
    assert says in repr(verdict.box) and verdict.box.mood == "wrong"


def test_slightly_other_rounding_is_right_and_slightly_off_a_mistake_is_that_mistake():
    exercise = ALL["01.q_sample"]
    assert judge_code(exercise, lambda *a: exercise.reference(*a) * (1 + RIGHT / 3)).box.mood == "right"
    slip = exercise.slips[0]
    assert judge_code(exercise, lambda *a: slip.code(*a) * (1 + NEAR / 3)).slip == slip.name


@pytest.mark.parametrize("name", [name for name, e in ALL.items() if isinstance(e, Value)])
def test_values(name, capsys):
    exercise = ALL[name]
    assert check(name, ...) == exercise.truth
    assert "Not yet" in capsys.readouterr().out
    assert judge_value(exercise, exercise.truth).box.mood == "right"
    for wrong, says in exercise.wrong.items():
        verdict = judge_value(exercise, wrong)
        assert verdict.box.mood == "wrong" and says.replace("`", "") in repr(verdict.box).replace("`", "")
        assert verdict.goes_on == wrong
    assert judge_value(exercise, "nonsense").slip == "unusable"
    assert judge_value(exercise, None).slip == "unusable"


@pytest.mark.parametrize("name", ["04.ddmi", "99.x", "", "01", 7])
def test_unknown_exercise_is_a_sentence(name):
    with pytest.raises(LabError, match="exercise was expected"):
        find(name)


def test_boxes_escape_what_the_learner_wrote():
    html = judge_value(ALL["01.schedule"], "<script>alert(1)</script>").box._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert 'role="status"' in html and "var(--jp-content-font-color0" in html


def test_diagnoses_are_the_only_other_kind():
    assert {type(e) for e in ALL.values()} <= {Code, Value, Diagnoses}
