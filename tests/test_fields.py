"""A touched place says the perfect denoiser's own numbers, in Python and on the page; networks are measured on it."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from browser import address, browser, live, page, painted, press

from diffusion_lab import Exact, LabError, add_noise
from diffusion_lab.fields import Learning, as_network, draw_arrows, grid, probes
from diffusion_lab.figures import PALETTE, Figure, axes
from diffusion_lab.touch import Touch
from diffusion_lab.worlds import points

DATA = points.sample(120, 3, kinds="pixels")[0]
SAID = re.compile(r"At (\d+) % picture, \(([-\d.]+), ([-\d.]+)\) is touched. (\d+) of (\d+) pictures carry 90 % of the "
                  r"weight. Their mean, the guess: \(([-\d.]+), ([-\d.]+)\).")


def agrees(sentence: str) -> tuple[float, torch.Tensor, int]:
    """The share and the place of a sentence, once its other numbers are the perfect denoiser's."""
    percent, x, y, many, of, u, v = map(float, SAID.search(sentence).groups())
    model, place = Exact(DATA), torch.tensor([[x, y]])
    guess, weights = model.guess(place, percent / 100)[0], model.weights(place, percent / 100)[0]
    assert (guess - torch.tensor([u, v])).abs().max() < 0.0051, sentence
    largest = weights.sort(descending=True).values
    assert of == len(DATA) and largest[: int(many)].sum() >= 0.9 > largest[: int(many) - 1].sum(), sentence
    return percent / 100, place[0], int(many)


@pytest.fixture
def drawn(monkeypatch):
    """The matplotlib figures that fields and Touch draw, as they are handed to Figure."""
    found = []
    for room in ("fields", "touch"):
        monkeypatch.setattr(f"diffusion_lab.{room}.Figure",
                            lambda figure, *words, **how: found.append(figure) or Figure(figure, *words, **how))
    return found


def test_a_touched_place_says_its_numbers():
    touch = Touch(DATA, (0.25, -0.5), 0.36, "A plane with lines to points.", "An average.")
    share, place, many = agrees(touch.sentence)
    assert (share, place.tolist()) == (0.36, [0.25, -0.5]) and many > 5
    assert touch.sentence in touch._repr_html_() and "An average." in touch.still().caption


def test_the_picture_of_a_touched_place_shows_its_guess_faded_and_as_it_is(drawn):
    touch = Touch(DATA, (0.25, -0.5), 0.36, "A plane with lines to points.")
    touch.still()
    (panel,) = drawn[0].axes
    arrow, (*lines, dots, ring, cross) = panel.texts[0], panel.lines
    assert list(arrow.xyann) == touch.place.tolist() and np.allclose(arrow.xy, 0.6 * touch.guess)
    assert np.allclose(ring.get_xydata(), touch.guess) and ring.get_color() == PALETTE["guess"]
    assert np.allclose(cross.get_xydata(), touch.place) and cross.get_color() == PALETTE["noise"]
    assert np.allclose(dots.get_xydata(), 0.6 * touch.model.data)
    weights = touch.model.weights(touch.place[None], 0.36)[0]
    counted = weights > 0.01 * weights.max()
    assert np.allclose([line.get_xydata()[1] for line in lines], 0.6 * touch.model.data[counted])
    assert np.allclose([line.get_alpha() for line in lines], 0.8 * weights[counted] / weights.max(), rtol=1e-4)


@pytest.mark.parametrize(("given", "word"), [((DATA.repeat(6, 0),), "at most 600"), ((DATA, (0, 0, 0)), "two numbers"),
                                             ((DATA, (0, 0), 1.0), "0.01 to 0.99"), ((DATA, ("a", 0)), "place")])
def test_what_cannot_be_touched_is_told(given, word):
    with pytest.raises(LabError, match=word):
        Touch(*given)


