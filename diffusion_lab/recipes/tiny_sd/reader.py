"""The two readers of the scenes world, trained on real scenes of all combinations."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ...evaluation import Reader, targets
from ...worlds.scenes import FIELDS
from .data import Pictures


class ReaderLoss:
    """Cross-entropy of all five words, on pictures that are noisy or soft by chance, as a generator's are."""

    def __init__(self, train: Pictures, held_out: Pictures, batch: int = 64):
        self.sources, self.batch = (train, held_out), batch
        labels = [{name: [getattr(s, name) for s in source.scenes] for name in FIELDS} for source in self.sources]
        self.targets = [targets(each) for each in labels]

    def __call__(self, network: Reader, generator: torch.Generator) -> Tensor:
        pixels, words = [], []
        for source, known, count in zip(self.sources, self.targets, self.counts(), strict=True):
            index = torch.randint(len(source), (count,), generator=generator)
            pixels.append(source.batch(index.numpy())[0])
            words.append({name: known[name][index] for name in known})
        where = next(network.parameters()).device
        logits = network(roughen(torch.cat(pixels), generator).to(where))
        losses = [F.cross_entropy(logits[name], torch.cat([w[name] for w in words]).to(where)) for name in logits]
        return torch.stack(losses).sum()

    def counts(self) -> tuple[int, int]:
        """How many of a batch are from each source: one in six is of a held-out combination, as in the world."""
        return self.batch - self.batch // 6, self.batch // 6


def roughen(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """A third of the pictures as they are, a third with noise, a third blurred; (B, 3, 128, 128)."""
    third = len(pixels) // 3
    noisy = pixels[:third] + 0.1 * torch.randn(pixels[:third].shape, generator=generator)
    soft = F.avg_pool2d(F.pad(pixels[third : 2 * third], (2, 2, 2, 2), mode="replicate"), 5, 1)
    rough = torch.cat([noisy, soft, pixels[2 * third :]])
    shift = torch.randint(-4, 5, (2,), generator=generator).tolist()
    return rough.roll(shift, (2, 3))
