"""Paths for the player's tests: a perfect denoiser over thirty small drawings, a photograph, moons, a broken path."""

from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw

from diffusion_lab.exact import Exact
from diffusion_lab.noising import forward, noise
from diffusion_lab.schedules import cosine, linear
from diffusion_lab.trajectory import Recipe, Step, Trajectory, arrived

COLOURS = ("red", "green", "blue", "gold", "purple")
SHAPES = ("disc", "square", "house")
NASTY = ('</script><script>document.body.dataset.bitten = "yes"</script><img src=x onerror="bite()">&amp; "ä" '
         "{{data}} {{style}} {{script}}")  # fmt: skip


@cache
def drawings(side: int = 32) -> tuple[np.ndarray, tuple[str, ...]]:
    """Thirty drawings uint8 (30, side, side, 3) and their captions."""
    images, captions = [], []
    for k in range(30):
        colour, shape = COLOURS[k % 5], SHAPES[k % 3]
        image = Image.new("RGB", (4 * side, 4 * side), "white" if k % 2 else "skyblue")
        draw = ImageDraw.Draw(image)
        a, b = 0.5 * side + 6 * (k % 4), 3.2 * side - 6 * (k % 5)
        if shape == "disc":
            draw.ellipse([a, a, b, b], colour)
        elif shape == "square":
            draw.rectangle([a, a, b, b], colour)
        else:
            draw.polygon([(a, b), (a, 2 * side), ((a + b) / 2, a), (b, 2 * side), (b, b)], colour)
        images.append(np.asarray(image.resize((side, side), Image.Resampling.BOX)))
        captions.append(f"{colour} {shape}")
    return np.stack(images), tuple(captions)


@cache
def reverse(n: int = 12, prompt: str = "", guidance_scale: float = 1.0, sampler: str = "ddim", side: int = 32,
            seed: int = 3) -> Trajectory:  # fmt: skip
    images, captions = drawings(side)
    model = Exact(
        images, captions, linear() if sampler == "heun" else None
    )  # on the cosine one Heun's first step bursts
    steps = model.steps(prompt, n=n, guidance_scale=guidance_scale, sampler=sampler, seed=seed)
    return Trajectory(list(steps), steps.recipe, steps.to_rgb)


@cache
def guided(n: int = 12, sampler: str = "ddim", side: int = 32) -> Trajectory:
    return reverse(n, "red disc", 2.0, sampler, side)


@cache
def photo(side: int = 256) -> torch.Tensor:
    """The astronaut that scikit-image ships, (1, 3, side, side) in [-1, 1]."""
    from skimage import data

    image = Image.fromarray(data.astronaut()).resize((side, side), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


@cache
def forward_photo(side: int = 256, schedule=None) -> Trajectory:
    return forward(photo(side), schedule or cosine())


@cache
def moons(n: int = 10, B: int = 150) -> Trajectory:
    """A path of B points to two half circles."""
    angle = np.linspace(0, np.pi, 100)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    model = Exact(np.concatenate([upper, lower]).astype(np.float32) - [0.5, 0.25])
    steps = model.steps("", n=n, seed=list(range(B)))
    return Trajectory(list(steps), steps.recipe)


def broken() -> Trajectory:
    """A path that falls apart: from step 6 on a part of x_t is not a number, from step 9 on all of it."""
    steps = list(reverse().steps)
    for i in range(6, len(steps)):
        x = steps[i].x_t.clone()
        x[..., 4:20, 8:] = float("nan")
        steps[i] = Step(x if i < 9 else x * float("nan"), steps[i].eps, steps[i].alpha_bar, steps[i].t)
    return Trajectory(steps, reverse().recipe, reverse().to_rgb)


def latents(n: int = 50, side: int = 128) -> Trajectory:
    """A path of latents (1, 4, 16, 16) with a decoded picture at every step."""
    eps, to_rgb = noise((4, 16, 16), 5), torch.tensor([[0.3, 0.1, 0], [0, 0.3, 0.1], [0.1, 0, 0.3], [0.1, 0.1, 0.1],
                                                       [0.2, 0.0, -0.2]])  # fmt: skip
    x0 = torch.nn.functional.interpolate(photo(16), size=(16, 16))
    x0 = torch.cat([x0, x0.mean(1, keepdim=True)], 1)
    steps, pictures = [], {}
    clean = (photo(side)[0].permute(1, 2, 0) * 127.5 + 127.5).round()
    for i in range(n):
        a = ((i + 1) / (n + 1)) ** 2
        guess = a**0.5 * x0
        rough = torch.randn(clean.shape, generator=torch.Generator().manual_seed(i)) * 60 * (1 - a)
        pictures[i] = (clean * a**0.5 + rough).clamp(0, 255).byte()[None]
        beside = {"picture_x0_uncond": pictures[i].flip(2)}
        steps.append(Step(a**0.5 * guess + (1 - a) ** 0.5 * eps, eps, a, 980 - 20 * i, 0.9 * eps, extras=beside))
    steps.append(arrived(x0))
    pictures[n] = clean.byte()[None]
    recipe = Recipe("Tiny SD", ("an astronaut",), (5,), "ddim", n, 2.5, title="DDIM")
    return Trajectory(steps, recipe, to_rgb, pictures)
