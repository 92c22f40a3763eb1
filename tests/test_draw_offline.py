"""The page that draws where something is missing: a file, a part of the browser, the network, the whole site."""

import functools
import gzip
import hashlib
import http.server
import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from browser import missing, page, until
from built_site import AXE, BOTH, Quiet, answered, field, pixels, serious

from diffusion_lab import Trajectory
from diffusion_lab.commands.environment import ROOT
from diffusion_lab.stable_diffusion import StableDiffusion, web

pytestmark = [pytest.mark.slow, pytest.mark.browser]


MEMORY = b"""const { instantiate } = WebAssembly;
WebAssembly.instantiate = () => Promise.reject(new RangeError("WebAssembly.Memory(): could not allocate memory"));
"""
MADE = "window.Worker = class extends Worker { constructor(...to) { super(...to); window.made = this; } };"
CHIPS = """fetch('draw/model.json').then((answer) => answer.json()).then(({ kinds }) =>
    Object.values(kinds).reduce((sum, words) => sum + Object.keys(words).length, 0))"""
FAULTS = {
    "worker.js": [(lambda body: b"<!doctype html>", "the worker did not start"),
                  (lambda body: b"\n", "worker.js came empty."),
                  (lambda body: b"delete self.WebAssembly;" + body, "this browser has no WebAssembly"),
                  (lambda body: b"delete self.DecompressionStream;" + body, "this browser is too old"),
                  (lambda body: b"self.fetch = () => Promise.reject(new TypeError('Failed to fetch'));" + body,
                   "model.json did not come (is there a network?)."),
                  (lambda body: MEMORY + body, "there is not enough memory here; close other pages.")],
    "model.json": [(lambda body: b"<!doctype html>", "model.json came damaged, or is another file."),
                   (lambda body: None, "model.json did not come (404).")],
    "decoder.bin": [(lambda body: None, "decoder.bin did not come (404)."),
                    (lambda body: b"<!doctype html>", "decoder.bin came incomplete or damaged.")],
    "unet.bin": [(lambda body: repacked(body), "unet.bin came incomplete or damaged."),
                 (lambda body: body[:-9000], "unet.bin came incomplete or damaged."),
                 (lambda body: body[:-9000] + bytes([body[-9000] ^ 1]) + body[-8999:], "unet.bin came incomplete or")],
}  # fmt: skip


