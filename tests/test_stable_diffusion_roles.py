"""Roles, devices, presets, recordings, and the article's own snippet through the loopback hub."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting
from loopback_hub import Hub, serving
from PIL import Image
from sd_fixtures import build, folder, grey_levels_apart, half, model, untouched
from test_hub import HOME, OLD, run

from diffusion_lab.__main__ import main
from diffusion_lab.errors import LabError
from diffusion_lab.noising import add_noise, noise
from diffusion_lab.places import ROLES, WEIGHTS, role_of
from diffusion_lab.player import Player
from diffusion_lab.stable_diffusion import StableDiffusion, record, save_recording
from diffusion_lab.stable_diffusion.loading.devices import best_dtype, check_device, check_dtype, makes_numbers
from diffusion_lab.stable_diffusion.presets import PRESETS
from diffusion_lab.stable_diffusion.recording import LIMIT
from diffusion_lab.stable_diffusion.schedulers import fresh
from diffusion_lab.trajectory import Recipe, Step, Trajectory, arrived

SNIPPET = """
import sys, torch, numpy as np
from diffusers import AutoPipelineForText2Image
pipeline = AutoPipelineForText2Image.from_pretrained(sys.argv[1], dtype=torch.float32, variant="fp16")
prompt = "A photo of an astronaut riding a horse on mars."
image = pipeline(prompt, generator=torch.Generator().manual_seed(5)).images[0]

from diffusion_lab.stable_diffusion import StableDiffusion
for asked in sys.argv[2:]:
    sd = StableDiffusion.load(asked, device="cpu")
    *_, last = sd.steps(prompt, seed=5)
    apart = np.abs(np.asarray(sd.picture(last.x0)[0]).astype(int) - np.asarray(image)).max()
    print("SAME", sd.name, apart <= 1)
from diffusion_lab.commands.draw import open_model
print("DRAW", open_model(sys.argv[1]).name)
"""


def test_the_articles_snippet_and_our_steps_draw_the_same_picture_within_one_grey_level(tmp_path):
    with serving(Hub({HOME: half(build(tmp_path / "hub", "v1-5"))})) as hub:
        out, err = run(SNIPPET, HOME, "stable-diffusion-v1-5", OLD, cache=tmp_path / "cache", url=hub.url, timeout=400)
    assert out.count("SAME Stable Diffusion v1.5 True") == 2, out + err
    assert "DRAW Stable Diffusion v1.5" in out or "DRAW Tiny SD" in out


STAND_IN = """
import sys, pathlib
from diffusion_lab.stable_diffusion.loading import hub
from diffusion_lab.places import role_of
hub.WEIGHTS = pathlib.Path(sys.argv[1])  # a package that ships a Tiny SD
for slow in (True, False):
    folder, role = hub.find_or_stand_in(hub.Source(role_of("stable-diffusion-v1-5")), slow, print)
    print("GOT", role.title, folder.name)
