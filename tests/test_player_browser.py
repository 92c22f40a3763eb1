"""The player where people meet it: JupyterLab, exported pages, slides, phones; with a mouse, keys, a screen reader."""

import base64
import io
import re
import subprocess
import sys
from pathlib import Path

import browser
import nbformat
import numpy as np
import player_paths as made
import pytest
import torch
from nbformat import v4
from PIL import Image
from torch.nn.functional import interpolate as upsample

from diffusion_lab.player import Player
from diffusion_lab.player.paths import stops
from diffusion_lab.schedules import linear

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parent.parent
HERO = ".dl-hero canvas"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """One page a player."""
    folder = tmp_path_factory.mktemp("players")
    players = {
        "guided": Player(made.guided(), caption="A perfect denoiser recites."),
        "plain": Player(made.reverse()),
        "change": Player(made.reverse(), rest="change"),
        "even": Player(made.forward_photo(64), rest="even"),
        "forward": Player(made.forward_photo(64)),
        "photo": Player(made.forward_photo()),
        "compare": Player(made.reverse(5), made.reverse()),
        "schedules": Player(made.forward_photo(64), made.forward_photo(64, linear())),
        "ask": Player(made.guided(), ask="Press when you know what it will be"),
        "points": Player(made.moons()),
        "broken": Player(made.broken()),
        "latents": Player(made.latents(10)),
        "riddle": Player(_decoding(made.latents(9)), ask="What will it be?"),
        "same": Player(made.latents(10), made.latents(10)),
        "named": Player(_decoding(made.latents(9)), _decoding(made.latents(9)), views=["x0"], rest="start",
                        names=["the guess", "put back"]),
        "heun": Player(made.reverse(6, sampler="heun")),
        "nasty": Player(_nasty()),
    }
    return {name: browser.address(player.save(folder / f"{name}.html")) for name, player in players.items()}


def _decoding(path):
    """A path that can decode: its latents' first three channels, enlarged."""

    def decode(x):
        return (upsample(x[:, :3], size=(128, 128)) * 127.5 + 127.5).clamp(0, 255).byte().permute(0, 2, 3, 1)

    return type(path)(path.steps, path.recipe, path.to_rgb, path.pictures, decode=decode)


def _nasty():
    path = made.reverse()
    recipe = path.recipe.__class__(made.NASTY, (made.NASTY,), (1,), made.NASTY, 12)
    return type(path)(path.steps, recipe, path.to_rgb)


@pytest.fixture
def visit(engine, pages):
    """Open a player's page; at the end nothing was asked for outside this machine, and no script went wrong."""
    opened = []

    def go(name, width=1280, height=720, **context):
        manager = browser.page(engine, width, height, **context)
        tab = manager.__enter__()
        opened.append((manager, tab))
        tab.goto(pages[name])
        browser.live(tab)
        return tab

    yield go
    for manager, tab in opened:
        refused, errors = list(tab.refused), list(tab.errors)
        manager.__exit__(None, None, None)
        assert refused == [] and errors == []


def step(tab) -> int:
    return int(tab.evaluate("document.querySelector('.dl-player input').value"))


def spoken(tab) -> str:
    return tab.evaluate("document.querySelector('.dl-player input').getAttribute('aria-valuetext')")


def pixels(tab, what: str) -> np.ndarray:
    return canvas(tab, f'.dl-panel[data-what="{what}"] canvas')


def canvas(tab, place: str, n: int = 0) -> np.ndarray:
    """The n-th canvas at `place`, read back: (h, w, 3)."""
    address = tab.evaluate("([place, n]) => document.querySelectorAll(place)[n].toDataURL()", [place, n])
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB")
    return np.asarray(image).astype(float)


def brief(tab, key: str) -> None:
    """A press shorter than any hold, however busy the machine is."""
    tab.evaluate("""(key) => { for (const kind of ["keydown", "keyup"])
        document.activeElement.dispatchEvent(new KeyboardEvent(kind, { key, bubbles: true })); }""", key)  # fmt: skip
    browser.painted(tab)


def focus(tab, place: int = 0) -> None:
    tab.evaluate("document.querySelector('.dl-player input').focus()")
    browser.press(tab, "Home", *["ArrowRight"] * place)


