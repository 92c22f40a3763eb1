"""Figures carry words, keep pixels square, and say the same thing every time."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lab.errors import LabError
from diffusion_lab.figures import PALETTE, Figure, Slider, as_image, axes, shares, strip

RED = np.full((4, 4, 3), [200, 0, 0], np.uint8)


def test_a_figure_has_alt_text_and_escapes_it():
    html = Figure(Image.new("RGB", (4, 4)), 'a "black" square <b>', "5 < 6")._repr_html_()
    assert 'alt="a &quot;black&quot; square &lt;b&gt;"' in html and "5 &lt; 6" in html and "<b>" not in html
    with pytest.raises(LabError, match="alt text was expected"):
        Figure(Image.new("RGB", (4, 4)), "  ")


def test_the_same_figure_is_the_same_text():
    def draw():
        figure, panel = axes()
        panel.plot([0, 1], color=PALETTE["signal"])
        return Figure(figure, "a rising line")._repr_html_()

    assert draw() == draw()


def test_a_strip_enlarges_with_hard_edges_in_rows():
    rows = strip([RED, RED * 0, RED * 0, RED], "squares", rows=2, size=40).image
    pixels = np.asarray(rows)
    assert rows.size == (88, 88) and set(map(tuple, pixels[:40, :40].reshape(-1, 3))) == {(200, 0, 0)}
    assert tuple(pixels[20, 60]) == (0, 0, 0) and tuple(pixels[60, 60]) == (200, 0, 0)
    assert tuple(pixels[20, 44]) == (255, 255, 255)  # a white gap


def test_pictures_of_every_kind_are_one_picture():
    sample = torch.tensor(RED).permute(2, 0, 1) / 127.5 - 1
    for kind in (RED, Image.fromarray(RED), sample, sample.numpy()):
        assert np.array_equal(np.asarray(as_image(kind)), RED)
    assert np.asarray(as_image(torch.full((3, 2, 2), torch.nan))).max() == 128  # NaN is middle grey
    with pytest.raises(LabError, match="take one picture out of its batch"):
        as_image(np.zeros((2, 3, 4, 4)))


def test_bars_are_as_long_as_their_weights():
    sheet = np.asarray(shares(RED, RED, [RED] * 4, [0.7, 0.2, 0.1, 0.0]))
    green = (sheet == [0, 158, 115]).all(axis=2)
    x = [470, 470 + 82, 470, 470 + 82]
    lengths = [green[:148, x[0]].sum(), green[:148, x[1]].sum(), green[148:, x[2]].sum(), green[148:, x[3]].sum()]
    whole = 116 - 80
    assert np.allclose(lengths, [0.7 * whole, 0.2 * whole, 0.1 * whole, 0], atol=1.5)


def test_a_slider_holds_all_pictures_and_escapes_its_words():
    slider = Slider([RED, RED * 0], ["</script>", "black"], "two squares", title="colour")
    html = slider._repr_html_()
    assert html.count("</script>") == 2 and "two squares" in html and html == slider._repr_html_()
    setting = json.loads(re.search(r'<script type="application/json">(\{.*?\})</script>', html).group(1))
    assert setting["labels"] == ["</script>", "black"] and len(set(setting["frames"])) == 2
    with pytest.raises(LabError, match="one label for each of 2 pictures"):
        Slider([RED, RED], ["only one"], "squares", title="colour")
