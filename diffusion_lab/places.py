"""Where models lie: the ones that have a name here, one line each, and how any name, path or address is looked up."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from os.path import exists, isdir, isfile  # pathlib's raise for a name that is too long
from pathlib import Path

import platformdirs

from .errors import LabError
from .files import expanded, tensor_shapes, where
from .recipe import as_scale, as_text, as_whole, plain

WEIGHTS = Path(__file__).parent / "weights"
ADDRESS = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")  # an owner, or a model of theirs
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")  # of a model that a lesson trains here
PAGE = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([^/]+/[^/]+?)(?:/tree/main)?/?")
ABOUT = "diffusion_lab.json"  # what a Stable Diffusion states of itself
MARKS = {"config.json": "toy", "model_index.json": "stable diffusion", ABOUT: "stable diffusion"}
WEIGHT_FILES = (".safetensors", ".ckpt", ".bin", ".pt", ".pth", ".gguf")
NAMES = ("model", "diffusion_pytorch_model")  # the names of weights beside a config.json
NETWORKS = ("text_encoder", "unet", "vae")  # the parts of a Stable Diffusion that have weights
LORA = ("a LoRA, which changes a model and is none", "give the model that it was made for")
SINGLE = ("a model in one file",
          "make a folder of it with diffusers: StableDiffusionPipeline.from_single_file(file).save_pretrained(folder)")


@dataclass(frozen=True)
class Habits:
    """How a Stable Diffusion is called, and how it draws where nothing else is said: `name`, `n` steps,
    `guidance_scale`, `sampler` ("own": the folder's scheduler), and `to_rgb`, the linear preview of its latents; where
    its folder holds a U-Net alone, `rest`, the whole model that lends it the other parts: its name, or the way there.

    A folder states its own in diffusion_lab.json; a model on the hub, which has no such file, has them in ROLES.
    """

    name: str
    n: int = 20
    guidance_scale: float = 7.5
    sampler: str = "own"
    to_rgb: tuple | None = None
    rest: str = ""

    def __post_init__(self):
        for name in ("name", "sampler", "rest"):
            as_text(getattr(self, name), f"a model's {name}", "write it in quotes")
        as_whole(self.n, "n, the number of steps,", "try 20 or 50")
        as_scale(self.guidance_scale)
        rows = plain(self.to_rgb)
        if rows is not None and not (isinstance(rows, list | tuple) and len(rows) > 1 and all(map(_is_colour, rows))):
            raise LabError("to_rgb is rows of three numbers, one a channel and the last the constant; another shape "
                           "or another kind came; leave it out, and it is fitted")


@dataclass(frozen=True)
class Role:
    """A model as a lesson asks for it.

    `title`; `shipped`, its folder among this package's weights; or `homes`, its addresses on the Hugging Face hub,
    tried in order, and `old_homes`, addresses that are gone but may lie in a cache; `licence`; `needs`, in words;
    `habits`, where no folder states them.
    """

    title: str
    shipped: str = ""
    homes: tuple[str, ...] = ()
    old_homes: tuple[str, ...] = ()
    licence: str = ""
    needs: str = "a GPU"
    habits: Habits | None = None


@dataclass(frozen=True)
class Place:
    """Where a model was found: in a `folder`, or (None) on the hub; `role`, where it was asked for by name."""

    folder: Path | None
    role: Role | None = None

    @property
    def kind(self) -> str:
        """ "toy" or "stable diffusion"."""
        return "stable diffusion" if self.folder is None else _kind(self.folder)


ROLES = {
    "icons": Role("icons", "icons"),
    "icons-two-calls": Role("icons in two calls", "icons_two_calls"),
    "points": Role("points", "points"),
    "photos": Role("photos", "photos"),
    "photos-no-skips": Role("photos without skips", "photos_no_skips"),
    "tiny-sd": Role("Tiny SD", "tiny_sd"),
    "tiny-sd-turbo": Role("Tiny SD turbo", "tiny_sd_turbo"),
    "stable-diffusion-v1-5": Role(
        "Stable Diffusion v1.5",
        homes=("stable-diffusion-v1-5/stable-diffusion-v1-5", "benjamin-paine/stable-diffusion-v1-5"),
        old_homes=("runwayml/stable-diffusion-v1-5",),
        licence="CreativeML OpenRAIL-M",
        needs="a GPU with 4 GB of memory",
        habits=Habits("Stable Diffusion v1.5", n=50),
    ),
    "sd-turbo": Role(
        "SD-Turbo",
        homes=("stabilityai/sd-turbo",),
        licence="Stability AI Community Licence",
        needs="a GPU with 4 GB of memory",
        habits=Habits("SD-Turbo", n=4, guidance_scale=1.0),
    ),
}


def learners(name: str) -> Path:
    """Where something of a learner's own is kept on their computer, outside of the course: "progress" (which the
    variable DIFFUSION_LAB_PROGRESS names, and then the rest lies in it) or "models"."""
    if asked := os.environ.get("DIFFUSION_LAB_PROGRESS"):
        return expanded(asked) if name == "progress" else expanded(asked) / name
    return platformdirs.user_data_path("diffusion_lab") / name


def own_model(name: str) -> Path:
    """The folder of a model that a lesson trains here, whether it is there yet or not."""
    return learners("models") / name


def find_model(name: str | Path) -> Place:
    """Where the model of that name lies: a path wins over a name in ROLES, that over the name of a model that was
    trained here (`own_model`), and that over an address on the hub.

    A path is a Path, a folder that holds a model, what exists or is called as weights are, and what begins with a
    folder that exists (so that a typing slip in it is told, and never taken for an address). A model's page on the hub
    is its address. Raises LabError, with the folder that was looked in, where no model is.
    """
    if isinstance(name, str) and (page := PAGE.fullmatch(name)):
        name = page[1]
    if isinstance(name, str) and name in ROLES and not _kind(Path(name)):
        role = ROLES[name]
        return Place(WEIGHTS / role.shipped if role.shipped else None, role)
    path = expanded(name)
    if isinstance(name, Path) or _looks_like_a_path(str(name), path):
        if _kind(path):
            return Place(path.resolve())
        came, remedy = _found_at(path)
        raise LabError(f"a folder with a model in it ({' or '.join(MARKS)}) was expected at {where(path)}; {came} "
                       f"is there; {remedy}")
    if isinstance(name, str) and NAME.fullmatch(name) and _kind(own := own_model(name)):
        return Place(own)
    return Place(None, role_of(name))


def stranger(names: Sequence[str], kind: str = "") -> tuple[str, str] | None:
    """What a folder holds instead of a Stable Diffusion in safetensors, and what helps; None where it may be one.

    Arguments: `names`, its files, by their paths below it; `kind`, the pipeline that its model_index.json names, ""
    where it has none.
    """
    weights = [Path(name) for name in names if name.lower().endswith(WEIGHT_FILES)]
    if kind not in ("", "StableDiffusionPipeline"):
        return f"a {kind}", "give a Stable Diffusion 1.x or 2.x, which are what the course draws with"
    if not kind and any("lora" in file.name.lower() or file.stem == "adapter_model" for file in weights):
        return LORA
    if not kind and any(file.parent == Path() and file.stem not in NAMES for file in weights):
        return SINGLE
    for part in NETWORKS:
        kinds = {file.suffix for file in weights if file.parent == Path(part)}
        if kinds and ".safetensors" not in kinds:
            return (f"{part} as *{min(kinds)}, which may run code when it is opened, and no *.safetensors",
                    "where you trust it, load it with diffusers and save_pretrained(folder)")  # fmt: skip
    return None


def _found_at(path: Path) -> tuple[str, str]:
    """What lies at a path where no model is, and what helps."""
    another = f"give another path, or a name: {', '.join(ROLES)}"
    if isdir(path):
        names = [file.name for file in path.iterdir()] if os.access(path, os.R_OK) else []
        return stranger(names) or ("a folder without these", another)
    if not isfile(path):
        return "no such folder", another
    with suppress(LabError):
        if any("lora" in name for name in tensor_shapes(path, "weights", "")):
            return LORA
    return SINGLE if path.suffix.lower() in WEIGHT_FILES else ("a file", another)


def role_of(address: str) -> Role:
    """The role that has this address on the hub; any other address is a role of its own; LabError for no address."""
    for name, role in ROLES.items():
        if address in (name, *role.homes, *role.old_homes):
            return role
    if _is_address(address):
        model = address.partition("/")[2]
        return Role(model, homes=(address,), habits=Habits(model))
    raise LabError(f"a model is one of {', '.join(ROLES)}, an address on the hub (owner/name) or a folder; "
                   f"{address!r} came, and no such folder is in {where(Path())}; choose one of these")  # fmt: skip


def _is_address(name: str) -> bool:
    """May it be an owner and a name on the hub? (Letters, digits, - _ and . within, 96 signs at most.)"""
    parts = name.split("/")
    return (len(parts) == 2 and len(name) <= 96 and "--" not in name and ".." not in name
            and not name.endswith(".git") and all(ADDRESS.fullmatch(part) for part in parts))


def _is_colour(row) -> bool:
    return (isinstance(row, list | tuple) and len(row) == 3
            and all(type(x) in (int, float) and abs(x) < float("inf") for x in row))  # fmt: skip


def _kind(folder: Path) -> str:
    return next((kind for mark, kind in MARKS.items() if isfile(folder / mark)), "")


def _looks_like_a_path(name: str, path: Path) -> bool:
    """Whether a text means a place on this disk: it is there, or it is written or begins as one."""
    if "://" in name:
        return False
    first = path.parts[0] if path.parts else "."
    return (exists(path) or path.suffix.lower() in WEIGHT_FILES or path.is_absolute() or first in ("..", "~")
            or name.startswith(("./", ".\\")) or len(path.parts) > 2 or "/" in name and isdir(first))  # fmt: skip
