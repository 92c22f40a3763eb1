"""Which device and which numbers a model runs with, and what to do where a device gives up."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from ...errors import LabError
from .folders import SMALL, size_of

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
NO_MEMORY = ("allocate memory", "out of memory")  # how a CPU and an Apple GPU say it


@dataclass(frozen=True)
class Device:
    """What differs from one kind of device to the next.

    `here`, whether torch can use it on this machine; `why_not`, in words, where it cannot; `fast_bfloat16`, whether it
    multiplies bfloat16 in hardware; `forget`, which hands memory back that torch keeps for later.
    """

    here: Callable[[], bool]
    why_not: Callable[[], str] = str
    fast_bfloat16: Callable[[], bool] = bool
    forget: Callable[[], None] = bool


def _why_no_cuda() -> str:
    if torch.version.cuda:
        return "an NVIDIA GPU was expected; torch finds none or no driver for one; check with nvidia-smi"
    return ("an NVIDIA GPU was expected; this torch was built without CUDA; install a CUDA build of torch (pytorch.org "
            "tells how)")  # fmt: skip


def _cpu_multiplies_bfloat16() -> bool:
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)


DEVICES = {  # the fastest first
    "cuda": Device(lambda: torch.cuda.is_available(), _why_no_cuda,  # NVIDIA has it since Ampere
                   lambda: torch.cuda.is_bf16_supported(including_emulation=False), lambda: torch.cuda.empty_cache()),
    "mps": Device(lambda: torch.backends.mps.is_available(), lambda: "an Apple GPU was expected; torch finds none here",
                  forget=lambda: torch.mps.empty_cache()),
    "cpu": Device(lambda: True, fast_bfloat16=_cpu_multiplies_bfloat16),
}  # fmt: skip


def best_device() -> str:
    """The fastest device here: "cuda", "mps" or "cpu"."""
    return next(name for name, device in DEVICES.items() if device.here())


def check_device(device: str) -> str:
    """The device's name, if torch can use it here; raises LabError with the remedy if not."""
    kind = str(device).partition(":")[0]
    if kind not in DEVICES:
        raise LabError(f"a device is one of {', '.join(DEVICES)}; {device!r} came; leave it out to get the best one "
                       "here")  # fmt: skip
    if not DEVICES[kind].here():
        raise LabError(f"{DEVICES[kind].why_not()}; {device!r} came; leave the device out, or take device='cpu'")
    return str(device)


def best_dtype(folder: Path, device: str) -> torch.dtype:
    """The numbers that suit a model's size and the device: float16 on a GPU, bfloat16 or float32 on a CPU."""
    if size_of(folder) < SMALL:
        return torch.float32
    if not device.startswith("cpu"):
        return torch.float16
    return torch.bfloat16 if fast_bfloat16(device) else torch.float32


def check_dtype(dtype: torch.dtype | str, device: str) -> torch.dtype:
    """The dtype, one of DTYPES or its name; raises LabError for another, and for what would take hours: float16 on a
    CPU."""
    if dtype not in (*DTYPES, *DTYPES.values()):
        raise LabError(f"a dtype is one of {', '.join(DTYPES)}; {dtype!r} came; leave it out to get the one that suits")
    dtype = DTYPES.get(dtype, dtype)
    if dtype == torch.float16 and device.startswith("cpu"):
        raise LabError("float16 on a CPU takes minutes for one step; torch.float16 came; take bfloat16 or float32")
    return dtype


def fast_bfloat16(device: str) -> bool:
    """Whether a device multiplies bfloat16 in hardware: an NVIDIA GPU since Ampere, a CPU with AVX512-BF16 or AMX."""
    return DEVICES[str(device).partition(":")[0]].fast_bfloat16()


@contextlib.contextmanager
def memory_edge() -> Iterator[None]:
    """Within it, memory that ran out is a LabError that says what helps."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; a CPU and an Apple GPU raise a plain one
        told = str(error)
        if not isinstance(error, torch.OutOfMemoryError) and not any(words in told for words in NO_MEMORY):
            raise
        for device in DEVICES.values():
            if device.here():
                device.forget()
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
