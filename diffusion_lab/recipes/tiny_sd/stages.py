"""The stages of Tiny SD's training, each of which goes on where it was stopped."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from ...errors import LabError
from ...evaluation import Reader, SecondReader
from ...training import Checkpoint, Progress, adamw, horizon, train, warm_up_and_down
from . import data, export, reader, unet, vae
from .muon import muon_and_adamw

SHIPPED = Path(__file__).parents[2] / "weights"
EVERY, ENCODED = 120.0, 16000
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


def follow(name: str, progress: Iterator[Progress], look: Callable[[Progress], None] | None = None) -> nn.Module:
    """Shows a training's progress, with the time left, and calls `look` after each step; returns the averaged
    network."""
    bar, average = tqdm(desc=name, unit=" steps", mininterval=5, smoothing=0.02), 0.0
    for p in progress:
        bar.total = p.steps
        average = p.loss if bar.n == 0 else 0.98 * average + 0.02 * p.loss
        bar.set_postfix(loss=f"{average:.4f}", refresh=False)
        bar.update(p.step - bar.n)
        if look:
            look(p)
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
    steps = plan(out / name, steps, None, lambda: 1.0, 800)
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


def train_decoder(out: Path, steps: int | None = None, minutes: float | None = None) -> None:
    """The VAE's decoder, trained on while its encoder (and so every latent) stays as it is."""
    latents, reads = encode(out), judge(out)

    def make() -> vae.Vae:
        network = vae.Vae()
        load_weights(network.vae, out / "vae" / "weights.safetensors", "vae")
        network.vae.decoder.requires_grad_(True), network.vae.post_quant_conv.requires_grad_(True)
        return network

    loss = vae.DecoderLoss(latents.x0, pictures(out)["train"], reads)
    optimizer = muon_and_adamw(0.015, 1e-3, vae.by_adamw, 0.6)
    steps = plan(out / "decoder", steps, minutes, lambda: seconds_a_step(make, loss, optimizer), 1000)
    run = train(make(), loss, steps, optimizer=optimizer, ema=0.99, seed=31,
                checkpoint=Checkpoint(out / "decoder" / "checkpoint.safetensors", EVERY))  # fmt: skip
    save_weights(follow("decoder", run).vae, out / "decoder" / "weights.safetensors")


def autoencoder(out: Path) -> AutoencoderKL:
    """The VAE that the stages in `out` have made, with its decoder trained on where it is; else the shipped one."""
    made = [out / stage / "weights.safetensors" for stage in ("decoder", "vae")]
    path = next((path for path in made if path.exists()), SHIPPED / "tiny_sd/vae/diffusion_pytorch_model.safetensors")
    return load_weights(vae.new_vae(), path, "vae")


def judge(out: Path) -> Reader:
    """The reader that the stage in `out` has made, else the shipped one."""
    path = out / "reader" / "weights.safetensors"
    path = path if path.exists() else SHIPPED / "reader_scenes/reader.safetensors"
    return load_weights(Reader(), path, "reader")


def encode(out: Path, share: float = 1.0) -> unet.Latents:
    """The latents of the first pictures, their masks and the reader's features of them, made once and kept."""
    path, source = out / "latents.safetensors", pictures(out, share)["train"]
    n = min(ENCODED, len(source))
    if path.exists():
        return unet.Latents(**load_file(path), scenes=source.scenes[:n])
    encoder, reads, parts = autoencoder(out), judge(out), []
    with torch.no_grad():
        for k in tqdm(range(0, n, 8), desc="encoding", mininterval=5):
            pixels, masks = source.batch(np.arange(k, min(k + 8, n)))
            x0, features = vae.encode(encoder, pixels), reads.maps(pixels)[2]
            parts.append([x.half() for x in (x0, F.avg_pool2d(masks, 8), features)])
    x0, masks, features = (torch.cat(column).contiguous() for column in zip(*parts, strict=True))
    save_file({"x0": x0, "masks": masks, "features": features}, path)
    return unet.Latents(x0, masks, features, source.scenes[:n])


def train_unet(out: Path, steps: int | None = None, minutes: float | None = None, share: float = 1.0) -> None:
    """The U-Net and the text encoder together; contact sheets grow in `out`/progress."""
    torch.manual_seed(40)
    latents = encode(out, share)
    make = lambda: unet.TinySD(latents.features.shape[1])  # noqa: E731
    network, optimizer = make(), muon_and_adamw(0.02, 1.2e-3, unet.by_adamw, 0.5)
    pace = lambda: seconds_a_step(make, unet.DiffusionLoss(latents, 100), optimizer)  # noqa: E731
    steps = plan(out / "unet", steps, minutes, pace, 4000)
    run = train(network, unet.DiffusionLoss(latents, steps), steps, optimizer=optimizer, ema=horizon(), seed=40,
                checkpoint=Checkpoint(out / "unet" / "checkpoint.safetensors", EVERY))  # fmt: skip
    follow("unet", run, Growing(out))
    put_together(out, out / "tiny_sd")


def trained(out: Path) -> unet.TinySD:
    """The averaged U-Net and text encoder as the last checkpoint has them."""
    path = out / "unet" / "checkpoint.safetensors"
    if not path.exists():
        raise LabError(f"a checkpoint of the stage 'unet' was expected in {path}; there is none; "
                       "run --stage unet first")  # fmt: skip
    tensors = load_file(path)
    network = unet.TinySD(len(tensors["network.project.2.bias"]))
    network.load_state_dict(
        {k.removeprefix("average.module."): v for k, v in tensors.items() if k.startswith("average.module.")}
    )
    return network.eval().requires_grad_(False)


def put_together(out: Path, folder: Path) -> None:
    """The standard folder from what the stages have made so far, and a contact sheet of it in `out`/progress."""
    network = trained(out)
    decoder = autoencoder(out)
    export.export(network, decoder, folder)
    pipe = export.pipeline(network, decoder, folder)
    prompts = [prompt for prompt in export.PREVIEW for _ in range(4)]
    pictures = export.draw(pipe, prompts, [0, 1, 2, 3] * len(export.PREVIEW))
    export.sheet(pictures, 8, out / "progress" / f"sheet_{int(network.step):06d}.png")


class Growing:
    """A contact sheet that grows while the U-Net trains: one row every few minutes, the same prompts and seeds."""

    def __init__(self, out: Path, every_seconds: float = 240.0):
        self.out, self.every, self.last = out, every_seconds, time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() - self.last < self.every and progress.step < progress.steps:
            return
        pipe = export.pipeline(progress.ema, autoencoder(self.out), self.out / "tiny_sd")
        row = export.draw(pipe, list(export.PREVIEW), [0] * len(export.PREVIEW), n=12)
        export.sheet(row, len(row), self.out / "progress" / f"row_{progress.step:06d}.png")
        rows = [Image.open(path) for path in sorted((self.out / "progress").glob("row_*.png"))]
        export.sheet(rows, 1, self.out / "progress" / "growing.png")
        self.last = time.monotonic()


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
