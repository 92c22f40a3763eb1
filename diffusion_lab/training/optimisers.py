"""What moves the weights of a network in training: AdamW for all of them, or Muon for the matrices among them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..recipe import as_positive, as_share


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
    warm_up = as_positive(warm_up, "warm_up, the steps of the rise,", "try 50")
    down = as_share(down, "down, the share of the fall,", "try 0.5", some=True)
    return lambda step, steps: min(1.0, (step + 1) / warm_up, (steps - step) / max(1.0, down * steps))


def adamw(lr: float = 2e-3, rate=None, clip: float | None = 1.0) -> Callable[[nn.Module], Optimisers]:
    """One AdamW for all weights (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019); `lr`
    above 0. Raises LabError for another."""
    lr = as_positive(lr, "a learning rate", "try 0.002")

    def build(network: nn.Module) -> Optimisers:
        optimiser = torch.optim.AdamW(network.parameters(), lr, betas=(0.9, 0.99), weight_decay=0.0)
        return Optimisers([optimiser], rate or warm_up_and_down(), clip)

    return build


class AdamWByRow(torch.optim.AdamW):
    """AdamW for stacked weights (R, ...), each row at its own of `rates` (R, 1, 1): that share of a step at rate 1."""

    def __init__(self, parameters, rates: Tensor, betas: tuple[float, float]):
        super().__init__(parameters, 1.0, betas, weight_decay=0.0)
        self.rates = rates

    @torch.no_grad()
    def step(self, closure=None) -> None:
        weights = [p for group in self.param_groups for p in group["params"]]
        before = [p.clone() for p in weights]
        super().step()
        for old, new in zip(before, weights, strict=True):
            new.copy_(torch.lerp(old, new, self.rates))


def adamw_by_row(rates: Tensor, b1: float = 0.9) -> Callable[[nn.Module], Optimisers]:
    """One AdamWByRow for all weights. Not clipped: by a norm of all gradients the rows would hear of each other."""
    return lambda network: Optimisers([AdamWByRow(network.parameters(), rates, (b1, 0.99))], warm_up_and_down(), None)


def orthogonal(matrix: Tensor, rounds: int = 5) -> Tensor:
    """Matrices (B, out, in) with all their singular values brought to about 1, by Newton-Schulz iterations
    X <- a X + b A X + c A^2 X with A = X X^T (Jordan et al., "Muon: An optimizer for hidden layers in neural networks",
    2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[1] > matrix.shape[2]
    X = matrix.mT if tall else matrix
    X = X / (X.norm(dim=(1, 2), keepdim=True) + 1e-7)                           # (B, small, large)
    if X.is_cuda:  # few operations count
        for _ in range(rounds):
            A = X @ X.mT                                                        # (B, small, small)
            X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=b, alpha=c), X, beta=a)
        return X.mT if tall else X
    # small operations count: X stays a polynomial of the first A times the first X, and only A's size is iterated
    A = X @ X.mT
    product = one = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    for _ in range(rounds):
        factor = a * one + b * A + c * A @ A
        product = factor @ product
        A = factor @ A @ factor
    X = product @ X
    return X.mT if tall else X


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose update is made orthogonal and scaled by sqrt(max(1, out / in)); convolutions count as
    matrices (out, in * height * width), and those of one shape are computed together."""

    def __init__(self, parameters: list[nn.Parameter], lr: float, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = {}
            for p in (p for p in group["params"] if p.grad is not None):
                alike.setdefault(p.shape, []).append(p)
            for shape, parameters in alike.items():
                memory = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in parameters]
                grads = [p.grad for p in parameters]
                torch._foreach_lerp_(memory, grads, 1 - group["momentum"])
                update = torch._foreach_lerp(grads, memory, group["momentum"])
                update = orthogonal(torch.stack(update).flatten(2))             # (number, out, in)
                scale = max(1.0, update.shape[1] / update.shape[2]) ** 0.5
                torch._foreach_sub_(parameters, list((update * (group["lr"] * scale)).view(-1, *shape)))


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
