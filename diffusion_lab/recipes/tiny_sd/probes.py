"""What Tiny SD can be used for, measured: figures taken out, pictures made wider, and where its words look."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...editing import keep
from ...evaluation.masks import overlap
from ...guidance import guided
from ...mixing import add_noise
from ...noising import noise
from ...protocol import Rule
from ...sampling import ancestral, denoise, dpmpp_2m
from ...stable_diffusion import StableDiffusion
from ...stable_diffusion.attention import finest, looking
from ...worlds import scenes
from . import GUIDANCE, N

TIMES = (200, 400, 600)  # of the noise at which attention is looked at
PLACED = ("horse", "bicycle", "skateboard", "subject", "place")


def _filled(sd: StableDiffusion, prompts: list[str], known: Tensor, mask: Tensor, seed: int, n: int = N,
            rule: Rule | None = None) -> Tensor:  # fmt: skip
    """Latents (B, 4, h, w) in which what lies under the mask (B or 1, 1, h, w) is drawn anew, in n steps of a rule
    (DPM++ 2M if left out)."""
    final = sd.schedule.final
    x = noise(known.shape[1:], list(range(seed, seed + len(known))))
    rule = keep(rule or dpmpp_2m(final), known, mask, x, final)
    *_, last = denoise(guided(sd, prompts, guidance_scale=GUIDANCE), sd.schedule, x, sd.schedule.timesteps(n), rule)
    return last.x0


def emptied(sd: StableDiffusion, n: int, seed: int = 7001) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Real scenes and what is left of them when their figure is inpainted with "an empty beach" (or whatever place it
    is), in parts; uint8 (B, 128, 128, 3) each. The mask is the figure's own, one latent pixel wider."""
    images, masks, _, labels = scenes.sample_with_masks(n, seed, "train")
    for k in range(0, n, 16):
        part = slice(k, k + 16)
        known = torch.cat([sd.encode(image) for image in images[part]])
        mask = F.max_pool2d(torch.from_numpy(masks[part][:, None]).float(), 8)  # (B, 1, 16, 16)
        mask = (F.max_pool2d(mask, 3, 1, 1) > 0).float()
        prompts = [scenes.describe(scenes.Window(place)) for place in labels["place"][part]]
        yield images[part], sd.decode(_filled(sd, prompts, known, mask, k)).numpy()


def widened(sd: StableDiffusion, n: int, seed: int = 7002) -> Iterator[np.ndarray]:
    """Real scenes with as much again drawn to the right of them at once, in parts; uint8 (B, 128, 256, 3).

    In 50 steps with fresh noise, which lets both halves find together, and over a border two latent pixels wide.
    """
    images, _, labels = scenes.sample(n, seed, "train")
    for k in range(0, n, 16):
        known = torch.cat([sd.encode(image) for image in images[k : k + 16]])
        wide = torch.cat([known, torch.zeros_like(known)], 3)                   # (B, 4, 16, 32)
        mask = torch.zeros(1, 1, *wide.shape[2:])
        mask[..., known.shape[3] :] = 1
        mask[..., known.shape[3] - 2], mask[..., known.shape[3] - 1] = 1 / 3, 2 / 3
        prompts = [scenes.describe(scenes.Window(place)) for place in labels["place"][k : k + 16]]
        fresh = ancestral([torch.Generator().manual_seed(seed + k + j) for j in range(len(known))])
        yield sd.decode(_filled(sd, prompts, wide, mask, k, 50, fresh)).numpy()


def seam(images: np.ndarray, at: int = 128, around: int = 16) -> float:
    """How much grey levels jump across the column `at`, as a ratio to their jumps at the columns around it; uint8
    (n, H, W, 3)."""
    jumps = np.abs(np.diff(images.astype(float), axis=2)).mean((0, 1, 3))       # (W - 1,)
    near = np.r_[jumps[at - 1 - around : at - 1], jumps[at : at + around]]
    return float(jumps[at - 1] / near.mean())


@torch.no_grad()
def attention(sd: StableDiffusion, x0: Tensor, prompts: list[str], seed: int) -> Tensor:
    """Where each token of the prompts (B) looks in pictures x0 (B, 4, 16, 16): the mean over heads, noise levels and
    the layers of the finest cross-attention there is, (B, 16, 16, tokens)."""
    condition, eps = sd.condition(prompts), noise(x0.shape[1:], list(range(seed, seed + len(x0))))
    with looking(sd) as looks:
        for t in TIMES:
            sd.predict_noise(add_noise(x0, sd.schedule.alpha_bar(t), eps), t, condition)
    return F.interpolate(finest(looks).permute(0, 3, 1, 2), (16, 16), mode="bilinear").permute(0, 2, 3, 1)


def looked(sd: StableDiffusion, n: int, seed: int = 7003) -> dict[str, float]:
    """For each of PLACED, how well the attention of its word covers the true part of n real scenes: intersection over
    union, the heat cut where it covers as many pixels as the part does."""
    drawn, scores = [scenes.choose(np.random.default_rng([seed, k])) for k in range(n)], {name: [] for name in PLACED}
    for k in range(0, n, 20):
        part = drawn[k : k + 20]
        came = [scenes.draw(scene, np.random.default_rng([seed, k + j, 1])) for j, scene in enumerate(part)]
        x0, prompts = torch.cat([sd.encode(image) for image, _, _ in came]), [scenes.describe(scene) for scene in part]
        heat = F.interpolate(attention(sd, x0, prompts, k).permute(0, 3, 1, 2), (128, 128), mode="bicubic")
        for j, (scene, prompt) in enumerate(zip(part, prompts, strict=True)):
            words, where = prompt.split(), torch.from_numpy(came[j][2])
            asked = (("subject", scene.subject, 1), (scene.ride, scene.ride, 2), ("place", words[-1], 0))
            for name, word, number in asked:
                if name in scores:
                    scores[name].append(overlap(heat[j, 1 + words.index(word)], where == number))
    return {name: float(np.mean(values)) for name, values in scores.items() if values}
