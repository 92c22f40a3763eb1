"""What every stage of the recipe is told: where its state lies, and how long it may take."""

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ...errors import LabError
from ...files import read_as, read_json, whole
from ...recipe import as_whole
from ...stable_diffusion.loading.devices import fast_bfloat16
from ...training import Checkpoint, Within, as_plan, together


@dataclass(frozen=True)
class Settings:
    """`out`, the folder of the training's state; `drawn`, how many scenes are drawn, and an eighth as many wide ones;
    `steps` or `minutes` of a stage (None: its default); `batch`, how many pictures a step of the U-Net sees (and at
    most, one of the others); `every`, seconds between two checkpoints; `resume`, whether a stage may go on with what is
    in `out`; `device`, a torch device; `workers`, how many processes draw; `clock`, in seconds. Raises LabError for
    numbers that are none."""

    out: Path
    drawn: int = 96000
    steps: int | None = None
    minutes: float | None = None
    batch: int = 384
    every: float = 120.0
    resume: bool = False
    device: str = "cpu"
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self):
        for name, value in (("drawn", self.drawn), ("batch", self.batch), ("workers", self.workers)):
            as_whole(value, f"--{name}", f"leave --{name} out")
        for name, value in (("steps", self.steps), ("minutes", self.minutes)):
            if value is not None:
                as_plan(value) if name == "steps" else Within(60 * value)

    def checkpoint(self, stage: str) -> Checkpoint:
        """The checkpoint of a stage; raises LabError where there is one already and `resume` was not asked for."""
        path = self.out / stage / "checkpoint.safetensors"
        if path.exists() and not self.resume:
            raise LabError(f"an empty place was expected for the stage '{stage}'; a training lies in {path.parent}; "
                           "add --resume to go on with it, or name another folder with --out")  # fmt: skip
        return Checkpoint(path, self.every)

    def plan(self, stage: str, default: int) -> int | Within:
        """How many steps the stage takes in all: as asked for, as many as fit into `minutes` from now on, as an earlier
        call wrote down, or the default."""
        if self.steps is None and self.minutes is not None:
            return Within(60 * self.minutes, self.clock)
        note = self.out / stage / "plan.json"
        if self.steps is not None and together.first():
            with whole(note) as part:
                part.write_text(json.dumps({"steps": self.steps}), encoding="utf-8")
        together.wait()
        if not note.exists():
            return default
        what, again = f"the plan of the stage '{stage}'", "say --steps again"
        known = read_json(note, what, again)
        with read_as(note, what, again):
            return known["steps"]


def half(device: str | torch.device):
    """Within it, products are taken in bfloat16 where the device is fast at it."""
    kind = torch.device(device).type
    fast = fast_bfloat16(kind)
    return torch.autocast(kind, torch.bfloat16, cache_enabled=False) if fast else contextlib.nullcontext()
