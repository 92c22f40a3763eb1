"""Tiny SD turbo: its recipe at toy length, the folder that shares all but the U-Net with its teacher, what it draws."""

import json
import shutil
import warnings
from argparse import ArgumentParser, Namespace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffusion_lab import denoise, evaluation, guided
from diffusion_lab.errors import LabError
from diffusion_lab.places import WEIGHTS, find_model
from diffusion_lab.schedules import scaled_linear

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from diffusers import AutoPipelineForText2Image, UNet2DConditionModel

    from diffusion_lab.recipes import tiny_sd_turbo
    from diffusion_lab.recipes.tiny_sd.asked import described
    from diffusion_lab.recipes.tiny_sd_turbo import report, training
    from diffusion_lab.stable_diffusion import StableDiffusion
    from diffusion_lab.stable_diffusion.loading.folders import habits_in

TURBO, TEACHER = WEIGHTS / "tiny_sd_turbo", WEIGHTS / "tiny_sd"
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def turbo():
    return StableDiffusion.load("tiny-sd-turbo", device="cpu")


@pytest.fixture(scope="module")
def tiny():
    return StableDiffusion.load("tiny-sd", device="cpu")


def options(*words: str):
    parser = ArgumentParser()
    tiny_sd_turbo.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training of one step a stage: its command line."""
    words = ["--out", str(tmp_path_factory.mktemp("turbo")), "--steps", "1", "1", "--batch", "1"]
    tiny_sd_turbo.run(options(*words))
    return words


def test_the_recipe_makes_a_folder_that_loads(trained, capsys):
    out = options(*trained).out
    with pytest.raises(LabError, match="add --resume"):
        tiny_sd_turbo.run(options(*trained))
    tiny_sd_turbo.run(options(*trained, "--resume"))  # both stages are done: nothing is trained
    folder = capsys.readouterr().out.partition(": ")[0]
    assert folder == f"{out}/tiny_sd_turbo"
    own = StableDiffusion.load(folder, device="cpu")
    assert (own.name, own.n, own.guidance_scale, own.sampler) == ("Tiny SD turbo", 4, 1.0, "ddim")
    mine, teachers = (load_file(f"{path}/{UNET}") for path in (folder, TEACHER))
    assert mine.keys() == teachers.keys() and not torch.equal(mine["conv_in.weight"], teachers["conv_in.weight"])


def test_a_jump_of_the_imitation_replaces_steps_of_the_teacher_and_ends_where_the_sampler_does():
    teacher = training.Teacher(2)
    found = training.Imitation(teacher).jumps
    ends = {t: steps[-1][2] for t, steps in found.items()}
    a, final = teacher.schedule.alpha_bar, teacher.schedule.final
    assert ends == {999: a(499), 749: a(249), 499: final, 249: final}
    assert [len(steps) for steps in found.values()] == [4, 4, 4, 2]
    assert training.FOUR == teacher.schedule.timesteps(4) and training.TWO == teacher.schedule.timesteps(2)


def test_the_imitation_learns_both_calls_of_two_and_the_two_between_of_four(monkeypatch):
    asked, learned, walks = [], [], set()
    teacher = SimpleNamespace(sd=None, schedule=scaled_linear(), draw=lambda generator, silent: ([], None),
                              static=lambda generator: torch.ones(1, 4, 2, 2))  # fmt: skip
    monkeypatch.setattr(training, "guided", lambda sd, prompts: None)
    monkeypatch.setattr(training, "velocity", lambda unet, x, t, condition: asked.append(t) or unet(x))
    monkeypatch.setattr(training, "target", lambda teacher, x, steps: learned.append(steps[0][0]) or 0 * x)
    for seed in range(12):
        asked.clear(), learned.clear()
        training.Imitation(teacher)(torch.nn.Linear(2, 2), torch.Generator().manual_seed(seed)).backward()
        walks.add((tuple(asked), tuple(learned)))
    assert walks == {((999, 499), (999, 499)), ((999, 749, 499, 249), (749, 249))}


def test_prompts_are_those_of_training_and_few_are_empty(monkeypatch):
    teacher, parts = training.Teacher.__new__(training.Teacher), []
    teacher.batch, teacher.sd = 300, SimpleNamespace(condition=lambda prompts: None)
    monkeypatch.setattr(training.scenes, "choose_window", lambda rng, part: parts.append(part))
    monkeypatch.setattr(training.scenes, "caption", lambda window, rng: "a scene")
    empty = {silent: teacher.draw(torch.Generator().manual_seed(0), silent)[0].count("") for silent in (0, 0.1)}
    assert set(parts) == {"train"} and len(parts) == 600
    assert empty == {0: 0, 0.1: pytest.approx(30, abs=15)}


def test_the_exported_network_lies_between_the_first_stage_and_the_student_of_the_second(monkeypatch, tmp_path):
    def follow(stage, network):
        for k, part in enumerate(network.values() if stage == "match" else [network]):
            torch.nn.init.constant_(part.weight, {"imitate": 10, "match": 20}[stage] + 100 * k)
        return network

    teacher = SimpleNamespace(pupil=lambda: torch.nn.Linear(1, 1, bias=False))
    for name, stand_in in {"Teacher": lambda batch: teacher, "Imitation": lambda t: None, "Matching": lambda t: None,
                           "train": lambda network, loss, steps, **how: network, "follow": follow,
                           "export": lambda network, folder: network}.items():  # fmt: skip
        monkeypatch.setattr(training, name, stand_in)
    made = training.train_both(Namespace(batch=1, steps=(1, 1), out=tmp_path, resume=False, every=60))
    assert made.weight.item() == pytest.approx(10 + training.MATCHED * 10) and training.MATCHED == 0.7


def test_who_draws_as_the_teacher_does_is_left_alone_by_matching():
    """Where the fake sees in the student's pictures what the teacher sees, unguided, no gradient comes."""
    teacher = training.Teacher(2)
    teacher.sd.guidance_scale = 1.0
    pupils = torch.nn.ModuleDict({"student": teacher.pupil(), "fake": teacher.pupil()})
    training.Matching(teacher)(pupils, torch.Generator().manual_seed(0)).backward()
    sizes = {name: sum(float(p.grad.norm()) for p in pupils[name].parameters()) for name in pupils}
    assert sizes["student"] < 1e-3 < 1 < sizes["fake"]


