"""Editing in latents: the same bits as diffusers' own image-to-image and inpainting pipelines, on random weights."""

import functools

import numpy as np
import pytest
import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting
from PIL import Image
from sd_fixtures import folder, model, untouched

from diffusion_lab import Player, Trajectory, noise
from diffusion_lab.editing import Edit
from diffusion_lab.errors import LabError
from diffusion_lab.stable_diffusion import record
from diffusion_lab.stable_diffusion.samplers import SAMPLERS
from diffusion_lab.stable_diffusion.schedulers import fresh

KINDS = [("new", "epsilon"), ("v1-5", "v_prediction")]
WHOLE = [(KINDS[0], sampler, 0.6) for sampler in SAMPLERS if sampler != "lcm"]  # it takes no such number of steps
WHOLE += [(KINDS[1], sampler, 0.2) for sampler in ("ddim", "pndm", "euler_ancestral", "heun")]
EDITED = [(KINDS[0], sampler, 0.6) for sampler in ("ddim", "euler", "euler_ancestral", "dpmpp_2m", "heun", "pndm")]
EDITED += [(KINDS[1], sampler, 1.0) for sampler in ("ddim", "euler", "heun")]
SEEDS, HALF = [3, 4], np.zeros((64, 64), bool)
HALF[:, 32:] = True  # to be drawn anew: the right half, whole latent pixels


@functools.cache
def plain(task, kind):
    return task.from_pipe(untouched(folder(*kind)), requires_safety_checker=False)


def picture(width: int = 64, height: int = 64) -> Image.Image:
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([across, down, np.full_like(down, 90)], axis=-1).astype(np.uint8))


def drawn(task, kind, sampler, latent, **more) -> Trajectory:
    """The path of diffusers' pipeline, which takes a latent as it is (and else would draw one of several)."""
    pipe = plain(task, kind)
    pipe.scheduler = fresh(model(*kind).pipeline.scheduler, sampler)  # settings of another sampler would stay
    pipe.set_progress_bar_config(disable=True)
    with record(pipe) as path:
        end = pipe(["a cat"] * 2, image=latent.expand(2, -1, -1, -1), negative_prompt=["snow"] * 2, guidance_scale=5.0,
                   num_inference_steps=5, generator=[torch.Generator().manual_seed(seed) for seed in SEEDS],
                   output_type="latent", **more).images  # fmt: skip
    return path, end


@pytest.mark.parametrize("kind, sampler, strength", WHOLE)
def test_image_to_image_is_the_pipelines_own(kind, sampler, strength):
    sd = model(*kind)
    theirs, end = drawn(AutoPipelineForImage2Image, kind, sampler, sd.encode(picture()), strength=strength)
    ours = list(sd.steps("a cat", n=5, guidance_scale=5.0, negative_prompt="snow", seed=SEEDS, sampler=sampler,
                         edit=Edit(picture(), strength=strength)))  # fmt: skip
    assert torch.equal(ours[-1].x0, end) and len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert (a.t, a.alpha_bar, a.note) == (b.t, b.alpha_bar, b.note)
        assert torch.equal(a.x_t, b.x_t) and torch.equal(a.eps, b.eps)


@pytest.mark.parametrize("kind, sampler, strength", EDITED)
def test_inpainting_is_the_pipelines_own(kind, sampler, strength):
    sd = model(*kind)
    latent = sd.encode(picture())
    mask = Image.fromarray(HALF.astype(np.uint8) * 255)
    theirs, end = drawn(AutoPipelineForInpainting, kind, sampler, latent, strength=strength, mask_image=mask, width=64,
                        masked_image_latents=latent.expand(2, -1, -1, -1), height=64)  # fmt: skip
    ours = list(sd.steps("a cat", n=5, guidance_scale=5.0, negative_prompt="snow", seed=SEEDS, sampler=sampler,
                         edit=Edit(picture(), HALF, strength)))  # fmt: skip
    assert torch.equal(ours[-1].x0, end) and len(ours) == len(theirs)
    for a, b in zip(ours[:-1], theirs.steps[:-1], strict=True):
        assert torch.equal(a.x_t, b.x_t) and torch.equal(a.eps, b.eps)
    assert all(torch.equal(a.extras["proposal"], b.extras["proposal"])
               for a, b in zip(ours[1:-1], theirs.steps[1:-1], strict=True))  # fmt: skip
    assert torch.equal(theirs[-1].x0, end)  # what was pasted after the last step, too
    assert not ours[0].extras and torch.equal(ours[-1].extras["proposal"][..., 4:], end[..., 4:])
    assert torch.equal(ours[-1].x0[..., :4], latent[..., :4].expand(2, -1, -1, -1))


@pytest.mark.parametrize("sampler", ["ddim", "euler_ancestral", "heun", "pndm"])
def test_all_of_the_path_with_no_mask_is_plain_drawing(sampler):
    sd, how = model(), dict(n=5, seed=SEEDS, sampler=sampler)
    for edit in (Edit(picture()), Edit(picture(), np.ones((64, 64)))):
        pairs = zip(sd.steps("a cat", **how), sd.steps("a cat", **how, edit=edit), strict=True)
        assert all(torch.equal(a.x_t, b.x_t) and torch.equal(a.eps, b.eps) for a, b in pairs)


def test_the_recipe_tells_of_the_edit_and_the_player_shows_it():
    sd = model()
    path = Trajectory.of(sd.steps("a cat", n=10, edit=Edit(picture(), HALF, 0.5), sampler="dpmpp_2m_karras"))
    assert (path.recipe.strength, path.recipe.n, path.recipe.title) == (0.5, 10, "DPM++ 2M Karras")
    assert len(path) == 6 and "a cat" in Player(path).html


def test_a_wide_picture_and_its_mask_are_cut_alike():
    """Of 128 x 64 pixels the middle 64 are drawn, or as near to it as takes in all that the mask marks."""
    sd = model()
    for first in (32, 50, 64):
        wide = np.zeros((64, 128), bool)
        wide[:, first + 32 : first + 64] = True
        cut = picture(128, 64).crop((first, 0, first + 64, 64))
        a, b = (Trajectory.of(sd.steps("a cat", n=2, seed=1, edit=edit)).x0
                for edit in (Edit(picture(128, 64), wide), Edit(cut, HALF)))  # fmt: skip
        assert torch.equal(a, b) and torch.equal(a[..., :4], sd.encode(cut)[..., :4])
    large = picture().resize((256, 256))
    grey = Image.new("L", (256, 256), 51)
    soft = Trajectory.of(sd.steps("a cat", n=1, seed=1, sampler="ddim", edit=Edit(large, grey)))
    proposal = soft[-1].extras["proposal"]
    assert torch.allclose(soft.x0, 0.8 * sd.encode(large) + 0.2 * proposal, atol=1e-5)


def test_the_plain_loop_begins_there_too():
    """What `steps` begins with is what editing.begin gives the loop of lesson 04."""
    from diffusion_lab.editing import begin

    sd = model()
    x, timesteps = begin(sd.encode(picture()), sd.schedule, 10, 0.5, seed=7)
    first = next(sd.steps("a cat", n=10, seed=7, sampler="ddim", edit=Edit(picture(), strength=0.5)))
    assert timesteps[0] == first.t and torch.allclose(x, first.x_t, atol=1e-5)
    assert not torch.allclose(x, noise(sd.shape, 7), atol=0.1)


def test_what_cannot_be_edited_is_refused():
    with pytest.raises(LabError, match="a mask of the picture's size"):
        model().steps("a cat", edit=Edit(picture(), np.zeros((8, 8))))
