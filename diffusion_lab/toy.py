"""The toy: a diffusion model small enough to be trained while you watch, and then asked for "a blue star".

Five come with the course: `Toy.load("icons")` draws coloured shapes, "icons-two-calls" the same in two calls, "points"
clouds of points, "photos" and "photos-no-skips" clean pieces of photographs.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from . import networks
from .editing import Edit
from .errors import LabError
from .files import expanded, read_as, read_json, read_tensors, whole
from .mixing import eps_of
from .noising import noise
from .objectives import Objective, draw, drop_condition
from .packing import in_float16
from .pixels import LARGEST, TO_RGB, as_pictures, as_samples, fitted
from .places import find_model
from .protocol import check_samples, one_each
from .recipe import Recipe, as_asked, as_scale, as_share, as_text, as_whole, plain, told, words_of
from .sampling import Sampler, sample
from .schedules import SCHEDULES, Schedule, named
from .trajectory import Steps

FILLERS = {"a", "an", "the"}
TRACE = 4e-5
FILES = ("config.json", "model.safetensors")
SETTINGS = ("name", "words", "shape", "schedule", "target", "guidance_scale")


class Toy:
    """A small network with all that makes it a diffusion model: a schedule, words, and what it predicts.

    Arguments: `config`, a dictionary as `config.json` stores it: "name"; "network" and its "arguments" (the class in
    networks.py); "words" it knows; "shape" of a sample without the batch; "schedule"; "target" ("eps", "x0", "v" or
    "u"); "guidance_scale", the one used where none is given; and, where it is not 50, "n", how many steps a path has.
    `network`, your own in place of the one that config names:
    network(x_t (B, *shape), t (B,), condition (B, words)) returns its guess of the target. Where none is given, the new
    network's weights are drawn from `seed`.
    """

    n, sampler = 50, "ddim"

    def __init__(self, config: dict, network: nn.Module | None = None, seed: int = 0):
        _check(config)
        self.config = config
        self.name, self.words, self.target = config["name"], list(config["words"]), config["target"]
        self.shape, self.guidance_scale = tuple(config["shape"]), config["guidance_scale"]
        self.n = as_whole(config.get("n", Toy.n), "the n of a toy, its number of steps,", "try 50")
        self.schedule: Schedule = _with_a_trace_of_signal(named(config["schedule"]))
        self.objective = Objective(self.schedule, self.target)
        self.network: nn.Module = (self._new_network(seed) if network is None else network).eval()
        self.to_rgb = TO_RGB if len(self.shape) == 3 else None

    def _new_network(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            build = getattr(networks, self.config["network"])
            return build(words=len(self.words), **self.config["arguments"])

    @classmethod
    def load(cls, name: str | Path, network: nn.Module | None = None) -> "Toy":
        """The toy in the folder that `save` or a training wrote, or the shipped one of a name, such as "icons".

        A folder wins over a name (places.find_model). Where a toy was made with a `network` of your own, an untrained
        one of the same build takes the weights. Raises LabError where no toy is, or one that is damaged, or whose
        network cannot guess for samples of its shape.
        """
        place, again = find_model(name), "train it again, or fetch both files again"
        if place.kind != "toy":
            raise LabError(f"a toy was expected, such as icons, or a folder with {' and '.join(FILES)}; {str(name)!r} "
                           "is a Stable Diffusion; load that with StableDiffusion.load")
        config = read_json(place.folder / FILES[0], "a toy's settings", again)
        tensors, _ = read_tensors(place.folder / FILES[1], "a toy's weights", again)
        with read_as(place.folder, "the two files of one toy", again, "they do not fit"):
            toy = cls(config, network)
            if wrong := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
                raise ValueError(f"{wrong[0]} is not finite")
            toy.network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
            toy.predict_noise(noise(toy.shape), 0, toy.condition([""]))
        return toy

    def save(self, folder: str | Path) -> Path:
        """Write the toy as a folder: its weights in float16 (float32 where that cannot hold them), `model.safetensors`,
        and `config.json`. Raises LabError, before anything is written, for a config that is no plain values."""
        folder = expanded(folder)
        try:
            settings = json.dumps(self.config, indent=1, default=_plainly) + "\n"
        except (TypeError, ValueError) as error:
            raise LabError(f"a config of text, numbers and lists was expected; it cannot be written ({error}); "
                           "take out of toy.config what is none of these") from None
        weights = {k: in_float16(v) for k, v in self.network.state_dict().items()}
        with whole(folder / FILES[1]) as heavy, whole(folder / FILES[0]) as light:  # neither before both are written
            save_file(weights, heavy)
            light.write_text(settings, encoding="utf-8")
        return folder

    def condition(self, prompts: Sequence[str]) -> Tensor:
        """The prompts as rows of switches (B, words): 1 for each known word that is in the prompt; "" is all zeros."""
        prompts = as_asked(prompts)
        rows = torch.zeros(len(prompts), len(self.words))
        for row, prompt in zip(rows, prompts, strict=True):
            said = [word for word in words_of(prompt) if word not in FILLERS]
            if unknown := [word for word in said if word not in self.words]:
                raise LabError(f"{self.name} has never learned {told(unknown)}; write only words that it knows: "
                               f"{', '.join(self.words)}")
            row[[self.words.index(word) for word in said]] = 1
        return rows

    @torch.no_grad()
    def predict_noise(self, x_t: Tensor, t: int, condition: Tensor | None = None) -> Tensor:
        """The noise (B, ...) that the network sees in x_t (B, ...) at timestep t (0 to T - 1); it is asked where it
        lies, and answers where x_t does."""
        check_samples(x_t, self.shape)
        alpha_bar = torch.tensor(self.schedule.alpha_bar(t))
        where, kind = self.device, next((p.dtype for p in self.network.parameters()), torch.float32)
        heard = None if condition is None else one_each(condition, len(x_t), (len(self.words),)).to(where, kind)
        guess = self.network(x_t.to(where, kind), torch.full((len(x_t),), t, device=where), heard)     # (B, ...)
        return eps_of(guess.to(x_t), x_t, alpha_bar, self.target)

    @property
    def device(self) -> torch.device:
        """Where the network lies, and computes."""
        return next((p.device for p in self.network.parameters()), torch.device("cpu"))

    def loss(self, samples: np.ndarray, captions: Sequence[str], batch: int = 64, dropout: float = 0.1
             ) -> Callable[[nn.Module, torch.Generator], Tensor]:  # fmt: skip
        """The loss that `train` needs, over a data set as a world's sample() returns it.

        Each step draws `batch` of the samples; a share `dropout` (0-1) of them goes without its caption, and of the
        others each word goes missing as often, so that half a prompt ("blue") is understood too.
        """
        batch = as_whole(batch, "how many samples a step looks at", "try 64")
        dropout = as_share(dropout, "dropout", "try 0.1")
        if len(captions) != len(samples):
            raise LabError(f"a caption for each of {len(samples)} samples was expected; {len(captions)} came; take "
                           "both from one call of a world's sample()")
        x0, known, empty = as_samples(samples), self.condition(captions), self.condition([""])

        def loss(network: nn.Module, generator: torch.Generator) -> Tensor:
            rows = torch.randint(len(x0), (batch,), generator=generator)        # (B,)
            heard = torch.rand(batch, len(self.words), generator=generator) >= dropout
            condition = drop_condition(known[rows] * heard, empty, generator, dropout).to(self.device)
            eps, t = draw(x0[rows], len(self.schedule), generator)
            return self.objective(network, x0[rows].to(self.device), eps.to(self.device), t, condition)

        return loss

    def encode(self, image: Image.Image) -> Tensor:
        """A picture as a clean sample (1, 3, H, W) in [-1, 1], resized to the toy's own size."""
        self._pictures_only()
        return fitted(image, self.shape)

    def picture(self, x: Tensor, quick: bool = False) -> list[Image.Image]:
        """Samples (B, 3, H, W) as pictures, values clipped to [-1, 1]; always `quick`."""
        self._pictures_only()
        return as_pictures(x)

    def steps(self, prompt: str | Sequence[str] = "", *, n: int | None = None, guidance_scale: float | None = None,
              negative_prompt: str = "", seed: int | Sequence[int] = 0, sampler: str | Sampler | None = None,
              edit: Edit | None = None, guidance_interval: Sequence[float] | None = None) -> Steps:  # fmt: skip
        """The path from static to picture, one Step for each guess.

        Arguments: `prompt` and `seed`, one for all samples or one for each; `n` steps, from 1 to 1000 (50);
        `guidance_scale` (0 without the prompt, 1 with it, above 1 past it); `sampler`, one of sampling.SAMPLERS by its
        name (ddim) or as an entry, such as SAMPLERS["ddpm"].with_eta(0.5); `edit`, where a picture is to be changed
        instead; `guidance_interval` (low, high) in t, beyond which the guidance scale is 1.
        """
        recipe = Recipe.of(self, prompt, seed, n=n, guidance_scale=guidance_scale, negative_prompt=negative_prompt,
                           guidance_interval=guidance_interval)  # fmt: skip
        return sample(self, recipe, sampler, edit)

    def _pictures_only(self) -> None:
        if len(self.shape) != 3:
            raise LabError(f"a model of pictures was expected; {self.name} draws points; use Toy.load('icons')")


