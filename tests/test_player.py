"""The player's data and its static strip: budgets, honesty, escaping, determinism; and watch."""

import base64
import importlib
import io
import json
import os
import re
import signal
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import player_paths as made
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diffusion_lab.errors import LabError
from diffusion_lab.figures import PALETTE
from diffusion_lab.noising import forward, noise
from diffusion_lab.player import Player, frames, parts, paths, watch
from diffusion_lab.player.player import BUDGET, HERE
from diffusion_lab.player.views import VIEWS
from diffusion_lab.schedules import cosine, linear
from diffusion_lab.trajectory import Recipe, Step, Steps, Trajectory, arrived

MASK = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]*")


class Page(HTMLParser):
    """The elements of a piece of HTML, as a browser's parser would see them."""

    def __init__(self, html: str):
        super().__init__()
        self.elements, self.data = [], ""
        self._json = False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._json = tag == "script" and dict(attributes).get("type") == "application/json"

    def handle_data(self, data):
        if self._json:
            self.data += data

    def handle_endtag(self, tag):
        self._json = False

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def data_of(player: Player) -> dict:
    return json.loads(Page(player.html).data)


def unpacked(sprite: dict) -> np.ndarray:
    """What the browser does: frames of levels (N, H, W, 3) from a sprite."""
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(sprite["src"].split(",")[1]))).convert("RGB"))
    (w, h), columns = sprite["size"], sprite["columns"]
    found = []
    for k in range(sprite["count"]):
        y, x = k // columns * h, k % columns * w
        difference = image[y : y + h, x : x + w]
        found.append(difference if not k else found[-1] + difference - 128)
    return np.stack(found)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_frames_come_back_as_they_went(N, H, W, seed):
    values = np.random.default_rng(seed).normal(0, 0.6, (N, H, W, 3))
    values[np.random.default_rng(seed + 1).random(values.shape) < 0.1] = np.nan
    levels = frames.levels(values, 1 / 64)
    back = unpacked(frames.sprite(levels))
    assert np.array_equal(back, levels)
    assert np.array_equal(back == 0, np.isnan(values))
    inside = np.abs(values) < 127 / 64
    assert np.abs((back.astype(float) - 128) / 64 - values)[inside].max(initial=0) <= 1 / 128 + 1e-12


@pytest.mark.parametrize("path", [made.reverse, made.guided, lambda: made.reverse(sampler="ddpm"),
                                  lambda: made.reverse(sampler="heun"), made.moons])  # fmt: skip
def test_the_equation_holds_in_what_is_stored(path):
    """x_t put together from the stored x0 and eps is the path's own x_t, within the quantisation."""
    trajectory = path()
    packed = paths.pack(trajectory, list(range(len(trajectory))), 0, frames.DETAILS[0], [], {})
    unit = np.frombuffer(base64.b64decode(packed["units"].split(",")[1]), "<f4")
    for k, step in enumerate(trajectory.steps):
        own = {what: paths.own(getattr(step, what), 0, packed["points"]).numpy() for what in ("x_t", "x0", "eps")}
        if packed["points"]:
            x0, eps = (_points(packed["frames"][what]["src"], k, own["x0"].shape, unit[n])
                       for n, what in enumerate(("x0", "eps")))  # fmt: skip
            fits = np.ones(x0.shape, bool)
        else:
            x0, eps = ((unpacked(packed["frames"][what])[k] - 128.0) * unit[n] for n, what in enumerate(("x0", "eps")))
            own = {what: value.transpose(1, 2, 0) for what, value in own.items()}
            fits = (np.abs(own["x0"]) < 127.4 * unit[0]) & (np.abs(own["eps"]) < 127.4 * unit[1])
        signal_part, noise_part = step.alpha_bar**0.5, (1 - step.alpha_bar) ** 0.5
        bound = signal_part * unit[0] / 2 + noise_part * unit[1] / 2 + 1e-5
        assert fits.mean() > 0.9
        assert np.abs(signal_part * x0 + noise_part * eps - own["x_t"])[fits].max() <= bound