def test_the_folder_holds_what_differs_from_the_teacher_and_no_more(turbo, tiny):
    files = {path.relative_to(TURBO).as_posix() for path in TURBO.rglob("*") if path.is_file()}
    assert files == {"README.md", "diffusion_lab.json", "unet/config.json", UNET}
    mine, teachers = load_file(TURBO / UNET), load_file(TEACHER / UNET)
    assert {name: (t.dtype, t.shape) for name, t in mine.items()} == {
        name: (torch.float16, t.shape) for name, t in teachers.items()}  # fmt: skip
    assert (TURBO / "unet/config.json").read_bytes() == (TEACHER / "unet/config.json").read_bytes()
    assert find_model("tiny-sd-turbo").kind == find_model(TURBO).kind == "stable diffusion"
    for part in ("vae", "text_encoder"):
        a, b = (getattr(sd.pipeline, part).state_dict() for sd in (turbo, tiny))
        assert all(torch.equal(a[name], b[name]) for name in b)
    assert turbo.sampler == "ddim" and turbo.pipeline.scheduler.config == tiny.pipeline.scheduler.config


def test_plain_diffusers_draws_the_same_from_the_teacher_s_folder_and_this_u_net(turbo):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unet = UNet2DConditionModel.from_pretrained(TURBO / "unet")
        pipe = AutoPipelineForText2Image.from_pretrained(TEACHER, unet=unet)
    pipe.set_progress_bar_config(disable=True)
    words, seeded = "a red cat riding a bicycle on mars", torch.Generator().manual_seed(3)
    plain = pipe(words, num_inference_steps=2, guidance_scale=1, generator=seeded, output_type="latent").images
    path = list(turbo.steps(words, n=2, seed=3))
    assert len(path) == 3 and all(step.eps_uncond is None for step in path)
    assert torch.allclose(path[-1].x0, plain, atol=1e-5)
    *_, last = denoise(guided(turbo, words), turbo.schedule, path[0].x_t, turbo.schedule.timesteps(2))
    assert torch.allclose(last.x0, plain, atol=1e-4)


