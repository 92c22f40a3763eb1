"""The two readers of the scenes world, trained on real scenes of all combinations."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ...evaluation import WORDS, Reader
from .data import Pictures


class ReaderLoss:
    """Cross-entropy of all words, on pictures that are noisy or soft by chance, as a generator's are; one picture in
    six is of a held-out combination, as in the world."""

    def __init__(self, train: Pictures, held_out: Pictures, batch: int):
        self.sources, self.batch = (train, held_out), batch

    def __call__(self, network: Reader, generator: torch.Generator | None) -> Tensor:
        pixels, words = [], []
        for source, count in zip(self.sources, (self.batch - self.batch // 6, self.batch // 6), strict=True):
            index = torch.randint(len(source), (count,), generator=generator, device=source.images.device)
            pixels.append(source.batch(index)[0])
            words.append(source.labels[index].long())                           # (count, number of WORDS)
        logits, truth = network(roughen(torch.cat(pixels), generator)), torch.cat(words)
        return sum(F.cross_entropy(logits[name], truth[:, k]) for k, name in enumerate(WORDS))


def roughen(pixels: Tensor, generator: torch.Generator | None) -> Tensor:
    """A third of the pictures (B, 3, 128, 128), by chance, with noise, a third blurred, the others as they are; each
    stays in its place."""
    draw = {"generator": generator, "device": pixels.device}
    noisy = pixels + 0.1 * torch.randn(pixels.shape, **draw)
    soft = F.avg_pool2d(F.pad(pixels, (2, 2, 2, 2), mode="replicate"), 5, 1)
    chance = torch.rand(len(pixels), 1, 1, 1, **draw)
    return torch.where(chance < 1 / 3, noisy, torch.where(chance < 2 / 3, soft, pixels))
