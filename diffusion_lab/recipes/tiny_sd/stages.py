"""The stages of Tiny SD's training, each of which goes on where it was stopped."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from ...evaluation import Reader, SecondReader
from ...files import whole
from ...stable_diffusion import StableDiffusion
from ...training import (
    Optimisers,
    Progress,
    adamw,
    horizon,
    muon_and_adamw,
    together,
    train,
    warm_up_and_down,
)
from . import SHIPPED, assembly, data, graphed, reader, tiny_vae, unet, vae
from .assembly import save_weights
from .settings import Settings

SHARES = {"first": 1 / 3, "held-out": 0.05, "more": 2 / 3, "wide": 0.125}  # of the number that is drawn


def pictures(settings: Settings, name: str) -> data.Pictures:
    """One set of training pictures, drawn now where it is missing: "first" for all that is trained, "held-out" for the
    readers alone, "more" and "wide" for the U-Net alone."""
    n, folder = max(8, int(SHARES[name] * settings.drawn)), settings.out / "pictures" / name
    if together.first() and not data.complete(folder, n):
        with tqdm(total=n, desc=f"drawing scenes ({name})", unit="", mininterval=5) as bar:
            for done, _ in data.draw(folder, n, data.KINDS[name], settings.workers):
                bar.update(done - bar.n)
    together.wait()
    return data.load(folder)


def run(settings: Settings, stage: str, network: nn.Module, loss: Callable, steps, *,
        optimizer: Callable[[nn.Module], Optimisers], seed: int, look=None) -> nn.Module:  # fmt: skip
    """Trains a network as the machine does it best, shows how far it is, calls `look` after each step (on a GPU it is
    over too soon), and returns the average of its weights (horizon: 5 % of the steps so far)."""
    network.to(settings.device)
    if settings.device.startswith("cuda") and not together.many():
        progress, look = graphed.train(network, loss, steps, optimizer=optimizer, ema=horizon(), seed=seed), None
    else:
        progress = train(network, loss, steps, optimizer=optimizer, ema=horizon(), seed=seed,
                         checkpoint=settings.checkpoint(stage))  # fmt: skip
    return follow(stage, progress, look)


def follow(name: str, progress: Iterator[Progress], look: Callable[[Progress], None] | None = None) -> nn.Module:
    """Shows a training's progress, with the time left, and calls `look` after each step; returns the averaged
    network."""
    bar = tqdm(desc=name, unit=" steps", mininterval=5, smoothing=0.02, disable=not together.first())
    average = None
    for p in progress:
        if average is None:  # a resumed training starts its bar where it was
            bar.initial, bar.n, average = p.step - 1, p.step - 1, p.loss
        bar.total, average = p.steps, 0.98 * average + 0.02 * p.loss
        bar.set_postfix(loss=f"{average:.4f}", refresh=False)
        bar.update(p.step - bar.n)
        if look:
            look(p)
    bar.close()
    return p.ema


def train_reader(settings: Settings, kind: type[Reader] = Reader) -> None:
    """The reader (or the second one), on real scenes of all combinations."""
    name, seed, steps = ("reader", 20, 2500) if kind is Reader else ("second", 21, 1500)
    torch.manual_seed(seed)
    network = kind().to(memory_format=torch.channels_last)
    sources = [pictures(settings, each).to(settings.device) for each in ("first", "held-out")]
    made = run(settings, name, network, reader.ReaderLoss(*sources, min(64, settings.batch)),
               settings.plan(name, steps), optimizer=adamw(2e-3, warm_up_and_down(50, 0.6)), seed=seed)  # fmt: skip
    save_weights(made, settings.out / name / "weights.safetensors")


def train_second(settings: Settings) -> None:
    """The reader of another architecture and seed."""
    train_reader(settings, SecondReader)


def train_vae(settings: Settings) -> None:
    """The VAE, then its whitening."""
    torch.manual_seed(30)
    source = pictures(settings, "first").to(settings.device)
    loss = vae.VaeLoss(source, assembly.judge(settings.out).to(settings.device), min(32, settings.batch))
    made = run(settings, "vae", vae.new_vae(), loss, settings.plan("vae", 7000),
               optimizer=muon_and_adamw(0.03, 2e-3, vae.by_adamw, 0.5), seed=30)  # fmt: skip
    vae.whiten(made, torch.cat(list(vae.encode_all(made, source, 1000))))
    save_weights(made, settings.out / "vae" / "weights.safetensors")


def encode(settings: Settings) -> tuple[unet.Latents, unet.Latents]:
    """The latents of the pictures and of the wide pictures, with the reader's features of them, made once and kept."""
    found = []
    for name in ("first", "more", "wide"):
        path, source = settings.out / f"latents-{name}.safetensors", pictures(settings, name)
        if together.first() and not path.exists():
            _encode(settings, source.to(settings.device), path)
        together.wait()
        found.append(unet.Latents(**assembly.weights_in(path), tokens=source.tokens))
    return unet.together(*found[:2]), found[2]


