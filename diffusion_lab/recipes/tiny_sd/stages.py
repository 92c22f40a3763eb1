"""The stages of Tiny SD's training, each of which goes on where it was stopped."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from ...evaluation import Reader, SecondReader
from ...files import whole
from ...training import Progress, adamw, horizon, muon_and_adamw, together, train, warm_up_and_down
from . import assembly, data, reader, unet, vae
from .assembly import load_weights, save_weights
from .settings import Settings


def pictures(settings: Settings) -> dict[str, data.Pictures]:
    """The training pictures, drawn now where they are missing: "train", and a sixth as many "held-out" ones that only
    the readers see."""
    found = {}
    for (split, seed), n in ((data.TRAIN, settings.drawn), (data.HELD_OUT, int(0.15 * settings.drawn))):
        folder = settings.out / "pictures" / split
        known = folder / "scenes.json"
        missing = not known.exists() or len(json.loads(known.read_text())["scenes"]) < n
        if together.first() and missing:
            with tqdm(total=n, desc=f"drawing scenes ({split})", unit="") as bar:
                for done, _ in data.draw(folder, n, split, seed):
                    bar.update(done - bar.n)
        together.wait()
        found[split] = data.load(folder)
    return found


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
    name, seed = ("reader", 20) if kind is Reader else ("second", 21)
    torch.manual_seed(seed)
    network, sources = kind().to(settings.device), pictures(settings)
    loss, optimizer = reader.ReaderLoss(sources["train"], sources["held-out"]), adamw(2e-3, warm_up_and_down(50, 0.6))
    run = train(network, loss, settings.plan(name, 800), optimizer=optimizer, ema=horizon(), seed=seed,
                checkpoint=settings.checkpoint(name))  # fmt: skip
    save_weights(follow(name, run), settings.out / name / "weights.safetensors")


def train_second(settings: Settings) -> None:
    """The reader of another architecture and seed."""
    train_reader(settings, SecondReader)


def train_vae(settings: Settings) -> None:
    """The VAE, then its whitening."""
    torch.manual_seed(30)
    network, source = vae.Vae().to(settings.device), pictures(settings)["train"]
    optimizer, steps = muon_and_adamw(0.03, 2e-3, vae.by_adamw, 0.35), settings.plan("vae", 1500)
    run = train(network, vae.VaeLoss(source, steps), steps, optimizer=optimizer, ema=0.995, seed=30,
                checkpoint=settings.checkpoint("vae"))  # fmt: skip
    made = follow("vae", run).vae.cpu()
    vae.whiten(made, torch.cat(list(vae.encode_all(made, source, limit=min(1000, len(source))))).float())
    save_weights(made, settings.out / "vae" / "weights.safetensors")


def train_decoder(settings: Settings) -> None:
    """The VAE's decoder, trained on while its encoder (and so every latent) stays as it is."""
    latents, reads, network = encode(settings), assembly.judge(settings.out).to(settings.device), vae.Vae()
    load_weights(network.vae, settings.out / "vae" / "weights.safetensors", "vae")
    network.vae.decoder.requires_grad_(True), network.vae.post_quant_conv.requires_grad_(True)
    loss = vae.DecoderLoss(latents.x0, pictures(settings)["train"], reads)
    optimizer, steps = muon_and_adamw(0.015, 1e-3, vae.by_adamw, 0.6), settings.plan("decoder", 250)
    run = train(network.to(settings.device), loss, steps, optimizer=optimizer, ema=0.99, seed=31,
                checkpoint=settings.checkpoint("decoder"))  # fmt: skip
    save_weights(follow("decoder", run).vae, settings.out / "decoder" / "weights.safetensors")


def encode(settings: Settings) -> unet.Latents:
    """The latents of the first pictures, their masks and the reader's features of them, made once and kept."""
    path, source = settings.out / "latents.safetensors", pictures(settings)["train"]
    n = min(settings.encoded, len(source))
    if together.first() and not path.exists():
        _encode(settings, source, n, path)
    together.wait()
    tensors = load_file(path)
    return unet.Latents(**tensors, scenes=source.scenes[: len(tensors["x0"])])


def _encode(settings: Settings, source: data.Pictures, n: int, path: Path) -> None:
    encoder, reads, parts = assembly.encoder(settings.out), assembly.judge(settings.out), []
    with torch.no_grad():
        for k in tqdm(range(0, n, 8), desc="encoding", mininterval=5):
            pixels, masks = source.batch(np.arange(k, min(k + 8, n)))
            x0, features = vae.encode(encoder, pixels), reads.maps(pixels)[2]
            parts.append([x.half() for x in (x0, F.avg_pool2d(masks, 8), features)])
    x0, masks, features = (torch.cat(column).contiguous() for column in zip(*parts, strict=True))
    with whole(path) as part:
        save_file({"x0": x0, "masks": masks, "features": features}, part)


def train_unet(settings: Settings) -> None:
    """The U-Net and the text encoder together; contact sheets grow in `out`/progress."""
    latents = encode(settings)
    torch.manual_seed(40)
    network = unet.TinySD(latents.features.shape[1]).to(settings.device, memory_format=torch.channels_last)
    optimizer, steps = muon_and_adamw(0.02, 1.2e-3, unet.by_adamw, 0.5), settings.plan("unet", 7200)
    run = train(network, unet.DiffusionLoss(latents, steps), steps, optimizer=optimizer, ema=horizon(), seed=40,
                checkpoint=settings.checkpoint("unet"))  # fmt: skip
    follow("unet", run, assembly.Growing(settings.out, clock=settings.clock))
    assembly.put_together(settings.out)


def over_a_coffee(settings: Settings) -> None:
    """A U-Net and a text encoder of your own in `minutes` from nothing, on latents of the shipped VAE."""
    start = settings.clock()
    few = dataclasses.replace(settings, drawn=min(6000, settings.drawn), encoded=min(6000, settings.drawn))
    encode(few)
    left = settings.minutes - (settings.clock() - start) / 60
    train_unet(dataclasses.replace(few, minutes=max(0.1, 0.9 * left)))  # the rest is for the last row and the folder


BY_NAME = {
    "reader": train_reader, "second": train_second, "vae": train_vae, "latents": encode, "unet": train_unet,
    "decoder": train_decoder, "export": lambda settings: together.first() and assembly.show(settings.out),
}  # fmt: skip
