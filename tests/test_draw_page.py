"""What the page that draws asks, says and shows, with a worker that says what a test tells it to and nothing else."""

import itertools
import json

import numpy as np
import pytest
from browser import missing, page, painted, until
from built_site import answered, field, pixels

pytestmark = [pytest.mark.slow, pytest.mark.browser]

WORKER = """window.made = [];
window.Worker = class {
    constructor() { this.heard = []; made.push(this); }
    postMessage(data) { this.heard.push(data); }
    terminate() { this.gone = true; }
};
delete Navigator.prototype.serviceWorker;"""
SAYS = """(data) => {
    const floats = ({ t, alphaBar, ...latents }) => ({ t, alphaBar, ...Object.fromEntries(
        Object.entries(latents).map(([name, x]) => [name, x && Float32Array.from(x)])) });
    if (data.step) data.step = floats(data.step);
    if (data.picture) data.picture = Uint8ClampedArray.from(data.picture);
    made.at(-1).onmessage({ data });
}"""
HEARD = "made.at(-1).heard.map(({ latent, ...asked }) => latent ? { ...asked, latent: [...latent] } : asked)"
TOLD = {"shape": [2, 1, 2], "size": [2, 2], "to_rgb": [[0.5, 0, -0.25], [0, 0.25, 0.5], [0.25, -0.25, 0.125]],
        "name": "Tiny SD", "kinds": {"colour": {"red": ["red", "red"]}},
        "samplers": {"dpmpp_2m": "DPM++ 2M", "ddim": "DDIM", "dpmpp_2m_sde": "DPM++ 2M SDE"}}  # fmt: skip


class Stage:
    """The page with that worker, opened and ready."""

    def __init__(self, tab):
        self.tab, self.greys, self.guided = tab, itertools.count(10), False

    def says(self, kind: str, **data) -> None:
        self.tab.evaluate(SAYS, {"kind": kind, **data})

    def heard(self) -> list[dict]:
        return self.tab.evaluate(HEARD)

    def asks(self, **fields) -> dict:
        """Fill fields in; what the worker hears of it last."""
        for name, text in fields.items():
            field(self.tab, name).fill(str(text))
        return self.heard()[-1]

    def step(self, k: int, n: int, value: float = 0) -> None:
        """Step k of n of what was asked last."""
        x, uncond = [value] * 4, [value + 10] * 4 if self.guided and k < n else None
        self.says("step", id=self.heard()[-1]["id"], step={
            "t": 1000 - 100 * k, "alphaBar": k / n, "x_t": x, "x0": x, "eps": x, "x0_uncond": uncond})  # fmt: skip

    def ends(self, n: int) -> int:
        """All steps of what was asked last, and its picture; the grey of that."""
        for k in range(n + 1):
            self.step(k, n, k / 8)
        grey = next(self.greys)
        self.says("drawn", id=self.heard()[-1]["id"], picture=[grey, grey, grey, 255] * 4, ms=50)
        return grey

    def reads(self, name: str) -> str:
        return field(self.tab, name).inner_text()

    def value(self, name: str) -> str:
        return field(self.tab, name).input_value()

    def grey(self) -> int:
        (grey,) = set(pixels(self.tab).flat)
        return int(grey)


@pytest.fixture
def stage(engine, address, site, request):
    """At the page by itself, or at what a test gives it: an address behind the site's."""
    if not (site / "draw").exists():
        missing("the page that draws (the extra `web` and onnxruntime-web)")
    with page(engine) as tab:
        tab.clock.install()
        tab.add_init_script(WORKER)
        tab.goto(address + getattr(request, "param", "draw.html#prompt=a+cat&steps=2"))
        if field(tab, "begin").is_visible():
            field(tab, "begin").click()
        shown = Stage(tab)
        shown.says("ready", told=TOLD)
        yield shown
        assert tab.errors == [] and tab.refused == []


def test_half_a_word_is_no_mistake_yet_and_an_old_one_is_none_at_all(stage):
    stage.ends(2)
    asked = stage.asks(prompt="a zzz")
    stage.says("refused", id=asked["id"], say="Never heard of it.")
    assert "“a cat”" in stage.reads("say")
    stage.tab.clock.fast_forward(501)
    assert stage.reads("say") == "Never heard of it." == answered(stage.tab, "refused")
    old = stage.asks(prompt="a yyy")
    stage.says("refused", id=old["id"], say="Nor of that.")
    stage.asks(prompt="a red cat")
    stage.ends(2)
    stage.tab.clock.fast_forward(501)
    assert "“a red cat”" in stage.reads("say") and answered(stage.tab) == stage.reads("say")