"""


def test_tiny_sd_stands_in_and_says_so_in_one_line(tmp_path):
    (tmp_path / "tiny_sd").symlink_to(folder())
    out, err = run(STAND_IN, str(tmp_path), cache=tmp_path / "cache", url="http://127.0.0.1:9")
    slow, first, offline, second = out.splitlines()
    assert slow == "no GPU here: Tiny SD stands in for Stable Diffusion v1.5, which wants a GPU with 4 GB of memory"
    assert offline.startswith(f"{HOME} cannot be reached")
    assert offline.endswith("; Tiny SD stands in for Stable Diffusion v1.5")
    assert first == second == "GOT Tiny SD tiny_sd" and err == ""


def test_addresses_are_roles():
    assert role_of(OLD) is role_of(HOME) is ROLES["stable-diffusion-v1-5"]
    assert role_of("someone/something").homes == ("someone/something",)


def test_devices_and_numbers(tmp_path):
    assert check_device("cpu") == "cpu" and best_dtype(folder(), "cuda") == torch.float32
    large = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    large.parent.mkdir()
    with large.open("wb") as file:
        file.truncate(300_000_000)
    assert best_dtype(tmp_path, "cuda") == torch.float16
    assert best_dtype(tmp_path, "cpu") in (torch.bfloat16, torch.float32)
    with pytest.raises(LabError, match="float16 on a CPU takes minutes"):
        check_dtype(torch.float16, "cpu")
    with pytest.raises(LabError, match="a device is one of cuda, mps, cpu; 'gpu' came"):
        StableDiffusion.load(folder(), device="gpu")
    for device, module in (("cuda", torch.cuda), ("mps", torch.backends.mps)):
        if not module.is_available():
            with pytest.raises(LabError, match="take device='cpu'"):
                StableDiffusion.load(folder(), device=device)


def test_bfloat16_draws(tmp_path):
    sd = StableDiffusion.load(folder(), device="cpu", dtype=torch.bfloat16)
    *_, last = sd.steps("a cat", n=2, guidance_scale=2)
    assert last.x0.dtype == torch.float32 and torch.isfinite(last.x0).all()
    assert sd.pipeline.unet.dtype == torch.bfloat16 and sd.picture(last.x0)[0].size == (64, 64)


def test_a_black_picture_says_why():
    sd = model()
    x = noise(sd.shape, 0)
    assert sd.why_black(x) == "" and makes_numbers(sd.pipeline)
    assert "overflowed (NaN)" in sd.why_black(x * float("nan"))
    assert sd.decode(x * float("nan")).max() == 0


@pytest.fixture
def with_checker(tmp_path):
    """A model whose safety checker, with random weights, takes everything for unsafe."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    path = build(tmp_path / "checked", "new")
    tiny = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    vision = tiny | dict(image_size=32, patch_size=16)
    torch.manual_seed(0)
    checker = StableDiffusionSafetyChecker(CLIPConfig(text_config=tiny, vision_config=vision, projection_dim=8))
    torch.nn.init.constant_(checker.concept_embeds_weights, -2.0)
    checker.save_pretrained(path / "safety_checker")
    CLIPImageProcessor(size=32, crop_size=32).save_pretrained(path / "feature_extractor")
    index = json.loads((path / "model_index.json").read_text())
    index |= {"safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
              "feature_extractor": ["transformers", "CLIPImageProcessor"], "requires_safety_checker": True}  # fmt: skip
    (path / "model_index.json").write_text(json.dumps(index))
    return path


def test_the_safety_checker_is_one_argument(with_checker):
    x = noise(model().shape, 0)
    free, guarded = (StableDiffusion.load(with_checker, safety_checker=on) for on in (False, True))
    assert free.decode(x).max() > 0 and free.why_black(x) == ""
    assert guarded.decode(x).max() == 0 and "safety checker took it for unsafe" in guarded.why_black(x)


