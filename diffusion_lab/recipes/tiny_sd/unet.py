"""The U-Net and the text encoder of Tiny SD, trained together on the VAE's latents."""

from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel

from ...mixing import add_noise, target_of
from ...schedules import scaled_linear
from .settings import half
from .tokenizer import END, LENGTH, START, WordTokens

FOREGROUND, UNCONDITIONAL, REPRESENTATION = 3.0, 0.1, 0.7
WIDE_EVERY = 8  # one step in eight sees pictures of twice the width


@dataclass(frozen=True)
class Latents:
    """n encoded scenes: `x0` float16 (n, 4, 16, w), the foreground's share `masks` float16 (n, 1, 16, w), a reader's
    `features` float16 (n, C, 8, w / 2) and the captions' `tokens` int16 (n, 8, 24)."""

    x0: Tensor
    masks: Tensor
    features: Tensor
    tokens: Tensor

    def to(self, device: str) -> "Latents":
        return Latents(*(x.to(device) for x in (self.x0, self.masks, self.features, self.tokens)))


def together(a: Latents, b: Latents) -> Latents:
    """The scenes of both."""
    return Latents(*(torch.cat([getattr(a, name), getattr(b, name)]) for name in ("x0", "masks", "features", "tokens")))


def new_text_encoder() -> CLIPTextModel:
    """A CLIPTextModel 128 wide with 3 layers and 24 positions."""
    vocab = WordTokens().vocab
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=len(vocab), hidden_size=128, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=LENGTH, projection_dim=128, hidden_act="gelu", bos_token_id=vocab[START],
        eos_token_id=vocab[END], pad_token_id=vocab[END],
    ))  # fmt: skip


def new_unet() -> UNet2DConditionModel:
    """A UNet2DConditionModel of two levels for latents of 4 x 16 x 16, which hears the prompt at 8 x 8 on its way down
    and at 8 x 8 and 16 x 16 on its way up."""
    return UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(64, 128), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), mid_block_type="UNetMidBlock2D",
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=128, attention_head_dim=(2, 4), norm_num_groups=8, use_linear_projection=True,
    )  # fmt: skip


class TinySD(nn.Module):
    """The U-Net and the text encoder in training; `project` maps the U-Net's middle to the reader's features
    (`channels` of them). It computes in bfloat16 where the machine is fast at it; the weights stay float32."""

    def __init__(self, channels: int):
        super().__init__()
        self.unet, self.text_encoder = new_unet(), new_text_encoder()
        self.project = nn.Sequential(nn.Conv2d(128, 128, 1), nn.SiLU(), nn.Conv2d(128, channels, 1))

    def forward(self, x_t: Tensor, t: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The velocity (B, 4, 16, w), and the middle's guess of the reader's features (B, C, 8, w / 2)."""
        middle = []
        hook = self.unet.mid_block.register_forward_hook(lambda module, given, came: middle.append(came))
        with half(x_t.device):
            velocity = self.unet(x_t, t, self.text_encoder(tokens).last_hidden_state).sample
            seen = self.project(middle[0])
        hook.remove()
        return velocity.float(), seen.float()


def attend(network: TinySD, device: str) -> None:
    """On a CPU the plain attention is the faster one to train."""
    network.unet.set_attn_processor(AttnProcessor() if device == "cpu" else AttnProcessor2_0())


def by_adamw(name: str) -> bool:
    """Embeddings, the first and the last convolution, and the projection are left to AdamW."""
    return any(part in name for part in ("embedding", "conv_in", "conv_out", "project."))


class DiffusionLoss:
    """Velocity error with the foreground four times as heavy, normalised for each picture, plus the representation
    term: the middle of the U-Net shall see what a reader sees (weight .7, to 0 between 40 and 80 % of the steps)."""

    def __init__(self, latents: Latents, batch: int):
        self.latents, self.batch, where = latents, batch, latents.x0.device
        self.empty, self.schedule = WordTokens()([""]).to(where), scaled_linear()
        self.alpha_bars = self.schedule.alpha_bars.float().to(where)            # (T,)
        self.share = torch.zeros((), device=where)                              # weight of the representation term

    def at(self, step: int, steps: int) -> None:
        """Sets what depends on the step."""
        self.share.fill_(representation_weight(step, steps))

    def __call__(self, network: TinySD, generator: torch.Generator | None) -> Tensor:
        B, where, T = self.batch, self.latents.x0.device, len(self.schedule)
        draw = {"generator": generator, "device": where}
        index = torch.randint(len(self.latents.x0), (B,), **draw)
        x0, masks = self.latents.x0[index].float(), self.latents.masks[index].float()
        t = ((torch.arange(B, device=where) + torch.rand(B, **draw)) / B * T).long().clamp(max=T - 1)
        alpha_bar = self.alpha_bars[t][:, None, None, None]                     # stratified, uniform
        eps = torch.randn(x0.shape, **draw)
        x_t = add_noise(x0, alpha_bar, eps)                                     # (B, 4, 16, w)
        velocity, seen = network(x_t, t, self.captions(index, draw))
        error = (velocity - target_of(x0, eps, alpha_bar, "v")).square()        # (B, 4, 16, w)
        weight = 1 + FOREGROUND * masks                                         # (B, 1, 16, w)
        loss = ((error * weight).mean((1, 2, 3)) / weight.mean((1, 2, 3))).mean()
        likeness = F.cosine_similarity(seen, self.latents.features[index].float())  # (B, 8, w / 2)
        return loss + self.share * (1 - likeness.mean())

    def captions(self, index: Tensor, draw: dict) -> Tensor:
        """One of the eight captions of each picture (B, 24), the empty one in 10 %."""
        which = torch.randint(self.latents.tokens.shape[1], index.shape, **draw)
        silent = torch.rand(len(index), **draw) < UNCONDITIONAL
        return torch.where(silent[:, None], self.empty, self.latents.tokens[index, which].long())


def representation_weight(step: int, steps: int) -> float:
    """.7, falling to 0 between 40 and 80 % of the steps."""
    return REPRESENTATION * min(1.0, max(0.0, 2 - 2.5 * step / steps))


class Turns:
    """Two losses that take turns: the second at every eighth step, the first at all others."""

    def __init__(self, first: DiffusionLoss, second: DiffusionLoss):
        self.losses, self.now = (first, second), 0

    def at(self, step: int, steps: int) -> None:
        """Sets what depends on the step, and whose turn it is."""
        self.now = int(step % WIDE_EVERY == WIDE_EVERY - 1)
        self.losses[self.now].at(step, steps)

    def __call__(self, network: TinySD, generator: torch.Generator | None) -> Tensor:
        return self.losses[self.now](network, generator)