def _points(address, k, shape, unit):
    return np.frombuffer(base64.b64decode(address.split(",")[1]), "<i2").reshape(-1, *shape)[k].astype(float) * unit


def test_a_player_keeps_to_its_budget():
    def static(seed):
        return noise((3, 64, 64), seed)

    worst = Trajectory([Step(static(i), static(i + 500), (i + 1) / 302, i, static(i + 900)) for i in range(300)])
    cases = {
        "50 guided ancestral steps of 64 px": Player(made.guided(50, "ddpm", 64)),
        "50 guided steps of 64 px": Player(made.guided(50, "ddim", 64)),
        "decoded pictures of 128 px": Player(made.latents()),
        "1,000 forward steps of a photograph of 256 px": Player(made.forward_photo()),
        "two forward paths": Player(made.forward_photo(), made.forward_photo(schedule=linear())),
        "a photograph of 512 px": Player(made.forward_photo(512)),
        "300 steps that share nothing": Player(worst),
        "500 points over 200 steps": Player(made.moons(200, 500)),
    }
    sizes = {name: len(player.html.encode()) for name, player in cases.items()}
    for name, size in sizes.items():
        print(f"{size / 1000:7.0f} KB  {name}")
    assert max(sizes.values()) <= BUDGET == 600_000


def test_a_long_path_is_thinned_to_steps_that_were_computed():
    trajectory = made.reverse(260, side=16)
    data = data_of(Player(trajectory))["paths"][0]
    assert len(data["alpha"]) == 200 and data["number"][0] == 1 and data["total"] == 260
    assert data["alpha"][0] == pytest.approx(trajectory[0].alpha_bar, rel=1e-5) and data["alpha"][-1] == 1
    known = {float(f"{step.alpha_bar:.6g}") for step in trajectory.steps}
    assert set(data["alpha"]) <= known


def test_a_prompt_stays_text():
    trajectory = made.reverse()
    trajectory = Trajectory(trajectory.steps, Recipe(made.NASTY, (made.NASTY,), (1,), made.NASTY, 12, 2.0, made.NASTY),
                            trajectory.to_rgb)  # fmt: skip
    player = Player(trajectory, ask=made.NASTY, caption=made.NASTY)
    page = Page(player.html)
    assert len(page.all("script")) == 2
    assert all(player.html.count(part) == 1 for part in parts())
    assert not any("onerror" in image or image["src"] == "x" for image in page.all("img"))
    said = json.loads(page.data)
    assert (said["title"], said["ask"], said["note"]) == (f"“{made.NASTY}”", made.NASTY, made.NASTY)
    assert all(set(attributes) <= {"src", "alt", "style", "width"} for attributes in page.all("img"))


@pytest.mark.parametrize("path", [made.guided, made.forward_photo, made.moons, made.latents])
def test_the_same_path_gives_the_same_html(path):
    assert Player(path()).html == Player(path()).html


def test_another_cpu_gives_the_same_html_but_for_the_pixels():
    path = made.guided()
    shaken = [Step(s.x_t * (1 + 1e-6), s.eps * (1 - 1e-6), s.alpha_bar, s.t, s.eps_uncond) for s in path.steps]
    other = Player(Trajectory(shaken, path.recipe, path.to_rgb)).html
    assert MASK.sub("PICTURE", Player(path).html) == MASK.sub("PICTURE", other)
    assert Player(path).html != other


