"""Which device and which numbers a model runs with, and what to do where a device gives up."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch

from ..errors import LabError
from .folders import NETWORKS, weight_files

SMALL = 200e6  # bytes of weights up to which a model runs in float32 everywhere, so that its pictures are the same


def best_device() -> str:
    """The fastest device here: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_device(device: str) -> str:
    """The device's name, if torch can use it here; raises LabError with the remedy if not."""
    kind = str(device).partition(":")[0]
    if kind not in ("cuda", "mps", "cpu"):
        raise LabError(f"a device is cuda, mps or cpu; {device!r} came; leave it out to get the best one here")
    if kind == "cuda" and not torch.cuda.is_available():
        why = "this torch was built without CUDA; install a CUDA build of torch (pytorch.org tells how)"
        if torch.version.cuda:
            why = "torch finds no NVIDIA GPU or no driver for one; check with nvidia-smi"
        raise LabError(f"an NVIDIA GPU was expected for device='cuda'; {why}, or take device='cpu'")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise LabError("an Apple GPU was expected for device='mps'; torch finds none here; take device='cpu'")
    return str(device)


def best_dtype(folder: Path, device: str) -> torch.dtype:
    """The numbers that suit a model's size and the device: float16 on a GPU, bfloat16 or float32 on a CPU."""
    weights = sum(path.stat().st_size for part in NETWORKS for path in weight_files(folder / part))
    if weights < SMALL:
        return torch.float32
    if not device.startswith("cpu"):
        return torch.float16
    return torch.bfloat16 if fast_bfloat16(device) else torch.float32


def check_dtype(dtype: torch.dtype, device: str) -> torch.dtype:
    """The dtype, unless it would take hours: float16 on a CPU."""
    if dtype == torch.float16 and device.startswith("cpu"):
        raise LabError("float16 on a CPU takes minutes for one step; torch.float16 came; take bfloat16 or float32")
    return dtype


def fast_bfloat16(device: str) -> bool:
    """Whether a device multiplies bfloat16 in hardware: an NVIDIA GPU since Ampere, a CPU with AVX512-BF16 or AMX."""
    if not device.startswith("cpu"):
        return device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)


@contextlib.contextmanager
def memory_edge() -> Iterator[None]:
    """Within it, memory that ran out is a LabError that says what helps."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU raises a plain one
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise LabError(
            "more memory was needed than this device has; draw fewer pictures at once, or call "
            "sd.pipeline.vae.enable_slicing(), or on a GPU sd.pipeline.enable_model_cpu_offload()"
        ) from None


@torch.no_grad()
def makes_numbers(pipeline) -> bool:
    """Whether the U-Net answers static with finite numbers: half precision overflows on some GPUs."""
    unet, C = pipeline.unet, pipeline.unet.config.in_channels
    x = torch.randn(1, C, 8, 8, generator=torch.Generator().manual_seed(0)).to(unet.device, unet.dtype)
    words = pipeline.tokenizer("", padding="max_length", max_length=8, truncation=True, return_tensors="pt").input_ids
    context = pipeline.text_encoder(words.to(unet.device))[0]
    return bool(torch.isfinite(unet(x, 500, encoder_hidden_states=context).sample).all())
