"""The site as tests see it in a browser: its pages, and the one that draws."""

import base64
import contextlib
import http.server
import io
import json
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from browser import missing, page, until
from PIL import Image

from diffusion_lab.commands.environment import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
BOTH = pytest.mark.parametrize("engine", ["chromium", "firefox"], indirect=True)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def pages(site: Path) -> list[Path]:
    return [path for path in site.rglob("*.html") if path.parent.name != "slides"]


def serious(tab, where: str = "document") -> list[str]:
    """What axe finds serious now."""
    found = tab.evaluate(f"axe.run({where}, {{resultTypes: ['violations']}})")["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]


@contextlib.contextmanager
def drawing(engine, address, asked: str = "", wide: int = 1280, before=lambda tab: None, **context):
    """The page that draws, opened at an address that asks for something, once it has an answer."""
    with page(engine, wide, 844, **context) as tab:
        before(tab)
        tab.goto(address + "draw.html" + asked)
        if tab.locator("#draw").count() == 0:
            missing("the page that draws (the extra `web` and onnxruntime-web)")
        answered(tab)
        yield tab
        assert tab.errors == [] and tab.refused == []


def answered(tab, *states: str) -> str:
    """Wait until the page has drawn, or refused, what it was asked last; what it says."""
    final = states or ("drawn", "refused", "failed")
    until(lambda: tab.evaluate("document.getElementById('draw').dataset.state"), lambda state: state in final)
    return tab.locator("[data-is=say]").inner_text()


def field(tab, name: str):
    return tab.locator(f"#draw [data-is={name}]")


def pixels(tab, canvas: str = "[data-is=picture]") -> np.ndarray:
    """The picture, (H, W, 3)."""
    url = tab.evaluate("(name) => document.querySelector(name).toDataURL()", canvas)
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as picture:
        return np.array(picture.convert("RGB"), np.int16)


ASK = """async (given) => {
    const { fields, address } = JSON.parse(given), root = document.getElementById("draw"), before = location.href;
    const heard = new Promise((done) => addEventListener("hashchange", done, { once: true }));
    const set = Object.entries(fields).map(([name, value]) => {
        const field = root.querySelector(`[data-is=${name}]`);
        return field.value = value, field;
    });
    if (address === undefined) set.at(-1).dispatchEvent(new Event("input", { bubbles: true }));
    else if ((location.hash = address, location.href !== before)) await heard;
    while (!["drawn", "refused", "failed"].includes(root.dataset.state)) await new Promise((on) => setTimeout(on, 4));
    return [root.dataset.state, root.querySelector("[data-is=say]").textContent];
}"""


def ask(tab, **given) -> list[str]:
    """Put texts, whatever they are, into `fields` and behind the `address`; the state that follows and its sentence."""
    return tab.evaluate(ASK, json.dumps({"fields": {}, **given}))


def hashed(prompt: str, seed: int, n: int, guidance: float, sampler: str) -> str:
    """What stands behind the # of an address that asks for a picture."""
    return urlencode({"prompt": prompt, "seed": seed, "steps": n, "guidance": guidance, "sampler": sampler})
