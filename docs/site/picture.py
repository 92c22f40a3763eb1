"""The two pictures that README and the first page of the site begin with, made from the course itself.

    python docs/site/picture.py      after `make site`; needs a Chromium

docs/from_static.webp: six steps of one path, what the network sees above what it guesses. docs/drawing.webp: the page
that draws, as it stands in a browser.
"""

import functools
import http.server
import io
import shutil
import threading
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import sync_playwright

from diffusion_lab.commands.environment import ROOT
from diffusion_lab.stable_diffusion import StableDiffusion

PATH, SCENE = "a panda riding a bicycle in the forest", "a penguin riding a horse in the snow"  # no riddle of lesson 00
GAP, ROOM = 4, 12
STOPS = (0, 3, 6, 9, 13, 19)  # of 20 steps


def from_static() -> Image.Image:
    """Six steps, 128 pixels each: above the noisy latent, below the guess, both decoded."""
    model = StableDiffusion.load("tiny-sd", device="cpu")
    steps = list(model.steps(PATH, seed=0, n=20))
    rows = [[model.picture(x)[0] for x in (step.x_t, step.x0)] for step in (steps[k] for k in STOPS)]
    side = rows[0][0].width + GAP
    sheet = Image.new("RGB", (side * len(STOPS) - GAP, 2 * side - GAP), "white")
    for k, pictures in enumerate(rows):
        for row, picture in enumerate(pictures):
            sheet.paste(picture, (k * side, row * side))
    return sheet


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and does not say so."""

    def log_message(self, *_):
        pass


def drawing() -> Image.Image:
    """The page that draws once a picture stands, from its first field to its steps, at 1100 pixels."""
    handler = functools.partial(Quiet, directory=str(ROOT / "build" / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        engine = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = engine.new_page(viewport={"width": 1100, "height": 1400})
        tab.goto(f"http://127.0.0.1:{server.server_port}/draw.html#{urlencode({'prompt': SCENE})}")
        tab.wait_for_selector("#draw[data-state=drawn]", timeout=120_000)
        box, end = tab.locator("#draw").bounding_box(), tab.locator("#draw [data-is=where]").bounding_box()
        shown = {"x": box["x"] - ROOM, "y": box["y"] - ROOM, "width": box["width"] + 2 * ROOM,
                 "height": end["y"] + end["height"] - box["y"] + ROOM}  # fmt: skip
        shot = tab.screenshot(clip=shown)
        engine.close()
        server.shutdown()
    return Image.open(io.BytesIO(shot)).convert("RGB")


if __name__ == "__main__":
    for name, picture in (("from_static", from_static()), ("drawing", drawing())):
        path = ROOT / "docs" / f"{name}.webp"
        picture.save(path, quality=80, method=6)
        print(path, picture.size, path.stat().st_size)
