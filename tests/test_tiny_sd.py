"""Tiny SD's recipe at toy length: the tokenizer, every stage, the folder that plain diffusers loads, a kill and a
resume."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from clock import Clock
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from diffusion_lab import evaluation
from diffusion_lab.errors import LabError
from diffusion_lab.worlds import scenes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from diffusers import StableDiffusionPipeline

    from diffusion_lab.recipes.tiny_sd import (
        SHIPPED,
        assembly,
        data,
        export,
        report,
        stages,
        tokenizer,
        unet,
        vae,
    )
    from diffusion_lab.recipes.tiny_sd.settings import Settings
    from diffusion_lab.stable_diffusion import StableDiffusion


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The state of a training of two steps a stage."""
    settings = Settings(tmp_path_factory.mktemp("tiny_sd"), drawn=70, encoded=48, steps=2)
    for stage in ("reader", "second", "vae", "latents", "decoder", "unet"):
        stages.BY_NAME[stage](settings)
    return settings


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    return tokenizer.save_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def test_every_known_word_is_one_token(tokens):
    for word in scenes.known_words():
        assert len(tokens(word).input_ids) == 3, word
    assert len(tokens("dragon").input_ids) > 3
    assert len(tokens) == len(tokenizer.vocabulary()[0])


def test_the_quick_look_up_gives_the_tokenizers_own_tokens(tokens):
    rng = np.random.default_rng(2)
    texts = ["", *(scenes.caption(scenes.choose(rng), rng) for _ in range(200))]
    expected = tokens(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
    assert torch.equal(tokenizer.WordTokens()(texts), expected)


def test_pictures_go_on_where_drawing_stopped(tmp_path):
    for done, _ in data.draw(tmp_path / "a", 250, "train", 3):
        if done >= 200:
            break
    assert len(list(data.draw(tmp_path / "a", 250, "train", 3))) > 0
    pictures = data.load(tmp_path / "a")
    assert np.array_equal(pictures.images[[0, 249]], scenes.sample(250, 3, "train")[0][[0, 249]])
    pixels, masks = pictures.batch(np.array([7, 2, 7]))
    assert torch.equal(pixels[0], pixels[2]) and torch.equal(pixels[0], evaluation.to_pixels(pictures.images[[7]])[0])
    assert masks.shape == (3, 1, 128, 128) and masks.max() == 1


def test_a_disk_too_small_for_the_pictures_is_told_before_they_are_drawn(tmp_path):
    with pytest.raises(LabError, match="GB of free disk were expected for 1,000,000,000 scenes"):
        next(data.draw(tmp_path, 10**9, "train", 3))


def test_the_latents_are_white(toy):
    rows = load_file(toy.out / "latents.safetensors")["x0"].float().permute(1, 0, 2, 3).flatten(1)
    assert torch.allclose(torch.cov(rows), torch.eye(4), atol=0.03)
    assert rows.mean(1).abs().max() < 0.03


def test_whitening_changes_no_picture():
    torch.manual_seed(0)
    autoencoder = vae.new_vae().eval()
    pixels = evaluation.to_pixels(scenes.sample(4, 1)[0])
    with torch.no_grad():
        latents = vae.encode(autoencoder, pixels)
        before = autoencoder.decode(latents).sample
        vae.whiten(autoencoder, latents)
        white = vae.encode(autoencoder, pixels)
        assert torch.allclose(autoencoder.decode(white).sample, before, atol=1e-3)
    assert torch.allclose(torch.cov(white.permute(1, 0, 2, 3).flatten(1)), torch.eye(4), atol=1e-3)
    assert torch.allclose(autoencoder.encode(pixels).latent_dist.mean, white, atol=1e-4)


def test_the_decoder_is_trained_and_the_encoder_stays(toy):
    first, then = (load_file(toy.out / stage / "weights.safetensors") for stage in ("vae", "decoder"))
    same = {name: torch.equal(first[name], then[name]) for name in first}
    assert all(same[name] for name in same if name.startswith(("encoder.", "quant_conv.")))
    assert not all(same[name] for name in same if name.startswith("decoder."))


def test_plain_diffusers_draws_from_the_folder(toy):
    folder = toy.out / "tiny_sd"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 16e6
    for path in folder.rglob("*.safetensors"):
        with safe_open(path, "pt") as file:
            assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"F16"}
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    assert config["clip_sample"] is False and config["steps_offset"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = StableDiffusionPipeline.from_pretrained(folder)
    assert {pipe.unet.dtype, pipe.vae.dtype, pipe.text_encoder.dtype} == {torch.float32}
    pipe.set_progress_bar_config(disable=True)
    picture = pipe("a cat", num_inference_steps=2, negative_prompt="snow", guidance_scale=3.0).images[0]
    assert picture.size == (128, 128)
    assert list((toy.out / "progress").glob("row_*.png"))


def test_the_folder_names_the_shipped_habits_and_a_preview_of_its_own(toy):
    made, shipped = (StableDiffusion.load(folder) for folder in (toy.out / "tiny_sd", SHIPPED))
    for model in (made, shipped):
        assert (model.name, model.n, model.guidance_scale, model.sampler) == ("Tiny SD", 20, 2.5, "dpmpp_2m_sde")
    fitted = torch.tensor(export.habits(shipped.pipeline)["to_rgb"])
    assert torch.allclose(shipped.to_rgb, fitted, atol=0.05)  # another draw of scenes moves it as much as 0.03
    assert made.to_rgb.shape == (5, 3) and not torch.allclose(made.to_rgb, shipped.to_rgb, atol=0.05)


def test_a_coffee_is_over_in_time_on_a_machine_that_slows_down(toy, tmp_path):
    """Five minutes; each step takes 20 s at first (the clock is read twice) and 80 s later: the 13 steps that the first
    pace promises would take 800 s."""
    for name in ("pictures", "latents.safetensors"):
        (tmp_path / name).symlink_to(toy.out / name)
    clock = Clock(lambda k: 10 if k < 12 else 40)
    stages.over_a_coffee(Settings(tmp_path, drawn=70, encoded=48, minutes=5, clock=clock))
    assert 270 < clock.now < 600
    rows = sorted((tmp_path / "progress").glob("row_*.png"))
    assert 5 <= int(rows[-1].stem.removeprefix("row_")) <= 9
    heights = [Image.open(path).height for path in (rows[-1], tmp_path / "progress" / "growing.png")]
    assert len(rows) == 2 and heights[1] == 2 * heights[0] + 4
    assert StableDiffusion.load(tmp_path / "tiny_sd").name == "Tiny SD"


def test_the_representation_term_fades():
    loss = unet.DiffusionLoss(None, 100)
    weights = [loss.representation_weight(step) for step in (0, 40, 60, 80, 99)]
    assert weights == pytest.approx([0.7, 0.7, 0.35, 0.0, 0.0])


def test_a_training_is_not_written_over(toy):
    with pytest.raises(LabError, match="add --resume"):
        stages.train_reader(toy)


def test_a_missing_stage_is_named(tmp_path):
    with pytest.raises(LabError, match="run --stage unet first"):
        assembly.trained(tmp_path)


def test_the_report_asks_for_what_it_says():
    prompts, asked = report.described(20, "held-out")
    assert all(asked["subject"][k] in prompts[k] and asked["colour"][k] in prompts[k] for k in range(20))
    held_out = set(scenes.COMBINATIONS["held-out"])
    assert set(zip(asked["subject"], asked["ride"], asked["place"], strict=True)) <= held_out


def _train(out, *more):
    command = [sys.executable, "-m", "diffusion_lab", "train", "tiny-sd", "--stage", "reader", "--drawn", "70",
               "--steps", "12", "--every", "0", "--out", str(out), *more]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            env=os.environ | {"OMP_NUM_THREADS": "1"})  # fmt: skip


