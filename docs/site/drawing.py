"""What the page that draws takes along: the model as ONNX, the runtime that computes it, and the page's own scripts."""

import gzip
import hashlib
import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from html import escape
from pathlib import Path

from diffusion_lab.commands.environment import ROOT
from diffusion_lab.errors import LabError
from diffusion_lab.files import alone as files_alone
from diffusion_lab.places import WEIGHTS
from diffusion_lab.player import player
from diffusion_lab.templates import fill

SCRIPTS, EXPORT = Path(__file__).parent / "draw", ROOT / "build" / "web"
RUNTIME, VERSION = ROOT / "node_modules" / "onnxruntime-web", "1.30.0"
RUNTIME_SCRIPT = RUNTIME / "dist" / "ort.wasm.bundle.min.mjs"
INSIDE = ("package.json", "form.html", "offline.js")  # what is put into something else
FETCHED = re.compile(r'(?:src|href)="([^":#?]+\.(?:js|css|png|webp|svg))[?"]')
NETWORKS = ("text", "unet", "decoder")
FIRST = {"n": 8, "sampler": "dpmpp_2m"}  # what the page begins with: few steps, so that a picture is there as one types


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Within it no other process works on `path`; a LabError ends the script in its one sentence."""
    try:
        with files_alone(path, what, "wait for it"):
            yield
    except LabError as error:
        sys.exit(str(error))


def missing() -> str:
    """What the page lacks here and how to get it, in a sentence; "" where it can be made."""
    if lost := [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]:
        return f"{' and '.join(lost)} missing: python -m pip install --constraint constraints.txt -e '.[web]'"
    package = RUNTIME / "package.json"
    if not package.is_file() or json.loads(package.read_text(encoding="utf-8"))["version"] != VERSION:
        return f"onnxruntime-web missing: npm install --no-save axe-core@4 onnxruntime-web@{VERSION}"
    return ""


def exported(int8: bool = False) -> Path:
    """Tiny SD as the page draws with it, exported anew where its weights or the exporter are younger."""
    from diffusion_lab.stable_diffusion import StableDiffusion, web

    out = EXPORT / ("int8" if int8 else "float16")
    sources = [Path(web.__file__), *(path for path in (WEIGHTS / "tiny_sd").rglob("*") if path.is_file())]
    made = out / "model.json"
    if not made.exists() or made.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        model = StableDiffusion.load("tiny-sd", device="cpu")
        web.export(web.rounded(model) if int8 else model, out)
    return out


def bring(folder: Path) -> dict[str, str]:
    """Put all of it into a folder of the site; returns what the pages say of it: model, size in MB, and the form,
    whole and compact for the start page, where the model comes when it is asked for."""
    source = exported()
    shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns(*INSIDE), dirs_exist_ok=True)
    shutil.copy(RUNTIME_SCRIPT, folder / "ort.js")
    (folder / "player.txt").write_text(player_page(), encoding="utf-8")
    for name, data in packed(source).items():
        (folder / f"{name}.bin").write_bytes(data)
    (folder / "model.json").write_text(told(source), encoding="utf-8")
    size = sum(map(len, packed(source).values())) / 1e6
    return words(source, size=f"{size:.1f}", fetched=f"The first visit fetches the model, {size:.1f} MB; "
                 "from the second on, most browsers need no network for it.",
                 alike="It draws what Python draws from the same prompt, seed and settings, to one grey level.",
                 shared="The address above holds all of them: send it, and somebody else sees this picture.")


def escaped(script: str) -> str:
    """A script in ASCII alone, which is read the same whatever character set a host claims for it."""
    return re.sub(r"[^\0-\x7f]+", lambda found: json.dumps(found[0])[1:-1], script)


def offline(site: Path) -> str:
    """The service worker of a site: what it keeps is every file that the pages with the form in them fetch.

    Each is told by the SHA-256 of what is in it, unpacked, and the whole by that of all these.
    """
    pages = [path for path in site.glob("*.html") if "draw/page.js" in path.read_text(encoding="utf-8")]
    names = {name for path in pages for name in FETCHED.findall(path.read_text(encoding="utf-8"))}
    kept = {*pages, *(site / name for name in names), *(site / "draw").iterdir()}
    prints = {path.relative_to(site).as_posix(): hashlib.sha256(unpacked(path)).hexdigest()
              for path in sorted(kept, key=lambda path: (path.stat().st_size, path.name))}  # fmt: skip
    version = hashlib.sha256(json.dumps(prints).encode()).hexdigest()[:16]
    return fill((SCRIPTS / "offline.js").read_text(encoding="utf-8"), files=json.dumps(prints), version=version)


def unpacked(path: Path) -> bytes:
    """What is in a file, where it is packed with gzip too."""
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def files(source: Path) -> dict[str, Path]:
    """The runtime and the networks of an export."""
    return {"wasm": RUNTIME / "dist" / "ort-wasm-simd-threaded.wasm",
            **{name: source / f"{name}.onnx" for name in NETWORKS}}  # fmt: skip


@cache
def packed(source: Path) -> dict[str, bytes]:
    """These as the page fetches them."""
    return {name: gzip.compress(path.read_bytes(), 9, mtime=0) for name, path in files(source).items()}


def told(source: Path) -> str:
    """model.json with what else is fetched: the sizes, unpacked and packed, and the SHA-256 of what is unpacked."""
    sizes = {"whole": {name: path.stat().st_size for name, path in files(source).items()},
             "packed": {name: len(data) for name, data in packed(source).items()},
             "prints": {name: hashlib.sha256(path.read_bytes()).hexdigest()
                        for name, path in files(source).items()}}  # fmt: skip
    return json.dumps(json.loads((source / "model.json").read_text(encoding="utf-8")) | sizes, ensure_ascii=False)


def words(source: Path, size: str, **others: str) -> dict[str, str]:
    """What stands in the <<places>> of the pages: the model, the form, whole and compact, the size, and `others`."""
    model = json.loads((source / "model.json").read_text(encoding="utf-8"))
    form, latent = (SCRIPTS / "form.html").read_text(encoding="utf-8"), " x ".join(map(str, model["shape"]))
    options = "".join(f'<option value="{name}"{" selected" * (name == FIRST["sampler"])}>{escape(title)}</option>'
                      for name, title in model["samplers"].items())  # fmt: skip
    settings = {"n": FIRST["n"], "guidance": f"{model['guidance_scale']:g}", "samplers": options}
    forms = {name: fill(form, compact=mark, latent=latent, size=size, **settings)
             for name, mark in (("form", ""), ("compact", "data-compact"))}  # fmt: skip
    return {"model": model["name"], "size": size, **forms, **others}


def player_page() -> str:
    """The course's player as a page that is whole but for its {{title}} and its {{data}}, which the page fills in."""
    style, script = player.parts()
    figure = fill((player.HERE / "player.html").read_text(encoding="utf-8"), still="", style=style, data="{{data}}",
                  script=script)  # fmt: skip
    return fill(player.PAGE, title="{{title}}", player=figure)
