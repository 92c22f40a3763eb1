"""One loop, one Step, one player: everything here runs through the same test, whatever made the noise go away."""

import functools
import inspect
import types
import typing

import pytest
import sd_fixtures
import torch
from PIL import Image

from diffusion_lab import Player, StableDiffusion, Trajectory, denoise, guided, noise, watch
from diffusion_lab.errors import LabError
from diffusion_lab.protocol import Model
from diffusion_lab.sampling import SAMPLERS


@functools.cache
def exact():
    from diffusion_lab import Exact
    from diffusion_lab.worlds import icons

    pictures, captions, _ = icons.sample(60, 0)
    return Exact(pictures, captions), "circle"


@functools.cache
def local():
    from diffusion_lab import LocalExact
    from diffusion_lab.worlds import icons

    pictures, captions, _ = icons.sample(60, 0)
    return LocalExact(pictures, 7, captions), "circle"


@functools.cache
def toy(name, prompt):
    from diffusion_lab import Toy

    return Toy.load(name), prompt


@functools.cache
def stable_diffusion(layout, prediction_type):
    from diffusion_lab import StableDiffusion

    return StableDiffusion.load(sd_fixtures.folder(layout, prediction_type)), "a photo of an astronaut"


MODELS = {
    "exact": exact,
    "local": local,
    "toy icons": functools.partial(toy, "icons", "red circle"),
    "toy points": functools.partial(toy, "points", "moons"),
    "SD, new layout, epsilon": functools.partial(stable_diffusion, "new", "epsilon"),
    "SD, v1-5 layout, v": functools.partial(stable_diffusion, "v1-5", "v_prediction"),
}
everything = pytest.mark.parametrize("made", MODELS.values(), ids=MODELS)


@everything
def test_the_protocol(made, tmp_path):
    model, prompt = made()
    batch = [3, 4]

    # the parts: a schedule, words, a guess
    timesteps = model.schedule.timesteps(5)
    x, condition = noise(model.shape, batch), model.condition([prompt, ""])
    eps = model.predict_noise(x, timesteps[0], condition)
    assert eps.shape == x.shape == (2, *model.shape) and eps.dtype == torch.float32 and torch.isfinite(eps).all()

    # the loop that a learner writes, with guidance, and the model's own way
    steps = list(denoise(guided(model, prompt, guidance_scale=2.0), model.schedule, x, timesteps))
    assert len(steps) == 6 and steps[0].eps_uncond is not None
    assert [step.t for step in steps] == [*timesteps, -1] and steps[-1].alpha_bar == 1
    for step in steps:
        mixed = step.alpha_bar**0.5 * step.x0 + (1 - step.alpha_bar) ** 0.5 * step.eps
        assert torch.allclose(mixed, step.x_t, atol=1e-4 * float(step.x0.abs().max()))
    assert torch.equal(steps[-1].x0, steps[-1].x_t)

    # watched, it is the same path; saved and loaded again too
    path = watch(model.steps(prompt, n=5, guidance_scale=2.0, seed=batch))
    assert isinstance(path, Trajectory) and path.direction == "reverse" and path.x0.shape == x.shape
    assert path.recipe.prompt == (prompt, prompt) and path.recipe.seed == (3, 4) and path.recipe.n == 5
    loaded = Trajectory.load(path.save(tmp_path / "path.safetensors"))
    assert loaded.recipe == path.recipe and len(loaded) == len(path) and loaded.pictures.keys() == path.pictures.keys()
    scale = float(path.x0.abs().max())
    for a, b in zip(path, loaded, strict=True):
        assert (a.x_t - b.x_t).abs().max() < 2e-3 * max(scale, float(a.x_t.abs().max()))

    # and the player shows it without the model
    html = Player(loaded)._repr_html_()
    assert prompt in html and len(html) < 600_000 and html == Player(loaded)._repr_html_()


def among(kind) -> tuple:
    """The kinds that a union takes; of one kind, itself; none where nothing is said."""
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else () if kind is None else (kind,)


@everything
def test_what_a_model_is_stands_in_code(made):
    """Every model has what the protocol asks for, under the same names, in the same order, with the same defaults, and
    takes all kinds of values that the protocol says."""
    model, _ = made()
    assert isinstance(model, Model)
    for name, asked in inspect.getmembers(Model, inspect.isfunction):
        if name.startswith("_"):
            continue
        wanted = list(inspect.signature(asked).parameters.values())[1:]
        given = list(inspect.signature(getattr(model, name)).parameters.values())
        assert [one.name for one in given] == [one.name for one in wanted], name
        told, kinds = typing.get_type_hints(asked), typing.get_type_hints(getattr(model, name))
        for one, other in zip(given, wanted, strict=True):
            assert not {*among(told.get(one.name))} - {*among(kinds.get(one.name))}, f"{name}({one.name})"
            assert one.kind == other.kind, f"{name}({one.name})"
            if other.default is not inspect.Parameter.empty:
                assert one.default == other.default, f"{name}({one.name})"
    assert isinstance(model.n, int) and isinstance(model.sampler, str) and isinstance(model.guidance_scale, float)


