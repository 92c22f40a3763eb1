"""The two networks of the course, small enough to be read in one sitting: an MLP for points, a U-Net for pictures.

Both are asked the same question: network(x_t, t, condition) -> a guess of the same shape as x_t. The condition is a
row of switches, one for each word the network knows: 1 where the word is in the prompt. All zeros is the empty prompt.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def time_waves(t: Tensor, size: int) -> Tensor:
    """The timestep as a row of sines and cosines, from slow to fast, like the hands of a clock.

    wave_k(t) = sin(t w_k), cos(t w_k) with w_k from 1 down to 1/10000 (Vaswani et al., "Attention Is All You Need",
    2017, section 3.5). `t` (B,) timesteps, `size` even. Returns (B, size).
    """
    speed = torch.exp(-math.log(10000) * torch.arange(size // 2, device=t.device) / (size // 2))
    angle = t.float()[:, None] * speed                                          # (B, size / 2)
    return torch.cat([angle.sin(), angle.cos()], dim=1)                         # (B, size)


class Context(nn.Module):
    """What every layer is told: how noisy the picture is, and the words of the prompt, in one vector."""

    def __init__(self, words: int, width: int):
        super().__init__()
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.words = nn.Linear(words, width, bias=False) if words else None

    def forward(self, t: Tensor, condition: Tensor | None) -> Tensor:
        context = self.time(time_waves(t, self.width))                          # (B, width)
        if self.words is not None and condition is not None:
            context = context + self.words(condition)                           # (B, width)
        return F.silu(context)


class MLP(nn.Module):
    """A network for points (B, D): layers that are told the time and the words, each adding to what is there.

    The coordinates also enter as waves, without which small networks draw everything too smooth (Tancik et al.,
    "Fourier Features Let Networks Learn High Frequency Functions", 2020). Arguments: `dim` D; `words`, how many words
    it knows; `width` of the layers; `depth`, their number; `waves`, how many a coordinate, each twice as fast.
    """

    def __init__(self, dim: int = 2, words: int = 0, width: int = 128, depth: int = 3, waves: int = 3):
        super().__init__()
        self.speeds = [math.pi / 2 * 2**k for k in range(waves)]
        self.context = Context(words, width // 2)
        self.enter = nn.Linear(dim * (1 + 2 * waves), width)
        self.tell = nn.ModuleList(nn.Linear(width // 2, 2 * width) for _ in range(depth))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.leave = nn.Linear(width, dim)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        context = self.context(t, condition)                                    # (B, width / 2)
        waves = [wave(speed * x) for speed in self.speeds for wave in (torch.sin, torch.cos)]
        h = self.enter(torch.cat([x, *waves], dim=1))                           # (B, width)
        for tell, layer in zip(self.tell, self.layers, strict=True):
            scale, shift = tell(context).chunk(2, dim=1)                        # (B, width) each
            h = h + layer(F.silu(h * (1 + scale) + shift))                      # (B, width)
        return self.leave(F.silu(h))                                            # (B, D)


class Stacked(nn.Module):
    """R networks for points (B, D) side by side, in one batched product: none hears of another.

    Arguments: `seeds`, one a network, from which its first weights come; `dim` D, the coordinates, which enter as waves
    too (as in MLP, `waves` of them); `out`, how many numbers come out; `width` and `depth` of the layers, SiLU between
    them; `told`, how many more numbers enter. forward(x (R, B, D), told (R, B, told)) -> (R, B, out).
    """

    def __init__(self, seeds: Sequence[int], dim: int, out: int, *, width: int = 64, depth: int = 3, waves: int = 0,
                 told: int = 0):  # fmt: skip
        super().__init__()
        self.speeds = [math.pi / 2 * 2**k for k in range(waves)]
        sizes = [dim * (1 + 2 * waves) + told, *[width] * depth, out]
        dice = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for before, after in zip(sizes, sizes[1:], strict=False):
            first = torch.stack([torch.rand(before + 1, after, generator=one) for one in dice])
            first = (2 * first - 1) / before**0.5                               # (R, before + 1, after)
            self.weights.append(nn.Parameter(first[:, :-1].clone()))
            self.biases.append(nn.Parameter(first[:, -1:].clone()))

    def forward(self, x: Tensor, *told: Tensor) -> Tensor:
        waves = [wave(speed * x) for speed in self.speeds for wave in (torch.sin, torch.cos)]
        h = torch.cat([x, *waves, *told], dim=2)                                # (R, B, D (1 + 2 waves) + told)
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.baddbmm(bias, F.silu(h) if k else h, weight)              # (R, B, width)
        return h                                                                # (R, B, out)


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to what came in; between them the context turns channels up or down."""

    def __init__(self, before: int, after: int, context: int):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, before), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, after), nn.Conv2d(after, after, 3, padding=1)
        self.tell = nn.Linear(context, 2 * after)
        self.bypass = nn.Conv2d(before, after, 1) if before != after else nn.Identity()
        nn.init.zeros_(self.conv2.weight)  # at first the block changes nothing: easy to train

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))                                   # (B, after, H, W)
        scale, shift = self.tell(context)[:, :, None, None].chunk(2, dim=1)     # (B, after, 1, 1) each
        h = self.norm2(h) * (1 + scale) + shift                                 # (B, after, H, W)
        return self.bypass(x) + self.conv2(F.silu(h))                           # (B, after, H, W)


