"""A view is one row of one table: whoever adds one sees it drawn, and reads a sentence where a path lacks it."""

from dataclasses import replace

import browser
import numpy as np
import player_paths as made
import pytest
import torch

from diffusion_lab.errors import LabError
from diffusion_lab.figures import PALETTE
from diffusion_lab.noising import forward
from diffusion_lab.player import Player, watch
from diffusion_lab.player.player import HERE
from diffusion_lab.player.views import VIEWS, View
from diffusion_lab.schedules import cosine

PULL = View("difference", lambda step: None if step.x0_uncond is None else step.x0 - step.x0_uncond,
            "what the prompt adds", "what the prompt adds", role="pull", needs="a prompt")  # fmt: skip
PROPOSAL = View("proposal", lambda step: step.extras.get("proposal"), "what it proposes for the {thing}", "", "y_t",
                "guess", noisy=True)  # fmt: skip
MAP = View("map", lambda step: torch.nn.functional.avg_pool2d(step.x0.mean(1, keepdim=True), 4), "where it is bright",
           "where it is bright", colours=lambda x: np.moveaxis(np.concatenate([x, -x, x * 0]), 0, -1))  # fmt: skip


@pytest.fixture
def added(monkeypatch):
    """The one entry that a new view is."""
    return lambda view: monkeypatch.setitem(VIEWS, view.key, view)


def proposing(path):
    """A path whose steps carry what their sampler proposed: all but the first, and not where it has arrived."""
    steps = list(path.steps)
    for i in range(1, len(steps) - 1):
        steps[i] = replace(steps[i], extras={"proposal": 0.5 * steps[i - 1].x_t})
    return type(path)(steps, path.recipe, path.to_rgb)


def test_no_row_of_the_table_is_named_elsewhere():
    """But for the three letters of the equation."""
    rows = set(VIEWS) - {"x_t", "x0", "eps"}
    for path in [*HERE.glob("*.js"), *HERE.glob("*.css"), *HERE.glob("*.py")]:
        code = path.read_text("utf-8").replace(Player.__doc__, "")
        assert path.name == "views.py" or not [key for key in rows if f'"{key}"' in code or f"{key}:" in code], path


@pytest.mark.parametrize("call, words", [
    (lambda: Player(made.reverse(), views=["x0_uncond"]), "a guidance scale other than 1"),
    (lambda: Player(made.guided(), made.reverse(), views=["x0", "x0_uncond"]), "a guidance scale other than 1"),
    (lambda: Player(made.forward_photo(64), views="x0_uncond"), "(x_t, x0, eps); 'x0_uncond' came"),
    (lambda: Player(made.guided(), views=["proposal"]), f"{', '.join(VIEWS)}, difference); 'proposal' came"),
    (lambda: Player(made.reverse(), views=["difference"]), "make the path with a prompt"),
])  # fmt: skip
def test_a_view_that_a_path_lacks_is_refused_in_a_sentence(added, call, words):
    added(PULL)
    added(PROPOSAL)
    with pytest.raises(LabError) as error:
        call()
    assert words in str(error.value) and "\n" not in str(error.value)


def test_an_unknown_view_is_refused_before_anything_is_computed():
    def steps():
        yield pytest.fail("a step was computed")

    with pytest.raises(LabError, match=f"{', '.join(VIEWS)}; 'x1' came"):
        watch(steps(), views=["x1"])


def test_the_dots_of_a_still_have_the_colour_of_their_direction():
    for path, role in ((made.moons(), "guess"), (forward(made.moons().x0, cosine()), "signal")):
        pixels, _ = VIEWS["x0"].pixels(path, 0, 0, 3.0)
        colours = {"#" + bytes(pixel).hex().upper() for pixel in pixels.reshape(-1, 3)}
        assert colours == {"#FFFFFF", "#DDDDDD", PALETTE[role]}


def test_a_new_view_is_shown_where_it_is_asked_for(added):
    path, before = proposing(made.guided()), Player(made.guided()).views
    added(PROPOSAL)
    assert Player(path).views == before == [view.key for view in VIEWS.values() if view.always]
    added(replace(PROPOSAL, always=True))
    assert Player(path).views == [*before, "proposal"] and Player(made.guided()).views == before


