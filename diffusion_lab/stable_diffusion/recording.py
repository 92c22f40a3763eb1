"""A run kept small, to be replayed anywhere: latents, recipe, a few decoded pictures, and which machine drew it."""

from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..errors import LabError
from ..files import expanded, whole
from ..protocol import check_samples
from ..trajectory import Step, Trajectory, with_pictures

LIMIT = 600_000  # bytes
MOMENTS = (0.1, 0.35, 0.7, 1.0)  # shares of signal at which a picture is decoded
# How much is left out until it fits: every k-th latent pixel, the guess without the prompt, the pictures' side.
LEVELS = ((1, True, 512), (1, False, 512), (2, True, 256), (2, False, 256), (3, False, 256), (3, False, 128))


def save_recording(trajectory: Trajectory, model, path: str | Path) -> Path:
    """Write the first picture's path to a file of at most 600 kB that `Trajectory.load` reads; returns its path.

    Latents are kept in float16; where they are many, every second or third pixel of them (their noise keeps its
    strength, their picture its place). The recipe names the machine. Raises LabError where the path is too long; a file
    that was there before then stays.
    """
    if not hasattr(model, "pipeline"):
        raise LabError(f"the Stable Diffusion that drew the path was expected; {type(model).__name__} came; "
                       "a toy's path is small: save it with Trajectory.save")  # fmt: skip
    if not isinstance(trajectory, Trajectory) or not len(trajectory):
        raise LabError("a Trajectory with at least one step was expected; "
                       f"{trajectory!r} came; make one with watch(model.steps(...))")  # fmt: skip
    check_samples(trajectory[0].x_t, (model.shape[0], None, None), "give the model that drew the path")
    near = {min(range(len(trajectory)), key=lambda i: abs(trajectory[i].alpha_bar - share)) for share in MOMENTS}
    rich = with_pictures(trajectory, {i: model.decode(trajectory[i].x0[:1]) for i in sorted(near)})
    recipe = replace(trajectory.recipe, model=f"{model.name} on {machine(model)}", seed=trajectory.recipe.seed[:1],
                     prompt=trajectory.recipe.prompt[:1])  # fmt: skip
    with whole(path) as part:
        for level in LEVELS:
            replace(thinned(rich, *level), recipe=recipe).write(part)
            size = part.stat().st_size
            if size <= LIMIT:
                break
        else:
            raise LabError(f"a recording of at most {LIMIT // 1000} kB was expected; {len(trajectory)} steps came to "
                           f"{size // 1000} kB; record fewer steps")  # fmt: skip
    return expanded(path)


def thinned(trajectory: Trajectory, every: int, uncond: bool, side: int) -> Trajectory:
    """The first picture's path with every k-th pixel of its latents, and its decoded pictures at most `side` wide."""

    def few(x: Tensor | None) -> Tensor | None:
        return None if x is None else x[:1, ..., ::every, ::every]

    steps = [Step(few(s.x_t), few(s.eps), s.alpha_bar, s.t, few(s.eps_uncond) if uncond else None, s.note)
             for s in trajectory.steps]  # fmt: skip
    pictures = {i: torch.stack([_smaller(picture[0], side)]) for i, picture in trajectory.pictures.items()}
    return replace(trajectory, steps=steps, pictures=pictures)


def machine(model) -> str:
    """What drew it: the device's name and the kind of numbers."""
    device, dtype = model.device, str(model.pipeline.unet.dtype).removeprefix("torch.")
    return f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type.upper()}, {dtype}"


def _smaller(picture: Tensor, side: int) -> Tensor:
    image = Image.fromarray(picture.numpy())
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(image.height, image.width, 3)
