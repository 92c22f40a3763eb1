"""The closed-form denoisers against the sums they stand for, written out with loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_lab.errors import LabError
from diffusion_lab.exact import Exact, LocalExact
from diffusion_lab.noising import add_noise, noise
from diffusion_lab.pixels import TO_RGB
from diffusion_lab.sampling import denoise
from diffusion_lab.schedules import linear

CAPTIONS = ["a red disc", "a red star", "a blue disc", "a blue star", "a red disc"]


def pictures(n=5, size=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def posterior_mean(x, data, alpha_bar, seen=None):
    """Bayes' rule with plain loops; `seen` picks the values that may be compared."""
    seen = torch.ones_like(x, dtype=torch.bool) if seen is None else seen
    logs = [-float(((x - alpha_bar**0.5 * d)[seen].double() ** 2).sum()) / (2 * (1 - alpha_bar)) for d in data]
    weights = [math.exp(log - max(logs)) for log in logs]
    return sum(w * d for w, d in zip(weights, data, strict=True)) / sum(weights), weights


@pytest.mark.parametrize("t", [5, 200, 600, 999])
def test_exact_is_the_posterior_mean(t):
    model = Exact(pictures())
    alpha_bar = model.schedule.alpha_bar(t)
    x_t = add_noise(model.data[:2], alpha_bar, noise(model.shape, [1, 2]))
    guess = model.guess(x_t, alpha_bar)
    for x, got, weights in zip(x_t, guess, model.weights(x_t, alpha_bar), strict=True):
        mean, expected = posterior_mean(x, model.data, alpha_bar)
        assert torch.allclose(got, mean, atol=1e-5)
        assert torch.allclose(weights, torch.tensor(expected).double() / sum(expected), atol=1e-6)
    eps = model.predict_noise(x_t, t)
    assert torch.allclose(alpha_bar**0.5 * guess + (1 - alpha_bar) ** 0.5 * eps, x_t, atol=1e-5)


@pytest.mark.parametrize("t", [300, 600])
@pytest.mark.parametrize("window", [1, 3, 5])
def test_local_guess_is_the_posterior_mean_of_each_window(t, window):
    model = LocalExact(pictures(), window)
    alpha_bar = model.schedule.alpha_bar(t)
    x_t = add_noise(model.data[:1], alpha_bar, noise(model.shape, 1))
    guess = model.guess(x_t, alpha_bar)[0]
    reach = window // 2
    for i, j in [(0, 0), (2, 3), (5, 5), (5, 1)]:
        seen = torch.zeros_like(x_t[0], dtype=torch.bool)
        seen[:, max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1] = True
        mean, _ = posterior_mean(x_t[0], model.data, alpha_bar, seen)
        assert torch.allclose(guess[:, i, j], mean[:, i, j], atol=1e-4)


def test_a_window_over_everything_is_the_exact_denoiser():
    data = pictures(size=8)
    x_t = noise((3, 8, 8), [3, 4])
    whole, local = Exact(data), LocalExact(data, 16)
    for alpha_bar in (0.01, 0.3, 0.9):
        assert torch.allclose(whole.guess(x_t, alpha_bar), local.guess(x_t, alpha_bar), atol=1e-4)


def test_the_window_may_follow_the_noise():
    asked = []
    model = LocalExact(pictures(), lambda alpha_bar: asked.append(alpha_bar) or 3)
    list(model.steps("", n=4, seed=0))
    assert asked == [model.schedule.alpha_bar(t) for t in model.schedule.timesteps(4)]


def nearest(picture, data):
    return float((data - picture).flatten(1).norm(dim=1).min() / picture.numel() ** 0.5)


def test_exact_recites_and_local_invents():
    model = Exact(pictures(40, 8))
    recited = list(model.steps("", n=50, seed=[0, 1, 2, 3]))[-1].x0
    assert max(nearest(picture, model.data) for picture in recited) < 0.02
    local = LocalExact(pictures(40, 8), 3)
    invented = list(local.steps("", n=50, seed=[0, 1, 2, 3]))[-1].x0
    assert min(nearest(picture, model.data) for picture in invented) > 0.3
    values = model.data.permute(0, 2, 3, 1)  # and yet each pixel is one that some picture has at this place
    for picture in invented.permute(0, 2, 3, 1):
        assert float((values - picture).abs().amax(-1).amin(0).median()) < 0.05


def test_a_prompt_chooses_the_data():
    model = Exact(pictures(), CAPTIONS)
    assert model.condition(["red disc", "", "star"]).tolist() == [
        [True, False, False, False, True], [True] * 5, [False, True, False, True, False]]
    result = list(model.steps("blue star", n=20, seed=3))[-1].x0[0]
    assert torch.allclose(result, model.data[3], atol=1e-3)


