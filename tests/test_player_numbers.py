"""Every number that a player says, draws or hides in its data is the path's own; and the path stays as it was."""

import base64
import hashlib
import io
import json
import re

import browser
import numpy as np
import player_paths as made
import pytest
import torch
from PIL import Image
from test_player import data_of

from diffusion_lab.errors import LabError
from diffusion_lab.noising import forward
from diffusion_lab.player import Player, watch
from diffusion_lab.player.player import EDITION
from diffusion_lab.schedules import cosine, linear
from diffusion_lab.trajectory import Step, Steps, Trajectory, arrived


def floats(address: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(address.split(",")[1]), "<f4")


def rms(x) -> float:
    return float(x.square().mean().sqrt())


def apart() -> tuple[Trajectory, Trajectory]:
    """Two paths whose guesses differ at every step."""
    return made.reverse(prompt="red disc"), made.reverse(prompt="blue house")


# ---- the data -------------------------------------------------------------------------------------------------------


def test_what_changed_and_what_the_prompt_moved_are_in_the_data():
    path = made.guided()
    data = data_of(Player(path))["paths"][0]
    changes = [0] + [rms(b.x0 - a.x0) for a, b in zip(path.steps, path.steps[1:], strict=False)]
    assert floats(data["change"]) == pytest.approx(changes, rel=1e-5)
    moved = [rms(s.x0 - s.x0_uncond) / rms(s.x0) for s in path.steps[:-1]]
    assert floats(data["moved"]) == pytest.approx([*moved, 0], rel=1e-5) and max(moved) > 0.1
    assert data_of(Player(made.reverse()))["paths"][0]["moved"] is None


def test_the_gap_of_two_paths_is_the_largest_difference_of_their_guesses():
    a, b = apart()
    data = data_of(Player(a, b))
    gaps = [float((a[i].x0 - b[j].x0).abs().max()) for i, j in data["pairs"]]
    assert floats(data["gaps"]) == pytest.approx(gaps, rel=1e-5) and min(gaps) > 0.5


def shape(data) -> object:
    """The form of a player's data: names and kinds, no values; views are rows of a table of their own."""
    if isinstance(data, dict):
        forms = {key: shape(value) for key, value in sorted(data.items())}
        return {key: next(iter(form.values()), None) if key in ("frames", "pictures") else form
                for key, form in forms.items()}  # fmt: skip
    return [shape(data[0])] if isinstance(data, list) and data else type(data).__name__


def test_a_new_form_of_the_data_is_a_new_edition():
    """Today's scripts are put beside stored data of the same edition, so they must be able to read it."""
    players = [Player(made.guided(), ask="?"), Player(made.moons()), Player(made.latents(6)), Player(made.reverse()),
               Player(made.forward_photo(64)), Player(made.reverse(5), made.reverse())]  # fmt: skip
    forms = json.dumps([shape(data_of(player)) for player in players])
    known = {3: "60b5c9d7"}
    assert known.get(EDITION) == hashlib.sha256(forms.encode()).hexdigest()[:8], "the form changed: raise EDITION"


# ---- what a path must not lose --------------------------------------------------------------------------------------


def coded(count: list):
    """A decoder that says how many it decoded: each picture is grey, as bright as the mean of its sample."""

    def decode(x0):
        count.append(len(x0))
        level = (x0.mean((1, 2, 3)) * 100 + 100).clamp(0, 255).byte()
        return level[:, None, None, None].expand(-1, 64, 64, 3).clone()

    return decode