# ---- what is drawn is what was computed -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "guided", "forward", "heun", "latents"])
def test_the_equation_holds_in_the_pixels(visit, name):
    """x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps, read back from the canvases, wherever none is cut off."""
    trajectory = {"plain": made.reverse(), "guided": made.guided(), "forward": made.forward_photo(64),
                  "heun": made.reverse(6, sampler="heun"), "latents": made.latents(10)}[name]  # fmt: skip
    tab = visit(name)
    places = range(0, len(trajectory), max(1, len(trajectory) // 12))
    for k in places:
        tab.evaluate("""(k) => { const r = document.querySelector('.dl-player input'); r.value = k;
                     r.dispatchEvent(new Event('input')); }""", k)  # fmt: skip
        browser.painted(tab)
        drawn = {what: pixels(tab, what) for what in ("x_t", "x0", "eps")}
        alpha = trajectory[k].alpha_bar
        value = {what: p / 127.5 - 1 for what, p in drawn.items()}
        seen = np.all([(p > 0) & (p < 255) for p in drawn.values()], axis=0)
        error = np.abs(alpha**0.5 * value["x0"] + (1 - alpha) ** 0.5 * value["eps"] - value["x_t"])[seen]
        assert seen.sum() > 50 and error.max() < 2.5 / 127.5
        truth = {what: getattr(trajectory[k], what)[0].permute(1, 2, 0) for what in ("x_t", "x0", "eps")}
        if name == "latents":  # as colours; their bias belongs to the picture
            shares = {"x_t": alpha**0.5, "x0": 1, "eps": 0}
            weights = trajectory.to_rgb
            truth = {what: x @ weights[:-1] + shares[what] * weights[-1] for what, x in truth.items()}
        truth = {what: x.numpy() for what, x in truth.items()}
        kept = (np.abs(truth["eps"]) < 3.9) & (np.abs(truth["x0"]) < 1)
        assert np.abs(value["x_t"] - truth["x_t"].clip(-1, 1))[kept].max() < 4.5 / 127.5


def test_every_step_of_a_forward_path_grows_the_same_static(visit):
    tab = visit("forward")
    focus(tab)
    assert np.array_equal(pixels(tab, "x_t"), pixels(tab, "x0"))
    noise = pixels(tab, "eps")
    browser.press(tab, "End")
    assert np.abs(pixels(tab, "x_t") - noise).max() < 2
    browser.press(tab, "PageDown")
    assert np.array_equal(pixels(tab, "eps"), noise)


def test_nan_is_hatched(visit):
    tab = visit("broken")
    focus(tab, 7)
    hatched = pixels(tab, "x_t")[4:20, 8:]
    assert set(np.unique(hatched)) == {102.0, 235.0}
    assert "not a number" in tab.inner_text(".dl-caption")
    browser.press(tab, "End")
    assert set(np.unique(pixels(tab, "x0"))) == {102.0, 235.0}


def test_points_are_drawn_where_they_are(visit):
    tab = visit("points")
    browser.press(tab, "Tab")
    focus(tab)
    browser.press(tab, "End")
    green = np.abs(pixels(tab, "x0") - [0, 158, 115]).max(-1) < 40
    final = made.moons().x0.numpy()
    reach = max(3.0, 1.15 * np.quantile(np.abs(final), 0.995))
    side = green.shape[0]
    at = np.stack([side / 2 * (1 - final[:, 1] / reach), side / 2 * (1 + final[:, 0] / reach)], 1).astype(int)
    assert np.mean([green[y, x] for y, x in at]) > 0.95
    assert green.mean() < 0.2


def test_latents_are_shown_alike_and_the_decoded_guess_beside_them(visit):
    tab = visit("latents")
    assert [pixels(tab, what).shape for what in ("x_t", "x0", "eps")] == [(16, 16, 3)] * 3
    focus(tab)
    browser.press(tab, "End")
    truth = made.latents(10).pictures[10][0].numpy()
    assert np.abs(canvas(tab, HERO) - truth).mean() < 8
    assert tab.inner_text(".dl-hero .dl-label") == "its guess of the picture, decoded"
    assert tab.inner_text(".dl-means") == (
        "small: the 16×16 latents that the model works on, as colours; large: decoded"
    )


def test_a_riddle_shows_its_latents_as_they_are_shown_after_it(visit):
    """x_t stands there before the flag and after it, in one way; large beside it what is decoded, and so marked."""
    tab = visit("riddle")
    focus(tab, 3)
    seen = [p.get_attribute("data-what") for p in tab.locator(".dl-panel").all() if p.is_visible()]
    before, large = pixels(tab, "x_t"), canvas(tab, HERO)
    assert seen == [None, "x_t"] and before.shape == (16, 16, 3)
    assert tab.inner_text(".dl-hero .dl-label") == "what it sees, decoded"
    for width in (1280, 700):  # the small one is small
        tab.set_viewport_size({"width": width, "height": 800})
        browser.painted(tab)
        sides = [panel.bounding_box()["width"] for panel in tab.locator(".dl-panel canvas").all() if panel.is_visible()]
        assert sides[1] <= sides[0] / 2
    decoded = _decoding(made.latents(9)).decode(made.latents(9)[3].x_t)[0].numpy()
    assert np.abs(large - decoded).mean() < 12
    browser.press(tab, " ")
    assert np.array_equal(pixels(tab, "x_t"), before) and not np.array_equal(canvas(tab, HERO), large)
    told = "You: step 4; most of the change was over by step 6."  # it changes by a ninth at each step
    assert tab.inner_text(".dl-opening") == told
    assert tab.inner_text(".dl-hero .dl-label") == "its guess of the picture, decoded"


# ---- hands ----------------------------------------------------------------------------------------------------------


def test_it_rests_on_the_picture_or_where_it_is_told(visit):
    assert step(visit("plain")) == 12 and step(visit("guided")) == 12 and step(visit("latents")) == 10
    assert step(visit("forward")) == 0
    tab = visit("change")
    guesses = [s.x0 for s in made.reverse().steps]
    changes = [0] + [float((b - a).square().mean()) for a, b in zip(guesses, guesses[1:], strict=False)]
    assert step(tab) == int(np.argmax(changes))
    path, k = made.forward_photo(64), step(visit("even"))
    assert k == np.argmin(np.abs(np.array(path.alpha_bars) - 0.5))


def test_press_and_drag_anywhere_on_the_band_hovering_changes_nothing(visit):
    tab = visit("plain")
    box, rest = tab.locator(".dl-band").bounding_box(), step(tab)
    tab.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 10)
    browser.painted(tab)
    assert step(tab) == rest
    tab.mouse.move(box["x"] + 2, box["y"] + box["height"] - 4)
    tab.mouse.down()
    browser.until(lambda: step(tab), 0)
    tab.mouse.move(box["x"] + box["width"] * 0.5, box["y"] - 60)
    browser.until(lambda: step(tab), 6)
    tab.mouse.up()
    tab.mouse.move(box["x"] + box["width"], box["y"] + 10)
    browser.painted(tab)
    assert step(tab) == 6


def test_keyboard_only(visit):
    tab = visit("guided")
    reached = []
    for _ in range(8):
        browser.press(tab, "Tab")
        reached.append(tab.evaluate("document.activeElement.tagName + (document.activeElement.dataset.do || '')"))
    assert reached[:5] == ["INPUT", "BUTTONback", "BUTTONplay", "BUTTONon", "BUTTONspeed"]
    focus(tab)
    presses = ("ArrowRight 1 ArrowUp 2 ArrowDown 1 ArrowUp 2 ArrowLeft 1 PageUp 2 End 12 ArrowRight 12 PageDown 11 "
               "Home 0 ArrowLeft 0").split()  # fmt: skip
    for key, place in zip(presses[::2], map(int, presses[1::2]), strict=True):
        browser.press(tab, key)
        assert step(tab) == place, key
    assert spoken(tab).startswith("Step 1 of 12, 0 percent picture, 100 percent noise")
    for modifier in ("ctrlKey", "altKey", "metaKey"):  # these are the browser's own
        tab.evaluate("""(modifier) => document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { key: "u", bubbles: true, [modifier]: true }))""", modifier)  # fmt: skip
        browser.painted(tab)
        assert "without" not in spoken(tab), modifier
    brief(tab, "u")
    assert spoken(tab).endswith("shown without prompt")
    assert tab.get_attribute(".dl-hero canvas", "aria-label") == "without prompt, purple: where it differs"
    brief(tab, "u")
    assert "without" not in spoken(tab) and "its guess" in tab.get_attribute(".dl-hero canvas", "aria-label")
    browser.press(tab, "Escape")
    browser.press(tab, "ArrowRight")
    assert step(tab) == 0


def test_u_and_d_hold_and_a_short_press_stays(visit):
    tab = visit("guided")
    focus(tab, 1)
    plain = pixels(tab, "x0")
    tab.keyboard.down("u")
    tab.wait_for_function("(began) => performance.now() > began + 400", arg=tab.evaluate("performance.now()"))
    assert not np.array_equal(pixels(tab, "x0"), plain) and "without" in tab.inner_text(".dl-hero .dl-label")
    tab.keyboard.up("u")
    browser.painted(tab)
    assert np.array_equal(pixels(tab, "x0"), plain)
    brief(tab, "d")
    changed = pixels(tab, "x0")
    assert not np.array_equal(changed, plain)
    assert tab.inner_text(".dl-hero .dl-label") == "green: what changed since the step before"
    assert not tab.locator(".dl-op").first.is_visible(), "what is marked does not stand in the equation"
    brief(tab, "d")
    assert np.array_equal(pixels(tab, "x0"), plain) and tab.locator(".dl-op").first.is_visible()
    assert tab.inner_text(".dl-side .dl-mark") == "purple: where it differs"


def test_held_latents_mark_the_decoded_picture_and_leave_the_equation(visit):
    tab = visit("latents", 1280)
    focus(tab, 4)
    equation = [pixels(tab, what) for what in ("x_t", "x0", "eps")]
    brief(tab, "u")
    assert tab.inner_text(".dl-hero .dl-label") == "without prompt, decoded · purple: where it differs"
    assert all(np.array_equal(pixels(tab, what), x) for what, x in zip(("x_t", "x0", "eps"), equation, strict=True))
    assert tab.locator(".dl-op").first.is_visible()


def test_what_changed_is_marked_as_strongly_as_it_did(visit):
    """Green over each pixel, two thirds of it where the guess changed most on the whole path."""
    guesses = torch.stack([step.x0[0] for step in made.reverse().steps])           # (N, 3, h, w)
    change = (guesses[1:] - guesses[:-1]).square().mean(1).sqrt().numpy()         # (N - 1, h, w)
    k = 1 + int(change[1:].mean((1, 2)).argmax())                                 # into step k + 1
    tab = visit("plain")
    focus(tab, k + 1)
    plain, cover = pixels(tab, "x0"), (2 / 3 * change[k] / change.max())[..., None]
    assert cover.max() > 0.2 and (guesses[k] - guesses[k - 1]).abs().max() > 0.1
    brief(tab, "d")
    assert np.abs(pixels(tab, "x0") - (plain * (1 - cover) + cover * [0, 158, 115])).max() < 4


SEEN = """() => { const range = document.querySelector(".dl-player input");
  const look = () => window.seen.at(-1)?.[0] === range.valueAsNumber
    || window.seen.push([range.valueAsNumber, performance.now()]);
  window.seen = []; look();
  new MutationObserver(look).observe(range, { attributes: true }); }"""  # each step that is shown, and when


def at_a_clock(tab) -> None:
    """From here on the page's time goes by when it is told to (`tab.clock.run_for`), and the path plays from its start.

    (For a page of its own: the clock stays with it.)
    """
    focus(tab)
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)
    tab.evaluate(SEEN)
    tab.keyboard.press(" ")
    assert step(tab) == 0 and tab.inner_text("[data-do=play]").strip() == "Pause"