def test_a_killed_training_goes_on_exactly(tmp_path):
    whole = _train(tmp_path / "whole")
    killed = _train(tmp_path / "killed")
    checkpoint, deadline = tmp_path / "killed" / "reader" / "checkpoint.safetensors", time.monotonic() + 180
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    with safe_open(checkpoint, "pt") as file:
        assert json.loads(file.metadata()["about"])["step"] < 12
    assert whole.wait(180) == 0, whole.stderr.read()
    again = _train(tmp_path / "killed", "--resume")
    assert again.wait(180) == 0, again.stderr.read()
    one, other = (load_file(tmp_path / name / "reader" / "weights.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_processes_train_together(toy, tmp_path):
    # --multi_gpu is the way to several processes, also where there is no GPU; --cpu would start a single one
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
               "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port",
               "29611", "-m", "diffusion_lab",
               "train", "tiny-sd", "--stage", "reader", "--drawn", "70", "--steps", "2", "--out",
               str(tmp_path)]  # fmt: skip
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, env=alone)
    assert ran.returncode == 0, ran.stderr
    with safe_open(tmp_path / "reader" / "checkpoint.safetensors", "pt") as file:
        assert json.loads(file.metadata()["about"])["step"] == 2
    one, two = (load_file(out / "reader" / "weights.safetensors") for out in (toy.out, tmp_path))
    assert not torch.equal(one["heads.subject.weight"], two["heads.subject.weight"])  # it saw the other's pictures too


@pytest.mark.parametrize("which", ["reader", "second"])
def test_the_shipped_readers_read_real_scenes(which):
    images, _, labels = scenes.sample(150, 4321)
    read, features = evaluation.look(evaluation.load_reader(which), images)
    shares = evaluation.fidelity(read, labels)
    assert shares["all three"] >= 0.98 and shares["colours"] >= 0.98
    assert features.shape == (150, 128)


def test_an_unknown_reader_is_named():
    with pytest.raises(LabError, match="'third' came"):
        evaluation.load_reader("third")


def test_the_shipped_model_draws_what_is_asked():
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 16e6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = StableDiffusionPipeline.from_pretrained(SHIPPED)
    pipe.set_progress_bar_config(disable=True)
    prompts, asked = report.described(16, "held-out")
    images = np.stack([np.asarray(picture) for picture in export.draw(pipe, prompts, range(16), n=8)])
    for which in ("reader", "second"):
        shares = evaluation.fidelity(evaluation.look(evaluation.load_reader(which), images)[0], asked)
        assert shares["all three"] >= 14 / 16 and shares["colours"] >= 14 / 16


def test_bfloat16_trains_the_same_network_with_float32_weights():
    torch.manual_seed(0)
    plain = unet.TinySD(8, half=False)
    half = unet.TinySD(8, half=True)
    half.load_state_dict(plain.state_dict())
    x_t, t = torch.randn(2, 4, 16, 16), torch.tensor([10, 900])
    tokens = tokenizer.WordTokens()(["a cat on mars", ""])
    for one, other in zip(plain(x_t, t, tokens), half(x_t, t, tokens), strict=True):
        assert other.dtype == torch.float32 and not torch.equal(one, other)
        assert float((one - other).norm() / one.norm()) < 0.05
    half(x_t, t, tokens)[0].square().mean().backward()
    assert all(p.dtype == torch.float32 and (p.grad is None or p.grad.isfinite().all()) for p in half.parameters())