@pytest.mark.browser
def test_the_page_says_what_the_denoiser_says(tmp_path):
    place = tmp_path / "touch.html"
    touch = Touch(DATA, (0.25, -0.5), 0.5, "A plane with lines to points.", "An <i>average</i>.")
    place.write_text(f'<!doctype html><meta charset="utf-8"><main class="jp-Notebook" tabindex="-1">'
                     f"{touch._repr_html_()}</main>")
    with browser() as engine, page(engine, 900, 700) as tab:
        tab.goto(address(place))
        live(tab, ".dl-touch")
        plane, said, range_ = tab.locator("canvas"), tab.locator("p[role=status]"), tab.locator("input")
        share, first, _ = agrees(said.inner_text())
        assert share == 0.5 and first.tolist() == [0.25, -0.5] and not tab.locator("figure").is_visible()
        assert "An <i>average</i>." in tab.locator(".dl-touch").inner_text()  # words, never elements
        guess, farthest = touch.guess, touch.model.data[touch.model.data.norm(dim=1).argmax()]
        (x, y), faded, clear = ([500 * (1 + a / 1.5) / 2, 500 * (1 - b / 1.5) / 2] for a, b in (
            guess.tolist(), (0.5**0.5 * farthest).tolist(), farthest.tolist()))
        ink = "(e, [x, y]) => [...e.getContext('2d').getImageData(x, y, 1, 1).data]"
        assert plane.evaluate(ink, [x, y - 9]) == [*bytes.fromhex(PALETTE["guess"][1:]), 255]  # the ring
        assert plane.evaluate(ink, clear)[3] == 0 and plane.evaluate(ink, faded)[3] > 150  # a point stands faded
        plane.focus()
        press(tab, "ArrowRight", "ArrowUp")
        assert agrees(said.inner_text())[1].tolist() == pytest.approx([0.30, -0.45])
        range_.focus()
        press(tab, "End")
        share, _, few = agrees(said.inner_text())
        assert share == 0.99 and range_.get_attribute("aria-valuetext") == "99 % picture"
        press(tab, "Home")
        assert agrees(said.inner_text())[2] > few  # under more static, more pictures are possible
        box = plane.bounding_box()
        tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tab.mouse.down()
        tab.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
        tab.mouse.up()
        assert agrees(said.inner_text())[1].tolist() == pytest.approx([0.75, 0], abs=0.011)
        dark = "(e) => getComputedStyle(e).backgroundColor"
        pixels = tab.locator(".dl-moves > div + div > div > div > div > div")
        left, right = (pixels.nth(k).evaluate(dark) for k in (0, 1))
        assert (left, right) == ("rgb(223, 223, 223)", "rgb(128, 128, 128)")  # the place as a picture of two pixels
        press(tab, "Escape")
        assert tab.evaluate("document.activeElement.className") == "jp-Notebook"
        tab.set_viewport_size({"width": 290, "height": 844})  # a cell of JupyterLab on a phone, where a swipe scrolls
        painted(tab)
        assert tab.evaluate("document.documentElement.scrollWidth <= 290") and plane.bounding_box()["width"] > 200
        assert tab.get_by_text("second pixel").locator("..").bounding_box()["height"] == plane.bounding_box()["height"]
        assert plane.evaluate("(e) => getComputedStyle(e).touchAction") == "pan-y pinch-zoom"
        tab.emulate_media(media="print")
        assert tab.locator("figure").is_visible() and not plane.is_visible()
        assert not tab.errors and not tab.refused


def test_probes_hold_a_network_against_the_perfect_denoiser():
    model = Exact(DATA)
    x0, eps, t, x_t, perfect = probes(model, times=8, each=200)
    assert x_t.shape == eps.shape == perfect.shape == (1600, 2) and t.unique().tolist() == list(range(62, 1000, 125))
    row = 900
    assert torch.equal(model.predict_noise(x_t[row:row + 1], int(t[row]))[0], perfect[row])
    assert torch.cdist(x0, model.data).min(dim=1).values.max() < 1e-3
    assert torch.equal(add_noise(x0, model.schedule.alpha_bars[t].float()[:, None], eps), x_t)
    floor = (perfect - eps).square().mean()
    worse = (0.8 * perfect, 1.2 * perfect, perfect + 0.1, 0 * eps)
    assert all((guess - eps).square().mean() > floor for guess in worse)
    network = as_network(model)
    mixed = torch.randperm(len(t), generator=torch.Generator().manual_seed(1))
    assert network(x_t[mixed], t[mixed]).allclose(perfect[mixed], atol=1e-6)


