"""Reading a Stable Diffusion from its folder: looked over first, loaded quietly, each fault one sentence."""

import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import StableDiffusionPipeline
from safetensors import SafetensorError, safe_open

from ..errors import LabError

_NETWORKS = ("text_encoder", "unet", "vae")
_OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
_AGAIN = "copy or download the folder again"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No log line, progress bar or warning of the libraries within."""
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_pipeline(folder: Path, dtype: torch.dtype, safety_checker: bool = False) -> StableDiffusionPipeline:
    """diffusers' own pipeline from a folder in the standard layout; raises LabError where a part is wrong."""
    check_folder(folder)
    variant = "fp16" if _wants_variant(folder, dtype) else None
    checker = {} if safety_checker else {"safety_checker": None, "requires_safety_checker": False}
    try:
        with quiet():
            pipeline = StableDiffusionPipeline.from_pretrained(
                folder, dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True, **checker
            )
    except Exception as error:  # the file edge: the libraries raise nearly every type here
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
        raise LabError(f"a Stable Diffusion was expected in {folder}; it does not load ({reason}); {_AGAIN}") from error
    pipeline.set_progress_bar_config(disable=True)
    _check_loaded(pipeline, folder)
    return pipeline


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
                raise LabError(f"the tokenizer's {name} was expected in {tokenizer}; it is missing; {_AGAIN}")
    for part in _NETWORKS:
        read_json(folder / part / "config.json")
        if not weight_files(folder / part):
            raise LabError(f"weights (*.safetensors) were expected in {folder / part}; there are none; {_AGAIN}")
        for path in weight_files(folder / part):
            tensor_names(path)


def read_json(path: Path) -> dict:
    """The object in a JSON file; raises LabError where the file is missing or broken."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabError(f"a model folder has a {path.name} at {path}; it is missing; {_AGAIN}") from None
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise LabError(f"settings in JSON were expected in {path}; they cannot be read; {_AGAIN}")
    return content


def weight_files(part: Path) -> list[Path]:
    """The safetensors files of one part of a model."""
    return sorted(part.glob("*.safetensors"))


def tensor_names(path: Path) -> list[str]:
    """The names of the tensors in a safetensors file; raises LabError where it is cut short or broken."""
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (OSError, SafetensorError):
        raise LabError(f"weights were expected in {path}; the file is cut short or broken; {_AGAIN}") from None


def _wants_variant(folder: Path, dtype: torch.dtype) -> bool:
    """Whether to read the float16 files: where there are no others, or where float16 is wanted and they are there."""
    names = [path.name for path in weight_files(folder / "unet")]
    halves = [name for name in names if ".fp16." in name]
    return bool(halves) and (dtype == torch.float16 or len(halves) == len(names))


def _check_loaded(pipeline: StableDiffusionPipeline, folder: Path) -> None:
    """The two faults that load without a word: an empty tokenizer, and a network filled up with random weights."""
    words, expected = len(pipeline.tokenizer), pipeline.text_encoder.config.vocab_size
    if words != expected:
        raise LabError(f"a tokenizer of {expected:,} tokens was expected in {folder / 'tokenizer'}; "
                       f"{words:,} came, so prompts would not be read; {_AGAIN}")  # fmt: skip
    for part in _NETWORKS:
        stored = {_today(name) for path in weight_files(folder / part) for name in tensor_names(path)}
        needed = [_today(name) for name, _ in getattr(pipeline, part).named_parameters()]
        if missing := sorted(set(needed) - stored):
            raise LabError(f"{len(needed)} tensors were expected in {folder / part}; {len(missing)} are missing, "
                           f"{missing[0]} among them; {_AGAIN}")  # fmt: skip


def _today(name: str) -> str:
    """A tensor's name as today's libraries write it: the files of 2022 call some of them otherwise."""
    for old, new in _OLD_NAMES.items():
        name = name.replace(old, new)
    return name.removeprefix("text_model.")
