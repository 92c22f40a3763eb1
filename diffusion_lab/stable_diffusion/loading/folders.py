"""A model's folder looked over before anything is loaded: every part there, every file readable."""

from dataclasses import fields
from pathlib import Path

from ... import files
from ...errors import LabError
from ...places import ABOUT, NETWORKS, Habits, stranger

SMALL = 200_000_000  # bytes of weights up to which a model runs everywhere: in float32, so with the same pictures
NUMBERS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule")
AGAIN = "copy or download the folder again"


def check_folder(folder: Path) -> None:
    """Raises LabError unless every part of a Stable Diffusion lies in the folder and its files can be read."""
    kind = read_json(folder / "model_index.json").get("_class_name")
    names = [path.relative_to(folder).as_posix() for path in folder.glob("*/*")]
    if what := stranger(names, str(kind)):
        raise LabError(f"a Stable Diffusion 1.x or 2.x was expected in {folder}; {what[0]} came; {what[1]}")
    scheduler = folder / "scheduler/scheduler_config.json"
    stated = read_json(scheduler)
    if missing := [name for name in NUMBERS if name not in stated]:  # diffusers would take numbers of its own
        raise LabError(f"{', '.join(NUMBERS)} were expected in {scheduler}; {', '.join(missing)} came not; {AGAIN}")
    tokenizer = folder / "tokenizer"
    if not (tokenizer / "tokenizer.json").is_file():
        for name in ("vocab.json", "merges.txt"):
            if not (tokenizer / name).is_file():
                raise LabError(f"the tokenizer's {name} was expected in {tokenizer}; it is missing; {AGAIN}")
    for part in NETWORKS:
        check_part(folder / part)


def check_part(part: Path) -> None:
    """Raises LabError unless the folder of a network holds its settings and weights, and they can be read."""
    read_json(part / "config.json")
    if not weight_files(part):
        raise LabError(f"weights (*.safetensors) were expected in {part}; there are none; {AGAIN}")
    for path in weight_files(part):
        tensor_names(path)


def habits_in(folder: Path, otherwise: Habits | None = None) -> Habits:
    """What a folder states of itself in diffusion_lab.json; `otherwise`, or a model of the folder's name, where it
    states nothing. Raises LabError for a file that is broken or states what no model has."""
    if not (folder / ABOUT).is_file():
        return otherwise or Habits(folder.name)
    stated, known = read_json(folder / ABOUT), [field.name for field in fields(Habits)]
    if unknown := [name for name in stated if name not in known]:
        raise LabError(f"{', '.join(known)} were expected in {folder / ABOUT}; {', '.join(unknown)} came; remove it")
    with files.read_as(folder / ABOUT, "how a model is called and draws", AGAIN):
        return Habits(**{"name": folder.name} | stated)


def read_json(path: Path) -> dict:
    """The settings in a file of a model; raises LabError where the file is missing or broken."""
    return files.read_json(path, "a file of settings", AGAIN)


def size_of(folder: Path) -> int:
    """The bytes of a model's weights."""
    return sum(path.stat().st_size for part in NETWORKS for path in weight_files(folder / part))


def weight_files(part: Path) -> list[Path]:
    """The safetensors files of one part of a model."""
    return sorted(part.glob("*.safetensors"))


def tensor_names(path: Path) -> list[str]:
    """The names of the tensors in a safetensors file; raises LabError where it is cut short or broken."""
    return list(files.tensor_shapes(path, "a part of a model", AGAIN))
