"""Tiny SD's recipe at toy length: the tokenizer, every stage, the folder that plain diffusers loads, a kill and a
resume."""

import contextlib
import inspect
import json
import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from browser import free_port
from clock import Clock
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from diffusion_lab import evaluation
from diffusion_lab.errors import LabError
from diffusion_lab.worlds import scenes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from diffusers import AutoencoderTiny, StableDiffusionPipeline

    from diffusion_lab.recipes.tiny_sd import (
        SHIPPED,
        asked,
        assembly,
        data,
        export,
        probes,
        stages,
        tiny_vae,
        tokenizer,
        unet,
        vae,
    )
    from diffusion_lab.recipes.tiny_sd.settings import Settings
    from diffusion_lab.stable_diffusion import StableDiffusion


DECIBELS = 26.0  # of the shipped small decoder, on eight windows


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The state of a training of two steps a stage."""
    settings = Settings(tmp_path_factory.mktemp("tiny_sd"), drawn=90, steps=2, batch=16, workers=1)
    for stage in ("reader", "second", "vae", "latents", "unet", "tiny-vae"):
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


def test_pictures_go_on_where_drawing_stopped(tmp_path, monkeypatch):
    """Stopped after the first forty, gone on with by two processes: all are those of one call."""
    monkeypatch.setattr(data, "CHUNK", 2)  # what is done is written down every twenty of them
    kind = data.Kind("train", 3)
    for done, _ in data.draw(tmp_path / "a", 60, kind):
        if done == 40:
            break
    assert not data.complete(tmp_path / "a", 60)
    assert [done for done, _ in data.draw(tmp_path / "a", 60, kind, workers=2)] == list(range(42, 61, 2))
    assert data.complete(tmp_path / "a", 60) and not data.complete(tmp_path / "a", 61)
    pictures, whole = data.load(tmp_path / "a"), scenes.windows(60, 3, "train")
    for k in (0, 39, 40, 59):
        assert np.array_equal(pictures.images[k], whole.images[k]) and np.array_equal(pictures.masks[k], whole.masks[k])
    labels = scenes.labels(whole.scenes)
    read = {name: np.array(words)[pictures.labels[:, i].long()] for i, (name, words) in
            enumerate(evaluation.WORDS.items())}  # fmt: skip
    assert all(np.array_equal(read[name], labels[name]) for name in evaluation.WORDS)
    vocab = {number: token for token, number in tokenizer.WordTokens().vocab.items()}
    said = [[vocab[int(token)] for token in row] for row in pictures.tokens[40]]
    assert len({tuple(row) for row in said}) > 4 and all(row[0] == tokenizer.START for row in said)
    pixels, masks = pictures.batch(torch.tensor([7, 2, 7]))
    assert torch.equal(pixels[0], pixels[2]) and torch.equal(pixels[0], evaluation.to_pixels(whole.images[[7]])[0])
    assert masks.shape == (3, 1, 128, 128) and torch.equal(masks[1, 0], torch.from_numpy(whole.masks[2]) / 255)


def test_a_disk_too_small_for_the_pictures_is_told_before_they_are_drawn(tmp_path):
    with pytest.raises(LabError, match="GB of free disk were expected for 1,000,000,000 scenes"):
        next(data.draw(tmp_path, 10**9, data.KINDS["first"]))


def test_roughened_pictures_stay_beside_their_words():
    """Each picture comes out nearest to itself: plain, noisy or blurred, all three of them."""
    from diffusion_lab.recipes.tiny_sd.reader import roughen

    pixels = evaluation.to_pixels(scenes.sample(60, 2)[0])
    rough = roughen(pixels, torch.Generator().manual_seed(0))
    gaps = torch.cdist(rough.flatten(1), pixels.flatten(1))
    assert gaps.argmin(1).tolist() == list(range(60))
    own = gaps.diagonal() / pixels[0].numel() ** 0.5
    noisy, plain = (own - 0.1).abs() < 0.003, own == 0
    assert 10 < noisy.sum() < 30 and 10 < plain.sum() < 30 and 10 < (~noisy & ~plain).sum() < 30


def test_a_reader_learns_to_read():
    """Sixteen pictures by heart: the loss, 17 questions, falls from guessing to near nothing."""
    from diffusion_lab.recipes.tiny_sd.reader import ReaderLoss
    from diffusion_lab.training import adamw, train

    seen = scenes.windows(16, 5)
    labels = torch.stack(list(evaluation.targets(scenes.labels(seen.scenes)).values()), 1)
    images, masks = torch.from_numpy(seen.images), torch.from_numpy(seen.masks)
    pictures = data.Pictures(images, masks, torch.zeros(16, 8, 24), labels)
    torch.manual_seed(0)
    losses = [p.loss for p in train(evaluation.Reader(), ReaderLoss(pictures, pictures, 24), 120,
                                    optimizer=adamw(3e-3))]  # fmt: skip
    assert losses[0] > 18 and np.mean(losses[-5:]) < 3


def test_a_recorded_step_is_a_step_of_the_training_loop():
    """What a CUDA graph repeats, taken plainly on the CPU, moves weights and average as `train` does."""
    import copy

    from diffusion_lab.recipes.tiny_sd.graphed import _Step
    from diffusion_lab.training import horizon, muon_and_adamw, train

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    other, rows = copy.deepcopy(network), torch.randn(32, 4)

    class Loss:
        share = torch.zeros(())

        def at(self, step, steps):
            self.share.fill_(1 - step / steps)

        def __call__(self, network, generator):
            return (network(rows) - 1).square().mean() + self.share * network(rows).abs().mean()

    optimizer = muon_and_adamw(0.02, 1e-2, lambda name: name.startswith("2"), 0.5, warm_up=3)
    *_, last = train(network, Loss(), 20, optimizer=optimizer, ema=horizon())
    step = _Step(other, Loss(), optimizer(other), horizon())
    for k in range(20):
        step.prepare(k, 20)
        step.advance()
    for a, b in zip((*network.parameters(), *last.ema.parameters()),
                    (*other.parameters(), *step.average.module.parameters()), strict=True):  # fmt: skip
        assert torch.allclose(a, b, atol=1e-5)
    assert float(step.loss) == pytest.approx(last.loss, rel=1e-4)


def test_the_turns_of_the_wide_pictures():
    class Part:
        def __init__(self, name):
            self.name, self.told = name, []

        def at(self, step, steps):
            self.told.append(step)

        def __call__(self, network, generator):
            return self.name

    turns, came = unet.Turns(Part("square"), Part("wide")), []
    for step in range(16):
        turns.at(step, 16)
        came.append(turns(None, None))
    assert [k for k, name in enumerate(came) if name == "wide"] == [7, 15] == turns.losses[1].told


def test_the_latents_are_white(toy):
    rows = load_file(toy.out / "latents-first.safetensors")["x0"].float().permute(1, 0, 2, 3).flatten(1)
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


def test_the_difference_counts_values_edges_and_figures():
    """A step of .5 in one of 8 x 8 pixels: |e| + 2 e^2 = 1 there, four edges of .5 in three channels alike; on the
    figure both count four times, and the mean is weighted."""
    guess, pixels, masks = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    guess[..., 3, 3] = 0.5
    assert float(vae.difference(guess, pixels, masks)) == pytest.approx((1 + 4 * 0.5) / 64)
    masks[..., 3, 3] = 1  # the edges up and to the left are counted at the pixels before it
    assert float(vae.difference(guess, pixels, masks)) == pytest.approx((4 * (1 + 1) + 1) / 67)


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


def test_the_small_decoder_learns_from_the_vae_of_its_own_folder(toy):
    """Eight scenes, then eight guesses; the folder has the small decoder, which plain diffusers loads silently."""
    sd = StableDiffusion.load(toy.out / "tiny_sd")
    pairs = load_file(toy.out / "tiny_vae" / "pairs.safetensors")
    came = scenes.windows(16, tiny_vae.SEED, "train")
    x0, images, masks = pairs["x0"].float(), pairs["images"], pairs["masks"]
    assert torch.equal(masks, torch.from_numpy(came.masks)) and (images.int() - sd.decode(x0)).abs().max() <= 1
    encoded = vae.encode(sd.pipeline.vae, evaluation.to_pixels(came.images))
    scale = encoded.abs().max()
    assert (x0 - encoded)[:8].abs().max() < 2e-3 * scale and (x0 - encoded)[8:].abs().mean() > 0.05 * scale
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny = AutoencoderTiny.from_pretrained(toy.out / "tiny_sd" / "tiny_vae")
    assert torch.equal(tiny.decoder.layers[0].weight, sd.tiny_vae.decoder.layers[0].weight)
    assert set(json.loads((toy.out / "tiny_sd" / "tiny_vae" / "config.json").read_text())) <= {
        "_class_name", "_diffusers_version", *inspect.signature(AutoencoderTiny.__init__).parameters}
    loss = tiny_vae.TinyVaeLoss(x0[:1], images[:1], masks[:1])  # all eight that a step sees are the same
    pixels, mask = loss.pictures.batch(torch.tensor([0]))
    eight, latents = pixels.expand(8, -1, -1, -1), x0[:1].expand(8, -1, -1, -1)
    perfect = SimpleNamespace(decoder=lambda _: eight, encoder=lambda _: latents)
    assert loss(perfect, torch.Generator()) == 0
    perfect.encoder = lambda _: latents + 0.2
    assert float(loss(perfect, torch.Generator())) == pytest.approx(0.04, rel=1e-4)
    perfect.encoder = lambda _: latents
    perfect.decoder = lambda _: eight + 0.1
    expected = vae.difference(pixels + 0.1, pixels, mask)
    assert float(loss(perfect, torch.Generator())) == pytest.approx(float(expected), rel=1e-4)


def test_the_optimiser_by_adamw_has_the_ends_of_the_small_decoder():
    shapes = {name: tuple(p.shape[:2]) for name, p in tiny_vae.new_tiny_vae().named_parameters()
              if tiny_vae.by_adamw(name)}  # fmt: skip
    assert sorted(shapes.values()) == [(3, 32), (4, 8), (8, 3), (32, 4)]


def test_the_shipped_small_decoder_draws_as_the_vae_does():
    sd, path = StableDiffusion.load(SHIPPED), SHIPPED / "tiny_vae" / "diffusion_pytorch_model.safetensors"
    assert path.stat().st_size < 6e5 and isinstance(StableDiffusion.load("tiny-sd-turbo").tiny_vae, AutoencoderTiny)
    x0 = vae.encode(sd.pipeline.vae, evaluation.to_pixels(scenes.windows(8, 12345).images))
    near = evaluation.psnr(sd.decode(x0).numpy(), sd.decode(x0, quick=True).numpy())
    assert near == pytest.approx(DECIBELS, abs=0.05)


def test_a_coffee_is_over_in_time_on_a_machine_that_slows_down(toy, tmp_path):
    """Five minutes; each step takes 20 s at first (the clock is read twice) and 80 s later: the 13 steps that the first
    pace promises would take 800 s."""
    for name in ("pictures", "latents-first.safetensors", "latents-more.safetensors", "latents-wide.safetensors"):
        (tmp_path / name).symlink_to(toy.out / name)
    clock = Clock(lambda k: 10 if k < 12 else 40)
    stages.over_a_coffee(Settings(tmp_path, drawn=90, batch=16, workers=1, minutes=5, clock=clock))
    assert 270 < clock.now < 600
    rows = sorted((tmp_path / "progress").glob("row_*.png"))
    assert 5 <= int(rows[-1].stem.removeprefix("row_")) <= 9
    heights = [Image.open(path).height for path in (rows[-1], tmp_path / "progress" / "growing.png")]
    assert len(rows) == 2 and heights[1] == 2 * heights[0] + 4
    assert StableDiffusion.load(tmp_path / "tiny_sd").name == "Tiny SD"


def test_the_representation_term_fades():
    weights = [unet.representation_weight(step, 100) for step in (0, 40, 60, 80, 99)]
    assert weights == pytest.approx([0.7, 0.7, 0.35, 0.0, 0.0])


def test_a_training_is_not_written_over(toy):
    with pytest.raises(LabError, match="add --resume"):
        stages.train_reader(toy)


def test_a_missing_stage_is_named(tmp_path):
    with pytest.raises(LabError, match="run --stage unet first"):
        assembly.trained(tmp_path)


def test_the_report_asks_for_what_it_says():
    prompts, words = asked.described(20, "held-out")
    assert all(words["subject"][k] in prompts[k] and words["colour"][k] in prompts[k] for k in range(20))
    held_out = set(scenes.COMBINATIONS["held-out"])
    assert set(zip(words["subject"], words["ride"], words["place"], strict=True)) <= held_out


def test_what_is_asked_of_the_wider_world_and_whether_it_is_there():
    """Real windows of the words asked for are read as right; those of other words are not."""
    for kind in ("where", "looks", "two"):
        windows = asked.new_words(kind, 30)
        truth = scenes.labels(windows)
        assert asked.obeyed(kind, truth, windows) == 1
        wrong = {name: np.roll(words, 1) for name, words in truth.items()}
        assert asked.obeyed(kind, wrong, windows) < 0.7
    two = scenes.labels(asked.new_words("two", 30))
    changed = {name: two[name[:-2] if name.endswith("_2") else f"{name}_2"] if f"{name}_2" in two or name.endswith("_2")
               else words for name, words in two.items()}  # fmt: skip
    assert asked.obeyed("two", changed, asked.new_words("two", 30)) == 1
    crowd = {"count": np.array(["0", "1", "0", "2"])}
    assert asked.obeyed("nobody", crowd, asked.new_words("nobody", 4)) == 0.5


def test_heat_that_lies_on_the_part_overlaps_it():
    true = torch.zeros(8, 8, dtype=torch.bool)
    true[2:6, 2:6] = True
    assert probes.overlap(true.float(), true) == 1 and probes.overlap(-true.float(), true) == 0
    assert probes.overlap(true.float().roll(2, 0), true) == pytest.approx(8 / 24)


def test_a_seam_is_a_jump_among_its_neighbours():
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, None, :, None] // 2 * 2, (1, 4, 1, 3))  # 0 0 2 2 4 4 ...
    flat = np.tile(np.arange(256, dtype=np.uint8)[None, None, :, None], (1, 4, 1, 3))
    assert probes.seam(flat) == pytest.approx(1) and probes.seam(ramp) == pytest.approx(2, rel=0.05)


WORDS = "train tiny-sd --stage reader --drawn 90 --batch 16 --workers 1 --out".split()
KILLED = """
import os, signal, sys
from diffusion_lab.__main__ import main
from diffusion_lab.recipes.tiny_sd import stages
from diffusion_lab.training.checkpoint import State
whole, killed, *words = sys.argv[1:]
save = State.save
def save_and_die(self, path):
    save(self, path)
    if self.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
