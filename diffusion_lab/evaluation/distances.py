"""How far two sets of pictures lie apart, whatever world they are of."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def to_pixels(images: np.ndarray) -> Tensor:
    """uint8 (n, 128, 128, 3) to float32 (n, 3, 128, 128) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """How far two sets of features lie apart, taken as two Gaussians: |mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2))
    with A and B their covariances (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local
    Nash Equilibrium", 2017, equation 6).

    Arguments: `a` (n, C) and `b` (m, C), n and m above C. Returns the distance, 0 or more (squared feature units).
    tr (A B)^(1/2) is the sum of the roots of A B's eigenvalues, which are those of A^(1/2) B A^(1/2).
    """
    a, b = a.double(), b.double()
    A, B = torch.cov(a.T), torch.cov(b.T)                                       # (C, C)
    values, vectors = torch.linalg.eigh(A)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T                     # (C, C)  A^(1/2)
    cross = torch.linalg.eigvalsh(root @ B @ root).clamp(min=0).sqrt().sum()
    distance = (a.mean(0) - b.mean(0)).square().sum() + A.trace() + B.trace() - 2 * cross
    return max(0.0, float(distance))


def sliced_wasserstein(a: Tensor, b: Tensor, directions: int = 24) -> float:
    """How far two clouds of points in the plane lie apart: their shadows on a line are sorted and compared, place by
    place, and so from all sides: sqrt(mean over directions and places of |shadow of a - shadow of b|^2) (Rabin et al.,
    "Wasserstein Barycenter and Its Application to Texture Mixing", 2011, equation 8).

    Arguments: `a` (n, 2) and `b` (m, 2), from 0 (alike) upwards in the plane's unit; two draws of n points of one cloud
    are never at 0. A shadow is compared at 1,000 places from its first point to its last.
    """
    angles = torch.arange(directions, dtype=torch.float64) * (np.pi / directions)
    lines = torch.stack([angles.cos(), angles.sin()])                           # (2, directions)
    places = torch.linspace(0.0005, 0.9995, 1000, dtype=torch.float64)
    one, other = ((points.double() @ lines).quantile(places, dim=0) for points in (a, b))
    return float((one - other).square().mean().sqrt())


def nearest(images: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of n images the number (n,) of the nearest of m others, and their root mean square difference (n,) in
    grey levels (0 to 255), compared at 32 x 32."""
    a, b = _shrunk(images), _shrunk(others)                                     # (n, 3072), (m, 3072)
    distance, index = torch.cdist(a, b).min(1)
    return index.numpy(), (distance / a.shape[1] ** 0.5 * 127.5).numpy()


def _shrunk(images: np.ndarray, batch: int = 500) -> Tensor:
    parts = [images[k : k + batch] for k in range(0, len(images), batch)]
    return torch.cat([F.avg_pool2d(to_pixels(part), 4).flatten(1) for part in parts])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two sets of pictures uint8: 10 log10(255^2 / mean squared difference)."""
    return float(10 * np.log10(255**2 / np.square(a.astype(np.float32) - b).mean()))