def test_play_is_driven_by_the_clock_and_stops_at_the_end(visit):
    """A thousand steps in six seconds, however few frames are drawn (one in 16 ms, by this clock)."""
    tab = visit("forward", color_scheme="light")
    at_a_clock(tab)
    tab.clock.run_for(3000)
    assert 1000 * 2.95 / 6 < step(tab) <= 1000 * 3 / 6
    tab.clock.run_for(2990)
    assert 990 < step(tab) < 1000 and tab.inner_text("[data-do=play]").strip() == "Pause"
    tab.clock.run_for(30)
    assert step(tab) == 1000 and tab.inner_text("[data-do=play]").strip() == "Play"
    assert all(place == int(place) for place, _ in tab.evaluate("seen"))
    tab.keyboard.press(" ")  # at the end it begins anew
    assert step(tab) == 0 and tab.inner_text("[data-do=play]").strip() == "Pause"


def faster(tab) -> None:
    tab.evaluate("document.querySelector('[data-do=speed]').click()")


def test_speed_is_one_four_times_and_a_quarter_of_it(visit):
    """Twelve steps in six seconds are 500 ms each; a frame is drawn every 16 ms."""
    tab = visit("plain", color_scheme="light")
    at_a_clock(tab)
    said, place = tab.locator("[data-do=speed]"), 0
    for shown, words, each in (("1×", "1", 500), ("4×", "4", 125), ("¼×", "a quarter", 2000), ("1×", "1", 500)):
        assert said.inner_text() == shown and said.get_attribute("aria-label") == f"Speed {words}, press to change"
        tab.clock.run_for(2 * each - 20)
        assert step(tab) == place + 1
        tab.clock.run_for(40)
        place += 2
        assert step(tab) == place
        faster(tab)