@everything
def test_a_sampler_s_entry_is_taken_where_the_samplers_are_ours_and_else_refused_in_a_sentence(made):
    model, prompt = made()
    half = SAMPLERS["ddpm"].with_eta(0.5)
    if isinstance(model, StableDiffusion):
        with pytest.raises(LabError, match="the name of one of diffusers' own, ddim, .*; a Sampler came; choose"):
            model.steps(prompt, sampler=half)
    else:
        recipe = model.steps(prompt, n=2, sampler=half).recipe
        assert (recipe.sampler, recipe.eta) == ("ddpm", 0.5)


@everything
def test_a_step_s_own_time_is_taken_back(made, tmp_path):
    """Fresh from a path, or loaded again from a file."""
    model, prompt = made()
    path = Trajectory.of(model.steps(prompt, n=2, guidance_scale=1))
    condition = model.condition([prompt])
    for step in (path[0], Trajectory.load(path.save(tmp_path / "path.safetensors"))[0]):
        again = model.predict_noise(path[0].x_t, step.t, condition)
        assert torch.allclose(again, path[0].eps, atol=1e-4)


@everything
def test_the_same_seed_is_the_same_picture_in_any_batch(made):
    model, prompt = made()
    *_, together = model.steps(prompt, n=4, seed=[7, 8])
    *_, alone = model.steps(prompt, n=4, seed=8)
    assert torch.allclose(together.x0[1], alone.x0[0], atol=1e-3 * float(alone.x0.abs().max()))
    assert not torch.allclose(together.x0[0], together.x0[1], atol=1e-2)


@everything
def test_pictures_go_in_and_come_out(made):
    model, _ = made()
    if len(model.shape) == 1:
        pytest.skip("points are no pictures")
    x0 = model.encode(Image.new("RGB", (100, 80), (200, 30, 30)))
    (image,) = model.picture(x0)
    assert x0.shape == (1, *model.shape) and isinstance(image, Image.Image) and image.mode == "RGB"


@everything
@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 2.5}, {"sampler": "magic"}, {"guidance_scale": "much"},
                                   {"seed": -1}, {"seed": [1, 2, 3], "prompt": ["", ""]},
                                   {"prompt": 7}, {"prompt": ["", None]}, {"prompt": b""},
                                   {"guidance_scale": float("nan")}, {"guidance_scale": "7.5"}, {"prompt": []},
                                   {"guidance_scale": 10**400}, {"negative_prompt": ["", ""]}, {"prompt": "\ud800"},
                                   {"seed": []}, {"seed": None}, {"sampler": ["ddim"]}, {"sampler": 5},
                                   {"edit": Image.new("RGB", (8, 8))}, {"edit": 5}, {"edit": {}}, {"edit": False},
                                   {"edit": []}, {"guidance_interval": (9, 1)}])
def test_what_a_user_gets_wrong_is_one_sentence(made, wrong):
    model, prompt = made()
    with pytest.raises(LabError) as caught:
        model.steps(**{"prompt": prompt, **wrong})
    assert "\n" not in str(caught.value) and "came" in str(caught.value)


@everything
def test_what_a_model_is_asked_fits_it_or_is_one_sentence(made):
    model, prompt = made()
    x, condition = noise(model.shape, [3, 4]), model.condition([prompt, ""])
    wrong = [x[0], x[:0], x.numpy(), None, x[:, :1], x.long()]
    calls = [*(lambda bad=bad: model.predict_noise(bad, 5, condition) for bad in wrong),
             *(lambda bad=bad: model.predict_noise(x[:1], 5, bad)
               for bad in (condition, "red", 5, condition.numpy(), condition[..., :1], condition[0])),
             lambda: model.predict_noise(x.to_sparse(), 5, condition),
             *(lambda bad=bad: model.picture(bad) for bad in (x[0], x[:0], x.numpy(), None, x[:, :1])),
             *(lambda bad=bad: model.condition(bad) for bad in ([], 5, [None], "\ud800")),
             *(lambda bad=bad: guided(model, prompt)(bad, 5) for bad in wrong[:1])]  # fmt: skip
    for k, call in enumerate(calls):
        with pytest.raises(LabError) as caught:
            call()
        assert "\n" not in str(caught.value) and ("came" in str(caught.value) or "points" in str(caught.value)), k
    assert torch.equal(model.condition(prompt), model.condition([prompt]))
    one, both = (model.predict_noise(x, 5, model.condition([prompt] * n)) for n in (1, 2))
    assert torch.equal(one, both)


@everything
def test_numbers_of_another_precision_are_taken(made):
    model, prompt = made()
    x, condition = noise(model.shape, 3), model.condition([prompt])
    plain = model.predict_noise(x, 500, condition)
    for kind in (torch.float64, torch.float16):
        eps = model.predict_noise(x.to(kind), 500, condition.to(kind))
        assert eps.dtype == kind and torch.allclose(eps.float(), plain, atol=0.02 * float(plain.abs().max()))
