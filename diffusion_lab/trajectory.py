"""The whole path between picture and noise (Trajectory), as it is kept, shown, saved and loaded."""

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MethodType
from weakref import WeakMethod

import torch
from safetensors.torch import save_file
from torch import Tensor

from .errors import LabError
from .files import expanded, read_as, read_tensors, whole
from .packing import check_pictures, in_float16, packed, unpacked
from .recipe import Recipe, shortened
from .steps import ForwardSteps, Step, Steps, arrived, as_place

__all__ = ["ForwardSteps", "Recipe", "Step", "Steps", "Trajectory", "arrived", "with_pictures"]  # a path and its parts

FORMAT = "diffusion_lab trajectory 1"
STEP = ("x_t", "eps", "eps_uncond"), ("alpha_bar", "t", "note")  # what is stored of one: tensors, and plain values


class WhileItLives:
    """A field for a method: it does not keep alive what the method belongs to, and is None when that is gone."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.place = f"_{name}"

    def __get__(self, owner, kind: type | None = None):
        kept = getattr(owner, self.place, None)
        return kept() if isinstance(kept, WeakMethod) else kept

    def __set__(self, owner, value) -> None:
        kept = None if value is self else value  # a dataclass hands the field itself over where nothing is said
        setattr(owner, self.place, WeakMethod(kept) if isinstance(kept, MethodType) else kept)


@dataclass
class Trajectory:
    """The whole path, with all that a viewer needs to draw it without the model.

    Arguments: `steps` in the order they happened; `recipe`; `to_rgb` (C + 1, 3), the linear picture of a sample's
    C channels: rgb = x @ to_rgb[:-1] + to_rgb[-1], in [-1, 1] (the identity for pixels, a preview for latents; None
    where the samples are points (B, 2)); `pictures`, for chosen steps the decoded x0, uint8 (B, H, W, 3); `decode`, as
    in Steps, with which a viewer may decode more of them while the model is at hand (it is not saved, and a path does
    not keep a model alive: then it is None).
    """

    steps: Sequence[Step]
    recipe: Recipe = Recipe()
    to_rgb: Tensor | None = None
    pictures: dict[int, Tensor] = field(default_factory=dict)
    decode: Callable[[Tensor], Tensor] | None = field(default=WhileItLives(), compare=False, repr=False)

    def __post_init__(self):
        if not isinstance(self.steps, ForwardSteps):
            steps = list(self.steps) if isinstance(self.steps, Iterable) else [self.steps]
            if wrong := [step for step in steps if not isinstance(step, Step)]:
                raise LabError(f"a path of Steps was expected; {type(wrong[0]).__name__} came; take them from "
                               "model.steps(...) or denoise(...)")
            self.steps = steps
        if not isinstance(self.recipe, Recipe):
            raise LabError(f"a Recipe was expected; {shortened(self.recipe)} came; leave it out, or give steps.recipe")
        if self.to_rgb is not None:
            self.to_rgb = _as_to_rgb(self.to_rgb)

    @classmethod
    def of(cls, steps: Iterable[Step]) -> "Trajectory":
        """The whole path of what model.steps(...) or denoise(...) returns, run to its end without being shown."""
        known = {name: getattr(steps, name) for name in ("recipe", "to_rgb", "decode") if hasattr(steps, name)}
        return cls(steps, **known)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, i) -> Step:
        return self.steps[i]

    def __repr__(self) -> str:
        """One line, so that a cell that ends in a path by mistake stays readable."""
        prompts = textwrap.shorten(" | ".join(dict.fromkeys(self.recipe.prompt)), 60, placeholder=" ...")
        told = [self.recipe.model, prompts and repr(prompts), len(self) and self.direction, f"{len(self)} steps"]
        return f"<Trajectory: {', '.join(filter(None, told))}>"

    @property
    def alpha_bars(self) -> list[float]:
        """The share of signal at every step; no x_t is computed for it."""
        return self.steps.alpha_bars if self.fixed else [step.alpha_bar for step in self.steps]

    @property
    def direction(self) -> str:
        """ "forward" (towards noise) or "reverse" (towards the picture), read from the steps themselves."""
        if not len(self):
            raise LabError("a path with at least one step was expected; none came; make one with model.steps(...)")
        return "forward" if self.alpha_bars[0] > self.alpha_bars[-1] else "reverse"

    @property
    def fixed(self) -> bool:
        """Whether x0 and eps are the same at every step, as where one noise grows over a picture: one step tells all,
        and the labels of all of them are steps.ts."""
        return isinstance(self.steps, ForwardSteps)

    @property
    def x0(self) -> Tensor:
        """The clean sample (B, ...): the picture a reverse path ends in, or the one a forward path began with."""
        return self.steps[-1].x0 if self.direction == "reverse" else self.steps[0].x0

    def save(self, path: str | Path) -> Path:
        """Write everything to one safetensors file: samples as `in_float16` has them,
        the recipe in its metadata. Raises LabError where the disk refuses, and for pictures that are none."""
        with whole(path) as part:
            self.write(part)
        return expanded(path)

    def write(self, part: Path) -> None:
        """As `save`, to a place that `files.whole` has made."""
        check_pictures(self.pictures, len(self[0].x_t) if len(self) else 0)
        tensors = {f"{k}.picture": v for k, v in packed(self.pictures).items()}
        if self.fixed:
            tensors |= {"x0": self.steps.x0, "eps": self.steps.eps}
        else:
            tensors |= {f"{i}.{k}": v for i, s in enumerate(self.steps) for k, v in _tensors(s).items()}
        if self.to_rgb is not None:
            tensors["to_rgb"] = self.to_rgb
        about = {"forward": self.fixed, "recipe": asdict(self.recipe), "steps": [_facts(s) for s in self.steps]}
        tensors = {k: in_float16(v) for k, v in tensors.items()}
        save_file(tensors, part, metadata={"format": FORMAT, "trajectory": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> "Trajectory":
        """Read a trajectory written by `save`; raises LabError where the file is not one."""
        advice = "give the path of a file written by Trajectory.save"
        tensors, metadata = read_tensors(path, "a saved trajectory", advice)
        if metadata.get("format") != FORMAT:
            raise LabError(f"a saved trajectory was expected; {path} holds other tensors; {advice}")
        with read_as(expanded(path), "a saved trajectory", advice):
            return cls._from(tensors, json.loads(metadata["trajectory"]))

    @classmethod
    def _from(cls, tensors: Mapping[str, Tensor], about: Mapping) -> "Trajectory":
        tensors = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        facts = about["steps"]
        if about["forward"]:
            bars, ts = [f["alpha_bar"] for f in facts], [f["t"] for f in facts]
            steps = ForwardSteps(tensors["x0"], tensors["eps"], bars, ts)
            for bar, t in zip(bars[1:], ts[1:], strict=True):
                as_place(bar, t)  # complains of what no step can be, as the first one does as a whole
            for bar, t in zip(bars[:1], ts[:1], strict=True):
                Step(steps.x0, steps.eps, bar, t)
        else:
            steps = [_step(tensors, i, f) for i, f in enumerate(facts)]
        found = {name: re.fullmatch(r"(\d+)\.picture", name) for name in tensors}
        pictures = {int(match[1]): unpacked(tensors[name], len(steps[0].x_t)) for name, match in found.items() if match}
        return cls(steps, Recipe.from_dict(about["recipe"]), tensors.get("to_rgb"), dict(sorted(pictures.items())))


def _as_to_rgb(to_rgb) -> Tensor:
    """A linear picture as float32 (C + 1, 3); raises LabError for anything else."""
    try:
        table = torch.as_tensor(to_rgb, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        table = torch.zeros(0)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] != 3:
        raise LabError(f"to_rgb is rows of three numbers, one a channel and the last the constant; {shortened(to_rgb)} "
                       "came; take the model's own, model.to_rgb")
    return table


def _facts(step: Step) -> dict:
    return {"alpha_bar": step.alpha_bar, "t": step.t, "note": step.note}


def _tensors(step: Step) -> dict[str, Tensor]:
    named = {"x_t": step.x_t, "eps": step.eps, "eps_uncond": step.eps_uncond}
    return {k: v for k, v in named.items() if v is not None} | {f"extra.{k}": v for k, v in step.extras.items()}


def _step(tensors: Mapping[str, Tensor], i: int, facts: Mapping) -> Step:
    own = {k.removeprefix(f"{i}."): v for k, v in tensors.items() if k.startswith(f"{i}.") and k != f"{i}.picture"}
    extras = {k.removeprefix("extra."): own.pop(k) for k in list(own) if k.startswith("extra.")}
    known = {k: v for names, kept in zip(STEP, (own, facts), strict=True) for k, v in kept.items() if k in names}
    return Step(**known, extras=extras)


def with_pictures(trajectory: Trajectory, pictures: Mapping[int, Tensor]) -> Trajectory:
    """The same path with more decoded pictures beside its steps."""
    return replace(trajectory, pictures=dict(sorted({**trajectory.pictures, **pictures}.items())))