@pytest.mark.parametrize(("calls", "times"), [(2, 1.05), (1, 1.5)])
def test_few_calls_draw_what_is_asked_for_and_sharper_than_the_teacher_would(turbo, tiny, calls, times):
    prompts, asked = described(12, "held-out")
    sharpness = {}
    for sd in (turbo, tiny):
        *_, last = sd.steps(prompts, n=calls, guidance_scale=1, sampler="ddim", seed=list(range(12)))
        images = np.stack([np.asarray(picture) for picture in sd.picture(last.x0)])
        steps = [np.square(np.diff(images.astype(float), axis=axis)).mean() for axis in (1, 2)]
        sharpness[sd.name] = sum(steps)
        if sd is turbo:
            read = evaluation.fidelity(evaluation.look(evaluation.load_reader(), images)[0], asked)
            assert read == {"all three": 1.0, "colours": 1.0}
    assert sharpness["Tiny SD turbo"] > times * sharpness["Tiny SD"]


def test_the_preset_for_few_steps_is_for_it(turbo):
    own = StableDiffusion(turbo.pipeline, habits_in(TURBO))
    assert "play no part" in own.use("turbo") and own.n == 4


def _without(path, name: str) -> None:
    save_file({each: tensor for each, tensor in load_file(path).items() if each != name}, path)


@pytest.mark.parametrize(("change", "told"), [
    (lambda folder, about: about.update(rest="../nowhere"), 'all but the U-Net was expected in .*nowhere; .*"rest"'),
    (lambda folder, about: about.update(rest="a\0b"), "the path of a file or a folder was expected"),
    (lambda folder, about: about.update(rest=""), "model_index.json is missing"),
    (lambda folder, about: _without(folder / UNET, "conv_in.weight"), "turbo.unet.* conv_in.weight"),
    (lambda folder, about: (folder / UNET).unlink(), "weights .* were expected in .*unet; there are none"),
])  # fmt: skip
def test_a_broken_share_is_one_sentence(tmp_path, change, told):
    folder = shutil.copytree(TURBO, tmp_path / "turbo")
    about = json.loads((folder / "diffusion_lab.json").read_text(encoding="utf-8")) | {"rest": str(TEACHER)}
    change(folder, about)
    (folder / "diffusion_lab.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(LabError, match=told) as caught:
        StableDiffusion.load(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_a_student_is_read_wherever_it_lies(tmp_path):
    """Its teacher by name or by a path; its own U-Net in whatever files it was written."""
    folder = shutil.copytree(TURBO, tmp_path / "turbo")
    assert json.loads((folder / "diffusion_lab.json").read_text(encoding="utf-8"))["rest"] == "tiny-sd"
    (folder / UNET).rename((folder / UNET).with_suffix(".fp16.safetensors"))
    one = StableDiffusion.load(folder, device="cpu", dtype=torch.float32)
    assert one.name == "Tiny SD turbo" and one.tiny_vae is not None
    with pytest.raises(LabError, match="one part of one, its 'UNet2DConditionModel'; give the folder above it"):
        StableDiffusion.load(folder / "unet", device="cpu")


@pytest.mark.parametrize("size", [None, -1, [16, 0]])
def test_a_u_net_without_a_size_is_one_sentence(tmp_path, size):
    folder = shutil.copytree(TURBO, tmp_path / "turbo")
    about = json.loads((folder / "unet/config.json").read_text(encoding="utf-8"))
    (folder / "unet/config.json").write_text(json.dumps(about | {"sample_size": size}), encoding="utf-8")
    with pytest.raises(LabError, match="the sides of a latent were expected as sample_size in .*config.json"):
        StableDiffusion.load(folder, device="cpu")


def test_a_negative_prompt_that_would_play_no_part_is_told(turbo):
    with pytest.raises(LabError, match="Tiny SD turbo draws without guidance.*'blue' came; leave it out"):
        turbo.steps("a cat", negative_prompt="blue")
    turbo.steps("a cat", negative_prompt="blue", guidance_scale=1)  # who asks for 1 knows


def test_a_student_lies_on_the_line_between_its_two_stages():
    first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    for share in (0.0, 0.7, 1.0):
        made = training.between(first, second, share)
        assert torch.allclose(made.weight, (1 - share) * first.weight + share * second.weight)


def test_the_report_compares_calls_with_calls():
    rows = report.rows(TURBO)
    assert [title.rpartition(", ")[2] for title, *_ in rows] == [
        "40 calls", "8 calls", "4 calls", "2 calls", "4 calls", "2 calls", "1 call"]  # fmt: skip
    for title, folder, n, scale, _ in rows:
        assert title.endswith(f" {n * (1 if scale == 1 else 2)} call{'s' * (n * scale > 1)}"), folder
