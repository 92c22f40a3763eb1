"""One walk along a scheduler's times: from static or from a picture, all of it drawn anew or a part of it kept."""

import inspect
from collections.abc import Mapping

import torch
from torch import Tensor

from ..editing import blend, steps_of
from ..errors import LabError
from ..recipe import as_whole
from .schedulers import Scribe, scribe


class Walk:
    """A path through a scheduler that is its own: its `timesteps`, where it begins (`x`, in the scheduler's own
    space), and the moves between.

    Arguments: `scheduler`, its timesteps set; `eps` (B, C, h, w), the static that the path begins with; `sources`, one
    random generator a picture, for samplers that add fresh noise.
    """

    def __init__(self, scheduler, eps: Tensor, sources: list[torch.Generator]):
        self.scheduler, self.eps, self.timesteps, self.first = scheduler, eps, scheduler.timesteps, 0
        self.x, self.known, self.mask = eps * scheduler.init_noise_sigma, None, None
        known = inspect.signature(scheduler.step).parameters
        self.own = {name: value for name, value in {"eta": 0.0, "generator": sources}.items() if name in known}

    def edit(self, known: Tensor, mask: Tensor | None, strength: float) -> None:
        """Begin at a picture `known` (1, C, h, w) instead, raised to the noise of the first of the times that are
        left, and where there is a `mask` (1, 1, h, w) draw only what lies under it (editing.begin, editing.keep).

        With a strength of 1 the path begins with static all the same.
        """
        n = self.scheduler.num_inference_steps
        self.first = (n - steps_of(n, strength)) * self.scheduler.order
        self.known = known.to(self.eps).expand_as(self.eps)
        self.mask = None if mask is None else mask.to(self.eps)
        if self.first:
            self.timesteps = self.timesteps[self.first :]
            if hasattr(self.scheduler, "set_begin_index"):  # those that count their steps
                self.scheduler.set_begin_index(self.first)
            self.x = self.scheduler.add_noise(self.known, self.eps, self.timesteps[:1])

    def scribe(self) -> Scribe:
        """Who writes its Steps."""
        return scribe(self.scheduler, torch.as_tensor(self.timesteps).tolist(), self.first)

    def move(self, i: int, x: Tensor, guess: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """From x (B, C, h, w) at the time number i to the next one; what was kept is put back there.

        Returns the next x and, where something was put back, the scheduler's own "proposal" as the U-Net would see it.
        """
        x = self.scheduler.step(guess, self.timesteps[i], x, **self.own, return_dict=False)[0]
        if self.mask is None:
            return x, {}
        following = self.timesteps[i + 1 : i + 2]
        kept, seen = self.known, x
        if len(following):
            kept = self.scheduler.add_noise(self.known, self.eps, following)
            seen = self.scheduler.scale_model_input(x, following[0])
        return blend(x, kept, self.mask), {"proposal": seen.float()}


def set_timesteps(scheduler, n: int, device: torch.device) -> None:
    """Set a scheduler's timesteps for n steps; raises LabError for a number that it does not take."""
    n = as_whole(n, "the number of steps", "try 20 or 50", 1, scheduler.config.num_train_timesteps)
    try:
        scheduler.set_timesteps(n, device=device)
    except ValueError as error:
        raise LabError(f"{type(scheduler).__name__} takes other numbers of steps; {n} came ({error})") from None
