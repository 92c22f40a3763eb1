"""How far a network looks: by arithmetic, by the gradient of one pixel, and by what it really uses."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from ..errors import LabError
from ..networks import UNet
from ..recipe import as_share, as_whole, shortened
from .blocks import named_parts, without_norms


def windows(network: UNet) -> list[tuple[str, int, int]]:
    """The windows on the way down, in order: (name, how wide, jump), where jump is how many pixels of the picture lie
    between two neighbours there. It is 1 at the top and doubles with each halving. Raises LabError for another
    network."""
    found, jump = [], 1
    for name, part in named_parts(network).items():
        if name.startswith("down"):
            found.append((name, 2, jump))  # the halving is a window of two
            jump *= 2
        if name != "look":  # it has no window: it sees all at once
            convolutions = (part,) if name == "enter" else (part.conv1, part.conv2)
            found += [(name, one.kernel_size[0], jump) for one in convolutions]
        if name == "middle":
            break
    return found


def field(layers: Sequence[tuple[int, int]]) -> int:
    """How wide the part of the picture is that one number depends on: r = 1 + sum_l (k_l - 1) j_l (Araujo, Norris and
    Sim, "Computing Receptive Fields of Convolutional Neural Networks", 2019, equation 2).

    `layers`, for each its window's width k and its jump j, both in pixels. Returns r in pixels of the picture.
    """
    return 1 + sum((k - 1) * j for k, j in layers)


def measured(network: UNet, name: str, size: int = 64) -> Tensor:
    """The gradient of one number in the middle of a block's output by each pixel of a picture: (size, size), its size
    summed over the colours, in float64.

    `name`, "enter", "first", "down.0", ... or "middle". Normalisation and attention, which see the whole picture at
    once, are taken out of a copy of the network: what is left are the windows. Raises LabError for another network,
    and for a part that it has not.
    """
    if name not in (known := named_parts(network)):
        raise LabError(f"a part of the network was expected, one of {', '.join(known)}; {shortened(name)} came; take "
                       "one of these")
    size = as_whole(size, "the width of a picture to measure on", "try 64", least=8)
    bare = _bare(network)
    seen = {}
    bare.get_submodule(name).register_forward_hook(lambda module, _, out: seen.update(out=out))
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x.requires_grad_()
    bare(x, torch.zeros(1))
    out = seen["out"]
    middle = out[0, :, out.shape[2] // 2, out.shape[3] // 2].sum()
    (gradient,) = torch.autograd.grad(middle, x)
    return gradient[0].abs().sum(dim=0)                                           # (size, size)


def pull(network: nn.Module, x: Tensor, t: int, margin: int = 4) -> Tensor:
    """How much a pixel of the guess is moved by the pixels around it: the squared gradient, by distance from it.

    The network as it is, for pictures x (B, 3, H, W) at timestep t, summed over every third pixel of the guess that is
    `margin` or more from the edge. Returns (2 H - 1, 2 W - 1), the pixel itself in the middle, summing to 1.
    Raises LabError for a margin that leaves no pixel.
    """
    H, W = x.shape[2:]
    margin = as_whole(margin, "the margin in pixels", "leave a pixel in the middle", 0, (min(H, W) - 1) // 2)
    x = x.detach().clone().requires_grad_()
    guess = network(x, torch.full((len(x),), t, device=x.device), None)           # (B, 3, H, W)
    around = torch.zeros(2 * H - 1, 2 * W - 1)
    for i in range(margin, H - margin, 3):
        for j in range(margin, W - margin, 3):
            (gradient,) = torch.autograd.grad(guess[:, :, i, j].sum(), x, retain_graph=True)
            around[H - 1 - i : 2 * H - 1 - i, W - 1 - j : 2 * W - 1 - j] += gradient.square().sum(dim=(0, 1)).cpu()
    return around / around.sum()


def width(around: Tensor, share: float = 0.8) -> int:
    """The smallest odd window around the middle of (H, W) that holds a `share` of all that is in it."""
    share = as_share(share, "the share that a window holds", "try 0.8", some=True)
    i, j = (n // 2 for n in around.shape)
    wanted = share * around.sum()
    return next(2 * r + 1 for r in range(max(around.shape))
                if around[max(0, i - r) : i + r + 1, max(0, j - r) : j + r + 1].sum() >= wanted - 1e-12)


def _bare(network: UNet) -> UNet:
    """A copy in float64 without normalisation and attention: windows alone."""
    bare = without_norms(deepcopy(network).double().eval())
    bare.context, bare.look = _Silent(network.context.width), nn.Identity()
    return bare


class _Silent(nn.Module):
    """In place of the context: it tells nothing."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, t: Tensor, condition: Tensor | None) -> Tensor:
        return torch.zeros(len(t), self.width, dtype=torch.float64)
