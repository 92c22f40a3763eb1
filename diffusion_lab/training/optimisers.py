"""What moves the weights of a network in training: AdamW for all of them, or Muon for the matrices among them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Optimisers(NamedTuple):
    """What moves the weights: torch optimisers; `rate(step, steps)`, the share of their learning rates in use
    at a step from 0 to steps - 1; `clip`, the largest norm of all gradients together (None: not clipped)."""

    optimisers: list[torch.optim.Optimizer]
    rate: Callable[[int, int], float]
    clip: float | None = 1.0

    def groups(self) -> list[dict]:
        """The parameter groups of all optimisers, in order."""
        return [group for optimiser in self.optimisers for group in optimiser.param_groups]


def warm_up_and_down(warm_up: int = 50, down: float = 0.5) -> Callable[[int, int], float]:
    """A learning rate that rises over `warm_up` steps, stays, and falls to zero over the last `down` (0-1] of all."""
    return lambda step, steps: min(1.0, (step + 1) / warm_up, (steps - step) / max(1.0, down * steps))


def adamw(lr: float = 2e-3, rate=None, clip: float | None = 1.0) -> Callable[[nn.Module], Optimisers]:
    """One AdamW for all weights (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019); `lr`
    above 0."""

    def build(network: nn.Module) -> Optimisers:
        optimiser = torch.optim.AdamW(network.parameters(), lr, betas=(0.9, 0.99), weight_decay=0.0)
        return Optimisers([optimiser], rate or warm_up_and_down(), clip)

    return build


def orthogonal(matrix: Tensor, rounds: int = 5) -> Tensor:
    """The matrix (out, in) with all its singular values brought to about 1, by Newton-Schulz iterations X <- a X + b A
    X + c A^2 X with A = X X^T (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024).

    X stays a polynomial of the first A times the first X, so that only small square matrices are iterated.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    X = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    X = X / (X.norm() + 1e-7)                                                   # (small, large)
    A = X @ X.T                                                                 # (small, small)
    product = one = torch.eye(len(X), dtype=X.dtype, device=X.device)
    for _ in range(rounds):
        factor = a * one + b * A + c * A @ A
        product = factor @ product
        A = factor @ A @ factor
    X = product @ X
    return X.T if matrix.shape[0] > matrix.shape[1] else X


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose update is made orthogonal and scaled by sqrt(max(1, out / in)); convolutions count as
    matrices (out, in * height * width)."""

    def __init__(self, parameters: list[nn.Parameter], lr: float, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                memory = self.state[p].setdefault("momentum", torch.zeros_like(p))
                memory.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(memory, group["momentum"]).flatten(1)      # (out, in)
                scale = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                p.add_(orthogonal(update).view_as(p), alpha=-group["lr"] * scale)


def muon_and_adamw(lr: float, adamw_lr: float, by_adamw: Callable[[str], bool], down: float,
                   warm_up: int = 60) -> Callable[[nn.Module], Optimisers]:  # fmt: skip
    """Muon at rate `lr` for weights of two and more dimensions, AdamW at `adamw_lr` for the rest and for those whose
    name `by_adamw` picks; both rise over `warm_up` steps and fall to zero over the last `down` (0-1] of all."""

    def build(network: nn.Module) -> Optimisers:
        parameters = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
        matrices = [p for name, p in parameters if p.dim() > 1 and not by_adamw(name)]
        others = [p for name, p in parameters if p.dim() < 2 or by_adamw(name)]
        beside = torch.optim.AdamW(others, adamw_lr, betas=(0.9, 0.98), weight_decay=0.0)
        return Optimisers([Muon(matrices, lr), beside], warm_up_and_down(warm_up, down), clip=1.0)

    return build
