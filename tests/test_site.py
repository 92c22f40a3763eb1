"""The site: built from the stored notebooks with no network, whole, and for everyone."""

import base64
import contextlib
import functools
import hashlib
import http.server
import io
import itertools
import json
import random
import re
import subprocess
import sys
import threading
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urlencode, urlsplit

import numpy as np
import pytest
from browser import PACKAGES, browser, missing, page, press, until
from PIL import Image

from diffusion_lab import Trajectory
from diffusion_lab.commands import copies
from diffusion_lab.commands.environment import ROOT
from diffusion_lab.coursework.slides import decks
from diffusion_lab.stable_diffusion import StableDiffusion, web

pytestmark = [pytest.mark.slow, pytest.mark.browser]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Targets(HTMLParser):
    """What a page points at, and the names in it that can be pointed at."""

    def __init__(self, text: str):
        super().__init__()
        self.to, self.names, self.pictures = set(), set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.names |= {given[name] for name in ("id", "name") if given.get(name)}
        self.to |= {given[name] for name in ("href", "src") if given.get(name)}
        if tag == "img":
            self.pictures.append(given.get("alt"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Built in a copy of its own place, so that nothing of an earlier build helps."""
    out = tmp_path_factory.mktemp("site") / "a folder" / "site"
    run = subprocess.run([sys.executable, ROOT / "docs/site/build.py", "--out", out], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stderr == "" and run.stdout.splitlines()[-1] == str(out / "index.html")
    assert (out / "draw.html").exists() or run.stdout.startswith("without the page that draws: ")
    return out


@pytest.fixture(scope="module")
def address(site):
    """Served below a folder, as a static host does."""
    handler = functools.partial(Quiet, directory=str(site.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/site/"
        server.shutdown()


@pytest.fixture(scope="module", params=["chromium"])
def engine(request):
    with browser(request.param) as found:
        yield found


BOTH = pytest.mark.parametrize("engine", ["chromium", "firefox"], indirect=True)


def pages(site: Path) -> list[Path]:
    return [path for path in site.rglob("*.html") if path.parent.name != "slides"]


def test_every_link_and_picture_is_there_and_nothing_points_off_the_site_but_to_read_on(site):
    read = {path: Targets(path.read_text(encoding="utf-8")) for path in pages(site)}
    assert len(read) > 40
    for path, found in read.items():
        assert None not in found.pictures, f"{path}: a picture without alt text"
        for target in found.to:
            parts = urlsplit(unescape(target))
            if parts.scheme in ("http", "https"):
                assert f'href="{target}"' in path.read_text(encoding="utf-8"), f"{path} fetches {target}"
            elif parts.scheme != "data" and not parts.scheme:
                there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                assert there.exists(), f"{path.relative_to(site)}: {target}"
                if there == site / "draw.html" and "=" in parts.fragment:
                    continue  # what it shall draw
                if parts.fragment and there.suffix == ".html" and there in read:
                    assert unquote(parts.fragment) in read[there].names, f"{path.relative_to(site)}: {target}"


def test_every_lesson_is_there_with_its_notebook_its_slides_and_no_notes(site):
    for path in copies.lessons():
        text = (site / "lessons" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert "| :--" not in text, "a table that nobody drew"
        assert "<!-- speaker notes" not in text and f"notebooks/{path.name}" in text
        assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()
        for name in (path.stem, f"{path.stem}_notes"):
            assert (site / "slides" / f"{name}.html").stat().st_size > 1000
            assert f"slides/{name}.html" in (site / "teaching.html").read_text(encoding="utf-8")


def test_the_first_page_leads_through_the_course(site):
    """Its ways are links to lessons, each with the time that the notes of its lessons add up to."""
    text = (site / "index.html").read_text(encoding="utf-8")
    told = {path.stem[:2]: sum(slide.minutes for slide in decks.slides(decks.read(path))) for path in copies.lessons()}
    ways = re.findall(r"<li><p><strong>([^<]+)</strong>(.*?)<em>([\d½]+) hours</em>", text, re.S)
    assert len(ways) == 9 and "<<" not in text and "&lt;&lt;" not in text
    for name, way, hours in ways:
        numbers = re.findall(r'href="lessons/(\d\d)_\w+\.html"', way)
        if " to <a" in way:
            numbers = [number for number in told if numbers[0] <= number <= numbers[-1]]
        assert len(numbers) > 2 and abs(float(hours.replace("½", ".5")) * 60 - sum(map(told.get, numbers))) <= 15, name


def test_a_lessons_page_says_what_it_can_do(site):
    draws = (site / "draw.html").exists()
    for path in copies.lessons():
        text = (site / "lessons" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert "How to run a cell" not in text and "takes a while ...\n" not in text
        assert text.count('class="away"') == 1 and 'href="../index.html#on-your-own-computer"' in text
        assert ('href="../draw.html#prompt=' in text) == (draws and path.stem[:2] in ("00", "06", "07", "08", "11"))
        typed = draws and path.stem[:2] in ("00", "08")
        assert ('follows them. Without one, <a href="../draw.html">' in text) == typed


@pytest.mark.parametrize("wide", [1280, 390])
def test_a_lesson_is_alive_and_fetches_nothing(engine, address, wide):
    with page(engine, wide, 844) as tab:
        asked = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(address + "lessons/01_from_image_to_noise.html")
        tab.wait_for_selector('.dl-player[data-live="yes"]')
        slider = tab.locator(".dl-player input[type=range]").first
        slider.focus()
        before = slider.input_value()
        tab.keyboard.press("ArrowRight")
        until(lambda: slider.input_value() != before)
        tab.wait_for_selector("mjx-container svg", state="attached")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert tab.refused == [] and tab.errors == []
        assert [url for url in asked if url.startswith("http") and not url.startswith(address)] == []


def test_the_search_finds_words_of_the_text_and_shows_no_others(engine, site, address):
    """What players say is neither found nor shown, nor is code that is folded."""
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert '"guidanc"' in index and '"cosin"' in index and "decodedblue" not in index
    with page(engine) as tab:
        for word, lesson in (("guidance", "06_text_guidance"), ("cosine", "01_from_image_to_noise")):
            tab.goto(address + f"search.html?q={word}")
            found = tab.locator(f"#search-results li:has(a[href*='{lesson}'])")
            found.locator("p.context").wait_for()
            assert found.count() == 1
            told = found.locator("p.context").inner_text()
            assert word in told.lower() and "import " not in told and "dotted: noise" not in told, told
        assert tab.refused == [] and tab.errors == []


def test_what_is_wider_than_a_phone_says_so_and_scrolls(engine, address):
    with page(engine, 390, 844) as tab:
        tab.goto(address + "lessons/02_from_noise_to_image.html")
        figure = tab.locator("figure[tabindex]:has(figcaption:has-text('Lines as thick'))")
        until(lambda: figure.get_attribute("class"), "wide more-right")
        figure.evaluate("one => one.scrollLeft = one.scrollWidth")
        until(lambda: figure.get_attribute("class"), "wide more-left")
        assert tab.evaluate("""() => [...document.querySelectorAll('article figure')].every((one) =>
            one.scrollWidth - one.clientWidth < 2 || one.matches('.wide, .dl-moves *, .dl-player *'))""")
        tab.set_viewport_size({"width": 1280, "height": 720})
        until(lambda: figure.get_attribute("class"), "")


def serious(tab, where: str = "document") -> list[str]:
    """What axe finds serious now."""
    found = tab.evaluate(f"axe.run({where}, {{resultTypes: ['violations']}})")["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(engine, site, address, scheme):
    if not AXE.exists():
        missing(f"axe-core ({PACKAGES})")
    every = [path.relative_to(site).as_posix() for path in pages(site)]
    few = [name for name in every if re.match(r"index|teaching|draw|lessons/0[03]", name)]
    some = every if scheme == "light" else few
    with page(engine) as tab:
        tab.emulate_media(color_scheme=scheme)
        for name in some:
            tab.goto(address + name)
            until(lambda: tab.locator(".dl-player:not([data-live=yes])").count() == 0)  # each in the page's colours
            tab.evaluate(AXE.read_text(encoding="utf-8"))
            until(lambda name=name: [name, *serious(tab)], [name])  # once what comes in has come


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


PROMPTS = [("an astronaut riding a horse on mars", 0), ("a red cat on the moon", 3), ("", 7),
           ("Two penguins, in a city!", 2**33 + 1)]  # fmt: skip
PATHS = [(n, guidance, sampler) for n, guidance in ((1, 4), (4, 2.5), (7, 6), (20, 1))
         for sampler in ("ddim", "dpmpp_2m", "dpmpp_2m_sde")]  # fmt: skip


def hashed(prompt: str, seed: int, n: int, guidance: float, sampler: str) -> str:
    """What stands behind the # of an address that asks for a picture."""
    return urlencode({"prompt": prompt, "seed": seed, "steps": n, "guidance": guidance, "sampler": sampler})


@pytest.fixture(scope="module")
def drawn_by_python():
    tiny = StableDiffusion.load("tiny-sd", device="cpu")

    @functools.cache
    def picture(prompt, seed, n, guidance, sampler):
        steps = Trajectory.of(tiny.steps(prompt, seed=seed, n=n, guidance_scale=guidance, sampler=sampler))
        return tiny.decode(steps.x0)[0].numpy().astype(np.int16)

    return picture


@BOTH
def test_the_page_draws_what_python_draws(engine, address, drawn_by_python):
    """48 pictures to one grey level, and nothing is fetched off the site."""
    asked = []

    def listen(tab):
        tab.context.on("request", lambda request: asked.append(request.url))

    with drawing(engine, address, "#prompt=&steps=1", before=listen) as tab:
        for (prompt, seed), path in itertools.product(PROMPTS, PATHS):
            state, sentence = ask(tab, address=hashed(prompt, seed, *path))
            assert state == "drawn" and f"seed {seed}, {path[0]} step" in sentence
            assert np.abs(pixels(tab) - drawn_by_python(prompt, seed, *path)).max() <= 1, (prompt, path)
    assert address + "draw/unet.bin" in asked
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


def test_whatever_is_typed_the_page_lives_and_says_why_it_does_not_draw(engine, address):
    hostile = {
        "prompt": {"😀🎈": "Tiny SD does not know “😀🎈”.",
                   "<script>alert(1)</script>": "does not know “<script>alert”, “1”, “</script>”.",
                   "a" * 10_000: "A prompt has at most 1,000 letters; 10,000 came.", "a rad cat": "Did you mean red?",
                   "a " * 40: "reads at most 22 words and signs; 40 came."},
        "steps": {"0": "from 1 to 100; 0 came", "1e3": "from 1 to 100; 1e3 came", "": "nothing came", "x": "x came"},
        "seed": {"-1": "whole number from 0 to 9007199254740991; -1 came", "9007199254740993": "9007199254740993 came"},
        "guidance": {"-1": "from 0 to 20; -1 came", "1e9": "1e9 came", "2,5,1": "2,5,1 came"},
    }  # fmt: skip
    good = {"prompt": "a cat", "steps": "2", "seed": "0", "guidance": "2.5"}
    with drawing(engine, address, "#prompt=<script>alert(1)</script>&steps=2&sampler=none&seed=x&other=1") as tab:
        assert "seed is a whole number" in answered(tab, "refused")
        for name, cases in hostile.items():
            for ok, value in good.items():
                field(tab, ok).fill(value)
            for value, sentence in cases.items():
                field(tab, name).fill(value)
                assert sentence in answered(tab, "refused"), (name, value[:20])
        field(tab, "guidance").fill("2,5")
        assert "“a cat”: seed 0, 2 steps of DPM++ 2M, guidance 2.5," in answered(tab, "drawn")


NEVER = ["😀🎈", "👩\u200d🚀", "שלום", "مرحبا", "e\u0301\u0315" * 9, "<script>alert(1)</script>", "{{data}}",
         "{{title}}", "<img src=x onerror=alert(1)>", "$&$1$`", "%E0%A4%A", "' OR 1=1", "a" * 10_000,
         "</iframe>"]  # fmt: skip
PERHAPS = ["", "a cat", "{{}}", "\u200b", "\u202e", "\ufeff", "\0", "\x1b[2J", "\u2028", "\ud800", "\udfff", "\r\n"]
OUTSIDE = {"seed": ["-1", "", "1.5", "1e99", "NaN", "9007199254740992", "seven", "--5", "1e309", "<script>", "🎈"],
           "steps": ["-1", "", "0", "101", "1.5", "1e309", "NaN", "Infinity", "seven", "<script>", "٣"],
           "guidance": ["-1", "", "20.5", "1e309", "-1e309", "NaN", "Infinity", "seven", "{{data}}", "🎈"]}  # fmt: skip
TORN = ["%", "&", "=", "#", "+", "%zz", "%00", "%FF", "__proto__", "prompt", "steps=", "\ud800", "🎈"]
MILD = {"seed": "0", "steps": "1", "guidance": "1", "sampler": "ddim", "prompt": "a cat"}


def hostile(n: int):
    """What nobody means well, each time the same: what to ask, and whether it may be drawn."""
    source = random.Random(0)
    for k in range(n):
        letters = "".join(chr(source.randrange(0x20, 0x3000)) for _ in range(source.randrange(1, 40)))
        prompt = "a ".join([*source.sample(NEVER, k % 2), *source.choices([*PERHAPS, letters], k=2)])
        torn, coded = "".join(source.choices(TORN, k=20)), quote(prompt.encode("utf-8", "surrogatepass"))
        name = source.choice(list(OUTSIDE))
        value = source.choice(OUTSIDE[name])
        yield source.choice([
            ({"fields": MILD | {"prompt": prompt}}, k % 2 == 0),
            ({"fields": {**{key: MILD[key] for key in MILD if key != name}, name: value}}, False),
            ({"fields": MILD, "address": torn}, True),
            ({"fields": MILD, "address": f"prompt={coded}"}, k % 2 == 0),
            ({"fields": MILD, "address": f"{name}={quote(value)}&{torn}"}, False),
        ])  # fmt: skip


@BOTH
def test_200_hostile_inputs_leave_it_alive_and_drawing_as_before(engine, address):
    good, asked, told, dialogs = hashed(*PROMPTS[0], 2, 2.5, "dpmpp_2m"), [], [], []

    def listen(tab):
        tab.add_init_script("const wait = setTimeout; setTimeout = (act, ms) => wait(act, ms / 50);")  # no half words
        tab.context.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
        tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))

    with drawing(engine, address, "#" + good, before=listen) as tab:
        parts = "[document.scripts.length, document.querySelectorAll('[data-is=say] *').length]"
        first, before = pixels(tab), tab.evaluate(parts)
        for case, may in hostile(200):
            state, sentence = ask(tab, **case)
            assert state in ["refused", "drawn"][: 1 + may], (case, state, sentence)
            assert 10 < len(sentence) < 300 and sentence[-1] in ".?", (case, sentence)
        assert tab.evaluate(parts) == before
        assert ask(tab, address=good)[0] == "drawn" and np.array_equal(pixels(tab), first)
        assert told == [] and dialogs == []
        assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