class Attention(nn.Module):
    """Every place of the picture looks at every other place and takes what it needs (Vaswani et al., equation 1).

    weights = softmax(q k / sqrt(d)): a query asks, a key answers how well it fits, the values are mixed by the fit.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1)
        self.leave = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        q, k, v = self.query_key_value(self.norm(x)).flatten(2).chunk(3, dim=1)  # (B, C, H W) each
        weights = (q.transpose(1, 2) @ k / C**0.5).softmax(dim=2)               # (B, H W, H W)
        mixed = v @ weights.transpose(1, 2)                                     # (B, C, H W)
        return x + self.leave(mixed.view(B, C, H, W))                           # (B, C, H, W)


class UNet(nn.Module):
    """A U-Net for small pictures (Ronneberger, Fischer and Brox, 2015): down to see the whole, up to draw the parts.

    On the way down each level halves the picture; on the way up each doubles it, and the skip connections hand over
    the fine detail that the halving lost. Arguments: `channels` c0, c1, c2, one number a level (multiples of 8);
    `words`, how many words it knows; `skips=False` cuts all skip connections; `unet.skips[level] = False` cuts
    a single one.
    """

    def __init__(self, channels: tuple[int, ...] = (16, 32, 56), words: int = 0, colours: int = 3,
                 skips: bool = True):  # fmt: skip
        super().__init__()
        self.skips = [skips] * (len(channels) - 1)
        width = channels[-1]
        self.context = Context(words, width)
        self.enter = nn.Conv2d(colours, channels[0], 3, padding=1)
        pairs = list(zip(channels, channels[1:], strict=False))
        self.first = ResidualBlock(channels[0], channels[0], width)
        self.down = nn.ModuleList(ResidualBlock(wide, deep, width) for wide, deep in pairs)
        self.look = Attention(width)
        self.middle = ResidualBlock(width, width, width)
        self.up = nn.ModuleList(ResidualBlock(wide + deep, wide, width) for wide, deep in pairs)
        self.leave = nn.Sequential(nn.GroupNorm(8, channels[0]), nn.SiLU(),
                                   nn.Conv2d(channels[0], colours, 3, padding=1))  # fmt: skip
        nn.init.zeros_(self.leave[-1].weight)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        context = self.context(t, condition)                                    # (B, width)
        h = self.first(self.enter(x), context)                                  # (B, c0, 16, 16)
        kept = []
        for block in self.down:
            kept.append(h)
            h = block(F.avg_pool2d(h, 2), context)                              # (B, c1, 8, 8), (B, c2, 4, 4)
        h = self.middle(self.look(h), context)                                  # (B, c2, 4, 4)
        for level in reversed(range(len(self.up))):
            skip = kept[level] if self.skips[level] else torch.zeros_like(kept[level])
            h = F.interpolate(h, scale_factor=2)                                # (B, c2, 8, 8), (B, c1, 16, 16)
            h = self.up[level](torch.cat([h, skip], dim=1), context)            # (B, c1, 8, 8), (B, c0, 16, 16)
        return self.leave(h)                                                    # (B, 3, 16, 16)