def _check(config: dict) -> None:
    """Raises LabError for settings that no toy has."""
    if missing := [name for name in SETTINGS if name not in config]:
        raise LabError(f"a toy's config has {', '.join(SETTINGS)}; {', '.join(missing)} is missing; add it")
    words, shape = config["words"], config["shape"]
    wholes = isinstance(shape, list | tuple) and [as_whole(n, "a side of a toy's shape", "try 16", most=LARGEST)
                                                              for n in shape]  # fmt: skip
    as_text(config["name"], "the name of a toy")
    for name, right, wanted in (
        ("words", isinstance(words, list | tuple) and all(isinstance(word, str) and words_of(word) == [word]
         for word in words) and len(set(words)) == len(words), "a list of words in small letters, none of them twice"),
        ("shape", wholes and len(wholes) in (1, 3), "[channels, height, width], or [2] for points"),
        ("schedule", config["schedule"] in list(SCHEDULES), f"one of {', '.join(SCHEDULES)}"),
    ):  # fmt: skip
        if not right:
            raise LabError(f"the {name} of a toy is {wanted}; {config[name]!r} came; change it in its config")
    as_scale(config["guidance_scale"])


def _plainly(value):
    """numpy's and torch's numbers as Python's, for JSON."""
    if (made := plain(value)) is value:
        raise TypeError(f"{type(value).__name__} is no number, text or list")
    return made


def _with_a_trace_of_signal(schedule: Schedule) -> Schedule:
    """The schedule with no alpha_bar below 4e-5, where the linear one ends: alpha_bar <- 4e-5 + (1 - 4e-5) alpha_bar.

    The cosine schedule ends at 2e-9. A sampler that averages two guesses of the noise, as Heun's does, would divide
    the difference of the two by the root of that, and a network's guesses always differ a little.
    """
    return replace(schedule, alpha_bars=TRACE + (1 - TRACE) * schedule.alpha_bars)
