"""A Stable Diffusion for a page: its three networks as ONNX, and one model.json with all else that a page needs."""

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import LabError
from ..files import expanded, read_as, read_json, where, whole_folder
from .model import StableDiffusion
from .prompts import kinds, known_words
from .samplers import SAMPLERS
from .schedulers import KINDS, fresh

OPSET = 18  # from 21 on a GroupNorm is one operation, which the page's runtime takes apart again when it starts
DRAWN = ("ddim", "dpmpp_2m", "dpmpp_2m_sde")  # what the page has a rule for
MOST = 16  # pictures at once
FILES = {"text.onnx", "unet.onnx", "decoder.onnx", "model.json"}


class Text(nn.Module):
    """Tokens (B, L) to what the U-Net reads of them (B, L, width)."""

    def __init__(self, text_encoder: nn.Module):
        super().__init__()
        self.text_encoder = text_encoder

    def forward(self, ids: Tensor) -> Tensor:
        return self.text_encoder(ids)[0]


class UNet(nn.Module):
    """Latents (B, C, h, w), a time (1,) and what was read (B, L, width) to the U-Net's answer (B, C, h, w)."""

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        return self.unet(x, t, encoder_hidden_states=condition, return_dict=False)[0]


class Decoder(nn.Module):
    """Latents (B, C, h, w), divided by the scaling factor, to pixels (B, 3, H, W) in [-1, 1]."""

    def __init__(self, vae: nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, latent: Tensor) -> Tensor:
        return self.vae.decode(latent, return_dict=False)[0]


def export(model: StableDiffusion, out: str | Path) -> Path:
    """Write unet.onnx, text.onnx, decoder.onnx and model.json into the folder `out`, a new one or an earlier export.

    Each network is one file for any batch up to MOST, and says nothing of the machine that wrote it. Its weights are
    kept as int8 (after `rounded`) or float16 where that loses nothing, and become float32 when they are loaded. Returns
    the folder. Raises
    LabError where the packages of the extra `web` are missing, where the page could not draw what the model draws,
    and where `out` holds something else.
    """
    told = habits(model)
    _packages()
    place = expanded(out)
    if not _may_be_replaced(place):
        raise LabError(f"a new folder, or one of an earlier export, was expected; {where(place)} came, which holds "
                       "something else; choose another --out")  # fmt: skip
    with whole_folder(place) as part:
        for name, (network, given) in parts(model).items():
            write(network, given, part / f"{name}.onnx")
        (part / "model.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return place


def _may_be_replaced(place: Path) -> bool:
    """Is nothing there, an empty folder, or an export and nothing else? Raises LabError where nobody can tell."""
    with read_as(place, "a folder to write", "choose another --out"):
        if not place.exists():
            return True
        names = {path.name for path in place.iterdir()} if place.is_dir() else {""}
        if names != FILES:
            return not names
    told = read_json(place / "model.json", "the model.json of an earlier export", "choose another --out")
    return {"prediction", "alpha_bars", "merges"} <= told.keys()


def habits(model: StableDiffusion) -> dict:
    """What model.json says: how the model was trained to be asked, its words, and its preview.

    `alpha_bars` are float32 numbers, `final` where DDIM's last step leads; `merges` are those of the tokenizer, whose
    vocabulary follows from them. Raises LabError for a model that counts its times otherwise than the page does.
    """
    pipeline = model.pipeline
    scheduler, tokenizer = fresh(pipeline.scheduler, "ddim"), pipeline.tokenizer
    known = known_words(tokenizer)
    spacing, kind = scheduler.config.timestep_spacing, scheduler.config.prediction_type
    if spacing != "trailing" or kind not in KINDS:
        raise LabError(f"a model with trailing timesteps that predicts {', '.join(KINDS)} was expected, as the page "
                       f"draws; {spacing} and {kind} came; export another model")  # fmt: skip
    longest = min(tokenizer.model_max_length, pipeline.text_encoder.config.max_position_embeddings)
    width, height = (pipeline.vae_scale_factor * side for side in model.shape[:0:-1])
    return {
        "name": model.name, "guidance_scale": float(model.guidance_scale),
        "samplers": {name: SAMPLERS[name].title for name in DRAWN},
        "prediction": KINDS[kind], "scaling_factor": pipeline.vae.config.scaling_factor, "shape": list(model.shape),
        "size": [width, height], "to_rgb": model.to_rgb.tolist(), "alpha_bars": scheduler.alphas_cumprod.tolist(),
        "final": scheduler.final_alpha_cumprod.tolist(), "tokens": longest,
        "merges": merges(tokenizer), "words": known, "kinds": kinds(known or []),
    }  # fmt: skip


def merges(tokenizer) -> list[str]:
    """The pairs that a CLIP tokenizer joins, the first ones first."""
    return [" ".join(pair) for pair in json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]]


