"""Stable Diffusion against diffusers' own pipeline, on random weights.

The latents are the same numbers, bit for bit; the pictures are the same within one grey level (sd_fixtures.untouched
says why), and on some CPUs without any difference.
"""

import functools

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny, AutoPipelineForImage2Image, AutoPipelineForInpainting
from PIL import Image
from sd_fixtures import folder, grey_levels_apart, model, untouched

from diffusion_lab import Toy, Trajectory
from diffusion_lab.errors import LabError
from diffusion_lab.guidance import guided
from diffusion_lab.noising import noise
from diffusion_lab.places import Habits
from diffusion_lab.sampling import denoise
from diffusion_lab.stable_diffusion import StableDiffusion, record
from diffusion_lab.stable_diffusion.pictures import fit_to_rgb
from diffusion_lab.stable_diffusion.recording import save_recording
from diffusion_lab.stable_diffusion.samplers import SAMPLERS
from diffusion_lab.stable_diffusion.schedulers import fresh

PROMPTS, SEEDS, AWAY = ["a photo of a cat", "a red circle on mars."], [3, 4], "snow"
KINDS = [(layout, kind) for layout in ("new", "v1-5") for kind in ("epsilon", "v_prediction")]
SOME = ("ddim", "euler_ancestral", "pndm")
CASES = [(KINDS[0], sampler, scale) for sampler in SAMPLERS for scale in (1.0, 5.0)]
CASES += [(KINDS[3], sampler, 5.0) for sampler in SAMPLERS]
CASES += [(kind, sampler, scale) for kind in KINDS[1:3] for sampler in SOME for scale in (1.0, 5.0)]
EDITED = [(kind, sampler) for kind in (KINDS[0], KINDS[3]) for sampler in (*SOME, "euler", "dpmpp_2m", "heun")]
EDITED += [(kind, sampler) for kind in KINDS[1:3] for sampler in ("euler_ancestral", "pndm")]


def bare(pipeline, sampler: str, scale: float, n: int = 4, **more):
    """The plain call of diffusers' pipeline, as anyone would write it; returns latents (B, C, h, w) or pictures."""
    if more.pop("swap", True):
        pipeline.scheduler = fresh(pipeline.scheduler, sampler)
    return pipeline(PROMPTS, num_inference_steps=n, guidance_scale=scale, negative_prompt=[AWAY] * 2,
                    generator=[torch.Generator().manual_seed(seed) for seed in SEEDS], **more).images  # fmt: skip


plain_pipeline = functools.cache(lambda *kind: untouched(folder(*kind)))


@pytest.fixture
def kind(request):
    return getattr(request, "param", ("new", "epsilon"))


@pytest.fixture
def sd(kind):
    """A fixture model whose scheduler is put back after the test."""
    loaded = model(*kind)
    before = loaded.pipeline.scheduler
    yield loaded
    loaded.pipeline.scheduler = before


@pytest.fixture
def plain(kind):
    """diffusers' own pipeline of the same folder, which this package has not touched; its scheduler is put back."""
    pipeline = plain_pipeline(*kind)
    before = pipeline.scheduler
    yield pipeline
    pipeline.scheduler = before


@pytest.mark.parametrize("kind, sampler, scale", CASES, indirect=["kind"])
def test_steps_and_recorder_and_pipeline_draw_the_same_bits(sd, plain, sampler, scale):
    steps = list(sd.steps(PROMPTS, n=4, guidance_scale=scale, negative_prompt=AWAY, seed=SEEDS, sampler=sampler))
    drawn = bare(plain, sampler, scale, output_type="latent")
    with record(plain) as trajectory:
        recorded = bare(plain, sampler, scale, output_type="latent", swap=False)
    assert torch.equal(drawn, recorded) and torch.equal(drawn, steps[-1].x0)
    assert torch.isfinite(drawn).all() and not torch.equal(drawn[0], drawn[1])
    assert len(steps) == len(trajectory) and all(step.alpha_bar < 1 for step in steps[:-1])
    for ours, theirs in zip(steps, trajectory.steps, strict=True):
        assert (ours.t, ours.alpha_bar, ours.note) == (theirs.t, theirs.alpha_bar, theirs.note)
        assert torch.equal(ours.x_t, theirs.x_t) and torch.equal(ours.eps, theirs.eps)
        assert (ours.eps_uncond is None) == (scale == 1 or ours is steps[-1])
        assert ours.eps_uncond is None or torch.equal(ours.eps_uncond, theirs.eps_uncond)