@torch.no_grad()
def _encode(settings: Settings, source: data.Pictures, path: Path) -> None:
    encoder, reads = (find(settings.out).to(settings.device) for find in (assembly.autoencoder, assembly.judge))
    parts, size = [], 8 if settings.device == "cpu" else 256
    for k in tqdm(range(0, len(source), size), desc="encoding", mininterval=5):
        pixels, masks = source.batch(torch.arange(k, min(k + size, len(source)), device=source.images.device))
        x0, features = vae.encode(encoder, pixels), reads.maps(pixels)[2]
        parts.append([x.half().cpu() for x in (x0, F.avg_pool2d(masks, 8), features)])
    x0, masks, features = (torch.cat(column).contiguous() for column in zip(*parts, strict=True))
    with whole(path) as part:
        save_file({"x0": x0, "masks": masks, "features": features}, part)


def train_unet(settings: Settings) -> None:
    """The U-Net and the text encoder together; contact sheets grow in `out`/progress."""
    square, wide = (latents.to(settings.device) for latents in encode(settings))
    torch.manual_seed(40)
    network = unet.TinySD(square.features.shape[1]).to(memory_format=torch.channels_last)
    unet.attend(network, settings.device)
    loss = unet.Turns(unet.DiffusionLoss(square, settings.batch), unet.DiffusionLoss(wide, settings.batch // 2))
    optimizer, steps = muon_and_adamw(0.02, 1.2e-3, unet.by_adamw, 0.5), settings.plan("unet", 8600)
    look = assembly.Growing(settings.out, clock=settings.clock)
    made = run(settings, "unet", network, loss, steps, optimizer=optimizer, seed=40, look=look)
    save_weights(made, settings.out / "unet" / "weights.safetensors")
    assembly.put_together(settings.out)


def train_tiny_vae(settings: Settings) -> None:
    """The small decoder of the model that was trained in `out`, put into its folder, or else of the shipped one."""
    folder = settings.out / "tiny_sd"
    path, made = settings.out / "tiny_vae" / "pairs.safetensors", folder / "model_index.json"
    if together.first() and not path.exists():
        path.parent.mkdir(exist_ok=True)
        sd = StableDiffusion.load(folder if made.exists() else SHIPPED, device="cpu")
        tiny_vae.save_pairs(sd, max(16, settings.drawn // 60), path)
    together.wait()
    loss = tiny_vae.TinyVaeLoss(**{name: x.to(settings.device) for name, x in assembly.weights_in(path).items()})
    torch.manual_seed(60)
    network = tiny_vae.new_tiny_vae().to(memory_format=torch.channels_last)
    trained = run(settings, "tiny_vae", network, loss, settings.plan("tiny_vae", 4500),
                  optimizer=muon_and_adamw(0.006, 2e-3, tiny_vae.by_adamw, 0.8), seed=60)  # fmt: skip
    tiny_vae.export(trained, folder / "tiny_vae")


def over_a_coffee(settings: Settings) -> None:
    """A U-Net and a text encoder of your own in `minutes` from nothing, on latents of the shipped VAE."""
    start = settings.clock()
    few = dataclasses.replace(settings, drawn=min(6000, settings.drawn), batch=min(32, settings.batch))
    encode(few)
    left = settings.minutes - (settings.clock() - start) / 60
    train_unet(dataclasses.replace(few, minutes=max(0.1, 0.9 * left)))  # the rest is for the last row and the folder


BY_NAME = {
    "pictures": lambda settings: [pictures(settings, name) for name in ("first", "held-out")],
    "more": lambda settings: [pictures(settings, name) for name in ("more", "wide")],
    "reader": train_reader, "second": train_second, "vae": train_vae, "latents": encode, "unet": train_unet,
    "export": lambda settings: together.first() and assembly.show(settings.out), "tiny-vae": train_tiny_vae,
}  # fmt: skip
