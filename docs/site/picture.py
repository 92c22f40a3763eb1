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

from PIL import Image
from playwright.sync_api import sync_playwright

from diffusion_lab.commands.environment import ROOT
from diffusion_lab.stable_diffusion import StableDiffusion

PROMPT, GAP = "a panda riding a bicycle in the forest", 4  # not the riddle of lesson 00
STOPS = (0, 3, 6, 9, 13, 19)  # of 20 steps


def from_static() -> Image.Image:
    """Six steps, 128 pixels each: above the noisy latent, below the guess, both decoded."""
    model = StableDiffusion.load("tiny-sd", device="cpu")
    steps = list(model.steps(PROMPT, seed=0, n=20))
    rows = [[model.picture(x)[0] for x in (step.x_t, step.x0)] for step in (steps[k] for k in STOPS)]
    side = rows[0][0].width + GAP
    sheet = Image.new("RGB", (side * len(STOPS) - GAP, 2 * side - GAP), "white")
    for k, pictures in enumerate(rows):
        for row, picture in enumerate(pictures):
            sheet.paste(picture, (k * side, row * side))
    return sheet


def drawing() -> Image.Image:
    """The box of the page that draws once its picture stands, at 1100 pixels."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(ROOT / "build" / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        engine = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = engine.new_page(viewport={"width": 1100, "height": 900})
        tab.goto(f"http://127.0.0.1:{server.server_port}/draw.html")
        tab.wait_for_selector("#draw[data-state=drawn]", timeout=120_000)
        shot = tab.locator("#draw").screenshot()
        engine.close()
        server.shutdown()
    return Image.open(io.BytesIO(shot)).convert("RGB")


if __name__ == "__main__":
    for name, picture in (("from_static", from_static()), ("drawing", drawing())):
        path = ROOT / "docs" / f"{name}.webp"
        picture.save(path, quality=80, method=6)
        print(path, picture.size, path.stat().st_size)
