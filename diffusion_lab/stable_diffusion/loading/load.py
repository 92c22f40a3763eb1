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
from ...files import expanded
from ...places import ABOUT, NETWORKS, ROLES, WEIGHTS, Habits, Place, find_model
from ...recipe import shortened
from .devices import best_device, best_dtype, check_device, check_dtype, makes_numbers
from .folders import AGAIN, check_folder, check_part, habits_in, read_json, tensor_names, weight_files
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
        raise LabError(f"a Stable Diffusion was expected; {str(model)!r} is {_smaller(place.folder)}")
    if place.folder is None:
        source = Source(place.role, str(model), revision, safety_checker)
        place = Place(*find_or_stand_in(source, slow=device is None and chosen == "cpu", say=say))
    folder = place.folder.resolve()
    habits = habits_in(folder, place.role and place.role.habits)
    shared = lender(folder, habits.rest)
    dtype = check_dtype(dtype or best_dtype(shared, chosen), chosen)
    pipeline = read_pipeline(folder, dtype, safety_checker, shared).to(chosen)
    if chosen == "mps" and dtype == torch.float16 and not makes_numbers(pipeline):
        say("float16 overflows on this GPU; float32 is taken instead")
        pipeline.to(torch.float32)
    return pipeline, habits, read_tiny_vae(shared / TINY_VAE, pipeline)


def _smaller(folder: Path) -> str:
    """What a folder holds that has a config.json and is no Stable Diffusion, and what to do."""
    if part := read_json(folder / "config.json").get("_class_name"):
        return f"one part of one, its {shortened(part)}; give the folder above it"
    return "a toy; load it with Toy.load"


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


def lender(folder: Path, rest: str) -> Path:
    """The folder of the whole model that lends a U-Net the other parts, `rest` being its name in ROLES or the way to it
    from the U-Net's `folder`; this folder itself without `rest`. Raises LabError where it leads nowhere."""
    if rest in ROLES and ROLES[rest].shipped:
        return WEIGHTS / ROLES[rest].shipped
    shared = expanded(folder / rest).resolve()
    if not shared.is_dir():
        raise LabError(f"the model that lends {folder} all but the U-Net was expected in {shared}; no such folder is "
                       f'there; copy it there, or write into {ABOUT} as "rest" where it is')  # fmt: skip
    return shared


def read_pipeline(folder: Path, dtype: torch.dtype, safety_checker: bool = False,
                  shared: Path | None = None) -> StableDiffusionPipeline:  # fmt: skip
    """diffusers' own pipeline from a folder in the standard layout, or from a U-Net's folder and the one that it has
    all other parts from, `shared`. Raises LabError where a part is wrong."""
    shared = shared or folder
    check_folder(shared)
    how = {"dtype": dtype, "use_safetensors": True, "local_files_only": True}
    parts = {} if safety_checker else {"safety_checker": None, "requires_safety_checker": False}
    if shared != folder:
        check_part(folder / "unet")
    with _reading("a Stable Diffusion", folder):
        if shared != folder:
            parts["unet"] = UNet2DConditionModel.from_pretrained(
                folder / "unet", variant=_variant(folder, dtype), **how
            )
        pipeline = StableDiffusionPipeline.from_pretrained(shared, variant=_variant(shared, dtype), **how, **parts)
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


def _variant(folder: Path, dtype: torch.dtype) -> str | None:
    """ "fp16" where the float16 files are read: there are no others, or float16 is wanted and they are there."""
    names = [path.name for path in weight_files(folder / "unet")]
    halves = [name for name in names if ".fp16." in name]
    return "fp16" if halves and (dtype == torch.float16 or len(halves) == len(names)) else None


def _check_loaded(pipeline: StableDiffusionPipeline, places: dict[str, Path]) -> None:
    """The faults that load without a word: an empty tokenizer, no size, and a network filled up with random weights."""
    words, expected = len(pipeline.tokenizer), pipeline.text_encoder.config.vocab_size
    if words != expected:
        raise LabError(f"a tokenizer of {expected:,} tokens was expected in {places['tokenizer']}; "
                       f"{words:,} came, so prompts would not be read; {AGAIN}")  # fmt: skip
    size = pipeline.unet.config.sample_size
    if not all(isinstance(side, int) and side > 0 for side in (size if isinstance(size, list | tuple) else [size])):
        raise LabError(f"the sides of a latent were expected as sample_size in {places['unet'] / 'config.json'}; "
                       f"{shortened(size)} came; {AGAIN}")  # fmt: skip
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