@pytest.mark.parametrize(("name", "path", "each"), [("plain", made.reverse, 1200), ("ask", made.guided, 300)])
def test_reduced_motion_makes_five_stops(visit, name, path, each):
    """A riddle makes them too; and four times as fast where that is asked for."""
    tab = visit(name, reduced_motion="reduce")
    if each == 300:
        faster(tab)
    at_a_clock(tab)
    for stop in range(1, 5):
        tab.clock.run_for(each - 1)
        assert len(tab.evaluate("seen")) == stop
        tab.clock.run_for(1)
        assert len(tab.evaluate("seen")) == stop + 1
    assert [place for place, _ in tab.evaluate("seen")] == stops(path())
    assert step(tab) == 12 and tab.inner_text("[data-do=play]").strip() == "Play"


def test_play_pauses_off_screen(visit):
    tab = visit("forward")
    tab.evaluate("document.body.style.paddingBottom = '3000px'")
    focus(tab)
    browser.press(tab, " ")
    browser.until(lambda: step(tab), lambda place: place > 0)
    assert tab.inner_text("[data-do=play]").strip() == "Pause"
    tab.evaluate("scrollTo(0, 2500)")
    browser.until(lambda: tab.inner_text("[data-do=play]").strip(), "Play")
    place = step(tab)
    tab.wait_for_function("(began) => performance.now() > began + 500", arg=tab.evaluate("performance.now()"))
    assert 0 < place == step(tab) < 1000


def test_several_players_do_not_disturb_each_other(engine, tmp_path):
    two = Player(made.reverse()).html + Player(made.guided()).html + Player(made.reverse()).html
    page = tmp_path / "two.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>two</title><body>{two}")
    with browser.page(engine) as tab:
        tab.goto(browser.address(page))
        tab.wait_for_function("document.querySelectorAll('.dl-player[data-live=yes]').length === 3")
        values = "[...document.querySelectorAll('.dl-player input')].map((r) => +r.value)"
        before = tab.evaluate(values)
        tab.evaluate("document.querySelectorAll('.dl-player input')[2].focus()")
        browser.press(tab, "End")
        assert tab.evaluate(values) == before[:2] + [12]
        assert not tab.errors and not tab.refused