LITTLE_MEMORY = """
import resource, sys
from diffusion_lab.errors import LabError
from diffusion_lab.stable_diffusion import StableDiffusion
sd = StableDiffusion.load(sys.argv[1], device="cpu")
steps = sd.steps("a cat", n=1, guidance_scale=1, seed=list(range(4096)))
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 200_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    next(steps)
except LabError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits its own memory as Linux does")
def test_memory_that_ran_out_says_what_helps():
    done = subprocess.run([sys.executable, "-c", LITTLE_MEMORY, folder()], capture_output=True, text=True)
    assert "more memory was needed than this device has; draw fewer pictures at once" in done.stdout, done.stderr


def test_presets_say_what_they_change():
    sd = StableDiffusion.load(folder())
    assert all(preset.changes for preset in PRESETS.values())
    assert "20 steps" in sd.use("fast")
    assert sd.steps("a cat").recipe.n == 20 and sd.steps("a cat").recipe.sampler == "dpmpp_2m_karras"
    sd.use("as_in_article")
    assert (sd.steps("a cat").recipe.n, len(list(sd.steps("a cat")))) == (50, 52)
    with pytest.raises(LabError, match="turbo needs a model that was taught"):
        sd.use("turbo")
    with pytest.raises(LabError, match="a preset is one of as_in_article, fast, compiled, turbo; 'faster' came"):
        sd.use("faster")


def made_up_path(shape, n: int) -> Trajectory:
    x0, eps = noise(shape, 1), noise(shape, 2)
    shares = [((k + 0.5) / n) ** 2 for k in range(n)]
    steps = [Step(add_noise(x0, a, eps), eps, a, 1000 * (1 - a), eps + 0.1) for a in shares]
    return Trajectory([*steps, arrived(x0)], Recipe("a", ("a cat",), (1,), "ddim", n, 7.5), torch.ones(5, 3))


def test_a_recording_is_small_and_replays_anywhere(tmp_path):
    sd = StableDiffusion.load(build(tmp_path / "large", size=64))
    path = save_recording(made_up_path((4, 64, 64), 50), sd, tmp_path / "run.safetensors")
    again = Trajectory.load(path)
    assert path.stat().st_size <= LIMIT and len(again) == 51 and len(again.pictures) == 4
    assert again.recipe.model == "large on CPU, float32" and again.recipe.prompt == ("a cat",)
    step = again[20]
    assert torch.allclose(step.x_t, add_noise(again.x0, step.alpha_bar, step.eps), atol=5e-3)
    assert 0.9 < step.eps.std() < 1.1
    assert Image.fromarray(again.pictures[50][0].numpy()).width >= 128
    assert len(Player(again).html) < 900_000


def test_a_small_models_recording_leaves_nothing_out(tmp_path):
    whole = made_up_path((4, 8, 8), 20)
    whole.recipe = replace(whole.recipe, prompt=("a cat", "a dog"), seed=(1, 2))
    again = Trajectory.load(save_recording(whole, model(), tmp_path / "run.safetensors"))
    assert again[5].x_t.shape == (1, 4, 8, 8) and again[5].eps_uncond is not None
    assert (again.recipe.prompt, again.recipe.seed) == (("a cat",), (1,))
    assert torch.allclose(again.x0, whole.x0, atol=1e-2)
    with pytest.raises(LabError, match="a recording of at most 600 kB was expected; 1001 steps"):
        save_recording(made_up_path((4, 32, 32), 1000), model(), tmp_path / "long.safetensors")
    assert not (tmp_path / "long.safetensors").exists()


TINY = WEIGHTS / ROLES["tiny-sd"].shipped
shipped = pytest.mark.skipif(not (TINY / "model_index.json").is_file(), reason="no Tiny SD is shipped yet")


@pytest.fixture(scope="module")
def tiny():
    return StableDiffusion.load("tiny-sd", say=lambda line: pytest.fail(line))


@pytest.fixture(scope="module")
def plain_tiny():
    return untouched(TINY)


@shipped
@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler_ancestral", "pndm"])
def test_tiny_sd_goes_every_way_the_same(tiny, plain_tiny, sampler):
    sources = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    plain_tiny.scheduler = fresh(plain_tiny.scheduler, sampler)
    asked = dict(n=3, seed=[3, 4], guidance_scale=2.0, negative_prompt="snow", sampler=sampler)
    steps = list(tiny.steps("a cat on mars", **asked))
    with record(plain_tiny) as trajectory:
        drawn = plain_tiny(["a cat on mars"] * 2, num_inference_steps=3, guidance_scale=2.0, generator=sources,
                           negative_prompt=["snow"] * 2).images  # fmt: skip
    assert torch.equal(trajectory.x0, steps[-1].x0)
    assert all(torch.equal(a.eps, b.eps) for a, b in zip(steps, trajectory.steps, strict=True))
    assert all(grey_levels_apart(*pair) <= 1 for pair in zip(tiny.picture(steps[-1].x0), drawn, strict=True))


@shipped
@pytest.mark.parametrize("task", [AutoPipelineForImage2Image, AutoPipelineForInpainting])
def test_tiny_sd_is_recorded_while_it_edits(tiny, task):
    pipe = task.from_pipe(tiny.pipeline, requires_safety_checker=False)
    pipe.scheduler = fresh(tiny.pipeline.scheduler, "dpmpp_2m")
    pipe.set_progress_bar_config(disable=True)
    given = {"image": Image.new("RGB", (128, 128), "orange"), "strength": 0.6, "num_inference_steps": 5}
    if task is AutoPipelineForInpainting:
        mask = Image.new("L", (128, 128))
        mask.paste(255, (64, 0, 128, 128))
        given |= {"mask_image": mask, "height": 128, "width": 128}
    plain = pipe("a cat on mars", generator=torch.Generator().manual_seed(0), **given).images[0]
    with record(pipe) as trajectory:
        again = pipe("a cat on mars", generator=torch.Generator().manual_seed(0), **given).images[0]
    assert plain.tobytes() == again.tobytes() == trajectory.pictures[3][0].numpy().tobytes()


def test_the_draw_command(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    words = ["draw", "a cat on mars", "--model", str(folder("v1-5")), "--steps", "3", "--device", "cpu"]
    files = ["--out", "cat.png", "--player", "steps.html", "--record", "run.safetensors"]
    assert main([*words, "--preset", "fast", *files]) == 0
    said = capfd.readouterr()
    assert said.err == "" and "fast changes another sampler in 20 steps" in said.out
    assert "'a cat on mars' drawn by v1-5-epsilon on CPU, float32 in 3 steps, seed 0" in said.out
    again = Trajectory.load(tmp_path / "run.safetensors")
    assert len(again) == 4 and again.recipe.sampler == "dpmpp_2m_karras"
    assert Image.open(tmp_path / "cat.png").size == (256, 256) and (tmp_path / "steps.html").stat().st_size > 10_000