@pytest.mark.parametrize("kind", [Exact, lambda data, captions: LocalExact(data, 16, captions)])
def test_a_prompt_chooses_the_data_of_each_picture(kind):
    """In a batch each picture has a prompt of its own; the window of the local one sees everything."""
    model = kind(pictures(), CAPTIONS)
    x_t, alpha_bar = noise(model.shape, [1, 2, 3]), model.schedule.alpha_bar(600)
    guess = model.guess(x_t, alpha_bar, model.condition(["red disc", "", "blue star"]))
    for x, got, known in zip(x_t, guess, ([0, 4], range(5), [3]), strict=True):
        mean, _ = posterior_mean(x, model.data[list(known)], alpha_bar)
        assert torch.allclose(got, mean, atol=1e-4)
    for condition, known in ((model.condition(["blue star"]), [3]), (None, range(5))):
        clean = torch.stack([posterior_mean(x, model.data[list(known)], alpha_bar)[0] for x in x_t])
        eps = (x_t - alpha_bar**0.5 * clean) / (1 - alpha_bar) ** 0.5
        assert torch.allclose(model.predict_noise(x_t, 600, condition), eps, atol=1e-4)
    recipe = model.steps("blue star", n=3, seed=[1, 2], guidance_scale=2, negative_prompt="disc").recipe
    assert (recipe.prompt, recipe.seed, recipe.n) == (("blue star",) * 2, (1, 2), 3)
    assert (recipe.guidance_scale, recipe.negative_prompt, recipe.model) == (2, "disc", model.name)


def test_words_are_words_whatever_stands_around_them():
    model = Exact(pictures(3), ["A red disc.", "one star,blue", "a.b"])
    assert model.condition(["Red", "blue, STAR.", "b"]).tolist() == torch.eye(3, dtype=torch.bool).tolist()


def test_what_is_not_said():
    for model in (Exact(pictures()), LocalExact(pictures(), 3)):
        assert (model.n, model.guidance_scale, model.sampler, model.schedule.name) == (50, 1.0, "ddim", "cosine")
        assert torch.equal(model.to_rgb, TO_RGB) and Exact(pictures(), schedule=linear()).schedule.name == "linear"
    assert LocalExact(pictures(), 3, schedule=linear()).schedule.name == "linear"
    assert Exact(np.zeros((3, 2), np.float32)).to_rgb is None
    assert [Exact(pictures()).name, LocalExact(pictures(), 3).name] == ["exact denoiser", "local denoiser"]
    with pytest.raises(LabError, match="use a picture world"):
        Exact(np.zeros((3, 2), np.float32)).encode(None)


def test_points_are_data_too():
    points = np.array([[1.0, 0.0], [-1.0, 0.0]], dtype=np.float32)
    model = Exact(points, schedule=linear())
    ends = torch.cat([list(model.steps(n=50, seed=s))[-1].x0 for s in range(6)])
    assert ends.shape == (6, 2) and (ends[:, 0].abs() - 1).abs().max() < 1e-2
    path = list(denoise(model.predict_noise, model.schedule, torch.tensor([[0.0, 1.0]]), [500]))
    assert torch.allclose(path[0].x0, torch.zeros(1, 2), atol=1e-5)  # half-way between: the mean of both


@given(st.integers(1, 4), st.integers(1, 5), st.floats(0.001, 0.999))
@settings(max_examples=30, deadline=None)
def test_a_guess_never_leaves_the_range_of_the_data(n, size, alpha_bar):
    model = LocalExact(pictures(n, size), 3)
    guess = model.guess(noise(model.shape, 0), alpha_bar)
    assert (guess >= model.data.amin(0) - 1e-4).all() and (guess <= model.data.amax(0) + 1e-4).all()


def test_pictures_go_in_and_out():
    model = Exact(pictures())
    (image,) = model.picture(model.data[:1])
    assert image.size == (6, 6) and np.array_equal(np.asarray(image), pictures()[0])
    assert torch.equal(model.encode(image), model.data[:1])


@pytest.mark.parametrize("call", [
    lambda: Exact(np.zeros((0, 4, 4, 3), dtype=np.uint8)), lambda: Exact(np.zeros((3, 4, 4), dtype=np.uint8)),
    lambda: Exact(np.zeros((3, 4, 4, 3))), lambda: Exact(np.array([["a", "b"]])),
    lambda: Exact(pictures(), ["only one"]), lambda: Exact(pictures(), CAPTIONS).steps("green disc"),
    lambda: LocalExact(np.zeros((3, 2), dtype=np.float32), 3), lambda: Exact(pictures()).steps("", n=0),
    lambda: Exact(pictures()).steps("", sampler="magic"), lambda: Exact(pictures()).steps("", guidance_scale="much"),
    lambda: Exact(pictures()).steps(["", ""], seed=[1, 2, 3]), lambda: Exact(pictures()).steps("", seed=0.5),
    lambda: Exact(pictures()).predict_noise(torch.zeros(1, 3, 5, 5), 3),
    lambda: Exact(pictures()).predict_noise(torch.zeros(1, 3, 6, 6), 1000),
    *(lambda model=model, a=a: model(pictures(), 3).guess(torch.zeros(1, 3, 6, 6), a)
      for model in (lambda data, window: Exact(data), LocalExact) for a in (0.0, 1.0, 1.5, -1.0, float("nan"), "x")),
    lambda: Exact(pictures()).guess(torch.zeros(3, 6, 6), 0.5), lambda: LocalExact(pictures(), 3).guess(None, 0.5),
    lambda: Exact(pictures()).weights(torch.zeros(3, 6, 6), 0.5), lambda: Exact(pictures(), schedule="cosin"),
    *(lambda w=w: LocalExact(pictures(), w) for w in (None, "5", -1, float("nan"), [5])),
    lambda: Exact(np.full((3, 2), np.nan)),
])
def test_bad_input_is_one_sentence(call):
    with pytest.raises(LabError, match=".*came;") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_unknown_word_is_answered_with_the_known_ones():
    with pytest.raises(LabError, match="'dragon' came; known: a, blue, disc, red, star"):
        Exact(pictures(), CAPTIONS).steps("a red dragon")