if not (child := os.fork()):
    State.save = save_and_die
    main([*words, killed])
    os._exit(0)  # not killed
assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
sys.exit(main([*words, whole]) or main([*words, killed, "--resume"]))
"""


def on_one_thread(command: list[str]) -> tuple[int, str]:
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, env=alone)
    return ran.returncode, ran.stderr


@pytest.mark.skipif(os.name == "nt", reason="forks as POSIX has them")
def test_a_killed_training_goes_on_exactly(tmp_path):
    """kill -9 when five of twelve steps are saved (any other moment: test_training.py)."""
    outs = [str(tmp_path / name) for name in ("whole", "killed")]
    command = [sys.executable, "-c", KILLED, *outs, "train", "tiny-sd", "--steps", "12", "--every", "0", *WORDS[2:]]
    code, told = on_one_thread(command)
    assert code == 0, told
    one, other = (load_file(tmp_path / name / "reader" / "weights.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_processes_train_together(toy, tmp_path):
    # --multi_gpu is the way to several processes, also where there is no GPU; --cpu would start a single one
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
               "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port",
               str(free_port()), "-m", "diffusion_lab", *WORDS, str(tmp_path), "--steps", "2"]  # fmt: skip
    code, told = on_one_thread(command)
    assert code == 0, told
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
    assert features.shape == (150, {"reader": 128, "second": 192}[which])


def test_a_damaged_or_missing_reader_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation.scenes, "WEIGHTS", tmp_path)
    with pytest.raises(LabError, match="a reader of scenes was expected in .* is missing in"):
        evaluation.load_reader()
    (tmp_path / "reader_scenes").mkdir()
    (tmp_path / "reader_scenes/second.safetensors").write_bytes(b"half of it")
    with pytest.raises(LabError, match="cut short or broken .*; install the package again"):
        evaluation.load_reader("second")


@pytest.mark.parametrize(("name", "call"), [
    ("vae/weights.safetensors", assembly.autoencoder), ("unet/checkpoint.safetensors", assembly.trained),
    ("unet/plan.json", lambda out: Settings(out).plan("unet", 5)), ("about.json", lambda out: data.complete(out, 5)),
])  # fmt: skip
def test_a_damaged_file_of_a_stage_is_one_sentence(tmp_path, name, call):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"half of it")
    with pytest.raises(LabError, match="was expected in .* cut short or broken") as told:
        call(tmp_path)
    assert "\n" not in str(told.value)


def test_an_unknown_reader_is_named():
    with pytest.raises(LabError, match="'third' came"):
        evaluation.load_reader("third")


def test_the_shipped_model_draws_what_is_asked():
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 16e6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = StableDiffusionPipeline.from_pretrained(SHIPPED)
    pipe.set_progress_bar_config(disable=True)
    prompts, words = asked.described(16, "held-out")
    images = np.stack([np.asarray(picture) for picture in export.draw(pipe, prompts, range(16), n=8)])
    for which in ("reader", "second"):
        shares = evaluation.fidelity(evaluation.look(evaluation.load_reader(which), images)[0], words)
        assert shares["all three"] >= 14 / 16 and shares["colours"] >= 14 / 16


def test_bfloat16_trains_the_same_network_with_float32_weights(monkeypatch):
    torch.manual_seed(0)
    network = unet.TinySD(8)
    x_t, t = torch.randn(2, 4, 16, 16), torch.tensor([10, 900])
    tokens = tokenizer.WordTokens()(["a cat on mars", ""])
    monkeypatch.setattr(unet, "half", lambda device: contextlib.nullcontext())
    plain = network(x_t, t, tokens)
    monkeypatch.setattr(unet, "half", lambda device: torch.autocast("cpu", torch.bfloat16))
    for one, other in zip(plain, network(x_t, t, tokens), strict=True):
        assert other.dtype == torch.float32 and not torch.equal(one, other)
        assert float((one - other).norm() / one.norm()) < 0.05
    network(x_t, t, tokens)[0].square().mean().backward()
    assert all(p.dtype == torch.float32 and (p.grad is None or p.grad.isfinite().all()) for p in network.parameters())


def test_products_are_halved_where_the_machine_is_fast_at_it(monkeypatch):
    from diffusion_lab.recipes.tiny_sd import settings

    for fast in (True, False):
        monkeypatch.setattr(settings, "fast_bfloat16", lambda kind, fast=fast: fast)
        with settings.half("cpu"):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (torch.bfloat16 if fast else torch.float32)
