"""What a training must remember to go on exactly where it stopped, and the file it is kept in."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from ..errors import LabError
from ..files import expanded, read_as, read_tensors, whole
from ..recipe import as_whole
from .optimisers import Optimisers

MOST = 2**53  # steps: up to here whole numbers are kept as they are


@dataclass(frozen=True)
class Checkpoint:
    """A safetensors file that is rewritten every so many seconds, and from which an interrupted training goes on."""

    path: str | Path
    every_seconds: float = 120.0

    def __post_init__(self):
        object.__setattr__(self, "path", expanded(self.path))
        seconds = self.every_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, Real) or not seconds >= 0:
            raise LabError(f"every_seconds is a number of seconds, 0 or more; {seconds!r} came; try 60")


@dataclass
class State:
    """All that a training changes: the network, its moving average, the optimisers' memory and the step; and the
    `seed` that its random numbers come from."""

    network: nn.Module
    average: AveragedModel
    moved_by: Optimisers
    seed: int = 0
    step: int = 0
    loss: float = float("nan")

    def save(self, path: Path) -> None:
        """Write all of it: a kill at any moment, or a full disk, leaves one whole checkpoint."""
        tensors, numbers = self._weights(), {}
        for i, optimiser in enumerate(self.moved_by.optimisers):
            for p, memory in optimiser.state_dict()["state"].items():
                for name, value in memory.items():
                    place = tensors if isinstance(value, Tensor) else numbers
                    place[f"optimiser.{i}.{p}.{name}"] = value
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        about = {**self._kind(), "step": self.step, "loss": self.loss, "numbers": numbers, "names": sorted(tensors)}
        with whole(path) as part:
            save_file(tensors, part, metadata={"about": json.dumps(about)})

    def load(self, path: Path) -> None:
        """Read what `save` wrote; raises LabError, before anything changes, where the file is of another training."""
        what, remedy = "a checkpoint of this training", "name another file or move this one away"
        tensors, metadata = read_tensors(path, what, remedy)
        with read_as(path, what, remedy):
            about = json.loads(metadata["about"])
            step, loss = as_whole(about["step"], "a step", "keep what was saved", 0, MOST), float(about["loss"])
            self._compare(about, tensors)
            memories = [_memory(_under(f"optimiser.{i}.", tensors | about["numbers"]))
                        for i in range(len(self.moved_by.optimisers))]  # fmt: skip
            for optimiser, memory in zip(self.moved_by.optimisers, memories, strict=True):
                _check_memory(optimiser, memory)
            self.network.load_state_dict(_under("network.", tensors))
            self.average.load_state_dict(_under("average.", tensors))
            for optimiser, memory in zip(self.moved_by.optimisers, memories, strict=True):
                groups = optimiser.state_dict()["param_groups"]
                optimiser.load_state_dict({"state": memory, "param_groups": groups})
            self.step, self.loss = step, loss

    def _weights(self) -> dict[str, Tensor]:
        named = {"network": self.network, "average": self.average}
        return {f"{place}.{k}": v for place, module in named.items() for k, v in module.state_dict().items()}

    def _kind(self) -> dict:
        """What two trainings have in common of which one goes on with the other."""
        moved = [[type(one).__name__, sum(len(group["params"]) for group in one.param_groups)]
                 for one in self.moved_by.optimisers]  # fmt: skip
        return {"seed": self.seed, "optimisers": moved}

    def _compare(self, about: Mapping, tensors: Mapping[str, Tensor]) -> None:
        """Raises ValueError for what a checkpoint of this training cannot hold."""
        for name, mine in self._kind().items():
            if about[name] != mine:
                raise ValueError(f"its {name}: {about[name]}; {mine} of this training")
        weights = {name: tensor for name, tensor in tensors.items() if not name.startswith("optimiser.")}
        mine = self._weights()
        if sorted(tensors) != about["names"] or weights.keys() != mine.keys():
            raise ValueError("it holds other tensors than this training's")
        if wrong := [name for name, tensor in weights.items() if tensor.shape != mine[name].shape]:
            raise ValueError(f"{wrong[0]} has the shape {tuple(weights[wrong[0]].shape)}; "
                             f"{tuple(mine[wrong[0]].shape)} in this training")
        if wrong := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
            raise ValueError(f"{wrong[0]} is not finite")


@contextmanager
def stopped_kindly(path: Path) -> Iterator[None]:
    """Within it Ctrl-C says how to go on, where something was kept at `path`, a checkpoint or the folder of several."""
    try:
        yield
    except KeyboardInterrupt:
        if any(path.iterdir()) if path.is_dir() else path.exists():
            print("\nstopped; what was done is kept, and the same command with --resume goes on", file=sys.stderr)
        raise


def _under(prefix: str, values: dict) -> dict:
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}


def _check_memory(optimiser: Optimizer, memory: Mapping[int, Mapping]) -> None:
    """Raises ValueError where what is remembered of a weight has another shape than the weight."""
    weights = dict(enumerate(weight for group in optimiser.param_groups for weight in group["params"]))
    for p, named in memory.items():
        for name, value in named.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != weights[p].shape:
                raise ValueError(f"{name} of weight {p} has the shape {tuple(value.shape)}; {tuple(weights[p].shape)} "
                                 "in this training")  # fmt: skip


def _memory(named: Mapping) -> dict[int, dict]:
    """An optimiser's memory of each weight, from names such as "3.exp_avg"."""
    memory: dict[int, dict] = {}
    for key, value in named.items():
        p, name = key.split(".", 1)
        memory.setdefault(int(p), {})[name] = value
    return memory