def test_what_comes_for_an_older_request_is_passed_over(stage):
    grey, old = stage.ends(2), stage.heard()[-1]["id"]
    stage.asks(seed=1)
    stage.says("drawn", id=old, picture=[200, 200, 200, 255] * 4, ms=1)
    assert stage.grey() == grey and stage.tab.get_attribute("#draw", "data-state") == "drawing"
    stage.tab.clock.fast_forward(501)
    assert stage.reads("say") == "Drawing “a cat” …"


def test_a_step_whose_picture_is_missing_is_asked_for_once_it_is_looked_at(stage):
    grey = stage.ends(3)
    field(stage.tab, "step").fill("1")
    assert stage.heard()[-1]["latent"] == [1 / 8] * 4 and stage.grey() == grey
    field(stage.tab, "step").fill("2")  # one is on its way
    assert stage.heard()[-1]["latent"] == [1 / 8] * 4
    stage.says("shown", id=stage.heard()[-1]["id"], picture=[77, 77, 77, 255] * 4)
    assert stage.heard()[-1]["latent"] == [2 / 8] * 4 and stage.grey() == grey
    field(stage.tab, "step").fill("1")
    assert stage.grey() == 77 and stage.reads("save") == "Save this guess"
    asked = stage.asks(seed=5)  # what was on its way will not come
    stage.ends(3)
    assert stage.heard()[-1] == {"id": asked["id"], "latent": [1 / 8] * 4} and asked["seed"] == 5


def test_a_setting_keeps_the_step_that_is_looked_at_and_a_new_sentence_ends_in_its_picture(stage):
    stage.asks(steps=3)
    stage.ends(3)
    field(stage.tab, "step").fill("1")
    stage.asks(seed=5)
    stage.step(0, 3)  # what stands there is still the step of the picture before
    assert stage.reads("where") == "Step 2 of 3: t = 900, 33 % signal. Above, its guess."
    stage.step(1, 3)
    assert stage.reads("where") == "Step 2 of 3: t = 900, 33 % signal."
    stage.step(2, 3)
    assert stage.reads("where") == "Step 2 of 3: t = 900, 33 % signal."
    stage.ends(3)
    assert stage.value("step") == "1"
    stage.asks(prompt="a dog")
    stage.step(0, 3)
    assert stage.reads("where").startswith("Step 1 of")
    stage.ends(3)
    assert stage.reads("where") == "The end: the picture." and stage.reads("save") == "Save the picture"


def test_the_three_latents_are_painted_with_their_share_of_the_bias(stage):
    step = {"t": 500, "alphaBar": 0.25, "x0_uncond": None,
            "x_t": [0.25, -2, 0, 0.5], "x0": [-0.5, 0.125, 1, 0], "eps": [1, 4, -1, 0.25]}  # fmt: skip
    stage.says("step", id=stage.heard()[-1]["id"], step=step)
    *channels, bias = np.array(TOLD["to_rgb"])
    for name, share in (("x_t", 0.5), ("x0", 1), ("eps", 0)):
        latent = np.reshape(step[name], TOLD["shape"])
        rgb = np.einsum("chw,ck->hwk", latent, channels) + share * bias
        expected = np.clip(np.rint(127.5 * (rgb + 1)), 0, 255)
        assert np.array_equal(pixels(stage.tab, f"[data-is={name}]"), expected), name


def test_a_refusal_gives_the_picture_that_stands_there_its_steps_back(stage):
    stage.ends(2)
    stage.asks(steps=9)
    stage.step(0, 9)
    stage.step(1, 9)
    assert field(stage.tab, "step").get_attribute("max") == "9" and stage.reads("where").startswith("Step 2 of 9")
    stage.asks(steps="x")
    assert "x came" in answered(stage.tab, "refused")
    assert field(stage.tab, "step").get_attribute("max") == "2" and stage.reads("where") == "The end: the picture."
    field(stage.tab, "step").fill("0")
    assert stage.reads("where") == "Step 1 of 2: t = 1000, 0.00 % signal. Above, its guess."
    stage.asks(steps=9)
    stage.asks(steps="y")
    assert stage.value("step") == "0" and stage.reads("where").startswith("Step 1 of 2: t = 1000")


