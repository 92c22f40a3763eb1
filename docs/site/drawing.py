"""What the page that draws takes along: the model as ONNX, the runtime that computes it, and the page's own scripts."""

import gzip
import importlib.util
import json
import shutil
from pathlib import Path

from diffusion_lab.commands.environment import ROOT
from diffusion_lab.places import WEIGHTS
from diffusion_lab.player import player
from diffusion_lab.templates import fill

SCRIPTS, EXPORT = Path(__file__).parent / "draw", ROOT / "build" / "web"
RUNTIME, VERSION = ROOT / "node_modules" / "onnxruntime-web", "1.30.0"
NETWORKS = ("text", "unet", "decoder")


def missing() -> str:
    """What the page lacks here and how to get it, in a sentence; "" where it can be made."""
    if lost := [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]:
        return f"{' and '.join(lost)} missing: python -m pip install --constraint constraints.txt -e '.[web]'"
    package = RUNTIME / "package.json"
    if not package.is_file() or json.loads(package.read_text(encoding="utf-8"))["version"] != VERSION:
        return f"onnxruntime-web missing: npm install --no-save axe-core@4 onnxruntime-web@{VERSION}"
    return ""


def exported() -> Path:
    """Tiny SD as the page draws with it, exported anew where its weights or the exporter are younger."""
    from diffusion_lab.stable_diffusion import StableDiffusion, web

    made = EXPORT / "model.json"
    sources = [Path(web.__file__), *(path for path in (WEIGHTS / "tiny_sd").rglob("*") if path.is_file())]
    if not made.exists() or made.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        web.export(StableDiffusion.load("tiny-sd", device="cpu"), EXPORT)
    return EXPORT


def bring(folder: Path) -> dict[str, str]:
    """Put all of it into a folder of the site; returns what the pages say of it: model, size in MB, and the form,
    whole and compact for the start page, where the model comes when it is asked for."""
    source = exported()
    shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("package.json", "form.html"), dirs_exist_ok=True)
    shutil.copy(RUNTIME / "dist" / "ort.wasm.bundle.min.mjs", folder / "ort.js")
    (folder / "player.txt").write_text(player_page(), encoding="utf-8")
    files = {"wasm": RUNTIME / "dist" / "ort-wasm-simd-threaded.wasm",
             **{name: source / f"{name}.onnx" for name in NETWORKS}}  # fmt: skip
    told = json.loads((source / "model.json").read_text(encoding="utf-8")) | {"whole": {}, "packed": {}}
    for name, path in files.items():
        packed = gzip.compress(path.read_bytes(), 9, mtime=0)
        (folder / f"{name}.bin").write_bytes(packed)
        told["whole"][name], told["packed"][name] = path.stat().st_size, len(packed)
    (folder / "model.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    said = {"latent": " x ".join(map(str, told["shape"])), "size": f"{size:.1f}"}
    form = (SCRIPTS / "form.html").read_text(encoding="utf-8")
    return {"model": told["name"], "size": said["size"], "form": fill(form, compact="", **said),
            "compact": fill(form, compact="data-compact", **said)}  # fmt: skip


def player_page() -> str:
    """The course's player as a page that is whole but for its {{title}} and its {{data}}, which the page fills in."""
    style, script = player.parts()
    figure = fill((player.HERE / "player.html").read_text(encoding="utf-8"), still="", style=style, data="{{data}}",
                  script=script)  # fmt: skip
    return fill(player.PAGE, title="{{title}}", player=figure)
