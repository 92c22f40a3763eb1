"""Stable Diffusion v1.5 in its full size: the architecture alone, or filled with random numbers of any kind.

Random weights draw nothing, but they take the memory and the time of real ones.
"""

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from sd_fixtures import SCHEDULER, make_tokenizer
from transformers import CLIPTextConfig, CLIPTextModel


def parts(size: int = 64) -> dict[str, torch.nn.Module]:
    """The three networks on the meta device, shapes without memory; `size` is the latents' side."""
    text = CLIPTextConfig(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                          num_attention_heads=12, max_position_embeddings=77, hidden_act="quick_gelu")  # fmt: skip
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=size, cross_attention_dim=768, attention_head_dim=8)
        vae = AutoencoderKL(
            sample_size=8 * size, block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)  # fmt: skip
        return {"unet": unet, "vae": vae, "text_encoder": CLIPTextModel(text)}


def pipeline(dtype: torch.dtype, device: str = "cpu", size: int = 64) -> StableDiffusionPipeline:
    """A whole pipeline of the full size with random weights, of one dtype from the first byte on."""
    networks = {name: _filled(network.to(dtype).to_empty(device=device)) for name, network in parts(size).items()}
    embeddings = networks["text_encoder"].get_submodule("embeddings")
    embeddings.position_ids = torch.arange(77, device=device)[None]
    scheduler = PNDMScheduler.from_config({**SCHEDULER, "clip_sample": False})
    made = StableDiffusionPipeline(
        **networks, tokenizer=make_tokenizer(), scheduler=scheduler, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False)  # fmt: skip
    made.set_progress_bar_config(disable=True)
    return made


@torch.no_grad()
def _filled(network: torch.nn.Module) -> torch.nn.Module:
    """Weights spread by their fan-in, norms at one, biases at zero."""
    generator = None
    for name, weight in network.named_parameters():
        if weight.ndim > 1:
            if generator is None:
                generator = torch.Generator(weight.device).manual_seed(0)
            bound = (3 / weight[0].numel()) ** 0.5
            weight.uniform_(-bound, bound, generator=generator)
        else:
            weight.fill_(float(name.endswith("weight")))
    return network.eval()
