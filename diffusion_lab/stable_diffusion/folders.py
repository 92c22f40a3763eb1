"""A model's folder looked over before anything is loaded: every part there, every file readable."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..errors import LabError

NETWORKS = ("text_encoder", "unet", "vae")
AGAIN = "copy or download the folder again"


def check_folder(folder: Path) -> None:
    """Raises LabError unless every part of a Stable Diffusion lies in the folder and its files can be read."""
    if not folder.is_dir():
        raise LabError(f"a model folder was expected; there is none at {folder}; give the path of one")
    kind = read_json(folder / "model_index.json").get("_class_name")
    if kind != "StableDiffusionPipeline":
        raise LabError(f"a Stable Diffusion 1.x or 2.x was expected in {folder}; a {kind} lies there; give another")
    read_json(folder / "scheduler/scheduler_config.json")
    tokenizer = folder / "tokenizer"
    if not (tokenizer / "tokenizer.json").is_file():
        for name in ("vocab.json", "merges.txt"):
            if not (tokenizer / name).is_file():
                raise LabError(f"the tokenizer's {name} was expected in {tokenizer}; it is missing; {AGAIN}")
    for part in NETWORKS:
        read_json(folder / part / "config.json")
        if not weight_files(folder / part):
            raise LabError(f"weights (*.safetensors) were expected in {folder / part}; there are none; {AGAIN}")
        for path in weight_files(folder / part):
            tensor_names(path)


def read_json(path: Path) -> dict:
    """The object in a JSON file; raises LabError where the file is missing or broken."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabError(f"a model folder has a {path.name} at {path}; it is missing; {AGAIN}") from None
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise LabError(f"settings in JSON were expected in {path}; they cannot be read; {AGAIN}")
    return content


def weight_files(part: Path) -> list[Path]:
    """The safetensors files of one part of a model."""
    return sorted(part.glob("*.safetensors"))


def tensor_names(path: Path) -> list[str]:
    """The names of the tensors in a safetensors file; raises LabError where it is cut short or broken."""
    try:
        with safe_open(path, framework="np") as file:
            return list(file.keys())
    except (OSError, SafetensorError):
        raise LabError(f"weights were expected in {path}; the file is cut short or broken; {AGAIN}") from None
