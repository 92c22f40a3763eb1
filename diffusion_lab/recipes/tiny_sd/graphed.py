"""Training on a GPU as a recorded step: the device repeats it by itself, and Python only tells it the learning rate.

A step of these small networks is a few thousand operations, each too short to hide the time that Python needs to ask
for it. A CUDA graph holds them all, so that one call repeats the step.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ...training import Optimisers, Progress, as_plan

WARM_UP = 3  # plain steps before one is recorded: what is made at a first step must not be made again at each


def train(network: nn.Module, loss: Callable[[nn.Module, torch.Generator | None], Tensor],
          steps: int | Callable[[int], int], *,
          optimizer: Callable[[nn.Module], Optimisers], ema: Callable[[int], float], seed: int = 0,
          every: int = 100) -> Iterator[Progress]:  # fmt: skip
    """`training.train` for one GPU: the same arguments, but a loss that never asks the device for a number and draws
    with the device's own generator, and no checkpoint; yields a Progress every so many steps and at the last.

    `loss.at(step, steps)` and `loss.now`, where the loss has them: what changes from step to step, and which of several
    computations is due; each is recorded by itself.
    """
    torch.cuda.manual_seed(seed)
    step, graphs, pool = _Step(network, loss, optimizer(network), ema), {}, torch.cuda.graph_pool_handle()
    side, plan, k, total = torch.cuda.Stream(), as_plan(steps), 0, 1
    while k < total:
        total = plan(k)
        step.prepare(k, total)
        due = getattr(loss, "now", 0)
        plain = graphs.setdefault(due, [])
        if len(plain) < WARM_UP:
            plain.append(k)
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                step.advance()
            torch.cuda.current_stream().wait_stream(side)
        else:
            if len(plain) == WARM_UP:
                plain.append(torch.cuda.CUDAGraph())
                with torch.cuda.graph(plain[-1], pool=pool):
                    step.advance()
            plain[-1].replay()
        k, total = k + 1, plan(k + 1)
        if k % every == 0 or k >= total:
            yield Progress(k, max(k, total), float(step.loss), step.average.module)


class _Step:
    """All that a step reads and changes, at fixed places in the device's memory."""

    def __init__(self, network: nn.Module, loss: Callable, moved_by: Optimisers, ema: Callable[[int], float]):
        self.network, self.ask, self.moved_by, self.ema = network.train(), loss, moved_by, ema
        self.average = AveragedModel(network)
        self.average.requires_grad_(False).eval()
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.averages = [a for a, p in zip(self.average.module.parameters(), network.parameters(), strict=True)
                         if p.requires_grad]  # fmt: skip
        where = self.parameters[0].device
        self.loss, self.share = torch.zeros((), device=where), torch.ones((), device=where)
        for group in moved_by.groups():
            group["initial_lr"], group["capturable"] = group["lr"], where.type == "cuda"
            group["lr"] = torch.zeros((), device=where)

    def prepare(self, step: int, steps: int) -> None:
        """Write down what depends on the step, where the device finds it."""
        if hasattr(self.ask, "at"):
            self.ask.at(step, steps)
        for group in self.moved_by.groups():
            group["lr"].fill_(group["initial_lr"] * self.moved_by.rate(step, steps))
        self.share.fill_(1 - self.ema(step + 1))

    def advance(self) -> None:
        """One step, without a word to or from Python."""
        for p in self.parameters:
            p.grad = None
        value = self.ask(self.network, None)
        value.backward()
        if self.moved_by.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.moved_by.clip)
        for optimiser in self.moved_by.optimisers:
            optimiser.step()
        with torch.no_grad():
            gap = torch._foreach_sub(self.parameters, self.averages)
            torch._foreach_mul_(gap, self.share)
            torch._foreach_add_(self.averages, gap)
            self.loss.copy_(value)