def test_a_grid_of_places():
    assert grid(3, 1.0).tolist() == [[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1)]


def test_an_arrow_points_against_the_noise():
    _, panel = axes(2, 2)
    eps = torch.tensor([[1.0, 0.0], [0.0, -2.0], [0.5, 0.5], [0.0, 0.0]])
    draw_arrows(panel, grid(2, 1.0), eps, "pull", length=0.5)
    arrows = panel.collections[-1]
    assert np.allclose(np.stack([arrows.U, arrows.V], axis=1), -0.5 * eps) and np.allclose(arrows.XY, grid(2, 1.0))
    assert np.allclose(255 * arrows.get_facecolor()[0, :3], [*bytes.fromhex(PALETTE["pull"][1:])])


class Known(torch.nn.Module):
    """A network whose guess is the perfect one's times a strength."""

    def __init__(self, model, strength):
        super().__init__()
        self.perfect, self.strength = as_network(model), strength

    def forward(self, x_t, t):
        return self.strength * self.perfect(x_t, t)


def test_a_picture_of_learning_shows_both_fields_and_both_curves(drawn):
    model = Exact(DATA)
    learning = Learning(model, steps=100, t=300)
    for step, strength in ((1, 0.0), (40, 0.9)):
        learning(SimpleNamespace(step=step, ema=Known(model, strength)))
    plane, curves = drawn[-1].axes
    half = 0.5 * (1 - model.schedule.alpha_bar(300)) ** 0.5 * as_network(model)(grid(13, 1.15), torch.full((169,), 300))
    for arrows, wanted, role in zip(plane.collections, (-half, -0.9 * half), ("reference", "guess"), strict=True):
        assert np.allclose(np.stack([arrows.U, arrows.V], axis=1), wanted, atol=1e-6)
        assert np.allclose(255 * arrows.get_facecolor()[0, :3], [*bytes.fromhex(PALETTE[role][1:])])
    floor, losses, errors = curves.lines
    assert np.allclose(losses.get_xydata(), [row[:2] for row in learning.rows])
    assert np.allclose(errors.get_xydata(), [row[::2] for row in learning.rows])
    assert set(floor.get_ydata()) == {learning.floor}
    assert {words.get_text(): round(words.xy[1], 4) for words in curves.texts if hasattr(words, "xy")} == {
        "loss": round(learning.rows[-1][1], 4), "error": round(learning.rows[-1][2], 4)}


def test_learning_measures_loss_and_error_and_draws_them():
    model = Exact(DATA)
    learning = Learning(model, steps=100)
    _, eps, _, _, perfect = learning.probes
    for step, strength in ((1, 0.0), (40, 0.9), (100, 1.0)):
        figure = learning(SimpleNamespace(step=step, ema=Known(model, strength)))
        loss, error = learning.rows[-1][1:]
        assert loss == pytest.approx(float((strength * perfect - eps).square().mean()), rel=1e-5)
        assert error == pytest.approx(float((1 - strength) ** 2 * perfect.square().mean()), rel=1e-5)
        assert f"step {step}" in figure.alt
    assert learning.floor == pytest.approx(learning.rows[-1][1], rel=1e-6) and learning.floor < learning.rows[1][1]
    slider = learning.slider("Arrows at three steps.", "They agree.")
    assert slider.labels == ["step 1", "step 40", "step 100"] and slider.start == 0
    assert learning.slider("Arrows.", "They agree.", step=30).start == 1
    learning.rows = [(1, 1.0, 0.9), (9, 0.5, 0.02)]
    learning.floor = 0.496
    assert learning.told == "The loss ends at 0.50, as the perfect one's. The error becomes more than 20 times smaller."
    learning.rows.reverse()
    assert learning.told == "The loss ends at 1.00; the perfect one's is 0.50. The error grows."
    learning.rows.append((20, 0.9, 0.019))
    assert learning.told.endswith("The error hardly falls.")