KEPT = b"""const Known = WebAssembly.Memory;
WebAssembly.Memory = function (given) {
    const made = new Known(given);
    if (given.initial) self.networks = made;
    return made;
};
"""


def heaps(tab, cdp, worker: str) -> list[int]:
    """Bytes after what is idle is gone: the networks' own, the worker's and the page's."""
    told = {}

    def hear(event):
        message = json.loads(event["message"])
        told[message["id"]] = message["result"]

    cdp.on("Target.receivedMessageFromTarget", hear)
    for id, method in enumerate(("HeapProfiler.collectGarbage", "Runtime.getHeapUsage")):
        told["page"] = cdp.send(method)
        asked = {"sessionId": worker, "message": json.dumps({"id": id, "method": method})}
        cdp.send("Target.sendMessageToTarget", asked)
        until(lambda id=id: tab.evaluate("true") and id in told)  # what came is heard while it evaluates
    sizes = [told[key]["usedSize"] + told[key]["backingStorageSize"] for key in (1, "page")]
    return [tab.workers[0].evaluate("self.networks.buffer.byteLength"), *sizes]


def test_after_a_hundred_pictures_more_nothing_has_grown(engine, address, site):
    def listen(tab):
        body = KEPT + (site / "draw" / "ort.js").read_bytes()
        tab.route("**/draw/ort.js", lambda route: route.fulfill(body=body, content_type="text/javascript"))

    with drawing(engine, address, "#prompt=a+cat&steps=2&guidance=1", before=listen) as tab:
        cdp, workers = tab.context.new_cdp_session(tab), []
        cdp.on("Target.attachedToTarget", lambda event: workers.extend(
            [event["sessionId"]] if event["targetInfo"]["type"] == "worker" else []))  # fmt: skip
        cdp.send("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False})
        until(lambda: tab.evaluate("true") and len(workers), 1)
        for k in range(130):
            if k == 30:
                before = heaps(tab, cdp, workers[0])
            assert ask(tab, address=f"seed={k}")[0] == "drawn"
        networks, *others = np.subtract(heaps(tab, cdp, workers[0]), before)
        assert networks == 0 and max(others) < 1e6, others  # a picture has 65,536 bytes, a step as many


@BOTH
def test_two_tabs_draw_at_once(engine, address):
    pair = [hashed(prompt, 1, 9, 2.5, "dpmpp_2m") for prompt in ("a red cat", "a blue dog")]
    with drawing(engine, address) as tab:
        other = tab.context.new_page()
        other.goto(address + "draw.html#prompt=a+frog")
        answered(other, "drawn")
        for one, asked in zip((tab, other), pair, strict=True):
            one.evaluate("(asked) => { location.hash = asked; }", asked)
        until(lambda: "red cat" in answered(tab) and "blue dog" in answered(other))
        both = pixels(tab), pixels(other)
        for picture, asked in zip(both, reversed(pair), strict=True):
            assert ask(other, address=asked)[0] == "drawn" and not np.array_equal(pixels(other), picture)
        assert np.array_equal(pixels(other), both[0])
        assert ask(tab, address=pair[1])[0] == "drawn" and np.array_equal(pixels(tab), both[1])


@BOTH
def test_the_address_holds_the_picture(engine, address):
    with drawing(engine, address, "#prompt=a+frog&seed=5&steps=3&guidance=2&sampler=ddim") as tab:
        assert "“a frog”: seed 5, 3 steps of DDIM, guidance 2," in answered(tab, "drawn")
        first = pixels(tab)
        field(tab, "another").click()
        assert "seed 6" in answered(tab, "drawn") and "seed=6" in tab.url
        assert np.abs(pixels(tab) - first).max() > 50
        tab.evaluate("location.hash = 'prompt=a+frog&seed=5'")
        until(lambda: "seed 5" in answered(tab))
        assert np.array_equal(pixels(tab), first)


@BOTH
def test_all_of_it_answers_to_the_keyboard_on_a_phone_too(engine, address):
    with drawing(engine, address, "#prompt=a+dog+on+mars&steps=3", wide=390) as tab:
        assert "The end" in field(tab, "where").inner_text()
        words = field(tab, "words")
        assert words.locator("[tabindex='0']").count() == 1 < words.locator("[tabindex='-1']").count()
        words.get_by_role("button", name="dog", exact=True).focus()
        press(tab, "ArrowRight", "ArrowRight", "ArrowLeft", "Enter")
        assert field(tab, "prompt").input_value() == "a robot on mars"
        press(tab, "End", "Enter")
        assert field(tab, "prompt").input_value() == "a purple robot on mars"
        press(tab, "ArrowRight", "ArrowRight", "Enter")
        assert field(tab, "prompt").input_value() == "two penguins in the snow"
        field(tab, "guidance").focus()
        press(tab, "ArrowUp", "ArrowUp", "ArrowDown")
        assert field(tab, "guidance").input_value() == "3"
        field(tab, "clear").focus()
        press(tab, "Enter")
        assert "No prompt at all: seed 0, 3 steps" in answered(tab, "drawn")
        tab.keyboard.type("a dog")
        until(lambda: "“a dog”: seed 0, 3 steps" in answered(tab, "drawn"))
        field(tab, "step").focus()
        tab.keyboard.press("Home")
        assert field(tab, "where").inner_text() == "Step 1 of 3: t = 999, 0.47 % signal. Above, its guess."
        tab.keyboard.press("ArrowRight")
        assert field(tab, "where").inner_text().startswith("Step 2 of 3: t = 666")
        tab.keyboard.press("End")
        name = functools.partial(field(tab, "picture").get_attribute, "aria-label")
        until(name, "Drawn from the prompt “a dog”, seed 0")
        with tab.expect_download() as saved:
            field(tab, "save").click()
        assert saved.value.suggested_filename == "a_dog_0.png"
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_prompt_sentence_and_picture_are_seen_together(engine, address):
    with drawing(engine, address, "#prompt=a+dog&steps=2", wide=390, has_touch=True, is_mobile=True) as tab:
        boxes = [field(tab, name).bounding_box() for name in ("prompt", "say", "picture")]
        assert boxes[0]["y"] > 0 and boxes[2]["y"] + boxes[2]["height"] < 844
        assert [box["y"] for box in boxes] == sorted(box["y"] for box in boxes)
        assert tab.evaluate("[scrollY, document.documentElement.scrollWidth <= innerWidth]") == [0, True]


def test_the_start_page_draws_once_it_is_asked_to_and_not_before(engine, site, address):
    assert ('id="draw"' in (site / "index.html").read_text(encoding="utf-8")) == (site / "draw.html").exists()
    with page(engine, 390, 844, has_touch=True, is_mobile=True) as tab:
        asked = []
        tab.context.on("request", lambda request: asked.append(request.url))
        tab.goto(address)
        if tab.locator("#draw").count() == 0:
            missing("the page that draws (the extra `web` and onnxruntime-web)")
        field(tab, "prompt").fill("a dog")
        assert re.fullmatch(r"Draw here, \d+\.\d MB", field(tab, "begin").inner_text())
        assert not field(tab, "say").is_visible() and [url for url in asked if url.endswith(".bin")] == []
        field(tab, "begin").tap()
        assert "“a dog”: seed 0, 8 steps" in answered(tab, "drawn") and address + "draw/unet.bin" in asked
        first = pixels(tab)
        field(tab, "all").tap()
        tab.wait_for_url("**/draw.html#*")
        assert "“a dog”: seed 0, 8 steps" in answered(tab, "drawn") and np.array_equal(pixels(tab), first)
        assert tab.errors == [] and tab.refused == []


def test_picture_page_and_player_show_the_same_step(engine, address, tiny):
    with drawing(engine, address, "#prompt=a+dog&steps=3") as tab:
        name = functools.partial(field(tab, "picture").get_attribute, "aria-label")
        field(tab, "step").focus()
        press(tab, "Home", "ArrowRight")
        until(name, "The guess at step 2, from the prompt “a dog”, seed 0")
        steps = Trajectory.of(tiny.steps("a dog", seed=0, n=3, guidance_scale=2.5, sampler="dpmpp_2m"))
        guess = tiny.decode(steps[1].x0)[0].numpy().astype(np.int16)
        assert np.abs(pixels(tab) - guess).max() <= 1
        with tab.expect_download() as saved:
            field(tab, "save").click()
        assert saved.value.suggested_filename == "a_dog_0_step_2.png"
        field(tab, "open").click()
        player = tab.frame_locator("#draw-player")
        player.locator('.dl-player[data-live="yes"]').wait_for()
        until(player.locator("input[type=range]").input_value, "1")
        player.locator("input[type=range]").focus()
        tab.keyboard.press("Home")
        until(name, "The guess at step 1, from the prompt “a dog”, seed 0")
        assert field(tab, "step").input_value() == "0"
        field(tab, "step").focus()
        tab.keyboard.press("End")
        until(player.locator("input[type=range]").input_value, "3")
        until(name, "Drawn from the prompt “a dog”, seed 0")


def test_a_refusal_leaves_the_picture_its_name_its_steps_and_its_player(engine, address):
    with drawing(engine, address, "#prompt=a+dog&steps=3") as tab:
        answered(tab, "drawn")
        field(tab, "prompt").fill("a zzz")
        answered(tab, "refused")
        with tab.expect_download() as saved:
            field(tab, "save").click()
        assert saved.value.suggested_filename == "a_dog_0.png"
        field(tab, "step").focus()
        tab.keyboard.press("Home")
        assert field(tab, "where").inner_text().startswith("Step 1 of 3: t = 999")
        field(tab, "open").click()
        assert field(tab, "open").inner_text() == "Close the player"
        tab.frame_locator("#draw-player").locator(".dl-title:text-is('“a dog”')").wait_for()


@pytest.mark.parametrize(("engine", "scale", "scheme"), [("chromium", 2.5, "dark"), ("chromium", 1, "light"),
                                                         ("firefox", 2.5, "light")], indirect=["engine"])  # fmt: skip
def test_every_step_is_scrubbed_in_the_players_own_page(engine, address, tmp_path, scale, scheme):
    asked = f"#prompt=a+cat&seed=1&steps=4&guidance={scale}"
    with drawing(engine, address, asked, before=lambda tab: tab.emulate_media(color_scheme=scheme)) as tab:
        field(tab, "open").click()
        player = tab.frame_locator("#draw-player")
        player.locator('.dl-player[data-live="yes"]').wait_for()
        frame = tab.frames[1]
        assert player.locator(".dl-title").inner_text() == "“a cat”"
        until(lambda: player.locator(".dl-player[data-dark]").count() == (scheme == "dark"))
        until(lambda: frame.evaluate("document.body.offsetHeight <= innerHeight"))
        assert np.array_equal(pixels(frame, ".dl-hero canvas"), pixels(tab))
        assert player.locator("[data-do=pull]").is_visible() == (scale != 1)
        if AXE.exists():
            tab.evaluate(AXE.read_text(encoding="utf-8"))
            until(lambda: serious(tab, "'#draw'"), [])
        with tab.expect_download() as saved:
            field(tab, "saveplayer").click()
        saved.value.save_as(tmp_path / "player.html")
        player.locator("input[type=range]").focus()
        tab.keyboard.press("ArrowLeft")
        until(lambda: "Step 4 of 4" in player.locator(".dl-caption").inner_text())
        field(tab, "prompt").fill("a dog")  # the player follows
        player.locator(".dl-title:text-is('“a dog”')").wait_for()
    with page(engine) as alone:
        alone.goto((tmp_path / "player.html").as_uri())
        alone.wait_for_selector('.dl-player[data-live="yes"]')
        assert alone.title() == "“a cat”" and alone.refused == [] and alone.errors == []


MEMORY = b"""const { instantiate } = WebAssembly;
WebAssembly.instantiate = () => Promise.reject(new RangeError("WebAssembly.Memory(): could not allocate memory"));
"""
FAULTS = {
    "worker.js": [(lambda body: b"<!doctype html>", "the worker did not start"),
                  (lambda body: b"delete self.WebAssembly;" + body, "this browser has no WebAssembly"),
                  (lambda body: b"delete self.DecompressionStream;" + body, "this browser is too old"),
                  (lambda body: b"self.fetch = () => Promise.reject(new TypeError('Failed to fetch'));" + body,
                   "model.json did not come."),
                  (lambda body: MEMORY + body, "there is not enough memory here; close other pages.")],
    "model.json": [(lambda body: b"<!doctype html>", "model.json came damaged, or is another file."),
                   (lambda body: None, "model.json did not come (404).")],
    "decoder.bin": [(lambda body: None, "decoder.bin did not come (404)."),
                    (lambda body: b"<!doctype html>", "decoder.bin came incomplete or damaged.")],
    "unet.bin": [(lambda body: body[:-9000], "unet.bin came incomplete or damaged."),
                 (lambda body: body[:-9000] + bytes([body[-9000] ^ 1]) + body[-8999:], "unet.bin came incomplete or")],
}  # fmt: skip


def test_what_keeps_it_from_drawing_is_said_and_tried_again(engine, address, site):
    fault = {}

    def answer(route):
        name = urlsplit(route.request.url).path.rsplit("/", 1)[1]
        body = fault[name] if name in fault else (site / "draw" / name).read_bytes()
        kind = "text/javascript" if name.endswith(".js") else "application/octet-stream"
        route.fulfill(body=body or b"", status=200 if body else 404, content_type=kind)

    with page(engine, 390, 844) as tab:
        tab.route(re.compile(r"/draw/(worker\.js|model\.json|\w+\.bin)$"), answer)
        tab.clock.install()
        tab.add_init_script("delete Navigator.prototype.serviceWorker")  # as at an address of a LAN
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
        tab.clock.fast_forward(61_000)
        assert answered(tab, "failed") == "It cannot draw: nothing was heard of the worker for a minute."
        fault.clear()
        field(tab, "again").click()
        assert "“a cat”" in answered(tab, "drawn") and field(tab, "again").is_hidden()
        assert tab.errors == [] and tab.refused == []


@pytest.fixture(scope="module")
def usb(tmp_path_factory) -> str:
    """The page as one file, where a stick may have it."""
    out = tmp_path_factory.mktemp("usb") / "a stick" / "draw it.html"
    run = subprocess.run([sys.executable, ROOT / "docs/site/page.py", "--out", out], capture_output=True, text=True)
    if "cannot be made here" in run.stderr:
        missing("the page that draws (the extra `web` and onnxruntime-web)")
    assert run.returncode == 0 and run.stderr == "", run.stderr[-2000:]
    assert out.stat().st_size <= 13.5e6 and [path.name for path in out.parent.iterdir()] == ["draw it.html"]
    return out.as_uri()


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


WATCH = """window.broken = []; document.addEventListener('securitypolicyviolation',
    (event) => window.broken.push(`${event.effectiveDirective} ${event.blockedURI}`));"""
TRIES = """async () => { const tried = [];
    await fetch('http://localhost:9/').catch(() => tried.push('fetch'));
    await new Promise((done) => setTimeout(() => { try { eval('1'); } catch { tried.push('eval'); } done(); }));
    await new Promise((done) => Object.assign(new Image(), { src: 'http://localhost:9/a', onerror: done }));
    return tried; }"""


def test_the_pages_keep_their_policy_and_it_keeps_them_from_all_that_is_elsewhere(engine, address, site):
    policy = '<meta http-equiv="Content-Security-Policy" content="default-src \'self\''
    assert [path for path in pages(site) if policy not in path.read_text(encoding="utf-8")] == []
    ready = {"lessons/01_from_image_to_noise.html": '.dl-player[data-live="yes"]',
             "lessons/03_train_a_denoiser.html": "mjx-container svg",
             "search.html?q=guidance": "#search-results li a", "index.html": "h1",
             "draw.html": "#draw[data-state=drawn]"}  # fmt: skip
    with page(engine) as tab:
        tab.add_init_script(WATCH)
        for name, seen in ready.items():
            if not (site / name.partition("?")[0]).exists():
                continue
            tab.goto(address + name)
            tab.locator(seen).first.wait_for(state="attached")
            assert tab.evaluate("window.broken") == [], name
            assert tab.evaluate(TRIES) == ["fetch", "eval"]
            until(lambda: sorted({one.split()[0] for one in tab.evaluate("window.broken")}),
                  ["connect-src", "img-src", "script-src"])  # fmt: skip


class Host:
    """A static host of a site, which can go away, come back, answer with other files."""

    def __init__(self, folder: Path):
        self.changed, self.asked, host = {}, [], self

        class Handler(Quiet):
            def do_GET(self):
                name = unquote(urlsplit(self.path).path).removeprefix("/")
                host.asked.append(name)
                if name not in host.changed:
                    return super().do_GET()
                self.send_response(200)
                self.send_header("Content-Type", self.guess_type(name))
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


INSTALLED = "navigator.serviceWorker.getRegistration().then((one) => Boolean(one?.active))"


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
        tab.reload()
        until(lambda: keeps(tab), sorted([build, "new", "seen"]))
        field(tab, "prompt").fill("a zzz")
        assert answered(tab, "refused") == "Tiny SD does not know “zzz”."
        third = tab.context.new_page()
        tab.close()
        other.close()
        until(lambda: visited(third, here), "Other SD never read “zzz”.")
        assert "Other SD, a" in third.locator("article").inner_text()
        until(lambda: keeps(third), ["new", "seen"])


def visited(tab, here: str) -> str:
    """What the page says of a word that nobody knows, in a visit with no other tab."""
    tab.goto("about:blank")
    tab.goto(here + "draw.html#prompt=a+zzz")
    return answered(tab, "refused")
