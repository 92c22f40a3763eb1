"""The blocks of a U-Net, as they are: what each puts out, how many weights it has, and its skip connections cut."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import LabError
from ..files import expanded, read_as, read_json, tensor_shapes
from ..networks import UNet
from ..recipe import as_whole


@dataclass(frozen=True, eq=False)
class Block:
    """One block of a U-Net: its `name` in the network ("down.0"), its `kind` in words, the shape (`channels`, `height`,
    `width`) of what it puts out, how many `weights` it has, and the `maps` themselves (B, C, H, W), where it has run.

    `skip` is the number of the skip connection that leaves it or comes in, counted from the top, or None.
    """

    name: str
    kind: str
    channels: int
    height: int
    width: int
    weights: int = 0
    skip: int | None = None
    maps: Tensor | None = None


def weights(module: nn.Module) -> int:
    """How many numbers a module learns."""
    return sum(p.numel() for p in module.parameters())


def named_parts(network: UNet) -> dict[str, nn.Module]:
    """The parts of the course's U-Net by name, from the picture to the guess; LabError for another network."""
    if not isinstance(network, UNet):
        raise LabError(f"the course's U-Net was expected; {type(network).__name__} came; give toy.network of a toy of "
                       "pictures, such as Toy.load('photos')")
    down = {f"down.{k}": block for k, block in enumerate(network.down)}
    up = {f"up.{k}": block for k, block in enumerate(network.up)}
    return {"enter": network.enter, "first": network.first, **down, "look": network.look, "middle": network.middle,
            **up, "leave": network.leave}


def without_norms(network: nn.Module) -> nn.Module:
    """The network itself, in which every normalisation passes on what comes as it is: give a copy."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.Identity())
    return network


@torch.no_grad()
def blocks(network: UNet, x: Tensor, t: int, condition: Tensor | None = None) -> list[Block]:
    """Send x (B, C, H, W) at timestep t through the course's U-Net and return what every block put out, in order.

    The first one is the picture itself. The shapes are measured, not computed: a hook on each module reads them.
    Raises LabError for another network.
    """
    names = {module: name for name, module in named_parts(network).items()}
    found = [_block(network, "picture", None, x)]

    def note(module, _, out):
        found.append(_block(network, names[module], module, out))

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        network(x, torch.full((len(x),), t, device=x.device), condition)
    finally:
        for hook in hooks:
            hook.remove()
    return found


@contextmanager
def cut(network: UNet, skips: Iterable[int] = (0,)) -> Iterator[UNet]:
    """Within it the skip connections of these numbers, 0 for the uppermost, hand over zeros; no weight is changed, and
    afterwards all are as they were. Raises LabError for a number that the network has not."""
    named_parts(network)
    before, last = list(network.skips), len(network.skips) - 1
    levels = [as_whole(level, "the number of a skip connection", "count from 0, the uppermost", 0, last)
              for level in skips]
    try:
        for level in levels:
            network.skips[level] = False
        yield network
    finally:
        network.skips[:] = before


def stored_blocks(folder: str | Path) -> list[Block]:
    """The blocks of a Stable Diffusion's U-Net, read from its stored shapes alone: nothing is loaded, nothing runs.

    Argument: `folder`, that of the model, with unet/config.json and its weights, the plain layout of diffusers.
    Raises LabError where they are missing or broken, or of another network.
    """
    unet, again = expanded(folder) / "unet", "fetch them again"
    files = sorted(unet.glob("*.safetensors"))
    if not files:
        raise LabError(f"a U-Net's weights were expected in {unet}; none are there; give the folder of a model")
    config = read_json(unet / "config.json", "a U-Net's settings", again)
    shapes = {k: shape for file in files for k, shape in tensor_shapes(file, "a U-Net's weights", again).items()}
    with read_as(unet, "a Stable Diffusion's U-Net", "give the folder of another model", "it is none"):
        return list(_stored(config, shapes))


def _stored(config: dict, shapes: dict[str, list[int]]) -> Iterator[Block]:
    """The blocks in the order in which a picture passes them; what halves or doubles it does so after its blocks."""
    def block(name: str, skip: int | None = None) -> Block:
        own = [shape for key, shape in shapes.items() if key.startswith(f"{name}.")]
        out = max(key for key in shapes if key.startswith(name) and key.endswith(("conv2.bias", f"{name}.bias")))
        kind = "convolution" if name.startswith("conv") else "block"
        return Block(name, kind, shapes[out][0], size, size, sum(torch.Size(s).numel() for s in own), skip)

    size, down = config["sample_size"], len(config["block_out_channels"])
    yield Block("latent", "picture", config["in_channels"], size, size)
    yield block("conv_in")
    for level in range(down):
        yield block(f"down_blocks.{level}", skip=level if level < down - 1 else None)
        size //= 2 if f"down_blocks.{level}.downsamplers.0.conv.bias" in shapes else 1
    yield block("mid_block")
    for level in range(down):
        yield block(f"up_blocks.{level}", skip=down - 1 - level if level else None)
        size *= 2 if f"up_blocks.{level}.upsamplers.0.conv.bias" in shapes else 1
    yield block("conv_out")


def _block(network: UNet, name: str, module: nn.Module | None, out: Tensor) -> Block:
    _, channels, height, width = out.shape
    kinds = {"picture": "picture", "enter": "convolution", "look": "attention", "leave": "convolution"}
    number = int(name[-1]) if name[-1].isdigit() else None
    skip = 0 if name == "first" else number
    if name.startswith("down") and (skip := number + 1) == len(network.skips):
        skip = None  # the deepest level hands over nothing
    return Block(name, kinds.get(name, "block"), channels, height, width, weights(module) if module else 0, skip, out)
