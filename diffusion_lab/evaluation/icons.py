"""How well the icons toy obeys its prompts: a small classifier that only ever saw real icons reads its pictures."""

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..pixels import as_samples
from ..toy import Toy
from ..training import adamw, train
from ..worlds import icons

NAMES = {"colour": list(icons.COLOURS), "shape": list(icons.SHAPES)}


@functools.cache
def reader(steps: int = 500, seed: int = 5) -> nn.Module:
    """A classifier trained on real icons of all pairs, a little static on them: (B, 3, 16, 16) -> (B, 6 + 6) scores."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(),                          # (B, 32, 16, 16)
            nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU(),               # (B, 32, 8, 8)
            nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),               # (B, 64, 4, 4)
            nn.Flatten(), nn.Linear(1024, 12),                                  # (B, 12)
        )  # fmt: skip
    images, _, labels = icons.sample(6000, seed)
    samples, truth = as_samples(images), _numbers(labels)

    def loss(network: nn.Module, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(samples), (64,), generator=generator)
        scores = network(samples[rows] + 0.1 * torch.randn(64, *samples.shape[1:], generator=generator))
        colour, shape = scores.split(6, dim=1)
        return F.cross_entropy(colour, truth["colour"][rows]) + F.cross_entropy(shape, truth["shape"][rows])

    *_, last = train(network, loss, steps, optimizer=adamw(2e-3), seed=seed)
    return last.ema


@torch.no_grad()
def read(network: nn.Module, samples: Tensor, labels: dict) -> dict[str, float]:
    """The shares (0-1) of samples whose colour, shape, and both are read as `labels` say."""
    truth = _numbers(labels)
    right = {k: s.argmax(dim=1) == truth[k] for k, s in zip(NAMES, network(samples).split(6, dim=1), strict=True)}
    right["both"] = right["colour"] & right["shape"]
    return {key: value.float().mean().item() for key, value in right.items()}


def obeyed(toy: Toy, network: nn.Module, split: str, count: int, guidance_scale: float) -> dict[str, float]:
    """The same shares over `count` pictures that the toy draws in 20 steps, the pairs of `split` ("train": seen,
    "held-out": never seen together) in turn, seed k for picture k."""
    pairs = [icons.PAIRS[split][k % len(icons.PAIRS[split])] for k in range(count)]
    prompts = [" ".join(pair) for pair in pairs]
    *_, last = toy.steps(prompts, n=20, seed=list(range(count)), guidance_scale=guidance_scale)
    return read(network, last.x0.clamp(-1, 1), dict(zip(NAMES, zip(*pairs, strict=True), strict=True)))


def coarse(samples: Tensor) -> Tensor:
    """Of each icon (B, 3, 16, 16) the mean colours of its 16 fields of 4 x 4 pixels, (B, 48): few enough numbers for a
    Frechet distance of a few hundred icons."""
    return F.avg_pool2d(samples.clamp(-1, 1), 4).flatten(1)


def _numbers(labels: dict) -> dict[str, Tensor]:
    return {key: torch.tensor([NAMES[key].index(word) for word in words]) for key, words in labels.items()}
