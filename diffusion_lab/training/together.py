"""One process or many: under `accelerate launch` (or torchrun) every process trains, and the first one writes."""

import os

import torch
from torch import distributed, nn

from ..errors import LabError
from ..recipe import shortened


def start(device: str) -> str:
    """Joins the other processes where there are any; returns the device of this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return device
    device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if device == "cuda" else device
    if device.startswith("cuda"):
        torch.cuda.set_device(device)  # or numbers told to all, and waiting, would take GPU 0 in every process
    try:
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    except (RuntimeError, ValueError) as error:
        raise LabError("other processes were expected, as WORLD_SIZE says; they cannot be met "
                       f"({shortened(str(error))}); start all with accelerate launch, or unset WORLD_SIZE") from None
    return device


def leave() -> None:
    """Parts from the other processes."""
    if many():
        distributed.destroy_process_group()


def many() -> bool:
    """Whether several processes train together."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def rank() -> int:
    """The number of this process, 0 for the first or the only one."""
    return distributed.get_rank() if many() else 0


def first() -> bool:
    """Whether this process is the one that draws, writes and shows."""
    return rank() == 0


def wait() -> None:
    """Goes on when every process has come here."""
    if many():
        distributed.barrier()


def agreed(number: int) -> int:
    """The first process's number, in every process."""
    told = [number]
    if many():
        distributed.broadcast_object_list(told, 0)
    return told[0]


def share(network: nn.Module) -> None:
    """Every process starts from the weights of the first."""
    if many():
        for tensor in [*network.parameters(), *network.buffers()]:
            distributed.broadcast(tensor.data, 0)


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Every process goes on with the mean of all gradients."""
    if many():
        flat = torch.cat([p.grad.reshape(-1) for p in parameters])
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()
        for p, piece in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            p.grad.copy_(piece.view_as(p.grad))
