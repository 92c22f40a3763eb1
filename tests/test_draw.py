"""The page that draws: what Python draws, whatever is asked of it, in Chromium and in Firefox."""

import functools
import itertools
import json
import random
import re
from urllib.parse import quote

import numpy as np
import pytest
from browser import missing, page, press, until
from built_site import AXE, BOTH, answered, ask, drawing, field, hashed, pixels, serious

from diffusion_lab import Trajectory
from diffusion_lab.stable_diffusion import StableDiffusion

pytestmark = [pytest.mark.slow, pytest.mark.browser]


PROMPTS = [("an astronaut riding a horse on mars", 0), ("a red cat on the moon", 3), ("", 7),
           ("Two penguins, in a city!", 2**33 + 1)]  # fmt: skip
PATHS = [(n, guidance, sampler) for n, guidance in ((1, 4), (4, 2.5), (7, 6), (20, 1))
         for sampler in ("ddim", "dpmpp_2m", "dpmpp_2m_sde")]  # fmt: skip


@pytest.fixture(scope="module")
def tiny():
    return StableDiffusion.load("tiny-sd", device="cpu")


@pytest.fixture(scope="module")
def drawn_by_python(tiny):
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
    assert [url for url in asked if url.startswith(address + "draw/unet.bin?is=")]
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


def test_whatever_is_typed_the_page_lives_and_says_why_it_does_not_draw(engine, address):
    hostile = {
        "prompt": {"😀🎈": "Tiny SD does not know “😀🎈”. Take one of the words to press.",
                   "<script>alert(1)</script>": "does not know “<script>alert”, “1”, “</script>”.",
                   "a" * 10_000: "A prompt has at most 1,000 letters; 10,000 came.",
                   "a rad cat": "does not know “rad” (red?).",
                   "a " * 40: "reads at most 22 words and signs; 40 came."},
        "steps": {"0": "from 1 to 100; 0 came", "1e3": "from 1 to 100; 1e3 came", "": "nothing came", "x": "x came"},
        "seed": {"-1": "whole number from 0 to 9007199254740991; -1 came", "9007199254740993": "9007199254740993 came"},
        "guidance": {"-1": "from 0 to 20; -1 came", "1e9": "1e9 came", "2,5,1": "2,5,1 came"},
    }  # fmt: skip
    good = {"prompt": "a cat", "steps": "2", "seed": "0", "guidance": "2.5"}
    with drawing(engine, address, "#prompt=<script>alert(1)</script>&steps=2&sampler=none&seed=x&other=1") as tab:
        assert "seed is a whole number" in answered(tab, "refused") and "sampler=dpmpp_2m" in tab.url
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
        soon = "const wait = setTimeout; setTimeout = (act, ms) => wait(act, ms < 1000 ? ms / 50 : ms);"
        tab.add_init_script(soon)
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


# Counts what a page hears of its first request, and asks for another as soon as it has heard of one step of it.
TYPED_ON = """window.heard = {};
window.Worker = class extends Worker {
    constructor(...to) {
        super(...to);
        this.addEventListener("message", ({ data: { kind, id } }) => {
            heard[`${kind} ${id}`] = (heard[`${kind} ${id}`] || 0) + 1;
            if (kind !== "step" || id !== 1 || heard["step 1"] > 1) return;
            const steps = document.querySelector("[data-is=steps]");
            steps.value = "2";
            steps.dispatchEvent(new Event("input"));
        });
    }
};"""


@BOTH
def test_who_types_on_while_it_draws_does_not_wait_for_what_was_asked_before(engine, address):
    asked = "#prompt=a+cat&steps=100&guidance=2.5"
    with drawing(engine, address, asked, before=lambda tab: tab.add_init_script(TYPED_ON)) as tab:
        until(lambda: "2 steps of DPM++ 2M" in answered(tab, "drawn"))
        heard = tab.evaluate("heard")
        assert heard["step 2"] == 3 and heard["drawn 2"] == 1 and "drawn 1" not in heard and heard["step 1"] < 101


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
        field(tab, "words").get_by_role("button", name="pink", exact=True).tap()
        assert "“a pink dog”" in answered(tab, "drawn")
        picture, chip = field(tab, "picture").bounding_box(), tab.locator("button:text-is('pink')").bounding_box()
        assert 0 < picture["y"] < picture["y"] + picture["height"] <= chip["y"] < 844  # it stays in sight


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
        assert not field(tab, "say").is_visible() and [url for url in asked if ".bin" in url] == []
        field(tab, "begin").tap()
        assert "“a dog”: seed 0, 8 steps" in answered(tab, "drawn") and [url for url in asked if "unet.bin" in url]
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