def repacked(body: bytes) -> bytes:
    """As long, and whole, but with another weight."""
    whole = bytearray(gzip.decompress(body))
    whole[len(whole) // 2] ^= 1
    return gzip.compress(bytes(whole))


def test_what_keeps_it_from_drawing_is_said_and_tried_again(engine, address, site):
    fault = {}

    def answer(route):
        name = urlsplit(route.request.url).path.rsplit("/", 1)[1]
        body = fault[name] if name in fault else (site / "draw" / name).read_bytes()
        kind = "text/javascript" if name.endswith(".js") else "application/octet-stream"
        route.fulfill(body=body or b"", status=200 if body else 404, content_type=kind)

    with page(engine, 390, 844) as tab:
        tab.route(re.compile(r"/draw/(worker\.js|model\.json|\w+\.bin)(\?|$)"), answer)
        tab.clock.install()
        tab.add_init_script("delete Navigator.prototype.serviceWorker")  # as at an address of a LAN
        tab.add_init_script(MADE)
        tab.add_init_script("history.replaceState = () => { throw new Error('too often'); };")
        for name, cases in FAULTS.items() if (site / "draw").exists() else ():
            for change, sentence in cases:
                fault[name] = change((site / "draw" / name).read_bytes())
                if tab.url == "about:blank":
                    tab.goto(address + "draw.html#prompt=a+cat&steps=2")
                else:
                    field(tab, "again").click()
                assert sentence in answered(tab, "failed", "drawn"), (name, sentence)
            fault.clear()
        if tab.url == "about:blank":
            missing("the page that draws (the extra `web` and onnxruntime-web)")
        fault["worker.js"] = (site / "draw/worker.js").read_bytes() + b"\nopen = () => new Promise(() => {});"
        field(tab, "again").click()
        until(lambda: field(tab, "say").inner_text(), "The model is coming.")
        tab.clock.fast_forward(31_000)
        silent = "It cannot draw: nothing was heard of the worker for half a minute"
        assert answered(tab, "failed") == f"{silent} (is there a network?)."
        field(tab, "prompt").fill("a dog")  # nobody is there to draw it
        assert answered(tab, "failed") == f"{silent} (is there a network?)." and field(tab, "again").is_visible()
        fault.clear()
        field(tab, "again").click()
        assert "“a dog”: seed 0, 2 steps" in answered(tab, "drawn") and field(tab, "again").is_hidden()
        assert tab.locator("[data-is=words] button:not([data-try])").count() == tab.evaluate(CHIPS)  # put there once
        tab.evaluate("made.terminate()")
        field(tab, "step").fill("0")
        tab.clock.fast_forward(31_000)
        assert answered(tab, "failed") == f"{silent}." and "guess" not in field(tab, "where").inner_text()
        field(tab, "again").click()
        answered(tab, "drawn")
        assert tab.errors == [] and tab.refused == []


def test_the_sentence_about_a_file_that_is_missing_stays_while_the_others_are_on_their_way(engine, address, site):
    held, ended = [], []
    if not (site / "draw").exists():
        missing("the page that draws (the extra `web` and onnxruntime-web)")
    with page(engine) as tab:
        tab.add_init_script("delete Navigator.prototype.serviceWorker")
        tab.route("**/wasm.bin*", lambda route: held.append(route))
        tab.route("**/unet.bin*", lambda route: route.fulfill(status=404))
        for name in ("requestfailed", "requestfinished"):
            tab.on(name, lambda request, name=name: "wasm.bin" in request.url and ended.append(name))
        tab.goto(address + "draw.html")
        said = answered(tab, "failed")
        until(lambda: ended, ["requestfailed"])  # it is given up
        assert said == "It cannot draw: unet.bin did not come (404)." == answered(tab, "failed")
        assert field(tab, "again").is_visible()


FIRST_SEEN = """new Promise((done) => new MutationObserver((_, watch) => {
    if (document.getElementById("draw").dataset.state !== "drawn") return;
    watch.disconnect();
    done(document.querySelector("[data-is=picture]").getAttribute("aria-label"));
}).observe(document.getElementById("draw"), { attributeFilter: ["data-state"] }))"""


def test_what_is_typed_while_the_model_comes_leaves_the_rest_of_the_address(engine, address, site):
    if not (site / "draw").exists():
        missing("the page that draws (the extra `web` and onnxruntime-web)")
    with page(engine) as tab:
        held, refuses = [], "{ get() { throw new Error('not here'); } }"
        tab.add_init_script(f"Object.defineProperty(Navigator.prototype, 'serviceWorker', {refuses})")
        tab.route("**/unet.bin*", lambda route: held.append(route))
        tab.goto(address + "draw.html#prompt=a+red+cat&seed=3&steps=2&guidance=7&sampler=ddim")
        until(lambda: field(tab, "say").inner_text() and len(held), 1)
        assert field(tab, "prompt").input_value() == "a red cat"
        field(tab, "prompt").fill("a blue dog")
        kept = "#prompt=a+blue+dog&seed=3&guidance=7&steps=2&sampler=ddim"
        assert tab.evaluate("location.hash") == kept
        held[0].continue_()
        assert "“a blue dog”: seed 3, 2 steps of DDIM, guidance 7" in answered(tab, "drawn")
        field(tab, "step").fill("0")
        until(lambda: field(tab, "save").inner_text(), "Save this guess")
        tab.evaluate(f"void (window.first = {FIRST_SEEN})")
        field(tab, "seed").fill("4")
        assert tab.evaluate("window.first") == "Drawn from the prompt “a blue dog”, seed 4"
        until(lambda: field(tab, "save").inner_text(), "Save this guess")
        field(tab, "step").fill("1")
        field(tab, "steps").fill("1")  # the step that was looked at is the end now
        answered(tab, "drawn")
        field(tab, "steps").fill("4")
        until(lambda: field(tab, "where").inner_text(), "The end: the picture.")
        assert field(tab, "save").inner_text() == "Save the picture" and tab.errors == []


@pytest.fixture(scope="module")
def usb(tmp_path_factory, site) -> str:
    """The page as one file, where a stick may have it."""
    out = tmp_path_factory.mktemp("usb") / "a stick" / "draw it.html"
    run = subprocess.run([sys.executable, ROOT / "docs/site/page.py", "--out", out], capture_output=True, text=True)
    if "cannot be made here" in run.stderr:
        missing("the page that draws (the extra `web` and onnxruntime-web)")
    assert run.returncode == 0 and run.stderr == "", run.stderr[-2000:]
    assert out.stat().st_size <= 13.5e6 and [path.name for path in out.parent.iterdir()] == ["draw it.html"]
    return out.as_uri()


@BOTH
def test_the_page_as_one_file_draws_what_python_draws_with_weights_of_8_bits(engine, usb, tmp_path):
    model, asked = web.rounded(StableDiffusion.load("tiny-sd", device="cpu")), []
    with page(engine, 390, 844, accept_downloads=True) as tab:
        tab.context.on("request", lambda request: asked.append(request.url))
        tab.goto(usb + "#prompt=a+red+cat+on+the+moon&seed=2&steps=4&guidance=2.5&sampler=dpmpp_2m")
        for seed in (2, 3):
            assert f"“a red cat on the moon”: seed {seed}, 4 steps of DPM++ 2M" in answered(tab, "drawn", "failed")
            steps = Trajectory.of(model.steps("a red cat on the moon", seed=seed, n=4, sampler="dpmpp_2m"))
            expected = model.decode(steps.x0)[0].numpy().astype(np.int16)
            assert np.abs(pixels(tab) - expected).max() <= 1
            field(tab, "another").click()
        assert re.search(r"is \d\.\d of 255 levels off .* and \d+ at most", tab.locator("main").inner_text())
        answered(tab, "drawn")
        field(tab, "open").click()
        player = tab.frame_locator("#draw-player")
        player.locator('.dl-player[data-live="yes"]').wait_for()
        until(field(tab, "saveplayer").is_enabled)
        for button, name in (("saveplayer", "a_red_cat_on_the_moon_4.html"), ("save", "a_red_cat_on_the_moon_4.png")):
            with tab.expect_download() as saved:
                field(tab, button).click()
            assert saved.value.suggested_filename == name
        assert "seed=4" in tab.url and tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert tab.evaluate("fetch('http://127.0.0.1:9/').catch((error) => error.name)") == "TypeError"
        assert tab.errors == [] and {urlsplit(url).scheme for url in asked} <= {"file", "data", "blob"}
        if AXE.exists():
            tab.evaluate(AXE.read_text(encoding="utf-8"))
            until(lambda: serious(tab), [])


class Host:
    """A static host of a site, which can go away, come back, answer with other files."""

    def __init__(self, folder: Path):
        self.changed, self.gone, self.asked, host = {}, set(), [], self

        class Handler(Quiet):
            def end_headers(self):
                self.send_header("Cache-Control", "no-cache")  # or a browser guesses how long a file is fresh
                super().end_headers()

            def do_GET(self):
                name = unquote(urlsplit(self.path).path).removeprefix("/")
                host.asked.append(name)
                if name in host.gone:
                    return self.send_error(404)
                if name not in host.changed:
                    return super().do_GET()
                self.send_response(200)
                self.send_header("Content-Type", self.guess_type(name or "index.html"))
                self.end_headers()
                self.wfile.write(host.changed[name])

        self.handler, self.port = functools.partial(Handler, directory=str(folder)), 0
        self.start()

    def start(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def host(site):
    host = Host(site)
    yield host
    host.stop()


def keeps(tab) -> list[str]:
    """The builds that a browser has whole, by the caches of their files."""
    return tab.evaluate("caches.keys().then((names) => names.map((name) => name.split('#')[1]).sort())")


# Puts rubbish in the place of a file that is kept; with "" the size of what is kept of the U-Net.
BREAK = """async (name) => {
    const here = (await caches.keys()).find((name) => !name.endsWith("#seen")), cache = await caches.open(here);
    const key = (await cache.keys()).find(({ url }) => url.includes(name || "draw/unet.bin"));
    if (name) return cache.put(key, new Response("rubbish"));
    return (await (await cache.match(key)).arrayBuffer()).byteLength;
}"""
# How many bytes a build keeps of a file.
KEPT = """async ([build, name]) => {
    const cache = await caches.open((await caches.keys()).find((one) => one.endsWith("#" + build)));
    const key = (await cache.keys()).find(({ url }) => url.includes(name));
    return (await (await cache.match(key)).arrayBuffer()).byteLength;
}"""
LICENCE = "draw/LICENSE-onnxruntime.txt"  # which no page asks for
INSTALLED = "navigator.serviceWorker.getRegistration().then((one) => Boolean(one?.active))"


@BOTH
def test_from_the_second_visit_on_no_network_is_needed_and_no_build_is_mixed_with_another(engine, host, site):
    here = f"http://127.0.0.1:{host.port}/"
    if not (site / "offline.js").exists():
        missing("the page that draws (the extra `web` and onnxruntime-web)")
    with page(engine, accept_downloads=True) as tab:
        host.changed["draw/player.txt"] = (site / "draw/player.txt").read_bytes()[:-1]  # cut off on a first visit
        tab.goto(here + "draw.html#prompt=a+dog&steps=2")
        answered(tab, "drawn")
        until(lambda: host.asked.count("draw/player.txt"), 2)  # it was tried once more, past all caches
        until(lambda: tab.evaluate("navigator.serviceWorker.getRegistration().then((one) => !one)"))
        host.changed.clear()
        tab.reload()
        answered(tab, "drawn")
        until(lambda: tab.evaluate(INSTALLED))
        (build,) = keeps(tab)
        tab.evaluate(BREAK, "draw/unet.bin")  # what is kept is doubted
        tab.reload()
        assert "“a dog”" in answered(tab, "drawn", "failed") and tab.evaluate(BREAK, "") > 1e6
        tab.goto(here + "search.html?q=guidance")
        tab.goto(here + "teaching.html")
        host.stop()
        tab.context.set_offline(True)
        other = tab.context.new_page()
        for each in (tab, other):
            each.goto(here + "draw.html#prompt=a+cat&steps=2")
            assert "Tiny SD" in each.locator("article").inner_text() and "“a cat”" in answered(each, "drawn")
        field(tab, "open").click()
        tab.frame_locator("#draw-player").locator('.dl-player[data-live="yes"]').wait_for()
        tab.goto(here + "teaching.html")
        assert tab.title().startswith("Teaching with it")
        tab.goto(here + "search.html?q=noise")
        assert "noise" in tab.locator("#search-results").inner_text()
        tab.goto(here)
        field(tab, "begin").click()
        answered(tab, "drawn")
        tab.goto(here + "draw.html")

        host.start()  # a new build: another model, another script
        tab.context.set_offline(False)
        new = {"draw/model.json": (b'"Tiny SD"', b'"Other SD"'), "draw/words.js": (b" does not know ", b" never read "),
               "draw.html": (b"Tiny SD, a", b"Other SD, a")}  # fmt: skip
        now = (site / "offline.js").read_bytes().replace(build.encode(), b"new")
        for name, change in new.items():
            before = (site / name).read_bytes()
            host.changed[name] = before.replace(*change)
            now = now.replace(*(hashlib.sha256(one).hexdigest().encode() for one in (before, host.changed[name])))
        host.changed["offline.js"] = now
        tab.evaluate(BREAK, LICENCE)  # what is broken goes into no new build
        tab.reload()
        until(lambda: keeps(tab), sorted([build, "new", "seen"]))
        field(tab, "prompt").fill("a zzz")
        assert answered(tab, "refused") == "Tiny SD does not know “zzz”. Take one of the words to press."
        visited(tab, here)
        assert "Tiny SD, a" in tab.locator("article").inner_text()  # another page is open that belongs to the old build
        third = other
        if engine.browser_type.name == "firefox":  # which may count a page that "back" would show: close all
            third = tab.context.new_page()
            other.close()
        tab.close()
        until(lambda: visited(third, here), "Other SD never read “zzz”. Take one of the words to press.")
        assert "Other SD, a" in third.locator("article").inner_text()
        until(lambda: keeps(third), ["new", "seen"])
        assert third.evaluate(KEPT, ["new", LICENCE]) == (site / LICENCE).stat().st_size
        host.asked.clear()
        third.goto(here + "draw.html")
        answered(third, "drawn")
        assert not [name for name in host.asked if name.startswith(("draw/", "_static/"))]  # it has all of its own
        third.goto(here + "lessons/01_from_image_to_noise.html")
        assert "_static/pygments.css" in host.asked
        third.evaluate("caches.open('another#kept')")
        host.gone.add("offline.js")  # the host has another site now
        host.changed[""] = b"<title>Another</title>"
        third.goto(here)
        assert third.title() == "Another"
        until(lambda: third.evaluate("navigator.serviceWorker.getRegistration().then((one) => !one)"))
        until(lambda: keeps(third), ["kept"])


def visited(tab, here: str) -> str:
    """What the page says of a word that nobody knows, in a new visit; a newer build may take its place meanwhile."""
    tab.goto("about:blank")
    tab.goto(here + "draw.html#prompt=a+zzz", wait_until="commit")
    tab.locator("#draw[data-state=refused]").wait_for()
    return field(tab, "say").inner_text()
