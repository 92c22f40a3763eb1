"""The page that draws as one file, which opens from a USB stick by a double click: `make page` writes build/draw.html.

    python docs/site/page.py [--out build/draw.html]

The same text, scripts and styles as on the site, and all that they fetch there, as addresses of data. A page that is a
file may load no module and start no worker from one: so the modules are put one behind the other, as plain scripts. The
weights are rounded to 8 bits a number, and what that does to the pictures is measured and told.
"""

import argparse
import base64
import re
import sys
from html import escape
from itertools import product
from pathlib import Path

import drawing
import numpy as np
from markdown_it import MarkdownIt

from diffusion_lab.commands.environment import ROOT
from diffusion_lab.files import whole
from diffusion_lab.stable_diffusion import StableDiffusion, web
from diffusion_lab.templates import as_json, fill

HERE, LICENCE = Path(__file__).parent, "LICENSE-onnxruntime.txt"
IMPORT = re.compile(r'^import (?:\* as )?(\w+|\{[^}]*\}) from "\./(\w+)\.js";$', re.M)
EXPORTED = re.compile(r"^export (?=(?:async )?(?:const|class|function\*?) (\w+))", re.M)
BUNDLED = re.compile(r"export\{([^}]*)\};\s*(?://# sourceMappingURL=.*\s*)?\Z")  # how a packed module ends
PROMPTS = ("an astronaut riding a horse on mars", "a red cat on the moon", "a penguin in a city", "a dog", "two frogs")
LINK = re.compile(r"<a href=\"(?!#|https?:)[^\"]*\">(.*?)</a>", re.S)  # to the site, which a USB stick has not
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{{policy}}">
<title>{{title}}</title><style>
:root { color-scheme: light dark; --color-foreground-primary: #1a1a1a; --color-foreground-muted: #6b6f76;
  --color-background-primary: #fff; --color-background-secondary: #f4f4f5; --color-brand-primary: #0a4bff }
@media (prefers-color-scheme: dark) { :root { --color-foreground-primary: #eee; --color-foreground-muted: #9a9da3;
  --color-background-primary: #161616; --color-background-secondary: #202224; --color-brand-primary: #7ea6ff } }
body { margin: 24px auto; max-width: 860px; padding: 0 16px; font: 1em/1.5 system-ui, sans-serif;
  color: var(--color-foreground-primary); background: var(--color-background-primary) }
pre { white-space: pre-wrap }
{{style}}
</style></head><body><main>
{{text}}
<details><summary>The licence of ONNX Runtime Web</summary><pre>{{licence}}</pre></details>
</main>
<script>
self.HELD = {{held}};
HELD["worker.js"] = URL.createObjectURL(new Blob([`self.HELD = ${JSON.stringify(HELD)};\\n`, HELD["worker.js"]]));
{{script}}
</script></body></html>
"""
# Nothing comes from anywhere but out of the page itself.
POLICY = ("default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; worker-src blob:; "
          "connect-src data: blob:; img-src data: blob:; style-src 'unsafe-inline'; frame-src 'self'")  # fmt: skip


def main() -> None:
    """Write the page, and say where it lies and what it weighs."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--out", type=Path, default=ROOT / "build" / "draw.html")
    out = given.parse_args().out
    if lacks := drawing.missing():
        sys.exit(f"the page cannot be made here: {lacks}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with drawing.alone(drawing.EXPORT / "int8", "a build of the page"), whole(out) as part:
        part.write_text(page(), encoding="utf-8")
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def page() -> str:
    """The page, whole."""
    source = drawing.exported(int8=True)
    held = {f"{name}.bin": address(data) for name, data in drawing.packed(source).items()}
    held["model.json"] = address(drawing.told(source).encode())
    held["player.txt"] = address(drawing.player_page().encode())
    held["worker.js"] = bundled("worker")
    text = (HERE / "draw.md").read_text(encoding="utf-8")
    for place, words in drawing.words(source, "0", **TOLD, alike=loss()).items():
        text = text.replace(f"<<{place}>>", words)
    title = re.match("# (.*)", text)[1]
    style, licence = [(drawing.SCRIPTS / name).read_text(encoding="utf-8") for name in ("draw.css", LICENCE)]
    return fill(PAGE, title=escape(title), policy=POLICY, style=style, text=html(text), held=as_json(held),
                licence=escape(licence), script=bundled("page"))  # fmt: skip


TOLD = {"fetched": "All of it is in this file: it needs no network.",
        "shared": "The end of the address above holds all of them: whoever has this file sees the picture with it."}


def html(text: str) -> str:
    """The text of the page; what points at the rest of the site is no link here."""
    parts = re.split(r"```\{raw\} html\n(.*?)```\n", text, flags=re.S)
    parts[::2] = [LINK.sub(r"\1", MarkdownIt().render(part)) for part in parts[::2]]
    return re.sub(r"<link [^>]*>\n|<script [^>]*></script>\n", "", "".join(parts))


def address(data: bytes) -> str:
    """Data as an address that can be fetched."""
    return "data:application/octet-stream;base64," + base64.b64encode(data).decode()


def bundled(name: str) -> str:
    """A module and all that it imports as one plain script, in which each is a function that returns its exports."""
    made = {}

    def add(name: str) -> None:
        if name in made:
            return
        made[name] = ""  # so that a circle ends
        path = drawing.RUNTIME_SCRIPT if name == "ort" else drawing.SCRIPTS / f"{name}.js"
        text = path.read_text(encoding="utf-8")
        for _, other in IMPORT.findall(text):
            add(other)
        del made[name]
        made[name] = f"const in_{name} = (() => {{\n{plain(text)}\n}})();\n"

    add(name)
    return '"use strict";\n' + "".join(made.values())


def plain(text: str) -> str:
    """The body of a function that does what a module does."""
    text = IMPORT.sub(r"const \1 = in_\2;", text).replace("import.meta.url", "self.location.href")
    if found := BUNDLED.search(text):
        pairs = [one.split(" as ") for one in found[1].split(",")]
        return f"{text[: found.start()]}return {{{', '.join(f'{pair[-1]}: {pair[0]}' for pair in pairs)}}};"
    names = EXPORTED.findall(text)
    return EXPORTED.sub("", text) + f"\nreturn {{ {', '.join(names)} }};"


def loss() -> str:
    """What the rounding of the weights does to 16 pictures, in grey levels of 255."""
    asked = list(product(PROMPTS, range(4)))[:16]
    exact = StableDiffusion.load("tiny-sd", device="cpu")
    pictures = [drawn(exact, asked), drawn(web.rounded(exact), asked)]
    far = np.abs(np.subtract(*pictures))
    return (f"So that it fits, its weights are rounded to 8 bits a number: measured on {len(asked)} pictures, a colour "
            f"of a pixel is {far.mean():.1f} of 255 levels off what Python draws from the same prompt, seed and "
            f"settings, and {far.max()} at most.")  # fmt: skip


def drawn(model: StableDiffusion, asked: list[tuple[str, int]]) -> np.ndarray:
    """The page's first pictures of some prompts and seeds, (n, H, W, 3)."""
    ends = [list(model.steps(prompt, seed=seed, **drawing.FIRST))[-1].x0 for prompt, seed in asked]
    return np.concatenate([model.decode(x0).numpy() for x0 in ends]).astype(np.int16)


if __name__ == "__main__":
    main()
