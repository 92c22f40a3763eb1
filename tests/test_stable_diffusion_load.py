"""Loading a model folder: what is wrong with it is one sentence, and a good one loads without a sound."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file
from sd_fixtures import build, folder, half

from diffusion_lab.errors import LabError
from diffusion_lab.stable_diffusion import StableDiffusion
from diffusion_lab.stable_diffusion.loading.devices import check_dtype


@pytest.fixture
def copy(tmp_path):
    """A model folder of the test's own, to break."""
    return shutil.copytree(folder("v1-5"), tmp_path / "model")


def remove(name):
    return lambda path: (path / name).unlink()


def write(name, text):
    return lambda path: (path / name).write_text(text)


def cut(name, size):
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:size])


def lose(name, tensor):
    def change(path):
        tensors = load_file(path / name)
        assert tensors.pop(tensor) is not None
        save_file(tensors, path / name, metadata={"format": "pt"})

    return change


def setting(name, **values):
    return lambda path: (path / name).write_text(json.dumps({**json.loads((path / name).read_text()), **values}))


def empty_tokenizer(path):
    """Two tokens: what the library makes, without a word, where it finds no vocabulary."""
    from transformers import CLIPTokenizer

    shutil.rmtree(path / "tokenizer")
    CLIPTokenizer(model_max_length=77).save_pretrained(path / "tokenizer")


def small_decoder(change):
    """Beside the other parts, then changed."""
    def put(path):
        AutoencoderTiny().half().save_pretrained(path / "tiny_vae")
        change(path)

    return put


def pickled(path):
    torch.save(load_file(path / UNET), path / "unet/diffusion_pytorch_model.bin")
    (path / UNET).unlink()


UNET, VAE = (f"{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "vae"))
TEXT, TINY = "text_encoder/model.safetensors", "tiny_vae/diffusion_pytorch_model.safetensors"
FAULTS = {
    "no model_index.json": (remove("model_index.json"), "config.json or model_index.json.* a folder without these"),
    "another pipeline": (setting("model_index.json", _class_name="FluxPipeline"), "a FluxPipeline came; give a Stable"),
    "no scheduler": (remove("scheduler/scheduler_config.json"), "scheduler_config.json is missing in .*scheduler"),
    "no vocabulary": (remove("tokenizer/vocab.json"), "tokenizer's vocab.json was expected"),
    "no merges": (remove("tokenizer/merges.txt"), "tokenizer's merges.txt was expected"),
    "empty tokenizer": (empty_tokenizer, "124 tokens was expected .* 2 came, so prompts would not be read"),
    "no unet settings": (remove("unet/config.json"), "config.json is missing in .*unet"),
    "no unet weights": (remove(UNET), "weights .* were expected in .*unet; there are none"),
    "pickled weights": (pickled, r"unet as \*.bin, which may run code when it is opened, .* save_pretrained"),
    "no vae folder": (lambda path: shutil.rmtree(path / "vae"), "config.json is missing in .*vae"),
    "no text weights": (remove(TEXT), "weights .* were expected in .*text_encoder"),
    "cut weights": (cut(VAE, 5000), "vae.*safetensors; the file is cut short or broken"),
    "empty weights": (cut(UNET, 0), "unet.*safetensors; the file is cut short or broken"),
    "cut settings": (cut("vae/config.json", 50), "a file of settings was expected in .*vae/config.json"),
    "settings that are a list": (write("unet/config.json", "[]"), "a file of settings was expected"),
    "a unet of another size": (setting("unet/config.json", cross_attention_dim=48), "does not load"),
    "a tensor of the unet lost": (lose(UNET, "conv_in.weight"), "1 are missing, conv_in.weight among them"),
    "a tensor of the text encoder lost": (
        lose(TEXT, "text_model.encoder.layers.1.mlp.fc1.weight"), "1 are missing, encoder.layers.1.mlp.fc1.weight"),
    "a tensor of the vae lost": (lose(VAE, "decoder.mid_block.attentions.0.query.weight"), "to_q.weight among them"),
    "a small decoder without weights": (small_decoder(remove(TINY)), "weights .* were expected in .*tiny_vae"),
    "a small decoder of another size": (
        small_decoder(setting("tiny_vae/config.json", decoder_block_out_channels=[16] * 4)), "decoder .* not load"),
    "a tensor of the small decoder lost": (
        small_decoder(lose(TINY, "decoder.layers.0.weight")), "1 are missing, decoder.layers.0.weight among them"),
    "a scheduler without numbers": (
        write("scheduler/scheduler_config.json", "{}"), "num_train_timesteps, .* were expected in .*scheduler_config"),
    "own numbers that are no JSON": (write("diffusion_lab.json", "{"), "a file of settings was expected"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_folder_is_one_sentence(copy, fault):
    change, expected = FAULTS[fault]
    change(copy)
    with pytest.raises(LabError, match=expected) as caught:
        StableDiffusion.load(copy)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_no_folder_is_one_sentence(tmp_path):
    for path in (tmp_path / "nowhere", folder() / "model_index.json"):
        with pytest.raises(LabError, match="a folder with a model .* was expected .*(no such folder|a file) is there"):
            StableDiffusion.load(path)


@pytest.mark.parametrize("variant", [True, False])
def test_float16_files_load_under_either_name(tmp_path, variant):
    path = half(build(tmp_path / "half", "v1-5"), variant)
    rounded, whole = (StableDiffusion.load(p) for p in (path, folder("v1-5")))
    assert {p.dtype for p in rounded.pipeline.unet.parameters()} == {torch.float32}
    a, b = (list(sd.steps("a cat", n=3))[-1].x0 for sd in (rounded, whole))
    assert 0 < ((a - b).norm() / b.norm()).item() < 0.05


SILENT = """
import sys
from diffusion_lab.stable_diffusion import StableDiffusion, record
sd = StableDiffusion.load(sys.argv[1])
last = list(sd.steps("a cat", n=2))[-1]
sd.picture(last.x0)
with record(sd.pipeline):
    sd.pipeline("a cat", num_inference_steps=2)
"""


def test_no_word_of_the_libraries_reaches_the_learner():
    done = subprocess.run([sys.executable, "-c", SILENT, folder("v1-5")], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("wrong", ["float8", "half", "", torch.int8, torch.float64, 16, None])
def test_a_dtype_is_one_that_a_model_runs_with_or_its_name(wrong):
    assert check_dtype("bfloat16", "cpu") is check_dtype(torch.bfloat16, "cpu") is torch.bfloat16
    assert check_dtype("float16", "cuda") is torch.float16
    with pytest.raises(LabError, match="a dtype is one of float32, bfloat16, float16; .* came; leave it out"):
        check_dtype(wrong, "cpu")
    with pytest.raises(LabError, match="float16 on a CPU takes minutes"):
        check_dtype("float16", "cpu")
