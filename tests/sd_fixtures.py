"""Stable Diffusion with random weights, a few megabytes, written in both file layouts that the world uses.

"new" is what today's libraries save; "v1-5" is how the real v1.5 lies on the hub: text encoder keys under
`text_model.`, a tokenizer of vocab.json and merges.txt, the VAE's attention under its old names. Both hold the same
weights, so both must draw the same pictures.
"""

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

WORDS = ("a photo of an astronaut riding horse on mars cat skateboard in the city red blue green circle square star "
         "dog snow .").split()  # fmt: skip
SCHEDULER = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000,
                 skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1)  # fmt: skip
OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


@functools.cache
def folder(layout: str = "new", prediction_type: str = "epsilon") -> Path:
    """A fixture, built at the first call and shared by all tests of the process."""
    return build(scratch() / f"{layout}-{prediction_type}", layout, prediction_type)


@functools.cache
def scratch() -> Path:
    path = Path(tempfile.mkdtemp(prefix="sd_fixtures_"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def build(folder: Path, layout: str = "new", prediction_type: str = "epsilon", size: int = 8,
          channels: tuple[int, int] = (16, 32)) -> Path:  # fmt: skip
    """Write a Stable Diffusion with random weights, latents 4 x size x size, eight times that in pixels."""
    import torch
    import transformers
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=size, block_out_channels=channels, layers_per_block=1, cross_attention_dim=32, norm_num_groups=8,
        attention_head_dim=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"))  # fmt: skip
    vae = AutoencoderKL(
        sample_size=8 * size, block_out_channels=(8, 8, 16, 16), latent_channels=4, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)  # fmt: skip
    tokenizer = make_tokenizer()
    ends = dict(bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id)
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=77, **ends))  # fmt: skip
    for weight in text.parameters():  # the library's start is so small that no prompt would be seen
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
    scheduler = PNDMScheduler.from_config({**SCHEDULER, "prediction_type": prediction_type, "clip_sample": False})
    pipeline = StableDiffusionPipeline(
        vae=vae.eval(), text_encoder=text.eval(), tokenizer=tokenizer, unet=unet.eval(), scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder)
    if layout == "v1-5":
        _as_in_v1_5(Path(folder), tokenizer)
    return Path(folder)


def half(folder: Path, variant: bool = True) -> Path:
    """Store the weights in float16, as files of the variant "fp16" or under the plain names; returns the folder."""
    for path in Path(folder).glob("*/*.safetensors"):
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in _read(path).items()}
        path.unlink()
        _write(path.with_suffix(".fp16.safetensors") if variant else path, tensors)
    return Path(folder)


def merges(words: list[str]) -> list[tuple[str, str]]:
    """Byte-pair merges that make each of the words one token, later ones never breaking earlier ones."""
    made: list[tuple[str, str]] = []
    for word in words:
        while len(pieces := _pieces(word, made)) > 1:
            made.append((pieces[0], pieces[1]))
    return made


def _pieces(word: str, made: list[tuple[str, str]]) -> list[str]:
    pieces = [*word[:-1], word[-1] + "</w>"]
    while ranks := [made.index(pair) for pair in zip(pieces, pieces[1:], strict=False) if pair in made]:
        left, right = made[min(ranks)]
        i = next(i for i in range(len(pieces)) if pieces[i : i + 2] == [left, right])
        pieces[i : i + 2] = [left + right]
    return pieces


def _vocabulary() -> dict[str, int]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(c + "</w>" for c in letters), ".</w>", *("".join(pair) for pair in merges(WORDS))]
    return {token: i for i, token in enumerate([*dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"])}


def make_tokenizer():
    """A tokenizer that knows WORDS, each as one token, and spells the rest."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer(vocab=_vocabulary(), merges=merges(WORDS), model_max_length=77)


def _as_in_v1_5(folder: Path, tokenizer) -> None:
    text = folder / "text_encoder/model.safetensors"
    import torch

    keys = {f"text_model.{k.removeprefix('text_model.')}": v for k, v in _read(text).items()}
    _write(text, keys | {"text_model.embeddings.position_ids": torch.arange(77)[None]})
    vae = folder / "vae/diffusion_pytorch_model.safetensors"
    _write(vae, {_old(k): v for k, v in _read(vae).items()})
    shutil.rmtree(folder / "tokenizer")
    (folder / "tokenizer").mkdir()
    special = {"content": "<|endoftext|>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    start = {**special, "content": "<|startoftext|>"}
    special_map = {"bos_token": start, "eos_token": special, "unk_token": special, "pad_token": "<|endoftext|>"}
    start, special = ({"__type": "AddedToken", **token} for token in (start, special))
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "errors": "replace",
              "add_prefix_space": False, "bos_token": start, "pad_token": "<|endoftext|>", "eos_token": special,
              "unk_token": special}  # fmt: skip
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges(WORDS))]
    (folder / "tokenizer/merges.txt").write_text("\n".join(lines) + "\n")
    files = {"vocab": _vocabulary(), "tokenizer_config": config, "special_tokens_map": special_map}
    for name, content in files.items():
        (folder / f"tokenizer/{name}.json").write_text(json.dumps(content))


def _old(key: str) -> str:
    if "attentions" not in key:
        return key
    for new, old in OLD_NAMES.items():
        key = key.replace(f".{new}.", f".{old}.")
    return key


def _read(path: Path) -> dict:
    from safetensors.torch import load

    return load(path.read_bytes())


def _write(path: Path, tensors: dict) -> None:
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"format": "pt"})


@functools.cache
def model(layout: str = "new", prediction_type: str = "epsilon"):
    """The fixture loaded, shared by all tests of the process."""
    from diffusion_lab.stable_diffusion import StableDiffusion

    return StableDiffusion.load(folder(layout, prediction_type))


def untouched(folder: str | Path):
    """The pipeline as diffusers alone loads it: what our pictures are compared with.

    (Ours keeps its VAE channels last, and where a CPU then adds up in another order a picture differs by one level.)
    """
    import torch
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True,
                                                       safety_checker=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def grey_levels_apart(a, b) -> int:
    """The largest difference of two pictures, PIL or uint8, in grey levels of 0 to 255."""
    import numpy as np

    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b)).max())