@pytest.mark.parametrize("sampler", SOME)
def test_guidance_in_an_interval_draws_what_diffusers_draws_with_a_callback(sd, plain, sampler):
    """diffusers' own way: after each step the pipeline is told the scale, and what it reads, of the next one."""
    low, high = 300, 800
    plain.scheduler = fresh(plain.scheduler, sampler)
    cond, uncond = plain.encode_prompt(PROMPTS, "cpu", 1, True, negative_prompt=[AWAY] * 2)

    def switch(pipeline, i, t, given):
        following = [float(t) for t in pipeline.scheduler.timesteps[i + 1 : i + 2]]
        acts = any(low <= t <= high for t in following)
        pipeline._guidance_scale = 5.0 if acts else 1.0
        return {"prompt_embeds": torch.cat([uncond, cond]) if acts else cond}

    drawn = bare(plain, sampler, 1.0, 6, output_type="latent", swap=False, callback_on_step_end=switch,
                 callback_on_step_end_tensor_inputs=["prompt_embeds"])  # fmt: skip
    steps = list(sd.steps(PROMPTS, n=6, guidance_scale=5.0, negative_prompt=AWAY, seed=SEEDS, sampler=sampler,
                          guidance_interval=(low, high)))  # fmt: skip
    assert torch.equal(drawn, steps[-1].x0)
    pushed = [step.eps_uncond is not None for step in steps]
    assert pushed == [low <= step.t <= high for step in steps] and pushed[0] is pushed[-2] is False and any(pushed)


def test_both_layouts_hold_the_same_model():
    new, old = model("new"), model("v1-5")
    assert new.pipeline.tokenizer(PROMPTS).input_ids == old.pipeline.tokenizer(PROMPTS).input_ids
    x = [list(sd.steps(PROMPTS, n=3, seed=SEEDS))[-1].x0 for sd in (new, old)]
    assert torch.equal(*x) and torch.equal(new.decode(x[0]), old.decode(x[1]))


@pytest.mark.parametrize("kind", KINDS, indirect=True, ids="-".join)
def test_pictures_are_those_of_the_pipeline_within_one_grey_level(sd, plain):
    images = bare(plain, "dpmpp_2m", 5.0)
    with record(plain) as trajectory:
        again = bare(plain, "dpmpp_2m", 5.0, swap=False)
    steps = list(sd.steps(PROMPTS, n=4, guidance_scale=5.0, negative_prompt=AWAY, seed=SEEDS, sampler="dpmpp_2m"))
    for i, ours in enumerate(sd.picture(steps[-1].x0)):
        assert grey_levels_apart(ours, images[i]) <= 1
        assert grey_levels_apart(again[i], images[i]) == 0 == grey_levels_apart(trajectory.pictures[4][i], images[i])
    assert grey_levels_apart(*images) > 1


@pytest.mark.parametrize("kind", KINDS, indirect=True, ids="-".join)
@pytest.mark.parametrize("scale, n", [(1.0, 5), (5.0, 20)])
def test_the_loop_of_the_course_is_the_ddim_pipeline(sd, plain, scale, n):
    x = noise(sd.shape, SEEDS)
    predict = guided(sd, PROMPTS, AWAY, scale)
    *_, last = denoise(predict, sd.schedule, x, sd.schedule.timesteps(n))
    drawn = bare(plain, "ddim", scale, n, output_type="latent")
    assert ((last.x0 - drawn).norm() / drawn.norm()).item() <= 1e-5