@pytest.fixture
def shown(engine, tmp_path):
    """Open a player and go to a step; returns what the panel of a view shows there: pixels (h, w, 4) and its words."""
    opened = []

    def go(player, key, k):
        manager = browser.page(engine)
        tab = manager.__enter__()
        opened.append((manager, tab))
        tab.goto(browser.address(player.save(tmp_path / f"{len(opened)}.html")))
        browser.live(tab)
        empty_ones_say_so(tab)
        tab.evaluate("""(k) => { const r = document.querySelector('.dl-player input'); r.value = k;
                     r.dispatchEvent(new Event('input')); }""", k)  # fmt: skip
        empty_ones_say_so(tab)
        size, data, words, look = tab.evaluate("""(key) => {
            const panel = document.querySelector(`.dl-panel[data-what="${key}"]`);
            const canvas = panel.querySelector("canvas");
            const label = panel.querySelector(".dl-label"), { width, height } = canvas;
            const image = canvas.getContext("2d").getImageData(0, 0, width, height);
            return [[height, width], [...image.data], label.innerText.trim(), label.dataset.role];
        }""", key)  # fmt: skip
        return np.array(data).reshape(*size, 4), words, look

    yield go
    for manager, tab in opened:
        errors = list(tab.errors)
        manager.__exit__(None, None, None)
        assert errors == []


def empty_ones_say_so(tab) -> None:
    panels = tab.evaluate("""[...document.querySelectorAll(".dl-panel")].map((panel) =>
        [panel.hasAttribute("data-none"), panel.innerText.trim() === "not at this step"])""")
    assert all(empty == said for empty, said in panels)


def drawn(samples) -> np.ndarray:
    """One picture's samples (3, H, W) as a canvas shows them."""
    return (samples.permute(1, 2, 0).clamp(-1, 1) * 127.5 + 127.5).numpy()


@pytest.mark.browser
def test_a_difference_is_drawn(added, shown):
    added(PULL)
    path = made.guided()
    player = Player(path, views=["x_t", "difference"])
    pixels, words, role = shown(player, "difference", 4)
    assert np.abs(pixels[..., :3] - drawn((path[4].x0 - path[4].x0_uncond)[0])).max() < 2.5
    assert (words, role) == ("what the prompt adds", "pull")
    pixels, words, _ = shown(player, "difference", 12)  # where the path has arrived there is none
    assert not pixels.any() and words == "not at this step"


@pytest.mark.browser
def test_what_some_steps_carry_is_drawn_at_those(added, shown):
    added(PROPOSAL)
    path = proposing(made.reverse())
    player = Player(path, views=["x0", "proposal"])
    for k in (1, 7, 11):
        pixels, words, role = shown(player, "proposal", k)
        error = np.abs(pixels[..., :3] - drawn(path[k].extras["proposal"][0]))
        assert error.max() < 4.5  # what is as wide as noise is kept in coarser levels
        assert (words, role) == ("what it proposes for the picture\u00a0yt", "guess")
    for k in (0, 12):
        pixels, words, _ = shown(player, "proposal", k)
        assert not pixels.any() and words == "not at this step"


@pytest.mark.browser
def test_a_map_has_its_own_size_and_colours(added, shown):
    added(MAP)
    path = made.latents(6)  # whose own colours have a bias
    pixels, _, _ = shown(Player(path, views=["x0", "map"]), "map", 6)
    values = MAP.of(path[6])[0]
    assert pixels.shape == (4, 4, 4)
    assert np.abs(pixels[..., :3] - drawn(torch.cat([values, -values, values * 0]))).max() < 2.5


@pytest.mark.browser
def test_points_have_views_too(added, shown):
    added(PROPOSAL)
    path = made.moons()
    path = proposing(type(path)(path.steps, path.recipe, path.to_rgb))
    player = Player(path, views=["x0", "proposal"])
    pixels, words, _ = shown(player, "proposal", 4)
    green = np.abs(pixels[..., :3] - [0, 158, 115]).max(-1) < 40
    side, reach = green.shape[0], max(3.0, 1.15 * np.quantile(path.x0.abs().numpy(), 0.995))
    at = (side / 2 * (1 + path[4].extras["proposal"].numpy() * [1, -1] / reach)).astype(int)
    at = at[((at > 0) & (at < side)).all(1)]
    assert len(at) > 100 and np.mean([green[y, x] for x, y in at]) > 0.95
    assert words.startswith("what it proposes for the points")
    assert not shown(player, "proposal", 0)[0].any()
