"""What a student is asked for, where the answer is known in closed form."""

import pytest
import torch

from diffusion_lab import ddim_step, denoise, guided
from diffusion_lab.distillation import jumps, loss, matching, reflow, target, x0_between
from diffusion_lab.errors import LabError
from diffusion_lab.mixing import predicted_eps
from diffusion_lab.objectives import Objective
from diffusion_lab.schedules import cosine, scaled_linear, straight

MEAN, VARIANCE = 0.7, 0.25


def noise(B: int = 64) -> torch.Tensor:
    return torch.randn(B, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def gaussian(schedule):
    """The exact guess for data of one Gaussian: E[x0 | x_t] is linear in x_t."""
    def predict(x_t, t):
        a = schedule.alpha_bar(t)
        x0 = MEAN + a**0.5 * VARIANCE / (a * VARIANCE + 1 - a) * (x_t - a**0.5 * MEAN)
        return predicted_eps(x_t, x0, a)

    return predict


def shrinks(a: float, a_next: float) -> float:
    """By what one DDIM step multiplies the distance of x_t from the mean of Gaussian data."""
    return (a_next**0.5 * a**0.5 * VARIANCE + ((1 - a_next) * (1 - a)) ** 0.5) / (a * VARIANCE + 1 - a)


@pytest.mark.parametrize("schedule", [cosine(), scaled_linear(), straight()], ids=lambda schedule: schedule.name)
@pytest.mark.parametrize("teacher", [2, 5])
def test_for_gaussian_data_the_target_is_known(schedule, teacher):
    for steps in jumps(schedule, 4, teacher):
        (_, a, _), (_, _, a_s) = steps[0], steps[-1]
        shrunk = torch.tensor([shrinks(before, after) for _, before, after in steps], dtype=torch.float64).prod()
        x_t, r = noise(), ((1 - a_s) / (1 - a)) ** 0.5
        x_s = a_s**0.5 * MEAN + shrunk * (x_t - a**0.5 * MEAN)
        wanted = (x_s - r * x_t) / (a_s**0.5 - r * a**0.5)
        assert torch.allclose(target(gaussian(schedule), x_t, steps), wanted, atol=1e-9)
        assert torch.allclose(ddim_step(x_t, predicted_eps(x_t, wanted, a), a, a_s), x_s, atol=1e-9)


def test_many_steps_of_the_teacher_are_the_flow_itself():
    """Along the exact flow of Gaussian data the distance from the mean keeps its share of the spread."""
    (steps,) = jumps(cosine(), 1, 1000)
    x_t, a = noise(), steps[0][1]
    end = MEAN + (VARIANCE / (a * VARIANCE + 1 - a)) ** 0.5 * (x_t - a**0.5 * MEAN)
    assert torch.allclose(target(gaussian(cosine()), x_t, steps), end, atol=5e-3)


def test_a_student_begins_its_jumps_where_it_will_be_asked():
    for schedule, n in ((cosine(), 4), (scaled_linear(), 2), (scaled_linear(), 1)):
        found = jumps(schedule, n)
        assert [steps[0][0] for steps in found] == schedule.timesteps(n)
        assert [steps[-1][2] for steps in found] == [after for _, _, after in schedule.times(schedule.timesteps(n))]


def test_who_plays_the_teacher_has_no_loss_and_lands_where_it_lands():
    schedule, answers = scaled_linear(), {}
    teacher = gaussian(schedule)

    def perfect(x_t, t, condition):
        steps = answers[int(t[0])]
        return target(teacher, x_t, steps)

    x = noise()
    for steps in jumps(schedule, 2):
        answers[steps[0][0]] = steps
        assert loss(Objective(schedule, "x0"), perfect, teacher, x, steps).item() < 1e-20
        assert loss(Objective(schedule, "x0"), lambda x, t, c: perfect(x, t, c) + 0.1, teacher, x, steps).item() == (
            pytest.approx(0.01))  # fmt: skip

    def student(x_t, t):
        return predicted_eps(x_t, perfect(x_t, torch.tensor([t]), None), schedule.alpha_bar(t))

    fast, slow = (reflow(predict, schedule, x, n)[0] for predict, n in ((student, 2), (teacher, 4)))
    assert torch.allclose(fast, slow, atol=1e-9)


class TwoPoints:
    """All data is one point with the prompt, another one without: then guidance makes a third point of both."""

    schedule, guidance_scale, cond, uncond = scaled_linear(), 2.5, 1.0, -0.5

    def condition(self, prompts):
        return torch.tensor([[self.cond if prompt else self.uncond] for prompt in prompts], dtype=torch.float64)

    def predict_noise(self, x_t, t, condition):
        return predicted_eps(x_t, condition.expand_as(x_t), self.schedule.alpha_bar(t))


def test_guidance_is_folded_into_the_target():
    model = TwoPoints()
    for scale in (None, 1.0, 4.0):
        point = -0.5 + (scale or 2.5) * 1.5
        for steps in jumps(model.schedule, 4):
            folded = target(guided(model, "a prompt", guidance_scale=scale), noise(), steps)
            assert torch.allclose(folded, torch.full_like(folded, point), atol=1e-6)


def test_reflow_pairs_are_the_ends_of_the_teacher_s_path():
    schedule, eps = straight(), noise()
    x0, again = reflow(gaussian(schedule), schedule, eps, 8)
    *_, last = denoise(gaussian(schedule), schedule, eps, schedule.timesteps(8))
    assert torch.equal(x0, last.x0) and again is eps and not torch.allclose(x0, eps)


def test_matching_pushes_from_what_is_likely_for_the_student_to_what_is_likely_for_the_teacher():
    x0, real, fake = noise(2).requires_grad_(), noise(2) + torch.tensor([[1.0], [-2.0]]), noise(2) + 0.5
    matching(x0, real, fake).backward()
    wanted = torch.tensor([[-0.5 / 1], [2.5 / 2]], dtype=torch.float64).expand(2, 3) / 6
    assert torch.allclose(x0.grad, wanted)
    assert matching(x0, real, real).item() == 0


def test_matching_stays_finite_where_the_teacher_leaves_a_picture_as_it_is():
    x0 = noise(2).requires_grad_()
    assert matching(x0, x0.detach(), x0.detach()).item() == 0
    matching(x0, x0.detach(), x0.detach() + 1).backward()
    assert torch.allclose(x0.grad, torch.full_like(x0, 1e3 / 6))


def test_a_teacher_is_asked_without_gradients_and_changes_no_x_t():
    weight = torch.full((3,), 0.5, dtype=torch.float64, requires_grad=True)
    x, steps = noise().requires_grad_(), jumps(cosine(), 2)[1]
    plain = target(lambda x_t, t: weight * x_t, x, steps)
    assert not plain.requires_grad
    assert torch.equal(target(lambda x_t, t: x_t.mul_(weight), x, steps), plain)  # it writes into what it gets
    assert torch.equal(x, noise())


def test_a_student_hears_its_condition():
    steps, heard = jumps(cosine(), 2)[0], []
    words = noise(64)
    loss(Objective(cosine(), "x0"), lambda x, t, c: heard.append(c) or x, gaussian(cosine()), noise(), steps, words)
    assert len(heard) == 1 and heard[0] is words


X, STEPS = noise(3), jumps(cosine(), 2)[0]


@pytest.mark.parametrize("call", [
    lambda: jumps(cosine(), 0), lambda: jumps(cosine(), 4, 0), lambda: jumps(cosine(), 501), lambda: jumps("sine", 4),
    lambda: x0_between(X, X, 0.5, 0.5), lambda: x0_between(X, X, 0.5, 0.1), lambda: x0_between(X, X, None, 0.1),
    lambda: x0_between(X, X[:1], 0.1, 0.5), lambda: matching(X, X, X[:1]), lambda: matching(X, X[:1], X),
    lambda: target(lambda x, t: x[:1], X, STEPS), lambda: target(lambda x, t: x > 0, X, STEPS),
    lambda: target(lambda x, t: x.long(), X, STEPS), lambda: target(lambda x, t: x / 0, X, STEPS),
    lambda: target(None, X, STEPS), lambda: target(lambda x, t: x, X, []), lambda: target(lambda x, t: x, X, None),
    lambda: target(lambda x, t: x, X, jumps(cosine(), 2)), lambda: target(lambda x, t: x, X.long(), STEPS),
    lambda: x0_between(X, X, 0, 1e-300), lambda: matching(X.long(), X.long(), X.long()),
])  # fmt: skip
def test_what_cannot_be_distilled_is_one_sentence(call):
    with pytest.raises(LabError, match="came; ") as told:
        call()
    assert "\n" not in str(told.value)
