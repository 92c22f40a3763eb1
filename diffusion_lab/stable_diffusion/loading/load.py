"""Reading a Stable Diffusion from its folder: looked over first, loaded quietly, each fault one sentence."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel

from ...errors import LabError
from ...places import NETWORKS, Habits, Place, find_model
from .devices import best_device, best_dtype, check_device, check_dtype, makes_numbers
from .folders import AGAIN, check_folder, check_part, habits_in, tensor_names, weight_files
from .hub import Source, find_or_stand_in

TINY_VAE = "tiny_vae"  # the folder of a small decoder, beside the parts that diffusers knows
_OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def load(model: str | Path, device: str | None, dtype: torch.dtype | None, safety_checker: bool, revision: str,
         say: Callable[[str], None]) -> tuple[StableDiffusionPipeline, Habits, AutoencoderTiny | None]:  # fmt: skip
    """The pipeline of a model on its device, its habits, and its small decoder where it has one; arguments as for
    StableDiffusion.load."""
    chosen = best_device() if device is None else check_device(device)
    place = find_model(model)
    if place.kind != "stable diffusion":
        raise LabError(f"a Stable Diffusion was expected; {str(model)!r} is a toy; load it with Toy.load")
    if place.folder is None:
        source = Source(place.role, str(model), revision, safety_checker)
        place = Place(*find_or_stand_in(source, slow=device is None and chosen == "cpu", say=say))
    folder = place.folder.resolve()
    dtype = check_dtype(dtype or best_dtype(folder, chosen), chosen)
    habits = habits_in(folder, place.role and place.role.habits)
    pipeline = read_pipeline(folder, dtype, safety_checker, habits.rest).to(chosen)
    if chosen == "mps" and dtype == torch.float16 and not makes_numbers(pipeline):
        say("float16 overflows on this GPU; float32 is taken instead")
        pipeline.to(torch.float32)
    return pipeline, habits, read_tiny_vae(folder / habits.rest / TINY_VAE, pipeline)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No log line, progress bar or warning of the libraries within; after it they speak as before."""
    logs = [library.utils.logging for library in (diffusers, transformers)]
    before = [(log.get_verbosity(), log.is_progress_bar_enabled()) for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, (verbosity, bar) in zip(logs, before, strict=True):
            log.set_verbosity(verbosity)
            log.enable_progress_bar() if bar else None


def read_pipeline(folder: Path, dtype: torch.dtype, safety_checker: bool = False,
                  rest: str = "") -> StableDiffusionPipeline:  # fmt: skip
    """diffusers' own pipeline from a folder in the standard layout, or from a U-Net's folder and `rest`, the path from
    there to the whole model that it shares all other parts with. Raises LabError where a part is wrong."""
    shared = (folder / rest).resolve()
    check_folder(shared)
    how = {"dtype": dtype, "use_safetensors": True, "local_files_only": True}
    parts = {} if safety_checker else {"safety_checker": None, "requires_safety_checker": False}
    if rest:
        check_part(folder / "unet")
    with _reading("a Stable Diffusion", folder):
        if rest:
            parts["unet"] = UNet2DConditionModel.from_pretrained(folder / "unet", **how)
        variant = "fp16" if _wants_variant(shared, dtype) else None
        pipeline = StableDiffusionPipeline.from_pretrained(shared, variant=variant, **how, **parts)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.vae.to(memory_format=torch.channels_last)  # 3/4 of the time on a CPU; some then round one level away
    _check_loaded(pipeline, {part: (folder if part == "unet" else shared) / part for part in ("tokenizer", *NETWORKS)})
    return pipeline


def read_tiny_vae(folder: Path, pipeline: StableDiffusionPipeline) -> AutoencoderTiny | None:
    """The small decoder in a folder, where and as the pipeline's VAE is; None where there is no such folder. Raises
    LabError where it does not load."""
    if not folder.is_dir():
        return None
    check_part(folder)
    with _reading("a small decoder", folder):
        tiny = AutoencoderTiny.from_pretrained(
            folder, dtype=pipeline.vae.dtype, use_safetensors=True, local_files_only=True
        )
    _check_whole(tiny, folder)
    return tiny.to(pipeline.device, memory_format=torch.channels_last)


@contextlib.contextmanager
def _reading(what: str, folder: Path) -> Iterator[None]:
    """The file edge: the libraries are quiet within, and what they raise, nearly every type, is told in a sentence."""
    try:
        with quiet():
            yield
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".: ")
        raise LabError(f"{what} was expected in {folder}; it does not load ({reason}); {AGAIN}") from error


def _wants_variant(folder: Path, dtype: torch.dtype) -> bool:
    """Whether to read the float16 files: where there are no others, or where float16 is wanted and they are there."""
    names = [path.name for path in weight_files(folder / "unet")]
    halves = [name for name in names if ".fp16." in name]
    return bool(halves) and (dtype == torch.float16 or len(halves) == len(names))


def _check_loaded(pipeline: StableDiffusionPipeline, places: dict[str, Path]) -> None:
    """The two faults that load without a word: an empty tokenizer, and a network filled up with random weights."""
    words, expected = len(pipeline.tokenizer), pipeline.text_encoder.config.vocab_size
    if words != expected:
        raise LabError(f"a tokenizer of {expected:,} tokens was expected in {places['tokenizer']}; "
                       f"{words:,} came, so prompts would not be read; {AGAIN}")  # fmt: skip
    for part in NETWORKS:
        _check_whole(getattr(pipeline, part), places[part])


def _check_whole(network: torch.nn.Module, folder: Path) -> None:
    stored = {_today(name) for path in weight_files(folder) for name in tensor_names(path)}
    needed = [_today(name) for name, _ in network.named_parameters()]
    if missing := sorted(set(needed) - stored):
        raise LabError(f"{len(needed)} tensors were expected in {folder}; {len(missing)} are missing, {missing[0]} "
                       f"among them; {AGAIN}")


def _today(name: str) -> str:
    """A tensor's name as today's libraries write it: the files of 2022 call some of them otherwise."""
    for old, new in _OLD_NAMES.items():
        name = name.replace(old, new)
    return name.removeprefix("text_model.")
