"""How well a cloud of points covers heaps that are known: three numbers, and each of them alone can be fooled."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import LabError
from ..protocol import check_samples
from ..recipe import as_whole, shortened


class Coverage(NamedTuple):
    """How many heaps are found (`modes`), the share of points `near` a heap, and the `divergence` of the shares of the
    heaps from even ones, in nats. One heap alone has near = 1; fog has a small divergence: read all three."""

    modes: int
    near: float
    divergence: float

    @property
    def lost(self) -> bool:
        """Whether nothing can be said, since the points are no numbers."""
        return self.divergence != self.divergence

    def __str__(self) -> str:
        if self.lost:
            return "lost: its points are no numbers"
        return f"{self.modes} heaps, {100 * self.near:.0f} % near, divergence {self.divergence:.2f}"


LOST = Coverage(0, 0.0, math.nan)


def coverage(heap: Tensor, near: Tensor, K: int) -> Coverage:
    """Modes, share near and divergence of points that belong to K heaps (Lin, Khetan, Fanti and Oh, "PacGAN: The power
    of two samples in generative adversarial networks", 2018, section 4, measure all three).

    Arguments: `heap` (N,), for each point the number of its heap from 0 to K - 1; `near` (N,), whether it lies near
    that heap. A heap is found where its near points are at least a quarter of its due, N / K. The divergence is that
    of Kullback and Leibler, sum p_k log(K p_k), with p_k the heaps' shares of all points: 0 where they are even, log K
    where one heap has all. Raises LabError where a heap is none of the K, or `near` no bools, one a point.
    """
    _check(heap, near, as_whole(K, "K, the number of heaps,", "give len(centres)"))
    found = torch.bincount(heap[near], minlength=K) >= len(heap) / (4 * K)     # (K,)
    p = torch.bincount(heap, minlength=K) / len(heap)                           # (K,)
    return Coverage(int(found.sum()), float(near.float().mean()), float(torch.xlogy(p, K * p).sum()))


def _check(heap: Tensor, near: Tensor, K: int) -> None:
    """Raises LabError for what coverage cannot count."""
    whole = isinstance(heap, Tensor) and heap.dtype in (torch.int64, torch.int32) and heap.ndim == 1 and len(heap)
    if not (whole and 0 <= heap.min() and heap.max() < K):
        raise LabError(f"the number of its heap, from 0 to {K - 1}, was expected for each point; {shortened(heap)} "
                       "came; take it from belonging")
    if not (isinstance(near, Tensor) and near.dtype == torch.bool and near.shape == heap.shape):
        raise LabError(f"True or False for each of {len(heap)} points was expected, whether it is near its heap; "
                       f"{shortened(near)} came; take it from belonging")


def belonging(points: Tensor, centres: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """For each of points (N, 2) the number of the nearest of the heaps' `centres` (K, 2), and whether it lies within
    `reach` of it: (N,) each. Raises LabError for what are no points."""
    check_samples(points, (2,)), check_samples(centres, (2,))
    distance, heap = torch.cdist(points, centres).nan_to_num(torch.inf).min(dim=1)
    return heap, distance < reach