def batch(B: int = 8, n: int = 4, decode=None) -> Trajectory:
    """A guided path of B latents, sample k of mean k / 10."""
    x0 = torch.arange(B)[:, None, None, None] / 10 + torch.zeros(B, 4, 8, 8)
    eps = torch.randn(B, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    steps = [Step(a**0.5 * x0 + (1 - a) ** 0.5 * eps, eps, a, 900 - i, 1.1 * eps)
             for i, a in enumerate(np.linspace(0.1, 0.8, n))]  # fmt: skip
    return Trajectory([*steps, arrived(x0)], to_rgb=made.latents(2).to_rgb, decode=decode)


def test_a_player_decodes_what_it_shows_and_changes_nothing():
    counts = []
    path = batch(decode=coded(counts))
    steps = list(path.steps)
    player = Player(path, index=3)
    assert sum(counts) == 5 + 4  # the guess of every step, and the one without the prompt where there is one
    assert path.pictures == {} and all(a is b for a, b in zip(path.steps, steps, strict=True))
    assert not any(step.extras for step in path.steps)
    assert {int(picture[0, 0, 0]) for picture in player.pictures[0]["x0"].values()} == {130}  # sample 3, not 0
    assert data_of(player)["paths"][0]["pictures"]["x0_uncond"]["at"] == [0, 1, 2, 3, 4]


def test_a_watched_path_of_one_keeps_its_pictures(tmp_path):
    counts = []
    path = batch(1, decode=coded(counts))
    watched = watch(Steps(iter(path.steps), to_rgb=path.to_rgb, decode=path.decode, recipe=path.recipe))
    assert sum(counts) == 9 and path.pictures == {}
    again = Trajectory.load(watched.save(tmp_path / "path.safetensors"))
    assert data_of(Player(again))["paths"][0]["pictures"].keys() == {"x0", "x0_uncond"}
    assert Player(watched).html == Player(watched).html and sum(counts) == 9  # nothing is decoded twice
    watched = watch(Steps(iter(batch(2).steps), to_rgb=path.to_rgb, decode=path.decode, recipe=path.recipe), index=1)
    assert sum(counts) == 18 and watched.pictures == {}


def test_a_forward_path_of_latents_decodes_its_picture_once():
    counts = []
    path = batch(decode=coded(counts))
    ahead = forward(path.x0, cosine(), range(0, 1000, 100), to_rgb=path.to_rgb)
    ahead.decode = path.decode
    steps = ahead.steps
    data = data_of(Player(ahead))["paths"][0]
    assert sum(counts) == 1 and ahead.steps is steps and "at" not in data["pictures"]["x0"]
    assert len(data["alpha"]) == 11 and data["frames"]["x0"]["count"] == 1
    asked = data_of(Player(ahead, ask="Which?"))["paths"][0]
    assert len(asked["pictures"]["x_t"]["at"]) == sum(counts) - 2 > 4


@pytest.mark.parametrize("call, words", [
    (lambda: Player(forward(batch().x0, cosine())), "forward(x0, schedule, to_rgb=model.to_rgb)"),
    (lambda: watch(step for step in batch().steps), "watch(steps, model)"),
    (lambda: watch(iter(made.reverse().steps), index=5), "from 0 to 0; 5 came"),
])  # fmt: skip
def test_what_cannot_be_drawn_is_told_in_one_sentence(call, words):
    with pytest.raises(LabError) as error:
        call()
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("how, words", [
    ({"index": 5}, "from 0 to 0; 5 came"),
    ({"views": ["x_t", "x0_uncond"]}, "a guidance scale other than 1"),
])  # fmt: skip
def test_watch_says_so_at_the_first_step(how, words):
    """Before the rest of the path is paid for."""

    def steps():
        yield made.reverse().steps[0]
        pytest.fail("a second step was computed")

    with pytest.raises(LabError, match=words):
        watch(steps(), **how)


# ---- the page -------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(engine, tmp_path):
    opened = []

    def go(player: Player):
        manager = browser.page(engine)
        tab = manager.__enter__()
        opened.append((manager, tab))
        tab.goto(browser.address(player.save(tmp_path / f"{len(opened)}.html")))
        browser.live(tab)
        return tab

    yield go
    for manager, _ in opened:
        manager.__exit__(None, None, None)


def at(tab, k: int) -> str:
    """The caption at step k."""
    tab.evaluate("""(k) => { const r = document.querySelector('.dl-player input'); r.value = k;
                 r.dispatchEvent(new Event('input')); }""", k)  # fmt: skip
    return tab.inner_text(".dl-caption")


def number(pattern: str, caption: str) -> float:
    return float(re.search(pattern, caption)[1].replace(",", ""))


def attribute(tab, place: str, name: str) -> float:
    return float(re.search(r"-?[\d.]+", tab.locator(place).get_attribute(name))[0])


@pytest.mark.browser
def test_the_caption_says_the_path_s_own_numbers(page):
    path = made.guided()
    tab = page(Player(path))
    for k in (0, 1, 2, 6, 11):
        step, said = path[k], at(tab, k)
        share, snr = step.alpha_bar, step.alpha_bar / (1 - step.alpha_bar)
        moved = rms(step.x0 - step.x0_uncond) / rms(step.x0)
        behind = tab.evaluate("document.querySelector('.dl-facts').textContent")
        assert said.startswith(f"Step {k + 1} of 12") and number(r"t (\d+)", behind) == step.t
        assert number(r"([\d.]+) % picture", said) == pytest.approx(100 * share, abs=0.51)
        assert number(r"([\d.]+) % noise", said) == pytest.approx(100 - 100 * share, abs=0.51)
        said_snr = number(r"SNR (?:below )?([\d.,]+)", behind)  # with two digits, below 0.1 with one
        assert said_snr == pytest.approx(max(snr, 0.001), rel=0.05 if snr > 0.1 else 0.5)
        if k < 2:
            assert number(r"moved the guess by ([\d.]+) %", behind) == pytest.approx(100 * moved, abs=0.51)
        else:
            assert "moved" not in behind and moved == 0
        weights = [float(text) for text in tab.locator(".dl-op b").all_inner_texts()]
        assert weights == pytest.approx([share**0.5, (1 - share) ** 0.5], abs=0.0051)


@pytest.mark.browser
def test_the_caption_of_two_paths_says_how_far_they_are_apart(page):
    a, b = apart()
    tab = page(Player(a, b))
    for k in (2, 8):
        gap = float((a[k].x0 - b[k].x0).abs().max())
        assert number(r"largest difference ([\d.]+)", at(tab, k)) == pytest.approx(gap, rel=0.05)
    bars = [tab.evaluate("""(look) => [...document.querySelectorAll(look)].map((bar) =>
        ["x", "width", "height"].map((name) => +bar.getAttribute(name)))""", look)
        for look in (".dl-bar:not(.dl-hollow)", ".dl-bar.dl-hollow")]  # fmt: skip
    changes = [np.array([0] + [rms(y.x0 - x.x0) for x, y in zip(path.steps, path.steps[1:], strict=False)])
               for path in (a, b)]
    most = max(each.max() for each in changes)  # of both paths: one scale
    for each, drawn in zip(changes, bars, strict=True):
        tall = np.maximum(2 * (each > 0), 24 * each / most)
        assert [height for *_, height in drawn] == pytest.approx(tall, abs=0.01)
    assert [x + width for x, width, _ in bars[0]] == pytest.approx([x for x, *_ in bars[1]])  # A left of B


@pytest.mark.browser
def test_two_forward_paths_have_a_dot_each_and_are_even_each_at_its_own_step(page):
    a, b = made.forward_photo(64), made.forward_photo(64, linear())
    tab = page(Player(a, b))
    area = attribute(tab, ".dl-band .dl-noise", "height")
    width, pad = tab.locator(".dl-band svg").evaluate("(e) => e.viewBox.baseVal.width"), 14
    for k in (100, 600):
        at(tab, k)
        for path, dot in ((a, ".dl-dot:not(.dl-second)"), (b, ".dl-second")):
            assert attribute(tab, dot, "cx") == pytest.approx(pad + k / 1000 * (width - 2 * pad), abs=0.1)
            assert attribute(tab, dot, "cy") == pytest.approx((1 - path[k].alpha_bar) * area, abs=0.1)
    even = [int(np.abs(np.array(path.alpha_bars) - 0.5).argmin()) for path in (a, b)]
    drawn = tab.evaluate("[...document.querySelectorAll('circle.dl-even')].map((dot) => +dot.getAttribute('cx'))")
    assert drawn == pytest.approx([pad + k / 1000 * (width - 2 * pad) for k in even], abs=0.1)
    assert tab.locator(".dl-word-even").all_text_contents() == ["A", "B"]


@pytest.mark.browser
def test_two_clouds_lie_over_each_other_and_the_followed_point_is_ringed(page):
    """B is A moved to the right: grey rings of radius 6 at B's places; point 7 of each in a black one of radius 11."""
    a, k = made.moons(), 8
    moved = [Step(s.x_t + s.alpha_bar**0.5 * torch.tensor([0.7, 0.0]), s.eps, s.alpha_bar, s.t) for s in a.steps]
    b = Trajectory(moved, a.recipe)
    player = Player(a, b, index=7)
    tab = page(player)
    at(tab, k)
    reach = floats(data_of(player)["paths"][0]["units"])[2]

    def drawn(place: str) -> np.ndarray:
        address = tab.locator(place).evaluate("(canvas) => canvas.toDataURL()")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB"))

    def ringed(image: np.ndarray, path: Trajectory, radius: float) -> np.ndarray:
        """Which share of a ring of this radius around each point is dark."""
        side = len(image)
        x, y = (side / 2 * (1 + path[k].x0.numpy() * [1, -1] / reach)).T
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)[:, None]
        rows, columns = (y + radius * np.sin(angle)).astype(int), (x + radius * np.cos(angle)).astype(int)
        return (image[rows, columns].max(-1) < 90).mean(0)

    difference = drawn(".dl-gap canvas")
    assert ringed(difference, b, 6).mean() > 0.9 and ringed(difference, a, 6).mean() < 0.5
    for n, path in enumerate((a, b)):
        shares = ringed(drawn(f".dl-even:not(.dl-gap) canvas >> nth={n}"), path, 11)
        assert shares[7] > 0.9 and np.median(shares) < 0.2


