"""What the stages have made, found again and put together: weights, the standard folder, a sheet that grows."""

import time
from collections.abc import Callable
from pathlib import Path

from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from ...errors import LabError
from ...evaluation import Reader
from ...files import read_tensors, whole
from ...places import WEIGHTS
from ...training import Progress, together
from . import export, unet, vae

AGAIN = "move it away and run its stage again"


def save_weights(network: nn.Module, path: Path) -> None:
    """The weights of a network as they are shipped: float16, contiguous; written by the first process."""
    if together.first():
        tensors = {name: tensor.detach().half().cpu().contiguous() for name, tensor in network.state_dict().items()}
        with whole(path) as part:
            save_file(tensors, part, metadata={"format": "pt"})
    together.wait()


def weights_in(path: Path) -> dict[str, Tensor]:
    """The tensors that a stage has kept in a file; raises LabError where it is damaged."""
    return read_tensors(path, "what a stage has made", AGAIN)[0]


def load_weights(network: nn.Module, path: Path, stage: str) -> nn.Module:
    """A network with the weights that an earlier stage saved, in evaluation mode, float32."""
    if not path.exists():
        raise LabError(f"this stage needs what the stage '{stage}' makes in {path.parent}; nothing is there; "
                       f"run --stage {stage} first, with the same --out")  # fmt: skip
    network.load_state_dict({k: v.float() for k, v in weights_in(path).items()})
    return network.eval().requires_grad_(False)


def autoencoder(out: Path) -> AutoencoderKL:
    """The VAE that the stage in `out` has made, else the shipped one."""
    path = out / "vae" / "weights.safetensors"
    path = path if path.exists() else WEIGHTS / "tiny_sd/vae/diffusion_pytorch_model.safetensors"
    return load_weights(vae.new_vae(), path, "vae")


def judge(out: Path) -> Reader:
    """The reader that the stage in `out` has made, else the shipped one."""
    path = out / "reader" / "weights.safetensors"
    path = path if path.exists() else WEIGHTS / "reader_scenes/reader.safetensors"
    return load_weights(Reader(), path, "reader")


def trained(out: Path) -> unet.TinySD:
    """The averaged U-Net and text encoder: those of a finished training, or as the last checkpoint has them."""
    done, path = out / "unet" / "weights.safetensors", out / "unet" / "checkpoint.safetensors"
    if not done.exists() and not path.exists():
        raise LabError(f"a checkpoint of the stage 'unet' was expected in {path}; there is none; "
                       "run --stage unet first")  # fmt: skip
    found, average = weights_in(done if done.exists() else path), "" if done.exists() else "average.module."
    tensors = {k.removeprefix(average): v.float() for k, v in found.items() if k.startswith(average)}
    network = unet.TinySD(len(tensors["project.2.bias"]))
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def put_together(out: Path) -> Path:
    """Writes the standard folder `out`/tiny_sd from what the stages have made so far, and returns it."""
    if together.first():
        export.export(trained(out), autoencoder(out), out / "tiny_sd")
    return out / "tiny_sd"


def show(out: Path) -> None:
    """Puts the folder together and draws a contact sheet, four seeds of each preview prompt, in `out`/progress."""
    put_together(out)
    pipe = export.pipeline(trained(out), autoencoder(out))
    prompts = [prompt for prompt in export.PREVIEW for _ in range(4)]
    pictures = export.draw(pipe, prompts, [0, 1, 2, 3] * len(export.PREVIEW))
    export.sheet(pictures, 8, out / "progress" / "sheet.png")


class Growing:
    """A contact sheet that grows while the U-Net trains: one row every few minutes, the same prompts and seeds."""

    def __init__(self, out: Path, every_seconds: float = 240.0, clock: Callable[[], float] = time.monotonic):
        self.out, self.every, self.clock, self.last = out, every_seconds, clock, clock()

    def __call__(self, progress: Progress) -> None:
        early = self.clock() - self.last < self.every and progress.step < progress.steps
        if early or not together.first():
            return
        pipe = export.pipeline(progress.ema, autoencoder(self.out))
        pipe.to(next(progress.ema.parameters()).device)
        row = export.draw(pipe, list(export.PREVIEW), [0] * len(export.PREVIEW), n=12)
        export.sheet(row, len(row), self.out / "progress" / f"row_{progress.step:06d}.png")
        rows = [Image.open(path) for path in sorted((self.out / "progress").glob("row_*.png"))]
        export.sheet(rows, 1, self.out / "progress" / "growing.png")
        self.last = self.clock()