def test_the_field_at_fault_is_marked_until_something_is_drawn(stage):
    stage.ends(2)
    marked = "Array.from(document.querySelectorAll('#draw [aria-invalid=true]'), (one) => one.dataset.is)"
    stage.asks(seed="x", guidance="y")
    assert stage.tab.evaluate(marked) == ["seed"]
    stage.asks(seed=1)
    assert stage.tab.evaluate(marked) == ["guidance"]
    asked = stage.asks(guidance=1)
    stage.says("refused", id=asked["id"], say="Never heard of it.")
    stage.tab.clock.fast_forward(501)
    assert stage.tab.evaluate(marked) == ["prompt"]
    stage.asks(prompt="a dog")
    stage.ends(2)
    assert stage.tab.evaluate(marked) == []


def test_a_word_that_is_not_known_leaves_the_step_that_is_looked_at(stage):
    stage.ends(2)
    field(stage.tab, "step").fill("0")
    asked = stage.asks(prompt="a zzz")
    stage.says("refused", id=asked["id"], say="Never heard of it.")
    stage.tab.clock.fast_forward(501)
    assert stage.value("step") == "0" and stage.reads("where").startswith("Step 1 of 2")


def test_a_worker_that_is_silent_while_it_draws_is_lost_too(stage):
    stage.step(0, 2)
    stage.tab.clock.fast_forward(31_000)
    assert answered(stage.tab, "failed") == "It cannot draw: nothing was heard of the worker for half a minute."
    assert field(stage.tab, "coming").is_hidden()


def test_what_comes_of_the_model_is_told_until_it_is_there(stage):
    tab = stage.tab
    assert field(tab, "coming").is_hidden()
    tab.evaluate("made.at(-1).onerror()")
    assert answered(tab, "failed") == "It cannot draw: the worker broke down."
    field(tab, "again").click()
    assert field(tab, "coming").is_visible() and field(tab, "coming").get_attribute("value") == "0"
    assert tab.evaluate("document.activeElement.dataset.is") == "say"
    stage.says("coming", share=0.25, total=14.5e6)
    assert stage.reads("say") == "The model is coming: 25 % of 14.5 MB."
    assert field(tab, "coming").get_attribute("value") == "0.25"
    stage.says("coming", share=1, total=14.5e6)
    assert stage.reads("say") == "The model is being set up …"
    tab.evaluate("made.at(-1).onerror()")
    assert "the worker did not start" in answered(tab, "failed") and field(tab, "coming").is_hidden()


def test_a_player_that_did_not_come_is_asked_for_again(stage):
    lost = []
    stage.tab.route("**/draw/player.txt", lambda route: route.continue_() if lost else (lost.append(1), route.abort()))
    stage.ends(1)
    field(stage.tab, "open").click()
    stage.says("shown", id=stage.heard()[-1]["id"], picture=[50, 50, 50, 255] * 4)
    until(lambda: stage.reads("where"), "The player is not to be had: player.txt did not come (is there a network?).")
    field(stage.tab, "open").click()
    assert stage.reads("open") == "All of it in the player" and field(stage.tab, "player").is_hidden()
    field(stage.tab, "open").click()
    stage.tab.frame_locator("#draw-player").locator('.dl-player[data-live="yes"]').wait_for()


def test_an_address_that_is_too_long_stays_as_it_was(stage):
    where = "location.hash.length"
    stage.asks(prompt="😀" * 300)
    before = stage.tab.evaluate(where)
    assert before > 3600 and stage.heard()[-1]["prompt"] == "😀" * 300
    stage.asks(prompt="😀" * 400)
    assert stage.tab.evaluate(where) == before and stage.heard()[-1]["prompt"] == "😀" * 400


@pytest.mark.parametrize("stage", ["index.html#prompt=a+cat&seed=9"], indirect=True)
def test_the_start_page_leaves_its_address_alone(stage):
    assert stage.heard()[-1]["prompt"] == "an astronaut riding a horse on mars" and stage.heard()[-1]["seed"] == 0
    stage.asks(prompt="a dog")
    assert stage.tab.evaluate("location.hash") == "#prompt=a+cat&seed=9"
    assert "prompt=a+dog&seed=0" in field(stage.tab, "all").get_attribute("href")


@pytest.mark.parametrize(("prompt", "name"), [
    ("The CAT, 2 dogs!", "the_cat_2_dogs"), ("", "picture"), ("שלום", "picture"),
    ("b" * 40 + " " + "c" * 40, "b" * 40 + "_" + "c" * 19)])  # fmt: skip
def test_a_picture_is_saved_under_what_was_asked(stage, prompt, name):
    stage.asks(prompt=prompt)
    stage.ends(2)
    with stage.tab.expect_download() as saved:
        field(stage.tab, "save").click()
    assert saved.value.suggested_filename == f"{name}_0.png"


