"""One process or many: under `accelerate launch` (or torchrun) every process trains, and the first one writes."""

import os

from torch import distributed


def start(device: str) -> str:
    """Joins the other processes where there are any; returns the device of this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return device
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" else device


def many() -> bool:
    """Whether several processes train together."""
    return distributed.is_available() and distributed.is_initialized()


def first() -> bool:
    """Whether this process is the one that draws, writes and shows."""
    return not many() or distributed.get_rank() == 0


def wait() -> None:
    """Goes on when every process has come here."""
    if many():
        distributed.barrier()


def leave() -> None:
    """Parts from the other processes."""
    if many():
        distributed.destroy_process_group()