def finger(tab, kind: str, *points) -> None:
    """A finger at these points, one event each: `kind` is how it ends, touchEnd or touchCancel."""
    session = tab.context.new_cdp_session(tab)
    for n, (x, y) in enumerate(points):
        place = [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": "touchMove" if n else "touchStart", "touchPoints": place})
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": []})
    browser.painted(tab)


def test_a_vertical_swipe_that_begins_on_the_band_scrolls_the_page(visit):
    tab = visit("plain", 390, 560, has_touch=True)
    box, rest = tab.locator(".dl-band").bounding_box(), step(tab)
    x, y = box["x"] + box["width"] / 3, box["y"] + 30
    finger(tab, "touchEnd", *[(x + 2, y - up) for up in (0, 10, 30, 60, 100, 140)])
    browser.until(lambda: tab.evaluate("scrollY"), lambda scrolled: scrolled > 60)
    assert step(tab) == rest
    still = "new Promise((done) => { scrollTo(0, 0); setTimeout(() => done(scrollY), 200); })"
    browser.until(lambda: tab.evaluate(still), 0)  # the swipe has run out
    box = tab.locator(".dl-band").bounding_box()
    x, y = box["x"] + box["width"] / 3, box["y"] + 30
    finger(tab, "touchEnd", (x, y), (x + 15, y + 3), (box["x"] + box["width"] / 2, y + 5))
    assert step(tab) == 6
    finger(tab, "touchEnd", (box["x"] + 3, y))
    assert step(tab) == 0


# ---- modes ----------------------------------------------------------------------------------------------------------


def test_asking_hides_what_comes_until_a_flag_is_set(visit):
    tab = visit("ask")
    assert tab.inner_text(".dl-title") == "Press when you know what it will be" and "red disc" not in tab.inner_text(
        "body"
    )
    assert "red disc" not in tab.locator(".dl-player").get_attribute("aria-label") + spoken(tab)
    panels = lambda: [p.get_attribute("data-what") for p in tab.locator(".dl-panel").all() if p.is_visible()]  # noqa: E731
    assert panels() == ["x_t"]  # the guess would tell at once
    focus(tab)
    browser.press(tab, "End")
    assert step(tab) == 1  # one further than ever seen
    for _ in range(3):
        browser.press(tab, "ArrowRight")
    place = step(tab)
    veil = tab.locator(".dl-veil").bounding_box()
    band = tab.locator(".dl-band").bounding_box()
    assert veil["width"] > 0.4 * band["width"] and abs(veil["x"] + veil["width"] - band["x"] - band["width"]) < 2
    browser.press(tab, " ")
    assert tab.inner_text(".dl-title") == "“red disc”"
    opening = tab.inner_text(".dl-opening")
    assert re.fullmatch(rf"You: step {place + 1}; most of the change was over by step \d+\.", opening)
    assert opening in spoken(tab)
    assert tab.locator(".dl-flag").is_visible() and not tab.locator("[data-do=flag]").is_visible()
    assert panels()[:3] == ["x_t", "x0", "eps"]
    browser.press(tab, "End")
    assert step(tab) == 12 and tab.locator(".dl-flag").is_visible()


def test_space_is_the_flag_while_the_riddle_plays(visit):
    """Also where Play, which was clicked, has the focus; Enter there pauses, as a button does."""
    tab = visit("ask")
    tab.get_by_role("button", name="Play", exact=True).click()
    browser.until(lambda: step(tab), lambda place: place >= 1)
    assert tab.evaluate("document.activeElement.textContent").strip() == "Pause"
    browser.press(tab, " ")
    assert tab.inner_text(".dl-title") == "“red disc”" and tab.locator(".dl-flag").is_visible()
    assert tab.get_by_role("button", name="Play", exact=True).count() == 1  # it stopped there


def test_asking_can_be_answered_at_once(visit):
    tab = visit("ask")
    tab.click("[data-do=show]")
    assert tab.inner_text(".dl-title") == "“red disc”" and "You:" not in tab.inner_text(".dl-head")


@pytest.mark.parametrize("button", ["flag", "show"])
def test_a_button_that_goes_leaves_the_focus_on_the_band(visit, button):
    """The buttons of a question go once it is answered; the keys must not go with them."""
    tab = visit("ask")
    order = []
    for _ in range(8):
        browser.press(tab, "Tab")
        order.append(tab.evaluate("document.activeElement.dataset.do || 'band'"))
    assert order[:2] == ["band", "flag"], "the first button in sight comes first"
    while tab.evaluate("document.activeElement.dataset.do") != button:
        browser.press(tab, "Tab")
    browser.press(tab, "Enter")
    assert not tab.locator(f"[data-do={button}]").is_visible()
    browser.press(tab, "End")
    assert step(tab) == 12


def test_the_picture_of_a_forward_path_is_the_signal_and_no_guess(visit):
    def colour(tab, place):
        return tab.evaluate("(place) => getComputedStyle(document.querySelector(place)).color", place)

    forward, reverse = visit("forward"), visit("guided")
    label = '.dl-panel[data-what="x0"] .dl-label'
    assert "the picture" in forward.inner_text(label) and colour(forward, label) == colour(forward, ".dl-signal")
    assert colour(reverse, label) not in (colour(reverse, ".dl-signal"), colour(reverse, ".dl-noisy"))


def test_who_tabs_to_a_player_sees_its_pictures_and_its_caption(visit):
    tab = visit("guided", 760, 600)
    tab.evaluate("document.querySelector('main').style.cssText = 'padding-top: 900px; padding-bottom: 900px'")
    browser.press(tab, "Tab")
    for part in (".dl-hero canvas", ".dl-band", ".dl-caption"):
        box = tab.locator(part).bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 600, part


def test_two_paths_with_names_are_called_by_them_and_rest_at_the_first_step(visit):
    tab = visit("named")
    labels = tab.locator(".dl-panel .dl-label").all_inner_texts()
    assert labels == ["A · the guess\xa0x0", "A − B; grey: no difference", "B · put back\xa0x0"]
    assert tab.inner_text(".dl-opening") == "A: the guess. B: put back." and step(tab) == 0
    assert tab.inner_text(".dl-means") == ""  # no panel shows latents


def inside(box, room) -> bool:
    """Is one drawn, and within the other's sides?"""
    return bool(box) and box["x"] >= room["x"] and box["x"] + box["width"] <= room["x"] + room["width"]


def test_compare_shows_each_at_its_own_real_step(visit):
    tab = visit("compare")
    focus(tab, 1)  # where they differ most
    caption = tab.inner_text(".dl-caption")
    a, b = map(int, re.search(r"A (\d+) of 5, B (\d+) of 12", caption).groups())
    assert (a, b) == (1, 2) and "largest difference" in caption
    assert tab.inner_text(".dl-start") == "same starting noise, seed 3"
    shown = lambda: [canvas(tab, ".dl-panel canvas", n) for n in range(5)]  # noqa: E731
    before, names = shown(), tab.locator(".dl-panel .dl-label").all_inner_texts()
    assert names == ["A · what it sees\xa0xt", "A · 5 steps\xa0x0", "A − B; grey: no difference", "B · 12 steps\xa0x0",
                     "B · what it sees\xa0xt"]  # fmt: skip
    for n, (path, k) in {0: (made.reverse(5), a - 1), 4: (made.reverse(), b - 1)}.items():
        truth = path[k].x_t[0].permute(1, 2, 0).clamp(-1, 1).numpy() * 127.5 + 127.5
        kept = np.abs(path[k].eps[0].permute(1, 2, 0).numpy()) < 3.9
        assert np.abs(before[n] - truth)[kept].max() < 4.5
    brief(tab, "f")
    a_t, a_0, gap, b_0, b_t = names
    assert tab.locator(".dl-panel .dl-label").all_inner_texts() == [b_t, b_0, gap, a_0, a_t]
    flipped = [before[n] for n in (4, 3, 2, 1, 0)]
    assert all(np.array_equal(x, y) for x, y in zip(shown(), flipped, strict=True))
    brief(tab, "f")
    assert all(np.array_equal(x, y) for x, y in zip(shown(), before, strict=True))
    for key, differ in (("Home", False), ("ArrowRight", True), ("ArrowRight", True), ("End", False)):
        browser.press(tab, key)
        _, one, difference, two, _ = shown()
        assert np.abs(difference - (127.5 + (one - two) / 2)).max() <= 1 and (np.ptp(difference) > 1) == differ
    words, told = tab.locator(".dl-word-bars"), "bars: how much the guess changed: A filled, B hollow"
    assert words.text_content() == told
    for width, ends in ((390, ": A filled, B hollow"), (290, "bars: A filled, B hollow"), (1280, told)):
        tab.set_viewport_size({"width": width, "height": 800})
        browser.until(words.text_content, lambda said, ends=ends: said.endswith(ends), 20)
        browser.until(lambda: inside(words.bounding_box(), tab.locator(".dl-band").bounding_box()))  # none is cut
    assert not tab.locator("[data-do=control]").is_visible()


def test_no_difference_has_a_control(visit):
    """Two paths that are one: a grey square, and a press shows what a difference would look like."""
    tab = visit("same")
    grey, one, two = (lambda: canvas(tab, ".dl-gap canvas")), canvas(tab, ".dl-even canvas"), ".dl-even canvas"
    assert set(np.unique(grey())) <= {127.0, 128.0} and "no difference at all" in tab.inner_text(".dl-caption")
    tab.evaluate("document.querySelector('.dl-player input').focus()")
    brief(tab, "c")
    assert np.array_equal(canvas(tab, two, 2), one[:, ::-1]) and np.ptp(grey()) > 100
    assert "B is mirrored" in tab.inner_text(".dl-caption") and "mirrored" in tab.locator(".dl-label").last.inner_text()
    brief(tab, "c")
    assert set(np.unique(grey())) <= {127.0, 128.0}


def test_it_opens_with_one_sentence(visit):
    for name in ("plain", "forward", "compare", "schedules", "ask", "points", "latents"):
        tab = visit(name)
        said = tab.inner_text(".dl-opening")
        assert said.endswith(".") and said.count(".") == 1 and 6 < len(said.split()) < 25, name
        assert tab.locator(".dl-opening").bounding_box()["y"] < tab.locator("canvas").first.bounding_box()["y"]


def test_numbers_nobody_has_taught_yet_stand_behind_details(visit):
    tab = visit("guided", 700)
    focus(tab, 1)
    early = tab.inner_text(".dl-live")
    untaught = ("SNR", "t 9", "DDIM", "guidance", "moved the guess", "seed")
    assert [word for word in untaught if word in early] == []
    while tab.evaluate("document.activeElement.dataset.do") != "details":
        browser.press(tab, "Tab")
    browser.press(tab, "Enter")
    late = tab.inner_text(".dl-live")
    assert [word for word in untaught if word not in late] == []
    assert tab.get_attribute("[data-do=details]", "aria-expanded") == "true"
    browser.press(tab, " ")
    assert tab.inner_text(".dl-live") == early


def test_keys_are_named_on_it(visit):
    tab = visit("guided", 700)
    keys = {b.get_attribute("data-do"): b.locator("kbd").inner_text()
            for b in tab.locator("button").all() if b.is_visible() and b.locator("kbd").count()}  # fmt: skip
    assert keys == {"news": "D", "pull": "U"}
    assert visit("same").inner_text("[data-do=flip] kbd") == "F"
    assert visit("ask").inner_text("[data-do=flag] kbd") == "Space"
    tab.click("[data-do=details]")
    assert all(key in tab.inner_text(".dl-facts") for key in ("← →", "Page Up", "Home", "Space", "Esc"))


def test_a_correction_says_so(visit):
    tab = visit("heun")
    focus(tab, 1)
    assert "Step 1 of 6" in tab.inner_text(".dl-caption") and "correction" in tab.inner_text(".dl-caption")


def test_a_prompt_never_runs(visit):
    tab = visit("nasty")
    assert tab.inner_text(".dl-title") == f"“{made.NASTY}”"
    assert tab.evaluate("document.body.dataset.bitten") is None
    assert tab.locator("img[src=x]").count() == 0


# ---- sizes, themes, everyone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["guided", "compare", "points", "ask", "forward", "latents", "riddle", "same"])
def test_nothing_is_cut_off_or_overlaps(visit, name):
    tab = visit(name)
    for width in (1280, 700, 360):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.wait_for_function("(width) => innerWidth === width", arg=width)
        browser.painted(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        boxes = tab.evaluate("""[...document.querySelectorAll(
            '.dl-panel canvas, .dl-eq .dl-label, .dl-op, .dl-band, .dl-caption, button')]
            .map((e) => [e.className || e.tagName, e.getBoundingClientRect()]).filter(([, r]) => r.width)
            .map(([n, r]) => [n, r.left, r.top, r.right, r.bottom])""")
        for n, (one, *a) in enumerate(boxes):
            assert a[0] >= 0 and a[2] <= width, (width, one)
            for other, *b in boxes[n + 1 :]:
                across = min(a[2], b[2]) - max(a[0], b[0])
                down = min(a[3], b[3]) - max(a[1], b[1])
                assert across <= 1 or down <= 1, (width, one, other)
        labels = [box[2] for box in boxes if box[0] == "dl-label"]
        assert width == 360 or max(labels) - min(labels) < 1
    sides = tab.evaluate("""[...document.querySelectorAll('button')].filter((b) => b.offsetWidth)
        .map((b) => Math.min(b.offsetWidth, b.offsetHeight))""")
    assert min(sides) >= 44


@pytest.mark.parametrize("name", ["latents", "compare"])
def test_nothing_moves_with_the_caption_and_no_bar_stands_behind_words(visit, name):
    """The buttons stay where they are at every step, on a page, a slide and a phone."""
    tab = visit(name)
    for width in (1100, 760, 390):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.wait_for_function("(width) => innerWidth === width", arg=width)
        browser.painted(tab)
        focus(tab, 0)
        places = set()
        for _ in range(12):
            places.add(tab.evaluate("""[document.querySelector(".dl-live").offsetHeight,
                ...[...document.querySelectorAll("button")].map((b) => b.offsetLeft + "," + b.offsetTop)].join(" ")"""))
            browser.press(tab, "ArrowRight")
        assert len(places) == 1, (width, places)
        low, top = tab.evaluate("""[Math.max(...[...document.querySelectorAll(".dl-bar")]
            .map((bar) => bar.getBoundingClientRect().bottom)),
            document.querySelector(".dl-word-bars").getBoundingClientRect().top]""")
        assert low <= top, width


def test_a_slide_holds_the_whole_player(visit):
    """At 1120 x 560, with a hero of 320 pixels and no letter below 18; on a page none is below 16."""
    for name in ("guided", "plain", "forward", "compare", "ask", "latents", "riddle", "same"):
        tab = visit(name)
        box = tab.locator(".dl-live").bounding_box()
        assert box["height"] <= 561 and box["width"] == 1120, name
        if name not in ("compare", "same", "ask"):
            assert tab.locator(HERO).bounding_box()["width"] == 320, name
        tab.evaluate("document.querySelector('[data-do=details]').click()")
        assert tab.evaluate(LETTERS) >= 18, name
        tab.set_viewport_size({"width": 740, "height": 800})
        browser.until(lambda tab=tab: tab.locator(".dl-live").bounding_box()["width"], 708)
        assert tab.evaluate(LETTERS) >= 16, name


LETTERS = """() => {
    const says = (e) => e.getClientRects().length && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const sizes = [...document.querySelectorAll(".dl-live *")].filter(says).map((e) => getComputedStyle(e).fontSize);
    return Math.min(...sizes.map(parseFloat)); }"""


@pytest.mark.parametrize("name", ["guided", "forward", "riddle", "points", "ask", "compare"])
def test_a_phone_on_its_side_keeps_the_band_beside_the_largest_picture(visit, name):
    tab = visit(name, 844, 390)
    hero = tab.locator(".dl-even canvas" if name == "compare" else f'{HERO}, [data-asking] [data-what="x_t"] canvas')
    picture, band = hero.first.bounding_box(), tab.locator(".dl-band").bounding_box()
    top = picture["y"] if name == "compare" else 0  # two paths, side by side, need the whole width
    assert max(picture["y"] + picture["height"], band["y"] + band["height"]) - top <= 390
    assert name == "compare" or (picture["width"] > 200 and band["width"] > 400)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_leave_everything_legible(visit, scheme):
    tab = visit("guided", 700, forced_colors="active", color_scheme=scheme)
    focus(tab, 1)
    brief(tab, "d")
    page, colours = tab.evaluate("""() => {
        const look = (e) => getComputedStyle(e), of = (name) => look(document.querySelector(".dl-" + name));
        const own = (e) => (look(e).backgroundColor === "rgba(0, 0, 0, 0)" ? null : look(e).backgroundColor);
        const words = [...document.querySelectorAll(".dl-live p, .dl-label, .dl-title, .dl-op b, button")];
        const texts = words.filter((e) => e.offsetWidth).map((e) => [e.textContent, look(e).color, own(e)]);
        const drawn = ["word-bars", "word-noise", "bar:not(.dl-now)", "bar.dl-now"];
        return [look(document.body).backgroundColor, [...texts, ...drawn.map((name) => [name, of(name).fill, null]),
            ["line", of("line").stroke, null]]]; }""")
    for what, ink, ground in colours:
        least = 3 if what.startswith("bar") else 4.5
        assert contrast(ink, ground or page) >= least, (what, ink, ground or page)
    bars = {what: ink for what, ink, _ in colours if what.startswith("bar")}
    assert len(set(bars.values())) == 2, "the current bar is told apart"


def contrast(one: str, two: str) -> float:
    """The contrast of two colours of a style, as WCAG counts it."""

    def light(colour):
        rgb = np.array([float(v) for v in re.findall(r"[\d.]+", colour)[:3]]) / 255
        return float(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((light(one), light(two)))
    return (high + 0.05) / (low + 0.05)


def test_fourth_panel_on_slides_a_button_in_notebooks(visit):
    wide, narrow = visit("guided", 1280), visit("guided", 700)
    side, button = '.dl-panel[data-what="x0_uncond"]', "[data-do=pull]"
    assert wide.locator(side).is_visible() and not wide.locator(button).is_visible()
    assert not narrow.locator(side).is_visible() and narrow.locator(button).is_visible()


def test_dark_pages_get_a_dark_player_and_the_same_pixels(visit):
    light, dark = visit("guided"), visit("guided", color_scheme="dark")
    for tab in (light, dark):
        focus(tab, 5)
    assert dark.locator(".dl-player").get_attribute("data-dark") is not None
    assert light.locator(".dl-player").get_attribute("data-dark") is None
    assert np.array_equal(pixels(light, "x0"), pixels(dark, "x0"))
    dark.evaluate("document.body.dataset.jpThemeLight = 'true'")
    dark.wait_for_function("!document.querySelector('.dl-player').hasAttribute('data-dark')")


@pytest.mark.parametrize("name", ["guided", "compare", "ask", "points", "latents", "riddle"])
def test_axe_finds_nothing_serious(visit, name):
    if not AXE.is_file():
        browser.missing(f"axe-core ({AXE.relative_to(ROOT)}: {browser.PACKAGES})")
    tab = visit(name)
    tab.evaluate(AXE.read_text())
    for width, scheme in [(1280, "light"), (1280, "dark"), (700, "light"), (360, "dark")]:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=scheme)
        browser.until(tab.locator(".dl-player[data-dark]").count, int(scheme == "dark"))
        browser.painted(tab)
        found = tab.evaluate("axe.run(document.querySelector('.dl-player')).then((r) => r.violations)")
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert [(width, scheme, v["id"], v["nodes"][0]["html"]) for v in serious] == []


def test_print_shows_the_strip(visit):
    tab = visit("plain")
    tab.emulate_media(media="print")
    assert tab.locator(".dl-still").is_visible() and not tab.locator(".dl-live").is_visible()


def test_print_tells_a_riddle(visit):
    """On paper nobody can open it."""
    tab = visit("ask")
    tab.emulate_media(media="print")
    assert tab.locator(".dl-still img").last.is_visible() and not tab.locator(".dl-still summary").is_visible()


def test_without_scripts_the_strip_remains(engine, pages):
    with browser.page(engine, java_script_enabled=False) as tab:
        tab.goto(pages["guided"])
        assert tab.locator(".dl-still img").count() == 11 and tab.locator(".dl-still").is_visible()


def test_without_scripts_a_riddle_is_told_only_when_it_is_opened(engine, pages):
    with browser.page(engine, java_script_enabled=False) as tab:
        tab.goto(pages["ask"])
        assert "What" not in tab.title() and "red" not in tab.title() + tab.inner_text("body")
        assert "Press when you know" in tab.inner_text("body") and not tab.locator(".dl-still img").first.is_visible()
        tab.click(".dl-still summary")
        assert "“red disc”" in tab.inner_text("body") and tab.locator(".dl-still img").first.is_visible()


# ---- slides ---------------------------------------------------------------------------------------------------------

DECK = """<!doctype html><meta charset=utf-8><title>deck</title><body><div class="reveal" style="transform:scale(.7);
transform-origin:0 0;font-size:40px;text-align:center"><section style="width:1120px">{player}</section></div><script>
window.turned = [];
document.addEventListener("keydown", (event) => {{
  if (/input|textarea/i.test(document.activeElement.tagName)) return; // as reveal does
  turned.push(event.key); event.preventDefault(); }});
</script>"""


def test_slides_keep_their_keys_and_get_right_back_at_the_last_step(engine, tmp_path):
    page = tmp_path / "deck.html"
    page.write_text(DECK.format(player=Player(made.reverse()).html))
    with browser.page(engine) as tab:
        tab.goto(browser.address(page))
        browser.live(tab)
        browser.press(tab, "ArrowRight")
        assert tab.evaluate("turned") == ["ArrowRight"]
        box = tab.locator(".dl-band").bounding_box()
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
        browser.until(lambda: step(tab), 6)
        for key in ("ArrowRight", "Home", " ", " ", "End"):
            browser.press(tab, key)
        assert step(tab) == 12 and tab.evaluate("turned") == ["ArrowRight"]
        browser.press(tab, "ArrowRight")
        assert tab.evaluate("turned") == ["ArrowRight", "ArrowRight"]


# ---- Jupyter ---------------------------------------------------------------------------------------------------------

def test_exported_by_nbconvert(engine, tmp_path):
    path = tmp_path / "book.ipynb"
    output = v4.new_output("display_data", {"text/html": Player(made.guided()).html, "text/plain": "player"})
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("player", outputs=[output])]), path)
    subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", str(path), "--log-level=ERROR"], check=True)
    with browser.page(engine) as tab:
        tab.goto(browser.address(tmp_path / "book.html"), wait_until="domcontentloaded")
        browser.live(tab)
        focus(tab)
        browser.press(tab, "End")
        assert step(tab) == 12 and np.array_equal(pixels(tab, "x_t"), pixels(tab, "x0"))
