"""What a training must remember to go on exactly where it stopped, and the file it is kept in."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..errors import LabError
from ..files import whole
from .optimisers import Optimisers


@dataclass(frozen=True)
class Checkpoint:
    """A safetensors file that is rewritten every so many seconds, and from which an interrupted training goes on."""

    path: Path
    every_seconds: float = 120.0


@dataclass
class State:
    """All that a training changes: the network, its moving average, the optimisers' memory and the step."""

    network: nn.Module
    average: AveragedModel
    moved_by: Optimisers
    step: int = 0
    loss: float = float("nan")

    def save(self, path: Path) -> None:
        """Write all of it: a kill at any moment, or a full disk, leaves one whole checkpoint."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        about = {"step": self.step, "loss": self.loss, "numbers": {}}
        for i, optimiser in enumerate(self.moved_by.optimisers):
            for p, memory in optimiser.state_dict()["state"].items():
                for name, value in memory.items():
                    place = tensors if isinstance(value, Tensor) else about["numbers"]
                    place[f"optimiser.{i}.{p}.{name}"] = value
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        with whole(path) as part:
            save_file(tensors, part, metadata={"about": json.dumps(about)})

    def load(self, path: Path) -> None:
        """Read what `save` wrote; raises LabError where the file is of another training."""
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads(file.metadata()["about"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            self.network.load_state_dict(_under("network.", tensors))
            self.average.load_state_dict(_under("average.", tensors))
            for i, optimiser in enumerate(self.moved_by.optimisers):
                state: dict[int, dict] = {}
                for key, value in _under(f"optimiser.{i}.", tensors | about["numbers"]).items():
                    p, name = key.split(".", 1)
                    state.setdefault(int(p), {})[name] = value
                groups = optimiser.state_dict()["param_groups"]
                optimiser.load_state_dict({"state": state, "param_groups": groups})
            self.step, self.loss = int(about["step"]), float(about["loss"])
        except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            why = str(error).splitlines()[0]
            raise LabError(f"a checkpoint of this training was expected in {path}; another file came ({why}); "
                           "name another file or move this one away") from None  # fmt: skip


def _under(prefix: str, values: dict) -> dict:
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
