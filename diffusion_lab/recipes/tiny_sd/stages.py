"""The stages of Tiny SD's training, each of which goes on where it was stopped."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm import tqdm

from ...errors import LabError
from ...evaluation import Reader, SecondReader
from ...training import Checkpoint, Progress, adamw, horizon, train, warm_up_and_down
from . import data, reader, vae
from .muon import muon_and_adamw

EVERY = 120.0
PICTURES = {"train": (data.TRAIN, 40000), "held-out": (data.HELD_OUT, 6000)}


def pictures(out: Path, share: float = 1.0) -> dict[str, data.Pictures]:
    """The training pictures in `out`, drawn now where they are missing; `share` (0-1] draws fewer."""
    for name, ((split, seed), n) in PICTURES.items():
        folder, n = out / "pictures" / name, max(64, round(n * share))
        known = folder / "scenes.json"
        if known.exists() and len(json.loads(known.read_text())["scenes"]) >= n:
            continue
        with tqdm(total=n, desc=f"drawing scenes ({name})", unit="") as bar:
            for done, _ in data.draw(folder, n, split, seed):
                bar.update(done - bar.n)
    return {name: data.load(out / "pictures" / name) for name in PICTURES}


def follow(name: str, progress: Iterator[Progress]) -> nn.Module:
    """Shows a training's progress, with the time left; returns the averaged network."""
    bar, average = tqdm(desc=name, unit=" steps", mininterval=5, smoothing=0.02), 0.0
    for p in progress:
        bar.total = p.steps
        average = p.loss if bar.n == 0 else 0.98 * average + 0.02 * p.loss
        bar.set_postfix(loss=f"{average:.4f}", refresh=False)
        bar.update(p.step - bar.n)
    bar.close()
    return p.ema


def plan(folder: Path, steps: int | None, minutes: float | None, pace: Callable[[], float], default: int) -> int:
    """How many steps a stage takes in all: as written down by an earlier call, as asked, as many as fit into
    `minutes` at the pace (seconds a step) measured now, or the default."""
    note = folder / "plan.json"
    if note.exists() and steps is None and minutes is None:
        return json.loads(note.read_text())["steps"]
    if steps is None:
        steps = default if minutes is None else max(20, int(60 * minutes / pace()))
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"steps": steps}))
    return steps


def seconds_a_step(make: Callable[[], nn.Module], loss: Callable, optimizer: Callable, tries: int = 5) -> float:
    """The pace of a training on this machine, from a few steps of a throw-away network."""
    network = make()
    run = train(network, loss, tries + 2, optimizer=optimizer)
    next(run), next(run)
    start = time.perf_counter()
    for _ in run:
        pass
    return (time.perf_counter() - start) / tries


def train_reader(out: Path, second: bool = False, steps: int | None = None, share: float = 1.0) -> Reader:
    """The reader (or the second one), on real scenes of all combinations."""
    name = "second" if second else "reader"
    torch.manual_seed(20 + second)
    network, sources = (SecondReader() if second else Reader()), pictures(out, share)
    loss, optimizer = reader.ReaderLoss(sources["train"], sources["held-out"]), adamw(2e-3, warm_up_and_down(50, 0.6))
    steps = plan(out / name, steps, None, lambda: 1.0, 1600)
    run = train(network, loss, steps, optimizer=optimizer, ema=horizon(), seed=20 + second,
                checkpoint=Checkpoint(out / name / "checkpoint.safetensors", EVERY))  # fmt: skip
    network = follow(name, run)
    save_weights(network, out / name / "weights.safetensors")
    return network


def train_vae(out: Path, steps: int | None = None, minutes: float | None = None, share: float = 1.0) -> None:
    """The VAE, then its whitening."""
    torch.manual_seed(30)
    network, source = vae.Vae(), pictures(out, share)["train"]
    optimizer = muon_and_adamw(0.03, 2e-3, vae.by_adamw, 0.35)
    pace = lambda: seconds_a_step(vae.Vae, vae.VaeLoss(source, 100), optimizer)  # noqa: E731
    steps = plan(out / "vae", steps, minutes, pace, 1600)
    run = train(network, vae.VaeLoss(source, steps), steps, optimizer=optimizer, ema=0.995, seed=30,
                checkpoint=Checkpoint(out / "vae" / "checkpoint.safetensors", EVERY))  # fmt: skip
    network = follow("vae", run)
    vae.whiten(network.vae, torch.cat(list(vae.encode_all(network.vae, source, limit=min(1000, len(source))))).float())
    save_weights(network.vae, out / "vae" / "weights.safetensors")


def save_weights(network: nn.Module, path: Path) -> None:
    """The weights of a network as they are shipped: float16, contiguous."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().half().contiguous() for k, v in network.state_dict().items()}, path,
              metadata={"format": "pt"})  # fmt: skip


def load_weights(network: nn.Module, path: Path, stage: str) -> nn.Module:
    """A network with the weights that an earlier stage saved, in evaluation mode, float32."""
    if not path.exists():
        raise LabError(f"this stage needs what the stage '{stage}' makes in {path.parent}; nothing is there; "
                       f"run --stage {stage} first, with the same --out")  # fmt: skip
    network.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return network.eval().requires_grad_(False)