def test_nothing_is_fetched_and_no_id_can_clash():
    html = Player(made.guided()).html
    assert set(re.findall(r"https?://[\w./]+", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\sid=", html) and not re.search(r"@import|@font-face", html)


def test_the_strip_teaches_alone():
    """Five columns nearest 0, 10, 35, 70 and 100 % picture, alt text on each, and no style sheet needed."""
    html = Player(made.guided(50)).html
    bare = html[html.index('<div class="dl-still">') + 22 : html.index("<style")]
    page = Page(bare)
    alts = [image["alt"] for image in page.all("img")]
    assert len(alts) == 11 and all(alts) and "class=" not in bare
    assert alts[0] == "0 % picture: static only"
    assert alts[9].startswith("100 % picture: the guess, the result of “red disc”")
    assert "red" in alts[9]
    shares = [float(s) for s in re.findall(r"<b>([\d.]+) %</b>", bare)]
    assert np.abs(np.array(shares) - [0, 10, 35, 70, 100]).max() < 4
    for fact in ("“red disc”", "exact denoiser", "seed 3", "DDIM, 50 steps", "guidance 2"):
        assert fact in bare


def test_a_guess_of_points_in_one_place_is_not_told_as_the_ring():
    """The same form a tenth as large, half as large and as large: a correlation alone would call all three the ring."""
    ring, path = noise((2,), list(range(50))), []
    for size, alpha_bar in ((0.1, 1e-4), (0.5, 0.36), (1, 0.64), (1, 1.0)):
        x0, eps = size * ring + 2, noise((2,), list(range(50, 100)))
        path.append(Step(alpha_bar**0.5 * x0 + (1 - alpha_bar) ** 0.5 * eps, eps, alpha_bar, 5))
    path = Trajectory(path, Recipe(title="DDIM", n=1))
    html = Player(path).html
    told = dict(re.findall(r'alt="(\d+) % data: the guess, ([\w ,]+)', html))
    assert told == {"0": "all in one place, unlike the result", "36": "more crowded than the result",
                    "64": "the result", "100": "the result"}
    assert re.search(r"DDIM, 1 step\b", html)


def test_a_broken_path_is_hatched_in_the_strip_and_marked_in_the_frames():
    data = data_of(Player(made.broken()))["paths"][0]
    levels = unpacked(data["frames"]["x0"])
    assert (
        not (levels[5] == 0).any() and (levels[7] == 0).any() and not (levels[7] == 0).all() and (levels[10] == 0).all()
    )
    assert "not a number (NaN)" in Player(made.broken()).html


def test_two_paths_meet_at_the_same_noise_level():
    few, many = made.reverse(10), made.reverse(50)
    data = data_of(Player(few, many))
    for i, j in data["pairs"]:
        angles = [np.arccos(np.sqrt(data["paths"][p]["alpha"][k])) for p, k in ((0, i), (1, j))]
        assert abs(angles[0] - angles[1]) < np.pi / 2 / 10
    assert data["pairs"][0] == [0, 0] and data["pairs"][-1] == [10, 50] and len(data["pairs"]) == 51
    assert data["start"] == "same starting noise, seed 3"
    assert data["names"] == ["A · 10 steps", "B · 50 steps"]
    assert data_of(Player(few, made.reverse(10, seed=4)))["start"] == "different starting noise"
    named = Player(few, many, names=["the guess", "put back"], rest="start")
    data = data_of(named)
    assert data["names"] == ["A · the guess", "B · put back"] and data["opening"] == "A: the guess. B: put back."
    assert data["rest"] == "start" and named.html.count("B · put back") == 2  # in the still as well


@pytest.mark.parametrize(("paths", "names"), [(2, "ab"), (2, ["one"]), (1, ["a", "b"]), (2, 7)])
def test_names_for_other_than_two_paths_are_one_sentence(paths, names):
    with pytest.raises(LabError, match="expected"):
        Player(*[made.reverse(2)] * paths, names=names)


def test_a_path_beside_itself_differs_by_exactly_nothing():
    gaps = data_of(Player(made.reverse(), made.reverse()))["gaps"]
    assert not np.frombuffer(base64.b64decode(gaps.split(",")[1]), "<f4").any()


def test_a_forward_pair_keeps_what_it_shares_once():
    data = data_of(Player(made.forward_photo(64), made.forward_photo(64, linear())))
    assert data["paths"][1]["frames"] == {"x0": "same", "eps": "same"}
    assert [panel["what"] for panel in data["panels"]] == ["x_t", "x_t"]


def test_views_keep_the_panels_already_taught():
    data = data_of(Player(made.guided(), views=["x_t", "x0"]))
    assert [panel["what"] for panel in data["panels"]] == ["x_t", "x0"]
    assert "x0_uncond" not in data["paths"][0]["frames"]
    assert [panel["what"] for panel in data_of(Player(made.reverse()))["panels"]] == ["x_t", "x0", "eps"]
    assert [panel["what"] for panel in data_of(Player(made.guided()))["panels"]][-1] == "x0_uncond"


def test_grey_pictures_and_one_pixel_can_be_drawn():
    for shape in ((1, 8, 8), (3, 1, 1)):
        x0 = torch.zeros(1, *shape)
        assert "<figure" in Player(forward(x0, cosine(), range(0, 1000, 100))).html


def still_of(*shape: int):
    return arrived(torch.zeros(shape))


@pytest.mark.parametrize("call, words", [
    (lambda: Player(made.reverse(), views=["x1"]), f"{', '.join(VIEWS)}; 'x1' came"),
    (lambda: Player(made.reverse(), index=1), "from 0 to 0"),
    (lambda: Player(Trajectory([])), "at least one step"),
    (lambda: Player(made.reverse(), index="0"), "'0' came"), (lambda: Player(made.reverse(), index=0.0), "0.0 came"),
    (lambda: Player(made.reverse(), index=None), "None came"), (lambda: Player(made.reverse(), views=5), "5 came"),
    (lambda: Player(made.reverse(), views=[["x0"]]), "['x0'] came"),
    (lambda: Player(made.reverse(), views=[]), "none came"),
    (lambda: Player(made.reverse(), ask="a" * 10**6), "1,000,000 came; shorten it"),
    (lambda: watch(iter([]), ask="a" * 10**6), "1,000,000 came; shorten it"),
    (lambda: Player(made.reverse(), caption=5), "a caption is text; 5 came"),
    (lambda: Player(made.reverse(), ask=5), "5 came"), (lambda: watch(iter([]), caption=5), "a caption is text"),
    (lambda: Player(made.reverse(), caption="\ud800"), "a caption is text of whole characters"),
    (lambda: Player(Trajectory([still_of(2, 3, 4, 4), still_of(2, 3, 4, 5)])), "(2, 3, 4, 5)"),
    (lambda: Player(Trajectory([still_of(2, 3, 4, 4), still_of(1, 3, 4, 4)])), "2 pictures at every step"),
    (lambda: Player(Trajectory([still_of(1, 3, 0, 0)])), "(1, 3, 0, 0)"),
    (lambda: Player(Trajectory([None])), "NoneType came"),
    (lambda: Player(Trajectory([still_of(1, 3, 4, 4)], pictures={0: torch.zeros(2, 4, 4, 3).byte()})), "(2, 4, 4, 3)"),
    (lambda: Player([1, 2]), "list came"),
    (lambda: Player(made.reverse(), made.forward_photo(64)), "like with like"),
    (lambda: Player(Trajectory([arrived(torch.zeros(1, 7, 4, 4))])), "(1, 7, 4, 4)"),
    (lambda: watch(iter([])), "none came"),
    (lambda: watch(iter([1, 2])), "int came"),
    (lambda: watch(3), "int came"), (lambda: watch(made.reverse().steps, "icons"), "'icons' came"),
])  # fmt: skip
def test_bad_input_is_answered_in_one_sentence(call, words):
    with pytest.raises(LabError) as error:
        call()
    assert words in str(error.value) and "\n" not in str(error.value)


def test_the_palette_is_the_house_s():
    css = (HERE / "player.css").read_text("utf-8")
    for name, colour in PALETTE.items():
        assert f"--{name}: {colour};" in css


def test_the_page_is_whole(tmp_path):
    page = Player(made.reverse()).save(tmp_path / "new" / "player.html")
    text = Path(page).read_text("utf-8")
    assert text.startswith("<!doctype html>") and '<meta charset="utf-8">' in text and text.count("<figure") == 1


def test_a_page_is_not_called_a_picture(tmp_path):
    for name in ("p.png", "p", "p.safetensors", "p.html\n"):
        with pytest.raises(LabError, match="call it p.html") as told:
            Player(made.reverse()).save(tmp_path / name)
        assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


# ---- watch ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def shown():
    """What a notebook would be sent, as (message type, data) in order."""
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    before, shell.display_pub = shell.display_pub, CapturingDisplayPublisher()
    yield shell.display_pub.outputs
    shell.display_pub = before
    InteractiveShell.clear_instance()


def fresh(n: int = 12) -> Steps:
    return Steps(iter(made.reverse(n).steps), made.reverse(n).recipe, made.reverse(n).to_rgb)


def test_watch_returns_the_path_and_ends_as_the_player(shown):
    trajectory = watch(fresh())
    assert isinstance(trajectory, Trajectory) and len(trajectory) == 13 and trajectory.recipe.n == 12
    html = [output["data"]["text/html"] for output in shown]
    assert html[-1] == Player(trajectory).html
    assert html[0] == html[-2] == "<span></span>"


def test_watch_shows_at_most_five_previews_a_second(shown):
    import time

    def slow():
        for step in made.reverse(40).steps:
            time.sleep(0.02)
            yield step

    start = time.monotonic()
    watch(slow())
    seconds = time.monotonic() - start
    previews = [output for output in shown if "<progress" in output["data"]["text/html"]]
    assert 2 <= len(previews) <= 5 * seconds + 1
    assert all(output["update"] for output in shown[1:-1])


@pytest.mark.parametrize("ask", ["", "What will it be?"])
def test_a_preview_gives_no_riddle_away(shown, ask, monkeypatch):
    """Without a question it follows the guess; with one it is the first static, however far the path is."""
    monkeypatch.setattr(importlib.import_module("diffusion_lab.player.watch"), "EVERY", -1)
    path = watch(fresh(), ask=ask)
    previews = [output["data"]["text/html"] for output in shown if "<progress" in output["data"]["text/html"]]
    drawn = [re.search('src="([^"]+)"', html)[1] for html in previews]
    at = [(0, "x_t")] * len(path) if ask else [(i, "x0") for i in range(len(path))]
    assert drawn == [frames.picture(VIEWS[view].pixels(path, i, 0, 3.3)[0], 192) for i, view in at]
    assert [f"step {k} of 12" in html for k, html in enumerate(previews, 1)] == [True] * 12 + [False]
    assert all(("what you will see" in html) == bool(ask) for html in previews)


def test_a_preview_is_decoded_where_that_is_quick(shown, monkeypatch):
    """Numbers that are none are hatched, as without a decoder."""
    monkeypatch.setattr(importlib.import_module("diffusion_lab.player.watch"), "EVERY", -1)
    steps, drawn = made.latents(3), []
    broken = replace(steps[1], eps=steps[1].eps * float("nan"))

    def quick(x0):
        drawn.append(x0)
        return torch.full((len(x0), 128, 128, 3), 40 * len(drawn)).byte()

    watch(Steps([steps[0], broken, *steps.steps[2:]], steps.recipe, steps.to_rgb, preview=quick))
    pages = [output["data"]["text/html"] for output in shown if "<progress" in output["data"]["text/html"]]
    flat = [frames.picture(np.full((128, 128, 3), 40 * k, np.uint8), 192) in page for k, page in
            zip((1, 0, 2, 3), pages, strict=True)]  # fmt: skip
    assert flat == [True, False, True, True]
    assert torch.equal(torch.cat(drawn), torch.cat([step.x0[:1] for step in (steps[0], *steps.steps[2:])]))


def test_watch_keeps_what_there_is_when_interrupted(shown):
    def interrupted():
        for i, step in enumerate(made.reverse().steps):
            if i == 7:
                os.kill(os.getpid(), signal.SIGINT)
            yield step

    trajectory = watch(Steps(interrupted(), made.reverse().recipe, made.reverse().to_rgb), caption="Look.")
    assert 6 <= len(trajectory) <= 8
    assert f"Look. Stopped by hand after {len(trajectory)} of 12 steps." in shown[-1]["data"]["text/html"]


def test_watch_lets_a_mistake_through_and_clears_its_preview(shown):
    def failing():
        yield made.reverse().steps[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watch(failing())
    assert shown[-1]["data"]["text/html"] == "<span></span>"


@pytest.mark.parametrize("path", [made.reverse, made.moons])
def test_watch_needs_no_model_for_pixels_and_points(path):
    trajectory = watch(step for step in path().steps)
    assert "<figure" in Player(trajectory).html


def test_watch_decodes_latents_through_the_model():
    class Model:
        shape, to_rgb = (4, 16, 16), made.latents().to_rgb

        def picture(self, x):
            return [Image.new("RGB", (128, 128), "red") for _ in x]

    trajectory = watch(iter(made.latents(6).steps), Model())
    assert sorted(trajectory.pictures) == list(range(7))
    assert trajectory.pictures[3].shape == (1, 128, 128, 3) and trajectory.pictures[3].dtype == torch.uint8
    assert data_of(Player(trajectory))["paths"][0]["pictures"]["x0"]["at"] == list(range(7))
    assert data_of(Player(trajectory))["paths"][0]["pictures"]["x0_uncond"]["at"] == list(range(7))
    assert "x_t" not in data_of(Player(trajectory))["paths"][0]["pictures"]
    asked = watch(iter(made.latents(6).steps), Model(), ask="What will it be?")
    riddle = data_of(Player(asked, ask="What is it?"))["paths"][0]["pictures"]
    assert riddle["x_t"]["at"] == list(range(7))  # a riddle's own pictures


@pytest.mark.parametrize("when", ["Player", "keep", "display"])
def test_stopped_twice_the_path_is_kept(monkeypatch, shown, capsys, when):
    """The second Ctrl-C comes while the path is decoded and drawn."""
    def stop(*_, **__):
        if when != "display" or isinstance(_[0], Player):
            raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module("diffusion_lab.player.watch"), when, stop)
    steps = made.latents(6)
    black = lambda x: torch.zeros(len(x), 128, 128, 3).byte()  # noqa: E731
    path = watch(Steps(iter(steps.steps), steps.recipe, steps.to_rgb, black))
    assert [step.t for step in path] == [step.t for step in steps]
    assert "Player(path) shows it" in capsys.readouterr().out


def test_who_stops_before_the_first_step_stops(shown):
    def stopped():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        watch(stopped())


def told(path: Trajectory) -> tuple[int, list[int]]:
    data = data_of(Player(path))["paths"][0]
    return data["total"], data["number"]


def test_steps_are_counted_as_they_were_walked():
    """A correction is part of a step, what was taken before is not there, and who was stopped hears of how many."""
    heun = made.reverse(4, sampler="heun")
    assert paths.walked(heun) == 4 and told(heun) == (4, [1, 1, 2, 2, 3, 3, 4, 0])
    rest = Trajectory(heun.steps[4:], heun.recipe, heun.to_rgb)
    assert told(rest) == (2, [1, 1, 2, 0])
    stopped = Trajectory(heun.steps[:3], heun.recipe, heun.to_rgb)
    assert paths.walked(stopped) == 2 and told(stopped) == (4, [1, 1, 2])


def test_a_stopped_path_tells_its_steps_and_not_its_calls(shown):
    def stopped():
        yield from made.reverse(4, sampler="heun").steps[:3]
        raise KeyboardInterrupt

    watch(Steps(stopped(), made.reverse(4, sampler="heun").recipe, made.reverse().to_rgb))
    assert "Stopped by hand after 2 of 4 steps." in shown[-1]["data"]["text/html"]


def test_a_terminal_is_not_sent_any_preview(shown, monkeypatch):
    watching = importlib.import_module("diffusion_lab.player.watch")
    monkeypatch.setattr(watching, "EVERY", -1)
    monkeypatch.setattr(watching, "get_ipython", type("TerminalInteractiveShell", (), {}))
    path = watch(fresh())
    assert [output["data"]["text/plain"] for output in shown] == [repr(Player(path))]


@pytest.mark.parametrize("x", [3e38, -3e38, torch.inf])
def test_numbers_beyond_all_bounds_are_drawn(x):
    broken = Step(torch.full((1, 3, 4, 4), x), torch.zeros(1, 3, 4, 4), 0.5, 5)
    assert "<figure" in Player(Trajectory([broken, arrived(torch.zeros(1, 3, 4, 4))])).html