@pytest.mark.parametrize("kind", [("new", "epsilon"), ("new", "v_prediction")], indirect=True, ids="-".join)
@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "euler", "euler_ancestral", "heun", "lms", "unipc",
                                     "dpmpp_2m_karras"])  # fmt: skip
def test_x0_of_a_step_is_the_schedulers_own(sd, sampler):
    scheduler = sd.pipeline.scheduler = fresh(sd.pipeline.scheduler, sampler)
    owns, step = [], scheduler.step

    @functools.wraps(step)
    def listening(*given, return_dict, **more):
        out = step(*given, **more)
        whole = getattr(out, "pred_original_sample", None)
        owns.append(scheduler.model_outputs[-1] if whole is None else whole)
        return (out.prev_sample,)

    scheduler.step = listening
    with record(sd.pipeline) as trajectory:
        sd.pipeline("a cat", num_inference_steps=4, output_type="latent")
    assert len(owns) == len(trajectory) - 1
    for step, own in zip(trajectory.steps, owns, strict=False):
        if not (step.note and sampler == "heun"):  # its second call gives the x0 of the mean of both guesses
            assert ((step.x0 - own).norm() / own.norm()).item() <= 2e-5


def test_second_calls_of_one_step_say_so(sd):
    samplers = ("pndm", "heun", "kdpm2", "ddim")
    notes = {name: [step.note for step in sd.steps("a cat", n=3, sampler=name)] for name in samplers}
    assert notes["pndm"] == ["", "correction", "", "", ""]
    assert notes["heun"] == notes["kdpm2"] == ["", "correction", "", "correction", "", ""]
    assert notes["ddim"] == [""] * 4


def test_paths_may_be_walked_side_by_side(sd):
    both = zip(sd.steps("a cat", n=4, sampler="pndm"), sd.steps("a dog", n=4, sampler="pndm"), strict=True)
    cats, dogs = zip(*both, strict=True)
    assert torch.equal(cats[-1].x0, list(sd.steps("a cat", n=4, sampler="pndm"))[-1].x0)
    assert torch.equal(dogs[-1].x0, list(sd.steps("a dog", n=4, sampler="pndm"))[-1].x0)
    assert "step" not in vars(sd.pipeline.scheduler) and sd.pipeline.scheduler.num_inference_steps is None