def parts(model: StableDiffusion) -> dict[str, tuple[nn.Module, dict[str, Tensor]]]:
    """Each network of a model and an example of what it is given, by the names that the page gives it."""
    pipeline = model.pipeline
    x = torch.zeros(2, *model.shape)
    ids = torch.zeros(2, habits(model)["tokens"], dtype=torch.int64)
    condition = model.condition([""] * 2).float().cpu()
    return {
        "text": (Text(pipeline.text_encoder), {"ids": ids}),
        "unet": (UNet(pipeline.unet), {"x": x, "t": torch.ones(1), "condition": condition}),
        "decoder": (Decoder(pipeline.vae), {"latent": x}),
    }


def write(network: nn.Module, given: dict[str, Tensor], path: Path) -> None:
    """Write a network as ONNX; the first side of all that is `given`, but of a time, is the batch."""
    import onnx

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nothing here needs
    batch = torch.export.Dim("batch", min=1, max=MOST)
    shapes = tuple({0: batch} if len(one) > 1 else None for one in given.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            network.eval(), tuple(given.values()), dynamo=True, opset_version=OPSET, input_names=list(given),
            output_names=["out"], dynamic_shapes=shapes, verbose=False, optimize=True,
        )  # fmt: skip
    proto = made.model_proto
    strip(proto)
    shrink(proto.graph)
    onnx.save(proto, path)


def strip(proto) -> None:
    """Take away what the exporter noted about this machine: paths, lines of code."""
    graph = proto.graph
    del graph.value_info[:]  # shapes between the operations, which a runtime finds by itself
    for one in (proto, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        one.ClearField("metadata_props")
        one.ClearField("doc_string")


def shrink(graph) -> None:
    """Keep float32 weights as int8, q s, or as float16, where no number changes by it; the graph makes them whole."""
    from onnx import TensorProto, helper, numpy_helper

    whole = []
    for weights in [one for one in graph.initializer if one.data_type == TensorProto.FLOAT]:
        full, name = numpy_helper.to_array(weights), weights.name
        with np.errstate(over="ignore"):
            half = full.astype(np.float16)
            q, s = eighths(full) if full.ndim > 1 else (full, full)
        if 8 * s.size < full.size and np.array_equal(q * s, full):
            weights.CopyFrom(numpy_helper.from_array(q, f"{name}_q"))
            graph.initializer.append(numpy_helper.from_array(s, f"{name}_s"))
            whole.append(helper.make_node("Cast", [f"{name}_q"], [f"{name}_steps"], to=TensorProto.FLOAT))
            whole.append(helper.make_node("Mul", [f"{name}_steps", f"{name}_s"], [name]))
        elif full.size > 16 and np.array_equal(half.astype(np.float32), full):
            weights.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
            whole.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*whole, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def eighths(full: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights as int8 steps q and a scale s for each channel, q s: w = round(w / s) s, s = max |w| / 127.

    The channels are the first side or the last one, where less is lost. A scale has 12 bits, so that no product q s is
    rounded, and weights made in this way come back the same.
    """
    found = []
    for side in (0, -1):
        others = tuple(axis for axis in range(full.ndim) if axis != side % full.ndim)  # all but the channels'
        mantissa, exponent = np.frexp(np.abs(full).max(others, keepdims=True) / 127)
        s = np.ldexp(np.ceil(mantissa * 4096) / 4096, exponent).astype(np.float32)
        q = np.rint(full / np.where(s, s, 1)).astype(np.int8)
        found.append((np.square(q * s - full, dtype=np.float64).sum(), q, s))
    return min(found, key=lambda one: one[0])[1:]


def rounded(model: StableDiffusion) -> StableDiffusion:
    """The model itself, with each matrix of its weights rounded to 8 bits a number (`eighths`)."""
    pipeline = model.pipeline
    for network in (pipeline.text_encoder, pipeline.unet, pipeline.vae):
        for weights in network.parameters():
            if weights.ndim > 1:
                q, s = eighths(weights.detach().float().cpu().numpy())
                weights.data.copy_(torch.from_numpy(q * s))
    return model


def _packages() -> None:
    """Raises LabError where what writes ONNX is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise LabError(f"the packages of the extra `web` were expected; {error.name} is missing; install them: "
                       "python -m pip install --constraint constraints.txt -e '.[web]'") from None  # fmt: skip
