"""The U-Net and the text encoder of Tiny SD, trained together on the VAE's latents."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel

from ...mixing import add_noise, target_of
from ...schedules import scaled_linear
from ...stable_diffusion.loading.devices import fast_bfloat16
from ...training import as_plan
from ...worlds.scenes import Scene, caption
from .tokenizer import END, LENGTH, START, WordTokens

FOREGROUND, UNCONDITIONAL, REPRESENTATION = 3.0, 0.1, 0.7


@dataclass(frozen=True)
class Latents:
    """n encoded scenes: `x0` float16 (n, 4, 16, 16), the foreground's share `masks` float16 (n, 1, 16, 16), and a
    reader's `features` float16 (n, C, 8, 8)."""

    x0: Tensor
    masks: Tensor
    features: Tensor
    scenes: list[Scene]


def new_text_encoder() -> CLIPTextModel:
    """A CLIPTextModel 128 wide with 3 layers and 24 positions."""
    vocab = WordTokens().vocab
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=len(vocab), hidden_size=128, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=LENGTH, projection_dim=128, hidden_act="gelu", bos_token_id=vocab[START],
        eos_token_id=vocab[END], pad_token_id=vocab[END],
    ))  # fmt: skip


def new_unet() -> UNet2DConditionModel:
    """A UNet2DConditionModel of two levels for latents of 4 x 16 x 16."""
    return UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(64, 128), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=128, attention_head_dim=(2, 4), norm_num_groups=8, use_linear_projection=True,
    )  # fmt: skip


class TinySD(nn.Module):
    """The U-Net and the text encoder in training, which count their own steps; `project` maps the U-Net's middle to
    the reader's features. `half`: whether it computes in bfloat16 (None: where the machine is fast at it); the weights
    stay float32."""

    def __init__(self, channels: int, half: bool | None = None):
        super().__init__()
        self.half = half
        self.unet, self.text_encoder = new_unet(), new_text_encoder()
        self.unet.set_attn_processor(AttnProcessor())
        self.project = nn.Sequential(nn.Conv2d(128, 128, 1), nn.SiLU(), nn.Conv2d(128, channels, 1))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, x_t: Tensor, t: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The velocity (B, 4, 16, 16), and the middle's guess of the reader's features (B, C, 8, 8)."""
        kind, middle = x_t.device.type, []
        half = fast_bfloat16(kind) if self.half is None else self.half
        hook = self.unet.mid_block.register_forward_hook(lambda module, given, came: middle.append(came))
        with torch.autocast(kind, torch.bfloat16) if half else contextlib.nullcontext():
            velocity = self.unet(x_t, t, self.text_encoder(tokens).last_hidden_state).sample
            seen = self.project(middle[0])
        hook.remove()
        return velocity.float(), seen.float()


def by_adamw(name: str) -> bool:
    """Embeddings, the first and the last convolution, and the projection are left to AdamW."""
    return any(part in name for part in ("embedding", "conv_in", "conv_out", "project."))


class DiffusionLoss:
    """Velocity error with the foreground four times as heavy, normalised for each picture, plus the representation
    term: the middle of the U-Net shall see what a reader sees (weight .7, to 0 between 40 and 80 % of the steps)."""

    def __init__(self, latents: Latents, steps: int | Callable[[int], int], batch: int = 32):
        self.latents, self.plan, self.batch = latents, as_plan(steps), batch
        self.tokens, self.schedule = WordTokens(), scaled_linear()

    def __call__(self, network: TinySD, generator: torch.Generator) -> Tensor:
        index = torch.randint(len(self.latents.scenes), (self.batch,), generator=generator)
        where = network.step.device
        x0, masks = self.latents.x0[index].float().to(where), self.latents.masks[index].float().to(where)
        steps = (torch.arange(self.batch) + torch.rand(self.batch, generator=generator)) / self.batch
        t = (steps * len(self.schedule)).long().clamp(max=len(self.schedule) - 1)  # (B,)  stratified, uniform
        alpha_bar = self.schedule.alpha_bars[t].to(x0)[:, None, None, None]
        eps = torch.randn(x0.shape, generator=generator).to(x0)
        x_t = add_noise(x0, alpha_bar, eps)                                     # (B, 4, 16, 16)
        velocity, seen = network(x_t, t.to(where), self.tokens(self.captions(index, generator)).to(where))
        error = (velocity - target_of(x0, eps, alpha_bar, "v")).square()        # (B, 4, 16, 16)
        weight = 1 + FOREGROUND * masks                                         # (B, 1, 16, 16)
        loss = ((error * weight).mean((1, 2, 3)) / weight.mean((1, 2, 3))).mean()
        share = self.representation_weight(int(network.step))
        network.step += 1
        if share == 0:
            return loss
        likeness = F.cosine_similarity(seen, self.latents.features[index].to(seen))  # (B, 8, 8)
        return loss + share * (1 - likeness.mean())

    def representation_weight(self, step: int) -> float:
        return REPRESENTATION * min(1.0, max(0.0, 2 - 2.5 * step / self.plan(step)))

    def captions(self, index: Tensor, generator: torch.Generator) -> list[str]:
        """A fresh caption for each picture, empty in 10 %."""
        rng = np.random.default_rng(torch.randint(2**62, (2,), generator=generator).numpy())
        texts = [caption(self.latents.scenes[k], rng) for k in index.tolist()]
        return ["" if rng.random() < UNCONDITIONAL else text for text in texts]