def test_the_player_is_saved_once_it_is_that_of_the_picture(stage):
    held, tab = [], stage.tab
    tab.route("**/draw/player.txt", lambda route: held.append(route))
    stage.ends(1)
    field(tab, "open").click()
    assert "latent" in stage.heard()[-1]
    stage.says("shown", id=stage.heard()[-1]["id"], picture=[50, 50, 50, 255] * 4)
    until(lambda: tab.evaluate("true") and len(held), 1)
    stage.asks(prompt="a dog")
    stage.ends(1)
    stage.says("shown", id=stage.heard()[-1]["id"], picture=[60, 60, 60, 255] * 4)
    until(lambda: tab.evaluate("true") and len(held), 2)
    with tab.expect_response("**/draw/player.txt"):
        held[0].continue_()
    painted(tab)
    assert field(tab, "saveplayer").is_disabled()  # that is the cat's
    held[1].continue_()
    until(field(tab, "saveplayer").is_enabled)
    tab.frame_locator("#draw-player").locator(".dl-title:text-is('“a dog”')").wait_for()
    stage.asks(prompt="a frog")
    stage.ends(1)
    assert field(tab, "saveplayer").is_disabled()


def test_the_player_asks_for_the_step_that_is_looked_at_first_and_then_for_all_others(stage):
    stage.guided = True
    stage.ends(3)
    field(stage.tab, "open").click()
    field(stage.tab, "step").fill("2")
    for k in range(6):
        stage.says("shown", id=stage.heard()[-1]["id"], picture=[50 + k, 50 + k, 50 + k, 255] * 4)
    asked = [one["latent"][0] for one in stage.heard() if "latent" in one]
    assert asked == [0, 2 / 8, 1 / 8, 10, 10 + 1 / 8, 10 + 2 / 8]  # with the prompt, then without
    player = stage.tab.frame_locator("#draw-player")
    player.locator('.dl-player[data-live="yes"]').wait_for()
    until(lambda: set(pixels(stage.tab.frames[1], ".dl-hero canvas").flat), {51})
    player.locator("input[type=range]").focus()
    stage.tab.keyboard.down("u")
    until(player.locator(".dl-hero").inner_text, "without prompt, decoded · purple: where it differs")


@pytest.mark.parametrize("stage", ["index.html"], indirect=True)
@pytest.mark.parametrize("how", ["click", "Enter"])
def test_whoever_asks_the_start_page_to_draw_sees_the_picture_and_keeps_a_place(stage, how):
    """The button that was pressed is gone: the sentence has the focus; or the prompt, where Enter was pressed."""
    tab = stage.tab
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.reload()
    field(tab, "begin" if how == "click" else "prompt").press("Enter")
    stage.says("ready", told=TOLD)
    stage.ends(2)
    focus = tab.evaluate("document.activeElement.dataset.is")
    assert focus == {"click": "say", "Enter": "prompt"}[how]
    box = field(tab, "picture").bounding_box()
    until(lambda: field(tab, "prompt").bounding_box()["y"] > 0)
    assert 0 < box["y"] and box["y"] + box["height"] < 800


def test_a_worker_that_says_nothing_for_half_a_minute_counts_as_lost(stage):
    for share in (0.2, 0.4):  # as long as anything comes it is not silent
        stage.tab.clock.fast_forward(29_000)
        stage.says("coming", share=share, total=2e6)
    stage.tab.clock.fast_forward(29_000)
    assert stage.reads("say") == "The model is coming: 40 % of 2.0 MB."
    stage.says("ready", told=TOLD)
    stage.step(0, 1)
    stage.tab.clock.fast_forward(29_000)
    stage.ends(1)
    stage.tab.clock.fast_forward(31_000)
    assert "drawn here" in stage.reads("say")  # nobody waits
    field(stage.tab, "step").fill("0")
    stage.tab.clock.fast_forward(29_000)
    assert "It cannot draw" not in stage.reads("say")
    stage.tab.clock.fast_forward(2_000)
    assert answered(stage.tab, "failed") == "It cannot draw: nothing was heard of the worker for half a minute."
    assert stage.tab.evaluate("made[0].gone")
    field(stage.tab, "again").click()
    assert stage.tab.evaluate("made.length") == 2 and stage.reads("say") == "The model is coming."
    stage.tab.evaluate("made[0].onmessage({ data: { kind: 'failed', say: 'it is too late' } })")
    assert stage.reads("say") == "The model is coming."
    stage.says("ready", told=TOLD)
    stage.ends(1)
    assert json.loads(stage.tab.evaluate("JSON.stringify(made[1].heard[0])"))["prompt"] == "a cat"
    assert "drawn here" in answered(stage.tab, "drawn")
