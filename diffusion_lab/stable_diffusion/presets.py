"""Four ways to draw, each honest about what it changes."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Preset:
    """How a preset draws: `n`, `sampler` and `guidance_scale` (None: the model's own), and what that `changes`."""

    n: int
    sampler: str
    changes: str
    guidance_scale: float | None = None
    compiled: bool = False


PRESETS = {
    "as_in_article": Preset(50, "pndm", "nothing: 50 steps of PNDM, as the article draws"),
    "fast": Preset(20, "dpmpp_2m_karras", "another sampler in 20 steps: the same subject, not the same picture"),
    "compiled": Preset(20, "dpmpp_2m_karras", "as fast, and the U-Net compiled: the first picture of a size takes a "
                       "minute longer, the next ones less; worth it for hundreds of pictures", compiled=True),
    "turbo": Preset(4, "own", "another model, taught to draw in 1 to 4 steps: guidance and negative prompts play no "
                    "part", guidance_scale=1.0),
}  # fmt: skip


def compile_network(pipeline) -> None:
    """Compile the U-Net in place, its numbers laid out channels last; the work is done at the first picture."""
    if not pipeline.unet._compiled_call_impl:
        pipeline.unet.to(memory_format=torch.channels_last)
        mode = "reduce-overhead" if pipeline.unet.device.type == "cuda" else "default"
        pipeline.unet.compile(mode=mode, fullgraph=True)