@pytest.mark.browser
def test_the_band_is_the_schedule(page):
    """The dot at each step's share of picture, a bar as tall as the guess changed, the flag where it was set."""
    path = made.guided()
    tab = page(Player(path, ask="What is it?"))
    at(tab, 1)
    for _ in range(3):
        tab.keyboard.press("Tab")
        tab.evaluate("document.querySelector('.dl-player input').focus()")
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowLeft")  # the flag stands where one looks, not where one was
    tab.click("[data-do=flag]")
    changes = np.array([0] + [rms(b.x0 - a.x0) for a, b in zip(path.steps, path.steps[1:], strict=False)])
    settled = int(np.argmax(changes.cumsum() > changes.sum() / 2))
    assert tab.inner_text(".dl-opening") == f"You: step 4; most of the change was over by step {settled + 1}."
    width, pad = tab.locator(".dl-band svg").evaluate("(e) => e.viewBox.baseVal.width"), 14
    x = [pad + k / 12 * (width - 2 * pad) for k in range(13)]
    assert attribute(tab, ".dl-flag", "transform") == pytest.approx(x[3], abs=0.1)
    area = attribute(tab, ".dl-band .dl-noise", "height")
    for k in (0, 5, 9, 12):
        at(tab, k)
        assert attribute(tab, ".dl-band .dl-dot", "cx") == pytest.approx(x[k], abs=0.1)
        assert attribute(tab, ".dl-band .dl-dot", "cy") == pytest.approx((1 - path[k].alpha_bar) * area, abs=0.1)
        assert attribute(tab, ".dl-flag", "transform") == pytest.approx(x[3], abs=0.1)  # wherever one looks since
    tall = tab.evaluate("[...document.querySelectorAll('.dl-bar')].map((bar) => +bar.getAttribute('height'))")
    assert tall == pytest.approx(np.maximum(2 * (changes > 0), 24 * changes / changes.max()), abs=0.01)
