"""The full-size v1.5: its parameters in every run, and when there is time two real steps of it in less than 4 GiB, and
where a word is looked at in its sixteen layers and what an edit keeps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sd_full_size import parts

from diffusion_lab.stable_diffusion.pictures import _SD1_CHANNELS

COUNTS = {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}

TWO_STEPS = """
import itertools, resource, sys, time, torch
import sd_full_size
from PIL import Image
from diffusion_lab.editing import Edit
from diffusion_lab.places import Habits
from diffusion_lab.stable_diffusion import StableDiffusion
from diffusion_lab.stable_diffusion.attention import heat
from diffusion_lab.stable_diffusion.loading.devices import fast_bfloat16
size = 64 if fast_bfloat16("cpu") else 16  # without the hardware for it, 512 pixels would take an hour
sd = StableDiffusion(sd_full_size.pipeline(torch.bfloat16, size=size), Habits("full size"))
began = time.monotonic()
steps = list(itertools.islice(sd.steps("a photo of an astronaut riding a horse on mars", n=50), 2))
assert all(torch.isfinite(step.x0).all() and step.x0.shape == (1, 4, size, size) for step in steps)
assert not torch.equal(steps[0].eps, steps[0].eps_uncond) and steps[0].eps.std() > 0
prompt = "a photo of an astronaut riding a horse on mars"
maps = heat(sd, prompt, "horse", n=1, guidance_scale=1)
sides = sorted(one.shape[1] for one in maps.values())
assert sides == sorted([size] * 5 + [size // 2] * 5 + [size // 4] * 5 + [size // 8]), sides
assert all(torch.isfinite(one).all() and 0 <= one.min() and one.max() <= 1 for one in maps.values())
red, left = Image.new("RGB", (8 * size, 8 * size), "red"), torch.zeros(8 * size, 8 * size)
left[:, : 4 * size] = 1
*_, step = sd.steps(prompt, n=2, edit=Edit(red, left, 0.5), guidance_scale=1, sampler="ddim")
kept = sd.encode(red)
assert torch.equal(step.x0[..., size // 2:], kept[..., size // 2:])
assert torch.isfinite(step.x0).all() and not torch.equal(step.x0, kept)
print(8 * size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, time.monotonic() - began)
"""


def test_parameters_are_those_of_v1_5():
    counted = {name: sum(p.numel() for p in network.parameters()) for name, network in parts().items()}
    assert counted == COUNTS
    assert list(parts()["vae"].config.block_out_channels) == _SD1_CHANNELS  # so its published previews are taken


def test_shapes_at_512_pixels():
    networks = parts()
    with torch.no_grad():
        x = torch.empty(2, 4, 64, 64, device="meta")
        eps = networks["unet"](x, 500, encoder_hidden_states=torch.empty(2, 77, 768, device="meta")).sample
        picture = networks["vae"].decode(eps[:1]).sample
    assert eps.shape == (2, 4, 64, 64) and picture.shape == (1, 3, 512, 512)


@pytest.mark.slow
def test_two_bfloat16_steps_in_less_than_4_gib():
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", TWO_STEPS], capture_output=True, text=True, env=here)
    assert done.returncode == 0, done.stderr
    pixels, peak, seconds = map(float, done.stdout.split()[-3:])
    print(f"{pixels:.0f} pixels: peak {peak / 2**30:.2f} GiB, two steps in {seconds:.0f} s")
    assert peak < 4 * 2**30