def test_picture_k_depends_on_its_own_seed_only(sd):
    together = list(sd.steps("a cat", n=4, seed=[7, 8], sampler="ddpm"))[-1].x0
    alone = list(sd.steps("a cat", n=4, seed=8, sampler="ddpm"))[-1].x0
    assert torch.allclose(together[1:], alone, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(together[:1], alone, rtol=1e-1, atol=1e-1)


def test_zero_guidance_is_the_guess_without_the_prompt(sd):
    steps = list(sd.steps("a cat", n=3, guidance_scale=0, sampler="ddim"))
    assert all(torch.equal(step.eps, step.eps_uncond) for step in steps[:-1])


def picture(sd) -> Image.Image:
    ramp = np.linspace(0, 255, 64)
    rows = [np.broadcast_to(ramp, (64, 64)), np.broadcast_to(ramp[:, None], (64, 64)), np.full((64, 64), 90)]
    return Image.fromarray(np.stack(rows, axis=-1).astype(np.uint8))


@pytest.mark.parametrize("kind, sampler", EDITED, indirect=["kind"])
@pytest.mark.parametrize("task", [AutoPipelineForImage2Image, AutoPipelineForInpainting])
def test_recorder_on_editing_pipelines(sd, plain, sampler, task):
    pipe = task.from_pipe(plain, requires_safety_checker=False)
    pipe.scheduler = fresh(plain.scheduler, sampler)
    pipe.set_progress_bar_config(disable=True)
    given = {"image": picture(sd), "strength": 0.6}
    if task is AutoPipelineForInpainting:
        mask = np.zeros((64, 64), np.uint8)
        mask[:, 32:] = 255
        given |= {"mask_image": Image.fromarray(mask), "height": 64, "width": 64}

    def draw():
        generator = torch.Generator().manual_seed(1)
        return pipe("a cat", **given, num_inference_steps=5, guidance_scale=5.0, generator=generator).images[0]

    drawn = draw()
    with record(pipe) as trajectory:
        recorded = draw()
    assert grey_levels_apart(drawn, recorded) == 0
    calls = {"pndm": 4, "heun": 5}.get(sampler, 3)
    assert len(trajectory) == calls + 1 and trajectory.steps[0].alpha_bar > 0.1
    assert grey_levels_apart(trajectory.pictures[calls][0], drawn) == 0
    assert grey_levels_apart(sd.decode(trajectory.x0)[0], drawn) <= 1
    pasted = [i for i, step in enumerate(trajectory.steps) if "proposal" in step.extras]
    assert trajectory.recipe.strength == 0.6
    assert pasted == (list(range(1, calls + 1)) if task is AutoPipelineForInpainting else [])
    for i in pasted[:-1]:  # what was pasted lies on the left; on the right the proposal stands as it was
        step, proposal = trajectory[i], trajectory[i].extras["proposal"]
        assert torch.allclose(step.x_t[..., 4:], proposal[..., 4:], rtol=1e-5, atol=1e-5)
        assert not torch.allclose(step.x_t[..., :4], proposal[..., :4], rtol=1e-2, atol=1e-2)
    assert plain.unet is pipe.unet and plain.scheduler is not pipe.scheduler


def test_recorder_knows_the_recipe_and_leaves_no_trace(sd):
    with record(sd.pipeline) as trajectory:
        sd.pipeline("a dog", num_inference_steps=2, output_type="latent")
        sd.pipeline("a cat", num_inference_steps=4, guidance_scale=3.0, negative_prompt="snow")
    recipe = trajectory.recipe
    assert recipe.prompt == ("a cat",) and recipe.negative_prompt == "snow" and recipe.guidance_scale == 3.0
    assert recipe.n == 4 and recipe.sampler == "pndm" and len(trajectory) == 6  # the last run: 4, correction, end
    assert not trajectory[-1].extras and list(trajectory.pictures) == [5]  # nothing of the run before
    assert trajectory.to_rgb.shape == (5, 3) and trajectory.direction == "reverse"
    assert not {"step"} & set(vars(sd.pipeline.scheduler)) and not {"decode"} & set(vars(sd.pipeline.vae))
    assert "encode_prompt" not in vars(sd.pipeline) and not sd.pipeline.unet._forward_hooks


@pytest.mark.parametrize("in_place", [True, False])
def test_recorder_hears_a_compiled_network(in_place):
    sd = StableDiffusion.load(folder())
    expected = list(sd.steps("a cat", n=3, sampler="ddim"))
    sd.pipeline.scheduler = fresh(sd.pipeline.scheduler, "ddim")
    if in_place:
        sd.pipeline.unet.compile(backend="eager", fullgraph=True)
    else:
        sd.pipeline.unet = torch.compile(sd.pipeline.unet, backend="eager", fullgraph=True)
    for _ in range(2):
        with record(sd.pipeline) as trajectory:
            sd.pipeline("a cat", num_inference_steps=3, generator=torch.Generator().manual_seed(0))
        assert all(torch.equal(a.eps, b.eps) for a, b in zip(expected, trajectory.steps, strict=True))
    assert torch.equal(expected[-1].x0, list(sd.steps("a cat", n=3, sampler="ddim"))[-1].x0)


def test_recorder_keeps_what_there_is_when_interrupted(sd):
    def stop(pipeline, i, t, tensors):
        if i == 2:
            raise KeyboardInterrupt
        return tensors

    with pytest.raises(KeyboardInterrupt), record(sd.pipeline) as trajectory:
        sd.pipeline("a cat", num_inference_steps=4, callback_on_step_end=stop)
    assert len(trajectory) == 3 and trajectory.steps[-1].alpha_bar < 1
    assert "step" not in vars(sd.pipeline.scheduler)
    static = torch.Generator().manual_seed(0)
    again = sd.pipeline("a cat", num_inference_steps=3, output_type="latent", generator=static).images
    assert torch.equal(again, list(sd.steps("a cat", n=3))[-1].x0)


def test_recorder_without_a_call_says_so(sd):
    with pytest.raises(LabError, match="none came"), record(sd.pipeline):
        pass


def test_only_a_pipeline_is_recorded(sd):
    for wrong, advice in ((sd, "model.pipeline"), (5, "load"), (None, "load")):
        with pytest.raises(LabError, match=f"{type(wrong).__name__} came; give .*{advice}"), record(wrong):
            pass


def test_a_recording_needs_a_path_of_its_model(sd, tmp_path):
    toy, path = Toy.load("icons"), Trajectory.of(sd.steps("a cat", n=1))
    toy_path = Trajectory.of(toy.steps("", n=1))
    for trajectory, which, said in ((Trajectory([]), sd, "at least one step"), (None, sd, "None came"),
                                    (toy_path, sd, r"\(B, 4, any, any\)"), (path, toy, "Toy came")):  # fmt: skip
        with pytest.raises(LabError, match=said):
            save_recording(trajectory, which, tmp_path / "run.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("preset", [["fast"], None, 5])
def test_a_preset_is_a_name(sd, preset):
    with pytest.raises(LabError, match="a preset is one of"):
        sd.use(preset)


def test_encode_and_decode(sd):
    latent = sd.encode(picture(sd))
    assert latent.shape == (1, *sd.shape) and latent.dtype == torch.float32
    assert torch.equal(latent, sd.encode(np.asarray(picture(sd))))
    pixels = sd.pipeline.image_processor.preprocess(picture(sd))
    with torch.no_grad():
        expected = sd.pipeline.vae.encode(pixels).latent_dist.mean * sd.pipeline.vae.config.scaling_factor
    assert torch.equal(latent, expected)
    assert sd.encode(Image.new("L", (300, 20))).shape == (1, *sd.shape)
    assert sd.decode(latent).shape == (1, 64, 64, 3) and sd.decode(latent).dtype == torch.uint8


def test_a_quick_picture_is_the_small_decoder_s_or_else_the_vae_s(sd):
    latent = sd.encode(picture(sd))
    assert sd.tiny_vae is None and torch.equal(sd.decode(latent, quick=True), sd.decode(latent))
    assert sd.steps("a cat", n=2).preview is None
    network = AutoencoderTiny(decoder_block_out_channels=(8,) * 4, encoder_block_out_channels=(8,) * 4).eval()
    tiny = StableDiffusion(sd.pipeline, Habits("tiny"), network)
    with torch.no_grad():
        expected = tiny.tiny_vae.decode(latent).sample
    expected = ((expected.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    assert (tiny.decode(latent, quick=True).int() - expected.int()).abs().max() <= 1
    assert np.array_equal(tiny.picture(latent, quick=True)[0], tiny.decode(latent, quick=True)[0].numpy())
    assert torch.equal(tiny.decode(latent), sd.decode(latent)) and not torch.equal(tiny.decode(latent), expected)
    assert torch.equal(tiny.steps("a cat", n=2).preview(latent), tiny.decode(latent, quick=True))


def test_linear_preview_is_the_best_fit(sd):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    matrix = fit_to_rgb(sd.pipeline, images)
    x = torch.cat([sd.encode(image) for image in images]).permute(0, 2, 3, 1)    # (6, 8, 8, 4)
    small = torch.cat([sd.decode(sd.encode(image)) for image in images]).float() / 127.5 - 1
    small = small.reshape(6, 8, 8, 8, 8, 3).mean(dim=(2, 4))                      # (6, 8, 8, 3)

    def error(m):
        return (x @ m[:-1] + m[-1] - small).square().mean().item()

    assert matrix.shape == (5, 3) and error(matrix) < 0.9 * small.var(dim=(0, 1, 2)).mean().item()
    assert all(error(matrix + d) > error(matrix) for d in 0.05 * torch.randn(8, 5, 3))


def test_a_folder_may_name_its_own_numbers(tmp_path):
    import json
    import shutil

    path = shutil.copytree(folder(), tmp_path / "tiny")
    about = {"name": "Tiny", "guidance_scale": 2.5, "sampler": "ddim", "to_rgb": [[0.1, 0.2, 0.3]] * 5}
    (path / "diffusion_lab.json").write_text(json.dumps(about))
    sd = StableDiffusion.load(path)
    steps = sd.steps("a cat", n=2)
    assert steps.recipe == steps.recipe.__class__("Tiny", ("a cat",), (0,), "ddim", 2, 2.5, title="DDIM")
    assert torch.equal(sd.to_rgb, torch.tensor(about["to_rgb"])) and sd.guidance_scale == 2.5
    (path / "diffusion_lab.json").write_text(json.dumps({"to_rgb": [[0.1, 0.2, 0.3]] * 4}))
    with pytest.raises(LabError, match="a to_rgb of 5 rows was expected.*; 4 came"):
        StableDiffusion.load(path).steps("a cat", n=2)
    assert model().guidance_scale == 7.5 and model().sampler == "own"


@pytest.mark.parametrize("arguments, expected", [
    ({"prompt": "a dragon riding a hors"}, "'dragon', 'hors' are not in new-epsilon's world; try horse; it knows"),
    ({"prompt": "a cat", "negative_prompt": "a hrose"}, "'hrose' is not in new-epsilon's world; try horse"),
    ({"prompt": "a \U0001f431 on mars"}, "'\U0001f431' is not in new-epsilon's world"),
    ({"prompt": "a \\cat"}, r"cat' is not in new-epsilon's world; try cat"),
    ({"prompt": "a cat\u2605"}, "'cat\u2605' is not in new-epsilon's world; try cat"),
    ({"prompt": "a x, a cat + a dog 5 \u20ac"}, "'x', '\\+', '5', '\u20ac' are not in new-epsilon's world"),
    ({"prompt": "x" * 20_000}, "'x{70,80}\\.\\.\\. is not in"),
    ({"prompt": "a cat on mars " * 20}, "at most 75 tokens; 80 came; .* would be cut: 'mars a cat on mars'$"),
    ({"prompt": 7}, "a prompt is text"),
    ({"prompt": ["a cat", None]}, "a prompt is text; None came"),
    ({"prompt": []}, "0 prompts"),
    ({"prompt": ["a cat"] * 3, "seed": [1, 2]}, "3 prompts and 2 seeds"),
    ({"prompt": "a cat", "seed": -1}, "a seed is a whole number"),
    ({"prompt": "a cat", "n": 0}, "number of steps is a whole number from 1 to 1000; 0 came"),
    ({"prompt": "a cat", "n": 2.5}, "2.5 came"),
    ({"prompt": "a cat", "n": 400, "sampler": "lcm"}, "LCMScheduler takes other numbers of steps; 400 came"),
    ({"prompt": "a cat", "guidance_scale": "much"}, "guidance_scale is a number; 'much' came"),
    ({"prompt": "a cat", "guidance_scale": float("nan")}, "guidance_scale is a number"),
    ({"prompt": "a cat", "sampler": "magic"}, "the sampler is .* ddim, .*'magic' came"),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused_at_once_in_one_sentence(sd, arguments, expected):
    with pytest.raises(LabError, match=expected) as caught:
        sd.steps(**arguments)
    assert "\n" not in str(caught.value)


def test_wrong_latents_times_and_pictures_are_refused(sd):
    condition = sd.condition(["a cat"])
    for x, t in [(torch.zeros(1, 3, 8, 8), 5), (torch.zeros(4, 8, 8), 5), (torch.zeros(1, 4, 8, 8), 1000),
                 (torch.zeros(1, 4, 8, 8), 1.5)]:  # fmt: skip
        with pytest.raises(LabError):
            sd.predict_noise(x, t, condition)
    for wrong in ("cat.png", np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8)):
        with pytest.raises(LabError, match="one picture was expected"):
            sd.encode(wrong)
